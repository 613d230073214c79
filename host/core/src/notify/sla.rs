//! Histories and dashboards of endpoint remediation, as data. docs/reference/remediation-sla.md.

use cavra_model::{Condition, Measure, Measured, Object, measured, members};
use cavra_notify::{StageKind, active_routes, unresolved_reviews};
use serde_json::{Value, json};

use super::boards::Seen;
use super::history::Inside;
use super::{Ask, Asked, Board, History};

const NOTIFICATION: &str = "endpoint_remediation_sla_notification";
const FOLLOW_UPS: [&str; 3] = [
    "endpoint_remediation_sla_escalation_delivery",
    "endpoint_remediation_sla_escalation_recurrence_delivery",
    "endpoint_remediation_sla_escalation_owner_digest",
];
const HEALTH_ALERT: &str = "endpoint_remediation_sla_escalation_recurrence_automation_health_alert";

const fn asked(parameter: &'static str, paths: &'static [&'static str], ask: Ask) -> Asked {
    Asked { parameter, paths, ask }
}

pub(super) const KIND: Asked = asked("metadata_kind", &["metadata_kind"], Ask::Exactly);
const STATE: Asked = asked("acknowledgement_state", &["acknowledgement_state"], Ask::Word);
const SUPPRESSED: Asked = asked("suppressed", &["suppressed_providers"], Ask::Filled);
const PROVIDER: Asked =
    asked("provider", &["provider", "providers", "selected_providers", "suppressed_providers"], Ask::Word);
const OWNER_INSIDE: Asked = asked("owner", &["owner"], Ask::AnyCase);
const PROVIDER_INSIDE: Asked = asked("provider", &["provider"], Ask::Word);

/// Reports.
pub static SLA_REPORTS: History = History {
    schema: "cavra.endpoint_remediation_sla_report.history.v1",
    kinds: &[StageKind::Report],
    sources: &[],
    asked: &[
        asked("alert_level", &["alert_level"], Ask::Exactly),
        asked("min_breached", &["breached_count"], Ask::AtLeast),
    ],
    inside: None,
};

/// Plans, answers and deliveries of notifications.
pub static SLA_NOTIFICATIONS: History = History {
    schema: "cavra.endpoint_remediation_sla.notification_history.v1",
    kinds: &[StageKind::NotificationPlan, StageKind::Acknowledgement],
    sources: &[NOTIFICATION],
    asked: &[asked("report_id", &["report_id", "event_id"], Ask::Exactly), PROVIDER, KIND, STATE, SUPPRESSED],
    inside: None,
};

/// Escalation plans.
pub static SLA_ESCALATIONS: History = escalations("cavra.endpoint_remediation_sla.escalation_history.v1");

const OF_ESCALATIONS: &[Asked] = &[asked("alert_level", &["alert_level"], Ask::Exactly)];
const OF_LATE_ROUTES: &[Asked] =
    &[OWNER_INSIDE, PROVIDER_INSIDE, asked("active_only", &["active_escalation"], Ask::OnlyTrue)];

/// Escalation plans of a family.
pub(super) const fn escalations(schema: &'static str) -> History {
    History {
        schema,
        kinds: &[StageKind::EscalationPlan],
        sources: &[],
        asked: OF_ESCALATIONS,
        inside: Some(Inside {
            list: "escalation_plan.route_statuses",
            shown: "matched_route_statuses",
            asked: OF_LATE_ROUTES,
        }),
    }
}

/// Everything that followed escalations.
pub static SLA_ACTIONS: History = History {
    schema: "cavra.endpoint_remediation_sla.escalation_action_history.v1",
    kinds: &[
        StageKind::EscalationPlan,
        StageKind::Review,
        StageKind::RecurrencePlan,
        StageKind::SuppressionAudit,
        StageKind::RetryPlan,
        StageKind::OwnerDigest,
        StageKind::SuppressionTrend,
        StageKind::AutomationRun,
    ],
    sources: &FOLLOW_UPS,
    asked: &[
        asked("plan_id", &["plan_id", "event_id", "session_id"], Ask::Exactly),
        asked(
            "provider",
            &[
                "provider",
                "providers",
                "escalation_plan.route_statuses.provider",
                "recurrence_plan.route_decisions.provider",
                "suppression_audit.suppressed_routes.provider",
                "suppression_audit.waiting_routes.provider",
                "suppression_audit.deliverable_routes.provider",
                "retry_plan.retry_decisions.provider",
                "owner_digest.owners.routes.provider",
                "suppression_trend.latest_events.provider",
            ],
            Ask::Word,
        ),
        asked(
            "owner",
            &[
                "owner",
                "owners",
                "escalation_plan.route_statuses.owner",
                "recurrence_plan.route_decisions.owner",
                "suppression_audit.suppressed_routes.owner",
                "suppression_audit.waiting_routes.owner",
                "suppression_audit.deliverable_routes.owner",
                "retry_plan.retry_decisions.routes.owner",
                "owner_digest.owners.owner",
                "suppression_trend.latest_events.owner",
            ],
            Ask::AnyCase,
        ),
        KIND,
        asked("review_state", &["review_state"], Ask::Word),
    ],
    inside: None,
};

/// Recurrence plans.
pub static SLA_RECURRENCES: History = recurrences("cavra.endpoint_remediation_sla.escalation_recurrence_history.v1");

const OF_RECURRENCES: &[Asked] = &[asked("plan_id", &["plan_id", "recurrence_plan_id"], Ask::Exactly)];
const OF_DECISIONS: &[Asked] = &[OWNER_INSIDE, PROVIDER_INSIDE, asked("action", &["action"], Ask::AnyCase)];

/// Recurrence plans of a family.
pub(super) const fn recurrences(schema: &'static str) -> History {
    History {
        schema,
        kinds: &[StageKind::RecurrencePlan],
        sources: &[],
        asked: OF_RECURRENCES,
        inside: Some(Inside {
            list: "recurrence_plan.route_decisions",
            shown: "matched_route_decisions",
            asked: OF_DECISIONS,
        }),
    }
}

/// Passes of the worker.
pub static SLA_RUNS: History = History {
    schema: "cavra.endpoint_remediation_sla.escalation_recurrence_automation_history.v1",
    kinds: &[StageKind::AutomationRun],
    sources: &[],
    asked: &[asked("dry_run", &["dry_run"], Ask::Flag)],
    inside: None,
};

/// What can be asked of plans, answers and deliveries about somebody's health.
pub(super) const OF_HEALTH_NOTICES: &[Asked] =
    &[asked("health_id", &["health_id", "event_id", "session_id"], Ask::Exactly), PROVIDER, KIND, STATE, SUPPRESSED];

/// Plans, answers and deliveries about the worker's health.
pub static SLA_ALERTS: History = History {
    schema: "cavra.endpoint_remediation_sla.escalation_recurrence_automation_health_alert_history.v1",
    kinds: &[StageKind::HealthAlertPlan, StageKind::HealthAlertAcknowledgement],
    sources: &[HEALTH_ALERT],
    asked: OF_HEALTH_NOTICES,
    inside: None,
};

pub(super) const fn is(kind: &'static str) -> Condition {
    Condition::Is("metadata_kind", kind)
}

pub(super) const DELIVERY: Condition = is("release-connector-delivery");
pub(super) const FAILED: Condition = Condition::All(&[DELIVERY, Condition::Flag("delivery_success", false)]);

static REPORT_COUNTS: [Measured; 3] = [
    measured("report_count", Measure::Count),
    measured("critical_report_count", Measure::CountIf(Condition::Is("alert_level", "critical"))),
    measured("warning_report_count", Measure::CountIf(Condition::Is("alert_level", "warning"))),
];

static NOTIFICATION_COUNTS: [Measured; 5] = [
    measured("plan_count", Measure::CountIf(is("endpoint-remediation-sla-notification-plan"))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured("acknowledgement_count", Measure::CountIf(is("endpoint-remediation-sla-notification-ack"))),
    measured("suppressed_provider_count", Measure::Sum("suppressed_provider_count")),
];

static ALERT_COUNTS: [Measured; 5] = [
    measured(
        "plan_count",
        Measure::CountIf(is("endpoint-remediation-sla-escalation-recurrence-automation-health-alert-plan")),
    ),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured(
        "acknowledgement_count",
        Measure::CountIf(is("endpoint-remediation-sla-escalation-recurrence-automation-health-alert-ack")),
    ),
    measured("suppressed_provider_count", Measure::Sum("suppressed_provider_count")),
];

pub(super) static PLAN_COUNTS: [Measured; 1] = [measured("plan_count", Measure::Count)];

static ACTION_COUNTS: [Measured; 11] = [
    measured("plan_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-plan"))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured("owner_review_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-review"))),
    measured("recurrence_plan_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-recurrence-plan"))),
    measured(
        "recurrence_suppressed_count",
        Measure::SumIf("suppressed_route_count", is("endpoint-remediation-sla-escalation-recurrence-plan")),
    ),
    measured("suppression_audit_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-suppression-audit"))),
    measured(
        "recurrence_retry_plan_count",
        Measure::CountIf(is("endpoint-remediation-sla-escalation-recurrence-retry-plan")),
    ),
    measured("owner_digest_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-owner-digest"))),
    measured("suppression_trend_count", Measure::CountIf(is("endpoint-remediation-sla-escalation-suppression-trend"))),
    measured(
        "recurrence_automation_run_count",
        Measure::CountIf(is("endpoint-remediation-sla-escalation-recurrence-automation-run")),
    ),
];

