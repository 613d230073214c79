//! The judgement of command lines. Contract 10, sections 2.3 and 4.2.

use crate::action::{Command, Part};
use crate::catalog;
use crate::finding::{Finding, Outcome};
use crate::list::Reach;
use crate::policy::Policy;

/// Longest program name that a reason repeats, bytes.
const NAME_LIMIT: usize = 60;

impl Policy {
    /// Every finding on a command line, in the order of the rules. There is always at least one, and the strictest is
    /// `allow` exactly when every part matches an allow pattern and nothing stricter matches anything.
    pub(crate) fn judge_command(&self, command: &Command<'_>) -> Vec<Finding> {
        let mut hits = self.text_hits(command);
        let mut unmatched = None;
        for part in command.parts {
            match self.part_hit(part) {
                Some(hit) => hits.push(hit),
                None if part.implied => {}
                None => unmatched = unmatched.or(Some(part)),
            }
        }
        hits.sort_unstable();
        hits.dedup();
        let mut findings: Vec<Finding> = hits.into_iter().map(|hit| self.command_finding(hit, command)).collect();
        self.push_effects(command, &mut findings);
        findings.extend(default_finding(command, unmatched).or_else(|| self.possible_finding(command)));
        findings
    }

    /// Stricter patterns that match the text as a whole, such as `curl *|*sh*`.
    fn text_hits(&self, command: &Command<'_>) -> Vec<u32> {
        // A single command is its own whole text, and its part is looked at anyway.
        if matches!(command.parts, [part] if part.spellings.iter().any(|spelling| spelling == command.text)) {
            return Vec::new();
        }
        let mut hits: Vec<u32> = self.commands.strictest(command.text, Reach::Strict).into_iter().collect();
        if command.text.contains('\n') {
            hits.extend(self.commands.strictest(&collapse(command.text), Reach::Strict));
        }
        hits
    }

    /// The strictest pattern that matches a part.
    fn part_hit(&self, part: &Part<'_>) -> Option<u32> {
        let reach = if part.implied { Reach::Strict } else { Reach::All };
        let spelled = part.spellings.iter().filter_map(|spelling| self.commands.strictest(spelling, reach));
        let dequoted = if part.spellings.iter().any(|spelling| spelling == part.dequoted) {
            None
        } else {
            self.commands.strictest(part.dequoted, Reach::Strict)
        };
        spelled.chain(dequoted).min()
    }

    /// Review for a command that computed words may turn into one that a stricter pattern matches.
    fn possible_finding(&self, command: &Command<'_>) -> Option<Finding> {
        let spellings = command.parts.iter().filter(|part| part.implied).flat_map(|part| part.spellings);
        let hit = spellings.filter_map(|spelling| self.commands.strictest_possible(spelling)).min()?;
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

    /// Findings on what the command does besides running programs: redirections and git operations. Nothing here
    /// allows; the parts decide that.
    fn push_effects(&self, command: &Command<'_>, findings: &mut Vec<Finding>) {
        let reads = command.reads.iter().filter_map(|path| self.judge_read(path));
        let writes = command.writes.iter().filter_map(|path| self.judge_write(path));
        let git = command.git.iter().filter_map(|operation| self.judge_git(operation));
        for finding in reads.chain(writes).chain(git) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
}

/// Review is the default: for a part that no pattern matches, a text that was not understood, and nothing at all.
fn default_finding(command: &Command<'_>, unmatched: Option<&Part<'_>>) -> Option<Finding> {
    if let Some(reason) = command.unresolved {
        return Some(catalog::COMMAND_DEFAULT.found(&["the command line is not understood completely: ", reason]));
    }
    if let Some(part) = unmatched {
        let name = program(part);
        return Some(catalog::COMMAND_DEFAULT.found(&if name.is_empty() {
            ["no command pattern matches a part of the command line", "", ""]
        } else {
            ["no command pattern matches `", name, "` as it is called"]
        }));
    }
    let judged = command.parts.iter().any(|part| !part.implied);
    (!judged).then(|| catalog::COMMAND_DEFAULT.found(&["the command line has no command that could be judged"]))
}

/// The program a part calls, for the reason. Arguments and variable assignments are left out: they may hold secrets.
fn program<'a>(part: &Part<'a>) -> &'a str {
    let words = part.spellings.first().map(String::as_str).unwrap_or_default().split(' ');
    let name = words.into_iter().find(|word| !word.contains('=')).unwrap_or_default();
    if name.len() > NAME_LIMIT { "" } else { name }
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
