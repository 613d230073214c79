//! What one attempt to send an event comes to, for those who try again by themselves.

use std::time::Duration;

use cavra_model::members::built;
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use crate::Provider;
use crate::send::Attempt;

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

impl Verdict {
    pub(crate) const fn of(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Answered { status: 200..=299, .. } => Self::Accepted,
            Attempt::Answered { status: 401 | 402 | 403 | 407 | 408 | 425 | 429 | 500..=599, wait } => {
                Self::Later(wait)
            }
            Attempt::Answered { .. } => Self::Refused,
            // What the operator has not granted is his to grant.
            Attempt::Unreachable | Attempt::TimedOut | Attempt::Failed => Self::Later(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_succeed_is_refused() {
        let answered = |status| Attempt::Answered { status, wait: Some(Duration::from_secs(7)) };
        for (attempt, verdict) in [
            (answered(202), Verdict::Accepted),
            (answered(400), Verdict::Refused),
            (answered(302), Verdict::Refused),
            (answered(410), Verdict::Refused),
            (answered(401), Verdict::Later(Some(Duration::from_secs(7)))),
            (answered(429), Verdict::Later(Some(Duration::from_secs(7)))),
            (answered(503), Verdict::Later(Some(Duration::from_secs(7)))),
            (Attempt::TimedOut, Verdict::Later(None)),
            (Attempt::Failed, Verdict::Later(None)),
        ] {
            assert_eq!(Verdict::of(attempt), verdict, "{attempt:?}");
        }
    }
}
