//! What became of a hand-off, as a provider's callback or an operator says. Every word adds a record; the newest one of a
//! hand-off and provider is where it stands.

use cavra_model::{Object, Timestamp, members, word};
use serde_json::{Value, json};

use crate::Refusal;
use crate::ids::of_document;
use crate::payloads::destination;
use crate::record::{Documented, Header, member, record};
use crate::redact::{redacted_payload, redacted_url};
use crate::remediation::digest_of;

/// `metadata_kind` of its record.
pub const HANDOFF_STATUS_KIND: &str = "endpoint-remediation-handoff-status";
/// The words.
const STATUSES: [&str; 8] =
    ["queued", "delivered", "acknowledged", "in_progress", "blocked", "completed", "failed", "cancelled"];

/// What is reported.
#[derive(Clone, Debug, Default)]
pub struct StatusUpdate<'a> {
    /// Which system.
    pub provider: &'a str,
    /// Its word.
    pub status: &'a str,
    /// Id over there.
    pub external_ref: Option<&'a str>,
    /// Address over there.
    pub external_url: Option<&'a str>,
    /// What somebody adds.
    pub notes: Option<&'a str>,
    /// What the system sent.
    pub callback: Option<&'a Value>,
    /// Who reports.
    pub recorded_by: &'a str,
}

/// The status of the hand-off in `handoff` (its document), with its approval as it stands now.
///
/// # Errors
/// [`Refusal::Document`] with everything that is wrong with the update.
pub fn status_record(
    handoff: &Object,
    approval: (&str, Option<&str>),
    update: &StatusUpdate<'_>,
    now: Timestamp,
) -> Result<Documented, Refusal> {
    let (provider, status, url) = checked(handoff, update)?;
    let (approval_id, approval_state) = approval;
    let handoff_id = members::text(handoff, "handoff_id");
    let id = of_document(
        "erhs_",
        &json!({
            "handoff_id": handoff_id, "provider": provider, "status": status, "external_ref": update.external_ref,
            "recorded_at": now,
        }),
    );
    let mut references = vec![
        format!("endpoint-remediation-handoff://{handoff_id}"),
        format!("endpoint-remediation-request://{}", members::text(handoff, "request_id")),
        format!("endpoint-reconciliation://{}", members::text(handoff, "reconciliation_id")),
    ];
    if !approval_id.is_empty() {
        references.push(format!("approval://{approval_id}"));
    }
    references.extend(update.external_ref.map(|external| format!("external://{provider}/{external}")));
    let mut warnings = Vec::new();
    if status == "completed" && approval_state != Some("approved") {
        warnings.push("work is reported as completed without an approved approval".to_owned());
    }
    let shared = members::built(json!({
        "status_id": id,
        "handoff_id": handoff_id,
        "request_id": member(handoff, "request_id"),
        "reconciliation_id": member(handoff, "reconciliation_id"),
        "provider": provider,
        "external_ref": update.external_ref,
        "external_url": url,
        "approval_id": Some(approval_id).filter(|id| !id.is_empty()),
        "approval_state": approval_state,
        "action_count": member(handoff, "action_count"),
        "release": member(handoff, "release"),
        "channel": member(handoff, "channel"),
        "evidence_refs": references,
    }));
    let mut document = members::built(json!({
        "schema_version": "cavra.endpoint-remediation-handoff-status.v1",
        "product": "CAVRA",
        "status": status,
        "recorded_at": now,
        "recorded_by": update.recorded_by,
        "notes": update.notes,
        "delivery_mode": member(handoff, "delivery_mode"),
        "callback_payload": update.callback.map_or_else(|| json!({}), redacted_payload),
        "controls": [
            "status-derived-from-provider-callback-or-operator-update",
            "external-reference-preserved-for-audit-correlation",
            "public-status-record-contains-no-connector-credentials",
            "endpoint-mutation-remains-private-connector-responsibility",
        ],
        "handoff_sha256": digest_of(handoff),
    }));
    document.extend(shared.clone());
    let header = Header {
        kind: HANDOFF_STATUS_KIND,
        id: &id,
        created_at: now,
        signer: update.recorded_by,
        decisions: 0,
        blocked: u64::from(["blocked", "failed"].contains(&status.as_str())),
        approvals: u64::from(approval_state == Some("pending")),
    };
    let mut content = shared;
    content.insert("handoff_status".to_owned(), json!(status));
    content.insert("status_record".to_owned(), Value::Object(document.clone()));
    let record = record(&header, Value::Object(content));
    Ok(Documented { id, document: Value::Object(document), record, warnings })
}

/// Provider and status in their one spelling, and the address without secrets.
fn checked(handoff: &Object, update: &StatusUpdate<'_>) -> Result<(&'static str, String, Option<String>), Refusal> {
    let mut problems = Vec::new();
    let provider = destination(update.provider).map(|destination| destination.name);
    match provider {
        None => problems.push(format!("unknown provider {:?}", update.provider)),
        Some(name) if !members::texts(handoff, "providers").contains(&name) => {
            problems.push(format!("the hand-off was not made for {name}"));
        }
        Some(_) => {}
    }
    let status = word(update.status);
    if !STATUSES.contains(&status.as_str()) {
        problems.push(format!("status must be one of {}", STATUSES.join(", ")));
    }
    let url = update.external_url.map(redacted_url);
    if url == Some(None) {
        problems.push("external_url must be an http or https address".to_owned());
    }
    match provider {
        Some(provider) if problems.is_empty() => Ok((provider, status, url.flatten())),
        _ => Err(Refusal::Document(problems)),
    }
}
