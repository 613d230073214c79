//! Ed25519 keys as PEM files hold them: PKCS#8 private keys, SubjectPublicKeyInfo public keys. docs/reference/evidence-and-promotion.md, section 0.2.

use std::fmt;

use cavra_model::{NoRandomness, fill_random};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Characters of the fingerprint that make the default key id.
const KEY_ID_LENGTH: usize = 16;

/// A text is no key that can be used here. It never shows the text.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidKey {
    /// Not a PKCS#8 PEM of an Ed25519 key.
    #[error("the private key is no unencrypted Ed25519 key in PKCS#8 PEM form")]
    Private,
    /// Not a SubjectPublicKeyInfo PEM of an Ed25519 key.
    #[error("the public key is no Ed25519 key in PEM form")]
    Public,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A private key. It prints as its key id.
#[derive(Clone)]
pub struct SigningKey {
    key: Box<ed25519_dalek::SigningKey>,
    public: PublicKey,
}

/// A public key with its fingerprint.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: Box<ed25519_dalek::VerifyingKey>,
    pem: String,
    fingerprint: String,
}

impl SigningKey {
    /// Reads a PEM. One whose newlines arrived as `\n`, as in environment variables, is read too.
    ///
    /// # Errors
    /// [`InvalidKey::Private`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&tidy(pem)).map_err(|_| InvalidKey::Private)?;
        Self::new(key)
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// [`InvalidKey::NoRandomness`].
    pub fn generate() -> Result<Self, InvalidKey> {
        let mut seed = [0_u8; ed25519_dalek::SECRET_KEY_LENGTH];
        fill_random(&mut seed)?;
        Self::new(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    fn new(key: ed25519_dalek::SigningKey) -> Result<Self, InvalidKey> {
        let public = PublicKey::new(key.verifying_key())?;
        Ok(Self { key: Box::new(key), public })
    }

    /// The key as a PKCS#8 PEM, to be written where only its owner can read it.
    ///
    /// # Errors
    /// [`InvalidKey::Private`] if it cannot be encoded.
    pub fn to_pem(&self) -> Result<String, InvalidKey> {
        // Version 1, without the public key: what every tool reads.
        let pair = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string()).map_err(|_| InvalidKey::Private)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The 64 bytes of the signature over `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.key_id())
    }
}

impl PublicKey {
    /// Reads a PEM.
    ///
    /// # Errors
    /// [`InvalidKey::Public`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(&tidy(pem)).map_err(|_| InvalidKey::Public)?;
        Self::new(key)
    }

    fn new(key: ed25519_dalek::VerifyingKey) -> Result<Self, InvalidKey> {
        let pem = key.to_public_key_pem(LineEnding::LF).map_err(|_| InvalidKey::Public)?;
        let fingerprint = Sha256::digest(&pem).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key: Box::new(key), pem, fingerprint })
    }

    /// The PEM, 64 columns, with a newline at its end.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Hex SHA-256 of the PEM text.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The default id: the beginning of the fingerprint.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.fingerprint.get(..KEY_ID_LENGTH).unwrap_or(&self.fingerprint)
    }

    /// Whether `signature` is this key's over `message`. Weak keys and malleable signatures are refused.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

/// A PEM with real newlines and none too many.
fn tidy(pem: &str) -> String {
    let text = if pem.contains('\n') { pem.to_owned() } else { pem.replace("\\r", "").replace("\\n", "\n") };
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}\n", lines.join("\n"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The key of the contract's vectors: the bytes 00 to 1f.
    pub(crate) fn vector_key() -> SigningKey {
        SigningKey::from_pem(&vector_pem()).unwrap()
    }

    fn vector_pem() -> String {
        let mut der =
            vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        der.extend(0..32_u8);
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
    }

    #[test]
    fn the_key_of_the_contract() {
        let key = vector_key();
        let fingerprint = "f0ff50dacf109dea7f716d7c03eb7a821aa3a283fd3fa02f4c14dbba7d3c3322";
        assert_eq!((key.public().fingerprint(), key.public().key_id()), (fingerprint, "f0ff50dacf109dea"));
        assert_eq!(key.to_pem().unwrap(), vector_pem());
        assert_eq!(PublicKey::from_pem(key.public().pem()).unwrap(), *key.public());
    }

    #[test]
    fn keys_survive_the_ways_they_travel() {
        let pem = vector_pem();
        for travelled in
            [pem.replace('\n', "\\n"), pem.replace('\n', "\r\n"), pem.trim().to_owned(), format!("\n{pem}\n")]
        {
            assert_eq!(SigningKey::from_pem(&travelled).unwrap().public(), vector_key().public(), "{travelled:?}");
        }
        let public = vector_key().public().pem().replace('\n', "\r\n");
        assert_eq!(PublicKey::from_pem(&public).unwrap().fingerprint(), vector_key().public().fingerprint());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in
            ["", "hush", "-----BEGIN PRIVATE KEY-----\naGk=\n-----END PRIVATE KEY-----\n", vector_key().public().pem()]
        {
            assert_eq!(SigningKey::from_pem(wrong).unwrap_err(), InvalidKey::Private);
        }
        assert_eq!(PublicKey::from_pem(&vector_pem()).unwrap_err(), InvalidKey::Public);
    }

    #[test]
    fn signatures_hold_for_their_message_and_key() {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign(b"message");
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        assert!(!vector_key().public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"message", &signature[..63]));
    }

    #[test]
    fn a_key_does_not_show() {
        assert_eq!(format!("{:?}", vector_key()), "SigningKey(f0ff50dacf109dea)");
    }
}
