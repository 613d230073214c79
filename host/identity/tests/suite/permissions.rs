//! Who may decide what. docs/reference/approvals-identity-authoring.md, sections 2.3 and 2.4.

use cavra_identity::{Decide, DecisionSubject};
use serde_json::{Value, json};

use crate::support::Gate;

const BOARD: &str = "Change Advisory Board";

/// What an actor of those groups may do with an approval: the letters of approve, deny and expire.
fn allowed(gate: &Gate, groups: Value, repository: Option<&str>, approver_group: &str, break_glass: bool) -> String {
    let actor = gate.claimed(json!({"sub": "u", "groups": groups}));
    let subject = DecisionSubject { repository, approver_group, break_glass };
    [(Decide::Approved, 'a'), (Decide::Denied, 'd'), (Decide::Expired, 'e')]
        .into_iter()
        .filter_map(|(action, letter)| gate.0.can_decide(&actor, &subject, action).then_some(letter))
        .collect()
}

#[test]
fn without_rules_the_approvals_group_decides() {
    for gate in [Gate::new(None, None), Gate::new(None, Some(json!({})))] {
        for (groups, approver_group, break_glass, wanted) in [
            (json!(["IAM"]), "IAM", false, "ade"),
            (json!(["x", "IAM"]), "IAM", false, "ade"),
            (json!(["iam"]), "IAM", false, ""),
            (json!(["IAM2"]), "IAM", false, ""),
            (json!(["IA", "M"]), "IAM", false, ""),
            (json!([]), "IAM", false, ""),
            (json!([]), "", false, ""),
            (json!(["", " "]), "", false, ""),
            (json!(["*"]), "IAM", false, ""),
            (json!([BOARD]), "IAM", false, ""),
            // Members of `system` expire, and nothing else.
            (json!(["system"]), "IAM", false, "e"),
            (json!(["System"]), "IAM", false, ""),
            (json!(["system"]), "system", false, "ade"),
            // The board, and the group besides.
            (json!(["IAM"]), "IAM", true, ""),
            (json!([BOARD]), "IAM", true, ""),
            (json!([BOARD, "IAM"]), "IAM", true, "ade"),
            (json!([BOARD]), BOARD, true, "ade"),
            (json!(["change advisory board", "IAM"]), "IAM", true, ""),
            (json!(["system"]), "IAM", true, ""),
            (json!(["system", BOARD]), "IAM", true, "e"),
        ] {
            let what = format!("{groups} {approver_group} {break_glass}");
            assert_eq!(allowed(&gate, groups, None, approver_group, break_glass), wanted, "{what}");
        }
    }
}

