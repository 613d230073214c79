//! Audit events about promotions and rollbacks, and the documents that the usual systems take in. docs/reference/evidence-and-promotion.md, sections 9,
//! 10 and 14.

use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use super::{Action, PROMOTION};
use crate::members::{built, filled, list, object};

/// `event_type` of promotions.
pub const PROMOTION_EVENT: &str = "cavra.rollout_promotion_execution";
/// `event_type` of rollbacks.
pub const ROLLBACK_EVENT: &str = "cavra.rollout_rollback_execution";

/// The audit event of a document that was carried out.
///
/// # Errors
/// A sentence if the document is none of this action.
pub fn audit_event(action: &Action, document: &Object) -> Result<Object, String> {
    if filled(document, "schema_version") != Some(action.schema) {
        return Err(format!("the {} document is not of schema {}", action.payload, action.schema));
    }
    let promotion = action.kind == PROMOTION.kind;
    let member = |name: &str| document.get(name).cloned().unwrap_or(Value::Null);
    let within = |outer: &str, inner: &str| object(document, outer).and_then(|found| found.get(inner)).cloned();
    let (schema, event_type, severity) = if promotion {
        ("cavra.rollout-promotion.audit-event.v1", PROMOTION_EVENT, "high")
    } else {
        ("cavra.rollout-rollback.audit-event.v1", ROLLBACK_EVENT, "critical")
    };
    let mut event = built(json!({
        "schema_version": schema,
        "event_type": event_type,
        "product": "CAVRA",
        "timestamp": member("created_at"),
        "severity": severity,
        "rollout_id": member("rollout_id"),
        "approval_id": member("approval_id"),
        "approval_state": within("approval", "state"),
        "change_record": member("change_record"),
        "environment": member("execution_environment"),
        "current_ring": within(action.movement, "from"),
        "target_ring": within(action.movement, "to"),
        "release": member("release"),
        "deployment_targets": member("deployment_targets"),
        "rollback_evidence_refs": member("rollback_evidence_refs"),
        "rollback_reference_count": list(document, "rollback_evidence_refs").len(),
        "audit_links": links(action, document),
        "controls": member("controls"),
    }));
    let mut own = vec![action.id, action.subject.member, action.status];
    if !promotion {
        own.push("rollback_reason");
    }
    event.extend(own.into_iter().map(|name| (name.to_owned(), member(name))));
    event.insert(format!("raw_{}", action.payload), Value::Object(document.clone()));
    Ok(event)
}

/// Where everything that belongs to the event is.
fn links(action: &Action, document: &Object) -> Object {
    let link = |scheme: &str, name: &str| format!("{scheme}://{}", filled(document, name).unwrap_or_default());
    let own = format!("{}_execution", if action.kind == PROMOTION.kind { "promotion" } else { "rollback" });
    let rows = [
        ("rollout".to_owned(), link("rollout", "rollout_id")),
        (action.subject.link.to_owned(), link(&action.subject.link.replace('_', "-"), action.subject.member)),
        (own.clone(), link(&own.replace('_', "-"), action.id)),
        ("approval".to_owned(), link("approval", "approval_id")),
        ("change".to_owned(), link("change", "change_record")),
    ];
    rows.into_iter().map(|(name, link)| (name, json!(link))).collect()
}

/// How an event is labelled in other systems.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Splunk index.
    pub splunk_index: &'a str,
    /// Datadog service.
    pub datadog_service: &'a str,
    /// Project of tickets.
    pub project_key: &'a str,
}

