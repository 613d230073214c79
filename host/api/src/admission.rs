//! What happens to a request between the router and its handler: the row says who may call, how large the body may be
//! and whether the work is long; here that is enforced. A handler is only called for a request that is admitted, and
//! finds body and caller ready.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cavra_core::{App, Arrived, Caller, CoreError, Machine};
use cavra_identity::{Envelope, Identity, Via};
use cavra_model::{ChatService, Digest, Object};

use crate::access::{Access, Person};
use crate::credentials::{api_token, authorization, bearer};
use crate::endpoint::{Effect, Intake};
use crate::extract::{self, Received};
use crate::load::{Load, Work};
use crate::problem::Problem;

/// What the row of an endpoint asks, and what is needed to check it.
#[derive(Clone)]
pub struct Admission {
    /// Who knows machines and people.
    pub app: App,
    /// The permits of the server.
    pub load: Arc<Load>,
    /// Who may call.
    pub access: Access,
    /// The body.
    pub intake: Intake,
    /// Members of it that secrets are not cut out of here.
    pub exact: &'static [&'static str],
    /// Whether the work is long.
    pub work: Work,
    /// What it changes.
    pub effect: Effect,
}

/// Admits a request or refuses it. What it holds is given back when it has been answered, or when the client has left.
pub async fn admit(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    match admission.check(request).await {
        Ok((request, _held)) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Permits, held while a request is worked on.
type Held = Vec<tokio::sync::OwnedSemaphorePermit>;

impl Admission {
    async fn check(&self, request: Request) -> Result<(Request, Held), Problem> {
        let (mut parts, body) = request.into_parts();
        if let (Some(service), Intake::Signed { limit, .. }) = (self.access.service(), self.intake) {
            return self.check_signed(parts, body, service, limit).await;
        }
        let is_feeder = self.is_feeder(&parts);
        let machine = if is_feeder { None } else { self.machine(&parts).await? };
        let is_machine = is_feeder || machine.is_some();
        let header = authorization(&parts).filter(|_| !is_machine);
        if !is_machine && self.access.scope.is_some() && self.app.settings.require_token {
            // Before anything is received from somebody who sent none.
            let envelope = Envelope { authorization: header.clone(), ..Envelope::default() };
            if self.identify(&envelope).await?.is_none() {
                return Err(CoreError::Unauthenticated("this server asks for a token".to_owned()).into());
            }
        }
        let mut held: Held = self.load.work(self.work).await?.into_iter().collect();
        let limit = match self.intake {
            Intake::None | Intake::Signed { .. } => None,
            Intake::Optional { limit } | Intake::Object { limit } => Some(limit),
            Intake::Inventory => Some(self.app.settings.max_inventory_bytes),
        };
        let received = match limit {
            None => None,
            Some(limit) => {
                let bytes = extract::expected(&parts, limit);
                held.push(match self.intake {
                    Intake::Inventory => self.load.inventory(bytes).await?,
                    _ => self.load.body(bytes).await?,
                });
                extract::receive(&parts, body, limit).await?
            }
        };
        if received.is_none() && self.intake.is_required() {
            return Err(Problem::no_body());
        }
        let identity = self.person(received.as_ref(), header.as_deref(), is_machine).await?;
        parts.extensions.insert(Caller { identity, machine: machine.map(|machine| machine.name) });
        parts.extensions.insert(Received(received.map(|body| self.clean(body)).transpose()?));
        Ok((Request::from_parts(parts, Body::empty()), held))
    }

    /// Admits what a chat signed. The signature is over every byte, so the body is looked at as it came.
    async fn check_signed(
        &self,
        mut parts: Parts,
        body: Body,
        service: ChatService,
        limit: usize,
    ) -> Result<(Request, Held), Problem> {
        let mut held: Held = self.load.work(self.work).await?.into_iter().collect();
        held.push(self.load.body(extract::expected(&parts, limit)).await?);
        let body = extract::receive_bytes(&parts, body, limit).await?;
        let press = {
            let header = |name: &str| {
                let mut values = parts.headers.get_all(name).iter();
                let value = values.next()?.to_str().ok()?.to_owned();
                values.next().is_none().then_some(value)
            };
            self.app.callback(service, &Arrived { header: &header, body: &body })?
        };
        parts.extensions.insert(press);
        Ok((Request::from_parts(parts, Body::empty()), held))
    }

    /// The body as its handler gets it. Who calls is known by now, so nothing that proves it goes any further. Where
    /// nobody asks who calls, claims are a member like others.
    fn clean(&self, mut body: Object) -> Result<Object, Problem> {
        let identifies = self.app.gatekeeper.identifies();
        let proves = |member: &str| Envelope::FIELDS.contains(&member) && (identifies || member != "actor_claims");
        body.retain(|member, _| !proves(member));
        self.app.settings.redactor.clean(&mut body, self.exact)?;
        Ok(body)
    }

    /// Whether the token for inventories was sent, where it counts.
    fn is_feeder(&self, parts: &Parts) -> bool {
        let wanted = self.app.settings.endpoint_ingest_token.as_ref().filter(|_| self.access.person == Person::Feeder);
        // Digests are compared: how long that takes says nothing about the token.
        wanted.is_some_and(|wanted| bearer(parts).is_some_and(|token| Digest::of(token) == *wanted))
    }

    /// The machine whose API token was sent. It is checked wherever it is sent.
    async fn machine(&self, parts: &Parts) -> Result<Option<Machine>, Problem> {
        match (api_token(parts), self.access.scope) {
            (Some(token), Some(scope)) => Ok(Some(self.app.tokens.authenticate(token, scope).await?)),
            _ => Ok(None),
        }
    }

    /// The person who calls, if the row or the configuration asks who does.
    async fn person(
        &self,
        body: Option<&Object>,
        authorization: Option<&str>,
        machine: bool,
    ) -> Result<Option<Identity>, Problem> {
        let gatekeeper = &self.app.gatekeeper;
        let configured = gatekeeper.identifies();
        let closed = self.effect != Effect::Reads && gatekeeper.requires_identity_for_all_mutations();
        if self.access.person == Person::Unread && !closed {
            return Ok(None);
        }
        let needed = match self.access.person {
            Person::Required | Person::InGroup => configured,
            Person::OrMachine => configured && !machine && (closed || !gatekeeper.admits_anonymous_mutations()),
            Person::Feeder => !machine && (closed || self.app.settings.endpoint_ingest_token.is_some()),
            Person::Unread | Person::Checked | Person::Signed(_) => closed && !machine,
        };
        // A token that is not the one for inventories is no other one either where no provider can check it.
        let authorization =
            authorization.filter(|_| self.access.person != Person::Feeder || gatekeeper.oidc_configured());
        let nothing = Object::new();
        let envelope = Envelope::from_body(body.unwrap_or(&nothing), authorization);
        // What somebody says of themselves does not stand for the token of inventories.
        let is_proven = |identity: &Identity| {
            self.access.person != Person::Feeder || identity.via != Via::Claims || gatekeeper.oidc_configured()
        };
        match self.identify(&envelope).await? {
            Some(identity) if !needed || is_proven(&identity) => Ok(Some(identity)),
            None if !needed => Ok(None),
            _ => Err(CoreError::Unauthenticated("this needs an identity".to_owned()).into()),
        }
    }

    async fn identify(&self, envelope: &Envelope) -> Result<Option<Identity>, Problem> {
        Ok(self.app.gatekeeper.identify(envelope).await.map_err(CoreError::from)?)
    }
}
