//! Endpoint remediation, from work that was handed off to somebody who answered: over HTTP, with receivers of the test's
//! own. docs/reference/remediation-sla.md.

use serde_json::{Value, json};

use crate::support::{Backend, Home, Issuer, Receiver, Server, assert_timestamp, on_both, strings, text};

const F: &str = "/endpoint-remediation-sla";

/// A time so many minutes ago.
pub fn ago(minutes: i64) -> String {
    cavra_model::Timestamp::from_micros(cavra_model::Timestamp::now().as_micros() - minutes * 60_000_000).to_string()
}

/// A server over a store, with a webhook and a Slack that take everything and a Teams that takes nothing.
pub struct Site {
    pub server: Server,
    pub good: Receiver,
    pub bad: Receiver,
}

impl Site {
    pub fn new(backend: Backend) -> Self {
        Self::with(backend, &[])
    }

    pub fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        let (good, bad) = (Receiver::answering("200 OK"), Receiver::answering("500 No"));
        let home = Home::new();
        let config = json!({"connectors": {
            "webhook": {"url": good.at("/hook"), "token": "hush-hush-token"},
            "slack": {"url": good.at("/slack?key=hush-hush-query")},
            "teams": {"url": bad.at("/teams")},
            "jamf": {"url": good.at("/jamf")},
            "jira": {"url": good.at("/jira"), "token": "hush-hush-jira", "enabled": false},
        }});
        home.write("connectors.json", config.to_string());
        let store = match backend {
            Backend::Json => ("CAVRA_EVIDENCE_METADATA_STORE", home.at("data/evidence.json")),
            Backend::Sqlite => ("CAVRA_EVIDENCE_METADATA_DB", home.at("data/evidence.db")),
        };
        let mut settings = vec![(store.0, store.1.as_str()), ("CAVRA_CONNECTOR_CONFIG", "connectors.json")];
        settings.extend(more);
        Self { server: home.serve(&settings), good, bad }
    }

    /// Hands work off, so many hours ago.
    pub fn hand_off(&self, id: &str, hours: i64, providers: &[&str], channel: &str) {
        let record = json!({"session_id": id, "handoff_id": id, "metadata_kind": "endpoint-remediation-handoff",
            "created_at": ago(hours * 60), "providers": providers, "channel": channel, "request_id": format!("req-{id}"),
            "action_count": 2});
        self.server.post("/evidence", &record).ok();
    }

    pub fn status(&self, handoff: &str, provider: &str, word: &str, hours: i64) {
        let id = format!("{handoff}-{provider}-{word}");
        let record = json!({"session_id": id, "status_id": id, "handoff_id": handoff, "provider": provider,
            "metadata_kind": "endpoint-remediation-handoff-status", "handoff_status": word, "created_at": ago(hours * 60),
            "external_ref": "CHG-1"});
        self.server.post("/evidence", &record).ok();
    }

    pub fn report(&self) -> Value {
        self.server.post(&format!("{F}/report"), &json!({})).ok()
    }

    /// A report about work that is late; answers its id.
    pub fn late(&self) -> String {
        self.hand_off("late", 99, &["jira"], "beta");
        text(&self.report(), "report_id").to_owned()
    }

    pub fn notify(&self, report: &str, body: &Value) -> Value {
        self.server.post(&format!("{F}-reports/{report}/deliver"), body).ok()
    }

    /// An own plan of a notification, so many minutes ago, as a client posts it: the clock of a route starts there.
    pub fn noticed(&self, report: &str, provider: &str, minutes: i64) -> String {
        let id = format!("erslan-{report}-{provider}-{minutes}");
        let plan = json!({"plan_id": id, "report_id": report, "alert_level": "critical", "generated_at": ago(minutes),
            "routes": [{"provider": provider, "selected": true, "owner": "ann", "acknowledgement_required": true}]});
        let record = json!({"session_id": id, "metadata_kind": "endpoint-remediation-sla-notification-plan",
            "created_at": ago(minutes), "report_id": report, "plan_id": id, "notification_plan": plan});
        self.server.post("/evidence", &record).ok();
        id
    }

    pub fn escalation(&self, policy: Value) -> Value {
        let body = json!({"slo_policy": policy});
        self.server.post(&format!("{F}-notifications/escalation-plan"), &body).ok()["plan"].clone()
    }

    pub fn recurrence(&self, policy: Value) -> Value {
        let body = json!({"recurrence_policy": policy});
        self.server.post(&format!("{F}-escalations/recurrence-plan"), &body).ok()["plan"].clone()
    }

    /// Everything that is stored.
    pub fn stored(&self) -> u64 {
        self.server.total("/evidence")
    }
}

/// The names of members that a document must have.
#[track_caller]
pub fn assert_has(document: &Value, names: &str) {
    for name in names.split_whitespace() {
        assert!(document.get(name).is_some(), "{name} is missing in {document}");
    }
}

