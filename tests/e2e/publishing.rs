//! Publication of policies: what is refused, what is written, what decides then. docs/reference/approvals-identity-authoring.md, sections 4.2 and 4.3.

use serde_json::{Value, json};

use super::approvals::string;
use super::authoring::{approved, digest, draft, policy, publish, serve, with};
use crate::support::{BASELINE, Backend, Home, assert_timestamp, keys, on_both, sha256};

#[test]
fn what_is_published_decides_and_is_signed() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[("CAVRA_POLICY_SIGNING_KEY", "hush-key")]);
        server
            .post("/decisions", &json!({"action_type": "read_file", "target": "x", "policy_pack": "cavra-mine"}))
            .refused(&[404]);
        let id = approved(&server, &draft());
        let body = json!({"draft": draft(), "approval_id": id, "actor": "pat", "signer": "release desk"});
        let published = server.post("/policy-packs/publish", &body).ok();
        for (member, wanted) in [
            ("schema_version", json!("cavra.policy_pack.publish_result.v1")),
            ("product", json!("CAVRA")),
            ("status", json!("published")),
            ("published_by", json!("pat")),
            ("policy_id", json!("cavra-mine")),
            ("policy_digest", json!(digest(&policy()))),
            ("policy_path", json!(home.at("packs/cavra-mine/policy.yaml"))),
            ("signature_path", json!(home.at("packs/cavra-mine/policy.yaml.sig.json"))),
            ("signature_verified", json!(true)),
        ] {
            assert_eq!(published[member], wanted, "{member}");
        }
        assert_timestamp(published["published_at"].as_str().unwrap());
        assert_eq!(
            (&published["approval"]["approval_id"], &published["approval"]["state"]),
            (&json!(id), &json!("approved"))
        );
        assert_eq!(published["summary"]["rule_counts"]["filesystem"], 3);
        // The next request is decided by it.
        assert_eq!(server.decide_on("read_file", "secret/key", "cavra-mine")["decision"], "block");
        // The file holds the policy, in block style; the signature is over its bytes.
        let yaml = home.read("packs/cavra-mine/policy.yaml");
        assert_eq!(serde_norway::from_str::<Value>(&yaml).unwrap(), policy());
        assert!(!yaml.contains('{') && !yaml.contains('['), "{yaml}");
        let signature = home.json("packs/cavra-mine/policy.yaml.sig.json");
        for (member, wanted) in [
            ("schema_version", json!("cavra.policy-signature.v1")),
            ("algorithm", json!("HS256")),
            ("digest", json!(sha256(&yaml))),
            ("signature", json!(hmac(b"hush-key", yaml.as_bytes()))),
            ("signer", json!("release desk")),
            ("policy_file", json!("policy.yaml")),
        ] {
            assert_eq!(signature[member], wanted, "{member}");
        }
        assert_eq!(
            keys(&signature),
            ["algorithm", "digest", "policy_file", "schema_version", "signature", "signed_at", "signer"]
        );
        let verify = |key: &str| home.cavra(&["policy", "verify", "packs/cavra-mine", "--key", key]).run().code;
        assert_eq!((verify("hush-key"), verify("another")), (0, 1));
        // Once more is the same once more; a restart changes nothing.
        server.post("/policy-packs/publish", &body).ok();
        assert_eq!(home.read("packs/cavra-mine/policy.yaml"), yaml);
        drop(server);
        let server = serve(&home, backend, &[]);
        server.post("/policy-packs/publish", &body).ok();
        assert_eq!(home.read("packs/cavra-mine/policy.yaml"), yaml);
        let signature = home.json("packs/cavra-mine/policy.yaml.sig.json");
        let hex = sha256(&yaml)["sha256:".len()..].to_owned();
        assert_eq!(
            (&signature["algorithm"], &signature["signature"]),
            (&json!("SHA256"), &json!(hmac(hex.as_bytes(), yaml.as_bytes())))
        );
        let listed = server.get("/policy-pack-catalog").ok();
        let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| string(&item["id"])).collect();
        assert!(ids.contains(&"cavra-mine".to_owned()) && ids.contains(&BASELINE.to_owned()), "{ids:?}");
        assert!(!server.log().contains("hush-key"));
    });
}

