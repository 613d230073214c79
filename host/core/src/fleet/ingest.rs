//! Inventories: a vendor's export, read as observations of endpoints and recorded.

use std::collections::BTreeMap;

use cavra_fleet::{Documented, Ingestion, ingest};
use cavra_inventory::{PROVIDERS, normalize, provider, read_time};
use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use super::fields::texts;
use super::{answer, blocking};
use crate::fields::{FIELD_LIMIT, label, text};
use crate::{App, Caller, CoreError, Redactor};

/// Members of an export that say when it was made, the first that says something counts.
const TIMES: [&str; 2] = ["observed_at", "generated_at"];

/// An export that is to be read, and what is said about it.
#[derive(Clone, Debug, Default)]
pub struct InventoryExport {
    /// Whose export it is.
    pub provider: String,
    /// The export as it is.
    pub inventory: Value,
    /// Release channel of the endpoints; default is the export's own.
    pub channel: Option<String>,
    /// When the vendor's tool saw what it exported; default is the export's own time.
    pub observed_at: Option<Value>,
    /// Where it came from.
    pub source: Option<String>,
    /// Which deployment target a text of the vendor means.
    pub target_map: BTreeMap<String, String>,
}

impl InventoryExport {
    fn read(mut body: Object) -> Result<Self, CoreError> {
        let missing = |field: &str| CoreError::BadRequest(format!("{field} is required"));
        let provider = label(&body, "provider")?.ok_or_else(|| missing("provider"))?;
        let given =
            ["inventory", "payload"].into_iter().find(|name| body.get(*name).is_some_and(|given| !given.is_null()));
        let inventory = given.and_then(|name| body.remove(name)).ok_or_else(|| missing("inventory"))?;
        Ok(Self {
            provider,
            inventory,
            channel: label(&body, "channel")?,
            observed_at: body.remove("observed_at").filter(|time| !time.is_null()),
            source: text(&body, "source", FIELD_LIMIT)?,
            target_map: texts(&body, "target_map")?,
        })
    }

    /// Reads it: the ingestion and its record. No text that looks like a secret comes out.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for what is no export; [`CoreError::Refused`] for an unknown provider;
    /// [`CoreError::TooLarge`] for too many records.
    pub fn ingest(&self, redactor: Redactor, now: Timestamp) -> Result<Documented, CoreError> {
        if !matches!(self.inventory, Value::Object(_) | Value::Array(_)) {
            return Err(CoreError::BadRequest("inventory must be an object, or a list of records".to_owned()));
        }
        let known: Vec<_> = PROVIDERS.iter().map(|provider| provider.name).collect();
        let provider = provider(&self.provider).ok_or_else(|| CoreError::Refused {
            errors: vec![format!("unknown provider {:?}: it must be one of {}", self.provider, known.join(", "))],
            warnings: Vec::new(),
        })?;
        let nothing = Object::new();
        let export = self.inventory.as_object().unwrap_or(&nothing);
        let (observed_at, doubt) = self.observed_at(export, now)?;
        let mut normalized = normalize(provider, &self.inventory, &self.target_map)?;
        normalized.endpoints.iter_mut().for_each(|endpoint| redactor.object(endpoint));
        normalized.warnings = normalized.warnings.into_iter().map(|warning| redactor.cleaned(warning)).collect();
        normalized.warnings.extend(doubt);
        let channel = self.channel.as_deref().or_else(|| members::filled(export, "channel"));
        let channel = channel.map(|channel| redactor.cleaned(channel.to_owned()));
        let schema = members::filled(export, "schema_version").map(|schema| redactor.cleaned(schema.to_owned()));
        let about = Ingestion {
            provider: provider.name,
            channel: channel.as_deref(),
            observed_at: &observed_at,
            source: self.source.as_deref(),
            source_schema: schema.as_deref(),
        };
        Ok(ingest(&about, normalized, now))
    }

