//! Why a pack cannot be used. `Display` is safe for clients: it names packs and keys, never a path of the host.

use std::io;
use std::sync::Arc;

pub(crate) use cavra_documents::shown;
use thiserror::Error;

/// Why a pack cannot be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum PackError {
    /// There is no such pack.
    #[error("policy pack `{name}` not found")]
    NotFound {
        /// The name that was asked for.
        name: String,
    },
    /// A pack inherits one that does not exist.
    #[error("policy pack `{pack}` inherits `{parent}`, which does not exist")]
    UnknownParent {
        /// The child.
        pack: String,
        /// What it calls its parent.
        parent: String,
    },
    /// A pack inherits itself, directly or by way of others.
    #[error("policy pack `{}` inherits itself: {}", .chain.first().map(String::as_str).unwrap_or_default(), .chain.join(" -> "))]
    Cycle {
        /// The way from the pack back to itself.
        chain: Vec<String>,
    },
    /// More than 16 levels of inheritance, or more than 64 packs together.
    #[error("policy pack `{pack}` has more than 16 levels of inheritance or more than 64 ancestors")]
    TooDeep {
        /// The pack whose parents were too many.
        pack: String,
    },
    /// A document is malformed. Nothing is decided with a part of it.
    #[error("policy pack `{name}` is invalid: {}", summarize(.errors))]
    Invalid {
        /// The pack whose document it is, which may be a parent of the one asked for.
        name: String,
        /// What is wrong, as `<dotted path>: <message>`.
        errors: Vec<String>,
    },
    /// The files of a pack cannot be read.
    #[error("policy pack `{name}` cannot be read: {problem}")]
    Unreadable {
        /// The pack.
        name: String,
        /// What is wrong, without a path.
        problem: String,
        /// What the operating system said.
        #[source]
        source: Option<Arc<io::Error>>,
    },
}

impl PackError {
    /// Files are there and are broken. A pack that is gone is none of these.
    pub(crate) const fn is_of_files(&self) -> bool {
        !matches!(self, Self::NotFound { .. })
    }

    /// What is wrong with `pack`, as lines `<dotted path>: <message>`. What is wrong with an ancestor is wrong with the
    /// place that names it.
    #[must_use]
    pub fn faults(&self, pack: &str) -> Vec<String> {
        match self {
            Self::Invalid { name, errors } if name == pack => errors.clone(),
            Self::Unreadable { name, .. } if name == pack => vec![format!("<root>: {self}")],
            Self::NotFound { .. } => vec![format!("<root>: {self}")],
            _ => vec![format!("metadata.inherits: {self}")],
        }
    }
}

/// How many errors [`PackError::Invalid`] shows.
const SHOWN_ERRORS: usize = 5;

fn summarize(errors: &[String]) -> String {
    let shown: Vec<&str> = errors.iter().take(SHOWN_ERRORS).map(String::as_str).collect();
    let mut text = shown.join("; ");
    if errors.len() > SHOWN_ERRORS {
        text.push_str(&format!("; and {} more", errors.len() - SHOWN_ERRORS));
    }
    text
}
