//! `cavra release … endpoint-remediation-sla …`: the use cases of the server, with files in place of HTTP bodies. docs/reference/remediation-sla.md,
//! section 13.

mod desk;
mod files;
mod lists;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::Operation;
use cavra_documents::read_document;
use cavra_model::members::{built, filled, object, text};
use cavra_model::{Object, Timestamp};
use cavra_notify::{Stage, StageKind};
use serde_json::{Value, json};

use self::desk::{Desk, FAMILY};
use self::files::{write_audit, write_delivery, write_report};
use super::metadata::index;
use super::read_object;
use crate::args::{
    Json, MetadataArgs, SendArgs, SlaAckArgs, SlaAlertArgs, SlaAuditArgs, SlaAutomationArgs, SlaByArgs, SlaCommand,
    SlaDigestArgs, SlaFollowArgs, SlaForceArgs, SlaHealthArgs, SlaNotifyArgs, SlaPlanArgs, SlaReportArgs,
    SlaReviewArgs,
};
use crate::output::{print_json, print_line};

/// Does what a command says.
pub fn run(command: SlaCommand) -> anyhow::Result<ExitCode> {
    use SlaCommand as C;
    match command {
        C::EndpointRemediationSlaReport(args) => report(&args),
        C::DeliverEndpointRemediationSla(args) => notify(&args),
        C::AckEndpointRemediationSla(args) => acknowledge(&args, Operation::Acknowledge),
        C::EndpointRemediationSlaEscalationPlan(args) => plan(&args, Operation::PlanEscalation, "slo_policy"),
        C::DeliverEndpointRemediationSlaEscalation(args) => follow(&args, &ESCALATION),
        C::ReviewEndpointRemediationSlaEscalation(args) => review(&args),
        C::EndpointRemediationSlaEscalationRecurrencePlan(args) => {
            plan(&args, Operation::PlanRecurrence, "recurrence_policy")
        }
        C::DeliverEndpointRemediationSlaEscalationRecurrence(args) => follow(&args, &RECURRENCE),
        C::ExportEndpointRemediationSlaEscalationSuppressionAudit(args) => audit(&args),
        C::EndpointRemediationSlaEscalationRecurrenceRetryPlan(args) => {
            plan(&args, Operation::PlanRetries, "retry_policy")
        }
        C::DeliverEndpointRemediationSlaEscalationOwnerDigest(args) => digest(&args),
        C::EndpointRemediationSlaEscalationSuppressionTrends(store) => {
            let trend = Desk::reading(&store, None)?.operate(Operation::TrendSuppression, "", Object::new())?;
            printed(&trend)
        }
        C::EndpointRemediationSlaEscalationRecurrenceAutomation(args) => automate(&args),
        C::EndpointRemediationSlaEscalationRecurrenceAutomationHealth(args) => health(&args),
        C::DeliverEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(args) => alert(&args),
        C::AckEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(args) => {
            acknowledge(&args, Operation::AcknowledgeHealth)
        }
        other => lists::run(other),
    }
}

/// A follow-up: what it does, about which document, and where its deliveries are written by default.
struct FollowUp {
    operation: Operation,
    stage: StageKind,
    output: &'static str,
}

const ESCALATION: FollowUp = FollowUp {
    operation: Operation::Escalate,
    stage: StageKind::EscalationPlan,
    output: ".cavra/release/endpoint-remediation-sla-escalation-deliveries",
};
const RECURRENCE: FollowUp = FollowUp {
    operation: Operation::Recur,
    stage: StageKind::RecurrencePlan,
    output: ".cavra/release/endpoint-remediation-sla-escalation-recurrence-deliveries",
};

fn report(args: &SlaReportArgs) -> anyhow::Result<ExitCode> {
    let desk = Desk::copying(&args.store)?;
    let body = json!({
        "warning_hours": args.warning_hours, "critical_hours": args.critical_hours,
        "generated_by": args.by.generated_by,
    });
    let mut made = desk.operate(Operation::Report, "", built(body))?;
    let report = object(&made, "report").cloned().unwrap_or_default();
    made.insert("files".to_owned(), json!(write_report(&args.output, &report)?));
    let targets = MetadataArgs { metadata_json: args.index_metadata_json.clone(), sqlite: args.index_sqlite.clone() };
    let record = object(&made, "metadata").cloned().unwrap_or_default();
    made.insert("indexed_metadata_stores".to_owned(), json!(index(&targets, &record)?));
    let line = format!("{}: {}", text(&made, "report_id"), text(&report, "alert_level"));
    say(args.by.json, &made, &line)
}

fn notify(args: &SlaNotifyArgs) -> anyhow::Result<ExitCode> {
    let report = document(&args.report, "report")?;
    let desk = Desk::indexing(&args.store, Some(&args.send.config))?;
    desk.seed(kept(StageKind::Report, &report)?)?;
    let mut body = sent(&args.send, &args.by);
    body.insert("force".to_owned(), json!(forced(&args.force)));
    with(&mut body, "suppression_window_minutes", args.suppression_window_minutes);
    with(&mut body, "routing_policy", args.routing_policy.as_deref().map(policy).transpose()?);
    let told = desk.operate(Operation::Notify, text(&report, "report_id"), body)?;
    delivered(&told, &args.output, args.by.json)
}

