//! Notification, from "something needs attention" to "a person answered".
//!
//! ```text
//! observe ─► subject ─► route ─► gate ─► plan ─► (delivery by the host) ─► answers
//!                                                     │                      │
//!                                                     └──────── facts ◄──────┘
//!                                                                 │
//!                              escalate · recur · retry · digest · automate · watch
//! ```
//!
//! Everything is a function of records, a policy and the moment that is handed in: no clock, no store, no network. What
//! differs between families of subjects (schemas, kinds, ids, who may be told) is a [`Family`]: data.

mod acknowledgement;
mod attention;
mod automation;
mod backoff;
mod calendar;
mod digest;
mod drills;
mod escalation;
mod events;
mod facts;
pub mod families;
mod family;
mod gate;
mod health;
mod known;
mod policy;
mod recurrence;
mod retry;
mod routing;
mod slo;
mod state;
mod subjects;
mod suppression;
mod work;

pub use acknowledgement::{Reply, acknowledgement, retry_acknowledgement, review};
pub use attention::{Lately, attention};
pub use automation::{Pass, Schedule, automation_run, run_id, window_of};
pub use backoff::{Backoff, Verdict};
pub use calendar::{Availability, Calendar, Calendars, Traits, Window, Windows};
pub use digest::{Digest, owner_digest};
pub use drills::{
    Asking, AuditRoute, Delivering, DrillPass, DrillPolicy, DrillSlo, DrillTrend, DrillWatched, Filters, RouteRow,
    audit_event, audit_package, audit_routes, delivery_plan, drill_escalation, drill_event, drill_health,
    drill_health_subject, drill_plan, drill_retries, drill_run, drill_window, route_rows, run_word,
};
pub use escalation::{active_routes, escalation_plan};
pub use events::{Making, escalation_event, health_event, recurrence_event, report_event};
pub use facts::{Answer, Delivery, Facts, Notice, Review, subject_of};
pub use family::{
    CONVERSATIONS, CONVERSATIONS_AND_SIEMS, Clocks, Family, Sources, Stage, StageKind, Watches, provider_name,
    providers_asked, providers_named,
};
pub use gate::{Action, Category, Decision, Gates, Paced, gate};
pub use health::{HealthLimits, Watched, health};
pub use policy::PolicyError;
pub use recurrence::{RecurrencePolicy, open_routes, recurrence_plan, unresolved_reviews};
pub use retry::{failed_events, retry_plan};
pub use routing::{Candidate, Request, RoutingPolicy, Rule, Subject, candidates, notification_plan};
pub use slo::{ClockState, Ladder, Rung, SloPolicy, Targets};
pub use state::{RouteState, routes};
pub use subjects::{HEALTH_METRICS, HEALTH_TAGS, REPORT_METRICS, REPORT_TAGS, health_subject, report_subject};
pub use suppression::{Suppressions, suppression_audit};
pub use work::{WorkLimits, work_report};

use cavra_model::{Digest as Sha256, Object, Timestamp, canonical};
use serde_json::Value;

/// What a plan is made with.
#[derive(Clone, Copy, Debug)]
pub struct Planning<'a> {
    /// Whose plan it is.
    pub family: &'a Family,
    /// Which document it is.
    pub stage: &'a Stage,
    /// What happened so far.
    pub facts: &'a Facts,
    /// Who asks.
    pub generated_by: &'a str,
    /// The present moment.
    pub now: Timestamp,
}

/// A document with its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// The document.
    pub content: Object,
    /// Decisions, blocked and waiting for an approval, as its record counts them.
    pub counts: [u64; 3],
    /// What readers of the answer should know.
    pub warnings: Vec<String>,
}

/// `prefix` and `length` hex digits of the digest of a material.
fn id_of(prefix: &str, length: usize, material: &Value) -> String {
    let digest = Sha256::of(canonical(material));
    format!("{prefix}{}", digest.hex().get(..length).unwrap_or_default())
}

/// Minutes between two moments, with two decimals, never negative.
fn minutes_between(earlier: Timestamp, later: Timestamp) -> f64 {
    let micros = later.as_micros().saturating_sub(earlier.as_micros()).max(0);
    (micros as f64 / 600_000.0).round() / 100.0
}

/// The moment `minutes` later.
fn later(moment: Timestamp, minutes: u64) -> Timestamp {
    let micros = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60_000_000);
    Timestamp::from_micros(moment.as_micros().saturating_add(micros))
}

/// A count as documents write it.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A member of a document as it stands, null if there is none.
fn member(document: &Object, name: &str) -> Value {
    document.get(name).cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
