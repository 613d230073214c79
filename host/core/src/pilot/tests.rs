use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::pilot::{PilotReports, pilot_reports};

const NOW: &str = "2031-06-01T00:00:00Z";

struct Files {
    folder: tempfile::TempDir,
    mode: &'static str,
    files: Vec<(&'static str, Value)>,
}

impl Files {
    fn new(mode: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), mode, files: Vec::new() }
    }

    fn with(mut self, variable: &'static str, document: Value) -> Self {
        self.files.retain(|(known, _)| *known != variable);
        self.files.push((variable, document));
        self
    }

    fn settings(&self) -> PilotSettings {
        let at = |variable: &str| self.folder.path().join(variable);
        for (variable, document) in &self.files {
            std::fs::write(at(variable), document.to_string()).unwrap();
        }
        PilotSettings::read(|name| match name {
            "CAVRA_GO_BACKEND_MODE" => Some(self.mode.to_owned()),
            name => self.files.iter().any(|(known, _)| *known == name).then(|| at(name).display().to_string()),
        })
    }

    fn schedule(&self) -> Value {
        drill_schedule(&self.settings(), NOW.parse().unwrap())
    }

    fn reports(&self) -> PilotReports {
        pilot_reports(&self.settings(), NOW.parse().unwrap())
    }
}

const SCHEDULE: &str = "CAVRA_GO_ROLLBACK_DRILL_SCHEDULE";
const HISTORY: &str = "CAVRA_GO_ROLLBACK_DRILL_HISTORY";

fn schedule(changes: &Value) -> Value {
    with(
        json!({
            "schema_version": "cavra.go-backend-rollback-drill-schedule.v1", "schedule_id": "s1", "environment": "prod",
            "status": "active", "interval_days": 30, "next_due_at": "2031-07-01T00:00:00Z", "owners": ["ops"],
            "notification_providers": ["slack"], "runbook_ref": "run/1",
        }),
        changes,
    )
}

fn history(changes: &Value) -> Value {
    let drill = json!({
        "drill_id": "d1", "status": "pass", "target_mode": "disabled", "executed_at": "2031-05-20T00:00:00Z",
        "fallback_verified": true, "recovery_minutes": 9, "max_recovery_minutes": 10, "evidence_refs": ["e"],
        "runbook_ref": "run/1",
    });
    json!({
        "schema_version": "cavra.go-backend-rollback-drill-history.v1", "environment": "prod",
        "drills": [with(drill, changes)],
    })
}

fn with(mut document: Value, changes: &Value) -> Value {
    document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    document
}

#[test]
fn schedules() {
    assert_eq!(Files::new("disabled").schedule()["status"], "not_requested");
    assert_eq!(Files::new("promoted").schedule()["status"], "needs_attention");
    for (changes, status) in [
        (json!({}), "ready"),
        (json!({"next_due_at": "2031-06-10T00:00:00"}), "due_soon"),
        (json!({"next_due_at": "2031-05-31T23:59:59Z"}), "needs_attention"),
        (json!({"interval_days": true}), "needs_attention"),
        (json!({"interval_days": 0}), "needs_attention"),
        (json!({"owners": []}), "needs_attention"),
        (json!({"owners": ["a", 5]}), "needs_attention"),
        (json!({"owner_routes": "x"}), "needs_attention"),
        (json!({"maintenance_windows": {}}), "needs_attention"),
        (json!({"owner_calendars": []}), "needs_attention"),
        (json!({"runbook_ref": ""}), "needs_attention"),
        (json!({"status": "paused"}), "needs_attention"),
        (json!({"schedule_id": ""}), "needs_attention"),
        (json!({"schema_version": "x"}), "needs_attention"),
        // Without a drill it is not known when the next one is due.
        (json!({"next_due_at": "soon"}), "needs_attention"),
    ] {
        let report = Files::new("disabled").with(SCHEDULE, schedule(&changes)).schedule();
        assert_eq!(report["status"], status, "{changes}: {report}");
        assert_eq!(report["schedule"]["valid"], status != "needs_attention", "{changes}");
    }
    let counted =
        Files::new("shadow").with(SCHEDULE, schedule(&json!({"next_due_at": null}))).with(HISTORY, history(&json!({})));
    let report = counted.schedule();
    assert_eq!(
        (&report["status"], &report["schedule"]["next_due_at"]),
        (&json!("ready"), &json!("2031-06-19T00:00:00.000000+00:00"))
    );
    assert_eq!((&report["schedule"]["days_until_due"], &report["history"]["age_days"]), (&json!(18.0), &json!(12.0)));
    assert_eq!(report["rollback_drill_due_soon_days"], 14);
}

#[test]
fn a_file_that_cannot_be_read_is_no_error() {
    let files = Files::new("disabled").with(SCHEDULE, json!("no object"));
    assert_eq!(files.schedule()["status"], "needs_attention");
    let settings = PilotSettings { drill_schedule: Some(PathBuf::from("/nowhere")), ..files.settings() };
    assert_eq!(drill_schedule(&settings, NOW.parse().unwrap())["status"], "needs_attention");
}

