//! Record kinds, declared as data. The stores, the list endpoints and the CLI read these declarations; adding a
//! kind means adding a row here.

/// One kind of record.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Singular name for messages: `decision not found`.
    pub name: &'static str,
    /// Member that holds the key.
    pub id: &'static str,
    /// Member of the JSON store document that holds the list of records.
    pub collection: &'static str,
    /// SQLite table. Its columns are the key, [`Kind::columns`] and `payload`, the whole record as JSON text.
    pub table: &'static str,
    /// Members kept as columns beside the payload, for filters and order.
    pub columns: &'static [Column],
    /// Order of lists; ties are broken by the key, ascending.
    pub order: Order,
}

/// One member that is also a column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of member and column.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Lists can be filtered by it, so it is indexed.
    pub filter: bool,
    /// It has few distinct values, so the store keeps counts by it and a list's `total` needs no scan.
    pub facet: bool,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Whole number.
    Integer,
}

/// Order of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// Column ordered by.
    pub by: &'static str,
    /// Direction.
    pub direction: Direction,
}

/// Direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first, such as the newest time.
    Descending,
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: ColumnType::Text, filter: false, facet: false }
}

const fn filter(name: &'static str) -> Column {
    Column { filter: true, ..text(name) }
}

const fn facet(name: &'static str) -> Column {
    Column { facet: true, ..filter(name) }
}

const fn integer(name: &'static str) -> Column {
    Column { kind: ColumnType::Integer, ..text(name) }
}

/// Decisions. Contract 10, sections 5 and 8.
pub static DECISIONS: Kind = Kind {
    name: "decision",
    id: "decision_id",
    collection: "decisions",
    table: "activity_decisions",
    columns: &[
        filter("session_id"),
        facet("agent_id"),
        text("actor"),
        facet("repository"),
        facet("policy_pack"),
        facet("action_type"),
        text("target"),
        text("rule_id"),
        facet("decision"),
        facet("severity"),
        text("timestamp"),
        text("correlation_id"),
    ],
    order: Order { by: "timestamp", direction: Direction::Descending },
};

/// Sessions. Contract 10, sections 7 and 8.
pub static SESSIONS: Kind = Kind {
    name: "session",
    id: "session_id",
    collection: "sessions",
    table: "activity_sessions",
    columns: &[
        filter("agent_id"),
        text("actor"),
        filter("repository"),
        filter("policy_pack"),
        filter("state"),
        text("started_at"),
        text("updated_at"),
        integer("decision_count"),
        integer("blocked_count"),
        integer("approval_required_count"),
    ],
    order: Order { by: "updated_at", direction: Direction::Descending },
};

/// Merged policies and components that decisions were made with, each once, by digest. Design, section 7.
pub static POLICY_ARCHIVE: Kind = Kind {
    name: "archived policy",
    id: "digest",
    collection: "policy_archive",
    table: "activity_policy_archive",
    columns: &[text("media_type"), text("archived_at")],
    order: Order { by: "archived_at", direction: Direction::Descending },
};

/// MCP servers of the trust registry. Contract 50, section 5.
pub static MCP_SERVERS: Kind = Kind {
    name: "mcp server",
    id: "server_id",
    collection: "mcp_servers",
    table: "registry_mcp_servers",
    columns: &[filter("name"), filter("trust_tier"), filter("approval_state"), text("updated_at")],
    order: Order { by: "server_id", direction: Direction::Ascending },
};

/// Approvals. Contract 20, sections 1 and 3.
pub static APPROVALS: Kind = Kind {
    name: "approval",
    id: "approval_id",
    collection: "items",
    table: "approvals",
    columns: &[
        filter("decision_id"),
        filter("session_id"),
        facet("state"),
        facet("approver_group"),
        text("requested_by"),
        text("requested_at"),
        text("expires_at"),
        text("decided_by"),
        text("decided_at"),
        text("external_ref"),
        integer("break_glass"),
    ],
    order: Order { by: "requested_at", direction: Direction::Descending },
};

/// Publications of policy packs: begun before the files are written, finished after.
pub static PUBLICATIONS: Kind = Kind {
    name: "policy publication",
    id: "publication_id",
    collection: "policy_publications",
    table: "policy_publications",
    columns: &[filter("policy_id"), filter("approval_id"), text("state"), text("started_at")],
    order: Order { by: "started_at", direction: Direction::Descending },
};

/// API tokens of machines.
pub static API_TOKENS: Kind = Kind {
    name: "API token",
    id: "token_id",
    collection: "tokens",
    table: "api_tokens",
    columns: &[filter("name"), filter("state"), text("created_at"), text("expires_at")],
    order: Order { by: "created_at", direction: Direction::Descending },
};

/// Repositories. Contract 20, sections 1 and 5.
pub static REPOSITORIES: Kind = Kind {
    name: "repository",
    id: "repository_id",
    collection: "repositories",
    table: "inventory_repositories",
    columns: &[
        filter("repository"),
        filter("provider"),
        filter("owner"),
        filter("policy_pack"),
        filter("risk_tier"),
        filter("status"),
        text("updated_at"),
    ],
    order: Order { by: "repository", direction: Direction::Ascending },
};

/// Policy rollouts. Contract 20, sections 1 and 6.
pub static POLICY_ROLLOUTS: Kind = Kind {
    name: "policy rollout",
    id: "rollout_id",
    collection: "policy_rollouts",
    table: "inventory_policy_rollouts",
    columns: &[
        filter("repository"),
        filter("policy_pack"),
        filter("state"),
        filter("mode"),
        filter("owner"),
        text("updated_at"),
    ],
    order: Order { by: "rollout_id", direction: Direction::Ascending },
};