static RUN_COUNTS: [Measured; 6] = [
    measured("run_count", Measure::Count),
    measured("dry_run_count", Measure::CountIf(Condition::Flag("dry_run", true))),
    measured("executed_count", Measure::CountIf(Condition::Flag("dry_run", false))),
    measured("retryable_count", Measure::Sum("retryable_count")),
    measured("owner_digest_count", Measure::Sum("owner_digest_count")),
    measured("suppression_event_count", Measure::Sum("suppression_event_count")),
];

/// Reports in numbers.
pub static SLA_REPORTS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla_report.dashboard.v1",
    history: &SLA_REPORTS,
    facts: &[],
    newest: Some(StageKind::Report),
    counts: &REPORT_COUNTS,
    follows: of_reports,
};

/// Notifications in numbers.
pub static SLA_NOTIFICATIONS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.notification_dashboard.v1",
    history: &SLA_NOTIFICATIONS,
    facts: &[StageKind::NotificationPlan, StageKind::Acknowledgement],
    newest: None,
    counts: &NOTIFICATION_COUNTS,
    follows: |seen| of_notices(seen, "report_id"),
};

/// The newest escalation plan.
pub static SLA_ESCALATIONS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.escalation_dashboard.v1",
    history: &SLA_ESCALATIONS,
    facts: &[],
    newest: Some(StageKind::EscalationPlan),
    counts: &PLAN_COUNTS,
    follows: of_escalations,
};

