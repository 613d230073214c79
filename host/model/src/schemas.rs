//! How types with a spelling of their own look in JSON.

use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{Digest, Timestamp};

fn text(description: &str, pattern: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    RefOr::T(text.description(Some(description)).pattern(Some(pattern)).into())
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        text(
            "RFC 3339, UTC, microseconds.",
            "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$",
        )
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Digest {
    fn schema() -> RefOr<Schema> {
        text("A SHA-256 digest.", "^sha256:[0-9a-f]{64}$")
    }
}

impl ToSchema for Digest {}
