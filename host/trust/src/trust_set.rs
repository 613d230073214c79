//! `trust.yaml`: whose signatures count, for what, how many are needed, and what is revoked. The operator writes it.

use std::collections::BTreeMap;

use cavra_documents::{DocumentError, Section, shown};
use cavra_evidence::{EnvelopeError, PAYLOAD_TYPE, PublicKey, TrustRoot, TrustStatus, envelope_signers};
use cavra_model::{Digest, Timestamp};
use serde_json::Value;

use crate::statement::{digest_of, time};
use crate::{Kind, Manifest, Package, Refusal, Statement};

const SCHEMA: &str = "cavra.plugin-trust.v1";
const KEYS: [&str; 5] = ["schema_version", "keys", "required_signatures", "revoked", "unsigned"];
const KEY_KEYS: [&str; 8] =
    ["key_id", "owner", "status", "public_key_pem", "valid_from", "valid_until", "plugins", "kinds"];

/// Hours that the clock of a signer may be ahead.
const SKEW_HOURS: u64 = 1;

/// A key, and what it may sign.
#[derive(Clone, Debug)]
struct TrustedKey {
    root: TrustRoot,
    /// Names of plugins, `acme-*` among them; none is any.
    plugins: Option<Vec<String>>,
    /// Kinds of plugins; none is any.
    kinds: Option<Vec<Kind>>,
}

/// Whose signatures count. The default is nobody's.
#[derive(Clone, Debug)]
pub struct TrustSet {
    keys: Vec<TrustedKey>,
    /// Distinct keys that have to sign.
    required: usize,
    /// Revoked digests, of components or packages, with the reason.
    revoked: BTreeMap<Digest, String>,
    /// Digests, of components or packages, that are loaded without a signature.
    unsigned: BTreeMap<Digest, String>,
}

impl Default for TrustSet {
    fn default() -> Self {
        Self { keys: Vec::new(), required: 1, revoked: BTreeMap::new(), unsigned: BTreeMap::new() }
    }
}

/// Who signed a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Id of the key in the trust set.
    pub key_id: String,
    /// Who answers for it.
    pub owner: String,
    /// What to know of the key, such as that it has been retired since.
    pub note: Option<String>,
}

