//! The feed of events: what the evidence logs have noted since a lane was told last.
//!
//! Every change leaves its leaf in the commit that makes it, whoever makes it: this server, another one, a command. So the
//! logs are the outbox; nothing is written beside them for deliveries that are still to be made, and nothing that was
//! committed can be missed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use cavra_model::{Kind, Object};
use cavra_store::{RecordStore, StoreError};

use super::event::{document, type_of};
use super::subscription::Subscription;
use crate::{CoreError, LOGS, Leaf, MAX_LIMIT};

/// Most leaves of one log that are looked at in one turn.
const MOST: u64 = 256;

/// A leaf that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub log: &'static str,
    pub index: u64,
    /// The leaf as it was written.
    pub text: String,
    /// The event, if it is wanted.
    pub wanted: Option<Wanted>,
}

/// An event that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub event_type: String,
    pub leaf: Leaf,
    pub event: Object,
}

/// The sizes of all logs.
pub(super) async fn sizes(store: &RecordStore) -> Result<BTreeMap<String, u64>, CoreError> {
    let mut sizes = BTreeMap::new();
    for (log, kind) in &LOGS {
        sizes.insert((*log).to_owned(), store.log_size(kind).await?);
    }
    Ok(sizes)
}

/// What was noted since, in the order in which it happened: in each log as it stands there, among logs by the clock. It ends
/// with as many events that may be wanted as are sent at once.
pub(super) async fn steps(
    store: &RecordStore,
    (cursors, sizes): (&BTreeMap<String, u64>, &BTreeMap<String, u64>),
    subscription: &Subscription,
    most: usize,
) -> Result<Vec<Step>, CoreError> {
    let mut queues = Vec::new();
    for (log, kind) in &LOGS {
        let size = sizes.get(*log).copied().unwrap_or(0);
        let from = cursors.get(*log).copied().unwrap_or(size).min(size);
        let leaves = if from < size { store.leaves(kind, from..size.min(from + MOST)).await? } else { Vec::new() };
        let read = from + leaves.len() as u64;
        let leaves = (from..).zip(leaves).map(|(index, text)| Noted { log, index, leaf: Leaf::parse(&text), text });
        queues.push((leaves.collect::<VecDeque<Noted>>(), read < size));
    }
    let noted = first(merged(queues), subscription, most);
    let records = records(store, &noted, subscription).await?;
    Ok(noted.into_iter().map(|noted| noted.step(&records, subscription)).collect())
}

/// A leaf with its place.
struct Noted {
    log: &'static str,
    index: u64,
    /// None that this release understands is passed over.
    leaf: Option<Leaf>,
    text: String,
}

impl Noted {
    fn time(&self) -> &str {
        self.leaf.as_ref().map_or("", |leaf| leaf.time.as_str())
    }

    fn step(self, records: &Records, subscription: &Subscription) -> Step {
        let wanted = self.leaf.and_then(|leaf| {
            let record = leaf.event.kind().and_then(|kind| records.get(&(kind.table, leaf.id.clone())));
            let event_type = type_of(leaf.event, record)?;
            subscription.wants(&event_type, record).then(|| {
                let event = document(self.log, self.index, &leaf, &event_type, record);
                Wanted { event_type, leaf, event }
            })
        });
        Step { log: self.log, index: self.index, text: self.text, wanted }
    }
}

/// The leaves of all logs as one sequence. It ends where a log has more than was read of it.
fn merged(mut queues: Vec<(VecDeque<Noted>, bool)>) -> Vec<Noted> {
    let mut merged = Vec::new();
    loop {
        if queues.iter().any(|(queue, more)| queue.is_empty() && *more) {
            return merged;
        }
        let heads = queues.iter().enumerate().filter_map(|(at, (queue, _))| Some((queue.front()?.time(), at)));
        let Some(next) = heads.min().map(|(_, at)| at) else { return merged };
        merged.extend(queues.get_mut(next).and_then(|(queue, _)| queue.pop_front()));
    }
}

/// The leaves up to the last of so many that may be wanted.
fn first(noted: Vec<Noted>, subscription: &Subscription, most: usize) -> Vec<Noted> {
    let mut left = most;
    let mut fits = |noted: &Noted| {
        let may = noted.leaf.as_ref().is_some_and(|leaf| subscription.may_want(leaf.event));
        let goes = !may || left > 0;
        left = left.saturating_sub(usize::from(may));
        goes
    };
    noted.into_iter().take_while(|noted| fits(noted)).collect()
}

/// Records by the table of their kind and their id.
type Records = HashMap<(&'static str, String), Object>;

/// The records that events may be about which may be wanted. One that cannot be read is not there.
async fn records(store: &RecordStore, noted: &[Noted], subscription: &Subscription) -> Result<Records, CoreError> {
    let mut ids: HashMap<&'static str, (&'static Kind, Vec<String>)> = HashMap::new();
    for leaf in noted.iter().filter_map(|noted| noted.leaf.as_ref()).filter(|leaf| subscription.may_want(leaf.event)) {
        if let Some(kind) = leaf.event.kind() {
            ids.entry(kind.table).or_insert_with(|| (kind, Vec::new())).1.push(leaf.id.clone());
        }
    }
    let mut records = Records::new();
    for (table, (kind, mut ids)) in ids {
        ids.sort_unstable();
        ids.dedup();
        for some in ids.chunks(usize::try_from(MAX_LIMIT).unwrap_or(500)) {
            for record in readable(store, kind, some).await? {
                let id = cavra_model::members::text(&record, kind.id).to_owned();
                records.insert((table, id), record);
            }
        }
    }
    Ok(records)
}

async fn readable(store: &RecordStore, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, CoreError> {
    match store.get_many(kind, ids.to_vec()).await {
        Err(StoreError::Broken { .. }) => {}
        found => return Ok(found?),
    }
    let mut found = Vec::new();
    for id in ids {
        match store.get(kind, id).await {
            Err(StoreError::Broken { .. }) => {}
            one => found.extend(one?),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(log: &'static str, times: &[&str]) -> VecDeque<Noted> {
        let leaf =
            |time: &str| Leaf { time: time.to_owned(), ..Leaf::new(crate::LogEvent::Decision, "d", &Object::new()) };
        let one = |(index, time): (u64, &&str)| Noted { log, index, leaf: Some(leaf(time)), text: String::new() };
        (0..).zip(times).map(one).collect()
    }

    #[test]
    fn logs_are_told_by_the_clock_and_each_in_its_order() {
        let order = |queues| -> Vec<(&str, u64)> { merged(queues).iter().map(|one| (one.log, one.index)).collect() };
        // The clock of `a` went back once.
        let queues = vec![(noted("a", &["1", "4", "2"]), false), (noted("b", &["3", "5"]), false)];
        assert_eq!(order(queues), [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1)]);
        // Of `a` there is more, which may have happened before the rest of `b`.
        let queues = vec![(noted("a", &["1"]), true), (noted("b", &["0", "5"]), false)];
        assert_eq!(order(queues), [("b", 0), ("a", 0)]);
        assert!(order(vec![(noted("a", &[]), false)]).is_empty());
    }
}
