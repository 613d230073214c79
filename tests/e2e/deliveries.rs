//! Events that the server makes are delivered, and what came of it is kept as evidence.

use serde_json::{Value, json};

use crate::evidence_log::leaves;
use crate::promotion::Site;
use crate::support::{Home, Receiver, Server, assert_timestamp, on_both, sha256, text};

/// A server with connectors to two receivers, the first of which takes everything and the second nothing.
fn connected(home: &Home, good: &Receiver, bad: &Receiver) {
    let config = json!({ "connectors": {
        "webhook": { "url": good.at("/hook?key=hush"), "token": "hush" },
        "splunk": { "url": bad.at("/services/collector"), "token_env": "SPLUNK_TOKEN" },
        "slack": { "url": good.address, "enabled": false },
    }});
    home.write("connectors.json", config.to_string());
}

/// The evidence of a delivery says what the delivery says.
fn check_evidence(server: &Server, delivery: &Value, source: &str) {
    let metadata = &delivery["metadata"];
    let id = text(metadata, "session_id");
    let material = format!("{}|{}|splunk,webhook", text(delivery, "event_id"), text(delivery, "generated_at"));
    let slug: String =
        text(delivery, "event_id").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    assert_eq!(id, format!("rcd-{slug}-{}", &sha256(material.as_bytes())["sha256:".len()..][..12]));
    let mut result = delivery.clone();
    result.as_object_mut().unwrap().remove("metadata");
    for (member, value) in [
        ("created_at", delivery["generated_at"].clone()),
        ("signer", json!(source)),
        ("connector_delivery_source", json!(source)),
        ("metadata_kind", json!("release-connector-delivery")),
        ("decision_count", json!(0)),
        ("blocked_count", json!(1)),
        ("approval_required_count", json!(0)),
        ("event_id", delivery["event_id"].clone()),
        ("event_type", delivery["event_type"].clone()),
        ("delivery_success", json!(false)),
        ("providers", json!(["splunk", "webhook"])),
        ("failed_providers", json!(["splunk"])),
        ("attempt_count", json!(3)),
        ("max_attempt_count", json!(2)),
        ("status_codes", json!([503, 202])),
        ("delivery", result),
    ] {
        assert_eq!(metadata[member], value, "{member}");
    }
    assert_eq!(&server.get(&format!("/evidence/{id}")).ok(), metadata);
    let listed = server.get(&format!("/release-connector-deliveries?event_id={}", text(delivery, "event_id"))).ok();
    assert_eq!((&listed["total"], &listed["items"][0]), (&json!(1), metadata));
    server.post("/evidence", &json!({ "session_id": id })).refused(&[409]);
}

#[test]
fn promotions_and_rollbacks_are_delivered() {
    on_both(|backend| {
        let (good, bad) = (Receiver::answering("202 Accepted"), Receiver::answering("503 Busy"));
        let settings = [("CAVRA_CONNECTOR_CONFIG", "connectors.json"), ("SPLUNK_TOKEN", "hush")];
        let site = Site::new(backend);
        let execution = site.promoted();
        let id = text(&execution, "execution_id").to_owned();
        let deliver = format!("/promotion-executions/{id}/audit-export/deliver");
        // Without connectors that is said first.
        for path in
            [deliver.as_str(), "/promotion-executions/none/audit-export/deliver", "/rollback-executions/x/deliver"]
        {
            let refused = site.server.post(path, &json!({})).refused(&[400]);
            assert!(refused.to_string().contains("connector config"), "{refused}");
        }
        connected(&site.home, &good, &bad);
        let site = site.again(&settings);
        let server = &site.server;
        let before = server.total("/evidence");
        for (body, word) in [
            (json!({"provider": "slack"}), "slack"),
            (json!({"provider": "jira, nobody"}), "jira, nobody"),
            (json!({"retries": "many"}), "retries"),
            (json!({"timeout_seconds": {}}), "timeout_seconds"),
        ] {
            let refused = server.post(&deliver, &body).refused(&[400]);
            assert!(refused.to_string().contains(word), "{refused}");
        }
        server.post("/promotion-executions/none/audit-export/deliver", &json!({})).refused(&[404]);
        server.post(&format!("/rollback-executions/{id}/deliver"), &json!({})).refused(&[404]);
        assert_eq!((server.total("/evidence"), good.got().len()), (before, 0));

        let delivery = server.post(&deliver, &json!({"retries": 1, "timeout_seconds": 5})).ok();
        assert_eq!((&delivery["event_id"], &delivery["session_id"]), (&json!(id), &Value::Null));
        assert_eq!(delivery["event_type"], "cavra.rollout_promotion_execution");
        assert_timestamp(text(&delivery, "generated_at"));
        check_evidence(server, &delivery, "release_governance_promotion");
        assert!(!delivery.to_string().contains("hush"));
        let sent = good.got()[0].json();
        let event = server.get(&format!("/promotion-executions/{id}/audit-export")).ok()["event"].clone();
        assert_eq!((&sent["payload"], &sent["event_type"]), (&event, &event["event_type"]));
        assert_eq!(good.got()[0].header("authorization"), Some("Bearer hush"));
        assert_eq!(bad.got()[0].json()["event"], event);

        // A rollback by its own id and by that of its promotion.
        let approval = site.approval_of(&Site::rollback_decision(&execution, "d1"));
        let back = site.roll_back(&execution, &json!({"approval_id": approval})).ok()["rollback"].clone();
        let rollback_id = text(&back, "rollback_id");
        for id in [rollback_id, id.as_str()] {
            let only = json!({"provider": "webhook"});
            let delivery = server.post(&format!("/rollback-executions/{id}/deliver"), &only).ok();
            assert_eq!((&delivery["event_id"], &delivery["success"]), (&json!(rollback_id), &json!(true)));
            assert_eq!(delivery["metadata"]["connector_delivery_source"], "release_governance_rollback");
        }
        let sent = good.got().pop().unwrap().json();
        assert_eq!(sent["payload"]["raw_rollback"], back);
        assert_eq!(server.get("/release-connector-deliveries/dashboard").ok()["total_deliveries"], 3);
        let recorded = leaves(server, "evidence").iter().filter(|leaf| leaf["event"] == "evidence_recorded").count();
        assert_eq!(recorded, 3);
        assert!(!server.log().contains("hush"), "{}", server.log());
    });
}

