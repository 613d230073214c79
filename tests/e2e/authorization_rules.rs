//! What the table of who may do what leaves open: the order of refusals, one's own requests, endpoints that can be closed,
//! envelopes, files that cannot be used. docs/reference/approvals-identity-authoring.md, sections 1, 2 and 3.5.

use serde_json::{Value, json};

use super::approvals::{decision, string};
use super::authorization::{MEMBER, OTHER, Setup, Site};
use crate::support::{Home, Issuer};

/// Identity comes first, then the approval, then its state, then the words, then the right to decide.
#[test]
fn refusals_come_in_order() {
    let site = Site::new(Setup::Oidc);
    let (good, wrong) = (site.issuer.token("ann", MEMBER), site.issuer.token("bob", OTHER));
    let nothing = json!({});
    let unknown = "/approvals/apr_000000000000/approve";
    site.server.post(unknown, &nothing).refused(&[401]);
    site.server.post_as(&wrong, unknown, &nothing).refused(&[404]);
    let settled = {
        let (path, body, _) = site.prepare("deny");
        site.server.post_as(&good, &path, &body).ok();
        path.replace("/deny", "/approve")
    };
    site.server.post(&settled, &nothing).refused(&[401]);
    site.server.post_as(&wrong, &settled, &nothing).refused(&[409]);
    let (path, body, id) = site.prepare("approve");
    let id = id.unwrap();
    site.server.post(&path, &nothing).refused(&[401]);
    site.server.post_as(&wrong, &path, &nothing).refused(&[400]);
    site.server.post_as(&wrong, &path, &json!({"reason": " "})).refused(&[400]);
    site.server.post_as(&wrong, &path, &body).refused(&[403]);
    assert_eq!(site.server.get(&format!("/approvals/{id}")).ok()["history"].as_array().unwrap().len(), 1);
    // With an identity nobody has to say who they are.
    assert_eq!(site.server.post_as(&good, &path, &json!({"reason": "fine"})).ok()["decided_by"], "ann@x.example");
}

/// Whoever asked does not approve, under whichever of their names; the operator can allow it.
#[test]
fn nobody_approves_their_own_request() {
    let home = Home::new();
    let issuer = Issuer::new();
    for (forbidden, wanted) in [(None, 403), (Some(true), 403), (Some(false), 200)] {
        home.write("oidc.json", issuer.config(&json!({"forbid_self_approval": forbidden})).to_string());
        let server = home.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))]);
        let token = issuer.token("ann", MEMBER);
        for asker in ["ann@x.example", "ANN@x.example", "ann"] {
            let body = json!({"decision": decision("dec_1"), "requested_by": asker});
            let id = string(&server.post("/approvals", &body).ok()["approval_id"]);
            let answer = server.post_as(&token, &format!("/approvals/{id}/approve"), &json!({"reason": "mine"}));
            assert_eq!(answer.status, wanted, "{forbidden:?} {asker}: {}", answer.text());
            if wanted == 403 {
                // To deny one's own request is nothing else than to take it back.
                server.post_as(&token, &format!("/approvals/{id}/deny"), &json!({"reason": "mine"})).ok();
            }
        }
    }
}

/// Open endpoints look at an identity that is sent, and one switch closes them.
#[test]
fn open_endpoints_can_be_closed() {
    let issuer = Issuer::new();
    let calls = || {
        [
            ("/approvals", json!({"decision": decision("dec_1"), "requested_by": "mallory"})),
            ("/repositories", json!({"repository": "pay"})),
            ("/policy-rollouts", json!({"repository": "pay", "policy_pack": "p"})),
        ]
    };
    for closed in [false, true] {
        let home = Home::new();
        let config = issuer.config(&json!({"require_identity_for_all_mutations": closed}));
        home.write("oidc.json", config.to_string());
        let server = home.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))]);
        for (path, body) in calls() {
            // What can loosen is closed in any case.
            let wanted = if closed || path != "/approvals" { 401 } else { 200 };
            let anonymous = server.post(path, &body);
            assert_eq!(anonymous.status, wanted, "{path}: {}", anonymous.text());
            server.post_as(&issuer.forged("eve", MEMBER), path, &body).refused(&[401]);
            server
                .request_with("POST", path, &[("authorization", "Basic YTpi")], body.to_string().as_bytes())
                .refused(&[401]);
            let mut claimed = body.clone();
            claimed["actor_claims"] = json!({"sub": "eve", "groups": ["IAM"]});
            server.post(path, &claimed).refused(&[401]);
            let known = server.post_as(&issuer.token("eve", OTHER), path, &body).ok();
            if path == "/approvals" {
                assert_eq!(known["requested_by"], "eve@x.example", "nobody asks in another's name");
            }
        }
        let answer = server.post("/policy-rollouts/change-plan", &calls()[2].1);
        assert_eq!(answer.status, if closed { 401 } else { 200 }, "a plan changes nothing: {}", answer.text());
    }
}

