//! Role-based access: which groups may decide which approvals.

use std::collections::HashMap;

use cavra_documents::{DocumentError, Section};
use serde::Serialize;
use serde_json::Value;

use crate::config::{Mutations, mutations};
use crate::{Actor, Decide, DecisionSubject};

/// What a rule allows unless it says otherwise.
const DEFAULT_ACTIONS: [Decide; 2] = [Decide::Approved, Decide::Denied];
/// A condition that everything fulfils, as it is written and shown.
const ANY: &str = "*";

/// The policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rbac {
    mappings: HashMap<String, String>,
    rules: Vec<Rule>,
    pub(crate) mutations: Mutations,
}

/// Where the policy is if it is not the document itself.
const NESTED: &str = "approval_rbac";
/// What may stand beside it: what other settings read from the same file, and the switches.
const BESIDE: [&str; 5] = [
    NESTED,
    "approval_routing",
    "approval_providers",
    "allow_anonymous_mutations",
    "require_identity_for_all_mutations",
];
/// Everything the policy may say.
const KEYS: [&str; 5] =
    ["group_mappings", RULES, OLDER_RULES, "allow_anonymous_mutations", "require_identity_for_all_mutations"];
const RULES: &str = "repository_permissions";
const OLDER_RULES: &str = "repositories";
/// Everything a rule may say; name and description are for people.
const RULE_KEYS: [&str; 6] = ["repository", "approver_group", "groups", "actions", "name", "description"];

/// One rule: members of `groups` may take `actions` on approvals of a repository and group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    repository: Option<String>,
    approver_group: Option<String>,
    groups: Vec<String>,
    actions: Vec<Decide>,
}

