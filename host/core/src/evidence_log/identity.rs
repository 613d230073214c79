//! Which log a store holds. The store says so itself, so that it is the same log wherever the store lies; what the key
//! remembers is compared with that.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cavra_model::Kind;
use cavra_store::LogFile;
use serde::{Deserialize, Serialize};

use super::{KnownLog, LogError, LogState};

/// What a store says of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogIdentity {
    /// What the log is called in its checkpoints.
    pub origin: String,
    /// The key that has begun to sign it, in hex.
    pub public_key: String,
}

impl LogIdentity {
    /// The property of the store that holds it.
    pub(crate) fn property(log: &str) -> String {
        format!("log_identity:{log}")
    }

    pub(super) fn parse(log: &'static str, text: &str) -> Result<Self, LogError> {
        serde_json::from_str(text).map_err(|error| LogError::Damaged { log, problem: format!("its identity: {error}") })
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// What the store in a file says of its log.
    ///
    /// # Errors
    /// [`LogError::Store`], [`LogError::Damaged`].
    pub fn of_file(log: &'static str, file: &LogFile) -> Result<Option<Self>, LogError> {
        file.property(&Self::property(log))?.map(|text| Self::parse(log, &text)).transpose()
    }
}

/// How a store's log and what the key remembers stand to each other.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// The key has signed this log; it has to continue that.
    Known {
        /// What is remembered of it.
        log: &'a KnownLog,
        /// The store lay elsewhere then.
        moved: bool,
    },
    /// Neither knows of a log: it begins.
    New,
    /// They do not belong together, in a sentence about the log.
    Strange(String),
}

impl LogState {
    /// How the log `name` of a store, with the identity that the store gives it, stands to what is remembered. `leaves` is
    /// how many leaves it has.
    #[must_use]
    pub fn standing(
        &self,
        name: &'static str,
        kinds: &'static [&'static Kind],
        store: &Path,
        identity: Option<&LogIdentity>,
        leaves: u64,
    ) -> Standing<'_> {
        match identity {
            Some(identity) => self.identified(name, kinds, store, identity),
            None => self.unidentified(name, store, leaves),
        }
    }

    fn identified(
        &self,
        name: &'static str,
        kinds: &'static [&'static Kind],
        store: &Path,
        identity: &LogIdentity,
    ) -> Standing<'_> {
        let origin = &identity.origin;
        let Some(log) = self.logs.iter().find(|log| log.origin == *origin) else {
            return Standing::Strange(format!(
                "is {origin}, which the key here has never signed: the key was lost or exchanged, or the store is from elsewhere"
            ));
        };
        if log.closed.is_some() {
            return Standing::Strange(format!("is {origin}, in whose place another log has begun"));
        }
        if !self.keys.iter().any(|key| key.public_key == identity.public_key) {
            return Standing::Strange(format!(
                "was begun with the key {}, which is not known here",
                identity.public_key
            ));
        }
        let moved = log.store != store;
        if moved && holds(&log.store, store, name, kinds, origin) {
            return Standing::Strange(format!(
                "is {origin}, and so is that in {}: one is a copy of the other, and a log is continued in one place",
                log.store.display()
            ));
        }
        Standing::Known { log, moved }
    }

    fn unidentified(&self, name: &str, store: &Path, leaves: u64) -> Standing<'_> {
        if let Some(log) = self.open_log(name, store) {
            return Standing::Known { log, moved: false };
        }
        match self.missing(name, store) {
            Some(log) if leaves > 0 => Standing::Strange(format!(
                "does not say which it is, and {}, which was in {}, is not there any more",
                log.origin,
                log.store.display()
            )),
            _ => Standing::New,
        }
    }

    /// A log of that name that the key has signed and whose store is gone.
    #[must_use]
    pub fn missing(&self, name: &str, store: &Path) -> Option<&KnownLog> {
        let is_open = |log: &&KnownLog| log.name == name && log.closed.is_none() && log.store != store;
        let has_leaves = |log: &&KnownLog| log.signed_size() > 0;
        self.logs.iter().filter(is_open).filter(has_leaves).find(|log| !log.store.exists())
    }
}

/// Whether there is another store than `store` at `place` that holds the log too.
fn holds(place: &Path, store: &Path, name: &'static str, kinds: &'static [&'static Kind], origin: &str) -> bool {
    let inode = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    if inode(place).is_none() || inode(place) == inode(store) {
        return false;
    }
    let there = LogFile::find(place)
        .and_then(|location| LogFile::open(&location, kinds))
        .ok()
        .and_then(|file| LogIdentity::of_file(name, &file).ok().flatten());
    // What cannot be read might be it, but then it cannot be continued there either.
    there.is_some_and(|identity| identity.origin == origin)
}
