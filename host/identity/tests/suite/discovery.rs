//! Keys that the provider publishes: fetched when needed, kept, and never a way in when they cannot be had.

use std::time::{Duration, Instant};

use cavra_identity::{Envelope, Gatekeeper, IdentityError};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Answer, Gate, Provider, Signer, claims_with, config};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

fn jwk(kid: &str) -> Value {
    Signer::provider().jwk(kid)
}

/// A gatekeeper that knows only the provider's name.
fn gatekeeper(issuer: &str) -> Gatekeeper {
    Gate::new(Some(config(json!({ "issuer": issuer }))), None).0
}

/// A token of the provider.
fn token(issuer: &str, signer: &Signer, kid: &str) -> String {
    signer.token(json!({"alg": "RS256", "kid": kid}), claims_with(json!({ "iss": issuer })))
}

/// The name a token stands for, or the refusal.
async fn ask(gatekeeper: &Gatekeeper, token: &str) -> Result<String, IdentityError> {
    let envelope = Envelope { token: Some(token.to_owned()), ..Envelope::default() };
    gatekeeper.identify(&envelope).await.map(|identity| identity.unwrap().actor.actor)
}

#[track_caller]
fn assert_accepted(answer: Result<String, IdentityError>) {
    assert_eq!(answer.as_deref(), Ok("ann@corp.example"));
}

const UNKNOWN_KEY: Result<String, IdentityError> =
    Err(IdentityError::Unauthenticated("the token is signed by an unknown key"));
const UNAVAILABLE: Result<String, IdentityError> = Err(IdentityError::KeysUnavailable);

/// Lets time pass for the code under test only.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Waits for what happens elsewhere.
async fn until(met: impl Fn() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    assert_eq!(provider.attempts(), 0);
    let token = token(&provider.issuer, Signer::provider(), "k1");
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let (gatekeeper, token) = (gatekeeper.clone(), token.clone());
            tokio::spawn(async move { ask(&gatekeeper, &token).await })
        })
        .collect();
    for one in crowd {
        assert_accepted(one.await.unwrap());
    }
    assert_eq!((provider.attempts(), provider.asked()), (1, 1));
    later(10 * MINUTE - 10).await;
    assert_accepted(ask(&gatekeeper, &token).await);
    assert_eq!(provider.asked(), 1);
    // What the provider withdraws is not believed any more.
    provider.publishes(json!([]));
    later(10).await;
    assert_eq!(ask(&gatekeeper, &token).await, UNKNOWN_KEY);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn an_unknown_kid_makes_it_look_again() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    let (old, new) =
        (token(&provider.issuer, Signer::provider(), "k1"), token(&provider.issuer, Signer::other(), "k2"));
    assert_accepted(ask(&gatekeeper, &old).await);
    provider.publishes(json!([Signer::other().jwk("k2")]));
    // Not at once: this is what anybody may send.
    assert_eq!(ask(&gatekeeper, &new).await, UNKNOWN_KEY);
    assert_eq!(provider.asked(), 1);
    later(5).await;
    assert_accepted(ask(&gatekeeper, &new).await);
    assert_eq!(provider.asked(), 2);
    assert_eq!(ask(&gatekeeper, &old).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn nobody_makes_it_hammer_the_provider() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    // What is no token at all is not worth a question.
    for text in ["a.b.c", "", "x", &Signer::provider().token(json!({"alg": "none", "kid": "k"}), json!({}))] {
        assert!(ask(&gatekeeper, text).await.is_err());
    }
    assert_eq!(provider.attempts(), 0);
    for round in 1..4 {
        for number in 0..50 {
            let token = token(&provider.issuer, Signer::other(), &format!("kid {number}"));
            assert_eq!(ask(&gatekeeper, &token).await, UNKNOWN_KEY);
        }
        assert_eq!(provider.attempts(), round);
        later(5).await;
    }
    // A wrong signature under a known id is a reason to ask, and not more often either.
    for _ in 0..50 {
        assert!(ask(&gatekeeper, &token(&provider.issuer, Signer::other(), "k1")).await.is_err());
    }
    assert_eq!(provider.attempts(), 4);
}

