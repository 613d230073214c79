//! The shapes of bodies and answers, for the OpenAPI document. Handlers work on the core's own types; an end-to-end
//! test checks real answers against these shapes.

#![allow(dead_code, reason = "these types only describe JSON; nobody constructs them")]

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Components, ComponentsBuilder};

/// Records whose members are checked by the core and not described here.
const OPEN: [&str; 8] = [
    "Approval",
    "ApprovalRequest",
    "ApprovalRuling",
    "Object",
    "PolicyRollout",
    "PolicyRolloutList",
    "Repository",
    "RepositoryList",
];

/// All named schemas.
pub fn components() -> Components {
    let object = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Object)).build();
    OPEN.into_iter()
        .fold(ComponentsBuilder::new(), |components, name| components.schema(name, object()))
        .schema_from::<ComplianceMapping>()
        .schema_from::<DecisionRecord>()
        .schema_from::<DecisionRequest>()
        .schema_from::<EvidenceMetadata>()
        .schema_from::<Health>()
        .schema_from::<PolicyPack>()
        .schema_from::<PolicyPackCatalog>()
        .schema_from::<PolicyPackCatalogItem>()
        .schema_from::<PolicyPackSummary>()
        .schema_from::<Problem>()
        .schema_from::<RiskEvent>()
        .schema_from::<SessionRecord>()
        .schema_from::<SessionRequest>()
        .schema_from::<Version>()
        .build()
}

/// Health of the server.
#[derive(ToSchema)]
struct Health {
    /// `ok`.
    status: String,
    /// `CAVRA`.
    product: String,
}

/// Version of the server.
#[derive(ToSchema)]
struct Version {
    /// Semantic version.
    version: String,
    /// Name of the server.
    name: String,
}

/// RFC 9457 problem details.
#[derive(ToSchema)]
struct Problem {
    /// Kind of problem.
    r#type: String,
    /// Name of the status.
    title: String,
    /// HTTP status.
    status: u16,
    /// One sentence, or for 422 a list of places that could not be parsed.
    detail: Value,
}

/// An action to be decided. Unknown members are ignored; the outcome cannot be sent.
#[derive(ToSchema)]
struct DecisionRequest {
    /// `read_file`, `write_file`, `execute_command`, `git_operation` or `mcp_tool_call`.
    action_type: String,
    /// Path, command line, or remote and branch.
    target: Option<String>,
    /// Name of the git operation; default `push`.
    operation: Option<String>,
    /// Text about to be written by `write_file`, for components that look at it; its digest is recorded, not the text.
    content: Option<String>,
    /// MCP server.
    server: Option<String>,
    /// MCP tool.
    tool: Option<String>,
    /// Capability the MCP call needs.
    capability: Option<String>,
    /// Policy pack; default `cavra-ai-agent-baseline`.
    policy_pack: Option<String>,
    /// Mode whose overlay is wanted in the answer; the stored record stays as decided.
    policy_mode: Option<String>,
    /// Directory in which a command would run: absolute, or relative to the repository; default is its root.
    cwd: Option<String>,
    /// Session; default `local`.
    session_id: Option<String>,
    /// Agent; default `unknown-agent`.
    agent_id: Option<String>,
    /// Who is behind the agent; default `ai-agent`.
    actor: Option<String>,
    /// Repository; default `local`.
    repository: Option<String>,
    /// Kept if sent, at most 128 characters.
    correlation_id: Option<String>,
}

/// A decision, `cavra.decision.v1`.
#[derive(ToSchema)]
struct DecisionRecord {
    /// `cavra.decision.v1`.
    schema_version: String,
    /// `dec_` and 12 hex digits.
    decision_id: String,
    /// Session.
    session_id: String,
    /// Agent.
    agent_id: String,
    /// Who is behind the agent.
    actor: String,
    /// Repository.
    repository: String,
    /// Kind of action.
    action_type: String,
    /// What is acted upon.
    target: String,
    /// What is done to it.
    requested_operation: String,
    /// Pack that was asked for.
    policy_pack: String,
    /// The same name.
    policy_id: String,
    /// Rule that decided.
    rule_id: String,
    /// `allow`, `block`, `require_approval`, `warn`, `audit_only` or `allow_with_attestation`.
    decision: String,
    /// `low`, `medium`, `high` or `critical`.
    severity: String,
    /// One sentence for humans.
    reason: Option<String>,
    /// Where the evidence is.
    evidence_refs: Vec<String>,
    /// Who may approve.
    approver_group: Option<String>,
    /// RFC 3339, UTC, microseconds.
    timestamp: String,
    /// `corr_` and 12 hex digits, or the caller's own.
    correlation_id: String,
    /// Version of the pack.
    pack_version: Option<String>,
    /// Digest of the compiled policy.
    policy_digest: Option<String>,
}

