//! The shapes of bodies and answers, for the OpenAPI document: tables of their members. What a Rust type, a table of the
//! model or a view declares already is taken from there. Every answer in the end-to-end tests is held against them.

mod approvals;
mod decisions;
mod declared;
mod deliveries;
mod endpoints;
mod evidence;
mod notifications;
mod operations;
mod policies;
mod rollouts;
mod sandbox;
mod system;
mod views;

use cavra_model::{AgentProfile, DecisionRecord, McpTrust, Overlay, PolicyMode, ToolClassification};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Components, ComponentsBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::endpoint::{array_of, named};
pub use views::{DELIVERY_DASHBOARD, ENDPOINT_DASHBOARD, NOTIFICATION_DASHBOARD, dashboard};

/// Type of a member.
#[derive(Clone, Copy, Debug)]
pub enum Is {
    Text,
    TextOrNull,
    Texts,
    Count,
    Flag,
    /// An object that is what it is about.
    Map,
    /// A list of objects.
    Maps,
    /// Anything.
    Any,
    /// A named document or record.
    Of(&'static str),
    OfOrNull(&'static str),
    /// A list of them.
    List(&'static str),
    /// A text that may be missing.
    Gap,
    /// Anything, which may be missing.
    AnyGap,
    /// It may be null.
    OrNull(&'static Self),
    /// It may be missing.
    Maybe(&'static Self),
    /// With a sentence about it.
    Said(&'static Self, &'static str),
}

/// A document: what is answered or sent.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// Its name.
    name: &'static str,
    /// What it is.
    about: &'static str,
    /// Its members.
    members: &'static [(&'static str, Is)],
    /// Whether others may stand beside them.
    open: bool,
}

/// What is answered: these members and no others.
pub const fn document(name: &'static str, about: &'static str, members: &'static [(&'static str, Is)]) -> Document {
    Document { name, about, members, open: false }
}

/// What is sent: other members are ignored, or are those of a document that the sentence names.
pub const fn request(name: &'static str, about: &'static str, members: &'static [(&'static str, Is)]) -> Document {
    document(name, about, members).open()
}

impl Document {
    /// Others may stand beside its members.
    pub const fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// Its schema.
    fn object(&self) -> Object {
        let open = self.open.then_some(AdditionalProperties::<Schema>::FreeForm(true));
        let object = ObjectBuilder::new().description(Some(self.about)).additional_properties(open);
        let members = self.members.iter().fold(object, |object, (name, is)| {
            let object = object.property(*name, is.schema());
            if is.may_be_missing() { object } else { object.required(*name) }
        });
        members.build()
    }
}

/// The tables of documents.
static TABLES: [&[Document]; 11] = [
    approvals::ALL,
    decisions::ALL,
    deliveries::ALL,
    endpoints::ALL,
    evidence::ALL,
    notifications::ALL,
    operations::ALL,
    policies::ALL,
    rollouts::ALL,
    sandbox::ALL,
    system::ALL,
];

fn all() -> impl Iterator<Item = &'static Document> {
    TABLES.iter().copied().flatten()
}

/// All named schemas.
pub fn components() -> Components {
    let tables = all().fold(ComponentsBuilder::new(), |components, one| components.schema(one.name, one.object()));
    let declared = declared::with_declared(tables);
    let declared = typed::<AgentProfile>(typed::<ToolClassification>(typed::<McpTrust>(declared)));
    let mut all = typed::<PolicyMode>(typed::<DecisionRecord>(declared))
        .schema("Governance", merged(of_type_with("rollout_id"), Overlay::schema(), Presence::AsThere))
        .schema("DecisionAnswer", merged(DecisionRecord::schema(), Overlay::schema(), Presence::Optional))
        .schema("SandboxEvent", merged(DecisionRecord::schema(), object(&sandbox::EVENT), Presence::AsThere))
        .schema("AgentProfileList", declared::list_of("AgentProfile"))
        .schema("ToolClassificationList", declared::list_of("ToolClassification"))
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

/// Whether members that are laid over an object are required.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Those that are where they come from.
    AsThere,
    /// None.
    Optional,
}

/// An object with the members of another beside its own, as a flattened member has them.
fn merged(own: RefOr<Schema>, more: RefOr<Schema>, presence: Presence) -> RefOr<Schema> {
    let (RefOr::T(Schema::Object(mut own)), RefOr::T(Schema::Object(more))) = (own.clone(), more) else {
        return own;
    };
    own.properties.extend(more.properties);
    if presence == Presence::AsThere {
        own.required.extend(more.required);
    }
    RefOr::T(Schema::Object(own))
}

fn object(document: &Document) -> RefOr<Schema> {
    RefOr::T(Schema::Object(document.object()))
}

/// An object with one text.
fn of_type_with(member: &str) -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().property(member, of_type(Type::String)).required(member).into())
}

fn of_type(kind: Type) -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(kind)).into()
}

impl Is {
    const fn may_be_missing(self) -> bool {
        match self {
            Self::Gap | Self::AnyGap | Self::Maybe(_) => true,
            Self::Said(is, _) => is.may_be_missing(),
            _ => false,
        }
    }

    fn schema(self) -> RefOr<Schema> {
        let list = |items: Schema| RefOr::T(ArrayBuilder::new().items(RefOr::T(items)).build().into());
        match self {
            Self::Text | Self::Gap => RefOr::T(of_type(Type::String)),
            Self::TextOrNull => or_null(Self::Text.schema()),
            Self::Texts => list(of_type(Type::String)),
            Self::Count => RefOr::T(of_type(Type::Integer)),
            Self::Flag => RefOr::T(of_type(Type::Boolean)),
            Self::Map => RefOr::T(of_type(Type::Object)),
            Self::Maps => list(of_type(Type::Object)),
            Self::Any | Self::AnyGap => RefOr::T(ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()),
            Self::Of(name) => named(name),
            Self::OfOrNull(name) => or_null(named(name)),
            Self::List(name) => array_of(name),
            Self::Maybe(is) => is.schema(),
            Self::OrNull(is) => or_null(is.schema()),
            Self::Said(is, sentence) => about(is.schema(), sentence),
        }
    }
}

/// A schema that null satisfies too.
fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Type(kind) = object.schema_type {
                object.schema_type = SchemaType::from_iter([kind, Type::Null]);
            }
            RefOr::T(object.into())
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = SchemaType::from_iter([Type::Array, Type::Null]);
            RefOr::T(array.into())
        }
        other => {
            let either = utoipa::openapi::OneOfBuilder::new().item(other).item(RefOr::T(of_type(Type::Null)));
            RefOr::T(either.into())
        }
    }
}

/// A schema with a sentence about it.
fn about(schema: RefOr<Schema>, sentence: &str) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(sentence.to_owned());
            RefOr::T(object.into())
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = Some(sentence.to_owned());
            RefOr::T(array.into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_a_name_of_its_own() {
        let mut names: Vec<&str> = all().map(|one| one.name).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert_eq!(twice, Vec::<&str>::new());
    }
}
