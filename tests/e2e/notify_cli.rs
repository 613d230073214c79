//! Endpoint remediation from the command line. docs/reference/remediation-sla.md, section 13.

use serde_json::{Value, json};

use crate::notify_sla::ago;
use crate::support::{Home, Output, Receiver, sha256, text};

const STORE: &str = "data/evidence.json";

/// A home with work that is late, and with connectors.
fn home(receiver: &Receiver) -> Home {
    let home = Home::new();
    let handoff = json!({"session_id": "h", "handoff_id": "h", "metadata_kind": "endpoint-remediation-handoff",
        "created_at": ago(99 * 60), "providers": ["jira"], "channel": "beta"});
    home.write(STORE, json!({"items": [handoff]}).to_string());
    home.write(
        "connectors.yaml",
        format!("connectors:\n  webhook: {{url: \"{}/hook?key=hush-hush-query\"}}\n", receiver.address),
    );
    home
}

fn run(home: &Home, command: &str, more: &[&str]) -> Output {
    home.cavra(&[&["release", command][..], more].concat()).run()
}

fn json_of(home: &Home, command: &str, more: &[&str]) -> Value {
    run(home, command, more).ok().json()
}

#[test]
fn from_a_report_to_a_digest() {
    let receiver = Receiver::answering("200 OK");
    let home = home(&receiver);
    let report = json_of(
        &home,
        "endpoint-remediation-sla-report",
        &["--metadata-json", STORE, "--index-metadata-json", STORE, "--output", "out", "--json"],
    );
    assert_eq!(
        (&report["report"]["alert_level"], &report["indexed_metadata_stores"]),
        (&json!("critical"), &json!([STORE]))
    );
    let sums = home.read("out/checksums.txt");
    for name in ["endpoint-remediation-sla-report.json", "endpoint-remediation-sla-report.md"] {
        let digest = sha256(home.read(&format!("out/{name}")).as_bytes());
        assert!(sums.contains(&format!("{}  {name}\n", digest.trim_start_matches("sha256:"))), "{sums}");
    }
    home.write("report.json", report.to_string());
    let told = json_of(
        &home,
        "deliver-endpoint-remediation-sla",
        &["report.json", "--config", "connectors.yaml", "--metadata-json", STORE, "--output", "sent", "--json"],
    );
    assert_eq!((&told["success"], receiver.got().len()), (&json!(true), 1));
    let id = text(&report, "report_id");
    assert_eq!(home.json(&format!("sent/{id}-connector-delivery.json")), told["delivery"]);
    assert!(!told.to_string().contains("hush-hush"), "{told}");
    // A document that is handed in is kept with what it counts.
    let receiving = ["--config", "connectors.yaml", "--metadata-json", "data/other.json", "--output", "sent", "--json"];
    json_of(&home, "deliver-endpoint-remediation-sla", &[&["report.json"][..], &receiving].concat());
    let kept = json_of(&home, "endpoint-remediation-sla-history", &["--metadata-json", "data/other.json"]);
    for member in ["decision_count", "blocked_count", "approval_required_count", "breached_count"] {
        assert_eq!(kept["items"][0][member], report["metadata"][member], "{member}");
    }
    assert_eq!(kept["items"][0]["decision_count"], 1);
    let again = json_of(
        &home,
        "deliver-endpoint-remediation-sla",
        &["report.json", "--config", "connectors.yaml", "--metadata-json", STORE, "--output", "sent", "--json"],
    );
    assert_eq!((&again["delivery"], receiver.got().len()), (&json!(null), 2));
    let board = json_of(&home, "endpoint-remediation-sla-notification-dashboard", &["--metadata-json", STORE]);
    assert_eq!(board["outstanding_acknowledgement_count"], 1);
    let ack = [
        "--provider",
        "webhook",
        "--acknowledged-by",
        "ann",
        "--metadata-json",
        STORE,
        "--sqlite",
        "data/e.db",
        "--json",
    ];
    let answered = json_of(&home, "ack-endpoint-remediation-sla", &[&[id][..], &ack].concat());
    assert_eq!(answered["indexed_metadata_stores"], json!([STORE, "data/e.db"]));
    let there = json_of(&home, "endpoint-remediation-sla-notification-history", &["--sqlite", "data/e.db"]);
    assert_eq!(there["items"][0]["session_id"], answered["acknowledgement"]["acknowledgement_id"]);
    home.write("slo.yaml", "default_slo: {acknowledgement_minutes: 1, resolution_minutes: 1}\nladders: [{after: 0}]\n");
    let plan = json_of(
        &home,
        "endpoint-remediation-sla-escalation-plan",
        &["--metadata-json", STORE, "--slo-policy", "slo.yaml", "--json"],
    );
    assert_eq!(plan["plan"]["active_escalation_count"], 1);
    let recurrence =
        json_of(&home, "endpoint-remediation-sla-escalation-recurrence-plan", &["--metadata-json", STORE, "--json"]);
    home.write("recurrence.json", recurrence.to_string());
    let digest = json_of(
        &home,
        "deliver-endpoint-remediation-sla-escalation-owner-digest",
        &["recurrence.json", "--config", "connectors.yaml", "--output", "digests", "--json"],
    );
    assert_eq!((&digest["success"], &digest["indexed_metadata_stores"]), (&json!(true), &json!([])));
    let audit = json_of(
        &home,
        "export-endpoint-remediation-sla-escalation-suppression-audit",
        &["recurrence.json", "--output", "audit", "--json"],
    );
    assert_eq!(audit["files"].as_array().unwrap().len(), 3);
    let run = json_of(
        &home,
        "endpoint-remediation-sla-escalation-recurrence-automation",
        &["--metadata-json", STORE, "--json"],
    );
    assert_eq!(run["run"]["dry_run"], true);
    let health =
        json_of(&home, "endpoint-remediation-sla-escalation-recurrence-automation-health", &["--metadata-json", STORE]);
    assert_eq!((&health["run_count"], &health["missed_run_count"]), (&json!(1), &json!(0)));
    let runs = json_of(
        &home,
        "endpoint-remediation-sla-escalation-recurrence-automation-history",
        &["--metadata-json", STORE, "--no-dry-run"],
    );
    assert_eq!(runs["total"], 0);
}

