//! The jobs that a server can do by itself, as data: which operations of which family, one after the other.

use cavra_model::{Object, members};
use cavra_notify::{
    Backoff, Family, HEALTH_METRICS, HEALTH_TAGS, RecurrencePolicy, RoutingPolicy, SloPolicy, families,
};
use serde_json::{Value, json};

use crate::Operation;

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    /// Its name in the settings.
    pub name: &'static str,
    /// Whose operations it does.
    pub family: &'static Family,
    /// The operations.
    pub steps: &'static [Step],
}

/// An operation of a job.
#[derive(Debug)]
pub(super) struct Step {
    pub operation: Operation,
    /// What it takes of the job's settings.
    pub takes: &'static [&'static str],
    pub sends: Sends,
    pub over: Over,
}

/// Whether an operation sends anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    /// It only plans: a dry run does it, too.
    Nothing,
    /// It asks whether it is a dry run.
    UnlessDry,
    /// A dry run leaves it out.
    Always,
}

/// What an operation is done over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing in particular.
    Nothing,
    /// The plan that the step before made, by its member.
    Plan(&'static str),
    /// Each delivery that the plan of the step before has tried again.
    Retries,
}

/// A value in the settings of a job: how it is checked, and the keys of an object.
pub(super) struct Taken {
    pub name: &'static str,
    pub keys: &'static [&'static str],
    pub check: fn(&Value) -> Result<(), String>,
}

const TAKEN: [Taken; 12] = [
    Taken {
        name: "slo_policy",
        keys: &["default_slo", "owner_slos", "service_level_objectives", "ladders", "escalation_ladders", "owner"],
        check: |value| SloPolicy::read(Some(value)).map(drop).map_err(|error| error.to_string()),
    },
    Taken {
        name: "recurrence_policy",
        keys: &[
            "recurrence_interval_minutes",
            "default_recurrence_minutes",
            "max_recurrences_per_route",
            "max_recurrences",
            "maintenance_windows",
            "suppression_windows",
            "owner_calendars",
            "calendars",
        ],
        check: |value| RecurrencePolicy::read(Some(value)).map(drop).map_err(|error| error.to_string()),
    },
    Taken {
        name: "retry_policy",
        keys: &[
            "max_retry_attempts",
            "max_retries",
            "retry_delay_minutes",
            "delay_minutes",
            "backoff_multiplier",
            "multiplier",
            "allow_immediate_retry",
        ],
        check: |value| Backoff::read(Some(value)).map(drop).map_err(|error| error.to_string()),
    },
    Taken {
        name: "routing_policy",
        keys: &["rules", "notification_routing", "default_providers", "suppression_window_minutes", "owner"],
        check: |value| {
            let read = RoutingPolicy::read(Some(value), &HEALTH_TAGS, &HEALTH_METRICS);
            read.map(drop).map_err(|error| error.to_string())
        },
    },
    Taken { name: "provider", keys: &[], check: is_text },
    whole("max_routes"),
    whole("max_digest_plans"),
    whole("max_retry_deliveries"),
    whole("max_alerts"),
    whole("retries"),
    whole("expected_interval_minutes"),
    whole("stale_metadata_minutes"),
];

const fn whole(name: &'static str) -> Taken {
    Taken { name, keys: &[], check: is_whole }
}

fn is_text(value: &Value) -> Result<(), String> {
    value.as_str().map(drop).ok_or_else(|| "must be a text".to_owned())
}

fn is_whole(value: &Value) -> Result<(), String> {
    value.as_u64().map(drop).ok_or_else(|| "must be a whole number".to_owned())
}

const DELIVERING: [&str; 2] = ["provider", "retries"];
const HEALTH: [&str; 6] =
    ["provider", "retries", "expected_interval_minutes", "stale_metadata_minutes", "max_alerts", "routing_policy"];
const LIMITS: [&str; 2] = ["expected_interval_minutes", "stale_metadata_minutes"];

const fn step(operation: Operation, takes: &'static [&'static str], sends: Sends, over: Over) -> Step {
    Step { operation, takes, sends, over }
}

/// Finds out what is late and tells people again.
const RECURRENCE: [Step; 3] = [
    step(Operation::PlanEscalation, &["slo_policy"], Sends::Nothing, Over::Nothing),
    step(Operation::PlanRecurrence, &["recurrence_policy"], Sends::Nothing, Over::Nothing),
    step(Operation::Recur, &["provider", "retries", "max_routes"], Sends::Always, Over::Plan("recurrence_plan_id")),
];

