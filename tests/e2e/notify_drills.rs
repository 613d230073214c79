//! Rollback drills: people are told that one is due, answer, and the audit of that is delivered. docs/reference/connectors-drills-ops-registry.md, section 3.

use serde_json::{Value, json};

use crate::notify_sla::{ago, assert_has};
use crate::support::{Backend, Home, Issuer, Receiver, Server, on_both, strings, text};

pub const D: &str = "/runtime/go-pilot/rollback-drill-notifications";
const A: &str = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery";

/// A server with a schedule that is overdue, a webhook that takes everything and a Teams that takes nothing.
pub struct Site {
    pub server: Server,
    pub good: Receiver,
    bad: Receiver,
}

pub fn schedule() -> Value {
    json!({"schema_version": "cavra.go-backend-rollback-drill-schedule.v1", "schedule_id": "quarterly",
        "environment": "prod", "status": "active", "interval_days": 90, "next_due_at": ago(60),
        "owners": ["ann", "bob"], "notification_providers": ["webhook"], "runbook_ref": "runbook://drill"})
}

impl Site {
    pub fn new(backend: Backend, schedule: &Value) -> Self {
        Self::with(backend, schedule, &[])
    }

    fn with(backend: Backend, schedule: &Value, more: &[(&str, &str)]) -> Self {
        let (good, bad) = (Receiver::answering("200 OK"), Receiver::answering("500 No"));
        let home = Home::new();
        let config = json!({"connectors": {
            "webhook": {"url": good.at("/hook"), "token": "hush-hush-token"},
            "teams": {"url": bad.at("/teams")},
        }});
        home.write("connectors.json", config.to_string());
        home.write("schedule.json", schedule.to_string());
        let store = match backend {
            Backend::Json => ("CAVRA_EVIDENCE_METADATA_STORE", home.at("data/evidence.json")),
            Backend::Sqlite => ("CAVRA_EVIDENCE_METADATA_DB", home.at("data/evidence.db")),
        };
        let mut settings = vec![
            (store.0, store.1.as_str()),
            ("CAVRA_CONNECTOR_CONFIG", "connectors.json"),
            ("CAVRA_GO_BACKEND_MODE", "promoted"),
            ("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", "schedule.json"),
        ];
        settings.extend(more);
        Self { server: home.serve(&settings), good, bad }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.server.post(path, body).ok()
    }

    pub fn deliver(&self, body: &Value) -> Value {
        self.post(&format!("{D}/deliver"), body)
    }
}

