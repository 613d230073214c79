//! The normalizers that read inventory exports, and an export's way through one: pieces in, observations out, all or none.

use std::io::Read;

use cavra_builtin::{Component, NORMALIZER_EDR, NORMALIZER_INTUNE, NORMALIZER_JAMF, NORMALIZER_LINUX};
use cavra_inventory::{Breach, Collected, MAX_RECORDS, Normalized};
use cavra_model::{Object, read_json};
use cavra_plugins::normalizer::{Batch, CHUNK_BYTES, NotRead, Refusal, Summary};
use cavra_plugins::{ComponentSource, Origin, PluginError, PluginErrorKind, PluginHost};
use serde_json::Value;

use crate::CoreError;

/// Providers, each with the component that reads its exports.
static NORMALIZERS: [(&str, &Component); 4] = [
    ("jamf", &NORMALIZER_JAMF),
    ("intune", &NORMALIZER_INTUNE),
    ("linux", &NORMALIZER_LINUX),
    ("edr", &NORMALIZER_EDR),
];

/// Names of columns that a warning about them shows.
const COLUMNS_SHOWN: usize = 8;

/// What was read of an export.
pub(super) struct ReadExport {
    /// The observations.
    pub(super) normalized: Normalized,
    /// What an export that is one object says about itself.
    pub(super) about: Object,
}

/// The provider's name as records have it; blanks around it and case do not matter.
///
/// # Errors
/// [`CoreError::Refused`], with the names that there are.
pub(super) fn provider(name: &str) -> Result<&'static str, CoreError> {
    let wanted = name.trim();
    let found = NORMALIZERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(wanted));
    found.map(|(known, _)| *known).ok_or_else(|| {
        let known: Vec<_> = NORMALIZERS.iter().map(|(known, _)| *known).collect();
        let what = format!("unknown provider {name:?}: it must be one of {}", known.join(", "));
        CoreError::Refused { errors: vec![what], warnings: Vec::new() }
    })
}

/// Reads an export of a provider in its sandbox. `settings` is a JSON object.
///
/// # Errors
/// [`CoreError::BadRequest`] for what cannot be read, whoever is to blame; [`CoreError::TooLarge`] for too many records;
/// [`CoreError::Unavailable`] while too many exports are being read.
pub(super) async fn read(
    plugins: &PluginHost,
    provider: &'static str,
    settings: &str,
    mut export: impl Read,
) -> Result<ReadExport, CoreError> {
    let refused = |why: NotRead| refused(provider, why);
    let failed = |error: PluginError| refused(NotRead::Failed(error));
    let Some((_, component)) = NORMALIZERS.iter().find(|(known, _)| *known == provider) else {
        return Err(CoreError::BadRequest(format!("there is no normalizer of {provider}")));
    };
    let source = ComponentSource {
        plugin: component.name,
        version: component.version,
        wasm: component.wasm,
        wasm_digest: component.digest,
        origin: Origin::FirstParty,
    };
    let normalizer = plugins.normalizer(source).await.map_err(failed)?;
    let mut reading = normalizer.open(settings).await.map_err(refused)?;
    let mut collected = Collected::new(provider);
    let mut piece = vec![0; CHUNK_BYTES];
    loop {
        let unreadable = |error: std::io::Error| CoreError::BadRequest(format!("the export cannot be read: {error}"));
        let length = filled(&mut export, &mut piece).map_err(unreadable)?;
        let Some(bytes) = piece.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        let batch = reading.chunk(bytes).await.map_err(refused)?;
        take(&mut collected, batch).map_err(|breach| broken(provider, breach))?;
    }
    let Summary { last, records, skipped: _, problems, unknown_columns, about } =
        reading.finish().await.map_err(refused)?;
    let endpoints = take(&mut collected, last).and_then(|()| collected.whole(records));
    let endpoints = endpoints.map_err(|breach| broken(provider, breach))?;
    let Ok(Value::Object(about)) = read_json(about.as_bytes()) else {
        return Err(broken(provider, Breach("what the export says about itself is no JSON object")));
    };
    let mut warnings: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
    warnings.extend(unread(&unknown_columns));
    Ok(ReadExport { normalized: Normalized { endpoints, warnings }, about })
}

/// Fills a piece as far as there are bytes.
fn filled(export: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = piece.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match export.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn take(collected: &mut Collected, batch: Batch) -> Result<(), Breach> {
    for observation in batch.observations {
        collected.take(observation.part, &observation.payload)?;
    }
    for part in batch.retracted {
        collected.retract(part);
    }
    Ok(())
}

/// A sentence about columns that nothing is read from.
fn unread(columns: &[String]) -> Option<String> {
    let shown: Vec<_> = columns.iter().take(COLUMNS_SHOWN).map(String::as_str).collect();
    let more = if columns.len() > COLUMNS_SHOWN { ", …" } else { "" };
    (!shown.is_empty()).then(|| format!("columns that say nothing of an endpoint: {}{more}", shown.join(", ")))
}

fn refused(provider: &str, why: NotRead) -> CoreError {
    match why {
        NotRead::Refused(Refusal::NoRecords) => CoreError::BadRequest(format!(
            "no list of {provider} records was found in the inventory; is it the right file?"
        )),
        NotRead::Refused(Refusal::TooMany(records)) => CoreError::TooLarge(format!(
            "the inventory has {records} records; one ingestion takes at most {MAX_RECORDS}"
        )),
        NotRead::Failed(error) if *error.kind() == PluginErrorKind::Busy => {
            CoreError::Unavailable("too many inventories are being read; ask again later")
        }
        NotRead::Failed(error) => {
            tracing::warn!(provider, error = &error as &dyn std::error::Error, "inventory not read");
            CoreError::BadRequest(format!("the {provider} inventory was not read: {error}"))
        }
        why @ NotRead::Refused(_) => CoreError::BadRequest(format!("the {provider} inventory cannot be read: {why}")),
    }
}

fn broken(provider: &str, breach: Breach) -> CoreError {
    tracing::warn!(provider, %breach, "a normalizer broke its contract");
    CoreError::BadRequest(format!("the {provider} inventory was not read: its normalizer answered {breach}"))
}
