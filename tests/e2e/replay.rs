//! `cavra evidence replay`: stored decisions come out as they are stored, whatever became of the packs since, and what was
//! changed afterwards does not.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::components::{change_freeze, freeze, with_component};
use crate::support::{BASELINE, Backend, Home, OldDecision, Output, on_both, pack_yaml, records, text};

fn replay(home: &Home, backend: Backend, arguments: &[&str]) -> Output {
    let (name, store) = backend.setting(home);
    home.cavra(&[&["evidence", "replay", "--json"], arguments].concat()).env(name, store).run()
}

fn rules(more: &str) -> String {
    pack_yaml("cavra-acme", &format!("commands:\n  allow: [\"make *\"]\n  block: [\"rm *\"]\n{more}"))
}

/// Decisions of every kind, one of them approved and one with an approval that does not cover it.
fn decide_everything(home: &Home, backend: Backend) -> u64 {
    let (name, store) = backend.setting(home);
    let (directory, packs) = home.packs();
    let approvals = home.at("data/approvals.json");
    let server = home.serve(&[(name, &store), (directory, &packs), ("CAVRA_APPROVAL_STORE", &approvals)]);
    for (action_type, target, pack) in [
        ("read_file", ".env", BASELINE),
        ("write_file", "iam/admin.tf", BASELINE),
        ("execute_command", "  sudo  rm -rf /tmp/x | tee 'a b' > out.txt", "acme"),
        ("execute_command", "make test", "acme"),
        ("git_operation", "origin/main", BASELINE),
    ] {
        server.decide_on(action_type, target, pack);
    }
    let call = json!({"action_type": "mcp_tool_call", "server": "filesystem", "tool": "read", "capability": "network"});
    server.decide(&call);
    let action =
        json!({"action_type": "write_file", "target": "iam/a.tf", "session_id": "s1", "policy_pack": BASELINE});
    let asked = server.decide(&action);
    let id = text(&server.post("/approvals", &json!({"decision": asked})).ok(), "approval_id").to_owned();
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    assert_eq!(server.decide(&action)["decision"], "allow");
    let mut again = action;
    again["approval_id"] = json!(id);
    assert_eq!(server.decide(&again)["decision"], "require_approval");
    let total = server.total("/decisions");
    assert!(server.terminate().success());
    total
}

#[test]
fn a_changed_pack_changes_no_past_decision() {
    on_both(|backend| {
        let home = Home::new();
        home.pack("acme", &rules(""));
        let total = decide_everything(&home, backend);
        home.pack("acme", &rules("  require_approval: [\"make *\"]\n").replace("rm *", "make *"));
        home.pack(BASELINE, &pack_yaml(BASELINE, "filesystem:\n  allow_read: [\"**\"]\n"));
        let report = replay(&home, backend, &["--days", "1"]).ok().json();
        assert_eq!((&report["decisions"], &report["equal"]), (&json!(total), &json!(total)), "{report:#}");
        let session = replay(&home, backend, &["--session", "s1"]).ok().json();
        assert_eq!(session["equal"], 3);
        assert_eq!(replay(&home, backend, &["--since", "2999-01-01T00:00:00Z"]).ok().json()["decisions"], 0);
        assert_eq!(replay(&home, backend, &["--until", "2001-01-01T00:00:00Z"]).ok().json()["decisions"], 0);
        replay(&home, backend, &["dec_000000000000"]).fails();
        for wrong in [&["dec_1", "--session", "s"][..], &[], &["--days", "1", "--since", "2001-01-01T00:00:00Z"]] {
            replay(&home, backend, wrong).exits(2);
        }
    });
}