#[test]
fn what_is_refused_says_why() {
    let receiver = Receiver::answering("200 OK");
    let home = home(&receiver);
    let before = home.read(STORE);
    for (command, more, word) in [
        (
            "endpoint-remediation-sla-report",
            vec!["--metadata-json", STORE, "--warning-hours", "9", "--critical-hours", "8"],
            "warning_hours",
        ),
        (
            "ack-endpoint-remediation-sla",
            vec!["none", "--provider", "webhook", "--acknowledged-by", "ann", "--metadata-json", STORE],
            "not found",
        ),
        ("ack-endpoint-remediation-sla", vec!["none", "--provider", "pager", "--acknowledged-by", "ann"], "provider"),
    ] {
        let refused = run(&home, command, &more).exits(1);
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
    run(&home, "deliver-endpoint-remediation-sla", &["report.json"]).exits(2);
    assert_eq!((home.read(STORE), receiver.got().len()), (before, 0));
    assert!(!home.exists(".cavra/api"), "nothing but what is named is made");
}

#[test]
fn drills_from_the_command_line() {
    let home = Home::new();
    let schedule = json!({"schema_version": "cavra.go-backend-rollback-drill-schedule.v1", "schedule_id": "q",
        "status": "active", "interval_days": 90, "next_due_at": ago(60), "owners": ["ann"],
        "notification_providers": ["slack"], "runbook_ref": "r"});
    home.write("schedule.json", schedule.to_string());
    let run = |more: &[&str]| home.cavra(&[&["runtime"][..], more, &["--json"]].concat()).run().ok().json();
    assert_eq!(run(&["go-rollback-drill-schedule"])["status"], "not_requested");
    let named = ["--rollback-drill-schedule-path", "schedule.json"];
    assert_eq!(run(&[&["go-rollback-drill-schedule"][..], &named].concat())["status"], "needs_attention");
    let plan = run(&[&["go-rollback-drill-notification-plan"][..], &named].concat());
    assert_eq!((&plan["plan"]["selected_providers"], &plan["event"]["session_id"]), (&json!(["slack"]), &json!("q")));
    let answer = ["go-rollback-drill-notification-ack", "q", "--provider", "Slack", "--acknowledged-by", "ann"];
    let answered = run(&answer);
    assert_eq!(
        (&answered["acknowledgement"]["provider"], &answered["acknowledgement"]["notes"]),
        (&json!("slack"), &json!(""))
    );
    assert_eq!(answered["metadata"]["metadata_kind"], "go-backend-rollback-drill-notification-ack");
    assert!(!home.exists(".cavra"));
    assert_eq!(run(&["go-rollback-drill-escalation-plan"])["plan"]["route_count"], 0);
}
