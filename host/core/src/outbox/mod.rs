//! Standing subscriptions: what integrations are told without asking, each event at least once and in order.
//!
//! An active integration names the events it wants. Its lane follows the evidence logs ([`feed`]): a leaf is in the commit of
//! what it notes, so an event that happened cannot be missed, whoever made it and whatever ends when. A worker sends one
//! event after the other under an id that stays the same ([`worker`]), and writes down together what arrived and how far the
//! lane has come. What cannot get through waits where it is, in the log; what never will becomes a dead letter, which
//! somebody can send again or drop.

mod entry;
mod event;
mod feed;
mod lane;
mod subscription;
mod worker;

use cavra_model::members::text;
use cavra_model::{DELIVERIES, DELIVERY_LANES, INTEGRATIONS, Object, Timestamp, random_hex};
use cavra_store::{Page, Query, RecordStore, Transaction, Unreadable};
use serde_json::{Value, json};

use crate::evidence_log::note_by;
use crate::{App, Caller, CoreError, LogEvent, MAX_LIMIT};

use lane::Lane;
use subscription::Subscription;

/// Most integrations whose state is told at once.
const MOST_SHOWN: u64 = 500;

/// Deliveries to integrations, as they are recorded.
#[derive(Clone)]
pub struct Deliveries {
    store: RecordStore,
    /// The name under which this process takes lanes.
    holder: Option<String>,
}

/// The integrations that want to be told something, active or not.
async fn subscribed(store: &RecordStore) -> Result<Vec<Object>, CoreError> {
    let mut query = Query { limit: MAX_LIMIT, unreadable: Unreadable::Skip, ..Query::default() };
    let mut subscribed = Vec::new();
    loop {
        let page = store.list(&INTEGRATIONS, query.clone()).await?;
        let wants = |record: &Object| Subscription::of(record).is_ok_and(|found| found.is_some());
        subscribed.extend(page.items.into_iter().filter(wants));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(subscribed);
        }
    }
}

