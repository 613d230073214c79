//! Rows of standing alerts: what happened lately that somebody should know, and who is told. docs/notifications.md.

use cavra_core::Operation::{AcknowledgeHealth, AlertHealth, Health, PlanEscalation, PlanRecurrence, Recur};
use cavra_core::{STANDING_ALERTS, STANDING_ALERTS_BOARD, families};

use super::Rows;
use crate::endpoint::Endpoint;

const ROWS: Rows = Rows { family: &families::STANDING_ALERTS, tag: "standing alerts" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    vec![
        ROWS.looks(
            (
                "/standing-alerts/now",
                "look_for_standing_alerts",
                "What happened lately that somebody should know; stores nothing.",
            ),
            Health,
            "StandingAlerts",
        )
        .counted_by("expected_interval_minutes", "How far back events are looked for, in minutes.")
        .counted_by("stale_metadata_minutes", "From which age on an approval that waits is late, in minutes."),
        ROWS.acts(
            ("/standing-alerts/deliver", "deliver_standing_alerts", "Tells people about it, by standing rules."),
            AlertHealth,
            "NoticeGiven",
        ),
        ROWS.answers(
            (
                "/standing-alerts/{health_id}/acknowledgements",
                "acknowledge_standing_alert",
                "Records an answer to such an alert; sends nothing.",
            ),
            AcknowledgeHealth,
            "Acknowledged",
        ),
        ROWS.history(
            (
                "/standing-alerts",
                "list_standing_alerts",
                "Plans, answers and deliveries of standing alerts, newest first.",
            ),
            &STANDING_ALERTS,
        ),
        ROWS.board(
            (
                "/standing-alerts/dashboard",
                "standing_alert_dashboard",
                "Standing alerts in numbers, and who has not answered.",
            ),
            &STANDING_ALERTS_BOARD,
        ),
        ROWS.acts(
            (
                "/standing-alerts/escalation-plan",
                "plan_standing_alert_escalation",
                "Finds out which alerts were not answered in time; sends nothing.",
            ),
            PlanEscalation,
            "PlanMade",
        ),
        ROWS.acts(
            (
                "/standing-alerts/reminder-plan",
                "plan_standing_alert_reminders",
                "Finds out who is told again; sends nothing.",
            ),
            PlanRecurrence,
            "PlanMade",
        ),
        ROWS.acts(
            (
                "/standing-alert-reminders/{recurrence_plan_id}/deliver",
                "deliver_standing_alert_reminders",
                "Tells again about the alerts that a plan lets through; each connector gets a plan once.",
            ),
            Recur,
            "EventSent",
        ),
    ]
}
