//! Hand-offs of remediations to systems of tickets, chats and queues, and what became of them.

use cavra_fleet::{HandoffRequest, StatusUpdate, handoff, handoff_providers, status_record};
use cavra_model::{ENDPOINT_HANDOFFS, EVIDENCE_METADATA, EVIDENCE_ORIGINS, Object, Timestamp, members};
use cavra_store::Transaction;
use serde_json::{Value, json};

use super::{CONSOLE, answer, cleaned, document};
use crate::evidence::{Own, written};
use crate::fields::{label, text};
use crate::{App, Caller, CoreError};

/// Longest text of a status, in bytes.
const TEXT_LIMIT: usize = 4 * 1024;
/// Largest payload of a callback, in bytes.
const CALLBACK_LIMIT: usize = 256 * 1024;
/// Most levels of a callback's payload.
const CALLBACK_DEPTH: usize = 32;

impl App {
    /// Packages a remediation request for other systems. Nothing is sent.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record without a request or an approval, and
    /// for members that are not what they must be; [`CoreError::Store`].
    pub async fn hand_off(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let (request, approval_id) = self.remediation_request(id, None).await?;
        let names = provider_names(body)?;
        let providers = handoff_providers(names.iter().map(String::as_str))?;
        let requested_by = label(body, "requested_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        let requested_by = caller.doer(|| requested_by).name;
        let delivery_mode = label(body, "delivery_mode")?.unwrap_or_else(|| "manual".to_owned());
        // Only what this server knows of an approval counts, whatever a record says that somebody posted.
        let state = self.approval_state(&approval_id).await?.unwrap_or_else(|| "unknown".to_owned());
        let author = caller.author();
        let change = move |tx: &mut dyn Transaction| {
            let asked = HandoffRequest {
                requested_by: &requested_by,
                delivery_mode: &delivery_mode,
                providers: providers.clone(),
            };
            let now = Timestamp::now();
            let package = |earlier: Option<&Object>| handoff(&request, (&approval_id, &state), &asked, earlier, now);
            let first = package(None);
            let earlier = match tx.get(&EVIDENCE_ORIGINS, &written(&first.id))? {
                Some(_) => tx.get(&EVIDENCE_METADATA, &first.id)?,
                None => None,
            };
            let made = if earlier.is_some() { package(earlier.as_ref()) } else { first };
            match Own::checked(made.record) {
                Ok(own) => Ok(Ok((own.put(tx, author.as_ref())?, made.id, made.document))),
                Err(refusal) => Ok(Err(refusal)),
            }
        };
        let (metadata, handoff_id, document) = self.store.transact(change).await??;
        tracing::info!(request = id, handoff = handoff_id, "remediation handed off");
        Ok(answer(
            &[],
            json!({
                "handoff_id": handoff_id,
                "request_id": id,
                "providers": document.get("providers"),
                "metadata": metadata,
                "handoff": document,
            }),
        ))
    }

    /// Records what a provider or an operator says became of a hand-off.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record without a package, and for members that
    /// are missing or not what they must be; [`CoreError::TooLarge`] for a payload; [`CoreError::Refused`] with everything
    /// that does not fit the package; [`CoreError::Store`].
    pub async fn record_handoff_status(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let record = self.evidence.get(&ENDPOINT_HANDOFFS, id).await?;
        let package = document(&ENDPOINT_HANDOFFS, &record)?;
        let given = |field: &str| text(body, field, TEXT_LIMIT);
        let required =
            |field: &str| label(body, field)?.ok_or_else(|| CoreError::BadRequest(format!("{field} is required")));
        let (provider, status) = (required("provider")?, required("status")?);
        let recorded_by = label(body, "recorded_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        let recorded_by = caller.doer(|| recorded_by).name;
        let (reference, url, notes) = (given("external_ref")?, given("external_url")?, given("notes")?);
        let update = StatusUpdate {
            provider: &provider,
            status: &status,
            external_ref: reference.as_deref(),
            external_url: url.as_deref(),
            notes: notes.as_deref(),
            callback: callback(body)?,
            recorded_by: &recorded_by,
        };
        let approval_id = members::filled(package, "approval_id").or_else(|| members::filled(&record, "approval_id"));
        let approval_id = approval_id.unwrap_or_default();
        let state = self.approval_state(approval_id).await?;
        let made = status_record(package, (approval_id, state.as_deref()), &update, Timestamp::now())?;
        let made = cleaned(self.settings.redactor, made)?;
        let stored = self.evidence.put_own(vec![made.record], caller).await?;
        Ok(answer(
            &made.warnings,
            json!({
                "status_id": made.id,
                "handoff_id": id,
                "provider": made.document.get("provider"),
                "status": made.document,
                "metadata": stored.into_iter().next(),
            }),
        ))
    }
}

impl App {
    /// The state of an approval at this moment, if there is one of that id here.
    async fn approval_state(&self, id: &str) -> Result<Option<String>, CoreError> {
        Ok(self.approvals.states(vec![id.to_owned()]).await?.remove(id))
    }
}

/// The names in `providers`, a list, or in `provider`, one or several with commas.
fn provider_names(body: &Object) -> Result<Vec<String>, CoreError> {
    let wrong = || CoreError::BadRequest("providers must be a list of names".to_owned());
    match body.get("providers") {
        Some(Value::Array(names)) => names.iter().map(|name| Ok(name.as_str().ok_or_else(wrong)?.to_owned())).collect(),
        None | Some(Value::Null) => {
            let names = label(body, "provider")?.unwrap_or_default();
            Ok(names.split(',').map(ToOwned::to_owned).collect())
        }
        Some(Value::String(names)) => Ok(names.split(',').map(ToOwned::to_owned).collect()),
        Some(_) => Err(wrong()),
    }
}

/// The payload of a callback, within its bounds.
fn callback(body: &Object) -> Result<Option<&Value>, CoreError> {
    let payload = match body.get("callback_payload") {
        None | Some(Value::Null) => return Ok(None),
        Some(payload @ Value::Object(_)) => payload,
        Some(_) => return Err(CoreError::BadRequest("callback_payload must be an object".to_owned())),
    };
    if payload.to_string().len() > CALLBACK_LIMIT {
        return Err(CoreError::TooLarge(format!("callback_payload is larger than {CALLBACK_LIMIT} bytes")));
    }
    if depth(payload) > CALLBACK_DEPTH {
        return Err(CoreError::BadRequest(format!("callback_payload has more than {CALLBACK_DEPTH} levels")));
    }
    Ok(Some(payload))
}

/// How many levels of lists and objects a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
