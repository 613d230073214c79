//! Sending: which connectors an event goes to, and the evidence that it went there.

use cavra_connect::{Connectors, Options};
use cavra_model::{Object, members};
use cavra_notify::{Family, subject_of};
use serde_json::{Value, json};

use super::Desk;
use super::request::Request;
use crate::{CoreError, Delivered, DeliveryEvidence};

/// Something that is sent.
pub(super) struct Sending {
    /// The event.
    pub event: Object,
    /// The connectors.
    pub targets: Vec<String>,
    /// How.
    pub options: Options,
    /// Its evidence.
    pub evidence: DeliveryEvidence,
}

impl Desk<'_> {
    /// Sends an event and keeps what came of it.
    pub async fn send(self, sending: Sending, request: &Request) -> Result<Delivered, CoreError> {
        let options = Options { provider: sending.targets.join(","), ..sending.options };
        let evidence = match &request.run {
            Some(run) => sending.evidence.announced_by(run),
            None => sending.evidence,
        };
        self.app.deliver_event(sending.event, &options, evidence, &request.caller).await
    }
}

/// The connectors among `known` that are set up, by name.
pub(super) fn enabled(connectors: &Connectors, known: &[&str]) -> Vec<String> {
    let names = connectors.enabled().into_iter().map(|provider| provider.as_str());
    names.filter(|name| known.contains(name)).map(ToOwned::to_owned).collect()
}

/// Refuses connectors that are asked for by name and are not set up.
pub(super) fn all_enabled(asked: Option<&Vec<String>>, enabled: &[String]) -> Result<(), CoreError> {
    let missing: Vec<&str> =
        asked.into_iter().flatten().filter(|name| !enabled.contains(name)).map(String::as_str).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CoreError::BadRequest(format!("connector provider is not configured: {}", missing.join(", "))))
    }
}

/// There is nobody who could be told.
pub(super) fn nobody_set_up() -> CoreError {
    CoreError::BadRequest("connector provider is not configured: none of those that could be told".to_owned())
}

/// Keys of routes, as evidence of a delivery names what was in its event.
pub(super) fn route_keys(family: &Family, routes: &[&Object]) -> Value {
    let key = |route: &&Object| {
        let text = |name: &str| members::text(route, name);
        family.route_key(subject_of(route).map_or("", |(_, id)| id), text("provider"), text("owner"))
    };
    json!(routes.iter().map(key).collect::<Vec<_>>())
}

/// The members of an answer that say what became of a delivery; nothing was sent without one.
pub(super) fn outcome(delivered: Option<&Delivered>) -> Object {
    let success = delivered.is_none_or(|delivered| delivered.delivery.get("success") == Some(&Value::Bool(true)));
    members::built(json!({
        "delivery": delivered.map(|delivered| &delivered.delivery),
        "metadata": delivered.map(|delivered| &delivered.metadata),
        "success": success,
    }))
}
