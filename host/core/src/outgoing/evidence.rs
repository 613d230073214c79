//! Evidence of deliveries: from what the connectors answered to the record that keeps it.

use cavra_model::members::{filled, objects, text};
use cavra_model::{Digest, Object, RELEASE_DELIVERIES, Timestamp, slug};
use serde_json::{Value, json};

use crate::JobRun;

/// Longest part of a record's id that tells what was delivered, in characters.
const SLUG_LENGTH: usize = 200;

/// What the evidence of a delivery says beside what came of it.
#[derive(Clone, Debug, Default)]
pub struct DeliveryEvidence {
    source: String,
    members: Object,
    beside: Vec<Object>,
    run: Option<JobRun>,
    /// The id under which it was announced.
    announced: Option<String>,
}

/// The member that names the run of a job that sent something.
pub(crate) const JOB_RUN: &str = "job_run";
/// The member that says whether it is known what came of a delivery.
const STATE: &str = "delivery_state";

impl DeliveryEvidence {
    /// Evidence of a delivery by `source`: its `connector_delivery_source` and its `signer`.
    #[must_use]
    pub fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// With a member of the event's family: the id of a plan or a report, the keys of routes.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// With further records of the server, which are written in the same unit of work.
    #[must_use]
    pub fn beside(mut self, records: impl IntoIterator<Item = Object>) -> Self {
        self.beside.extend(records);
        self
    }

    /// Announced in the store before anything is sent, as what the run of a job does: whoever does the run again, because this
    /// process was killed meanwhile, finds it and sends it to nobody a second time.
    #[must_use]
    pub fn announced_by(mut self, run: &JobRun) -> Self {
        self.members.insert(JOB_RUN.to_owned(), json!(run.name()));
        self.run = Some(run.clone());
        self
    }

    /// The run of a job in which it is sent.
    pub(super) fn run(&self) -> Option<&JobRun> {
        self.run.as_ref()
    }

    /// The records of a delivery that is about to begin: those beside it, and last its own. It counts as one that arrives,
    /// until it is known what came of it.
    pub(super) fn announcement(&mut self, event: &Object, providers: &[&str], now: Timestamp) -> Vec<Object> {
        let delivery = unsent(event, providers, now, true);
        let mut own = delivery_record(&delivery, &self.source, self.members.clone());
        own.insert("delivery_success".to_owned(), Value::Null);
        own.insert(STATE.to_owned(), json!("under_way"));
        self.announced = Some(text(&own, "session_id").to_owned());
        self.beside.drain(..).chain([own]).collect()
    }

    /// The records to write: those beside it, and last the delivery's own.
    pub(super) fn records(self, delivery: &Object) -> Vec<Object> {
        let mut own = delivery_record(delivery, &self.source, self.members);
        if let Some(id) = self.announced {
            own.insert("session_id".to_owned(), json!(id));
            own.insert(STATE.to_owned(), json!("done"));
        }
        self.beside.into_iter().chain([own]).collect()
    }
}

/// A delivery of which nothing has been sent, as what is announced (`success`) or as what came to nothing.
pub(super) fn unsent(event: &Object, providers: &[&str], now: Timestamp, success: bool) -> Object {
    let one =
        |provider: &&str| json!({ "provider": provider, "success": success, "status_code": null, "attempt_count": 0 });
    cavra_model::members::built(json!({
        "event_id": event.get("session_id"), "event_type": event.get("event_type"), "generated_at": now,
        "success": success, "deliveries": providers.iter().map(one).collect::<Vec<_>>(),
    }))
}

/// The evidence metadata of a delivery: who delivered what to whom, and what came of it. `members` are those of the event's
/// family; none of them takes the place of what the delivery itself says.
#[must_use]
pub fn delivery_record(delivery: &Object, source: &str, members: Object) -> Object {
    let deliveries = objects(delivery, "deliveries");
    let names = |only_failed: bool| -> Vec<&str> {
        let chosen = deliveries.iter().filter(|one| !only_failed || one.get("success") != Some(&Value::Bool(true)));
        chosen.filter_map(|one| filled(one, "provider")).collect()
    };
    let (providers, failed) = (names(false), names(true));
    let attempts = || deliveries.iter().filter_map(|one| one.get("attempt_count").and_then(Value::as_u64));
    let statuses: Vec<&Value> =
        deliveries.iter().filter_map(|one| one.get("status_code")).filter(|status| !status.is_null()).collect();
    let id = record_id(text(delivery, "event_id"), text(delivery, "generated_at"), &providers);
    let own = cavra_model::members::built(json!({
        "session_id": id,
        "created_at": delivery.get("generated_at"),
        "signer": source,
        "decision_count": 0,
        "blocked_count": failed.len(),
        "approval_required_count": 0,
        "metadata_kind": RELEASE_DELIVERIES.value,
        "connector_delivery_source": source,
        "event_id": delivery.get("event_id"),
        "event_type": delivery.get("event_type"),
        "delivery_success": delivery.get("success"),
        "providers": providers,
        "failed_providers": failed,
        "attempt_count": attempts().sum::<u64>(),
        "max_attempt_count": attempts().max().unwrap_or(0),
        "status_codes": statuses,
        "delivery": delivery,
    }));
    let mut record = members;
    record.extend(own);
    record
}

/// `rcd-`, what was delivered, and a digest of when and to whom.
fn record_id(event: &str, time: &str, providers: &[&str]) -> String {
    let digest = Digest::of(format!("{event}|{time}|{}", providers.join(",")));
    let short: String = digest.hex().chars().take(12).collect();
    let word: String = slug(event).chars().take(SLUG_LENGTH).collect();
    format!("rcd-{word}-{short}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::members::built;

    #[test]
    fn a_record_says_what_came_of_each() {
        let delivery = built(json!({
            "event_id": "RPE/1 x", "event_type": "t", "generated_at": "2031-01-01T00:00:00.000000+00:00", "success": false,
            "deliveries": [
                {"provider": "jira", "success": false, "status_code": null, "attempt_count": 3},
                {"provider": "splunk", "success": true, "status_code": 200, "attempt_count": 1},
            ],
        }));
        let members = built(json!({"plan_id": "p", "signer": "somebody", "providers": ["none"]}));
        let record = delivery_record(&delivery, "source", members);
        let digest = Digest::of("RPE/1 x|2031-01-01T00:00:00.000000+00:00|jira,splunk");
        assert_eq!(record["session_id"], format!("rcd-rpe-1-x-{}", digest.hex().get(..12).unwrap()));
        for (member, value) in [
            ("created_at", json!("2031-01-01T00:00:00.000000+00:00")),
            ("signer", json!("source")),
            ("connector_delivery_source", json!("source")),
            ("plan_id", json!("p")),
            ("blocked_count", json!(1)),
            ("delivery_success", json!(false)),
            ("providers", json!(["jira", "splunk"])),
            ("failed_providers", json!(["jira"])),
            ("attempt_count", json!(4)),
            ("max_attempt_count", json!(3)),
            ("status_codes", json!([200])),
            ("delivery", Value::Object(delivery)),
        ] {
            assert_eq!(record[member], value, "{member}");
        }
    }

    #[test]
    fn ids_are_as_long_as_ids_may_be() {
        for (event, begins) in [("--a--", "rcd-a-"), ("", "rcd--"), ("évt_1", "rcd-vt-1-"), ("..", "rcd--")] {
            assert!(record_id(event, "t", &[]).starts_with(begins), "{event}");
        }
        assert!(crate::check_id("session_id", &record_id(&"x".repeat(300), "t", &[])).is_ok());
    }
}
