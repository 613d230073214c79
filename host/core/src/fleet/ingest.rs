//! Inventories: a vendor's export, read as observations of endpoints and recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Cursor, Read};

use cavra_fleet::{Documented, Ingestion, ingest};
use cavra_inventory::read_time;
use cavra_model::{Object, Timestamp, members};
use cavra_plugins::PluginHost;
use serde_json::{Value, json};

use super::fields::texts;
use super::normalizers::{ReadExport, provider, read};
use super::{answer, blocking};
use crate::fields::{FIELD_LIMIT, label, text};
use crate::{App, Caller, CoreError, Redactor};

/// Members of an export that say when it was made, the first that says something counts.
const TIMES: [&str; 2] = ["observed_at", "generated_at"];

/// An export that is to be read, and what is said about it.
#[derive(Debug)]
pub struct InventoryExport {
    /// Whose export it is.
    pub provider: String,
    /// The export as it is.
    pub inventory: ExportText,
    /// Release channel of the endpoints; default is the export's own.
    pub channel: Option<String>,
    /// When the vendor's tool saw what it exported; default is the export's own time.
    pub observed_at: Option<Value>,
    /// Where it came from.
    pub source: Option<String>,
    /// Which deployment target a text of the vendor means.
    pub target_map: BTreeMap<String, String>,
}

/// Where an export comes from.
pub enum ExportText {
    /// A member of a body: an object, or a list of records or pages.
    Value(Value),
    /// A file in a member of a body: JSON Lines, or delimited text.
    Text(String),
    /// A file, which is read piece by piece.
    File(Box<dyn Read + Send>),
}

impl fmt::Debug for ExportText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value",
            Self::Text(_) => "Text",
            Self::File(_) => "File",
        })
    }
}

impl ExportText {
    /// Its bytes.
    async fn bytes(self) -> Result<Box<dyn Read + Send>, CoreError> {
        match self {
            Self::Value(value) if value.is_object() || value.is_array() => {
                let written =
                    move || serde_json::to_vec(&value).map_err(|error| CoreError::BadRequest(error.to_string()));
                Ok(Box::new(Cursor::new(blocking(written).await?)))
            }
            Self::Value(_) => {
                Err(CoreError::BadRequest("inventory must be an object, or a list of records".to_owned()))
            }
            Self::Text(text) => Ok(Box::new(Cursor::new(text.into_bytes()))),
            Self::File(file) => Ok(file),
        }
    }
}

impl InventoryExport {
    fn read(mut body: Object) -> Result<Self, CoreError> {
        let missing = |field: &str| CoreError::BadRequest(format!("{field} is required"));
        let provider = label(&body, "provider")?.ok_or_else(|| missing("provider"))?;
        let is_given = |name: &&str| body.get(*name).is_some_and(|given| !given.is_null());
        let given = ["inventory", "payload", TEXT].into_iter().find(is_given).ok_or_else(|| missing("inventory"))?;
        if given != TEXT && is_given(&TEXT) {
            return Err(CoreError::BadRequest(format!("{given} and {TEXT} cannot both be given")));
        }
        let inventory = match (given, body.remove(given)) {
            (TEXT, Some(Value::String(text))) => ExportText::Text(text),
            (TEXT, _) => return Err(CoreError::BadRequest(format!("{TEXT} must be a text"))),
            (_, value) => ExportText::Value(value.unwrap_or_default()),
        };
        Ok(Self {
            provider,
            inventory,
            channel: label(&body, "channel")?,
            observed_at: body.remove("observed_at").filter(|time| !time.is_null()),
            source: text(&body, "source", FIELD_LIMIT)?,
            target_map: texts(&body, "target_map")?,
        })
    }

