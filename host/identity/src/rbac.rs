//! Role-based access: which groups may decide which approvals. Contract 20, section 2.3.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::{Actor, Decide, DecisionSubject};

/// What a rule allows unless it says otherwise.
const DEFAULT_ACTIONS: [Decide; 2] = [Decide::Approved, Decide::Denied];

/// The policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rbac {
    mappings: HashMap<String, String>,
    rules: Vec<Rule>,
    anonymous_mutations: bool,
}

/// Everything a rule may say.
const RULE_KEYS: [&str; 4] = ["repository", "approver_group", "groups", "actions"];

/// One rule: members of `groups` may take `actions` on approvals of a repository and group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    repository: Option<String>,
    approver_group: Option<String>,
    groups: Vec<String>,
    actions: Vec<Decide>,
}

/// What a rule gives an actor, as `/console/session` shows it. Contract 20, section 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// Repository, or `*`.
    pub repository: String,
    /// Group of the approval, or `*`.
    pub approver_group: String,
    /// What may be done, sorted.
    pub actions: Vec<&'static str>,
    /// The rule's groups, sorted.
    pub groups: Vec<String>,
}

impl Rbac {
    /// Reads a policy document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(document: &Value) -> Result<Self, String> {
        let document = document.get("approval_rbac").unwrap_or(document);
        let members = document.as_object().ok_or("must be an object")?;
        let mut policy = Self::default();
        match members.get("group_mappings") {
            None | Some(Value::Null) => {}
            Some(Value::Object(mappings)) => {
                for (source, target) in mappings {
                    let target = target.as_str().map(str::trim).filter(|target| !target.is_empty());
                    let target = target.ok_or("group_mappings must map texts to texts")?;
                    policy.mappings.insert(source.clone(), target.to_owned());
                }
            }
            Some(_) => return Err("group_mappings must be an object".to_owned()),
        }
        policy.anonymous_mutations = match members.get("allow_anonymous_mutations") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(allowed)) => *allowed,
            Some(_) => return Err("allow_anonymous_mutations must be true or false".to_owned()),
        };
        match members.get("repository_permissions").or_else(|| members.get("repositories")) {
            None | Some(Value::Null) => {}
            Some(Value::Array(rules)) => {
                for (number, rule) in (1..).zip(rules) {
                    let rule =
                        Rule::parse(rule).map_err(|problem| format!("repository_permissions {number}: {problem}"))?;
                    policy.rules.push(rule);
                }
            }
            Some(_) => return Err("repository_permissions must be a list".to_owned()),
        }
        Ok(policy)
    }

    /// Whether what can loosen is open to everybody.
    pub(crate) fn allows_anonymous_mutations(&self) -> bool {
        self.anonymous_mutations
    }

    /// The group another one is mapped to.
    pub(crate) fn mapped(&self, group: &str) -> Option<&str> {
        self.mappings.get(group).map(String::as_str)
    }

    /// Whether a rule lets the actor take that action.
    pub(crate) fn grants(&self, actor: &Actor, subject: &DecisionSubject<'_>, action: Decide) -> bool {
        self.rules.iter().any(|rule| {
            rule.repository.as_deref().is_none_or(|repository| subject.repository == Some(repository))
                && rule.approver_group.as_deref().is_none_or(|group| subject.approver_group == group)
                && rule.actions.contains(&action)
                && rule.is_for(actor)
        })
    }

    /// The rules that give the actor something.
    pub(crate) fn permissions_of(&self, actor: &Actor) -> Vec<Permission> {
        self.rules.iter().filter(|rule| rule.is_for(actor)).map(Rule::shown).collect()
    }
}