#[test]
fn work_is_reported() {
    on_both(|backend| {
        let site = Site::new(backend);
        let nothing = site.report();
        assert_eq!((&nothing["valid"], nothing["warnings"].as_array().unwrap().len()), (&json!(true), 1));
        assert_eq!(nothing["report"]["alert_level"], "healthy");
        let empty = site.server.get(&format!("{F}-reports/dashboard")).ok();
        assert_eq!((&empty["report_count"], &empty["latest_report_id"]), (&json!(1), &nothing["report_id"]));
        site.hand_off("a", 99, &["jira", "slack"], "beta");
        site.hand_off("b", 30, &["webhook"], "stable");
        site.hand_off("c", 1, &["teams"], "stable");
        site.status("a", "slack", "completed", 1);
        let made = site.report();
        let report = &made["report"];
        assert_has(
            report,
            "schema_version product report_id generated_at generated_by warning_hours critical_hours alert_level \
             executive_summary work_items escalations escalation_payloads controls evidence_refs",
        );
        assert_timestamp(text(report, "generated_at"));
        let summary = &report["executive_summary"];
        for (name, value) in [
            ("tracked_work_item_count", json!(4)),
            ("completed_count", json!(1)),
            ("at_risk_count", json!(1)),
            ("breached_count", json!(1)),
            ("completion_rate", json!(0.25)),
            ("critical_provider_count", json!(1)),
            ("release_channels", json!(["beta", "stable"])),
        ] {
            assert_eq!(summary[name], value, "{name}");
        }
        let items: Vec<_> = report["work_items"].as_array().unwrap().iter().map(|item| &item["handoff_id"]).collect();
        assert_eq!(items, ["a", "b", "a", "c"], "critical, warning, healthy, then the oldest first");
        let metadata = &made["metadata"];
        assert_eq!(metadata["decision_count"], 4);
        assert_eq!((&metadata["blocked_count"], &metadata["approval_required_count"]), (&json!(1), &json!(1)));
        assert_eq!(&site.server.get(&format!("/evidence/{}", text(&made, "report_id"))).ok(), metadata);
        for (query, total) in [
            ("", 2),
            ("?alert_level=critical", 1),
            ("?alert_level=Critical", 0),
            ("?min_breached=1", 1),
            ("?min_breached=2", 0),
            ("?alert_level=", 2),
        ] {
            assert_eq!(site.server.total(&format!("{F}-reports{query}")), total, "{query}");
        }
        let page = site.server.get(&format!("{F}-reports?limit=1&offset=1")).ok();
        assert_eq!(page["schema_version"], "cavra.endpoint_remediation_sla_report.history.v1");
        assert_eq!((&page["items"][0]["session_id"], &page["total"]), (&nothing["report_id"], &json!(2)));
        site.server.get(&format!("{F}-reports?min_breached=x")).refused(&[422]);
        let board = site.server.get(&format!("{F}-reports/dashboard")).ok();
        for (name, value) in [
            ("alert_level", json!("critical")),
            ("report_count", json!(2)),
            ("critical_report_count", json!(1)),
            ("warning_report_count", json!(0)),
            ("latest_report_id", made["report_id"].clone()),
            ("breached_count", json!(1)),
            ("completion_rate", json!(0.25)),
            ("escalation_count", json!(2)),
        ] {
            assert_eq!(board[name], value, "{name}");
        }
        assert_eq!(board["latest"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn what_is_refused_stores_and_sends_nothing() {
    let site = Site::new(Backend::Sqlite);
    let report = site.late();
    let escalation = {
        site.noticed(&report, "slack", 500);
        text(&site.escalation(json!({})), "plan_id").to_owned()
    };
    let recurrence = text(&site.recurrence(json!({})), "recurrence_plan_id").to_owned();
    let before = site.stored();
    let deliver = format!("-reports/{report}/deliver");
    let escalate = format!("-escalations/{escalation}/deliver");
    let review = format!("-escalations/{escalation}/reviews");
    let recur = format!("-escalation-recurrences/{recurrence}/deliver");
    let digest = format!("-escalation-recurrences/{recurrence}/owner-digest");
    let acknowledge = format!("-reports/{report}/acknowledgements");
    let (plan, again, retry, run, alert) = (
        "-notifications/escalation-plan",
        "-escalations/recurrence-plan",
        "-escalation-recurrences/retry-plan",
        "-escalation-recurrences/automation-run",
        "-escalation-recurrence-automation-health-alerts/deliver",
    );
    let long = "x".repeat(4001);
    let rows: Vec<(&str, Value, u16)> = vec![
        ("/report", json!({"warning_hours": 9, "critical_hours": 8}), 400),
        ("/report", json!({"warning_hours": "9"}), 400),
        ("/report", json!({"warning_hours": null}), 400),
        ("/report", json!({"critical_hours": 1.5}), 400),
        ("/report", json!({"generated_by": 7}), 400),
        ("-reports/none/deliver", json!({"provider": 7}), 404),
        (&deliver, json!({"provider": "pagerduty"}), 400),
        (&deliver, json!({"provider": "splunk"}), 400),
        (&deliver, json!({"provider": "jira"}), 400),
        (&deliver, json!({"provider": ["slack"]}), 400),
        (&deliver, json!({"routing_policy": []}), 400),
        (&deliver, json!({"routing_policy": {"rules": {}}}), 400),
        (&deliver, json!({"routing_policy": {"rules": ["x"]}}), 400),
        (&deliver, json!({"routing_policy": {"rules": [{"min_breached": "1"}]}}), 400),
        (&deliver, json!({"routing_policy": {"default_providers": ["jira"]}}), 400),
        (&deliver, json!({"force": "yes"}), 400),
        (&deliver, json!({"suppression_window_minutes": "1"}), 400),
        (&deliver, json!({"max_escalations": null}), 400),
        (&deliver, json!({"retries": null}), 400),
        (&deliver, json!({"retries": "x"}), 400),
        (&deliver, json!({"timeout_seconds": "x"}), 400),
        ("-reports/none/acknowledgements", json!({}), 404),
        (&acknowledge, json!({"provider": "slack"}), 400),
        (&acknowledge, json!({"acknowledged_by": "ann"}), 400),
        (&acknowledge, json!({"provider": "splunk", "acknowledged_by": "ann"}), 400),
        (&acknowledge, json!({"provider": "slack", "acknowledged_by": "ann", "acknowledgement_state": "seen"}), 400),
        (&acknowledge, json!({"provider": "slack", "acknowledged_by": "ann", "plan_id": "none"}), 400),
        (&acknowledge, json!({"provider": "slack", "acknowledged_by": "ann", "plan_id": escalation}), 400),
        (&acknowledge, json!({"provider": "slack", "acknowledged_by": "ann", "notes": long}), 400),
        (&acknowledge, json!({"provider": "slack", "acknowledged_by": "ann", "external_ref": long[..513]}), 400),
        (plan, json!({"slo_policy": 7}), 400),
        (plan, json!({"slo_policy": {"default_slo": {"resolution_minutes": "x"}}}), 400),
        ("-escalations/none/deliver", json!({}), 404),
        (&escalate, json!({"provider": "linux"}), 400),
        (&escalate, json!({"provider": "splunk"}), 400),
        (&escalate, json!({"max_routes": "x"}), 400),
        ("-escalations/none/reviews", json!({}), 404),
        (&review, json!({"report_id": report, "provider": "slack", "owner": "bob", "reviewed_by": "ann"}), 400),
        (&review, json!({"report_id": report, "provider": "slack", "reviewed_by": "ann"}), 400),
        (
            &review,
            json!({"report_id": report, "provider": "slack", "owner": "ann", "reviewed_by": "ann", "review_state": "x"}),
            400,
        ),
        (again, json!({"recurrence_policy": "x"}), 400),
        (again, json!({"recurrence_policy": {"maintenance_windows": [{"start_at": "x", "end_at": "y"}]}}), 400),
        (again, json!({"recurrence_policy": {"max_recurrences": null}}), 400),
        ("-escalation-recurrences/none/deliver", json!({}), 404),
        (&recur, json!({"provider": "nobody"}), 400),
        (&recur, json!({"force": 1}), 400),
        (retry, json!({"retry_policy": {"max_retries": "x"}}), 400),
        ("-escalation-recurrences/none/owner-digest", json!({}), 404),
        (&digest, json!({"retry_plan_id": "none"}), 404),
        (&digest, json!({"provider": "jira"}), 400),
        (run, json!({"dry_run": "no"}), 400),
        (run, json!({"execute": true, "provider": "jira"}), 400),
        (run, json!({"execute": true, "provider": "nobody"}), 400),
        (run, json!({"schedule": {"interval_minutes": "x"}}), 400),
        (run, json!({"schedule": {"enabled": 1}}), 400),
        (alert, json!({"expected_interval_minutes": "x"}), 400),
        (alert, json!({"routing_policy": {"health_alert_routing": 7}}), 400),
        ("-escalation-recurrence-automation-health-alerts/none/acknowledgements", json!({}), 404),
    ];
    for (path, body, status) in rows {
        let answer = site.server.post(&format!("{F}{path}"), &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
    site.server.get(&format!("{F}-escalation-recurrences/none/suppression-audit")).refused(&[404]);
    for query in ["expected_interval_minutes=x", "stale_metadata_minutes=1.5"] {
        site.server.get(&format!("{F}-escalation-recurrence-automations/health?{query}")).refused(&[422]);
    }
    assert_eq!((site.stored(), site.good.got().len() + site.bad.got().len()), (before, 0));
    // Without connectors that is said before anything else.
    let bare = Home::new().serve(&[]);
    for path in ["-reports/none/deliver", "-escalations/none/deliver", "-escalation-recurrences/none/deliver", alert] {
        let refused = bare.post(&format!("{F}{path}"), &json!({"provider": 7})).refused(&[400]);
        assert!(refused.to_string().contains("connector config"), "{refused}");
    }
}

#[test]
fn people_are_told_once() {
    on_both(|backend| {
        let site = Site::new(backend);
        let report = site.late();
        let told = site.notify(&report, &json!({"provider": "Slack, webhook", "generated_by": "me"}));
        assert_has(&told, "plan delivery plan_metadata metadata success event_id actor");
        let plan = &told["plan"];
        assert_has(
            plan,
            "schema_version product plan_id report_id generated_at generated_by alert_level summary requested_provider \
             eligible_providers selected_providers suppressed_providers suppression_window_minutes force routes \
             matched_rule_ids acknowledgement_required_providers controls",
        );
        assert_eq!(strings(&plan["selected_providers"]), ["slack", "webhook"]);
        assert_eq!((&told["success"], &told["event_id"]), (&json!(true), &json!(report)));
        let metadata = &told["metadata"];
        assert_eq!(metadata["connector_delivery_source"], "endpoint_remediation_sla_notification");
        assert_eq!((&metadata["report_id"], &metadata["plan_id"]), (&json!(report), &plan["plan_id"]));
        assert_eq!(metadata["route_keys"].as_array().unwrap().len(), 2);
        let sent = site.good.wait_for(2);
        let hook = sent.iter().find(|request| request.line.ends_with("/hook")).unwrap().json();
        assert_eq!(hook["schema_version"], "cavra.endpoint_remediation_sla.notification.v1");
        assert_eq!((&hook["provider"], &hook["session_id"]), (&json!("webhook"), &json!(report)));
        assert_has(
            &hook,
            "event_type title generated_at generated_by alert_level max_severity decision_count blocked_count \
             approval_required_count summary controls report_id source_report_generated_at completion_rate escalations \
             omitted_escalation_count evidence_refs",
        );
        assert!(!told.to_string().contains("hush-hush"), "{told}");
        // The second time nobody is, and that is kept too.
        let again = site.notify(&report, &json!({"provider": "slack,webhook"}));
        assert_eq!(
            (&again["delivery"], &again["metadata"], &again["success"]),
            (&json!(null), &json!(null), &json!(true))
        );
        let suppressed = &again["plan"]["suppressed_providers"];
        assert_eq!(
            (&suppressed[0]["provider"], &suppressed[0]["last_delivery_id"]),
            (&json!("slack"), &metadata["session_id"])
        );
        assert_eq!(again["plan_metadata"]["suppressed_providers"], json!(["slack", "webhook"]));
        assert_eq!(again["plan"]["routes"][0]["category"], "duplicate");
        assert_eq!(site.good.got().len(), 2);
        let forced = site.notify(&report, &json!({"provider": "webhook", "force": true}));
        assert_eq!((&forced["success"], site.good.got().len()), (&json!(true), 3));
        let no_window = site.notify(&report, &json!({"provider": "webhook", "suppression_window_minutes": 0}));
        assert_eq!((&no_window["success"], site.good.got().len()), (&json!(true), 4));
        // A failure is kept, and is no duplicate.
        for attempts in [1, 2] {
            let failed = site.notify(&report, &json!({"provider": "teams", "retries": 0}));
            assert_eq!(
                (&failed["success"], &failed["metadata"]["failed_providers"]),
                (&json!(false), &json!(["teams"]))
            );
            assert_eq!(site.bad.got().len(), attempts);
        }
        // A rule names connectors, one of which is not set up.
        let policy = json!({"rules": [
            {"rule_id": "late", "alert_levels": "critical", "min_breached": 1, "channels": ["beta"],
                "providers": ["webhook", "jira"], "owner": "ann", "suppression_window_minutes": 0},
            {"name": "none", "min_breached": 2, "providers": ["teams"]}]});
        let ruled = site.notify(&report, &json!({"routing_policy": policy}));
        let routes = ruled["plan"]["routes"].as_array().unwrap();
        let shown: Vec<_> = routes.iter().map(|route| (text(route, "provider"), text(route, "category"))).collect();
        assert_eq!(shown, [("jira", "connector_not_configured"), ("webhook", "deliver")]);
        assert_eq!((&routes[1]["owner"], &ruled["plan"]["matched_rule_ids"]), (&json!("ann"), &json!(["late"])));

        let history = format!("{F}-notifications");
        for (query, total) in [
            ("", 13),
            ("?metadata_kind=endpoint-remediation-sla-notification-plan", 7),
            ("?metadata_kind=release-connector-delivery", 6),
            ("?suppressed=true", 1),
            ("?provider=Teams", 4),
            ("?report_id=none", 0),
            ("?acknowledgement_state=acknowledged", 0),
        ] {
            assert_eq!(site.server.total(&format!("{history}{query}")), total, "{query}");
        }
        assert_eq!(site.server.total(&format!("{history}?report_id={report}")), 13);
        let board = site.server.get(&format!("{history}/dashboard")).ok();
        for (name, value) in [
            ("alert_level", json!("critical")),
            ("plan_count", json!(7)),
            ("delivery_count", json!(6)),
            ("failed_delivery_count", json!(2)),
            ("acknowledgement_count", json!(0)),
            ("outstanding_acknowledgement_count", json!(3)),
            ("suppressed_provider_count", json!(2)),
        ] {
            assert_eq!(board[name], value, "{name}");
        }
    });
}

/// Parallel calls are one notification.
#[test]
fn calls_at_once_tell_once() {
    let site = Site::new(Backend::Sqlite);
    let report = site.late();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| site.notify(&report, &json!({"provider": "webhook"})));
        }
    });
    assert_eq!(site.good.got().len(), 1);
    assert_eq!(site.server.total(&format!("{F}-notifications?suppressed=true")), 5);
}

#[test]
fn answers_are_recorded() {
    on_both(|backend| {
        let site = Site::new(backend);
        let report = site.late();
        let plan = text(&site.notify(&report, &json!({"provider": "webhook"}))["plan"], "plan_id").to_owned();
        let path = format!("{F}-reports/{report}/acknowledgements");
        let body = json!({"provider": "Webhook", "acknowledged_by": "ann", "plan_id": plan, "notes": "with hush-hush-token",
            "external_ref": "https://u:p@t.example/CHG-1?token=abc"});
        let answered = site.server.post(&path, &body).ok();
        let answer = &answered["acknowledgement"];
        for (name, value) in [
            ("report_id", json!(report)),
            ("plan_id", json!(plan)),
            ("provider", json!("webhook")),
            ("acknowledgement_state", json!("acknowledged")),
            ("acknowledged_by", json!("ann")),
            ("external_ref", json!("https://REDACTED@t.example/CHG-1?REDACTED")),
            ("notes", json!("with REDACTED")),
        ] {
            assert_eq!(answer[name], value, "{name}");
        }
        assert_eq!(answered["metadata"]["acknowledgement_state"], "acknowledged");
        assert_eq!(answered["actor"], Value::Null);
        let board = |name: &str| site.server.get(&format!("{F}-notifications/dashboard")).ok()[name].clone();
        assert_eq!(board("outstanding_acknowledgement_count"), 0);
        assert_eq!(board("alert_level"), "healthy");
        // A dismissal is a remark.
        let dismissed = json!({"provider": "webhook", "acknowledged_by": "ann", "acknowledgement_state": "Dismissed"});
        site.server.post(&path, &dismissed).ok();
        assert_eq!(board("outstanding_acknowledgement_count"), 1);
        assert_eq!(board("outstanding_acknowledgements")[0]["report_id"], json!(report));
        assert_eq!(site.server.total(&format!("{F}-notifications?acknowledgement_state=DISMISSED")), 1);
        assert_eq!(site.good.got().len(), 1, "nothing is sent by an answer");
        let stored = site.server.get("/evidence?limit=500").ok().to_string();
        assert!(!stored.contains("hush-hush"), "{stored}");
    });
}

#[test]
fn late_routes_escalate_recur_and_close() {
    on_both(|backend| {
        let site = Site::new(backend);
        let report = site.late();
        let notice = site.noticed(&report, "slack", 500);
        let ladder = json!({"ladders": [{"level": "boss", "after": 60, "providers": ["webhook"], "action": "call"}]});
        let plan = site.escalation(ladder);
        let route = &plan["route_statuses"][0];
        assert_has(
            route,
            "report_id plan_id provider owner alert_level age_minutes acknowledgement_state acknowledgement_slo_state \
             resolution_slo_state acknowledgement_minutes resolution_minutes acknowledgement_due_at resolution_due_at \
             acknowledgement_id escalation_level escalation_after_minutes escalation_action escalation_providers \
             active_escalation recommended_action route_key",
        );
        assert_eq!((&plan["alert_level"], &plan["active_escalation_count"]), (&json!("critical"), &json!(1)));
        assert_eq!((&route["plan_id"], &route["escalation_level"]), (&json!(notice), &json!("boss")));
        let id = text(&plan, "plan_id");
        assert_eq!(site.server.get(&format!("/evidence/{id}")).ok()["owners"], json!(["ann"]));
        for (query, total) in [
            ("?owner=ANN", 1),
            ("?owner=bob", 0),
            ("?provider=Slack&active_only=true", 1),
            ("?active_only=false", 1),
            ("?alert_level=healthy", 0),
        ] {
            let page = site.server.get(&format!("{F}-escalations{query}")).ok();
            assert_eq!(page["total"], total, "{query}");
            if query == "?owner=ANN" {
                assert_eq!(page["items"][0]["matched_route_statuses"][0]["provider"], "slack");
            }
        }
        // Sent to whom the rung names.
        let sent = site.server.post(&format!("{F}-escalations/{id}/deliver"), &json!({})).ok();
        assert_eq!((&sent["success"], &sent["metadata"]["providers"]), (&json!(true), &json!(["webhook"])));
        assert_eq!(sent["event"]["schema_version"], "cavra.endpoint_remediation_sla.escalation_delivery.v1");
        assert_eq!(sent["metadata"]["route_keys"], json!([route["route_key"]]));
        assert_eq!(sent["event"]["summary"]["selected_route_count"], 1);
        // It was told a moment ago.
        let waiting = site.recurrence(json!({}));
        assert_eq!(waiting["route_decisions"][0]["category"], "recurrence_interval_wait");
        assert_eq!((&waiting["plan_id"], &waiting["alert_level"]), (&json!(id), &json!("warning")));
        assert_eq!(waiting["route_decisions"][0]["recurrence_count"], 1);
        let waits = text(&waiting, "recurrence_plan_id");
        let nothing = site.server.post(&format!("{F}-escalation-recurrences/{waits}/deliver"), &json!({})).ok();
        assert_eq!((&nothing["delivery"], &nothing["success"]), (&json!(null), &json!(true)));
        // What the maximum counts is over all plans.
        let most = site.recurrence(json!({"recurrence_interval_minutes": 1, "max_recurrences": 1}));
        assert_eq!(most["route_decisions"][0]["category"], "maximum_recurrence");
        let window = json!({"maintenance_windows": [{"id": "w", "start_at": ago(5), "end_at": ago(-5)}]});
        assert_eq!(site.recurrence(window)["maintenance_suppressed_count"], 1);
        // A review closes the route.
        let review = json!({"report_id": report, "provider": "slack", "owner": "ann", "reviewed_by": "bob",
            "review_state": "False-Positive"});
        let reviewed = site.server.post(&format!("{F}-escalations/{id}/reviews"), &review).ok();
        assert_eq!(reviewed["review"]["review_state"], "false_positive");
        let closed = site.recurrence(json!({}));
        assert_eq!(closed["route_decisions"][0]["category"], "owner_review");
        let later = site.server.post(&format!("{F}-escalations/{id}/deliver"), &json!({})).ok();
        assert_eq!((&later["delivery"], site.good.got().len()), (&json!(null), 1));
        for (query, total) in
            [("?review_state=false-positive", 1), ("?owner=ann&metadata_kind=release-connector-delivery", 1)]
        {
            assert_eq!(site.server.total(&format!("{F}-escalation-actions{query}")), total, "{query}");
        }
        let board = site.server.get(&format!("{F}-escalation-actions/dashboard")).ok();
        for (name, value) in [
            ("plan_count", json!(1)),
            ("delivery_count", json!(1)),
            ("owner_review_count", json!(1)),
            ("unresolved_review_count", json!(0)),
            ("recurrence_plan_count", json!(4)),
            ("recurrence_suppressed_count", json!(3)),
            ("active_escalation_count", json!(1)),
        ] {
            assert_eq!(board[name], value, "{name}");
        }
        let board = site.server.get(&format!("{F}-escalations/dashboard")).ok();
        assert_eq!((&board["plan_count"], &board["owners"][0]["owner"]), (&json!(1), &json!("ann")));
        let board = site.server.get(&format!("{F}-escalation-recurrences/dashboard")).ok();
        assert_eq!((&board["plan_count"], &board["owners"]), (&json!(4), &json!(["ann"])));
        for (query, total) in [("?action=SUPPRESS", 3), ("?action=wait&owner=Ann", 1), ("?plan_id=none", 0)] {
            assert_eq!(site.server.total(&format!("{F}-escalation-recurrences{query}")), total, "{query}");
        }
    });
}

#[test]
fn recurrences_are_sent_once_retried_audited_and_digested() {
    on_both(|backend| {
        let site = Site::new(backend);
        let report = site.late();
        site.noticed(&report, "teams", 500);
        site.escalation(json!({}));
        let plan = site.recurrence(json!({}));
        let id = text(&plan, "recurrence_plan_id");
        assert_eq!(plan["deliverable_route_count"], 1);
        let path = format!("{F}-escalation-recurrences/{id}");
        let body = json!({"provider": "webhook,teams", "retries": 0});
        let sent = site.server.post(&format!("{path}/deliver"), &body).ok();
        assert_eq!((&sent["success"], &sent["metadata"]["failed_providers"]), (&json!(false), &json!(["teams"])));
        // Only what failed is tried again.
        let again = site.server.post(&format!("{path}/deliver"), &body).ok();
        assert_eq!(
            (&again["metadata"]["providers"], &again["suppressed_providers"][0]["provider"]),
            (&json!(["teams"]), &json!("webhook"))
        );
        assert_eq!((site.good.got().len(), site.bad.got().len()), (1, 2));
        let retry = |policy: Value| {
            let body = json!({"retry_policy": policy});
            site.server.post(&format!("{F}-escalation-recurrences/retry-plan"), &body).ok()["plan"].clone()
        };
        let waits = retry(json!({}));
        assert_eq!((&waits["waiting_count"], &waits["alert_level"]), (&json!(1), &json!("warning")));
        let decision = &waits["retry_decisions"][0];
        assert_eq!((&decision["retry_count"], &decision["retry_delay_minutes"]), (&json!(2), &json!(30)));
        assert_eq!((&decision["failed_status_codes"], &decision["route_count"]), (&json!([500, 500]), &json!(1)));
        assert_eq!(retry(json!({"max_retries": 2}))["suppressed_count"], 1);
        // Looking twice adds one record.
        let before = site.stored();
        let audit = site.server.get(&format!("{path}/suppression-audit")).ok();
        assert_eq!(
            site.server.get(&format!("{path}/suppression-audit")).ok()["audit"]["audit_id"],
            audit["audit"]["audit_id"]
        );
        let trend = site.server.get(&format!("{F}-escalation-recurrences/suppression-trends")).ok();
        let same = site.server.get(&format!("{F}-escalation-recurrences/suppression-trends")).ok();
        assert_eq!(trend["trend"]["trend_id"], same["trend"]["trend_id"]);
        assert_eq!((&trend["trend"]["suppression_event_count"], site.stored()), (&json!(0), before + 2));
        // The digest goes to everybody who is set up.
        let digest = site
            .server
            .post(
                &format!("{path}/owner-digest"),
                &json!({"provider": "webhook", "retry_plan_id": waits["retry_plan_id"]}),
            )
            .ok();
        assert_eq!((&digest["success"], &digest["event"]["owners"][0]["owner"]), (&json!(true), &json!("ann")));
        assert_eq!(digest["event"]["summary"]["waiting_retry_count"], 1);
        assert_eq!(digest["digest_metadata"]["owner_count"], 1);
        assert_eq!(digest["metadata"]["digest_id"], digest["event"]["digest_id"]);
        assert_eq!(digest["metadata"]["event_id"], digest["event"]["session_id"]);
    });
}

#[test]
fn the_worker_runs_and_is_watched() {
    on_both(|backend| {
        let site = Site::new(backend);
        let report = site.late();
        site.noticed(&report, "slack", 500);
        site.escalation(json!({}));
        site.recurrence(json!({}));
        site.recurrence(json!({}));
        let health = || site.server.get(&format!("{F}-escalation-recurrence-automations/health")).ok();
        let sick = health();
        assert_eq!((&sick["alert_level"], &sick["missed_run_count"]), (&json!("critical"), &json!(1)));
        assert_eq!(sick["health_id"], health()["health_id"]);
        let run = |body: Value| site.server.post(&format!("{F}-escalation-recurrences/automation-run"), &body).ok();
        let dry = run(json!({"schedule": {"interval_minutes": 100_000_000}}));
        assert_eq!((&dry["run"]["dry_run"], &dry["owner_digests"][0]["skipped"]), (&json!(true), &json!("dry_run")));
        assert_eq!(dry["owner_digests"].as_array().unwrap().len(), 1, "one for each escalation plan");
        assert_has(&dry, "run metadata retry_metadata trend_metadata owner_digests actor");
        assert_eq!((&dry["run"]["summary"]["recurrence_plan_count"], site.good.got().len()), (&json!(1), 0));
        let execute = json!({"execute": true, "provider": "webhook,teams", "retries": 0,
            "schedule": {"interval_minutes": 100_000_000}});
        let done = run(execute.clone());
        assert_eq!((&done["run"]["dry_run"], &done["owner_digests"][0]["skipped"]), (&json!(false), &json!(null)));
        assert_eq!(
            (&done["run"]["status"], &done["run"]["deliveries"][0]["success"]),
            (&json!("completed"), &json!(false))
        );
        let again = run(execute);
        assert_eq!(again["run"]["run_id"], done["run"]["run_id"]);
        assert_eq!(again["owner_digests"][0]["delivery_metadata"]["providers"], json!(["teams"]), "only what failed");
        assert_eq!((site.good.got().len(), site.bad.got().len()), (1, 2));
        let only = json!({"execute": true, "provider": "webhook", "schedule": {"interval_minutes": 100_000_000}});
        assert_eq!(run(only)["owner_digests"][0]["skipped"], "already_delivered");
        assert_eq!(site.server.total(&format!("{F}-escalation-recurrence-automations")), 2);
        assert_eq!(site.server.total(&format!("{F}-escalation-recurrence-automations?dry_run=true")), 1);
        let board = site.server.get(&format!("{F}-escalation-recurrence-automations/dashboard")).ok();
        assert_eq!((&board["run_count"], &board["executed_count"]), (&json!(2), &json!(1)));
        let failing = health();
        assert_eq!(failing["missed_run_count"], 0);
        assert_eq!(failing["alerts"][0]["category"], "connector_failure");
        // People are told once about the same condition.
        let alerts = format!("{F}-escalation-recurrence-automation-health-alerts");
        let told = site.server.post(&format!("{alerts}/deliver"), &json!({"provider": "webhook"})).ok();
        assert_eq!((&told["success"], &told["health"]["health_id"]), (&json!(true), &failing["health_id"]));
        assert_eq!(told["plan"]["summary"]["connector_delivery_failure_count"], 2);
        let quiet = site.server.post(&format!("{alerts}/deliver"), &json!({"provider": "webhook"})).ok();
        assert_eq!((&quiet["delivery"], &quiet["plan"]["routes"][0]["category"]), (&json!(null), &json!("duplicate")));
        let id = text(&failing, "health_id");
        let board = || site.server.get(&format!("{alerts}/dashboard")).ok();
        assert_eq!(board()["outstanding_acknowledgements"][0]["health_id"], json!(id));
        let body = json!({"provider": "webhook", "acknowledged_by": "ann", "acknowledgement_state": "resolved"});
        site.server.post(&format!("{alerts}/{id}/acknowledgements"), &body).ok();
        assert_eq!(
            (&board()["outstanding_acknowledgement_count"], &board()["alert_level"]),
            (&json!(0), &json!("warning"))
        );
        assert_eq!(site.server.total(&format!("{alerts}?health_id={id}")), 4);
    });
}

/// While callers have to say who they are, what anybody may post is shown, and nothing follows from it.
#[test]
fn what_clients_posted_is_no_way_around_the_guard() {
    let (issuer, keys) = (Issuer::new(), Home::new());
    keys.write("oidc.json", issuer.config(&json!({})).to_string());
    let oidc = keys.at("oidc.json");
    let site = Site::with(Backend::Sqlite, &[("CAVRA_APPROVAL_OIDC_CONFIG", &oidc)]);
    let token = issuer.token("ann", &["IAM"]);
    site.hand_off("late", 99, &["jira"], "beta");
    site.server.post(&format!("{F}/report"), &json!({})).refused(&[401]);
    let made = site.server.post_as(&token, &format!("{F}/report"), &json!({"generated_by": "mallory"})).ok();
    assert_eq!((&made["report"]["generated_by"], &made["actor"]["subject"]), (&json!("ann@x.example"), &json!("ann")));
    let report = text(&made, "report_id");
    // Neither a delivery that never was nor an answer that nobody gave.
    let imported = |id: &str, members: Value| {
        let mut record = json!({"session_id": id, "created_at": ago(1)});
        record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        site.server.post("/evidence", &record).ok();
    };
    imported(
        "rcd-x",
        json!({"metadata_kind": "release-connector-delivery", "event_id": report, "providers": ["webhook"],
        "connector_delivery_source": "endpoint_remediation_sla_notification", "delivery_success": true}),
    );
    let told =
        site.server.post_as(&token, &format!("{F}-reports/{report}/deliver"), &json!({"provider": "webhook"})).ok();
    assert_eq!((&told["success"], site.good.got().len()), (&json!(true), 1));
    imported(
        "erslaack-x",
        json!({"metadata_kind": "endpoint-remediation-sla-notification-ack", "created_at": ago(-1),
        "acknowledgement": {"report_id": report, "provider": "webhook", "acknowledgement_state": "resolved",
            "acknowledgement_id": "erslaack-x", "acknowledged_at": ago(-1)}}),
    );
    let board = site.server.get(&format!("{F}-notifications/dashboard")).ok();
    assert_eq!((&board["outstanding_acknowledgement_count"], &board["acknowledgement_count"]), (&json!(1), &json!(0)));
    assert_eq!(site.server.total(&format!("{F}-notifications")), 4, "they are shown");
    site.noticed(report, "slack", 500);
    let plan = site.server.post_as(&token, &format!("{F}-notifications/escalation-plan"), &json!({})).ok();
    assert_eq!(plan["plan"]["route_count"], 1, "an imported plan is no notice");
    imported(
        "ersla_x",
        json!({"metadata_kind": "endpoint-remediation-sla-report", "report_id": "ersla_x",
        "report": {"report_id": "ersla_x", "alert_level": "critical", "executive_summary": {}}}),
    );
    let sent = site.good.got().len();
    site.server.post_as(&token, &format!("{F}-reports/ersla_x/deliver"), &json!({"provider": 7})).refused(&[409]);
    assert_eq!(site.good.got().len(), sent);
    let by = json!({"provider": "webhook", "acknowledged_by": "mallory"});
    let answered = site.server.post_as(&token, &format!("{F}-reports/{report}/acknowledgements"), &by).ok();
    assert_eq!(answered["acknowledgement"]["acknowledged_by"], "ann@x.example");
}
