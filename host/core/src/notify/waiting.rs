//! Histories and dashboards of approvals that wait, as data. docs/notifications.md.

use cavra_model::{Measure, Measured, measured};
use cavra_notify::StageKind;

use super::sla::{DELIVERY, FAILED, KIND, PLAN_COUNTS, escalations, is, of_escalations, of_recurrences, recurrences};
use super::{Board, History};

/// Which approvals waited too long.
pub static WAITING_ESCALATIONS: History = escalations("cavra.waiting_approvals.escalation_history.v1");

/// Who was reminded, and why others were not.
pub static WAITING_REMINDERS: History = History {
    sources: &["waiting_approvals_reminder"],
    asked: &[KIND],
    ..recurrences("cavra.waiting_approvals.reminder_history.v1")
};

static REMINDER_COUNTS: [Measured; 3] = [
    measured("plan_count", Measure::CountIf(is("waiting-approvals-reminder-plan"))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
];

/// The newest escalation plan.
pub static WAITING_ESCALATIONS_BOARD: Board = Board {
    schema: "cavra.waiting_approvals.escalation_dashboard.v1",
    history: &WAITING_ESCALATIONS,
    facts: &[],
    newest: Some(StageKind::EscalationPlan),
    counts: &PLAN_COUNTS,
    follows: of_escalations,
};

/// The newest reminder plan, and what was sent.
pub static WAITING_REMINDERS_BOARD: Board = Board {
    schema: "cavra.waiting_approvals.reminder_dashboard.v1",
    history: &WAITING_REMINDERS,
    facts: &[],
    newest: Some(StageKind::RecurrencePlan),
    counts: &REMINDER_COUNTS,
    follows: of_recurrences,
};
