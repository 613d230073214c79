//! The nouns of cavra and the pure rules between them: what an action is, what a finding is, how findings become
//! one decision, and what a stored record looks like. No I/O, no clock of its own beyond [`Timestamp::now`], no async.
//!
//! Every other crate depends on this one; it depends on none of them.

mod action;
mod agent_standing;
mod approval;
mod approval_shown;
mod authorization;
mod canonical;
mod change_plan;
mod chat;
mod decision;
mod effects;
mod facts;
mod finding;
mod id;
mod integration;
mod inventory;
mod kind;
mod kinds;
mod mcp_trust;
pub mod members;
mod metadata_kind;
mod mode;
mod names;
mod notification_kinds;
mod person;
mod record_schema;
mod registry;
mod rollout;
mod routing;
mod schemas;
mod session;
mod time;
mod view;

pub use action::{Action, ActionType, COMPUTED, CommandLine, CommandPart, FileAccess, GitOperation, McpToolCall};
pub use agent_standing::{AGENT_STATUS, AGENT_STATUSES, judge_agent};
pub use approval::{
    ApprovalConflict, ApprovalRequest, ApprovalState, DecidedBy, Ruling, approval_summary, attach_approval, authorizes,
    break_glass_approval, end_break_glass, expire_if_lapsed, has_lapsed, is_unverified, is_used, is_used_for,
    mark_used, request_approval, rule_on, state,
};
pub use approval_shown::{action_digest, contradictions, is_as_shown, shown_action, shown_digest};
pub use authorization::{Authorization, Binding, authorization_problems};
pub use canonical::{Digest, canonical, canonical_spaced};
pub use cavra_json::{JsonError, Object, is_private_name, read_json};
pub use change_plan::{
    Change, ChangePlan, REPLACES, check_rollout_plan, plan_rollout, replaced, requested_rollout, still_fits,
};
pub use chat::ChatService;
pub use decision::{
    ActionInput, Context, Decided, DecisionRecord, Governance, InvalidRecord, Subject, combine, normalize_decision,
    stamp,
};
pub use effects::{
    Certainty, ChangeEffect, Doubt, Effects, EnvironmentEffect, FileEffect, FilePlace, FileUse, NetworkEffect,
    RunEffect,
};
pub use facts::{Facts, IGNORES_CASE, McpRegistration, McpRegistry};
pub use finding::{ENGINE_ERROR, Finding, NO_RULE_ABOUT_ADDRESS, Outcome, Severity, UNVERIFIED_PACK};
pub use id::{NoRandomness, fill_random, new_correlation_id, new_decision_id, random_hex};
pub use integration::{INTEGRATION_SCHEMA, SEVERITY_RANKS};
pub use inventory::{REPOSITORY_SCHEMA, ROLLOUT_SCHEMA};
pub use kind::{Apart, Column, ColumnType, Direction, Filter, Inquiry, Kind, Operator, Order, Place};
pub use kinds::{
    AGENTS, API_TOKENS, APPROVALS, COUNTED_SESSIONS, DECISIONS, DELIVERIES, DELIVERY_LANES, EVIDENCE_DOCUMENT_USES,
    EVIDENCE_DOCUMENTS, EVIDENCE_METADATA, EVIDENCE_ORIGINS, INTEGRATIONS, KINDS, MCP_SERVERS, POLICY_ARCHIVE,
    POLICY_ROLLOUTS, PUBLICATIONS, REPOSITORIES, SESSIONS, WORKER_JOBS,
};
pub use mcp_trust::{McpTrust, judge_mcp_call};
pub use metadata_kind::{
    Artifact, ArtifactSet, BUNDLE_FILES, CHANNEL_PROMOTIONS, CHECKSUMS, ENDPOINT_AUTOMATIONS, ENDPOINT_EXPORTS,
    ENDPOINT_FRESHNESS, ENDPOINT_HANDOFF_STATUSES, ENDPOINT_HANDOFFS, ENDPOINT_INGESTIONS, ENDPOINT_PUBLICATIONS,
    ENDPOINT_RECONCILIATIONS, ENDPOINT_REMEDIATION_EXECUTIONS, ENDPOINT_REMEDIATIONS, EVIDENCE, EXPORT_FILES,
    Integrity, METADATA_KINDS, MetadataKind, Offered, PROMOTION_EXECUTIONS, RELEASE_DELIVERIES, ROLLBACK_EXECUTIONS,
    ROLLOUT_FILES, ROLLOUTS,
};
pub use mode::{BreakGlass, Overlay, PolicyMode, UnknownMode};
pub use names::{DEFAULT_PACK, InvalidPackName, PackName, slug, word};
pub use notification_kinds::NOTIFICATION_KINDS;
pub use person::{KnownBy, Person};
pub use record_schema::{Fallback, Member, RecordSchema, SchemaViolation, Shape};
pub use registry::{
    AGENT_PROFILES, AGENT_SCHEMA, APPROVAL_STATES, AgentProfile, MCP_SERVER_SCHEMA, RESERVED_AGENT_IDS,
    TOOL_CLASSIFICATIONS, TRUST_TIERS, ToolClassification, tool_classification,
};
pub use rollout::{governing_rollout, rollout_readiness};
pub use routing::{MAX_QUORUM, Routing, RoutingRule};
pub use session::{Counts, InvalidSession, SHOWN_REFS, SessionState, apply_decision, merge_session, present_session};
pub use time::Timestamp;
pub use view::{Alert, Alerts, Condition, Folder, Level, Measure, Measured, OTHERS, SPREAD, measured};
