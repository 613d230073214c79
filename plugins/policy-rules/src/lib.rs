//! The policy language as a component: the world's types in, `cavra-rules` behind, the world's types out.

mod effects;

use cavra_rules::{Command, Git, Part, Policy, Spelling};
use cavra_sdk::{
    Action, CommandLine, Description, Diagnostic, Facts, Finding, GitOperation, McpRegistry, Outcome, PolicyPack,
    Severity,
};
use serde_json::Value;

use effects::Lists;

/// The fact that names which differ only in case are names of one file.
const IGNORES_CASE: &str = "filesystem.ignores_case";

struct PolicyRules(Policy);

cavra_sdk::export_policy_pack!(PolicyRules);

impl PolicyPack for PolicyRules {
    fn configure(document: &str) -> Result<(Self, Description), Vec<Diagnostic>> {
        let document: Value = serde_json::from_str(document).map_err(|_| {
            vec![Diagnostic { path: "<root>".to_owned(), message: "the document is not JSON".to_owned() }]
        })?;
        let policy = Policy::compile(&document).map_err(|faults| {
            faults.into_iter().map(|fault| Diagnostic { path: fault.path, message: fault.message }).collect::<Vec<_>>()
        })?;
        let description = describe(&document, &policy);
        Ok((Self(policy), description))
    }

    fn evaluate(&self, action: &Action, facts: &Facts) -> Vec<Finding> {
        let consulted = !matches!(facts.mcp_registry, McpRegistry::NotConsulted);
        let ignores_case = facts.attributes.iter().any(|fact| fact.name == IGNORES_CASE && fact.value == "true");
        let judge = |action: cavra_rules::Action<'_>| {
            let mut findings = self.0.evaluate(&action, consulted);
            if ignores_case {
                findings.extend(self.0.evaluate_ignoring_case(&action));
            }
            findings
        };
        let findings = match action {
            Action::ReadFile(file) => judge(cavra_rules::Action::ReadFile(&file.path)),
            Action::WriteFile(file) => judge(cavra_rules::Action::WriteFile(&file.path)),
            Action::ExecuteCommand(line) => with_command(line, judge),
            Action::GitOperation(operation) => judge(cavra_rules::Action::Git(git(operation))),
            Action::McpToolCall(call) => judge(cavra_rules::Action::Mcp { server: &call.server, tool: &call.tool }),
        };
        findings.into_iter().map(finding).collect()
    }
}

/// What the document says about itself; the host checks what has to be there.
fn describe(document: &Value, policy: &Policy) -> Description {
    let text = |key: &str| {
        let value = document.get("metadata").and_then(|metadata| metadata.get(key));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Description {
        id: text("id"),
        title: text("title"),
        version: text("version"),
        rules: u32::try_from(policy.rule_count()).unwrap_or(u32::MAX),
    }
}

fn with_command<T>(line: &CommandLine, judge: impl FnOnce(cavra_rules::Action<'_>) -> T) -> T {
    let spellings: Vec<Vec<Spelling<'_>>> = line
        .parts
        .iter()
        .map(|part| {
            let texts = part.spellings.iter();
            texts.map(|spelling| Spelling { text: &spelling.text, computed: &spelling.computed }).collect()
        })
        .collect();
    let parts: Vec<Part<'_>> = line
        .parts
        .iter()
        .zip(&spellings)
        .map(|(part, spellings)| Part { spellings, dequoted: &part.dequoted, implied: part.implied })
        .collect();
    let operations: Vec<Git<'_>> = line.git.iter().map(git).collect();
    let lists = Lists::of(&line.effects);
    judge(cavra_rules::Action::Command(Command {
        text: &line.text,
        parts: &parts,
        reads: &line.reads,
        writes: &line.writes,
        git: &operations,
        unresolved: line.unresolved.as_deref(),
        effects: lists.borrowed(line.effects.seen),
    }))
}

fn git(operation: &GitOperation) -> Git<'_> {
    Git {
        operation: &operation.operation,
        branch: &operation.branch,
        branch_path: &operation.branch_path,
        is_push: operation.is_push,
        removes_branch: operation.removes_branch,
    }
}

fn finding(found: cavra_rules::Finding) -> Finding {
    Finding {
        rule_id: found.rule_id.to_owned(),
        outcome: match found.outcome {
            cavra_rules::Outcome::Allow => Outcome::Allow,
            cavra_rules::Outcome::RequireApproval => Outcome::RequireApproval,
            cavra_rules::Outcome::Block => Outcome::Block,
        },
        severity: match found.severity {
            cavra_rules::Severity::Low => Severity::Low,
            cavra_rules::Severity::Medium => Severity::Medium,
            cavra_rules::Severity::High => Severity::High,
            cavra_rules::Severity::Critical => Severity::Critical,
        },
        reason: found.reason,
        approver_group: found.approver_group.map(str::to_owned),
    }
}
