//! A document in a file.

use std::path::Path;

use cavra_artifacts::read_file;
use cavra_model::read_json;
use serde_json::Value;

use crate::yaml::{parse_yaml, shown, without_mark};

/// Largest document of settings, in bytes.
const MAX_DOCUMENT: u64 = 4 << 20;

/// What a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Language {
    /// What the suffix of a file says: `.yaml` and `.yml` are YAML, everything else is JSON.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        let yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml { Self::Yaml } else { Self::Json }
    }
}

/// The document in a file that governs access or settings.
///
/// # Errors
/// What is wrong, without the name of the file.
pub fn read_document(file: &Path) -> Result<Value, String> {
    let bytes = read_file(file, MAX_DOCUMENT).map_err(|error| error.to_string())?;
    parse_document(&bytes, Language::of(file))
}

/// The document in a text. An object with the same key twice is refused, and the key is named.
///
/// # Errors
/// What is wrong and where.
pub fn parse_document(bytes: &[u8], language: Language) -> Result<Value, String> {
    let text = without_mark(std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?);
    match language {
        Language::Yaml => parse_yaml(text),
        Language::Json => read_json(text.as_bytes()).map_err(|error| match error.duplicate() {
            Some(key) => format!("{error}: the key `{}` is there twice", shown(key)),
            None => error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_files_of_some_size_in_either_language() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let file = home.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        assert_eq!(read_document(&at("a.json", "{\"a\": [1]}")), Ok(json!({"a": [1]})));
        assert_eq!(read_document(&at("a.yml", "a: [1]")), Ok(json!({"a": [1]})));
        assert!(read_document(&at("b.json", "a: [1]")).is_err(), "the suffix says the language");
        for name in ["c.json", "c.yaml"] {
            assert_eq!(read_document(&at(name, "\u{feff}{\"a\": 1}")), Ok(json!({"a": 1})), "a byte order mark");
        }
        let large = at("large.json", "{}");
        fs::File::options().write(true).open(&large).unwrap().set_len(MAX_DOCUMENT + 1).unwrap();
        assert_eq!(read_document(&large), Err(format!("larger than {MAX_DOCUMENT} bytes")));
        assert_eq!(read_document(home.path()), Err("no regular file".to_owned()));
        assert!(read_document(&home.path().join("none")).is_err());
    }

    /// Every depth, both languages, however the key is spelt.
    #[test]
    fn a_key_that_is_there_twice_is_named() {
        for (language, text) in [
            (Language::Json, r#"{"trust": false, "x": 1, "trust": true}"#),
            (Language::Json, r#"{"trust": false, "tr\u0075st": true}"#),
            (Language::Json, r#"{"a": [{"trust": 1, "trust": 1}]}"#),
            (Language::Yaml, "trust: false\nx: 1\ntrust: true\n"),
            (Language::Yaml, "trust: false\n\"trust\": true\n"),
            (Language::Yaml, "a:\n- {trust: 1, trust: 1}\n"),
        ] {
            let problem = parse_document(text.as_bytes(), language).unwrap_err();
            assert!(problem.contains("`trust` is there twice"), "{text}: {problem}");
        }
    }
}
