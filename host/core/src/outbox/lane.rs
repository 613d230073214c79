//! The state of deliveries to one integration: how far it has been told, and how it fares.
//!
//! Events are sent one after the other. One that does not get through keeps those after it back, with growing pauses;
//! after some failures in a row nothing but a trial now and then is sent (the circuit is open).

use std::collections::BTreeMap;
use std::time::Duration;

use cavra_model::{DELIVERY_LANES, Object, Timestamp};
use cavra_store::{StoreError, Transaction};
use serde::{Deserialize, Serialize};

use crate::lease::Lease;

/// Failures in a row after which only trials are sent.
const OPENS_AFTER: u32 = 5;

/// Longest pause between two attempts of our own, in seconds.
const LONGEST_PAUSE: u64 = 300;

/// Longest pause that a receiver can ask for.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// How long one process has a lane for itself without saying so again. It is longer than a batch and its last attempt take.
const LEASE: Duration = Duration::from_secs(20);

/// A lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lane {
    pub integration_id: String,
    /// Leaves of each log that need not be looked at again.
    pub cursors: BTreeMap<String, u64>,
    /// It counts how often the cursors were set anew.
    #[serde(default)]
    pub generation: u64,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// Attempts of the event that is next.
    #[serde(default)]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
}

impl Lane {
    /// One that begins after what the logs hold.
    pub fn beginning(integration: &str, sizes: &BTreeMap<String, u64>) -> Self {
        Self { integration_id: integration.to_owned(), cursors: sizes.clone(), ..Self::default() }
    }

    /// The lane in a record. One that cannot be read begins anew.
    pub fn of(record: Object) -> Option<Self> {
        serde_json::from_value(record.into()).ok()
    }

    /// The lane as it is in the store.
    pub fn stored(tx: &mut dyn Transaction, integration: &str) -> Result<Option<Self>, StoreError> {
        Ok(tx.replaced(&DELIVERY_LANES, integration)?.and_then(Self::of))
    }

    pub fn put(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        let wrong = |error: serde_json::Error| StoreError::Refused(error.to_string());
        let mut record = cavra_model::members::of(self).map_err(wrong)?;
        record.insert("updated_at".to_owned(), serde_json::json!(Timestamp::now()));
        tx.put(&DELIVERY_LANES, record)
    }

    /// It is told anew, from here on.
    pub fn restart(&mut self, sizes: &BTreeMap<String, u64>) {
        let generation = self.generation + 1;
        *self = Self { generation, ..Self::beginning(&self.integration_id, sizes) };
    }

    /// Sets cursors right that no log goes with: one of a log that is new here, or was put in place of a longer one. They
    /// begin with what is noted from now on. Answers the logs whose events may have been missed by that.
    pub fn fit(&mut self, sizes: &BTreeMap<String, u64>) -> Vec<String> {
        let is_off = |(log, size): &(&String, &u64)| self.cursors.get(*log).is_none_or(|cursor| cursor > *size);
        let off: Vec<String> = sizes.iter().filter(is_off).map(|(log, _)| log.clone()).collect();
        for log in &off {
            self.cursors.insert(log.clone(), sizes.get(log).copied().unwrap_or(0));
        }
        if !off.is_empty() {
            self.generation += 1;
        }
        off
    }

    /// Takes the lane for a while; `false` if another process has it.
    pub fn take(&mut self, holder: &str, now: Timestamp) -> bool {
        Lease::take(&mut self.lease, holder, now, LEASE)
    }

    /// Gives the lane back; answers whether this process had it.
    pub fn release(&mut self, holder: &str) -> bool {
        Lease::release(&mut self.lease, holder)
    }

    /// Whether what was found out meanwhile still belongs to this lane.
    pub fn is_same(&self, other: &Self) -> bool {
        let holder = |lane: &Self| lane.lease.as_ref().map(|lease| lease.holder.clone());
        self.generation == other.generation && holder(self) == holder(other)
    }

    /// A leaf need not be looked at again.
    pub fn pass(&mut self, log: &str, index: u64) {
        self.cursors.insert(log.to_owned(), index + 1);
    }

    /// An event has arrived.
    pub fn delivered(&mut self, now: Timestamp) {
        (self.failures, self.attempts, self.retry_at, self.last_error) = (0, 0, None, None);
        self.last_delivered_at = Some(now);
    }

