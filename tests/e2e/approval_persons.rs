//! A person is issuer and subject, whatever names their tokens carry: who asks does not approve, and one person does not
//! count as two.

use serde_json::{Value, json};

use super::approvals::{decision, string};
use crate::support::{Home, Issuer, Server};

/// A server with an identity provider, and two people needed for a high severity.
fn site() -> (Server, Issuer) {
    let (home, issuer) = (Home::new(), Issuer::new());
    home.write(
        "oidc.json",
        issuer.config(&json!({"trust_actor_claims": true, "forbid_self_approval": true})).to_string(),
    );
    home.write(
        "routing.json",
        json!([{"repository": "two", "approver_group": "IAM", "quorum": 2}, {"approver_group": "IAM"}]).to_string(),
    );
    let (oidc, routing) = (home.at("oidc.json"), home.at("routing.json"));
    let server = home.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &oidc), ("CAVRA_APPROVAL_ROUTING_FILE", &routing)]);
    (server, issuer)
}

/// Ways to come as somebody: by a token with these claims, or by claims nobody signed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Token(&'static str, &'static str),
    Claims(&'static str, &'static str),
    Named(&'static str),
}

use Way::{Claims, Named, Token};

impl Way {
    fn claims(subject: &str, email: &str) -> Value {
        let mut claims = json!({"groups": ["IAM"]});
        for (claim, value) in [("sub", subject), ("email", email)] {
            if !value.is_empty() {
                claims[claim] = json!(value);
            }
        }
        claims
    }

    /// Puts what it brings along into a body.
    fn into(self, issuer: &Issuer, body: &mut Value) {
        match self {
            Token(subject, email) => {
                let header = json!({"alg": "RS256", "kid": "k1"});
                body["actor_token"] = json!(issuer.signed(&header, Self::claims(subject, email)));
            }
            Claims(subject, email) => body["actor_claims"] = Self::claims(subject, email),
            Named(name) => body["requested_by"] = json!(name),
        }
    }
}

/// Asking in one way and approving in another.
const PAIRS: [(Way, Way, bool); 14] = [
    (Token("u1", "ann@x"), Token("u1", "ann@x"), true),
    (Token("u1", "ann@x"), Token("u1", ""), true),
    (Token("u1", ""), Token("u1", "ann@x"), true),
    (Token("u1", "ann@x"), Token("u1", "renamed@x"), true),
    (Token("u1", "team@x"), Token("u2", "team@x"), false),
    (Token("u1", ""), Token("U1", ""), false),
    (Token("u1", "ann@x"), Claims("", "ann@x"), true),
    (Token("u1", "ann@x"), Claims("u1", ""), true),
    (Token("u1", "ann@x"), Claims("u2", "bob@x"), false),
    (Claims("u1", "ann@x"), Token("u9", "Ann@X"), true),
    (Claims("u1", "ann@x"), Token("u2", "bob@x"), false),
    (Named("ANN@x"), Token("u1", "ann@x"), true),
    (Named("u1"), Token("u1", "ann@x"), true),
    (Named("bob"), Token("u1", "ann@x"), false),
];

#[test]
fn who_asks_does_not_approve() {
    let (server, issuer) = site();
    for (asks, approves, same) in PAIRS {
        let mut body = json!({"decision": decision("dec_1")});
        asks.into(&issuer, &mut body);
        let asked = server.post("/approvals", &body).ok();
        let id = string(&asked["approval_id"]);
        let mut ruling = json!({"reason": "fine"});
        approves.into(&issuer, &mut ruling);
        let answer = server.post(&format!("/approvals/{id}/approve"), &ruling);
        assert_eq!(answer.status, if same { 403 } else { 200 }, "{asks:?} {approves:?}: {}", answer.text());
        if let Token(subject, _) = asks {
            let identity = &asked["requested_by_identity"];
            assert_eq!(
                (&identity["issuer"], &identity["subject"]),
                (&json!("https://issuer.example"), &json!(subject))
            );
        }
        if let (Token(subject, _), false) = (approves, same) {
            assert_eq!(answer.ok()["decided_by_identity"]["subject"], subject);
        }
    }
}

#[test]
fn one_person_does_not_count_as_two() {
    let (server, issuer) = site();
    for (first, second, same) in PAIRS.into_iter().filter(|(first, ..)| !matches!(first, Named(_))) {
        let mut asked = decision("dec_1");
        asked["repository"] = json!("two");
        let id = string(
            &server.post("/approvals", &json!({"decision": asked, "requested_by": "carol"})).ok()["approval_id"],
        );
        let path = format!("/approvals/{id}/approve");
        let vote = |way: Way| {
            let mut ruling = json!({"reason": "fine"});
            way.into(&issuer, &mut ruling);
            server.post(&path, &ruling)
        };
        assert_eq!(vote(first).ok()["state"], "pending");
        let answer = vote(second);
        assert_eq!(answer.status, if same { 409 } else { 200 }, "{first:?} {second:?}: {}", answer.text());
        let state = server.get(&format!("/approvals/{id}")).ok()["state"].clone();
        assert_eq!(state, if same { "pending" } else { "approved" });
    }
}

/// Whom the agent acts for asks too; a display name that two people share takes nothing from the other one.
#[test]
fn whom_the_agent_acts_for_does_not_approve() {
    let (server, issuer) = site();
    for (actor, asks, approves, wanted) in [
        ("ann@x", Named("ci"), Token("u1", "ann@x"), 403),
        ("ann@x", Token("u2", "bob@x"), Token("u1", "ann@x"), 403),
        ("team@x", Token("u1", "team@x"), Token("u2", "team@x"), 200),
        ("team@x", Token("u1", "team@x"), Token("u1", ""), 403),
    ] {
        let mut about = decision("dec_1");
        about["actor"] = json!(actor);
        let mut body = json!({"decision": about});
        asks.into(&issuer, &mut body);
        let id = string(&server.post("/approvals", &body).ok()["approval_id"]);
        let mut ruling = json!({"reason": "fine"});
        approves.into(&issuer, &mut ruling);
        let answer = server.post(&format!("/approvals/{id}/approve"), &ruling);
        assert_eq!(answer.status, wanted, "{actor} {asks:?} {approves:?}: {}", answer.text());
    }
}

/// A person whose provider left the groups out is told why they are refused.
#[test]
fn groups_that_were_left_out_are_named() {
    let (server, issuer) = site();
    let id = string(&server.post("/approvals", &decision("dec_1")).ok()["approval_id"]);
    let claims =
        json!({"sub": "u1", "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}});
    let token = issuer.signed(&json!({"alg": "RS256", "kid": "k1"}), claims);
    let refused =
        server.post_as(&token, &format!("/approvals/{id}/approve"), &json!({"reason": "fine"})).refused(&[403]);
    assert!(refused.to_string().contains("_claim_names"), "{refused}");
}
