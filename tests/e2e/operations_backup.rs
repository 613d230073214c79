//! `cavra ops backup`, `restore` and `verify`. docs/reference/connectors-drills-ops-registry.md, section 4.2.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Backend, Connection, Home, Output, Server, assert_timestamp, on_both, sha256, text};

const MANIFEST: &str = ".cavra/backups/latest/manifest.json";

/// The areas by their names for operators and in variables.
const AREAS: [(&str, &str); 7] = [
    ("evidence_metadata", "CAVRA_EVIDENCE_METADATA"),
    ("approvals", "CAVRA_APPROVAL"),
    ("registry", "CAVRA_REGISTRY"),
    ("activity", "CAVRA_ACTIVITY"),
    ("inventory", "CAVRA_INVENTORY"),
    ("integrations", "CAVRA_INTEGRATION"),
    ("tokens", "CAVRA_TOKEN"),
];

/// Every store in a file of its own.
fn settings(backend: Backend) -> Vec<(String, String)> {
    let (ending, suffix) = ending(backend);
    AREAS.iter().map(|(name, variable)| (format!("{variable}_{ending}"), format!("data/{name}.{suffix}"))).collect()
}

fn ending(backend: Backend) -> (&'static str, &'static str) {
    match backend {
        Backend::Json => ("STORE", "json"),
        Backend::Sqlite => ("DB", "db"),
    }
}

fn serve(home: &Home, settings: &[(String, String)]) -> Server {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    home.serve(&settings)
}

fn ops(home: &Home, settings: &[(String, String)], arguments: &[&str]) -> Output {
    let run = home.cavra(&[&["ops"], arguments].concat());
    settings.iter().fold(run, |run, (name, value)| run.env(name, value)).run()
}

/// Something in every store.
fn fill(server: &Server) {
    let decision = server.decide(&json!({"action_type": "write_file", "target": "iam/a.tf", "agent_id": "a"}));
    server.post("/approvals", &json!({"decision": decision, "requested_by": "dev"})).ok();
    server.post("/agents", &json!({"agent_id": "codex", "owner": "pay"})).ok();
    server.post("/repositories", &json!({"repository": "r"})).ok();
    server.post("/integrations", &json!({"provider": "splunk"})).ok();
    let evidence = json!({"session_id": "s", "created_at": "2031-01-01T00:00:00Z", "signer": "x", "decision_count": 1,
        "blocked_count": 0, "approval_required_count": 0});
    server.post("/evidence", &evidence).ok();
}

fn entry<'a>(manifest: &'a Value, name: &str) -> &'a Value {
    manifest["stores"].as_array().unwrap().iter().find(|entry| text(entry, "name") == name).unwrap()
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_backup_has_every_store() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let server = serve(&home, &settings);
        fill(&server);
        let manifest = ops(&home, &settings, &["backup"]).ok().json();
        assert_eq!(manifest, home.json(MANIFEST));
        assert_eq!(text(&manifest, "schema_version"), "cavra.persistent_api.backup.v1");
        assert_eq!(text(&manifest, "product"), "CAVRA");
        assert_timestamp(text(&manifest, "created_at"));
        assert_eq!(mode(home.join(MANIFEST)), 0o600);
        assert_eq!(manifest["stores"].as_array().unwrap().len(), 6);
        for ((name, _), (variable, path)) in AREAS.iter().zip(&settings).take(6) {
            let entry = entry(&manifest, name);
            let (_, suffix) = ending(backend);
            let kind = if backend == Backend::Json { "json" } else { "sqlite" };
            assert_eq!((text(entry, "kind"), &entry["exists"]), (kind, &json!(true)));
            assert_eq!((text(entry, "source_path"), text(entry, "configured_by")), (path.as_str(), variable.as_str()));
            assert_eq!(text(entry, "backup_path"), format!("stores/{name}.{suffix}"));
            let file = home.join(&format!(".cavra/backups/latest/stores/{name}.{suffix}"));
            let bytes = fs::read(&file).unwrap();
            assert_eq!(format!("sha256:{}", text(entry, "sha256")), sha256(&bytes));
            assert_eq!(entry["size_bytes"], bytes.len());
            assert_eq!(mode(file), 0o600);
        }
        let left: Vec<_> = fs::read_dir(home.join(".cavra/backups/latest/stores")).unwrap().flatten().collect();
        let plain = |name: &str| name.ends_with(".db") || name.ends_with(".json") || name.ends_with(".attachments");
        assert!(left.iter().all(|entry| plain(entry.file_name().to_str().unwrap())), "{left:?}");
        let verified = ops(&home, &settings, &["verify", MANIFEST]).ok().json();
        assert_eq!(text(&verified, "status"), "pass");
        // Again, into the same directory.
        server.decide(&json!({"action_type": "read_file", "target": "b"}));
        let again = ops(&home, &settings, &["backup"]).ok().json();
        assert_ne!(entry(&again, "activity")["sha256"], entry(&manifest, "activity")["sha256"]);
        ops(&home, &settings, &["verify", MANIFEST]).ok();
    });
}

