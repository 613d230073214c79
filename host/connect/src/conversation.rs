//! One attempt: a connector says what to send and is told what came back, a bounded number of times, until it says what
//! follows.

use std::time::Duration;

use cavra_model::{Digest, Timestamp};
use cavra_plugins::PluginErrorKind;
use cavra_plugins::connector::{
    Context, Exchange, Moment, Next, NoResponse, Outcome, Patience, Request, Response, Sent, Subject, Verdict as Said,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::attempt::Verdict;
use crate::permit::{Breach, permit};
use crate::redact::{shown, shown_url};
use crate::send::{Answered, Attempt, Outbound};
use crate::target::Target;

/// Most times that a connector is asked, and most requests, in one attempt.
const MOST_STEPS: usize = 8;
const MOST_REQUESTS: usize = 16;

/// Most bytes that are sent in one attempt.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// What is to be told.
pub(crate) struct Message {
    /// The same however often it is told; empty without randomness.
    pub id: String,
    pub subject: Subject,
    /// When it happened, if it says so.
    pub happened: Option<Timestamp>,
}

/// What came of an attempt.
pub(crate) struct Told {
    /// What follows from it.
    pub verdict: Verdict,
    /// The same may well succeed a moment later.
    pub is_passing: bool,
    /// The last answer that came, if the last request was answered.
    pub status: Option<u16>,
    /// How long the receiver wants to be left alone.
    pub wait: Option<Duration>,
    /// What is said about a failure: a fixed phrase, nothing that the receiver or the connector said.
    pub error: Option<String>,
    /// What the receiver calls what it made.
    pub reference: Option<String>,
    /// The last request as evidence shows it.
    pub request: Value,
}

/// Tells a message, within `limit`.
pub(crate) async fn tell(outbound: &Outbound, target: &Target, message: &Message, limit: Duration) -> Told {
    let began = Timestamp::now();
    let context = context(target, message, began);
    let mut conversation = Conversation {
        outbound,
        target,
        deadline: Instant::now() + limit,
        exchanges: Vec::new(),
        bytes: 0,
        last: None,
        request: match target.first() {
            Some(place) => {
                let method = target.method.as_deref().unwrap_or("POST");
                shown(method, &place.url, &target.headers, &target.key_headers())
            }
            None => Value::Null,
        },
    };
    for _ in 0..MOST_STEPS {
        let step = target.plug.connector().step(&message.subject, &context, &conversation.exchanges).await;
        let requests = match step {
            Ok(Next::Send(requests)) => requests,
            Ok(Next::Done(outcome)) => return conversation.done(outcome),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(provider = target.provider.as_str(), %error, cause, "a connector cannot go on");
                // Where nothing was sent yet, there may be a place for it a moment later.
                let is_passing = *error.kind() == PluginErrorKind::Busy && conversation.exchanges.is_empty();
                return Told { is_passing, ..conversation.broken() };
            }
        };
        if let Err(breach) = conversation.send(requests).await {
            let provider = target.provider.as_str();
            tracing::error!(provider, reason = %breach, "a connector's request is not sent");
            return conversation.broken();
        }
    }
    tracing::error!(provider = target.provider.as_str(), "a connector does not come to an end");
    conversation.broken()
}

/// What a connector is told besides the message. Nothing in it lets anybody in.
fn context(target: &Target, message: &Message, now: Timestamp) -> Context {
    let moment = |time: Timestamp| Moment { micros: time.as_micros(), text: time.to_string() };
    let shown = target.places.iter().filter(|place| place.path_is_shown);
    Context {
        message_id: message.id.clone(),
        now: moment(now),
        happened: message.happened.map(moment),
        connector: target.provider.as_str().to_owned(),
        settings: target.settings.clone(),
        credentials: target.given.iter().map(|given| given.name.clone()).collect(),
        paths: shown.map(|place| (place.name.clone(), place.url.path().to_owned())).collect(),
    }
}

struct Conversation<'a> {
    outbound: &'a Outbound,
    target: &'a Target,
    deadline: Instant,
    exchanges: Vec<Exchange>,
    bytes: usize,
    last: Option<Attempt>,
    request: Value,
}

