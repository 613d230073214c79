//! The shapes of bodies and answers, for the OpenAPI document. Handlers work on the core's own types; an end-to-end
//! test checks real answers against these shapes.

#![allow(dead_code, reason = "these types only describe JSON; nobody constructs them")]

use cavra_model::{
    AGENT_SCHEMA, AgentProfile, DecisionRecord, Fallback, INTEGRATION_SCHEMA, MCP_SERVER_SCHEMA, McpTrust, Member,
    Overlay, PolicyMode, REPOSITORY_SCHEMA, ROLLOUT_SCHEMA, RecordSchema, Shape, ToolClassification,
};
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Components, ComponentsBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::documents::with_documents;
use crate::endpoint::array_of;

/// Records that are declared as tables: the name of the record, of what a client sends of it, of a list of them.
static DECLARED: [(&str, &str, &str, &RecordSchema); 5] = [
    ("Repository", "RepositoryDraft", "RepositoryList", &REPOSITORY_SCHEMA),
    ("PolicyRollout", "PolicyRolloutDraft", "PolicyRolloutList", &ROLLOUT_SCHEMA),
    ("Agent", "AgentDraft", "AgentList", &AGENT_SCHEMA),
    ("McpServer", "McpServerDraft", "McpServerList", &MCP_SERVER_SCHEMA),
    ("Integration", "IntegrationDraft", "IntegrationList", &INTEGRATION_SCHEMA),
];

/// All named schemas.
pub fn components() -> Components {
    let open = with_documents(ComponentsBuilder::new());
    let declared = DECLARED.iter().fold(open, |components, (record, draft, list, table)| {
        components.schema(*record, record_of(table)).schema(*draft, draft_of(table)).schema(*list, list_of(record))
    });
    let declared = typed::<AgentProfile>(typed::<ToolClassification>(typed::<McpTrust>(declared)));
    let mut all = typed::<PolicyMode>(typed::<DecisionRecord>(declared))
        .schema("Governance", merged::<Overlay>(of_type_with("rollout_id"), true))
        .schema("DecisionAnswer", merged::<Overlay>(DecisionRecord::schema(), false))
        .schema("AgentProfileList", list_of("AgentProfile"))
        .schema("ToolClassificationList", list_of("ToolClassification"))
        .schema_from::<ComplianceMapping>()
        .schema_from::<DecisionRequest>()
        .schema("EvidenceMetadata", open_to_more(EvidenceMetadata::schema()))
        .schema_from::<Health>()
        .schema_from::<PolicyPack>()
        .schema_from::<PolicyPackCatalog>()
        .schema_from::<PolicyPackCatalogItem>()
        .schema_from::<PolicyPackSummary>()
        .schema_from::<Problem>()
        .schema_from::<RiskEvent>()
        .schema_from::<SessionRecord>()
        .schema_from::<SessionReference>()
        .schema_from::<SessionReferences>()
        .schema_from::<SessionRequest>()
        .schema_from::<Version>()
        .build();
    // Its members stand beside those of whatever it is laid over.
    all.schemas.remove("Overlay");
    all
}

/// A type with everything that it refers to.
fn typed<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    components.schema_from::<T>().schemas_from_iter(parts)
}

/// An object with the members of `T` beside its own, as a flattened member has them; they are there always, or not always.
fn merged<T: ToSchema>(own: RefOr<Schema>, always: bool) -> RefOr<Schema> {
    let (RefOr::T(Schema::Object(mut own)), RefOr::T(Schema::Object(more))) = (own.clone(), T::schema()) else {
        return own;
    };
    own.properties.extend(more.properties);
    if always {
        own.required.extend(more.required);
    }
    RefOr::T(Schema::Object(own))
}

/// An object beside whose members others may stand.
fn open_to_more(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// An object with one text.
fn of_type_with(member: &str) -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().property(member, of_type(Type::String)).required(member).into())
}

/// The record that a table declares.
fn record_of(table: &RecordSchema) -> Schema {
    let constant = |value: &str| {
        ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some([value.to_owned()]))
    };
    let mut record = ObjectBuilder::new()
        .property("schema_version", constant(table.version))
        .required("schema_version")
        .property("product", constant("CAVRA"))
        .required("product");
    for member in table.members {
        record = record.property(member.name, member_of(member, matches!(member.default, Fallback::Null)));
        if !matches!(member.default, Fallback::Absent) {
            record = record.required(member.name);
        }
    }
    for time in ["created_at", "updated_at"] {
        record = record.property(time, of_type(Type::String)).required(time);
    }
    record.into()
}

/// What a client sends of a record that a table declares.
fn draft_of(table: &RecordSchema) -> Schema {
    let mut draft = ObjectBuilder::new();
    for member in table.members {
        for name in std::iter::once(&member.name).chain(member.aliases) {
            draft = draft.property(*name, member_of(member, true));
        }
        if matches!(member.default, Fallback::Required) && member.aliases.is_empty() {
            draft = draft.required(member.name);
        }
    }
    draft.into()
}

fn member_of(member: &Member, nullable: bool) -> RefOr<Schema> {
    let kind = |kind: Type| if nullable { SchemaType::from_iter([kind, Type::Null]) } else { SchemaType::new(kind) };
    let schema = match member.shape {
        Shape::Id | Shape::Text | Shape::Time => ObjectBuilder::new().schema_type(kind(Type::String)).into(),
        Shape::Choice(known) => {
            let values = known.iter().map(|value| Some((*value).to_owned())).chain(nullable.then_some(None));
            ObjectBuilder::new().schema_type(kind(Type::String)).enum_values(Some(values)).into()
        }
        Shape::Texts | Shape::Labels => {
            let items = RefOr::T(of_type(Type::String));
            Schema::Array(ArrayBuilder::new().schema_type(kind(Type::Array)).items(items).build())
        }
        Shape::Integer(low, high) => ObjectBuilder::new()
            .schema_type(kind(Type::Integer))
            .minimum(Some(utoipa::Number::Int(isize::try_from(low).unwrap_or(isize::MIN))))
            .maximum(Some(utoipa::Number::Int(isize::try_from(high).unwrap_or(isize::MAX))))
            .into(),
    };
    RefOr::T(schema)
}

fn of_type(kind: Type) -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(kind)).into()
}

/// All records of a kind.
fn list_of(record: &str) -> Schema {
    let list = ObjectBuilder::new().property("items", array_of(record)).required("items");
    list.property("total", of_type(Type::Integer)).required("total").into()
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
    /// How many references there are: the client's and those of all decisions.
    evidence_ref_count: u64,
    /// The newest hundred of them.
    evidence_refs: Vec<String>,
}

/// A page of a session's references to evidence.
#[derive(ToSchema)]
struct SessionReferences {
    /// Key of the session.
    session_id: String,
    /// References that clients gave the session itself.
    evidence_refs: Vec<String>,
    /// Decisions of the session, newest first.
    items: Vec<SessionReference>,
    /// Number of decisions.
    total: u64,
    /// Page size.
    limit: u64,
    /// Start.
    offset: u64,
    /// Where the next page begins, if there is one.
    next_cursor: Option<String>,
}

/// The references of one decision.
#[derive(ToSchema)]
struct SessionReference {
    /// The decision.
    decision_id: String,
    /// When it was made.
    timestamp: String,
    /// Its references.
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
