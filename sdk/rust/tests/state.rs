//! The state between `configure` and `evaluate`.

use std::sync::OnceLock;

use cavra_sdk::testing::{facts_at, read_file};
use cavra_sdk::{
    Action, Description, Diagnostic, Facts, Finding, Outcome, PolicyPack, Severity, configure_once, evaluate_configured,
};

/// Allows everything, for a reason it got from its document.
struct Echo(String);

cavra_sdk::export_policy_pack!(Echo);

impl PolicyPack for Echo {
    fn configure(document: &str) -> Result<(Self, Description), Vec<Diagnostic>> {
        if document.is_empty() {
            return Err(vec![Diagnostic { path: "<root>".to_owned(), message: "is empty".to_owned() }]);
        }
        let description = Description { id: "echo".to_owned(), title: String::new(), version: String::new(), rules: 1 };
        Ok((Self(document.to_owned()), description))
    }

    fn evaluate(&self, _: &Action, _: &Facts) -> Vec<Finding> {
        vec![Finding {
            rule_id: "echo".to_owned(),
            outcome: Outcome::Allow,
            severity: Severity::Low,
            reason: self.0.clone(),
            approver_group: None,
        }]
    }
}

#[test]
fn a_refused_document_leaves_the_pack_unconfigured() {
    let state: OnceLock<Echo> = OnceLock::new();
    assert_eq!(configure_once(&state, "").unwrap_err()[0].message, "is empty");
    assert!(state.get().is_none());
    assert_eq!(configure_once(&state, "first").unwrap().id, "echo");
    assert_eq!(evaluate_configured(&state, &read_file("a"), &facts_at(0))[0].reason, "first");
}

#[test]
fn a_second_document_is_refused() {
    let state: OnceLock<Echo> = OnceLock::new();
    configure_once(&state, "first").unwrap();
    assert_eq!(configure_once(&state, "second").unwrap_err()[0].path, "<root>");
    assert_eq!(evaluate_configured(&state, &read_file("a"), &facts_at(0))[0].reason, "first");
}
