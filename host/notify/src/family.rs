//! Families of subjects, as data: what their documents and records are called, and who may be told.

use cavra_model::Object;
use serde_json::{Value, json};

use crate::{Document, PolicyError};

/// The connectors that people read.
pub const CONVERSATIONS: [&str; 5] = ["jira", "servicenow", "slack", "teams", "webhook"];
/// The connectors that events may go to: those, and the ones that machines read.
pub const CONVERSATIONS_AND_SIEMS: [&str; 8] =
    ["datadog", "jira", "sentinel", "servicenow", "slack", "splunk", "teams", "webhook"];

/// One kind of document of a family: what it is called, and how its record is made.
#[derive(Debug)]
pub struct Stage {
    /// What kind of document it is.
    pub kind: StageKind,
    /// What its id begins with.
    pub id_prefix: &'static str,
    /// `schema_version` of the document.
    pub schema: &'static str,
    /// `metadata_kind` of its record.
    pub metadata_kind: &'static str,
    /// Member of the record that holds the document.
    pub payload: &'static str,
    /// Members that the record takes over from the document.
    pub copied: &'static [&'static str],
}

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// What was observed.
    Report,
    /// Who is told.
    NotificationPlan,
    /// What somebody answered.
    Acknowledgement,
    /// What is late.
    EscalationPlan,
    /// What somebody says about an escalated route.
    Review,
    /// Who is told again.
    RecurrencePlan,
    /// Why nobody is told.
    SuppressionAudit,
    /// Which deliveries are tried again.
    RetryPlan,
    /// What an owner has open.
    OwnerDigest,
    /// How often nobody was told, and why.
    SuppressionTrend,
    /// A pass of the scheduled worker.
    AutomationRun,
    /// Who is told about the worker's health.
    HealthAlertPlan,
    /// What somebody answered to that.
    HealthAlertAcknowledgement,
    /// Who was told and what they answered.
    AuditPackage,
    /// Whom that is sent to.
    AuditDeliveryPlan,
    /// What somebody says to a retry plan.
    RetryAcknowledgement,
}

/// What starts and stops the clocks of a family's routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Notices, and answers to them.
    Notices,
    /// Approvals that are asked for, and decisions about them.
    Approvals,
}

/// What the health of a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watches {
    /// Whether its scheduled worker does its work.
    Worker,
    /// What happened lately that somebody should know.
    Events,
}

/// A family of subjects.
#[derive(Debug)]
pub struct Family {
    /// Its documents.
    pub stages: &'static [Stage],
    /// What is written before the keys of its routes.
    pub route_prefix: &'static str,
    /// The member by which its routes name what they are about.
    pub subject: &'static str,
    /// What starts and stops the clocks of its routes.
    pub clocks: Clocks,
    /// The documents by which people are told, and answer.
    pub told_by: &'static [StageKind],
    /// What its health is about.
    pub watches: Watches,
    /// Who is told again is whom the ladder names, where it names somebody for each route.
    pub recurs_by_ladder: bool,
    /// Connectors that its notifications go to.
    pub conversations: &'static [&'static str],
    /// Connectors that its follow-ups go to.
    pub follow_ups: &'static [&'static str],
    /// Owner of a route that nobody else owns.
    pub fallback_owner: &'static str,
    /// Schemes of references to work that was handed off, and to what became of it.
    pub work_references: [&'static str; 2],
    /// `connector_delivery_source` of notifications, escalations, recurrences, digests and health alerts.
    pub sources: Sources,
    /// `event_type` of the same.
    pub event_types: Sources,
    /// What its events are about, for titles.
    pub title: &'static str,
    /// What the id of its worker's health begins with.
    pub health_prefix: &'static str,
    /// `schema_version` of its worker's health.
    pub health_schema: &'static str,
}

/// Where deliveries come from.
#[derive(Debug)]
pub struct Sources {
    /// Notifications of a subject.
    pub notification: &'static str,
    /// Escalations.
    pub escalation: &'static str,
    /// Recurrences.
    pub recurrence: &'static str,
    /// Owner digests.
    pub digest: &'static str,
    /// Health alerts.
    pub health_alert: &'static str,
}

impl Family {
    /// Its document of a kind.
    #[must_use]
    pub fn stage(&self, kind: StageKind) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.kind == kind)
    }

    /// Key of a route: a subject, a connector and an owner.
    #[must_use]
    pub fn route_key(&self, subject: &str, provider: &str, owner: &str) -> String {
        crate::id_of(self.route_prefix, 16, &json!([subject, provider, owner]))
    }
}