/// Whoever leaves while something is sent takes no evidence away.
#[test]
fn a_caller_who_leaves_takes_no_evidence_away() {
    let slow = Receiver::with(|_, _, stream| {
        std::thread::sleep(std::time::Duration::from_millis(700));
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    let home = Home::new();
    let execution =
        json!({"schema_version": "cavra.go-runtime.endpoint-rollout-promotion-execution.v1", "execution_id": "rpe_1"});
    home.write("connectors.json", json!({"webhook": {"url": slow.address}}).to_string());
    let server = home.serve(&[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
    let record = json!({"session_id": "rpe_1", "metadata_kind": "rollout-promotion-execution", "execution": execution});
    server.post("/evidence", &record).ok();
    let mut connection = std::net::TcpStream::connect(server.address).unwrap();
    let request = "POST /promotion-executions/rpe_1/audit-export/deliver HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}";
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    slow.wait_for(1);
    drop(connection);
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while server.total("/release-connector-deliveries") == 0 {
        assert!(std::time::Instant::now() < deadline, "no evidence was kept");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn promotions_are_delivered_from_files() {
    let home = Home::new();
    let (good, bad) = (Receiver::answering("202 Accepted"), Receiver::answering("503 Busy"));
    connected(&home, &good, &bad);
    for (command, name, schema) in [
        ("deliver-promotion-audit", "execution_id", "cavra.go-runtime.endpoint-rollout-promotion-execution.v1"),
        ("deliver-rollback-execution", "rollback_id", "cavra.go-runtime.endpoint-rollout-rollback-execution.v1"),
    ] {
        home.write("document.json", json!({"schema_version": schema, name: "x/1"}).to_string());
        let arguments =
            ["release", command, "document.json", "--config", "connectors.json", "--metadata-json", "m.json"];
        let deliver = |more: &[&str]| home.cavra(&[&arguments[..], more].concat()).env("SPLUNK_TOKEN", "hush").run();
        let delivered = deliver(&["--provider", "webhook"]).ok().json();
        assert_eq!((&delivered["event_id"], &delivered["success"]), (&json!("x/1"), &json!(true)));
        let kept = home.json(".cavra/release/connector-deliveries/x-1-connector-delivery.json");
        assert_eq!(kept["deliveries"], delivered["deliveries"]);
        let failed = deliver(&["--retries", "0"]).exits(1);
        assert!(!failed.stdout.contains("hush"), "{failed:?}");
        let history =
            home.cavra(&["release", "connector-delivery-history", "--metadata-json", "m.json"]).run().ok().json();
        let record = &failed.json()["metadata"];
        assert_eq!(history["items"][0]["session_id"], record["session_id"]);
        assert_eq!(history["items"][0]["delivery"], record["delivery"]);
        assert!(deliver(&["--provider", "jira"]).fails().stderr.contains("jira"));
        home.write("document.json", "{}");
        assert!(deliver(&[]).fails().stderr.contains("schema"));
    }
    assert_eq!(good.got().len(), 4);
}