/// What a rule gives an actor, as `/console/session` shows it.
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
    /// What is wrong with it, and where.
    pub(crate) fn parse(document: &Value) -> Result<Self, DocumentError> {
        if document.get(NESTED).is_none() {
            return Self::read(&Section::document(document, &KEYS)?);
        }
        let outside = Section::document(document, &BESIDE)?;
        let inside = outside.section(NESTED, &KEYS)?;
        let mut policy = inside.as_ref().map(Self::read).transpose()?.unwrap_or_default();
        policy.mutations = policy.mutations.and(mutations(&outside)?);
        Ok(policy)
    }

    fn read(section: &Section<'_>) -> Result<Self, DocumentError> {
        let mut policy = Self { mutations: mutations(section)?, ..Self::default() };
        match section.value("group_mappings") {
            None => {}
            Some(Value::Object(mappings)) => {
                for (source, target) in mappings {
                    let target = target.as_str().map(str::trim).filter(|target| !target.is_empty());
                    let target = target.ok_or_else(|| section.wrong("group_mappings", "must map texts to texts"))?;
                    policy.mappings.insert(source.clone(), target.to_owned());
                }
            }
            Some(_) => return Err(section.wrong("group_mappings", "must be an object")),
        }
        if section.has(RULES) && section.has(OLDER_RULES) {
            return Err(
                section.wrong(OLDER_RULES, &format!("is another name of {RULES}; only one of them may be there"))
            );
        }
        for name in [RULES, OLDER_RULES] {
            let rules = section.sections(name, &RULE_KEYS)?;
            policy.rules.extend(rules.iter().map(Rule::parse).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(policy)
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
    fn parse(rule: &Section<'_>) -> Result<Self, DocumentError> {
        // A condition without a value would not narrow the rule, nor would one that is not what it looks like.
        let condition = |key: &str| match rule.text(key)? {
            Some(text) if text == ANY => Ok(None),
            Some(text) if text.contains(ANY) => {
                Err(rule.wrong(key, "patterns are not supported; `*` alone stands for any"))
            }
            text => Ok(text),
        };
        let actions = match rule.texts("actions")? {
            None => DEFAULT_ACTIONS.to_vec(),
            Some(names) => {
                let named = names.iter().map(|name| Decide::parse(name)).collect::<Option<_>>();
                named.ok_or_else(|| rule.wrong("actions", "must be among approved, denied and expired"))?
            }
        };
        let groups = rule.texts("groups")?.ok_or_else(|| rule.wrong("groups", "is required"))?;
        Ok(Self { repository: condition("repository")?, approver_group: condition("approver_group")?, groups, actions })
    }

    fn is_for(&self, actor: &Actor) -> bool {
        self.groups.iter().any(|group| actor.in_group(group))
    }

    fn shown(&self) -> Permission {
        let any = |value: &Option<String>| value.clone().unwrap_or_else(|| ANY.to_owned());
        let mut actions: Vec<_> = self.actions.iter().map(|action| action.as_str()).collect();
        actions.sort_unstable();
        actions.dedup();
        let mut groups = self.groups.clone();
        groups.sort();
        Permission { repository: any(&self.repository), approver_group: any(&self.approver_group), actions, groups }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::GroupsClaim;
    use serde_json::json;

    fn actor(groups: &[&str]) -> Actor {
        let claims = json!({"sub": "u", "groups": groups});
        Actor::from_claims(claims.as_object().unwrap(), &GroupsClaim::default(), None)
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

    /// What is shown as any is any.
    #[test]
    fn an_asterisk_is_any() {
        let policy = json!({"repository_permissions": [{"repository": "*", "approver_group": "*", "groups": ["g"]}]});
        let policy = Rbac::parse(&policy).unwrap();
        let subject = DecisionSubject { repository: None, approver_group: "IAM", break_glass: false };
        assert!(policy.grants(&actor(&["g"]), &subject, Decide::Approved));
        assert_eq!(policy.permissions_of(&actor(&["g"]))[0].repository, "*");
        for pattern in ["payments/*", "**", "* "] {
            let rule = json!([{"repository": pattern, "groups": ["g"]}]);
            assert_eq!(Rbac::parse(&json!({ "repository_permissions": rule })).is_ok(), pattern == "* ", "{pattern}");
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

    /// A condition that is not understood, or has no value, would widen its rule.
    #[test]
    fn wrong_policies_are_refused_and_say_where() {
        for (bad, wanted) in [
            (json!([]), "must be an object"),
            (json!({"group_mappings": []}), "group_mappings: must be an object"),
            (json!({"group_mappings": {"a": 1}}), "group_mappings: must map"),
            (json!({"group_mappings": {"a": " "}}), "group_mappings: must map"),
            (json!({"repository_permissions": {}}), "repository_permissions: must be a list"),
            (json!({"repository_permissions": [5]}), "repository_permissions[1]: must be an object"),
            (json!({"repository_permissions": [{}]}), "repository_permissions[1].groups: is required"),
            (json!({"repository_permissions": [{"groups": "g"}]}), "repository_permissions[1].groups: must be a list"),
            (json!({"repository_permissions": [{"groups": ["g"], "actions": ["publish"]}]}), "[1].actions: must be"),
            (json!({"repository_permissions": [{"groups": ["g"], "actions": null}]}), "[1].actions: must be"),
            (json!({"repository_permissions": [{"groups": ["g"], "repository": ""}]}), "[1].repository: must be"),
            (json!({"repository_permissions": [{"groups": ["g"], "repository": null}]}), "[1].repository: must be"),
            (
                json!({"repository_permissions": [{"groups": ["g"], "approver_group": null}]}),
                "[1].approver_group: must",
            ),
            (
                json!({"repository_permissions": [{"groups": ["g"]}, {"repo": "pay", "groups": ["g"]}]}),
                "repository_permissions[2]: unknown key `repo`; did you mean `repository`?",
            ),
            (
                json!({"repository_permission": []}),
                "unknown key `repository_permission`; did you mean `repository_permissions`?",
            ),
            (json!({"repository_permissions": [], "repositories": []}), "only one of them"),
            (json!({"approval_rbac": {}, "repository_permissions": []}), "unknown key `repository_permissions`"),
            (json!({"approval_rbac": {"rules": []}}), "approval_rbac: unknown key `rules`"),
            (json!({"approval_rbac": null}), "approval_rbac: must be an object"),
            (json!({"allow_anonymous_mutations": "true"}), "allow_anonymous_mutations: must be true or false"),
        ] {
            let said = Rbac::parse(&bad).unwrap_err().to_string();
            assert!(said.contains(wanted), "{bad}: {said}");
        }
        assert_eq!(Rbac::parse(&json!({})).unwrap(), Rbac::default());
        let beside = json!({"approval_rbac": {}, "approval_routing": [], "allow_anonymous_mutations": true});
        assert_eq!(Rbac::parse(&beside).unwrap().mutations, Mutations::Anonymous);
    }
}
