//! HTTP towards others: one document at a time, bounded in time and size. What is fetched has to be where it was asked
//! for, so no redirect is followed; what is not encrypted goes through no proxy. Nothing is decompressed, so what is
//! counted is what was sent. A [`Sender`] sends requests to addresses that somebody has looked at before.

mod send;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use thiserror::Error;
use url::Host;

pub use reqwest::Url;
pub use send::{Answer, Authorities, NoCertificates, Outgoing, Proxy, Route, SendError, Sender};

/// Why a document cannot be had. `Display` says it about the answer and names neither address nor credential.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no client for such addresses here.
    #[error("TLS is not available")]
    NoClient,
    /// A token would have to be sent to where others can read it.
    #[error("a token is sent over https only, or to this machine")]
    Exposed,
    /// A text is no address.
    #[error("this is no address")]
    NoAddress,
    /// Nobody answered in time, or not in HTTP.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer is a refusal, or anything else but a success.
    #[error("answered with status {0}")]
    Status(u16),
    /// The answer points elsewhere.
    #[error("answered with status {0}: redirects are not followed")]
    Redirect(u16),
    /// The answer is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer broke off.
    #[error("the answer is cut off: {0}")]
    CutOff(String),
}

impl FetchError {
    /// Whether the same question may well be answered a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::CutOff(_) | Self::Status(429 | 502 | 503 | 504))
    }
}

/// A bearer token. It shows nowhere and is sent nowhere but to where [`Client::with_token`] is asked for.
#[derive(Clone, Debug)]
pub struct Token(HeaderValue);

/// A text cannot be sent as a token.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this is no token: it has characters that cannot be sent")]
pub struct InvalidToken;

impl Token {
    /// The token as it was given.
    ///
    /// # Errors
    /// [`InvalidToken`].
    pub fn new(token: &str) -> Result<Self, InvalidToken> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| InvalidToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// A client. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    client: reqwest::Client,
    token: Option<Token>,
}

impl Client {
    /// For addresses of this scheme; `timeout` is the time for one document.
    ///
    /// # Errors
    /// [`FetchError::NoClient`].
    pub fn new(scheme: &str, timeout: Duration) -> Result<Self, FetchError> {
        // Fails only if another provider was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(timeout);
        let builder = if scheme == "https" { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|_| FetchError::NoClient)?;
        Ok(Self { client, token: None })
    }

    /// Sends this token with every request; addresses that are not [`is_private`] are not asked then.
    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The document at `url`, of at most `limit` bytes.
    ///
    /// # Errors
    /// Every [`FetchError`] about an answer.
    pub async fn get(&self, url: Url, limit: usize) -> Result<Vec<u8>, FetchError> {
        if self.token.is_some() && !is_private(&url) {
            return Err(FetchError::Exposed);
        }
        let mut request = self.client.get(url);
        if let Some(Token(value)) = &self.token {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let mut response = request.send().await.map_err(|error| FetchError::NoAnswer(innermost(error)))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirect(status.as_u16()));
        }
        if !status.is_success() {
            return Err(FetchError::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| FetchError::CutOff(innermost(error)))? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// What went wrong at the bottom: the errors above it only repeat the address.
fn innermost(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether what is sent to this address and what is answered can be read and changed by nobody on the way: `https`, or
/// `http` on loopback.
#[must_use]
pub fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read() {
        for (address, private) in [
            ("https://a.example/x", true),
            ("http://localhost:8000", true),
            ("http://127.0.0.1", true),
            ("http://127.1.2.3:1", true),
            ("http://[::1]/", true),
            ("http://a.example", false),
            ("http://localhost.a.example", false),
            ("http://128.0.0.1", false),
            ("http://[::2]/", false),
            ("http://0.0.0.0", false),
            ("ftp://localhost", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_private(&address.parse().unwrap()), private, "{address}");
        }
    }

    #[test]
    fn a_token_does_not_show() {
        let token = Token::new("hush-hush").unwrap();
        let client = Client::new("http", Duration::from_secs(1)).unwrap().with_token(token.clone());
        assert!(!format!("{token:?} {client:?}").contains("hush"));
        for wrong in ["a\nb", "a\rb", "a\0b", "a\u{7f}b"] {
            assert_eq!(Token::new(wrong).unwrap_err(), InvalidToken, "{wrong:?}");
        }
    }

    /// The address belongs to nobody, so whoever asks it all the same gets another error.
    #[test]
    fn a_token_is_not_sent_where_others_can_read_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::new("http", Duration::from_millis(50)).unwrap().with_token(Token::new("hush").unwrap());
        let asked = runtime.block_on(client.get("http://192.0.2.1/".parse().unwrap(), 1));
        assert_eq!(asked, Err(FetchError::Exposed));
    }

    #[test]
    fn what_passes_by_itself() {
        let passing = [FetchError::NoAnswer("x".into()), FetchError::CutOff("x".into()), FetchError::Status(503)];
        let lasting =
            [FetchError::Status(404), FetchError::Status(500), FetchError::Redirect(302), FetchError::TooLarge(1)];
        assert!(passing.iter().all(FetchError::is_passing) && !lasting.iter().any(FetchError::is_passing));
    }
}
