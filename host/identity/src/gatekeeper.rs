//! One extractor, one `can_decide`: from what a request brings along to an identity, and from an identity to an
//! answer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_model::{ChatService, KnownBy, Object, Person, Timestamp};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::chat::ChatMembers;
use crate::claims::GroupsClaim;
use crate::config::{Mutations, Oidc, load_chat_members, load_rbac};
use crate::discovery::Unavailable;
use crate::jwt::{Refusal, Token};
use crate::{Actor, ConfigError, Permission, Rbac};

/// Group whose members may break the glass.
const BREAK_GLASS_GROUP: &str = "Change Advisory Board";
/// Group whose members may expire anything.
const SYSTEM_GROUP: &str = "system";

/// How an actor was established; recorded as `decided_via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By a signed token.
    Token,
    /// By claims nobody signed.
    Claims,
    /// By what a chat signed.
    #[serde(untagged)]
    Chat(ChatService),
}

impl Via {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Claims => "claims",
            Self::Chat(service) => service.as_str(),
        }
    }
}

/// An established actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub actor: Actor,
    /// How we know.
    pub via: Via,
}

impl Identity {
    /// The person behind it, as people are compared and recorded.
    #[must_use]
    pub fn person(&self) -> Person {
        self.actor.person(match self.via {
            Via::Token => KnownBy::Token,
            Via::Claims => KnownBy::Claims,
            Via::Chat(service) => KnownBy::Chat(service),
        })
    }

    /// What to say to somebody who lacks a group, if their groups were left out of what they sent.
    #[must_use]
    pub fn missing_groups(&self) -> Option<&'static str> {
        self.actor.groups_left_out.then_some(
            "the token does not carry this person's groups (`_claim_names`: the provider leaves them out where there are \
             too many); let the provider send only groups that are assigned to this application, or application roles",
        )
    }
}

/// What a request brings along.
#[derive(Clone, Default)]
pub struct Envelope {
    /// `actor_claims` of the body.
    pub claims: Option<Object>,
    /// `actor_token` of the body.
    pub token: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
}

impl Envelope {
    /// Members of a body that belong to the envelope. They are never stored.
    pub const FIELDS: [&'static str; 2] = ["actor_claims", "actor_token"];

    /// The envelope of a body and a header. A member of the wrong type is not there; claims that claim nothing are none.
    #[must_use]
    pub fn from_body(body: &Object, authorization: Option<&str>) -> Self {
        Self {
            claims: body.get("actor_claims").and_then(Value::as_object).filter(|claims| !claims.is_empty()).cloned(),
            token: body
                .get("actor_token")
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(ToOwned::to_owned),
            authorization: authorization.map(ToOwned::to_owned),
        }
    }

    /// The signed token, if there is one. A header that is no bearer token is as wrong as a bad token.
    fn signed(&self) -> Result<Option<&str>, IdentityError> {
        let bearer = match &self.authorization {
            None => None,
            Some(value) => {
                let (scheme, token) = value.trim().split_once(' ').unwrap_or((value, ""));
                let token = token.trim();
                if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
                    return Err(IdentityError::Unauthenticated("the Authorization header is no bearer token"));
                }
                Some(token)
            }
        };
        Ok(self.token.as_deref().or(bearer))
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").finish_non_exhaustive()
    }
}

/// Why there is no identity. The texts hold nothing of what was sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// A token was sent and there is no way to check it.
    #[error("tokens are not accepted here: OpenID Connect is not configured")]
    TokenNotConfigured,
    /// What was sent is not to be believed, or nothing was sent where something has to be.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The provider's keys cannot be had.
    #[error("the identity provider cannot be reached")]
    KeysUnavailable,
}

/// What somebody wants to make of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decide {
    /// Approve.
    Approved,
    /// Deny.
    Denied,
    /// Expire.
    Expired,
}

impl Decide {
    /// The canonical name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// From the canonical name or its alias.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "approved" | "approve" => Some(Self::Approved),
            "denied" | "deny" => Some(Self::Denied),
            "expired" | "expire" => Some(Self::Expired),
            _ => None,
        }
    }
}

/// The approval somebody wants to decide, as far as access to it depends on it.
#[derive(Clone, Copy, Debug)]
pub struct DecisionSubject<'a> {
    /// Repository of its decision.
    pub repository: Option<&'a str>,
    /// Group it is for.
    pub approver_group: &'a str,
    /// Whether it breaks the glass.
    pub break_glass: bool,
}

