//! Who calls, as the request says it: the bearer token, and the identity members of the body. Contract 20, section 2.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cavra_core::{App, Caller, CoreError, Machine};
use cavra_identity::{Envelope, Identity, Scope};
use cavra_model::Object;

use crate::problem::Problem;

/// What an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An identity is used if there is one. Writing endpoints demand it if the operator says so.
    Optional,
    /// An identity is needed as soon as a way to check it is configured.
    Required,
}

/// What came with the headers.
pub struct Credentials {
    authorization: Option<String>,
    machine: Option<Machine>,
}

impl<S: Send + Sync> FromRequestParts<S> for Credentials {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { authorization: authorization(parts), machine: parts.extensions.get().cloned() })
    }
}

/// The header's value. One that is no text is as wrong as one that is no token.
fn authorization(parts: &Parts) -> Option<String> {
    parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default().to_owned())
}

impl Credentials {
    /// The person behind the bearer token, if there is one.
    pub async fn identity(self, app: &App) -> Result<Option<Identity>, Problem> {
        let envelope = Envelope { authorization: self.authorization, ..Envelope::default() };
        Ok(app.gatekeeper.identify(&envelope).await.map_err(CoreError::from)?)
    }

    /// The caller of an endpoint that changes something.
    pub async fn caller(self, app: &App, body: &Object, need: Need) -> Result<Caller, Problem> {
        let envelope = Envelope::from_body(body, self.authorization.as_deref());
        let required = need == Need::Required || app.gatekeeper.requires_identity_for_all_mutations();
        let identity =
            if required { app.gatekeeper.require(&envelope).await } else { app.gatekeeper.identify(&envelope).await };
        Ok(Caller { identity: identity.map_err(CoreError::from)?, machine: self.machine.map(|machine| machine.name) })
    }
}

/// Admits a request to endpoints of one scope. An API token is checked wherever it is sent; without one, a server
/// that requires tokens asks for a person's.
pub async fn admit(State((app, scope)): State<(App, Scope)>, request: Request, next: Next) -> Response {
    match check(&app, scope, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn check(app: &App, scope: Scope, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let authorization = authorization(&parts);
    let token = authorization.as_deref().and_then(bearer).filter(|token| token.starts_with("cavra_"));
    if let Some(token) = token {
        let machine = app.tokens.authenticate(token, scope).await?;
        // It names a machine, never a person: no handler sees it.
        parts.headers.remove(AUTHORIZATION);
        parts.extensions.insert(machine);
    } else if app.settings.require_token {
        let envelope = Envelope { authorization, ..Envelope::default() };
        if app.gatekeeper.identify(&envelope).await.map_err(CoreError::from)?.is_none() {
            return Err(CoreError::Unauthenticated("this server asks for a token".to_owned()).into());
        }
    }
    Ok(Request::from_parts(parts, body))
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
