//! Issuer, audience and times. docs/reference/approvals-identity-authoring.md, section 2.2.

use serde_json::{Value, json};

use crate::support::{AUDIENCE, Gate, ISSUER, Signer, b64, claims, claims_with, config, header, now};

/// The claims, signed as they should be.
fn token(claims: impl ToString) -> String {
    Signer::provider().token(header(), claims)
}

fn with(claim: &str, value: Value) -> String {
    token(claims_with(json!({ claim: value })))
}

fn without(claim: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    token(claims)
}

/// What `check` answers about one and the same second.
fn in_one_second<T>(check: impl Fn(i64) -> T) -> T {
    loop {
        let second = now();
        let answer = check(second);
        if now() == second {
            return answer;
        }
    }
}

#[test]
fn the_issuer_is_the_configured_one() {
    let gate = Gate::standard();
    for issuer in [
        json!("https://other.example"),
        json!("https://id.example/"),
        json!("https://ID.example"),
        json!("http://id.example"),
        json!("https://id.example.attacker.example"),
        json!("id.example"),
        json!(""),
        json!(" https://id.example"),
        json!(null),
        json!([ISSUER]),
        json!({"iss": ISSUER}),
        json!(1),
    ] {
        gate.refuses(&issuer.to_string(), &with("iss", issuer), "another issuer");
    }
    gate.refuses("no iss", &without("iss"), "another issuer");
}

#[test]
fn the_audience_is_or_holds_the_configured_one() {
    let gate = Gate::standard();
    for audience in [
        json!("other"),
        json!("Cavra"),
        json!("cavra "),
        json!("cavra2"),
        json!("cavr"),
        json!(""),
        json!("cavra other"),
        json!(null),
        json!([]),
        json!(["other"]),
        json!([["cavra"]]),
        json!([{"aud": "cavra"}]),
        json!({"cavra": "cavra"}),
        json!([null]),
        json!(true),
        json!(0),
    ] {
        gate.refuses(&audience.to_string(), &with("aud", audience), "another audience");
    }
    gate.refuses("no aud", &without("aud"), "another audience");
    for audience in
        [json!(AUDIENCE), json!([AUDIENCE]), json!(["other", AUDIENCE]), json!([1, null, AUDIENCE, AUDIENCE])]
    {
        gate.accepts(&audience.to_string(), &with("aud", audience));
    }
}

/// RFC 7519, section 2: seconds since 1970, not necessarily whole.
#[test]
fn the_expiry_is_a_moment_ahead() {
    let gate = Gate::standard();
    let soon = now() + 300;
    for expiry in
        [json!(null), json!(true), json!("9999999999"), json!(soon.to_string()), json!([soon]), json!({}), json!("")]
    {
        gate.refuses(&expiry.to_string(), &with("exp", expiry), "exp is no number");
    }
    for expiry in [json!(0), json!(-1), json!(i64::MIN), json!(1), json!(now() - 3600), json!(0.5), json!(-1e300)] {
        gate.refuses(&expiry.to_string(), &with("exp", expiry), "has expired");
    }
    gate.refuses("no exp", &without("exp"), "does not say when it expires");
    for expiry in [json!(i64::MAX), json!(u64::MAX), json!(soon as f64), json!(soon as f64 + 0.5), json!(1e300)] {
        gate.accepts(&expiry.to_string(), &with("exp", expiry));
    }
    for unreadable in
        ["1e400", "1e999999999999", "NaN", "Infinity", "0x7fffffff", "+9999999999", "09999999999", "99999999999.", "-"]
    {
        let claims =
            claims().to_string().replace(&format!("\"exp\":{}", claims()["exp"]), &format!("\"exp\":{unreadable}"));
        assert!(claims.contains(unreadable));
        gate.refuses(unreadable, &token(claims), "claims are no JSON object");
    }
    // Larger than any float: no number that is understood.
    let huge = "9".repeat(400);
    let claims = claims_with(json!({"exp": 0})).to_string().replace("\"exp\":0", &format!("\"exp\":{huge}"));
    gate.refuses("huge", &token(claims), "exp is no number");
}

