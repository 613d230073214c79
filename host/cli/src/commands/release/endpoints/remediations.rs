//! Remediations: asked for, executed, handed off, and what became of them.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Doer, NewApproval};
use cavra_evidence::pretty;
use cavra_fleet::{
    Automation, Execution, HandoffRequest, Refusal, RequestedRemediation, StatusUpdate, automation, execution_problems,
    handoff_providers, observations, remediation_decision, request_document, request_record, status_record,
};
use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use super::files::{Output, answer, pair, with_checksums, within};
use super::inventories::{compare, reconciliation_files};
use crate::args::{
    AutomateArgs, ExecuteRemediationArgs, HandoffArgs, HandoffStatusArgs, RemediationArgs, RemediationAsk,
};
use crate::commands::release::{approvals, metadata, read_object, refused, report, write_files};
use crate::input::json_file;

/// Largest payload of a callback.
const CALLBACK_BYTES: u64 = 256 * 1024;

/// A request, with its approval and the stores that the approval is in.
struct Asked {
    request: Object,
    record: Object,
    approval: Object,
    stores: Vec<String>,
}

fn ask(plan: &RequestedRemediation, asked: &RemediationAsk, requested_by: &str) -> anyhow::Result<Asked> {
    let new = NewApproval {
        decision: remediation_decision(plan, requested_by),
        approver_group: Some(asked.approver_group.clone()),
        requester: Doer::named(requested_by.to_owned()),
        ttl_hours: approvals::ttl(asked.ttl_hours),
        note: None,
    };
    let (approval, stores) = approvals::ask_named(&asked.approvals, new)?;
    let now = Timestamp::now();
    let request = request_document(plan, &approval, requested_by, now);
    let record = request_record(&request, &[], now).record;
    Ok(Asked { request, record, approval, stores })
}

fn request_files(request: &Object) -> Vec<(String, String)> {
    pair("endpoint-remediation-request", "CAVRA Endpoint Remediation Request", &Value::Object(request.clone()))
}

pub fn request(args: &RemediationArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint remediation requested",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let found = within(read_object(&args.report)?, &["report"]);
    let plan = RequestedRemediation::plan(&found, &args.strategy)?;
    if plan.action_count() == 0 {
        anyhow::bail!("there is no drift to remedy");
    }
    let Asked { request, record, approval, stores } = ask(&plan, &args.asked, &args.requested_by)?;
    let content = json!({
        "reconciliation_id": request.get("reconciliation_id"),
        "approval": approval,
        "approval_stores": stores,
        "request": request,
    });
    output.finish(&request_files(&request), &record, &[], content)
}

pub fn automate(args: &AutomateArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint reconciliation automated",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let found = read_object(&args.ingestion)?;
    let observed = observations(&found).and_then(Value::as_object).cloned().unwrap_or_else(|| found.clone());
    cavra_core::check_strategy(&args.remediation_strategy)?;
    let (made, established) =
        match compare(&args.package, args.require_package_verification, &observed, args.stale_after_hours) {
            Ok(compared) => compared,
            Err(error) => {
                return output.refuse(error);
            }
        };
    let drifted = made.document.get("drift_status").and_then(Value::as_str) != Some("aligned");
    let report = members::built(made.document.clone());
    let asked = if drifted {
        let plan = RequestedRemediation::plan(&report, &args.remediation_strategy)?;
        Some(ask(&plan, &args.asked, &args.requested_by)?)
    } else {
        None
    };
    let about = Automation {
        requested_by: &args.requested_by,
        ingestion: &found,
        report: &report,
        request: asked.as_ref().map(|asked| (&asked.request, &asked.approval)),
    };
    let done = automation(about, Timestamp::now());
    let mut files =
        pair("endpoint-reconciliation-automation", "CAVRA Endpoint Reconciliation Automation", &done.document);
    let below = |folder: &str, files: Vec<(String, String)>| {
        files.into_iter().map(|(name, text)| (format!("{folder}/{name}"), text)).collect::<Vec<_>>()
    };
    files = with_checksums(files);
    files.extend(below("reconciliation", reconciliation_files(&made.document)));
    files.extend(asked.iter().flat_map(|asked| below("remediation-request", request_files(&asked.request))));
    let paths = write_files(output.directory, &files)?;
    let mut indexed = Vec::new();
    for record in
        [Some(&made.record), asked.as_ref().map(|asked| &asked.record), Some(&done.record)].into_iter().flatten()
    {
        indexed = metadata::index(output.metadata, record)?;
    }
    let content = json!({
        "automation_id": done.id,
        "reconciliation_id": made.id,
        "request_id": asked.as_ref().and_then(|asked| asked.request.get("request_id")),
        "automation": done.document,
        "reconciliation": made.document,
        "remediation_request": asked.as_ref().map(|asked| &asked.request),
        "approval": asked.as_ref().map(|asked| &asked.approval),
        "approval_stores": asked.as_ref().map(|asked| &asked.stores),
    });
    output.print(&paths, &indexed, &done.record, &established.warnings, content)
}

