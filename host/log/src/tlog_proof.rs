//! A proof of inclusion with the checkpoint it leads to, as one text. C2SP `tlog-proof`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::checkpoint::decimal;
use crate::{Checkpoint, Hash, InvalidCheckpoint, InvalidProof, VerifierKey, leaf_hash, verify_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof: a tree of 2^64 leaves is 64 levels high.
const MAX_HASHES: usize = 64;

/// A proof text does not prove what it claims.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidTlogProof {
    /// It has not the form of a proof.
    #[error("the text is no tlog-proof")]
    Malformed,
    /// It brings no leaf along, and none was given.
    #[error("the proof has no leaf")]
    NoLeaf,
    /// Its checkpoint cannot be believed.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// Its hashes lead elsewhere.
    #[error(transparent)]
    Proof(#[from] InvalidProof),
}

/// The proof that a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The leaf's bytes, which the log carries along as extra data; nothing vouches for them but the proof.
    pub leaf: Option<Vec<u8>>,
    /// The leaf's place.
    pub index: u64,
    /// The proof, from the leaf's sibling upwards.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl TlogProof {
    /// Checks the proof with the keys of the log; answers the leaf that is proved, and the checkpoint.
    ///
    /// # Errors
    /// [`InvalidTlogProof`].
    pub fn verify(&self, known: &[VerifierKey]) -> Result<(&[u8], Checkpoint), InvalidTlogProof> {
        let leaf = self.leaf.as_deref().ok_or(InvalidTlogProof::NoLeaf)?;
        let (checkpoint, _) = Checkpoint::open(&self.checkpoint, known)?;
        verify_inclusion(leaf_hash(leaf), self.index, checkpoint.size, &self.hashes, checkpoint.root)?;
        Ok((leaf, checkpoint))
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(leaf) = &self.leaf {
            writeln!(f, "extra {}", STANDARD.encode(leaf))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = InvalidTlogProof;

    fn from_str(text: &str) -> Result<Self, InvalidTlogProof> {
        let read = || {
            let (head, checkpoint) = text.split_once("\n\n")?;
            let mut lines = head.split('\n');
            (lines.next()? == HEADER).then_some(())?;
            let mut line = lines.next()?;
            let leaf = match line.strip_prefix("extra ") {
                Some(extra) => {
                    line = lines.next()?;
                    Some(STANDARD.decode(extra).ok()?)
                }
                None => None,
            };
            let index = decimal(line.strip_prefix("index ")?)?;
            let hashes = lines.map(Hash::from_base64).collect::<Option<Vec<_>>>()?;
            let proof = Self { leaf, index, hashes, checkpoint: checkpoint.to_owned() };
            (proof.hashes.len() <= MAX_HASHES).then_some(proof)
        };
        read().ok_or(InvalidTlogProof::Malformed)
    }
}
