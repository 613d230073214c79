//! What happened, read from records: who was told, who answered, what was said about a route, what was sent.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::Value;

use crate::family::{Family, StageKind};
use crate::policy::moment;

/// A plan chose a connector for a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The subject.
    pub subject: String,
    /// The connector.
    pub provider: String,
    /// When.
    pub at: Timestamp,
    /// Who owns the route.
    pub owner: String,
    /// How worried the subject was.
    pub alert_level: String,
    /// The plan.
    pub plan_id: String,
    /// Whether somebody has to answer.
    pub acknowledgement_required: bool,
}

/// Somebody answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The subject.
    pub subject: String,
    /// The connector.
    pub provider: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub state: String,
    /// Id of the acknowledgement.
    pub id: String,
    /// Who, and what else was said.
    pub more: BTreeMap<&'static str, String>,
}

/// Members of an answer that are kept for audits.
const KEPT: [&str; 3] = ["acknowledged_by", "external_ref", "notes"];

impl Answer {
    /// What else was said; nothing is an empty text.
    #[must_use]
    pub fn said(&self, name: &str) -> &str {
        self.more.get(name).map_or("", String::as_str)
    }
}

/// Somebody said something about an escalated route.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Key of the route.
    pub route_key: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub state: String,
    /// Id of the review.
    pub id: String,
}

/// An event was sent to a connector, or was meant to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Where it came from.
    pub source: String,
    /// What it was about.
    pub event_id: String,
    /// The connector.
    pub provider: String,
    /// Whether it got there.
    pub success: bool,
    /// When.
    pub at: Timestamp,
    /// Id of its record.
    pub id: String,
    /// What the connector's side answered.
    pub status_code: Option<i64>,
    /// Keys of the routes in the event.
    pub route_keys: Vec<String>,
    /// The package that was delivered, of an audit.
    pub audit_id: String,
}

/// Everything that is known, each in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Who was told.
    pub notices: Vec<Notice>,
    /// Who answered.
    pub answers: Vec<Answer>,
    /// What was said.
    pub reviews: Vec<Review>,
    /// What was sent.
    pub deliveries: Vec<Delivery>,
}

