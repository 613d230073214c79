//! Promotions and rollbacks that people have approved, and the audit events about them.

use std::path::Path;
use std::process::ExitCode;

use cavra_core::{Settings, package_signers};
use cavra_evidence::pretty;
use cavra_model::{Object, Timestamp};
use cavra_release::{
    Action, Labels, PROMOTION, ROLLBACK, Statement, Trust, audit_documents, audit_event, carry_out, record_of,
    request_summary,
};
use serde_json::{Value, json};

use super::kept::Kept;
use super::{approvals, metadata, read_object, refused, report, write_files};
use crate::args::{AuditArgs, ExecutionArgs, PromotionArgs, RollbackArgs};

/// How a promotion or rollback is called and where its document goes.
struct Form {
    action: &'static Action,
    file: &'static str,
    title: &'static str,
    what: &'static str,
}

const PROMOTE: Form = Form {
    action: &PROMOTION,
    file: "rollout-promotion-execution",
    title: "CAVRA Rollout Promotion Execution",
    what: "rollout promotion executed",
};

const ROLL_BACK: Form = Form {
    action: &ROLLBACK,
    file: "rollout-rollback-execution",
    title: "CAVRA Rollout Rollback Execution",
    what: "rollout rollback executed",
};

pub fn promote(args: &PromotionArgs) -> anyhow::Result<ExitCode> {
    let request = read_object(&args.request)?;
    let named = request.get("approval").and_then(|approval| approval.get("approval_id")).and_then(Value::as_str);
    let approval = approvals::find(&args.execution, args.approval_id.as_deref().or(named))?;
    let mut warnings = Vec::new();
    let trust = match &args.trust_root {
        Some(file) => Trust::Pinned(package_signers(file)?),
        None => {
            let keys = Settings::from_env()?.release_keys;
            if keys.is_set() { Trust::Pinned(keys.promotion_signers()) } else { Trust::Embedded }
        }
    };
    if matches!(trust, Trust::Embedded) {
        warnings.push("the signer's key was not pinned: anybody can have signed the request".to_owned());
    }
    let case = Case { subject: &request, approval: &approval, trust: &trust, reason: None, warnings };
    execute(&PROMOTE, &case, &args.execution, &args.output)
}

pub fn roll_back(args: &RollbackArgs) -> anyhow::Result<ExitCode> {
    let promotion = document(&PROMOTION, read_object(&args.promotion)?);
    let approval = approvals::find(&args.execution, args.approval_id.as_deref())?;
    let case = Case {
        subject: &promotion,
        approval: &approval,
        trust: &Trust::Pinned(Vec::new()),
        reason: Some(&args.rollback_reason),
        warnings: Vec::new(),
    };
    execute(&ROLL_BACK, &case, &args.execution, &args.output)
}

/// What is done, under which approval.
struct Case<'a> {
    subject: &'a Object,
    approval: &'a Object,
    trust: &'a Trust,
    reason: Option<&'a str>,
    warnings: Vec<String>,
}

fn execute(form: &Form, case: &Case<'_>, args: &ExecutionArgs, output: &Path) -> anyhow::Result<ExitCode> {
    let Case { subject, approval, trust, reason, warnings } = case;
    let now = Timestamp::now();
    let said = Statement {
        executor: None,
        executed_by: &args.executed_by,
        environment: args.execution_environment.as_deref(),
        reason: *reason,
        notes: args.notes.as_deref(),
    };
    let errors = form.action.refusals(subject, approval, trust, now);
    if !errors.is_empty() {
        return report(args.json, &refused(&errors, warnings), form.what);
    }
    let mut done = carry_out(form.action, subject, approval, &said, now);
    let execution_id = subject.get("execution_id").and_then(Value::as_str);
    let kept = Kept::look(form.action, output, form.file)?;
    if let Some(found) = kept.same(&done.document) {
        done.record = record_of(form.action, subject, found);
    } else if let Some(problem) = kept.refusal(&done.document) {
        return report(args.json, &refused(&[problem], warnings), form.what);
    }
    let exclusive = execution_id.map(|id| format!("rollback of {id}"));
    let (stores, record) = metadata::index_once(&args.metadata, done.record, exclusive.as_deref())?;
    let document = document(form.action, record);
    kept.make_room(&document)?;
    let files = [
        (format!("{}.json", form.file), pretty(&Value::Object(document.clone()))),
        (format!("{}.md", form.file), request_summary(form.title, &document)),
    ];
    let files = write_files(output, &files)?;
    let mut result = json!({
        "valid": true,
        "errors": [],
        "warnings": warnings,
        "rollout_id": document.get("rollout_id"),
        "files": files,
        "indexed_metadata_stores": stores,
    });
    if let Value::Object(result) = &mut result {
        result.insert(form.action.payload.to_owned(), Value::Object(document));
    }
    report(args.json, &result, form.what)
}

/// The document of an action: in a record of it, or by itself.
fn document(action: &Action, mut found: Object) -> Object {
    match found.remove(action.payload) {
        Some(Value::Object(document)) => document,
        Some(other) => {
            found.insert(action.payload.to_owned(), other);
            found
        }
        None => found,
    }
}

pub fn export(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let promotion = document(&PROMOTION, read_object(&args.promotion)?);
    let event = audit_event(&PROMOTION, &promotion).map_err(anyhow::Error::msg)?;
    let labels = Labels {
        splunk_index: &args.splunk_index,
        datadog_service: &args.datadog_service,
        project_key: &args.itsm_project_key,
    };
    let documents = audit_documents(&event, &args.provider, &labels).map_err(anyhow::Error::msg)?;
    let first = ("promotion-execution-audit-event.json", pretty(&Value::Object(event.clone())));
    let others = documents.into_iter().map(|(file, document)| (file, pretty(&document)));
    let files: Vec<_> = std::iter::once(first).chain(others).collect();
    let files = write_files(&args.output, &files)?;
    let result = json!({ "valid": true, "errors": [], "warnings": [], "event": event, "files": files });
    report(args.json, &result, "promotion audit exported")
}
