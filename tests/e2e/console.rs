//! What the console is told, and which browsers may ask. docs/reference/approvals-identity-authoring.md, section 7.

use serde_json::{Value, json};

use crate::support::{Backend, Home, Issuer, Server, keys, strings};

/// A server with OpenID Connect, with RBAC, with both or neither.
fn guarded(home: &Home, oidc: bool, rbac: bool, more: &[(&str, &str)]) -> Server {
    home.write("oidc.json", Issuer::new().config(&json!({})).to_string());
    let rules = json!({"group_mappings": {"ext": "Change Advisory Board"}, "repository_permissions": [
        {"repository": "pay", "approver_group": "IAM", "groups": ["leads", "admins"], "actions": ["expire", "approve"]},
        {"groups": ["admins"]},
    ]});
    home.write("rbac.json", rules.to_string());
    let (oidc_file, rbac_file) = (home.at("oidc.json"), home.at("rbac.json"));
    let mut settings = more.to_vec();
    if oidc {
        settings.push(("CAVRA_APPROVAL_OIDC_CONFIG", &oidc_file));
    }
    if rbac {
        settings.push(("CAVRA_APPROVAL_RBAC_FILE", &rbac_file));
    }
    home.serve(&settings)
}

#[test]
fn the_configuration_names_modes_and_paths() {
    let bare = Home::new().serve(&[]);
    let config = bare.get("/console/config").ok();
    for (member, wanted) in [
        ("product", json!("CAVRA")),
        ("api_base_url", json!("")),
        ("approval_mode", json!("json")),
        ("registry_mode", json!("json")),
        ("activity_mode", json!("json")),
        ("inventory_mode", json!("json")),
        ("metadata_mode", json!("json")),
        ("integration_mode", json!("json")),
        ("approval_provider_delivery", json!("disabled")),
        ("connector_delivery", json!("disabled")),
        ("evidence_artifacts", json!("disabled")),
        ("approval_oidc", json!("disabled")),
        ("approval_rbac", json!("disabled")),
        ("cors_origins", json!([])),
    ] {
        assert_eq!(config[member], wanted, "{member}");
    }
    assert!(config["registry_store"].as_str().unwrap().ends_with("registry.json"));
    let endpoints = &config["endpoints"];
    for (name, path) in [
        ("console_session", "/console/session"),
        ("console_security_boundary", "/console/security-boundary"),
        ("approvals", "/approvals"),
        ("repositories", "/repositories"),
        ("policy_rollouts", "/policy-rollouts"),
        ("policy_rollout_change_plan", "/policy-rollouts/change-plan"),
        ("policy_rollout_apply_change", "/policy-rollouts/apply-change"),
        ("policy_rollout_detail", "/policy-rollout-details/{rollout_id}"),
        ("policy_pack_catalog", "/policy-pack-catalog"),
        ("policy_pack_draft", "/policy-packs/draft"),
        ("policy_pack_publish_plan", "/policy-packs/publish-plan"),
        ("policy_pack_publish_request", "/policy-packs/publish-request"),
        ("policy_pack_publish", "/policy-packs/publish"),
        ("sessions", "/sessions"),
        ("decisions", "/decisions"),
    ] {
        assert_eq!(endpoints[name], path, "{name}");
    }
    // Every path that is named is served.
    let document = bare.get("/openapi.json").ok();
    for (name, path) in endpoints.as_object().unwrap() {
        assert!(document["paths"].get(path.as_str().unwrap()).is_some(), "{name}: {path}");
    }

    let home = Home::new();
    let databases = [
        ("CAVRA_APPROVAL_DB", home.at("a.db")),
        ("CAVRA_INVENTORY_DB", home.at("i.db")),
        ("CAVRA_REGISTRY_DB", home.at("r.db")),
        ("CAVRA_ACTIVITY_DB", home.at("x.db")),
    ];
    let mut settings: Vec<_> = databases.iter().map(|(name, path)| (*name, path.as_str())).collect();
    settings.extend([
        ("CAVRA_PUBLIC_API_BASE_URL", "https://cavra.example/api"),
        ("CAVRA_CORS_ORIGINS", " https://a.example , ,https://b.example"),
        ("CAVRA_POLICY_SIGNING_KEY", "hush-hush"),
    ]);
    let server = guarded(&home, true, true, &settings);
    let config = server.get("/console/config").ok();
    for member in ["approval_mode", "registry_mode", "activity_mode", "inventory_mode"] {
        assert_eq!(config[member], "sqlite", "{member}");
    }
    assert_eq!((&config["approval_oidc"], &config["approval_rbac"]), (&json!("configured"), &json!("configured")));
    assert_eq!(config["api_base_url"], "https://cavra.example/api");
    assert_eq!(config["cors_origins"], json!(["https://a.example", "https://b.example"]));
    assert_eq!(config["registry_store"], home.at("r.db"));
    for path in ["/console/config", "/console/security-boundary", "/console/session"] {
        let text = server.get(path).ok().to_string();
        assert!(!text.contains("hush-hush") && !text.contains("issuer.example"), "{path}: {text}");
    }
}

