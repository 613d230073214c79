//! Secrets come to rest nowhere: they are cut out of every text that a client sends before anything is stored, answered or
//! logged. Identifiers cannot have a gap, so one that looks like a secret is refused.
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

    /// A text without its secrets.
    #[must_use]
    pub(crate) fn cleaned(self, mut text: String) -> String {
        self.text(&mut text);
        text
    }

    /// Whether a text has a secret in it.
    pub(crate) fn finds(self, text: &str) -> bool {
        self.on && !cavra_redact::find(text).is_empty()
    }

    /// Cuts the secrets out of every text that a client sent, but of those in the members named in `exact`: whoever takes
    /// these sees to them. `*` names all. Identifiers and names of members are refused instead, wherever they stand.
    ///
    /// # Errors
    /// [`CoreError::SecretIdentifier`].
    pub fn clean(self, body: &mut Object, exact: &[&str]) -> Result<(), CoreError> {
        if !self.on {
            return Ok(());
        }
        self.refuse_identifiers(body)?;
        for (member, value) in body.iter_mut() {
            if !exact.iter().any(|name| *name == "*" || name == member) {
                self.value(value);
            }
        }
        Ok(())
    }

    /// Refuses an identifier, or a member's name, that looks like a secret.
    fn refuse_identifiers(self, object: &Object) -> Result<(), CoreError> {
        for (member, value) in object {
            if self.finds(member) {
                return Err(CoreError::SecretIdentifier("the name of a member".to_owned()));
            }
            self.refuse_in(member, value)?;
        }
        Ok(())
    }

    fn refuse_in(self, member: &str, value: &Value) -> Result<(), CoreError> {
        match value {
            Value::String(text) if is_identifier(member) => self.identifier(member, text),
            Value::Array(items) => items.iter().try_for_each(|item| self.refuse_in(member, item)),
            Value::Object(object) => self.refuse_identifiers(object),
            _ => Ok(()),
        }
    }

    /// Refuses an identifier that looks like a secret.
    ///
    /// # Errors
    /// [`CoreError::SecretIdentifier`].
    pub(crate) fn identifier(self, member: &str, text: &str) -> Result<(), CoreError> {
        if self.finds(text) { Err(CoreError::SecretIdentifier(member.to_owned())) } else { Ok(()) }
    }

    /// Cuts the secrets out of every text of a value.
    pub(crate) fn value(self, value: &mut Value) {
        match value {
            Value::String(text) => {
                self.text(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(object) => object.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Cuts the secrets out of every text of an object of our own making.
    pub(crate) fn object(self, object: &mut Object) {
        object.values_mut().for_each(|value| self.value(value));
    }

    /// Where a value has texts with a secret in them, as dotted paths.
    pub(crate) fn places(self, value: &Value) -> Vec<String> {
        let mut places = Vec::new();
        self.collect(value, &mut Vec::new(), &mut places);
        places
    }

    fn collect(self, value: &Value, path: &mut Vec<String>, places: &mut Vec<String>) {
        let mut below = |key: String, value: &Value, places: &mut Vec<String>| {
            path.push(key);
            self.collect(value, path, places);
            path.pop();
        };
        match value {
            // A pattern with a wildcard in it is what secrets look like, and none itself.
            Value::String(text) if self.on => {
                let found = cavra_redact::find(text);
                let is_text = |secret: &cavra_redact::Secret| {
                    text.get(secret.start..secret.end).is_none_or(|found| !found.contains('*'))
                };
                if found.iter().any(is_text) {
                    places.push(path.join("."));
                }
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(position, item)| below(position.to_string(), item, places));
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let shown = if self.finds(name) { "<the name of a member>" } else { name };
                    below(shown.to_owned(), member, places);
                    if self.finds(name) {
                        places.push(shown.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a member is an identifier by its name.
fn is_identifier(member: &str) -> bool {
    const ENDINGS: [&str; 5] = ["_id", "_ids", "_digest", "_sha256", "_key_id"];
    ["id", "digest", "sha256"].contains(&member) || ENDINGS.iter().any(|ending| member.ends_with(ending))
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
