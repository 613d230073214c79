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
    /// What is kept beside the records of the store's other kinds. A JSON store does not mention it while there is
    /// none, so that files of other products stay as they are.
    pub beside: bool,
}

impl Kind {
    /// The columns of the SQLite table beside key and payload.
    pub fn table_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.place == Place::Table)
    }

    /// The columns that callers may filter its lists by.
    pub fn parameters(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.filters() && column.asked != Inquiry::Lookup)
    }

    /// What one of its records is called in a sentence: `an approval record`.
    #[must_use]
    pub fn one_record(&self) -> String {
        let article = if self.name.starts_with(['a', 'e', 'i', 'o', 'u', 'A']) { "an" } else { "a" };
        format!("{article} {} record", self.name)
    }

    /// Whether a record's place in lists changes with nearly every write of it.
    #[must_use]
    pub fn order_moves(&self) -> bool {
        self.columns.iter().any(|column| column.moves && column.name == self.order.by)
    }
}

/// One member that is also a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of member and column.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Where a database has it.
    pub place: Place,
    /// How lists are asked for it.
    pub asked: Inquiry,
    /// It changes with nearly every write of a record, so indexes by other columns leave it out.
    pub moves: bool,
    /// The table says `NOT NULL`.
    pub not_null: bool,
}

impl Column {
    /// Lists can be filtered by it: it equals a text.
    #[must_use]
    pub const fn filters(&self) -> bool {
        matches!(self.asked, Inquiry::Lookup | Inquiry::Filter | Inquiry::Facet | Inquiry::Frequent)
    }

    /// The store keeps the sets of records that have each of its values.
    #[must_use]
    pub const fn is_facet(&self) -> bool {
        matches!(self.asked, Inquiry::Facet | Inquiry::Frequent)
    }

    /// Lists can be asked for it by any operator that fits its type.
    #[must_use]
    pub const fn answers(&self) -> bool {
        matches!(self.asked, Inquiry::Question | Inquiry::OftenEqual)
    }

    /// It has an index.
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        matches!(self.asked, Inquiry::Lookup | Inquiry::Filter | Inquiry::Facet | Inquiry::OftenEqual)
    }
}

/// How lists are asked for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// They are not.
    Never,
    /// Only the product itself filters by it, to look something up; callers cannot.
    Lookup,
    /// Callers filter by it.
    Filter,
    /// A filter of whose values many records share each, in long lists: the store keeps the sets of records that have a
    /// value, so a list's `total` needs no scan.
    Facet,
    /// A facet of records that are written once, about in the order of lists: the newest of a value are found by the sets,
    /// and an index would cost every write more than all else.
    Frequent,
    /// By any operator that fits its type.
    Question,
    /// A question that is often for equality and then selective, so it has an index.
    OftenEqual,
}

/// Where a database has a column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a column of the table.
    Table,
    /// In the payload only; what is asked often is indexed by expression. This leaves a table as another product
    /// made it.
    Payload,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// Time, kept by the record as it was sent and by the column in the one form whose order is that of time. What
    /// is no time comes before all times.
    Instant,
    /// List of texts.
    List,
    /// Yes or no.
    Flag,
}

/// How a question of a list compares a member with the value of its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is this text.
    Equals,
    /// It contains this text; letters count as they are and no character is special.
    Contains,
    /// It is at least this number.
    AtLeast,
    /// It is a list that has this text.
    HasElement,
    /// Whether it is greater than zero.
    GreaterZero,
    /// It is this truth value.
    Is,
    /// It is this text, where the approval named by the record's `approval_id` has the last word on what it is.
    CurrentApproval,
}

/// One question that a list understands.
#[derive(Debug, PartialEq, Eq)]
pub struct Filter {
    /// Query parameter.
    pub parameter: &'static str,
    /// Member of the record.
    pub member: &'static str,
    /// Comparison.
    pub operator: Operator,
}

impl Filter {
    /// The member is called as the parameter and must be equal.
    #[must_use]
    pub const fn equals(name: &'static str) -> Self {
        Self::new(name, name, Operator::Equals)
    }

    /// Any question.
    #[must_use]
    pub const fn new(parameter: &'static str, member: &'static str, operator: Operator) -> Self {
        Self { parameter, member, operator }
    }
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
    Column { name, kind: ColumnType::Text, place: Place::Table, asked: Inquiry::Never, moves: false, not_null: false }
}