#[test]
fn what_is_not_there() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let manifest = ops(&home, &settings, &["backup"]).ok().json();
        for (name, _) in &AREAS[..6] {
            let entry = entry(&manifest, name);
            assert_eq!(
                (&entry["exists"], &entry["backup_path"], &entry["sha256"]),
                (&json!(false), &Value::Null, &Value::Null)
            );
        }
        let restored = ops(&home, &settings, &["restore", MANIFEST]).ok().json();
        assert_eq!((&restored["restored_count"], restored["items"].as_array().unwrap().len()), (&json!(0), 6));
        for item in restored["items"].as_array().unwrap() {
            assert_eq!((&item["restored"], text(item, "reason")), (&json!(false), "missing source backup"));
        }
        assert!(!home.exists("data"), "a backup makes no store");
        let manifest = ops(&home, &settings, &["backup", "--include-missing", "--output", "b"]).ok().json();
        let (_, suffix) = ending(backend);
        for (name, _) in &AREAS[..6] {
            let entry = entry(&manifest, name);
            assert_eq!(
                (&entry["exists"], text(entry, "backup_path")),
                (&json!(false), format!("stores/{name}.{suffix}").as_str())
            );
        }
        ops(&home, &settings, &["verify", "b/manifest.json"]).ok();
        let restored = ops(&home, &settings, &["restore", "b/manifest.json"]).ok().json();
        assert_eq!(restored["restored_count"], 6);
        let server = serve(&home, &settings);
        fill(&server);
        assert_eq!(server.get("/agents").ok()["total"], 1);
    });
}

