//! The document that says what was done, and its record.

use cavra_model::{Digest, Object, Person, Timestamp, is_unverified};
use serde_json::{Value, json};

use super::Action;
use crate::members::{built, filled, sorted, texts};

/// What the one who did it says.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Who did it.
    pub executed_by: &'a str,
    /// The person who did it, if one is known.
    pub executor: Option<&'a Person>,
    /// Where; default is what the subject says.
    pub environment: Option<&'a str>,
    /// Why it was rolled back.
    pub reason: Option<&'a str>,
    /// Whatever else there is to say.
    pub notes: Option<&'a str>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its id.
    pub id: String,
    /// The document.
    pub document: Object,
    /// Its record.
    pub record: Object,
}

/// Carries out an action on a subject that its approval lets happen.
#[must_use]
pub fn carry_out(
    action: &Action,
    subject: &Object,
    approval: &Object,
    said: &Statement<'_>,
    now: Timestamp,
) -> Carried {
    let approval_id = filled(approval, "approval_id").unwrap_or_default();
    let subject_id = filled(subject, action.subject.id).unwrap_or_default();
    let id = action.id_of(subject_id, approval_id);
    let links = links(action, subject, approval_id);
    let document = document(action, subject, approval, said, &id, &links, now);
    let record = record_of(action, subject, &document);
    Carried { id, document, record }
}

/// The record of a document that says what was done to a subject.
#[must_use]
pub fn record_of(action: &Action, subject: &Object, document: &Object) -> Object {
    let links = links(action, subject, filled(document, "approval_id").unwrap_or_default());
    let mut record = record(action, document, &links);
    if action.keeps_subject {
        record.insert("request".to_owned(), Value::Object(subject.clone()));
    }
    record
}

/// Where everything that belongs to it is: member of the audit links, reference.
fn links(action: &Action, subject: &Object, approval_id: &str) -> [(&'static str, String); 4] {
    let member = |name: &str| filled(subject, name).unwrap_or_default();
    let subject_id = member(action.subject.id);
    let scheme = action.subject.link.replace('_', "-");
    [
        ("rollout", format!("rollout://{}", member("rollout_id"))),
        (action.subject.link, format!("{scheme}://{subject_id}")),
        ("approval", format!("approval://{approval_id}")),
        ("change", format!("change://{}", member("change_record"))),
    ]
}

fn document(
    action: &Action,
    subject: &Object,
    approval: &Object,
    said: &Statement<'_>,
    id: &str,
    links: &[(&'static str, String); 4],
    now: Timestamp,
) -> Object {
    let member = |name: &str| subject.get(name).cloned().unwrap_or(Value::Null);
    let granted = |name: &str| approval.get(name).cloned().unwrap_or(Value::Null);
    let moved = (action.moved)(subject);
    let targets = sorted(texts(subject, "deployment_targets").into_iter().map(ToOwned::to_owned));
    let refs: Vec<&str> = links.iter().map(|(_, link)| link.as_str()).collect();
    let mut document = built(json!({
        "schema_version": action.schema,
        "product": "CAVRA",
        "approval_id": granted("approval_id"),
        "rollout_id": member("rollout_id"),
        "created_at": now,
        "executed_by": said.executed_by,
        "execution_environment": said.environment.map_or_else(|| member(action.subject.environment), Value::from),
        "change_record": member("change_record"),
        "release": member("release"),
        "deployment_targets": targets,
        "approval": {
            "approval_id": granted("approval_id"),
            "state": granted("state"),
            "approver_group": granted("approver_group"),
            "decided_by": granted("decided_by"),
            "decided_at": granted("decided_at"),
            "decision_reason": granted("decision_reason"),
        },
        "controls": action.controls,
        "evidence_refs": refs,
        "rollback_evidence_refs": member("rollback_evidence_refs"),
    }));
    let movement = json!({
        "from": moved.from, "to": moved.to,
        "previous_rollout_status": moved.previous_status, "new_rollout_status": action.new_status,
    });
    let digest = Digest::of_json(&Value::Object(subject.clone()));
    let named = [
        (action.id, json!(id)),
        (action.subject.member, member(action.subject.id)),
        (action.status, json!("executed")),
        (action.movement, movement),
        (action.digest, json!(digest.hex())),
    ];
    document.extend(named.map(|(name, value)| (name.to_owned(), value)));
    if let Some(executor) = said.executor {
        executor.note(&mut document, "executed_by");
    }
    if is_unverified(approval)
        && let Some(Value::Object(granted)) = document.get_mut("approval")
    {
        granted.insert("unverified".to_owned(), json!(true));
    }
    for (name, text) in [("rollback_reason", said.reason), ("notes", said.notes)] {
        if let Some(text) = text {
            document.insert(name.to_owned(), json!(text));
        }
    }
    document
}

fn record(action: &Action, document: &Object, links: &[(&'static str, String); 4]) -> Object {
    let member = |name: &str| document.get(name).cloned().unwrap_or(Value::Null);
    let within = |outer: &str, inner: &str| document.get(outer).and_then(|found| found.get(inner)).cloned();
    let links: Object = links.iter().map(|(name, link)| ((*name).to_owned(), json!(link))).collect();
    let mut record = built(json!({
        "schema_version": "cavra.evidence.metadata.v1",
        "product": "CAVRA",
        "session_id": member(action.id),
        "created_at": member("created_at"),
        "signer": member("executed_by"),
        "decision_count": 0,
        "blocked_count": 0,
        "approval_required_count": 0,
        "metadata_kind": action.kind,
        "rollout_id": member("rollout_id"),
        "rollout_status": action.new_status,
        "environment": member("execution_environment"),
        "deployment_targets": member("deployment_targets"),
        "current_ring": within(action.movement, "from"),
        "target_ring": within(action.movement, "to"),
        "approval_id": member("approval_id"),
        "approval_state": within("approval", "state"),
        "change_record": member("change_record"),
        "release": member("release"),
        "evidence_refs": member("evidence_refs"),
        "rollback_evidence_refs": member("rollback_evidence_refs"),
        "audit_links": links,
    }));
    record.insert(action.subject.member.to_owned(), member(action.subject.member));
    record.insert(action.record_status.to_owned(), json!("executed"));
    record.insert(action.payload.to_owned(), Value::Object(document.clone()));
    record
}
