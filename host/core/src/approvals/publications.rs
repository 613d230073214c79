//! The record of a publication. Publishing writes files, which are in no commit of a store; so the record is written
//! before, and again after with what came of it. No pack is published without a trace, whatever is interrupted.

use cavra_model::{Object, PUBLICATIONS, Timestamp, random_hex};
use cavra_store::Transaction;
use serde_json::{Value, json};

use super::Approvals;
use crate::caller::Doer;
use crate::evidence_log::note;
use crate::{CoreError, LogEvent};

/// What is about to be published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// Id of the pack.
    pub policy_id: &'a str,
    /// Digest of its content.
    pub policy_digest: &'a str,
    /// The approval that lets it happen.
    pub approval_id: &'a str,
    /// Who publishes.
    pub publisher: &'a Doer,
}

impl Approvals {
    /// Records that a publication begins; durable when it returns.
    ///
    /// # Errors
    /// [`CoreError::Store`]; nothing may be published then.
    pub async fn begin_publication(&self, publication: Publication<'_>) -> Result<Object, CoreError> {
        let record = json!({
            "publication_id": format!("pub_{}", random_hex(6)?),
            "policy_id": publication.policy_id,
            "policy_digest": publication.policy_digest,
            "approval_id": publication.approval_id,
            "published_by": publication.publisher.name,
            "state": "started",
            "started_at": Timestamp::now(),
        });
        let Value::Object(mut record) = record else { return Err(CoreError::Conflict("no record".to_owned())) };
        publication.publisher.person.note(&mut record, "published_by");
        self.write_publication(LogEvent::PolicyPublishStarted, record).await
    }

    /// Records what came of it.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn end_publication(&self, mut record: Object, problem: Option<&CoreError>) -> Result<Object, CoreError> {
        let (state, event) = match problem {
            None => ("published", LogEvent::PolicyPublished),
            Some(_) => ("failed", LogEvent::PolicyPublishFailed),
        };
        record.insert("state".to_owned(), json!(state));
        record.insert("finished_at".to_owned(), json!(Timestamp::now()));
        if let Some(problem) = problem {
            record.insert("problem".to_owned(), json!(problem.to_string()));
        }
        self.write_publication(event, record).await
    }

    async fn write_publication(&self, event: LogEvent, record: Object) -> Result<Object, CoreError> {
        let written = record.clone();
        let write = move |tx: &mut dyn Transaction| {
            note(tx, event, &PUBLICATIONS, &written)?;
            tx.put(&PUBLICATIONS, written.clone())
        };
        self.store.transact(write).await?;
        Ok(record)
    }
}
