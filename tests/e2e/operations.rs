//! Operations over HTTP: stores, retention plan, readiness. docs/reference/connectors-drills-ops-registry.md, section 4.1.

use serde_json::{Value, json};

use crate::support::{Home, Issuer, Server, assert_timestamp, keys, text};

const NAMES: [&str; 6] = ["evidence_metadata", "approvals", "registry", "activity", "inventory", "integrations"];

/// Variables and default files of the stores.
const VARIABLES: [(&str, &str); 6] = [
    ("CAVRA_EVIDENCE_METADATA", "evidence-metadata"),
    ("CAVRA_APPROVAL", "approvals"),
    ("CAVRA_REGISTRY", "registry"),
    ("CAVRA_ACTIVITY", "activity"),
    ("CAVRA_INVENTORY", "inventory"),
    ("CAVRA_INTEGRATION", "integrations"),
];

fn names(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| text(item, "name")).collect()
}

#[test]
fn stores_where_nothing_is_set() {
    let home = Home::new();
    let server = home.serve(&[]);
    let before = server.get("/operations/stores").ok();
    assert_eq!(keys(&before), ["items", "product", "schema_version", "total"]);
    assert_eq!(text(&before, "schema_version"), "cavra.persistent_api.stores.v1");
    assert_eq!((text(&before, "product"), &before["total"]), ("CAVRA", &json!(6)));
    assert_eq!(names(&before["items"]), NAMES);
    for (item, (_, file)) in before["items"].as_array().unwrap().iter().zip(VARIABLES) {
        assert_eq!(keys(item), ["configured_by", "exists", "kind", "name", "path", "size_bytes"]);
        assert_eq!(item["path"], format!(".cavra/api/{file}.json"));
        assert_eq!((text(item, "kind"), text(item, "configured_by")), ("json", "default"));
        assert_eq!((&item["exists"], &item["size_bytes"]), (&json!(false), &json!(0)));
    }
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    let after = server.get("/operations/stores").ok();
    let activity = &after["items"][3];
    let size = std::fs::metadata(home.join(".cavra/api/activity.json")).unwrap().len();
    assert_eq!((&activity["exists"], &activity["size_bytes"]), (&json!(true), &json!(size)));
    // The command line says the same.
    assert_eq!(home.cavra(&["ops", "stores"]).run().ok().json(), after);
    let config = server.get("/console/config").ok();
    for (name, path) in [
        ("operations_stores", "/operations/stores"),
        ("operations_retention_plan", "/operations/retention-plan"),
        ("deployment_readiness", "/deployment/production-readiness"),
    ] {
        assert_eq!(config["endpoints"][name], path);
    }
}

#[test]
fn stores_where_variables_name_them() {
    let home = Home::new();
    let settings: Vec<(String, String)> = VARIABLES
        .iter()
        .enumerate()
        .map(|(place, (variable, file))| {
            let (ending, suffix) = if place % 2 == 0 { ("DB", "db") } else { ("STORE", "json") };
            (format!("{variable}_{ending}"), format!("data/{file}.{suffix}"))
        })
        .collect();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let stores = home.serve(&settings).get("/operations/stores").ok();
    for (item, (variable, path)) in stores["items"].as_array().unwrap().iter().zip(&settings) {
        assert_eq!((text(item, "configured_by"), text(item, "path")), (*variable, *path));
        let kind = if variable.ends_with("DB") { "sqlite" } else { "json" };
        assert_eq!((text(item, "kind"), &item["exists"]), (kind, &json!(kind == "sqlite")), "{item}");
    }
    // A database wins over a file, and one database stands for all.
    let both =
        [("CAVRA_ACTIVITY_DB", "a.db"), ("CAVRA_ACTIVITY_STORE", "a.json"), ("CAVRA_DATABASE_URL", "sqlite:all.db")];
    let run = both.iter().fold(home.cavra(&["ops", "stores"]), |run, (name, value)| run.env(name, value));
    let stores = run.run().ok().json();
    assert_eq!(
        (text(&stores["items"][3], "path"), text(&stores["items"][3], "configured_by")),
        ("a.db", "CAVRA_ACTIVITY_DB")
    );
    assert_eq!(
        (text(&stores["items"][0], "path"), text(&stores["items"][0], "configured_by")),
        ("all.db", "CAVRA_DATABASE_URL")
    );
}

