//! Histories and dashboards of rollback drills, as data.

use cavra_model::{Condition, Measure, Measured, Object, measured, members};
use cavra_notify::StageKind;
use serde_json::json;

use crate::notify::boards::Seen;
use crate::notify::{Ask, Asked, Board, History};

const NOTIFICATION: &str = "go_backend_rollback_drill_notification";
const AUDIT: &str = "go_backend_rollback_drill_acknowledgement_audit";
const HEALTH_ALERT: &str = "go_backend_rollback_drill_acknowledgement_audit_worker_health_alert";

const PLAN: &str = "go-backend-rollback-drill-notification-plan";
const ACKNOWLEDGEMENT: &str = "go-backend-rollback-drill-notification-ack";
const PACKAGE: &str = "go-backend-rollback-drill-acknowledgement-audit-package";
const DELIVERY_PLAN: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-plan";
const RETRY_PLAN: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan";
const RETRY_ACKNOWLEDGEMENT: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-ack";
const RUN: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-run";
const ALERT_PLAN: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-plan";
const ALERT_ACKNOWLEDGEMENT: &str = "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-ack";

/// Kinds that belong to the deliveries of audits.
const OF_AUDITS: &[&str] =
    &[PACKAGE, DELIVERY_PLAN, RETRY_PLAN, RETRY_ACKNOWLEDGEMENT, RUN, ALERT_PLAN, ALERT_ACKNOWLEDGEMENT];

