//! Warnings, of each sort only so many.

use std::collections::BTreeMap;

/// How many warnings of a sort are written out.
const SHOWN: usize = 20;

/// Warnings in the order they came up.
#[derive(Debug, Default)]
pub struct Warnings {
    texts: Vec<String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Warnings {
    /// Adds one of a sort; after the first [`SHOWN`] of it, it is only counted.
    pub fn add(&mut self, sort: &'static str, text: String) {
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.texts.push(text);
        }
    }

    /// The texts, with a line for each sort of which there were more.
    pub fn into_texts(self) -> Vec<String> {
        let mut texts = self.texts;
        let more = self.counts.into_iter().filter(|(_, count)| *count > SHOWN);
        texts.extend(more.map(|(sort, count)| format!("{} more warnings like this: {sort}", count - SHOWN)));
        texts
    }
}