#[test]
fn drills() {
    let status = |changes: &Value| {
        Files::new("disabled").with(HISTORY, history(changes)).reports().drill_history["status"].clone()
    };
    assert_eq!(Files::new("enforce").reports().drill_history["status"], "not_requested");
    assert_eq!(Files::new("promoted").reports().drill_history["status"], "needs_attention");
    assert_eq!(status(&json!({})), "ready");
    for changes in [
        json!({"status": "fail"}),
        json!({"target_mode": "shadow"}),
        json!({"fallback_verified": "true"}),
        json!({"recovery_minutes": 11}),
        json!({"recovery_minutes": null}),
        json!({"executed_at": "2031-01-01T00:00:00Z"}),
        json!({"executed_at": "2031-06-02T00:00:00Z"}),
        json!({"evidence_refs": []}),
        json!({"runbook_ref": ""}),
    ] {
        assert_eq!(status(&changes), "needs_attention", "{changes}");
    }
}

fn plan(changes: &Value) -> Value {
    with(
        json!({
            "schema_version": "cavra.go-backend-rollback-plan.v1", "status": "ready", "target_mode": "disabled",
            "rollback_steps": ["stop"], "evidence_refs": ["e"], "max_recovery_minutes": 15, "approved": true,
            "approval_id": "apr_1",
            "controls": ["python-fallback-available", "promoted-mode-disable-tested", "rollback-approval-recorded",
                "operator-runbook-linked", "evidence-capture-enabled"],
        }),
        changes,
    )
}

#[test]
fn the_way_back() {
    const PLAN: &str = "CAVRA_GO_ROLLBACK_PLAN";
    const REHEARSAL: &str = "CAVRA_GO_ROLLBACK_REHEARSAL_EVIDENCE";
    let rollback =
        |changes: &Value| Files::new("disabled").with(PLAN, plan(changes)).reports().rollback["status"].clone();
    assert_eq!(rollback(&json!({})), "ready");
    assert_eq!(rollback(&json!({"approved": false, "approval": {"status": "approved"}})), "ready");
    for changes in [
        json!({"approved": "true"}),
        json!({"rollback_steps": []}),
        json!({"max_recovery_minutes": 0}),
        json!({"max_recovery_minutes": true}),
        json!({"controls": ["python-fallback-available"]}),
        json!({"target_mode": "shadow"}),
        json!({"evidence_refs": "e"}),
        json!({"schema_version": ""}),
    ] {
        assert_eq!(rollback(&changes), "needs_attention", "{changes}");
    }
    let rehearsal = |changes: &Value| {
        let document = json!({
            "schema_version": "cavra.go-backend-rollback-rehearsal.v1", "status": "pass", "simulated": true,
            "fallback_verified": true, "recovery_minutes": 15, "evidence_refs": ["e"], "runbook_ref": "r",
            "plan_approval_id": "apr_1",
        });
        let files = Files::new("disabled").with(PLAN, plan(&json!({}))).with(REHEARSAL, with(document, changes));
        files.reports().rehearsal["status"].clone()
    };
    assert_eq!(rehearsal(&json!({})), "ready");
    for changes in [
        json!({"recovery_minutes": 15.5}),
        json!({"recovery_minutes": 3, "max_recovery_minutes": 2}),
        json!({"plan_approval_id": "apr_2"}),
        json!({"simulated": false}),
        json!({"runbook_ref": null}),
    ] {
        assert_eq!(rehearsal(&changes), "needs_attention", "{changes}");
    }
}

#[test]
fn taking_over() {
    let evidence = json!({
        "schema_version": "cavra.go-backend-promotion-evidence.v1", "parity": {"status": "pass"},
        "deployment_status": "ready", "evidence_refs": ["e"], "approved": true,
    });
    let bare = Files::new("promoted").with("CAVRA_GO_PROMOTION_EVIDENCE", evidence);
    let reports = bare.reports();
    assert_eq!(
        (&reports.pilot["status"], &reports.promotion["status"]),
        (&json!("needs_attention"), &json!("needs_attention"))
    );
    let whole = bare.with("CAVRA_GO_RUNTIME_PATH", json!({})).with("CAVRA_GO_RUNTIME_POLICY", json!({}));
    let reports = whole.reports();
    for report in [&reports.pilot, &reports.deployment, &reports.promotion] {
        assert_eq!(report["status"], "ready", "{report}");
    }
    let nothing = Files::new("anything").reports();
    assert_eq!((&nothing.pilot["mode"], &nothing.pilot["status"]), (&json!("disabled"), &json!("disabled")));
    assert_eq!(nothing.deployment["status"], "not_configured");
    for report in [&nothing.promotion, &nothing.rollback, &nothing.rehearsal, &nothing.drill_history] {
        assert_eq!(report["status"], "not_requested");
    }
}
