//! The judgement of command lines.

use crate::action::{Certainty, Command, Part};
use crate::catalog;
use crate::explain;
use crate::finding::{Finding, Outcome};
use crate::list::Reach;
use crate::policy::Policy;

/// What makes several commands of one text, or opens files. A pattern with one of these is about the whole text.
const OPERATORS: [char; 6] = ['|', ';', '&', '>', '<', '\n'];

/// The word that a file comes from, for sentences.
pub(crate) const REDIRECTION: &str = "a redirection";

/// What lets a part run.
enum Permission<'a> {
    /// A command pattern matches it; the strictest one, which may as well forbid it.
    Pattern(u32),
    /// Entries of `effects.allow` cover all that it does.
    Effects,
    /// It is only part of what happens and needs none.
    NotNeeded,
    /// Nothing does, and why effects do not, if the pack has entries for them.
    Missing { part: &'a Part<'a>, uncovered: Option<String> },
}

impl Policy {
    /// Every finding on a command line, in the order of the rules. There is always at least one, and the strictest is
    /// `allow` exactly when every part may run, by a pattern or by its effects, and nothing stricter applies to anything.
    pub(crate) fn judge_command(&self, command: &Command<'_>) -> Vec<Finding> {
        let mut hits = self.text_hits(command);
        let mut missing = None;
        let mut by_effects = false;
        for (index, part) in command.parts.iter().enumerate() {
            match self.permission(index, part, command) {
                Permission::Pattern(hit) => hits.push(hit),
                Permission::Effects => by_effects = true,
                Permission::NotNeeded => {}
                Permission::Missing { part, uncovered } => missing = missing.or(Some((part, uncovered))),
            }
        }
        hits.sort_unstable();
        hits.dedup();
        let mut findings: Vec<Finding> = hits.into_iter().map(|hit| self.command_finding(hit, command)).collect();
        self.push_redirections(command, &mut findings);
        for finding in self.effect_findings(command) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        if by_effects {
            findings.push(
                catalog::EFFECTS_ALLOW.found(&["all that the command does is covered by entries of effects.allow"]),
            );
        }
        findings.extend(default_finding(command, missing).or_else(|| self.possible_finding(command)));
        findings
    }

    /// What lets a part run. A pattern that allows it comes before its effects: both let it run, and the pattern is what
    /// its author wrote about this command.
    fn permission<'a>(&self, index: usize, part: &'a Part<'a>, command: &Command<'_>) -> Permission<'a> {
        match self.part_hit(part) {
            Some(hit) => Permission::Pattern(hit),
            None if part.implied => Permission::NotNeeded,
            None if self.effects.allow.is_empty() => Permission::Missing { part, uncovered: None },
            None => match self.uncovered(index, explain::program(part), &command.effects) {
                None => Permission::Effects,
                uncovered => Permission::Missing { part, uncovered },
            },
        }
    }

    /// Stricter patterns about the text as a whole, such as `curl *|*sh*`.
    fn text_hits(&self, command: &Command<'_>) -> Vec<u32> {
        // A single command is its own whole text, and its part is looked at anyway.
        if matches!(command.parts, [part] if part.spellings.iter().any(|spelling| spelling.text == command.text)) {
            return Vec::new();
        }
        let about_texts = |pattern: &str| pattern.contains(OPERATORS);
        let strictest = |text: &str| self.commands.strictest_of(text, Reach::Strict, about_texts);
        let mut hits: Vec<u32> = strictest(command.text).into_iter().collect();
        if command.text.contains('\n') {
            hits.extend(strictest(&collapse(command.text)));
        }
        hits
    }

    /// The strictest pattern that matches a part.
    pub(crate) fn part_hit(&self, part: &Part<'_>) -> Option<u32> {
        let reach = if part.implied { Reach::Strict } else { Reach::All };
        let spelled = part.spellings.iter().filter_map(|spelling| self.commands.strictest(spelling.text, reach));
        let dequoted = if part.spellings.iter().any(|spelling| spelling.text == part.dequoted) {
            None
        } else {
            self.commands.strictest(part.dequoted, Reach::Strict)
        };
        spelled.chain(dequoted).min()
    }

    /// Review for a command that computed words may turn into one that a stricter pattern matches.
    pub(crate) fn possible_finding(&self, command: &Command<'_>) -> Option<Finding> {
        let spellings = command.parts.iter().filter(|part| part.implied).flat_map(|part| part.spellings);
        let hit = spellings.filter_map(|spelling| self.commands.strictest_possible(*spelling)).min()?;
        let list = if self.commands.outcome(hit) == Outcome::Block { "block" } else { "require_approval" };
        let pattern = self.commands.pattern(hit);
        Some(catalog::COMMAND_DEFAULT.found(&[
            "what the command does is computed, and may match `",
            pattern,
            "` of commands.",
            list,
        ]))
    }

    fn command_finding(&self, hit: u32, command: &Command<'_>) -> Finding {
        let pattern = self.commands.pattern(hit);
        match self.commands.outcome(hit) {
            Outcome::Block => {
                let destructive = command.text.contains("apply") || command.text.contains("delete");
                let rule = if destructive { catalog::COMMAND_BLOCK_CRITICAL } else { catalog::COMMAND_BLOCK };
                rule.found(&["the command is blocked: it matches `", pattern, "` of commands.block"])
            }
            Outcome::RequireApproval => catalog::COMMAND_APPROVAL.found(&[
                "the command needs approval: it matches `",
                pattern,
                "` of commands.require_approval",
            ]),
            Outcome::Allow => catalog::COMMAND_ALLOW.found(&["the command matches `", pattern, "` of commands.allow"]),
        }
    }

    /// Findings on redirections and git operations as they are written. Nothing here allows.
    fn push_redirections(&self, command: &Command<'_>, findings: &mut Vec<Finding>) {
        let (reads, writes) = redirections(command);
        let reads = reads.iter().filter_map(|path| self.judge_read_as(path, REDIRECTION));
        let writes = writes.iter().filter_map(|path| self.judge_write_as(path, REDIRECTION));
        let git = command.git.iter().filter_map(|operation| self.judge_git(operation));
        for finding in reads.chain(writes).chain(git) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
}

/// The files of redirections that are taken at their word. Where the command line is understood there are none: its effects
/// name the same files in the directory that holds there.
pub(crate) fn redirections<'a>(command: &Command<'a>) -> (&'a [String], &'a [String]) {
    let understood = !command.effects.certainty.is_empty()
        && !command.effects.certainty.contains(&Certainty::Unknown)
        && command.unresolved.is_none();
    if understood { (&[], &[]) } else { (command.reads, command.writes) }
}

/// Review is the default: for a part that nothing lets run, a text that was not understood, and nothing at all.
fn default_finding(command: &Command<'_>, missing: Option<(&Part<'_>, Option<String>)>) -> Option<Finding> {
    if let Some(reason) = command.unresolved {
        return Some(catalog::COMMAND_DEFAULT.found(&["the command line is not understood completely: ", reason]));
    }
    if let Some((part, uncovered)) = missing {
        let reason = uncovered.unwrap_or_else(|| explain::unmatched(part));
        return Some(catalog::COMMAND_DEFAULT.found(&[&reason, explain::NEXT_STEP]));
    }
    let judged = command.parts.iter().any(|part| !part.implied);
    (!judged).then(|| catalog::COMMAND_DEFAULT.found(&["the command line has no command that could be judged"]))
}

/// Collapses runs of blanks and newlines to one blank, and drops them at both ends.
pub(crate) fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}
