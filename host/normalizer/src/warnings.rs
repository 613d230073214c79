//! Warnings, of each sort only so many.

use std::collections::BTreeMap;

use crate::Problem;

/// How many warnings of a sort are written out.
const SHOWN: usize = 20;

/// Longest sentence, in characters.
const SENTENCE: usize = 2000;

/// Warnings in the order they came up.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    shown: Vec<Problem>,
    counts: BTreeMap<&'static str, usize>,
}

/// How many warnings there were at some moment.
#[derive(Clone, Debug)]
pub struct Mark(usize, BTreeMap<&'static str, usize>);

impl Warnings {
    /// Adds one of a sort; after the first [`SHOWN`] of it, it is only counted.
    pub fn add(&mut self, sort: &'static str, text: impl FnOnce() -> String) {
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        if *count <= SHOWN {
            let message = text().chars().take(SENTENCE).collect();
            self.shown.push(Problem { sort, message });
        }
    }

    /// This moment, to come back to.
    pub fn mark(&self) -> Mark {
        Mark(self.shown.len(), self.counts.clone())
    }

    /// Forgets what was added since the mark.
    pub fn back_to(&mut self, mark: Mark) {
        self.shown.truncate(mark.0);
        self.counts = mark.1;
    }

    /// Puts others behind these. They are of other sorts.
    pub fn append(&mut self, others: Self) {
        self.shown.extend(others.shown);
        self.counts.extend(others.counts);
    }

    /// All of them, with a line for each sort of which there were more.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.shown;
        let more = self.counts.into_iter().filter(|(_, count)| *count > SHOWN);
        problems.extend(more.map(|(sort, count)| {
            let message = format!("{} more warnings like this: {sort}", count - SHOWN);
            Problem { sort, message }
        }));
        problems
    }
}
