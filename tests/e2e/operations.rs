//! Operations over HTTP: stores, retention plan, readiness. docs/reference/connectors-drills-ops-registry.md, section 4.1.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Home, Issuer, Output, Server, assert_timestamp, keys, strings, text};

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
        [
            "oidc_configured",
            "rbac_configured",
            "cors_restricted",
            "evidence_artifacts",
            "persistent_stores",
            "backup_restored"
        ]
    );
    assert_eq!(answer["store_summary"], json!({"total": 6, "missing": NAMES}));
    assert_eq!(answer["operator_notes"].as_array().unwrap().len(), 6);
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
    let server = serve(&home, &settings);
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    assert_eq!(warnings(&readiness(&server)), ["backup_restored"]);
    rehearse(&home, &settings).ok();
    let answer = readiness(&server);
    assert_eq!((warnings(&answer), text(&answer, "status")), (vec![], "ready"), "{answer}");
    assert_eq!(answer["operator_notes"], json!([]));
    drop(server);
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

/// Backs up, and rehearses the restore.
fn rehearse(home: &Home, settings: &[(&'static str, String)]) -> Output {
    let run = |arguments: &[&str]| {
        settings.iter().fold(home.cavra(arguments), |run, (name, value)| run.env(name, value)).run()
    };
    run(&["ops", "backup", "--output", "backup"]).ok();
    run(&["ops", "restore", "backup/manifest.json", "--dry-run"])
}

/// What a check says is wrong.
fn problems(server: &Server, id: &str) -> String {
    let readiness = readiness(server);
    let check = readiness["checks"].as_array().unwrap().iter().find(|check| check["id"] == id);
    let check = check.unwrap_or_else(|| panic!("there is no check {id}"));
    let problems = strings(&check["problems"]).join("; ");
    assert_eq!(problems.is_empty(), check["status"] == "pass", "{check}");
    problems
}

/// A restore is rehearsed beside the server, and what came of it is on record.
#[test]
fn a_rehearsal_restores_a_backup_and_says_so() {
    let home = Home::new();
    let settings = set_up(&home);
    let server = serve(&home, &settings);
    for number in 0..5 {
        server.decide(&json!({"action_type": "read_file", "target": format!("src/{number}.rs")}));
    }
    assert!(problems(&server, "backup_restored").contains("ever"));
    let passed = rehearse(&home, &settings).ok().json();
    assert_eq!(
        (text(&passed, "schema_version"), text(&passed, "status")),
        ("cavra.persistent_api.restore_rehearsal.v1", "pass")
    );
    assert_eq!(passed["decisions"], json!({"compared": 5, "missing_here": 0, "problems": []}));
    let stores: Vec<_> = passed["stores"].as_array().unwrap().iter().map(|store| text(store, "name")).collect();
    assert_eq!(stores, NAMES);
    assert_eq!(problems(&server, "backup_restored"), "");
    let recorded = server.get("/evidence?metadata_kind=restore-rehearsal").ok();
    assert_eq!((&recorded["total"], &recorded["items"][0]["restore_rehearsal"]), (&json!(1), &passed));
    // A backup whose decisions are other ones than here is told apart, and so is one that is not whole.
    let copy = rusqlite::Connection::open(home.join("cavra.db")).unwrap();
    copy.execute("update activity_decisions set payload = replace(payload, 'src/3.rs', 'src/9.rs')", []).unwrap();
    drop(copy);
    let run = |arguments: &[&str]| {
        settings.iter().fold(home.cavra(arguments), |run, (name, value)| run.env(name, value)).run()
    };
    let failed = run(&["ops", "restore", "backup/manifest.json", "--dry-run"]).exits(1).json();
    assert!(
        text(&failed, "status") == "fail" && failed["decisions"]["problems"].to_string().contains("another one"),
        "{failed}"
    );
    assert!(problems(&server, "backup_restored").contains("could not be restored"));
    home.write("backup/stores/evidence_metadata.db", "broken");
    run(&["ops", "restore", "backup/manifest.json", "--dry-run"]).fails();
    let refused = run(&["ops", "restore", "backup/manifest.json", "--dry-run", "--overwrite"]);
    refused.exits(2);
}

/// What a client says of a rehearsal is none.
#[test]
fn only_rehearsals_that_were_done_count() {
    let home = Home::new();
    let server = serve(&home, &[("CAVRA_EVIDENCE_METADATA_STORE", home.at("evidence.json"))]);
    let said = json!({"session_id": "restore-rehearsal-1", "metadata_kind": "restore-rehearsal", "status": "pass"});
    server.post("/evidence", &said).ok();
    assert!(problems(&server, "backup_restored").contains("ever"));
}

/// Each check, made to fail.
#[test]
fn what_is_wrong_with_the_installation_shows() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.write("key", "hush");
    let settings = [
        ("CAVRA_TOKEN_STORE", home.at("tokens.json")),
        ("CAVRA_ACTIVITY_STORE", home.at("activity.json")),
        ("CAVRA_APPROVAL_RBAC_FILE", home.at("rbac.json")),
        ("CAVRA_POLICY_SIGNING_KEY_FILE", home.at("key")),
        ("CAVRA_DISK_HEADROOM_MIB", "17592186044415".to_owned()),
        ("CAVRA_PLUGIN_DIR", home.at("plugins")),
        ("CAVRA_EVIDENCE_LOG_KEY", home.at("keys/log.pem")),
    ];
    home.write("rbac.json", json!({"repository_permissions": []}).to_string());
    let chmod = |file: &str, mode| {
        std::fs::set_permissions(home.join(file), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("key", 0o600);
    let server = serve(&home, &settings);
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    for id in ["tokens_refused", "stores_written", "clock", "key_ages", "plugin_signatures", "file_permissions"] {
        assert_eq!(problems(&server, id), "", "{id}");
    }
    assert!(problems(&server, "disk_headroom").contains("MiB left"));
    chmod("rbac.json", 0o666);
    chmod("key", 0o604);
    let said = problems(&server, "file_permissions");
    assert!(said.contains("rbac.json may be written") && said.contains("key may be read by everybody"), "{said}");
    let old = std::time::SystemTime::now() - Duration::from_secs(400 * 24 * 60 * 60);
    std::fs::File::options().write(true).open(home.join("key")).unwrap().set_modified(old).unwrap();
    let mut remembered = home.json("keys/log.json");
    remembered["keys"][0]["since"] = json!("2020-01-01T00:00:00.000000+00:00");
    home.write("keys/log.json", remembered.to_string());
    let said = problems(&server, "key_ages");
    assert!(said.contains("the key of the evidence log is") && said.contains("key is 400 days old"), "{said}");
    home.write("plugins/cavra-plugins.lock", "{");
    assert!(problems(&server, "plugin_signatures").contains("cavra-plugins.lock"));
    home.write("tokens.json", "{");
    assert!(problems(&server, "tokens_refused").contains("API tokens"));
    assert!(!server.log().contains("hush"));
}

/// The stores are written when it is asked for, and the clock is held against what they hold.
#[test]
fn stores_that_cannot_be_written_and_clocks_that_are_wrong_show() {
    let home = Home::new();
    let settings = [("CAVRA_ACTIVITY_STORE", home.at("activity.json"))];
    let server = serve(&home, &settings);
    let decided = server.decide(&json!({"action_type": "read_file", "target": "a"}));
    drop(server);
    let later = home.read("activity.json").replace(text(&decided, "timestamp"), "2999-01-01T00:00:00.000000+00:00");
    home.write("activity.json", later);
    assert!(problems(&serve(&home, &settings), "clock").contains("2999-01-01"));
    let server = serve(&home, &settings);
    home.write("activity.json", "{");
    assert!(problems(&server, "stores_written").contains("activity"));
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
