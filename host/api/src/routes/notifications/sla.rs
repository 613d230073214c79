//! Rows of endpoint remediation: its service levels, who is told, and what became of it. docs/reference/remediation-sla.md.

use cavra_core::Operation::{
    Acknowledge, AcknowledgeHealth, AlertHealth, AuditSuppression, Automate, DigestOwners, Escalate, Health, Notify,
    PlanEscalation, PlanRecurrence, PlanRetries, Recur, Report, Review, TrendSuppression,
};
use cavra_core::{
    SLA_ACTIONS, SLA_ACTIONS_BOARD, SLA_ALERTS, SLA_ALERTS_BOARD, SLA_ESCALATIONS, SLA_ESCALATIONS_BOARD,
    SLA_NOTIFICATIONS, SLA_NOTIFICATIONS_BOARD, SLA_RECURRENCES, SLA_RECURRENCES_BOARD, SLA_REPORTS, SLA_REPORTS_BOARD,
    SLA_RUNS, SLA_RUNS_BOARD, families,
};

use super::Rows;
use crate::endpoint::Endpoint;

const ROWS: Rows = Rows { family: &families::ENDPOINT_REMEDIATION, tag: "endpoint remediation" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    [reports(), escalations(), recurrences(), automation(), alerts()].into_iter().flatten().collect()
}

fn reports() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/endpoint-remediation-sla/report",
                "report_endpoint_remediation_sla",
                "Measures the work that was handed off against how long it may take.",
            ),
            Report,
            "WorkReport",
        ),
        ROWS.history(
            (
                "/endpoint-remediation-sla-reports",
                "list_endpoint_remediation_sla_reports",
                "Reports of work that was handed off, newest first.",
            ),
            &SLA_REPORTS,
        ),
        ROWS.board(
            (
                "/endpoint-remediation-sla-reports/dashboard",
                "endpoint_remediation_sla_dashboard",
                "The newest report in numbers.",
            ),
            &SLA_REPORTS_BOARD,
        )
        .console("endpoint_remediation_sla_dashboard"),
        ROWS.acts(
            (
                "/endpoint-remediation-sla-reports/{report_id}/deliver",
                "deliver_endpoint_remediation_sla",
                "Tells people about a report, those who were not told a moment ago.",
            ),
            Notify,
            "NoticeGiven",
        )
        .console("endpoint_remediation_sla_deliver"),
        ROWS.answers(
            (
                "/endpoint-remediation-sla-reports/{report_id}/acknowledgements",
                "acknowledge_endpoint_remediation_sla",
                "Records an answer to a notification; sends nothing.",
            ),
            Acknowledge,
            "Acknowledged",
        )
        .console("endpoint_remediation_sla_acknowledge"),
        ROWS.history(
            (
                "/endpoint-remediation-sla-notifications",
                "list_endpoint_remediation_sla_notifications",
                "Plans, answers and deliveries of notifications, newest first.",
            ),
            &SLA_NOTIFICATIONS,
        )
        .console("endpoint_remediation_sla_notifications"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-notifications/dashboard",
                "endpoint_remediation_sla_notification_dashboard",
                "Notifications in numbers, and who has not answered.",
            ),
            &SLA_NOTIFICATIONS_BOARD,
        ),
    ]
}

fn escalations() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/endpoint-remediation-sla-notifications/escalation-plan",
                "plan_endpoint_remediation_sla_escalation",
                "Finds out who has not answered in time; sends nothing.",
            ),
            PlanEscalation,
            "PlanMade",
        )
        .console("endpoint_remediation_sla_escalation_plan"),
        ROWS.history(
            (
                "/endpoint-remediation-sla-escalations",
                "list_endpoint_remediation_sla_escalations",
                "Escalation plans, newest first.",
            ),
            &SLA_ESCALATIONS,
        )
        .console("endpoint_remediation_sla_escalations"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-escalations/dashboard",
                "endpoint_remediation_sla_escalation_dashboard",
                "The newest escalation plan in numbers.",
            ),
            &SLA_ESCALATIONS_BOARD,
        )
        .console("endpoint_remediation_sla_escalation_dashboard"),
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalations/{plan_id}/deliver",
                "deliver_endpoint_remediation_sla_escalation",
                "Tells people about the late routes of a plan that are still open.",
            ),
            Escalate,
            "EventSent",
        )
        .console("endpoint_remediation_sla_escalation_deliver"),
        ROWS.answers(
            (
                "/endpoint-remediation-sla-escalations/{plan_id}/reviews",
                "review_endpoint_remediation_sla_escalation",
                "Records what an owner says about a late route; sends nothing.",
            ),
            Review,
            "Reviewed",
        )
        .console("endpoint_remediation_sla_escalation_review"),
        ROWS.history(
            (
                "/endpoint-remediation-sla-escalation-actions",
                "list_endpoint_remediation_sla_escalation_actions",
                "Everything that followed escalations, newest first.",
            ),
            &SLA_ACTIONS,
        )
        .console("endpoint_remediation_sla_escalation_actions"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-escalation-actions/dashboard",
                "endpoint_remediation_sla_escalation_action_dashboard",
                "What followed escalations, in numbers.",
            ),
            &SLA_ACTIONS_BOARD,
        )
        .console("endpoint_remediation_sla_escalation_action_dashboard"),
    ]
}