/// RFC 9068, section 2.2, and OpenID Connect Core, section 2: a token is about somebody.
#[test]
fn a_token_names_a_subject() {
    let gate = Gate::standard();
    for subject in [json!(null), json!(""), json!("  "), json!(7), json!(["u1"]), json!({"id": "u1"}), json!(true)] {
        gate.refuses(&subject.to_string(), &with("sub", subject), "names no subject");
    }
    gate.refuses("no sub", &without("sub"), "names no subject");
}

/// An issuer signs more than tokens of people with the same keys.
#[test]
fn a_document_for_another_purpose_is_no_token() {
    let gate = Gate::standard();
    let logout = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "jti": "x"});
    for (what, claims) in [
        ("a logout token", logout),
        ("a security event", json!({"events": {}, "toe": 1})),
        ("a token introspection", json!({"token_introspection": {"active": true}})),
        ("an authorization answer", json!({"code": "x", "state": "y"})),
        ("an implicit answer", json!({"access_token": "x", "token_type": "bearer", "state": "y"})),
        ("a refused authorization", json!({"error": "access_denied", "state": "y"})),
        ("a nested answer", json!({"response": "x"})),
        ("an authorization request", json!({"response_type": "code", "redirect_uri": "https://x"})),
        ("a proof of possession", json!({"htm": "GET", "htu": "https://x"})),
        ("a credential", json!({"vc": {}})),
        ("a selective disclosure", json!({"_sd_alg": "sha-256"})),
    ] {
        gate.refuses(what, &token(claims_with(claims)), "another purpose");
    }
    let header = |members: Value| {
        let mut header = header();
        header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        header
    };
    let signed = |members: Value| Signer::provider().token(header(members), claims());
    for kind in [
        "logout+jwt",
        "secevent+jwt",
        "application/secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "jarm+jwt",
        "dpop+jwt",
        "kb+jwt",
        "vc+sd-jwt",
        "client-authentication+jwt",
        "JWS",
        "jwtx",
        "at",
        "",
    ] {
        gate.refuses(kind, &signed(json!({ "typ": kind })), "another type");
    }
    for kind in [json!(null), json!(1), json!(["JWT"])] {
        gate.refuses(&kind.to_string(), &signed(json!({ "typ": kind })), "typ is no text");
    }
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt"] {
        gate.accepts(kind, &signed(json!({ "typ": kind })));
    }
    let mut untyped = self::header();
    untyped.as_object_mut().unwrap().remove("typ");
    gate.accepts("no type", &Signer::provider().token(untyped, claims()));
    // What ties a log-in to its token is not for an access token, nor for the header.
    let with_nonce = claims_with(json!({"nonce": "n"}));
    gate.accepts("an ID token", &token(&with_nonce));
    for (what, token) in [
        ("an access token with a nonce", Signer::provider().token(header(json!({"typ": "at+jwt"})), &with_nonce)),
        ("a nonce that is no text", with("nonce", json!(1))),
    ] {
        gate.refuses(what, &token, "nonce");
    }
    gate.refuses("a nonce in the header", &signed(json!({"nonce": "n"})), "a member that is not accepted");
}

#[test]
fn the_beginning_is_a_moment_behind() {
    let gate = Gate::standard();
    for begin in [json!(null), json!("0"), json!([]), json!(false)] {
        gate.refuses(&begin.to_string(), &with("nbf", begin.clone()), "nbf is no number");
        gate.refuses(&begin.to_string(), &with("iat", begin), "iat is no number");
    }
    gate.accepts("issued between two seconds", &with("iat", json!(now() as f64 - 0.25)));
    for begin in [json!(now() + 3600), json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(4e9 + 0.5)] {
        gate.refuses(&begin.to_string(), &with("nbf", begin), "not valid yet");
    }
    for begin in
        [json!(0), json!(-1), json!(i64::MIN), json!(now() - 3600), json!(now()), json!(0.5), json!(1.0), json!(-1e300)]
    {
        gate.accepts(&begin.to_string(), &with("nbf", begin));
    }
}