    /// An event is given up; the next one has its turn.
    pub fn gave_up(&mut self) {
        (self.attempts, self.retry_at) = (0, None);
    }

    /// An attempt has failed in a way that may pass. `spread` is between 0 and 1.
    pub fn failed(&mut self, error: &str, wish: Option<Duration>, spread: f64, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = Some(error.to_owned());
        let whole = 2_u64.saturating_pow(self.failures.saturating_sub(1)).min(LONGEST_PAUSE);
        // Those who were refused at the same moment do not come back at the same moment.
        let pause = Duration::from_secs(whole).mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0);
        self.retry_at = Some(now.after(pause.max(wish.unwrap_or_default().min(LONGEST_WISH))));
    }

    /// How long nothing is sent.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        let left = self.retry_at?.as_micros() - now.as_micros();
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_micros)
    }

    /// `closed`, `open`, or `half_open` when a trial is due.
    pub fn circuit(&self, now: Timestamp) -> &'static str {
        match (self.failures >= OPENS_AFTER, self.pause(now)) {
            (false, _) => "closed",
            (true, Some(_)) => "open",
            (true, None) => "half_open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn pauses_grow_and_the_circuit_opens() {
        let mut lane = Lane::beginning("i", &BTreeMap::new());
        for (pause, circuit) in [(1, "closed"), (2, "closed"), (4, "closed"), (8, "closed"), (16, "open"), (32, "open")]
        {
            lane.failed("HTTP 503", None, 1.0, at(0));
            assert_eq!((lane.pause(at(0)), lane.circuit(at(0))), (Some(Duration::from_secs(pause)), circuit));
        }
        assert_eq!((lane.circuit(at(40)), lane.pause(at(40)), lane.attempts), ("half_open", None, 6));
        for _ in 0..40 {
            lane.failed("HTTP 503", None, 0.0, at(0));
        }
        assert_eq!(lane.pause(at(0)), Some(Duration::from_secs(150)));
        lane.failed("HTTP 429", Some(Duration::from_secs(1000)), 0.0, at(0));
        assert_eq!(lane.pause(at(0)), Some(Duration::from_secs(1000)));
        lane.failed("HTTP 429", Some(Duration::from_secs(1_000_000)), 0.0, at(0));
        assert_eq!(lane.pause(at(0)), Some(LONGEST_WISH));
        lane.delivered(at(5));
        assert_eq!((lane.circuit(at(5)), lane.failures, lane.last_error.is_none()), ("closed", 0, true));
    }

    #[test]
    fn one_process_has_a_lane() {
        let mut lane = Lane::beginning("i", &BTreeMap::new());
        assert!(lane.take("a", at(0)) && lane.take("a", at(15)) && !lane.take("b", at(34)) && lane.take("b", at(36)));
        assert!(!lane.release("a") && lane.release("b") && lane.take("a", at(36)));
        let before = lane.clone();
        assert!(lane.is_same(&before));
        lane.restart(&BTreeMap::from([("activity".to_owned(), 7)]));
        assert!(!lane.is_same(&before) && lane.cursors["activity"] == 7);
    }

    #[test]
    fn cursors_that_no_log_goes_with_begin_where_it_is() {
        let sizes =
            |activity, registry| BTreeMap::from([("activity".to_owned(), activity), ("registry".to_owned(), registry)]);
        let mut lane = Lane::beginning("i", &BTreeMap::from([("activity".to_owned(), 100)]));
        assert_eq!(lane.fit(&sizes(3, 7)), ["activity", "registry"]);
        assert_eq!((&lane.cursors, lane.generation), (&sizes(3, 7), 1));
        // What is noted from then on is told.
        assert!(lane.fit(&sizes(4, 8)).is_empty());
        assert_eq!((&lane.cursors, lane.generation), (&sizes(3, 7), 1));
    }

    #[test]
    fn a_lane_is_read_as_it_was_written() {
        let mut lane = Lane::beginning("i", &BTreeMap::from([("activity".to_owned(), 3)]));
        lane.take("a", at(0));
        lane.failed("HTTP 500", None, 0.5, at(1));
        let record = cavra_model::members::of(&lane).unwrap();
        assert_eq!(Lane::of(record), Some(lane));
        assert_eq!(Lane::of(Object::new()), None);
    }
}
