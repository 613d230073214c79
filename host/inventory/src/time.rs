//! Times as tools write them.

use serde_json::Value;

/// From this many on, a number of the epoch counts milliseconds: as seconds it would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// The moment that a value names: RFC 3339 with any offset and up to nine fractional digits, a time without offset (taken
/// as UTC), or a number of seconds or milliseconds since 1970, also as a text of digits.
#[must_use]
pub fn read_time(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)).and_then(of_epoch),
        Value::String(text) => {
            let text = text.trim();
            if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
                return text.parse().ok().and_then(of_epoch);
            }
            text.parse::<jiff::Timestamp>().ok().or_else(|| as_utc(text))
        }
        _ => None,
    }
}

fn of_epoch(number: i64) -> Option<jiff::Timestamp> {
    if number >= MILLISECONDS_FROM {
        jiff::Timestamp::from_millisecond(number).ok()
    } else {
        jiff::Timestamp::from_second(number).ok()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e15).then_some(seconds as i64)
}

fn as_utc(text: &str) -> Option<jiff::Timestamp> {
    let local: jiff::civil::DateTime = text.parse().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times() {
        for (value, micros) in [
            (json!("2031-05-06T07:08:09Z"), 1_935_817_689_000_000_i64),
            (json!("2031-05-06T09:08:09+02:00"), 1_935_817_689_000_000),
            (json!("2031-05-06T07:08:09.1234567Z"), 1_935_817_689_123_456),
            (json!("2031-05-06T07:08:09"), 1_935_817_689_000_000),
            (json!("2031-05-06 07:08:09"), 1_935_817_689_000_000),
            (json!(1_935_817_689), 1_935_817_689_000_000),
            (json!(1_935_817_689_000_i64), 1_935_817_689_000_000),
            (json!("1935817689"), 1_935_817_689_000_000),
        ] {
            assert_eq!(read_time(&value).map(|time| time.as_microsecond()), Some(micros), "{value}");
        }
        for value in [json!("yesterday"), json!(null), json!([]), json!("")] {
            assert_eq!(read_time(&value), None, "{value}");
        }
    }
}
