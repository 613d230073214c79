//! Backoff: when a delivery that failed is tried again.

use cavra_model::Timestamp;
use serde_json::Value;

use crate::later;
use crate::policy::{PolicyError, Section};

/// Longest delay, in minutes: a week.
const LONGEST: f64 = 10_080.0;

/// How often and after which delays something is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// After so many failures it is given up.
    pub maximum: u64,
    /// Delay after the first failure, in minutes.
    pub base_minutes: u64,
    /// How much longer each next delay is.
    pub multiplier: f64,
    /// A delay may be none at all.
    pub immediate: bool,
}

/// What becomes of something that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is tried again.
    Retry,
    /// It is tried again later.
    Wait,
    /// It is given up.
    Suppress,
}

impl Verdict {
    /// Its word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Wait => "wait",
            Self::Suppress => "suppress",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Retry => "the delivery failed and its delay has passed",
            Self::Wait => "the delay after the latest failure has not passed",
            Self::Suppress => "the delivery failed as often as the policy allows (maximum retry)",
        }
    }
}

impl Backoff {
    /// The policy in a request.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(value: Option<&Value>) -> Result<Self, PolicyError> {
        let policy = Section::of(value, "retry_policy")?;
        let immediate = policy.flag(&["allow_immediate_retry"])?.unwrap_or(false);
        let delay = policy.number(&["retry_delay_minutes", "delay_minutes"], u64::from(!immediate))?;
        Ok(Self {
            maximum: policy.number(&["max_retry_attempts", "max_retries"], 1)?.unwrap_or(3),
            base_minutes: delay.unwrap_or(if immediate { 0 } else { 15 }),
            multiplier: policy.factor(&["backoff_multiplier", "multiplier"], 1.0)?.unwrap_or(2.0),
            immediate,
        })
    }

    /// Delay after so many failures, in whole minutes.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the product is between 0 and a week")]
    pub fn delay_minutes(&self, failures: u64) -> u64 {
        let steps = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = self.base_minutes as f64 * self.multiplier.powi(steps);
        delay.clamp(0.0, LONGEST).round() as u64
    }

    /// What becomes of something that failed so often, the last time then; and when it may be tried next.
    #[must_use]
    pub fn verdict(&self, failures: u64, latest: Timestamp, now: Timestamp) -> (Verdict, Timestamp) {
        let next = later(latest, self.delay_minutes(failures));
        let verdict = if failures >= self.maximum {
            Verdict::Suppress
        } else if now < next {
            Verdict::Wait
        } else {
            Verdict::Retry
        };
        (verdict, next)
    }
}
