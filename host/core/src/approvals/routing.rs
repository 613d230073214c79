//! The routing file: who has to approve what.

use std::collections::BTreeMap;

use cavra_documents::{DocumentError, Section};
use cavra_model::{ActionType, MAX_QUORUM, Routing, RoutingRule};
use serde_json::Value;

/// Where the rules are, and the older name.
const RULES: &str = "approval_routing";
const OLDER_RULES: &str = "routing_rules";
const RECORDED: &str = "require_recorded_decision";
const GROUPS: &str = "approver_groups";
/// Everything the document may say if it is no bare list; the last two are read by other settings from the same file.
const KEYS: [&str; 6] = [RULES, OLDER_RULES, RECORDED, GROUPS, "approval_rbac", "approval_providers"];
/// What approvals are asked for beside agents' actions.
const OPERATIONS: [&str; 4] = [
    "policy_publish",
    "release_promote_endpoint_rollout",
    "release_rollback_endpoint_rollout",
    "release_promote_channel_manifest",
];
/// Keys of a rule that are no conditions; name and description are for people.
const OTHER_KEYS: [&str; 4] = ["approver_group", "quorum", "name", "description"];

/// Reads a routing document: a list of rules, or an object with `approval_routing` or `routing_rules`.
///
/// # Errors
/// What is wrong and where: a condition that is not understood, or has no value, would widen its rule.
pub(super) fn parse(document: &Value) -> Result<Routing, DocumentError> {
    let keys: Vec<_> = RoutingRule::conditions().chain(OTHER_KEYS).collect();
    if document.is_array() {
        return Ok(Routing::new(rules(&Section::list(document, RULES, &keys)?)?, false));
    }
    if !document.is_object() {
        return Err(DocumentError::new(format!("must be a list of rules, or an object with the list {RULES}")));
    }
    let section = Section::document(document, &KEYS)?;
    let recorded = section.flag(RECORDED)?.unwrap_or(false);
    let groups = groups(&section)?;
    let routing = match (section.has(RULES), section.has(OLDER_RULES)) {
        (true, true) => Err(section.wrong(OLDER_RULES, &format!("is another name of {RULES}; only one may be there"))),
        // Without rules of their own the built-in ones hold.
        (false, false) if section.has(RECORDED) || section.has(GROUPS) => Ok(Routing::built_in(recorded)),
        (false, false) => Err(section.wrong(RULES, "is required")),
        (has_rules, _) => {
            let name = if has_rules { RULES } else { OLDER_RULES };
            let list = section.value(name).ok_or_else(|| section.wrong(name, "must be a list"))?;
            Ok(Routing::new(rules(&Section::list(list, name, &keys)?)?, recorded))
        }
    };
    Ok(routing?.with_groups(groups))
}

/// The groups that may be asked, by what is asked for.
fn groups(section: &Section<'_>) -> Result<BTreeMap<String, Vec<String>>, DocumentError> {
    let kinds: Vec<_> = ActionType::ALL.iter().map(|kind| kind.as_str()).chain(OPERATIONS).collect();
    let Some(listed) = section.section(GROUPS, &kinds)? else { return Ok(BTreeMap::new()) };
    let mut groups = BTreeMap::new();
    for (kind, _) in listed.members() {
        let names = listed.texts(kind)?.filter(|names| !names.is_empty());
        groups.insert(kind.clone(), names.ok_or_else(|| listed.wrong(kind, "must name a group"))?);
    }
    Ok(groups)
}

