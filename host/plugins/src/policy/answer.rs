//! The checks at the border to policy packs, whatever version they speak: how much goes in, and what comes out.

use cavra_model::{Action, CommandLine, Effects, Facts, Finding, GitOperation, McpRegistry, Outcome, Severity};

use crate::bindings::policy_1_1::cavra::policy::types as wit;
use crate::error::{Diagnostic, Failure, PluginErrorKind, clip};
use crate::limits::{DIAGNOSTIC_CHARS, DIAGNOSTICS, GROUP_BYTES, LABEL_BYTES, REASON_BYTES, RULE_ID_BYTES};
use crate::pack::Description;

/// Bytes of all texts in an action and its facts: what a call copies into the guest.
pub(crate) fn input_bytes(action: &Action, facts: &Facts) -> usize {
    let registry = match &facts.mcp_registry {
        McpRegistry::NotConsulted | McpRegistry::Unregistered => 0,
        McpRegistry::Registered(entry) => {
            total([&entry.server_id, &entry.trust_tier, &entry.approval_state])
                + total(&entry.capabilities)
                + total(&entry.allowed_tools)
        }
    };
    let attributes: usize = facts.attributes.iter().map(|(name, value)| name.len() + value.len() + ELEMENT).sum();
    action_bytes(action)
        + total([&facts.session_id, &facts.agent_id, &facts.actor, &facts.repository])
        + registry
        + attributes
}

/// What an element of a list costs besides its text, so that a million empty texts are not free.
const ELEMENT: usize = 16;

fn total<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts.into_iter().map(|text| text.len() + ELEMENT).sum()
}

fn action_bytes(action: &Action) -> usize {
    match action {
        Action::ReadFile(file) | Action::WriteFile(file) => total([&file.path]) + total(&file.content),
        Action::ExecuteCommand(command) => command_bytes(command),
        Action::GitOperation(git) => git_bytes(git),
        Action::McpToolCall(call) => {
            total([&call.server, &call.tool]) + total(&call.capability) + total(&call.arguments)
        }
    }
}

fn git_bytes(git: &GitOperation) -> usize {
    total([&git.operation, &git.target, &git.branch, &git.branch_path])
}

fn command_bytes(command: &CommandLine) -> usize {
    let parts = command.parts.iter().map(|part| total(&part.spellings) + total([&part.dequoted]));
    total([&command.text])
        + parts.sum::<usize>()
        + total(&command.reads)
        + total(&command.writes)
        + command.git.iter().map(git_bytes).sum::<usize>()
        + total(&command.unresolved)
        + effects_bytes(&command.effects)
}

fn effects_bytes(effects: &Effects) -> usize {
    let doubts = effects.doubts.iter().map(|doubt| total([&doubt.word, &doubt.sentence]));
    let files = effects.files.iter().map(|file| total([&file.path, &file.why]));
    let network = effects.network.iter().map(|network| total([&network.host, &network.why]));
    let runs = effects.runs.iter().map(|run| total([&run.kind, &run.why]) + total(&run.words));
    let changes =
        effects.changes.iter().map(|change| total([&change.system, &change.operation, &change.target, &change.why]));
    let environment = effects.environment.iter().map(|shown| total([&shown.name, &shown.why]));
    effects.certainty.len()
        + doubts.chain(files).chain(network).chain(runs).chain(changes).chain(environment).sum::<usize>()
}

/// Takes an answer over, if it is what the contract asks for.
pub(crate) fn findings(answer: Vec<wit::Finding>, limit: usize) -> Result<Vec<Finding>, Failure> {
    if answer.len() > limit {
        return Err(PluginErrorKind::Output.into());
    }
    answer.into_iter().map(finding).collect()
}

fn finding(finding: wit::Finding) -> Result<Finding, Failure> {
    let well_formed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'.' | b'-');
    if !(1..=RULE_ID_BYTES).contains(&finding.rule_id.len()) || !finding.rule_id.bytes().all(well_formed) {
        return Err(bad_answer("a rule id is not 1 to 128 of the characters a-z 0-9 _ . -"));
    }
    if finding.reason.len() > REASON_BYTES {
        return Err(bad_answer("a reason is longer than 4096 bytes"));
    }
    if finding.approver_group.as_ref().is_some_and(|group| group.len() > GROUP_BYTES) {
        return Err(bad_answer("an approver group is longer than 256 bytes"));
    }
    Ok(Finding {
        rule_id: finding.rule_id,
        outcome: outcome(finding.outcome),
        severity: severity(finding.severity),
        reason: printable(&finding.reason),
        approver_group: finding.approver_group.as_deref().map(printable),
    })
}

