//! What comes back from a chat: somebody pressed a button or wrote a command, and the service signed that they did. Nothing of
//! it is believed before the signature counts; who the member is to cavra, and what they may decide, is not known here.

mod choice;
mod once;
mod reply;
mod slack;
mod teams;

use cavra_model::{ChatService, Object, Timestamp, shown_digest};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::{Environment, SettingError, Settings};
use crate::{Connectors, Provider, Secret};

pub use choice::Choice;
pub(crate) use once::Once;
pub use reply::Reply;

/// The setting with the secret that a service signs with.
pub(crate) const SECRET: &str = "callback_secret";

/// How far the moment that a service signed may be from now, in seconds.
const WINDOW: i64 = 300;

/// Longest id of a team or a member, in bytes.
const ID_BYTES: usize = 64;

/// What somebody did in a chat, as its service vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// Where.
    pub service: ChatService,
    /// The workspace or tenant that the member belongs to.
    pub team: String,
    /// The member.
    pub user: String,
    /// What they want to become of which approval; `None` for something else, such as a link that they followed.
    pub choice: Option<Choice>,
    /// The address where the message that they acted on can be replaced; whoever knows it can.
    reply_to: Option<Secret>,
}

/// Why what came is not believed, or not understood. The sentences repeat nothing of it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// Nobody is expected to call.
    #[error("callbacks of {0} are not configured: its entry among the approval providers needs a callback_secret")]
    NotConfigured(&'static str),
    /// The secret cannot be had.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// No signature, or none by the secret.
    #[error("this is not signed by {0}")]
    Unsigned(&'static str),
    /// It was signed too long ago, or will be.
    #[error("this was not signed within the last {WINDOW} seconds")]
    Stale,
    /// It was sent before.
    #[error("this was sent before")]
    Repeated,
    /// More came than can be remembered; nothing of this one was done.
    #[error("too many callbacks at once")]
    Busy,
    /// It is signed, and is no callback.
    #[error("this is signed, but no callback: {0}")]
    Unreadable(&'static str),
}

/// A request as it arrived.
pub struct Arrived<'a> {
    /// The value of a header that stands there once.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body, byte by byte.
    pub body: &'a [u8],
}

/// What a signature says once it counts.
struct Signed {
    /// Names this callback and no other one.
    tag: Vec<u8>,
    /// When it was signed, in seconds since 1970; `None` if the body says it.
    seconds: Option<i64>,
}

impl Connectors {
    /// Whether members of a chat can decide from there.
    #[must_use]
    pub fn calls_back(&self, service: ChatService) -> bool {
        let provider = provider(service);
        let entry = self.config().entry(provider).filter(|_| self.enabled().contains(&provider));
        entry.is_some_and(has_secret)
    }

    /// Reads what came from a chat, once its signature counts: by the secret of the operator's file, made within five minutes,
    /// and not seen before.
    ///
    /// # Errors
    /// [`CallbackError`].
    pub fn callback(&self, service: ChatService, arrived: &Arrived<'_>) -> Result<Press, CallbackError> {
        if !self.calls_back(service) {
            return Err(CallbackError::NotConfigured(service.as_str()));
        }
        let provider = provider(service);
        let entry = self.config().entry(provider).unwrap_or(&Value::Null);
        let keys = keys(service, &Settings::of(provider, entry)?, &|name| std::env::var(name).ok())?;
        let unsigned = || CallbackError::Unsigned(service.as_str());
        let signed = match service {
            ChatService::Slack => slack::signed(&keys, arrived),
            ChatService::Teams => teams::signed(&keys, arrived),
        };
        let Signed { tag, seconds } = signed.ok_or_else(unsigned)?;
        let said = match service {
            ChatService::Slack => slack::read(arrived.body),
            ChatService::Teams => teams::read(arrived.body),
        };
        // What is stale says so before anything of it is looked at.
        let now = Timestamp::now().as_micros().div_euclid(1_000_000);
        let seconds = seconds.or_else(|| said.as_ref().ok().and_then(|said| said.seconds));
        let seconds = seconds.ok_or(CallbackError::Unreadable("it does not say when it was made"))?;
        if now.saturating_sub(seconds).saturating_abs() > WINDOW {
            return Err(CallbackError::Stale);
        }
        self.once().admit(tag, seconds, now)?;
        Ok(said?.press)
    }

    /// The answers that a message about a pending approval can offer there: what a press would send back. They name the
    /// approval as it is now, so none of them decides another one.
    pub(crate) fn answers(&self, provider: Provider, approval: &Object) -> Option<Value> {
        let service: ChatService = provider.as_str().parse().ok()?;
        let pending = approval.get("state") == Some(&json!("pending"));
        let id = approval.get("approval_id").and_then(Value::as_str).filter(|_| pending && self.calls_back(service))?;
        let shown = shown_digest(approval);
        let answer = |verb: &str| format!("{verb} {id} {}", shown.hex());
        Some(json!({ "approve": answer("approve"), "deny": answer("deny") }))
    }
}

/// What a body says, and when it was made.
struct Said {
    press: Press,
    seconds: Option<i64>,
}

const fn provider(service: ChatService) -> Provider {
    match service {
        ChatService::Slack => Provider::Slack,
        ChatService::Teams => Provider::Teams,
    }
}

/// Whether a provider can call back.
pub(crate) fn can_call_back(provider: Provider) -> bool {
    provider.as_str().parse::<ChatService>().is_ok()
}

fn has_secret(entry: &Value) -> bool {
    ["", "_env", "_file"].iter().any(|end| entry.get(format!("{SECRET}{end}")).is_some_and(|value| value != ""))
}

/// Shortest secret, in bytes.
const SHORTEST: usize = 16;

/// A secret that a service signs with.
struct Key(Zeroizing<Vec<u8>>);

impl Key {
    fn mac(&self, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        parts.iter().for_each(|part| mac.update(part));
        Some(mac)
    }
}

/// Whether one of the keys made this signature. How long that takes says nothing about them.
fn is_by_one_of(keys: &[Key], parts: &[&[u8]], signature: &[u8]) -> bool {
    keys.iter().any(|key| key.mac(parts).is_some_and(|mac| mac.verify_slice(signature).is_ok()))
}

/// The keys of a service: secrets with blanks between them, so that one can take the place of another.
fn keys(service: ChatService, settings: &Settings<'_>, environment: Environment<'_>) -> Result<Vec<Key>, SettingError> {
    let secrets = settings.secret(SECRET, environment)?.map(Zeroizing::new).unwrap_or_default();
    let bytes = |secret: &str| match service {
        ChatService::Slack => Some(secret.as_bytes().to_vec()),
        ChatService::Teams => teams::decoded(secret),
    };
    let keys: Option<Vec<Key>> =
        secrets.split_whitespace().map(|secret| bytes(secret).map(|bytes| Key(Zeroizing::new(bytes)))).collect();
    let usable = |keys: &Vec<Key>| !keys.is_empty() && keys.iter().all(|key| key.0.len() >= SHORTEST);
    keys.filter(usable).ok_or_else(|| settings.error(format!("`{SECRET}` is no secret of this service")))
}

/// The id of a team or a member, if it can be one.
fn id(value: Option<&Value>) -> Option<String> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let id = value?.as_str()?;
    ((1..=ID_BYTES).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