const fn filter(name: &'static str) -> Column {
    Column { asked: Inquiry::Filter, ..text(name) }
}

const fn lookup(name: &'static str) -> Column {
    Column { asked: Inquiry::Lookup, ..text(name) }
}

const fn facet(name: &'static str) -> Column {
    Column { asked: Inquiry::Facet, ..text(name) }
}

const fn frequent(name: &'static str) -> Column {
    Column { asked: Inquiry::Frequent, ..text(name) }
}

const fn moving(column: Column) -> Column {
    Column { moves: true, ..column }
}

const fn integer(name: &'static str) -> Column {
    Column { kind: ColumnType::Integer, ..text(name) }
}

const fn asked(column: Column) -> Column {
    Column { asked: Inquiry::Question, ..column }
}

const fn instant(name: &'static str) -> Column {
    Column { kind: ColumnType::Instant, ..text(name) }
}

const fn counter(name: &'static str) -> Column {
    Column { not_null: true, ..asked(integer(name)) }
}

const fn member(name: &'static str) -> Column {
    Column { place: Place::Payload, ..asked(text(name)) }
}

const fn indexed(name: &'static str) -> Column {
    Column { asked: Inquiry::OftenEqual, ..member(name) }
}

const fn list(name: &'static str) -> Column {
    Column { kind: ColumnType::List, ..member(name) }
}

const fn flag(name: &'static str) -> Column {
    Column { kind: ColumnType::Flag, ..member(name) }
}

/// Decisions. Contract 10, sections 5 and 8.
pub static DECISIONS: Kind = Kind {
    name: "decision",
    id: "decision_id",
    collection: "decisions",
    table: "activity_decisions",
    columns: &[
        filter("session_id"),
        frequent("agent_id"),
        text("actor"),
        frequent("repository"),
        frequent("policy_pack"),
        frequent("action_type"),
        text("target"),
        text("rule_id"),
        frequent("decision"),
        frequent("severity"),
        text("timestamp"),
        text("correlation_id"),
    ],
    order: Order { by: "timestamp", direction: Direction::Descending },
    beside: false,
};

/// Sessions. Contract 10, sections 7 and 8.
pub static SESSIONS: Kind = Kind {
    name: "session",
    id: "session_id",
    collection: "sessions",
    table: "activity_sessions",
    columns: &[
        facet("agent_id"),
        text("actor"),
        facet("repository"),
        facet("policy_pack"),
        facet("state"),
        text("started_at"),
        moving(text("updated_at")),
        integer("decision_count"),
        integer("blocked_count"),
        integer("approval_required_count"),
    ],
    order: Order { by: "updated_at", direction: Direction::Descending },
    beside: false,
};

/// Sessions whose counts come from their decisions. Kept apart from the session, whose record is what clients see.
pub static COUNTED_SESSIONS: Kind = Kind {
    name: "counted session",
    id: "session_id",
    collection: "counted_sessions",
    table: "activity_counted_sessions",
    columns: &[text("counted_at")],
    order: Order { by: "counted_at", direction: Direction::Descending },
    beside: true,
};

/// Merged policies and components that decisions were made with, each once, by digest. Design, section 7.
pub static POLICY_ARCHIVE: Kind = Kind {
    name: "archived policy",
    id: "digest",
    collection: "policy_archive",
    table: "activity_policy_archive",
    columns: &[text("media_type"), text("archived_at")],
    beside: true,
    order: Order { by: "archived_at", direction: Direction::Descending },
};

/// MCP servers of the trust registry. Contract 50, section 5.
pub static MCP_SERVERS: Kind = Kind {
    name: "mcp server",
    id: "server_id",
    collection: "mcp_servers",
    table: "registry_mcp_servers",
    columns: &[lookup("name"), filter("trust_tier"), filter("approval_state"), text("updated_at")],
    order: Order { by: "server_id", direction: Direction::Ascending },
    beside: false,
};