#[test]
fn rules_grant_what_all_their_conditions_allow() {
    let rules = json!({
        "group_mappings": {"corp-pay": "Payments", "corp-board": BOARD},
        "repository_permissions": [
            {"repository": "pay", "approver_group": "IAM", "groups": ["Payments"], "actions": ["approve"]},
            {"repository": "web", "groups": ["Web", "Front"]},
            {"approver_group": "Net", "groups": ["Noc"], "actions": ["deny", "expired"]},
            {"groups": ["Root"], "actions": ["approved", "denied", "expired"]},
            {"repository": "pay", "groups": ["Mute"], "actions": []},
            {"repository": "pay", "groups": []},
        ],
    });
    let nested = json!({"approval_rbac": {
        "group_mappings": rules["group_mappings"], "repositories": rules["repository_permissions"],
    }});
    for rules in [rules, nested] {
        let gate = Gate::new(None, Some(rules));
        for (groups, repository, approver_group, break_glass, wanted) in [
            (json!(["Payments"]), Some("pay"), "IAM", false, "a"),
            (json!(["corp-pay"]), Some("pay"), "IAM", false, "a"),
            (json!(["Payments"]), Some("web"), "IAM", false, ""),
            (json!(["Payments"]), Some("Pay"), "IAM", false, ""),
            (json!(["Payments"]), Some("pay2"), "IAM", false, ""),
            (json!(["Payments"]), None, "IAM", false, ""),
            (json!(["Payments"]), Some("pay"), "Net", false, ""),
            (json!(["payments"]), Some("pay"), "IAM", false, ""),
            // Actions are approve and deny where a rule does not say.
            (json!(["Front"]), Some("web"), "IAM", false, "ad"),
            (json!(["Web"]), Some("web"), "Net", false, "ad"),
            (json!(["Web"]), Some("pay"), "Net", false, ""),
            (json!(["Noc"]), None, "Net", false, "de"),
            (json!(["Noc"]), Some("any"), "Net", false, "de"),
            (json!(["Noc"]), Some("any"), "IAM", false, ""),
            (json!(["Root"]), None, "IAM", false, "ade"),
            (json!(["Mute"]), Some("pay"), "IAM", false, ""),
            // Rules add up, and to what the approval's own group may.
            (json!(["Payments", "Noc"]), Some("pay"), "Net", false, "de"),
            (json!(["Payments", "system"]), Some("pay"), "IAM", false, "ae"),
            (json!(["IAM"]), Some("pay"), "IAM", false, "ade"),
            // No rule breaks the glass.
            (json!(["Root"]), None, "IAM", true, ""),
            (json!(["Payments"]), Some("pay"), "IAM", true, ""),
            (json!(["Payments", BOARD]), Some("pay"), "IAM", true, "a"),
            (json!(["corp-pay", "corp-board"]), Some("pay"), "IAM", true, "a"),
            (json!(["Root", BOARD]), None, "IAM", true, "ade"),
            (json!([BOARD]), Some("pay"), "IAM", true, ""),
            (json!([]), Some("pay"), "IAM", false, ""),
        ] {
            let what = format!("{groups} {repository:?} {approver_group} {break_glass}");
            assert_eq!(allowed(&gate, groups, repository, approver_group, break_glass), wanted, "{what}");
        }
    }
}

#[test]
fn the_repository_of_the_claims_opens_nothing() {
    let gate = Gate::new(None, Some(json!({"repository_permissions": [{"repository": "pay", "groups": ["g"]}]})));
    let actor = gate.claimed(json!({"sub": "u", "groups": ["g"], "repository": "pay"}));
    let may = |repository| {
        gate.0.can_decide(
            &actor,
            &DecisionSubject { repository, approver_group: "IAM", break_glass: false },
            Decide::Approved,
        )
    };
    assert!(may(Some("pay")) && !may(Some("web")) && !may(None));
}

#[test]
fn permissions_are_the_rules_that_share_a_group() {
    let gate = Gate::new(
        None,
        Some(json!({
            "group_mappings": {"ext": "b"},
            "repository_permissions": [
                {"repository": "pay", "approver_group": "IAM", "groups": ["b", "a"], "actions": ["expire", "approve", "approved"]},
                {"groups": ["c"]},
                {"groups": []},
            ],
        })),
    );
    let pay =
        json!({"repository": "pay", "approver_group": "IAM", "actions": ["approved", "expired"], "groups": ["a", "b"]});
    let any = json!({"repository": "*", "approver_group": "*", "actions": ["approved", "denied"], "groups": ["c"]});
    for (groups, wanted) in [
        (json!(["a"]), json!([pay])),
        (json!(["ext"]), json!([pay])),
        (json!(["c"]), json!([any])),
        (json!(["a", "c"]), json!([pay, any])),
        (json!(["d"]), json!([])),
        (json!([]), json!([])),
    ] {
        let shown = gate.0.permissions_of(&gate.claimed(json!({ "groups": groups })));
        assert_eq!(serde_json::to_value(shown).unwrap(), wanted, "{groups}");
    }
    let actor = gate.claimed(json!({"groups": ["a"]}));
    assert_eq!(Gate::new(None, None).0.permissions_of(&actor), []);
}
