//! The plan of a remediation: one action per drift item.

use std::collections::HashMap;

use cavra_model::{Object, members};
use serde_json::{Value, json};

use crate::ids::action_id;
use crate::record::member;

/// What a plan may do about drift: decide case by case, publish again, or go back.
pub const STRATEGIES: [&str; 3] = ["mixed", "republish", "rollback"];

/// What is done about drift: the first row whose type the item names counts, in the column of the strategy.
const ACTIONS: [(&[&str], [&str; 3]); 3] = [
    (&["missing_observation"], ["republish_endpoint_export"; 3]),
    (&["unknown_deployment_target"], ["review_unknown_endpoint_target"; 3]),
    (
        &["version_drift", "binary_drift"],
        ["republish_or_rollback_runtime", "republish_endpoint_export", "rollback_runtime"],
    ),
];
/// What is done about items that are only stale.
const REFRESH: &str = "refresh_endpoint_inventory";
/// What is done about everything else.
const REVIEW: &str = "review_endpoint_drift";

/// Who manages a deployment target: `jamf`, `intune`, `linux` or `unknown`.
#[must_use]
pub fn provider_of(target: &Object) -> &'static str {
    let holds = |name: &str, word: &str| members::text(target, name).to_lowercase().contains(word);
    let named = ["jamf", "intune"].into_iter();
    let by_tool = named.into_iter().find(|word| holds("management_tool", word) || holds("deployment_channel", word));
    let linux = members::text(target, "os").eq_ignore_ascii_case("linux") || holds("management_tool", "linux");
    by_tool.unwrap_or(if linux { "linux" } else { "unknown" })
}

/// The actions of a reconciliation report under a strategy, in the order of its drift items.
#[must_use]
pub fn actions(report: &Object, strategy: &str) -> Vec<Value> {
    let reconciliation = members::text(report, "reconciliation_id");
    let items = members::objects(report, "drift_items");
    let managers = managers(report);
    let manager = |item: &Object| managers.get(members::text(item, "deployment_target")).copied().unwrap_or("unknown");
    let numbered = items.iter().enumerate();
    numbered.map(|(index, item)| action(reconciliation, index + 1, item, strategy, manager(item))).collect()
}

fn action(reconciliation: &str, number: usize, item: &Object, strategy: &str, manager: &str) -> Value {
    let (drift, target) = (members::text(item, "type"), members::text(item, "deployment_target"));
    let kind = action_type(drift, strategy);
    json!({
        "action_id": action_id(reconciliation, number, drift, target, members::filled(item, "endpoint_id")),
        "action_type": kind,
        "deployment_target": target,
        "endpoint_id": member(item, "endpoint_id"),
        "provider": manager,
        "severity": member(item, "severity"),
        "drift_type": drift,
        "expected_version": member(item, "expected_version"),
        "observed_version": member(item, "observed_version"),
        "expected_binary_sha256": member(item, "expected_binary_sha256"),
        "observed_binary_sha256": member(item, "observed_binary_sha256"),
        "execution_mode": "manual_or_private_connector",
        "requires_approval": true,
        "message": member(item, "message"),
        "rationale": format!("{kind} because of {drift} on {target}"),
    })
}

fn action_type(drift: &str, strategy: &str) -> &'static str {
    let types: Vec<_> = drift.split(',').collect();
    if types == ["stale_observation"] {
        return REFRESH;
    }
    let column = STRATEGIES.iter().position(|known| *known == strategy).unwrap_or_default();
    let row = ACTIONS.iter().find(|(named, _)| named.iter().any(|name| types.contains(name)));
    row.and_then(|(_, columns)| columns.get(column)).copied().unwrap_or(REVIEW)
}

/// Who manages each target of the report's manifest; of targets with one id, the first counts.
fn managers(report: &Object) -> HashMap<&str, &'static str> {
    let manifest = members::object(report, "desired_manifest");
    let targets = manifest.map(|manifest| members::objects(manifest, "deployment_targets")).unwrap_or_default();
    let mut managers = HashMap::new();
    for target in targets {
        managers.entry(members::text(target, "id")).or_insert_with(|| provider_of(target));
    }
    managers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drift_has_its_action() {
        for (drift, expected) in [
            ("missing_observation", ["republish_endpoint_export"; 3]),
            ("unknown_deployment_target", ["review_unknown_endpoint_target"; 3]),
            ("stale_observation", ["refresh_endpoint_inventory"; 3]),
            ("version_drift", ["republish_or_rollback_runtime", "republish_endpoint_export", "rollback_runtime"]),
            (
                "version_drift,stale_observation",
                ["republish_or_rollback_runtime", "republish_endpoint_export", "rollback_runtime"],
            ),
            ("binary_drift", ["republish_or_rollback_runtime", "republish_endpoint_export", "rollback_runtime"]),
            ("unverified_observation", ["review_endpoint_drift"; 3]),
            ("unverified_observation,stale_observation", ["review_endpoint_drift"; 3]),
        ] {
            for (strategy, expected) in STRATEGIES.iter().zip(expected) {
                assert_eq!(action_type(drift, strategy), expected, "{drift} {strategy}");
            }
        }
    }

    #[test]
    fn who_manages_a_target() {
        for (target, expected) in [
            (json!({"management_tool": "Jamf Pro"}), "jamf"),
            (json!({"deployment_channel": "intune-ring"}), "intune"),
            (json!({"os": "Linux"}), "linux"),
            (json!({"management_tool": "linux-fleet"}), "linux"),
            (json!({"os": "macos"}), "unknown"),
        ] {
            assert_eq!(provider_of(&members::built(target.clone())), expected, "{target}");
        }
    }
}
