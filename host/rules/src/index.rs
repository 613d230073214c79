//! Finds the few patterns of a long list that can match a value at all.
//!
//! Every pattern that has a literal is filed under one *gram* of it: up to four neighbouring bytes, the ones that
//! fewest other patterns have. A value can only match if it contains that gram, so one pass over the value that looks
//! up each of its grams finds every candidate.
//!
//! A decision runs in a fresh copy-on-write sandbox, where a page of memory touched for the first time costs more than
//! a hundred comparisons. Hence flat vectors, and a hash table instead of an automaton over all literals: it is half as
//! large, and most grams of a value end at one word of it.

use std::collections::BTreeMap;

use crate::matcher::{Token, Tokens};

/// Longest gram, bytes.
const LONGEST: usize = 4;

/// A gram: its bytes as a number, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    bytes: u32,
    length: u32,
}

impl Gram {
    fn new(bytes: &[u8]) -> Self {
        let number = bytes.iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
        Self { bytes: number, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    fn first_byte(self) -> usize {
        let before_the_last = self.length.saturating_sub(1) * u8::BITS;
        (self.bytes >> before_the_last) as usize
    }

    /// A well-mixed number; the upper bits are the best ones.
    fn hash(self) -> u32 {
        (self.bytes ^ self.length.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0x9E37_79B1)
    }
}

/// All patterns filed under one gram.
#[derive(Clone, Copy, Debug)]
struct Drawer {
    gram: Gram,
    /// Where they are in [`Index::filed`].
    first: u32,
    count: u32,
}

/// The index of one list.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where each slot's drawers start; one more than there are slots.
    slots: Vec<u32>,
    /// By slot.
    drawers: Vec<Drawer>,
    /// List positions of patterns, by drawer. Each pattern is in one drawer only.
    filed: Vec<u32>,
    /// How far a hash is shifted to become a slot.
    shift: u32,
    /// By the first byte of a gram, the lengths that occur: bit `n` for grams of `n` bytes. Few grams are shorter than
    /// the longest ones, so that most places of a value are looked at once, not once for each length.
    lengths: Vec<u8>,
    /// Patterns without any literal.
    always: Vec<u32>,
}

impl Index {
    /// Files every pattern.
    pub(crate) fn new(patterns: &[&str]) -> Self {
        let frequency = frequencies(patterns);
        let mut index = Self::default();
        let mut entries = Vec::with_capacity(patterns.len());
        for (position, pattern) in (0_u32..).zip(patterns) {
            let rarest = grams(pattern).min_by_key(|gram| {
                let shared = frequency.get(gram).copied().unwrap_or_default();
                (std::cmp::Reverse(gram.length), shared)
            });
            match rarest {
                Some(gram) => entries.push((gram, position)),
                None => index.always.push(position),
            }
        }
        index.file(entries);
        index
    }

    /// Sorts the entries into slots, about twice as many as there are entries.
    fn file(&mut self, mut entries: Vec<(Gram, u32)>) {
        let slots = (entries.len() * 2).next_power_of_two();
        self.shift = u32::BITS - slots.trailing_zeros();
        entries.sort_unstable_by_key(|(gram, position)| (slot(*gram, self.shift), *gram, *position));
        // Counted one slot late, so that the sums become the slots' starts.
        self.slots = vec![0; slots + 1];
        self.lengths = vec![0; 1 << u8::BITS];
        for (first, run) in starts(&entries) {
            let Some((gram, _)) = run.first() else { continue };
            if let Some(lengths) = self.lengths.get_mut(gram.first_byte()) {
                *lengths |= 1 << gram.length;
            }
            self.drawers.push(Drawer { gram: *gram, first, count: length(run) });
            self.filed.extend(run.iter().map(|(_, position)| *position));
            if let Some(count) = self.slots.get_mut(slot(*gram, self.shift) + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for count in &mut self.slots {
            total += *count;
            *count = total;
        }
    }

    /// The list positions of every pattern that can match the value, in list order.
    pub(crate) fn candidates(&self, value: &str) -> Vec<u32> {
        let mut candidates = self.always.clone();
        // A gram that occurs a thousand times in the value opens its drawer once.
        let mut seen = vec![0_u64; self.drawers.len().div_ceil(64)];
        let mut open = Vec::new();
        let bytes = value.as_bytes();
        for (at, first) in bytes.iter().enumerate() {
            let mut lengths = self.lengths.get(usize::from(*first)).copied().unwrap_or_default();
            while lengths != 0 {
                let length = lengths.trailing_zeros() as usize;
                lengths &= lengths - 1;
                let gram = bytes.get(at..at + length).map(Gram::new);
                let Some(drawer) = gram.and_then(|gram| self.drawer(gram)) else { continue };
                let Some(seen) = seen.get_mut(drawer / 64) else { continue };
                if *seen & (1 << (drawer % 64)) == 0 {
                    *seen |= 1 << (drawer % 64);
                    open.push(drawer);
                }
            }
        }
        for drawer in open.into_iter().filter_map(|drawer| self.drawers.get(drawer)) {
            let first = drawer.first as usize;
            let filed = self.filed.get(first..first + drawer.count as usize).unwrap_or_default();
            candidates.extend_from_slice(filed);
        }
        candidates.sort_unstable();
        candidates
    }

    /// The drawer of a gram.
    fn drawer(&self, gram: Gram) -> Option<usize> {
        let slot = slot(gram, self.shift);
        let start = *self.slots.get(slot)? as usize;
        let end = *self.slots.get(slot + 1)? as usize;
        self.drawers.get(start..end)?.iter().position(|drawer| drawer.gram == gram).map(|offset| start + offset)
    }
}

/// The runs of entries with the same gram, each with its start.
fn starts(entries: &[(Gram, u32)]) -> impl Iterator<Item = (u32, &[(Gram, u32)])> {
    let mut next = 0;
    entries.chunk_by(|a, b| a.0 == b.0).map(move |run| {
        let first = next;
        next += length(run);
        (first, run)
    })
}

/// A count as it is kept in memory. There are never 2^32 patterns: they would not fit the sandbox's address space.
fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

fn slot(gram: Gram, shift: u32) -> usize {
    // One slot only would need a shift by the whole width.
    gram.hash().checked_shr(shift).unwrap_or_default() as usize
}

/// In how many patterns each gram occurs.
fn frequencies(patterns: &[&str]) -> BTreeMap<Gram, u32> {
    let mut frequency = BTreeMap::new();
    for pattern in patterns {
        for gram in grams(pattern) {
            *frequency.entry(gram).or_insert(0_u32) += 1;
        }
    }
    frequency
}

/// The grams of a pattern's literals: all of the longest length the literal has room for.
fn grams(pattern: &str) -> impl Iterator<Item = Gram> {
    Tokens::new(pattern)
        .filter_map(|token| match token {
            Token::Literal(literal) => Some(literal.as_bytes()),
            Token::Any | Token::Directories => None,
        })
        .flat_map(|literal| literal.windows(literal.len().min(LONGEST)).map(Gram::new))
}
