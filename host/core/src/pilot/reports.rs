//! Whether the backend is there, may take over, and could be taken back.

use std::path::Path;

use cavra_model::Timestamp;
use cavra_model::members::{filled, list, text};
use serde_json::{Value, json};

use super::check::{Checks, Document, is_true, number, shown_number, status_of, texts};
use super::drills::DrillHistory;
use super::{PilotMode, PilotSettings, drill_schedule, shown};

/// What a plan of the way back has to have under control.
const CONTROLS: [&str; 5] = [
    "python-fallback-available",
    "promoted-mode-disable-tested",
    "rollback-approval-recorded",
    "operator-runbook-linked",
    "evidence-capture-enabled",
];

/// Every report at one moment.
#[derive(Debug)]
pub struct PilotReports {
    /// Whether the backend could run.
    pub pilot: Value,
    /// Whether what it is deployed from is there.
    pub deployment: Value,
    /// Whether it may take over.
    pub promotion: Value,
    /// Whether there is a way back.
    pub rollback: Value,
    /// Whether the way back was tried.
    pub rehearsal: Value,
    /// Whether it is tried regularly.
    pub drill_history: Value,
    /// When it is to be tried again.
    pub drill_schedule: Value,
}

/// Makes every report; the files are read now.
#[must_use]
pub fn pilot_reports(settings: &PilotSettings, now: Timestamp) -> PilotReports {
    let (pilot, deployment) = (pilot(settings), deployment(settings));
    let plan = Document::read(settings.rollback_plan.as_deref());
    PilotReports {
        promotion: promotion(settings, &pilot, &deployment),
        rollback: rollback(settings, &plan),
        rehearsal: rehearsal(settings, &plan),
        drill_history: drills(settings, now),
        drill_schedule: drill_schedule(settings, now),
        pilot,
        deployment,
    }
}

/// A report: its schema behind the common beginning, its status where nothing speaks against it, its checks and members.
fn report(schema: &str, settings: &PilotSettings, status: &str, checks: Checks, more: &[(&str, Value)]) -> Value {
    let mut report = json!({
        "schema_version": format!("cavra.go-backend-pilot.{schema}.v1"),
        "mode": settings.mode.as_str(),
        "status": status,
        "checks": checks.shown(),
    });
    if let Value::Object(report) = &mut report {
        report.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    report
}

const fn ready(holds: bool) -> &'static str {
    if holds { "ready" } else { "needs_attention" }
}

/// The status of a report that has to be asked for: by its file, or by taking over.
fn requested(settings: &PilotSettings, file: Option<&Path>, holds: bool) -> &'static str {
    if settings.mode == PilotMode::Promoted || file.is_some() { ready(holds) } else { "not_requested" }
}

fn pilot(settings: &PilotSettings) -> Value {
    let checks = paths(settings, "go_runtime");
    let status = if settings.mode == PilotMode::Disabled { "disabled" } else { ready(checks.hold()) };
    report("readiness", settings, status, checks, &runtime_paths(settings))
}

fn deployment(settings: &PilotSettings) -> Value {
    let checks = paths(settings, "go_deployment");
    let named = [&settings.runtime, &settings.runtime_policy, &settings.runtime_registry];
    let nothing = settings.mode == PilotMode::Disabled && named.iter().all(|path| path.is_none());
    let status = if nothing { "not_configured" } else { ready(checks.hold()) };
    report("deployment-readiness", settings, status, checks, &runtime_paths(settings))
}

/// Whether what the backend needs is there.
fn paths(settings: &PilotSettings, prefix: &str) -> Checks {
    let exists = |path: &Option<std::path::PathBuf>| path.as_ref().is_some_and(|path| path.exists());
    let mut checks = Checks::default();
    for (what, path, optional) in [
        ("path", &settings.runtime, false),
        ("policy", &settings.runtime_policy, false),
        ("registry", &settings.runtime_registry, true),
    ] {
        let holds = exists(path) || (optional && path.is_none());
        let said = ("it is there, or is not needed", "it is not named, or there is nothing of that name");
        checks.with(&format!("{prefix}_{what}"), holds, said, &[("path", shown(path.as_deref()))]);
    }
    checks
}

