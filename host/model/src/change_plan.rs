//! Plan and apply: what a request would make of a record, how risky that is, and whether it should be approved first.
//! Contract 20, section 6 and "Shape" 4.

use serde::Serialize;
use serde_json::{Value, json};

use crate::inventory::ROLLOUT_SCHEMA;
use crate::members::text;
use crate::record_schema::SchemaViolation;
use crate::{Object, Severity, Timestamp};

/// A planned change of one record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangePlan {
    /// `cavra.policy_rollout.change_plan.v1`.
    pub schema_version: &'static str,
    /// `CAVRA`.
    pub product: &'static str,
    /// When the plan was made.
    pub generated_at: Timestamp,
    /// `create` or `update`.
    pub operation: &'static str,
    /// How much can go wrong.
    pub risk: Severity,
    /// Whether it should be approved first. It is advice.
    pub approval_required: bool,
    /// The record as it is stored.
    pub before: Option<Object>,
    /// The record as it would be.
    pub after: Object,
    /// Every member that differs, by name.
    pub changes: Vec<Change>,
    /// What an operator should know.
    pub operator_notes: Vec<String>,
}

/// One member that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub field: String,
    /// Its value before; null if it had none.
    pub before: Value,
    /// Its value after.
    pub after: Value,
}

/// Members of a request that are not the record's.
const ENVELOPE: [&str; 4] = ["changes", "actor", "actor_claims", "actor_token"];

/// The id of the rollout a request is about, if it names one.
#[must_use]
pub fn requested_rollout(body: &Object) -> Option<&str> {
    let changes = body.get("changes").and_then(Value::as_object);
    let of =
        |object: &'_ Object| object.get("rollout_id").and_then(Value::as_str).map(str::trim).map(ToOwned::to_owned);
    // The outer name says which record is meant; the inner one is for requests that have only that.
    let named = |object: Option<&Object>| object.and_then(of).is_some_and(|id| !id.is_empty());
    let source = if named(Some(body)) { Some(body) } else { changes.filter(|changes| named(Some(changes))) };
    source.and_then(|object| object.get("rollout_id")).and_then(Value::as_str).map(str::trim)
}

/// The change of a rollout that `body` asks for: `changes`, or the members themselves, laid over what is stored.
///
/// # Errors
/// [`SchemaViolation`] if the outcome would be no rollout.
pub fn plan_rollout(stored: Option<&Object>, body: &Object, now: Timestamp) -> Result<ChangePlan, SchemaViolation> {
    let mut requested = match body.get("changes") {
        None | Some(Value::Null) => body.clone(),
        Some(Value::Object(changes)) => changes.clone(),
        Some(_) => return Err(SchemaViolation("changes must be an object".to_owned())),
    };
    requested.retain(|member, _| !ENVELOPE.contains(&member.as_str()));
    if let Some(id) = requested_rollout(body) {
        requested.insert("rollout_id".to_owned(), json!(id));
    }
    let mut overlaid = stored.cloned().unwrap_or_default();
    overlaid.extend(requested.into_iter().filter(|(_, value)| !value.is_null()));
    let after = ROLLOUT_SCHEMA.normalize(&overlaid, stored, now)?;
    let changes = changes(stored, &after);
    let risk = risk(stored, &after, changes.len());
    let mode = text(&after, "mode");
    let approval_required = risk >= Severity::High || ["strict", "break_glass"].contains(&mode);
    Ok(ChangePlan {
        schema_version: "cavra.policy_rollout.change_plan.v1",
        product: "CAVRA",
        generated_at: now,
        operation: if stored.is_some() { "update" } else { "create" },
        risk,
        approval_required,
        before: stored.cloned(),
        operator_notes: notes(stored, &after, approval_required),
        after,
        changes,
    })
}

/// Members that differ, by name; on an update the time of change is always among them.
fn changes(before: Option<&Object>, after: &Object) -> Vec<Change> {
    let old = |field: &str| before.and_then(|before| before.get(field)).cloned().unwrap_or(Value::Null);
    let mut changes: Vec<_> = after
        .iter()
        .filter(|(field, value)| before.is_none() || *field == "updated_at" || old(field) != **value)
        .map(|(field, value)| Change { field: field.clone(), before: old(field), after: value.clone() })
        .collect();
    changes.sort_by(|left, right| left.field.cmp(&right.field));
    changes
}

