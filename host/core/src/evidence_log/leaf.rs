//! What the leaves of the evidence log say: that something happened to a record, and what the record was then.
//!
//! A leaf is compact canonical JSON. It holds no more than ids, a digest, a time and who made a change, so a log can be
//! shown to people who may not see the records; who holds a record can compute its digest.

use cavra_model::{
    AGENTS, APPROVALS, ApprovalState, DECISIONS, DELIVERIES, Digest, EVIDENCE_METADATA, INTEGRATIONS, Kind,
    MCP_SERVERS, Object, POLICY_ROLLOUTS, PUBLICATIONS, REPOSITORIES, Timestamp, canonical, is_unverified,
};
use cavra_store::{StoreError, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Author;

/// Everything that leaves a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogEvent {
    /// An action was decided.
    Decision,
    /// An approval was asked for.
    ApprovalRequested,
    /// One of several people approved.
    ApprovalCounted,
    /// An approval was given.
    ApprovalApproved,
    /// An approval was denied.
    ApprovalDenied,
    /// An approval ran out, or was given up.
    ApprovalExpired,
    /// An approval let an action happen.
    ApprovalUsed,
    /// Somebody broke the glass.
    BreakGlassStarted,
    /// The time of a broken glass ran out.
    BreakGlassEnded,
    /// A policy pack is about to be published.
    PolicyPublishStarted,
    /// A policy pack was published.
    PolicyPublished,
    /// A policy pack could not be published.
    PolicyPublishFailed,
    /// The server wrote evidence metadata of a session.
    EvidenceRecorded,
    /// An approved promotion was carried out.
    PromotionExecuted,
    /// An approved rollback was carried out.
    RollbackExecuted,
    /// A client posted evidence metadata.
    EvidenceReceived,
    /// A client reported a session.
    SessionReported,
    /// A repository was registered or changed.
    RepositoryChanged,
    /// A policy rollout was made or changed.
    RolloutChanged,
    /// An agent was registered or changed.
    AgentChanged,
    /// An MCP server was registered or changed.
    McpServerChanged,
    /// An integration was registered or changed.
    IntegrationChanged,
    /// An event arrived at an integration.
    DeliverySucceeded,
    /// An event could not be delivered to an integration and was given up.
    DeliveryGivenUp,
    /// Somebody has an event sent again that was given up.
    DeliveryRetried,
    /// Somebody decided that an event is not sent.
    DeliveryDropped,
    /// A decision was removed: it had been kept as long as the retention rule says.
    DecisionRemoved,
    /// A session was removed by the retention rule.
    SessionRemoved,
    /// Evidence metadata was removed by the retention rule.
    EvidenceRemoved,
    /// A delivery to an integration was removed by the retention rule.
    DeliveryRemoved,
    /// The log is signed with another key from here on.
    KeyRotated,
    /// An older store was put in place on purpose.
    StoreRestored,
}

impl LogEvent {
    /// What happened to an approval that looks like this now.
    pub(crate) fn of_approval(record: &Object) -> Self {
        match cavra_model::state(record) {
            Some(ApprovalState::Approved) => Self::ApprovalApproved,
            Some(ApprovalState::Denied) => Self::ApprovalDenied,
            Some(ApprovalState::Expired) => Self::ApprovalExpired,
            Some(ApprovalState::BreakGlass) => Self::BreakGlassStarted,
            Some(ApprovalState::Pending) | None if record.get("approvals").is_some_and(some_votes) => {
                Self::ApprovalCounted
            }
            Some(ApprovalState::Pending) | None => Self::ApprovalRequested,
        }
    }

    /// What happened when the server wrote this evidence metadata.
    pub(crate) fn of_evidence(record: &Object) -> Self {
        match record.get("metadata_kind").and_then(Value::as_str) {
            Some("rollout-promotion-execution") => Self::PromotionExecuted,
            Some("rollout-rollback-execution") => Self::RollbackExecuted,
            _ => Self::EvidenceRecorded,
        }
    }

    /// The kind of the records it speaks of, if those are in the store of the log.
    #[must_use]
    pub fn kind(self) -> Option<&'static Kind> {
        match self {
            Self::Decision | Self::DecisionRemoved => Some(&DECISIONS),
            Self::ApprovalRequested
            | Self::ApprovalCounted
            | Self::ApprovalApproved
            | Self::ApprovalDenied
            | Self::ApprovalExpired
            | Self::ApprovalUsed
            | Self::BreakGlassStarted
            | Self::BreakGlassEnded => Some(&APPROVALS),
            Self::PolicyPublishStarted | Self::PolicyPublished | Self::PolicyPublishFailed => Some(&PUBLICATIONS),
            Self::EvidenceRecorded
            | Self::EvidenceReceived
            | Self::PromotionExecuted
            | Self::RollbackExecuted
            | Self::EvidenceRemoved => Some(&EVIDENCE_METADATA),
            Self::RepositoryChanged => Some(&REPOSITORIES),
            Self::RolloutChanged => Some(&POLICY_ROLLOUTS),
            Self::AgentChanged => Some(&AGENTS),
            Self::McpServerChanged => Some(&MCP_SERVERS),
            Self::IntegrationChanged => Some(&INTEGRATIONS),
            Self::DeliverySucceeded
            | Self::DeliveryGivenUp
            | Self::DeliveryRetried
            | Self::DeliveryDropped
            | Self::DeliveryRemoved => Some(&DELIVERIES),
            // Decisions change a session too, without a leaf about it.
            Self::SessionReported | Self::SessionRemoved | Self::KeyRotated | Self::StoreRestored => None,
        }
    }
}

