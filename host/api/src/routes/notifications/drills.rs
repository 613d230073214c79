//! Rows of rollback drills: when they are due, who is told, and the audit of that. docs/reference/connectors-drills-ops-registry.md, section 3.

use axum::extract::State;
use axum::routing::get;
use cavra_core::Operation::{
    AcknowledgeDrill, AcknowledgeDrillHealth, AcknowledgeDrillRetry, AcknowledgeDrills, AlertDrillHealth, DeliverAudit,
    DrillHealth, NotifyDrill, PackageAudit, PlanDrillEscalation, PlanDrillRetries, RunDrillWorker, ScheduleDrill,
    TrendDrills,
};
use cavra_core::{
    App, DRILL_ALERTS, DRILL_ALERTS_BOARD, DRILL_NOTIFICATIONS, DRILL_NOTIFICATIONS_BOARD, DRILL_RUNS,
    DRILL_RUNS_BOARD, families,
};

use super::Rows;
use crate::access::Access;
use crate::endpoint::{Endpoint, named};
use crate::extract::Paging;
use crate::handlers::answer;

const ROWS: Rows = Rows { family: &families::ROLLBACK_DRILLS, tag: "rollback drills" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    [notices(), views(), audits(), worker(), alerts()].into_iter().flatten().collect()
}

fn notices() -> Vec<Endpoint> {
    vec![
        ROWS.looks(
            (
                "/runtime/go-pilot/rollback-drill-schedule",
                "rollback_drill_schedule",
                "When the next drill is due, and whether the schedule can be relied on.",
            ),
            ScheduleDrill,
            "DrillSchedule",
        )
        .console("rollback_drill_schedule"),
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/deliver",
                "deliver_rollback_drill_notification",
                "Tells people that a drill is due or that its schedule needs attention.",
            ),
            NotifyDrill,
            "DrillNoticeGiven",
        )
        .console("rollback_drill_notification_deliver"),
        ROWS.answers(
            (
                "/runtime/go-pilot/rollback-drill-notifications/{schedule_id}/acknowledgements",
                "acknowledge_rollback_drill",
                "Records an answer to a notice; sends nothing.",
            ),
            AcknowledgeDrill,
            "Acknowledged",
        )
        .console("rollback_drill_notification_acknowledge"),
        ROWS.answers(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/bulk",
                "acknowledge_rollback_drills",
                "Records up to a hundred answers, all of them or none.",
            ),
            AcknowledgeDrills,
            "AcknowledgedTogether",
        )
        .console("rollback_drill_notification_bulk_acknowledge"),
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/escalation-plan",
                "plan_rollback_drill_escalation",
                "Finds out which notices were not answered in time; sends nothing.",
            ),
            PlanDrillEscalation,
            "PlanMade",
        )
        .console("rollback_drill_escalation_plan"),
    ]
}

fn views() -> Vec<Endpoint> {
    vec![
        ROWS.history(
            (
                "/runtime/go-pilot/rollback-drill-notifications",
                "list_rollback_drill_notifications",
                "Everything about notices of drills but trends, newest first.",
            ),
            &DRILL_NOTIFICATIONS,
        )
        .console("rollback_drill_notifications"),
        ROWS.board(
            (
                "/runtime/go-pilot/rollback-drill-notifications/dashboard",
                "rollback_drill_notification_dashboard",
                "Notices of drills in numbers, and who has not answered.",
            ),
            &DRILL_NOTIFICATIONS_BOARD,
        )
        .console("rollback_drill_notification_dashboard"),
        Endpoint::get(
            Access::READ,
            "/runtime/go-pilot/rollback-drill-notifications/routes",
            "list_rollback_drill_routes",
            get(|State(app): State<App>, Paging(page): Paging| async move {
                answer(app.drill_routes(&families::ROLLBACK_DRILLS, &page).await)
            }),
        )
        .about("rollback drills", "Who was told by stored plans, and why others were not, newest first.")
        .answers(named("DrillRoutePage"))
        .filtered_by_name("schedule_id")
        .filtered_by_name("provider")
        .filtered_by_name("owner")
        .filtered_by_name("action")
        .filtered_by_name("category")
        .paged()
        .long()
        .console("rollback_drill_notification_routes"),
        ROWS.looks(
            (
                "/runtime/go-pilot/rollback-drill-notifications/suppression-trends",
                "trend_rollback_drill_suppression",
                "How often people were not told, and why.",
            ),
            TrendDrills,
            "SuppressionTrended",
        )
        .filtered_by_name("schedule_id")
        .filtered_by_name("provider")
        .filtered_by_name("owner")
        .filtered_by_name("generated_by")
        .console("rollback_drill_suppression_trends"),
    ]
}

