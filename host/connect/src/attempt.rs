//! What one attempt to send an event comes to, for those who try again by themselves.

use std::time::Duration;

use cavra_model::members::built;
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use crate::Provider;

/// An attempt that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempted {
    /// What is shown of it: an element of the `deliveries` of `cavra.connector.delivery.v1`.
    pub shown: Object,
    /// What follows from it.
    pub verdict: Verdict,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Accepted,
    /// It did not get through, and may later: nobody is there, the receiver is busy, or it does not let us in, which is
    /// somebody's to mend. It may say how long it wants to be left alone.
    Later(Option<Duration>),
    /// The receiver does not want this one, however often it is sent.
    Refused,
}

impl Attempted {
    /// One that could not be made, in a sentence without secrets.
    #[must_use]
    pub fn unsent(provider: Provider, problem: &str) -> Self {
        let now = Timestamp::now();
        let shown = json!({
            "provider": provider.as_str(),
            "success": false,
            "status_code": Value::Null,
            "attempt_count": 0,
            "started_at": now,
            "completed_at": now,
            "error": problem,
            "request": Value::Null,
        });
        Self { shown: built(shown), verdict: Verdict::Later(None) }
    }
}
