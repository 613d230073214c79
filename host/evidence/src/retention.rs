//! How long evidence is kept. docs/reference/evidence-and-promotion.md, section 3.5.

use cavra_model::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use crate::documents::PRODUCT;
use crate::markdown::code;

/// The file with the retention rule.
pub(crate) const RETENTION: &str = "retention-policy.json";

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

impl Retention {
    /// The rule in a retention document; what it does not say, or says wrongly, is as by default.
    #[must_use]
    pub fn of_document(document: &Value) -> Self {
        let default = Self::default();
        let days = document.get("retention_days").and_then(Value::as_i64).unwrap_or(i64::from(default.days));
        let classification = document.get("classification").and_then(Value::as_str).unwrap_or(&default.classification);
        let legal_hold = document.get("legal_hold").and_then(Value::as_bool).unwrap_or(default.legal_hold);
        Self::new(days, classification, legal_hold).unwrap_or(default)
    }

    /// Days.
    #[must_use]
    pub const fn days(&self) -> u32 {
        self.days
    }

    /// Class of the evidence.
    #[must_use]
    pub fn classification(&self) -> &str {
        &self.classification
    }

    /// Whether it is kept until a hold is lifted.
    #[must_use]
    pub const fn legal_hold(&self) -> bool {
        self.legal_hold
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 2555, classification: "regulated-sdlc".to_owned(), legal_hold: false }
    }
}

/// `retention-policy.json`. docs/reference/evidence-and-promotion.md, section 3.5.
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

/// The retention rule for people.
#[must_use]
pub fn retention_markdown(document: &Value) -> String {
    let mut out = String::from("# CAVRA Evidence Retention\n\n| | |\n| --- | --- |\n");
    for (label, member) in [
        ("Session", "session_id"),
        ("Classification", "classification"),
        ("Created", "created_at"),
        ("Retention days", "retention_days"),
        ("Retain until", "retain_until"),
        ("Legal hold", "legal_hold"),
        ("Delete protection", "delete_protection"),
        ("Disposition", "disposition"),
    ] {
        let value = document.get(member).unwrap_or(&Value::Null);
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push_str(&format!("| {label} | {} |\n", code(&shown)));
    }
    out
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