impl Facts {
    /// Reads the facts of a family from records; what is of another kind says nothing.
    #[must_use]
    pub fn read<'a>(family: &Family, records: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut facts = Self::default();
        records.into_iter().for_each(|record| facts.add(family, record));
        facts.sort();
        facts
    }

    /// Adds what one record says. [`Facts::sort`] has to follow the last one.
    pub fn add(&mut self, family: &Family, record: &Object) {
        let Some(at) = record.get("created_at").and_then(Value::as_str).and_then(moment) else { return };
        let kind = members::text(record, "metadata_kind");
        if kind == "release-connector-delivery" {
            self.add_deliveries(record, at);
        }
        let stage = family.stages.iter().find(|stage| stage.metadata_kind == kind);
        let Some(stage) = stage else { return };
        let Some(document) = members::object(record, stage.payload) else { return };
        match stage.kind {
            StageKind::NotificationPlan | StageKind::HealthAlertPlan => self.add_notices(document, at),
            StageKind::Acknowledgement | StageKind::HealthAlertAcknowledgement => self.add_answer(document, at),
            StageKind::Review => self.add_review(family, document, at),
            _ => {}
        }
    }

    /// Adds what an approval says: those who may decide were told when it was asked for, and are not waited for any more when it
    /// is decided. It has a route to each of these connectors.
    pub fn add_approval(&mut self, approval: &Object, providers: &[String]) {
        let text = |name: &str| members::text(approval, name);
        let Some(at) = moment(text("requested_at")) else { return };
        let severity = members::object(approval, "decision").map_or("", |decision| members::text(decision, "severity"));
        let level = if ["critical", "high"].contains(&severity) { "critical" } else { "warning" };
        for provider in providers {
            self.notices.push(Notice {
                subject: text("approval_id").to_owned(),
                provider: provider.clone(),
                at,
                owner: text("approver_group").to_owned(),
                alert_level: level.to_owned(),
                plan_id: text("approval_id").to_owned(),
                acknowledgement_required: true,
            });
            if text("state") != "pending" {
                self.answers.push(Answer {
                    subject: text("approval_id").to_owned(),
                    provider: provider.clone(),
                    at: moment(text("decided_at")).unwrap_or(at),
                    state: "resolved".to_owned(),
                    id: text("approval_id").to_owned(),
                    more: BTreeMap::new(),
                });
            }
        }
    }

    /// Puts everything in the order of time.
    pub fn sort(&mut self) {
        self.notices.sort_by(|left, right| (left.at, &left.plan_id).cmp(&(right.at, &right.plan_id)));
        self.answers.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
        self.reviews.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
        self.deliveries.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
    }

    fn add_notices(&mut self, plan: &Object, at: Timestamp) {
        // A plan with decisions keeps its record as long as nobody answers: the record says since when.
        for decision in members::objects(plan, "route_decisions") {
            if members::text(decision, "action") == "deliver" {
                self.notices.push(Notice {
                    subject: subject(plan).to_owned(),
                    provider: members::text(decision, "provider").to_owned(),
                    at,
                    owner: members::text(decision, "owner").to_owned(),
                    alert_level: members::text(plan, "alert_level").to_owned(),
                    plan_id: members::text(plan, "plan_id").to_owned(),
                    acknowledgement_required: true,
                });
            }
        }
        let at = members::filled(plan, "generated_at").and_then(moment).unwrap_or(at);
        for route in members::objects(plan, "routes") {
            if route.get("selected").and_then(Value::as_bool) == Some(true) {
                self.notices.push(Notice {
                    subject: subject(plan).to_owned(),
                    provider: members::text(route, "provider").to_owned(),
                    at,
                    owner: members::text(route, "owner").to_owned(),
                    alert_level: members::text(plan, "alert_level").to_owned(),
                    plan_id: members::text(plan, "plan_id").to_owned(),
                    acknowledgement_required: route
                        .get("acknowledgement_required")
                        .and_then(Value::as_bool)
                        .unwrap_or(false),
                });
            }
        }
    }

    fn add_answer(&mut self, answer: &Object, at: Timestamp) {
        self.answers.push(Answer {
            subject: subject(answer).to_owned(),
            provider: members::text(answer, "provider").to_owned(),
            at: members::filled(answer, "acknowledged_at").and_then(moment).unwrap_or(at),
            state: members::text(answer, "acknowledgement_state").to_owned(),
            id: members::text(answer, "acknowledgement_id").to_owned(),
            more: KEPT.iter().map(|name| (*name, members::text(answer, name).to_owned())).collect(),
        });
    }

    fn add_review(&mut self, family: &Family, review: &Object, at: Timestamp) {
        let text = |name: &str| members::text(review, name);
        self.reviews.push(Review {
            route_key: family.route_key(subject(review), text("provider"), text("owner")),
            at: members::filled(review, "reviewed_at").and_then(moment).unwrap_or(at),
            state: text("review_state").to_owned(),
            id: text("review_id").to_owned(),
        });
    }

    fn add_deliveries(&mut self, record: &Object, at: Timestamp) {
        let failed = members::texts(record, "failed_providers");
        let all_failed = record.get("delivery_success").and_then(Value::as_bool) == Some(false) && failed.is_empty();
        let results = members::object(record, "delivery").map(|delivery| members::objects(delivery, "deliveries"));
        let codes: BTreeMap<&str, i64> = results
            .unwrap_or_default()
            .into_iter()
            .filter_map(|result| Some((members::text(result, "provider"), result.get("status_code")?.as_i64()?)))
            .collect();
        for provider in members::texts(record, "providers") {
            self.deliveries.push(Delivery {
                source: members::text(record, "connector_delivery_source").to_owned(),
                // Another attempt has an event of its own, which says what it is another attempt of.
                event_id: ["retry_of", "event_id"]
                    .iter()
                    .find_map(|name| members::filled(record, name))
                    .unwrap_or_default()
                    .to_owned(),
                provider: provider.to_owned(),
                success: !all_failed && !failed.contains(&provider),
                at,
                id: members::text(record, "session_id").to_owned(),
                status_code: codes.get(provider).copied(),
                route_keys: members::texts(record, "route_keys").into_iter().map(ToOwned::to_owned).collect(),
                audit_id: members::text(record, "audit_id").to_owned(),
            });
        }
    }

    /// Failures of a source by event and connector since the latest success; what succeeded since is no failure any more.
    #[must_use]
    pub fn failures(&self, source: &str) -> BTreeMap<(&str, &str), Vec<&Delivery>> {
        let mut groups: BTreeMap<(&str, &str), Vec<&Delivery>> = BTreeMap::new();
        for delivery in self.deliveries.iter().filter(|delivery| delivery.source == source) {
            let group = groups.entry((&delivery.event_id, &delivery.provider)).or_default();
            if delivery.success { group.clear() } else { group.push(delivery) }
        }
        groups.retain(|_, group| !group.is_empty());
        groups
    }

    /// The latest failures of the pairs of event and connector of a source whose latest attempt failed.
    #[must_use]
    pub fn open_failures(&self, source: &str) -> Vec<&Delivery> {
        self.failures(source).into_values().filter_map(|group| group.last().copied()).collect()
    }

    /// Failures of a source after which its connector has not taken anything from that source.
    #[must_use]
    pub fn unbroken_failures(&self, source: &str) -> Vec<&Delivery> {
        let mut failures: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
        for delivery in self.deliveries.iter().filter(|delivery| delivery.source == source) {
            let row = failures.entry(&delivery.provider).or_default();
            if delivery.success { row.clear() } else { row.push(delivery) }
        }
        let mut failures: Vec<_> = failures.into_values().flatten().collect();
        failures.sort_by_key(|failure| failure.at);
        failures
    }

    /// The latest delivery of a source about an event that reached a connector.
    #[must_use]
    pub fn latest_success(&self, source: &str, event_id: &str, provider: &str) -> Option<&Delivery> {
        let reached = |delivery: &&Delivery| {
            delivery.success
                && delivery.source == source
                && delivery.event_id == event_id
                && delivery.provider == provider
        };
        self.deliveries.iter().rev().find(reached)
    }
}

/// Members by which documents name what they are about.
const SUBJECTS: [&str; 4] = ["report_id", "health_id", "schedule_id", "approval_id"];

/// The member by which a document names what it is about, and the id.
#[must_use]
pub fn subject_of(document: &Object) -> Option<(&'static str, &str)> {
    SUBJECTS.iter().find_map(|name| Some((*name, members::filled(document, name)?)))
}

/// The id of what a document is about.
pub(crate) fn subject(document: &Object) -> &str {
    subject_of(document).map_or("", |(_, id)| id)
}
