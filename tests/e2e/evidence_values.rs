//! What becomes of the values of evidence metadata: claims, times, numbers and names. docs/reference/evidence-and-promotion.md, sections 0 and 0.1.

use cavra_model::canonical;
use serde_json::{Value, json};

use crate::evidence::{ids, serve};
use crate::support::{Backend, Home, Issuer, keys, on_both};

/// Where nobody is identified, claims are a member like others; where somebody is, they say who posts and are not part
/// of what is posted. A token comes to rest nowhere.
#[test]
fn what_says_who_posts_is_not_stored() {
    let body = json!({"session_id": "s", "actor_claims": {"sub": "ann"}, "actor_token": ["hush"], "other": 1});
    let members = ["created_at", "product", "schema_version", "session_id"];
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let stored = server.post("/evidence", &body).ok();
        assert_eq!(keys(&stored), [&["actor_claims"], &members[..1], &["other"], &members[1..]].concat());
        assert_eq!(stored["actor_claims"], body["actor_claims"]);
        assert_eq!(server.get("/evidence/s").ok(), stored);
    });
    let home = Home::new();
    home.write("oidc.json", Issuer::new().config(&json!({"trust_actor_claims": true})).to_string());
    home.write("rbac.json", json!({"repository_permissions": []}).to_string());
    for identity in ["CAVRA_APPROVAL_OIDC_CONFIG", "CAVRA_APPROVAL_RBAC_FILE"] {
        let file = home.at(if identity.contains("OIDC") { "oidc.json" } else { "rbac.json" });
        let server = serve(&Home::new(), Backend::Json, &[(identity, &file)]);
        let stored = server.post("/evidence", &body).ok();
        assert_eq!(keys(&stored), [&members[..1], &["other"], &members[1..]].concat(), "{identity}");
        let file = server.home.json("data/metadata.json");
        assert!(!file["items"].to_string().contains("ann"), "{file}");
        assert!(file["evidence_log"].to_string().contains("ann"), "the log says who posted: {file}");
    }
}

/// Times are compared as instants up to the last one that RFC 3339 can write, and shown as they were sent.
#[test]
fn the_last_moment_is_the_newest() {
    const ORDER: [(&str, &str); 6] = [
        ("a", "9999-12-31T23:59:59-01:00"),
        ("c", "9999-12-31T23:59:59Z"),
        ("b", "9999-12-31T23:59:59+00:30"),
        ("f", "2031-01-01T00:00:00Z"),
        ("e", "0001-01-01T00:00:00Z"),
        ("d", "0001-01-01T00:00:00+14:00"),
    ];
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        server.post("/evidence", &json!({"session_id": "0", "created_at": "no time"})).ok();
        for (id, time) in ORDER.iter().rev() {
            let stored = server.post("/evidence", &json!({"session_id": id, "created_at": time})).ok();
            assert_eq!((&stored["created_at"], &server.get(&format!("/evidence/{id}")).ok()), (&json!(time), &stored));
        }
        assert_eq!(ids(&server, "/evidence"), ["a", "c", "b", "f", "e", "d", "0"]);
    });
}

/// An integer stays that integer, a float that float, in either store and through as many servers as there are: what is
/// signed and digested of a record does not change. docs/reference/evidence-and-promotion.md, section 0.1.
#[test]
fn numbers_are_kept() {
    const NUMBERS: &str = "[18446744073709551616,-99999999999999999999999999999999,9007199254740993,-1,0,1.0,0.1,\
        1e-7,1.7976931348623157e+308,5e-324,0.30000000000000004,-0.0,9007199254740993.0,123456789.12345679]";
    // 17 digits, each of which counts.
    const EXACT: &str = "[8.988465674311582e+307,2.2250738585072014e-308,7.120190517612959e+22,1.1805916207174113e+21]";
    on_both(|backend| {
        let home = Home::new();
        let body = format!(r#"{{"session_id":"s","numbers":{NUMBERS},"exact":[{EXACT}],"other":[1.50,15E-1,-0]}}"#);
        let server = serve(&home, backend, &[]);
        let stored = server.request("POST", "/evidence", body.as_bytes()).ok();
        let integers = &NUMBERS[1..NUMBERS.find(",1.0").unwrap()];
        for text in [stored.to_string(), server.get("/evidence/s").text().to_owned()] {
            assert!(text.contains(integers) && text.contains("[1.5,1.5,0]"), "{text}");
        }
        let sent: Value = serde_json::from_str(&body).unwrap();
        let spelled = |record: &Value| ["numbers", "exact"].map(|member| canonical(&record[member]));
        assert_eq!(spelled(&stored), spelled(&sent));
        server.post("/evidence", &json!({"session_id": "another"})).ok();
        assert!(server.terminate().success());
        let server = serve(&home, backend, &[]);
        assert_eq!(server.get("/evidence/s").ok(), stored);
        // Posted again as it was answered, it is the same.
        assert_eq!(server.post("/evidence", &stored).ok(), stored);
        assert!(server.get("/evidence").text().contains(integers));
    });
}

/// Names that the server's JSON library has for itself: an object with one would be another value, or none, when it is
/// read from the store.
#[test]
fn no_record_makes_a_store_unreadable() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        for name in ["RawValue", "Number"] {
            for value in [json!("{"), json!("1"), json!(1), json!(null)] {
                let object = json!({ format!("$serde_json::private::{name}"): value });
                for body in [object.clone(), json!({ "x": object }), json!({"x": [1.5, [object]]})] {
                    let mut body = body;
                    body["session_id"] = json!("s");
                    server.post("/evidence", &body).refused(&[422]);
                }
            }
        }
        assert_eq!(server.total("/evidence"), 0);
        let text = json!({"session_id": "s", "x": "$serde_json::private::Number"});
        assert_eq!(server.post("/evidence", &text).ok()["x"], text["x"]);
        assert_eq!(server.total("/evidence"), 1);
    });
}