/// The first rule that applies.
fn risk(before: Option<&Object>, after: &Object, changes: usize) -> Severity {
    let was = before.map(|before| text(before, "mode")).unwrap_or_default();
    let (mode, state) = (text(after, "mode"), text(after, "state"));
    let rules = [
        (mode == "break_glass", Severity::Critical),
        (was == "audit_only" && ["enforce", "strict"].contains(&mode), Severity::High),
        (mode == "strict" || state == "active", Severity::Medium),
        (changes > 3, Severity::Medium),
    ];
    rules.into_iter().find(|(applies, _)| *applies).map_or(Severity::Low, |(_, risk)| risk)
}

fn notes(before: Option<&Object>, after: &Object, approval_required: bool) -> Vec<String> {
    let coverage = after.get("coverage_percent").and_then(Value::as_i64).unwrap_or(0);
    let (mode, state) = (text(after, "mode"), text(after, "state"));
    let notes = [
        (approval_required, "Have this change approved before it is applied; applying does not ask for the approval."),
        (state == "active" && mode == "audit_only", "Decisions of the covered sessions are recorded and not enforced."),
        (
            state == "active" && mode == "break_glass",
            "Decisions of the covered sessions block, because a rollout names nobody who takes responsibility.",
        ),
        (state == "active" && coverage == 0, "The rollout is active but covers no session; raise coverage_percent."),
        (state != "active" && before.is_none(), "The rollout governs nothing until its state is active."),
    ];
    notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn plan(stored: Option<&Object>, body: &Value) -> ChangePlan {
        plan_rollout(stored, body.as_object().unwrap(), at(5)).unwrap()
    }

    fn stored(members: &Value) -> Object {
        let mut body = json!({"repository": "r", "policy_pack": "p"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        ROLLOUT_SCHEMA.normalize(body.as_object().unwrap(), None, at(0)).unwrap()
    }

    #[test]
    fn creating_lists_every_member() {
        let plan = plan(
            None,
            &json!({"rollout_id": "x", "changes": {"repository": "r", "policy_pack": "p"}, "actor_token": "hush"}),
        );
        assert_eq!((plan.operation, plan.after["rollout_id"].as_str()), ("create", Some("x")));
        assert_eq!(plan.changes.len(), plan.after.len());
        assert!(plan.changes.windows(2).all(|pair| pair[0].field < pair[1].field));
        assert!(!serde_json::to_string(&plan).unwrap().contains("hush"));
    }

    #[test]
    fn updating_lists_what_differs() {
        let before = stored(&json!({}));
        let plan = plan(Some(&before), &json!({"coverage_percent": 50, "owner": null}));
        let fields: Vec<_> = plan.changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["coverage_percent", "updated_at"]);
        assert_eq!((&plan.after["created_at"], plan.operation), (&json!(at(0)), "update"));
    }

    #[test]
    fn risk_follows_the_table() {
        for (before, changes, risk, approval) in [
            (json!({}), json!({"mode": "break_glass"}), Severity::Critical, true),
            (json!({"mode": "audit_only"}), json!({"mode": "enforce"}), Severity::High, true),
            (json!({"mode": "audit_only"}), json!({"mode": "strict"}), Severity::High, true),
            (json!({}), json!({"mode": "strict"}), Severity::Medium, true),
            (json!({}), json!({"state": "active"}), Severity::Medium, false),
            (json!({}), json!({"owner": "a", "policy_version": "2", "coverage_percent": 3}), Severity::Medium, false),
            (json!({}), json!({"owner": "a", "policy_version": "2"}), Severity::Low, false),
        ] {
            let plan = plan(Some(&stored(&before)), &changes);
            assert_eq!((plan.risk, plan.approval_required), (risk, approval), "{before} {changes}");
        }
    }

    #[test]
    fn wrong_requests_are_refused() {
        for bad in [json!({}), json!({"changes": []}), json!({"repository": "r", "policy_pack": "p", "mode": "x"})] {
            assert!(plan_rollout(None, bad.as_object().unwrap(), at(0)).is_err(), "{bad}");
        }
    }
}
