//! Deliveries of release events in numbers. Contract 30, section 11.

use std::collections::BTreeMap;

use cavra_model::{Object, RELEASE_DELIVERIES};
use serde_json::{Value, json};

use crate::{CoreError, Evidence};

/// The event whose failed delivery is critical: somebody has to know that endpoints were rolled back.
const ROLLBACK_EVENT: &str = "cavra.rollout_rollback_execution";

impl Evidence {
    /// How deliveries of release events fared.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn delivery_dashboard(&self) -> Result<Value, CoreError> {
        let mut seen = Deliveries::default();
        self.each(&RELEASE_DELIVERIES, |record| seen.add(record)).await?;
        Ok(seen.dashboard())
    }
}

/// What is known of deliveries; small, however large their records are.
#[derive(Default)]
struct Deliveries {
    total: usize,
    successful: usize,
    providers: BTreeMap<String, usize>,
    event_types: BTreeMap<String, usize>,
    alerts: Vec<Value>,
}

impl Deliveries {
    fn add(&mut self, record: &Object) {
        let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default();
        self.total += 1;
        let names = record.get("providers").and_then(Value::as_array).into_iter().flatten();
        for name in names.filter_map(Value::as_str) {
            *self.providers.entry(name.to_owned()).or_default() += 1;
        }
        let event_type = text("event_type");
        *self.event_types.entry(event_type.to_owned()).or_default() += 1;
        if record.get("delivery_success") == Some(&Value::Bool(true)) {
            self.successful += 1;
            return;
        }
        self.alerts.push(json!({
            "level": if event_type == ROLLBACK_EVENT { "critical" } else { "warning" },
            "session_id": text("session_id"),
            "event_id": text("event_id"),
            "event_type": event_type,
            "failed_providers": record.get("failed_providers"),
            "message": format!("delivery of {} failed", text("event_id")),
        }));
    }

    fn dashboard(mut self) -> Value {
        if self.total == 0 {
            self.alerts.push(json!({ "level": "warning", "message": "no release event was delivered yet" }));
        }
        let has = |level: &&str| self.alerts.iter().any(|alert| alert["level"] == **level);
        let level = ["critical", "warning"].into_iter().find(has).unwrap_or("healthy");
        json!({
            "schema_version": "cavra.release.connector_delivery_dashboard.v1",
            "product": "CAVRA",
            "alert_level": level,
            "total_deliveries": self.total,
            "successful_deliveries": self.successful,
            "failed_deliveries": self.total - self.successful,
            "success_rate": rate(self.successful, self.total),
            "providers": self.providers,
            "event_types": self.event_types,
            "alerts": self.alerts,
        })
    }
}

/// Share in percent with two digits; 0 of nothing.
fn rate(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let hundredths = part.saturating_mul(10_000) / whole;
    f64::from(u32::try_from(hundredths).unwrap_or(10_000)) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (vec![delivery("x", false), delivery(ROLLBACK_EVENT, false)], "critical", 0.0),
        ] {
            let mut seen = Deliveries::default();
            deliveries.iter().for_each(|delivery| seen.add(delivery));
            let shown = seen.dashboard();
            assert_eq!((shown["alert_level"].as_str(), shown["success_rate"].as_f64()), (Some(level), Some(rate)));
            assert_eq!(shown["total_deliveries"], json!(deliveries.len()));
        }
    }
}