#[tokio::test]
async fn a_key_may_change_and_keep_its_id() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    let (old, new) =
        (token(&provider.issuer, Signer::provider(), "k1"), token(&provider.issuer, Signer::other(), "k1"));
    assert_accepted(ask(&gatekeeper, &old).await);
    provider.publishes(json!([Signer::other().jwk("k1")]));
    later(5).await;
    assert_accepted(ask(&gatekeeper, &new).await);
    assert_eq!(provider.asked(), 2);
    assert!(ask(&gatekeeper, &old).await.is_err());
}

/// The keys that are known serve while the provider is silent, at once for all but who asks first.
#[tokio::test]
async fn a_provider_that_is_down_holds_up_nobody_whose_key_is_known() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    let good = token(&provider.issuer, Signer::provider(), "k1");
    assert_accepted(ask(&gatekeeper, &good).await);
    provider.everywhere(Answer::Silence);
    later(11 * MINUTE).await;
    let started = Instant::now();
    assert_accepted(ask(&gatekeeper, &good).await);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let started = Instant::now();
    for _ in 0..20 {
        assert_accepted(ask(&gatekeeper, &good).await);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(provider.attempts(), 2);
    // It answers again: the attempt beside the requests finds the new keys.
    provider.publishes(json!([Signer::other().jwk("k2")]));
    provider.describes(json!({}));
    later(20).await;
    let new = token(&provider.issuer, Signer::other(), "k2");
    until(|| provider.attempts() >= 2).await;
    let started = Instant::now();
    while ask(&gatekeeper, &new).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "the new keys are not found");
        later(5).await;
    }
    assert_eq!(ask(&gatekeeper, &good).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_lets_nobody_in() {
    let provider = Provider::start(json!([jwk("k1")]));
    provider.everywhere(Answer::Hangup);
    let gatekeeper = gatekeeper(&provider.issuer);
    let good = token(&provider.issuer, Signer::provider(), "k1");
    let with_claims = Envelope {
        token: Some(good.clone()),
        claims: json!({"email": "ann@corp.example"}).as_object().cloned(),
        ..Envelope::default()
    };
    for _ in 0..5 {
        assert_eq!(ask(&gatekeeper, &good).await, UNAVAILABLE);
        assert_eq!(gatekeeper.require(&with_claims).await, Err(IdentityError::KeysUnavailable));
    }
    assert_eq!(provider.attempts(), 1);
    // It is there again.
    provider.publishes(json!([jwk("k1")]));
    provider.describes(json!({}));
    later(5).await;
    assert_accepted(ask(&gatekeeper, &good).await);
    // It is gone again: what it said is believed for a day.
    provider.everywhere(Answer::Hangup);
    for hours in [1, 22] {
        later(hours * HOUR).await;
        assert_accepted(ask(&gatekeeper, &good).await);
        assert_eq!(ask(&gatekeeper, &token(&provider.issuer, Signer::other(), "k2")).await, UNKNOWN_KEY);
    }
    later(HOUR).await;
    assert_eq!(ask(&gatekeeper, &good).await, UNAVAILABLE);
    // Nobody listens at all.
    let issuer = "http://127.0.0.1:1";
    assert_eq!(ask(&self::gatekeeper(issuer), &token(issuer, Signer::provider(), "k1")).await, UNAVAILABLE);
}

#[tokio::test]
async fn documents_that_are_not_right_are_not_believed() {
    let text = |value: Value| Answer::Body(value.to_string());
    let filler = |size: usize| json!({"keys": [jwk("k1")], "filler": "x".repeat(size)});
    let cases: Vec<(&str, Box<dyn Fn(&Provider)>)> = vec![
        ("of another issuer", Box::new(|p| p.describes(json!({"issuer": "https://id.example"})))),
        ("of another path", Box::new(|p| p.describes(json!({"issuer": format!("{}/realm", p.issuer)})))),
        ("of nearly this issuer", Box::new(|p| p.describes(json!({"issuer": format!("{}/", p.issuer)})))),
        ("of no issuer", Box::new(|p| p.describes(json!({"issuer": null})))),
        ("of a list of issuers", Box::new(|p| p.describes(json!({"issuer": [p.issuer]})))),
        ("no jwks_uri", Box::new(|p| p.describes(json!({"jwks_uri": null})))),
        ("jwks_uri is no address", Box::new(|p| p.describes(json!({"jwks_uri": "/keys"})))),
        ("jwks_uri is not encrypted", Box::new(|p| p.describes(json!({"jwks_uri": "http://192.0.2.1/keys"})))),
        ("jwks_uri is a file", Box::new(|p| p.describes(json!({"jwks_uri": "file:///etc/keys"})))),
        ("keys in the document", Box::new(|p| p.describes(json!({"jwks_uri": null, "jwks": {"keys": [jwk("k1")]}})))),
        ("a list", Box::new(|p| p.document(Answer::Body("[]".to_owned())))),
        ("empty", Box::new(|p| p.document(Answer::Body(String::new())))),
        ("a page", Box::new(|p| p.document(Answer::Body("<html>".to_owned())))),
        ("no document", Box::new(|p| p.describes(json!({"jwks_uri": format!("{}/elsewhere", p.issuer)})))),
        ("keys are no key set", Box::new(|p| p.keys(Answer::Body("{}".to_owned())))),
        ("keys are a list", Box::new(move |p| p.keys(text(json!([jwk("k1")]))))),
        ("keys are no JSON", Box::new(|p| p.keys(Answer::Body("{\"keys\": [".to_owned())))),
        ("keys fail", Box::new(|p| p.keys(Answer::Failure(json!({"keys": [jwk("k1")]}).to_string())))),
        (
            "keys are elsewhere",
            Box::new(|p| {
                p.at("/moved", Answer::Body(json!({"keys": [jwk("k1")]}).to_string()));
                p.keys(Answer::Redirect("/moved"));
            }),
        ),
        (
            "the document is elsewhere",
            Box::new(|p| {
                let document = json!({"issuer": p.issuer, "jwks_uri": format!("{}/keys", p.issuer)});
                p.at("/moved", Answer::Body(document.to_string()));
                p.document(Answer::Redirect("/moved"));
            }),
        ),
        ("keys are large", Box::new(move |p| p.keys(text(filler(256 * 1024))))),
        ("keys are without end", Box::new(|p| p.keys(Answer::Body(" ".repeat(50_000_000))))),
        ("the document is large", Box::new(|p| p.describes(json!({"filler": "x".repeat(256 * 1024)})))),
        (
            "the document fails",
            Box::new(|p| {
                p.document(Answer::Failure(
                    json!({"issuer": p.issuer, "jwks_uri": format!("{}/keys", p.issuer)}).to_string(),
                ));
            }),
        ),
        ("keys hang up", Box::new(|p| p.keys(Answer::Hangup))),
    ];
    for (what, spoil) in cases {
        let provider = Provider::start(json!([jwk("k1")]));
        let (fresh, warm) = (gatekeeper(&provider.issuer), gatekeeper(&provider.issuer));
        let good = token(&provider.issuer, Signer::provider(), "k1");
        assert_accepted(ask(&warm, &good).await);
        spoil(&provider);
        assert_eq!(ask(&fresh, &good).await, UNAVAILABLE, "{what}");
        assert_eq!(provider.asked_at("/moved"), 0, "{what}");
        // Nor does it take the place of what was right.
        later(11 * MINUTE).await;
        let attempts = provider.attempts();
        assert_accepted(ask(&warm, &good).await);
        assert_eq!(provider.attempts(), attempts + 1, "{what}");
    }
}

#[tokio::test]
async fn documents_may_be_of_some_size_and_say_more() {
    let provider = Provider::start(json!([]));
    provider
        .keys(Answer::Body(json!({"keys": [5, {"kty": "EC"}, jwk("k1")], "filler": "x".repeat(250_000)}).to_string()));
    provider.describes(json!({"authorization_endpoint": "x", "filler": "x".repeat(250_000)}));
    assert_accepted(ask(&gatekeeper(&provider.issuer), &token(&provider.issuer, Signer::provider(), "k1")).await);
}

#[tokio::test]
async fn a_token_is_checked_as_ever() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    let signed = |claims: Value| Signer::provider().token(json!({"alg": "RS256", "kid": "k1"}), claims_with(claims));
    assert_accepted(ask(&gatekeeper, &signed(json!({"iss": provider.issuer, "aud": [AUDIENCE]}))).await);
    for claims in [
        json!({"iss": "https://id.example"}),
        json!({"iss": provider.issuer, "aud": "other"}),
        json!({"iss": provider.issuer, "exp": 0}),
    ] {
        let answer = ask(&gatekeeper, &signed(claims.clone())).await;
        assert!(matches!(answer, Err(IdentityError::Unauthenticated(_))), "{claims}: {answer:?}");
    }
    assert!(ask(&gatekeeper, &token(&provider.issuer, Signer::other(), "k1")).await.is_err());
}