#[test]
fn the_boundary_says_what_is_checked() {
    let note =
        |boundary: &Value, word: &str| strings(&boundary["operator_notes"]).iter().any(|note| note.contains(word));
    for (oidc, rbac, mode) in [
        (false, false, "local_or_demo"),
        (true, false, "local_or_demo"),
        (false, true, "local_or_demo"),
        (true, true, "oidc_rbac_ready"),
    ] {
        let server = guarded(&Home::new(), oidc, rbac, &[]);
        let boundary = server.get("/console/security-boundary").ok();
        assert_eq!(boundary["schema_version"], "cavra.console.security_boundary.v1");
        assert_eq!((&boundary["product"], &boundary["mode"]), (&json!("CAVRA"), &json!(mode)));
        let claims = ["iss", "aud", "exp", "nbf", "groups", "roles", "email", "sub"];
        let wanted = json!({"configured": oidc, "config_env": "CAVRA_APPROVAL_OIDC_CONFIG",
            "supported_algorithms": ["RS256"], "validated_claims": claims});
        assert_eq!(boundary["oidc"], wanted);
        let wanted = json!({"configured": rbac, "config_env": "CAVRA_APPROVAL_RBAC_FILE",
            "boundaries": ["approval_group", "repository_permissions", "group_mappings"]});
        assert_eq!(boundary["rbac"], wanted);
        assert_eq!(boundary["cors"], json!({"configured": false, "origins": []}));
        let permissions = [
            "read_activity",
            "read_inventory",
            "read_integrations",
            "read_evidence_metadata",
            "read_console_session",
            "policy_publish_requires_digest_bound_approval",
            "approval_decision_requires_oidc_context_when_configured",
            "break_glass_requires_oidc_context_when_configured",
        ];
        assert_eq!(strings(&boundary["console_permissions"]), permissions);
        // Where claims are taken as given, operators are told.
        assert_eq!(boundary["actor_claims"], if oidc { "refused" } else { "trusted" });
        assert_eq!(note(&boundary, "unsigned claims"), !oidc && rbac);
        assert_eq!(note(&boundary, "Nobody's identity"), !oidc && !rbac);
    }
    let home = Home::new();
    home.write("proxy.json", Issuer::new().config(&json!({"trust_actor_claims": true})).to_string());
    let server = home.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("proxy.json"))]);
    let boundary = server.get("/console/security-boundary").ok();
    assert_eq!(boundary["actor_claims"], "trusted");
    assert!(note(&boundary, "Unsigned claims are accepted"));
}

