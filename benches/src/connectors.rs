//! What telling other systems costs: a step of each connector, deliveries to a receiver on this machine, decisions while an
//! integration is told of them, and a queue that is drained after a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cavra_builtin::{
    CONNECTOR_DATADOG, CONNECTOR_JIRA, CONNECTOR_RECEIVER, CONNECTOR_SENTINEL, CONNECTOR_SERVICENOW, CONNECTOR_SLACK,
    CONNECTOR_SPLUNK, CONNECTOR_TEAMS, Component,
};
use cavra_plugins::connector::{Context, Moment, Subject};
use cavra_plugins::{ComponentSource, HostConfig, Origin, PluginHost};
use serde_json::json;

use crate::load::decide_for;
use crate::receiver::Receiver;
use crate::report::{Samples, head, row, show};
use crate::server::Server;

static CONNECTORS: [&Component; 8] = [
    &CONNECTOR_DATADOG,
    &CONNECTOR_JIRA,
    &CONNECTOR_RECEIVER,
    &CONNECTOR_SENTINEL,
    &CONNECTOR_SERVICENOW,
    &CONNECTOR_SLACK,
    &CONNECTOR_SPLUNK,
    &CONNECTOR_TEAMS,
];

/// Steps of each connector.
const STEPS: usize = 5_000;

/// Longest that a queue may take to be drained.
const PATIENCE: Duration = Duration::from_secs(600);

/// One step of each connector of the binary, each in a fresh instance.
pub fn steps() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plugins = PluginHost::new(HostConfig::default())?;
    let event = json!({"event_type": "cavra.decision.block", "session_id": "s-1", "timestamp": "2031-05-06T07:08:09Z",
        "title": "CAVRA decision block: terraform destroy", "blocked_count": 1, "decision_count": 1, "max_severity": "high",
        "repository": "group/repository", "record": {"decision_id": "dec_1", "target": "terraform destroy", "reason": "no"}});
    let subject = Subject::Event(event.to_string());
    let moment = || Moment { micros: 1_936_335_600_000_000, text: "2031-05-11T07:00:00.000000+00:00".to_owned() };
    let context = Context {
        message_id: "msg_1".to_owned(),
        now: moment(),
        happened: Some(moment()),
        connector: "bench".to_owned(),
        settings: Vec::new(),
        credentials: vec!["access".to_owned()],
        paths: Vec::new(),
    };
    head("One step of a connector, in a fresh instance", &["connector", "p50", "p99"]);
    for component in CONNECTORS {
        let source = ComponentSource {
            plugin: component.name,
            version: component.version,
            wasm: component.wasm,
            wasm_digest: component.digest,
            origin: Origin::FirstParty,
        };
        let connector = runtime.block_on(plugins.connector(source))?;
        let samples = Samples::take(STEPS / 10, STEPS, || {
            runtime.block_on(connector.step(&subject, &context, &[])).map(|next| drop(std::hint::black_box(next)))
        })?;
        row(&[component.name.to_owned(), show(samples.p50()), show(samples.p99())]);
    }
    Ok(())
}

/// Deliveries of a server, over one SQLite database for everything.
pub fn deliveries(cavra: &Path, seconds: u64, queued: usize) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let receiver = Receiver::start()?;
    let file = home.path().join("connectors.json");
    std::fs::write(&file, json!({ "connectors": { "webhook": { "url": receiver.address } } }).to_string())?;
    let database = format!("sqlite:{}", home.path().join("cavra.db").display());
    // The next server is the same one: it has the key that the log was signed with.
    let key = home.path().join("key.pem").display().to_string();
    let start = || {
        let file = file.display().to_string();
        Server::start_with(
            cavra,
            &[("CAVRA_DATABASE_URL", &database), ("CAVRA_CONNECTOR_CONFIG", &file), ("CAVRA_EVIDENCE_LOG_KEY", &key)],
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = start()?;
    let decided =
        |server: &Server, limit: Duration, most: u64| runtime.block_on(decide_for(&server.address, limit, most));
    let integration = |server: &Server, status: &str| {
        let body = json!({"integration_id": "bench", "provider": "webhook", "status": status,
            "event_types": ["cavra.decision.*"]});
        runtime.block_on(server.post("/integrations", &body))
    };
    let time = Duration::from_secs(seconds);
    decided(&server, Duration::from_secs(2), u64::MAX)?;
    let without = decided(&server, time, u64::MAX)?.len() as f64 / time.as_secs_f64();
    integration(&server, "active")?;
    // It begins where the log ends by then.
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    let made = decided(&server, time, u64::MAX)?.len();
    let with = made as f64 / time.as_secs_f64();
    receiver.wait_for(made, PATIENCE)?;
    let rate = made as f64 / began.elapsed().as_secs_f64();
    head(
        "An active integration, one receiver on this machine",
        &["decisions/s without it", "with it", "share", "deliveries/s while deciding and after"],
    );
    row(&[
        format!("{without:.0}"),
        format!("{with:.0}"),
        format!("{:.0} %", with / without * 100.0),
        format!("{rate:.0}"),
    ]);

    integration(&server, "paused")?;
    // What is under way when it pauses arrives yet.
    std::thread::sleep(Duration::from_secs(3));
    receiver.forget();
    let waiting = u64::try_from(queued).context("too many")?;
    ensure!(decided(&server, PATIENCE, waiting)?.len() >= queued, "not every decision was made");
    drop(server);
    let server = start()?;
    integration(&server, "active")?;
    // The lane of a server that was killed is taken over once its lease is over.
    receiver.wait_for(1, PATIENCE)?;
    let began = Instant::now();
    receiver.wait_for(queued, PATIENCE)?;
    let elapsed = began.elapsed();
    ensure!(receiver.is_in_order(), "the order is not that of the log");
    head(
        "A queue that was waiting when the server was killed",
        &["deliveries", "drained in", "deliveries/s", "memory after"],
    );
    row(&[
        queued.to_string(),
        format!("{:.1} s", elapsed.as_secs_f64()),
        format!("{:.0}", queued as f64 / elapsed.as_secs_f64()),
        format!("{:.0} MiB", server.memory()?),
    ]);
    Ok(())
}
