//! What the server does by itself: where it is turned on, once among several servers, and without telling anybody twice when
//! it is killed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::notify_drills::schedule;
use crate::notify_sla::ago;
use crate::support::{Backend, Home, PATIENCE, Receiver, Server, on_both, text};

const RECURRENCE: &str = "endpoint-remediation-recurrence";
const AUTOMATION: &str = "endpoint-remediation-automation";
const DRILL: &str = "rollback-drill-notification";
/// Nothing more is due in a test that begins within it.
const MONTH: u64 = 44_640;

/// An installation with connectors, a drill that is due, and whatever jobs are turned on.
struct Site {
    home: Home,
    backend: Backend,
}

impl Site {
    fn new(backend: Backend, receiver: &Receiver) -> Self {
        let home = Home::new();
        home.write("connectors.json", json!({"connectors": {"webhook": {"url": receiver.at("/hook")}}}).to_string());
        home.write("schedule.json", schedule().to_string());
        let site = Self { home, backend };
        site.turn_on(&json!({}));
        site
    }

    fn turn_on(&self, jobs: &Value) {
        self.home.write("workers.json", json!({ "jobs": jobs }).to_string());
    }

    fn serve(&self) -> Server {
        let store = match self.backend {
            Backend::Json => ("CAVRA_EVIDENCE_METADATA_STORE", self.home.at("data/evidence.json")),
            Backend::Sqlite => ("CAVRA_EVIDENCE_METADATA_DB", self.home.at("data/evidence.db")),
        };
        self.home.serve(&[
            (store.0, store.1.as_str()),
            ("CAVRA_CONNECTOR_CONFIG", "connectors.json"),
            ("CAVRA_GO_BACKEND_MODE", "promoted"),
            ("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", "schedule.json"),
            ("CAVRA_WORKERS", "workers.json"),
        ])
    }

    /// A notice that nobody answered in time, and a plan to tell its owner again.
    fn late(&self) {
        let server = self.serve();
        let plan = json!({"plan_id": "p", "report_id": "r", "alert_level": "critical", "generated_at": ago(600),
            "routes": [{"provider": "webhook", "selected": true, "owner": "ann", "acknowledgement_required": true}]});
        let record = json!({"session_id": "p", "metadata_kind": "endpoint-remediation-sla-notification-plan",
            "created_at": ago(600), "report_id": "r", "plan_id": "p", "notification_plan": plan});
        server.post("/evidence", &record).ok();
        server.post("/endpoint-remediation-sla-notifications/escalation-plan", &json!({})).ok();
        server.post("/endpoint-remediation-sla-escalations/recurrence-plan", &json!({})).ok();
        assert!(server.terminate().success());
    }
}

/// How a job stands.
fn job(server: &Server, name: &str) -> Value {
    let workers = server.get("/operations/workers").ok();
    let found = workers["items"].as_array().unwrap().iter().find(|job| job["job"] == name);
    found.cloned().unwrap_or_else(|| panic!("{name} is not turned on: {workers}"))
}

