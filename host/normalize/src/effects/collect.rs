//! Collects effects, each once, with the part they count for.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use cavra_model::{
    Certainty, ChangeEffect, CommandPart, Doubt, Effects, EnvironmentEffect, FileEffect, FilePlace, FileUse,
    NetworkEffect, RunEffect,
};

use crate::Surroundings;

/// Most doubts that are kept of one part; more say nothing new.
const MOST_DOUBTS: usize = 8;

/// Collects what a command line does.
#[derive(Debug, Default)]
pub(super) struct Collector {
    effects: Effects,
    /// The part that effects count for now.
    pub part: usize,
    /// All effects count for this part, whatever their commands say.
    pub fixed: Option<usize>,
    seen: HashSet<u64>,
    /// Parts whose command was looked at.
    visited: Vec<bool>,
    /// Bytes that effects may still take.
    left: usize,
}

impl Collector {
    /// For a text of that length.
    pub fn of(length: usize) -> Self {
        Self { left: length.saturating_mul(16).saturating_add(128 * 1024), ..Self::default() }
    }

    /// True if this was not there before and there is room for it.
    fn is_new(&mut self, key: impl Hash, bytes: usize) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.part, key).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return false;
        }
        match self.left.checked_sub(bytes + 64) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.certainty(Certainty::Unknown);
                false
            }
        }
    }

    /// Effects count for this part from now on.
    pub fn enter(&mut self, part: usize) -> usize {
        let part = self.fixed.unwrap_or(part);
        if self.visited.len() <= part {
            self.visited.resize(part + 1, false);
        }
        if let Some(visited) = self.visited.get_mut(part) {
            *visited = true;
        }
        self.certainty_at(part, Certainty::Known);
        std::mem::replace(&mut self.part, part)
    }

    fn index(&self) -> u32 {
        u32::try_from(self.part).unwrap_or(u32::MAX)
    }

    /// Lowers the certainty of this part.
    pub fn certainty(&mut self, certainty: Certainty) {
        self.certainty_at(self.part, certainty);
    }

    fn certainty_at(&mut self, part: usize, certainty: Certainty) {
        let known = &mut self.effects.certainty;
        if known.len() <= part {
            known.resize(part + 1, Certainty::Known);
        }
        if let Some(known) = known.get_mut(part) {
            *known = (*known).max(certainty);
        }
    }

    /// Something is not known.
    pub fn doubt(&mut self, word: &str, sentence: &str) {
        self.certainty(Certainty::Unknown);
        let part = self.index();
        let of_part = self.effects.doubts.iter().filter(|doubt| doubt.part == part).count();
        if of_part < MOST_DOUBTS && self.is_new((word, sentence), word.len() + sentence.len()) {
            self.effects.doubts.push(Doubt { part, word: word.to_owned(), sentence: sentence.to_owned() });
        }
    }

    pub fn file(&mut self, usage: FileUse, path: String, tree: bool, pattern: bool, place: FilePlace, why: String) {
        if tree || pattern {
            self.certainty(Certainty::Bounded);
        }
        if self.is_new((usage as u8, &path, tree, pattern), path.len() + why.len()) {
            let part = self.index();
            self.effects.files.push(FileEffect { part, usage, path, tree, pattern, place, why });
        }
    }

    /// Whether this part writes outside of the repository, or where nobody can tell.
    pub fn writes_outside(&self) -> bool {
        let part = self.index();
        let of_part = self.effects.files.iter().rev().take_while(|file| file.part == part);
        of_part.filter(|file| file.usage == FileUse::Writes).any(|file| file.place != FilePlace::Repository)
    }

    /// True if a file or folder of that name was written before.
    pub fn has_written(&self, path: &str) -> bool {
        let files = self.effects.files.iter().filter(|file| file.usage == FileUse::Writes);
        files.rev().take(64).any(|file| file.path == path)
    }

    pub fn network(&mut self, host: &str, port: Option<u16>, writes: bool, carries: bool, why: &str) {
        if self.is_new(("network", host, port, writes, carries), host.len() + why.len()) {
            let (part, host, why) = (self.index(), host.to_owned(), why.to_owned());
            self.effects.network.push(NetworkEffect { part, host, port, writes, carries, why });
        }
    }

    pub fn run(&mut self, kind: &str, words: Vec<String>, why: &str) {
        let bytes = words.iter().map(String::len).sum::<usize>();
        if self.is_new(("run", kind, &words), bytes + why.len()) {
            let (part, kind, why) = (self.index(), kind.to_owned(), why.to_owned());
            self.effects.runs.push(RunEffect { part, kind, words, why });
        }
    }

    pub fn change(&mut self, change: Change<'_>, why: &str) {
        let Change { system, operation, target, loses_work, reads_only } = change;
        if self.is_new(("change", system, operation, target, loses_work, reads_only), operation.len() + target.len()) {
            self.effects.changes.push(ChangeEffect {
                part: self.index(),
                system: system.to_owned(),
                operation: operation.to_owned(),
                target: target.to_owned(),
                loses_work,
                reads_only,
                why: why.to_owned(),
            });
        }
    }

    pub fn environment(&mut self, name: &str, why: &str) {
        if self.is_new(("environment", name), name.len()) {
            let (part, name, why) = (self.index(), name.to_owned(), why.to_owned());
            self.effects.environment.push(EnvironmentEffect { part, name, why });
        }
    }

    /// The effects of a command line with these parts. What was not looked at is not known.
    pub fn finish(
        mut self,
        parts: &[CommandPart],
        unresolved: Option<&str>,
        surroundings: &Surroundings<'_>,
    ) -> Effects {
        let last = u32::try_from(parts.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let effects = &mut self.effects;
        let beyond = effects.certainty.get(parts.len()..).unwrap_or_default().iter().copied().max();
        let visited_beyond = self.visited.len() > parts.len();
        effects.certainty.resize(parts.len(), Certainty::Known);
        for (index, (part, certainty)) in parts.iter().zip(&mut effects.certainty).enumerate() {
            let is_last = index + 1 == parts.len();
            let visited = self.visited.get(index).copied().unwrap_or_default() || (is_last && visited_beyond);
            if unresolved.is_some() || !(part.implied || visited) {
                *certainty = Certainty::Unknown;
            }
        }
        if let (Some(beyond), Some(certainty)) = (beyond, effects.certainty.last_mut()) {
            *certainty = (*certainty).max(beyond);
        }
        if let Some(reason) = unresolved {
            effects.doubts.push(Doubt { part: 0, word: String::new(), sentence: reason.to_owned() });
        }
        effects.doubts.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.files.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.network.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.runs.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.changes.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.environment.iter_mut().for_each(|effect| effect.part = effect.part.min(last));
        effects.table = surroundings.programs.digest().to_owned();
        effects.seen = surroundings.disk.is_some();
        self.effects
    }
}

/// A change of a system.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change<'a> {
    pub system: &'a str,
    pub operation: &'a str,
    pub target: &'a str,
    pub loses_work: bool,
    pub reads_only: bool,
}