fn runtime_paths(settings: &PilotSettings) -> [(&'static str, Value); 3] {
    [
        ("runtime_path", shown(settings.runtime.as_deref())),
        ("runtime_policy", shown(settings.runtime_policy.as_deref())),
        ("runtime_registry", shown(settings.runtime_registry.as_deref())),
    ]
}

/// The status of a report.
pub(crate) fn status(report: &Value) -> &str {
    report.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn promotion(settings: &PilotSettings, pilot: &Value, deployment: &Value) -> Value {
    let path = settings.promotion_evidence.as_deref();
    let evidence = Document::read(path);
    let says = |flat: &str, nested: &str, wanted: &str| {
        evidence.text(flat) == wanted
            || (evidence.text(flat).is_empty() && status_of(&evidence.object, nested) == wanted)
    };
    let mut checks = Checks::default();
    let file = evidence.problem.unwrap_or("the file is no promotion evidence");
    let is_evidence = evidence.is("cavra.go-backend-promotion-evidence.v1");
    checks.add("go_promotion_evidence_file", is_evidence, ("the evidence can be read", file));
    let parity = says("parity_status", "parity", "pass");
    checks.add("go_promotion_parity", parity, ("both decide alike", "parity_status is not pass"));
    let deployed = says("deployment_status", "deployment", "ready");
    checks.add("go_promotion_deployment", deployed, ("it is deployed", "deployment_status is not ready"));
    let refs = texts(&evidence.object, "evidence_refs");
    let said = ("the evidence is named", "evidence_refs is no list of texts");
    checks.add("go_promotion_evidence_refs", refs.is_some(), said);
    checks.add("go_promotion_approved", evidence.is_approved(), ("it is approved", "nobody has approved it"));
    checks.add("go_promotion_pilot_ready", status(pilot) == "ready", ("the pilot is ready", "the pilot is not ready"));
    let said = ("the deployment is ready", "the deployment is not ready");
    checks.add("go_promotion_deployment_ready", status(deployment) == "ready", said);
    let status = requested(settings, path, checks.hold());
    let more = [("promotion_evidence_path", shown(path)), ("evidence_refs", json!(refs.unwrap_or_default()))];
    report("promotion-readiness", settings, status, checks, &more)
}

fn rollback(settings: &PilotSettings, plan: &Document) -> Value {
    let path = settings.rollback_plan.as_deref();
    let mut checks = Checks::default();
    let file = plan.problem.unwrap_or("the file is no plan of a rollback");
    checks.add("go_rollback_plan_file", plan.is("cavra.go-backend-rollback-plan.v1"), ("the plan can be read", file));
    checks.add(
        "go_rollback_plan_ready",
        plan.text("status") == "ready",
        ("the plan is ready", "its status is not ready"),
    );
    let back = plan.text("target_mode") == "disabled";
    checks.add("go_rollback_target_mode", back, ("it leads back", "its target_mode is not disabled"));
    let steps = !list(&plan.object, "rollback_steps").is_empty();
    checks.add("go_rollback_steps", steps, ("it has steps", "it has no rollback_steps"));
    let refs = texts(&plan.object, "evidence_refs");
    checks.add(
        "go_rollback_evidence_refs",
        refs.is_some(),
        ("its evidence is named", "evidence_refs is no list of texts"),
    );
    let limit = number(&plan.object, "max_recovery_minutes").filter(|minutes| *minutes > 0.0);
    let said = ("it says how long it may take", "max_recovery_minutes is no number above 0");
    checks.add("go_rollback_max_recovery", limit.is_some(), said);
    checks.add("go_rollback_approved", plan.is_approved(), ("it is approved", "nobody has approved it"));
    let controls = texts(&plan.object, "controls").unwrap_or_default();
    let missing: Vec<&str> =
        CONTROLS.into_iter().filter(|control| !controls.iter().any(|has| has == control)).collect();
    let said = ("every control is in place", "controls are missing");
    checks.with("go_rollback_controls", missing.is_empty(), said, &[("missing", json!(missing))]);
    let status = requested(settings, path, checks.hold());
    let more = [
        ("rollback_plan_path", shown(path)),
        ("max_recovery_minutes", shown_number(limit)),
        ("evidence_refs", json!(refs.unwrap_or_default())),
    ];
    report("rollback-readiness", settings, status, checks, &more)
}

fn rehearsal(settings: &PilotSettings, plan: &Document) -> Value {
    let path = settings.rehearsal_evidence.as_deref();
    let evidence = Document::read(path);
    let of = &evidence.object;
    let mut checks = Checks::default();
    let file = evidence.problem.unwrap_or("the file is no rehearsal of a rollback");
    let is_rehearsal = evidence.is("cavra.go-backend-rollback-rehearsal.v1");
    checks.add("go_rollback_rehearsal_file", is_rehearsal, ("the rehearsal can be read", file));
    let passed = evidence.text("status") == "pass";
    checks.add("go_rollback_rehearsal_passed", passed, ("the rehearsal went well", "its status is not pass"));
    let simulated = is_true(of, "simulated");
    checks.add("go_rollback_rehearsal_simulated", simulated, ("it was simulated", "simulated is not true"));
    let fallback = is_true(of, "fallback_verified");
    let said = ("what one falls back on works", "fallback_verified is not true");
    checks.add("go_rollback_rehearsal_fallback", fallback, said);
    let limit = number(of, "max_recovery_minutes").or_else(|| number(&plan.object, "max_recovery_minutes"));
    let took = number(of, "recovery_minutes");
    let quick = took.zip(limit).is_some_and(|(took, limit)| (0.0..=limit).contains(&took));
    let said = ("it was quick enough", "recovery_minutes is missing, or above max_recovery_minutes");
    checks.add("go_rollback_rehearsal_recovery", quick, said);
    let refs = texts(of, "evidence_refs");
    let documented = refs.is_some() && filled(of, "runbook_ref").is_some();
    let said = ("evidence and instructions are named", "evidence_refs or runbook_ref is empty");
    checks.add("go_rollback_rehearsal_evidence", documented, said);
    let fits = filled(&plan.object, "approval_id").is_none_or(|approved| text(of, "plan_approval_id") == approved);
    let said = ("it is of the plan that was approved", "plan_approval_id is not that of the plan");
    checks.add("go_rollback_rehearsal_plan", fits, said);
    let status = requested(settings, path, checks.hold());
    let more = [
        ("rollback_rehearsal_evidence_path", shown(path)),
        ("recovery_minutes", shown_number(took)),
        ("max_recovery_minutes", shown_number(limit)),
        ("evidence_refs", json!(refs.unwrap_or_default())),
    ];
    report("rollback-rehearsal", settings, status, checks, &more)
}

fn drills(settings: &PilotSettings, now: Timestamp) -> Value {
    let path = settings.drill_history.as_deref();
    let history = DrillHistory::read(settings, now);
    let mut checks = Checks::default();
    for (id, holds, said) in [
        ("file", history.is_listed(), ("there are drills", "there is no history with a drill in it")),
        ("passed", history.passed(), ("the latest drill went well", "the latest drill's status is not pass")),
        ("target_mode", history.is_disabled(), ("it led back", "its target_mode is not disabled")),
        (
            "fallback",
            history.fallback_verified(),
            ("what one falls back on works", "its fallback_verified is not true"),
        ),
        ("recovery", history.recovery_sla_met(), ("it was quick enough", "it took longer than it may")),
        ("fresh", history.is_fresh(), ("it was lately enough", "it is too old, or of no moment that can be read")),
        (
            "evidence",
            history.is_documented(),
            ("evidence and instructions are named", "evidence_refs or runbook_ref is empty"),
        ),
    ] {
        checks.add(&format!("go_rollback_drill_history_{id}"), holds, said);
    }
    let status = requested(settings, path, checks.hold());
    let more = [
        ("rollback_drill_history_path", shown(path)),
        ("rollback_drill_max_age_days", shown_number(Some(settings.max_age_days))),
        ("history", history.shown()),
    ];
    report("rollback-drill-history", settings, status, checks, &more)
}
