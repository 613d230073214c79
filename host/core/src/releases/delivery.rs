//! Audit events of promotions and rollbacks, delivered to other systems.

use cavra_connect::Options;
use cavra_model::members::text;
use cavra_model::{Object, PROMOTION_EXECUTIONS, ROLLBACK_EXECUTIONS};
use cavra_release::{Action, PROMOTION, ROLLBACK, audit_event};
use serde_json::Value;

use super::document;
use crate::{App, Caller, CoreError, Delivered, DeliveryEvidence, PageRequest};

/// Who delivers promotions.
pub const PROMOTION_DELIVERY: &str = "release_governance_promotion";
/// Who delivers rollbacks.
pub const ROLLBACK_DELIVERY: &str = "release_governance_rollback";

impl App {
    /// Delivers the audit event of a promotion; answers what came of it with the `metadata` that was stored. That a system
    /// did not take it is no error.
    ///
    /// # Errors
    /// In this order: [`CoreError::BadRequest`] without connectors; [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a
    /// record without a document of the right schema, for the options and for connectors that cannot be used;
    /// [`CoreError::Store`].
    pub async fn deliver_promotion(&self, id: &str, body: &Object, caller: &Caller) -> Result<Object, CoreError> {
        self.connectors()?;
        let record = self.evidence.get(&PROMOTION_EXECUTIONS, id).await?;
        self.deliver_audit(&PROMOTION, &record, PROMOTION_DELIVERY, body, caller).await
    }

    /// As [`App::deliver_promotion`], of a rollback. The id of a promotion means its rollback.
    ///
    /// # Errors
    /// As [`App::deliver_promotion`].
    pub async fn deliver_rollback(&self, id: &str, body: &Object, caller: &Caller) -> Result<Object, CoreError> {
        self.connectors()?;
        let record = match self.evidence.get(&ROLLBACK_EXECUTIONS, id).await {
            Err(CoreError::NotFound(_)) => self.rollback_of(id).await?,
            found => found?,
        };
        self.deliver_audit(&ROLLBACK, &record, ROLLBACK_DELIVERY, body, caller).await
    }

    async fn deliver_audit(
        &self,
        action: &Action,
        record: &Object,
        source: &str,
        body: &Object,
        caller: &Caller,
    ) -> Result<Object, CoreError> {
        let event = audit_event(action, document(action, record)?).map_err(CoreError::BadRequest)?;
        let options = Options::of(body, "all")?;
        let done = self.deliver_event(event, &options, DeliveryEvidence::of(source), caller).await?;
        let Delivered { mut delivery, metadata, .. } = done;
        delivery.insert("metadata".to_owned(), Value::Object(metadata));
        Ok(delivery)
    }

    /// The newest rollback of a promotion.
    async fn rollback_of(&self, execution_id: &str) -> Result<Object, CoreError> {
        let none = || CoreError::NotFound(ROLLBACK_EXECUTIONS.name);
        let execution = match self.evidence.get(&PROMOTION_EXECUTIONS, execution_id).await {
            Err(CoreError::NotFound(_)) => return Err(none()),
            found => found?,
        };
        let of_rollout = ("rollout_id".to_owned(), text(&execution, "rollout_id").to_owned());
        let request = PageRequest { parameters: vec![of_rollout], limit: Some(i64::MAX), offset: None };
        let rollbacks = self.evidence.list(&ROLLBACK_EXECUTIONS, &request).await?.items;
        let is_wanted = |record: &Object| text(record, "promotion_execution_id") == execution_id;
        rollbacks.into_iter().find(is_wanted).ok_or_else(none)
    }
}
