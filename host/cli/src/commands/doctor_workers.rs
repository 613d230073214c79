//! `cavra doctor workers`: do servers do what they are to do by themselves? The file is checked, and when each job was done.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Settings, Workers, look_at_store};
use cavra_model::Object;
use cavra_model::members::{filled, list, text};
use serde_json::Value;
use tokio::runtime::Builder;

use super::checks::{Check, report};
use crate::args::Json;

pub fn run(format: Json) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    report(format, &checks(&settings)?)
}

fn checks(settings: &Settings) -> anyhow::Result<Vec<Check>> {
    const FILE: &str = "CAVRA_WORKERS";
    if settings.workers_file.is_none() {
        return Ok(vec![Check::fine(FILE, "not set: servers do nothing by themselves")]);
    }
    let workers = match Workers::read(settings) {
        Ok(workers) => workers,
        Err(error) => return Ok(vec![Check::broken(FILE, error.to_string())]),
    };
    let store = look_at_store(settings, &["evidence"])?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let status = runtime.block_on(workers.status(&store))?;
    let nothing = Object::new();
    let jobs = list(status.as_object().unwrap_or(&nothing), "items").iter().filter_map(Value::as_object);
    Ok(jobs.map(of_job).collect())
}

fn of_job(job: &Object) -> Check {
    let subject = format!("job {}", text(job, "job"));
    let count = |member: &str| job.get(member).and_then(Value::as_u64).unwrap_or_default();
    let minutes = count("every_minutes");
    match text(job, "health") {
        "ok" => {
            let kind = if job.get("execute") == Some(&Value::Bool(true)) { "executed" } else { "dry" };
            let last = filled(job, "finished_at").unwrap_or("under way");
            Check::fine(&subject, &format!("{kind}, every {minutes} minutes, last {last}"))
        }
        "failed" => Check::broken(&subject, filled(job, "last_error").unwrap_or("its latest run failed").to_owned()),
        _ => Check::broken(&subject, format!("no server has done it for two times {minutes} minutes")),
    }
}