    /// The time of the export, and a warning if the one inside it cannot be used.
    fn observed_at(&self, export: &Object, now: Timestamp) -> Result<(String, Option<String>), CoreError> {
        if let Some(given) = &self.observed_at {
            let wrong = || CoreError::BadRequest("observed_at must be a time".to_owned());
            return Ok((spelled(given).ok_or_else(wrong)?, None));
        }
        let inside = TIMES.iter().find_map(|name| {
            let value = export.get(*name).filter(|value| !value.is_null() && **value != "")?;
            Some((name, value))
        });
        Ok(match inside {
            None => (now.to_string(), None),
            Some((name, value)) => match spelled(value) {
                Some(time) => (time, None),
                None => (now.to_string(), Some(format!("{name} of the inventory is no time; the present one counts"))),
            },
        })
    }
}

/// A time as it was given, or spelled out if it is a number; nothing for what is none.
fn spelled(value: &Value) -> Option<String> {
    let time = read_time(value)?;
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        _ => Some(Timestamp::from_micros(time.as_microsecond()).to_string()),
    }
}

impl App {
    /// Reads a vendor's export and records the ingestion; the same observations of the same time are one record.
    ///
    /// # Errors
    /// As [`InventoryExport::ingest`]; [`CoreError::Store`]. Nothing is stored then.
    pub async fn ingest_inventory(&self, body: Object, caller: &Caller) -> Result<Value, CoreError> {
        let export = InventoryExport::read(body)?;
        let redactor = self.settings.redactor;
        let made = blocking(move || export.ingest(redactor, Timestamp::now())).await?;
        let Documented { id, document, record, warnings } = made;
        let stored = self.evidence.put_own(vec![record], caller).await?;
        tracing::info!(inventory = id, "inventory ingested");
        Ok(answer(
            &warnings,
            json!({
                "inventory_id": id,
                "provider": document.get("provider"),
                "inventory": document.get("inventory"),
                "metadata": stored.into_iter().next(),
                "ingestion": document,
            }),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(inventory: Value) -> InventoryExport {
        InventoryExport { provider: "jamf".to_owned(), inventory, ..InventoryExport::default() }
    }

    #[test]
    fn times_of_an_export() {
        let now: Timestamp = "2031-05-06T08:00:00Z".parse().unwrap();
        for (given, inside, expected, warned) in [
            (json!(null), json!(null), "2031-05-06T08:00:00.000000+00:00", false),
            (json!("2031-05-06T07:10:00Z"), json!("soon"), "2031-05-06T07:10:00Z", false),
            (json!(1_936_000_000), json!(null), "2031-05-08T09:46:40.000000+00:00", false),
            (json!(null), json!("2031-05-06T07:10:00+02:00"), "2031-05-06T07:10:00+02:00", false),
            (json!(null), json!("soon"), "2031-05-06T08:00:00.000000+00:00", true),
        ] {
            let mut export = export(json!({"computers": [], "generated_at": inside}));
            export.observed_at = Some(given).filter(|given| !given.is_null());
            let made = export.ingest(Redactor::default(), now).unwrap();
            assert_eq!(made.document["observed_at"], expected);
            assert_eq!(made.warnings.iter().any(|warning| warning.contains("no time")), warned);
        }
        let mut wrong = export(json!({"computers": []}));
        wrong.observed_at = Some(json!("soon"));
        assert!(matches!(wrong.ingest(Redactor::default(), now), Err(CoreError::BadRequest(_))));
    }

    #[test]
    fn no_secret_of_an_export_is_recorded() {
        let secret = ["ghp_", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5"].concat();
        let made = export(json!({"computers": [{"id": "1", "hostname": secret, "password": "hush", "target": "t"}],
            "channel": secret}))
        .ingest(Redactor::default(), Timestamp::from_micros(0))
        .unwrap();
        let kept = Value::Object(made.record).to_string();
        assert!(!kept.contains(&secret) && !kept.contains("hush"), "{kept}");
    }
}
