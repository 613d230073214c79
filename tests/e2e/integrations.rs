//! Integrations: registered, listed, and used to send events.

use serde_json::{Value, json};

use crate::evidence_log::leaves;
use crate::support::{Backend, Home, Issuer, Receiver, Server, keys, on_both, text};

fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let (variable, file) = match backend {
        Backend::Json => ("CAVRA_INTEGRATION_STORE", home.at("data/integrations.json")),
        Backend::Sqlite => ("CAVRA_INTEGRATION_DB", home.at("data/integrations.db")),
    };
    home.serve(&[&[(variable, file.as_str())], more].concat())
}

#[test]
fn records_are_written_whole() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        assert_eq!(server.get("/integrations").ok(), json!({"items": [], "total": 0}));
        let first = server.post("/integrations", &json!({"provider": "Splunk Cloud", "environment": "prod"})).ok();
        assert_eq!(first["integration_id"], "splunk-cloud-prod");
        assert_eq!((&first["category"], &first["status"]), (&json!("security"), &json!("planned")));
        for (id, provider, category) in [("b", "jira", "itsm"), ("a", "jira", "itsm"), ("jira", "webhook", "chatops")] {
            let body =
                json!({"id": id, "provider": provider, "category": category, "owner": "me", "capabilities": "x"});
            server.post("/integrations", &body).ok();
        }
        let ids = |query: &str| -> Vec<String> {
            let listed = server.get(&format!("/integrations{query}")).ok();
            assert_eq!(keys(&listed), ["items", "total"]);
            let items = listed["items"].as_array().unwrap();
            assert_eq!(listed["total"], json!(items.len()));
            items.iter().map(|item| text(item, "integration_id").to_owned()).collect()
        };
        assert_eq!(ids(""), ["a", "b", "jira", "splunk-cloud-prod"]);
        for (query, wanted) in [
            ("?provider=jira", &["a", "b"][..]),
            ("?category=chatops", &["jira"]),
            ("?status=planned&owner=me", &["a", "b", "jira"]),
            ("?environment=prod", &["splunk-cloud-prod"]),
            ("?health_status=not_checked&provider=webhook", &["jira"]),
            ("?provider=", &["a", "b", "jira", "splunk-cloud-prod"]),
            ("?owner=ME", &[]),
        ] {
            assert_eq!(ids(query), wanted, "{query}");
        }
        // An id wins over a provider, of which the lowest id is taken.
        assert_eq!(server.get("/integrations/jira").ok()["provider"], "webhook");
        assert_eq!(server.get("/integrations/webhook").ok()["integration_id"], "jira");
        server.post("/integrations", &json!({"id": "jira", "provider": "slack"})).ok();
        assert_eq!(server.get("/integrations/jira").ok()["provider"], "slack");
        server.get("/integrations/webhook").refused(&[404]);
        // What is not said takes its default again; when it was created stays.
        let body =
            json!({"provider": "Splunk Cloud", "environment": "prod", "status": "active", "endpoint_ref": "vault://x"});
        let second = server.post("/integrations", &body).ok();
        assert_eq!((&second["created_at"], &second["status"]), (&first["created_at"], &json!("active")));
        let third = server.post("/integrations", &json!({"provider": "Splunk Cloud", "environment": "prod"})).ok();
        assert_eq!((&third["endpoint_ref"], &third["status"]), (&Value::Null, &json!("planned")));
        let before = ids("");
        for bad in [
            json!({}),
            json!({"provider": ""}),
            json!({"provider": "x", "category": "other"}),
            json!({"provider": "x", "status": "broken"}),
            json!({"provider": "x", "repositories": 5}),
            json!({"provider": "!", "environment": "?"}),
        ] {
            server.post("/integrations", &bad).refused(&[400]);
        }
        assert_eq!(ids(""), before);
        let events: Vec<_> =
            leaves(&server, "integrations").iter().map(|leaf| text(leaf, "event").to_owned()).collect();
        assert_eq!(events, vec!["integration_changed"; 7]);
        let mode = if backend == Backend::Json { "json" } else { "sqlite" };
        let config = server.get("/console/config").ok();
        assert_eq!((&config["integration_mode"], &config["connector_delivery"]), (&json!(mode), &json!("disabled")));
        drop(server);
        let server = serve(&home, backend, &[]);
        assert_eq!(server.get("/integrations/splunk-cloud-prod").ok(), third);
    });
}

