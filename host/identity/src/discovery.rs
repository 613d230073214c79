//! Where the provider's keys come from: a file, or the provider itself (OpenID Connect Discovery 1.0), cached.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use cavra_fetch::{Client, FetchError, Url, is_private};
use cavra_model::read_json;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::jwk::{Key, KeySet, parse_keys};

/// How long fetched keys are taken as current.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Shortest time from one attempt to the next, so that nobody makes us hammer the provider with unknown key ids or wrong
/// signatures.
const RETRY: Duration = Duration::from_secs(5);
/// How long keys are used when the provider cannot be reached any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long somebody whose key is known waits for keys that are more current. Once nothing came in that time, nobody waits
/// any more until the provider answers again.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time for one document.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest document, in bytes.
const SIZE_LIMIT: usize = 256 * 1024;

/// Where keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// They are configured.
    Fixed(Arc<Vec<Key>>),
    /// The issuer publishes them.
    Discovered(Arc<Discovery>),
}

/// The keys cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl KeySource {
    /// Configured keys.
    pub fn fixed(keys: Vec<Key>) -> Self {
        Self::Fixed(Arc::new(keys))
    }

    /// The keys. If none of them may have signed a token with `kid`, the provider is asked again, because it may have
    /// rotated them.
    pub async fn keys(&self, kid: Option<&str>) -> Result<Arc<Vec<Key>>, Unavailable> {
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Discovered(discovery) => discovery.keys(kid).await,
        }
    }

    /// Keys that the same issuer has published are known already.
    pub(crate) fn take_over(&mut self, before: &Self) {
        if let (Self::Discovered(discovery), Self::Discovered(before)) = (&mut *self, before)
            && discovery.issuer == before.issuer
        {
            *discovery = Arc::clone(before);
        }
    }

    /// Asks whoever publishes keys, unless that was done just now.
    pub(crate) async fn ask(&self) {
        if let Self::Discovered(discovery) = self {
            discovery.ask().await;
        }
    }

    /// Other keys than `known`, which did not make a signature that they should have made: the provider is asked again,
    /// unless it was asked just now.
    pub async fn doubted(&self, known: &Arc<Vec<Key>>) -> Option<Arc<Vec<Key>>> {
        match self {
            Self::Fixed(_) => None,
            Self::Discovered(discovery) => discovery.doubted(known).await,
        }
    }
}

/// An issuer that publishes its keys.
#[derive(Debug)]
pub struct Discovery {
    issuer: String,
    document: Url,
    client: OnceLock<Result<Client, FetchError>>,
    fetched: RwLock<Option<Fetched>>,
    /// When the last attempt ended. One caller fetches, the others wait for what it finds.
    attempted: Arc<Mutex<Option<Instant>>>,
    /// The provider did not answer in time, or not as it should.
    is_down: AtomicBool,
}

/// Keys, and when they were fetched.
#[derive(Clone, Debug)]
struct Fetched {
    keys: Arc<Vec<Key>>,
    at: Instant,
}

