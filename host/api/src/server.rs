//! The connection loop: accepts, bounds and drains connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::refusals::Explained;
use crate::site::Site;

/// Connections served at once; further ones wait in the listen queue.
const MAX_CONNECTIONS: usize = 4096;
/// Time a client has to send its request head, so that idle half-requests cannot hold connections.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Time running requests get to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (usually: out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is open to others and nothing authenticates callers.
    #[error(
        "{0} is not a loopback address and no authentication is configured; anybody who reaches it could use this \
         server. Listen on 127.0.0.1, or pass --allow-unauthenticated if something in front of it authenticates callers"
    )]
    OpenToOthers(IpAddr),
    /// The socket could not be opened.
    #[error("cannot listen on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The socket that was handed over cannot be listened on.
    #[error("the socket that was handed over cannot be listened on")]
    Adopt(#[source] io::Error),
}

/// Opens the listening socket; refuses an address that others can reach unless `allow_unauthenticated`.
///
/// # Errors
/// [`ServeError`].
pub async fn bind(address: SocketAddr, allow_unauthenticated: bool) -> Result<TcpListener, ServeError> {
    check_openness(address, allow_unauthenticated)?;
    TcpListener::bind(address).await.map_err(|error| ServeError::Bind(address, error))
}

/// Takes over a socket that another program has opened; which addresses it may be at is as with [`bind`].
///
/// # Errors
/// [`ServeError`].
pub fn adopt(listener: std::net::TcpListener, allow_unauthenticated: bool) -> Result<TcpListener, ServeError> {
    check_openness(listener.local_addr().map_err(ServeError::Adopt)?, allow_unauthenticated)?;
    listener.set_nonblocking(true).map_err(ServeError::Adopt)?;
    TcpListener::from_std(listener).map_err(ServeError::Adopt)
}

fn check_openness(address: SocketAddr, allow_unauthenticated: bool) -> Result<(), ServeError> {
    if !address.ip().is_loopback() && !allow_unauthenticated {
        return Err(ServeError::OpenToOthers(address.ip()));
    }
    Ok(())
}

/// Serves until `shutdown` completes, then lets running requests finish.
pub async fn serve(listener: TcpListener, site: Site, shutdown: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, site.clone());
                let watched = graceful.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = watched.await {
                        tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

fn connection(stream: TcpStream, site: Site) -> impl GracefulConnection<Error = hyper::Error> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "TCP_NODELAY refused");
    }
    http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).serve_connection(
        Explained::new(TokioIo::new(stream)),
        service_fn(move |mut request: Request<hyper::body::Incoming>| {
            without_slash(request.uri_mut());
            TowerToHyperService::new(site.router()).call(request)
        }),
    )
}

/// Pages of the documentation are relative to a folder, whose name ends in a slash.
const PAGES: &str = "/docs/";

/// Takes the slash from the end of a path: `/decisions/` is `/decisions`.
fn without_slash(uri: &mut Uri) {
    let path = uri.path();
    let Some(bare) = path.strip_suffix('/').filter(|bare| !bare.is_empty() && !path.starts_with(PAGES)) else { return };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(target) = format!("{bare}{query}").parse::<PathAndQuery>() else { return };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(target);
    // A target with a scheme or a host that no longer fits together is none; the empty one is not found.
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Completes when the process is asked to stop (interrupt or terminate), be it before anybody waits for it.
///
/// # Errors
/// The signals cannot be listened to.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Answers each time the process is asked to read its files again (hangup), from now on.
///
/// # Errors
/// The signal cannot be listened to.
pub fn reload_signal() -> io::Result<impl AsyncFnMut()> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move || {
        hangup.recv().await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_makes_no_other_path() {
        for (target, wanted) in [
            ("/decisions/", "/decisions"),
            ("/decisions/?limit=1&a=/", "/decisions?limit=1&a=/"),
            ("/repositories/pay/api/", "/repositories/pay/api"),
            ("http://localhost:1/decisions/", "http://localhost:1/decisions"),
            ("/decisions//", "/decisions/"),
            ("/decisions", "/decisions"),
            ("/decisions%2f", "/decisions%2f"),
            ("/docs/", "/docs/"),
            ("/", "/"),
            ("*", "*"),
        ] {
            let mut uri: Uri = target.parse().unwrap();
            without_slash(&mut uri);
            assert_eq!(uri.to_string(), wanted, "{target}");
        }
    }
}