/// What followed escalations, in numbers.
pub static SLA_ACTIONS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.escalation_action_dashboard.v1",
    history: &SLA_ACTIONS,
    facts: &[StageKind::Review],
    newest: Some(StageKind::EscalationPlan),
    counts: &ACTION_COUNTS,
    follows: of_actions,
};

/// The newest recurrence plan.
pub static SLA_RECURRENCES_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.escalation_recurrence_dashboard.v1",
    history: &SLA_RECURRENCES,
    facts: &[],
    newest: Some(StageKind::RecurrencePlan),
    counts: &PLAN_COUNTS,
    follows: of_recurrences,
};

/// Passes of the worker in numbers.
pub static SLA_RUNS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.escalation_recurrence_automation_dashboard.v1",
    history: &SLA_RUNS,
    facts: &[],
    newest: Some(StageKind::AutomationRun),
    counts: &RUN_COUNTS,
    follows: of_runs,
};

/// Alerts about the worker's health in numbers.
pub static SLA_ALERTS_BOARD: Board = Board {
    schema: "cavra.endpoint_remediation_sla.escalation_recurrence_automation_health_alert_dashboard.v1",
    history: &SLA_ALERTS,
    facts: &[StageKind::HealthAlertPlan, StageKind::HealthAlertAcknowledgement],
    newest: None,
    counts: &ALERT_COUNTS,
    follows: |seen| of_notices(seen, "health_id"),
};

