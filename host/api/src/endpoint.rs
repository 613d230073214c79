//! An endpoint as a row: what the router needs to serve it and what the OpenAPI document says about it.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use axum::routing::MethodRouter;
use cavra_core::{App, Ask, History, LogEvent};
use cavra_model::{Kind, MetadataKind, Operator};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

use crate::BODY_LIMIT;
use crate::access::Access;
use crate::load::Work;

/// What an endpoint takes as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// None; one that is sent is not looked at.
    None,
    /// A JSON object of at most so many bytes, or nothing.
    Optional {
        /// Bytes.
        limit: usize,
    },
    /// A JSON object of at most so many bytes.
    Object {
        /// Bytes.
        limit: usize,
    },
    /// A JSON object with an inventory of endpoints in it; the settings say how large it may be.
    Inventory,
    /// Bytes that somebody signed, at most so many, in this form.
    Signed {
        /// Bytes.
        limit: usize,
        /// Media type.
        media: &'static str,
    },
}

impl Intake {
    /// Whether there has to be a body.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Object { .. } | Self::Inventory | Self::Signed { .. })
    }
}

/// What a call leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads.
    Reads,
    /// It computes something from its body and stores nothing.
    Computes,
    /// It changes something, and what happened is in the evidence log as one or more of these events.
    Changes(&'static [LogEvent]),
}

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
    /// Who may call it.
    pub access: Access,
    /// What a call leaves behind.
    pub effect: Effect,
    /// Whether its work grows with what is stored.
    pub work: Work,
    /// What it takes as its body.
    pub intake: Intake,
    /// Members of the body that reach the handler as they were sent; secrets are cut out of all others before. `*` is all.
    pub exact: &'static [&'static str],
    /// Schema of the body.
    pub body: RefOr<Schema>,
    /// Schema of the 200 answer.
    pub answer: RefOr<Schema>,
    /// Its media type.
    pub media: &'static str,
    /// Whether a part of it can be asked for. RFC 9110, section 14.
    pub ranged: bool,
    /// Statuses of refusals that do not follow from the other columns.
    pub refusals: &'static [u16],
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
    pub fn get(access: Access, path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Self {
        Self {
            method: Method::GET,
            path,
            operation,
            tag: "system",
            summary: "",
            query: Vec::new(),
            access,
            effect: Effect::Reads,
            work: Work::Short,
            intake: Intake::None,
            exact: &[],
            body: named("Problem"),
            answer: named("Problem"),
            media: "application/json",
            ranged: false,
            refusals: &[],
            console: None,
            handler,
        }
    }

    /// A row for `POST path`, which takes a JSON object.
    pub fn post(
        access: Access,
        effect: Effect,
        path: &'static str,
        operation: &'static str,
        handler: MethodRouter<App>,
    ) -> Self {
        let intake = Intake::Object { limit: BODY_LIMIT };
        Self { method: Method::POST, effect, intake, ..Self::get(access, path, operation, handler) }
    }

    /// Sets group and summary.
    pub fn about(self, tag: &'static str, summary: &'static str) -> Self {
        Self { tag, summary, ..self }
    }

    /// Sets the body's schema.
    pub fn takes(self, schema: &'static str) -> Self {
        Self { body: named(schema), ..self }
    }

    /// Members of the body, or all of them (`*`), reach the handler as they were sent: what it makes of them depends on
    /// every character, and it sees to it that no secret comes to rest.
    pub fn exact(self, members: &'static [&'static str]) -> Self {
        Self { exact: members, ..self }
    }

    /// The body may be left out.
    pub fn body_optional(self) -> Self {
        Self { intake: Intake::Optional { limit: BODY_LIMIT }, ..self }
    }

    /// It takes no body.
    pub fn bodiless(self) -> Self {
        Self { intake: Intake::None, ..self }
    }

    /// Its work grows with what is stored.
    pub fn long(self) -> Self {
        Self { work: Work::Long, ..self }
    }

    /// Sets the answer's schema.
    pub fn answers(self, answer: RefOr<Schema>) -> Self {
        Self { answer, ..self }
    }

    /// Makes the answer a text or bytes of that media type.
    pub fn answers_with(self, media: &'static str) -> Self {
        Self { media, answer: RefOr::T(ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).into()), ..self }
    }

    /// Makes the answer a file of that media type, `*/*` for its own, of which parts can be asked for.
    pub fn answers_with_file(self, media: &'static str) -> Self {
        Self { ranged: true, ..self.answers_with(media) }
    }

    /// Sets the statuses of refusals that do not follow from the other columns.
    pub fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }

    /// The statuses of all refusals.
    pub fn all_refusals(&self) -> BTreeSet<StatusCode> {
        let own = self.refusals.iter().filter_map(|status| StatusCode::from_u16(*status).ok());
        let mut all: BTreeSet<StatusCode> = own.chain(self.access.refusals()).collect();
        // What can be read in two ways is refused everywhere, and changes by pages of other origins.
        all.insert(StatusCode::BAD_REQUEST);
        if self.method == Method::POST {
            all.insert(StatusCode::FORBIDDEN);
        }
        if self.intake != Intake::None {
            all.extend([
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ]);
            if !matches!(self.intake, Intake::Signed { .. }) {
                all.insert(StatusCode::UNPROCESSABLE_ENTITY);
            }
        }
        if self.ranged {
            all.insert(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        if !self.query.is_empty() {
            all.insert(StatusCode::UNPROCESSABLE_ENTITY);
        }
        // Whoever sends a token waits for the stores that know it; and what is busy says so.
        if self.access != Access::PUBLIC {
            all.insert(StatusCode::SERVICE_UNAVAILABLE);
        }
        all
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
                Operator::IsWord => (ParameterKind::Text, "Exact; case and dashes for underscores do not matter."),
                Operator::HasWord => {
                    (ParameterKind::Text, "One element of the list; case and dashes for underscores do not matter.")
                }
                Operator::CurrentApproval => (ParameterKind::Text, "As the approval is now; exact."),
                Operator::AtLeast => (ParameterKind::Integer, "At least this number."),
                Operator::GreaterZero => (ParameterKind::Boolean, "Whether there are any."),
                Operator::Is => (ParameterKind::Boolean, "Whether it is so."),
            };
            Parameter { name: filter.parameter, kind, help }
        }));
        self
    }

    /// Adds the questions of a history.
    pub fn looks_into(mut self, history: &'static History) -> Self {
        self.query.extend(history.questions().map(|asked| {
            let (kind, help) = match asked.ask {
                Ask::Exactly | Ask::Source(..) => (ParameterKind::Text, EXACT),
                Ask::Word => (ParameterKind::Text, "A word, in any case, with `-` or `_`."),
                Ask::AnyCase => (ParameterKind::Text, "Exact but for case."),
                Ask::Part => (ParameterKind::Text, "Part of it, in any case."),
                Ask::AtLeast => (ParameterKind::Integer, "At least this number."),
                Ask::Flag => (ParameterKind::Boolean, "Whether it is so."),
                Ask::OnlyTrue => (ParameterKind::Boolean, "If true, only those of which it is so."),
                Ask::Filled => (ParameterKind::Boolean, "Whether there are any."),
            };
            Parameter { name: asked.parameter, kind, help }
        }));
        self
    }

    /// Adds a whole number.
    pub fn counted_by(mut self, name: &'static str, help: &'static str) -> Self {
        self.query.push(Parameter { name, kind: ParameterKind::Integer, help });
        self
    }

    /// Lets bodies be larger than elsewhere.
    pub fn body_limit(self, limit: usize) -> Self {
        Self { intake: Intake::Object { limit }, ..self }
    }

    /// Its body is signed, byte by byte.
    pub fn takes_signed(self, media: &'static str, limit: usize) -> Self {
        Self { intake: Intake::Signed { limit, media }, ..self }
    }

    /// Its body holds an inventory of endpoints.
    pub fn takes_inventory(self) -> Self {
        Self { intake: Intake::Inventory, ..self }
    }

    /// Its records can be had without the documents in them.
    pub fn summarised(mut self) -> Self {
        const HELP: &str = "`summary` leaves the documents in the records out, `full` does not; default is `full`.";
        self.query.push(Parameter { name: "view", kind: ParameterKind::Text, help: HELP });
        self
    }

    /// Adds one text filter.
    pub fn filtered_by_name(mut self, name: &'static str) -> Self {
        self.query.push(Parameter { name, kind: ParameterKind::Text, help: EXACT });
        self
    }

    /// Adds a query parameter.
    pub fn with_parameter(mut self, name: &'static str, kind: ParameterKind, help: &'static str) -> Self {
        self.query.push(Parameter { name, kind, help });
        self
    }

    /// Adds what every page can be asked for by: its size, where it begins, from when on.
    pub fn paged(mut self) -> Self {
        self.query.extend(PAGING.into_iter().map(|(name, kind, help)| Parameter { name, kind, help }));
        self
    }
}

