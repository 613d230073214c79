//! Who an actor is, from claims.

use cavra_identity::{Identity, Via};
use cavra_model::Person;
use serde_json::{Value, json};

use crate::support::{Gate, Signer, claims_with, header};

#[test]
fn the_name_is_the_first_that_is_there() {
    let gate = Gate::new(None, None);
    for (claims, name) in [
        (json!({"email": "ann@x", "preferred_username": "ann", "sub": "u1"}), "ann@x"),
        (json!({"preferred_username": "ann", "sub": "u1"}), "ann"),
        (json!({"sub": "u1"}), "u1"),
        (json!({"email": "", "preferred_username": "ann"}), "ann"),
        (json!({"email": "  ", "preferred_username": "", "sub": "u1"}), "u1"),
        (json!({"email": null, "preferred_username": [], "sub": "u1"}), "u1"),
        (json!({"email": ["ann@x"], "sub": "u1"}), "u1"),
        (json!({"email": 5, "preferred_username": true, "sub": {}}), "unknown"),
        (json!({"name": "Ann", "upn": "ann@x", "actor": "ann"}), "unknown"),
        (json!({}), "unknown"),
    ] {
        assert_eq!(gate.claimed(claims.clone()).actor, name, "{claims}");
    }
}

/// An address that the issuer has not verified is what somebody entered, not who they are.
#[test]
fn an_unverified_address_names_nobody() {
    let (unsigned, signed) = (Gate::new(None, None), Gate::standard());
    let verdicts = [
        (json!(true), "ceo@x"),
        (json!("true"), "ceo@x"),
        (json!(false), "mallory"),
        (json!("false"), "mallory"),
        (json!("TRUE"), "mallory"),
        (json!(null), "mallory"),
        (json!(1), "mallory"),
        (json!([true]), "mallory"),
    ];
    for (verified, name) in verdicts {
        let claims =
            claims_with(json!({"email": "ceo@x", "email_verified": verified, "preferred_username": "mallory"}));
        let token = Signer::provider().token(header(), &claims);
        for actor in [unsigned.claimed(claims.clone()), signed.accepts("signed", &token)] {
            assert_eq!(actor.actor, name, "{claims}");
            assert_eq!(actor.is_called("CEO@x"), name == "ceo@x", "{claims}");
            // What they asked for under that address is not theirs to approve.
            let person = Identity { actor, via: Via::Claims }.person();
            let may_be = |name: &str| person.may_be(&Person::named(name));
            assert!(may_be(" Ceo@X ") && may_be("mallory") && !may_be("ann") && !may_be(""));
        }
    }
    for (claims, name) in [
        (json!({"email": "ceo@x", "email_verified": false, "preferred_username": "CEO@X", "sub": "u7"}), "u7"),
        (json!({"email": "ceo@x", "email_verified": false, "sub": "u7"}), "u7"),
        (json!({"email": "ceo@x", "email_verified": false}), "unknown"),
        // The issuer assigns subjects.
        (json!({"email": "ceo@x", "email_verified": false, "sub": "ceo@x"}), "ceo@x"),
        (json!({"preferred_username": "ann", "email_verified": false}), "ann"),
    ] {
        assert_eq!(unsigned.claimed(claims.clone()).actor, name, "{claims}");
    }
}

#[test]
fn members_of_the_context() {
    let gate = Gate::new(None, None);
    for (claims, wanted) in [
        (
            json!({"sub": "u1", "iss": "https://i", "repository": "pay", "repo": "web", "groups": ["b", "a"]}),
            json!({"actor": "u1", "subject": "u1", "issuer": "https://i", "groups": ["a", "b"], "repository": "pay"}),
        ),
        (
            json!({"email": "ann@x", "repo": "web"}),
            json!({"actor": "ann@x", "subject": null, "issuer": null, "groups": [], "repository": "web"}),
        ),
        (
            json!({"sub": 7, "iss": {}, "repository": [], "repo": ""}),
            json!({"actor": "unknown", "subject": null, "issuer": null, "groups": [], "repository": null}),
        ),
    ] {
        assert_eq!(serde_json::to_value(gate.claimed(claims.clone())).unwrap(), wanted, "{claims}");
    }
}

