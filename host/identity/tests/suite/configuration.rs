//! A control is never off because its file is wrong.

use std::path::Path;

use cavra_identity::Gatekeeper;
use serde_json::{Value, json};

use crate::support::{Gate, Signer, block_on, config, good_token, load};

/// The problem with a configuration.
#[track_caller]
fn problem(oidc: Option<(&str, &str)>, rbac: Option<(&str, &str)>) -> String {
    match load(oidc, rbac) {
        Err(error) => error.to_string(),
        Ok(gatekeeper) => panic!("{oidc:?} {rbac:?}: {gatekeeper:?}"),
    }
}

#[test]
fn a_wrong_openid_configuration_stops_the_start() {
    let keys = || json!({"keys": [Signer::provider().jwk("k1")]});
    for (changes, names) in [
        (json!({"issuer": null}), "issuer"),
        (json!({"issuer": ""}), "issuer"),
        (json!({"issuer": "  "}), "issuer"),
        (json!({"issuer": 5}), "issuer"),
        (json!({"issuer": ["https://id.example"]}), "issuer"),
        (json!({"audience": null}), "audience"),
        (json!({"audience": ""}), "audience"),
        (json!({"audience": ["cavra"]}), "audience"),
        (json!({"jwks": {}}), "jwks"),
        (json!({"jwks": {"keys": {}}}), "jwks"),
        (json!({"jwks": {"keys": null}}), "jwks"),
        (json!({"jwks": []}), "jwks"),
        (json!({"jwks": "keys.json"}), "jwks"),
        (json!({"jwks": false}), "jwks"),
        (json!({"jwks": null, "jwks_path": ""}), "jwks_path"),
        (json!({"jwks": null, "jwks_path": 5}), "jwks_path"),
        (json!({"jwks": null, "jwks_path": "missing.json"}), "missing.json"),
        (json!({"jwks": null, "jwks_path": "/nowhere/missing.json"}), "/nowhere/missing.json"),
        // The file itself is JSON, and no key set.
        (json!({"jwks": null, "jwks_path": "oidc.json"}), "oidc.json"),
        (json!({"leeway_seconds": -1}), "leeway_seconds"),
        (json!({"leeway_seconds": 3601}), "leeway_seconds"),
        (json!({"leeway_seconds": 1.5}), "leeway_seconds"),
        (json!({"leeway_seconds": "60"}), "leeway_seconds"),
        (json!({"trust_actor_claims": "true"}), "trust_actor_claims"),
        (json!({"trust_actor_claims": 1}), "trust_actor_claims"),
        (json!({"require_identity_for_all_mutations": "yes"}), "require_identity_for_all_mutations"),
        (json!({"forbid_self_approval": 0}), "forbid_self_approval"),
        // Without keys they come from the issuer, which then has to be a safe address.
        (json!({"jwks": null, "issuer": "id.example"}), "issuer"),
        (json!({"jwks": null, "issuer": "http://id.example"}), "issuer"),
        (json!({"jwks": null, "issuer": "http://10.0.0.1"}), "issuer"),
        (json!({"jwks": null, "issuer": "http://127.0.0.1.attacker.example"}), "issuer"),
        (json!({"jwks": null, "issuer": "http://localhost.attacker.example"}), "issuer"),
        (json!({"jwks": null, "issuer": "http://127.0.0.1@attacker.example"}), "issuer"),
        (json!({"jwks": null, "issuer": "ftp://127.0.0.1"}), "issuer"),
        (json!({"jwks": null, "issuer": "file:///etc/keys"}), "issuer"),
        (json!({"jwks": null, "issuer": "https://"}), "issuer"),
        (json!({"jwks": null, "issuer": "https:///"}), "issuer"),
        (json!({"jwks": null, "issuer": "https://id.example?realm=a"}), "issuer"),
        (json!({"jwks": null, "issuer": "https://id.example/#a"}), "issuer"),
        (json!({"jwks": null, "issuer": "urn:issuer"}), "issuer"),
    ] {
        let mut members = json!({"jwks": keys()});
        members.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let text = config(members).to_string();
        let said = problem(Some(("oidc.json", &text)), None);
        assert!(said.contains(names) && said.contains(".json: "), "{changes}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    for text in
        ["", "{", "[]", "null", "5", "\"x\"", "issuer: https://id.example", "{\"issuer\": \"a\"} x", "\u{feff}{}"]
    {
        assert!(problem(Some(("oidc.json", text)), None).contains("oidc.json: "), "{text}");
    }
    for text in [
        "",
        "- a",
        "a: [",
        "issuer: a\n  audience: b",
        "\ttab: 1",
        "issuer: https://id.example\nissuer: https://b.example",
    ] {
        assert!(problem(Some(("oidc.yaml", text)), None).contains("oidc.yaml: "), "{text}");
    }
}

#[test]
fn a_wrong_policy_stops_the_start() {
    let rules = |rules: Value| json!({ "repository_permissions": rules });
    for policy in [
        json!([]),
        json!(null),
        json!(5),
        json!("x"),
        json!({"approval_rbac": []}),
        json!({"approval_rbac": null}),
        json!({"group_mappings": []}),
        json!({"group_mappings": "a"}),
        json!({"group_mappings": {"a": 1}}),
        json!({"group_mappings": {"a": ["b"]}}),
        json!({"group_mappings": {"a": null}}),
        json!({"group_mappings": {"a": ""}}),
        json!({"repository_permissions": {}}),
        json!({"repositories": "x"}),
        rules(json!([5])),
        rules(json!([[]])),
        rules(json!([{}])),
        rules(json!([{"groups": "g"}])),
        rules(json!([{"groups": null}])),
        rules(json!([{"groups": [1]}])),
        rules(json!([{"groups": {}}])),
        rules(json!([{"groups": ["g"], "actions": "approved"}])),
        rules(json!([{"groups": ["g"], "actions": ["publish"]}])),
        rules(json!([{"groups": ["g"], "actions": ["Approve"]}])),
        rules(json!([{"groups": ["g"], "actions": [1]}])),
        rules(json!([{"groups": ["g"], "repository": ""}])),
        rules(json!([{"groups": ["g"], "repository": ["a"]}])),
        rules(json!([{"groups": ["g"], "approver_group": 5}])),
        // One wrong rule among good ones.
        rules(json!([{"groups": ["g"]}, {"groups": ["g"], "actions": ["all"]}])),
    ] {
        assert!(problem(None, Some(("rbac.json", &policy.to_string()))).contains("rbac.json: "), "{policy}");
    }
    for (name, text) in
        [("rbac.json", ""), ("rbac.json", "a: b"), ("rbac.yml", "a: ["), ("rbac.yaml", "- a"), ("rbac.yml", "")]
    {
        assert!(problem(None, Some((name, text))).contains(&format!("{name}: ")), "{text}");
    }
}

#[test]
fn a_file_that_is_missing_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    for (oidc, rbac) in [(Some(missing.as_path()), None), (None, Some(missing.as_path()))] {
        assert!(Gatekeeper::load(oidc, rbac).unwrap_err().to_string().contains("missing.json: "));
    }
    // A folder, and nothing.
    for path in [folder.path(), Path::new("")] {
        assert!(Gatekeeper::load(Some(path), None).is_err() && Gatekeeper::load(None, Some(path)).is_err());
    }
    let binary = folder.path().join("binary.json");
    std::fs::write(&binary, [0xff, 0xfe, 0]).unwrap();
    assert!(Gatekeeper::load(Some(&binary), None).unwrap_err().to_string().contains("binary.json: "));
}

#[test]
fn yaml_is_known_by_its_suffix() {
    let jwk = Signer::provider().jwk("k1");
    let yaml = format!("issuer: https://id.example\naudience: cavra\njwks:\n  keys:\n  - {jwk}\n");
    for name in ["oidc.yaml", "oidc.yml"] {
        Gate(load(Some((name, &yaml)), None).unwrap()).accepts(name, &good_token());
    }
    assert!(problem(Some(("oidc.json", &yaml)), None).contains("oidc.json"));
    assert!(problem(Some(("oidc", &yaml)), None).contains("oidc"));
    let policy = "approval_rbac:\n  group_mappings: {ext: IAM}\n";
    let gate = Gate(load(None, Some(("rbac.yaml", policy))).unwrap());
    assert_eq!(gate.claimed(json!({"groups": ["ext"]})).groups, ["IAM", "ext"]);
}

/// Every file that governs access, both languages: what is not known, is there twice, or is merged from elsewhere stops
/// the start, and the message names file and key.
#[test]
fn what_is_not_known_stops_the_start() {
    // Not by way of an object: a key may be there twice.
    let oidc = |members: Value| {
        let mine = config(json!({"jwks": {"keys": []}}));
        let all = mine.as_object().unwrap().iter().chain(members.as_object().unwrap());
        format!("{{{}}}", all.map(|(key, value)| format!("{}: {value}", json!(key))).collect::<Vec<_>>().join(", "))
    };
    for (members, key, meant) in [
        (json!({"trust_actor_claim": true}), "`trust_actor_claim`", "`trust_actor_claims`"),
        (
            json!({"require_identity_for_all_mutation": true}),
            "`require_identity_for_all_mutation`",
            "`require_identity",
        ),
        (json!({"Issuer": "https://x"}), "`Issuer`", "`issuer`"),
        (json!({"jwks_url": "x"}), "`jwks_url`", "`jwks"),
        (json!({"client_secret": "x"}), "`client_secret`", "known are"),
        (json!({"audience": "x"}), "`audience` is there twice", ""),
    ] {
        let text = oidc(members);
        for name in ["oidc.json", "oidc.yaml"] {
            let said = problem(Some((name, &text)), None);
            assert!(said.contains(&format!("{name}: ")) && said.contains(key), "{text}: {said}");
            assert!(said.to_lowercase().contains(meant), "{text}: {said}");
        }
    }
    for (name, text, key) in [
        ("rbac.yaml", "d: &d {repository: pay}\nrepository_permissions:\n- <<: *d\n  groups: [g]\n", "merge key"),
        ("rbac.yaml", "repository_permissions:\n- groups: [g]\n  groups: [h]\n", "`groups` is there twice"),
        (
            "rbac.yaml",
            "repository_permissions:\n- groups: [g]\n  repository:\n",
            "repository_permissions[1].repository",
        ),
        ("rbac.json", "{\"repository_permissions\": [{\"groups\": [], \"repo\": \"pay\"}]}", "`repository`"),
        ("rbac.json", "{\"group_mappings\": {\"a\": \"b\", \"a\": \"c\"}}", "`a` is there twice"),
    ] {
        let said = problem(None, Some((name, text)));
        assert!(said.contains(&format!("{name}: ")) && said.contains(key), "{text}: {said}");
    }
}

/// Some editors put a byte order mark in front.
#[test]
fn a_byte_order_mark_is_skipped() {
    let text = config(json!({"jwks": {"keys": [Signer::provider().jwk("k1")]}})).to_string();
    for name in ["oidc.json", "oidc.yaml"] {
        Gate(load(Some((name, &format!("\u{feff}{text}"))), None).unwrap()).accepts(name, &good_token());
    }
}

#[test]
fn who_may_change_something_unnamed() {
    let oidc = |members: Value| {
        let mut all = json!({"jwks": {"keys": []}});
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        config(all)
    };
    let (anonymous, closed) =
        (json!({"allow_anonymous_mutations": true}), json!({"require_identity_for_all_mutations": true}));
    for (oidc, rbac, admits_anybody, all_closed) in [
        (None, None, true, false),
        (Some(oidc(json!({}))), None, false, false),
        (None, Some(json!({})), false, false),
        (Some(oidc(anonymous.clone())), None, true, false),
        (Some(oidc(json!({}))), Some(anonymous.clone()), true, false),
        (None, Some(json!({"approval_rbac": anonymous})), true, false),
        (Some(oidc(closed.clone())), None, false, true),
        // Whoever closes something wins.
        (Some(oidc(closed.clone())), Some(anonymous.clone()), false, true),
        (Some(oidc(anonymous)), Some(closed), false, true),
    ] {
        let gate = Gate::new(oidc.clone(), rbac.clone()).0;
        let found = (gate.admits_anonymous_mutations(), gate.requires_identity_for_all_mutations());
        assert_eq!(found, (admits_anybody, all_closed), "{oidc:?} {rbac:?}");
    }
    let both = json!({"allow_anonymous_mutations": true, "require_identity_for_all_mutations": true});
    assert!(problem(Some(("oidc.json", &oidc(both.clone()).to_string())), None).contains("contradicts"));
    assert!(problem(None, Some(("rbac.json", &both.to_string()))).contains("contradicts"));
}

#[test]
fn keys_may_be_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: Value| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let keys = write("keys/set.json", json!({"keys": [Signer::provider().jwk("k1")]}));
    for (what, path) in [("relative to the file", json!("../keys/set.json")), ("absolute", json!(keys))] {
        let file = write("config/oidc.json", config(json!({ "jwks_path": path })));
        Gate(Gatekeeper::load(Some(&file), None).unwrap()).accepts(what, &good_token());
    }
    // Keys in the configuration are the only ones.
    let file = write("config/oidc.json", config(json!({"jwks_path": keys, "jwks": {"keys": []}})));
    Gate(Gatekeeper::load(Some(&file), None).unwrap()).refuses("jwks first", &good_token(), "unknown key");
}

#[test]
fn a_provider_is_not_asked_at_the_start() {
    // It may start later than this server, and nobody knows when.
    for issuer in [
        "https://id.example",
        "https://id.example/realms/a/",
        "http://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
    ] {
        let text = config(json!({ "issuer": issuer })).to_string();
        let gatekeeper = block_on(async { load(Some(("oidc.json", &text)), None) });
        assert!(gatekeeper.unwrap().oidc_configured(), "{issuer}");
    }
}
