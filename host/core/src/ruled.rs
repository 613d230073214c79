//! A command line as the rules see it, for questions about a policy that are asked outside of the sandbox.

use cavra_model::{COMPUTED, CommandLine, Effects, FilePlace, FileUse};
use cavra_rules::{Command, Git, Part, Spelling};

/// Asks something about a command line.
pub(crate) fn with_command<T>(line: &CommandLine, ask: impl FnOnce(&Command<'_>) -> T) -> T {
    let marked: Vec<Vec<(String, Vec<u32>)>> =
        line.parts.iter().map(|part| part.spellings.iter().map(|spelling| unmarked(spelling)).collect()).collect();
    let spellings: Vec<Vec<Spelling<'_>>> = marked
        .iter()
        .map(|of_part| of_part.iter().map(|(text, computed)| Spelling { text, computed }).collect())
        .collect();
    let parts: Vec<Part<'_>> = line
        .parts
        .iter()
        .zip(&spellings)
        .map(|(part, spellings)| Part { spellings, dequoted: &part.dequoted, implied: part.implied })
        .collect();
    let git: Vec<Git<'_>> = line
        .git
        .iter()
        .map(|operation| Git {
            operation: &operation.operation,
            branch: &operation.branch,
            branch_path: &operation.branch_path,
            is_push: operation.is_push,
            removes_branch: operation.removes_branch,
        })
        .collect();
    with_effects(&line.effects, |effects| {
        ask(&Command {
            text: &line.text,
            parts: &parts,
            reads: &line.reads,
            writes: &line.writes,
            git: &git,
            unresolved: line.unresolved.as_deref(),
            effects,
        })
    })
}

/// A spelling without the marks of what is computed, and where they stood.
fn unmarked(spelling: &str) -> (String, Vec<u32>) {
    let (mut text, mut computed) = (String::with_capacity(spelling.len()), Vec::new());
    for (index, stretch) in spelling.split(COMPUTED).enumerate() {
        if index > 0 {
            computed.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        text.push_str(stretch);
    }
    (text, computed)
}

fn with_effects<T>(effects: &Effects, ask: impl FnOnce(cavra_rules::Effects<'_>) -> T) -> T {
    let certainty: Vec<_> = effects.certainty.iter().map(|certainty| self::certainty(*certainty)).collect();
    let doubts: Vec<_> = effects
        .doubts
        .iter()
        .map(|doubt| cavra_rules::Doubt { part: doubt.part, word: &doubt.word, sentence: &doubt.sentence })
        .collect();
    let files: Vec<_> = effects
        .files
        .iter()
        .map(|file| cavra_rules::FileEffect {
            part: file.part,
            used: usage(file.usage),
            path: &file.path,
            tree: file.tree,
            pattern: file.pattern,
            place: place(file.place),
            why: &file.why,
        })
        .collect();
    let network: Vec<_> = effects
        .network
        .iter()
        .map(|network| cavra_rules::NetworkEffect {
            part: network.part,
            host: &network.host,
            port: network.port,
            writes: network.writes,
            carries: network.carries,
        })
        .collect();
    let runs: Vec<_> = effects
        .runs
        .iter()
        .map(|run| cavra_rules::RunEffect { part: run.part, kind: &run.kind, words: &run.words })
        .collect();
    let changes: Vec<_> = effects
        .changes
        .iter()
        .map(|change| cavra_rules::ChangeEffect {
            part: change.part,
            system: &change.system,
            operation: &change.operation,
            target: &change.target,
            loses_work: change.loses_work,
            reads_only: change.reads_only,
        })
        .collect();
    let environment: Vec<_> = effects
        .environment
        .iter()
        .map(|shown| cavra_rules::EnvironmentEffect { part: shown.part, name: &shown.name })
        .collect();
    ask(cavra_rules::Effects {
        certainty: &certainty,
        doubts: &doubts,
        files: &files,
        network: &network,
        runs: &runs,
        changes: &changes,
        environment: &environment,
        seen: effects.seen,
    })
}

const fn certainty(certainty: cavra_model::Certainty) -> cavra_rules::Certainty {
    match certainty {
        cavra_model::Certainty::Known => cavra_rules::Certainty::Known,
        cavra_model::Certainty::Bounded => cavra_rules::Certainty::Bounded,
        cavra_model::Certainty::Unknown => cavra_rules::Certainty::Unknown,
    }
}

const fn usage(usage: FileUse) -> cavra_rules::FileUse {
    match usage {
        FileUse::Lists => cavra_rules::FileUse::Lists,
        FileUse::Reads => cavra_rules::FileUse::Reads,
        FileUse::Writes => cavra_rules::FileUse::Writes,
        FileUse::Deletes => cavra_rules::FileUse::Deletes,
    }
}

const fn place(place: FilePlace) -> cavra_rules::Place {
    match place {
        FilePlace::Repository => cavra_rules::Place::Repository,
        FilePlace::Temporary => cavra_rules::Place::Temporary,
        FilePlace::Home => cavra_rules::Place::Home,
        FilePlace::System => cavra_rules::Place::System,
        FilePlace::Elsewhere => cavra_rules::Place::Elsewhere,
        FilePlace::Unknown => cavra_rules::Place::Unknown,
    }
}
