//! Texts made to be expensive, to break the scanners, or to be redacted twice.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::time::{Duration, Instant};

use cavra_redact::{find, has_marker, redact};
use proptest::prelude::*;

/// Every pattern costs time in proportion to its length: 64 KiB, the longest text of a decision, take some hundredths of a second without
/// optimisation; with the square of the length it would be minutes.
#[test]
fn long_texts_take_time_in_proportion() {
    for piece in [
        "password=a(",
        "key=",
        "://",
        "://a:",
        "=\"",
        "=\\\"",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "eyJ.",
        "eyJaaaaaaaaaa.",
        "AKIA",
        "authorization: ",
        "bearer ",
        " ",
        "\\",
        "a ",
        "--password ",
        "mysql -p",
        "echo a ",
        "echo a|sudo -S ",
        "<<<",
        "token: ",
        "ghp_",
        "SG.",
        "sk-ant-",
        "a:",
        "a=,",
        "a=,b",
        "password=$(",
        "\n",
        "Authorization: Basic \\",
        "1//0",
        "pass:",
        "'",
        "%3D",
        "key=aA1",
        "IQoJb3JpZ2lu-",
        "eyJaaaaaaaaaa-",
        "pat-abc-",
        "cookie: $(",
        "a=",
        "a=b,",
        "value=",
        "key value=",
        "<token>",
        "a,",
        "token,",
        "token,a ",
        "token: |\n",
    ] {
        let text = piece.repeat((1 << 16) / piece.len());
        let began = Instant::now();
        let _ = redact(&text);
        assert!(began.elapsed() < Duration::from_secs(10), "{piece:?} took {:?}", began.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn secrets_are_apart_and_in_order(text in "(password=|token: |://|ghp_|[a-zA-Z0-9é\"' \\\\=:;@/.$-]{0,12}){0,12}") {
        let mut end = 0;
        for secret in find(&text) {
            prop_assert!(secret.start >= end && secret.start < secret.end && secret.end <= text.len());
            prop_assert!(text.get(secret.start..secret.end).is_some());
            end = secret.end;
        }
    }

    #[test]
    fn what_is_redacted_is_done(text in "(--password |PASSWORD=|token: |https://u:|Authorization: Bearer |mysql -p|[a-zA-Z0-9é\"' ;@/.$-]{0,12}){0,12}") {
        if let Some(once) = redact(&text) {
            prop_assert!(has_marker(&once));
            let twice = redact(&once).unwrap_or_else(|| once.clone());
            prop_assert_eq!(redact(&twice).unwrap_or_else(|| twice.clone()), twice);
        }
    }
}
