//! What of a policy takes no part in any decision although its author may think it does: sections and keys that
//! nothing reads, rules that stand in the wrong place, patterns that can match nothing.
//!
//! These are warnings. A document may hold more than the engine reads; but a rule that never takes part looks, to whoever
//! wrote it, like one that does. Keys that begin with `x-` are their author's notes.

use serde_json::{Map, Value};

use crate::error::shown;
use crate::pattern::pattern_problem;
use crate::vocabulary::{METADATA, NOTE_PREFIX, Place, home_of, keys, nearest, sections};

/// Warnings that are told of one document.
const MOST: usize = 100;

/// What a document says in vain, as `<dotted path>: <message>`, in the order of the document's keys.
#[must_use]
pub fn ignored(document: &Value) -> Vec<String> {
    let mut warnings = Warnings::default();
    if let (Value::Object(members), Place::Keys(known)) = (document, Place::root()) {
        for (name, member) in members {
            match known.get(name) {
                Some(schema) => walk(Place::of(schema), member, &mut Path::of(name), &mut warnings),
                None if is_note(name) => {}
                None => warnings.add(name, &unknown_section(name, member)),
            }
        }
    }
    warnings.finish()
}

/// What is said of a key that a section does not have.
pub(crate) fn unknown_key(section: &str, key: &str) -> String {
    if let Some(meant) = nearest(key, keys(section)) {
        return format!("no engine reads this key; did you mean `{meant}`?");
    }
    if let Some(meant) = nearest(key, sections()) {
        return format!("no engine reads this here; the section `{meant}` stands at the top of the document");
    }
    match home_of(key) {
        Some((home, meant)) => format!("no engine reads this here; did you mean `{home}.{meant}`?"),
        None => nobody_reads("key"),
    }
}

/// What is said of a section that there is none of.
fn unknown_section(name: &str, member: &Value) -> String {
    if let Some(meant) = nearest(name, sections()) {
        return format!("there is no such section; did you mean `{meant}`?");
    }
    if let Some((home, meant)) = home_of(name) {
        return format!("no engine reads this here; did you mean `{home}.{meant}`?");
    }
    match word_within(member) {
        Some(word) => format!("there is no such section, so `{word}` in it is not read; sections stand at the top"),
        None => nobody_reads("section"),
    }
}

fn nobody_reads(what: &str) -> String {
    format!("no engine reads this {what}; a note of your own can be called `{NOTE_PREFIX}…`")
}

fn is_note(key: &str) -> bool {
    key.starts_with(NOTE_PREFIX)
}

fn walk(place: Place<'_>, value: &Value, path: &mut Path, warnings: &mut Warnings) {
    match (place, value) {
        (Place::Keys(known), Value::Object(members)) => keyed(known, members, path, warnings),
        (Place::Texts, Value::Array(items)) => {
            let problems = items.iter().enumerate().filter_map(|(position, item)| {
                Some((position, pattern_problem(path.section(), path.last(), item.as_str()?)?))
            });
            for (position, problem) in problems {
                warnings.add(&format!("{}.{position}", path.text()), &problem);
            }
        }
        (Place::Free, value) => misplaced(value, path, warnings),
        // What is of the wrong type is an error, which validation tells.
        (Place::Keys(_) | Place::Texts, _) => {}
    }
}

fn keyed(known: &Map<String, Value>, members: &Map<String, Value>, path: &mut Path, warnings: &mut Warnings) {
    for (key, member) in members {
        path.push(key);
        match known.get(key) {
            Some(schema) => walk(Place::of(schema), member, path, warnings),
            None if is_note(key) => {}
            // A closed section's unknown keys are errors, which validation tells.
            None if is_closed(path.section()) => {}
            None => warnings.add(&path.text(), &unknown_key(path.section(), key)),
        }
        path.pop();
    }
}

/// Whether an unknown key of the section is an error.
fn is_closed(section: &str) -> bool {
    crate::vocabulary::POLICY_SCHEMA.pointer(&format!("/properties/{section}/additionalProperties"))
        == Some(&Value::Bool(false))
}

/// Rules inside a section whose contents are free: they look like rules and are none.
fn misplaced(value: &Value, path: &mut Path, warnings: &mut Warnings) {
    let Value::Object(members) = value else { return };
    for (key, member) in members {
        path.push(key);
        match rule_home(key, member) {
            _ if is_note(key) => {}
            Some(section) => {
                warnings.add(&path.text(), &format!("no engine reads this here; `{section}` stands at the top"));
            }
            None => misplaced(member, path, warnings),
        }
        path.pop();
    }
}

/// The section whose rules a member holds that stands somewhere else: the section by its name and keys, or one of its
/// lists.
fn rule_home(key: &str, member: &Value) -> Option<&'static str> {
    let rules = || sections().filter(|section| *section != METADATA);
    match member {
        Value::Object(members) => {
            rules().find(|section| *section == key && keys(section).any(|known| members.contains_key(known)))
        }
        // Names of a single word, such as `block`, may mean anything.
        Value::Array(_) => rules().find(|section| keys(section).any(|known| known == key && known.contains('_'))),
        _ => None,
    }
}

