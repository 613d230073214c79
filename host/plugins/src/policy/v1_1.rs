//! The adapter for guests of `cavra:policy@1.1.0`.

use cavra_model::{
    Action, COMPUTED, Certainty, ChangeEffect, CommandLine, Effects, Facts, FileAccess, FileEffect, FilePlace, FileUse,
    GitOperation, McpRegistry, NetworkEffect,
};

use crate::bindings::policy_1_1::cavra::policy::types as wit;

/// The language of the texts that the host splits.
const DIALECT: &str = "posix";

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
    let place = place(FilePlace::of_clean_path(&file.path));
    wit::FileAccess { path: file.path.clone(), content: file.content.clone(), place }
}

fn command(line: &CommandLine) -> wit::CommandLine {
    let parts = line.parts.iter().map(|part| wit::CommandPart {
        spellings: part.spellings.iter().map(|text| spelling(text)).collect(),
        dequoted: part.dequoted.clone(),
        implied: part.implied,
    });
    wit::CommandLine {
        dialect: DIALECT.to_owned(),
        text: line.text.clone(),
        parts: parts.collect(),
        reads: line.reads.clone(),
        writes: line.writes.clone(),
        git: line.git.iter().map(git).collect(),
        unresolved: line.unresolved.clone(),
        effects: effects(&line.effects),
    }
}

/// What is known of a spelling, and where what is not stands in it.
fn spelling(marked: &str) -> wit::Spelling {
    let mut text = String::with_capacity(marked.len());
    let mut computed = Vec::new();
    for (index, stretch) in marked.split(COMPUTED).enumerate() {
        if index > 0 {
            computed.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        text.push_str(stretch);
    }
    wit::Spelling { text, computed }
}

fn effects(effects: &Effects) -> wit::Effects {
    wit::Effects {
        certainty: effects.certainty.iter().map(|certainty| self::certainty(*certainty)).collect(),
        doubts: effects
            .doubts
            .iter()
            .map(|doubt| wit::Doubt { part: doubt.part, word: doubt.word.clone(), sentence: doubt.sentence.clone() })
            .collect(),
        files: effects.files.iter().map(file_effect).collect(),
        network: effects.network.iter().map(network_effect).collect(),
        runs: effects
            .runs
            .iter()
            .map(|run| wit::RunEffect {
                part: run.part,
                kind: run.kind.clone(),
                words: run.words.clone(),
                why: run.why.clone(),
            })
            .collect(),
        changes: effects.changes.iter().map(change_effect).collect(),
        environment: effects
            .environment
            .iter()
            .map(|shown| wit::EnvironmentEffect { part: shown.part, name: shown.name.clone(), why: shown.why.clone() })
            .collect(),
        seen: effects.seen,
    }
}

fn file_effect(file: &FileEffect) -> wit::FileEffect {
    wit::FileEffect {
        part: file.part,
        use_: match file.usage {
            FileUse::Lists => wit::FileUse::Lists,
            FileUse::Reads => wit::FileUse::Reads,
            FileUse::Writes => wit::FileUse::Writes,
            FileUse::Deletes => wit::FileUse::Deletes,
        },
        path: file.path.clone(),
        tree: file.tree,
        pattern: file.pattern,
        place: place(file.place),
        why: file.why.clone(),
    }
}

fn network_effect(network: &NetworkEffect) -> wit::NetworkEffect {
    wit::NetworkEffect {
        part: network.part,
        host: network.host.clone(),
        port: network.port,
        writes: network.writes,
        carries: network.carries,
        why: network.why.clone(),
    }
}

fn change_effect(change: &ChangeEffect) -> wit::ChangeEffect {
    wit::ChangeEffect {
        part: change.part,
        system: change.system.clone(),
        operation: change.operation.clone(),
        target: change.target.clone(),
        loses_work: change.loses_work,
        reads_only: change.reads_only,
        why: change.why.clone(),
    }
}

const fn certainty(certainty: Certainty) -> wit::Certainty {
    match certainty {
        Certainty::Known => wit::Certainty::Known,
        Certainty::Bounded => wit::Certainty::Bounded,
        Certainty::Unknown => wit::Certainty::Unknown,
    }
}

const fn place(place: FilePlace) -> wit::Place {
    match place {
        FilePlace::Repository => wit::Place::Repository,
        FilePlace::Temporary => wit::Place::Temporary,
        FilePlace::Home => wit::Place::Home,
        FilePlace::System => wit::Place::System,
        FilePlace::Elsewhere => wit::Place::Elsewhere,
        FilePlace::Unknown => wit::Place::Unknown,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_stretches_are_data() {
        let said = |marked: &str| {
            let wit::Spelling { text, computed } = spelling(&marked.replace('?', &COMPUTED.to_string()));
            (text, computed)
        };
        assert_eq!(said("git status"), ("git status".to_owned(), vec![]));
        assert_eq!(said("kubectl ? ns"), ("kubectl  ns".to_owned(), vec![8]));
        assert_eq!(said("?é??"), ("é".to_owned(), vec![0, 2, 2]));
        assert_eq!(said(""), (String::new(), vec![]));
    }
}
