//! Who has to approve what: an ordered list of rules over a decision.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Object;

/// Most people a rule may ask for.
pub const MAX_QUORUM: u64 = 20;

/// How a condition compares with the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    StartsWith,
    Contains,
}

/// Key in a rule, member of the decision, comparison.
const CONDITIONS: [(&str, &str, Comparison); 7] = [
    ("rule_id", "rule_id", Comparison::Equals),
    ("rule_id_prefix", "rule_id", Comparison::StartsWith),
    ("action_type", "action_type", Comparison::Equals),
    ("severity", "severity", Comparison::Equals),
    ("policy_pack", "policy_pack", Comparison::Equals),
    ("target_contains", "target", Comparison::Contains),
    ("repository", "repository", Comparison::Equals),
];

/// One routing rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingRule {
    /// Group that has to approve.
    pub approver_group: String,
    /// How many different members of it, at least 1.
    pub quorum: u64,
    conditions: Vec<(&'static str, &'static str, Comparison, String)>,
}

impl RoutingRule {
    /// A rule that matches everything.
    #[must_use]
    pub const fn new(approver_group: String, quorum: u64) -> Self {
        Self { approver_group, quorum, conditions: Vec::new() }
    }

    /// The names of all conditions.
    pub fn conditions() -> impl Iterator<Item = &'static str> {
        CONDITIONS.iter().map(|(name, ..)| *name)
    }

    /// The rule with one condition more, which is one of [`Self::conditions`].
    #[must_use]
    pub fn on(mut self, condition: &str, wanted: String) -> Self {
        let known = CONDITIONS.iter().find(|(name, ..)| *name == condition);
        self.conditions.extend(known.map(|(name, member, comparison)| (*name, *member, *comparison, wanted)));
        self
    }

    /// Whether every condition holds for `decision`; a rule without conditions matches everything.
    #[must_use]
    pub fn matches(&self, decision: &Object) -> bool {
        self.conditions.iter().all(|(_, member, comparison, wanted)| {
            let actual = decision.get(*member).and_then(Value::as_str);
            actual.is_some_and(|actual| match comparison {
                Comparison::Equals => actual == wanted,
                Comparison::StartsWith => actual.starts_with(wanted),
                Comparison::Contains => actual.contains(wanted),
            })
        })
    }

    fn to_value(&self) -> Value {
        let mut rule: Object =
            self.conditions.iter().map(|(key, _, _, wanted)| ((*key).to_owned(), json!(wanted))).collect();
        rule.insert("approver_group".to_owned(), json!(self.approver_group));
        if self.quorum > 1 {
            rule.insert("quorum".to_owned(), json!(self.quorum));
        }
        Value::Object(rule)
    }
}

/// The rules, in order; the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    rules: Vec<RoutingRule>,
    requires_recorded: bool,
    /// The only groups that may be asked about decisions of an action type.
    groups: BTreeMap<String, Vec<String>>,
}

impl Default for Routing {
    /// The built-in rules.
    fn default() -> Self {
        let rule = |conditions: &[(&str, &str)], group: &str| {
            let rule = RoutingRule::new(group.to_owned(), 1);
            conditions.iter().fold(rule, |rule, (condition, wanted)| rule.on(condition, (*wanted).to_owned()))
        };
        let write = ("rule_id_prefix", "filesystem.write");
        let rules = vec![
            rule(&[write, ("target_contains", "iam/")], "IAM"),
            rule(&[write, ("target_contains", ".github/workflows")], "Platform Security"),
            rule(&[("rule_id_prefix", "commands.default"), ("severity", "medium")], "Repository Owners"),
            rule(&[("rule_id_prefix", "commands.block"), ("target_contains", "terraform")], "Cloud Security"),
            rule(&[("rule_id_prefix", "mcp.")], "AI Governance"),
        ];
        Self::new(rules, false)
    }
}

impl Routing {
    /// These rules; with `requires_recorded`, approvals are asked only for decisions that are recorded.
    #[must_use]
    pub const fn new(rules: Vec<RoutingRule>, requires_recorded: bool) -> Self {
        Self { rules, requires_recorded, groups: BTreeMap::new() }
    }

    /// The same rules, where only `groups` may be asked about decisions of these action types.
    #[must_use]
    pub fn with_groups(self, groups: BTreeMap<String, Vec<String>>) -> Self {
        Self { groups, ..self }
    }

    /// Whether `group` may be asked about `decision`, whoever named it.
    #[must_use]
    pub fn admits(&self, group: &str, decision: &Object) -> bool {
        let listed = decision.get("action_type").and_then(Value::as_str).and_then(|kind| self.groups.get(kind));
        listed.is_none_or(|groups| groups.iter().any(|listed| listed == group))
    }

    /// The built-in rules, with that switch.
    #[must_use]
    pub fn built_in(requires_recorded: bool) -> Self {
        Self { requires_recorded, ..Self::default() }
    }

    /// Whether approvals are asked only for decisions that are recorded.
    #[must_use]
    pub const fn requires_recorded_decision(&self) -> bool {
        self.requires_recorded
    }

    /// The first rule that matches.
    #[must_use]
    pub fn route(&self, decision: &Object) -> Option<&RoutingRule> {
        self.rules.iter().find(|rule| rule.matches(decision))
    }

    /// The rules as a document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.rules.iter().map(RoutingRule::to_value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(routing: &Routing, decision: &Value) -> Option<String> {
        routing.route(decision.as_object().unwrap()).map(|rule| rule.approver_group.clone())
    }

    #[test]
    fn built_in_rules() {
        let routing = Routing::default();
        for (decision, wanted) in [
            (json!({"rule_id": "filesystem.write.require_approval", "target": "iam/role.tf"}), Some("IAM")),
            (json!({"rule_id": "filesystem.write.x", "target": ".github/workflows/ci.yml"}), Some("Platform Security")),
            (json!({"rule_id": "commands.default", "severity": "medium"}), Some("Repository Owners")),
            (json!({"rule_id": "commands.default.require_approval", "severity": "medium"}), Some("Repository Owners")),
            (json!({"rule_id": "commands.default", "severity": "low"}), None),
            (json!({"rule_id": "commands.block", "target": "terraform destroy"}), Some("Cloud Security")),
            (json!({"rule_id": "mcp.unknown"}), Some("AI Governance")),
            (json!({"rule_id": "filesystem.read", "target": "iam/role.tf"}), None),
            (json!({"rule_id": 5}), None),
            (json!({}), None),
        ] {
            assert_eq!(group(&routing, &decision).as_deref(), wanted, "{decision}");
        }
    }
}
