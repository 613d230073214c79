//! Trust roots: public keys that verifiers trust, for how long, and in which state. docs/reference/evidence-and-promotion.md, section 3.4.

use std::collections::BTreeSet;
use std::str::FromStr;

use cavra_model::members::text;
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};
use thiserror::Error;

use crate::PublicKey;
use crate::documents::PRODUCT;

const ROOT_SCHEMA: &str = "cavra.evidence.trust-root.v1";
pub(crate) const BUNDLE_SCHEMA: &str = "cavra.evidence.trust-root-bundle.v1";

/// State of a trust root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustStatus {
    /// It verifies.
    Active,
    /// It verifies what was signed while it was valid.
    Retired,
    /// It verifies nothing.
    Revoked,
}

impl TrustStatus {
    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for TrustStatus {
    type Err = TrustError;

    fn from_str(word: &str) -> Result<Self, TrustError> {
        [Self::Active, Self::Retired, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(TrustError::Status)
    }
}

/// A document is no trust root or no bundle of them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TrustError {
    /// Of another kind.
    #[error("wrong schema: neither {ROOT_SCHEMA} nor {BUNDLE_SCHEMA}")]
    Schema,
    /// Another algorithm.
    #[error("trust root algorithm is not Ed25519")]
    Algorithm,
    /// Without a key id.
    #[error("trust root has no key ID")]
    KeyId,
    /// Without a key, or with a broken one.
    #[error("trust root {0} has no usable public key")]
    Key(String),
    /// The key is not the one that the fingerprint names.
    #[error("trust root {0}: the public key does not match its fingerprint")]
    Fingerprint(String),
    /// Another state.
    #[error("trust root status is not one of active, retired, revoked")]
    Status,
    /// No time, or an end before the beginning.
    #[error("trust root {0}: valid_from and valid_until are no period of time")]
    Period(String),
    /// An empty bundle.
    #[error("no trust roots")]
    None,
    /// Two keys of the same id.
    #[error("duplicate trust-root key IDs: {}", .0.join(", "))]
    Duplicate(Vec<String>),
}

/// A public key that a verifier trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoot {
    /// Under which id signatures name the key.
    pub key_id: String,
    /// Who answers for the key.
    pub owner: String,
    /// State.
    pub status: TrustStatus,
    /// The key.
    pub public_key: PublicKey,
    /// Beginning of its validity.
    pub valid_from: Option<Timestamp>,
    /// End of its validity.
    pub valid_until: Option<Timestamp>,
}

impl TrustRoot {
    /// Reads a trust root.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn read(document: &Value) -> Result<Self, TrustError> {
        let document = document.as_object().ok_or(TrustError::Schema)?;
        if text(document, "schema_version") != ROOT_SCHEMA {
            return Err(TrustError::Schema);
        }
        if text(document, "algorithm") != "Ed25519" {
            return Err(TrustError::Algorithm);
        }
        let key_id = text(document, "key_id").to_owned();
        if key_id.is_empty() {
            return Err(TrustError::KeyId);
        }
        let public_key = PublicKey::from_pem(text(document, "public_key_pem"));
        let public_key = public_key.map_err(|_| TrustError::Key(key_id.clone()))?;
        if text(document, "public_key_sha256") != public_key.fingerprint() {
            return Err(TrustError::Fingerprint(key_id));
        }
        let root = Self {
            owner: text(document, "owner").to_owned(),
            status: text(document, "status").parse()?,
            public_key,
            valid_from: time(document, "valid_from").map_err(|()| TrustError::Period(key_id.clone()))?,
            valid_until: time(document, "valid_until").map_err(|()| TrustError::Period(key_id.clone()))?,
            key_id,
        };
        root.check()
    }

    /// The root itself, if its period is one.
    ///
    /// # Errors
    /// [`TrustError::Period`], [`TrustError::KeyId`].
    pub fn check(self) -> Result<Self, TrustError> {
        if self.key_id.is_empty() {
            return Err(TrustError::KeyId);
        }
        match (self.valid_from, self.valid_until) {
            (Some(from), Some(until)) if until <= from => Err(TrustError::Period(self.key_id)),
            _ => Ok(self),
        }
    }

    /// The document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut members = self.summary();
        members.insert("schema_version".to_owned(), json!(ROOT_SCHEMA));
        members.insert("product".to_owned(), json!(PRODUCT));
        members.insert("public_key_pem".to_owned(), json!(self.public_key.pem()));
        Value::Object(members)
    }

    /// The root without the key itself.
    pub(crate) fn summary(&self) -> Object {
        Object::from_iter([
            ("key_id".to_owned(), json!(self.key_id)),
            ("owner".to_owned(), json!(self.owner)),
            ("status".to_owned(), json!(self.status.as_str())),
            ("algorithm".to_owned(), json!("Ed25519")),
            ("public_key_sha256".to_owned(), json!(self.public_key.fingerprint())),
            ("valid_from".to_owned(), json!(self.valid_from)),
            ("valid_until".to_owned(), json!(self.valid_until)),
        ])
    }

    /// Whether it verifies something signed at `signed_at`, seen from `now`; what to know if so, why not otherwise.
    ///
    /// A retired root verifies what was signed while it was valid. An active one verifies also what was signed before
    /// the root was written down, as long as the root is valid now. A revoked one verifies nothing: who has its key
    /// can sign any time.
    ///
    /// # Errors
    /// Why it verifies nothing of that time.
    pub fn standing(&self, signed_at: Option<Timestamp>, now: Timestamp) -> Result<Option<String>, String> {
        let covers = |moment: Timestamp| {
            self.valid_from.is_none_or(|from| from <= moment) && self.valid_until.is_none_or(|until| moment <= until)
        };
        let in_its_time = signed_at.is_some_and(covers);
        let id = &self.key_id;
        match self.status {
            TrustStatus::Revoked => Err(format!("trust root is not active: {id} is revoked")),
            TrustStatus::Retired if in_its_time => {
                Ok(Some(format!("trust root {id} is retired; it was valid when this was signed")))
            }
            TrustStatus::Retired => {
                Err(format!("trust root is not active: {id} is retired, and this was not signed while it was valid"))
            }
            TrustStatus::Active if covers(now) => Ok(None),
            TrustStatus::Active if in_its_time => {
                Ok(Some(format!("trust root {id} is no longer valid; it was when this was signed")))
            }
            TrustStatus::Active => Err(format!("trust root is not active: {id} is outside its time of validity")),
        }
    }
}