fn rules(sections: &[Section<'_>]) -> Result<Vec<RoutingRule>, DocumentError> {
    sections.iter().map(rule).collect()
}

fn rule(section: &Section<'_>) -> Result<RoutingRule, DocumentError> {
    let approver_group = section.required_text("approver_group")?;
    let quorum = section.whole("quorum", 1, MAX_QUORUM)?.unwrap_or(1);
    let mut rule = RoutingRule::new(approver_group, quorum);
    for condition in RoutingRule::conditions() {
        if let Some(wanted) = section.text(condition)? {
            rule = rule.on(condition, wanted);
        }
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use cavra_model::Object;
    use serde_json::json;

    use super::*;

    fn group(routing: &Routing, decision: &Value) -> Option<String> {
        let decision: &Object = decision.as_object().unwrap();
        routing.route(decision).map(|rule| rule.approver_group.clone())
    }

    #[test]
    fn a_file_replaces_the_rules_and_order_decides() {
        let rules = json!([
            {"repository": "pay", "approver_group": "Payments", "quorum": 2, "name": "pay", "description": "x"},
            {"approver_group": "Everyone"},
            {"rule_id_prefix": "mcp.", "approver_group": "Never"},
        ]);
        for document in [rules.clone(), json!({ "approval_routing": rules }), json!({ "routing_rules": rules })] {
            let routing = parse(&document).unwrap();
            assert_eq!(group(&routing, &json!({"repository": "pay", "rule_id": "mcp.x"})).as_deref(), Some("Payments"));
            assert_eq!(group(&routing, &json!({"repository": "x", "rule_id": "mcp.x"})).as_deref(), Some("Everyone"));
            assert_eq!(routing.route(json!({"repository": "pay"}).as_object().unwrap()).unwrap().quorum, 2);
            assert!(!routing.requires_recorded_decision());
            assert_eq!(parse(&routing.to_value()).unwrap(), routing);
        }
        let strict = parse(&json!({"require_recorded_decision": true})).unwrap();
        assert!(strict.requires_recorded_decision());
        assert_eq!(group(&strict, &json!({"rule_id": "mcp.x"})).as_deref(), Some("AI Governance"));
    }

    /// Who asks may name a group; which groups there are to name is the operator's to say.
    #[test]
    fn only_listed_groups_are_asked() {
        let routing = parse(&json!({"approver_groups": {"policy_publish": ["Platform Security", "CAB"]}})).unwrap();
        for (kind, group, admitted) in [
            ("policy_publish", "CAB", true),
            ("policy_publish", "My friends", false),
            ("write_file", "My friends", true),
        ] {
            let decision = json!({ "action_type": kind });
            assert_eq!(routing.admits(group, decision.as_object().unwrap()), admitted, "{kind} {group}");
        }
        assert_eq!(group(&routing, &json!({"rule_id": "mcp.x"})).as_deref(), Some("AI Governance"));
        for bad in [
            json!({"policy_publish": []}),
            json!({"policy_publish": "CAB"}),
            json!({"policy_publsh": ["CAB"]}),
            json!([]),
        ] {
            assert!(parse(&json!({ "approver_groups": bad })).is_err(), "{bad}");
        }
    }

    #[test]
    fn wrong_documents_are_refused_and_say_where() {
        for (bad, wanted) in [
            (json!("x"), "must be a list of rules"),
            (json!(null), "must be a list of rules"),
            (json!({}), "approval_routing: is required"),
            (json!({"approval_routing": {}}), "approval_routing: must be a list"),
            (json!({"approval_routing": null}), "approval_routing: must be a list"),
            (json!({"approval_routing": [], "routing_rules": []}), "only one may be there"),
            (json!({"approval_routin": []}), "unknown key `approval_routin`; did you mean `approval_routing`?"),
            (json!({"require_recorded_decision": "true"}), "require_recorded_decision: must be true or false"),
            (json!([1]), "approval_routing[1]: must be an object"),
            (json!([{}]), "approval_routing[1].approver_group: is required"),
            (json!([{"approver_group": " "}]), "approval_routing[1].approver_group"),
            (json!([{"approver_group": "A", "quorum": 0}]), "[1].quorum: must be a whole number"),
            (json!([{"approver_group": "A", "quorum": "two"}]), "[1].quorum"),
            (json!([{"approver_group": "A", "quorum": null}]), "[1].quorum"),
            (json!([{"approver_group": "A", "severity": ["high"]}]), "[1].severity"),
            (json!([{"approver_group": "A", "severity": null}]), "[1].severity"),
            (json!([{"approver_group": "A"}, {"approver_group": "A", "branch": "main"}]), "[2]: unknown key `branch`"),
            (json!([{"approver_group": "A", "repo": "pay"}]), "[1]: unknown key `repo`; did you mean `repository`?"),
        ] {
            let said = parse(&bad).unwrap_err().to_string();
            assert!(said.contains(wanted), "{bad}: {said}");
        }
    }
}
