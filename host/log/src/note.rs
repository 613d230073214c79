//! Signed notes with Ed25519 signatures. C2SP `signed-note`; verifier keys as `golang.org/x/mod/sumdb/note` writes
//! them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The type byte of Ed25519 signatures and keys.
const ED25519: u8 = 1;
/// Most signatures that are looked at; the specification asks for at least 16.
const MAX_SIGNATURES: usize = 64;
/// Longest note, in bytes.
const MAX_NOTE: usize = 1024 * 1024;
/// What a signature line begins with.
const MARK: &str = "\u{2014} ";

/// A note cannot be believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidNote {
    /// It has not the form of a signed note.
    #[error("the text is no signed note")]
    Malformed,
    /// No signature is by a known key.
    #[error("the note is not signed by a known key")]
    UnknownSigner,
    /// A signature that claims to be by a known key is not.
    #[error("a signature of the note is wrong")]
    WrongSignature,
}

/// A text is no verifier key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the text is no Ed25519 verifier key of the form NAME+HASH+KEY")]
pub struct InvalidVerifierKey;

/// The public key of a signer with its name: `NAME+HASH+KEY`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key of `name`.
    ///
    /// # Errors
    /// [`InvalidVerifierKey`] if the name has spaces or plus signs, or the bytes are no key.
    pub fn new(name: impl Into<String>, key: &[u8; 32]) -> Result<Self, InvalidVerifierKey> {
        let (name, key) = (name.into(), VerifyingKey::from_bytes(key).map_err(|_| InvalidVerifierKey)?);
        if !is_name(&name) || key.is_weak() {
            return Err(InvalidVerifierKey);
        }
        Ok(Self { name, key })
    }

    /// Name of the signer.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The id that signatures by this key begin with.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.to_bytes())
            .finalize();
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// The text as a note by this signer, who signs with `sign`.
    ///
    /// # Errors
    /// [`InvalidNote::Malformed`] if the text cannot be that of a note.
    pub fn sign(&self, text: &str, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<String, InvalidNote> {
        if !is_text(text) || !text.ends_with('\n') {
            return Err(InvalidNote::Malformed);
        }
        let signature = [self.id().as_slice(), &sign(text.as_bytes())].concat();
        Ok(format!("{text}\n{MARK}{} {}\n", self.name, STANDARD.encode(signature)))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidVerifierKey;

    fn from_str(text: &str) -> Result<Self, InvalidVerifierKey> {
        // Base64 may hold plus signs, names may not.
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidVerifierKey);
        };
        let key = STANDARD.decode(key).map_err(|_| InvalidVerifierKey)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(InvalidVerifierKey) };
        let key = Self::new(name, key.try_into().map_err(|_| InvalidVerifierKey)?)?;
        let known = u32::from_str_radix(id, 16).map_err(|_| InvalidVerifierKey)?.to_be_bytes();
        if id.len() == 8 && known == key.id() { Ok(key) } else { Err(InvalidVerifierKey) }
    }
}

/// A note with its signatures, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Line>,
}

/// A signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl Note {
    /// Takes the note apart.
    ///
    /// # Errors
    /// [`InvalidNote::Malformed`].
    pub fn parse(note: &str) -> Result<Self, InvalidNote> {
        let malformed = InvalidNote::Malformed;
        if note.len() > MAX_NOTE || !is_text(note) {
            return Err(malformed);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(malformed)?;
        let signatures =
            lines.split('\n').map(|line| Line::parse(line).ok_or(malformed)).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(malformed);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, if one of `known` signed it and no signature by one of them is wrong; with the key that signed.
    ///
    /// # Errors
    /// [`InvalidNote::UnknownSigner`] or [`InvalidNote::WrongSignature`].
    pub fn open<'a>(&self, known: &'a [VerifierKey]) -> Result<(&str, &'a VerifierKey), InvalidNote> {
        let mut signer = None;
        for line in &self.signatures {
            let Some(key) = known.iter().find(|key| key.name == line.name && key.id() == line.id) else { continue };
            let signature = Signature::from_slice(&line.signature).map_err(|_| InvalidNote::WrongSignature)?;
            key.key.verify_strict(self.text.as_bytes(), &signature).map_err(|_| InvalidNote::WrongSignature)?;
            signer = signer.or(Some(key));
        }
        signer.map(|key| (self.text.as_str(), key)).ok_or(InvalidNote::UnknownSigner)
    }

    /// The text, whoever signed it.
    #[must_use]
    pub fn unverified_text(&self) -> &str {
        &self.text
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(MARK)?.split_once(' ')?;
        let signature = STANDARD.decode(signature).ok()?;
        let (id, signature) = signature.split_first_chunk::<4>()?;
        (is_name(name) && !signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn is_text(text: &str) -> bool {
    !text.contains(|c: char| c < ' ' && c != '\n')
}