/// Waits until a job was done so often.
#[track_caller]
fn done(server: &Server, name: &str, runs: u64) -> Value {
    let started = Instant::now();
    loop {
        let job = job(server, name);
        if job["run_count"].as_u64() >= Some(runs) && job["state"] != "running" {
            return job;
        }
        assert!(started.elapsed() < PATIENCE, "{name} is not done: {job}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn jobs_are_off_then_dry_then_done() {
    on_both(|backend| {
        let receiver = Receiver::answering("200 OK");
        let site = Site::new(backend, &receiver);
        site.late();
        let server = site.serve();
        assert_eq!(server.get("/operations/workers").ok()["total"], 0);
        drop(server);
        site.turn_on(&json!({RECURRENCE: {"every_minutes": MONTH}, AUTOMATION: {"every_minutes": MONTH}}));
        let server = site.serve();
        let dry = done(&server, RECURRENCE, 1);
        assert_eq!(
            (&dry["execute"], &dry["state"], &dry["health"]),
            (&json!(false), &json!("completed"), &json!("ok"))
        );
        done(&server, AUTOMATION, 1);
        let plans = server.get("/endpoint-remediation-sla-escalation-recurrences").ok();
        assert_eq!(plans["items"][0]["signer"], "cavra-worker");
        assert_eq!(plans["items"][0]["deliverable_route_count"], 1);
        let runs = server.get("/endpoint-remediation-sla-escalation-recurrence-automations?dry_run=true").ok();
        assert_eq!((&runs["total"], &runs["items"][0]["signer"]), (&json!(1), &json!("cavra-worker")));
        assert!(receiver.got().is_empty(), "a dry run sends nothing");
        drop(server);
        site.turn_on(&json!({RECURRENCE: {"every_minutes": MONTH, "execute": true}}));
        let server = site.serve();
        done(&server, RECURRENCE, 2);
        let event = receiver.wait_for(1)[0].json();
        assert_eq!(event["event_type"], "cavra.endpoint_remediation_sla.escalation_recurrence_delivery");
        let delivery = &server.get("/release-connector-deliveries").ok()["items"][0];
        assert_eq!((&delivery["delivery_state"], &delivery["delivery_success"]), (&json!("done"), &json!(true)));
        assert!(text(delivery, "job_run").starts_with(RECURRENCE), "{delivery}");
        drop(server);
        // It is done for this window, by whichever server.
        let server = site.serve();
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!((job(&server, RECURRENCE)["run_count"].as_u64(), receiver.got().len()), (Some(2), 1));
    });
}

#[test]
fn one_of_several_servers_does_a_job() {
    on_both(|backend| {
        let receiver = Receiver::answering("200 OK");
        let site = Site::new(backend, &receiver);
        site.late();
        site.turn_on(&json!({DRILL: {"every_minutes": MONTH, "execute": true},
            RECURRENCE: {"every_minutes": MONTH, "execute": true}}));
        let servers = [site.serve(), site.serve(), site.serve()];
        for server in &servers {
            for name in [DRILL, RECURRENCE] {
                let job = done(server, name, 1);
                assert_eq!((&job["run_count"], &job["interrupted_run_count"]), (&json!(1), &json!(0)), "{job}");
            }
        }
        assert_eq!(receiver.got().len(), 2, "one event of each job");
    });
}

/// A receiver got what a run sent, and before it could answer the server was killed. The run is done again, under the same
/// name, and tells nobody a second time.
#[test]
fn a_run_that_is_killed_tells_nobody_twice() {
    on_both(|backend| {
        for name in [RECURRENCE, AUTOMATION, DRILL] {
            let silent = Receiver::with(|_, _, _| std::thread::sleep(PATIENCE));
            let site = Site::new(backend, &silent);
            site.late();
            site.turn_on(&json!({name: {"every_minutes": MONTH, "execute": true}}));
            let server = site.serve();
            silent.wait_for(1);
            server.kill();
            let server = site.serve();
            let job = done(&server, name, 1);
            assert_eq!(
                (&job["interrupted_run_count"], &job["state"]),
                (&json!(1), &json!("completed")),
                "{name} {job}"
            );
            assert_eq!(silent.got().len(), 1, "{name}");
            // That nobody knows whether it arrived is there to be seen.
            let sent = server.get("/release-connector-deliveries").ok();
            assert_eq!(sent["items"][0]["delivery_state"], "under_way", "{name} {sent}");
            assert_eq!(sent["items"][0]["delivery_success"], json!(null), "{name}");
        }
    });
}

/// Killed anywhere, again and again, a job ends, and its event is sent at most once.
#[test]
fn a_job_survives_being_killed_at_any_point() {
    on_both(|backend| {
        let receiver = Receiver::answering("200 OK");
        let site = Site::new(backend, &receiver);
        site.late();
        site.turn_on(&json!({RECURRENCE: {"every_minutes": MONTH, "execute": true}}));
        for pause in [0, 3, 10, 30] {
            let server = site.serve();
            std::thread::sleep(Duration::from_millis(pause));
            server.kill();
        }
        let server = site.serve();
        done(&server, RECURRENCE, 1);
        assert!(receiver.got().len() <= 1);
        let routes = server.get("/endpoint-remediation-sla-escalation-recurrences/dashboard").ok();
        let told = receiver.got().len() == 1;
        let counted = &routes[if told { "waiting_route_count" } else { "deliverable_route_count" }];
        assert!(counted.as_u64() <= Some(1), "{routes}");
    });
}

#[test]
fn a_run_that_fails_and_windows_that_nobody_did_are_seen() {
    let receiver = Receiver::answering("200 OK");
    let site = Site::new(Backend::Json, &receiver);
    site.home.write("connectors.json", json!({"connectors": {}}).to_string());
    site.late();
    site.turn_on(&json!({RECURRENCE: {"every_minutes": MONTH, "execute": true}, DRILL: {"every_minutes": 1}}));
    let doctor = || {
        site.home
            .cavra(&["doctor", "workers", "--json"])
            .env("CAVRA_EVIDENCE_METADATA_STORE", "data/evidence.json")
            .env("CAVRA_CONNECTOR_CONFIG", "connectors.json")
            .env("CAVRA_WORKERS", "workers.json")
            .run()
    };
    assert!(doctor().exits(1).stdout.contains("no server has done it"));
    let server = site.serve();
    let failed = done(&server, RECURRENCE, 1);
    assert_eq!((&failed["health"], &failed["failed_run_count"]), (&json!("failed"), &json!(1)));
    assert!(text(&failed, "last_error").contains("connector"), "{failed}");
    assert!(server.get("/metrics").text().contains(&format!("cavra_worker_healthy{{job=\"{RECURRENCE}\"}} 0")));
    done(&server, DRILL, 1);
    drop(server);
    let shown = doctor().exits(1).json();
    let of = |name: &str| {
        let found = shown["checks"].as_array().unwrap().iter().find(|check| text(check, "subject").contains(name));
        text(found.unwrap(), "status").to_owned()
    };
    assert_eq!((of(RECURRENCE), of(DRILL)), ("fail".to_owned(), "pass".to_owned()));
    // Two windows later: the state of a server that was away.
    let mut store = site.home.json("data/evidence.json");
    let jobs = store["worker_jobs"].as_array_mut().unwrap();
    let drill = jobs.iter_mut().find(|job| job["job"] == DRILL).unwrap();
    drill["window_start"] = json!(format!("{}00.000000+00:00", &ago(5)[..17]));
    site.home.write("data/evidence.json", store.to_string());
    assert!(doctor().exits(1).stdout.contains("no server has done it"));
    let server = site.serve();
    let job = done(&server, DRILL, 2);
    assert!(job["missed_window_count"].as_u64() >= Some(4), "{job}");
}

#[test]
fn a_file_that_cannot_be_used_stops_the_server() {
    let home = Home::new();
    for (file, said) in [
        (json!({"jobs": {"endpoint-remediation-recurence": {"every_minutes": 5}}}), RECURRENCE),
        (json!({"jobs": {RECURRENCE: {"every_minutes": 5, "excute": true}}}), "execute"),
        (json!({"jobs": {RECURRENCE: {"every_minutes": 5, "slo_policy": {"default_slo": "x"}}}}), "slo_policy"),
    ] {
        home.write("workers.json", file.to_string());
        let refused = home.cavra(&["serve", "--port", "0"]).env("CAVRA_WORKERS", "workers.json").run().fails();
        assert!(refused.stderr.contains("workers.json") && refused.stderr.contains(said), "{refused:?}");
    }
    // What commands do by themselves has nothing to do with it.
    home.cavra(&["config", "show"]).env("CAVRA_WORKERS", "workers.json").run().ok();
}

/// Approvals that wait are reminded of by the same ladder; one that is decided is not waited for any more.
#[test]
fn approvals_that_wait_are_reminded_of() {
    on_both(|backend| {
        let receiver = Receiver::answering("200 OK");
        let site = Site::new(backend, &receiver);
        let config =
            json!({"connectors": {"webhook": {"url": receiver.at("/hook")}, "slack": {"url": receiver.at("/slack")}}});
        site.home.write("connectors.json", config.to_string());
        let server = site.serve();
        let decision =
            server.decide(&json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": "s"}));
        assert_eq!(decision["decision"], "require_approval");
        let asked = server.post("/approvals", &json!({"decision": decision, "approver_group": "IAM"})).ok();
        let id = text(&asked, "approval_id").to_owned();
        drop(server);
        let ladder =
            json!([{"level": "manager", "after_minutes": 0, "providers": ["slack"], "action": "call the manager"}]);
        let turn_on = |minutes: u64| {
            site.turn_on(&json!({"approval-reminders": {"every_minutes": minutes, "execute": true,
                "slo_policy": {"ladders": ladder}, "recurrence_policy": {"recurrence_interval_minutes": 1}}}));
        };
        turn_on(MONTH);
        let server = site.serve();
        done(&server, "approval-reminders", 1);
        let got = receiver.wait_for(1);
        assert_eq!((got.len(), got[0].line.as_str()), (1, "POST /slack"), "whom the ladder names");
        let delivery = &server.get("/release-connector-deliveries").ok()["items"][0];
        assert_eq!(delivery["event_type"], "cavra.waiting_approvals.reminder");
        let plan = &server.get("/evidence?metadata_kind=waiting-approvals-reminder-plan").ok()["items"][0];
        let route = &plan["recurrence_plan"]["route_decisions"][0];
        assert_eq!((&route["approval_id"], &route["owner"]), (&json!(id), &json!("IAM")));
        assert_eq!((&route["escalation_level"], &route["category"]), (&json!("manager"), &json!("deliver")));
        called_by_hand(&server, &id, &ladder);
        assert_eq!(receiver.got().len(), 2, "what was asked for by hand");
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "seen"})).ok();
        drop(server);
        turn_on(MONTH - 1);
        let server = site.serve();
        done(&server, "approval-reminders", 2);
        let plan = &server.get("/evidence?metadata_kind=waiting-approvals-reminder-plan").ok()["items"][0];
        assert_eq!((&plan["route_count"], receiver.got().len()), (&json!(0), 2), "{plan}");
    });
}

