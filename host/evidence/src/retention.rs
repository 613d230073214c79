//! How long evidence is kept. Contract 30, section 3.5.

use cavra_model::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use crate::documents::PRODUCT;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The retention rule of a bundle: seven years, `regulated-sdlc`, no legal hold unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    days: u32,
    classification: String,
    legal_hold: bool,
}

/// The number of days is outside 1 to [`Retention::MAX_DAYS`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error("retention days must be between 1 and {max}, not {0}", max = Retention::MAX_DAYS)]
pub struct InvalidRetention(pub i64);

impl Retention {
    /// A thousand years. Keeps `retain_until` within the years that a time stamp can say.
    pub const MAX_DAYS: u32 = 365_250;

    /// A rule of `days` days.
    ///
    /// # Errors
    /// [`InvalidRetention`] unless `days` is between 1 and [`Retention::MAX_DAYS`].
    pub fn new(days: i64, classification: impl Into<String>, legal_hold: bool) -> Result<Self, InvalidRetention> {
        match u32::try_from(days) {
            Ok(valid @ 1..=Self::MAX_DAYS) => {
                Ok(Self { days: valid, classification: classification.into(), legal_hold })
            }
            _ => Err(InvalidRetention(days)),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 2555, classification: "regulated-sdlc".to_owned(), legal_hold: false }
    }
}

/// `retention-policy.json`. Contract 30, section 3.5.
#[must_use]
pub fn retention_document(session_id: &str, created_at: Timestamp, retention: &Retention) -> Value {
    let kept = i64::from(retention.days) * MICROS_PER_DAY;
    json!({
        "schema_version": "cavra.evidence.retention.v1",
        "product": PRODUCT,
        "session_id": session_id,
        "classification": retention.classification,
        "created_at": created_at,
        "retention_days": retention.days,
        "retain_until": Timestamp::from_micros(created_at.as_micros().saturating_add(kept)),
        "legal_hold": retention.legal_hold,
        "delete_protection": true,
        "disposition": if retention.legal_hold { "retain" } else { "eligible_for_review_after_retain_until" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_a_day_is_refused() {
        for days in [i64::MIN, -1, 0, 365_251, i64::MAX] {
            assert_eq!(Retention::new(days, "x", false), Err(InvalidRetention(days)));
        }
    }

    #[test]
    fn a_legal_hold_has_no_end() {
        let created: Timestamp = "2031-02-27T04:05:06.000700Z".parse().unwrap();
        let document = retention_document("s", created, &Retention::new(3, "internal", true).unwrap());
        assert_eq!(document["retain_until"], "2031-03-02T04:05:06.000700+00:00");
        assert_eq!(document["disposition"], "retain");
        assert_eq!(document["classification"], "internal");
    }
}