fn acknowledge(args: &SlaAckArgs, operation: Operation) -> anyhow::Result<ExitCode> {
    let desk = Desk::indexing(&args.store, None)?;
    let (kind, member) = match operation {
        Operation::AcknowledgeHealth => (StageKind::HealthAlertPlan, "health_id"),
        _ => (StageKind::NotificationPlan, "report_id"),
    };
    if !desk.is_named() {
        // Without a store nobody knows what is answered: it is taken as said.
        let plan = args.plan_id.clone().unwrap_or_else(|| "plan".to_owned());
        let known = built(json!({ "plan_id": plan, member: args.id, "generated_at": Timestamp::now() }));
        desk.seed(kept(kind, &known)?)?;
    }
    let mut body = built(json!({
        "provider": args.provider, "acknowledged_by": args.acknowledged_by,
        "acknowledgement_state": args.acknowledgement_state,
    }));
    with(&mut body, "plan_id", args.plan_id.clone());
    with(&mut body, "external_ref", args.external_ref.clone());
    with(&mut body, "notes", args.notes.clone());
    let answered = desk.operate(operation, &args.id, body)?;
    say(args.json, &answered, &format!("{}: {}", args.id, args.acknowledgement_state))
}

fn review(args: &SlaReviewArgs) -> anyhow::Result<ExitCode> {
    let desk = Desk::indexing(&args.store, None)?;
    if !desk.is_named() {
        let route = json!({ "report_id": args.report_id, "provider": cavra_notify::provider_name(&args.provider), "owner": args.owner });
        let known = json!({ "plan_id": args.plan_id, "generated_at": Timestamp::now(), "route_statuses": [route] });
        desk.seed(kept(StageKind::EscalationPlan, &built(known))?)?;
    }
    let mut body = built(json!({
        "report_id": args.report_id, "provider": args.provider, "owner": args.owner, "reviewed_by": args.reviewed_by,
        "review_state": args.review_state,
    }));
    with(&mut body, "external_ref", args.external_ref.clone());
    with(&mut body, "notes", args.notes.clone());
    let reviewed = desk.operate(Operation::Review, &args.plan_id, body)?;
    say(args.json, &reviewed, &format!("{}: {}", args.plan_id, args.review_state))
}

fn plan(args: &SlaPlanArgs, operation: Operation, member: &str) -> anyhow::Result<ExitCode> {
    let mut body = built(json!({ "generated_by": args.by.generated_by }));
    with(&mut body, member, args.policy.as_deref().map(policy).transpose()?);
    let made = Desk::reading(&args.store, None)?.operate(operation, "", body)?;
    let level = object(&made, "plan").map(|plan| text(plan, "alert_level").to_owned()).unwrap_or_default();
    say(args.by.json, &made, &level)
}

fn follow(args: &SlaFollowArgs, what: &FollowUp) -> anyhow::Result<ExitCode> {
    let plan = document(&args.plan, "plan")?;
    let desk = Desk::indexing(&args.store, Some(&args.send.config))?;
    let record = kept(what.stage, &plan)?;
    let id = text(&record, "session_id").to_owned();
    desk.seed(record)?;
    let mut body = sent(&args.send, &args.by);
    with(&mut body, "max_routes", args.max_routes);
    let told = desk.operate(what.operation, &id, body)?;
    let output = args.output.as_deref().unwrap_or(Path::new(what.output));
    delivered(&told, output, args.by.json)
}

fn audit(args: &SlaAuditArgs) -> anyhow::Result<ExitCode> {
    let plan = document(&args.plan, "plan")?;
    let desk = Desk::indexing(&args.store, None)?;
    let record = kept(StageKind::RecurrencePlan, &plan)?;
    let id = text(&record, "session_id").to_owned();
    desk.seed(record)?;
    let mut made = desk.operate(Operation::AuditSuppression, &id, Object::new())?;
    let audit = object(&made, "audit").cloned().unwrap_or_default();
    made.insert("files".to_owned(), json!(write_audit(&args.output, &audit)?));
    say(args.json, &made, &format!("{}: {}", text(&audit, "audit_id"), text(&audit, "alert_level")))
}

fn digest(args: &SlaDigestArgs) -> anyhow::Result<ExitCode> {
    let plan = document(&args.plan, "plan")?;
    let desk = Desk::indexing(&args.store, Some(&args.send.config))?;
    let record = kept(StageKind::RecurrencePlan, &plan)?;
    let id = text(&record, "session_id").to_owned();
    desk.seed(record)?;
    let mut body = sent(&args.send, &args.by);
    if let Some(file) = &args.retry_plan {
        let record = kept(StageKind::RetryPlan, &document(file, "plan")?)?;
        body.insert("retry_plan_id".to_owned(), json!(text(&record, "session_id")));
        desk.seed(record)?;
    }
    let told = desk.operate(Operation::DigestOwners, &id, body)?;
    delivered(&told, &args.output, args.by.json)
}

