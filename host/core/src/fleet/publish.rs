//! Publications: an export's files, verified and sent to the endpoint-management tools that it was made for.

use std::collections::BTreeMap;
use std::path::Path;

use cavra_artifacts::{Checksums, Inside, Reach, ReachError, Tree};
use cavra_connect::{Connectors, Options};
use cavra_fleet::{
    EXPORT_MANIFEST, Publication, needed_files, provider_file, publication_event, publication_providers,
    publication_record,
};
use cavra_model::{CHECKSUMS, Digest, ENDPOINT_EXPORTS, Object, Timestamp, has_lapsed, members, read_json};
use serde_json::{Value, json};

use super::fields::integer;
use super::{CONSOLE, answer, blocking, document};
use crate::fields::{FIELD_LIMIT, label, text};
use crate::{App, Approvals, Caller, CoreError, Redactor};

/// Largest file of an export.
const FILE_LIMIT: u64 = 16 << 20;
const UNVERIFIED: &str = "the export has no directory here: nothing of it was verified";
const NO_APPROVAL: &str = "the export names no approval";

/// An export on its way out: everything about it was checked.
#[derive(Clone, Debug)]
pub struct CheckedExport {
    /// The tools that it goes to.
    pub providers: Vec<String>,
    /// The event, with the body for each tool.
    pub event: Object,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// What is asked to be published.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    /// Id of the export.
    pub export_id: String,
    /// Its record.
    pub export: Object,
    /// Its manifest, as the record has it.
    pub manifest: Object,
    /// `all`, or one tool.
    pub asked: String,
    /// Who asks.
    pub requested_by: String,
}

/// The files of an export that a publication needs, read once and compared with their checksums.
struct Verified {
    files: BTreeMap<String, (String, u64)>,
    contents: BTreeMap<String, Vec<u8>>,
}

impl PublishRequest {
    /// Checks manifest and files, and makes the event.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a manifest or a tool that does not fit; [`CoreError::Refused`] with everything that is
    /// wrong with the files.
    pub fn check(&self, tree: Option<&Tree>, now: Timestamp) -> Result<CheckedExport, CoreError> {
        let providers = publication_providers(&self.manifest, &self.asked)?;
        let verified = tree.map(|tree| Verified::read(tree, &providers)).transpose()?;
        let mut warnings = Vec::new();
        match &verified {
            Some(verified) => verified.compare(&self.manifest)?,
            None => warnings.push(UNVERIFIED.to_owned()),
        }
        let payloads =
            providers.iter().map(|provider| ((*provider).to_owned(), self.payload(provider, verified.as_ref())));
        let about = Publication {
            export_id: &self.export_id,
            export: &self.export,
            manifest: &self.manifest,
            asked: &self.asked,
            requested_by: &self.requested_by,
            payloads: payloads.collect(),
            files: verified.as_ref().map(|verified| verified.files.clone()).unwrap_or_default(),
            providers: providers.clone(),
        };
        let event = publication_event(&about, now);
        Ok(CheckedExport { providers: providers.into_iter().map(ToOwned::to_owned).collect(), event, warnings })
    }

    /// What a tool is sent: its file, or the manifest where there is none.
    fn payload(&self, provider: &str, verified: Option<&Verified>) -> Value {
        let bytes = provider_file(provider).and_then(|file| verified?.contents.get(file));
        match bytes.and_then(|bytes| read_json(bytes).ok()) {
            Some(Value::Object(mut body)) => {
                let channel = self.manifest.get("channel").or_else(|| self.export.get("channel"));
                body.insert("publication_context".to_owned(), json!({ "provider": provider, "channel": channel }));
                Value::Object(body)
            }
            _ => json!({
                "schema_version": format!("cavra.endpoint-management.{provider}.publication.v1"),
                "provider": provider,
                "manifest": self.manifest,
            }),
        }
    }

    /// The approvals that the export names.
    fn approvals(&self) -> Vec<&str> {
        let approval = members::object(&self.manifest, "approval");
        let named = approval.and_then(|approval| members::filled(approval, "approval_id"));
        let named = named.or_else(|| members::filled(&self.manifest, "approval_id"));
        let mut ids: Vec<_> = named.into_iter().chain(members::filled(&self.export, "approval_id")).collect();
        ids.dedup();
        ids
    }
}

