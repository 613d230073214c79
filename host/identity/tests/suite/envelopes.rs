//! What of an envelope counts: a signed identity beats an unsigned one. docs/reference/approvals-identity-authoring.md, section 2.1.

use cavra_identity::{ApiToken, Envelope, Gatekeeper, IdentityError, Via};
use serde_json::{Value, json};

use crate::support::{
    Gate, Signer, block_on, claims, claims_with, config, good_token, header, load, object, unauthenticated,
};

/// What the envelope of a body and a header comes to: who and how, or the status that refuses it.
fn outcome(gate: &Gate, body: &Value, authorization: Option<&str>) -> Result<Option<(String, Via)>, u16> {
    let envelope = Envelope::from_body(body.as_object().unwrap(), authorization);
    gate.identify(&envelope).map(|identity| identity.map(|identity| (identity.actor.actor, identity.via))).map_err(
        |error| match error {
            IdentityError::TokenNotConfigured => 400,
            IdentityError::Unauthenticated(_) => 401,
            IdentityError::KeysUnavailable => 503,
        },
    )
}

fn oidc(members: Value) -> Gate {
    let mut all = json!({"jwks": {"keys": [Signer::provider().jwk("k1")]}});
    all.as_object_mut().unwrap().extend(object(members));
    Gate::new(Some(config(all)), None)
}

fn named(email: &str) -> String {
    Signer::provider().token(header(), claims_with(json!({ "email": email })))
}

#[test]
fn a_token_is_the_only_identity_considered() {
    let (body, head) = (named("body@x"), named("head@x"));
    let (bearer, bad_bearer) = (format!("Bearer {head}"), "Bearer a.b.c");
    let claims = json!({"email": "claims@x", "groups": ["IAM"]});
    let forged = Signer::other().token(header(), claims_with(json!({})));
    let is = |who: &str, via| Ok(Some((who.to_owned(), via)));
    for (what, envelope, authorization, verified, trusting) in [
        ("nothing", json!({}), None, Ok(None), Ok(None)),
        ("claims", json!({"actor_claims": claims}), None, Err(401), is("claims@x", Via::Claims)),
        ("a token", json!({"actor_token": body}), None, is("body@x", Via::Token), is("body@x", Via::Token)),
        ("a header", json!({}), Some(bearer.as_str()), is("head@x", Via::Token), is("head@x", Via::Token)),
        (
            "token and claims",
            json!({"actor_token": body, "actor_claims": claims}),
            None,
            is("body@x", Via::Token),
            is("body@x", Via::Token),
        ),
        (
            "header and claims",
            json!({"actor_claims": claims}),
            Some(&bearer),
            is("head@x", Via::Token),
            is("head@x", Via::Token),
        ),
        (
            "token and header",
            json!({"actor_token": body}),
            Some(&bearer),
            is("body@x", Via::Token),
            is("body@x", Via::Token),
        ),
        ("bad token, claims", json!({"actor_token": forged, "actor_claims": claims}), None, Err(401), Err(401)),
        ("bad header, claims", json!({"actor_claims": claims}), Some(bad_bearer), Err(401), Err(401)),
        ("bad token, good header", json!({"actor_token": forged}), Some(&bearer), Err(401), Err(401)),
        ("good token, header that is no token", json!({"actor_token": body}), Some("Basic YTpi"), Err(401), Err(401)),
        ("token of a wrong type", json!({"actor_token": [body]}), None, Ok(None), Ok(None)),
        (
            "token of a wrong type, claims",
            json!({"actor_token": 5, "actor_claims": claims}),
            None,
            Err(401),
            is("claims@x", Via::Claims),
        ),
        ("claims of a wrong type", json!({"actor_claims": [claims]}), None, Ok(None), Ok(None)),
        ("claims as text", json!({"actor_claims": claims.to_string()}), None, Ok(None), Ok(None)),
        ("null", json!({"actor_claims": null, "actor_token": null}), None, Ok(None), Ok(None)),
        ("empty claims", json!({"actor_claims": {}}), None, Ok(None), Ok(None)),
        (
            "members beside the envelope",
            json!({"actor": "boss", "token": body, "claims": claims}),
            None,
            Ok(None),
            Ok(None),
        ),
    ] {
        assert_eq!(outcome(&oidc(json!({})), &envelope, authorization), verified, "{what}");
        let gate = oidc(json!({"trust_actor_claims": true}));
        assert_eq!(outcome(&gate, &envelope, authorization), trusting, "{what}, claims trusted");
    }
}

#[test]
fn without_a_provider_tokens_are_refused_and_claims_taken() {
    let token = good_token();
    let claims = json!({"email": "claims@x"});
    let open = Gate(Gatekeeper::open());
    let only_rbac = Gate::new(None, Some(json!({})));
    for gate in [&open, &only_rbac] {
        for (what, envelope, authorization, wanted) in [
            ("a token", json!({"actor_token": token}), None, Err(400)),
            ("no token's text", json!({"actor_token": "x"}), None, Err(400)),
            ("an empty text", json!({"actor_token": ""}), None, Ok(None)),
            ("a token and claims", json!({"actor_token": token, "actor_claims": claims}), None, Err(400)),
            ("a header", json!({}), Some(format!("Bearer {token}")), Err(400)),
            ("a header of another scheme", json!({"actor_claims": claims}), Some("Basic YTpi".to_owned()), Err(401)),
            ("claims", json!({"actor_claims": claims}), None, Ok(Some(("claims@x".to_owned(), Via::Claims)))),
        ] {
            assert_eq!(outcome(gate, &envelope, authorization.as_deref()), wanted, "{what}");
        }
    }
}