fn level(critical: bool, warning: bool) -> &'static str {
    match (critical, warning) {
        (true, _) => "critical",
        (false, true) => "warning",
        (false, false) => "healthy",
    }
}

fn of_reports(seen: &Seen) -> Object {
    let summary = members::object(&seen.newest, "executive_summary").cloned().unwrap_or_default();
    let mut said = members::built(json!({
        "alert_level": seen.newest_level(),
        "latest_report_id": seen.newest("report_id", Value::Null),
        "escalation_count": members::list(&seen.newest, "escalations").len(),
    }));
    for name in ["tracked_work_item_count", "completed_count", "at_risk_count", "breached_count", "completion_rate"] {
        said.insert(name.to_owned(), summary.get(name).cloned().unwrap_or_else(|| json!(0)));
    }
    said
}

/// What notices amount to: those about reports and those about the worker's health alike.
pub(super) fn of_notices(seen: &Seen, subject: &str) -> Object {
    let (outstanding, named) = seen.outstanding(subject);
    members::built(json!({
        "alert_level": level(
            seen.open_failures > 0 || outstanding > 0, seen.number("suppressed_provider_count") > 0,
        ),
        "outstanding_acknowledgement_count": outstanding,
        "outstanding_acknowledgements": named,
    }))
}

pub(super) fn of_escalations(seen: &Seen) -> Object {
    let active: Vec<_> = active_routes(&seen.newest).into_iter().take(20).collect();
    let mut said = members::built(json!({
        "alert_level": seen.newest_level(),
        "owners": seen.newest("owners", json!([])),
        "active_escalations": active,
    }));
    for name in [
        "route_count",
        "active_escalation_count",
        "acknowledgement_breach_count",
        "resolution_breach_count",
        "owner_count",
    ] {
        said.insert(name.to_owned(), seen.newest(name, json!(0)));
    }
    said
}

fn of_actions(seen: &Seen) -> Object {
    let unresolved = unresolved_reviews(&seen.facts);
    let active = seen.newest("active_escalation_count", json!(0));
    let is_active = active.as_u64().unwrap_or(0) > 0;
    members::built(json!({
        "alert_level": level(seen.open_failures > 0 || is_active, unresolved > 0),
        "unresolved_review_count": unresolved,
        "active_escalation_count": active,
        "owner_count": seen.newest("owner_count", json!(0)),
    }))
}

pub(super) fn of_recurrences(seen: &Seen) -> Object {
    let decisions = members::objects(&seen.newest, "route_decisions");
    let owners: std::collections::BTreeSet<&str> =
        decisions.iter().map(|decision| members::text(decision, "owner")).collect();
    let mut said = members::built(json!({ "alert_level": seen.newest_level(), "owners": owners }));
    for name in [
        "route_count",
        "deliverable_route_count",
        "waiting_route_count",
        "suppressed_route_count",
        "maintenance_suppressed_count",
        "calendar_suppressed_count",
    ] {
        said.insert(name.to_owned(), seen.newest(name, json!(0)));
    }
    said
}

fn of_runs(seen: &Seen) -> Object {
    let some = |name: &str| seen.newest(name, json!(0)).as_u64().unwrap_or(0) > 0;
    let level = level(some("retryable_count"), some("owner_digest_count") || some("suppression_event_count"));
    members::built(json!({ "alert_level": level }))
}
