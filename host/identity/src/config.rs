//! The files that govern identity, read at the start and whenever somebody asks for it; `docs/access.md` describes every key.
//!
//! A file that is missing, cannot be parsed, does not say what it has to or says something that nobody knows is an error:
//! a control must never be off because its file is wrong.

use std::path::{Path, PathBuf};

use cavra_documents::{DocumentError, Section, read_document};
use serde_json::Value;
use thiserror::Error;

use crate::Rbac;
use crate::chat::ChatMembers;
use crate::claims::GroupsClaim;
use crate::discovery::{Discovery, KeySource};
use crate::jwk::{KeySet, parse_keys};
use crate::jwt::Expectations;

/// Seconds by which clocks may differ unless the file says otherwise.
const DEFAULT_LEEWAY: u64 = 60;
/// Most seconds by which clocks may be said to differ.
const MAX_LEEWAY: u64 = 3600;

/// A file that governs identity cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", file.display())]
pub struct ConfigError {
    file: PathBuf,
    problem: String,
}

/// The OpenID Connect configuration.
#[derive(Debug)]
pub(crate) struct Oidc {
    pub(crate) expected: Expectations,
    pub(crate) keys: KeySource,
    /// The file that the keys are in, if they are in one of their own.
    pub(crate) keys_file: Option<PathBuf>,
    /// Where the groups are in the claims.
    pub(crate) groups: GroupsClaim,
    /// Unsigned claims are accepted: a proxy in front authenticates.
    pub(crate) trust_actor_claims: bool,
    /// Who may change something without saying who they are.
    pub(crate) mutations: Mutations,
    /// Nobody approves their own request; unset means: where identity is verified.
    pub(crate) forbid_self_approval: Option<bool>,
}

/// What a file that governs access says about changes that name nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mutations {
    /// Not those that loosen what is enforced or who is trusted; requests and records may.
    #[default]
    GuardedWhereTheyLoosen,
    /// All but those that decide approvals.
    Anonymous,
    /// None.
    AllGuarded,
}

impl Mutations {
    /// What two files come to: whoever closes something wins.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::AllGuarded, _) | (_, Self::AllGuarded) => Self::AllGuarded,
            (Self::Anonymous, _) | (_, Self::Anonymous) => Self::Anonymous,
            (Self::GuardedWhereTheyLoosen, Self::GuardedWhereTheyLoosen) => Self::GuardedWhereTheyLoosen,
        }
    }
}

/// Switches about changes.
const ANONYMOUS: &str = "allow_anonymous_mutations";
const ALL_GUARDED: &str = "require_identity_for_all_mutations";

/// Everything the configuration may say.
const KEYS: [&str; 10] = [
    "issuer",
    "audience",
    "jwks",
    "jwks_path",
    "leeway_seconds",
    "groups_claim",
    "trust_actor_claims",
    ANONYMOUS,
    ALL_GUARDED,
    "forbid_self_approval",
];

impl Oidc {
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let document = read(file)?;
        Self::parse(file, &document).map_err(|problem| ConfigError { file: file.to_owned(), problem })
    }

    fn parse(file: &Path, document: &Value) -> Result<Self, String> {
        let text = |problem: DocumentError| problem.to_string();
        let section = Section::document(document, &KEYS).map_err(text)?;
        let leeway = match section.value("leeway_seconds") {
            None => DEFAULT_LEEWAY,
            Some(_) => section.whole("leeway_seconds", 0, MAX_LEEWAY).map_err(text)?.unwrap_or(DEFAULT_LEEWAY),
        };
        let issuer = section.required_text("issuer").map_err(text)?;
        let audience = section.required_text("audience").map_err(text)?;
        let (keys, keys_file) = key_source(file, &issuer, &section)?;
        // What is not given is at least as strict as what may be.
        let flag = |key: &str| section.value(key).map_or(Ok(None), |_| section.flag(key).map_err(text));
        Ok(Self {
            expected: Expectations { issuer, audience, leeway },
            keys,
            keys_file,
            groups: GroupsClaim::read(&section).map_err(text)?,
            trust_actor_claims: flag("trust_actor_claims")?.unwrap_or(false),
            mutations: mutations(&section).map_err(text)?,
            forbid_self_approval: flag("forbid_self_approval")?,
        })
    }
}

/// What the switches about changes come to.
pub(crate) fn mutations(section: &Section<'_>) -> Result<Mutations, DocumentError> {
    match (section.flag(ANONYMOUS)?.unwrap_or(false), section.flag(ALL_GUARDED)?.unwrap_or(false)) {
        (true, true) => Err(section.wrong(ANONYMOUS, &format!("contradicts {ALL_GUARDED}"))),
        (true, false) => Ok(Mutations::Anonymous),
        (false, true) => Ok(Mutations::AllGuarded),
        (false, false) => Ok(Mutations::GuardedWhereTheyLoosen),
    }
}

/// Keys in the file, else in the file it names, which is answered too, else those the issuer publishes.
fn key_source(file: &Path, issuer: &str, section: &Section<'_>) -> Result<(KeySource, Option<PathBuf>), String> {
    if let Some(set) = section.value("jwks") {
        let keys = parse_keys(set).ok_or("jwks: must be an object with a list keys")?;
        return Ok((fixed(file, keys), None));
    }
    if section.value("jwks_path").is_some() {
        let path = section.required_text("jwks_path").map_err(|problem| problem.to_string())?;
        let path = file.parent().unwrap_or(Path::new("")).join(path);
        let set = read(&path).map_err(|error| format!("jwks_path: {error}"))?;
        let keys = parse_keys(&set)
            .ok_or_else(|| format!("jwks_path: {}: must be an object with a list keys", path.display()))?;
        return Ok((fixed(&path, keys), Some(path)));
    }
    Discovery::new(issuer)
        .map(|discovery| (KeySource::Discovered(discovery), None))
        .ok_or_else(|| "without jwks and jwks_path the issuer must be an https address (http on loopback)".to_owned())
}

/// Keys that are configured; that none of them can be used is said once.
fn fixed(file: &Path, set: KeySet) -> KeySource {
    if let Some(skipped) = set.unusable() {
        tracing::warn!(file = %file.display(), skipped, "the key set has no key that RS256 tokens can be verified with");
    }
    KeySource::fixed(set.keys)
}

/// Reads an RBAC file.
pub(crate) fn load_rbac(file: &Path) -> Result<Rbac, ConfigError> {
    Rbac::parse(&read(file)?).map_err(|problem| ConfigError { file: file.to_owned(), problem: problem.to_string() })
}

/// Reads a file of members of chats; `issuer` is the one that the identity provider stands for, if there is one.
pub(crate) fn load_chat_members(file: &Path, issuer: Option<&str>) -> Result<ChatMembers, ConfigError> {
    ChatMembers::parse(&read(file)?, issuer)
        .map_err(|problem| ConfigError { file: file.to_owned(), problem: problem.to_string() })
}

fn read(file: &Path) -> Result<Value, ConfigError> {
    read_document(file).map_err(|problem| ConfigError { file: file.to_owned(), problem })
}
