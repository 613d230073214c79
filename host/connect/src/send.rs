//! The way out: from a target to an answer. Whatever the name of the host leads to is looked at before anything is sent, and
//! what was looked at is what is connected to.

use std::time::Duration;

use cavra_fetch::{Answer, Outgoing, SendError, Sender};
use cavra_model::Timestamp;
use cavra_trace::{ActiveSpan, Kind, TraceContext};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::applied::Applied;
use crate::network::Network;
use crate::oauth::Tokens;
use crate::permit::Permitted;
use crate::target::Target;

/// Most requests under way at once.
const MOST_AT_ONCE: usize = 32;

/// Most of an answer that is read, in bytes. Nothing of it is kept.
const ANSWER_LIMIT: usize = 4096;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// An answer with this status; the receiver may say how long it wants to be left alone.
    Answered { status: u16, wait: Option<Duration> },
    /// Nobody is there.
    Unreachable,
    /// There was no answer in time.
    TimedOut,
    /// The exchange broke off, or was none.
    Broken,
    /// The address leads to where nothing may be sent, or there is no access token.
    NotPermitted,
}

/// What came of one request, with the beginning of the answer's body, without secrets.
pub(crate) struct Answered {
    pub attempt: Attempt,
    pub body: Vec<u8>,
}

impl Attempt {
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// How long the receiver wants to be left alone.
    pub const fn wait(self) -> Option<Duration> {
        match self {
            Self::Answered { wait, .. } => wait,
            _ => None,
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
            Self::Broken | Self::NotPermitted => Some("connector delivery failed".to_owned()),
        }
    }
}

/// Sends requests, a bounded number at once.
pub(crate) struct Outbound {
    sender: Sender,
    tokens: Tokens,
    permits: Semaphore,
    /// The ways to hosts.
    pub network: Network,
}

impl Outbound {
    pub fn new(network: Network) -> Self {
        Self { sender: Sender::new(), tokens: Tokens::default(), permits: Semaphore::new(MOST_AT_ONCE), network }
    }

    /// Sends one request.
    pub async fn attempt(&self, target: &Target, permitted: Permitted<'_>, body: Vec<u8>, limit: Duration) -> Answered {
        let mut span = cavra_trace::span(format!("deliver {}", target.provider.as_str()), Kind::Client, None);
        let context = span.as_ref().map(ActiveSpan::context).or_else(cavra_trace::current);
        // Waiting for a permit counts: whoever asks has said how long an attempt may take.
        let attempt = async {
            let Ok(_permit) = self.permits.acquire().await else { return Err(Attempt::Broken) };
            self.exchange(context, target, permitted, body).await
        };
        let answered = match timeout(limit, attempt).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(attempt)) => Answered { attempt, body: Vec::new() },
            Err(_) => Answered { attempt: Attempt::TimedOut, body: Vec::new() },
        };
        if let Some(span) = &mut span {
            span.attribute("cavra.provider", target.provider.as_str());
            if let Some(status) = answered.attempt.status() {
                span.attribute("http.response.status_code", status);
            }
            if !answered.attempt.is_success() {
                span.fail();
            }
        }
        answered
    }

    /// Exchanges a request for its answer. The receiver is told which trace it belongs to.
    async fn exchange(
        &self,
        context: Option<TraceContext>,
        target: &Target,
        permitted: Permitted<'_>,
        body: Vec<u8>,
    ) -> Result<Answered, Attempt> {
        let Permitted { method, url, grant, headers, client } = permitted;
        let route = self.network.route(&url, grant).await?;
        let mut headers: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
        if let Some(context) = context.filter(|_| headers.iter().all(|(name, _)| name != TRACEPARENT)) {
            headers.push((TRACEPARENT.to_owned(), context.header()));
        }
        let mut applied = Vec::new();
        if let Some(client) = client {
            let token = self.tokens.token(&self.sender, &self.network, client).await?;
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose())));
            applied.push(token);
        }
        let outgoing = Outgoing { method, url, headers, body, authorities: target.authorities.clone() };
        let answer = match self.sender.send(outgoing, &route, ANSWER_LIMIT).await {
            Ok(answer) => answer,
            Err(SendError::Unreachable) => return Err(Attempt::Unreachable),
            Err(SendError::TimedOut) => return Err(Attempt::TimedOut),
            Err(_) => return Err(Attempt::Broken),
        };
        let attempt = Attempt::Answered { status: answer.status, wait: wait(&answer) };
        if let (Some(client), Attempt::Answered { status: 401, .. }) = (client, attempt) {
            self.tokens.forget(client).await;
        }
        Ok(Answered { attempt, body: Applied::of(target, &applied).cut_out(answer.body) })
    }
}

/// How long the receiver asks us to wait: seconds, or a moment (RFC 9110, section 10.2.3).
pub(crate) fn wait(answer: &Answer) -> Option<Duration> {
    let text = answer.retry_after.as_deref()?.trim();
    let seconds = || text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    let moment = || {
        let micros = Timestamp::of_http(text)?.as_micros().saturating_sub(Timestamp::now().as_micros());
        // Rounded up: a moment earlier it would be too early.
        Some(Duration::from_secs(u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000)))
    };
    seconds().or_else(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_say_how_long_to_wait() {
        let wait = |text: &str| {
            wait(&Answer { status: 503, retry_after: Some(text.to_owned()), body: Vec::new() })
                .map(|wait| wait.as_secs())
        };
        assert_eq!((wait("7"), wait(" 0 "), wait("soon"), wait("-1"), wait("")), (Some(7), Some(0), None, None, None));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0), "that is over");
        assert!(wait("Tue, 31 Dec 2999 23:59:59 GMT").is_some_and(|wait| wait > 1_000_000_000));
    }
}
