//! Time stamps: RFC 3339, UTC, microseconds, fixed width, so that text order is time order. docs/reference/decisions-and-policy.md, section 1.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment of the years 0 to 9999 in UTC, which are those that RFC 3339 can write, as microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const FIRST: i64 = -62_167_219_200_000_000;
const LAST: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The present moment by the system clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    /// From microseconds since 1970; what is before the first or after the last moment becomes that one.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(FIRST, LAST))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// A moment as HTTP writes it (RFC 9110, section 5.6.7, its preferred form); `None` for anything else.
    #[must_use]
    pub fn of_http(text: &str) -> Option<Self> {
        let text = text.strip_suffix("GMT")?;
        let moment = jiff::fmt::rfc2822::parse(&format!("{text}+0000")).ok()?;
        Some(Self::from_micros(moment.timestamp().as_microsecond()))
    }

    /// The UTC date, as in `2031.02.03`.
    #[must_use]
    pub fn date(self) -> String {
        self.civil().strftime("%Y.%m.%d").to_string()
    }

    /// The moment `hours` later; at most the last one.
    #[must_use]
    pub fn plus_hours(self, hours: u64) -> Self {
        Self::from_micros(self.0.saturating_add(micros_of(hours)))
    }

    /// The moment `hours` earlier; at least the first one.
    #[must_use]
    pub fn minus_hours(self, hours: u64) -> Self {
        Self::from_micros(self.0.saturating_sub(micros_of(hours)))
    }

    /// The moment so much later; at most the last one.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    fn civil(self) -> DateTime {
        EPOCH.saturating_add(SignedDuration::from_micros(self.0))
    }
}

fn micros_of(hours: u64) -> i64 {
    i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(3_600_000_000)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.civil().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        write!(f, "{text}")
    }
}

impl FromStr for Timestamp {
    type Err = ();

    /// Accepts every RFC 3339 form, `Z` and missing fractions included.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.parse::<jiff::Timestamp>() {
            Ok(parsed) => Ok(Self::from_micros(parsed.as_microsecond())),
            Err(_) => beyond(text).ok_or(()),
        }
    }
}

/// A moment of the last day or so that there is, which `jiff` leaves out because it might be none in another time zone.
fn beyond(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok().filter(|pieces| pieces.time_zone_annotation().is_none())?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let offset = SignedDuration::from_secs(pieces.to_numeric_offset()?.seconds().into());
    let micros = local.duration_since(EPOCH).checked_sub(offset)?.as_micros();
    (micros > jiff::Timestamp::MAX.as_microsecond().into())
        .then(|| Timestamp::from_micros(i64::try_from(micros).unwrap_or(LAST)))
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

    /// RFC 3339 has the years 0000 to 9999, and an offset may lead out of them.
    #[test]
    fn the_first_and_the_last_moments_are_moments() {
        let ascending = [
            ("0000-01-01T00:00:00+00:01", "0000-01-01T00:00:00.000000+00:00"),
            ("0001-01-01T00:00:00+14:00", "0000-12-31T10:00:00.000000+00:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000+00:00"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000+00:00"),
            ("9999-12-30T21:59:59.9Z", "9999-12-30T21:59:59.900000+00:00"),
            ("9999-12-30T22:00:01Z", "9999-12-30T22:00:01.000000+00:00"),
            ("9999-12-31T23:59:58.5+00:00", "9999-12-31T23:59:58.500000+00:00"),
            ("9999-12-31t23:59:59z", "9999-12-31T23:59:59.000000+00:00"),
            ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999+00:00"),
        ]
        .map(|(text, shown)| (text.parse::<Timestamp>().unwrap_or_else(|()| panic!("{text}")), shown));
        for (moment, shown) in ascending {
            assert_eq!(moment.to_string(), shown);
            assert_eq!(shown.parse(), Ok(moment));
        }
        assert!(ascending.is_sorted_by(|left, right| left.0 < right.0 && left.1 < right.1));
        for text in
            ["9999-12-31T23:59:59", "9999-12-31", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31Z"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        for far in [i64::MIN, i64::MAX] {
            assert_eq!(Timestamp::from_micros(far).to_string().parse(), Ok(Timestamp::from_micros(far)));
        }
        assert_eq!(Timestamp::now().plus_hours(u64::MAX), Timestamp::from_micros(i64::MAX));
        assert_eq!(Timestamp::now().minus_hours(u64::MAX), Timestamp::from_micros(i64::MIN));
    }
}
