//! A policy pack: nothing is changed during a change freeze.
//!
//! The document says when the freezes are and which commands count as changes:
//!
//! ```yaml
//! change_freeze:
//!   windows:
//!     - { from: "2031-12-20T00:00:00Z", until: "2032-01-03T00:00:00Z", reason: "year end" }
//!   mutating_commands: ["terraform apply", "kubectl delete"]
//! ```
//!
//! While a freeze lasts, writing files, pushing and mutating commands are blocked, and a command line that is not
//! understood needs approval. At any other time the pack has no opinion.

mod document;

use cavra_sdk::{
    Action, CommandLine, Description, Diagnostic, Facts, FileEffect, FileUse, Finding, GitOperation, Outcome,
    PolicyPack, Severity,
};

use crate::document::{Settings, Window};

/// The compiled pack.
pub struct ChangeFreeze(Settings);

cavra_sdk::export_policy_pack!(ChangeFreeze);

impl PolicyPack for ChangeFreeze {
    fn configure(document: &str) -> Result<(Self, Description), Vec<Diagnostic>> {
        let (settings, description) = document::read(document)?;
        Ok((Self(settings), description))
    }

    fn evaluate(&self, action: &Action, facts: &Facts) -> Vec<Finding> {
        let Some(window) = self.0.windows.iter().find(|window| window.contains(facts.now)) else {
            return Vec::new();
        };
        match action {
            Action::WriteFile(_) => vec![block(window, "files are not changed")],
            Action::GitOperation(operation) => self.judge_git(operation, window).into_iter().collect(),
            Action::ExecuteCommand(command) => self.judge_command(command, window),
            Action::ReadFile(_) | Action::McpToolCall(_) => Vec::new(),
        }
    }
}

impl ChangeFreeze {
    fn judge_command(&self, command: &CommandLine, window: &Window) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            command.git.iter().filter_map(|operation| self.judge_git(operation, window)).collect();
        let changes = |file: &FileEffect| matches!(file.use_, FileUse::Writes | FileUse::Deletes);
        if !command.writes.is_empty() || command.effects.files.iter().any(changes) {
            findings.push(block(window, "files are not changed"));
        }
        for part in &command.parts {
            // Every way to write the command counts, the ambiguous one too: this pack only ever adds strictness.
            let spellings = part.spellings.iter().map(|spelling| &spelling.text).chain([&part.dequoted]);
            if spellings.into_iter().any(|spelling| self.is_mutating(spelling)) {
                findings.push(block(window, "commands that change things are not run"));
            }
        }
        if let Some(reason) = &command.unresolved {
            findings.push(Finding {
                rule_id: "change_freeze.unclear_command".to_owned(),
                outcome: Outcome::RequireApproval,
                severity: Severity::Medium,
                reason: format!("{} is in force and the command line is not understood: {reason}", window.title()),
                approver_group: Some("Change Advisory Board".to_owned()),
            });
        }
        findings
    }

    fn judge_git(&self, operation: &GitOperation, window: &Window) -> Option<Finding> {
        let changes = operation.is_push || operation.removes_branch;
        changes.then(|| block(window, "branches are not changed"))
    }

    /// Whether the command is one of the listed ones, with any further words.
    fn is_mutating(&self, command: &str) -> bool {
        self.0.mutating_commands.iter().any(|listed| {
            command.strip_prefix(listed.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }
}

fn block(window: &Window, what: &str) -> Finding {
    Finding {
        rule_id: "change_freeze.block".to_owned(),
        outcome: Outcome::Block,
        severity: Severity::High,
        reason: format!("{} is in force: {what} until {}", window.title(), window.until_text),
        approver_group: None,
    }
}
