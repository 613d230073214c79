//! Deliveries of release events in numbers.

use cavra_model::{Alert, Alerts, Condition, Folder, Level, Measure, Measured, RELEASE_DELIVERIES, measured};
use cavra_store::Parts;
use serde_json::Value;

use crate::{CoreError, Evidence};

/// Most providers and event types that are told apart.
const MOST: usize = 100;

const DELIVERED: Condition = Condition::Flag("delivery_success", true);
const FAILED: Condition = Condition::Flag("delivery_success", false);

/// Members of a delivery that an alert shows.
const SHOWN: &[(&str, &str)] = &[
    ("session_id", "session_id"),
    ("event_id", "event_id"),
    ("event_type", "event_type"),
    ("failed_providers", "failed_providers"),
];

static ALERTS: Alerts = Alerts {
    rows: &[
        Alert {
            // Somebody has to know that endpoints were rolled back.
            when: Condition::All(&[FAILED, Condition::Is("event_type", "cavra.rollout_rollback_execution")]),
            level: Level::Critical,
            message: "delivery of {event_id} failed",
            members: SHOWN,
        },
        Alert { when: FAILED, level: Level::Warning, message: "delivery of {event_id} failed", members: SHOWN },
    ],
    empty: Some((Level::Warning, "no release event was delivered yet")),
    most: 500,
};

/// What is said of deliveries of release events.
pub static DELIVERY_VIEW: [Measured; 10] = [
    measured("schema_version", Measure::Constant("cavra.release.connector_delivery_dashboard.v1")),
    measured("product", Measure::Constant("CAVRA")),
    measured("alert_level", Measure::WorstOf(&ALERTS)),
    measured("total_deliveries", Measure::Count),
    measured("successful_deliveries", Measure::CountIf(DELIVERED)),
    measured("failed_deliveries", Measure::CountIf(FAILED)),
    measured("success_rate", Measure::Ratio { part: DELIVERED, of: Condition::Always }),
    measured("providers", Measure::CountBy { by: "providers", most: MOST }),
    measured("event_types", Measure::CountBy { by: "event_type", most: MOST }),
    measured("alerts", Measure::Alerts(&ALERTS)),
];

impl Evidence {
    /// How deliveries of release events fared.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn delivery_dashboard(&self) -> Result<Value, CoreError> {
        let mut folder = Folder::new(&DELIVERY_VIEW);
        self.each(&RELEASE_DELIVERIES, Parts::Named, |record| folder.add(record)).await?;
        Ok(Value::Object(folder.answer()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_gravest_failure_sets_the_level() {
        let delivery = |event: &str, success: bool| {
            let value = json!({"session_id": "rcd-1", "event_type": event, "event_id": "e", "delivery_success": success,
                "providers": ["jira", "splunk"], "failed_providers": ["jira"]});
            value.as_object().unwrap().clone()
        };
        for (deliveries, level, rate) in [
            (vec![], "warning", 0.0),
            (vec![delivery("cavra.rollout_promotion_execution", true)], "healthy", 100.0),
            (vec![delivery("x", false), delivery("x", true), delivery("x", true)], "warning", 66.66),
            (vec![delivery("x", false), delivery("cavra.rollout_rollback_execution", false)], "critical", 0.0),
        ] {
            let mut folder = Folder::new(&DELIVERY_VIEW);
            deliveries.iter().for_each(|delivery| folder.add(delivery));
            let shown = folder.answer();
            assert_eq!((shown["alert_level"].as_str(), shown["success_rate"].as_f64()), (Some(level), Some(rate)));
            assert_eq!(shown["total_deliveries"], json!(deliveries.len()));
        }
    }
}
