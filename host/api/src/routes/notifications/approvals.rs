//! Rows of approvals that wait: which wait too long, and who is reminded. docs/notifications.md.

use cavra_core::Operation::{PlanEscalation, PlanRecurrence, Recur};
use cavra_core::{
    WAITING_ESCALATIONS, WAITING_ESCALATIONS_BOARD, WAITING_REMINDERS, WAITING_REMINDERS_BOARD, families,
};

use super::Rows;
use crate::endpoint::Endpoint;

const ROWS: Rows = Rows { family: &families::WAITING_APPROVALS, tag: "approvals that wait" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    vec![
        ROWS.acts(
            (
                "/approval-escalations/plan",
                "plan_approval_escalation",
                "Finds out which approvals wait too long; sends nothing.",
            ),
            PlanEscalation,
            "PlanMade",
        ),
        ROWS.history(
            (
                "/approval-escalations",
                "list_approval_escalations",
                "Plans of approvals that waited too long, newest first.",
            ),
            &WAITING_ESCALATIONS,
        ),
        ROWS.board(
            ("/approval-escalations/dashboard", "approval_escalation_dashboard", "The newest such plan in numbers."),
            &WAITING_ESCALATIONS_BOARD,
        ),
        ROWS.acts(
            (
                "/approval-reminders/plan",
                "plan_approval_reminders",
                "Finds out who is reminded of approvals that wait; sends nothing.",
            ),
            PlanRecurrence,
            "PlanMade",
        ),
        ROWS.history(
            ("/approval-reminders", "list_approval_reminders", "Plans and deliveries of reminders, newest first."),
            &WAITING_REMINDERS,
        ),
        ROWS.board(
            (
                "/approval-reminders/dashboard",
                "approval_reminder_dashboard",
                "The newest plan of reminders in numbers.",
            ),
            &WAITING_REMINDERS_BOARD,
        ),
        ROWS.acts(
            (
                "/approval-reminders/{recurrence_plan_id}/deliver",
                "deliver_approval_reminders",
                "Reminds of the approvals that a plan lets through; each connector gets a plan once.",
            ),
            Recur,
            "EventSent",
        ),
    ]
}