#[test]
fn each_policy_and_component_is_archived_once() {
    on_both(|backend| {
        let home = Home::new();
        home.pack("acme", &rules(""));
        decide_everything(&home, backend);
        decide_everything(&home, backend);
        let archive = records(&home, backend, "policy_archive", "activity_policy_archive");
        let of = |kind: &str| archive.iter().filter(|part| part["media_type"] == kind).count();
        assert_eq!((of("application/json"), of("application/wasm"), archive.len()), (2, 1, 3));
        for decision in records(&home, backend, "decisions", "activity_decisions") {
            let named = [decision["policy_digest"].clone(), decision["component_digests"][0].clone()];
            assert!(named.iter().all(|digest| archive.iter().any(|part| part["digest"] == *digest)), "{decision}");
        }
    });
}

/// Changes stored records of a kind as somebody with access to the file could.
fn tamper(home: &Home, backend: Backend, (collection, table, id): (&str, &str, &str), change: impl Fn(&mut Value)) {
    match backend {
        Backend::Json => {
            let mut document = home.json(backend.file());
            document[collection].as_array_mut().unwrap().iter_mut().for_each(change);
            home.write(backend.file(), serde_json::to_string_pretty(&document).unwrap());
        }
        Backend::Sqlite => {
            let database = Connection::open(home.join(backend.file())).unwrap();
            for mut record in records(home, backend, collection, table) {
                change(&mut record);
                let update = format!("UPDATE {table} SET payload = ?1 WHERE {id} = ?2");
                database.execute(&update, [record.to_string(), text(&record, id).to_owned()]).unwrap();
            }
        }
    }
}

const DECISIONS: (&str, &str, &str) = ("decisions", "activity_decisions", "decision_id");
const ARCHIVE: (&str, &str, &str) = ("policy_archive", "activity_policy_archive", "digest");

#[test]
fn a_changed_decision_is_reported() {
    on_both(|backend| {
        let home = Home::new();
        home.pack("acme", &rules(""));
        let total = decide_everything(&home, backend);
        let originals = records(&home, backend, DECISIONS.0, DECISIONS.1);
        let changes = [
            ("decision", json!("allow"), "decision"),
            ("rule_id", json!("filesystem.read.allow"), "rule_id"),
            ("severity", json!("low"), "severity"),
            ("reason", json!("nothing to see"), "reason"),
            ("approver_group", json!("Friends"), "approver_group"),
            ("target", json!("README.md"), "rule_id"),
            ("requested_operation", json!("write"), "requested_operation"),
            // Pretends that somebody lifted the block.
            ("decision_before_approval", json!("block"), "decision"),
        ];
        for (member, value, reported) in changes {
            tamper(&home, backend, DECISIONS, |record| {
                *record =
                    originals.iter().find(|original| original["decision_id"] == record["decision_id"]).unwrap().clone();
                if record["target"] == ".env" {
                    record[member] = value.clone();
                }
            });
            let report = replay(&home, backend, &["--days", "1"]).exits(1).json();
            assert_eq!(
                (&report["different"], &report["equal"]),
                (&json!(1), &json!(total - 1)),
                "{member}: {report:#}"
            );
            let named = report["differences"][0]["members"].as_array().unwrap();
            assert!(named.iter().any(|different| different["member"] == reported), "{member}: {report:#}");
        }
    });
}

#[test]
fn a_changed_archive_is_reported_and_never_run() {
    on_both(|backend| {
        for media_type in ["application/json", "application/wasm"] {
            let home = Home::new();
            home.pack("acme", &rules(""));
            decide_everything(&home, backend);
            let acme = records(&home, backend, DECISIONS.0, DECISIONS.1);
            let acme = acme.iter().find(|decision| decision["policy_pack"] == "acme").unwrap();
            let digest = if media_type == "application/json" {
                acme["policy_digest"].clone()
            } else {
                acme["component_digests"][0].clone()
            };
            // Beside a JSON store the component lies in a file; see `archive`.
            if backend == Backend::Json && media_type == "application/wasm" {
                continue;
            }
            // The same document with another outcome, or the same component with another last byte.
            tamper(&home, backend, ARCHIVE, |part| {
                if part["digest"] == digest {
                    let content = text(part, "content").replace("rm *", "xx *");
                    let flipped = if content.ends_with('A') { 'E' } else { 'A' };
                    let mut content = content;
                    if media_type == "application/wasm" {
                        let at = content.len() - 8;
                        content.replace_range(at..=at, &flipped.to_string());
                    }
                    part["content"] = json!(content);
                }
            });
            let report = replay(&home, backend, &["--days", "1"]).exits(1).json();
            assert!(report["damaged"].as_u64().unwrap() >= 2, "{report:#}");
            assert_eq!(report["faults"], json!({(digest.as_str().unwrap()): "damaged"}));
            assert_eq!(report["different"], 0);
        }
    });
}