#[tokio::test]
async fn an_issuer_may_have_a_path_and_a_slash() {
    for suffix in ["/", "/realms/a", "/realms/a/"] {
        let provider = Provider::start(json!([jwk("k1")]));
        let issuer = format!("{}{suffix}", provider.issuer);
        let path = format!("{}/.well-known/openid-configuration", suffix.trim_end_matches('/'));
        let document = json!({"issuer": issuer, "jwks_uri": format!("{}/keys", provider.issuer)});
        provider.at(&path, Answer::Body(document.to_string()));
        assert_accepted(ask(&gatekeeper(&issuer), &token(&issuer, Signer::provider(), "k1")).await);
        assert_eq!(provider.asked_at(&path), 1);
    }
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_only_who_needs_it() {
    let provider = Provider::start(json!([jwk("k1")]));
    let gatekeeper = gatekeeper(&provider.issuer);
    let good = token(&provider.issuer, Signer::provider(), "k1");
    assert_accepted(ask(&gatekeeper, &good).await);
    provider.everywhere(Answer::Silence);
    later(5).await;
    let held = {
        let (gatekeeper, token) = (gatekeeper.clone(), token(&provider.issuer, Signer::other(), "k2"));
        tokio::spawn(async move { ask(&gatekeeper, &token).await })
    };
    until(|| provider.attempts() >= 2).await;
    let answer = tokio::time::timeout(Duration::from_secs(2), ask(&gatekeeper, &good)).await;
    assert_accepted(answer.expect("a known key needs nobody"));
    assert!(!held.is_finished());
    // And not for ever. From here on time passes by itself.
    tokio::time::pause();
    assert_eq!(held.await.unwrap(), UNKNOWN_KEY);
}

#[tokio::test]
async fn who_waited_for_an_attempt_makes_no_other() {
    let provider = Provider::start(json!([jwk("k1")]));
    provider.everywhere(Answer::Silence);
    let gatekeeper = gatekeeper(&provider.issuer);
    let good = token(&provider.issuer, Signer::provider(), "k1");
    let crowd: Vec<_> = (0..10)
        .map(|_| {
            let (gatekeeper, token) = (gatekeeper.clone(), good.clone());
            tokio::spawn(async move { ask(&gatekeeper, &token).await })
        })
        .collect();
    until(|| provider.attempts() >= 1).await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    for one in crowd {
        assert_eq!(one.await.unwrap(), UNAVAILABLE);
    }
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(provider.attempts(), 1);
}

#[tokio::test]
async fn who_hangs_up_ends_no_attempt() {
    let provider = Provider::start(json!([jwk("k1")]));
    provider.keys(Answer::Late(json!({"keys": [jwk("k1")]}).to_string()));
    let gatekeeper = gatekeeper(&provider.issuer);
    let good = token(&provider.issuer, Signer::provider(), "k1");
    let impatient = {
        let (gatekeeper, token) = (gatekeeper.clone(), good.clone());
        tokio::spawn(async move { ask(&gatekeeper, &token).await })
    };
    until(|| provider.asked() >= 1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    assert_accepted(ask(&gatekeeper, &good).await);
    assert_eq!((provider.attempts(), provider.asked()), (1, 1));
}