fn audits() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-package",
                "package_rollback_drill_audit",
                "Packages who was told and what they answered.",
            ),
            PackageAudit,
            "AuditPackaged",
        )
        .console("rollback_drill_audit_package"),
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery",
                "deliver_rollback_drill_audit",
                "Sends such a package to other systems.",
            ),
            DeliverAudit,
            "AuditDelivered",
        )
        .console("rollback_drill_audit_delivery"),
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plan",
                "plan_rollback_drill_audit_retry",
                "Finds out which deliveries are tried again, and when; sends nothing.",
            ),
            PlanDrillRetries,
            "PlanMade",
        )
        .console("rollback_drill_audit_retry_plan"),
        ROWS.answers(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plans/{retry_plan_id}/acknowledgements",
                "acknowledge_rollback_drill_audit_retry",
                "Records what somebody says to such a plan.",
            ),
            AcknowledgeDrillRetry,
            "Acknowledged",
        )
        .console("rollback_drill_audit_retry_acknowledge"),
    ]
}

fn worker() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-run",
                "run_rollback_drill_audit_worker",
                "Does one pass of the worker that tries deliveries again; a dry run unless it says otherwise.",
            ),
            RunDrillWorker,
            "PassRepeated",
        )
        .console("rollback_drill_audit_worker_run"),
        ROWS.history(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-runs",
                "list_rollback_drill_audit_worker_runs",
                "Passes of the worker, newest first.",
            ),
            &DRILL_RUNS,
        )
        .console("rollback_drill_audit_worker_runs"),
        ROWS.board(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-dashboard",
                "rollback_drill_audit_worker_dashboard",
                "Passes of the worker in numbers.",
            ),
            &DRILL_RUNS_BOARD,
        )
        .console("rollback_drill_audit_worker_dashboard"),
        ROWS.looks(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health",
                "rollback_drill_audit_worker_health",
                "Whether the worker does its work; stores nothing.",
            ),
            DrillHealth,
            "WorkerHealth",
        )
        .counted_by("expected_interval_minutes", "Minutes between two passes.")
        .counted_by("stale_metadata_minutes", "Age from which on a retry plan is stale, in minutes.")
        .console("rollback_drill_audit_worker_health"),
    ]
}

fn alerts() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/deliver",
                "deliver_rollback_drill_audit_worker_health_alert",
                "Tells people that the worker needs attention.",
            ),
            AlertDrillHealth,
            "NoticeGiven",
        )
        .console("rollback_drill_audit_worker_health_alert_deliver"),
        ROWS.answers(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/{health_id}/acknowledgements",
                "acknowledge_rollback_drill_audit_worker_health",
                "Records an answer to such an alert; sends nothing.",
            ),
            AcknowledgeDrillHealth,
            "Acknowledged",
        )
        .console("rollback_drill_audit_worker_health_alert_acknowledge"),
        ROWS.history(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts",
                "list_rollback_drill_audit_worker_health_alerts",
                "Plans, answers and deliveries of such alerts, newest first.",
            ),
            &DRILL_ALERTS,
        )
        .console("rollback_drill_audit_worker_health_alerts"),
        ROWS.board(
            (
                "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alert-dashboard",
                "rollback_drill_audit_worker_health_alert_dashboard",
                "Such alerts in numbers, and who has not answered.",
            ),
            &DRILL_ALERTS_BOARD,
        )
        .console("rollback_drill_audit_worker_health_alert_dashboard"),
    ]
}