/// Where a document says what its record counts: decisions, blocked, waiting for an approval. A number is one, a list has
/// as many as elements.
const COUNTED: [(StageKind, [&str; 3]); 6] = [
    (StageKind::Report, ["tracked_work_item_count", "breached_count", "at_risk_count"]),
    (StageKind::NotificationPlan, ["eligible_providers", "suppressed_providers", "acknowledgement_required_providers"]),
    (StageKind::HealthAlertPlan, ["eligible_providers", "suppressed_providers", "acknowledgement_required_providers"]),
    (StageKind::EscalationPlan, ["route_count", "active_escalation_count", "acknowledgement_breach_count"]),
    (StageKind::RecurrencePlan, ["route_count", "suppressed_route_count", "deliverable_route_count"]),
    (StageKind::RetryPlan, ["decision_count", "suppressed_count", "retryable_count"]),
];

/// What stands under a name in a document or in its summary.
fn stated<'a>(content: &'a Object, name: &str) -> Option<&'a Value> {
    let summary = ["executive_summary", "summary"].iter().find_map(|name| content.get(*name));
    content.get(name).or_else(|| summary.and_then(|summary| summary.get(name)))
}

impl Stage {
    /// A document that somebody hands in, such as a file, with the counts that it states; what it does not state is 0.
    #[must_use]
    pub fn handed_in(&self, id: &str, content: Object) -> Document {
        let row = COUNTED.iter().find(|(kind, _)| *kind == self.kind);
        let number = |name: &str| match stated(&content, name) {
            Some(Value::Array(items)) => crate::count(items.len()),
            value => value.and_then(Value::as_u64).unwrap_or(0),
        };
        let counts = row.map(|(_, names)| names.map(number)).unwrap_or_default();
        Document { id: id.to_owned(), content, counts, warnings: Vec::new() }
    }

    /// The record that holds a document; `signer` is who made it.
    #[must_use]
    pub fn record(&self, document: &Document, created_at: &str, signer: &str) -> Object {
        let [decisions, blocked, approvals] = document.counts;
        let mut record = cavra_model::members::built(json!({
            "schema_version": "cavra.evidence.metadata.v1",
            "product": "CAVRA",
            "session_id": document.id,
            "created_at": created_at,
            "signer": signer,
            "decision_count": decisions,
            "blocked_count": blocked,
            "approval_required_count": approvals,
            "metadata_kind": self.metadata_kind,
        }));
        for name in self.copied {
            let value = stated(&document.content, name).map_or(Value::Null, names_of);
            record.insert((*name).to_owned(), value);
        }
        record.insert(self.payload.to_owned(), Value::Object(document.content.clone()));
        record
    }
}

/// A member as a record takes it over: of connectors and owners with details, only the names.
fn names_of(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let name = |item: &Value| ["provider", "owner"].iter().find_map(|member| item.get(*member)).cloned();
    items.iter().map(|item| name(item).unwrap_or_else(|| item.clone())).collect()
}

/// The one spelling of a connector's name.
#[must_use]
pub fn provider_name(text: &str) -> String {
    text.trim().to_lowercase().replace('-', "_")
}

/// The connectors that a request names, whether they are known or not: nothing for `all`, null and empty.
///
/// # Errors
/// [`PolicyError`] for a value that is no text.
pub fn providers_named(value: Option<&Value>) -> Result<Option<Vec<String>>, PolicyError> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(PolicyError("provider must be a text".to_owned())),
    };
    let names: Vec<_> = text.split(',').map(provider_name).filter(|name| !name.is_empty()).collect();
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    Ok((!all).then(|| crate::policy::sorted(names.iter().map(String::as_str))))
}

/// As [`providers_named`], of those that are known.
///
/// # Errors
/// [`PolicyError`] for a value that is no text, and naming every connector that is not in `known`.
pub fn providers_asked(value: Option<&Value>, known: &[&str]) -> Result<Option<Vec<String>>, PolicyError> {
    let Some(names) = providers_named(value)? else { return Ok(None) };
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    if unknown.is_empty() {
        Ok(Some(names))
    } else {
        Err(PolicyError(format!("unknown provider: {}; known are {}", unknown.join(", "), known.join(", "))))
    }
}
