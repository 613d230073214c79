//! Which rollout governs a session, and whether a rollout is ready. docs/reference/approvals-identity-authoring.md, section 6.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::members::text;
use crate::{Object, PolicyMode};

/// Coverage from which a rollout counts as covering its repository, in percent.
const READY_COVERAGE: i64 = 80;

/// The rollout among `active` that governs the decisions of a session, and its mode. The strictest mode wins, so
/// that a second rollout can tighten what another left loose, never the other way round. Break-glass ranks below
/// enforcement because it is an exception from it; since a rollout names nobody who takes responsibility it blocks.
#[must_use]
pub fn governing_rollout(active: &[Object], session: &str) -> Option<(String, PolicyMode)> {
    let strictness = |mode: PolicyMode| match mode {
        PolicyMode::Strict => 3,
        PolicyMode::Enforce => 2,
        PolicyMode::BreakGlass => 1,
        PolicyMode::AuditOnly => 0,
    };
    active
        .iter()
        .filter(|rollout| text(rollout, "state") == "active")
        .filter_map(|rollout| {
            let id = text(rollout, "rollout_id");
            let coverage = rollout.get("coverage_percent").and_then(Value::as_u64).unwrap_or(0);
            // A mode that cannot be read governs as if there were no exception.
            let mode = text(rollout, "mode").parse().unwrap_or(PolicyMode::Enforce);
            (bucket(id, session) < coverage).then(|| (id.to_owned(), mode))
        })
        .max_by(|left, right| strictness(left.1).cmp(&strictness(right.1)).then_with(|| right.0.cmp(&left.0)))
}

/// A number from 0 to 99 that is the same for a session of a rollout every time.
fn bucket(rollout: &str, session: &str) -> u64 {
    let hash = Sha256::digest(format!("{rollout}\n{session}"));
    let first = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    first % 100
}

/// Whether everything is in place for a rollout. docs/reference/approvals-identity-authoring.md, section 6.
#[must_use]
pub fn rollout_readiness(registered: bool, rollout: &Object, integration_categories: &[String]) -> Value {
    let has = |wanted: &[&str]| integration_categories.iter().any(|category| wanted.contains(&category.as_str()));
    let coverage = rollout.get("coverage_percent").and_then(Value::as_i64).unwrap_or(0);
    let rows = [
        ("repository_registered", registered, "The inventory has the repository.", "Register the repository."),
        (
            "policy_coverage",
            coverage >= READY_COVERAGE,
            "The rollout covers at least 80 percent.",
            "Raise coverage_percent to at least 80.",
        ),
        (
            "source_control_integration",
            has(&["source_control"]),
            "A source control integration is there.",
            "Add a source control integration.",
        ),
        (
            "siem_or_storage_integration",
            has(&["siem", "storage"]),
            "Evidence goes to a SIEM or a storage.",
            "Add a SIEM or storage integration.",
        ),
    ];
    let ready = rows.iter().all(|(_, passes, ..)| *passes);
    let checks = rows.map(|(id, passes, good, todo)| {
        json!({ "id": id, "status": if passes { "pass" } else { "warn" }, "message": if passes { good } else { todo } })
    });
    json!({ "status": if ready { "ready" } else { "needs_attention" }, "checks": checks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rollout(id: &str, mode: &str, state: &str, coverage: u64) -> Object {
        let record = json!({"rollout_id": id, "mode": mode, "state": state, "coverage_percent": coverage});
        record.as_object().cloned().unwrap()
    }

    #[test]
    fn the_strictest_active_rollout_governs() {
        let audit = rollout("a", "audit_only", "active", 100);
        let enforce = rollout("b", "enforce", "active", 100);
        let strict = rollout("c", "strict", "paused", 100);
        let governing = |rollouts: &[Object]| governing_rollout(rollouts, "s").map(|(id, _)| id);
        assert_eq!(governing(&[audit.clone(), enforce.clone(), strict.clone()]).as_deref(), Some("b"));
        assert_eq!(governing(&[enforce, audit.clone()]).as_deref(), Some("b"));
        assert_eq!(governing(&[audit]).as_deref(), Some("a"));
        assert_eq!(governing(&[strict]), None);
        let unknown = governing_rollout(&[rollout("u", "lenient", "active", 100)], "s");
        assert_eq!(unknown, Some(("u".to_owned(), PolicyMode::Enforce)));
    }

    #[test]
    fn coverage_is_about_what_it_says() {
        let rollouts = [rollout("a", "audit_only", "active", 30)];
        let covered =
            (0..10_000).filter(|session| governing_rollout(&rollouts, &format!("s{session}")).is_some()).count();
        assert!((2_700..3_300).contains(&covered), "{covered}");
    }

    #[test]
    fn readiness_lists_what_is_missing() {
        let half = rollout("a", "enforce", "active", 79);
        let report = rollout_readiness(true, &half, &["storage".to_owned()]);
        let statuses: Vec<_> =
            report["checks"].as_array().unwrap().iter().map(|check| check["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["pass", "warn", "warn", "pass"]);
        assert_eq!(report["status"], "needs_attention");
        let all = ["source_control".to_owned(), "siem".to_owned()];
        assert_eq!(rollout_readiness(true, &rollout("a", "enforce", "active", 80), &all)["status"], "ready");
    }

    proptest! {
        /// More coverage never drops a session, none covers nobody, all covers everybody.
        #[test]
        fn coverage_is_monotone(session in ".{0,30}", low in 0_u64..=100, high in 0_u64..=100) {
            let covers = |coverage| governing_rollout(&[rollout("r", "enforce", "active", coverage)], &session).is_some();
            let (low, high) = (low.min(high), low.max(high));
            prop_assert!(!covers(low) || covers(high));
            prop_assert!(!covers(0) && covers(100));
        }
    }
}