    /// Reads it in the sandbox of its provider's normalizer: the ingestion and its record. No text that looks like a
    /// secret comes out.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for what is no export or cannot be read; [`CoreError::Refused`] for an unknown provider;
    /// [`CoreError::TooLarge`] for too many records; [`CoreError::Unavailable`] while too many exports are being read.
    pub async fn ingest(
        self,
        plugins: &PluginHost,
        redactor: Redactor,
        now: Timestamp,
    ) -> Result<Documented, CoreError> {
        let bytes = self.inventory.bytes().await?;
        let provider = provider(&self.provider)?;
        let wrong = || CoreError::BadRequest("observed_at must be a time".to_owned());
        let given = self.observed_at.as_ref().map(|given| spelled(given).ok_or_else(wrong)).transpose()?;
        let settings = json!({ "target_map": self.target_map }).to_string();
        let ReadExport { mut normalized, about } = read(plugins, provider, &settings, bytes).await?;
        let (channel, source) = (self.channel, self.source);
        blocking(move || {
            let (observed_at, doubt) = given.map_or_else(|| observed_at(&about, now), |given| (given, None));
            normalized.endpoints.iter_mut().for_each(|endpoint| redactor.object(endpoint));
            normalized.warnings = normalized.warnings.into_iter().map(|warning| redactor.cleaned(warning)).collect();
            normalized.warnings.extend(doubt);
            let channel = channel.as_deref().or_else(|| members::filled(&about, "channel"));
            let channel = channel.map(|channel| redactor.cleaned(channel.to_owned()));
            let schema = members::filled(&about, "schema_version").map(|schema| redactor.cleaned(schema.to_owned()));
            let about = Ingestion {
                provider,
                channel: channel.as_deref(),
                observed_at: &observed_at,
                source: source.as_deref(),
                source_schema: schema.as_deref(),
            };
            Ok(ingest(&about, normalized, now))
        })
        .await
    }
}

/// The member of a body with an export that is no JSON value.
const TEXT: &str = "inventory_text";

/// The time of an export, and a warning if the one that it names cannot be used.
fn observed_at(about: &Object, now: Timestamp) -> (String, Option<String>) {
    let inside = TIMES.iter().find_map(|name| {
        let value = about.get(*name).filter(|value| !value.is_null() && **value != "")?;
        Some((name, value))
    });
    match inside {
        None => (now.to_string(), None),
        Some((name, value)) => match spelled(value) {
            Some(time) => (time, None),
            None => (now.to_string(), Some(format!("{name} of the inventory is no time; the present one counts"))),
        },
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
        let made = export.ingest(self.decisions.plugins(), redactor, Timestamp::now()).await?;
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
        InventoryExport {
            provider: "jamf".to_owned(),
            inventory: ExportText::Value(inventory),
            channel: None,
            observed_at: None,
            source: None,
            target_map: BTreeMap::new(),
        }
    }

    fn sandboxes() -> PluginHost {
        PluginHost::new(cavra_plugins::HostConfig { pooling: false, ..Default::default() }).unwrap()
    }

    #[tokio::test]
    async fn times_of_an_export() {
        let plugins = sandboxes();
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
            let made = export.ingest(&plugins, Redactor::default(), now).await.unwrap();
            assert_eq!(made.document["observed_at"], expected);
            assert_eq!(made.warnings.iter().any(|warning| warning.contains("no time")), warned);
        }
        let mut wrong = export(json!({"computers": []}));
        wrong.observed_at = Some(json!("soon"));
        let refused = wrong.ingest(&plugins, Redactor::default(), now).await;
        assert!(matches!(refused, Err(CoreError::BadRequest(_))));
    }

    #[tokio::test]
    async fn no_secret_of_an_export_is_recorded() {
        let secret = ["ghp_", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5"].concat();
        let made = export(json!({"computers": [{"id": "1", "hostname": secret, "password": "hush", "target": "t"}],
            "channel": secret}))
        .ingest(&sandboxes(), Redactor::default(), Timestamp::from_micros(0))
        .await
        .unwrap();
        let kept = Value::Object(made.record).to_string();
        assert!(!kept.contains(&secret) && !kept.contains("hush"), "{kept}");
    }
}
