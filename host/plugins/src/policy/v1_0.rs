//! The adapter for guests of `cavra:policy@1.0.0`.
//!
//! The version knows files of redirections only. Those that arguments name are files all the same, so they are put
//! beside them: nothing in this version allows a file, so a pack can only get stricter. What a command line does besides
//! is not said, and computed words are a character that stands for them ([`cavra_model::COMPUTED`]).

use cavra_model::{Action, CommandLine, Facts, FileAccess, FileUse, GitOperation, McpRegistry};

use crate::bindings::policy_1_0::cavra::policy::types as wit;
use crate::bindings::policy_1_1::cavra::policy::types as newest;

/// The action as packs see it.
pub(super) fn action(action: &Action) -> wit::Action {
    match action {
        Action::ReadFile(access) => wit::Action::ReadFile(file(access)),
        Action::WriteFile(access) => wit::Action::WriteFile(file(access)),
        Action::ExecuteCommand(line) => wit::Action::ExecuteCommand(command(line)),
        Action::GitOperation(operation) => wit::Action::GitOperation(git(operation)),
        Action::McpToolCall(call) => wit::Action::McpToolCall(wit::McpToolCall {
            server: call.server.clone(),
            tool: call.tool.clone(),
            capability: call.capability.clone(),
            arguments: call.arguments.clone(),
        }),
    }
}

fn file(file: &FileAccess) -> wit::FileAccess {
    wit::FileAccess { path: file.path.clone(), content: file.content.clone() }
}

fn command(line: &CommandLine) -> wit::CommandLine {
    let parts = line.parts.iter().map(|part| wit::CommandPart {
        spellings: part.spellings.clone(),
        dequoted: part.dequoted.clone(),
        implied: part.implied,
    });
    wit::CommandLine {
        text: line.text.clone(),
        parts: parts.collect(),
        reads: files(line, &line.reads, |used| used == FileUse::Reads),
        writes: files(line, &line.writes, |used| matches!(used, FileUse::Writes | FileUse::Deletes)),
        git: line.git.iter().map(git).collect(),
        unresolved: line.unresolved.clone(),
    }
}

/// The files of redirections, and those of arguments that are used that way.
fn files(line: &CommandLine, redirected: &[String], used: impl Fn(FileUse) -> bool) -> Vec<String> {
    let mut files = redirected.to_vec();
    for file in line.effects.files.iter().filter(|file| used(file.usage)) {
        if !files.contains(&file.path) {
            files.push(file.path.clone());
        }
    }
    files
}

fn git(operation: &GitOperation) -> wit::GitOperation {
    wit::GitOperation {
        operation: operation.operation.clone(),
        target: operation.target.clone(),
        branch: operation.branch.clone(),
        branch_path: operation.branch_path.clone(),
        is_push: operation.is_push,
        removes_branch: operation.removes_branch,
    }
}

/// The facts as packs see them.
pub(super) fn facts(facts: &Facts) -> wit::Facts {
    let mcp_registry = match &facts.mcp_registry {
        McpRegistry::NotConsulted => wit::McpRegistry::NotConsulted,
        McpRegistry::Unregistered => wit::McpRegistry::Unregistered,
        McpRegistry::Registered(entry) => wit::McpRegistry::Registered(wit::McpRegistration {
            server_id: entry.server_id.clone(),
            trust_tier: entry.trust_tier.clone(),
            approval_state: entry.approval_state.clone(),
            capabilities: entry.capabilities.clone(),
            allowed_tools: entry.allowed_tools.clone(),
        }),
    };
    let attributes = facts.attributes.iter();
    wit::Facts {
        now: facts.now.as_micros(),
        session_id: facts.session_id.clone(),
        agent_id: facts.agent_id.clone(),
        actor: facts.actor.clone(),
        repository: facts.repository.clone(),
        mcp_registry,
        attributes: attributes
            .map(|(name, value)| wit::Attribute { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

/// The answer of `configure` in the newest version's words.
pub(super) fn description(
    answer: Result<wit::Description, Vec<wit::Diagnostic>>,
) -> Result<newest::Description, Vec<newest::Diagnostic>> {
    let diagnostic = |wit::Diagnostic { path, message }| newest::Diagnostic { path, message };
    match answer {
        Ok(wit::Description { id, title, version, rules }) => Ok(newest::Description { id, title, version, rules }),
        Err(diagnostics) => Err(diagnostics.into_iter().map(diagnostic).collect()),
    }
}

/// The answer of `evaluate` in the newest version's words.
pub(super) fn findings(answer: Vec<wit::Finding>) -> Vec<newest::Finding> {
    let outcome = |outcome: wit::Outcome| match outcome {
        wit::Outcome::Allow => newest::Outcome::Allow,
        wit::Outcome::AllowWithAttestation => newest::Outcome::AllowWithAttestation,
        wit::Outcome::Warn => newest::Outcome::Warn,
        wit::Outcome::RequireApproval => newest::Outcome::RequireApproval,
        wit::Outcome::Block => newest::Outcome::Block,
    };
    let severity = |severity: wit::Severity| match severity {
        wit::Severity::Low => newest::Severity::Low,
        wit::Severity::Medium => newest::Severity::Medium,
        wit::Severity::High => newest::Severity::High,
        wit::Severity::Critical => newest::Severity::Critical,
    };
    let finding = |found: wit::Finding| newest::Finding {
        rule_id: found.rule_id,
        outcome: outcome(found.outcome),
        severity: severity(found.severity),
        reason: found.reason,
        approver_group: found.approver_group,
    };
    answer.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::{Effects, FileEffect, FilePlace};

    #[test]
    fn files_of_arguments_are_files() {
        let file = |usage, path: &str| FileEffect {
            part: 0,
            usage,
            path: path.to_owned(),
            tree: false,
            pattern: false,
            place: FilePlace::Repository,
            why: String::new(),
        };
        let files = vec![
            file(FileUse::Reads, "a"),
            file(FileUse::Reads, "b"),
            file(FileUse::Writes, "c"),
            file(FileUse::Deletes, "d"),
            file(FileUse::Lists, "e"),
        ];
        let line = CommandLine {
            written: String::new(),
            text: String::new(),
            parts: Vec::new(),
            reads: vec!["a".to_owned()],
            writes: Vec::new(),
            git: Vec::new(),
            unresolved: None,
            effects: Box::new(Effects { files, ..Effects::default() }),
        };
        let wit::Action::ExecuteCommand(seen) = action(&Action::ExecuteCommand(line)) else { panic!("another action") };
        assert_eq!(
            (seen.reads, seen.writes),
            (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned(), "d".to_owned()])
        );
    }
}
