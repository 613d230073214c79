//! One request to addresses that the caller has looked at, and what is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use thiserror::Error;

/// Most hosts whose connections are kept.
const MOST_HOSTS: usize = 256;

/// A request.
#[derive(Clone)]
pub struct Outgoing {
    /// Its method.
    pub method: String,
    /// Where to. The host is only a name here: it is not looked up.
    pub url: Url,
    /// Its headers. None of them is ever shown.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, whatever it is: redirects are not followed.
    pub status: u16,
    /// When the receiver wants the next request.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// Why there is no answer. Nothing of the request is in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It is no request that can be sent.
    #[error("this is no request")]
    NoRequest,
    /// There is no client for such addresses here.
    #[error("TLS is not available")]
    NoClient,
    /// Nobody is there, or the way there is not safe.
    #[error("nobody can be reached")]
    Unreachable,
    /// It took too long.
    #[error("it took too long")]
    TimedOut,
    /// The exchange broke off.
    #[error("the exchange broke off")]
    Broken,
}

/// A client for hosts at those addresses.
type Pinned = (Vec<SocketAddr>, reqwest::Client);

/// Sends requests. Connections to a host are kept as long as its addresses stay the same.
#[derive(Default)]
pub struct Sender {
    clients: Mutex<HashMap<String, Pinned>>,
}

impl Sender {
    /// One without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request to one of `addresses`, and nowhere else: to no proxy, to no other address that the name may have
    /// by now, and not to where an answer points. At most `limit` bytes of the answer's body are read.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, outgoing: Outgoing, addresses: &[SocketAddr], limit: usize) -> Result<Answer, SendError> {
        let client = self.client(&outgoing.url, addresses)?;
        let method = Method::from_bytes(outgoing.method.as_bytes()).map_err(|_| SendError::NoRequest)?;
        let mut headers = HeaderMap::new();
        for (name, value) in outgoing.headers {
            let name = HeaderName::try_from(name).map_err(|_| SendError::NoRequest)?;
            let mut value = HeaderValue::try_from(value).map_err(|_| SendError::NoRequest)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let request = client.request(method, outgoing.url).headers(headers).body(outgoing.body);
        let mut response = request.send().await.map_err(|error| kind(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        let mut body = Vec::new();
        // A body that breaks off does not undo the status.
        while let Ok(Some(chunk)) = response.chunk().await {
            let rest = limit - body.len();
            body.extend(chunk.iter().take(rest));
            if body.len() == limit {
                break;
            }
        }
        Ok(Answer { status, retry_after, body })
    }

    fn client(&self, url: &Url, addresses: &[SocketAddr]) -> Result<reqwest::Client, SendError> {
        let host = url.host_str().ok_or(SendError::NoRequest)?;
        let place = format!("{}://{host}:{}", url.scheme(), url.port_or_known_default().unwrap_or_default());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pinned, client)) = clients.get(&place)
            && pinned == addresses
        {
            return Ok(client.clone());
        }
        // Fails only if another provider was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
        let client = builder.resolve_to_addrs(host, addresses).build().map_err(|_| SendError::NoClient)?;
        if clients.len() == MOST_HOSTS {
            clients.clear();
        }
        clients.insert(place, (addresses.to_vec(), client.clone()));
        Ok(client)
    }
}

fn kind(error: &reqwest::Error) -> SendError {
    if error.is_timeout() {
        SendError::TimedOut
    } else if error.is_connect() {
        SendError::Unreachable
    } else if error.is_builder() {
        SendError::NoRequest
    } else {
        SendError::Broken
    }
}
