//! The drills there were: whether the latest one showed that the way back works, lately enough.

use cavra_model::members::{filled, objects, text};
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use super::PilotSettings;
use super::check::{Document, is_true, moment, number, shown_number, texts};

/// The schema of the file.
const SCHEMA: &str = "cavra.go-backend-rollback-drill-history.v1";

/// Microseconds of a day.
pub(super) const DAY: f64 = 86_400_000_000.0;

/// What the history says at one moment.
#[derive(Debug)]
pub(super) struct DrillHistory {
    document: Document,
    /// The latest drill; empty if there was none.
    pub(super) latest: Object,
    count: usize,
    age_days: Option<f64>,
    max_age_days: f64,
}

/// The latest of some drills: that with the greatest moment that can be read, else the last one.
fn latest_drill(drills: &[&Object]) -> Option<Object> {
    let dated = drills.iter().filter_map(|drill| Some((executed_at(drill)?, *drill)));
    let latest = dated.max_by_key(|(moment, _)| *moment).map(|(_, drill)| drill);
    latest.or_else(|| drills.last().copied()).cloned()
}

/// When a drill was.
pub(super) fn executed_at(drill: &Object) -> Option<Timestamp> {
    moment(drill, "executed_at")
}

/// Days from one moment to another, with four decimals.
pub(super) fn days(from: Timestamp, to: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some thousand years are exact enough")]
    let micros = to.as_micros().saturating_sub(from.as_micros()) as f64;
    (micros / DAY * 10_000.0).round() / 10_000.0
}

impl DrillHistory {
    /// Reads the file as it is now.
    pub(super) fn read(settings: &PilotSettings, now: Timestamp) -> Self {
        let document = Document::read(settings.drill_history.as_deref());
        let drills = objects(&document.object, "drills");
        let (latest, count) = (latest_drill(&drills).unwrap_or_default(), drills.len());
        let age_days = executed_at(&latest).map(|moment| days(moment, now));
        Self { latest, count, age_days, max_age_days: settings.max_age_days, document }
    }

    /// Whether it is a history, with a drill in it.
    pub(super) fn is_listed(&self) -> bool {
        self.document.is(SCHEMA) && self.count > 0
    }

    /// Whether the latest drill went well.
    pub(super) fn passed(&self) -> bool {
        text(&self.latest, "status") == "pass"
    }

    /// Whether it led back to where it should.
    pub(super) fn is_disabled(&self) -> bool {
        text(&self.latest, "target_mode") == "disabled"
    }

    /// Whether what one falls back on was seen to work.
    pub(super) fn fallback_verified(&self) -> bool {
        is_true(&self.latest, "fallback_verified")
    }

    /// Whether it was quick enough.
    pub(super) fn recovery_sla_met(&self) -> bool {
        let (took, limit) = (number(&self.latest, "recovery_minutes"), number(&self.latest, "max_recovery_minutes"));
        took.zip(limit).is_some_and(|(took, limit)| (0.0..=limit).contains(&took) && limit > 0.0)
    }

    /// Whether it was lately enough; what lies in the future has not been.
    pub(super) fn is_fresh(&self) -> bool {
        self.age_days.is_some_and(|age| (0.0..=self.max_age_days).contains(&age))
    }

    /// Whether it says where its evidence and its instructions are.
    pub(super) fn is_documented(&self) -> bool {
        texts(&self.latest, "evidence_refs").is_some() && filled(&self.latest, "runbook_ref").is_some()
    }

    /// Whether all of that holds.
    pub(super) fn is_valid(&self) -> bool {
        self.is_listed()
            && self.passed()
            && self.is_disabled()
            && self.fallback_verified()
            && self.recovery_sla_met()
            && self.is_fresh()
            && self.is_documented()
    }

    /// What is said of it.
    pub(super) fn shown(&self) -> Value {
        let of = |member: &str| text(&self.latest, member);
        let message = match self.document.problem {
            Some(problem) => problem,
            None if self.is_valid() => "the latest drill shows that the way back works",
            None => "the latest drill does not show that the way back works, or is too old",
        };
        json!({
            "valid": self.is_valid(),
            "schema_version": self.document.text("schema_version"),
            "environment": self.document.text("environment"),
            "drill_count": self.count,
            "latest_drill_id": of("drill_id"),
            "latest_status": of("status"),
            "latest_target_mode": of("target_mode"),
            "latest_executed_at": of("executed_at"),
            "age_days": self.age_days,
            "fresh": self.is_fresh(),
            "fallback_verified": self.fallback_verified(),
            "recovery_sla_met": self.recovery_sla_met(),
            "recovery_minutes": shown_number(number(&self.latest, "recovery_minutes")),
            "max_recovery_minutes": shown_number(number(&self.latest, "max_recovery_minutes")),
            "runbook_ref": of("runbook_ref"),
            "evidence_refs": texts(&self.latest, "evidence_refs").unwrap_or_default(),
            "message": message,
        })
    }
}
