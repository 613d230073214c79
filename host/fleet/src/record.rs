//! Evidence records: every document of this area is the content of one.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

/// A document and the evidence record that holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Documented {
    /// Its id, which is the record's too.
    pub id: String,
    /// The document.
    pub document: Value,
    /// The record.
    pub record: Object,
    /// What readers of the answer should know.
    pub warnings: Vec<String>,
}

/// What a record says of itself.
pub struct Header<'a> {
    /// Its `metadata_kind`.
    pub kind: &'a str,
    /// Its id.
    pub id: &'a str,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub signer: &'a str,
    /// How many decisions it holds.
    pub decisions: u64,
    /// How many of them block, or what counts as that here.
    pub blocked: u64,
    /// How many of them wait for an approval.
    pub approvals: u64,
}

/// The record with this header and these members.
pub fn record(header: &Header<'_>, content: Value) -> Object {
    let mut record = members::built(json!({
        "schema_version": "cavra.evidence.metadata.v1",
        "product": "CAVRA",
        "session_id": header.id,
        "created_at": header.created_at,
        "signer": header.signer,
        "metadata_kind": header.kind,
        "decision_count": header.decisions,
        "blocked_count": header.blocked,
        "approval_required_count": header.approvals,
    }));
    record.extend(members::built(content));
    record
}

/// A member of a document as it stands, null if there is none.
pub fn member(document: &Object, name: &str) -> Value {
    document.get(name).cloned().unwrap_or(Value::Null)
}