impl Deliveries {
    /// Over an open store that knows [`crate::INTEGRATION_KINDS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store, holder: random_hex(8).ok() }
    }

    /// One page of deliveries, the oldest first.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, query: Query) -> Result<Page, CoreError> {
        Ok(self.store.list(&DELIVERIES, query).await?)
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, id: &str) -> Result<Object, CoreError> {
        self.store.get(&DELIVERIES, id).await?.ok_or(CoreError::NotFound(DELIVERIES.name))
    }

    /// Has a dead letter sent again, at once.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Conflict`] if it is none; [`CoreError::Store`].
    pub async fn retry(&self, id: &str, caller: &Caller) -> Result<Object, CoreError> {
        self.decide(id, LogEvent::DeliveryRetried, entry::retry, caller).await
    }

    /// Decides that what has not arrived is not sent any more.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Conflict`] if it has arrived or was dropped; [`CoreError::Store`].
    pub async fn drop_one(&self, id: &str, caller: &Caller) -> Result<Object, CoreError> {
        self.decide(id, LogEvent::DeliveryDropped, entry::drop_it, caller).await
    }

    async fn decide(
        &self,
        id: &str,
        event: LogEvent,
        change: fn(&mut Object, Timestamp) -> Result<(), CoreError>,
        caller: &Caller,
    ) -> Result<Object, CoreError> {
        let (id, author) = (id.to_owned(), caller.author());
        let work = move |tx: &mut dyn Transaction| {
            let Some(mut record) = tx.get(&DELIVERIES, &id)? else {
                return Ok(Err(CoreError::NotFound(DELIVERIES.name)));
            };
            let was_pending = text(&record, "state") == entry::PENDING;
            if let Err(error) = change(&mut record, Timestamp::now()) {
                return Ok(Err(error));
            }
            tx.put(&DELIVERIES, record.clone())?;
            note_by(tx, author.as_ref(), event, &DELIVERIES, &record)?;
            // Whoever has one sent again, or drops the one that keeps the others back, does not want to wait.
            let goes_on = was_pending || text(&record, "state") == entry::PENDING;
            if goes_on && let Some(mut lane) = Lane::stored(tx, text(&record, "integration_id"))? {
                lane.retry_at = None;
                lane.put(tx)?;
            }
            Ok(Ok(record))
        };
        self.store.transact(work).await?
    }

    /// Gives back the lanes that this process has, so that the next one need not wait for them.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub(crate) async fn release(&self) -> Result<(), CoreError> {
        let Some(holder) = self.holder.clone() else { return Ok(()) };
        let query = Query { limit: MOST_SHOWN, unreadable: Unreadable::Skip, ..Query::default() };
        let lanes = self.store.list(&DELIVERY_LANES, query).await?.items;
        let mut ours: Vec<Lane> = lanes.into_iter().filter_map(Lane::of).collect();
        ours.retain_mut(|lane| lane.release(&holder));
        if ours.is_empty() {
            return Ok(());
        }
        let release = move |tx: &mut dyn Transaction| {
            for lane in &ours {
                if let Some(mut stored) = Lane::stored(tx, &lane.integration_id)?
                    && stored.release(&holder)
                {
                    stored.put(tx)?;
                }
            }
            Ok(())
        };
        Ok(self.store.transact(release).await?)
    }

    /// How the deliveries to each integration that wants events fare: how far behind it is, and what keeps it.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn status(&self) -> Result<Value, CoreError> {
        let sizes = feed::sizes(&self.store).await?;
        let mut items = Vec::new();
        for record in subscribed(&self.store).await? {
            let id = text(&record, INTEGRATIONS.id);
            let lane = self.store.get(&DELIVERY_LANES, id).await?.and_then(Lane::of).unwrap_or_default();
            let filters = vec![("state", entry::DEAD_LETTER.to_owned()), ("integration_id", id.to_owned())];
            let dead = Query { filters, limit: 1, ..Query::default() };
            items.push(json!({
                "integration_id": id,
                "provider": text(&record, "provider"),
                "status": text(&record, "status"),
                "circuit": lane.circuit(Timestamp::now()),
                "backlog": worker::backlog(&lane, &sizes),
                "dead_letters": self.store.list(&DELIVERIES, dead).await?.total,
                "failures_in_a_row": lane.failures,
                "next_attempt_at": lane.retry_at,
                "last_error": lane.last_error,
                "last_delivered_at": lane.last_delivered_at,
            }));
        }
        Ok(json!({
            "schema_version": "cavra.integration_delivery_status.v1",
            "product": "CAVRA",
            "total": items.len(),
            "items": items,
        }))
    }
}

impl App {
    /// Registers or replaces an integration. One that begins to want events is told what happens from now on.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn post_integration(&self, body: Object, caller: &Caller) -> Result<Object, CoreError> {
        // Whatever is noted after this moment is told.
        let sizes = feed::sizes(&self.store).await?;
        let check = |record: &Object| Subscription::of(record).map(drop);
        let begin = move |tx: &mut dyn Transaction, stored: Option<&Object>, record: &Object| {
            let id = text(record, INTEGRATIONS.id);
            if !is_told(record) || stored.is_some_and(is_told) {
                return Ok(());
            }
            let mut lane = Lane::stored(tx, id)?.unwrap_or_else(|| Lane::beginning(id, &sizes));
            lane.restart(&sizes);
            lane.put(tx)
        };
        self.registry.post_with(&INTEGRATIONS, body, caller, check, begin).await
    }
}

/// Whether what happens is told to an integration, now or when it goes on.
fn is_told(record: &Object) -> bool {
    let follows = ["active", "paused"].contains(&text(record, "status"));
    follows && Subscription::of(record).is_ok_and(|subscription| subscription.is_some())
}
