//! Which jobs the operator has turned on, and how they are done: the file that `CAVRA_WORKERS` names. See
//! `docs/notifications.md`.

use std::path::Path;

use cavra_documents::{DocumentError, Section, read_document};
use cavra_model::Object;

use super::jobs::{JOBS, Job};
use crate::CoreError;

/// Longest time between two runs, in minutes: a month.
const LONGEST: u64 = 44_640;

/// A job that is turned on.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub job: &'static Job,
    pub every_minutes: u64,
    /// It sends; else each run is a dry one.
    pub execute: bool,
    /// What it says to its operations.
    pub says: Object,
}

/// Reads the file.
///
/// # Errors
/// [`CoreError::Configuration`] naming file, key and what is wrong.
pub(super) fn read(file: &Path) -> Result<Vec<Planned>, CoreError> {
    let wrong = |problem: String| {
        CoreError::Configuration(format!("CAVRA_WORKERS: {} cannot be used: {problem}", file.display()))
    };
    let document = read_document(file).map_err(wrong)?;
    parse(&document).map_err(|error| wrong(error.to_string()))
}

fn parse(document: &serde_json::Value) -> Result<Vec<Planned>, DocumentError> {
    let names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
    let whole = Section::document(document, &["jobs"])?;
    let Some(jobs) = whole.section("jobs", &names)? else { return Ok(Vec::new()) };
    JOBS.iter().filter(|job| jobs.has(job.name)).map(|job| planned(&jobs, job)).collect()
}

fn planned(jobs: &Section<'_>, job: &'static Job) -> Result<Planned, DocumentError> {
    let taken: Vec<_> = job.takes().collect();
    let keys: Vec<&str> =
        ["every_minutes", "execute"].into_iter().chain(taken.iter().map(|taken| taken.name)).collect();
    let settings = jobs.section(job.name, &keys)?.ok_or_else(|| jobs.wrong(job.name, "must be an object"))?;
    let every_minutes =
        settings.whole("every_minutes", 1, LONGEST)?.ok_or_else(|| settings.wrong("every_minutes", "is required"))?;
    let mut says = Object::new();
    for taken in taken.iter().filter(|taken| settings.has(taken.name)) {
        if !taken.keys.is_empty() {
            settings.section(taken.name, taken.keys)?;
        }
        let Some(value) = settings.value(taken.name) else {
            return Err(settings.wrong(taken.name, "must not be null"));
        };
        (taken.check)(value).map_err(|problem| settings.wrong(taken.name, &problem))?;
        says.insert(taken.name.to_owned(), value.clone());
    }
    Ok(Planned { job, every_minutes, execute: settings.flag("execute")?.unwrap_or(false), says })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_off_and_dry_unless_somebody_says_otherwise() {
        assert!(parse(&json!({})).unwrap().is_empty());
        let planned = parse(&json!({"jobs": {
            "endpoint-remediation-retries": {"every_minutes": 15, "execute": true, "retry_policy": {"max_retries": 2}},
            "rollback-drill-health": {"every_minutes": 60},
        }}));
        let planned = planned.unwrap();
        let shown: Vec<_> = planned.iter().map(|one| (one.job.name, one.every_minutes, one.execute)).collect();
        assert_eq!(shown, [("endpoint-remediation-retries", 15, true), ("rollback-drill-health", 60, false)]);
        assert_eq!(planned[0].says, *json!({"retry_policy": {"max_retries": 2}}).as_object().unwrap());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let job = |settings: serde_json::Value| json!({"jobs": {"endpoint-remediation-recurrence": settings}});
        for (document, said) in [
            (json!({"job": {}}), "jobs"),
            (json!({"jobs": {"endpoint-remediation-recurence": {}}}), "endpoint-remediation-recurrence"),
            (json!({"jobs": {"endpoint-remediation-recurrence": null}}), "must be an object"),
            (job(json!({})), "every_minutes"),
            (job(json!({"every_minutes": 0})), "every_minutes"),
            (job(json!({"every_minutes": 5, "excute": true})), "execute"),
            (job(json!({"every_minutes": 5, "execute": "yes"})), "execute"),
            (job(json!({"every_minutes": 5, "retry_policy": {}})), "retry_policy"),
            (job(json!({"every_minutes": 5, "slo_policy": {"defualt_slo": {}}})), "default_slo"),
            (job(json!({"every_minutes": 5, "slo_policy": {"default_slo": 4}})), "slo_policy"),
            (job(json!({"every_minutes": 5, "recurrence_policy": {"max_recurrences": "x"}})), "max_recurrences"),
            (job(json!({"every_minutes": 5, "max_routes": null})), "max_routes"),
            (job(json!({"every_minutes": 5, "provider": 4})), "provider"),
        ] {
            let error = parse(&document).unwrap_err().to_string();
            assert!(error.contains(said), "{document}: {error}");
        }
    }
}
