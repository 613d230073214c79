//! Secrets do not leave the core: they are cut out of decisions, approvals and sessions before anything is stored,
//! answered or logged. Design, section 8.
//!
//! An approval still binds the exact action: its digest is taken before, and is kept with the decision.

use cavra_model::{ActionInput, DecisionRecord, Effects, McpRegistry, Object, action_digest};
use serde_json::Value;

use crate::CoreError;
use crate::activity::to_object;

/// Cuts secrets out, unless it is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redactor {
    on: bool,
}

impl Default for Redactor {
    fn default() -> Self {
        Self { on: true }
    }
}

impl Redactor {
    /// One that is on or off.
    #[must_use]
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Redacts a decision, names the members that were redacted, and keeps the digest of the exact action.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if the decision is no JSON.
    pub(crate) fn decision(self, record: &mut DecisionRecord) -> Result<(), CoreError> {
        let mut members = Vec::new();
        if self.on {
            let holds = |texts: &[&mut String]| texts.iter().any(|text| !cavra_redact::find(text).is_empty());
            let holding = texts(record).into_iter().filter(|(_, texts)| holds(texts));
            members.extend(holding.map(|(member, _)| member.to_owned()));
        }
        if members.is_empty() {
            return Ok(());
        }
        record.action_digest = action_digest(&to_object(record)?);
        record.redacted = Some(members);
        for text in texts(record).into_iter().flat_map(|(_, texts)| texts) {
            self.text(text);
        }
        Ok(())
    }

    /// Redacts a text; answers whether there was anything to redact.
    pub(crate) fn text(self, text: &mut String) -> bool {
        let redacted = if self.on { cavra_redact::redact(text) } else { None };
        let found = redacted.is_some();
        *text = redacted.unwrap_or_else(|| std::mem::take(text));
        found
    }

    /// Redacts every text of an object but its keys and digests.
    pub(crate) fn object(self, object: &mut Object) {
        for (member, value) in object.iter_mut() {
            if !(member.ends_with("_id") || member.ends_with("_digest")) {
                self.value(value);
            }
        }
    }

    fn value(self, value: &mut Value) {
        match value {
            Value::String(text) => {
                self.text(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(object) => self.object(object),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The texts of a decision that a caller has a say in, by the member they are shown in. The session is a key.
fn texts(record: &mut DecisionRecord) -> Vec<(&'static str, Vec<&mut String>)> {
    let input = match &mut record.input {
        None => Vec::new(),
        Some(ActionInput::Git { operation, target }) => vec![operation, target],
        Some(ActionInput::Command { effects }) => effect_texts(effects),
        Some(ActionInput::Mcp { server, tool, capability, registry }) => {
            let known = match registry {
                McpRegistry::Registered(entry) => Some(&mut entry.server_id),
                McpRegistry::NotConsulted | McpRegistry::Unregistered => None,
            };
            [server, tool].into_iter().chain(capability).chain(known).collect()
        }
    };
    vec![
        ("target", vec![&mut record.target]),
        ("requested_operation", vec![&mut record.requested_operation]),
        ("reason", record.reason.iter_mut().collect()),
        ("input", input),
        ("repository", vec![&mut record.repository]),
        ("agent_id", vec![&mut record.agent_id]),
        ("actor", vec![&mut record.actor]),
        ("correlation_id", vec![&mut record.correlation_id]),
    ]
}

/// The texts of effects that come from the words of a command.
fn effect_texts(effects: &mut Effects) -> Vec<&mut String> {
    let mut texts = Vec::new();
    for doubt in &mut effects.doubts {
        texts.extend([&mut doubt.word, &mut doubt.sentence]);
    }
    for file in &mut effects.files {
        texts.extend([&mut file.path, &mut file.why]);
    }
    for network in &mut effects.network {
        texts.extend([&mut network.host, &mut network.why]);
    }
    for run in &mut effects.runs {
        texts.extend(run.words.iter_mut().chain([&mut run.why]));
    }
    for change in &mut effects.changes {
        texts.extend([&mut change.operation, &mut change.target, &mut change.why]);
    }
    for shown in &mut effects.environment {
        texts.extend([&mut shown.name, &mut shown.why]);
    }
    texts
}