/// Says how the worker does, and tells people about that.
const WATCH: [Step; 2] = [
    step(Operation::Health, &LIMITS, Sends::Nothing, Over::Nothing),
    step(Operation::AlertHealth, &HEALTH, Sends::Always, Over::Nothing),
];

/// Every job.
pub(super) static JOBS: [Job; 10] = [
    Job { name: "standing-alerts", family: &families::STANDING_ALERTS, steps: &WATCH },
    Job { name: "standing-alert-reminders", family: &families::STANDING_ALERTS, steps: &RECURRENCE },
    Job { name: "approval-reminders", family: &families::WAITING_APPROVALS, steps: &RECURRENCE },
    Job { name: "endpoint-remediation-recurrence", family: &families::ENDPOINT_REMEDIATION, steps: &RECURRENCE },
    Job {
        name: "endpoint-remediation-retries",
        family: &families::ENDPOINT_REMEDIATION,
        steps: &[
            step(Operation::PlanRetries, &["retry_policy"], Sends::Nothing, Over::Nothing),
            step(Operation::Recur, &["retries", "max_routes"], Sends::Always, Over::Retries),
        ],
    },
    Job {
        name: "endpoint-remediation-automation",
        family: &families::ENDPOINT_REMEDIATION,
        steps: &[step(
            Operation::Automate,
            &["retry_policy", "max_digest_plans", "provider", "retries"],
            Sends::UnlessDry,
            Over::Nothing,
        )],
    },
    Job { name: "endpoint-remediation-health", family: &families::ENDPOINT_REMEDIATION, steps: &WATCH },
    Job {
        name: "rollback-drill-notification",
        family: &families::ROLLBACK_DRILLS,
        steps: &[
            step(Operation::ScheduleDrill, &[], Sends::Nothing, Over::Nothing),
            step(Operation::NotifyDrill, &DELIVERING, Sends::Always, Over::Nothing),
        ],
    },
    Job {
        name: "rollback-drill-retries",
        family: &families::ROLLBACK_DRILLS,
        steps: &[step(
            Operation::RunDrillWorker,
            &["retry_policy", "max_retry_deliveries", "provider", "retries"],
            Sends::UnlessDry,
            Over::Nothing,
        )],
    },
    Job {
        name: "rollback-drill-health",
        family: &families::ROLLBACK_DRILLS,
        steps: &[
            step(Operation::DrillHealth, &LIMITS, Sends::Nothing, Over::Nothing),
            step(Operation::AlertDrillHealth, &HEALTH, Sends::Always, Over::Nothing),
        ],
    },
];

impl Job {
    /// What its settings may say beside how often it is done.
    pub fn takes(&self) -> impl Iterator<Item = &'static Taken> {
        TAKEN.iter().filter(|taken| self.steps.iter().any(|step| step.takes.contains(&taken.name)))
    }
}

impl Over {
    /// The calls of an operation, by what the step before answered: the id in each path, and what else each says.
    pub fn calls(self, before: &Object) -> Vec<(String, Object)> {
        let plan = || members::object(before, "plan");
        match self {
            Self::Nothing => vec![(String::new(), Object::new())],
            Self::Plan(member) => plan()
                .and_then(|plan| members::filled(plan, member))
                .map(|id| vec![(id.to_owned(), Object::new())])
                .unwrap_or_default(),
            Self::Retries => {
                let decisions = plan().map(|plan| members::objects(plan, "retry_decisions")).unwrap_or_default();
                let due = decisions.into_iter().filter(|decision| members::text(decision, "action") == "retry");
                due.map(|decision| {
                    let text = |name: &str| members::text(decision, name);
                    (text("recurrence_plan_id").to_owned(), members::built(json!({ "provider": text("provider") })))
                })
                .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_step_takes_can_be_said() {
        for job in &JOBS {
            for name in job.steps.iter().flat_map(|step| step.takes) {
                assert!(TAKEN.iter().any(|taken| taken.name == *name), "{} {name}", job.name);
            }
        }
    }

    #[test]
    fn retries_are_called_one_by_one() {
        let before = members::built(json!({"plan": {"recurrence_plan_id": "p", "retry_decisions": [
            {"action": "retry", "recurrence_plan_id": "a", "provider": "slack"},
            {"action": "wait", "recurrence_plan_id": "a", "provider": "jira"},
        ]}}));
        let calls = |over: Over| over.calls(&before).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(calls(Over::Retries), ["a"]);
        assert_eq!(calls(Over::Plan("recurrence_plan_id")), ["p"]);
        assert_eq!(calls(Over::Plan("other")), [] as [&str; 0]);
        assert_eq!(calls(Over::Nothing), [""]);
    }
}