/// HMAC-SHA-256 in base64, from its definition (RFC 2104); the key has at most 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> String {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ pad).collect() };
    let inner = Sha256::digest([padded(0x36), message.to_vec()].concat());
    let outer = Sha256::digest([padded(0x5c), inner.to_vec()].concat());
    base64::engine::general_purpose::STANDARD.encode(outer)
}

/// Names and contents of everything in the policy directory.
fn packs(home: &Home) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for pack in std::fs::read_dir(home.join("packs")).into_iter().flatten().map(Result::unwrap) {
        for file in std::fs::read_dir(pack.path()).into_iter().flatten().map(Result::unwrap) {
            found.push((file.path().display().to_string(), std::fs::read_to_string(file.path()).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

#[test]
fn refusals_come_in_order_and_change_nothing() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let id = approved(&server, &draft());
        let ask = |draft: &Value| {
            string(&server.post("/policy-packs/publish-request", draft).ok()["approval"]["approval_id"])
        };
        let rule = |id: &str, verb: &str| {
            server.post(&format!("/approvals/{id}/{verb}"), &json!({"actor": "ann", "reason": "x"})).ok();
        };
        let (pending, denied, expired) = (ask(&draft()), ask(&draft()), ask(&draft()));
        rule(&denied, "deny");
        rule(&expired, "expire");
        // The right members under another kind of action, and a decision that only looks like a request.
        let like = |members: Value| {
            let mut decision = json!({"decision_id": "d", "action_type": "policy_publish", "target": "policies/cavra-mine/policy.yaml",
                "policy_id": "cavra-mine", "policy_digest": digest(&policy()), "approver_group": "G"});
            decision.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            let id = string(&server.post("/approvals", &json!({"decision": decision})).ok()["approval_id"]);
            rule(&id, "approve");
            id
        };
        let other_action = like(json!({"action_type": "write_file"}));
        let other_id = like(json!({"policy_id": "cavra-other"}));
        let other_digest = like(json!({"policy_digest": digest(&json!({}))}));
        let without_digest = like(json!({"policy_digest": null}));
        let invalid = with(&json!({"mode": "strict"}));
        let unsafe_id = with(&json!({"id": "cavra-x/../../y"}));
        let changed = with(&json!({"filesystem": {"block_read": ["secret/*"], "block_write": ["b"]}}));
        for (approval, draft, status) in [
            (Value::Null, invalid.clone(), 400),
            (json!(""), draft(), 400),
            (json!(5), draft(), 400),
            (json!("apr_000000000000"), invalid.clone(), 404),
            (json!(id), invalid, 400),
            (json!(id), unsafe_id, 400),
            (json!(id), json!({"title": "no id"}), 400),
            (json!(pending), draft(), 409),
            (json!(denied), draft(), 409),
            (json!(expired), draft(), 409),
            (json!(other_action), draft(), 409),
            (json!(other_id), draft(), 409),
            (json!(other_digest), draft(), 409),
            (json!(without_digest), draft(), 409),
            (json!(id), changed, 409),
            (json!(id), with(&json!({"id": "cavra-other"})), 409),
            (json!(id), with(&json!({"version": "2.1"})), 409),
        ] {
            let body = json!({"draft": draft, "approval_id": approval});
            server.post("/policy-packs/publish", &body).refused(&[status]);
            assert!(!home.exists("packs"), "{body}");
        }
        server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": id})).ok();
        let before = packs(&home);
        assert_eq!(before.len(), 2);
        server
            .post("/policy-packs/publish", &json!({"draft": with(&json!({"version": "3"})), "approval_id": id}))
            .refused(&[409]);
        assert_eq!(packs(&home), before);
        // The order of a list is part of what was approved.
        let reordered = with(&json!({"filesystem": {"block_read": ["secret/*"], "block_write": ["a", "b"]}}));
        server.post("/policy-packs/publish", &json!({"draft": reordered, "approval_id": id})).refused(&[409]);
        // Bare, with the members in another order, it is the same draft.
        let mut bare = draft();
        bare["approval_id"] = json!(id);
        server.post("/policy-packs/publish", &bare).ok();
        // The glass can be broken for it.
        let decision = server.get(&format!("/approvals/{pending}")).ok()["decision"].clone();
        let broken = server
            .post("/approvals/break-glass", &json!({"decision": decision, "actor": "ann", "reason": "fire"}))
            .ok();
        server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": broken["approval_id"]})).ok();
    });
}

/// An approval is of a change: of what is published, and of what it takes the place of.
#[test]
fn what_was_approved_over_another_pack_is_not_published() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let of = |version: &str, block: Value| with(&json!({"version": version, "commands": {"block": block}}));
        let publish_as =
            |draft: &Value, id: &str| server.post("/policy-packs/publish", &json!({"draft": draft, "approval_id": id}));
        let (one, two, three) =
            (of("1", json!(["a *"])), of("2", json!(["a *", "b *"])), of("3", json!(["a *", "c *"])));
        // Two who create the same pack: the second one replaces something, and nobody was shown that.
        let (first, other) = (approved(&server, &one), approved(&server, &three));
        publish_as(&one, &first).ok();
        publish_as(&three, &other).refused(&[409]);
        // Planned over the first version, published over the third.
        let of_two = approved(&server, &two);
        publish_as(&three, &approved(&server, &three)).ok();
        let before = packs(&home);
        publish_as(&two, &of_two).refused(&[409]);
        assert_eq!(packs(&home), before);
        // The glass that was broken for it is of the same change.
        let decision = server.get(&format!("/approvals/{of_two}")).ok()["decision"].clone();
        let broken = server
            .post("/approvals/break-glass", &json!({"decision": decision, "actor": "ann", "reason": "fire"}))
            .ok();
        publish_as(&two, &string(&broken["approval_id"])).refused(&[409]);
        // An approval that does not say what it is over creates a pack and replaces none.
        let mut unsaid = decision;
        unsaid.as_object_mut().unwrap().remove("replaces_digest");
        unsaid["decision_id"] = json!("by hand");
        let id = string(&server.post("/approvals", &json!({"decision": unsaid})).ok()["approval_id"]);
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "x"})).ok();
        publish_as(&two, &id).refused(&[409]);
        // What somebody edited in place is another pack too, and so is one that is gone.
        let of_two = approved(&server, &two);
        home.pack(
            "cavra-mine",
            &before.iter().find(|(path, _)| path.ends_with(".yaml")).unwrap().1.replace("c *", "d *"),
        );
        publish_as(&two, &of_two).refused(&[409]);
        std::fs::remove_dir_all(home.join("packs/cavra-mine")).unwrap();
        publish_as(&two, &of_two).refused(&[409]);
        assert!(!home.exists("packs/cavra-mine"));
        // The same approval lets it happen where what was planned over is back.
        publish_as(&three, &approved(&server, &three)).ok();
        publish_as(&two, &of_two).ok();
        // What is installed already may be published again, whatever it was planned over.
        publish_as(&two, &of_two).ok();
    });
}

