//! Access tokens of OAuth 2.0 client credentials (RFC 6749, section 4.4): fetched when they are needed, kept until shortly
//! before they run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_fetch::{Authorities, Outgoing, SendError, Sender};
use cavra_model::{Digest, Object, members};
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::Secret;
use crate::address::Grant;
use crate::network::Network;
use crate::send::Attempt;

/// Largest answer of a token endpoint, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// How long before it runs out a token is not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// How long a token is kept whose endpoint does not say how long it lives.
const UNSAID: u64 = 300;

/// Longest that a token is kept, in seconds.
const LONGEST: u64 = 24 * 3600;

/// Most tokens that are kept.
const MOST: usize = 64;

/// What a client gets its tokens with.
#[derive(Clone)]
pub(crate) struct ClientCredentials {
    pub url: Url,
    pub grant: Grant,
    pub id: Secret,
    pub secret: Secret,
    pub scope: Option<String>,
    /// Who may vouch for the endpoint, besides the system's authorities.
    pub authorities: Option<Authorities>,
}

impl ClientCredentials {
    fn key(&self) -> String {
        let parts = [self.url.as_str(), self.id.expose(), self.secret.expose(), self.scope.as_deref().unwrap_or("")];
        Digest::of(parts.join("\n")).hex().to_owned()
    }

    fn request(&self) -> Outgoing {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        let encoded = |secret: &Secret| byte_serialize(secret.expose().as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encoded(&self.id), encoded(&self.secret)));
        let headers = [
            ("authorization", format!("Basic {pair}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        Outgoing {
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: form.finish().into_bytes(),
            authorities: self.authorities.clone(),
        }
    }
}

/// A token, and until when it is used.
struct Kept {
    token: Secret,
    until: Instant,
}

/// The tokens that are kept, each in a place of its own: an endpoint that does not answer keeps nobody else waiting.
#[derive(Default)]
pub(crate) struct Tokens {
    places: Mutex<HashMap<String, Arc<Mutex<Option<Kept>>>>>,
}

impl Tokens {
    /// A token, fetched if there is none that can be used. Who wants one while it is fetched waits for it.
    pub async fn token(
        &self,
        sender: &Sender,
        network: &Network,
        credentials: &ClientCredentials,
    ) -> Result<Secret, Attempt> {
        let place = self.place(credentials.key()).await;
        let mut kept = place.lock().await;
        if let Some(found) = kept.as_ref().filter(|found| found.until > Instant::now()) {
            return Ok(found.token.clone());
        }
        let route = network.route(&credentials.url, &credentials.grant).await?;
        let answer = sender.send(credentials.request(), &route, ANSWER_LIMIT).await.map_err(|error| match error {
            SendError::Unreachable => Attempt::Unreachable,
            SendError::TimedOut => Attempt::TimedOut,
            _ => Attempt::Broken,
        })?;
        if !(200..300).contains(&answer.status) {
            return Err(if answer.status >= 500 { Attempt::Unreachable } else { Attempt::NotPermitted });
        }
        let (token, lifetime) = read(&answer.body).ok_or(Attempt::NotPermitted)?;
        let until = Instant::now() + Duration::from_secs(lifetime).saturating_sub(MARGIN);
        *kept = Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    async fn place(&self, key: String) -> Arc<Mutex<Option<Kept>>> {
        let mut places = self.places.lock().await;
        if places.len() >= MOST && !places.contains_key(&key) {
            places.clear();
        }
        Arc::clone(places.entry(key).or_default())
    }

    /// A token was not accepted: the next one is fetched.
    pub async fn forget(&self, credentials: &ClientCredentials) {
        self.places.lock().await.remove(&credentials.key());
    }
}

/// The token in an answer, and how long it lives in seconds.
fn read(body: &[u8]) -> Option<(Secret, u64)> {
    let answer: Object = serde_json::from_slice(body).ok()?;
    let token = members::filled(&answer, "access_token")?;
    let is_bearer = members::filled(&answer, "token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let sendable = token.bytes().all(|byte| byte.is_ascii_graphic());
    let lifetime = match answer.get("expires_in") {
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        other => other.and_then(serde_json::Value::as_u64),
    };
    (is_bearer && sendable).then(|| (Secret::new(token), lifetime.unwrap_or(UNSAID).min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_that_can_be_sent_are_taken() {
        for (body, lifetime) in [
            (r#"{"access_token": "t", "token_type": "bearer", "expires_in": 3600}"#, Some(3600)),
            (r#"{"access_token": "t", "token_type": "Bearer", "expires_in": "60"}"#, Some(60)),
            (r#"{"access_token": "t"}"#, Some(UNSAID)),
            (r#"{"access_token": "t", "expires_in": 99999999}"#, Some(LONGEST)),
            (r#"{"access_token": "t\r\nx: y"}"#, None),
            (r#"{"access_token": "t", "token_type": "mac"}"#, None),
            (r#"{"token": "t"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(read(body.as_bytes()).map(|(_, lifetime)| lifetime), lifetime, "{body}");
        }
    }
}