#[test]
fn retention_plans() {
    let home = Home::new();
    let server = home.serve(&[]);
    let plan = server.get("/operations/retention-plan").ok();
    for (member, value) in [
        ("schema_version", json!("cavra.persistent_api.retention.v1")),
        ("product", json!("CAVRA")),
        ("classification", json!("regulated-sdlc")),
        ("retention_days", json!(2555)),
        ("legal_hold", json!(false)),
        ("delete_protection", json!(true)),
    ] {
        assert_eq!(plan[member], value, "{member}");
    }
    assert_timestamp(text(&plan, "created_at"));
    assert_timestamp(text(&plan, "retain_until"));
    assert!(!text(&plan, "backup_frequency").is_empty() && !text(&plan, "restore_test_frequency").is_empty());
    assert_eq!(names(&plan["stores"]), NAMES);
    for store in plan["stores"].as_array().unwrap() {
        assert_eq!((&store["minimum_retention_days"], text(store, "kind")), (&json!(2555), "json"));
        assert_eq!((&store["backup_required"], &store["restore_test_required"]), (&json!(true), &json!(true)));
    }
    let of = |query: &str| server.get(&format!("/operations/retention-plan?{query}")).ok();
    let short = of("retention_days=30&classification=internal");
    assert_eq!((&short["delete_protection"], text(&short, "classification")), (&json!(false), "internal"));
    assert_eq!(of("retention_days=30&legal_hold=true")["delete_protection"], true);
    assert_eq!(of("retention_days=365&legal_hold=0")["delete_protection"], true);
    assert_eq!(of("retention_days=&classification=")["retention_days"], 2555);
    assert_eq!(of("retention_days=36500")["retention_days"], 36_500);
    for (query, statuses) in [
        ("retention_days=0", &[400][..]),
        ("retention_days=-5", &[400]),
        ("retention_days=36501", &[400]),
        ("retention_days=99999999999999999999", &[400]),
        ("retention_days=many", &[400, 422]),
        ("retention_days=1.5", &[400, 422]),
        ("legal_hold=perhaps", &[400, 422]),
    ] {
        server.get(&format!("/operations/retention-plan?{query}")).refused(statuses);
    }
    let made =
        home.cavra(&["ops", "retention-plan", "--retention-days", "400", "--classification", "a|b", "--legal-hold"]);
    let made = made.run().ok().json();
    assert_eq!(keys(&made), ["files", "output_dir", "plan"]);
    assert_eq!(text(&made, "output_dir"), ".cavra/operations/retention");
    let written = home.json(".cavra/operations/retention/persistent-api-retention-plan.json");
    assert_eq!((&written, &written["retention_days"]), (&made["plan"], &json!(400)));
    let page = home.read(".cavra/operations/retention/persistent-api-retention-plan.md");
    assert!(page.contains("a\\|b") && page.contains("activity"), "{page}");
    for days in ["0", "-1", "36501"] {
        let refused = home.cavra(&["ops", "retention-plan", "--retention-days", days, "--output", "no"]).run().fails();
        assert!(refused.stdout.is_empty() && !home.exists("no"));
    }
}

/// What every server is asked, in this order.
const CHECKS: [&str; 13] = [
    "oidc_configured",
    "rbac_configured",
    "cors_restricted",
    "evidence_artifacts",
    "policy_catalog",
    "persistent_stores",
    "go_backend_pilot",
    "go_backend_deployment_paths",
    "go_backend_promotion_gate",
    "go_backend_rollback_controls",
    "go_backend_rollback_rehearsal",
    "go_backend_rollback_drill_history",
    "go_backend_rollback_drill_schedule",
];

fn readiness(server: &Server) -> Value {
    server.get("/deployment/production-readiness").ok()
}

/// The checks that warn.
fn warnings(readiness: &Value) -> Vec<&str> {
    let checks = readiness["checks"].as_array().unwrap();
    for check in checks {
        assert!(["pass", "warn"].contains(&text(check, "status")) && !text(check, "message").is_empty(), "{check}");
    }
    let all: Vec<&str> = checks.iter().map(|check| text(check, "id")).collect();
    assert!(CHECKS.iter().all(|id| all.contains(id)), "{all:?}");
    let warning = checks.iter().filter(|check| text(check, "status") == "warn");
    warning.map(|check| text(check, "id")).collect()
}