const fn asked(parameter: &'static str, paths: &'static [&'static str], ask: Ask) -> Asked {
    Asked { parameter, paths, ask }
}

const KIND: Asked = asked("metadata_kind", &["metadata_kind"], Ask::Exactly);
const STATE: Asked = asked("acknowledgement_state", &["acknowledgement_state"], Ask::Word);

/// Everything about drills but trends.
pub static DRILL_NOTIFICATIONS: History = History {
    schema: "cavra.go-backend-pilot.rollback-drill-notification-history.v1",
    kinds: &[
        StageKind::NotificationPlan,
        StageKind::Acknowledgement,
        StageKind::EscalationPlan,
        StageKind::AuditPackage,
        StageKind::AuditDeliveryPlan,
        StageKind::RetryPlan,
        StageKind::RetryAcknowledgement,
        StageKind::AutomationRun,
        StageKind::HealthAlertPlan,
        StageKind::HealthAlertAcknowledgement,
    ],
    sources: &[NOTIFICATION, AUDIT, HEALTH_ALERT],
    asked: &[
        asked("schedule_id", &["schedule_id", "event_id", "plan.schedule_id"], Ask::Exactly),
        asked(
            "provider",
            &[
                "provider",
                "selected_providers",
                "providers",
                "failed_providers",
                "acknowledgement_audit_package.routes.provider",
            ],
            Ask::Word,
        ),
        KIND,
        STATE,
        asked("connector_delivery_source", &["connector_delivery_source"], Ask::Source(AUDIT, OF_AUDITS)),
        asked("delivery_success", &["delivery_success"], Ask::Flag),
        asked("alert_level", &["alert_level"], Ask::Exactly),
        asked("audit_id", &["audit_id"], Ask::Exactly),
        asked("delivery_id", &["delivery_id", "event_id", "session_id"], Ask::Exactly),
        asked(
            "cadence",
            &[
                "acknowledgement_audit_delivery_plan.cadence",
                "acknowledgement_audit_delivery_worker_run.schedule.cadence",
            ],
            Ask::Exactly,
        ),
    ],
    inside: None,
};

/// Passes of the worker.
pub static DRILL_RUNS: History = History {
    schema: "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-worker-history.v1",
    kinds: &[StageKind::AutomationRun],
    sources: &[],
    asked: &[asked("dry_run", &["dry_run"], Ask::Flag)],
    inside: None,
};

/// Plans, answers and deliveries about the worker's health.
pub static DRILL_ALERTS: History = History {
    schema: "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-worker-health-alert-history.v1",
    kinds: &[StageKind::HealthAlertPlan, StageKind::HealthAlertAcknowledgement],
    sources: &[HEALTH_ALERT],
    asked: &[
        asked("health_id", &["health_id", "event_id"], Ask::Exactly),
        asked("provider", &["provider", "providers", "selected_providers", "suppressed_providers"], Ask::Word),
        KIND,
        STATE,
        asked("suppressed", &["suppressed_providers"], Ask::Filled),
    ],
    inside: None,
};

const fn is(kind: &'static str) -> Condition {
    Condition::Is("metadata_kind", kind)
}

const DELIVERY: Condition = is("release-connector-delivery");
const FAILED: Condition = Condition::All(&[DELIVERY, Condition::Flag("delivery_success", false)]);
const OF_AUDIT: Condition = Condition::Is("connector_delivery_source", AUDIT);
const EXECUTED: Condition = Condition::All(&[is(RUN), Condition::Flag("dry_run", false)]);

static NOTIFICATION_COUNTS: [Measured; 17] = [
    measured("plan_count", Measure::CountIf(is(PLAN))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("notification_delivery_count", Measure::CountIf(Condition::Is("connector_delivery_source", NOTIFICATION))),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured("acknowledgement_count", Measure::CountIf(is(ACKNOWLEDGEMENT))),
    measured("acknowledgement_audit_package_count", Measure::CountIf(is(PACKAGE))),
    measured("acknowledgement_audit_delivery_plan_count", Measure::CountIf(is(DELIVERY_PLAN))),
    measured("acknowledgement_audit_delivery_count", Measure::CountIf(OF_AUDIT)),
    measured(
        "failed_acknowledgement_audit_delivery_count",
        Measure::CountIf(Condition::All(&[OF_AUDIT, Condition::Flag("delivery_success", false)])),
    ),
    measured(
        "acknowledgement_audit_delivery_success_count",
        Measure::CountIf(Condition::All(&[OF_AUDIT, Condition::Flag("delivery_success", true)])),
    ),
    measured("acknowledgement_audit_delivery_retry_plan_count", Measure::CountIf(is(RETRY_PLAN))),
    measured("acknowledgement_audit_delivery_retry_ack_count", Measure::CountIf(is(RETRY_ACKNOWLEDGEMENT))),
    measured("acknowledgement_audit_delivery_worker_run_count", Measure::CountIf(is(RUN))),
    measured(
        "acknowledgement_audit_delivery_worker_dry_run_count",
        Measure::CountIf(Condition::All(&[is(RUN), Condition::Flag("dry_run", true)])),
    ),
    measured("acknowledgement_audit_delivery_worker_executed_count", Measure::CountIf(EXECUTED)),
    measured("acknowledgement_audit_delivery_worker_health_alert_count", Measure::CountIf(is(ALERT_PLAN))),
    measured(
        "acknowledgement_audit_delivery_worker_health_alert_ack_count",
        Measure::CountIf(is(ALERT_ACKNOWLEDGEMENT)),
    ),
];

static RUN_COUNTS: [Measured; 5] = [
    measured("run_count", Measure::Count),
    measured("dry_run_count", Measure::CountIf(Condition::Flag("dry_run", true))),
    measured("executed_count", Measure::CountIf(Condition::Flag("dry_run", false))),
    measured("retryable_count", Measure::Sum("retryable_count")),
    measured("selected_retry_count", Measure::Sum("selected_retry_count")),
];

static ALERT_COUNTS: [Measured; 5] = [
    measured("plan_count", Measure::CountIf(is(ALERT_PLAN))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured("acknowledgement_count", Measure::CountIf(is(ALERT_ACKNOWLEDGEMENT))),
    measured("suppressed_provider_count", Measure::Sum("suppressed_provider_count")),
];

/// Drills in numbers.
pub static DRILL_NOTIFICATIONS_BOARD: Board = Board {
    schema: "cavra.go-backend-pilot.rollback-drill-notification-dashboard.v1",
    history: &DRILL_NOTIFICATIONS,
    facts: &[StageKind::NotificationPlan, StageKind::Acknowledgement],
    newest: Some(StageKind::RetryPlan),
    counts: &NOTIFICATION_COUNTS,
    follows: of_notifications,
};

/// Passes of the worker in numbers.
pub static DRILL_RUNS_BOARD: Board = Board {
    schema: "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-worker-dashboard.v1",
    history: &DRILL_RUNS,
    facts: &[],
    newest: None,
    counts: &RUN_COUNTS,
    follows: |seen| {
        let level = if seen.number("retryable_count") > 0 { "critical" } else { "healthy" };
        members::built(json!({ "alert_level": level }))
    },
};

/// Alerts about the worker's health in numbers.
pub static DRILL_ALERTS_BOARD: Board = Board {
    schema: "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-worker-health-alert-dashboard.v1",
    history: &DRILL_ALERTS,
    facts: &[StageKind::HealthAlertPlan, StageKind::HealthAlertAcknowledgement],
    newest: None,
    counts: &ALERT_COUNTS,
    follows: |seen| crate::notify::sla::of_notices(seen, "health_id"),
};

fn of_notifications(seen: &Seen) -> Object {
    let (outstanding, named) = seen.outstanding("schedule_id");
    let audits = || seen.facts.deliveries.iter().filter(|delivery| delivery.source == AUDIT);
    let providers: std::collections::BTreeSet<&str> = audits().map(|delivery| delivery.provider.as_str()).collect();
    let (successes, total) = (
        seen.number("acknowledgement_audit_delivery_success_count"),
        seen.number("acknowledgement_audit_delivery_count"),
    );
    let rate = (total > 0).then(|| (successes as f64 / total as f64 * 10_000.0).round() / 10_000.0);
    let failing = !seen.facts.open_failures(AUDIT).is_empty();
    let word = |critical: bool| if critical { "critical" } else { "healthy" };
    members::built(json!({
        "alert_level": word(seen.open_failures > 0 || outstanding > 0),
        "acknowledgement_audit_delivery_success_rate": rate,
        "acknowledgement_audit_delivery_providers": providers,
        "acknowledgement_audit_delivery_health": word(failing),
        "acknowledgement_audit_delivery_retryable_count": seen.newest("retryable_count", json!(0)),
        "outstanding_acknowledgement_count": outstanding,
        "outstanding_acknowledgements": named,
    }))
}
