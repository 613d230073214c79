//! Finding the leaf of a record.

use std::ops::Range;

use cavra_model::DECISIONS;

use super::{Leaf, Log, LogError};

/// Leaves looked through at once for the one of a record.
const WINDOW: u64 = 512;

impl Log {
    /// The newest leaf about a record, with its index.
    ///
    /// There is no index by id, because that would cost every decision something. Leaves are in the order of their
    /// times, up to the moments that writers wait for each other, so the place is guessed from the record's time and
    /// looked for around there, further and further out.
    pub(super) async fn find(&self, id: &str) -> Result<Option<(u64, String)>, LogError> {
        let size = self.store.log_size(self.kind).await?;
        let once = *self.kind == DECISIONS;
        let record = if once { self.store.get(self.kind, id).await? } else { None };
        let time = record.as_ref().and_then(|record| record.get(self.kind.order.by)?.as_str());
        let (mut start, mut end) = match time {
            Some(time) => {
                let place = self.place_of(time, size).await?;
                (place.saturating_sub(WINDOW), size.min(place + WINDOW))
            }
            None => (size.saturating_sub(WINDOW), size),
        };
        let mut looked = end..end;
        loop {
            // What is new on both sides, the newer first.
            for range in [looked.end..end, start..looked.start] {
                if let Some(found) = self.last_in(range, id).await? {
                    return Ok(Some(found));
                }
            }
            if start == 0 && end == size {
                return Ok(None);
            }
            looked = start..end;
            let step = (end - start).clamp(WINDOW, 64 * WINDOW);
            (start, end) = (start.saturating_sub(step), size.min(end + step));
        }
    }

    async fn last_in(&self, range: Range<u64>, id: &str) -> Result<Option<(u64, String)>, LogError> {
        if range.is_empty() {
            return Ok(None);
        }
        let start = range.start;
        let leaves = self.store.leaves(self.kind, range).await?;
        let is_it = |leaf: &String| leaf.contains(id) && Leaf::parse(leaf).is_some_and(|leaf| leaf.id == id);
        let at = leaves.iter().rposition(is_it);
        Ok(at.and_then(|at| Some((start + at as u64, leaves.get(at)?.clone()))))
    }

    /// Index of the first leaf that is not older than `time`.
    async fn place_of(&self, time: &str, size: u64) -> Result<u64, LogError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let leaf = self.store.leaves(self.kind, middle..middle + 1).await?;
            let older = leaf.first().and_then(|leaf| Leaf::parse(leaf)).is_some_and(|leaf| leaf.time.as_str() < time);
            if older { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}