#[test]
fn people_are_told_that_a_drill_is_due() {
    on_both(|backend| {
        let site = Site::new(backend, &schedule());
        let report = site.server.get("/runtime/go-pilot/rollback-drill-schedule").ok();
        assert_eq!((&report["status"], &report["schedule"]["stale"]), (&json!("needs_attention"), &json!(true)));
        let told = site.deliver(&json!({}));
        assert_has(&told, "schedule plan delivery plan_metadata metadata success event_id actor");
        let plan = &told["plan"];
        assert_has(
            plan,
            "schema_version product plan_id schedule_id generated_at generated_by status alert_level eligible_providers \
             selected_providers acknowledgement_required_providers suppressed_providers owners owner_routes route_decisions \
             deliverable_route_count suppressed_route_count maintenance_suppressed_count calendar_suppressed_count \
             next_due_at reason controls",
        );
        assert_eq!((&plan["alert_level"], &plan["deliverable_route_count"]), (&json!("critical"), &json!(2)));
        assert_has(
            &plan["route_decisions"][0],
            "route_key schedule_id provider owner acknowledgement_minutes escalation_owner maintenance_window \
             owner_availability action reason",
        );
        assert_eq!((&told["event_id"], &told["success"]), (&json!("quarterly"), &json!(true)));
        let event = site.good.wait_for(1)[0].json();
        assert_eq!(event["schema_version"], "cavra.go-backend-pilot.rollback-drill-notification.v1");
        assert_eq!((&event["session_id"], &event["provider"]), (&json!("quarterly"), &json!("webhook")));
        assert_eq!(told["metadata"]["connector_delivery_source"], "go_backend_rollback_drill_notification");
        // The same again is the same plan, and keeps the moment of the first.
        let again = site.deliver(&json!({}));
        assert_eq!(again["plan"]["plan_id"], plan["plan_id"]);
        assert_eq!(again["plan_metadata"]["created_at"], told["plan_metadata"]["created_at"]);
        let body = json!({"provider": "webhook", "acknowledged_by": "ann"});
        let answered = site.post(&format!("{D}/quarterly/acknowledgements"), &body);
        let answer = &answered["acknowledgement"];
        assert_eq!((&answer["acknowledgement_state"], &answer["notes"]), (&json!("acknowledged"), &json!("")));
        let anew = site.deliver(&json!({}));
        assert_ne!(anew["plan_metadata"]["created_at"], told["plan_metadata"]["created_at"], "a new period");
        let board = site.server.get(&format!("{D}/dashboard")).ok();
        for (name, value) in [
            ("plan_count", json!(1)),
            ("delivery_count", json!(3)),
            ("notification_delivery_count", json!(3)),
            ("acknowledgement_count", json!(1)),
            ("outstanding_acknowledgement_count", json!(1)),
            ("alert_level", json!("critical")),
            ("acknowledgement_audit_delivery_success_rate", json!(null)),
        ] {
            assert_eq!(board[name], value, "{name}");
        }
        let rows = site.server.get(&format!("{D}/routes?owner=AN&action=deliver")).ok();
        assert_eq!((&rows["total"], &rows["items"][0]["owner"]), (&json!(1), &json!("ann")));
        assert_has(
            &rows["items"][0],
            "route_id created_at plan_id schedule_id alert_level provider owner escalation_owner action category reason \
             acknowledgement_minutes maintenance_window_id maintenance_window_reason owner_available \
             owner_availability_reason next_due_at",
        );
        for (query, total) in [
            ("", 5),
            ("?schedule_id=quarterly", 5),
            ("?schedule_id=none", 0),
            ("?provider=Webhook&delivery_success=true", 3),
            ("?connector_delivery_source=go_backend_rollback_drill_notification", 3),
            ("?metadata_kind=go-backend-rollback-drill-notification-plan", 1),
        ] {
            assert_eq!(site.server.total(&format!("{D}{query}")), total, "{query}");
        }
    });
}

