//! Hand-off: a remediation request, packaged for ticket, chat and queue systems. Nothing is sent.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::Refusal;
use crate::ids::handoff_id;
use crate::payloads::{DESTINATIONS, Facts, destination};
use crate::record::{Documented, Header, member, record};
use crate::remediation::digest_of;

/// `metadata_kind` of its record.
pub const HANDOFF_KIND: &str = "endpoint-remediation-handoff";

/// Who hands a request off, and to whom.
#[derive(Clone, Debug)]
pub struct HandoffRequest<'a> {
    /// Who asked.
    pub requested_by: &'a str,
    /// How it gets there; a free text.
    pub delivery_mode: &'a str,
    /// The systems, sorted; see [`providers`].
    pub providers: Vec<&'static str>,
}

/// The systems that names mean, sorted, each once: `all`, or no name at all, means every one.
///
/// # Errors
/// [`Refusal::Request`] for a name that is none.
pub fn providers<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'static str>, Refusal> {
    let mut chosen = Vec::new();
    let mut every = true;
    for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
        every = false;
        if name.eq_ignore_ascii_case("all") {
            return Ok(DESTINATIONS.iter().map(|destination| destination.name).collect());
        }
        match destination(name) {
            Some(known) => chosen.push(known.name),
            None => {
                let known: Vec<_> = DESTINATIONS.iter().map(|destination| destination.name).collect();
                return Err(Refusal::Request(format!("provider must be all or some of {}", known.join(", "))));
            }
        }
    }
    if every {
        chosen.extend(DESTINATIONS.iter().map(|destination| destination.name));
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// The package of a request. `created_at` of an earlier package of the same request to the same systems stays: the time
/// that work has waited is measured from it.
#[must_use]
pub fn handoff(
    request: &Object,
    approval: (&str, &str),
    asked: &HandoffRequest<'_>,
    earlier: Option<&Object>,
    now: Timestamp,
) -> Documented {
    let (approval_id, approval_state) = approval;
    let request_id = members::text(request, "request_id");
    let reconciliation = members::text(request, "reconciliation_id");
    let digest = digest_of(request);
    let id = handoff_id(request_id, &asked.providers, &digest);
    let created = earlier.and_then(|record| members::text(record, "created_at").parse().ok()).unwrap_or(now);
    let facts = Facts { handoff_id: &id, request, approval_id, approval_state };
    let payloads: Object = asked
        .providers
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), destination(name)?.payload(&facts))))
        .collect();
    let required = approval_state != "approved";
    let references = json!([
        format!("endpoint-remediation-request://{request_id}"),
        format!("endpoint-reconciliation://{reconciliation}"),
        format!("approval://{approval_id}"),
    ]);
    let shared = members::built(json!({
        "handoff_id": id,
        "request_id": request_id,
        "reconciliation_id": reconciliation,
        "delivery_mode": asked.delivery_mode,
        "providers": asked.providers,
        "provider_count": asked.providers.len(),
        "action_count": member(request, "action_count"),
        "approval_id": approval_id,
        "approval_state": approval_state,
        "release": member(request, "release"),
        "channel": member(request, "channel"),
        "strategy": member(request, "strategy"),
        "alert_level": member(request, "alert_level"),
        "evidence_refs": references,
    }));
    let mut document = members::built(json!({
        "schema_version": "cavra.endpoint-remediation-handoff.v1",
        "product": "CAVRA",
        "created_at": created,
        "requested_by": asked.requested_by,
        "approval_required": required,
        "summary": member(request, "summary"),
        "payloads": payloads,
        "controls": [
            "handoff-payloads-derived-from-remediation-request",
            "approval-id-preserved-for-downstream-gates",
            "public-package-contains-no-connector-credentials",
            "private-connectors-required-for-endpoint-mutation",
        ],
        "request_sha256": digest,
        "remediation_request": request,
    }));
    document.extend(shared.clone());
    let header = Header {
        kind: HANDOFF_KIND,
        id: &id,
        created_at: created,
        signer: asked.requested_by,
        decisions: 0,
        blocked: 0,
        approvals: u64::from(required),
    };
    let mut content = shared;
    content.insert("handoff".to_owned(), Value::Object(document.clone()));
    let record = record(&header, Value::Object(content));
    Documented { id, document: Value::Object(document), record, warnings: Vec::new() }
}
