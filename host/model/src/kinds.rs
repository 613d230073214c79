//! The record kinds. Adding one means adding a row here.

use crate::kind::{Apart, Column, ColumnType, Direction, Inquiry, Kind, Order, Place};

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

/// Decisions. docs/reference/decisions-and-policy.md, sections 5 and 8.
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
    apart: None,
};

/// Sessions. docs/reference/decisions-and-policy.md, sections 7 and 8.
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
    apart: None,
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
    apart: None,
};

/// Merged policies and components that decisions were made with, each once, by digest.
pub static POLICY_ARCHIVE: Kind = Kind {
    name: "archived policy",
    id: "digest",
    collection: "policy_archive",
    table: "activity_policy_archive",
    columns: &[text("media_type"), text("archived_at")],
    beside: true,
    order: Order { by: "archived_at", direction: Direction::Descending },
    apart: None,
};

/// Agents that may act.
pub static AGENTS: Kind = Kind {
    name: "agent",
    id: "agent_id",
    collection: "agents",
    table: "registry_agents",
    columns: &[filter("status"), filter("owner"), text("updated_at")],
    order: Order { by: "agent_id", direction: Direction::Ascending },
    beside: false,
    apart: None,
};

/// MCP servers of the trust registry.
pub static MCP_SERVERS: Kind = Kind {
    name: "mcp server",
    id: "server_id",
    collection: "mcp_servers",
    table: "registry_mcp_servers",
    columns: &[
        lookup("name"),
        filter("trust_tier"),
        filter("approval_state"),
        list("capabilities"),
        text("updated_at"),
    ],
    order: Order { by: "server_id", direction: Direction::Ascending },
    beside: false,
    apart: None,
};

/// Approvals. docs/reference/approvals-identity-authoring.md, sections 1 and 3.
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
    apart: None,
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
    apart: None,
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
    apart: None,
};

/// Repositories. docs/reference/approvals-identity-authoring.md, sections 1 and 5.
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
    apart: None,
};

/// Policy rollouts. docs/reference/approvals-identity-authoring.md, sections 1 and 6.
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
    apart: None,
};

/// What evidence there is. docs/reference/evidence-and-promotion.md, sections 1.1 and 1.5: the table is that of the existing product.
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
        member("request_id"),
        member("export_id"),
        member("provider"),
        member("alert_level"),
        member("drift_status"),
        member("reconciliation_id"),
        member("execution_status"),
        member("handoff_id"),
        member("handoff_status"),
        member("external_ref"),
        list("deployment_targets"),
        list("providers"),
        list("latest_ingestions.provider"),
        list("latest_ingestions.channel"),
        list("latest_ingestions.deployment_target"),
        flag("delivery_success"),
    ],
    order: Order { by: "created_at", direction: Direction::Descending },
    beside: false,
    apart: Some(Apart { documents: &EVIDENCE_DOCUMENTS, uses: &EVIDENCE_DOCUMENT_USES }),
};