/// A system that takes events in: its name, the file for it, its form.
struct Provider {
    name: &'static str,
    file: &'static str,
    form: fn(&Object, &Labels<'_>) -> Value,
}

const PROVIDERS: [Provider; 6] = [
    Provider { name: "splunk", file: "splunk-hec-events.json", form: splunk },
    Provider { name: "sentinel", file: "sentinel-log-analytics.json", form: sentinel },
    Provider { name: "datadog", file: "datadog-events.json", form: datadog },
    Provider { name: "webhook", file: "webhook-payload.json", form: webhook },
    Provider { name: "jira", file: "jira-issue.json", form: jira },
    Provider { name: "servicenow", file: "servicenow-change-task.json", form: servicenow },
];

/// The documents about an event for one provider, several separated by commas, or `all`.
///
/// # Errors
/// A sentence naming an unknown provider.
pub fn audit_documents(
    event: &Object,
    wanted: &str,
    labels: &Labels<'_>,
) -> Result<Vec<(&'static str, Value)>, String> {
    let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let known = |name: &&str| *name == "all" || PROVIDERS.iter().any(|provider| provider.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
        return Err(format!("unknown provider {unknown:?}; known are all, {}", known.join(", ")));
    }
    let asked = |provider: &&Provider| names.contains(&"all") || names.contains(&provider.name);
    Ok(PROVIDERS.iter().filter(asked).map(|provider| (provider.file, (provider.form)(event, labels))).collect())
}

fn member(event: &Object, name: &str) -> Value {
    event.get(name).cloned().unwrap_or(Value::Null)
}

fn title(event: &Object) -> String {
    let part = |name: &str| filled(event, name).unwrap_or_default();
    format!(
        "CAVRA rollout {} promoted from ring {} to {}",
        part("rollout_id"),
        part("current_ring"),
        part("target_ring")
    )
}

fn splunk(event: &Object, labels: &Labels<'_>) -> Value {
    let moment = filled(event, "timestamp").and_then(|moment| moment.parse::<Timestamp>().ok());
    json!({ "events": [{
        "time": moment.map_or(0, |moment| moment.as_micros() / 1_000_000),
        "host": "cavra",
        "source": "cavra:rollout-promotion",
        "sourcetype": "cavra:rollout-promotion:json",
        "index": labels.splunk_index,
        "event": event,
    }] })
}

fn sentinel(event: &Object, _: &Labels<'_>) -> Value {
    json!({ "records": [{
        "TimeGenerated": member(event, "timestamp"),
        "SourceSystem": "CAVRA",
        "EventName": member(event, "event_type"),
        "ProductName": "CAVRA",
        "ExecutionId": member(event, "execution_id"),
        "RolloutId": member(event, "rollout_id"),
        "ApprovalId": member(event, "approval_id"),
        "ChangeRecord": member(event, "change_record"),
        "CurrentRing": member(event, "current_ring"),
        "TargetRing": member(event, "target_ring"),
        "Severity": "High",
        "RawEvent": event,
    }] })
}

fn datadog(event: &Object, labels: &Labels<'_>) -> Value {
    let tag = |name: &str| format!("{name}:{}", filled(event, name).unwrap_or_default());
    json!({ "events": [{
        "ddsource": "cavra",
        "service": labels.datadog_service,
        "status": "error",
        "message": title(event),
        "tags": ["product:cavra".to_owned(), tag("rollout_id"), tag("execution_id"), tag("target_ring")],
        "attributes": event,
    }] })
}

fn webhook(event: &Object, _: &Labels<'_>) -> Value {
    json!({
        "schema_version": "cavra.webhook.rollout-promotion.v1",
        "product": "CAVRA",
        "event_type": member(event, "event_type"),
        "timestamp": member(event, "timestamp"),
        "payload": event,
    })
}

/// What people read in a ticket.
fn description(event: &Object) -> String {
    let names =
        ["execution_id", "rollout_id", "request_id", "approval_id", "approval_state", "change_record", "environment"];
    let lines = names.iter().map(|name| format!("{name}: {}", filled(event, name).unwrap_or("-")));
    lines.collect::<Vec<_>>().join("\n")
}

fn jira(event: &Object, labels: &Labels<'_>) -> Value {
    json!({ "fields": {
        "project": { "key": labels.project_key },
        "issuetype": { "name": "Task" },
        "summary": title(event),
        "description": description(event),
        "labels": ["cavra", "rollout-promotion"],
    } })
}

fn servicenow(event: &Object, labels: &Labels<'_>) -> Value {
    json!({
        "short_description": title(event),
        "description": description(event),
        "change_request": member(event, "change_record"),
        "correlation_id": member(event, "execution_id"),
        "category": labels.project_key,
        "state": "closed",
        "work_notes": member(event, "audit_links"),
    })
}
