//! Plan and apply: what a request would make of a record, how risky that is, and whether it should be approved first.
//! docs/reference/approvals-identity-authoring.md, sections 6 and 9.4.

use serde::Serialize;
use serde_json::{Value, json};

use crate::inventory::ROLLOUT_SCHEMA;
use crate::members::text;
use crate::record_schema::SchemaViolation;
use crate::{Digest, Object, Severity, Timestamp};

/// Member of plans, of what is approved, and of requests to apply: what the change replaces, by [`replaced`].
pub const REPLACES: &str = "replaces_digest";

/// What [`replaced`] says where a change creates something.
const NOTHING: &str = "none";

/// What a change replaces, as one text: the digest of what is there, or `none`.
#[must_use]
pub fn replaced(there: Option<&Value>) -> String {
    there.map_or_else(|| NOTHING.to_owned(), |there| Digest::of_json(there).to_string())
}

/// Whether a change that was planned to replace `planned` may still be carried out over what is there now. It may if
/// that is the same, or if what is there is what the change leads to already. A plan that does not say what it replaces
/// creates something.
///
/// # Errors
/// A sentence saying that the plan is stale.
pub fn still_fits(planned: Option<&str>, there: Option<&Value>, result: &Value) -> Result<(), &'static str> {
    let fits = planned.unwrap_or(NOTHING) == replaced(there) || there == Some(result);
    if fits {
        Ok(())
    } else {
        Err("it was changed after this was planned; plan it again and have the new plan approved")
    }
}

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
    /// What the change replaces; a request to apply may name it, and is refused when that is not there any more.
    pub replaces_digest: String,
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
const ENVELOPE: [&str; 5] = ["changes", "actor", "actor_claims", "actor_token", REPLACES];

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
        replaces_digest: replaced(stored.cloned().map(Value::Object).as_ref()),
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

/// Refuses to apply a change whose request names what it replaces, if that is not what is stored now. A request that
/// names nothing is applied to whatever is stored.
///
/// # Errors
/// A sentence saying that the plan is stale.
pub fn check_rollout_plan(plan: &ChangePlan, body: &Object) -> Result<(), &'static str> {
    let Some(planned) = body.get(REPLACES).and_then(Value::as_str) else { return Ok(()) };
    // The time of the change is no change.
    let timeless = |record: &Object| {
        let mut record = record.clone();
        record.remove("updated_at");
        Value::Object(record)
    };
    let is_done = plan.before.as_ref().is_some_and(|before| timeless(before) == timeless(&plan.after));
    if is_done || planned == plan.replaces_digest {
        return Ok(());
    }
    Err("the rollout was changed after this was planned; plan it again")
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
    fn a_plan_fits_what_it_was_made_from_and_what_it_leads_to() {
        let (one, two) = (json!({"a": 1}), json!({"a": 2}));
        let of_one = replaced(Some(&one));
        for (planned, there, fits) in [
            (None, None, true),
            (Some("none"), None, true),
            (Some(of_one.as_str()), Some(&one), true),
            (Some(of_one.as_str()), Some(&two), true),
            (None, Some(&two), true),
            (None, Some(&one), false),
            (Some("none"), Some(&one), false),
            (Some(of_one.as_str()), None, false),
            (Some(of_one.as_str()), Some(&json!({"a": 3})), false),
            (Some(""), None, false),
        ] {
            assert_eq!(still_fits(planned, there, &two).is_ok(), fits, "{planned:?} {there:?}");
        }
    }

    #[test]
    fn a_named_basis_has_to_be_the_stored_one() {
        let before = stored(&json!({}));
        let shown = plan(Some(&before), &json!({"coverage_percent": 50}));
        let apply = |stored: Option<&Object>, named: &str| {
            let body = json!({"repository": "r", "policy_pack": "p", "coverage_percent": 50, REPLACES: named});
            check_rollout_plan(&plan(stored, &body), body.as_object().unwrap()).is_ok()
        };
        assert!(apply(Some(&before), &shown.replaces_digest) && apply(None, "none"));
        let moved = stored(&json!({"mode": "strict"}));
        assert!(!apply(Some(&moved), &shown.replaces_digest) && !apply(Some(&before), "none"));
        assert!(!apply(None, &shown.replaces_digest));
        let done = stored(&json!({"coverage_percent": 50}));
        assert!(apply(Some(&done), &shown.replaces_digest));
        assert!(!shown.after.contains_key(REPLACES));
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
