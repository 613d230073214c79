//! `POST /decisions` under load: 64 clients on keep-alive connections, each sending its next request when the last is
//! answered, on the same machine as the server.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::{Samples, head, row, show};
use crate::server::{Connection, Server};

const CLIENTS: u64 = 64;
const WARM_UP: Duration = Duration::from_secs(2);

pub fn run(cavra: &Path, database: &Path, stored: u64, seconds: u64) -> anyhow::Result<()> {
    let server = Server::start(cavra, database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let idle = server.memory()?;
    runtime.block_on(decide_for(&server.address, WARM_UP, u64::MAX))?;
    let (started, before) = (Instant::now(), server.processor_time()?);
    let samples = runtime.block_on(decide_for(&server.address, Duration::from_secs(seconds), u64::MAX))?;
    let (elapsed, after) = (started.elapsed(), server.processor_time()?);
    let each = |from: Duration, to: Duration| {
        format!("{:.0} µs", to.saturating_sub(from).as_secs_f64() * 1e6 / samples.len().max(1) as f64)
    };
    head(
        &format!("POST /decisions, SQLite, {CLIENTS} clients, {stored} stored decisions at the start"),
        &["decisions/s", "p50", "p99", "writer, each", "other threads, each", "idle memory", "memory after"],
    );
    row(&[
        format!("{:.0}", samples.len() as f64 / elapsed.as_secs_f64()),
        show(samples.p50()),
        show(samples.p99()),
        each(before.writers, after.writers),
        each(before.rest, after.rest),
        format!("{idle:.0} MiB"),
        format!("{:.0} MiB", server.memory()?),
    ]);
    Ok(())
}

/// Decides for so long, or until about so many are made, whichever comes first: what each client sends is counted for itself.
pub async fn decide_for(address: &str, duration: Duration, most: u64) -> anyhow::Result<Samples> {
    let each = most.div_ceil(CLIENTS);
    let end = Instant::now() + duration;
    let tasks = tokio::task::LocalSet::new();
    let handles: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let address = address.to_owned();
            tasks.spawn_local(async move { one_client(client, &address, end, each).await })
        })
        .collect();
    tasks.await;
    let mut samples = Vec::new();
    for handle in handles {
        samples.extend(handle.await??);
    }
    Ok(Samples::of(samples))
}

async fn one_client(client: u64, address: &str, end: Instant, most: u64) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut samples = Vec::new();
    let mut number = 0;
    while Instant::now() < end && number < most {
        let request = request(address, client, number);
        let started = Instant::now();
        connection.exchange(&request).await?;
        samples.push(started.elapsed());
        number += 1;
    }
    Ok(samples)
}

fn request(address: &str, client: u64, number: u64) -> Vec<u8> {
    let is_command = u64::is_multiple_of(number, 4);
    let body = json!({
        "action_type": if is_command { "execute_command" } else { "write_file" },
        "target": if is_command { "terraform plan -out plan.bin".to_owned() } else { format!("src/module-{}/lib.rs", number % 89) },
        "session_id": format!("load-{client}-{}", number / 40),
        "agent_id": format!("agent-{}", client % 16),
        "repository": format!("group/repository-{}", client % 32),
    })
    .to_string();
    format!(
        "POST /decisions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
