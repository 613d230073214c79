//! The parts of an approval that bodies are made of.

use serde_json::{Value, json};

use crate::types::Context;
use crate::{Object, filled, setting};

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

/// Members of its decision that say what is to happen.
const SUBJECT: [(&str, &str); 8] = [
    ("Action", "action_type"),
    ("Target", "target"),
    ("Operation", "requested_operation"),
    ("Repository", "repository"),
    ("Agent", "agent_id"),
    ("Severity", "severity"),
    ("Rule", "rule_id"),
    ("Reason", "reason"),
];

/// Longest text that every chat shows whole, in characters, as it is written where a chat has markup.
const SHOWN: usize = 1500;

/// How many characters a text is where `&`, `<` and `>` are escaped.
fn written(text: &str) -> usize {
    let length = |c: char| match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        _ => 1,
    };
    text.chars().map(length).sum()
}

/// What somebody can make of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Let it happen.
    Approve,
    /// Do not.
    Deny,
}

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

    /// What the operator set.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&'a str> {
        setting(self.context, name)
    }

    /// What is to happen if it is approved, as facts: label and text. Whoever decides sees nothing else of it.
    pub fn subject(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let decision = self.record.get("decision").and_then(Value::as_object);
        SUBJECT.into_iter().filter_map(move |(label, member)| Some((label, filled(decision?, member)?)))
    }

    /// What those who are asked can send back, where somebody listens: to approve, and to deny. Nobody approves what a
    /// message does not show whole.
    #[must_use]
    pub fn answers(&self) -> Vec<(Answer, &'a str)> {
        let answers = self.record.get("answers").and_then(Value::as_object);
        let answer = |member: &str| answers.and_then(|answers| filled(answers, member));
        let shown = self.subject().chain(self.remarks()).all(|(_, text)| written(text) <= SHOWN);
        let approve = answer("approve").filter(|_| shown).map(|text| (Answer::Approve, text));
        approve.into_iter().chain(answer("deny").map(|text| (Answer::Deny, text))).collect()
    }

    /// The message takes the place of the one that somebody answered.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.record.get("replaces") == Some(&Value::Bool(true))
    }

    /// The page about it, where the operator has one.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let id = filled(self.record, "approval_id")?;
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        self.setting("approval_page").filter(|_| plain).map(|page| page.replace("{approval_id}", id))
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