/// The parameters of pages.
const PAGING: [(&str, ParameterKind, &str); 5] = [
    (
        "limit",
        ParameterKind::Integer,
        "Page size, clamped to 1..500. A page of more than 16 MiB ends before, and its `limit` is what it holds.",
    ),
    ("offset", ParameterKind::Integer, "Start, clamped to at least 0."),
    (
        "cursor",
        ParameterKind::Text,
        "Start where the page ended that answered this as `next_cursor`; with the same filters and order. What is written \
         meanwhile makes no record come twice.",
    ),
    (
        "since",
        ParameterKind::Text,
        "Only records whose time is not before this one, where the list is ordered by time.",
    ),
    (
        "order",
        ParameterKind::Text,
        "`list`, the order of the list, or `committed`, the order in which records were first written, oldest first; its \
         `next_cursor` is there at the end too and goes on with what is written later.",
    ),
];

/// A reference to a schema of the components section.
pub fn named(schema: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(schema))
}

/// Any of several named schemas.
pub fn one_of(schemas: &[&str]) -> RefOr<Schema> {
    let any = schemas.iter().fold(OneOfBuilder::new(), |any, schema| any.item(named(schema)));
    RefOr::T(any.into())
}

/// A bare array of a named schema.
pub fn array_of(schema: &str) -> RefOr<Schema> {
    RefOr::T(ArrayBuilder::new().items(named(schema)).into())
}

/// A page of a named schema that says what it is.
pub fn titled_page_of(schema: &str) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    match page_of(schema) {
        RefOr::T(Schema::Object(mut page)) => {
            for name in ["schema_version", "product"] {
                page.properties.insert(name.to_owned(), RefOr::T(text().into()));
                page.required.push(name.to_owned());
            }
            RefOr::T(Schema::Object(page))
        }
        other => other,
    }
}

/// A page of a named schema.
pub fn page_of(schema: &str) -> RefOr<Schema> {
    let counter = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
    let mut page = ObjectBuilder::new().property("items", array_of(schema)).required("items");
    for name in ["total", "limit", "offset"] {
        page = page.property(name, counter()).required(name);
    }
    page = page.property("next_cursor", ObjectBuilder::new().schema_type(SchemaType::new(Type::String)));
    RefOr::T(page.into())
}
