//! Health, work that is measured, and answers.

use cavra_model::{Object, members::built};
use serde_json::json;

use super::*;

#[test]
fn health_keeps_its_id_while_the_condition_does() {
    let limits = HealthLimits { expected_interval_minutes: 30, stale_metadata_minutes: 1 };
    let check = |watched: &Watched<'_>, now| health(&FAMILY, watched, &Facts::default(), limits, now);
    let none = check(&Watched::default(), at(0));
    assert_eq!(none.content["alert_level"], "critical");
    assert_eq!(none.content["stale_metadata_minutes"], 30, "raised to the interval");
    assert_eq!(none.content["stale_metadata_count"], 4);
    assert_eq!(none.id, check(&Watched::default(), at(500)).id);
    let run = |status: &str, enabled: bool| {
        built(json!({"metadata_kind": "x", "automation_run": {"run_id": "u", "generated_at": at(-10), "status": status,
            "schedule": {"enabled": enabled}}}))
    };
    let (good, bad, off) = (run("completed", true), run("failed", true), run("completed", false));
    let categories = |runs: Vec<&Object>| {
        let watched = Watched { runs, newest: Vec::new() };
        let content = check(&watched, at(0)).content;
        let alerts = content["alerts"].as_array().unwrap().clone();
        alerts.iter().map(|alert| alert["category"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(categories(vec![&good, &bad]), ["stale_metadata"], "a good pass ends a row of bad ones");
    assert_eq!(categories(vec![&bad, &good]), ["failed_job", "stale_metadata"]);
    assert_eq!(categories(vec![&off]), ["stale_metadata", "disabled_schedule"]);
}

#[test]
fn work_is_measured_from_its_hand_off() {
    let handoff = |id: &str, minutes: i64| {
        built(json!({"handoff_id": id, "providers": ["jira"], "created_at": at(-minutes), "channel": "beta"}))
    };
    let status = |word: &str, minutes: i64| {
        built(json!({"handoff_id": "h", "provider": "jira", "handoff_status": word, "created_at": at(-minutes)}))
    };
    let limits = WorkLimits { warning_hours: 24, critical_hours: 48 };
    let report = |handoffs: &[Object], statuses: &[Object]| {
        work_report(&FAMILY, stage(StageKind::Report), handoffs, statuses, limits, "console", at(0))
    };
    for (age, statuses, expected) in [
        (23, vec![], "met"),
        (24, vec![], "at_risk"),
        (48, vec![], "breached"),
        (1, vec![status("failed", 30)], "breached"),
        (1, vec![status("blocked", 30)], "breached"),
        (99, vec![status("completed", 30)], "met"),
        (99, vec![status("cancelled", 30)], "met"),
        (99, vec![status("completed", 60), status("in_progress", 30)], "breached"),
    ] {
        let made = report(&[handoff("h", age * 60)], &statuses);
        assert_eq!(made.content["work_items"][0]["sla_state"], expected, "{age} {statuses:?}");
    }
    let made = report(&[handoff("young", 60), handoff("old", 99 * 60), handoff("older", 100 * 60)], &[]);
    let order: Vec<_> = made.content["work_items"].as_array().unwrap().iter().map(|item| &item["handoff_id"]).collect();
    assert_eq!(order, ["older", "old", "young"]);
    assert_eq!(made.counts, [3, 2, 0]);
    let unusable = built(json!({"handoff_id": "x", "providers": ["jira"]}));
    assert_eq!(report(&[unusable], &[]).warnings.len(), 1);
    let none = report(&[], &[]);
    assert_eq!((none.warnings.len(), &none.content["alert_level"]), (1, &json!("healthy")));
    let record = stage(StageKind::Report).record(&made, "t", "console");
    assert_eq!(record["breached_count"], 2);
    assert_eq!(record["release_channels"], json!(["beta"]));
}

#[test]
fn answers_are_of_known_words() {
    let reply = |state: Option<&'static str>, provider: &'static str| Reply {
        subject_member: "report_id",
        subject: "r",
        provider,
        state,
        by: "ann",
        ..Reply::default()
    };
    let known = FAMILY.conversations;
    let ack = |reply: &Reply<'_>| acknowledgement(stage(StageKind::Acknowledgement), reply, known, at(0));
    assert_eq!(ack(&reply(None, " Slack ")).unwrap().content["acknowledgement_state"], "acknowledged");
    assert!(ack(&reply(Some("seen"), "slack")).is_err());
    assert!(ack(&reply(None, "splunk")).is_err());
    let long = "x".repeat(513);
    assert!(ack(&Reply { external_ref: Some(&long), ..reply(None, "slack") }).is_err());
    let reviewed = review(stage(StageKind::Review), &reply(Some("False-Positive"), "slack"), known, at(0)).unwrap();
    assert_eq!((reviewed.counts, &reviewed.content["review_state"]), ([1, 0, 0], &json!("false_positive")));
    let escalated = review(stage(StageKind::Review), &reply(Some("escalated"), "slack"), known, at(0)).unwrap();
    assert_eq!(escalated.counts, [1, 1, 1]);
}
