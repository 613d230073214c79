//! Why the evidence log cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use cavra_evidence::InvalidKey;
use cavra_store::StoreError;
use thiserror::Error;

/// Why the evidence log cannot be used. `Display` is for operators and names files.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file of the key's folder cannot be read or written.
    #[error("{} cannot be used", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// The key can be read by others.
    #[error("the key {} can be read by others than its owner; run `chmod 600` on it", .0.display())]
    OpenKey(PathBuf),
    /// The key's file holds no key.
    #[error("{} holds no key", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidKey,
    },
    /// The key is gone, but the file beside it says there was one.
    #[error(
        "the key {} is missing, and there is a log it has signed; put it back, or move {} away and accept with \
         `cavra evidence log accept-restore` that new logs begin",
        key.display(), state.display()
    )]
    LostKey {
        /// The key's file.
        key: PathBuf,
        /// The file beside it.
        state: PathBuf,
    },
    /// The key is not the one that signed last.
    #[error("the key {} is not the one that signed last; keys are changed by `cavra evidence log rotate-key`", .0.display())]
    OtherKey(PathBuf),
    /// The file beside the key is damaged.
    #[error("{} is damaged: {problem}", file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The log does not continue what was signed.
    #[error(
        "the log `{log}` in {} {problem}; if an older store was put in place on purpose, say so with \
         `cavra evidence log accept-restore --log {log} --reason TEXT`, else restore a newer one", store.display()
    )]
    Tampered {
        /// Name of the log.
        log: &'static str,
        /// The store's file.
        store: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// The log is damaged in itself.
    #[error("the log `{log}` is damaged: {problem}")]
    Damaged {
        /// Name of the log.
        log: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A file of a published log is not what it has to be.
    #[error("{file}: {problem}")]
    Published {
        /// The file, as it is named to those who can fetch it.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// An address is none that a log can be fetched from.
    #[error("{0}")]
    Address(&'static str),
    /// The store of the log cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Work in the background ended before its time.
    #[error("the work was interrupted")]
    Interrupted,
}

impl LogError {
    pub(super) fn file(file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { file: file.to_owned(), source }
    }
}