/// Knows who is who and who may what. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Gatekeeper {
    oidc: Option<Arc<Oidc>>,
    rbac: Option<Arc<Rbac>>,
    chat: Arc<ChatMembers>,
    /// What it was read from.
    files: Arc<[PathBuf]>,
}

impl Gatekeeper {
    /// Reads the configured files; a file that is not named is a control that is off.
    ///
    /// # Errors
    /// [`ConfigError`] naming a file that cannot be used.
    pub fn load(oidc_config: Option<&Path>, rbac_file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(oidc_config, rbac_file, None)
    }

    /// As [`Gatekeeper::load`], while this one is in force. Keys that the same issuer has published are kept: they serve if
    /// it cannot be reached.
    ///
    /// # Errors
    /// As [`Gatekeeper::load`].
    pub fn again(&self, oidc_config: Option<&Path>, rbac_file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(oidc_config, rbac_file, self.oidc.as_deref())
    }

    fn read(oidc_config: Option<&Path>, rbac_file: Option<&Path>, before: Option<&Oidc>) -> Result<Self, ConfigError> {
        let mut oidc = oidc_config.map(Oidc::load).transpose()?;
        if let (Some(oidc), Some(before)) = (&mut oidc, before) {
            oidc.keys.take_over(&before.keys);
        }
        let rbac = rbac_file.map(load_rbac).transpose()?.map(Arc::new);
        let keys = oidc.as_ref().and_then(|oidc| oidc.keys_file.as_deref());
        let files = [oidc_config, keys, rbac_file].into_iter().flatten().map(ToOwned::to_owned).collect();
        Ok(Self { oidc: oidc.map(Arc::new), rbac, chat: Arc::default(), files })
    }

    /// The files that it was read from.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// With the members of chats who decide from there, as a file maps them to people.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file if it cannot be used, or if a person of it could not be told to be the one that the
    /// identity provider knows.
    pub fn with_chat_members(self, file: &Path) -> Result<Self, ConfigError> {
        let issuer = self.oidc.as_ref().map(|oidc| oidc.expected.issuer.as_str());
        let files = self.files.iter().cloned().chain([file.to_owned()]).collect();
        Ok(Self { chat: Arc::new(load_chat_members(file, issuer)?), files, ..self })
    }

    /// The person behind a member of a chat: `team` is the workspace or tenant that the member belongs to.
    #[must_use]
    pub fn chat_member(&self, service: ChatService, team: &str, user: &str) -> Option<Identity> {
        let claims = self.chat.claims(service, team, user)?;
        let actor = Actor::from_claims(claims, &GroupsClaim::default(), self.rbac.as_deref());
        Some(Identity { actor, via: Via::Chat(service) })
    }

    /// Asks the issuer for its keys once more, unless that was done just now; without any, as [`Gatekeeper::prepare`].
    ///
    /// # Errors
    /// As [`Gatekeeper::prepare`]; that the issuer cannot be reached is none while it has published keys that still count.
    pub async fn renew(&self) -> Result<(), IdentityError> {
        if let Some(oidc) = &self.oidc {
            oidc.keys.ask().await;
        }
        self.prepare().await
    }

    /// Fetches the keys that the configuration leaves to the issuer. A configuration that leads to no keys
    /// stops the server.
    ///
    /// # Errors
    /// [`IdentityError::KeysUnavailable`]; the log says why.
    pub async fn prepare(&self) -> Result<(), IdentityError> {
        match &self.oidc {
            None => Ok(()),
            Some(oidc) => oidc.keys.keys(None).await.map(drop).map_err(|Unavailable| IdentityError::KeysUnavailable),
        }
    }

