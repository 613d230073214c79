//! The way out: from a target to an answer. Whatever the name of the host leads to is looked at before anything is sent, and
//! what was looked at is what is connected to.

use std::net::SocketAddr;
use std::time::Duration;

use cavra_fetch::{Answer, Outgoing, SendError, Sender};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use crate::address::Grant;
use crate::oauth::Tokens;
use crate::target::Target;

/// Most requests under way at once.
const MOST_AT_ONCE: usize = 32;

/// Most of an answer that is read, in bytes. Nothing of it is kept.
const ANSWER_LIMIT: usize = 4096;

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// An answer with this status; the receiver may say how long it wants to be left alone.
    Answered { status: u16, wait: Option<Duration> },
    /// Nobody is there.
    Unreachable,
    /// There was no answer in time.
    TimedOut,
    /// It cannot be sent, and never could.
    Failed,
}

impl Attempt {
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// The same may well succeed a moment later.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::Answered { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Unreachable | Self::TimedOut => true,
            Self::Failed => false,
        }
    }

    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What is said about it. Nothing of what the receiver or the system said.
    pub fn error(self) -> Option<String> {
        match self {
            Self::Answered { .. } if self.is_success() => None,
            Self::Answered { status, .. } => Some(format!("HTTP {status}")),
            Self::Unreachable => Some("connector endpoint unreachable".to_owned()),
            Self::TimedOut => Some("connector delivery timed out".to_owned()),
            Self::Failed => Some("connector delivery failed".to_owned()),
        }
    }
}

/// Sends requests, a bounded number at once.
pub(crate) struct Outbound {
    sender: Sender,
    tokens: Tokens,
    permits: Semaphore,
}

impl Outbound {
    pub fn new() -> Self {
        Self { sender: Sender::new(), tokens: Tokens::default(), permits: Semaphore::new(MOST_AT_ONCE) }
    }

    /// One attempt, with further headers for it alone.
    pub async fn attempt(
        &self,
        target: &Target,
        headers: &[(&'static str, String)],
        body: &[u8],
        limit: Duration,
    ) -> Attempt {
        // Waiting for a permit counts: whoever asks has said how long an attempt may take.
        let attempt = async {
            let Ok(_permit) = self.permits.acquire().await else { return Attempt::Failed };
            self.exchange(target, headers, body).await
        };
        match timeout(limit, attempt).await {
            Ok(attempt) => attempt,
            Err(_) => Attempt::TimedOut,
        }
    }

    async fn exchange(&self, target: &Target, more: &[(&'static str, String)], body: &[u8]) -> Attempt {
        let addresses = match addresses(&target.url, &target.grant).await {
            Ok(addresses) => addresses,
            Err(attempt) => return attempt,
        };
        let mut headers: Vec<(String, String)> =
            target.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
        // What the operator wrote wins.
        let more = more.iter().filter(|(name, _)| !target.headers.contains_key(*name));
        headers.extend(more.map(|(name, value)| ((*name).to_owned(), value.clone())));
        if let Some(client) = &target.client {
            match self.tokens.token(&self.sender, client).await {
                Ok(token) => headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose()))),
                Err(attempt) => return attempt,
            }
        }
        let (method, url) = (target.method.clone(), target.url.clone());
        let outgoing = Outgoing { method, url, headers, body: body.to_vec() };
        let attempt = match self.sender.send(outgoing, &addresses, ANSWER_LIMIT).await {
            Ok(answer) => Attempt::Answered { status: answer.status, wait: wait(&answer) },
            Err(SendError::Unreachable) => Attempt::Unreachable,
            Err(SendError::TimedOut) => Attempt::TimedOut,
            Err(_) => Attempt::Failed,
        };
        if let (Some(client), Attempt::Answered { status: 401, .. }) = (&target.client, attempt) {
            self.tokens.forget(client).await;
        }
        attempt
    }
}

/// The addresses of a host, if the operator's grant covers all of them: one that is not covered says that the name cannot
/// be trusted.
pub(crate) async fn addresses(url: &Url, grant: &Grant) -> Result<Vec<SocketAddr>, Attempt> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|_| Attempt::Unreachable)?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() {
        return Err(Attempt::Unreachable);
    }
    if addresses.iter().all(|address| grant.permits(address.ip())) { Ok(addresses) } else { Err(Attempt::Failed) }
}

/// How long the receiver asks us to wait.
fn wait(answer: &Answer) -> Option<Duration> {
    answer.retry_after.as_deref()?.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}