fn automate(args: &SlaAutomationArgs) -> anyhow::Result<ExitCode> {
    let desk = Desk::reading(&args.store, args.config.as_deref())?;
    let mut body = built(json!({
        "generated_by": args.by.generated_by, "max_digest_plans": args.max_digest_plans,
        "schedule": { "interval_minutes": args.schedule_interval_minutes }, "dry_run": !args.execute,
    }));
    body.extend(args.way.asked());
    with(&mut body, "retry_policy", args.retry_policy.as_deref().map(policy).transpose()?);
    let done = desk.operate(Operation::Automate, "", body)?;
    for digest in cavra_model::members::objects(&done, "owner_digests") {
        write_delivery(&args.output, object(digest, "delivery"))?;
    }
    let id = object(&done, "run").map(|run| text(run, "run_id").to_owned()).unwrap_or_default();
    say(args.by.json, &done, &id)
}

fn health(args: &SlaHealthArgs) -> anyhow::Result<ExitCode> {
    let query = built(json!({
        "expected_interval_minutes": args.limits.expected_interval_minutes.to_string(),
        "stale_metadata_minutes": args.limits.stale_metadata_minutes.to_string(),
    }));
    let mut health = Desk::reading(&args.store, None)?.operate(Operation::Health, "", query)?;
    health.remove("indexed_metadata_stores");
    printed(&health)
}

fn alert(args: &SlaAlertArgs) -> anyhow::Result<ExitCode> {
    let desk = Desk::reading(&args.store, Some(&args.send.config))?;
    let mut body = sent(&args.send, &args.by);
    body.insert("force".to_owned(), json!(forced(&args.force)));
    with(&mut body, "expected_interval_minutes", Some(args.limits.expected_interval_minutes));
    with(&mut body, "stale_metadata_minutes", Some(args.limits.stale_metadata_minutes));
    with(&mut body, "suppression_window_minutes", args.suppression_window_minutes);
    with(&mut body, "routing_policy", args.routing_policy.as_deref().map(policy).transpose()?);
    let told = desk.operate(Operation::AlertHealth, "", body)?;
    delivered(&told, &args.output, args.by.json)
}

/// The document in a file: bare, or as the command that made it printed it.
fn document(file: &Path, member: &str) -> anyhow::Result<Object> {
    let read = read_object(file)?;
    Ok(object(&read, member).cloned().unwrap_or(read))
}

/// The record that keeps a document.
fn kept(kind: StageKind, document: &Object) -> anyhow::Result<Object> {
    let stage: &Stage = FAMILY.stage(kind).context("there is no such document")?;
    let names = match kind {
        StageKind::Report => ["report_id"].as_slice(),
        StageKind::RecurrencePlan => &["recurrence_plan_id"],
        StageKind::RetryPlan => &["retry_plan_id"],
        _ => &["plan_id"],
    };
    let id = names.iter().find_map(|name| filled(document, name));
    let id = id.with_context(|| format!("the document has no {}", names.join(" or ")))?.to_owned();
    let at = filled(document, "generated_at").context("the document has no generated_at")?.to_owned();
    let by = filled(document, "generated_by").unwrap_or("unknown").to_owned();
    Ok(stage.record(&stage.handed_in(&id, document.clone()), &at, &by))
}

/// A policy in a file.
fn policy(file: &Path) -> anyhow::Result<Value> {
    read_document(file).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())
}

fn sent(send: &SendArgs, by: &SlaByArgs) -> Object {
    let mut asked = send.asked();
    asked.insert("generated_by".to_owned(), json!(by.generated_by));
    asked
}

fn forced(force: &SlaForceArgs) -> bool {
    force.force && !force.no_force
}

fn with(body: &mut Object, member: &str, value: Option<impl Into<Value>>) {
    body.extend(value.map(|value| (member.to_owned(), value.into())));
}

/// Writes what came of a delivery, and prints the answer.
fn delivered(answer: &Object, output: &Path, format: Json) -> anyhow::Result<ExitCode> {
    write_delivery(output, object(answer, "delivery"))?;
    let line = match (answer.get("delivery"), answer.get("success")) {
        (None | Some(Value::Null), _) => "nobody had to be told",
        (_, Some(Value::Bool(true))) => "delivered",
        _ => "not delivered everywhere",
    };
    say(format, answer, line)
}

fn say(format: Json, answer: &Object, line: &str) -> anyhow::Result<ExitCode> {
    if format.json {
        print_json(answer)?;
    } else {
        print_line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn printed(answer: &Object) -> anyhow::Result<ExitCode> {
    print_json(answer)?;
    Ok(ExitCode::SUCCESS)
}
