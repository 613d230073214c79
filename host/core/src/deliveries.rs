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
        Ok(dashboard(&self.all(&RELEASE_DELIVERIES).await?))
    }
}

fn dashboard(deliveries: &[Object]) -> Value {
    let text =
        |record: &Object, member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let succeeded = |record: &&Object| record.get("delivery_success") == Some(&Value::Bool(true));
    let successful = deliveries.iter().filter(succeeded).count();
    let mut providers = BTreeMap::<String, usize>::new();
    let mut event_types = BTreeMap::<String, usize>::new();
    for record in deliveries {
        let names = record.get("providers").and_then(Value::as_array).into_iter().flatten();
        for name in names.filter_map(Value::as_str) {
            *providers.entry(name.to_owned()).or_default() += 1;
        }
        *event_types.entry(text(record, "event_type")).or_default() += 1;
    }
    let mut alerts: Vec<Value> = deliveries
        .iter()
        .filter(|record| !succeeded(record))
        .map(|record| {
            let level = if text(record, "event_type") == ROLLBACK_EVENT { "critical" } else { "warning" };
            json!({
                "level": level,
                "session_id": text(record, "session_id"),
                "event_id": text(record, "event_id"),
                "event_type": text(record, "event_type"),
                "failed_providers": record.get("failed_providers"),
                "message": format!("delivery of {} failed", text(record, "event_id")),
            })
        })
        .collect();
    if deliveries.is_empty() {
        alerts.push(json!({ "level": "warning", "message": "no release event was delivered yet" }));
    }
    let level = ["critical", "warning"].into_iter().find(|level| alerts.iter().any(|alert| alert["level"] == **level));
    json!({
        "schema_version": "cavra.release.connector_delivery_dashboard.v1",
        "product": "CAVRA",
        "alert_level": level.unwrap_or("healthy"),
        "total_deliveries": deliveries.len(),
        "successful_deliveries": successful,
        "failed_deliveries": deliveries.len() - successful,
        "success_rate": rate(successful, deliveries.len()),
        "providers": providers,
        "event_types": event_types,
        "alerts": alerts,
    })
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
            let shown = dashboard(&deliveries);
            assert_eq!((shown["alert_level"].as_str(), shown["success_rate"].as_f64()), (Some(level), Some(rate)));
            assert_eq!(shown["total_deliveries"], json!(deliveries.len()));
        }
    }
}
