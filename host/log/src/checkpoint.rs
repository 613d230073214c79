//! Checkpoints: what a log looked like, in three lines. C2SP `tlog-checkpoint`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{Hash, InvalidNote, Note, VerifierKey};

/// A checkpoint cannot be believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidCheckpoint {
    /// The text is none.
    #[error("the text is no checkpoint")]
    Malformed,
    /// It is one of another log than its signer's.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The note around it cannot be believed.
    #[error(transparent)]
    Note(#[from] InvalidNote),
}

/// What a log was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root hash over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint of a signed note by one of `known`, whose names are the log's origin; with the key that signed.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`].
    pub fn open<'a>(note: &str, known: &'a [VerifierKey]) -> Result<(Self, &'a VerifierKey), InvalidCheckpoint> {
        let note = Note::parse(note)?;
        let (text, key) = note.open(known)?;
        let checkpoint: Self = text.parse()?;
        if checkpoint.origin == key.name() { Ok((checkpoint, key)) } else { Err(InvalidCheckpoint::OtherLog) }
    }

    /// What a signed note claims, whoever signed it.
    ///
    /// # Errors
    /// [`InvalidCheckpoint::Malformed`] or [`InvalidCheckpoint::Note`].
    pub fn unverified(note: &str) -> Result<Self, InvalidCheckpoint> {
        Note::parse(note)?.unverified_text().parse()
    }

    /// As a signed note by `key`, which signs with `sign`.
    ///
    /// # Errors
    /// [`InvalidCheckpoint::OtherLog`] if the key has another name than the log.
    pub fn sign(&self, key: &VerifierKey, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<String, InvalidCheckpoint> {
        if key.name() != self.origin {
            return Err(InvalidCheckpoint::OtherLog);
        }
        Ok(key.sign(&self.to_string(), sign)?)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    /// Reads the text of a note. Further lines, which others may add, are left out.
    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let further = lines.all(|line| !line.is_empty());
            let root = Hash::from_base64(root)?;
            (further && !origin.is_empty()).then_some(())?;
            Some(Self { origin: origin.to_owned(), size: decimal(size)?, root })
        };
        read().ok_or(InvalidCheckpoint::Malformed)
    }
}

/// A decimal number without leading zeros or signs.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
