//! Where the provider's keys come from: a file, or the provider itself (OpenID Connect Discovery 1.0), cached.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Host;

use crate::jwk::{Key, parse_keys};

/// How long fetched keys are taken as current.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Shortest time between two attempts, so that nobody makes us hammer the provider with unknown key ids.
const RETRY: Duration = Duration::from_secs(30);
/// How long keys are used when the provider cannot be reached any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
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
    Discovered(Discovery),
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
}

/// An issuer that publishes its keys.
#[derive(Debug)]
pub struct Discovery {
    issuer: String,
    document: Url,
    client: OnceLock<Option<Client>>,
    /// One caller fetches, the others wait for what it finds.
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    keys: Arc<Vec<Key>>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
}

impl Discovery {
    /// For an issuer that is an `https` address, or `http` on loopback.
    pub fn new(issuer: &str) -> Option<Self> {
        let document = address(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
        Some(Self { issuer: issuer.to_owned(), document, client: OnceLock::new(), cache: Mutex::default() })
    }

    async fn keys(&self, kid: Option<&str>) -> Result<Arc<Vec<Key>>, Unavailable> {
        let mut cache = self.cache.lock().await;
        let within = |moment: Option<Instant>, span: Duration| moment.is_some_and(|moment| moment.elapsed() < span);
        let known = cache.keys.iter().any(|key| key.may_verify(kid));
        let wanted = !known || !within(cache.fetched, FRESH);
        if wanted && !within(cache.attempted, RETRY) {
            cache.attempted = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    cache.keys = Arc::new(keys);
                    cache.fetched = Some(Instant::now());
                }
                Err(problem) => tracing::warn!(issuer = self.issuer, problem, "keys cannot be fetched"),
            }
        }
        if within(cache.fetched, STALE) { Ok(Arc::clone(&cache.keys)) } else { Err(Unavailable) }
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let configuration = self.document(self.document.clone()).await?;
        if configuration.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("the discovery document is of another issuer".to_owned());
        }
        let set = configuration.get("jwks_uri").and_then(Value::as_str).and_then(address);
        let set = self.document(set.ok_or("jwks_uri is no https address")?).await?;
        parse_keys(&set).ok_or_else(|| "the document at jwks_uri is no key set".to_owned())
    }

    async fn document(&self, url: Url) -> Result<Value, String> {
        let client = self.client.get_or_init(client).as_ref().ok_or("TLS is not available")?;
        let mut response =
            client.get(url).send().await.map_err(|error| format!("no answer: {}", error.without_url()))?;
        if !response.status().is_success() {
            return Err(format!("answered with status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            if body.len() + chunk.len() > SIZE_LIMIT {
                return Err(format!("the document is larger than {SIZE_LIMIT} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| "the document is not JSON".to_owned())
    }
}

/// A client that follows no redirect: the keys have to be where the issuer says.
fn client() -> Option<Client> {
    // Fails only if another provider was installed before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).timeout(TIMEOUT).build().ok()
}

/// An address that keys may come from.
fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "https" || (url.scheme() == "http" && loopback)).then_some(url)
}
