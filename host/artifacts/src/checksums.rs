//! `checksums.txt`: digests of the files beside it. docs/reference/evidence-and-promotion.md, section 2.2.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Inside, ReadError, Tree};

/// Largest `checksums.txt` that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Digests by name, and what is wrong with the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    digests: BTreeMap<String, String>,
    errors: Vec<String>,
}

/// Whether files are what `checksums.txt` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Files that match.
    pub verified: BTreeSet<String>,
    /// Files that are not there.
    pub missing: BTreeSet<String>,
    /// Files that `checksums.txt` does not mention.
    pub unchecked: BTreeSet<String>,
    /// Files that are different.
    pub mismatches: BTreeSet<String>,
    /// What is wrong with `checksums.txt` itself.
    pub errors: BTreeSet<String>,
}

/// What follows from all findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrityStatus {
    /// Everything is there and matches.
    Verified,
    /// Something is missing or not covered.
    Incomplete,
    /// Something is wrong.
    Failed,
}

impl IntegrityStatus {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

impl Checksums {
    /// Reads the file `name`.
    #[must_use]
    pub fn read(tree: Option<&Tree>, name: &str) -> Self {
        let wrong = |error: String| Self { errors: vec![error], ..Self::default() };
        let (Some(tree), Some(path)) = (tree, Inside::new(name)) else { return wrong(format!("missing {name}")) };
        match tree.read(&path, MAX_BYTES) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::parse(&text),
                Err(_) => wrong(format!("{name} is no text")),
            },
            Err(ReadError::Missing) => wrong(format!("missing {name}")),
            Err(error) => wrong(format!("{name}: {error}")),
        }
    }

    /// Lines of 64 hex digits, blanks and a name, which is the last word; blank lines are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let digest = words.next().unwrap_or_default().to_ascii_lowercase();
            let hex = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            match words.last().filter(|_| hex) {
                // The star is how `sha256sum` marks files read as binary.
                Some(name) => found.insert(name.strip_prefix('*').unwrap_or(name), digest),
                None => found.errors.push(format!("invalid checksum line {}", index + 1)),
            }
        }
        found
    }

    fn insert(&mut self, name: &str, digest: String) {
        if Inside::new(name).is_none() {
            self.errors.push(format!("unsafe checksum path {name}"));
        } else if self.digests.get(name).is_some_and(|known| *known != digest) {
            self.errors.push(format!("conflicting checksums for {name}"));
        } else {
            self.digests.insert(name.to_owned(), digest);
        }
    }

    /// Whether the file itself is in order.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// What is wrong with the file itself.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// The digest of a file, in hex.
    #[must_use]
    pub fn digest(&self, name: &str) -> Option<&str> {
        self.digests.get(name).map(String::as_str)
    }

    /// The names that it mentions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.digests.keys().map(String::as_str)
    }

    /// Compares the files `expected`, and those that are mentioned, with the digests.
    #[must_use]
    pub fn compare<'a>(&'a self, tree: Option<&Tree>, expected: impl IntoIterator<Item = &'a str>) -> Integrity {
        let mut found = Integrity { errors: self.errors.iter().cloned().collect(), ..Integrity::default() };
        let names: BTreeSet<&str> = expected.into_iter().chain(self.names()).collect();
        for name in names {
            let measured = tree.zip(Inside::new(name)).and_then(|(tree, path)| tree.sha256(&path).ok());
            let place = match (measured, self.digest(name)) {
                (None, _) => &mut found.missing,
                (Some(_), None) => &mut found.unchecked,
                (Some(digest), Some(wanted)) if digest == wanted => &mut found.verified,
                (Some(_), Some(_)) => &mut found.mismatches,
            };
            place.insert(name.to_owned());
        }
        found
    }
}

impl Integrity {
    /// What follows from all findings.
    #[must_use]
    pub fn status(&self) -> IntegrityStatus {
        if !self.errors.is_empty() || !self.mismatches.is_empty() {
            IntegrityStatus::Failed
        } else if !self.missing.is_empty() || !self.unchecked.is_empty() {
            IntegrityStatus::Incomplete
        } else {
            IntegrityStatus::Verified
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let hex = "AB".repeat(32);
        let text =
            format!("\n{hex}  a.json\n{hex} *b.json\r\n{hex}\tmany words c.json\n  \nshort d\n{hex}\n{hex}  ../e\n");
        let found = Checksums::parse(&text);
        assert_eq!(found.names().collect::<Vec<_>>(), ["a.json", "b.json", "c.json"]);
        assert_eq!(found.digest("a.json"), Some("ab".repeat(32).as_str()));
        assert_eq!(found.errors(), ["invalid checksum line 6", "invalid checksum line 7", "unsafe checksum path ../e"]);
        let twice = format!("{hex} a\n{} a\n{hex} a", "cd".repeat(32));
        assert_eq!(Checksums::parse(&twice).errors(), ["conflicting checksums for a"]);
    }
}
