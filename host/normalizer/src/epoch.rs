//! Times that tools write as numbers.

use std::borrow::Cow;

use cavra_json::Node;

/// From this many on, a number of the epoch counts milliseconds: as seconds it would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Seconds of the first and of the last moment that RFC 3339 has a spelling for, whatever the offset.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_207_200;

/// Fewest digits of a text that is a number of the epoch.
const DIGITS: usize = 9;

/// Numbers, and texts of digits, as RFC 3339; everything else as it stands.
pub fn spelled_out<'a>(value: &Node<'a>) -> Node<'a> {
    let number = match value {
        Node::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Node::Text(text) => {
            let digits = text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        }
        _ => None,
    };
    number.and_then(written).map_or_else(|| value.clone(), |time| Node::Text(Cow::Owned(time)))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e15).then_some(seconds as i64)
}

/// Seconds, or milliseconds, since 1970 in UTC with microseconds.
fn written(number: i64) -> Option<String> {
    let (seconds, micros) = if number >= MILLISECONDS_FROM {
        (number.div_euclid(1000), number.rem_euclid(1000) * 1000)
    } else {
        (number, 0)
    };
    if !SECONDS.contains(&seconds) {
        return None;
    }
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let sign = if year < 0 { "-" } else { "" };
    let year = year.abs();
    Some(format!("{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00"))
}

/// Year, month and day of so many days after 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