impl LogEvent {
    /// Whether its record is not there any more, and is not meant to be.
    #[must_use]
    pub fn removes(self) -> bool {
        matches!(self, Self::DecisionRemoved | Self::SessionRemoved | Self::EvidenceRemoved | Self::DeliveryRemoved)
    }
}

fn some_votes(votes: &Value) -> bool {
    votes.as_array().is_some_and(|votes| !votes.is_empty())
}

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// What happened.
    pub event: LogEvent,
    /// Id of the record it happened to.
    pub id: String,
    /// Hex SHA-256 of the record's compact canonical JSON, as it was stored with the leaf.
    pub record_sha256: String,
    /// When the leaf was written.
    pub time: String,
    /// Who made the change, where somebody in particular did and the record does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author: Option<Author>,
    /// Nobody but the requester vouches for what the record says: an approval of a decision that is not recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
}

impl Leaf {
    /// That `event` happened to `record`, now.
    #[must_use]
    pub fn new(event: LogEvent, id: &str, record: &Object) -> Self {
        let record_sha256 = digest(record);
        let (time, unverified) = (Timestamp::now().to_string(), is_unverified(record));
        Self { event, id: id.to_owned(), record_sha256, time, author: None, unverified }
    }

    /// Reads a leaf; anything but its one spelling is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|leaf| leaf.to_text() == text)
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn to_text(&self) -> String {
        canonical(&json!(self))
    }

    /// Whether it speaks of `record` as it is.
    #[must_use]
    pub fn is_of(&self, record: &Object) -> bool {
        digest(record) == self.record_sha256
    }
}

fn digest(record: &Object) -> String {
    Digest::of_record(record).hex().to_owned()
}

/// Appends the leaf that `event` happened to `record`, in the transaction that writes the record.
///
/// # Errors
/// As [`Transaction::append`].
pub(crate) fn note(
    tx: &mut dyn Transaction,
    event: LogEvent,
    kind: &'static Kind,
    record: &Object,
) -> Result<(), StoreError> {
    let id = record.get(kind.id).and_then(Value::as_str).unwrap_or_default();
    tx.append(kind, Leaf::new(event, id, record).to_text())
}

/// As [`note`], with who made the change.
///
/// # Errors
/// As [`Transaction::append`].
pub(crate) fn note_by(
    tx: &mut dyn Transaction,
    author: Option<&Author>,
    event: LogEvent,
    kind: &'static Kind,
    record: &Object,
) -> Result<(), StoreError> {
    let id = record.get(kind.id).and_then(Value::as_str).unwrap_or_default();
    tx.append(kind, Leaf { author: author.cloned(), ..Leaf::new(event, id, record) }.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_has_one_spelling() {
        let record = json!({"decision_id": "dec_é", "b": 1.50, "a": [null]});
        let record = record.as_object().unwrap();
        let leaf = Leaf::new(LogEvent::Decision, "dec_é", record);
        let text = leaf.to_text();
        assert!(text.starts_with(r#"{"event":"decision","id":"dec_\u00e9","record_sha256":""#), "{text}");
        assert_eq!(Leaf::parse(&text), Some(leaf.clone()));
        assert!(leaf.is_of(record));
        for wrong in [
            format!(" {text}"),
            text.replace("\\u00e9", "é"),
            text.replace("decision\"", "decisions\""),
            text.replace("\"time\"", "\"more\":1,\"time\""),
            text.replace(":\"dec", ": \"dec"),
        ] {
            assert_eq!(Leaf::parse(&wrong), None, "{wrong}");
        }
        let mut record = record.clone();
        record.insert("unverified".into(), json!(true));
        let marked = Leaf::new(LogEvent::ApprovalApproved, "apr_1", &record);
        assert!(marked.to_text().ends_with(r#","unverified":true}"#), "{}", marked.to_text());
        assert_eq!(Leaf::parse(&marked.to_text()), Some(marked.clone()));
        assert_eq!(Leaf::parse(&marked.to_text().replace("true", "false")), None);
        // The digest is the one that anybody can compute: sorted keys, ASCII, no spaces.
        assert_eq!(leaf.record_sha256, Digest::of(r#"{"a":[null],"b":1.5,"decision_id":"dec_\u00e9"}"#).hex());
    }

    #[test]
    fn approvals_say_what_happened_to_them() {
        let event = |members: Value| LogEvent::of_approval(members.as_object().unwrap());
        for (state, wanted) in [
            ("pending", LogEvent::ApprovalRequested),
            ("approved", LogEvent::ApprovalApproved),
            ("denied", LogEvent::ApprovalDenied),
            ("expired", LogEvent::ApprovalExpired),
            ("break_glass", LogEvent::BreakGlassStarted),
        ] {
            assert_eq!(event(json!({"state": state, "approvals": []})), wanted);
        }
        assert_eq!(event(json!({"state": "pending", "approvals": [{}]})), LogEvent::ApprovalCounted);
    }
}
