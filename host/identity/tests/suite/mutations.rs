//! Whatever is done to a token, it does not become somebody's.

use std::sync::LazyLock;

use cavra_identity::{Identity, Via};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::support::{Gate, Signer, b64, claims, claims_with, good_token, header, segments};

static GATE: LazyLock<Gate> = LazyLock::new(Gate::standard);
/// One text for all cases, so that failures can be repeated. It is valid for the minutes that the cases take.
static GOOD: LazyLock<String> = LazyLock::new(good_token);

/// Something done to the text of a token.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, char),
    Insert(Index, char),
    Remove(Index),
    Swap(Index, Index),
    Cut(Index),
    Behead(Index),
    Repeat(Index, Index),
    Case(Index),
}

impl Change {
    fn apply(&self, text: &mut Vec<char>) {
        if text.is_empty() {
            return;
        }
        let at = |index: &Index| index.index(text.len());
        match self {
            Self::Replace(index, with) => {
                let index = at(index);
                text[index] = *with;
            }
            Self::Insert(index, what) => text.insert(at(index), *what),
            Self::Remove(index) => drop(text.remove(at(index))),
            Self::Swap(one, other) => {
                let (one, other) = (at(one), at(other));
                text.swap(one, other);
            }
            Self::Cut(index) => text.truncate(at(index)),
            Self::Behead(index) => drop(text.drain(..at(index))),
            Self::Repeat(one, other) => {
                let (one, other) = (at(one), at(other));
                let piece = text[one.min(other)..one.max(other)].to_vec();
                text.splice(one..one, piece);
            }
            Self::Case(index) => {
                let index = at(index);
                let c = text[index];
                text[index] = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            }
        }
    }
}

fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        8 => prop::sample::select("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().collect::<Vec<_>>()),
        2 => prop::sample::select(vec!['.', '=', '+', '/', ' ', '\n', '\0', '"', '{']),
        1 => any::<char>(),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        (index(), character()).prop_map(|(index, c)| Change::Replace(index, c)),
        (index(), character()).prop_map(|(index, c)| Change::Insert(index, c)),
        index().prop_map(Change::Remove),
        (index(), index()).prop_map(|(one, other)| Change::Swap(one, other)),
        index().prop_map(Change::Cut),
        index().prop_map(Change::Behead),
        (index(), index()).prop_map(|(one, other)| Change::Repeat(one, other)),
        index().prop_map(Change::Case),
    ]
}

/// A JSON value such as headers and claims have.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["RS256", "none", "HS256", "k1", "cavra", "https://id.example", "IAM", ""])
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

fn object_of(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(names), json_value()), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

fn headers() -> impl Strategy<Value = Value> {
    prop_oneof![Just(header()), object_of(&["alg", "typ", "kid", "jwk", "jku", "crit", "x"])]
}

fn any_claims() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(claims()),
        object_of(&["iss", "aud", "exp", "nbf", "sub", "email", "groups", "roles"]).prop_map(claims_with),
        object_of(&["iss", "aud", "exp", "nbf", "sub", "email", "groups", "roles"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_changed_token_is_nobodys(changes in prop::collection::vec(change(), 1..4)) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for change in &changes {
            change.apply(&mut text);
        }
        let text: String = text.into_iter().collect();
        let answer = GATE.token(&text);
        // Padding of the signature is neither signed nor part of the token. Everything else is.
        if text.trim_end_matches('=') == *GOOD {
            prop_assert_eq!(answer.is_ok(), text.len() - GOOD.len() <= 2);
        } else {
            prop_assert!(answer.is_err(), "{}: {:?}", text, answer);
        }
    }

    #[test]
    fn arbitrary_texts_are_nobodys(text in prop_oneof![".{0,200}", "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,400}"]) {
        prop_assert!(GATE.token(&text).is_err());
    }

    #[test]
    fn who_does_not_have_the_key_signs_nothing(
        header in headers(),
        claims in any_claims(),
        signature in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(any::<u8>(), 256),
        ],
    ) {
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let borrowed = format!("{signed}.{}", segments(&GOOD)[2]);
        for token in [format!("{signed}.{}", b64(signature)), format!("{signed}."), borrowed] {
            prop_assert!(token == *GOOD || GATE.token(&token).is_err(), "{}", token);
        }
    }
}

proptest! {
    // Signing takes its time.
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_the_provider_signs_is_accepted_exactly_when_it_says_enough(header in headers(), claims in any_claims()) {
        prop_assert!(GATE.token(&Signer::other().token(&header, &claims)).is_err());
        let refused_header = ["jwk", "jku", "crit"].iter().any(|member| header.get(member).is_some());
        let kid = header.get("kid").is_none_or(|kid| kid == "k1");
        let for_us = claims["aud"] == "cavra" || claims["aud"].as_array().is_some_and(|list| list.contains(&json!("cavra")));
        let now = crate::support::now();
        let in_time = claims["exp"].as_f64().is_some_and(|exp| exp > (now - 60) as f64)
            && claims.get("nbf").is_none_or(|nbf| nbf.as_f64().is_some_and(|nbf| nbf <= (now + 60) as f64));
        let typed = header.get("typ").is_none_or(|kind| kind == "JWT");
        let named = claims["sub"].as_str().is_some_and(|subject| !subject.trim().is_empty());
        let fine = header["alg"] == "RS256"
            && !refused_header
            && kid
            && typed
            && for_us
            && named
            && in_time
            && claims["iss"] == "https://id.example";
        match GATE.token(&Signer::provider().token(&header, &claims)) {
            Ok(Identity { via: Via::Token, .. }) => prop_assert!(fine, "{} {}", header, claims),
            other => prop_assert!(!fine, "{} {}: {:?}", header, claims, other),
        }
    }
}
