//! Freshness reports over the inventories that were ingested.

use cavra_fleet::{Documented, FreshnessLimits, Scope, freshness_report};
use cavra_model::{ENDPOINT_INGESTIONS, Object, Timestamp};
use cavra_store::Parts;
use serde_json::{Value, json};

use super::answer;
use super::fields::integer;
use crate::fields::label;
use crate::{App, Caller, CoreError, Evidence};

/// What a report needs to know of an ingestion.
const NEEDED: [&str; 8] = [
    "inventory_id",
    "provider",
    "channel",
    "deployment_targets",
    "observed_at",
    "created_at",
    "endpoint_count",
    "missing_target_count",
];

impl Evidence {
    /// How old the newest inventory of each scope is.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn freshness(&self, scope: &Scope<'_>, limits: FreshnessLimits) -> Result<Documented, CoreError> {
        let mut ingestions: Vec<Object> = Vec::new();
        let member = |record: &Object, name: &str| Some((name.to_owned(), record.get(name)?.clone()));
        self.each(&ENDPOINT_INGESTIONS, Parts::Named, |record| {
            ingestions.push(NEEDED.iter().filter_map(|name| member(record, name)).collect());
        })
        .await?;
        Ok(freshness_report(&ingestions, scope, limits, Timestamp::now()))
    }
}

impl App {
    /// Reports how old inventories are, and records the report.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a member of the wrong type; [`CoreError::Store`].
    pub async fn report_freshness(&self, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let (provider, channel) = (label(body, "provider")?, label(body, "channel")?);
        let target = label(body, "deployment_target")?;
        let scope =
            Scope { provider: provider.as_deref(), channel: channel.as_deref(), deployment_target: target.as_deref() };
        let hours = |field: &str, default| Ok::<_, CoreError>(integer(body, field)?.unwrap_or(default).max(1));
        let limits = FreshnessLimits {
            max_age_hours: hours("max_age_hours", 24)?,
            critical_age_hours: hours("critical_age_hours", 48)?,
        };
        let Documented { id, document, record, warnings } = self.evidence.freshness(&scope, limits).await?;
        let stored = self.evidence.put_own(vec![record], caller).await?;
        Ok(answer(
            &warnings,
            json!({
                "report_id": id,
                "alert_level": document.get("alert_level"),
                "metadata": stored.into_iter().next(),
                "report": document,
            }),
        ))
    }
}
