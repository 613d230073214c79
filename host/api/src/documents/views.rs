//! Dashboards, whose members are what their views measure.

use cavra_model::{Level, Measure, Measured, SPREAD};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

use super::Is::{List, Text};
use super::{Document, document, of_type};

/// What stands beside the numbers of deliveries: nothing.
pub static DELIVERY_DASHBOARD: Document =
    document("DeliveryDashboard", "Deliveries of release events in numbers.", &[]);

/// What stands beside the numbers of managed endpoints.
pub static ENDPOINT_DASHBOARD: Document = document(
    "EndpointDashboard",
    "Records of managed endpoints in numbers, with the ten newest.",
    &[("generated_at", Text), ("alert_level", Text), ("latest", List("EvidenceMetadata"))],
);

/// What stands beside the numbers of notifications; what follows from numbers, plans and answers together is the family's.
pub static NOTIFICATION_DASHBOARD: Document = document(
    "NotificationDashboard",
    "Notifications in numbers, with the ten newest records.",
    &[
        ("schema_version", Text),
        ("product", Text),
        ("generated_at", Text),
        ("alert_level", Text),
        ("latest", List("EvidenceMetadata")),
    ],
)
.open();

/// The answer of a dashboard: what its view measures, and the members that a document has beside.
pub fn dashboard(view: &[Measured], beside: &Document) -> RefOr<Schema> {
    let mut object = beside.object();
    add(&mut object, view);
    RefOr::T(object.into())
}

/// Adds the members of a view. All of them are always there.
fn add(object: &mut Object, view: &[Measured]) {
    for row in view {
        match inner(&row.measure) {
            Some(view) if row.name == SPREAD => add(object, view),
            _ => {
                object.properties.insert(row.name.to_owned(), RefOr::T(schema_of(&row.measure)));
                if !object.required.iter().any(|name| name == row.name) {
                    object.required.push(row.name.to_owned());
                }
            }
        }
    }
}

/// The view that a measure takes of some of the records together.
const fn inner(measure: &Measure) -> Option<&'static [Measured]> {
    match measure {
        Measure::LatestBy { view, .. } | Measure::Flatten { view, .. } | Measure::Where { view, .. } => Some(view),
        _ => None,
    }
}

fn schema_of(measure: &Measure) -> Schema {
    match measure {
        Measure::Constant(value) => texts(&[value]),
        Measure::Count
        | Measure::CountIf(_)
        | Measure::Sum(_)
        | Measure::SumIf(..)
        | Measure::Elements(_)
        | Measure::Distinct { .. } => of_type(Type::Integer),
        Measure::Newest(_) => {
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])).into()
        }
        Measure::Share { .. } | Measure::Ratio { .. } => of_type(Type::Number),
        Measure::CountBy { .. } | Measure::CountByOr { .. } => each(of_type(Type::Integer)),
        Measure::Top { .. } => {
            let row = ObjectBuilder::new().property("value", of_type(Type::String)).required("value");
            list(row.property("count", of_type(Type::Integer)).required("count").into())
        }
        Measure::Group { view, .. } => each(object_of(view).into()),
        Measure::Rows { name, view, .. } => {
            let mut row = object_of(view);
            row.properties.insert((*name).to_owned(), RefOr::T(of_type(Type::String)));
            row.required.push((*name).to_owned());
            list(row.into())
        }
        Measure::LatestBy { view, .. } | Measure::Flatten { view, .. } | Measure::Where { view, .. } => {
            object_of(view).into()
        }
        Measure::First { members, .. } => {
            let row = members.iter().fold(ObjectBuilder::new(), |row, (name, _)| row.property(*name, anything()));
            list(row.into())
        }
        Measure::Listed { .. } => list(anything()),
        Measure::Alerts(_) | Measure::Severities(_) => list(of_type(Type::Object)),
        Measure::WorstOf(_) => texts(&[Level::Healthy, Level::Warning, Level::Critical].map(Level::as_str)),
    }
}

fn object_of(view: &[Measured]) -> Object {
    let mut object = ObjectBuilder::new().build();
    add(&mut object, view);
    object
}

fn anything() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
}

/// One of some texts.
fn texts(values: &[&str]) -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(values.iter().copied())).into()
}

/// An object whose members are all alike.
fn each(member: Schema) -> Schema {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(member)))).into()
}

fn list(items: Schema) -> Schema {
    ArrayBuilder::new().items(RefOr::T(items)).build().into()
}
