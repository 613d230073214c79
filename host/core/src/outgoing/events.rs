//! The one way to send an event that the server made, and to keep what came of it.

use cavra_connect::{Connectors, Options, Source};
use cavra_model::Object;

use super::DeliveryEvidence;
use crate::{App, Caller, CoreError};

/// A delivery that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// What came of it, `cavra.connector.delivery.v1`.
    pub delivery: Object,
    /// Its evidence, as it is stored.
    pub metadata: Object,
    /// The records that were written beside it, as they are stored.
    pub beside: Vec<Object>,
}

impl App {
    /// The systems that events are delivered to.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if there is no connector config.
    pub fn connectors(&self) -> Result<&Connectors, CoreError> {
        let missing = || CoreError::BadRequest("connector config is not configured".to_owned());
        self.outgoing.events.as_ref().ok_or_else(missing)
    }

    /// Delivers an event that the server made to the systems that `options` name, and keeps what came of it together with
    /// the records beside it. That a system did not take the event is no error.
    ///
    /// What was begun is ended: a caller who leaves meanwhile takes no evidence away.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], then nothing was sent or stored; [`CoreError::Store`].
    pub async fn deliver_event(
        &self,
        event: Object,
        options: &Options,
        evidence: DeliveryEvidence,
        caller: &Caller,
    ) -> Result<Delivered, CoreError> {
        let connectors = self.connectors()?.clone();
        let (app, options, caller) = (self.clone(), options.clone(), caller.clone());
        let work = async move {
            let delivery = connectors.deliver(event, Source::Server, &options).await?;
            let mut stored = app.evidence.put_own(evidence.records(&delivery), &caller).await?;
            let metadata = stored.pop().unwrap_or_default();
            Ok(Delivered { delivery, metadata, beside: stored })
        };
        tokio::spawn(work).await.map_err(|_| CoreError::Unavailable("the delivery was interrupted"))?
    }
}
