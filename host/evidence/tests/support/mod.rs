//! A fixed set of decisions, bundles of them on disk, and golden files.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use cavra_evidence::{Bundle, MANIFEST, Retention, Signing};
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

/// The session of the fixed decisions.
pub const SESSION: &str = "run_0123456789";

/// The time of the fixed decisions.
pub fn created_at() -> Timestamp {
    "2031-02-03T04:05:06.000700Z".parse().unwrap()
}

/// The object in a value.
pub fn object(value: Value) -> Object {
    let Value::Object(members) = value else { panic!("no object: {value}") };
    members
}

/// The seven decisions of docs/reference/decisions-and-policy.md, section 9; the second one was approved.
pub fn seven() -> Vec<Object> {
    let rows = [
        ("read_file", ".env", "read", "filesystem.read.block", "block", "high"),
        ("write_file", "iam/admin-role.tf", "write", "filesystem.write.require_approval", "require_approval", "high"),
        ("execute_command", "terraform plan", "execute", "commands.allow", "allow", "low"),
        ("execute_command", "terraform apply -auto-approve", "execute", "commands.block", "block", "critical"),
        (
            "mcp_tool_call",
            "unknown filesystem MCP server:read_file",
            "filesystem",
            "mcp.server.trust.block_unknown",
            "block",
            "high",
        ),
        ("git_operation", "origin/main", "push", "git.protected_branch.block_direct_push", "block", "high"),
        (
            "pull_request",
            "create PR",
            "create",
            "git.pull_request.allow_with_attestation",
            "allow_with_attestation",
            "medium",
        ),
    ];
    let mut decisions: Vec<Object> = (1..)
        .zip(rows)
        .map(|(number, (action_type, target, operation, rule_id, decision, severity))| {
            let decision_id = format!("dec_{number:012}");
            object(json!({
                "schema_version": "cavra.decision.v1", "decision_id": decision_id, "session_id": SESSION,
                "agent_id": "sandbox-agent", "actor": "simulated-ai-agent",
                "repository": "sandbox/before-the-agent-acts",
                "action_type": action_type, "target": target, "requested_operation": operation,
                "policy_pack": "cavra-ai-agent-baseline", "policy_id": "cavra-ai-agent-baseline",
                "rule_id": rule_id, "decision": decision, "severity": severity, "reason": "as the rule says",
                "evidence_refs": [format!("evidence://{SESSION}/{decision_id}")], "approver_group": null,
                "timestamp": created_at(), "correlation_id": format!("corr_{number:012}"),
            }))
        })
        .collect();
    let approval = json!({
        "approval_id": "apr_0123456789ab", "state": "approved", "approver_group": "Platform Security",
        "decided_by": "platform-lead", "break_glass": false,
    });
    decisions[1].insert("approval".to_owned(), approval);
    decisions
}

/// A bundle on disk.
pub struct Written {
    pub home: tempfile::TempDir,
}

impl Written {
    pub fn new(signing: &Signing) -> Self {
        let written = Self { home: tempfile::tempdir().unwrap() };
        let decisions = seven();
        let retention = Retention::default();
        let bundle = Bundle {
            session_id: SESSION,
            signer: "équipe",
            created_at: created_at(),
            decisions: &decisions,
            retention,
        };
        bundle.write(&written.path(), signing).unwrap();
        written
    }

    pub fn path(&self) -> PathBuf {
        self.home.path().join("bundle")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file(MANIFEST)).unwrap()).unwrap()
    }

    pub fn set_manifest(&self, manifest: &Value) {
        fs::write(self.file(MANIFEST), manifest.to_string()).unwrap();
    }

    /// Signs a manifest as its maker would have.
    pub fn sign(&self, mut manifest: Value, signing: &Signing) {
        signing.sign(manifest.as_object_mut().unwrap());
        self.set_manifest(&manifest);
    }
}

/// Compares with `tests/golden/<name>`; `CAVRA_BLESS=1` writes the file instead.
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("CAVRA_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name} differs; run with CAVRA_BLESS=1 and review the change");
}