/// Large parts of evidence metadata, such as the observations of a fleet: inventory, report, request and hand-off have them all,
/// and they are kept once.
pub static EVIDENCE_DOCUMENTS: Kind = Kind {
    name: "document of evidence metadata",
    id: "sha256",
    collection: "evidence_documents",
    table: "evidence_documents",
    columns: &[integer("bytes")],
    order: Order { by: "sha256", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// Which record of [`EVIDENCE_METADATA`] has which of [`EVIDENCE_DOCUMENTS`]. A document goes with its last record.
pub static EVIDENCE_DOCUMENT_USES: Kind = Kind {
    name: "use of a document of evidence metadata",
    id: "document_use",
    collection: "evidence_document_uses",
    table: "evidence_document_uses",
    columns: &[lookup("sha256"), text("record_id")],
    order: Order { by: "document_use", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// What the server itself wrote into [`EVIDENCE_METADATA`], and what it may do only once. docs/reference/evidence-and-promotion.md, section 1.2.
pub static EVIDENCE_ORIGINS: Kind = Kind {
    name: "origin of evidence metadata",
    id: "subject",
    collection: "origins",
    table: "evidence_origins",
    columns: &[text("record_id"), text("written_at")],
    order: Order { by: "subject", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// Integrations with other systems.
pub static INTEGRATIONS: Kind = Kind {
    name: "integration",
    id: "integration_id",
    collection: "integrations",
    table: "integrations",
    columns: &[
        filter("provider"),
        filter("category"),
        filter("status"),
        filter("owner"),
        filter("environment"),
        filter("health_status"),
        text("updated_at"),
    ],
    order: Order { by: "integration_id", direction: Direction::Ascending },
    beside: false,
    apart: None,
};

/// Deliveries to integrations: what arrived, and what did not. Those that are to be made again say for whom.
pub static DELIVERIES: Kind = Kind {
    name: "delivery",
    id: "delivery_id",
    collection: "deliveries",
    table: "integration_deliveries",
    columns: &[
        filter("integration_id"),
        filter("event_type"),
        filter("state"),
        lookup("pending_for"),
        text("queued_at"),
        text("updated_at"),
    ],
    order: Order { by: "queued_at", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// How far each integration has been told what it wants to be told, and how that fares.
pub static DELIVERY_LANES: Kind = Kind {
    name: "delivery lane",
    id: "integration_id",
    collection: "delivery_lanes",
    table: "integration_delivery_lanes",
    columns: &[text("updated_at")],
    order: Order { by: "integration_id", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// Jobs that servers do by themselves: which window each has been done for, by whom, and how that went.
pub static WORKER_JOBS: Kind = Kind {
    name: "worker job",
    id: "job",
    collection: "worker_jobs",
    table: "worker_jobs",
    columns: &[text("updated_at")],
    order: Order { by: "job", direction: Direction::Ascending },
    beside: true,
    apart: None,
};

/// Every kind there is.
pub static KINDS: [&Kind; 19] = [
    &DECISIONS,
    &SESSIONS,
    &COUNTED_SESSIONS,
    &POLICY_ARCHIVE,
    &AGENTS,
    &MCP_SERVERS,
    &APPROVALS,
    &PUBLICATIONS,
    &API_TOKENS,
    &REPOSITORIES,
    &POLICY_ROLLOUTS,
    &EVIDENCE_METADATA,
    &EVIDENCE_ORIGINS,
    &EVIDENCE_DOCUMENTS,
    &EVIDENCE_DOCUMENT_USES,
    &INTEGRATIONS,
    &DELIVERIES,
    &DELIVERY_LANES,
    &WORKER_JOBS,
];

impl Kind {
    /// Whether its records are parts of other kinds' records ([`Kind::apart`]): they come and go with those.
    #[must_use]
    pub fn is_part(&self) -> bool {
        let mut apart = KINDS.iter().filter_map(|kind| kind.apart);
        apart.any(|apart| [apart.documents.table, apart.uses.table].contains(&self.table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_left_out() {
        let declared = include_str!("kinds.rs").lines().filter(|line| line.ends_with(": Kind = Kind {")).count();
        let tables: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.table).collect();
        assert_eq!((KINDS.len(), tables.len()), (declared, declared));
    }

    /// docs/reference/decisions-and-policy.md, sections 5.2 and 7; docs/reference/approvals-identity-authoring.md, sections 3.4, 5 and 6.
    #[test]
    fn callers_filter_by_what_the_contract_names() {
        for (kind, declared) in [
            (&DECISIONS, "session_id agent_id repository policy_pack action_type decision severity"),
            (&SESSIONS, "agent_id repository policy_pack state"),
            (&APPROVALS, "state approver_group"),
            (&AGENTS, "status owner"),
            (&MCP_SERVERS, "trust_tier approval_state"),
            (&REPOSITORIES, "provider owner policy_pack risk_tier status"),
            (&POLICY_ROLLOUTS, "repository policy_pack state mode owner"),
            (&INTEGRATIONS, "provider category status owner environment health_status"),
            (&DELIVERIES, "integration_id event_type state"),
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