pub fn execute(args: &ExecuteRemediationArgs) -> anyhow::Result<ExitCode> {
    let what = "endpoint remediation executed";
    let request = within(read_object(&args.request)?, &["request"]);
    let named = members::object(&request, "approval").and_then(|approval| members::filled(approval, "approval_id"));
    let approval = approvals::find(&args.execution, args.approval_id.as_deref().or(named))?;
    let now = Timestamp::now();
    let errors = execution_problems(&request, &approval, now);
    if !errors.is_empty() {
        return report(args.execution.json, &refused(&errors, &[]), what);
    }
    let said = Execution {
        executed_by: &args.execution.executed_by,
        executor: None,
        environment: args.execution.execution_environment.as_deref(),
        notes: args.execution.notes.as_deref(),
    };
    let made = cavra_fleet::execute(&request, &approval, &said, now);
    let file = "endpoint-remediation-execution";
    let before = args.output.join(format!("{file}.json"));
    let kept = if before.exists() { Some(read_object(&before)?) } else { None };
    // What was executed is not executed again: the document of the first time stays.
    let same = |found: &Object| {
        let equal = |name: &str| found.get(name) == made.document.get(name);
        equal("execution_id") && equal("request_sha256")
    };
    let mut record = made.record.clone();
    if let Some(found) = kept.filter(same) {
        record.insert("created_at".to_owned(), found.get("created_at").cloned().unwrap_or(Value::Null));
        record.insert("signer".to_owned(), found.get("executed_by").cloned().unwrap_or(Value::Null));
        record.insert("execution".to_owned(), Value::Object(found));
    }
    let (indexed, record) = metadata::index_once(&args.execution.metadata, record, None)?;
    let document = record.get("execution").cloned().context("the record has no execution")?;
    let files = write_files(&args.output, &pair(file, "CAVRA Endpoint Remediation Execution", &document))?;
    let output =
        Output { what, directory: &args.output, metadata: &args.execution.metadata, json: args.execution.json };
    let content = json!({ "reconciliation_id": document.get("reconciliation_id"), "execution": document });
    output.print(&files, &indexed, &record, &[], content)
}

pub fn hand_off(args: &HandoffArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint remediation handed off",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let found = read_object(&args.request)?;
    let request = within(found.clone(), &["request"]);
    let approval = members::object(&request, "approval").cloned().unwrap_or_default();
    let state = members::filled(&found, "approval_state").unwrap_or_else(|| members::text(&approval, "state"));
    let names = args.provider.iter().flat_map(|names| names.split(','));
    let asked = HandoffRequest {
        requested_by: &args.requested_by,
        delivery_mode: &args.delivery_mode,
        providers: handoff_providers(names)?,
    };
    let file = "endpoint-remediation-handoff";
    let before = args.output.join(format!("{file}.json"));
    let earlier = if before.exists() { Some(read_object(&before)?) } else { None };
    let package = |earlier: Option<&Object>| {
        let approval = (members::text(&approval, "approval_id"), state);
        cavra_fleet::handoff(&request, approval, &asked, earlier, Timestamp::now())
    };
    let made = package(None);
    let earlier = earlier.filter(|earlier| members::text(earlier, "handoff_id") == made.id);
    let made = if earlier.is_some() { package(earlier.as_ref()) } else { made };
    let mut files = pair(file, "CAVRA Endpoint Remediation Handoff", &made.document);
    let payloads = made.document.get("payloads").and_then(Value::as_object).cloned().unwrap_or_default();
    files.extend(
        payloads.iter().map(|(name, payload)| (format!("{}-handoff.json", name.replace('_', "-")), pretty(payload))),
    );
    let mut content = members::built(answer(&made, "handoff_id", "handoff"));
    for name in ["request_id", "providers"] {
        content.insert(name.to_owned(), made.document.get(name).cloned().unwrap_or(Value::Null));
    }
    output.finish(&with_checksums(files), &made.record, &[], Value::Object(content))
}

pub fn status(args: &HandoffStatusArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint remediation handoff status recorded",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let found = read_object(&args.handoff)?;
    let package = within(found.clone(), &["handoff"]);
    let callback = args.callback_json.as_ref().map(|file| json_file(file, CALLBACK_BYTES)).transpose()?;
    if callback.as_ref().is_some_and(|callback| !callback.is_object()) {
        anyhow::bail!("the callback must be a JSON object");
    }
    let update = StatusUpdate {
        provider: &args.provider,
        status: &args.status,
        external_ref: args.external_ref.as_deref(),
        external_url: args.external_url.as_deref(),
        notes: args.notes.as_deref(),
        callback: callback.as_ref(),
        recorded_by: &args.recorded_by,
    };
    let state = members::filled(&found, "approval_state");
    let made = match status_record(&package, (members::text(&package, "approval_id"), state), &update, Timestamp::now())
    {
        Ok(made) => made,
        Err(Refusal::Document(errors)) => return report(args.json, &refused(&errors, &[]), output.what),
        Err(other) => return Err(other.into()),
    };
    let files =
        pair("endpoint-remediation-handoff-status", "CAVRA Endpoint Remediation Handoff Status", &made.document);
    let mut content = members::built(answer(&made, "status_id", "status"));
    for name in ["handoff_id", "provider"] {
        content.insert(name.to_owned(), made.document.get(name).cloned().unwrap_or(Value::Null));
    }
    output.finish(&with_checksums(files), &made.record, &made.warnings, Value::Object(content))
}