#[test]
fn a_restore_brings_everything_back() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let server = serve(&home, &settings);
        fill(&server);
        ops(&home, &settings, &["backup"]).ok();
        let decisions = server.all("/decisions");
        server.decide(&json!({"action_type": "read_file", "target": "later"}));
        server.terminate();
        // What is there stays, unless told otherwise.
        let kept = ops(&home, &settings, &["restore", MANIFEST]).ok().json();
        assert_eq!(kept["restored_count"], 0);
        assert!(kept["items"].as_array().unwrap().iter().all(|item| text(item, "reason") == "target exists"), "{kept}");
        // Elsewhere first.
        let there = ops(&home, &settings, &["restore", MANIFEST, "--target-dir", "there"]).ok().json();
        assert_eq!(there["restored_count"], 6);
        let (_, suffix) = ending(backend);
        for (name, _) in &AREAS[..6] {
            assert_eq!(mode(home.join(&format!("there/{name}.{suffix}"))), 0o600);
        }
        // What an older database left beside its file does not count.
        if backend == Backend::Sqlite {
            home.write("data/activity.db-wal", b"nonsense");
        }
        let back = ops(&home, &settings, &["restore", MANIFEST, "--overwrite"]).ok().json();
        assert_eq!(text(&back, "schema_version"), "cavra.persistent_api.restore.v1");
        assert_eq!((&back["restored_count"], text(&back, "source_manifest")), (&json!(6), MANIFEST));
        for item in back["items"].as_array().unwrap() {
            let path = home.join(text(item, "path"));
            assert_eq!((&item["restored"], mode(path)), (&json!(true), 0o600), "{item}");
        }
        assert!(!home.exists("data/activity.db-wal"));
        // The log is an older one, which somebody has to accept.
        for log in ["activity", "approvals", "evidence", "inventory", "registry"] {
            let arguments = ["evidence", "log", "accept-restore", "--log", log, "--reason", "a drill"];
            let run = settings.iter().fold(home.cavra(&arguments), |run, (name, value)| run.env(name, value)).run();
            assert_eq!(run.code, i32::from(log != "activity"), "{log}: {run:?}");
        }
        let server = serve(&home, &settings);
        assert_eq!(server.all("/decisions"), decisions);
        assert_eq!(server.get("/agents/codex").ok()["owner"], "pay");
        assert_eq!(server.get("/evidence/s").ok()["signer"], "x");
        drop(server);
        let verify = home.cavra(&["evidence", "log", "verify", "--records"]);
        settings.iter().fold(verify, |run, (name, value)| run.env(name, value)).run().ok();
    });
}

/// Refused, and nothing has changed.
fn refused(home: &Home, settings: &[(String, String)], arguments: &[&str], said: &str) {
    let before = snapshot(home);
    let refusal = ops(home, settings, arguments).fails();
    assert!(refusal.stdout.is_empty() && refusal.stderr.contains(said), "{said}: {refusal:?}");
    assert_eq!(snapshot(home), before, "{said}");
}

/// Every file of the stores with its content.
fn snapshot(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in ["data", "there"] {
        let Ok(entries) = fs::read_dir(home.join(folder)) else { continue };
        found.extend(entries.flatten().filter(|entry| entry.path().is_file()).map(|entry| {
            let content = fs::read(entry.path()).unwrap();
            (entry.path(), content)
        }));
    }
    found.sort();
    found
}

#[test]
fn a_backup_that_is_not_whole_changes_nothing() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        fill(&serve(&home, &settings));
        ops(&home, &settings, &["backup"]).ok();
        let whole = home.json(MANIFEST);
        let (_, suffix) = ending(backend);
        let restore = ["restore", MANIFEST, "--overwrite"];
        // The last store but one, so that others come before it.
        let broken = |change: &dyn Fn(&mut Value)| {
            let mut manifest = whole.clone();
            let stores = manifest["stores"].as_array_mut().unwrap();
            let at = stores.iter().position(|entry| text(entry, "name") == "inventory").unwrap();
            change(&mut stores[at]);
            home.write(MANIFEST, manifest.to_string());
        };
        home.write("outside.db", b"x");
        std::os::unix::fs::symlink(home.join("outside.db"), home.join(".cavra/backups/latest/link")).unwrap();
        for (member, value, said) in [
            ("backup_path", json!("../../../outside.db"), "leads out"),
            ("backup_path", json!(home.at("outside.db")), "leads out"),
            ("backup_path", json!("link"), "leads out"),
            ("backup_path", json!("stores/nowhere"), "no such file"),
            ("backup_path", json!("stores"), "no regular file"),
            ("backup_path", json!(5), "no text"),
            ("sha256", json!("0".repeat(64)), "SHA-256"),
            ("sha256", Value::Null, "no digest"),
            ("kind", json!(if backend == Backend::Json { "sqlite" } else { "json" }), "kind"),
            ("kind", json!("tape"), "kind"),
        ] {
            broken(&|entry| entry[member] = value.clone());
            refused(&home, &settings, &restore, said);
            refused(&home, &settings, &["restore", MANIFEST, "--target-dir", "there"], said);
        }
        for (manifest, said) in [
            (json!([]), "no JSON object"),
            (json!({"schema_version": "cavra.persistent_api.backup.v2", "stores": []}), "schema_version"),
            (json!({"schema_version": "cavra.persistent_api.backup.v1"}), "no stores"),
            (json!({"schema_version": "cavra.persistent_api.backup.v1", "stores": [5]}), "list of objects"),
        ] {
            home.write(MANIFEST, manifest.to_string());
            refused(&home, &settings, &restore, said);
        }
        home.write(MANIFEST, "{");
        refused(&home, &settings, &restore, "no JSON object");
        fs::remove_file(home.join(MANIFEST)).unwrap();
        refused(&home, &settings, &restore, "manifest.json");
        // One byte of a store.
        home.write(MANIFEST, whole.to_string());
        let file = format!(".cavra/backups/latest/stores/registry.{suffix}");
        let mut bytes = fs::read(home.join(&file)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        home.write(&file, &bytes);
        refused(&home, &settings, &restore, "SHA-256");
        let verified = ops(&home, &settings, &["verify", MANIFEST]).exits(1).json();
        assert_eq!(text(&verified, "status"), "fail");
        // Stores that nobody knows stay where they are.
        broken(&|entry| entry["name"] = json!("minutes"));
        *bytes.last_mut().unwrap() ^= 1;
        home.write(&file, &bytes);
        let restored = ops(&home, &settings, &["restore", MANIFEST, "--target-dir", "there"]).ok().json();
        assert_eq!(restored["restored_count"], 5);
        assert!(restored["items"].to_string().contains("unknown store"), "{restored}");
    });
}

