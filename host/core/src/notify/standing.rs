//! History and dashboard of standing alerts, as data. docs/notifications.md.

use cavra_model::{Measure, Measured, measured};
use cavra_notify::StageKind;

use super::sla::{DELIVERY, FAILED, OF_HEALTH_NOTICES, is, of_notices};
use super::{Board, History};

/// Who was told what, who answered, and who was told again.
pub static STANDING_ALERTS: History = History {
    schema: "cavra.standing_alerts.history.v1",
    kinds: &[
        StageKind::HealthAlertPlan,
        StageKind::HealthAlertAcknowledgement,
        StageKind::EscalationPlan,
        StageKind::RecurrencePlan,
    ],
    sources: &["standing_alerts_alert", "standing_alerts_reminder"],
    asked: OF_HEALTH_NOTICES,
    inside: None,
};

static COUNTS: [Measured; 5] = [
    measured("plan_count", Measure::CountIf(is("standing-alert-plan"))),
    measured("delivery_count", Measure::CountIf(DELIVERY)),
    measured("failed_delivery_count", Measure::CountIf(FAILED)),
    measured("acknowledgement_count", Measure::CountIf(is("standing-alert-ack"))),
    measured("suppressed_provider_count", Measure::Sum("suppressed_provider_count")),
];

/// Standing alerts in numbers, and who has not answered.
pub static STANDING_ALERTS_BOARD: Board = Board {
    schema: "cavra.standing_alerts.dashboard.v1",
    history: &STANDING_ALERTS,
    facts: &[StageKind::HealthAlertPlan, StageKind::HealthAlertAcknowledgement],
    newest: None,
    counts: &COUNTS,
    follows: |seen| of_notices(seen, "health_id"),
};
