//! An endpoint as a row: what the router needs to serve it and what the OpenAPI document says about it.

use axum::http::Method;
use axum::routing::MethodRouter;
use cavra_core::App;
use cavra_identity::Scope;
use cavra_model::Kind;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

/// One row of the endpoint table.
pub struct Endpoint {
    /// HTTP method.
    pub method: Method,
    /// Path template.
    pub path: &'static str,
    /// Name of the operation, unique.
    pub operation: &'static str,
    /// Group in the documentation.
    pub tag: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Query parameters.
    pub query: Vec<Parameter>,
    /// Schema of the body, if it takes one.
    pub body: Option<RefOr<Schema>>,
    /// Schema of the 200 answer.
    pub answer: RefOr<Schema>,
    /// Its media type.
    pub media: &'static str,
    /// Statuses of refusals.
    pub refusals: &'static [u16],
    /// What an API token needs to call it; without one it is open to everybody.
    pub scope: Option<Scope>,
    /// Name under which `/console/config` lists it.
    pub console: Option<&'static str>,
    /// The handler.
    pub handler: MethodRouter<App>,
}

/// A query parameter.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a whole number; else text.
    pub integer: bool,
    /// One sentence.
    pub help: &'static str,
}

impl Endpoint {
    /// A row for `GET path`.
    pub fn get(path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Self {
        Self {
            method: Method::GET,
            path,
            operation,
            tag: "system",
            summary: "",
            query: Vec::new(),
            body: None,
            answer: named("Object"),
            media: "application/json",
            refusals: &[],
            scope: None,
            console: None,
            handler,
        }
    }

    /// A row for `POST path`, which takes a JSON object.
    pub fn post(path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Self {
        Self { method: Method::POST, body: Some(named("Object")), ..Self::get(path, operation, handler) }
            .refuses(&[400, 413, 422, 503])
    }

    /// Sets group and summary.
    pub fn about(self, tag: &'static str, summary: &'static str) -> Self {
        Self { tag, summary, ..self }
    }

    /// Sets the body's schema.
    pub fn takes(self, schema: &'static str) -> Self {
        Self { body: Some(named(schema)), ..self }
    }

    /// Sets the answer's schema.
    pub fn answers(self, answer: RefOr<Schema>) -> Self {
        Self { answer, ..self }
    }

    /// Makes the answer a text or bytes of that media type.
    pub fn answers_with(self, media: &'static str) -> Self {
        Self { media, answer: RefOr::T(ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).into()), ..self }
    }

    /// Sets the statuses of refusals.
    pub fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }

    /// Sets the scope.
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// Makes it known to the console under a name.
    pub fn console(self, name: &'static str) -> Self {
        Self { console: Some(name), ..self }
    }

    /// The path as documents write it; the router marks a parameter that takes the rest of the path with a star.
    pub fn template(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// Adds the filters of `kind`.
    pub fn filtered_by(mut self, kind: &'static Kind) -> Self {
        let filters = kind.columns.iter().filter(|column| column.filter);
        self.query.extend(filters.map(|column| Parameter {
            name: column.name,
            integer: false,
            help: "Exact, case-sensitive; empty counts as absent.",
        }));
        self
    }

    /// Adds one text filter.
    pub fn filtered_by_name(mut self, name: &'static str) -> Self {
        self.query.push(Parameter { name, integer: false, help: "Exact, case-sensitive; empty counts as absent." });
        self
    }

    /// Adds `limit` and `offset`.
    pub fn paged(mut self) -> Self {
        self.query.push(Parameter { name: "limit", integer: true, help: "Page size, clamped to 1..500." });
        self.query.push(Parameter { name: "offset", integer: true, help: "Start, clamped to at least 0." });
        self
    }
}

/// A reference to a schema of the components section.
pub fn named(schema: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(schema))
}
