//! Follow-ups: late routes are told, and told again. docs/reference/remediation-sla.md, sections 5 and 6.

use std::collections::BTreeSet;

use cavra_model::{Object, members};
use cavra_notify::{
    Facts, Making, StageKind, active_routes, escalation_event, open_routes, provider_name, recurrence_event, routes,
};
use serde_json::{Value, json};

use super::request::Request;
use super::sending::{Sending, all_enabled, enabled, nobody_set_up, outcome, route_keys};
use super::{Call, Desk};
use crate::{CoreError, Delivered, DeliveryEvidence};

/// Most routes in an event, and how many there may be.
const ESCALATED: (u64, (u64, u64)) = (20, (1, 100));
const RECURRED: (u64, (u64, u64)) = (50, (1, 200));

/// What both kinds of follow-up take.
struct Wanted {
    providers: Option<Vec<String>>,
    enabled: Vec<String>,
    most: usize,
    options: cavra_connect::Options,
    by: String,
}

impl Desk<'_> {
    /// Tells people about the late routes of a plan that are still open.
    pub async fn escalate(self, call: Call) -> Result<Object, CoreError> {
        self.app.connectors()?;
        let plan = self.deliverable(StageKind::EscalationPlan, &call.id).await?;
        let request = self.request(call)?;
        let wanted = self.follow_up(&request, ESCALATED)?;
        let facts = self.reviewed_facts().await?;
        let open = open_routes(self.family, &facts, &routes(&facts), active_routes(&plan));
        let making = Making { family: self.family, generated_by: &wanted.by, now: request.now };
        let event = escalation_event(making, &plan, &open, wanted.most);
        let sent = members::objects(&event, "routes");
        let targets = match &wanted.providers {
            Some(named) => named.clone(),
            None => by_ladder(&sent, &wanted.enabled),
        };
        let source = self.family.sources.escalation;
        let evidence = self.evidence_of(source, &event).with("plan_id", request.id.as_str());
        let delivered = self.follow(&event, targets, evidence, wanted.options, &request).await?;
        Ok(answer(&event, delivered.as_ref(), &request))
    }

    /// Tells people again about the routes that a recurrence plan lets through. Each connector gets a plan once.
    pub async fn recur(self, call: Call) -> Result<Object, CoreError> {
        self.app.connectors()?;
        let plan = self.deliverable(StageKind::RecurrencePlan, &call.id).await?;
        let request = self.request(call)?;
        let wanted = self.follow_up(&request, RECURRED)?;
        let force = request.flag("force")?;
        let source = self.family.sources.recurrence;
        let _turn = self.app.reservations.hold(&format!("{source} {}", request.id)).await;
        let facts = self.facts(&[]).await?;
        let decisions = members::objects(&plan, "route_decisions");
        let due: Vec<&Object> =
            decisions.into_iter().filter(|decision| members::text(decision, "action") == "deliver").collect();
        let making = Making { family: self.family, generated_by: &wanted.by, now: request.now };
        let mut event = recurrence_event(making, &plan, &due, wanted.most);
        let asked = match &wanted.providers {
            Some(named) => named.clone(),
            None if self.family.recurs_by_ladder => by_ladder(&members::objects(&event, "routes"), &wanted.enabled),
            None => wanted.enabled.clone(),
        };
        let told = |provider: &String| !force && facts.latest_success(source, &request.id, provider).is_some();
        let (told, targets): (Vec<String>, Vec<String>) = asked.into_iter().partition(told);
        let suppressed =
            json!(told.iter().map(|name| duplicate(&facts, source, &request.id, name)).collect::<Vec<_>>());
        event.insert("suppressed_providers".to_owned(), suppressed.clone());
        let evidence = self
            .evidence_of(source, &event)
            .with("recurrence_plan_id", request.id.as_str())
            .with("plan_id", members::text(&plan, "plan_id"));
        let all_told = targets.is_empty() && !told.is_empty();
        let delivered =
            if all_told { None } else { self.follow(&event, targets, evidence, wanted.options, &request).await? };
        let mut answer = answer(&event, delivered.as_ref(), &request);
        answer.insert("suppressed_providers".to_owned(), suppressed);
        Ok(answer)
    }

    fn follow_up(self, request: &Request, (default, limits): (u64, (u64, u64))) -> Result<Wanted, CoreError> {
        let known = self.family.follow_ups;
        let enabled = enabled(self.app.connectors()?, known);
        let providers = request.providers("provider", known)?;
        all_enabled(providers.as_ref(), &enabled)?;
        Ok(Wanted {
            providers,
            enabled,
            most: usize::try_from(request.count("max_routes", default, limits)?).unwrap_or(usize::MAX),
            options: request.options()?,
            by: request.generated_by()?,
        })
    }

    /// Evidence that names the routes in an event, and their owners.
    fn evidence_of(self, source: &str, event: &Object) -> DeliveryEvidence {
        let routes = members::objects(event, "routes");
        let owners: BTreeSet<&str> = routes.iter().filter_map(|route| members::filled(route, "owner")).collect();
        DeliveryEvidence::of(source).with("route_keys", route_keys(self.family, &routes)).with("owners", json!(owners))
    }

    /// Sends an event that has any routes.
    async fn follow(
        self,
        event: &Object,
        targets: Vec<String>,
        evidence: DeliveryEvidence,
        options: cavra_connect::Options,
        request: &Request,
    ) -> Result<Option<Delivered>, CoreError> {
        if members::list(event, "routes").is_empty() {
            return Ok(None);
        }
        if targets.is_empty() {
            return Err(nobody_set_up());
        }
        self.send(Sending { event: event.clone(), targets, options, evidence }, request).await.map(Some)
    }
}

/// Whom the rungs of all routes name, where each names somebody; else everybody who is set up.
fn by_ladder(routes: &[&Object], enabled: &[String]) -> Vec<String> {
    const NAMED: &str = "escalation_providers";
    if routes.iter().any(|route| members::texts(route, NAMED).is_empty()) {
        return enabled.to_vec();
    }
    let union: BTreeSet<String> =
        routes.iter().flat_map(|route| members::texts(route, NAMED)).map(provider_name).collect();
    let chosen: Vec<String> = enabled.iter().filter(|name| union.contains(*name)).cloned().collect();
    if chosen.is_empty() { enabled.to_vec() } else { chosen }
}

fn duplicate(facts: &Facts, source: &str, plan: &str, provider: &str) -> Value {
    let latest = facts.latest_success(source, plan, provider);
    json!({
        "provider": provider,
        "last_delivery_at": latest.map(|latest| latest.at),
        "last_delivery_id": latest.map(|latest| &latest.id),
        "reason": format!("{provider} has this plan already"),
    })
}

fn answer(event: &Object, delivered: Option<&Delivered>, request: &Request) -> Object {
    let mut answer = members::built(json!({ "event": event, "event_id": request.id, "actor": request.actor() }));
    answer.extend(outcome(delivered));
    answer
}