fn time(document: &Object, member: &str) -> Result<Option<Timestamp>, ()> {
    match document.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some),
        Some(_) => Err(()),
    }
}

/// The trust roots that a verifier was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustRoots {
    /// One, which has to be the signer's.
    One(Box<TrustRoot>),
    /// Several, of which the signature names one.
    Many(Vec<TrustRoot>),
}

impl TrustRoots {
    /// Reads a trust root or a bundle of them.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn read(document: &Value) -> Result<Self, TrustError> {
        if document.get("schema_version").and_then(Value::as_str) != Some(BUNDLE_SCHEMA) {
            return TrustRoot::read(document).map(Box::new).map(Self::One);
        }
        let roots = document.get("trust_roots").and_then(Value::as_array).ok_or(TrustError::None)?;
        let roots = roots.iter().map(TrustRoot::read).collect::<Result<Vec<_>, _>>()?;
        sorted(roots).map(Self::Many)
    }

    fn all(&self) -> &[TrustRoot] {
        match self {
            Self::One(root) => std::slice::from_ref(&**root),
            Self::Many(roots) => roots,
        }
    }

    /// The keys that verify what is signed `now`: for documents that do not say when they were signed.
    #[must_use]
    pub fn active_keys(&self, now: Timestamp) -> Vec<PublicKey> {
        let verifies = |root: &&TrustRoot| root.status == TrustStatus::Active && root.standing(None, now).is_ok();
        self.all().iter().filter(verifies).map(|root| root.public_key.clone()).collect()
    }

    /// The roots that are not retired or revoked, whatever their time of validity.
    pub fn active(&self) -> impl Iterator<Item = &TrustRoot> {
        self.all().iter().filter(|root| root.status == TrustStatus::Active)
    }

    /// The root with this id and this key.
    pub(crate) fn select(&self, key_id: &str, fingerprint: &str) -> Option<&TrustRoot> {
        self.all().iter().find(|root| root.key_id == key_id && root.public_key.fingerprint() == fingerprint)
    }
}

/// Roots in the order of their ids, each id once.
pub(crate) fn sorted(mut roots: Vec<TrustRoot>) -> Result<Vec<TrustRoot>, TrustError> {
    if roots.is_empty() {
        return Err(TrustError::None);
    }
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> =
        roots.iter().filter(|root| !seen.insert(root.key_id.as_str())).map(|root| root.key_id.clone()).collect();
    if !twice.is_empty() {
        return Err(TrustError::Duplicate(twice.into_iter().collect()));
    }
    roots.sort_by(|left, right| left.key_id.cmp(&right.key_id));
    Ok(roots)
}