fn recurrences() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalations/recurrence-plan",
                "plan_endpoint_remediation_sla_escalation_recurrence",
                "Finds out which late routes are told again; sends nothing.",
            ),
            PlanRecurrence,
            "PlanMade",
        )
        .console("endpoint_remediation_sla_escalation_recurrence_plan"),
        ROWS.history(
            (
                "/endpoint-remediation-sla-escalation-recurrences",
                "list_endpoint_remediation_sla_escalation_recurrences",
                "Recurrence plans, newest first.",
            ),
            &SLA_RECURRENCES,
        )
        .console("endpoint_remediation_sla_escalation_recurrences"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-escalation-recurrences/dashboard",
                "endpoint_remediation_sla_escalation_recurrence_dashboard",
                "The newest recurrence plan in numbers.",
            ),
            &SLA_RECURRENCES_BOARD,
        )
        .console("endpoint_remediation_sla_escalation_recurrence_dashboard"),
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/deliver",
                "deliver_endpoint_remediation_sla_escalation_recurrence",
                "Tells again about the routes that a plan lets through; each connector gets a plan once.",
            ),
            Recur,
            "EventSent",
        )
        .console("endpoint_remediation_sla_escalation_recurrence_deliver"),
        ROWS.looks(
            (
                "/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/suppression-audit",
                "audit_endpoint_remediation_sla_escalation_suppression",
                "Why routes of a plan are not told again.",
            ),
            AuditSuppression,
            "SuppressionAudited",
        )
        .refuses(&[404, 409])
        .console("endpoint_remediation_sla_escalation_suppression_audit"),
        ROWS.looks(
            (
                "/endpoint-remediation-sla-escalation-recurrences/suppression-trends",
                "trend_endpoint_remediation_sla_escalation_suppression",
                "How often routes were not told again, and why.",
            ),
            TrendSuppression,
            "SuppressionTrended",
        )
        .console("endpoint_remediation_sla_escalation_suppression_trends"),
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalation-recurrences/retry-plan",
                "plan_endpoint_remediation_sla_escalation_recurrence_retry",
                "Finds out which deliveries are tried again, and when; sends nothing.",
            ),
            PlanRetries,
            "PlanMade",
        )
        .console("endpoint_remediation_sla_escalation_recurrence_retry_plan"),
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/owner-digest",
                "digest_endpoint_remediation_sla_escalation_owners",
                "Tells owners what they have open of a plan.",
            ),
            DigestOwners,
            "DigestSent",
        )
        .console("endpoint_remediation_sla_escalation_owner_digest"),
    ]
}

fn automation() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalation-recurrences/automation-run",
                "run_endpoint_remediation_sla_escalation_recurrence_automation",
                "Does one pass of the scheduled worker; a dry run unless it says otherwise.",
            ),
            Automate,
            "PassDone",
        )
        .console("endpoint_remediation_sla_escalation_recurrence_automation"),
        ROWS.history(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automations",
                "list_endpoint_remediation_sla_escalation_recurrence_automations",
                "Passes of the scheduled worker, newest first.",
            ),
            &SLA_RUNS,
        )
        .console("endpoint_remediation_sla_escalation_recurrence_automations"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automations/dashboard",
                "endpoint_remediation_sla_escalation_recurrence_automation_dashboard",
                "Passes of the scheduled worker in numbers.",
            ),
            &SLA_RUNS_BOARD,
        ),
        ROWS.looks(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automations/health",
                "endpoint_remediation_sla_escalation_recurrence_automation_health",
                "Whether the scheduled worker does its work; stores nothing.",
            ),
            Health,
            "WorkerHealth",
        )
        .counted_by("expected_interval_minutes", "Minutes between two passes.")
        .counted_by("stale_metadata_minutes", "Age from which on documents are stale, in minutes.")
        .console("endpoint_remediation_sla_escalation_recurrence_automation_health"),
    ]
}

fn alerts() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/deliver",
                "deliver_endpoint_remediation_sla_escalation_recurrence_automation_health_alert",
                "Tells people that the scheduled worker needs attention.",
            ),
            AlertHealth,
            "NoticeGiven",
        )
        .console("endpoint_remediation_sla_escalation_recurrence_automation_health_alert_deliver"),
        ROWS.answers(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/{health_id}/acknowledgements",
                "acknowledge_endpoint_remediation_sla_escalation_recurrence_automation_health",
                "Records an answer to such an alert; sends nothing.",
            ),
            AcknowledgeHealth,
            "Acknowledged",
        ),
        ROWS.history(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts",
                "list_endpoint_remediation_sla_escalation_recurrence_automation_health_alerts",
                "Plans, answers and deliveries of such alerts, newest first.",
            ),
            &SLA_ALERTS,
        )
        .console("endpoint_remediation_sla_escalation_recurrence_automation_health_alerts"),
        ROWS.board(
            (
                "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/dashboard",
                "endpoint_remediation_sla_escalation_recurrence_automation_health_alert_dashboard",
                "Such alerts in numbers, and who has not answered.",
            ),
            &SLA_ALERTS_BOARD,
        )
        .console("endpoint_remediation_sla_escalation_recurrence_automation_health_alert_dashboard"),
    ]
}
