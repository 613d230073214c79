//! Why a store did not do what was asked.

use std::borrow::Cow;
use std::path::Path;

use thiserror::Error;

/// Why a store did not do what was asked. Nothing was changed, and no file was overwritten.
///
/// `Display` is for logs and names the file; [`StoreError::public`] is for clients and does not. The error can be
/// cloned because everyone in a batch whose commit failed gets it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The key of an inserted record is taken.
    #[error("a record with this id exists already")]
    Exists,
    /// The file cannot be read, or what it holds is no store of this kind.
    #[error("store {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The store cannot be written or read now: disk full, read-only, locked by someone else for too long.
    #[error("store {path} is not available: {reason}")]
    Unavailable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The database is damaged.
    #[error("store {path} is damaged: {reason}")]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// One record of a database is none: somebody else wrote its payload. The other records are as they were.
    #[error("store {path}: record `{id}` of table {table} cannot be read: {reason}")]
    Broken {
        /// The file.
        path: String,
        /// The table.
        table: &'static str,
        /// What the record should be, for messages.
        name: &'static str,
        /// Its key.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The store was written by a newer release.
    #[error(
        "store {path} has schema version {found}; this release knows versions up to {known}: use the newer release"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// Another transaction was in the way, again and again.
    #[error("another transaction was in the way; try again")]
    Conflict,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The caller, or the closure of a transaction, asked for something that cannot be done; the text says what.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    /// What a client may read: no paths, no details of the host.
    #[must_use]
    pub fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Exists => "a record with this id exists already".into(),
            Self::Unreadable { .. } => "the store cannot be read".into(),
            Self::Unavailable { .. } => "the store is not available".into(),
            Self::Corrupt { .. } => "the store is damaged".into(),
            Self::Broken { name, .. } => format!("this stored {name} is damaged and cannot be read").into(),
            Self::Newer { .. } => "the store is of a newer release".into(),
            Self::Conflict => "another transaction was in the way; try again".into(),
            Self::Closed => "the store is closed".into(),
            Self::Refused(reason) => reason.clone().into(),
        }
    }

    pub(crate) fn unreadable(path: &Path, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Unreadable { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(crate) fn unavailable(path: &Path, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Unavailable { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(crate) fn corrupt(path: &Path, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Corrupt { path: path.display().to_string(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_see_no_paths() {
        let path = Path::new("/secret/place.db");
        for error in [
            StoreError::unreadable(path, "no"),
            StoreError::unavailable(path, "no"),
            StoreError::corrupt(path, "no"),
            StoreError::Broken {
                path: path.display().to_string(),
                table: "approvals",
                name: "approval",
                id: "a".to_owned(),
                reason: "no".to_owned(),
            },
            StoreError::Closed,
            StoreError::Exists,
        ] {
            assert!(!error.public().contains("secret"), "{error}");
        }
        assert!(StoreError::corrupt(path, "no").to_string().contains("/secret/place.db"));
    }
}