#[test]
fn a_missing_part_of_the_archive_is_no_silence() {
    let home = Home::new();
    home.pack("acme", &rules(""));
    let total = decide_everything(&home, Backend::Sqlite);
    let database = Connection::open(home.join(Backend::Sqlite.file())).unwrap();
    database.execute("DELETE FROM activity_policy_archive WHERE media_type = 'application/wasm'", []).unwrap();
    let report = replay(&home, Backend::Sqlite, &["--days", "1"]).exits(1).json();
    assert_eq!((&report["damaged"], &report["equal"]), (&json!(total), &json!(0)));
}

/// The component of an operator asks for the time and is gone by now.
#[test]
fn a_component_that_is_gone_decides_again() {
    on_both(|backend| {
        let home = with_component(&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), change_freeze());
        let (name, packs) = home.packs();
        let (setting, store) = backend.setting(&home);
        let server = home.serve(&[(name, &packs), (setting, &store)]);
        for (action_type, target) in
            [("write_file", "README.md"), ("execute_command", "terraform plan"), ("read_file", "a")]
        {
            let decided = server.decide_on(action_type, target, "cavra-frozen");
            assert_eq!(decided["component_digests"].as_array().unwrap().len(), 2);
        }
        drop(server);
        std::fs::remove_dir_all(home.join("packs")).unwrap();
        let report = replay(&home, backend, &["--days", "1"]).ok().json();
        assert_eq!(report["equal"], 3, "{report:#}");
    });
}

/// What the hook saw of a file is not kept. The rules do not look at it; another component might.
#[test]
fn contents_that_are_not_kept() {
    let event = |home: &Home| {
        json!({"session_id": "s", "cwd": home.at(""), "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": home.at("README.md"), "content": "text"}})
        .to_string()
    };
    let plain = Home::new();
    plain.cavra(&["hook", "claude-code"]).stdin(event(&plain)).run().ok();
    assert_eq!(plain.cavra(&["evidence", "replay", "--session", "s", "--json"]).run().ok().json()["equal"], 1);

    let home = with_component(&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), change_freeze());
    let (name, packs) = home.packs();
    home.cavra(&["hook", "claude-code", "--policy-pack", "cavra-frozen"])
        .env(name, packs)
        .stdin(event(&home))
        .run()
        .exits(2);
    let report = home.cavra(&["evidence", "replay", "--session", "s", "--json"]).run().exits(1).json();
    assert_eq!((&report["equal"], &report["causes"]), (&json!(0), &json!({"content": 1})), "{report:#}");
}

#[test]
fn decisions_of_other_products_are_not_repeatable() {
    on_both(|backend| {
        let home = Home::new();
        let old = |id, action_type| {
            OldDecision {
                id,
                session: "old",
                agent: "a",
                repository: "r",
                decision: "block",
                severity: "low",
                action_type,
                second: id,
            }
            .record()
        };
        backend.write_old(&home, &[old(1, "read_file"), old(2, "pull_request")], &[]);
        let report = replay(&home, backend, &["--session", "old"]).exits(1).json();
        assert_eq!(report["causes"], json!({"kind": 1, "no_archive": 1}), "{report:#}");
        assert_eq!((&report["equal"], &report["not_repeatable"]), (&json!(0), &json!(2)));
    });
}