#[test]
fn clocks_may_differ_by_the_leeway_and_not_a_second_more() {
    for (configured, leeway) in
        [(json!({}), 60), (json!({"leeway_seconds": 0}), 0), (json!({"leeway_seconds": 3600}), 3600)]
    {
        let mut members = configured;
        members["jwks"] = json!({"keys": [Signer::provider().jwk("k1")]});
        let gate = Gate::new(Some(config(members)), None);
        for (claim, offset, accepted) in
            [("exp", 1 - leeway, true), ("exp", -leeway, false), ("nbf", leeway, true), ("nbf", leeway + 1, false)]
        {
            let answer = in_one_second(|second| gate.token(&with(claim, json!(second + offset))));
            assert_eq!(answer.is_ok(), accepted, "{claim} {offset}: {answer:?}");
        }
    }
}

/// RFC 7800, RFC 8705, RFC 9449: whoever stole the token has no key to prove, so it is no bearer token.
#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let gate = Gate::standard();
    for confirmation in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"jwk": {"kty": "RSA"}}),
        json!({"kid": "k1"}),
        json!({}),
        json!(null),
        json!(false),
    ] {
        gate.refuses(&confirmation.to_string(), &with("cnf", confirmation), "is bound to a key");
    }
}

#[test]
fn claims_are_one_object_with_one_meaning() {
    let gate = Gate::standard();
    let fine = claims().to_string();
    let inside = &fine[1..fine.len() - 1];
    for (what, claims) in [
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("a list", format!("[{fine}]")),
        ("a text", json!(fine).to_string()),
        ("half", fine[..fine.len() - 1].to_owned()),
        ("a second value", format!("{fine}{fine}")),
        ("a byte too many", format!("{fine}\u{0}")),
        ("a byte order mark", format!("\u{feff}{fine}")),
        ("a comma too many", format!("{{{inside},}}")),
        ("sub twice", format!("{{{inside},\"sub\":\"u2\"}}")),
        ("sub twice, once in disguise", format!("{{{inside},\"\\u0073ub\":\"u2\"}}")),
        ("the same twice", format!("{{\"aud\":\"cavra\",{inside}}}")),
        ("exp twice", format!("{{\"exp\":1,{inside}}}")),
        ("groups twice", format!("{{{inside},\"groups\":[\"Change Advisory Board\"]}}")),
        ("twice deep inside", format!("{{{inside},\"x\":[{{\"y\":{{\"z\":1,\"z\":1}}}}]}}")),
        ("nested without end", format!("{{{inside},\"x\":{}}}", "[".repeat(5000))),
        ("nested too deeply", format!("{{{inside},\"x\":{}{}}}", "[".repeat(500), "]".repeat(500))),
        ("half a character", format!("{{{inside},\"x\":\"\\udfff\"}}")),
    ] {
        gate.refuses(what, &token(claims), "claims are no JSON object");
    }
    let bytes = [&fine.as_bytes()[..fine.len() - 1], b",\"x\":\"\xc3\x28\"}"].concat();
    let signed = format!("{}.{}", b64(header().to_string()), b64(bytes));
    gate.refuses("no UTF-8", &Signer::provider().sealed(&signed), "claims are no JSON object");
    gate.accepts("spaces", &token(format!(" {fine}\n")));
}

#[test]
fn the_signature_comes_first() {
    // Nobody learns from refusals what claims would be accepted.
    let gate = Gate::standard();
    for claims in [
        claims(),
        claims_with(json!({"iss": "x"})),
        claims_with(json!({"exp": 0})),
        claims_with(json!({"aud": 1})),
        json!([]),
    ] {
        gate.refuses(&claims.to_string(), &Signer::other().token(header(), &claims), "signature is wrong");
    }
}