/// The settings say SQLite, the backup has JSON.
#[test]
fn the_kinds_have_to_fit() {
    let home = Home::new();
    fill(&serve(&home, &settings(Backend::Json)));
    ops(&home, &settings(Backend::Json), &["backup"]).ok();
    refused(&home, &settings(Backend::Sqlite), &["restore", MANIFEST, "--overwrite"], "kind");
}

/// One database for everything is copied once, and put back as one.
#[test]
fn one_database() {
    let home = Home::new();
    let settings = vec![("CAVRA_DATABASE_URL".to_owned(), "sqlite:data/cavra.db".to_owned())];
    let server = serve(&home, &settings);
    fill(&server);
    let manifest = ops(&home, &settings, &["backup"]).ok().json();
    let files = fs::read_dir(home.join(".cavra/backups/latest/stores")).unwrap().count();
    assert_eq!(files, 1);
    let paths: Vec<&str> = AREAS[..6].iter().map(|(name, _)| text(entry(&manifest, name), "backup_path")).collect();
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    drop(server);
    fs::remove_dir_all(home.join("data")).unwrap();
    let restored = ops(&home, &settings, &["restore", MANIFEST]).ok().json();
    assert_eq!(restored["restored_count"], 6);
    let server = serve(&home, &settings);
    assert_eq!(server.get("/agents/codex").ok()["owner"], "pay");
    ops(&home, &settings, &["restore", MANIFEST, "--target-dir", "there"]).ok();
    assert_eq!(fs::read_dir(home.join("there")).unwrap().count(), 1);
}

/// Stores that were files of their own do not become one database: one of them would take the place of the others.
#[test]
fn several_stores_do_not_become_one() {
    let home = Home::new();
    let apart = settings(Backend::Sqlite);
    let server = serve(&home, &apart);
    fill(&server);
    drop(server);
    ops(&home, &apart, &["backup"]).ok();
    let one = vec![("CAVRA_DATABASE_URL".to_owned(), "sqlite:data/cavra.db".to_owned())];
    for options in [&["restore", MANIFEST][..], &["restore", MANIFEST, "--overwrite"]] {
        refused(&home, &one, options, "would both become");
        assert!(!home.exists("data/cavra.db"));
    }
    ops(&home, &one, &["restore", MANIFEST, "--target-dir", "there"]).ok();
}

