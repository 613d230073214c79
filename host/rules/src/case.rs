//! Names that differ only in case are names of one file where the file system says so. Lists that block or ask for approval
//! hold for every spelling there; what is allowed stays with the spelling that was written.

use crate::action::{Action, Command, Effects, FileEffect, FileUse, Place};
use crate::command::{REDIRECTION, redirections};
use crate::effects::Entry;
use crate::finding::{Finding, Outcome};
use crate::list::RuleList;
use crate::policy::{Policy, borrowed};

/// The stricter rules about files, in small letters.
#[derive(Debug, Default)]
pub(crate) struct Folded(Box<Policy>);

impl Policy {
    /// What the stricter rules about files find besides [`Policy::evaluate`] where names that differ only in case are names
    /// of one file.
    #[must_use]
    pub fn evaluate_ignoring_case(&self, action: &Action<'_>) -> Vec<Finding> {
        let rules = &self.folded.get_or_init(|| Folded(Box::new(self.fold()))).0;
        match action {
            Action::ReadFile(path) => rules.judge_read(&path.to_lowercase()).into_iter().collect(),
            Action::WriteFile(path) => rules.judge_write(&path.to_lowercase()).into_iter().collect(),
            Action::Command(command) => rules.judge_files(command),
            Action::Git(_) | Action::Mcp { .. } => Vec::new(),
        }
    }

    fn fold(&self) -> Self {
        let mut folded = Self::default();
        folded.read = fold_list(&self.read);
        folded.write = fold_list(&self.write);
        folded.effects.block = fold_entries(&self.effects.block);
        folded.effects.require_approval = fold_entries(&self.effects.require_approval);
        folded
    }

    /// The files of a command by their folded names.
    fn judge_files(&self, command: &Command<'_>) -> Vec<Finding> {
        let used = command.effects.files.iter().map(|file| (*file, file.path.to_lowercase()));
        let (reads, writes) = redirections(command);
        let reads = reads.iter().map(|path| (redirection(FileUse::Reads), path.to_lowercase()));
        let writes = writes.iter().map(|path| (redirection(FileUse::Writes), path.to_lowercase()));
        let folded: Vec<(FileEffect<'_>, String)> = used.chain(reads).chain(writes).collect();
        let files: Vec<FileEffect<'_>> =
            folded.iter().map(|(file, path)| FileEffect { path: path.as_str(), ..*file }).collect();
        let effects = Effects { files: &files, seen: command.effects.seen, ..Effects::default() };
        self.effect_findings(&Command { effects, parts: &[], ..*command })
    }
}

/// A file that is known by a redirection alone.
fn redirection(used: FileUse) -> FileEffect<'static> {
    FileEffect { part: 0, used, path: "", tree: false, pattern: false, place: Place::Unknown, why: REDIRECTION }
}

fn fold_list(list: &RuleList) -> RuleList {
    let of = |outcome: Outcome| -> Vec<String> {
        list.positions().filter(|at| list.outcome(*at) == outcome).map(|at| list.pattern(at).to_lowercase()).collect()
    };
    let (block, approval) = (of(Outcome::Block), of(Outcome::RequireApproval));
    RuleList::new(&borrowed(&block), &borrowed(&approval), &[])
}

fn fold_entries(entries: &[Entry]) -> Vec<Entry> {
    let about_files = entries.iter().filter(|entry| entry.is_about_files());
    // A folded entry has the form of the one it is made of.
    about_files.filter_map(|entry| Entry::parse(&entry.text.to_lowercase()).ok()).collect()
}