#[test]
fn events_are_sent_through_an_integration() {
    let receiver = Receiver::answering("200 OK");
    let failing = Receiver::answering("400 No");
    let home = Home::new();
    let plain = serve(&home, Backend::Json, &[]);
    plain.post("/integrations", &json!({"provider": "webhook", "id": "hook", "category": "chatops"})).ok();
    plain.post("/integrations", &json!({"provider": "webhook", "id": "off", "status": "disabled"})).ok();
    plain.post("/integrations", &json!({"provider": "Anything"})).ok();
    plain.post("/integrations/none/deliver", &json!({})).refused(&[404]);
    let refused = plain.post("/integrations/hook/deliver", &json!({})).refused(&[400]);
    assert!(refused.to_string().contains("connector config"), "{refused}");
    drop(plain);
    let connectors =
        json!({"webhook": {"url": receiver.at("/x?key=hush")}, "jira": {"url": failing.address, "token": "hush"}});
    home.write("connectors.json", connectors.to_string());
    let server = serve(&home, Backend::Json, &[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
    assert_eq!(server.get("/console/config").ok()["connector_delivery"], "configured");
    server.post("/integrations/off/deliver", &json!({})).refused(&[409]);
    server.post("/integrations/anything-global/deliver", &json!({})).refused(&[400]);
    server.post("/integrations/none/deliver", &json!({})).refused(&[404]);
    for (body, word) in [(json!({"retries": "x"}), "retries"), (json!({"event": {}, "provider": "splunk"}), "splunk")] {
        assert!(server.post("/integrations/hook/deliver", &body).refused(&[400]).to_string().contains(word));
    }
    assert!(receiver.got().is_empty());
    let before = home.read("data/integrations.json");
    let sent = json!({"event": {"event_type": "cavra.test", "session_id": "s1", "integration_id": "forged",
        "provider_payloads": {"webhook": {"own": true}}}});
    let delivery = server.post("/integrations/hook/deliver", &sent).ok();
    assert_eq!(
        (&delivery["schema_version"], &delivery["success"]),
        (&json!("cavra.connector.delivery.v1"), &json!(true))
    );
    assert!(!delivery.to_string().contains("hush") && delivery.get("metadata").is_none());
    let payload = receiver.got()[0].json()["payload"].clone();
    assert_eq!(
        payload,
        json!({"event_type": "cavra.test", "product": "CAVRA", "session_id": "s1",
        "integration_id": "hook", "integration_provider": "webhook", "integration_category": "chatops"})
    );
    // By its provider, with a bare event.
    server.post("/integrations/webhook/deliver", &json!({"title": "t", "retries": 0})).ok();
    let body = receiver.got()[1].json();
    assert_eq!((&body["event_type"], &body["payload"]["title"]), (&json!("cavra.integration.delivery"), &json!("t")));
    assert!(body["payload"].get("retries").is_none());
    let delivery = server.post("/integrations/hook/deliver", &json!({"provider": "all", "event": {}})).ok();
    assert_eq!((&delivery["success"], &delivery["deliveries"][0]["error"]), (&json!(false), &json!("HTTP 400")));
    assert_eq!(failing.got().len(), 1, "what cannot succeed is tried once");
    assert_eq!(home.read("data/integrations.json"), before, "nothing is kept");
    assert_eq!(server.total("/evidence"), 0);
}

#[test]
fn only_somebody_known_changes_and_uses_them() {
    let (home, issuer) = (Home::new(), Issuer::new());
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    let server = serve(&home, Backend::Json, &[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))]);
    let body = json!({"provider": "webhook"});
    server.post("/integrations", &body).refused(&[401]);
    server.post("/integrations/webhook/deliver", &body).refused(&[401]);
    server.post_as(&issuer.token("ann", &[]), "/integrations", &body).ok();
    let leaf = leaves(&server, "integrations").pop().unwrap();
    assert_eq!((&leaf["event"], &leaf["author"]["subject"]), (&json!("integration_changed"), &json!("ann")));
    assert_eq!(server.get("/integrations").ok()["total"], 1);
}