    /// With neither configured: everybody is who they say.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// The identity a request brings along, if any. A signed token is the only identity considered if there is one.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub async fn identify(&self, envelope: &Envelope) -> Result<Option<Identity>, IdentityError> {
        if let Some(token) = envelope.signed()? {
            return self.verify(token).await.map(Some);
        }
        match &envelope.claims {
            None => Ok(None),
            Some(_) if !self.trusts_claims() => {
                Err(IdentityError::Unauthenticated("unsigned claims are not accepted; a token is needed"))
            }
            Some(claims) => Ok(Some(Identity { actor: self.actor(claims), via: Via::Claims })),
        }
    }

    /// As [`Gatekeeper::identify`], but nobody is not enough as soon as OpenID Connect or RBAC is configured.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub async fn require(&self, envelope: &Envelope) -> Result<Option<Identity>, IdentityError> {
        match self.identify(envelope).await? {
            None if self.is_configured() => Err(IdentityError::Unauthenticated("this needs an identity")),
            identity => Ok(identity),
        }
    }

    /// What the files say about changes that name nobody: whoever closes something wins.
    fn mutations(&self) -> Mutations {
        let oidc = self.oidc.as_ref().map(|oidc| oidc.mutations).unwrap_or_default();
        oidc.and(self.rbac.as_ref().map(|rbac| rbac.mutations).unwrap_or_default())
    }

    /// Whether there is a way to establish who somebody is, or what they may decide.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.oidc.is_some() || self.rbac.is_some()
    }

    async fn verify(&self, text: &str) -> Result<Identity, IdentityError> {
        if text.starts_with("cavra_") {
            return Err(IdentityError::Unauthenticated("an API token names a machine, not a person"));
        }
        let oidc = self.oidc.as_ref().ok_or(IdentityError::TokenNotConfigured)?;
        let token = Token::parse(text).map_err(IdentityError::Unauthenticated)?;
        let keys = oidc.keys.keys(token.kid()).await.map_err(|Unavailable| IdentityError::KeysUnavailable)?;
        let mut claims = token.verify(&keys, &oidc.expected, Timestamp::now());
        // The provider may have changed a key and kept its id.
        if matches!(claims, Err(Refusal::Signature))
            && let Some(newer) = oidc.keys.doubted(&keys).await
        {
            claims = token.verify(&newer, &oidc.expected, Timestamp::now());
        }
        let claims = claims.map_err(|refusal| IdentityError::Unauthenticated(refusal.sentence()))?;
        Ok(Identity { actor: self.actor(&claims), via: Via::Token })
    }

    fn actor(&self, claims: &Object) -> Actor {
        let configured = self.oidc.as_ref().map(|oidc| &oidc.groups);
        Actor::from_claims(claims, configured.unwrap_or(&GroupsClaim::default()), self.rbac.as_deref())
    }

    /// Whether OpenID Connect is configured.
    #[must_use]
    pub fn oidc_configured(&self) -> bool {
        self.oidc.is_some()
    }

    /// Whether RBAC is configured.
    #[must_use]
    pub fn rbac_configured(&self) -> bool {
        self.rbac.is_some()
    }

    /// Whether anything is configured by which callers are told apart.
    #[must_use]
    pub fn identifies(&self) -> bool {
        self.oidc_configured() || self.rbac_configured()
    }

    /// Whether unsigned claims are taken as given: without a provider there is nothing to check them against, and
    /// with one only if the operator says so.
    #[must_use]
    pub fn trusts_claims(&self) -> bool {
        self.oidc.as_ref().is_none_or(|oidc| oidc.trust_actor_claims)
    }

    /// Whether every endpoint that changes something needs an identity.
    #[must_use]
    pub fn requires_identity_for_all_mutations(&self) -> bool {
        self.is_configured() && self.mutations() == Mutations::AllGuarded
    }

    /// Whether nobody in particular may change what is enforced and who is trusted: where there is no way to establish
    /// identity, and where an access file says so.
    #[must_use]
    pub fn admits_anonymous_mutations(&self) -> bool {
        !self.is_configured() || self.mutations() == Mutations::Anonymous
    }

    /// Whether an identity established that way is kept from approving its own requests.
    #[must_use]
    pub fn forbids_self_approval(&self, via: Via) -> bool {
        self.oidc.as_ref().and_then(|oidc| oidc.forbid_self_approval).unwrap_or(via != Via::Claims)
    }

    /// Whether the actor may take that action on the approval.
    #[must_use]
    pub fn can_decide(&self, actor: &Actor, subject: &DecisionSubject<'_>, action: Decide) -> bool {
        if subject.break_glass && !actor.in_group(BREAK_GLASS_GROUP) {
            return false;
        }
        self.rbac.as_ref().is_some_and(|rbac| rbac.grants(actor, subject, action))
            || actor.in_group(subject.approver_group)
            || (action == Decide::Expired && actor.in_group(SYSTEM_GROUP))
    }

    /// What RBAC gives the actor.
    #[must_use]
    pub fn permissions_of(&self, actor: &Actor) -> Vec<Permission> {
        self.rbac.as_ref().map(|rbac| rbac.permissions_of(actor)).unwrap_or_default()
    }
}