/// What the worker does can be asked for, too: plan, plan of reminders, reminders; their lists and dashboards show it.
fn called_by_hand(server: &Server, approval: &str, ladder: &Value) {
    let late = server.post("/approval-escalations/plan", &json!({"slo_policy": {"ladders": ladder}})).ok();
    assert_eq!(late["plan"]["active_escalation_count"], 2, "{late}");
    let plans = server.get("/approval-escalations?active_only=true&provider=slack&owner=iam").ok();
    assert_eq!(plans["schema_version"], "cavra.waiting_approvals.escalation_history.v1");
    assert_eq!(plans["items"][0]["matched_route_statuses"][0]["approval_id"], json!(approval));
    let board = server.get("/approval-escalations/dashboard").ok();
    assert_eq!((&board["alert_level"], &board["active_escalation_count"]), (&json!("critical"), &json!(2)));
    let wait = server.post("/approval-reminders/plan", &json!({})).ok();
    assert_eq!(wait["plan"]["waiting_route_count"], 2, "{wait}");
    // Who has a plan already does not get it again; who has not does.
    let plan = server.get("/approval-reminders?action=deliver&owner=IAM").ok()["items"][0].clone();
    let path = format!("/approval-reminders/{}/deliver", text(&plan, "recurrence_plan_id"));
    let nobody = server.post(&path, &json!({"provider": "slack"})).ok();
    assert_eq!((&nobody["delivery"], &nobody["suppressed_providers"][0]["provider"]), (&Value::Null, &json!("slack")));
    let sent = server.post(&path, &json!({"provider": "webhook"})).ok();
    assert_eq!(
        (&sent["success"], &sent["event"]["event_type"]),
        (&json!(true), &json!("cavra.waiting_approvals.reminder"))
    );
    server.post(&path, &json!({"provider": "fax"})).refused(&[400]);
    server.post("/approval-reminders/apwrec-none/deliver", &json!({})).refused(&[404]);
    assert_eq!(server.total("/approval-reminders?metadata_kind=release-connector-delivery"), 2);
    let board = server.get("/approval-reminders/dashboard").ok();
    assert_eq!((&board["delivery_count"], &board["failed_delivery_count"]), (&json!(2), &json!(0)), "{board}");
}
