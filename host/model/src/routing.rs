//! Who has to approve what: an ordered list of rules over a decision. Contract 20, section 3.2.

use serde_json::{Value, json};
use thiserror::Error;

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

/// Keys of a rule that are no conditions.
const OTHER_KEYS: [&str; 4] = ["approver_group", "quorum", "name", "description"];

/// One routing rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingRule {
    /// Group that has to approve.
    pub approver_group: String,
    /// How many different members of it, at least 1.
    pub quorum: u64,
    conditions: Vec<(&'static str, &'static str, Comparison, String)>,
}

/// The routing file is not usable.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidRouting(String);

impl RoutingRule {
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

    fn parse(number: usize, rule: &Value, ignored: &mut Vec<String>) -> Result<Self, InvalidRouting> {
        let wrong = |problem: &str| InvalidRouting(format!("rule {number}: {problem}"));
        let rule = rule.as_object().ok_or_else(|| wrong("must be an object"))?;
        let group = rule.get("approver_group").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if group.is_empty() {
            return Err(wrong("needs a non-empty approver_group"));
        }
        let quorum = match rule.get("quorum") {
            None | Some(Value::Null) => 1,
            Some(value) => value
                .as_u64()
                .filter(|quorum| (1..=MAX_QUORUM).contains(quorum))
                .ok_or_else(|| wrong("quorum must be a whole number from 1 to 20"))?,
        };
        let mut conditions = Vec::new();
        for (key, value) in rule {
            match CONDITIONS.iter().find(|(condition, ..)| condition == key) {
                Some((key, member, comparison)) => match value {
                    Value::Null => {}
                    Value::String(text) => conditions.push((*key, *member, *comparison, text.clone())),
                    _ => return Err(wrong(&format!("{key} must be a text"))),
                },
                None if OTHER_KEYS.contains(&key.as_str()) => {}
                None => ignored.push(format!("rule {number}: unknown condition `{key}` is ignored")),
            }
        }
        Ok(Self { approver_group: group.to_owned(), quorum, conditions })
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
}

impl Default for Routing {
    /// The built-in rules.
    fn default() -> Self {
        let rule = |conditions: Vec<(&'static str, &'static str, Comparison, String)>, group: &str| RoutingRule {
            approver_group: group.to_owned(),
            quorum: 1,
            conditions,
        };
        let prefix = |text: &str| ("rule_id_prefix", "rule_id", Comparison::StartsWith, text.to_owned());
        let target = |text: &str| ("target_contains", "target", Comparison::Contains, text.to_owned());
        let severity = |text: &str| ("severity", "severity", Comparison::Equals, text.to_owned());
        let rules = vec![
            rule(vec![prefix("filesystem.write"), target("iam/")], "IAM"),
            rule(vec![prefix("filesystem.write"), target(".github/workflows")], "Platform Security"),
            rule(vec![prefix("commands.default"), severity("medium")], "Repository Owners"),
            rule(vec![prefix("commands.block"), target("terraform")], "Cloud Security"),
            rule(vec![prefix("mcp.")], "AI Governance"),
        ];
        Self { rules }
    }
}

impl Routing {
    /// Reads a routing document: a list of rules, or an object with `approval_routing` or `routing_rules`. Answers
    /// the rules and a warning for every key that is ignored, because an ignored condition widens its rule.
    ///
    /// # Errors
    /// [`InvalidRouting`] naming the first wrong rule.
    pub fn parse(document: &Value) -> Result<(Self, Vec<String>), InvalidRouting> {
        let list = match document {
            Value::Array(list) => Some(list),
            Value::Object(members) => {
                members.get("approval_routing").or_else(|| members.get("routing_rules")).and_then(Value::as_array)
            }
            _ => None,
        };
        let list = list.ok_or_else(|| {
            InvalidRouting("must be a list of rules, or an object with the list approval_routing".to_owned())
        })?;
        let mut ignored = Vec::new();
        let rules = (1..)
            .zip(list)
            .map(|(number, rule)| RoutingRule::parse(number, rule, &mut ignored))
            .collect::<Result<_, _>>()?;
        Ok((Self { rules }, ignored))
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

    #[test]
    fn a_file_replaces_the_rules_and_order_decides() {
        let document = json!({"approval_routing": [
            {"repository": "pay", "approver_group": "Payments", "quorum": 2},
            {"approver_group": "Everyone"},
            {"rule_id_prefix": "mcp.", "approver_group": "Never"},
        ]});
        let (routing, ignored) = Routing::parse(&document).unwrap();
        assert!(ignored.is_empty());
        assert_eq!(group(&routing, &json!({"repository": "pay", "rule_id": "mcp.x"})).as_deref(), Some("Payments"));
        assert_eq!(group(&routing, &json!({"repository": "other", "rule_id": "mcp.x"})).as_deref(), Some("Everyone"));
        assert_eq!(routing.route(json!({"repository": "pay"}).as_object().unwrap()).unwrap().quorum, 2);
        assert_eq!(Routing::parse(&routing.to_value()).unwrap().0, routing);
    }

    #[test]
    fn unknown_conditions_are_told() {
        let (_, ignored) = Routing::parse(&json!([{"approver_group": "A", "branch": "main"}])).unwrap();
        assert_eq!(ignored, ["rule 1: unknown condition `branch` is ignored"]);
    }

    #[test]
    fn wrong_documents_are_refused() {
        for bad in [
            json!("x"),
            json!({}),
            json!({"approval_routing": {}}),
            json!([1]),
            json!([{}]),
            json!([{"approver_group": " "}]),
            json!([{"approver_group": "A", "quorum": 0}]),
            json!([{"approver_group": "A", "quorum": "two"}]),
            json!([{"approver_group": "A", "severity": ["high"]}]),
        ] {
            assert!(Routing::parse(&bad).is_err(), "{bad}");
        }
    }
}
