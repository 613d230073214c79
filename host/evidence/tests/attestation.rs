//! What strangers put into decisions cannot change the shape of an attestation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers may fail loudly")]

use cavra_evidence::{compliance_mapping, pr_attestation, session_comment};
use cavra_model::Object;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any text, and often one made of what Markdown reacts to.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "`",
        "``",
        "|",
        "\\",
        "\n",
        "\r",
        "\u{b}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "- ",
        "**",
        "# ",
        "<b>",
        "a",
        "\n- `read_file` `x` -> **allow** via `y`",
        "\n\n## Decisions\n",
        " ",
    ]);
    prop_oneof![any::<String>(), prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())]
}

fn decision(values: &[String; 8]) -> Object {
    let [action, target, decision, rule, approval, state, by, reason] = values;
    let value = json!({
        "action_type": action, "target": target, "decision": decision, "rule_id": rule, "reason": reason,
        "approval": {"approval_id": approval, "state": state, "decided_by": by},
    });
    value.as_object().unwrap().clone()
}

fn benign() -> Object {
    decision(&["a", "b", "c", "d", "e", "approved", "g", "h"].map(str::to_owned))
}

/// Lines as the most generous reader counts them.
fn lines(text: &str) -> Vec<&str> {
    text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}']).collect()
}

/// A line without the values: what stands in code spans and between `**` is taken out.
fn frame(line: &str) -> String {
    let outside: Vec<&str> =
        line.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "" }).collect();
    let outside = outside.join("`");
    outside.split("**").enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "**" }).collect()
}

proptest! {
    #[test]
    fn no_value_adds_a_line_or_ends_its_span(values in prop::array::uniform8(hostile()), session in hostile()) {
        let forged = pr_attestation(&session, &[decision(&values), benign()]);
        let plain = pr_attestation("s", &[benign(), benign()]);
        let frames = |text: &str| lines(text).into_iter().map(frame).collect::<Vec<_>>();
        prop_assert_eq!(frames(&forged), frames(&plain), "{}", forged);
    }

    #[test]
    fn different_targets_never_look_the_same(left in hostile(), right in hostile()) {
        let render = |target: &str| {
            let object = json!({"target": target});
            pr_attestation("s", &[object.as_object().unwrap().clone()])
        };
        prop_assert_eq!(left == right, render(&left) == render(&right));
    }

    #[test]
    fn the_compliance_table_keeps_its_shape(values in prop::array::uniform8(hostile()), session in hostile()) {
        let forged = compliance_mapping(&session, &[decision(&values)]);
        prop_assert_eq!(lines(&forged).len(), lines(&compliance_mapping("s", &[])).len());
        for line in lines(&forged).into_iter().filter(|line| line.starts_with('|')) {
            let cells = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            prop_assert_eq!(cells, 3, "{}", line);
        }
    }

    #[test]
    fn a_session_comment_has_one_line_per_action(values in prop::array::uniform8(hostile())) {
        let audit = |[tool, session, repo, target, reason, ..]: &[String; 8]| {
            let action = json!({"target": target, "decision": "block", "reason": reason});
            let audit: Value = json!({"tool": tool, "session_id": session, "repo": repo, "actions": [action]});
            session_comment(audit.as_object().unwrap())
        };
        let plain = audit(&["a", "b", "c", "d", "e", "f", "g", "h"].map(str::to_owned));
        prop_assert_eq!(lines(&audit(&values)).len(), lines(&plain).len());
    }
}
