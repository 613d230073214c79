//! Names that reach the file system.

use std::fmt;

use thiserror::Error;

/// The pack that decides when nobody names one.
pub const DEFAULT_PACK: &str = "cavra-ai-agent-baseline";

/// A policy pack's name: `^[a-z0-9][a-z0-9._-]{0,127}$` without `..`. docs/reference/decisions-and-policy.md, section 2.
///
/// The only type that pack directories are looked up with, so a name that could leave the root cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackName(String);

/// The text is no pack name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("invalid policy pack name")]
pub struct InvalidPackName;

impl PackName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`InvalidPackName`] if it does not have the form above.
    pub fn new(text: &str) -> Result<Self, InvalidPackName> {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let well_formed = text.len() <= 128
            && text.starts_with(alphanumeric)
            && text.chars().all(|c| alphanumeric(c) || matches!(c, '.' | '_' | '-'))
            && !text.contains("..");
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidPackName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A word of a closed vocabulary in its one spelling: trimmed, in lower case, with `_` for `-`.
#[must_use]
pub fn word(text: &str) -> String {
    text.trim().to_lowercase().replace('-', "_")
}

impl Default for PackName {
    fn default() -> Self {
        Self(DEFAULT_PACK.to_owned())
    }
}

impl fmt::Display for PackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text as a name of one word: in lower case, with a dash for each character that is neither letter nor digit, and none
/// at the ends.
#[must_use]
pub fn slug(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = text.chars().map(plain).collect();
    dashed.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_word() {
        for (text, word) in
            [("Splunk Cloud-prod", "splunk-cloud-prod"), ("--a_b/", "a-b"), ("évt 1", "vt-1"), ("..", "")]
        {
            assert_eq!(slug(text), word, "{text}");
        }
    }

    #[test]
    fn only_plain_directory_names_pass() {
        for good in ["cavra-ai-agent-baseline", "a", "0.9_x-y", &"a".repeat(128)] {
            assert!(PackName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "/etc", "-a", "A", "a..b", "a b", "a\0", "é", &"a".repeat(129)] {
            assert_eq!(PackName::new(bad), Err(InvalidPackName), "{bad}");
        }
    }
}
