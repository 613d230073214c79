//! `cavra serve`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_api::{HostGuard, Telemetry};
use cavra_core::{App, CoreError, Engine, Settings, left_behind};
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
    let open_to_others = args.allow_unauthenticated || settings.require_token;
    let listener = cavra_api::bind(SocketAddr::new(args.host, args.port), open_to_others).await?;
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
    let router = cavra_api::router(app.clone(), HostGuard::for_address(address.ip()), telemetry);
    tokio::select! {
        () = cavra_api::serve(listener, router, shutdown) => {}
        () = app.keep_time() => {}
    }
    service::tell(service::STOPPING);
    app.close().await;
    tracing::info!("stopped");
    Ok(())
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
