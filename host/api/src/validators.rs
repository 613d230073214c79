//! Whether a client has a file already. RFC 9110, section 13.

use axum::http::{HeaderMap, header};

/// Whether `If-None-Match` names the entity tag `tag`. Weak tags compare as strong ones do; any `*` is any file.
pub fn known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared() {
        for (given, wanted) in [
            (&["\"t\""][..], true),
            (&["W/\"t\""], true),
            (&["*"], true),
            (&["\"a\", \"t\""], true),
            (&["\"a\"", "W/\"b\" ,\"t\""], true),
            (&["\"T\""], false),
            (&["t"], false),
            (&["\"a\", \"b\""], false),
            (&[""], false),
            (&[], false),
        ] {
            let headers = given.iter().map(|value| (header::IF_NONE_MATCH, value.parse().unwrap()));
            let mut map = HeaderMap::new();
            headers.for_each(|(name, value)| {
                map.append(name, value);
            });
            assert_eq!(known(&map, "\"t\""), wanted, "{given:?}");
        }
    }
}
