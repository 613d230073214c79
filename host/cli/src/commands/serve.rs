//! `cavra serve`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cavra_api::{HostGuard, Site, Telemetry};
use cavra_core::{App, CoreError, Engine, Exporter, Live, Settings, left_behind};
use cavra_model::DECISIONS;

use crate::args::ServeArgs;
use crate::output::print_line;
use crate::service;

pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("cavra")
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(args, &settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &ServeArgs, settings: &Settings) -> anyhow::Result<()> {
    let telemetry = Telemetry::install();
    let mut exporter = Exporter::read(settings, |name| std::env::var(name).ok())?;
    // From the beginning, or it would end the server. On a terminal it says that the terminal is gone, and ends it.
    let hangup = (!std::io::stdin().is_terminal()).then(cavra_api::reload_signal).transpose();
    let hangup = hangup.context("cannot wait for signals")?;
    let open_to_others = args.allow_unauthenticated || settings.require_token;
    let listener = match handed_over()? {
        Some(listener) => cavra_api::adopt(listener, open_to_others)?,
        None => cavra_api::bind(SocketAddr::new(args.host, args.port), open_to_others).await?,
    };
    let address = listener.local_addr()?;
    for left in left_behind(settings).await? {
        ensure!(args.ignore_json, left.sentence());
        tracing::warn!(area = left.area, json = %left.json.display(), records = left.records, "records are left behind");
    }
    let app = App::open(settings, Engine::Server)?;
    // A log that does not continue what was signed is found here, before anything is added to it.
    app.log.start().await.map_err(CoreError::from)?;
    app.gatekeeper.prepare().await.with_context(|| {
        let file = settings.oidc_config.as_deref().unwrap_or("CAVRA_APPROVAL_OIDC_CONFIG".as_ref()).display();
        format!("{file}: it has no jwks and no jwks_path, and its issuer's keys cannot be fetched (the log says why)")
    })?;
    warm_up(&app).await;
    tracing::info!(
        %address,
        activity = %app.store.location(&DECISIONS)?,
        mode = app.store.mode(&DECISIONS)?.as_str(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    let shutdown = cavra_api::shutdown_signal().context("cannot wait for signals")?;
    // For people and for programs that start a server on a free port. Whoever reads it may ask to stop at once.
    if let Err(error) = print_line(&format!("listening on http://{address}")) {
        tracing::warn!(%error, "standard output cannot be written");
    }
    service::tell(service::READY);
    let site = Site::new(&app, HostGuard::for_address(address.ip()), telemetry.clone());
    let live = Live::new(app);
    tokio::select! {
        () = cavra_api::serve(listener, site.clone(), shutdown) => {}
        () = live.keep_time() => {}
        () = follow_files(&live, &site, settings.reload_every, hangup) => {}
        () = export(exporter.as_mut(), &telemetry) => {}
    }
    service::tell(service::STOPPING);
    live.now().close().await;
    if let Some(exporter) = exporter {
        exporter.finish(|| telemetry.render()).await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Exports traces and metrics, if somebody wants them, until the future is dropped.
async fn export(exporter: Option<&mut Exporter>, telemetry: &Telemetry) {
    match exporter {
        Some(exporter) => exporter.run(|| telemetry.render()).await,
        None => std::future::pending().await,
    }
}

/// The socket that the service manager has opened, if it has (sd_listen_fds(3)). Address and port of the arguments are not
/// used then.
fn handed_over() -> anyhow::Result<Option<std::net::TcpListener>> {
    let mut sockets = listenfd::ListenFd::from_env();
    ensure!(sockets.len() <= 1, "{} sockets were handed over; the server listens on one", sockets.len());
    sockets.take_tcp_listener(0).context("the socket that was handed over is none that listens for TCP connections")
}

/// Reads the operator's files again whenever somebody asks for it or, if he wants that, they change; until the future is
/// dropped.
async fn follow_files(live: &Live, site: &Site, every: Option<Duration>, mut hangup: Option<impl AsyncFnMut()>) {
    loop {
        tokio::select! {
            () = asked(hangup.as_mut()) => {}
            () = changed(live, every) => {}
        }
        service::tell(&service::reloading());
        let read = live.reload(|app| site.show(app)).await;
        if let Ok(app) = &read {
            warm_up(app).await;
        }
        service::tell(&service::reloaded(read.err().map(|error| error.to_string()).as_deref()));
    }
}

async fn asked(hangup: Option<&mut impl AsyncFnMut()>) {
    match hangup {
        Some(hangup) => hangup().await,
        None => std::future::pending().await,
    }
}

async fn changed(live: &Live, every: Option<Duration>) {
    match every {
        Some(every) => live.files_change(every).await,
        None => std::future::pending().await,
    }
}

/// Compiles the default pack before the first request needs it. A broken one is no reason not to start: requests
/// that need it are refused with the same message.
async fn warm_up(app: &App) {
    let loaded = match app.pack(None) {
        Ok(pack) => app.decisions.load(&pack).await,
        Err(error) => Err(error),
    };
    if let Err(error) = loaded {
        tracing::error!(error = &error as &dyn std::error::Error, "the default policy pack cannot decide");
    }
}
