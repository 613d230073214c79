//! Defence against web pages that reach a loopback server through a name of their own (DNS rebinding): while
//! listening on loopback only requests that name loopback are served.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Which `Host` values are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostGuard {
    /// Only names of the loopback interface.
    LoopbackOnly,
    /// Any: the operator listens on another address on purpose.
    Any,
}

impl HostGuard {
    /// The guard that fits a listening address.
    #[must_use]
    pub fn for_address(address: IpAddr) -> Self {
        if address.is_loopback() { Self::LoopbackOnly } else { Self::Any }
    }

    fn admits(self, host: &str) -> bool {
        self == Self::Any || names_loopback(host)
    }
}

fn names_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Refuses requests whose `Host` the guard does not admit. A request without one (HTTP/1.0) comes from no browser.
pub async fn check_host(State(guard): State<HostGuard>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    match host {
        Some(host) if !guard.admits(host) => {
            Problem::new(StatusCode::FORBIDDEN, "this server only answers requests for localhost").into_response()
        }
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_pass() {
        for good in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000"] {
            assert!(HostGuard::LoopbackOnly.admits(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "10.0.0.1:8000", "[2001:db8::1]:80", ""] {
            assert!(!HostGuard::LoopbackOnly.admits(bad), "{bad}");
        }
        assert!(HostGuard::Any.admits("cavra.example"));
    }
}
