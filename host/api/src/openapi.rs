//! The OpenAPI 3.1 document, generated from the endpoint table and the schema types.

use axum::http::Method;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Required, ResponseBuilder, Schema};

use crate::endpoint::{Endpoint, Parameter, ParameterKind, named};
use crate::routes::endpoints;
use crate::schema;

/// The document as JSON text, pretty, with a final newline.
///
/// # Errors
/// If the document cannot be written as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    let mut text = build(&endpoints()).to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// The document for `rows`.
pub fn build(rows: &[Endpoint]) -> OpenApi {
    let info = InfoBuilder::new()
        .title("CAVRA API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The runtime authority in front of AI coding agents: before the agent acts, cavra decides."))
        .build();
    let mut paths = PathsBuilder::new();
    for row in rows {
        let method = if row.method == Method::POST { HttpMethod::Post } else { HttpMethod::Get };
        paths = paths.path(row.template(), PathItemBuilder::new().operation(method, operation(row)).build());
    }
    OpenApiBuilder::new().info(info).paths(paths).components(Some(schema::components())).build()
}

fn operation(row: &Endpoint) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(row.operation))
        .tag(row.tag)
        .summary(Some(row.summary))
        .response("200", ResponseBuilder::new().description("Done.").content(row.media, content(row.answer.clone())));
    for name in path_parameters(&row.template()) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(text_schema()));
        operation = operation.parameter(parameter);
    }
    for parameter in &row.query {
        operation = operation.parameter(query_parameter(parameter));
    }
    if let Some(body) = &row.body {
        let required = if row.body_optional { Required::False } else { Required::True };
        let body =
            RequestBodyBuilder::new().content("application/json", content(body.clone())).required(Some(required));
        operation = operation.request_body(Some(body.build()));
    }
    for status in row.refusals {
        let response = ResponseBuilder::new()
            .description(refusal(*status))
            .content("application/problem+json", content(named("Problem")));
        operation = operation.response(status.to_string(), response);
    }
    operation.build()
}

fn refusal(status: u16) -> &'static str {
    match status {
        400 => "A value is wrong.",
        401 => "Nobody credible asks.",
        403 => "Whoever asks may not do this.",
        404 => "There is no such thing.",
        409 => "It exists but is in no state for this.",
        413 => "The body is too large.",
        416 => "The range lies beyond the file.",
        422 => "The request cannot be parsed.",
        _ => "The server cannot do this now; nothing was changed.",
    }
}

fn content(schema: RefOr<Schema>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

fn query_parameter(parameter: &Parameter) -> ParameterBuilder {
    let schema = match parameter.kind {
        ParameterKind::Text => text_schema(),
        ParameterKind::Integer => integer_schema(),
        ParameterKind::Boolean => ObjectBuilder::new().schema_type(SchemaType::new(Type::Boolean)).into(),
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(parameter.help))
        .schema(Some(schema))
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn text_schema() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).into()
}

fn integer_schema() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).into()
}

/// A bare array of a named schema.
pub fn array_of(schema: &str) -> RefOr<Schema> {
    RefOr::T(ArrayBuilder::new().items(named(schema)).into())
}

/// A page of a named schema. Contract 10, section 1.
pub fn page_of(schema: &str) -> RefOr<Schema> {
    let mut page = ObjectBuilder::new().property("items", array_of(schema)).required("items");
    for counter in ["total", "limit", "offset"] {
        page = page.property(counter, integer_schema()).required(counter);
    }
    RefOr::T(page.into())
}
