//! The worker: tells every integration what it wants to be told, one event after the other, until it has arrived.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use cavra_connect::{Attempted, Connectors, Verdict};
use cavra_model::members::text;
use cavra_model::{DELIVERIES, DELIVERY_LANES, INTEGRATIONS, Object, Timestamp, fill_random};
use cavra_store::{Query, Transaction};
use serde_json::Value;
use tokio::task::{AbortHandle, JoinSet};

use super::entry::{DEAD_LETTER, DELIVERED, is_news, record, settle};
use super::feed::{Step, sizes, steps};
use super::lane::Lane;
use super::subscription::Subscription;
use crate::evidence_log::note;
use crate::{App, CoreError, Live, LogEvent};

/// How often a lane looks whether something has happened.
const POLL: Duration = Duration::from_millis(500);

/// How often it is looked which integrations there are.
const SURVEY: Duration = Duration::from_secs(1);

/// Rest of a lane after an error of the store.
const REST: Duration = Duration::from_secs(5);

/// Longest pause after which a lane looks whether somebody wants it to go on.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// Most integrations that are told.
const MOST_LANES: usize = 500;

/// Most deliveries, bytes of them that wait, and time, before what came of them is written down.
const BATCH: usize = 32;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
const BATCH_TIME: Duration = Duration::from_secs(4);

/// Time for one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Longest that a connector is loaded and asked beside that. All of a batch fits into the lease of its lane.
const ASKING: Duration = Duration::from_secs(4);

/// Fewest attempts before an event that has become too old is given up.
const FEWEST_ATTEMPTS: u32 = 3;

/// What a lane does next.
enum Next {
    /// The integration is told nothing any more.
    End,
    /// Nothing, for so long.
    Sleep(Duration),
    /// It goes on.
    Go,
}

impl Live {
    /// Tells integrations what they want to be told, until the future is dropped.
    pub(crate) async fn deliver_subscribed(&self) {
        let Some(holder) = self.now().deliveries.holder.clone() else { return };
        let mut lanes = JoinSet::new();
        let mut running: HashMap<String, AbortHandle> = HashMap::new();
        let mut said = String::new();
        loop {
            while lanes.try_join_next().is_some() {}
            running.retain(|_, lane| !lane.is_finished());
            let app = self.now();
            match app.told().await {
                Ok(told) if app.outgoing.events.is_none() => {
                    let problem =
                        if told.is_empty() { "" } else { "integrations want events, but there is no connector config" };
                    report(&mut said, problem.to_owned());
                }
                Ok(told) => {
                    said.clear();
                    for id in told.into_iter().filter(|id| !running.contains_key(id)).collect::<Vec<_>>() {
                        running.insert(id.clone(), lanes.spawn(run(self.clone(), id, holder.clone())));
                    }
                }
                Err(error) => report(&mut said, format!("integrations cannot be listed: {error}")),
            }
            tokio::time::sleep(SURVEY).await;
        }
    }
}

impl App {
    /// The active integrations that want to be told something.
    async fn told(&self) -> Result<Vec<String>, CoreError> {
        let mut told = super::subscribed(&self.store).await?;
        told.retain(|record| text(record, "status") == "active");
        if told.len() > MOST_LANES {
            return Err(CoreError::Conflict(format!("more than {MOST_LANES} of them want events")));
        }
        Ok(told.iter().map(|record| text(record, INTEGRATIONS.id).to_owned()).collect())
    }
}

/// Says a problem once.
fn report(said: &mut String, problem: String) {
    if *said != problem && !problem.is_empty() {
        tracing::error!(problem, "events are not delivered");
    }
    *said = problem;
}

