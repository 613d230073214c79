//! Leases: which of several processes does something, until it says that it is done or does not say so in time.

use std::time::Duration;

use cavra_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Who has something for itself, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub holder: String,
    pub until: Timestamp,
}

impl Lease {
    /// Takes or prolongs a lease for a while; `false` if another one has it.
    pub fn take(slot: &mut Option<Self>, holder: &str, now: Timestamp, time: Duration) -> bool {
        let free = slot.as_ref().is_none_or(|lease| lease.holder == holder || lease.until < now);
        if free {
            *slot = Some(Self { holder: holder.to_owned(), until: now.after(time) });
        }
        free
    }

    /// Gives a lease back; answers whether this one had it.
    pub fn release(slot: &mut Option<Self>, holder: &str) -> bool {
        slot.take_if(|lease| lease.holder == holder).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_runs_out() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let (mut slot, time) = (None, Duration::from_secs(20));
        for (holder, seconds, taken) in [("a", 0, true), ("a", 15, true), ("b", 34, false), ("b", 36, true)] {
            assert_eq!(Lease::take(&mut slot, holder, at(seconds), time), taken, "{holder} {seconds}");
        }
        assert!(!Lease::release(&mut slot, "a") && Lease::release(&mut slot, "b"));
        assert!(Lease::take(&mut slot, "a", at(36), time));
    }
}
