//! `checksums.txt` with every file it names compared. docs/reference/evidence-and-promotion.md, sections 6 and 12.

use cavra_artifacts::{Inside, ReadError, Tree};

/// The name of the file.
pub const CHECKSUMS: &str = "checksums.txt";

/// What the file says, and whether it is true.
#[derive(Clone, Debug, Default)]
pub struct Checksums {
    /// What is wrong with the file or with what it names.
    pub errors: Vec<String>,
    listed: cavra_artifacts::Checksums,
    verified: Vec<String>,
}

impl Checksums {
    /// Reads the list and compares every file it names.
    #[must_use]
    pub fn verify(tree: &Tree) -> Self {
        let listed = cavra_artifacts::Checksums::read(Some(tree), CHECKSUMS);
        let mut errors: Vec<_> = listed.errors().iter().map(|problem| format!("{CHECKSUMS}: {problem}")).collect();
        let mut verified = Vec::new();
        for path in listed.names().filter_map(Inside::new) {
            match tree.sha256(&path) {
                Ok(found) if listed.digest(path.as_str()) == Some(&found) => verified.push(path.to_string()),
                Ok(_) => errors.push(format!("checksum mismatch: {path}")),
                Err(error) => errors.push(unreadable(&path, &error)),
            }
        }
        Self { errors, listed, verified }
    }

    /// The digest that is listed for a path.
    #[must_use]
    pub fn digest(&self, path: &Inside) -> Option<&str> {
        self.listed.digest(path.as_str())
    }

    /// Paths that match, sorted.
    #[must_use]
    pub fn verified(&self) -> Vec<String> {
        self.verified.clone()
    }
}

/// What is said of a file that could not be read.
pub(crate) fn unreadable(path: &Inside, error: &ReadError) -> String {
    match error {
        ReadError::Missing => format!("missing file: {path}"),
        other => format!("{path}: {other}"),
    }
}

/// The list of files as it is written.
#[must_use]
pub fn render(files: &[(&str, String)]) -> String {
    files.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
}
