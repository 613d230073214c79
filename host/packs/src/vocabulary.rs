//! The words of the policy language, as its schema declares them, and the nearest one to a word that is none.

use std::sync::LazyLock;

use serde_json::{Map, Value};

const SCHEMA: &str = include_str!("../../../policies/policy.schema.json");

/// The schema as JSON; null if it is none, which a test rules out.
pub(crate) static POLICY_SCHEMA: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or_default());

/// How keys begin that no engine reads and nobody is warned about.
pub(crate) const NOTE_PREFIX: &str = "x-";

/// The section that says who a pack is.
pub(crate) const METADATA: &str = "metadata";

/// What a place in a document may hold.
#[derive(Clone, Copy)]
pub(crate) enum Place<'s> {
    /// A mapping with these keys.
    Keys(&'s Map<String, Value>),
    /// A list of texts, which are patterns or names.
    Texts,
    /// Whatever its author wants.
    Free,
}

impl<'s> Place<'s> {
    /// The document itself.
    pub(crate) fn root() -> Place<'static> {
        Place::of(&POLICY_SCHEMA)
    }

    pub(crate) fn of(schema: &'s Value) -> Self {
        let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
        if ["#/$defs/patterns", "#/$defs/names"].contains(&reference) {
            return Self::Texts;
        }
        schema.get("properties").and_then(Value::as_object).map_or(Self::Free, Self::Keys)
    }
}

/// The names of all sections.
pub(crate) fn sections() -> impl Iterator<Item = &'static str> {
    keys_of(Place::root())
}

/// The keys of a section; none of one that is free or unknown.
pub(crate) fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    let found = match Place::root() {
        Place::Keys(sections) => sections.get(section).map(Place::of),
        Place::Texts | Place::Free => None,
    };
    found.into_iter().flat_map(keys_of)
}

fn keys_of(place: Place<'static>) -> impl Iterator<Item = &'static str> {
    let keys = match place {
        Place::Keys(keys) => Some(keys),
        Place::Texts | Place::Free => None,
    };
    keys.into_iter().flat_map(Map::keys).map(String::as_str)
}

/// The section that has a key of this name, spelt so or nearly so, and the key.
pub(crate) fn home_of(key: &str) -> Option<(&'static str, &'static str)> {
    sections().find_map(|section| Some((section, nearest(key, keys(section))?)))
}

/// The word among `known` that `word` most likely means; none if it is like none of them.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = plain(word);
    let near = |candidate: &&str| {
        let distance = strsim::damerau_levenshtein(&plain, candidate);
        // A third of the letters may be wrong: more makes another word of it.
        (distance <= (candidate.len() / 3).clamp(1, 3)).then_some(distance)
    };
    let scored = known.filter_map(|candidate| Some((near(&candidate)?, candidate)));
    scored.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// A word without what people vary: case, blanks around it, and how its parts are joined.
fn plain(word: &str) -> String {
    word.trim().to_lowercase().replace(['-', ' ', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_sections_and_keys() {
        let names: Vec<_> = sections().collect();
        for section in ["metadata", "filesystem", "commands", "git", "mcp", "approvals", "evidence", "compliance"] {
            assert!(names.contains(&section), "{section}");
        }
        assert!(keys("filesystem").any(|key| key == "block_read") && keys("evidence").next().is_none());
        assert_eq!(home_of("inherits"), Some(("metadata", "inherits")));
        assert_eq!(home_of("Block-Reads"), Some(("filesystem", "block_read")));
        assert_eq!(home_of("anything"), None);
    }

    #[test]
    fn the_nearest_word_is_the_one_that_was_meant() {
        for (word, meant) in [
            ("filesytem", Some("filesystem")),
            ("Filesystem ", Some("filesystem")),
            ("file_system", Some("filesystem")),
            ("comands", Some("commands")),
            ("command", Some("commands")),
            ("gti", Some("git")),
            ("mpc", Some("mcp")),
            ("metdata", Some("metadata")),
            ("rules", None),
            ("owner", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, sections()), meant, "{word}");
        }
    }
}