/// Text that does not move about on the terminal or page that shows it: no control characters, no separators of lines,
/// nothing that turns the direction of writing (Unicode TR 36, section 2.10).
fn printable(text: &str) -> String {
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

const fn outcome(outcome: wit::Outcome) -> Outcome {
    match outcome {
        wit::Outcome::Allow => Outcome::Allow,
        wit::Outcome::AllowWithAttestation => Outcome::AllowWithAttestation,
        wit::Outcome::Warn => Outcome::Warn,
        wit::Outcome::RequireApproval => Outcome::RequireApproval,
        wit::Outcome::Block => Outcome::Block,
    }
}

const fn severity(severity: wit::Severity) -> Severity {
    match severity {
        wit::Severity::Low => Severity::Low,
        wit::Severity::Medium => Severity::Medium,
        wit::Severity::High => Severity::High,
        wit::Severity::Critical => Severity::Critical,
    }
}

/// Takes the answer of `configure` over: a description, or why the document was rejected.
pub(crate) fn description(answer: Result<wit::Description, Vec<wit::Diagnostic>>) -> Result<Description, Failure> {
    match answer {
        Ok(wit::Description { id, title, version, rules }) => {
            if [&id, &title, &version].into_iter().any(|label| label.len() > LABEL_BYTES) {
                return Err(bad_answer("an id, title or version is longer than 512 bytes"));
            }
            Ok(Description { id, title, version, rules })
        }
        Err(diagnostics) => {
            let kept = diagnostics.into_iter().take(DIAGNOSTICS).map(|diagnostic| Diagnostic {
                path: clip(&diagnostic.path, DIAGNOSTIC_CHARS),
                message: clip(&diagnostic.message, DIAGNOSTIC_CHARS),
            });
            Err(PluginErrorKind::Configure(kept.collect()).into())
        }
    }
}

fn bad_answer(what: &str) -> Failure {
    PluginErrorKind::BadAnswer(what.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::FileAccess;

    fn answer(rule_id: &str, reason: &str) -> wit::Finding {
        wit::Finding {
            rule_id: rule_id.to_owned(),
            outcome: wit::Outcome::Block,
            severity: wit::Severity::High,
            reason: reason.to_owned(),
            approver_group: None,
        }
    }

    fn kind(answer: Vec<wit::Finding>) -> Option<&'static str> {
        findings(answer, 2).err().map(|failure| failure.kind.as_str())
    }

    #[test]
    fn answers_are_checked() {
        assert_eq!(kind(vec![answer("filesystem.read.block", "no"), answer("a", "")]), None);
        for bad in ["", "A", "a b", "a/b", "é", "a\n", &"a".repeat(129)] {
            assert_eq!(kind(vec![answer(bad, "no")]), Some("bad_answer"), "{bad:?}");
        }
        assert_eq!(kind(vec![answer("a", &"x".repeat(4096))]), None);
        assert_eq!(kind(vec![answer("a", &"x".repeat(4097))]), Some("bad_answer"));
        let grouped = wit::Finding { approver_group: Some("g".repeat(257)), ..answer("a", "no") };
        assert_eq!(kind(vec![grouped]), Some("bad_answer"));
        assert_eq!(kind(vec![answer("a", ""), answer("a", ""), answer("a", "")]), Some("output"));
    }

    #[test]
    fn what_is_shown_stays_in_its_place() {
        let said = |reason: &str| findings(vec![answer("a", reason)], 1).unwrap().remove(0).reason;
        assert_eq!(said("line\nforged\x1b[31m \u{202e}ltr"), "line\u{fffd}forged\u{fffd}[31m \u{fffd}ltr");
        assert_eq!(said("naïve 中文 🙂 matches `a b`"), "naïve 中文 🙂 matches `a b`");
    }

    #[test]
    fn every_text_counts_as_input() {
        let facts = Facts {
            now: cavra_model::Timestamp::from_micros(0),
            session_id: String::new(),
            agent_id: String::new(),
            actor: String::new(),
            repository: String::new(),
            mcp_registry: McpRegistry::NotConsulted,
            attributes: vec![("a".repeat(100), "b".repeat(100))],
        };
        let write =
            |content: &str| Action::WriteFile(FileAccess { path: "p".to_owned(), content: Some(content.to_owned()) });
        let empty = input_bytes(&write(""), &facts);
        assert!(empty > 200);
        assert_eq!(input_bytes(&write(&"x".repeat(1_000)), &facts), empty + 1_000);
    }

    #[test]
    fn a_flood_of_diagnostics_is_cut() {
        let flood = vec![wit::Diagnostic { path: "p".repeat(5_000), message: "m".to_owned() }; 500];
        let failure = description(Err(flood)).unwrap_err();
        let PluginErrorKind::Configure(kept) = failure.kind else { panic!("{failure:?}") };
        assert_eq!((kept.len(), kept[0].path.len()), (DIAGNOSTICS, DIAGNOSTIC_CHARS));
    }
}
