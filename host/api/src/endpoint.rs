//! An endpoint as a row: what the router needs to serve it and what the OpenAPI document says about it.

use axum::Extension;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::MethodRouter;
use cavra_core::App;
use cavra_identity::Scope;
use cavra_model::{Kind, MetadataKind, Operator};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

use crate::extract::BodyLimit;

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
    /// It may be called without the body.
    pub body_optional: bool,
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
    /// Its type.
    pub kind: ParameterKind,
    /// One sentence.
    pub help: &'static str,
}

/// Type of a query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// `true`, `1`, `yes`, `on`, or their opposites.
    Boolean,
}

const EXACT: &str = "Exact, case-sensitive; empty counts as absent.";

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
            body_optional: false,
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

    /// The body may be left out.
    pub fn body_optional(self) -> Self {
        Self { body_optional: true, ..self }
    }

    /// It takes no body.
    pub fn bodiless(self) -> Self {
        Self { body: None, ..self }
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
        let parameters = kind.parameters();
        self.query.extend(parameters.map(|column| Parameter {
            name: column.name,
            kind: ParameterKind::Text,
            help: EXACT,
        }));
        self
    }

    /// Adds the questions of `kind`.
    pub fn asked_for(mut self, kind: &'static MetadataKind) -> Self {
        self.query.extend(kind.filters.iter().map(|filter| {
            let (kind, help) = match filter.operator {
                Operator::Equals => (ParameterKind::Text, EXACT),
                Operator::Contains => (ParameterKind::Text, "Part of it, case-sensitive; no character is special."),
                Operator::HasElement => (ParameterKind::Text, "One element of the list, exact."),
                Operator::CurrentApproval => (ParameterKind::Text, "As the approval is now; exact."),
                Operator::AtLeast => (ParameterKind::Integer, "At least this number."),
                Operator::GreaterZero => (ParameterKind::Boolean, "Whether there are any."),
                Operator::Is => (ParameterKind::Boolean, "Whether it is so."),
            };
            Parameter { name: filter.parameter, kind, help }
        }));
        self
    }

    /// Lets bodies be larger than elsewhere.
    pub fn body_limit(self, bytes: usize) -> Self {
        let limited: MethodRouter<App> = self.handler.layer(DefaultBodyLimit::max(bytes));
        Self { handler: limited.layer(Extension(BodyLimit(bytes))), ..self }
    }

    /// Adds one text filter.
    pub fn filtered_by_name(mut self, name: &'static str) -> Self {
        self.query.push(Parameter { name, kind: ParameterKind::Text, help: EXACT });
        self
    }

    /// Adds `limit` and `offset`.
    pub fn paged(mut self) -> Self {
        self.query.push(Parameter {
            name: "limit",
            kind: ParameterKind::Integer,
            help: "Page size, clamped to 1..500. A page of more than 16 MiB ends before, and its `limit` is what it holds.",
        });
        self.query.push(Parameter {
            name: "offset",
            kind: ParameterKind::Integer,
            help: "Start, clamped to at least 0.",
        });
        self
    }
}

/// A reference to a schema of the components section.
pub fn named(schema: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(schema))
}
