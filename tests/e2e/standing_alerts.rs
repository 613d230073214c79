//! Standing alerts: what happened lately that somebody should know becomes a subject that people are told about by standing
//! rules, answer, and are told about again.

use serde_json::{Value, json};

use crate::support::{Backend, Home, Receiver, Server, on_both, text};

/// A server that tells a webhook and a chat.
fn serve(home: &Home, backend: Backend, receiver: &Receiver) -> Server {
    let config =
        json!({"connectors": {"webhook": {"url": receiver.at("/hook")}, "slack": {"url": receiver.at("/slack")}}});
    home.write("connectors.json", config.to_string());
    let store = |name: &str, area: &str| match backend {
        Backend::Json => (format!("CAVRA_{name}_STORE"), home.at(&format!("data/{area}.json"))),
        Backend::Sqlite => (format!("CAVRA_{name}_DB"), home.at(&format!("data/{area}.db"))),
    };
    let stores =
        [store("EVIDENCE_METADATA", "evidence"), store("ACTIVITY", "activity"), store("APPROVAL", "approvals")];
    let mut settings = vec![("CAVRA_CONNECTOR_CONFIG", "connectors.json")];
    settings.extend(stores.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    home.serve(&settings)
}

/// Who is told about blocks, and nobody about anything else.
fn rules() -> Value {
    json!({"rules": [{"rule_id": "blocks", "categories": ["critical_block"], "providers": ["webhook"], "owner": "soc"}],
        "default_providers": ["slack"]})
}

#[test]
fn a_critical_block_is_told_answered_and_told_again() {
    on_both(|backend| {
        let receiver = Receiver::answering("200 OK");
        let home = Home::new();
        let server = serve(&home, backend, &receiver);
        let calm = server.get("/standing-alerts/now").ok();
        assert_eq!((&calm["alert_level"], &calm["alerts"]), (&json!("healthy"), &json!([])));
        let deliver = |more: Value| {
            let mut body = json!({"routing_policy": rules()});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            server.post("/standing-alerts/deliver", &body).ok()
        };
        assert_eq!(deliver(json!({"force": true}))["delivery"], Value::Null, "all is well");

        let blocked = server.decide(
            &json!({"action_type": "execute_command", "target": "terraform apply -auto-approve", "session_id": "s"}),
        );
        assert_eq!((&blocked["decision"], &blocked["severity"]), (&json!("block"), &json!("critical")), "{blocked}");
        let now = server.get("/standing-alerts/now?expected_interval_minutes=5").ok();
        assert_eq!((&now["alert_level"], &now["critical_block_count"]), (&json!("critical"), &json!(1)));
        assert_eq!(now["alerts"][0]["about"], json!([blocked["decision_id"]]));
        let told = deliver(json!({}));
        assert_eq!(
            (&told["success"], &told["plan"]["selected_providers"]),
            (&json!(true), &json!(["webhook"])),
            "{told}"
        );
        assert_eq!(told["plan"]["routes"][0]["owner"], "soc");
        assert_eq!(told["health"]["health_id"], now["health_id"], "the same condition is the same subject");
        let event = receiver.wait_for(1)[0].json();
        assert_eq!(
            (&event["event_type"], &event["payload"]["alert_level"]),
            (&json!("cavra.standing_alerts.alert"), &json!("critical"))
        );
        assert_eq!(deliver(json!({}))["delivery"], Value::Null, "nobody is told twice");

        // Nobody answers: it is late, and told again.
        let slo = json!({"slo_policy": {"ladders": [{"level": "duty", "after_minutes": 0, "providers": ["slack"]}]}});
        let late = server.post("/standing-alerts/escalation-plan", &slo).ok();
        assert_eq!(late["plan"]["route_statuses"][0]["health_id"], now["health_id"], "{late}");
        let again = server.post("/standing-alerts/reminder-plan", &json!({})).ok();
        assert_eq!(again["plan"]["deliverable_route_count"], 1, "{again}");
        let path = format!("/standing-alert-reminders/{}/deliver", text(&again["plan"], "recurrence_plan_id"));
        server.post(&path, &json!({})).ok();
        assert_eq!(receiver.wait_for(2)[1].line, "POST /slack", "whom the ladder names");

        let id = text(&now, "health_id");
        assert_eq!(server.get("/standing-alerts/dashboard").ok()["outstanding_acknowledgement_count"], 1);
        let answer = json!({"provider": "webhook", "acknowledged_by": "ann", "acknowledgement_state": "resolved"});
        server.post(&format!("/standing-alerts/{id}/acknowledgements"), &answer).ok();
        server.post("/standing-alerts/alh-none/acknowledgements", &answer).refused(&[404]);
        let board = server.get("/standing-alerts/dashboard").ok();
        assert_eq!(
            (&board["outstanding_acknowledgement_count"], &board["delivery_count"]),
            (&json!(0), &json!(2)),
            "{board}"
        );
        let closed = server.post("/standing-alerts/escalation-plan", &slo).ok();
        assert_eq!(closed["plan"]["active_escalation_count"], 0);
        assert_eq!(server.total(&format!("/standing-alerts?health_id={id}&metadata_kind=standing-alert-ack")), 1);

        // Another block is another subject.
        server.decide(
            &json!({"action_type": "execute_command", "target": "terraform apply -auto-approve", "session_id": "s2"}),
        );
        let next = deliver(json!({}));
        assert_ne!(next["event_id"], json!(id));
        assert_eq!(receiver.wait_for(3)[2].line, "POST /hook");
        for wrong in [json!({"rules": "x"}), json!({"rules": [{"categories": 4}]})] {
            server.post("/standing-alerts/deliver", &json!({"routing_policy": wrong})).refused(&[400]);
        }
    });
}

/// The same, done by the server itself.
#[test]
fn the_server_tells_by_itself() {
    let receiver = Receiver::answering("200 OK");
    let home = Home::new();
    let jobs =
        json!({"jobs": {"standing-alerts": {"every_minutes": 1_000, "execute": true, "routing_policy": rules()}}});
    let server = serve(&home, Backend::Sqlite, &receiver);
    server.decide(
        &json!({"action_type": "execute_command", "target": "terraform apply -auto-approve", "session_id": "s"}),
    );
    drop(server);
    home.write("workers.json", jobs.to_string());
    let settings = [
        ("CAVRA_CONNECTOR_CONFIG", "connectors.json"),
        ("CAVRA_WORKERS", "workers.json"),
        ("CAVRA_EVIDENCE_METADATA_DB", &home.at("data/evidence.db")),
        ("CAVRA_ACTIVITY_DB", &home.at("data/activity.db")),
        ("CAVRA_APPROVAL_DB", &home.at("data/approvals.db")),
    ];
    let server = home.serve(&settings);
    assert_eq!(receiver.wait_for(1)[0].json()["payload"]["alerts"][0]["category"], "critical_block");
    drop(server);
    home.write(
        "workers.json",
        json!({"jobs": {"standing-alerts": {"every_minutes": 5, "routing_policy": {"ruels": []}}}}).to_string(),
    );
    let refused = home.cavra(&["serve", "--port", "0"]).env("CAVRA_WORKERS", "workers.json").run().fails();
    assert!(refused.stderr.contains("rules"), "{refused:?}");
}