impl Conversation<'_> {
    /// Sends one request after the other until one is not answered with 2xx.
    async fn send(&mut self, requests: Vec<Request>) -> Result<(), Breach> {
        for request in requests {
            self.bytes = self.bytes.saturating_add(request.body.len());
            if self.exchanges.len() >= MOST_REQUESTS || self.bytes > MOST_BYTES {
                return Err(Breach::Size);
            }
            let permitted = permit(self.target, &request)?;
            let mut visible = permitted.headers.clone();
            visible.retain(|name, _| !OF_THE_MESSAGE.contains(&name.as_str()));
            self.request = shown(&permitted.method, &permitted.url, &visible, &self.target.key_headers());
            let sent = Sent {
                method: permitted.method.clone(),
                endpoint: request.endpoint,
                path: request.path,
                body_digest: Digest::of(&request.body).as_str().to_owned(),
                body_length: request.body.len() as u64,
            };
            let limit = self.deadline.saturating_duration_since(Instant::now()).min(patience(request.patience));
            tracing::debug!(url = shown_url(&permitted.url), "sending");
            let Answered { attempt, body } = self.outbound.attempt(self.target, permitted, request.body, limit).await;
            self.exchanges.push(Exchange { request: sent, response: response(attempt, body) });
            self.last = Some(attempt);
            if !attempt.is_success() {
                break;
            }
        }
        Ok(())
    }

    /// The connector's word counts for what is to be done; that something has arrived, the receiver has to have said.
    fn done(self, outcome: Outcome) -> Told {
        let wait = outcome.retry_after.map(|seconds| Duration::from_secs(seconds.into()));
        let wait = wait.or_else(|| self.last.and_then(Attempt::wait));
        let has_arrived = self.last.is_some_and(Attempt::is_success);
        let verdict = match outcome.verdict {
            Said::Accepted if has_arrived => Verdict::Accepted,
            Said::Accepted | Said::Passing | Said::HeldUp => Verdict::Later(wait),
            Said::Refused => Verdict::Refused,
        };
        if !outcome.detail.is_empty() {
            tracing::debug!(provider = self.target.provider.as_str(), detail = outcome.detail, "a connector is done");
        }
        let failed = || Some(FAILED.to_owned());
        Told {
            verdict,
            is_passing: outcome.verdict == Said::Passing,
            status: self.last.and_then(Attempt::status),
            wait,
            error: match verdict {
                Verdict::Accepted => None,
                _ => self.last.and_then(Attempt::error).or_else(failed),
            },
            reference: outcome.reference.filter(|_| verdict == Verdict::Accepted),
            request: self.request,
        }
    }

    /// The connector did what it must not, or nothing at all. Somebody has to mend it.
    fn broken(self) -> Told {
        Told {
            verdict: Verdict::Later(None),
            is_passing: false,
            status: self.last.and_then(Attempt::status),
            wait: None,
            error: Some(FAILED.to_owned()),
            reference: None,
            request: self.request,
        }
    }
}

const FAILED: &str = "connector delivery failed";

/// Headers that are others with every message; evidence does not show them.
const OF_THE_MESSAGE: [&str; 4] = ["idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature"];

const fn patience(patience: Patience) -> Duration {
    match patience {
        Patience::Short => Duration::from_secs(5),
        Patience::Standard => Duration::from_secs(30),
        Patience::Long => Duration::from_secs(60),
    }
}

fn response(attempt: Attempt, body: Vec<u8>) -> Result<Response, NoResponse> {
    match attempt {
        Attempt::Answered { status, wait } => {
            let retry_after = wait.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
            Ok(Response { status, retry_after, body })
        }
        Attempt::Unreachable => Err(NoResponse::Unreachable),
        Attempt::TimedOut => Err(NoResponse::TimedOut),
        Attempt::Broken => Err(NoResponse::Broken),
        Attempt::NotPermitted => Err(NoResponse::NotPermitted),
    }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
