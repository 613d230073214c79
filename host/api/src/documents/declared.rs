//! Records that the model declares as tables: as they are stored, as they are sent, and as lists.

use cavra_model::{
    AGENT_SCHEMA, Fallback, INTEGRATION_SCHEMA, MCP_SERVER_SCHEMA, Member, REPOSITORY_SCHEMA, ROLLOUT_SCHEMA,
    RecordSchema, Shape,
};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, RefOr};

use super::of_type;
use crate::endpoint::array_of;

/// Records that are declared as tables: the name of the record, of what a client sends of it, of a list of them.
static DECLARED: [(&str, &str, &str, &RecordSchema); 5] = [
    ("Repository", "RepositoryDraft", "RepositoryList", &REPOSITORY_SCHEMA),
    ("PolicyRollout", "PolicyRolloutDraft", "PolicyRolloutList", &ROLLOUT_SCHEMA),
    ("Agent", "AgentDraft", "AgentList", &AGENT_SCHEMA),
    ("McpServer", "McpServerDraft", "McpServerList", &MCP_SERVER_SCHEMA),
    ("Integration", "IntegrationDraft", "IntegrationList", &INTEGRATION_SCHEMA),
];

/// Adds them to the named schemas.
pub fn with_declared(components: ComponentsBuilder) -> ComponentsBuilder {
    DECLARED.iter().fold(components, |components, (record, draft, list, table)| {
        components.schema(*record, record_of(table)).schema(*draft, draft_of(table)).schema(*list, list_of(record))
    })
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

/// All records of a kind.
pub fn list_of(record: &str) -> Schema {
    let list = ObjectBuilder::new().property("items", array_of(record)).required("items");
    list.property("total", of_type(Type::Integer)).required("total").into()
}