/// What a client says about a session.
#[derive(ToSchema)]
struct SessionRequest {
    /// Key of the session.
    session_id: String,
    /// Agent.
    agent_id: Option<String>,
    /// Who is behind the agent.
    actor: Option<String>,
    /// Repository.
    repository: Option<String>,
    /// Policy pack.
    policy_pack: Option<String>,
    /// `active`, `completed`, `failed` or `archived`; `status` is another name for it.
    state: Option<String>,
    /// RFC 3339.
    started_at: Option<String>,
    /// RFC 3339.
    updated_at: Option<String>,
    /// Ignored once decisions are stored for the session; so are the other counts.
    decision_count: Option<u64>,
    /// See `decision_count`.
    blocked_count: Option<u64>,
    /// See `decision_count`.
    approval_required_count: Option<u64>,
    /// A text or a list of texts.
    evidence_refs: Option<Vec<String>>,
}

/// A session, `cavra.session.v1`.
#[derive(ToSchema)]
struct SessionRecord {
    /// `cavra.session.v1`.
    schema_version: String,
    /// Key of the session.
    session_id: String,
    /// Agent of the latest decision.
    agent_id: String,
    /// Actor of the latest decision.
    actor: String,
    /// Repository of the latest decision.
    repository: String,
    /// Pack of the latest decision.
    policy_pack: String,
    /// `active`, `completed`, `failed` or `archived`.
    state: String,
    /// RFC 3339, UTC, microseconds.
    started_at: String,
    /// RFC 3339, UTC, microseconds; only moves forward.
    updated_at: String,
    /// Number of decisions.
    decision_count: u64,
    /// Number of blocked actions.
    blocked_count: u64,
    /// Number of actions that need approval.
    approval_required_count: u64,
    /// The client's references and those of all decisions.
    evidence_refs: Vec<String>,
}

/// A decision somebody should look at.
#[derive(ToSchema)]
struct RiskEvent {
    /// `risk_` and the decision's id.
    event_id: String,
    /// The decision.
    decision_id: String,
    /// Session.
    session_id: String,
    /// Agent.
    agent_id: String,
    /// Repository.
    repository: String,
    /// Kind of action.
    action_type: String,
    /// What is acted upon.
    target: String,
    /// `block`, `require_approval` or `warn`.
    decision: String,
    /// Severity.
    severity: String,
    /// Rule that decided.
    rule_id: String,
    /// Policy pack.
    policy_pack: String,
    /// One sentence for humans.
    reason: Option<String>,
    /// RFC 3339, UTC, microseconds.
    timestamp: String,
}

/// A policy pack as written.
#[derive(ToSchema)]
struct PolicyPack {
    /// `metadata.id`, or the directory's name.
    id: String,
    /// Title.
    title: Option<String>,
    /// Description.
    description: Option<String>,
    /// Version.
    version: Option<String>,
    /// The parsed `policy.yaml`.
    policy: Value,
}

/// The catalog of packs, `cavra.policy_pack.catalog.v1`.
#[derive(ToSchema)]
struct PolicyPackCatalog {
    /// `cavra.policy_pack.catalog.v1`.
    schema_version: String,
    /// `CAVRA`.
    product: String,
    /// Number of packs.
    total: u64,
    /// The packs.
    items: Vec<PolicyPackCatalogItem>,
}

/// A pack in the catalog.
#[derive(ToSchema)]
struct PolicyPackCatalogItem {
    /// `metadata.id`, or the directory's name.
    id: String,
    /// Title.
    title: Option<String>,
    /// Description.
    description: Option<String>,
    /// Version.
    version: Option<String>,
    /// Rule counts.
    summary: PolicyPackSummary,
}

/// Rule counts of a pack as written.
#[derive(ToSchema)]
struct PolicyPackSummary {
    /// Id of the policy.
    policy_id: String,
    /// Title.
    title: Option<String>,
    /// Version.
    version: Option<String>,
    /// Parent pack or packs.
    inherits: Option<Value>,
    /// Policy mode; `enforce` if the pack does not say.
    mode: String,
    /// Rules by section.
    rule_counts: Value,
}

/// A control that a pack maps to.
#[derive(ToSchema)]
struct ComplianceMapping {
    /// Pack.
    policy_pack: String,
    /// Its title.
    title: Option<String>,
    /// Name of the control.
    control: String,
}

/// Evidence metadata, `cavra.evidence.metadata.v1`; other members are kept as they are sent.
#[derive(ToSchema)]
struct EvidenceMetadata {
    /// `cavra.evidence.metadata.v1`, whatever is sent.
    schema_version: Option<String>,
    /// `CAVRA`, whatever is sent.
    product: Option<String>,
    /// Key: id of the session, rollout, execution, request, export or delivery.
    session_id: String,
    /// RFC 3339; now, if it is not sent.
    created_at: Option<String>,
    /// Who signed.
    signer: Option<String>,
    /// Number of decisions.
    decision_count: Option<u64>,
    /// Number of blocked actions.
    blocked_count: Option<u64>,
    /// Number of actions that need approval.
    approval_required_count: Option<u64>,
    /// What it is evidence of; absent for sessions.
    metadata_kind: Option<String>,
    /// Endpoints or groups of them.
    deployment_targets: Option<Vec<String>>,
    /// State of the approval, as it is now where `approval_id` names a known one.
    approval_state: Option<String>,
}
