//! What a policy lacks to let a command line run at once: for proposals to its author, not for decisions.

use crate::action::{Certainty, Command};
use crate::catalog;
use crate::finding::{Finding, Outcome};
use crate::policy::Policy;

/// What is missing for a command line that needs a question only because nothing lets it run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// For each effect that no entry of `effects.allow` covers: the entries that would, the narrowest first.
    pub entries: Vec<Vec<String>>,
    /// Positions of the parts of which something is not known.
    pub unknown: Vec<usize>,
}

impl Policy {
    /// What the policy lacks; nothing if it forbids the command line, wants a person, or if no entry could let it run.
    #[must_use]
    pub fn lacking(&self, command: &Command<'_>) -> Option<Lacking> {
        let asks_by_default = |rule: &str| rule == catalog::COMMAND_DEFAULT.id;
        let stricter = |found: &Finding| found.outcome != Outcome::Allow && !asks_by_default(found.rule_id);
        let is_open = command.unresolved.is_none()
            && self.possible_finding(command).is_none()
            && !self.judge_command(command).iter().any(stricter);
        if !is_open {
            return None;
        }
        let mut lacking = Lacking::default();
        for (index, part) in command.parts.iter().enumerate() {
            if part.implied || self.part_hit(part).is_some() {
                continue;
            }
            match command.effects.certainty.get(index) {
                Some(Certainty::Known | Certainty::Bounded) => {
                    lacking.entries.extend(self.missing_entries(index, &command.effects)?);
                }
                _ => lacking.unknown.push(index),
            }
        }
        lacking.entries.sort_unstable();
        lacking.entries.dedup();
        Some(lacking)
    }
}
