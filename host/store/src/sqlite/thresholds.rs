//! From how many rows on something is worth its cost. A value, not constants: tests hand in tiny ones, and what nobody
//! hands anything in is what production runs.

/// How many rows are many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    /// Rows of one of the smallest segments.
    pub segment: usize,
    /// Segments of one size that become one.
    pub fanout: usize,
    /// Most sets that are moved when segments are united: moving them takes the writer some ten milliseconds.
    pub most_sets: usize,
    /// Rows between two looks at whether there is enough for a segment.
    pub look: i64,
    /// Most rows that are looked up one by one for a page.
    pub most_rows: u64,
    /// Most rows that are looked up although fewer may do.
    pub few_rows: u64,
    /// Most of the newest rows that are gathered for a page.
    pub most_newest: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            segment: 1024,
            fanout: 16,
            most_sets: 20_000,
            look: 64,
            most_rows: 10_000,
            few_rows: 256,
            most_newest: 2_048,
        }
    }
}

impl Thresholds {
    /// Whether the writer of this row should see whether there is enough for a segment.
    pub(super) const fn is_due(&self, row: i64) -> bool {
        row.rem_euclid(self.look) == 0
    }

    /// Most changed rows that are brought back into their segments at once.
    pub(super) const fn at_once(&self) -> usize {
        4 * self.segment
    }
}