/// Approvals. Contract 20, sections 1 and 3.
pub static APPROVALS: Kind = Kind {
    name: "approval",
    id: "approval_id",
    collection: "items",
    table: "approvals",
    columns: &[
        lookup("decision_id"),
        lookup("session_id"),
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
    beside: false,
};

/// Publications of policy packs: begun before the files are written, finished after.
pub static PUBLICATIONS: Kind = Kind {
    name: "policy publication",
    id: "publication_id",
    collection: "policy_publications",
    table: "policy_publications",
    columns: &[lookup("policy_id"), lookup("approval_id"), text("state"), text("started_at")],
    order: Order { by: "started_at", direction: Direction::Descending },
    beside: false,
};

/// API tokens of machines.
pub static API_TOKENS: Kind = Kind {
    name: "API token",
    id: "token_id",
    collection: "tokens",
    table: "api_tokens",
    columns: &[filter("name"), filter("state"), text("created_at"), text("expires_at")],
    order: Order { by: "created_at", direction: Direction::Descending },
    beside: false,
};

/// Repositories. Contract 20, sections 1 and 5.
pub static REPOSITORIES: Kind = Kind {
    name: "repository",
    id: "repository_id",
    collection: "repositories",
    table: "inventory_repositories",
    columns: &[
        lookup("repository"),
        filter("provider"),
        filter("owner"),
        filter("policy_pack"),
        filter("risk_tier"),
        filter("status"),
        text("updated_at"),
    ],
    order: Order { by: "repository", direction: Direction::Ascending },
    beside: false,
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
    beside: false,
};

/// What evidence there is. Contract 30, sections 1.1 and 1.5: the table is that of the existing product.
pub static EVIDENCE_METADATA: Kind = Kind {
    name: "evidence metadata",
    id: "session_id",
    collection: "items",
    table: "evidence_metadata",
    columns: &[
        instant("created_at"),
        asked(text("signer")),
        counter("decision_count"),
        counter("blocked_count"),
        counter("approval_required_count"),
        indexed("metadata_kind"),
        indexed("rollout_id"),
        indexed("approval_id"),
        member("rollout_status"),
        member("environment"),
        member("target_ring"),
        member("approval_state"),
        member("promotion_execution_status"),
        member("rollback_execution_status"),
        member("channel"),
        member("event_id"),
        member("event_type"),
        list("deployment_targets"),
        list("providers"),
        flag("delivery_success"),
    ],
    order: Order { by: "created_at", direction: Direction::Descending },
    beside: false,
};

/// What the server itself wrote into [`EVIDENCE_METADATA`], and what it may do only once. Contract 30, section 1.2.
pub static EVIDENCE_ORIGINS: Kind = Kind {
    name: "origin of evidence metadata",
    id: "subject",
    collection: "origins",
    table: "evidence_origins",
    columns: &[text("record_id"), text("written_at")],
    order: Order { by: "subject", direction: Direction::Ascending },
    beside: true,
};

/// Every kind there is.
pub static KINDS: [&Kind; 12] = [
    &DECISIONS,
    &SESSIONS,
    &COUNTED_SESSIONS,
    &POLICY_ARCHIVE,
    &MCP_SERVERS,
    &APPROVALS,
    &PUBLICATIONS,
    &API_TOKENS,
    &REPOSITORIES,
    &POLICY_ROLLOUTS,
    &EVIDENCE_METADATA,
    &EVIDENCE_ORIGINS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_left_out() {
        let declared = include_str!("kind.rs").lines().filter(|line| line.ends_with(": Kind = Kind {")).count();
        let tables: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.table).collect();
        assert_eq!((KINDS.len(), tables.len()), (declared, declared));
    }

    /// Contract 10, sections 5.2 and 7; contract 20, sections 3.4, 5 and 6.
    #[test]
    fn callers_filter_by_what_the_contract_names() {
        for (kind, declared) in [
            (&DECISIONS, "session_id agent_id repository policy_pack action_type decision severity"),
            (&SESSIONS, "agent_id repository policy_pack state"),
            (&APPROVALS, "state approver_group"),
            (&REPOSITORIES, "provider owner policy_pack risk_tier status"),
            (&POLICY_ROLLOUTS, "repository policy_pack state mode owner"),
        ] {
            let names: Vec<_> = kind.parameters().map(|column| column.name).collect();
            assert_eq!(names.join(" "), declared, "{}", kind.name);
        }
    }

    #[test]
    fn records_in_a_sentence() {
        assert_eq!(APPROVALS.one_record(), "an approval record");
        assert_eq!(EVIDENCE_METADATA.one_record(), "an evidence metadata record");
        assert_eq!(API_TOKENS.one_record(), "an API token record");
        assert_eq!(DECISIONS.one_record(), "a decision record");
    }
}