/// Of many who publish over the same pack at once, one does.
#[test]
fn of_publications_at_once_over_one_pack_one_takes_its_place() {
    let home = Home::new();
    let server = serve(&home, Backend::Sqlite, &[]);
    publish(&server, &draft());
    let bodies: Vec<_> = (0..8)
        .map(|number| with(&json!({"version": format!("4.{number}")})))
        .map(|draft| json!({"draft": draft, "approval_id": approved(&server, &draft)}))
        .collect();
    let published = std::thread::scope(|scope| {
        let requests: Vec<_> =
            bodies.iter().map(|body| scope.spawn(|| server.post("/policy-packs/publish", body))).collect();
        let answers = requests.into_iter().map(|request| request.join().unwrap());
        answers.filter(|answer| answer.status == 200 || answer.refused(&[409]).is_null()).count()
    });
    assert_eq!(published, 1);
}

#[test]
fn an_approval_that_ran_out_publishes_nothing() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let id = approved(&server, &draft());
    assert!(server.terminate().success());
    let mut store = home.json("data/approvals.json");
    store["items"][0]["expires_at"] = json!("2021-01-01T00:00:00.000000+00:00");
    home.write("data/approvals.json", store.to_string());
    let server = serve(&home, Backend::Json, &[]);
    assert_eq!(server.get(&format!("/approvals/{id}")).ok()["state"], "approved");
    server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": id})).refused(&[400, 409]);
    assert!(!home.exists("packs"));
}