impl Rule {
    fn parse(rule: &Value) -> Result<Self, &'static str> {
        let rule = rule.as_object().ok_or("must be an object")?;
        for unknown in rule.keys().filter(|key| !RULE_KEYS.contains(&key.as_str())) {
            // A condition that is not understood is one that does not narrow the rule.
            tracing::warn!(key = unknown, "unknown key in a rule of repository_permissions");
        }
        let text = |member: &str| match rule.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err("repository and approver_group must be texts"),
        };
        let actions = match rule.get("actions") {
            None | Some(Value::Null) => DEFAULT_ACTIONS.to_vec(),
            Some(value) => texts(value)
                .ok_or("actions must be a list of texts")?
                .iter()
                .map(|name| Decide::parse(name).ok_or("actions must be approved, denied or expired"))
                .collect::<Result<_, _>>()?,
        };
        let groups = rule.get("groups").and_then(texts).ok_or("groups must be a list of texts")?;
        Ok(Self { repository: text("repository")?, approver_group: text("approver_group")?, groups, actions })
    }

    fn is_for(&self, actor: &Actor) -> bool {
        self.groups.iter().any(|group| actor.in_group(group))
    }

    fn shown(&self) -> Permission {
        let any = |value: &Option<String>| value.clone().unwrap_or_else(|| "*".to_owned());
        let mut actions: Vec<_> = self.actions.iter().map(|action| action.as_str()).collect();
        actions.sort_unstable();
        actions.dedup();
        let mut groups = self.groups.clone();
        groups.sort();
        Permission { repository: any(&self.repository), approver_group: any(&self.approver_group), actions, groups }
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn actor(groups: &[&str]) -> Actor {
        Actor::from_claims(json!({"sub": "u", "groups": groups}).as_object().unwrap(), None)
    }

    #[test]
    fn any_rule_that_fits_grants() {
        let policy = json!({"approval_rbac": {"repositories": [
            {"repository": "pay", "approver_group": "IAM", "groups": ["g1"], "actions": ["approve"]},
            {"groups": ["g2"]},
        ]}});
        let policy = Rbac::parse(&policy).unwrap();
        for (groups, repository, group, action, granted) in [
            (&["g1"], Some("pay"), "IAM", Decide::Approved, true),
            (&["g1"], Some("pay"), "IAM", Decide::Denied, false),
            (&["g1"], Some("web"), "IAM", Decide::Approved, false),
            (&["g1"], None, "IAM", Decide::Approved, false),
            (&["g1"], Some("pay"), "Other", Decide::Approved, false),
            (&["g2"], None, "Other", Decide::Denied, true),
            (&["g2"], Some("pay"), "IAM", Decide::Expired, false),
            (&["g3"], Some("pay"), "IAM", Decide::Approved, false),
        ] {
            let subject = DecisionSubject { repository, approver_group: group, break_glass: false };
            assert_eq!(policy.grants(&actor(groups), &subject, action), granted, "{groups:?} {subject:?} {action:?}");
        }
    }

    #[test]
    fn permissions_are_shown_canonically() {
        let policy =
            json!({"repository_permissions": [{"groups": ["z", "a"], "actions": ["expire", "approve", "approved"]}]});
        let shown = Rbac::parse(&policy).unwrap().permissions_of(&actor(&["a"]));
        let wanted = json!([{"repository": "*", "approver_group": "*", "actions": ["approved", "expired"], "groups": ["a", "z"]}]);
        assert_eq!(serde_json::to_value(shown).unwrap(), wanted);
    }

    #[test]
    fn wrong_policies_are_refused() {
        for bad in [
            json!([]),
            json!({"group_mappings": []}),
            json!({"group_mappings": {"a": 1}}),
            json!({"group_mappings": {"a": " "}}),
            json!({"repository_permissions": {}}),
            json!({"repository_permissions": [5]}),
            json!({"repository_permissions": [{}]}),
            json!({"repository_permissions": [{"groups": "g"}]}),
            json!({"repository_permissions": [{"groups": ["g"], "actions": ["publish"]}]}),
            json!({"repository_permissions": [{"groups": ["g"], "repository": ""}]}),
        ] {
            assert!(Rbac::parse(&bad).is_err(), "{bad}");
        }
        assert_eq!(Rbac::parse(&json!({})).unwrap(), Rbac::default());
    }
}
