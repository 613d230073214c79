//! When drills of the way back are due. docs/reference/connectors-drills-ops-registry.md, section 3.2.

use cavra_model::members::{filled, list};
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use super::check::{Checks, Document, moment, number, shown_number, texts};
use super::drills::{DAY, DrillHistory, days, executed_at};
use super::{PilotMode, PilotSettings, shown};

/// The schema of the file.
const SCHEMA: &str = "cavra.go-backend-rollback-drill-schedule.v1";

/// The schema of the report.
const REPORT: &str = "cavra.go-backend-pilot.rollback-drill-schedule.v1";

/// The schedule at one moment.
struct Schedule {
    document: Document,
    interval_days: Option<f64>,
    next_due: Option<Timestamp>,
    days_until_due: Option<f64>,
    stale: bool,
    due_soon_days: f64,
}

/// The report on the schedule, with the history of drills; the files are read now.
#[must_use]
pub fn drill_schedule(settings: &PilotSettings, now: Timestamp) -> Value {
    let history = DrillHistory::read(settings, now);
    let schedule = Schedule::read(settings, &history, now);
    let requested = settings.mode == PilotMode::Promoted || settings.drill_schedule.is_some();
    let status = match (requested, schedule.is_valid()) {
        (false, _) => "not_requested",
        (true, true) if schedule.is_due_soon() => "due_soon",
        (true, true) => "ready",
        (true, false) => "needs_attention",
    };
    json!({
        "schema_version": REPORT,
        "mode": settings.mode.as_str(),
        "status": status,
        "rollback_drill_schedule_path": shown(settings.drill_schedule.as_deref()),
        "rollback_drill_due_soon_days": shown_number(Some(settings.due_soon_days)),
        "checks": schedule.checks(requested).shown(),
        "schedule": schedule.shown(),
        "history": history.shown(),
        "operator_notes": notes(status),
    })
}

fn notes(status: &str) -> Vec<&'static str> {
    match status {
        "not_requested" => vec!["No drills are scheduled; set CAVRA_GO_ROLLBACK_DRILL_SCHEDULE."],
        "due_soon" => vec!["A drill is due soon: carry it out and add it to the history."],
        "needs_attention" => vec!["The schedule cannot be relied on: see the checks that warn."],
        _ => Vec::new(),
    }
}

impl Schedule {
    fn read(settings: &PilotSettings, history: &DrillHistory, now: Timestamp) -> Self {
        let document = Document::read(settings.drill_schedule.as_deref());
        let interval_days = number(&document.object, "interval_days").filter(|days| *days > 0.0);
        let named = moment(&document.object, "next_due_at");
        let next_due = named.or_else(|| after(executed_at(&history.latest)?, interval_days?));
        let days_until_due = next_due.map(|due| days(now, due));
        let stale = next_due.is_none_or(|due| due < now);
        Self { document, interval_days, next_due, days_until_due, stale, due_soon_days: settings.due_soon_days }
    }

    fn object(&self) -> &Object {
        &self.document.object
    }

    fn is_active(&self) -> bool {
        self.document.text("status") == "active"
    }

    fn is_stale(&self) -> bool {
        self.stale
    }

    fn is_due_soon(&self) -> bool {
        self.due_soon_days > 0.0
            && !self.is_stale()
            && self.days_until_due.is_some_and(|days| days <= self.due_soon_days)
    }

    fn is_named(&self) -> bool {
        self.document.is(SCHEMA) && filled(self.object(), "schedule_id").is_some()
    }

    fn owner_routes(&self) -> Option<&Value> {
        let member = |name: &str| self.object().get(name).filter(|value| !value.is_null());
        member("owner_routes").or_else(|| member("routing_rules"))
    }

    /// Whether it says whom to tell, and how.
    fn routes_are_valid(&self) -> bool {
        let optional = |name: &str, fits: fn(&Value) -> bool| {
            self.object().get(name).is_none_or(|value| value.is_null() || fits(value))
        };
        texts(self.object(), "owners").is_some()
            && texts(self.object(), "notification_providers").is_some()
            && self.owner_routes().is_none_or(|routes| routes.is_object() || routes.is_array())
            && optional("maintenance_windows", Value::is_array)
            && optional("owner_calendars", Value::is_object)
            && filled(self.object(), "runbook_ref").is_some()
    }

    fn is_valid(&self) -> bool {
        self.is_named()
            && self.is_active()
            && self.interval_days.is_some()
            && !self.is_stale()
            && self.routes_are_valid()
    }

    fn checks(&self, requested: bool) -> Checks {
        let mut checks = Checks::default();
        let file = self.document.problem.unwrap_or("the file is no schedule with an id");
        for (id, holds, said) in [
            ("requested", requested, ("drills are scheduled", "no schedule is asked for")),
            ("file", self.is_named(), ("the schedule can be read", file)),
            ("active", self.is_active(), ("the schedule is active", "the schedule is not active")),
            (
                "cadence",
                self.interval_days.is_some(),
                ("the schedule has a cadence", "interval_days is no number above 0"),
            ),
            (
                "next_due",
                self.next_due.is_some(),
                ("it is known when the next drill is due", "it is not known when the next drill is due"),
            ),
            ("not_stale", !self.is_stale(), ("no drill is overdue", "a drill is overdue")),
        ] {
            checks.add(&format!("go_rollback_drill_schedule_{id}"), holds, said);
        }
        let said = (
            "it is known whom to tell",
            "owners, notification_providers, runbook_ref or the routes are missing or of the wrong form",
        );
        checks.add("go_rollback_drill_notification_routes", self.routes_are_valid(), said);
        checks
    }

    fn shown(&self) -> Value {
        let message = match self.document.problem {
            Some(problem) => problem,
            None if self.is_valid() => "the schedule is in force",
            None => "the schedule cannot be relied on",
        };
        let texts = |member: &str| texts(self.object(), member).unwrap_or_default();
        let calendars = self.object().get("owner_calendars").filter(|value| value.is_object());
        json!({
            "valid": self.is_valid(),
            "schema_version": self.document.text("schema_version"),
            "schedule_id": self.document.text("schedule_id"),
            "environment": self.document.text("environment"),
            "status": self.document.text("status"),
            "active": self.is_active(),
            "cadence_valid": self.interval_days.is_some(),
            "interval_days": shown_number(self.interval_days),
            "next_due_at": self.next_due.map(|due| due.to_string()).unwrap_or_default(),
            "days_until_due": self.days_until_due,
            "stale": self.is_stale(),
            "due_soon": self.is_due_soon(),
            "notification_routes_valid": self.routes_are_valid(),
            "owners": texts("owners"),
            "notification_providers": texts("notification_providers"),
            "owner_routes": self.owner_routes().cloned().unwrap_or_else(|| json!({})),
            "maintenance_windows": list(self.object(), "maintenance_windows"),
            "owner_calendars": calendars.cloned().unwrap_or_else(|| json!({})),
            "runbook_ref": self.document.text("runbook_ref"),
            "message": message,
        })
    }
}

/// A moment some days after another.
fn after(moment: Timestamp, days: f64) -> Option<Timestamp> {
    let micros = days * DAY;
    #[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
    let later = moment.as_micros().checked_add(micros as i64)?;
    Some(Timestamp::from_micros(later))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