#[test]
fn links_in_the_policy_directory_are_not_followed() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let id = approved(&server, &draft());
    home.write("outside/policy.yaml", "outside");
    std::fs::create_dir(home.join("packs")).unwrap();
    std::os::unix::fs::symlink(home.join("outside"), home.join("packs/cavra-mine")).unwrap();
    let refusal =
        server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": id})).refused(&[400, 409]);
    assert!(!string(&refusal).contains(&home.at("")), "{refusal}");
    assert_eq!(home.read("outside/policy.yaml"), "outside");
    assert!(!home.exists("outside/policy.yaml.sig.json"));
    std::fs::remove_file(home.join("packs/cavra-mine")).unwrap();
    server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": id})).ok();
}

#[test]
fn without_a_policy_directory_packs_go_into_the_working_directory() {
    let home = Home::new();
    let server = home.serve(&[]);
    publish(&server, &draft());
    assert!(home.exists("policies/cavra-mine/policy.yaml.sig.json"));
    assert_eq!(server.decide_on("read_file", "secret/key", "cavra-mine")["decision"], "block");
    // The directory that is named counts, wherever else there is one.
    let elsewhere = serve(&home, Backend::Json, &[]);
    let named = with(&json!({"filesystem": {"block_read": ["named/*"]}}));
    publish(&elsewhere, &named);
    assert_eq!(elsewhere.decide_on("read_file", "named/key", "cavra-mine")["decision"], "block");
    assert!(
        home.exists("packs/cavra-mine/policy.yaml") && home.read("policies/cavra-mine/policy.yaml").contains("secret")
    );
}

/// A directory that cannot be written is the operator's matter: the client learns nothing of where it is.
#[test]
fn a_directory_that_cannot_be_written_is_reported() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let id = approved(&server, &draft());
    home.write("packs", "a file");
    let refusal = server.post("/policy-packs/publish", &json!({"draft": draft(), "approval_id": id})).refused(&[503]);
    assert!(!string(&refusal).contains(&home.at("")), "{refusal}");
    assert_eq!(home.read("packs"), "a file");
}

/// A draft without a version has the date as its version: that of the day it was shown to its approvers, not that of the
/// day it is published.
#[test]
fn what_was_approved_yesterday_is_published_today() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let mut dated = draft();
    dated.as_object_mut().unwrap().remove("version");
    let asked = server.post("/policy-packs/publish-request", &dated).ok();
    let id = string(&asked["approval"]["approval_id"]);
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    let today = string(&asked["plan"]["summary"]["version"]);
    assert_eq!(asked["approval"]["decision"]["assumed_version"], today);
    drop(server);
    // The approval as it would be if all that had happened on another day.
    let mut of_that_day = policy();
    of_that_day["metadata"]["version"] = json!("2020.01.02");
    let mut store = home.json("data/approvals.json");
    let decision = &mut store["items"][0]["decision"];
    decision["assumed_version"] = json!("2020.01.02");
    decision["policy_digest"] = json!(digest(&of_that_day));
    home.write("data/approvals.json", store.to_string());
    let server = serve(&home, Backend::Json, &[]);
    let published = server.post("/policy-packs/publish", &json!({"draft": dated, "approval_id": id})).ok();
    assert_eq!(published["policy_digest"], digest(&of_that_day));
    let yaml = home.read("packs/cavra-mine/policy.yaml");
    assert_eq!(serde_norway::from_str::<Value>(&yaml).unwrap(), of_that_day);
    // The version is bound like everything else.
    for other in [today.as_str(), "2020.01.03"] {
        let changed = json!({"draft": with(&json!({"version": other})), "approval_id": id});
        server.post("/policy-packs/publish", &changed).refused(&[409]);
    }
    // One that was named cannot be left out later.
    let named = approved(&server, &draft());
    server.post("/policy-packs/publish", &json!({"draft": dated, "approval_id": named})).refused(&[409]);
    assert_eq!(home.read("packs/cavra-mine/policy.yaml"), yaml);
}
