//! The metadata record of a bundle, as it is stored and searched. docs/reference/evidence-and-promotion.md, section 1.1.

use cavra_model::members::text;
use cavra_model::{Object, Outcome};
use serde_json::{Value, json};

use crate::bundle::{EVIDENCE, MANIFEST};
use crate::folder::{BundleFileError, BundleFolder};
use crate::retention::RETENTION;
use crate::tally::{decisions, outcome};

/// The record of the bundle in `folder`. Nothing is verified here.
///
/// # Errors
/// [`BundleFileError`] for a document that is missing or no JSON; a bundle without a retention rule has none.
pub fn bundle_metadata(folder: &BundleFolder) -> Result<Object, BundleFileError> {
    let evidence = folder.json(EVIDENCE)?;
    let manifest = folder.json(MANIFEST)?;
    let retention = match folder.json(RETENTION) {
        Err(error) if error.fault.is_missing() => json!({}),
        other => other?,
    };
    let place = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    Ok(record(&evidence, &manifest, &retention, &place.display().to_string()))
}

fn record(evidence: &Value, manifest: &Value, retention: &Value, bundle_dir: &str) -> Object {
    let decisions: Vec<&Object> = decisions(evidence.get("decisions")).collect();
    let outcomes: Vec<&Object> =
        decisions.iter().filter_map(|decision| decision.get("approval")?.as_object()).collect();
    let decided = |wanted| decisions.iter().filter(|decision| outcome(decision) == Some(wanted)).count();
    let in_state =
        |states: &[&str]| outcomes.iter().filter(|approval| states.contains(&text(approval, "state"))).count();
    let broken = outcomes.iter().filter(|approval| approval.get("break_glass") == Some(&Value::Bool(true))).count();
    let member = |document: &Value, name: &str| document.get(name).filter(|value| !value.is_null()).cloned();
    let mut record = Object::new();
    for (name, value) in [
        ("session_id", member(evidence, "session_id")),
        ("created_at", member(evidence, "created_at").or_else(|| member(manifest, "created_at"))),
        ("signer", member(manifest, "signer")),
        ("decision_count", Some(json!(decisions.len()))),
        ("blocked_count", Some(json!(decided(Outcome::Block)))),
        ("approval_required_count", Some(json!(decided(Outcome::RequireApproval)))),
        ("bundle_dir", Some(json!(bundle_dir))),
        ("manifest_signature", Some(member(manifest, "signature").unwrap_or_else(|| json!({})))),
        ("retention", Some(retention.clone())),
        ("approval_outcomes", Some(json!(outcomes))),
        ("approved_count", Some(json!(in_state(&["approved", "break_glass"])))),
        ("denied_count", Some(json!(in_state(&["denied"])))),
        ("break_glass_count", Some(json!(broken))),
    ] {
        if let Some(value) = value {
            record.insert(name.to_owned(), value);
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted() {
        let evidence = json!({"session_id": "s", "decisions": [
            {"decision": "block"},
            {"decision": "require_approval", "approval": {"state": "approved"}},
            {"decision": "allow", "approval": {"state": "break_glass", "break_glass": true}},
            {"decision": "require_approval", "approval": {"state": "denied", "break_glass": "no"}},
            {"decision": "allow", "approval": null},
        ]});
        let manifest =
            json!({"created_at": "2031-01-01T00:00:00+00:00", "signer": "ann", "signature": {"algorithm": "SHA256"}});
        let record = Value::Object(record(&evidence, &manifest, &json!({}), "/b"));
        assert_eq!(
            record,
            json!({
                "session_id": "s", "created_at": "2031-01-01T00:00:00+00:00", "signer": "ann", "decision_count": 5,
                "blocked_count": 1, "approval_required_count": 2, "bundle_dir": "/b",
                "manifest_signature": {"algorithm": "SHA256"}, "retention": {},
                "approval_outcomes": [
                    {"state": "approved"}, {"state": "break_glass", "break_glass": true},
                    {"state": "denied", "break_glass": "no"}
                ],
                "approved_count": 2, "denied_count": 1, "break_glass_count": 1,
            })
        );
    }
}