#[test]
fn groups_else_roles_and_what_they_are_mapped_to() {
    let mappings = json!({"group_mappings": {"ext": "IAM", "IAM": "Board", "7": "Seven", "loop": "loop"}});
    let (plain, mapped) = (Gate::new(None, None), Gate::new(None, Some(mappings)));
    for (claims, raw, with_mappings) in [
        (json!({"groups": ["b", "a", "b"]}), json!(["a", "b"]), json!(["a", "b"])),
        (json!({"groups": ["a"], "roles": ["r"]}), json!(["a"]), json!(["a"])),
        (json!({"groups": [], "roles": ["r"]}), json!(["r"]), json!(["r"])),
        (json!({"groups": null, "roles": ["r"]}), json!(["r"]), json!(["r"])),
        (json!({"groups": "", "roles": "r"}), json!(["r"]), json!(["r"])),
        (json!({"roles": ["r", "q"]}), json!(["q", "r"]), json!(["q", "r"])),
        (json!({"groups": "IAM admins"}), json!(["IAM admins"]), json!(["IAM admins"])),
        (json!({"groups": "a,b"}), json!(["a,b"]), json!(["a,b"])),
        (json!({"groups": [7, 1.5]}), json!(["1.5", "7"]), json!(["1.5", "7", "Seven"])),
        (json!({"groups": [null, {}, ["IAM"], true, ""]}), json!([]), json!([])),
        (json!({"groups": {"IAM": true}}), json!([]), json!([])),
        (json!({"groups": true}), json!([]), json!([])),
        // Mapped once, the raw name kept; what it is mapped to is not mapped again.
        (json!({"groups": ["ext"]}), json!(["ext"]), json!(["IAM", "ext"])),
        (json!({"groups": ["ext", "IAM"]}), json!(["IAM", "ext"]), json!(["Board", "IAM", "ext"])),
        (json!({"groups": "ext"}), json!(["ext"]), json!(["IAM", "ext"])),
        (json!({"roles": ["ext"]}), json!(["ext"]), json!(["IAM", "ext"])),
        (json!({"groups": ["Ext"]}), json!(["Ext"]), json!(["Ext"])),
        (json!({"groups": ["loop"]}), json!(["loop"]), json!(["loop"])),
        (json!({}), json!([]), json!([])),
    ] {
        assert_eq!(json!(plain.claimed(claims.clone()).groups), raw, "{claims}");
        assert_eq!(json!(mapped.claimed(claims.clone()).groups), with_mappings, "{claims}, mapped");
    }
}

#[test]
fn tokens_and_claims_make_the_same_actor() {
    let rbac = json!({"group_mappings": {"ext": "IAM"}});
    let (signed, unsigned) = (Gate::with_rbac(rbac.clone()), Gate::new(None, Some(rbac)));
    for members in [
        json!({"groups": ["ext"]}),
        json!({"email": "", "groups": "ext", "repository": "pay"}),
        json!({"email": 7, "sub": "u9", "groups": [], "roles": ["x"]}),
    ] {
        let claims = claims_with(members);
        let token = Signer::provider().token(header(), &claims);
        assert_eq!(signed.accepts("signed", &token), unsigned.claimed(claims));
    }
}

#[test]
fn a_person_is_known_by_every_name() {
    let gate = Gate::new(None, None);
    let called = |claims: Value, name: &str| gate.claimed(claims).is_called(name);
    let ann = || json!({"email": "Ann@X.example", "preferred_username": "ann", "sub": "u1", "name": "boss"});
    for (name, known) in [
        ("ann@x.example", true),
        (" ANN@X.EXAMPLE ", true),
        ("ann", true),
        ("U1", true),
        ("boss", false),
        ("", false),
        (" ", false),
        ("an", false),
        ("ann@x", false),
        ("unknown", false),
    ] {
        assert_eq!(called(ann(), name), known, "{name}");
    }
    assert!(!called(json!({}), "unknown") && !called(json!({}), ""));
    let person = |claims: Value, via| Identity { actor: gate.claimed(claims), via }.person();
    let same = |via, one: Value, other: Value| person(one, via).may_be(&person(other, via));
    // By token, however they are called today, and not whoever else has that name, or that subject at another provider.
    let (ann, renamed) =
        (json!({"sub": "u1", "iss": "i", "email": "a@x"}), json!({"sub": "u1", "iss": "i", "email": "b@x"}));
    let (namesake, elsewhere) = (json!({"sub": "u2", "iss": "i", "email": "a@x"}), json!({"sub": "u1", "iss": "j"}));
    assert!(same(Via::Token, ann.clone(), renamed) && same(Via::Claims, ann.clone(), namesake.clone()));
    assert!(!same(Via::Token, ann.clone(), namesake) && !same(Via::Token, ann, elsewhere));
    assert!(same(Via::Claims, json!({"email": "Ann@x"}), json!({"email": "ann@X"})));
    assert!(same(Via::Claims, json!({}), json!({"groups": ["g"]})), "nobody in particular is one person");
}

/// What a provider leaves out is said to who is refused for it.
#[test]
fn groups_that_were_left_out_are_named() {
    let gate = Gate::standard();
    let identity = |claims: Value| gate.token(&Signer::provider().token(header(), claims_with(claims))).unwrap();
    let overage = json!({"groups": null, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}});
    assert!(identity(overage).missing_groups().unwrap().contains("_claim_names"));
    assert_eq!(identity(json!({})).missing_groups(), None);
}