#[test]
fn an_integration_is_tried_and_examined() {
    let (good, bad) = (Receiver::answering("200 OK"), Receiver::answering("403 No"));
    let home = Home::new();
    let store = home.at("data/integrations.json");
    let server = serve(&home, Backend::Json, &[]);
    for (id, provider) in [("good", "webhook"), ("bad", "jira"), ("none", "slack")] {
        server.post("/integrations", &json!({"id": id, "provider": provider})).ok();
    }
    drop(server);
    let cavra = |arguments: &[&str]| {
        let command = home.cavra(arguments).env("CAVRA_INTEGRATION_STORE", &store);
        command.env("CAVRA_CONNECTOR_CONFIG", "connectors.json").run()
    };
    let connectors = json!({"webhook": {"url": good.at("/x?key=hush")}, "jira": {"url": bad.address, "token": "hush"}});
    home.write("connectors.json", connectors.to_string());
    let tried = cavra(&["integration", "test", "good"]).ok().json();
    assert_eq!(
        (&tried["success"], &good.got()[0].json()["event_type"]),
        (&json!(true), &json!("cavra.integration.test"))
    );
    let tried = cavra(&["integration", "test", "bad"]).exits(1);
    assert_eq!(tried.json()["deliveries"][0]["error"], "HTTP 403");
    assert!(cavra(&["integration", "test", "none"]).fails().stderr.contains("slack"));
    assert!(cavra(&["integration", "test", "nobody"]).fails().stderr.contains("not found"));
    let examined = cavra(&["doctor", "integrations", "--json"]).ok();
    assert!(examined.stdout.contains("?REDACTED") && !examined.stdout.contains("hush"), "{examined:?}");
    assert_eq!(good.got().len(), 1, "nothing is sent");
    let broken = json!({"webhook": {"url": "http://169.254.169.254/"}, "jira": {"url": bad.address, "tokn": "hush"},
        "slack": {"url_env": "UNSET"}, "teams": {"enabled": false}, "splunk": {"url": bad.address, "token_file": "secret"}});
    home.write("connectors.json", broken.to_string());
    home.write("secret", "hush\n");
    let examined = cavra(&["doctor", "integrations"]).exits(1);
    for (subject, word) in [
        ("webhook", "allow_private_network"),
        ("jira", "token"),
        ("slack", "UNSET"),
        ("splunk", "ok    connector splunk"),
    ] {
        let line = examined.stdout.lines().find(|line| line.contains(&format!("connector {subject}")));
        assert!(line.is_some_and(|line| line.contains(word)), "{subject}: {examined:?}");
    }
    assert!(!examined.stdout.contains("hush") && !examined.stdout.contains("teams"), "{examined:?}");
}

#[test]
fn access_tokens_are_fetched_kept_and_renewed() {
    let (home, tokens) = (
        Home::new(),
        Receiver::with(|number, got, stream| {
            let asked = got.body == "grant_type=client_credentials&scope=logs.write"
                && got.header("authorization") == Some("Basic aWQlMkYxOmh1c2g=");
            let body = if asked {
                format!("{{\"access_token\": \"token-{number}\", \"expires_in\": 3600}}")
            } else {
                String::new()
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = std::io::Write::write_all(stream, answer.as_bytes());
        }),
    );
    let receiver =
        Receiver::answering_by(|number, _| if number == 1 { "401 No".to_owned() } else { "200 OK".to_owned() });
    let entry = |more: Value| {
        let mut entry = json!({"url": receiver.address, "oauth_token_url": tokens.at("/token"), "oauth_client_id": "id/1",
            "oauth_client_secret_file": "secret", "oauth_scope": "logs.write"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "sentinel": entry }).to_string()
    };
    home.write("secret", "hush\n");
    home.write("connectors.json", entry(json!({})));
    let server = serve(&home, Backend::Json, &[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
    server.post("/integrations", &json!({"provider": "sentinel"})).ok();
    let deliver = || server.post("/integrations/sentinel/deliver", &json!({"event": {}})).ok();
    for success in [true, false, true] {
        let delivery = deliver();
        assert_eq!(delivery["success"], success, "{delivery}");
        assert!(!delivery.to_string().contains("hush") && !delivery.to_string().contains("token-"), "{delivery}");
    }
    let sent: Vec<_> = receiver.got().iter().map(|got| got.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer token-0", "Bearer token-0", "Bearer token-1"]);
    // A secret that was renewed in its file is used without a restart.
    home.write("secret", "other");
    assert_eq!(deliver()["deliveries"][0]["error"], "connector delivery failed");
    drop(server);
    for (more, word) in [
        (json!({"token": "hush"}), "one of them"),
        (json!({"oauth_client_id": null}), "oauth_client_id"),
        (json!({"oauth_token_url": "http://tokens.example/"}), "https://"),
        (json!({"oauth_token_url": null}), "oauth_token_url"),
    ] {
        home.write("connectors.json", entry(more));
        let examined = home.cavra(&["doctor", "integrations"]).env("CAVRA_CONNECTOR_CONFIG", "connectors.json").run();
        assert!(examined.stdout.contains(word) && !examined.stdout.contains("hush"), "{word}: {examined:?}");
    }
}
