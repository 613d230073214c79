//! Parts of a file that a client asks for. RFC 9110, section 14.

use axum::http::{HeaderMap, header};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The whole file.
    Everything,
    /// The bytes from the first up to, not including, the second.
    Part(u64, u64),
    /// A range that the file does not have.
    Unsatisfiable,
}

/// What `headers` ask of a file of `total` bytes with the entity tag `tag`. Several ranges, and what is no range, count
/// as the whole file, which the standard allows.
pub fn asked(headers: &HeaderMap, total: u64, tag: &str) -> Asked {
    if headers.get(header::IF_RANGE).is_some_and(|wanted| wanted.as_bytes() != tag.as_bytes()) {
        return Asked::Everything;
    }
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    range.and_then(|range| parse(range, total)).unwrap_or(Asked::Everything)
}

fn parse(range: &str, total: u64) -> Option<Asked> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (start, end) = match (first, last) {
        ("", suffix) => (total.saturating_sub(number(suffix)?), total),
        (first, "") => (number(first)?, total),
        (first, last) => {
            let (start, last) = (number(first)?, number(last)?);
            if last < start {
                return None;
            }
            (start, last.saturating_add(1).min(total))
        }
    };
    Some(if start >= end { Asked::Unsatisfiable } else { Asked::Part(start, end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, wanted) in [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=2-", Asked::Part(2, 10)),
            ("bytes=2-99", Asked::Part(2, 10)),
            ("bytes=-3", Asked::Part(7, 10)),
            ("bytes=-99", Asked::Part(0, 10)),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=99999999999999999999999-", Asked::Unsatisfiable),
            ("bytes=5-2", Asked::Everything),
            ("bytes=0-1,3-4", Asked::Everything),
            ("bytes=+1-2", Asked::Everything),
            ("lines=1-2", Asked::Everything),
            ("bytes=", Asked::Everything),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            assert_eq!(asked(&headers, 10, "\"t\""), wanted, "{range}");
            headers.insert(header::IF_RANGE, "\"other\"".parse().unwrap());
            assert_eq!(asked(&headers, 10, "\"t\""), Asked::Everything, "{range}");
        }
        assert_eq!(asked(&HeaderMap::new(), 10, "\"t\""), Asked::Everything);
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-".parse().unwrap());
        assert_eq!(asked(&headers, 0, "\"t\""), Asked::Unsatisfiable);
    }
}