/// A backup that cannot be finished leaves the one before as it was.
#[test]
fn a_backup_that_fails_keeps_the_one_before() {
    let home = Home::new();
    let places = settings(Backend::Json);
    let server = serve(&home, &places);
    fill(&server);
    drop(server);
    ops(&home, &places, &["backup"]).ok();
    let before = home.read(MANIFEST);
    // What cannot be looked at may well be a store.
    let (name, path) = places.iter().find(|(name, _)| name.starts_with("CAVRA_REGISTRY")).unwrap();
    let mut elsewhere = places.clone();
    elsewhere.retain(|(known, _)| known != name);
    elsewhere.push((name.clone(), format!("{path}/below-a-file.json")));
    refused(&home, &elsewhere, &["backup"], "cannot be looked at");
    assert_eq!(home.read(MANIFEST), before);
    ops(&home, &places, &["verify", MANIFEST]).ok();
}

/// Decides on several connections until told to stop; answers the ids that were acknowledged.
fn under_load<T>(server: &Server, work: impl FnOnce() -> T) -> (T, usize) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let stop = &stop;
                let mut connection: Connection = server.connect();
                scope.spawn(move || {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let body = json!({"action_type": "read_file", "target": format!("f{count}"),
                            "session_id": format!("s{writer}")});
                        connection.exchange("POST", "/decisions", body.to_string().as_bytes()).unwrap().ok();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let done = work();
        stop.store(true, Ordering::Relaxed);
        (done, writers.into_iter().map(|writer| writer.join().unwrap()).sum())
    })
}

/// A copy that is taken while the server writes is whole: every decision has its leaf, and the log its checkpoints.
#[test]
fn a_backup_under_load_is_whole() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let server = serve(&home, &settings);
        fill(&server);
        let (_, suffix) = ending(backend);
        let (checkpoint, written) = under_load(&server, || {
            let checkpoint = server.get("/log/activity/checkpoint").text().to_owned();
            for _ in 0..3 {
                ops(&home, &settings, &["backup"]).ok();
            }
            checkpoint
        });
        assert!(written > 20, "{written}");
        let keys = crate::evidence_log::keys(&server, "activity");
        ops(&home, &settings, &["verify", MANIFEST]).ok();
        drop(server);
        // In another installation's place: with the key, without the rest.
        let copy = Home::new();
        fs::create_dir_all(copy.join(".cavra")).unwrap();
        copy_all(&home.join(".cavra/backups"), &copy.join(".cavra/backups"));
        copy_all(&home.join(".cavra/keys"), &copy.join(".cavra/keys"));
        ops(&copy, &settings, &["restore", MANIFEST]).ok();
        let cavra = |arguments: &[&str]| {
            settings.iter().fold(copy.cavra(arguments), |run, (name, value)| run.env(name, value)).run()
        };
        for log in ["activity", "approvals", "evidence", "registry", "inventory", "integrations"] {
            let accepted = cavra(&["evidence", "log", "accept-restore", "--log", log, "--reason", "a drill"]);
            assert!(accepted.code == 0 || accepted.stderr.contains("nothing is accepted"), "{log}: {accepted:?}");
        }
        cavra(&["evidence", "log", "verify", "--records"]).ok();
        // What had been signed before the copy was begun is in it.
        copy.write("checkpoint", &checkpoint);
        let store = format!(".cavra/backups/latest/stores/activity.{suffix}");
        let mut verify = vec!["evidence", "log", "verify", "--store", &store, "--checkpoint", "checkpoint", "--json"];
        keys.iter().for_each(|key| verify.extend(["--vkey", key]));
        let found = cavra(&verify).ok().json();
        assert_eq!(found["checkpoints"], 1, "{found}");
        let restored = serve(&copy, &settings);
        let decisions = restored.total("/decisions");
        assert!(decisions > 1 && decisions <= u64::try_from(written).unwrap() + 1, "{decisions} {written}");
        assert_eq!(restored.get("/agents/codex").ok()["owner"], "pay");
        assert!(copy.exists(&format!("data/activity.{suffix}")));
    });
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An approval and the decision that it let happen lie in two files, and are both in a backup or neither.
#[test]
fn a_backup_holds_no_unit_of_work_by_halves() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let server = serve(&home, &settings);
        let approved = |number: usize| {
            let body = json!({"action_type": "write_file", "target": format!("iam/{number}.tf"), "session_id": "s"});
            let asked = json!({"decision": server.decide(&body), "requested_by": "dev"});
            let approval = server.post("/approvals", &asked).ok();
            let approve = format!("/approvals/{}/approve", text(&approval, "approval_id"));
            server.post(&approve, &json!({"actor": "boss", "reason": "yes"})).ok();
            assert_eq!(text(&server.decide(&body), "decision"), "allow");
        };
        approved(0);
        let stop = AtomicBool::new(false);
        let taken = thread::scope(|scope| {
            scope.spawn(|| (1..).take_while(|_| !stop.load(Ordering::Relaxed)).for_each(approved));
            let taken: Vec<String> = (0..6).map(|number| format!("taken/{number}")).collect();
            for output in &taken {
                thread::sleep(std::time::Duration::from_millis(30));
                ops(&home, &settings, &["backup", "--output", output]).ok();
            }
            stop.store(true, Ordering::Relaxed);
            taken
        });
        drop(server);
        let mut used = 0;
        for backup in taken {
            let decisions =
                copied(&home, backend, &format!("{backup}/stores/activity"), ("decisions", "activity_decisions"));
            let approvals = copied(&home, backend, &format!("{backup}/stores/approvals"), ("items", "approvals"));
            let using = decisions.iter().filter_map(|decision| decision["approval"]["approval_id"].as_str());
            let mut using: Vec<&str> = using.collect();
            let spent = approvals.iter().filter(|approval| approval.get("used_by_decision").is_some());
            let mut spent: Vec<&str> = spent.map(|approval| text(approval, "approval_id")).collect();
            using.sort_unstable();
            spent.sort_unstable();
            assert_eq!(using, spent, "{backup}");
            used += using.len();
        }
        assert!(used > 0);
    });
}

