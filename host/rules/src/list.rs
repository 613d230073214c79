//! A list of patterns with their effects, strictest first.

use crate::action::Spelling;
use crate::computed;
use crate::finding::Outcome;
use crate::index::Index;
use crate::matcher;

/// The patterns of one kind of value: paths read, paths written, or commands.
#[derive(Debug, Default)]
pub(crate) struct RuleList {
    /// All patterns, one after the other.
    text: String,
    /// Where each pattern ends in `text`.
    ends: Vec<u32>,
    /// Patterns before this position block.
    block_end: u32,
    /// Patterns from there to before this position need approval; the rest allows.
    approval_end: u32,
    index: Index,
    /// The stricter patterns by their text, for values that cannot be looked up by what they contain.
    stricter: Vec<u32>,
}

/// Which patterns count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All.
    All,
    /// Only those that block or need approval.
    Strict,
}

impl RuleList {
    pub(crate) fn new(block: &[&str], require_approval: &[&str], allow: &[&str]) -> Self {
        let patterns = [block, require_approval, allow].concat();
        let mut text = String::with_capacity(patterns.iter().map(|pattern| pattern.len()).sum());
        let mut ends = Vec::with_capacity(patterns.len());
        for pattern in &patterns {
            text.push_str(pattern);
            ends.push(position(text.len()));
        }
        let approval_end = position(block.len() + require_approval.len());
        let mut stricter: Vec<u32> = (0..approval_end).collect();
        stricter.sort_by_key(|position| patterns.get(*position as usize));
        Self { text, ends, block_end: position(block.len()), approval_end, index: Index::new(&patterns), stricter }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The pattern at a position.
    pub(crate) fn pattern(&self, position: u32) -> &str {
        let position = position as usize;
        let start = position.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(position).copied().unwrap_or_default();
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What the pattern at a position demands. A smaller position is at least as strict.
    pub(crate) fn outcome(&self, position: u32) -> Outcome {
        if position < self.block_end {
            Outcome::Block
        } else if position < self.approval_end {
            Outcome::RequireApproval
        } else {
            Outcome::Allow
        }
    }

    /// The positions of all patterns, strictest first.
    pub(crate) fn positions(&self) -> impl Iterator<Item = u32> {
        0..position(self.ends.len())
    }

    /// The position of the strictest pattern that computed stretches of the value may make match, blocking or wanting
    /// approval.
    pub(crate) fn strictest_possible(&self, value: Spelling<'_>) -> Option<u32> {
        let Spelling { text, computed } = value;
        // Where the program itself is computed, the command line is not resolved.
        if computed.first().is_none_or(|offset| *offset == 0) {
            return None;
        }
        // A pattern that begins otherwise than the program's name is never one of them.
        let first = |position: &u32| self.pattern(*position).bytes().next();
        let begin = self.stricter.partition_point(|position| first(position) < text.bytes().next());
        let same = self.stricter.get(begin..).unwrap_or_default();
        let same = same.iter().copied().take_while(|position| first(position) == text.bytes().next());
        same.filter(|position| computed::may_match(self.pattern(*position), text, computed)).min()
    }

    /// The position of the strictest pattern that matches the value, of the first one in the document where several are
    /// equally strict.
    pub(crate) fn strictest(&self, value: &str, reach: Reach) -> Option<u32> {
        self.strictest_of(value, reach, |_| true)
    }

    /// The same among the patterns that are wanted.
    pub(crate) fn strictest_of(&self, value: &str, reach: Reach, wanted: impl Fn(&str) -> bool) -> Option<u32> {
        self.index
            .candidates(value)
            .into_iter()
            .take_while(|position| reach == Reach::All || *position < self.approval_end)
            .find(|position| {
                let pattern = self.pattern(*position);
                wanted(pattern) && matcher::matches(pattern, value)
            })
    }
}

/// A count as it is kept in memory. Documents are limited to far less than 4 GiB; a larger one would saturate, and a
/// pattern that cannot be addressed reads as empty.
fn position(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
