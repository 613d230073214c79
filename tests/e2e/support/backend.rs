//! The two stores, and their files as the existing product writes them.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{BASELINE, Home, Server};

/// A kind of activity store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Json,
    Sqlite,
}

/// Runs a test over both.
pub fn on_both(test: impl Fn(Backend)) {
    for backend in [Backend::Json, Backend::Sqlite] {
        println!("-- {backend:?}");
        test(backend);
    }
}

impl Backend {
    /// The store's file in a home.
    pub fn file(self) -> &'static str {
        match self {
            Self::Json => "data/activity.json",
            Self::Sqlite => "data/activity.db",
        }
    }

    /// The setting that chooses it.
    pub fn setting(self, home: &Home) -> (&'static str, String) {
        let name = match self {
            Self::Json => "CAVRA_ACTIVITY_STORE",
            Self::Sqlite => "CAVRA_ACTIVITY_DB",
        };
        (name, home.at(self.file()))
    }

    /// A server over it.
    pub fn serve(self, home: &Home) -> Server {
        let (name, value) = self.setting(home);
        home.serve(&[(name, &value)])
    }

    /// A server over it, in a new home.
    pub fn fresh(self) -> Server {
        self.serve(&Home::new())
    }

    /// Writes a store as the existing product leaves it.
    pub fn write_old(self, home: &Home, decisions: &[Value], sessions: &[Value]) {
        match self {
            Self::Json => {
                let document = json!({ "decisions": decisions, "sessions": sessions });
                home.write(self.file(), format!("{}\n", serde_json::to_string_pretty(&document).unwrap()));
            }
            Self::Sqlite => {
                home.write(self.file(), "");
                let mut database = Connection::open(home.join(self.file())).unwrap();
                let batch = database.transaction().unwrap();
                batch.execute_batch(OLD_TABLES).unwrap();
                insert(&batch, "activity_decisions", &DECISION_COLUMNS, decisions);
                insert(&batch, "activity_sessions", &SESSION_COLUMNS, sessions);
                batch.commit().unwrap();
            }
        }
    }
}

/// Columns of the table of decisions, the payload apart. docs/reference/decisions-and-policy.md, section 8.
pub const DECISION_COLUMNS: [&str; 13] = [
    "decision_id",
    "session_id",
    "agent_id",
    "actor",
    "repository",
    "policy_pack",
    "action_type",
    "target",
    "rule_id",
    "decision",
    "severity",
    "timestamp",
    "correlation_id",
];
/// Columns of the table of sessions, the payload apart.
pub const SESSION_COLUMNS: [&str; 11] = [
    "session_id",
    "agent_id",
    "actor",
    "repository",
    "policy_pack",
    "state",
    "started_at",
    "updated_at",
    "decision_count",
    "blocked_count",
    "approval_required_count",
];

const OLD_TABLES: &str = "
    CREATE TABLE activity_sessions (
        session_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, actor TEXT NOT NULL, repository TEXT NOT NULL,
        policy_pack TEXT NOT NULL, state TEXT NOT NULL, started_at TEXT NOT NULL, updated_at TEXT NOT NULL,
        decision_count INTEGER NOT NULL, blocked_count INTEGER NOT NULL, approval_required_count INTEGER NOT NULL,
        payload TEXT NOT NULL);
    CREATE TABLE activity_decisions (
        decision_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, agent_id TEXT NOT NULL, actor TEXT NOT NULL,
        repository TEXT NOT NULL, policy_pack TEXT NOT NULL, action_type TEXT NOT NULL, target TEXT NOT NULL,
        rule_id TEXT NOT NULL, decision TEXT NOT NULL, severity TEXT NOT NULL, timestamp TEXT NOT NULL,
        correlation_id TEXT NOT NULL, payload TEXT NOT NULL);
    CREATE INDEX idx_activity_decisions_session ON activity_decisions(session_id);
    CREATE INDEX idx_activity_sessions_agent ON activity_sessions(agent_id);";

fn insert(database: &Connection, table: &str, columns: &[&str], records: &[Value]) {
    let places: Vec<_> =
        columns.iter().enumerate().map(|(at, _)| format!("json_extract(?1, '$.{}')", columns[at])).collect();
    let statement = format!("INSERT INTO {table} ({}, payload) VALUES ({}, ?1)", columns.join(", "), places.join(", "));
    for record in records {
        database.execute(&statement, params![record.to_string()]).unwrap();
    }
}

/// A decision as the existing product stores it, without our additions.
#[derive(Clone, Copy)]
pub struct OldDecision {
    pub id: u32,
    pub session: &'static str,
    pub agent: &'static str,
    pub repository: &'static str,
    pub decision: &'static str,
    pub severity: &'static str,
    pub action_type: &'static str,
    /// Seconds after a fixed moment in 2021.
    pub second: u32,
}

impl OldDecision {
    pub fn record(self) -> Value {
        let id = format!("dec_{:012x}", self.id);
        json!({
            "schema_version": "cavra.decision.v1", "decision_id": id, "session_id": self.session,
            "agent_id": self.agent, "actor": "ai-agent", "repository": self.repository,
            "action_type": self.action_type, "target": "t", "requested_operation": "read",
            "policy_pack": BASELINE, "policy_id": BASELINE, "rule_id": "r.x", "decision": self.decision,
            "severity": self.severity, "reason": null,
            "evidence_refs": [format!("evidence://{}/{id}", self.session)], "approver_group": null,
            "timestamp": format!("2021-03-04T05:{:02}:{:02}.000000+00:00", self.second / 60, self.second % 60),
            "correlation_id": format!("corr_{:012x}", self.id),
        })
    }
}

/// All stored records of a kind.
pub fn records(home: &Home, backend: Backend, collection: &str, table: &str) -> Vec<Value> {
    match backend {
        Backend::Json => home.json(backend.file())[collection].as_array().unwrap().clone(),
        Backend::Sqlite => {
            let database = Connection::open(home.join(backend.file())).unwrap();
            let mut statement = database.prepare(&format!("SELECT payload FROM {table}")).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(|payload| serde_json::from_str(&payload.unwrap()).unwrap()).collect()
        }
    }
}