/// The records in a copy of a store.
fn copied(home: &Home, backend: Backend, file: &str, (collection, table): (&str, &str)) -> Vec<Value> {
    match backend {
        Backend::Json => home.json(&format!("{file}.json"))[collection].as_array().cloned().unwrap_or_default(),
        Backend::Sqlite => {
            let database = rusqlite::Connection::open(home.join(&format!("{file}.db"))).unwrap();
            let mut statement = database.prepare(&format!("SELECT payload FROM {table}")).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(|payload| serde_json::from_str(&payload.unwrap()).unwrap()).collect()
        }
    }
}

/// A server that runs goes on with what was put back.
#[test]
fn a_restore_under_a_running_server() {
    on_both(|backend| {
        let home = Home::new();
        let settings = settings(backend);
        let server = serve(&home, &settings);
        fill(&server);
        ops(&home, &settings, &["backup"]).ok();
        server.post("/agents", &json!({"agent_id": "codex", "owner": "somebody else"})).ok();
        // Everything is signed now.
        let is_signed = |status: &str| {
            let answer = server.get("/deployment/production-readiness").ok();
            let checks = answer["checks"].as_array().unwrap();
            let log = checks.iter().find(|check| text(check, "id") == "evidence_log").unwrap();
            assert_eq!(text(log, "status"), status, "{log}");
        };
        is_signed("pass");
        ops(&home, &settings, &["restore", MANIFEST, "--overwrite"]).ok();
        assert_eq!(server.get("/agents/codex").ok()["owner"], "pay");
        server.post("/agents", &json!({"agent_id": "later"})).ok();
        assert_eq!(server.get("/agents").ok()["total"], 2);
        // The registry's log has been cut, which the server does not sign.
        is_signed("warn");
    });
}
