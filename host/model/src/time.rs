//! Time stamps: RFC 3339, UTC, microseconds, fixed width, so that text order is time order. Contract 10, section 1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The present moment by the system clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    /// From microseconds since 1970; values outside the years -9999 to 9999 become 1970.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(jiff::Timestamp::from_microsecond(micros).unwrap_or_default())
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// The UTC date, as in `2031.02.03`.
    #[must_use]
    pub fn date(self) -> String {
        self.0.strftime("%Y.%m.%d").to_string()
    }

    /// The moment `hours` later; at most the end of the calendar.
    #[must_use]
    pub fn plus_hours(self, hours: u64) -> Self {
        let micros = i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(3_600_000_000);
        Self(jiff::Timestamp::from_microsecond(self.as_micros().saturating_add(micros)).unwrap_or(jiff::Timestamp::MAX))
    }

    /// The moment `hours` earlier; at least the beginning of the calendar.
    #[must_use]
    pub fn minus_hours(self, hours: u64) -> Self {
        let micros = i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(3_600_000_000);
        Self(jiff::Timestamp::from_microsecond(self.as_micros().saturating_sub(micros)).unwrap_or(jiff::Timestamp::MIN))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        write!(f, "{text}")
    }
}

impl FromStr for Timestamp {
    type Err = ();

    /// Accepts every RFC 3339 form, `Z` and missing fractions included.
    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse::<jiff::Timestamp>().map(|parsed| Self::from_micros(parsed.as_microsecond())).map_err(|_| ())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("not an RFC 3339 time stamp"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_fixed_width() {
        let moment: Timestamp = "2027-03-04T05:06:07.000123Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2027-03-04T05:06:07.000123+00:00");
        let whole: Timestamp = "2027-03-04T07:06:07+02:00".parse().unwrap();
        assert_eq!(whole.to_string(), "2027-03-04T05:06:07.000000+00:00");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