#[test]
fn sessions_show_who_is_there_and_what_they_may() {
    let issuer = Issuer::new();
    let server = guarded(&Home::new(), true, true, &[]);
    let session =
        |authorization: &str| server.request_with("GET", "/console/session", &[("authorization", authorization)], b"");
    let nobody = server.get("/console/session").ok();
    assert_eq!(
        keys(&nobody),
        [
            "actor",
            "auth_required",
            "authenticated",
            "mode",
            "operator_notes",
            "permissions",
            "product",
            "repository_permissions",
            "schema_version"
        ]
    );
    assert_eq!(nobody["schema_version"], "cavra.console.session.v1");
    let of =
        |session: &Value| (session["mode"].clone(), session["authenticated"].clone(), session["auth_required"].clone());
    assert_eq!(of(&nobody), (json!("auth_required"), json!(false), json!(true)));
    assert_eq!((&nobody["actor"], &nobody["repository_permissions"]), (&Value::Null, &json!([])));
    let may = |session: &Value, wanted: [bool; 3]| {
        let [decide, publish, glass] = wanted;
        let permissions = json!({"read_activity": true, "read_inventory": true, "read_integrations": true,
            "read_evidence_metadata": true, "decide_approvals": decide, "publish_policy_packs": publish, "create_break_glass": glass});
        assert_eq!(session["permissions"], permissions, "{session}");
    };
    may(&nobody, [false; 3]);
    let pay = json!({"repository": "pay", "approver_group": "IAM", "actions": ["approved", "expired"], "groups": ["admins", "leads"]});
    let all =
        json!({"repository": "*", "approver_group": "*", "actions": ["approved", "denied"], "groups": ["admins"]});
    for (groups, shown, rules, wanted) in [
        (vec![], vec![], json!([]), [false; 3]),
        (vec!["leads", "a"], vec!["a", "leads"], json!([pay]), [true, true, false]),
        (vec!["admins"], vec!["admins"], json!([pay, all]), [true, true, false]),
        (vec!["ext"], vec!["Change Advisory Board", "ext"], json!([]), [true, true, true]),
    ] {
        let session = session(&format!("Bearer {}", issuer.token("ann", &groups))).ok();
        assert_eq!(of(&session), (json!("authenticated"), json!(true), json!(true)));
        let actor = json!({"actor": "ann@x.example", "subject": "ann", "issuer": "https://issuer.example", "groups": shown, "repository": null});
        assert_eq!((&session["actor"], &session["repository_permissions"]), (&actor, &rules), "{groups:?}");
        may(&session, wanted);
    }
    session(&format!("Bearer {}", issuer.forged("ann", &["admins"]))).refused(&[401]);
    let with =
        |claims: Value| session(&format!("Bearer {}", issuer.signed(&json!({"alg": "RS256", "kid": "k1"}), claims)));
    let unverified = with(json!({"sub": "ann", "email": "boss@x.example", "email_verified": false})).ok();
    assert_eq!(unverified["actor"]["actor"], "ann");
    // Who stole such a token cannot show the key; it is not told here either.
    let bound = with(
        json!({"sub": "ann", "groups": ["admins"], "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
    );
    assert!(bound.refused(&[401]).to_string().contains("bound to a key"), "{bound:?}");
    assert_eq!(bound.header("www-authenticate"), Some("Bearer"));
    session("Basic YTpi").refused(&[401]);
    session("Bearer ").refused(&[401]);

    let open = guarded(&Home::new(), false, true, &[]);
    assert_eq!(of(&open.get("/console/session").ok()), (json!("local_or_demo"), json!(false), json!(false)));
    let token = format!("Bearer {}", issuer.token("ann", &[]));
    open.request_with("GET", "/console/session", &[("authorization", &token)], b"").refused(&[400]);
    open.request_with("GET", "/console/session", &[("authorization", "Basic YTpi")], b"").refused(&[401]);
}

#[test]
fn listed_browsers_may_call() {
    let allow = "access-control-allow-origin";
    let preflight = |server: &Server, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, x-anything"),
        ];
        server.request_with("OPTIONS", "/approvals/apr_1/approve", &headers, b"")
    };
    let get = |server: &Server, origin: &str| server.request_with("GET", "/console/config", &[("origin", origin)], b"");

    let server = Home::new().serve(&[("CAVRA_CORS_ORIGINS", "https://a.example,https://b.example:8443")]);
    for origin in ["https://a.example", "https://b.example:8443"] {
        let answer = preflight(&server, origin);
        assert!([200, 204].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header(allow), Some(origin));
        let methods = answer.header("access-control-allow-methods").unwrap_or_default();
        assert!(["GET", "POST", "OPTIONS"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(headers.contains("authorization") && headers.contains("x-anything"), "{headers}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(get(&server, origin).header(allow), Some(origin));
        // A page must be able to read why it was refused.
        let refusal = server.request_with("GET", "/approvals/apr_0", &[("origin", origin)], b"");
        assert_eq!((refusal.status, refusal.header(allow)), (404, Some(origin)));
    }
    for origin in
        ["https://c.example", "https://a.example.evil.example", "http://a.example", "https://a.example:1", "null"]
    {
        assert_eq!(preflight(&server, origin).header(allow), None, "{origin}");
        assert_eq!(get(&server, origin).header(allow), None, "{origin}");
        assert_eq!(get(&server, origin).status, 200);
    }
    let any = Home::new().serve(&[("CAVRA_CORS_ORIGINS", "https://a.example,*")]);
    for answer in [preflight(&any, "https://whoever.example"), get(&any, "https://whoever.example")] {
        assert!(matches!(answer.header(allow), Some("*" | "https://whoever.example")), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let closed = Home::new().serve(&[("CAVRA_CORS_ORIGINS", " , ")]);
    let answers = [preflight(&closed, "https://a.example"), get(&closed, "https://a.example")];
    assert!(answers.iter().flat_map(|answer| &answer.headers).all(|(name, _)| !name.starts_with("access-control-")));
}

/// A page of anybody may send a POST that no browser asks about before; it must not loosen what agents may do.
#[test]
fn pages_of_others_change_nothing() {
    let home = Home::new();
    let server = home.serve(&[("CAVRA_CORS_ORIGINS", "https://a.example")]);
    let rollout = json!({"rollout_id": "r", "policy_pack": "cavra-ai-agent-baseline", "repository": "x",
        "mode": "audit_only", "state": "active", "coverage_percent": 100});
    let post = |path: &str, more: &[(&str, &str)], body: &Value| {
        let headers = [&[("content-type", "text/plain")], more].concat();
        server.request_with("POST", path, &headers, body.to_string().as_bytes())
    };
    let document = server.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    for path in paths.iter().filter(|(_, methods)| methods["post"].is_object()).map(|(path, _)| path) {
        for headers in [
            &[("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:1")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            post(path, headers, &rollout).refused(&[403]);
        }
    }
    assert_eq!((server.total("/policy-rollouts"), server.total("/decisions"), server.total("/approvals")), (0, 0, 0));
    // What the tests' requests name as their host.
    let own = "http://localhost";
    for headers in [&[][..], &[("origin", own), ("sec-fetch-site", "same-origin")], &[("origin", "https://a.example")]]
    {
        post("/policy-rollouts", headers, &rollout).ok();
    }
}

/// What an answer says in its headers is for consoles on other origins too.
#[test]
fn pages_of_listed_origins_read_every_header() {
    const ORIGIN: &str = "https://console.example";
    // A browser shows these without being told to, or they are for itself.
    const KNOWN: [&str; 10] = [
        "cache-control",
        "content-length",
        "content-security-policy",
        "content-type",
        "date",
        "connection",
        "referrer-policy",
        "vary",
        "x-content-type-options",
        "x-frame-options",
    ];
    let home = Home::new();
    std::fs::create_dir_all(home.join("root")).unwrap();
    let settings = [("CAVRA_EVIDENCE_ARTIFACT_ROOT", home.at("root")), ("CAVRA_CORS_ORIGINS", ORIGIN.to_owned())];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = crate::evidence::serve(&home, Backend::Json, &settings);
    home.cavra(&["evidence", "bundle", "--output", &home.at("root/s1")]).run().ok();
    server.post("/evidence", &json!({"session_id": "s1"})).ok();
    let mut seen = std::collections::BTreeSet::new();
    for (path, more) in [
        ("/evidence/s1/artifacts/manifest.json", vec![]),
        ("/evidence/s1/artifacts/manifest.json", vec![("range", "bytes=0-3")]),
        ("/evidence/s1/artifacts/manifest.json", vec![("range", "bytes=99999999-")]),
        ("/evidence/s1/artifact-bundle", vec![]),
        ("/console/session", vec![("authorization", "Basic YTpi")]),
    ] {
        let headers = [vec![("origin", ORIGIN)], more].concat();
        let answer = server.request_with("GET", path, &headers, b"");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default().to_lowercase();
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        for (name, _) in &answer.headers {
            let name = name.to_lowercase();
            if !name.starts_with("access-control-") && !KNOWN.contains(&name.as_str()) {
                assert!(exposed.contains(&name.as_str()), "{path}: {name} is hidden: {exposed:?}");
                seen.insert(name);
            }
        }
    }
    for wanted in ["x-cavra-artifact-sha256", "content-disposition", "content-range", "etag", "www-authenticate"] {
        assert!(seen.contains(wanted), "{wanted}: {seen:?}");
    }
}

/// The settings that are shown are the settings there are, without secrets.
#[test]
fn settings_are_shown_without_secrets() {
    {
        let home = Home::new();
        let run = |more: &[&str]| {
            let arguments = [&["config", "show"], more].concat();
            home.cavra(&arguments)
                .env("CAVRA_POLICY_SIGNING_KEY", "hush-hush")
                .env("CAVRA_CORS_ORIGINS", "https://a.example")
                .run()
                .ok()
        };
        let shown = run(&["--json"]).json();
        let of = |name: &str| shown.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        assert_eq!(
            (&of("CAVRA_POLICY_SIGNING_KEY")["value"], &of("CAVRA_POLICY_SIGNING_KEY")["origin"]),
            (&json!("********"), &json!("environment"))
        );
        assert_eq!(of("CAVRA_CORS_ORIGINS")["value"], "https://a.example");
        assert_eq!(
            (&of("CAVRA_APPROVAL_DB")["value"], &of("CAVRA_APPROVAL_DB")["origin"]),
            (&Value::Null, &json!("default"))
        );
        let text = run(&[]);
        assert!(!text.stdout.contains("hush") && text.stdout.contains("CAVRA_APPROVAL_RBAC_FILE"), "{}", text.stdout);
    }
    let run = Home::new().cavra(&["config", "show"]).env("CAVRA_REQUIRE_TOKEN", "perhaps").run();
    assert!(run.fails().stderr.contains("CAVRA_REQUIRE_TOKEN"));
}