/// Tells one integration until it is told nothing any more. A batch that has begun ends as it began.
async fn run(live: Live, integration: String, holder: String) {
    let mut said = String::new();
    loop {
        let worker = Worker { app: live.now(), integration: integration.clone(), holder: holder.clone() };
        let rest = match worker.turn().await {
            Ok(Next::End) => return,
            Ok(Next::Go) => continue,
            Ok(Next::Sleep(rest)) => {
                said.clear();
                rest
            }
            Err(error) => {
                report(&mut said, format!("{integration}: {error}"));
                REST
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// Tells one integration.
struct Worker {
    app: App,
    integration: String,
    holder: String,
}

/// What came of a batch.
struct Batch {
    lane: Lane,
    records: Vec<(LogEvent, Object)>,
    began: Instant,
}

impl Worker {
    async fn turn(&self) -> Result<Next, CoreError> {
        let store = &self.app.store;
        let Some(record) = store.get(&INTEGRATIONS, &self.integration).await? else { return Ok(Next::End) };
        let Ok(connectors) = self.app.connectors() else { return Ok(Next::End) };
        let Some(subscription) = Subscription::of(&record)?.filter(|_| text(&record, "status") == "active") else {
            return Ok(Next::End);
        };
        let sizes = sizes(store).await?;
        let stored = store.get(&DELIVERY_LANES, &self.integration).await?.and_then(Lane::of);
        let Some(lane) = stored.filter(|lane| lane.clone().fit(&sizes).is_empty()) else {
            self.fit(sizes).await?;
            return Ok(Next::Go);
        };
        self.measure(&lane, &sizes);
        if let Some(pause) = lane.pause(Timestamp::now()) {
            return Ok(Next::Sleep(pause.min(LONGEST_SLEEP)));
        }
        let waiting = self.waiting().await?;
        let steps = if waiting.is_empty() {
            steps(store, (&lane.cursors, &sizes), &subscription, BATCH).await?
        } else {
            Vec::new()
        };
        if waiting.is_empty() && steps.is_empty() {
            return Ok(Next::Sleep(POLL));
        }
        let Some(lane) = self.take(lane).await? else { return Ok(Next::Sleep(LONGEST_SLEEP)) };
        let mut batch = Batch { lane, records: Vec::new(), began: Instant::now() };
        self.send_again(connectors, &subscription, waiting, &mut batch).await;
        self.send(connectors, &subscription, steps, &mut batch).await;
        self.write(batch).await?;
        Ok(Next::Go)
    }

    /// Writes down where a lane begins that there is none of, or that does not go with the logs: what only were in memory
    /// would begin anew each time.
    async fn fit(&self, sizes: BTreeMap<String, u64>) -> Result<(), CoreError> {
        let integration = self.integration.clone();
        let fit = move |tx: &mut dyn Transaction| {
            let (mut lane, off) = match Lane::stored(tx, &integration)? {
                Some(mut lane) => {
                    let off = lane.fit(&sizes);
                    (lane, off)
                }
                None => (Lane::beginning(&integration, &sizes), sizes.keys().cloned().collect()),
            };
            lane.retry_at = None;
            lane.put(tx)?;
            Ok(off)
        };
        let off: Vec<String> = self.app.store.transact(fit).await?;
        tracing::warn!(
            integration = self.integration,
            logs = off.join(", "),
            "events of these logs are told from now on; some may have been missed"
        );
        Ok(())
    }

    /// Dead letters that are to be sent again, the oldest first.
    async fn waiting(&self) -> Result<Vec<Object>, CoreError> {
        let filters = vec![("pending_for", self.integration.clone())];
        let query = Query { filters, limit: BATCH as u64, bytes: Some(BATCH_BYTES), ..Query::default() };
        Ok(self.app.store.list(&DELIVERIES, query).await?.items)
    }

    /// The lane, if this process has it for a while.
    async fn take(&self, seen: Lane) -> Result<Option<Lane>, CoreError> {
        let holder = self.holder.clone();
        let take = move |tx: &mut dyn Transaction| {
            let mut lane = Lane::stored(tx, &seen.integration_id)?.unwrap_or_else(|| seen.clone());
            // Somebody else has gone on with it since.
            let is_stale = lane.cursors != seen.cursors || lane.generation != seen.generation;
            if is_stale || !lane.take(&holder, Timestamp::now()) {
                return Ok(None);
            }
            lane.put(tx)?;
            Ok(Some(lane))
        };
        Ok(self.app.store.transact(take).await?)
    }

    async fn send_again(
        &self,
        connectors: &Connectors,
        subscription: &Subscription,
        waiting: Vec<Object>,
        batch: &mut Batch,
    ) {
        for record in waiting {
            let event = record.get("event").and_then(Value::as_object).cloned().unwrap_or_default();
            let since = text(&record, "retried_at").parse().unwrap_or_else(|()| Timestamp::now());
            if !self.attempt(connectors, subscription, record, &event, since, batch).await {
                return;
            }
        }
    }

    async fn send(&self, connectors: &Connectors, subscription: &Subscription, steps: Vec<Step>, batch: &mut Batch) {
        for step in steps {
            if let Some(wanted) = &step.wanted {
                let since = wanted.leaf.time.parse().unwrap_or_else(|()| Timestamp::now());
                let record = record(subscription, &step, wanted);
                let arrived = self.attempt(connectors, subscription, record, &wanted.event, since, batch).await;
                if !arrived {
                    return;
                }
            }
            batch.lane.pass(step.log, step.index);
        }
    }

    /// Sends an event, which happened at `since`; answers whether the next one has its turn.
    async fn attempt(
        &self,
        connectors: &Connectors,
        subscription: &Subscription,
        mut record: Object,
        event: &Object,
        since: Timestamp,
        batch: &mut Batch,
    ) -> bool {
        if batch.records.len() >= BATCH || batch.began.elapsed() >= BATCH_TIME {
            return false;
        }
        let id = text(&record, DELIVERIES.id).to_owned();
        let attempt = connectors.attempt(subscription.provider, event, &id, ATTEMPT);
        let Attempted { shown, verdict } = match tokio::time::timeout(ATTEMPT + ASKING, attempt).await {
            Ok(Ok(attempted)) => attempted,
            // The connector cannot be used as it is configured, which somebody will mend.
            Ok(Err(error)) => Attempted::unsent(subscription.provider, &error.to_string()),
            Err(_) => Attempted::unsent(subscription.provider, "connector delivery timed out"),
        };
        let now = Timestamp::now();
        let lane = &mut batch.lane;
        let attempts = lane.attempts + 1;
        let age = u64::try_from(now.as_micros() - since.as_micros()).map_or(Duration::ZERO, Duration::from_micros);
        let state = match verdict {
            Verdict::Accepted => DELIVERED,
            Verdict::Refused => DEAD_LETTER,
            Verdict::Later(_) if attempts >= FEWEST_ATTEMPTS && age >= self.app.settings.delivery_max_age => {
                DEAD_LETTER
            }
            Verdict::Later(wish) => {
                count(subscription, "failed");
                lane.failed(text(&shown, "error"), wish, spread(), now);
                return false;
            }
        };
        count(subscription, state);
        settle(&mut record, state, &shown, attempts, now);
        let event = if state == DELIVERED {
            lane.delivered(now);
            LogEvent::DeliverySucceeded
        } else {
            lane.gave_up();
            tracing::warn!(integration = self.integration, delivery = id, "an event became a dead letter");
            LogEvent::DeliveryGivenUp
        };
        batch.records.push((event, record));
        true
    }

    /// Writes down what came of a batch. Where the lane is another's by now, its state is not touched; what arrived has
    /// arrived all the same.
    async fn write(&self, batch: Batch) -> Result<(), CoreError> {
        let Batch { lane, records, .. } = batch;
        let write = move |tx: &mut dyn Transaction| {
            for (event, record) in &records {
                let stored = tx.get(&DELIVERIES, text(record, DELIVERIES.id))?;
                if !is_news(stored.as_ref(), record) {
                    continue;
                }
                tx.put(&DELIVERIES, record.clone())?;
                note(tx, *event, &DELIVERIES, record)?;
            }
            match Lane::stored(tx, &lane.integration_id)? {
                Some(stored) if !stored.is_same(&lane) => Ok(()),
                _ => lane.put(tx),
            }
        };
        Ok(self.app.store.transact(write).await?)
    }

    /// How the lane fares, for whoever watches the server.
    fn measure(&self, lane: &Lane, sizes: &BTreeMap<String, u64>) {
        let behind = backlog(lane, sizes);
        let name = self.integration.clone();
        metrics::gauge!("cavra_integration_backlog_leaves", "integration" => name.clone()).set(precise(behind));
        let open = if lane.circuit(Timestamp::now()) == "closed" { 0.0 } else { 1.0 };
        metrics::gauge!("cavra_integration_circuit_open", "integration" => name).set(open);
    }
}

/// Leaves that a lane has not looked at.
pub(super) fn backlog(lane: &Lane, sizes: &BTreeMap<String, u64>) -> u64 {
    let of = |(log, size): (&String, &u64)| size.saturating_sub(lane.cursors.get(log).copied().unwrap_or(*size));
    sizes.iter().map(of).sum()
}

/// A number as a gauge shows it.
fn precise(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn count(subscription: &Subscription, outcome: &'static str) {
    let provider = subscription.provider.as_str();
    metrics::counter!("cavra_integration_deliveries_total", "provider" => provider, "outcome" => outcome).increment(1);
}

/// A number between 0 and 1 that is another one each time.
fn spread() -> f64 {
    let mut byte = [0_u8; 1];
    // Without randomness all of them wait as long as they may.
    if fill_random(&mut byte).is_err() {
        return 1.0;
    }
    f64::from(byte[0]) / 255.0
}
