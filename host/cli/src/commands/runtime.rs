//! `cavra runtime …`: rollback drills without a server. docs/reference/connectors-drills-ops-registry.md, section 3.4.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{App, Call, Caller, Engine, Operation, PilotSettings, Settings, drill_schedule, families};
use cavra_documents::read_document;
use cavra_model::members::{built, object, text};
use cavra_model::{Object, Timestamp};
use cavra_notify::{
    Asking, DrillPolicy, Family, Making, Reply, StageKind, acknowledgement, drill_event, drill_plan, providers_named,
};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::args::{
    DrillAckArgs, DrillEscalationArgs, DrillFilesArgs, DrillPlanArgs, DrillScheduleArgs, Json, RuntimeCommand,
};
use crate::output::{print_json, print_line};

static FAMILY: &Family = &families::ROLLBACK_DRILLS;
/// Who asks on the command line.
const BY: &str = "release-manager";
/// `schema_version` of the event about a drill.
const EVENT: &str = "cavra.go-backend-pilot.rollback-drill-notification.v1";

pub fn run(command: &RuntimeCommand) -> anyhow::Result<ExitCode> {
    match command {
        RuntimeCommand::Schedule(args) => schedule(args),
        RuntimeCommand::NotificationPlan(args) => plan(args),
        RuntimeCommand::NotificationAck(args) => acknowledge(args),
        RuntimeCommand::EscalationPlan(args) => escalate(args),
    }
}

/// The report on the schedule in the files that are named.
fn report(files: &DrillFilesArgs, days: [(&str, Option<f64>); 2]) -> Object {
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let settings = PilotSettings::read(|name| match name {
        "CAVRA_GO_BACKEND_MODE" => Some(files.mode.clone()),
        "CAVRA_GO_ROLLBACK_DRILL_HISTORY" => path(&files.rollback_drill_history_path),
        "CAVRA_GO_ROLLBACK_DRILL_SCHEDULE" => path(&files.rollback_drill_schedule_path),
        name => days.iter().find(|(known, _)| *known == name)?.1.map(|days| days.to_string()),
    });
    built(drill_schedule(&settings, Timestamp::now()))
}

fn schedule(args: &DrillScheduleArgs) -> anyhow::Result<ExitCode> {
    let days = [
        ("CAVRA_GO_ROLLBACK_DRILL_MAX_AGE_DAYS", args.rollback_drill_max_age_days),
        ("CAVRA_GO_ROLLBACK_DRILL_DUE_SOON_DAYS", args.rollback_drill_due_soon_days),
    ];
    let report = report(&args.files, days);
    let line = text(&report, "status").to_owned();
    say(args.json, &Value::Object(report), &line)
}

fn plan(args: &DrillPlanArgs) -> anyhow::Result<ExitCode> {
    let report = report(&args.files, [("", None), ("", None)]);
    let schedule = object(&report, "schedule").cloned().unwrap_or_default();
    let policy = args.routing_policy.as_deref().map(read).transpose()?;
    let policy = DrillPolicy::read(policy.as_ref(), "routing_policy", &schedule)?;
    let providers = providers_named(Some(&json!(args.provider)))?;
    let now = Timestamp::now();
    let asking = Asking {
        family: FAMILY,
        stage: FAMILY.stage(StageKind::NotificationPlan).context("there is no such document")?,
        report: &report,
        policy: &policy,
        providers: providers.as_deref(),
        enabled: None,
        force: args.force,
        generated_by: BY,
        now,
    };
    let (plan, _) = drill_plan(asking);
    let event = drill_event(Making { family: FAMILY, generated_by: BY, now }, EVENT, &report, &plan.content);
    let line = format!("{}: {}", text(&plan.content, "status"), text(&plan.content, "reason"));
    say(args.json, &json!({ "schedule": report, "plan": plan.content, "event": event }), &line)
}

fn acknowledge(args: &DrillAckArgs) -> anyhow::Result<ExitCode> {
    let stage = FAMILY.stage(StageKind::Acknowledgement).context("there is no such document")?;
    let reply = Reply {
        subject_member: "schedule_id",
        subject: &args.schedule_id,
        plan_id: Some(args.plan_id.as_deref().unwrap_or_default()),
        provider: &args.provider,
        owner: "",
        state: Some(&args.acknowledgement_state),
        by: &args.acknowledged_by,
        external_ref: Some(args.external_ref.as_deref().unwrap_or_default()),
        notes: Some(args.notes.as_deref().unwrap_or_default()),
    };
    let now = Timestamp::now();
    let answer = acknowledgement(stage, &reply, &[], now)?;
    let metadata = stage.record(&answer, &now.to_string(), &args.acknowledged_by);
    let line = format!("{}: {}", args.schedule_id, text(&answer.content, "acknowledgement_state"));
    say(args.json, &json!({ "acknowledgement": answer.content, "metadata": metadata }), &line)
}

/// In the store of this place, as the server does it.
fn escalate(args: &DrillEscalationArgs) -> anyhow::Result<ExitCode> {
    let mut policy = match args.routing_policy.as_deref().map(read).transpose()? {
        None => Object::new(),
        Some(Value::Object(policy)) => policy,
        Some(_) => anyhow::bail!("the routing policy must be an object"),
    };
    policy.extend(args.acknowledgement_minutes.map(|minutes| ("acknowledgement_minutes".to_owned(), json!(minutes))));
    let body = built(json!({ "policy": policy, "generated_by": BY }));
    let app = App::open(&Settings::from_env()?, Engine::OneShot)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let made = runtime.block_on(async {
        let call = Call { id: String::new(), body, caller: Caller::default(), run: None };
        let made = app.notify(FAMILY, Operation::PlanDrillEscalation, call).await;
        app.close().await;
        made
    })?;
    let line = object(&made, "plan").map(|plan| text(plan, "alert_level").to_owned()).unwrap_or_default();
    let answer = json!({ "plan": made.get("plan"), "metadata": made.get("metadata") });
    say(args.json, &answer, &line)
}

fn read(file: &Path) -> anyhow::Result<Value> {
    read_document(file).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())
}

fn say(format: Json, answer: &Value, line: &str) -> anyhow::Result<ExitCode> {
    if format.json {
        print_json(answer)?;
    } else {
        print_line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}
