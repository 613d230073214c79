//! Who may call an endpoint: a column of its row. Nothing else says it; [`crate::admission`] enforces it, and the
//! OpenAPI document shows it.

use axum::http::StatusCode;
use cavra_identity::Scope;
use cavra_model::ChatService;

/// What an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What an API token needs to call it, and that a server which requires tokens asks for one. Without a scope anybody
    /// may call it, whatever is configured.
    pub scope: Option<Scope>,
    /// What is asked of people.
    pub person: Person,
}

/// What an endpoint asks of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Nobody asks who calls.
    Unread,
    /// An identity that is sent has to be right.
    Checked,
    /// With an ingest token configured: that token, somebody established, or a machine with a token of the scope. Anybody
    /// without one.
    Feeder,
    /// With a way to establish identity configured: somebody established, or a machine with a token of the scope.
    OrMachine,
    /// With a way to establish identity configured: somebody established.
    Required,
    /// As `Required`, and a member of the group that decides the approval at hand.
    InGroup,
    /// Whoever a chat says by its signature; what they may decide is asked then.
    Signed(ChatService),
}

impl Access {
    /// Everybody, whatever they send.
    pub const PUBLIC: Self = Self { scope: None, person: Person::Unread };
    /// Reading.
    pub const READ: Self = Self { scope: Some(Scope::Read), person: Person::Unread };
    /// Reading about the caller.
    pub const WHO_AM_I: Self = Self { scope: Some(Scope::Read), person: Person::Checked };

    /// Records, plans and computes; nothing that is enforced gets weaker.
    pub const fn records(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::Unread }
    }

    /// Asks or records in somebody's name.
    pub const fn asks(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::Checked }
    }

    /// Reports what other systems have seen, from machine to machine.
    pub const fn feeds(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::Feeder }
    }

    /// Can weaken what is enforced or who is trusted.
    pub const fn loosens(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::OrMachine }
    }

    /// Is done in the name of a person.
    pub const fn in_person(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::Required }
    }

    /// Is done in the name of a person whom an approval's group or role admits.
    pub const fn in_group(scope: Scope) -> Self {
        Self { scope: Some(scope), person: Person::InGroup }
    }

    /// Comes from a chat, signed, in the name of one of its members.
    pub const fn signed_by(service: ChatService) -> Self {
        Self { scope: None, person: Person::Signed(service) }
    }

    /// The name of the kind of access in documents.
    pub const fn name(self) -> &'static str {
        match (self.scope, self.person) {
            (_, Person::Signed(_)) => "signed callback",
            (None, _) => "public",
            (Some(Scope::Read), _) => "read",
            (Some(_), Person::Unread | Person::Checked) => "scope",
            (Some(_), Person::Feeder) => "ingest token",
            (Some(_), Person::OrMachine) => "identity or scope",
            (Some(_), Person::Required) => "identity",
            (Some(_), Person::InGroup) => "identity with group",
        }
    }

    /// The chat whose signature it takes.
    pub const fn service(self) -> Option<ChatService> {
        match self.person {
            Person::Signed(service) => Some(service),
            _ => None,
        }
    }

    /// Statuses of refusals that follow from it.
    pub fn refusals(self) -> Vec<StatusCode> {
        match self.scope {
            None if self.service().is_some() => vec![StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE],
            None => Vec::new(),
            // A token of another kind is a bad request where no provider can check it.
            Some(_) => vec![StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN],
        }
    }
}