impl Discovery {
    /// For an issuer that is an `https` address, or `http` on loopback, without query and fragment.
    pub fn new(issuer: &str) -> Option<Arc<Self>> {
        // On its own first: what is appended must not become its host or a part of its query.
        address(issuer).filter(|url| url.query().is_none() && url.fragment().is_none())?;
        let document = address(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
        Some(Arc::new(Self {
            issuer: issuer.to_owned(),
            document,
            client: OnceLock::new(),
            fetched: RwLock::default(),
            attempted: Arc::default(),
            is_down: AtomicBool::new(false),
        }))
    }

    async fn keys(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<Vec<Key>>, Unavailable> {
        // Who can be served needs not wait for a provider that somebody else asks.
        if let Some(keys) = self.known(FRESH, kid) {
            return Ok(keys);
        }
        if let Some(keys) = self.known(STALE, kid) {
            return Ok(self.refreshed_beside(kid).await.unwrap_or(keys));
        }
        self.ask().await;
        self.within(STALE).map(|fetched| fetched.keys).ok_or(Unavailable)
    }

    /// Keys fetched within `span`, if one of them may have signed a token with `kid`.
    fn known(&self, span: Duration, kid: Option<&str>) -> Option<Arc<Vec<Key>>> {
        let keys = self.within(span)?.keys;
        keys.iter().any(|key| key.may_verify(kid)).then_some(keys)
    }

    /// Has the keys fetched beside the request, which waits a moment for them unless the provider is known to be down.
    async fn refreshed_beside(self: &Arc<Self>, kid: Option<&str>) -> Option<Arc<Vec<Key>>> {
        if self.is_down.load(Ordering::Relaxed) {
            if let Ok(attempted) = Arc::clone(&self.attempted).try_lock_owned()
                && is_due(*attempted)
            {
                tokio::spawn(Arc::clone(self).refresh(attempted));
            }
            return None;
        }
        if tokio::time::timeout(PATIENCE, self.ask()).await.is_err() {
            self.is_down.store(true, Ordering::Relaxed);
        }
        // What the provider has withdrawn since is not used, even if nothing else is there.
        self.within(FRESH).map(|fetched| fetched.keys).or_else(|| self.known(STALE, kid))
    }

    async fn doubted(self: &Arc<Self>, known: &Arc<Vec<Key>>) -> Option<Arc<Vec<Key>>> {
        self.ask().await;
        self.within(FRESH).map(|fetched| fetched.keys).filter(|keys| !Arc::ptr_eq(keys, known))
    }

    /// Asks the provider, unless that was done just now; one attempt serves all who wait.
    async fn ask(self: &Arc<Self>) {
        let attempted = Arc::clone(&self.attempted).lock_owned().await;
        if is_due(*attempted) {
            // In a task of its own: a caller who hangs up must not end what the others wait for.
            let _ = tokio::spawn(Arc::clone(self).refresh(attempted)).await;
        }
    }

    fn within(&self, span: Duration) -> Option<Fetched> {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        fetched.clone().filter(|fetched| fetched.at.elapsed() < span)
    }

    async fn refresh(self: Arc<Self>, mut attempted: OwnedMutexGuard<Option<Instant>>) {
        match self.fetch().await {
            Ok(set) => {
                if let Some(skipped) = set.unusable() {
                    tracing::warn!(issuer = self.issuer, skipped, "the provider publishes no key for RS256 tokens");
                }
                let fetched = Fetched { keys: Arc::new(set.keys), at: Instant::now() };
                *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched);
                self.is_down.store(false, Ordering::Relaxed);
            }
            Err(problem) => {
                tracing::warn!(issuer = self.issuer, problem, "keys cannot be fetched");
                self.is_down.store(true, Ordering::Relaxed);
            }
        }
        // Counted from its end, or those who waited for an attempt that took long would each make another.
        *attempted = Some(Instant::now());
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let configuration = self.document(self.document.clone()).await?;
        if configuration.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("the discovery document is of another issuer".to_owned());
        }
        let set = configuration.get("jwks_uri").and_then(Value::as_str).and_then(address);
        let set = self.document(set.ok_or("jwks_uri is no https address")?).await?;
        parse_keys(&set).ok_or_else(|| "the document at jwks_uri is no key set".to_owned())
    }

    async fn document(&self, url: Url) -> Result<Value, String> {
        let client = self.client.get_or_init(|| Client::new(self.document.scheme(), TIMEOUT)).as_ref();
        let client = client.map_err(ToString::to_string)?;
        let body = client.get(url, SIZE_LIMIT).await.map_err(|error| error.to_string())?;
        read_json(&body).map_err(|error| format!("the document is {error}"))
    }
}

/// Whether the provider may be asked again.
fn is_due(attempted: Option<Instant>) -> bool {
    attempted.is_none_or(|moment| moment.elapsed() >= RETRY)
}

/// An address that keys may come from.
fn address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(is_private)
}
