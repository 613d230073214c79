//! `cavra policy backtest`: what a pack would have decided otherwise.

use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{BASELINE, Backend, Home, Output, Server, keys, on_both, pack_yaml};

/// A store with decisions that were made before, and the pack `cavra-mine`.
pub struct Past {
    pub home: Home,
    pub settings: [(&'static str, String); 2],
}

impl Past {
    /// The decisions that `ask` asks for; `cavra-mine` consists of these sections.
    pub fn of(backend: Backend, sections: &str, ask: impl FnOnce(&Server)) -> Self {
        let home = Home::new();
        home.pack("cavra-mine", &pack_yaml("cavra-mine", sections));
        let settings = [backend.setting(&home), home.packs()];
        let named: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = home.serve(&named);
        ask(&server);
        assert!(server.terminate().success());
        Self { home, settings }
    }

    /// Decisions by the default pack and by one of the operator's.
    fn new(backend: Backend) -> Self {
        Self::of(backend, "filesystem:\n  block_read: [\"secret/*\"]\n", |server| {
            let decide = |pack: &str, agent: &str, action: &str, target: &str| {
                server.decide(&json!({"action_type": action, "target": target, "policy_pack": pack, "agent_id": agent,
                    "repository": "pay", "session_id": agent}));
            };
            for agent in ["one", "two"] {
                decide("cavra-mine", agent, "read_file", "secret/key");
                decide("cavra-mine", agent, "read_file", "open/text");
                decide("cavra-mine", agent, "write_file", "open/text");
            }
            decide(BASELINE, "one", "read_file", "secret/key");
            server.decide(&json!({"action_type": "mcp_tool_call", "server": "s", "tool": "t", "policy_pack": BASELINE, "agent_id": "one"}));
        })
    }

    /// `cavra policy` with these arguments.
    pub fn policy(&self, arguments: &[&str]) -> Output {
        let run = self.home.cavra(&[&["policy"], arguments].concat());
        self.settings.iter().fold(run, |run, (name, value)| run.env(name, value)).run()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.policy(&[&["backtest"], arguments].concat())
    }
}

#[test]
fn the_same_pack_changes_nothing_and_another_does() {
    on_both(|backend| {
        let past = Past::new(backend);
        let same = past.run(&["cavra-mine", "--policy-pack", "cavra-mine", "--json"]).ok().json();
        assert_eq!((&same["decided"], &same["changed"], &same["transitions"]), (&json!(6), &json!(0), &json!({})));
        assert_eq!(same["schema_version"], "cavra.policy_backtest.v1");

        past.home.write(
            "draft.yaml",
            pack_yaml(
                "cavra-mine",
                "filesystem:\n  block_read: [\"open/*\"]\n  require_approval_write: [\"open/*\"]\n",
            ),
        );
        let changed = past.run(&["draft.yaml", "--policy-pack", "cavra-mine", "--json"]).ok();
        assert_eq!(changed.stderr, "", "no progress where nobody looks");
        let changed = changed.json();
        let transitions = json!({"allow->block": 2, "allow->require_approval": 2, "block->allow": 2});
        assert_eq!((&changed["changed"], &changed["transitions"]), (&json!(6), &transitions));
        assert_eq!(changed["agents"], json!([{"name": "one", "changed": 3}, {"name": "two", "changed": 3}]));
        let example = &changed["examples"][0];
        assert_eq!(
            keys(example),
            [
                "action_type",
                "after",
                "after_rule",
                "agent_id",
                "before",
                "before_rule",
                "decision_id",
                "reason",
                "repository",
                "target",
                "timestamp"
            ]
        );
        assert_eq!((&example["before"], &example["after"]), (&json!("allow"), &json!("block")));
        assert_eq!(
            (&example["before_rule"], &example["after_rule"]),
            (&json!("filesystem.read.allow"), &json!("filesystem.read.block"))
        );
        // All packs' decisions, a pack directory, and for people.
        let all = past.run(&["packs/cavra-mine", "--json"]).ok().json();
        assert_eq!((&all["decided"], &all["policy_pack"]), (&json!(8), &Value::Null));
        let text = past.run(&["draft.yaml"]).ok().stdout;
        assert!(
            text.starts_with("8 decisions since")
                && text.contains("block->allow")
                && text.contains("most affected agents"),
            "{text}"
        );
    });
}

#[test]
fn what_is_stored_stays_as_it_is() {
    on_both(|backend| {
        let past = Past::new(backend);
        let stored = || std::fs::read(past.home.join(backend.file())).unwrap();
        let before = stored();
        past.run(&["cavra-mine"]).ok();
        assert!(stored() == before, "{backend:?}");
    });
}

/// What other products wrote is counted, not guessed.
#[test]
fn decisions_that_cannot_be_made_again_are_counted() {
    on_both(|backend| {
        let home = Home::new();
        let old = crate::support::OldDecision {
            id: 1,
            session: "s",
            agent: "a",
            repository: "r",
            decision: "allow",
            severity: "low",
            action_type: "mcp_tool_call",
            second: 1,
        };
        let mut recent = old.record();
        recent["timestamp"] = json!("2999-01-01T00:00:00.000000+00:00");
        let mut file = crate::support::OldDecision { id: 2, action_type: "read_file", ..old }.record();
        file["timestamp"] = recent["timestamp"].clone();
        let ancient = crate::support::OldDecision { id: 3, ..old }.record();
        backend.write_old(&home, &[recent, file, ancient], &[]);
        let (name, value) = backend.setting(&home);
        let report = home.cavra(&["policy", "backtest", BASELINE, "--json"]).env(name, &value).run().ok().json();
        assert_eq!((&report["decided"], &report["not_repeatable"]), (&json!(1), &json!(1)));
    });
}

#[test]
fn candidates_that_cannot_decide_are_refused() {
    let past = Past::new(Backend::Json);
    past.home.write("broken.yaml", "filesystem: [");
    past.home.write("orphan.yaml", pack_yaml("cavra-orphan", "  inherits: cavra-nobody\n"));
    for (candidate, word) in [
        ("cavra-nobody", "cavra-nobody"),
        ("nowhere.yaml", "nowhere.yaml"),
        ("broken.yaml", "broken.yaml"),
        ("orphan.yaml", "cavra-nobody"),
    ] {
        let output = past.run(&[candidate, "--json"]).fails();
        assert!(output.stderr.contains(word) && output.stdout.is_empty(), "{candidate}: {output:?}");
    }
    for wrong in [vec!["cavra-mine", "--days", "0"], vec!["cavra-mine", "--days", "400"], vec![]] {
        past.run(&wrong).exits(2);
    }
    // An approval turned a need into an allow: what the pack said is what counts.
    let (name, file) = (past.settings[0].0, past.settings[0].1.clone());
    let server = past.home.serve(&[(name, &file)]);
    let action = json!({"action_type": "write_file", "target": "iam/x", "session_id": "s", "repository": "pay", "policy_pack": BASELINE});
    let asked = server.decide(&action);
    let id = string(&server.post("/approvals", &json!({"decision": asked})).ok()["approval_id"]);
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    assert_eq!(server.decide(&action)["decision"], "allow");
    assert!(server.terminate().success());
    let report = past.run(&[BASELINE, "--policy-pack", BASELINE, "--json"]).ok().json();
    assert_eq!(report["changed"], 0, "{report}");
}