/// The document that holds several trust roots.
///
/// # Errors
/// [`TrustError::None`], [`TrustError::Duplicate`].
pub fn trust_root_bundle(roots: Vec<TrustRoot>, created_at: Timestamp) -> Result<Value, TrustError> {
    let roots: Vec<_> = sorted(roots)?.iter().map(TrustRoot::to_value).collect();
    Ok(json!({
        "schema_version": BUNDLE_SCHEMA, "product": PRODUCT, "created_at": created_at, "trust_roots": roots,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::vector_key;

    fn root(key_id: &str, status: TrustStatus) -> TrustRoot {
        TrustRoot {
            key_id: key_id.to_owned(),
            owner: "platform-security".to_owned(),
            status,
            public_key: vector_key().public().clone(),
            valid_from: Some("2031-01-01T00:00:00Z".parse().unwrap()),
            valid_until: Some("2032-01-01T00:00:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn documents_read_back() {
        let (one, two) = (root("b", TrustStatus::Active), root("a", TrustStatus::Retired));
        assert_eq!(TrustRoots::read(&one.to_value()).unwrap(), TrustRoots::One(Box::new(one.clone())));
        let bundle = trust_root_bundle(vec![one.clone(), two.clone()], Timestamp::from_micros(0)).unwrap();
        assert_eq!(TrustRoots::read(&bundle).unwrap(), TrustRoots::Many(vec![two, one.clone()]));
        assert_eq!(trust_root_bundle(vec![], Timestamp::from_micros(0)), Err(TrustError::None));
        let twice = trust_root_bundle(vec![one.clone(), one], Timestamp::from_micros(0)).unwrap_err();
        assert_eq!(twice.to_string(), "duplicate trust-root key IDs: b");
    }

    #[test]
    fn broken_documents_are_refused() {
        let document = root("a", TrustStatus::Active).to_value();
        let other = crate::SigningKey::generate().unwrap().public().pem().to_owned();
        let cases = [
            ("schema_version", json!("x"), TrustError::Schema),
            ("algorithm", json!("RS256"), TrustError::Algorithm),
            ("key_id", json!(""), TrustError::KeyId),
            ("key_id", json!(7), TrustError::KeyId),
            ("public_key_pem", json!(null), TrustError::Key("a".into())),
            ("public_key_pem", json!(other), TrustError::Fingerprint("a".into())),
            ("public_key_sha256", json!("00"), TrustError::Fingerprint("a".into())),
            ("status", json!("trusted"), TrustError::Status),
            ("status", json!(null), TrustError::Status),
            ("valid_until", json!("soon"), TrustError::Period("a".into())),
            ("valid_until", json!(7), TrustError::Period("a".into())),
            ("valid_until", json!("2030-01-01T00:00:00Z"), TrustError::Period("a".into())),
        ];
        for (member, value, error) in cases {
            let mut changed = document.clone();
            changed[member] = value.clone();
            assert_eq!(TrustRoot::read(&changed), Err(error), "{member}: {value}");
            let bundle = json!({"schema_version": BUNDLE_SCHEMA, "trust_roots": [document, changed]});
            assert!(TrustRoots::read(&bundle).is_err(), "{member}: {value}");
        }
        assert_eq!(TrustRoots::read(&json!([])), Err(TrustError::Schema));
        let empty = json!({"schema_version": BUNDLE_SCHEMA, "trust_roots": []});
        assert_eq!(TrustRoots::read(&empty), Err(TrustError::None));
    }

    #[test]
    fn what_a_root_verifies_depends_on_its_state_and_time() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (before, within, after) =
            (at("2030-06-01T00:00:00Z"), at("2031-06-01T00:00:00Z"), at("2033-01-01T00:00:00Z"));
        use TrustStatus::{Active, Retired, Revoked};
        // Status, signed, now, whether it verifies, whether with a note.
        for (status, signed, now, holds, noted) in [
            (Active, Some(within), within, true, false),
            (Active, Some(before), within, true, false),
            (Active, None, within, true, false),
            (Active, Some(within), after, true, true),
            (Active, Some(after), after, false, false),
            (Active, Some(before), before, false, false),
            (Retired, Some(within), after, true, true),
            (Retired, Some(before), within, false, false),
            (Retired, None, within, false, false),
            (Revoked, Some(within), within, false, false),
        ] {
            let standing = root("a", status).standing(signed, now);
            assert_eq!(standing.is_ok(), holds, "{status:?} {signed:?} {now}");
            assert_eq!(matches!(&standing, Ok(Some(_))), noted, "{status:?} {signed:?} {now}");
            assert!(standing.err().is_none_or(|why| why.starts_with("trust root is not active")));
        }
    }
}