/// A word of the language somewhere inside a section that there is none of.
fn word_within(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => members.iter().find_map(|(key, member)| {
            let is_word = sections().any(|section| section == key || keys(section).any(|known| known == key));
            if is_word { Some(key.as_str()) } else { word_within(member) }
        }),
        Value::Array(items) => items.iter().find_map(word_within),
        _ => None,
    }
}

/// Where a walk is.
struct Path(Vec<String>);

impl Path {
    fn of(section: &str) -> Self {
        Self(vec![section.to_owned()])
    }

    fn push(&mut self, key: &str) {
        self.0.push(key.to_owned());
    }

    fn pop(&mut self) {
        self.0.pop();
    }

    fn section(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }

    fn last(&self) -> &str {
        self.0.last().map(String::as_str).unwrap_or_default()
    }

    fn text(&self) -> String {
        self.0.join(".")
    }
}

#[derive(Default)]
struct Warnings {
    lines: Vec<String>,
    untold: usize,
}

impl Warnings {
    fn add(&mut self, path: &str, message: &str) {
        if self.lines.len() < MOST {
            self.lines.push(format!("{}: {message}", shown(path)));
        } else {
            self.untold += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.untold > 0 {
            self.lines.push(format!("<root>: and {} more that no engine reads", self.untold));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every fault of this kind: what stands where, and the word that its warning has to suggest.
    #[test]
    fn what_is_said_in_vain_is_told_with_what_was_meant() {
        for (document, path, word) in [
            (json!({"filesytem": {"block_read": ["a"]}}), "filesytem", "`filesystem`"),
            (json!({"Commands": {"block": ["a"]}}), "Commands", "`commands`"),
            (json!({"inherits": "cavra-ai-agent-baseline"}), "inherits", "`metadata.inherits`"),
            (json!({"block_read": ["a"]}), "block_read", "`filesystem.block_read`"),
            (json!({"policy": {"filesystem": {"block_read": ["a"]}}}), "policy", "`filesystem`"),
            (json!({"spec": [{"deep": {"block_write": ["a"]}}]}), "spec", "`block_write`"),
            (json!({"rules": [{"action": "deny"}]}), "rules", "`x-…`"),
            (json!({"metadata": {"inherit": "p"}}), "metadata.inherit", "`inherits`"),
            (json!({"metadata": {"filesystem": {}}}), "metadata.filesystem", "`filesystem`"),
            (json!({"metadata": {"owner": "me"}}), "metadata.owner", "`x-…`"),
            (json!({"git": {"block_push_branch": ["a"]}}), "git.block_push_branch", "`block_push_branches`"),
            (json!({"git": {"block_read": ["a"]}}), "git.block_read", "`filesystem.block_read`"),
            (json!({"mcp": {"allowed-servers": ["a"]}}), "mcp.allowed-servers", "`allowed_servers`"),
            (json!({"mcp": {"commands": {"block": ["a"]}}}), "mcp.commands", "`commands`"),
            (json!({"compliance": {"maps": ["a"]}}), "compliance.maps", "`x-…`"),
            (json!({"evidence": {"filesystem": {"block_read": ["a"]}}}), "evidence.filesystem", "`filesystem`"),
            (json!({"approvals": {"a": {"block_read": ["a"]}}}), "approvals.a.block_read", "`filesystem`"),
            (json!({"filesystem": {"block_read": ["a", " .env"]}}), "filesystem.block_read.1", "`.env`"),
        ] {
            let warnings = ignored(&document);
            assert_eq!(warnings.len(), 1, "{document}: {warnings:?}");
            assert!(warnings[0].starts_with(&format!("{path}: ")) && warnings[0].contains(word), "{warnings:?}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_read_of_notes_and_of_free_sections() {
        for document in [
            json!({"metadata": {"id": "x", "x-owner": "me"}, "x-notes": {"filesystem": {"block_read": [" a"]}}}),
            json!({"approvals": {"groups": {"a": ["p"]}, "ttl_hours": 4}, "evidence": {"x": {"block": ["p"]}}}),
            json!({"mcp": {"risk_scoring": {"filesystem": "low"}}, "filesystem": {"block_read": [".env", "a b"]}}),
            // Errors are told elsewhere.
            json!({"filesystem": {"block_reads": ["a"]}, "commands": [], "git": {"block_push_branches": "x"}}),
            json!([]),
        ] {
            assert_eq!(ignored(&document), Vec::<String>::new(), "{document}");
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many: Map<String, Value> = (0..5_000).map(|number| (format!("k{number}"), json!(1))).collect();
        let warnings = ignored(&Value::Object(many));
        assert_eq!(warnings.len(), MOST + 1);
        assert!(warnings[MOST].contains("4900 more"), "{}", warnings[MOST]);
    }
}
