//! What every endpoint that takes a body has in common: the table is the served OpenAPI document, so that no endpoint is
//! forgotten. docs/reference/approvals-identity-authoring.md, section 1; docs/reference/decisions-and-policy.md, section 1.

use serde_json::{Value, json};

use super::approvals::{decision, pending, serve, string};
use crate::support::{Home, Server, on_both};

/// No endpoint takes more than this.
const LARGE: usize = 9 << 20;

/// Paths that take a body, with parameters filled in, and whether they have to be given one.
fn posts(server: &Server) -> Vec<(bool, String)> {
    let document = server.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    let posts = paths.iter().filter(|(_, methods)| methods["post"]["requestBody"].is_object());
    let posts = posts.filter(|(_, methods)| methods["post"]["x-cavra-access"] != "signed callback");
    let filled = |template: &str| {
        let segments = template.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    };
    posts.map(|(template, methods)| (methods["post"]["requestBody"]["required"] == true, filled(template))).collect()
}

#[test]
fn only_objects_of_a_bounded_size_are_taken() {
    let home = Home::new();
    let server = home.serve(&[("CAVRA_MAX_INVENTORY_BYTES", "1048576")]);
    let posts = posts(&server);
    assert!(posts.len() >= 16, "{posts:?}");
    for (needed, path) in &posts {
        for unreadable in ["", "[]", "null", "3", "\"x\"", "{", "{\"a\":1", "\u{feff}{}", "{} {}"] {
            if unreadable.is_empty() && !needed {
                continue;
            }
            let answer = server.request("POST", path, unreadable.as_bytes());
            answer.refused(&[400, 422]);
        }
        server.request("POST", path, b"\xff{}").refused(&[400, 422]);
        // What two readers would understand differently.
        for (ambiguous, said) in [
            (r#"{"a": [{"b": 1, "c": 2, "\u0062": 1}]}"#, "an object with two members of the same name"),
            (r#"{"a": [{"$serde_json::private::Number": "1"}]}"#, "an object with a member whose name begins with"),
            (
                r#"{"a": {"b": 1, "$serde_json::private::RawValue": "{}"}}"#,
                "an object with a member whose name begins with",
            ),
            (r#"{"a": [1e400]}"#, "a number that is too large"),
            // And what is too deep to read, which is JSON all the same.
            (&format!("{{\"a\": {}{}}}", "[".repeat(500), "]".repeat(500)), "nested more than 127 levels deep"),
        ] {
            let answer = server.request("POST", path, ambiguous.as_bytes());
            assert!(answer.refused(&[422]).to_string().contains(said), "{path}: {}", answer.text());
        }
        // A number of any length is only a number.
        for number in ["18446744073709551616", "-99999999999999999999999", "-0", "1.50", "1E5"] {
            let body = format!(
                r#"{{"a": [{number}], "limit": {number}, "ttl_hours": {number}, "coverage_percent": {number}}}"#
            );
            let answer = server.request("POST", path, body.as_bytes());
            assert!(answer.status < 500, "{path}: {}", answer.text());
            assert!(!answer.text().contains("json_invalid"), "{path}: {}", answer.text());
        }
        let large = json!({ "decision_id": "x".repeat(LARGE) }).to_string();
        server.request("POST", path, large.as_bytes()).refused(&[413]);
    }
    for list in ["/approvals", "/decisions", "/sessions"] {
        assert_eq!(server.total(list), 0, "{list}");
    }
    assert_eq!(server.total("/repositories") + server.total("/policy-rollouts"), 0);
    assert!(!home.exists("policies"));
}

/// Wrong types are refused, nothing is stored; null is "not given".
#[test]
fn members_of_approvals_have_their_types() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let wrong = [json!(5), json!(true), json!([]), json!({}), json!(["x"])];
        let texts = ["actor", "reason", "approver_group", "external_ref", "requested_by"];
        let wide = serde_json::from_str("18446744073709551616").unwrap();
        let numbers = [wide, json!("soon"), json!("5"), json!([]), json!({}), json!(true), json!(1.5), json!(1e300)];
        let cases = || {
            let texts = texts.into_iter().flat_map(|member| wrong.iter().map(move |value| (member, value.clone())));
            texts.chain(numbers.iter().map(|value| ("ttl_hours", value.clone())))
        };
        let id = pending(&server);
        let before = server.get("/approvals").ok();
        for (member, value) in cases() {
            let mut body = json!({"decision": decision("d"), "actor": "ann", "reason": "r", "approver_group": "G"});
            body[member] = value.clone();
            for path in ["/approvals".to_owned(), "/approvals/break-glass".to_owned()] {
                server.post(&path, &body).refused(&[400, 422]);
            }
            if member != "ttl_hours" && member != "requested_by" && member != "approver_group" {
                for verb in ["approve", "deny", "expire"] {
                    server.post(&format!("/approvals/{id}/{verb}"), &body).refused(&[400, 422]);
                }
            }
        }
        for refs in [json!("x"), json!({}), json!([1]), json!([null]), json!(5)] {
            let mut body = decision("dec_1");
            body["evidence_refs"] = refs;
            server.post(&format!("/approvals/{id}/attach-decision"), &body).refused(&[400]);
        }
        assert_eq!(server.get("/approvals").ok(), before);
        let mut nulls: Value = json!({"decision": decision("d"), "actor": "ann", "reason": "r"});
        for member in ["approver_group", "external_ref", "requested_by", "ttl_hours", "actor_claims", "actor_token"] {
            nulls[member] = Value::Null;
        }
        let made = server.post("/approvals", &nulls).ok();
        assert_eq!((&made["approver_group"], &made["requested_by"]), (&json!("IAM"), &json!("ai-agent")));
        let ruled = server.post(&format!("/approvals/{}/approve", string(&made["approval_id"])), &nulls).ok();
        assert_eq!((ruled.get("external_ref"), &ruled["decided_by"]), (None, &json!("ann")));
        assert_eq!(server.post("/approvals/break-glass", &nulls).ok()["approver_group"], "Change Advisory Board");
    });
}
