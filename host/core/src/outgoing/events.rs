//! The one way to send an event that the server made, and to keep what came of it.

use cavra_connect::{Connectors, Options, Source};
use cavra_model::{Object, Timestamp};

use super::DeliveryEvidence;
use super::evidence::unsent;
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
        mut evidence: DeliveryEvidence,
        caller: &Caller,
    ) -> Result<Delivered, CoreError> {
        let connectors = self.connectors()?.clone();
        let (app, options, caller) = (self.clone(), options.clone(), caller.clone());
        let work = async move {
            let (now, providers): (_, Vec<&str>) = (Timestamp::now(), options.provider.split(',').collect());
            let unsent = unsent(&event, &providers, now, false);
            let beside = match evidence.run().cloned() {
                Some(run) => {
                    let records = evidence.announcement(&event, &providers, now);
                    let mut announced = app.evidence.put_own_if(records, &caller, move |tx| run.is_ours(tx)).await?;
                    announced.pop();
                    announced
                }
                None => Vec::new(),
            };
            let delivery = match connectors.deliver(event, Source::Server, &options).await {
                Ok(delivery) => delivery,
                Err(error) => {
                    // What was announced did not happen.
                    if evidence.run().is_some() {
                        app.evidence.put_own(evidence.records(&unsent), &caller).await?;
                    }
                    return Err(error.into());
                }
            };
            let mut stored = app.evidence.put_own(evidence.records(&delivery), &caller).await?;
            let metadata = stored.pop().unwrap_or_default();
            Ok(Delivered { delivery, metadata, beside: beside.into_iter().chain(stored).collect() })
        };
        tokio::spawn(work).await.map_err(|_| CoreError::Unavailable("the delivery was interrupted"))?
    }
}