impl Verified {
    fn read(tree: &Tree, providers: &[&str]) -> Result<Self, CoreError> {
        let refused = |errors| CoreError::Refused { errors, warnings: Vec::new() };
        let checksums = Checksums::read(Some(tree), CHECKSUMS);
        if !checksums.is_valid() {
            return Err(refused(checksums.errors().to_vec()));
        }
        let mut found = Self { files: BTreeMap::new(), contents: BTreeMap::new() };
        let mut errors = Vec::new();
        for name in needed_files(providers) {
            let Some(path) = Inside::new(name) else { continue };
            let bytes = match tree.read(&path, FILE_LIMIT) {
                Ok(bytes) => bytes,
                Err(error) => {
                    errors.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let digest = Digest::of(&bytes).hex().to_owned();
            if name != CHECKSUMS && checksums.digest(name) != Some(&digest) {
                errors.push(format!("{name}: checksum verification failed"));
            }
            found.files.insert(name.to_owned(), (digest, bytes.len() as u64));
            found.contents.insert(name.to_owned(), bytes);
        }
        if errors.is_empty() { Ok(found) } else { Err(refused(errors)) }
    }

    /// The record is a client's; the file is covered by its checksum. What both have has to be the same.
    fn compare(&self, manifest: &Object) -> Result<(), CoreError> {
        let wrong = |text: String| CoreError::Refused { errors: vec![text], warnings: Vec::new() };
        let bytes = self.contents.get(EXPORT_MANIFEST).map(Vec::as_slice).unwrap_or_default();
        let Ok(Value::Object(file)) = read_json(bytes) else {
            return Err(wrong(format!("{EXPORT_MANIFEST} is no JSON object")));
        };
        let differing: Vec<_> = file
            .iter()
            .filter(|(name, value)| manifest.get(*name) != Some(value))
            .map(|(name, _)| name.as_str())
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        Err(wrong(format!("the record's manifest is not that of the verified file: {} differ", differing.join(", "))))
    }
}

impl CheckedExport {
    /// Sends it; answers the delivery, and the record of it.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a tool without a connector; then nothing was sent.
    pub async fn deliver(
        &self,
        connectors: &Connectors,
        options: Options,
        redactor: Redactor,
    ) -> Result<(Object, Object), CoreError> {
        let options = Options { provider: self.providers.join(","), ..options };
        let delivery = connectors.deliver(self.event.clone(), cavra_connect::Source::Server, &options).await?;
        let mut record = publication_record(&self.event, &delivery, Timestamp::now());
        redactor.object(&mut record);
        Ok((delivery, record))
    }
}

impl App {
    /// Publishes an export to endpoint-management tools; that one of them did not take it is no error.
    ///
    /// # Errors
    /// In this order: [`CoreError::BadRequest`] without connectors; [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a
    /// record without a manifest, a directory outside the artifact root, a manifest that does not fit;
    /// [`CoreError::Refused`] for files that do not verify; [`CoreError::Conflict`] for an approval that is not given;
    /// [`CoreError::BadRequest`] for a tool without a connector; [`CoreError::Store`]. Nothing is sent then.
    pub async fn publish_export(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let connectors = self.connectors()?.clone();
        let export = self.evidence.get(&ENDPOINT_EXPORTS, id).await?;
        let manifest = document(&ENDPOINT_EXPORTS, &export)?.clone();
        let options = options(body)?;
        let requested_by = label(body, "requested_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        let request = PublishRequest {
            export_id: id.to_owned(),
            asked: options.provider.clone(),
            requested_by: caller.doer(|| requested_by).name,
            manifest,
            export,
        };
        let root = self.settings.artifact_root.clone();
        let (request, checked) = blocking(move || {
            let tree = directory(root.map(Reach::Under), &request)?;
            let checked = request.check(tree.as_ref(), Timestamp::now())?;
            Ok((request, checked))
        })
        .await?;
        let mut warnings = checked.warnings.clone();
        warnings.extend(approved(&self.approvals, &request).await?);
        // What was begun is ended: a caller who leaves meanwhile takes no evidence away.
        let (evidence, redactor, caller, providers) =
            (self.evidence.clone(), self.settings.redactor, caller.clone(), checked.providers.clone());
        let work = async move {
            let (_, record) = checked.deliver(&connectors, options, redactor).await?;
            let stored = evidence.put_own(vec![record], &caller).await?;
            Ok::<_, CoreError>(stored.into_iter().next().unwrap_or_default())
        };
        let interrupted = |_| CoreError::Unavailable("the delivery was interrupted");
        let metadata = tokio::spawn(work).await.map_err(interrupted)??;
        tracing::info!(export = id, success = ?metadata.get("delivery_success"), "export published");
        Ok(answer(
            &warnings,
            json!({
                "publication_id": metadata.get("publication_id"),
                "export_id": id,
                "providers": providers,
                "event": metadata.get("event"),
                "delivery": metadata.get("delivery"),
                "metadata": metadata,
            }),
        ))
    }
}

/// How the export is sent; whole numbers may be texts of digits.
fn options(body: &Object) -> Result<Options, CoreError> {
    let mut said = body.clone();
    if let Some(retries) = integer(body, "retries")? {
        said.insert("retries".to_owned(), json!(retries));
    }
    Ok(Options::of(&said, "all")?)
}

/// The directory of an export, if it has one: the one that its record names, else the one of its id.
fn directory(reach: Option<Reach>, request: &PublishRequest) -> Result<Option<Tree>, CoreError> {
    let wrong = |error: ReachError| CoreError::BadRequest(error.to_string());
    match (text(&request.export, "bundle_dir", FIELD_LIMIT)?, reach) {
        (Some(_), None) => Err(CoreError::BadRequest("evidence artifact root is not configured".to_owned())),
        (Some(directory), Some(reach)) => reach.open(Path::new(&directory)).map(Some).map_err(wrong),
        (None, None) => Ok(None),
        (None, Some(reach)) => match Inside::bare(&request.export_id) {
            None => Ok(None),
            Some(name) => match reach.open(Path::new(name.as_str())) {
                Ok(tree) => Ok(Some(tree)),
                Err(ReachError::Missing) => Ok(None),
                Err(error) => Err(wrong(error)),
            },
        },
    }
}

/// Refuses an export whose approval is known here and not in force; answers what is to be said of one that is not known.
async fn approved(approvals: &Approvals, request: &PublishRequest) -> Result<Vec<String>, CoreError> {
    let ids = request.approvals();
    let mut warnings: Vec<String> = ids.is_empty().then(|| NO_APPROVAL.to_owned()).into_iter().collect();
    for id in ids {
        match approvals.get(id).await {
            Ok(approval) => in_force(&approval, Timestamp::now())
                .map_err(|problem| CoreError::Conflict(format!("the approval {id} of the export {problem}")))?,
            Err(CoreError::NotFound(_)) => warnings.push(format!("the approval {id} of the export is not known here")),
            Err(error) => return Err(error),
        }
    }
    Ok(warnings)
}

/// Whether an approval is given, and has not run out; else what is wrong with it. A broken glass publishes nothing.
fn in_force(approval: &Object, now: Timestamp) -> Result<(), String> {
    match members::text(approval, "state") {
        "approved" if has_lapsed(approval, now) => Err("has run out".to_owned()),
        "approved" => Ok(()),
        state => Err(format!("is {state}, not approved")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::members::built;

    #[test]
    fn an_approval_that_has_run_out_publishes_nothing() {
        let now: Timestamp = "2031-02-03T04:05:06.000000+00:00".parse().unwrap();
        for (state, expires_at, wanted) in [
            ("approved", json!("2031-02-03T04:05:07.000000+00:00"), Ok(())),
            ("approved", json!("2031-02-03T04:05:06.000000+00:00"), Err("has run out")),
            ("approved", json!("soon"), Err("has run out")),
            ("approved", Value::Null, Err("has run out")),
            ("pending", json!("2031-02-03T04:05:07.000000+00:00"), Err("is pending, not approved")),
            ("break_glass", json!("2031-02-03T04:05:07.000000+00:00"), Err("is break_glass, not approved")),
        ] {
            let approval = built(json!({"state": state, "expires_at": expires_at}));
            assert_eq!(in_force(&approval, now), wanted.map_err(str::to_owned), "{approval:?}");
        }
    }
}