#[test]
fn a_header_is_a_bearer_token() {
    let token = good_token();
    let gate = oidc(json!({}));
    for (header, accepted) in [
        (format!("Bearer {token}"), true),
        (format!("bearer {token}"), true),
        (format!("BEARER {token}"), true),
        (format!("bEaReR   {token}  "), true),
        (String::new(), false),
        (" ".to_owned(), false),
        ("Bearer".to_owned(), false),
        ("Bearer ".to_owned(), false),
        (token.clone(), false),
        (format!("Bearer{token}"), false),
        (format!("Bearer:{token}"), false),
        (format!("Bearer={token}"), false),
        (format!("Basic {token}"), false),
        (format!("DPoP {token}"), false),
        (format!("Token {token}"), false),
        (format!("Bearer {token}, Bearer {token}"), false),
        (format!("Bearer {token} {token}"), false),
        (format!("Bearer \"{token}\""), false),
        (format!("Bearer Bearer {token}"), false),
        (format!("X Bearer {token}"), false),
    ] {
        let envelope = Envelope { authorization: Some(header.clone()), ..Envelope::default() };
        let identity = gate.identify(&envelope);
        assert_eq!(identity.is_ok(), accepted, "{header}");
        assert!(accepted || unauthenticated(&identity), "{header}: {identity:?}");
    }
}

#[test]
fn a_token_of_a_machine_is_no_person() {
    let token = ApiToken::generate().unwrap().text;
    for gate in [Gate(Gatekeeper::open()), Gate::standard(), Gate::new(None, Some(json!({})))] {
        assert_eq!(outcome(&gate, &json!({ "actor_token": token }), None), Err(401));
        assert_eq!(outcome(&gate, &json!({}), Some(&format!("Bearer {token}"))), Err(401));
    }
}

#[test]
fn nobody_is_enough_only_where_nothing_is_configured() {
    let rbac = || Some(json!({}));
    let keys = || Some(config(json!({"jwks": {"keys": []}, "trust_actor_claims": true})));
    let nobody = Envelope::default();
    assert_eq!(Gate(Gatekeeper::open()).require(&nobody), Ok(None));
    // An empty policy, or a provider without keys, is configured all the same.
    for (oidc, policy) in [(None, rbac()), (keys(), None), (keys(), rbac())] {
        let gate = Gate::new(oidc, policy);
        assert!(unauthenticated(&gate.require(&nobody)));
        assert_eq!(gate.identify(&nobody), Ok(None));
    }
}

#[test]
fn what_is_configured_is_said() {
    let flags = |gate: &Gate| {
        let keeper = &gate.0;
        [
            keeper.oidc_configured(),
            keeper.rbac_configured(),
            keeper.trusts_claims(),
            keeper.requires_identity_for_all_mutations(),
            keeper.forbids_self_approval(Via::Token),
            keeper.forbids_self_approval(Via::Claims),
        ]
    };
    for (oidc_members, rbac, wanted) in [
        (None, false, [false, false, true, false, true, false]),
        (None, true, [false, true, true, false, true, false]),
        (Some(json!({})), false, [true, false, false, false, true, false]),
        (Some(json!({"trust_actor_claims": true})), true, [true, true, true, false, true, false]),
        (Some(json!({"require_identity_for_all_mutations": true})), false, [true, false, false, true, true, false]),
        (Some(json!({"forbid_self_approval": true})), false, [true, false, false, false, true, true]),
        (Some(json!({"forbid_self_approval": false})), false, [true, false, false, false, false, false]),
        (
            Some(json!({"forbid_self_approval": null, "trust_actor_claims": null})),
            false,
            [true, false, false, false, true, false],
        ),
    ] {
        let config = oidc_members.map(|mut members| {
            members["jwks"] = json!({"keys": []});
            config(members)
        });
        let what = format!("{config:?} {rbac}");
        assert_eq!(flags(&Gate::new(config, rbac.then(|| json!({})))), wanted, "{what}");
    }
}

#[test]
fn nothing_that_was_sent_is_shown() {
    let secret = Signer::other().token(header(), claims_with(json!({"sub": "hush"})));
    let body = object(json!({"actor_token": secret, "actor_claims": {"sub": "hush"}}));
    let envelope = Envelope::from_body(&body, Some("Bearer hush"));
    let error = Gate::standard().identify(&envelope).unwrap_err();
    for shown in [format!("{envelope:?}"), format!("{error:?}"), format!("{error}")] {
        assert!(!shown.contains("hush") && !shown.contains(&secret[..10]), "{shown}");
    }
    assert_eq!(Envelope::FIELDS, ["actor_claims", "actor_token"]);
}

#[test]
fn a_gatekeeper_is_shared_by_its_clones() {
    let keeper =
        load(Some(("oidc.json", &config(json!({"jwks": {"keys": [Signer::provider().jwk("k1")]}})).to_string())), None)
            .unwrap();
    let envelope = Envelope { token: Some(Signer::provider().token(header(), claims())), ..Envelope::default() };
    // The file is gone by now: it is read once.
    for keeper in [keeper.clone(), keeper] {
        assert!(block_on(keeper.identify(&envelope)).unwrap().is_some());
    }
}
