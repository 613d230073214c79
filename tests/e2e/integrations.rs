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