impl TrustSet {
    /// Reads `trust.yaml` strictly.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn read(document: &Value) -> Result<Self, DocumentError> {
        let section = Section::document(document, &KEYS)?;
        if section.required_text("schema_version")? != SCHEMA {
            return Err(section.wrong("schema_version", &format!("must be {SCHEMA}")));
        }
        let mut keys: Vec<TrustedKey> = Vec::new();
        for key in section.sections("keys", &KEY_KEYS)? {
            let read = TrustedKey::read(&key)?;
            let twice = |known: &TrustedKey| {
                known.root.key_id == read.root.key_id || known.root.public_key == read.root.public_key
            };
            if keys.iter().any(twice) {
                return Err(key.wrong("key_id", "a key of this id, or this key under another id, is there already"));
            }
            keys.push(read);
        }
        let required = section.whole("required_signatures", 1, 16)?.unwrap_or(1);
        Ok(Self {
            keys,
            required: usize::try_from(required).unwrap_or(usize::MAX),
            revoked: reasons(&section, "revoked")?,
            unsigned: reasons(&section, "unsigned")?,
        })
    }

    /// The keys that are not retired or revoked, whatever their time of validity.
    pub fn active(&self) -> impl Iterator<Item = &TrustRoot> {
        self.keys.iter().map(|key| &key.root).filter(|root| root.status == TrustStatus::Active)
    }

    /// Who vouches for a package now.
    ///
    /// # Errors
    /// [`Refusal`]: revoked, unsigned, signed by others, over other bytes, or not in force.
    pub fn vouch(&self, package: &Package, now: Timestamp) -> Result<Vec<Signer>, Refusal> {
        let (component, whole) = (package.component_digest(), package.digest());
        self.check_revoked(&[&whole, &component])?;
        let Some(envelope) = &package.envelope else {
            let listed = [&whole, &component].into_iter().any(|digest| self.unsigned.contains_key(digest));
            return if listed { Ok(Vec::new()) } else { Err(Refusal::Unsigned { digest: whole }) };
        };
        let keys: Vec<&PublicKey> = self.keys.iter().map(|key| &key.root.public_key).collect();
        let (payload, signed_by) = envelope_signers(envelope, PAYLOAD_TYPE, &keys).map_err(|error| match error {
            EnvelopeError::Signature => Refusal::UnknownSigner { named: named(envelope) },
            other => Refusal::Envelope(other.to_string()),
        })?;
        let statement = Statement::read(&payload)?;
        statement.covers(package)?;
        if statement.signed_at > now.plus_hours(SKEW_HOURS) {
            return Err(Refusal::NotYet { at: statement.signed_at.to_string() });
        }
        if let Some(until) = statement.expires.filter(|until| *until <= now) {
            return Err(Refusal::Expired { until: until.to_string() });
        }
        let signers = self.keys.iter().filter(|key| signed_by.contains(&&key.root.public_key));
        self.count(signers, &package.manifest, statement.signed_at, now)
    }

    /// The keys that count, if they are enough; else what is the matter with the first one that does not.
    fn count<'k>(
        &self,
        keys: impl Iterator<Item = &'k TrustedKey>,
        manifest: &Manifest,
        signed_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Signer>, Refusal> {
        let (mut signers, mut problem) = (Vec::new(), None);
        for key in keys {
            match key.vouches(manifest, signed_at, now) {
                Ok(signer) => signers.push(signer),
                Err(refusal) => problem = problem.or(Some(refusal)),
            }
        }
        match problem {
            _ if signers.len() >= self.required => Ok(signers),
            Some(problem) => Err(problem),
            None => Err(Refusal::TooFewSigners { have: signers.len(), need: self.required }),
        }
    }

    /// That none of these digests is revoked.
    ///
    /// # Errors
    /// [`Refusal::Revoked`].
    pub fn check_revoked(&self, digests: &[&Digest]) -> Result<(), Refusal> {
        let found = digests.iter().find_map(|digest| self.revoked.get_key_value(*digest));
        match found {
            Some((digest, reason)) => Err(Refusal::Revoked { digest: digest.to_string(), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Digests that are revoked, with the reason.
    #[must_use]
    pub fn revoked(&self) -> &BTreeMap<Digest, String> {
        &self.revoked
    }

    /// Digests of what is loaded without a signature, with the reason.
    #[must_use]
    pub fn unsigned(&self) -> &BTreeMap<Digest, String> {
        &self.unsigned
    }
}

impl TrustedKey {
    fn read(section: &Section<'_>) -> Result<Self, DocumentError> {
        let key_id = section.required_text("key_id")?;
        let status = section.text("status")?.unwrap_or_else(|| TrustStatus::Active.as_str().to_owned());
        let status: TrustStatus =
            status.parse().map_err(|_| section.wrong("status", "must be active, retired or revoked"))?;
        let pem = section.required_text("public_key_pem")?;
        let public_key =
            PublicKey::from_pem(&pem).map_err(|error| section.wrong("public_key_pem", &error.to_string()))?;
        let root = TrustRoot {
            key_id,
            owner: section.required_text("owner")?,
            status,
            public_key,
            valid_from: time(section, "valid_from")?,
            valid_until: time(section, "valid_until")?,
        };
        let root = root.check().map_err(|error| section.wrong("valid_until", &error.to_string()))?;
        let mut kinds = None;
        for word in section.texts("kinds")?.unwrap_or_default() {
            let kind =
                Kind::of(&word).ok_or_else(|| section.wrong("kinds", &format!("`{}` is no kind", shown(&word))))?;
            kinds.get_or_insert_with(Vec::new).push(kind);
        }
        let plugins = section.texts("plugins")?;
        for (key, is_empty) in [
            ("kinds", section.has("kinds") && kinds.is_none()),
            ("plugins", plugins.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                return Err(section.wrong(key, "an empty list would be any; leave it out or name some"));
            }
        }
        Ok(Self { root, plugins, kinds })
    }

    fn vouches(&self, manifest: &Manifest, signed_at: Timestamp, now: Timestamp) -> Result<Signer, Refusal> {
        let key = || self.root.key_id.clone();
        let name = manifest.name.as_str();
        if self.plugins.as_ref().is_some_and(|plugins| !plugins.iter().any(|pattern| matches(pattern, name))) {
            return Err(Refusal::WrongSigner { key: key(), what: format!("`{name}`"), place: "plugins" });
        }
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&manifest.kind)) {
            return Err(Refusal::WrongSigner { key: key(), what: format!("a {}", manifest.kind), place: "kinds" });
        }
        match self.root.standing(Some(signed_at), now) {
            Ok(note) => Ok(Signer { key_id: key(), owner: self.root.owner.clone(), note }),
            Err(problem) => Err(Refusal::Key { key: key(), problem }),
        }
    }
}

/// A name, or the beginning of names before `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// The key ids of an envelope, for a sentence.
fn named(envelope: &Value) -> String {
    let ids: Vec<String> = envelope
        .get("signatures")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(4)
        .filter_map(|signature| signature.get("keyid")?.as_str())
        .map(|id| format!("`{}`", shown(id)))
        .collect();
    if ids.is_empty() { "nobody".to_owned() } else { ids.join(", ") }
}

fn reasons(section: &Section<'_>, key: &str) -> Result<BTreeMap<Digest, String>, DocumentError> {
    let mut found = BTreeMap::new();
    for item in section.sections(key, &["digest", "reason"])? {
        let digest = digest_of(&item, "digest", &item.required_text("digest")?)?;
        found.insert(digest, item.required_text("reason")?);
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, clippy::string_slice, reason = "a test says what is wrong by failing")]
pub(crate) mod tests {
    use cavra_evidence::SigningKey;
    use cavra_model::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::package::tests::package;
    use crate::sign;

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2031-06-01T00:00:00Z")
    }

    fn key(id: &str, key: &SigningKey, more: Value) -> Value {
        let mut members = json!({"key_id": id, "owner": "Acme", "public_key_pem": key.public().pem()});
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members
    }

    fn trust(keys: &[Value], more: Value) -> Result<TrustSet, DocumentError> {
        let mut members = json!({"schema_version": SCHEMA, "keys": keys});
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TrustSet::read(&members)
    }

    fn signed(by: &[(&str, &SigningKey)]) -> Package {
        let mut package = package();
        for (id, key) in by {
            package.envelope = Some(sign(&package, (key, id), now(), None, package.envelope.as_ref()).unwrap());
        }
        package
    }

    #[test]
    fn keys_count_for_what_they_may_sign_while_they_may() {
        let (acme, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let package = signed(&[("acme", &acme)]);
        for (more, code) in [
            (json!({}), None),
            (json!({"status": "active", "valid_until": "2032-01-01T00:00:00Z"}), None),
            (json!({"plugins": ["cavra-*"], "kinds": ["policy-pack"]}), None),
            (json!({"plugins": ["other", "cavra-freeze"]}), None),
            (json!({"plugins": ["cavra-freez"]}), Some("wrong_signer")),
            (json!({"plugins": ["other-*"]}), Some("wrong_signer")),
            (json!({"kinds": ["connector"]}), Some("wrong_signer")),
            (json!({"status": "revoked"}), Some("key")),
            (json!({"valid_until": "2031-01-01T00:00:00Z"}), Some("key")),
            (json!({"status": "retired", "valid_until": "2032-01-01T00:00:00Z"}), None),
            (json!({"status": "retired", "valid_until": "2031-01-01T00:00:00Z"}), Some("key")),
        ] {
            let trust = trust(&[key("acme", &acme, more.clone())], json!({})).unwrap();
            let vouched = trust.vouch(&package, now());
            assert_eq!(vouched.as_ref().err().map(Refusal::code), code, "{more}: {vouched:?}");
        }
        let others = trust(&[key("acme", &other, json!({}))], json!({})).unwrap();
        let refused = others.vouch(&package, now()).unwrap_err();
        assert!(matches!(&refused, Refusal::UnknownSigner { named } if named == "`acme`"), "{refused}");
    }

    #[test]
    fn several_have_to_sign_where_several_are_asked_for() {
        let keys: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate().unwrap()).collect();
        let listed: Vec<Value> = ["a", "b"].iter().zip(&keys).map(|(id, by)| key(id, by, json!({}))).collect();
        let two = trust(&listed, json!({"required_signatures": 2})).unwrap();
        for (by, code) in [
            (vec![("a", &keys[0])], Some("too_few_signers")),
            (vec![("a", &keys[0]), ("a2", &keys[0])], Some("too_few_signers")),
            (vec![("a", &keys[0]), ("c", &keys[2])], Some("too_few_signers")),
            (vec![("b", &keys[1]), ("a", &keys[0])], None),
            (vec![("c", &keys[2]), ("b", &keys[1]), ("a", &keys[0])], None),
        ] {
            let vouched = two.vouch(&signed(&by), now());
            assert_eq!(vouched.as_ref().err().map(Refusal::code), code, "{vouched:?}");
        }
        // One key under two ids would count twice.
        let twice = [key("a", &keys[0], json!({})), key("b", &keys[0], json!({}))];
        assert!(trust(&twice, json!({})).unwrap_err().to_string().contains("under another id"));
    }

    #[test]
    fn digests_are_revoked_and_excepted() {
        let acme = SigningKey::generate().unwrap();
        let (package, keys) = (signed(&[("acme", &acme)]), [key("acme", &acme, json!({}))]);
        for digest in [package.digest(), package.component_digest()] {
            let list = json!([{"digest": digest, "reason": "CVE-1"}]);
            let revoked = trust(&keys, json!({"revoked": list})).unwrap().vouch(&package, now()).unwrap_err();
            assert!(revoked.to_string().contains("CVE-1"), "{revoked}");
            let mut bare = package.clone();
            bare.envelope = None;
            assert_eq!(trust(&keys, json!({})).unwrap().vouch(&bare, now()).unwrap_err().code(), "unsigned");
            let excepted = trust(&keys, json!({"unsigned": list})).unwrap();
            assert_eq!(excepted.vouch(&bare, now()), Ok(vec![]));
            let both = trust(&keys, json!({"unsigned": list, "revoked": list})).unwrap();
            assert_eq!(both.vouch(&bare, now()).unwrap_err().code(), "revoked");
        }
        assert_eq!(TrustSet::default().vouch(&package, now()).unwrap_err().code(), "unknown_signer");
    }

    #[test]
    fn signatures_have_their_time() {
        let acme = SigningKey::generate().unwrap();
        let trust = trust(&[key("acme", &acme, json!({}))], json!({})).unwrap();
        let mut package = package();
        let until = Some(at("2031-07-01T00:00:00Z"));
        package.envelope = Some(sign(&package, (&acme, "acme"), now(), until, None).unwrap());
        for (moment, code) in [
            ("2031-06-01T00:00:00Z", None),
            ("2031-05-31T23:30:00Z", None),
            ("2031-05-31T00:00:00Z", Some("not_yet")),
            ("2031-06-30T23:59:59Z", None),
            ("2031-07-01T00:00:00Z", Some("expired")),
        ] {
            let vouched = trust.vouch(&package, at(moment));
            assert_eq!(vouched.as_ref().err().map(Refusal::code), code, "{moment}: {vouched:?}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_trust_set_is_named() {
        let acme = SigningKey::generate().unwrap();
        let wrong = |more: Value| trust(&[key("acme", &acme, more)], json!({})).unwrap_err().to_string();
        for (more, said) in [
            (json!({"plugin": ["x"]}), "keys[1]: unknown key `plugin`; did you mean `plugins`"),
            (json!({"status": "trusted"}), "keys[1].status: must be active, retired or revoked"),
            (json!({"public_key_pem": "hush"}), "keys[1].public_key_pem"),
            (json!({"valid_until": "soon"}), "keys[1].valid_until"),
            (json!({"valid_from": "2032-01-01T00:00:00Z", "valid_until": "2031-01-01T00:00:00Z"}), "period"),
            (json!({"kinds": ["pack"]}), "`pack` is no kind"),
            (json!({"kinds": []}), "empty list"),
            (json!({"plugins": []}), "empty list"),
            (json!({"owner": null}), "keys[1].owner"),
        ] {
            assert!(wrong(more.clone()).contains(said), "{more}: {}", wrong(more.clone()));
        }
        for (more, said) in [
            (json!({"revokd": []}), "did you mean `revoked`"),
            (json!({"required_signatures": 0}), "required_signatures"),
            (json!({"revoked": [{"digest": "sha256:00", "reason": "x"}]}), "64 hex digits"),
            (json!({"revoked": [{"digest": format!("sha256:{}", "a".repeat(64))}]}), "reason: is required"),
            (json!({"schema_version": "x"}), "schema_version"),
        ] {
            let refused = trust(&[], more.clone()).unwrap_err().to_string();
            assert!(refused.contains(said), "{more}: {refused}");
        }
    }

    proptest! {
        /// Whichever byte of whichever file is changed, the signature is not of it.
        #[test]
        fn every_byte_is_signed(place in any::<prop::sample::Index>(), file in 0..3_usize, bit in 0..8_u8) {
            let acme = SigningKey::generate().unwrap();
            let trust = trust(&[key("acme", &acme, json!({}))], json!({})).unwrap();
            let package = signed(&[("acme", &acme)]);
            let mut contents = package.contents();
            contents.retain(|(name, _)| *name != crate::ENVELOPE);
            let (_, bytes) = &mut contents[file];
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            // A manifest that cannot be read any more is refused before anybody is asked.
            if let Ok(mut changed) = Package::new(contents.into_iter().map(|(name, bytes)| (name.to_owned(), bytes))) {
                changed.envelope = package.envelope.clone();
                let refused = matches!(trust.vouch(&changed, now()), Err(Refusal::OtherBytes { .. }));
                prop_assert!(refused);
            }
        }

        /// Whatever is changed in an envelope, nothing else is vouched for than what was signed.
        #[test]
        fn envelopes_cannot_be_edited(place in any::<prop::sample::Index>(), to in "[A-Za-z0-9+/=\"{}:,]") {
            let acme = SigningKey::generate().unwrap();
            let trust = trust(&[key("acme", &acme, json!({}))], json!({})).unwrap();
            let mut package = signed(&[("acme", &acme)]);
            let text = package.envelope.as_ref().unwrap().to_string();
            let place = place.index(text.len());
            let edited = format!("{}{to}{}", &text[..place], &text[place + 1..]);
            if let Ok(envelope) = serde_json::from_str::<Value>(&edited) {
                package.envelope = Some(envelope);
                // Ids are hints: to change one changes nothing.
                if let Ok(signers) = trust.vouch(&package, now()) {
                    prop_assert_eq!(&signers[0].key_id, "acme");
                }
            }
        }
    }
}
