//! Digests: what each owner has open.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::Stage;
use crate::{Document, count, id_of};

/// Most routes of an owner that are written out.
const SHOWN: usize = 25;

/// What a digest is made from.
#[derive(Clone, Copy, Debug)]
pub struct Digest<'a> {
    /// The recurrence plan.
    pub plan: &'a Object,
    /// The retry plan, if there is one.
    pub retry: Option<&'a Object>,
    /// Title of the event.
    pub title: &'a str,
    /// `event_type`.
    pub event_type: &'a str,
    /// Who asks.
    pub generated_by: &'a str,
}

#[derive(Default)]
struct Owned {
    routes: usize,
    retries: usize,
    providers: BTreeMap<String, usize>,
    shown: Vec<Value>,
}

/// The digest of a recurrence plan, an event of its own.
#[must_use]
pub fn owner_digest(stage: &Stage, about: Digest<'_>, now: Timestamp) -> Document {
    let plan_id = members::text(about.plan, "recurrence_plan_id");
    let mut owners: BTreeMap<String, Owned> = BTreeMap::new();
    let open = |decision: &&Object| ["deliver", "wait"].contains(&members::text(decision, "action"));
    let unresolved: Vec<&Object> = members::objects(about.plan, "route_decisions").into_iter().filter(open).collect();
    for route in &unresolved {
        let owned = owners.entry(members::text(route, "owner").to_owned()).or_default();
        owned.routes += 1;
        *owned.providers.entry(members::text(route, "provider").to_owned()).or_default() += 1;
        if owned.shown.len() < SHOWN {
            owned.shown.push(Value::Object((*route).clone()));
        }
    }
    let retries = about.retry.map(|retry| members::objects(retry, "retry_decisions")).unwrap_or_default();
    let of_plan = |decision: &&&Object| members::text(decision, "recurrence_plan_id") == plan_id;
    let (mut retryable, mut waiting) = (0, 0);
    for decision in retries.iter().filter(of_plan) {
        match members::text(decision, "action") {
            "retry" => retryable += 1,
            "wait" => waiting += 1,
            _ => continue,
        }
        for route in members::objects(decision, "routes") {
            let owned = owners.entry(members::text(route, "owner").to_owned()).or_default();
            owned.retries += 1;
            *owned.providers.entry(members::text(decision, "provider").to_owned()).or_default() += 1;
        }
    }
    let shown: Vec<_> = owners
        .into_iter()
        .map(|(owner, owned)| {
            json!({
                "owner": owner, "route_count": owned.routes, "retry_count": owned.retries,
                "providers": owned.providers, "routes": owned.shown,
            })
        })
        .collect();
    let total = unresolved.len();
    let retry_id = about.retry.map(|retry| members::text(retry, "retry_plan_id"));
    let id = id_of(stage.id_prefix, 16, &json!([now, plan_id, retry_id, about.generated_by, shown]));
    let (level, severity) = if total > 0 { ("critical", "critical") } else { ("healthy", "low") };
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "event_type": about.event_type,
        "session_id": id,
        "digest_id": id,
        "title": about.title,
        "recurrence_plan_id": plan_id,
        "retry_plan_id": retry_id,
        "plan_id": about.plan.get("plan_id"),
        "timestamp": now,
        "generated_at": now,
        "generated_by": about.generated_by,
        "alert_level": level,
        "max_severity": severity,
        "decision_count": total,
        "blocked_count": total,
        "approval_required_count": total,
        "owner_count": shown.len(),
        "unresolved_route_count": total,
        "summary": {
            "owner_count": shown.len(), "unresolved_route_count": total, "retryable_count": retryable,
            "waiting_retry_count": waiting,
        },
        "owners": shown,
        "controls": ["one-line-per-owner", "no-connector-secrets"],
    }));
    Document { id, content, counts: [count(total); 3], warnings: Vec::new() }
}