/// A member of the wrong JSON type is not there; a body token counts more than the header's.
#[test]
fn envelopes_are_read_with_care() {
    let site = Site::new(Setup::Oidc);
    let (member, other) = (site.issuer.token("ann", MEMBER), site.issuer.token("bob", OTHER));
    for envelope in [
        json!({"actor_token": 5}),
        json!({"actor_token": null}),
        json!({"actor_claims": "IAM"}),
        json!({"actor_token": ["x"]}),
    ] {
        let (path, mut body, _) = site.prepare("approve");
        body.as_object_mut().unwrap().extend(envelope.as_object().unwrap().clone());
        site.server.post(&path, &body).refused(&[401]);
        assert_eq!(site.server.post_as(&member, &path, &body).ok()["decided_by"], "ann@x.example", "{envelope}");
    }
    let (path, mut body, _) = site.prepare("approve");
    body["actor_token"] = json!(other);
    site.server.post_as(&member, &path, &body).refused(&[403]);
    for (authorization, wanted) in [
        ("Bearer", 401),
        ("Bearer ", 401),
        (member.as_str(), 401),
        ("Basic YTpi", 401),
        ("bearer nonsense", 401),
        (&format!("bEaReR {member}"), 200),
    ] {
        let (path, body, _) = site.prepare("approve");
        let answer =
            site.server.request_with("POST", &path, &[("authorization", authorization)], body.to_string().as_bytes());
        assert_eq!(answer.status, wanted, "{authorization}");
    }
}

/// Claims that claim nothing are no actor: where claims are taken as given, they open no guarded endpoint.
#[test]
fn empty_claims_are_nobody() {
    let home = Home::new();
    home.write("rbac.json", "{}");
    let guarded = home.serve(&[("CAVRA_APPROVAL_RBAC_FILE", &home.at("rbac.json"))]);
    let open = Home::new().serve(&[]);
    let path = "/policy-rollouts/apply-change";
    for (claims, status, actor) in [
        (json!({}), 401, Value::Null),
        (Value::Null, 401, Value::Null),
        (json!({"sub": "ann"}), 200, json!("ann")),
        (json!({"groups": ["G"]}), 200, json!("unknown")),
    ] {
        let body = json!({"repository": "pay", "policy_pack": "p", "actor_claims": claims});
        let answer = guarded.post(path, &body);
        assert_eq!(answer.status, status, "{claims}: {}", answer.text());
        assert_eq!(open.post(path, &body).ok()["actor"]["actor"], actor, "{claims}");
    }
}

/// A file that governs access and cannot be used stops the server; it never starts with the control off.
#[test]
fn files_that_govern_access_are_read_or_nothing_starts() {
    let issuer = Issuer::new();
    let without = |member: &str| {
        let mut config = issuer.config(&json!({}));
        config.as_object_mut().unwrap().remove(member);
        config.to_string()
    };
    let cases = [
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json", None),
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json", Some("{".to_owned())),
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.yaml", Some("- 1".to_owned())),
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json", Some(without("issuer"))),
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json", Some(without("audience"))),
        (
            "CAVRA_APPROVAL_OIDC_CONFIG",
            "oidc.json",
            Some(issuer.config(&json!({"jwks": null, "jwks_path": "missing-keys.json"})).to_string()),
        ),
        // The issuer would have to say its keys, and nobody is there.
        (
            "CAVRA_APPROVAL_OIDC_CONFIG",
            "oidc.json",
            Some(issuer.config(&json!({"jwks": null, "issuer": "http://127.0.0.1:1"})).to_string()),
        ),
        ("CAVRA_APPROVAL_RBAC_FILE", "rbac.json", None),
        ("CAVRA_APPROVAL_RBAC_FILE", "rbac.json", Some("[]".to_owned())),
        ("CAVRA_APPROVAL_RBAC_FILE", "rbac.yaml", Some("repository_permissions: {}".to_owned())),
    ];
    for (variable, file, content) in cases {
        let home = Home::new();
        if let Some(content) = &content {
            home.write(file, content);
        }
        let output = home.cavra(&["serve", "--port", "0"]).env(variable, home.at(file)).run().fails();
        let stem = file.split('.').next().unwrap();
        assert!(output.stderr.contains(&format!("{stem}.")), "{content:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{content:?}");
    }
    // No key and no role are configurations too: every token fails, and an identity is needed.
    for (variable, file, content) in [
        ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json", issuer.config(&json!({"jwks": {"keys": []}})).to_string()),
        ("CAVRA_APPROVAL_RBAC_FILE", "rbac.json", "{}".to_owned()),
    ] {
        let home = Home::new();
        home.write(file, content);
        let server = home.serve(&[(variable, &home.at(file))]);
        let id = string(&server.post("/approvals", &decision("dec_1")).ok()["approval_id"]);
        let path = format!("/approvals/{id}/approve");
        server.post(&path, &json!({"actor": "ann", "reason": "fine"})).refused(&[401]);
        if variable.ends_with("OIDC_CONFIG") {
            server.post_as(&issuer.token("ann", MEMBER), &path, &json!({"reason": "fine"})).refused(&[401]);
        }
    }
}