#[test]
fn a_bare_server_is_not_ready() {
    let home = Home::new();
    let answer = readiness(&home.serve(&[]));
    assert_eq!(text(&answer, "schema_version"), "cavra.deployment.production_readiness.v1");
    assert_eq!((text(&answer, "product"), text(&answer, "status")), ("CAVRA", "needs_attention"));
    assert_eq!(
        warnings(&answer),
        ["oidc_configured", "rbac_configured", "cors_restricted", "evidence_artifacts", "persistent_stores"]
    );
    assert_eq!(answer["store_summary"], json!({"total": 6, "missing": NAMES}));
    assert_eq!(answer["operator_notes"].as_array().unwrap().len(), 5);
    for (report, schema, status) in [
        ("go_backend_pilot", "readiness", "disabled"),
        ("go_backend_deployment", "deployment-readiness", "not_configured"),
        ("go_backend_promotion", "promotion-readiness", "not_requested"),
        ("go_backend_rollback", "rollback-readiness", "not_requested"),
        ("go_backend_rollback_rehearsal", "rollback-rehearsal", "not_requested"),
        ("go_backend_rollback_drill_history", "rollback-drill-history", "not_requested"),
        ("go_backend_rollback_drill_schedule", "rollback-drill-schedule", "not_requested"),
    ] {
        let report = &answer[report];
        assert_eq!(text(report, "schema_version"), format!("cavra.go-backend-pilot.{schema}.v1"));
        assert_eq!((text(report, "status"), text(report, "mode")), (status, "disabled"), "{report}");
        assert!(report["checks"].is_array());
    }
}

/// The settings of a server that is ready, in a home whose stores are all there.
fn set_up(home: &Home) -> Vec<(&'static str, String)> {
    let issuer = Issuer::new();
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    home.write("rbac.json", json!({"repository_permissions": []}).to_string());
    home.write("routing.json", json!({"require_recorded_decision": true}).to_string());
    std::fs::create_dir_all(home.join("artifacts")).unwrap();
    vec![
        ("CAVRA_APPROVAL_OIDC_CONFIG", home.at("oidc.json")),
        ("CAVRA_APPROVAL_RBAC_FILE", home.at("rbac.json")),
        ("CAVRA_APPROVAL_ROUTING_FILE", home.at("routing.json")),
        ("CAVRA_EVIDENCE_ARTIFACT_ROOT", home.at("artifacts")),
        ("CAVRA_CORS_ORIGINS", "https://console.example".to_owned()),
        ("CAVRA_DATABASE_URL", format!("sqlite:{}", home.at("cavra.db"))),
    ]
}

fn serve(home: &Home, settings: &[(&'static str, String)]) -> Server {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    home.serve(&settings)
}

#[test]
fn a_server_that_is_set_up_is_ready() {
    let home = Home::new();
    let mut settings = set_up(&home);
    let answer = readiness(&serve(&home, &settings));
    assert_eq!((warnings(&answer), text(&answer, "status")), (vec![], "ready"), "{answer}");
    assert_eq!(answer["operator_notes"], json!([]));
    // What is declared is looked at.
    std::fs::remove_dir(home.join("artifacts")).unwrap();
    settings.push(("CAVRA_GO_ROLLBACK_PLAN", home.at("nowhere.json")));
    settings.retain(|(name, _)| !name.contains("ROUTING"));
    for (name, value) in &mut settings {
        if *name == "CAVRA_CORS_ORIGINS" {
            "*".clone_into(value);
        }
    }
    let answer = readiness(&serve(&home, &settings));
    assert_eq!(
        warnings(&answer),
        ["cors_restricted", "recorded_decisions", "evidence_artifacts", "go_backend_rollback_controls"]
    );
    assert_eq!(text(&answer["go_backend_rollback"], "status"), "needs_attention");
}

/// The files are read with every request.
#[test]
fn drills_that_are_due() {
    let home = Home::new();
    let file = home.at("schedule.json");
    let server = home.serve(&[("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", &file)]);
    let status = || text(&readiness(&server)["go_backend_rollback_drill_schedule"], "status").to_owned();
    assert_eq!(status(), "needs_attention");
    let schedule = json!({
        "schema_version": "cavra.go-backend-rollback-drill-schedule.v1", "schedule_id": "s", "status": "active",
        "interval_days": 30, "next_due_at": "2099-01-01T00:00:00Z", "owners": ["ops"],
        "notification_providers": ["slack"], "runbook_ref": "run/1",
    });
    home.write("schedule.json", schedule.to_string());
    assert_eq!(status(), "ready");
    home.write("schedule.json", "{");
    assert_eq!(status(), "needs_attention");
}
