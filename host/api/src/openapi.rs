//! The OpenAPI 3.1 document, generated from the endpoint table and the schema types.

use axum::http::{Method, StatusCode};
use cavra_model::ChatService;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Required, ResponseBuilder, Schema};

use crate::access::{Access, Person};
use crate::documents;
use crate::endpoint::{Effect, Endpoint, Intake, Parameter, ParameterKind, named};

/// Names of the security schemes.
const MACHINE: &str = "machine";
const PERSON: &str = "person";

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
    let mut components = documents::components();
    components.add_security_scheme(MACHINE, bearer("An API token of cavra; made with `cavra token create`."));
    components
        .add_security_scheme(PERSON, bearer("A token of the identity provider that the server is configured for."));
    for (service, header, description) in [
        (
            ChatService::Slack,
            "X-Slack-Signature",
            "Slack's signature over `v0:TIME:BODY`, TIME in `X-Slack-Request-Timestamp`.",
        ),
        (
            ChatService::Teams,
            "Authorization",
            "`HMAC` and the signature of an outgoing webhook of Teams over the body.",
        ),
    ] {
        let key = ApiKey::Header(ApiKeyValue::with_description(header, description));
        components.add_security_scheme(service.as_str(), SecurityScheme::ApiKey(key));
    }
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

fn bearer(description: &str) -> SecurityScheme {
    let http = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
    SecurityScheme::Http(http)
}

/// What a caller has to send. Nothing is enough everywhere as long as neither tokens are required nor a way to
/// establish identity is configured.
fn security(access: Access) -> Vec<SecurityRequirement> {
    let person = || SecurityRequirement::new(PERSON, Vec::<String>::new());
    match (access.scope, access.person) {
        (_, Person::Signed(service)) => vec![SecurityRequirement::new(service.as_str(), Vec::<String>::new())],
        (None, _) => vec![SecurityRequirement::default()],
        (Some(_), Person::Required | Person::InGroup) => vec![SecurityRequirement::default(), person()],
        (Some(scope), _) => {
            vec![SecurityRequirement::default(), SecurityRequirement::new(MACHINE, [scope.as_str()]), person()]
        }
    }
}

fn operation(row: &Endpoint) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(row.operation))
        .tag(row.tag)
        .summary(Some(row.summary))
        .securities(Some(security(row.access)))
        .extensions(Some(columns(row)))
        .response("200", ResponseBuilder::new().description("Done.").content(row.media, content(row.answer.clone())));
    if row.ranged {
        let part = ResponseBuilder::new().description("The part that `Range` asks for.");
        operation = operation.response("206", part.content(row.media, content(row.answer.clone())));
    }
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
    if row.intake != Intake::None {
        let required = if row.intake.is_required() { Required::True } else { Required::False };
        let media = match row.intake {
            Intake::Signed { media, .. } => media,
            _ => "application/json",
        };
        let body = RequestBodyBuilder::new().content(media, content(row.body.clone())).required(Some(required));
        operation = operation.request_body(Some(body.build()));
    }
    for status in row.all_refusals() {
        let response = ResponseBuilder::new()
            .description(refusal(status))
            .content("application/problem+json", content(named("Problem")));
        operation = operation.response(status.as_u16().to_string(), response);
    }
    operation.build()
}

/// Columns of the row that OpenAPI has no place for.
fn columns(row: &Endpoint) -> utoipa::openapi::extensions::Extensions {
    let mut columns = ExtensionsBuilder::new().add("x-cavra-access", row.access.name());
    if let Some(scope) = row.access.scope {
        columns = columns.add("x-cavra-scope", scope.as_str());
    }
    if let Effect::Changes(events) = row.effect {
        columns = columns.add("x-cavra-log-events", serde_json::json!(events));
    }
    match row.intake {
        Intake::Object { limit } | Intake::Optional { limit } | Intake::Signed { limit, .. } => {
            columns = columns.add("x-cavra-body-limit", limit)
        }
        Intake::Inventory => columns = columns.add("x-cavra-body-limit", "CAVRA_MAX_INVENTORY_BYTES"),
        Intake::None => {}
    }
    columns.build()
}

fn refusal(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "A value is wrong.",
        401 => "Nobody credible asks.",
        403 => "Whoever asks may not do this.",
        404 => "There is no such thing.",
        408 => "The body did not arrive in time.",
        409 => "It exists but is in no state for this.",
        413 => "The body is too large.",
        415 => "The body has a content coding.",
        416 => "The range lies beyond the file.",
        422 => "The request cannot be parsed.",
        _ => "The server cannot do this now; nothing was changed. With `Retry-After`: it is busy.",
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
