//! The parts of an approval that bodies are made of.

use serde_json::{Value, json};

use crate::types::Context;
use crate::{Object, filled};

/// What is said of an approval whose decision is not recorded.
const UNVERIFIED: &str = "unverified: cavra has no record of this decision, nobody but the requester vouches for it";

/// Members that everybody may see.
const SUMMARY: [&str; 13] = [
    "approval_id",
    "decision_id",
    "session_id",
    "state",
    "approver_group",
    "requested_by",
    "requested_at",
    "expires_at",
    "decided_by",
    "decided_at",
    "external_ref",
    "break_glass",
    "evidence_refs",
];

/// An approval that people are told about.
pub struct Approval<'a> {
    /// Its record.
    pub record: &'a Object,
    /// How it is told.
    pub context: &'a Context,
}

impl<'a> Approval<'a> {
    pub(crate) const fn new(record: &'a Object, context: &'a Context) -> Self {
        Self { record, context }
    }

    /// What a member says; empty if it says nothing.
    #[must_use]
    pub fn text(&self, member: &str) -> &'a str {
        filled(self.record, member).unwrap_or_default()
    }

    /// What it is about, in a line.
    #[must_use]
    pub fn title(&self) -> String {
        let mark = if self.is_unverified() { " (unverified)" } else { "" };
        format!("CAVRA approval {}{mark}: {}", self.text("state"), self.text("decision_id"))
    }

    fn is_unverified(&self) -> bool {
        self.record.get("unverified") == Some(&Value::Bool(true))
    }

    /// What only some approvals have: label and text.
    pub fn remarks(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let warning = self.is_unverified().then_some(("Warning", UNVERIFIED));
        let note = filled(self.record, "request_note").map(|note| ("Requester's own words", note));
        warning.into_iter().chain(note)
    }

    /// All of it that everybody may see, as a text for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let member = |name: &str| (name.to_owned(), self.record.get(name).cloned().unwrap_or(Value::Null));
        let mut summary: Object = SUMMARY.iter().map(|name| member(name)).collect();
        if summary.get("break_glass").is_none_or(Value::is_null) {
            summary.insert("break_glass".to_owned(), json!(false));
        }
        if self.is_unverified() {
            summary.insert("unverified".to_owned(), json!(true));
        }
        summary.extend(self.remarks().map(|(label, text)| (label.to_owned(), json!(text))));
        serde_json::to_string_pretty(&summary).unwrap_or_default()
    }
}