#[test]
fn who_is_not_told_and_why() {
    let site = Site::new(Backend::Sqlite, &schedule());
    let policy = json!({"owner_calendars": {"ann": {"available": false, "unavailable_windows": []}},
        "maintenance_windows": [{"id": "w", "starts_at": ago(9), "ends_at": ago(-9), "owners": ["BOB"], "reason": "move"}]});
    let quiet = site.deliver(&json!({"routing_policy": policy, "force": true}));
    assert_eq!((&quiet["delivery"], &quiet["success"]), (&json!(null), &json!(true)));
    assert_eq!(quiet["plan"]["maintenance_suppressed_count"], 1);
    assert_eq!(quiet["plan"]["calendar_suppressed_count"], 1);
    assert_eq!(strings(&quiet["plan"]["suppressed_providers"]), ["webhook"]);
    let before = site.server.total("/evidence");
    let trend = |query: &str| site.server.get(&format!("{D}/suppression-trends{query}")).ok();
    let all = trend("");
    assert_eq!(all["trend"]["suppression_event_count"], 2);
    assert_eq!(all["trend"]["category_counts"], json!({"maintenance_window": 1, "owner_calendar": 1}));
    assert_eq!(trend("")["trend"]["trend_id"], all["trend"]["trend_id"]);
    assert_eq!(site.server.total("/evidence"), before + 1, "looking twice adds one record");
    assert_eq!(trend("?owner=bob")["trend"]["suppression_event_count"], 1);
    // Rules by owner; a connector that is not set up is said, others are told.
    let policy = json!({"routing_rules": [{"providers": ["webhook", "jira"], "manager": "eve", "ack_minutes": 5}]});
    let some = site.deliver(&json!({"routing_policy": policy}));
    let decisions = some["plan"]["route_decisions"].as_array().unwrap();
    let shown: Vec<_> = decisions.iter().map(|one| (text(one, "provider"), text(one, "category"))).collect();
    assert_eq!(
        shown,
        [
            ("jira", "connector_not_configured"),
            ("webhook", "deliver"),
            ("jira", "connector_not_configured"),
            ("webhook", "deliver")
        ]
    );
    assert_eq!(
        (&decisions[1]["acknowledgement_minutes"], &decisions[1]["escalation_owner"]),
        (&json!(5), &json!("eve"))
    );
    let nobody = site.deliver(&json!({"provider": "slack"}));
    assert_eq!((&nobody["delivery"], &nobody["plan"]["route_decisions"]), (&json!(null), &json!([])));
    let (sent, stored) = (site.good.got().len(), site.server.total("/evidence"));
    for (path, body, status) in [
        (format!("{D}/deliver"), json!({"routing_policy": []}), 400),
        (
            format!("{D}/deliver"),
            json!({"routing_policy": {"maintenance_windows": [{"start_at": "x", "end_at": "y"}]}}),
            400,
        ),
        (format!("{D}/deliver"), json!({"routing_policy": {"owner_routes": 7}}), 400),
        (
            format!("{D}/deliver"),
            json!({"routing_policy": {"owner_routes": {"ann": {"providers": ["jira"]}, "bob": {"providers": ["jira"]}}}}),
            400,
        ),
        (format!("{D}/deliver"), json!({"force": "yes"}), 400),
        (format!("{D}/none/acknowledgements"), json!({}), 404),
        (format!("{D}/quarterly/acknowledgements"), json!({"provider": "webhook"}), 400),
        (format!("{D}/quarterly/acknowledgements"), json!({"acknowledged_by": "ann"}), 400),
        (format!("{D}/acknowledgements/bulk"), json!({"routes": []}), 400),
        (format!("{D}/acknowledgements/bulk"), json!({"routes": [7], "acknowledged_by": "ann"}), 400),
        (
            format!("{D}/acknowledgements/bulk"),
            json!({"acknowledged_by": "ann", "routes": [{"schedule_id": "quarterly", "provider": "webhook"}, {"provider": "webhook"}]}),
            400,
        ),
        (format!("{D}/escalation-plan"), json!({"policy": 7}), 400),
        (format!("{A}/retry-plan"), json!({"retry_policy": {"max_retries": "x"}}), 400),
        (format!("{A}/worker-run"), json!({"provider": "nobody"}), 400),
        (format!("{A}/worker-run"), json!({"dry_run": "no"}), 400),
        (format!("{A}/worker-run"), json!({"schedule": {"interval_minutes": "x"}}), 400),
        (format!("{A}/worker-health-alerts/deliver"), json!({"max_alerts": "x"}), 400),
        (format!("{A}/worker-health-alerts/none/acknowledgements"), json!({}), 404),
        (format!("{A}/retry-plans/none/acknowledgements"), json!({}), 404),
    ] {
        let answer = site.server.post(&path, &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
    assert_eq!((site.good.got().len(), site.server.total("/evidence")), (sent, stored));
    // A schedule that is in order is told about when it is forced.
    let mut fine = schedule();
    fine["next_due_at"] = json!(ago(-60 * 24 * 60));
    let site = Site::new(Backend::Json, &fine);
    let healthy = site.deliver(&json!({}));
    assert_eq!(
        (&healthy["plan"]["status"], &healthy["plan"]["route_decisions"][0]["category"]),
        (&json!("ready"), &json!("healthy_schedule"))
    );
    assert_eq!(site.deliver(&json!({"force": true}))["plan"]["deliverable_route_count"], 2);
}

#[test]
fn audits_are_delivered_and_tried_again() {
    on_both(|backend| {
        let site = Site::new(backend, &schedule());
        site.deliver(&json!({}));
        let bulk = site.post(
            &format!("{D}/acknowledgements/bulk"),
            &json!({"acknowledged_by": "ann", "acknowledgement_state": "Escalated", "notes": "common",
                "routes": [{"schedule_id": "quarterly", "provider": "webhook", "notes": "own"}]}),
        );
        assert_eq!((&bulk["acknowledgement_count"], &bulk["acknowledgements"][0]["notes"]), (&json!(1), &json!("own")));
        let package = site.post(&format!("{D}/acknowledgements/audit-package"), &json!({"owner": "ANN"}));
        let audit = &package["audit_package"];
        for (name, value) in [
            ("route_count", json!(1)),
            ("acknowledgement_count", json!(1)),
            ("escalated_count", json!(1)),
            ("outstanding_count", json!(1)),
            ("alert_level", json!("critical")),
        ] {
            assert_eq!(audit[name], value, "{name}");
        }
        let same = site.post(&format!("{D}/acknowledgements/audit-package"), &json!({"owner": "ANN"}));
        assert_eq!(same["audit_package"]["audit_id"], audit["audit_id"]);
        let late = site.post(&format!("{D}/escalation-plan"), &json!({"policy": {"acknowledgement_minutes": 1}}));
        assert_eq!((&late["plan"]["route_count"], &late["plan"]["outstanding_count"]), (&json!(2), &json!(2)));
        let nowhere = site.post(A, &json!({"delivery_provider": "slack"}));
        assert_eq!((&nowhere["success"], &nowhere["delivery"]), (&json!(false), &json!(null)));
        let sent = site.post(A, &json!({"delivery_provider": "webhook,teams", "retries": 0, "cadence": "daily"}));
        assert_has(&sent, "audit_package audit_metadata delivery_plan plan_metadata delivery metadata success actor");
        assert_eq!((&sent["success"], &sent["delivery_plan"]["destination_count"]), (&json!(false), &json!(2)));
        let event = site.good.got().pop().unwrap().json();
        assert_eq!(event["session_id"], sent["delivery_plan"]["delivery_id"]);
        assert!(!event["routes"].to_string().contains("\"notes\""), "{event}");
        assert_eq!(sent["metadata"]["audit_id"], sent["audit_package"]["audit_id"]);
        let retry = |policy: Value| site.post(&format!("{A}/retry-plan"), &json!({"retry_policy": policy}));
        assert_eq!(retry(json!({}))["plan"]["waiting_count"], 1);
        let now = json!({"allow_immediate_retry": true, "backoff_multiplier": 1});
        let due = retry(now.clone())["plan"].clone();
        assert_eq!((&due["retryable_count"], &due["retry_decisions"][0]["provider"]), (&json!(1), &json!("teams")));
        let run = |body: Value| site.post(&format!("{A}/worker-run"), &body);
        let dry = run(json!({"retry_policy": now}));
        assert_eq!((&dry["run"]["dry_run"], &dry["retry_results"][0]["skipped"]), (&json!(true), &json!("dry_run")));
        assert_eq!(dry["retry_results"][0]["delivery_plan"]["cadence"], "retry");
        let done = run(json!({"retry_policy": now, "execute": true, "retries": 0}));
        let result = &done["retry_results"][0];
        assert_eq!((&result["skipped"], &result["delivery"]["success"]), (&json!(null), &json!(false)));
        assert_eq!(result["delivery_metadata"]["retry_of"], due["retry_decisions"][0]["delivery_id"]);
        assert_eq!(result["delivery_metadata"]["worker_run_id"], done["run"]["run_id"]);
        // The failure of the retry counts, until the maximum is reached.
        let counted = retry(now)["plan"].clone();
        assert_eq!((&counted["decision_count"], &counted["retry_decisions"][0]["retry_count"]), (&json!(1), &json!(2)));
        assert_eq!(retry(json!({"max_retries": 2}))["plan"]["suppressed_count"], 1);
        let id = text(&counted, "retry_plan_id");
        let body = json!({"provider": "teams", "acknowledged_by": "ann"});
        let accepted = site.post(&format!("{A}/retry-plans/{id}/acknowledgements"), &body);
        assert_eq!(accepted["acknowledgement"]["acknowledgement_state"], "accepted");
        assert_eq!(site.bad.got().len(), 2);
        // The worker is watched.
        let health = site.server.get(&format!("{A}/worker-health")).ok();
        assert_eq!((&health["run_count"], &health["connector_delivery_failure_count"]), (&json!(2), &json!(2)));
        assert_eq!(health["alert_level"], "warning");
        let alert = |body: Value| site.post(&format!("{A}/worker-health-alerts/deliver"), &body);
        let told = alert(json!({"provider": "webhook"}));
        assert_has(&told, "health plan delivery plan_metadata metadata success event_id actor");
        assert_eq!((&told["success"], &told["health"]["health_id"]), (&json!(true), &health["health_id"]));
        assert_eq!(alert(json!({"provider": "webhook"}))["plan"]["suppressed_providers"][0]["provider"], "webhook");
        let board = || site.server.get(&format!("{A}/worker-health-alert-dashboard")).ok();
        assert_eq!((&board()["outstanding_acknowledgement_count"], &board()["plan_count"]), (&json!(1), &json!(2)));
        let id = text(&health, "health_id");
        let body = json!({"provider": "Webhook", "acknowledged_by": "ann"});
        site.post(&format!("{A}/worker-health-alerts/{id}/acknowledgements"), &body);
        assert_eq!(
            (&board()["outstanding_acknowledgement_count"], &board()["alert_level"]),
            (&json!(0), &json!("warning"))
        );
        assert_eq!(site.server.total(&format!("{A}/worker-health-alerts?suppressed=true")), 1);
        assert_eq!(site.server.total(&format!("{A}/worker-runs?dry_run=false")), 1);
        let runs = site.server.get(&format!("{A}/worker-dashboard")).ok();
        assert_eq!(
            (&runs["run_count"], &runs["executed_count"], &runs["alert_level"]),
            (&json!(2), &json!(1), &json!("critical"))
        );
        let audit = "connector_delivery_source=go_backend_rollback_drill_acknowledgement_audit";
        assert_eq!(site.server.total(&format!("{D}?{audit}&delivery_success=false")), 2);
        assert!(site.server.total(&format!("{D}?{audit}")) > 10);
        assert_eq!(site.server.total(&format!("{D}?cadence=daily")), 1);
    });
}

#[test]
fn answers_need_somebody_where_identities_are_known() {
    let (issuer, keys) = (Issuer::new(), Home::new());
    keys.write("oidc.json", issuer.config(&json!({})).to_string());
    let oidc = keys.at("oidc.json");
    let site = Site::with(Backend::Sqlite, &schedule(), &[("CAVRA_APPROVAL_OIDC_CONFIG", &oidc)]);
    let token = issuer.token("ann", &["IAM"]);
    for path in ["/deliver", "/quarterly/acknowledgements", "/escalation-plan", "/acknowledgements/audit-package"] {
        site.server.post(&format!("{D}{path}"), &json!({})).refused(&[401]);
    }
    site.server.post_as(&token, &format!("{D}/deliver"), &json!({})).ok();
    let record = json!({"session_id": "gordack-x", "metadata_kind": "go-backend-rollback-drill-notification-ack",
        "created_at": ago(-1), "acknowledgement": {"schedule_id": "quarterly", "provider": "webhook",
            "acknowledgement_state": "resolved", "acknowledgement_id": "gordack-x", "acknowledged_at": ago(-1)}});
    site.server.post("/evidence", &record).ok();
    let board = || site.server.get(&format!("{D}/dashboard")).ok();
    assert_eq!(
        (&board()["outstanding_acknowledgement_count"], &board()["acknowledgement_count"]),
        (&json!(1), &json!(0))
    );
    let body = json!({"provider": "webhook", "acknowledged_by": "mallory"});
    let answered = site.server.post_as(&token, &format!("{D}/quarterly/acknowledgements"), &body).ok();
    assert_eq!(
        (&answered["acknowledgement"]["acknowledged_by"], &answered["actor"]["subject"]),
        (&json!("ann@x.example"), &json!("ann"))
    );
    assert_eq!(board()["outstanding_acknowledgement_count"], 0);
}
