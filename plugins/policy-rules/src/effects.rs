//! Effects of the world as effects of the rules, borrowed from it.

use cavra_rules::{
    Certainty, ChangeEffect, Doubt, Effects, EnvironmentEffect, FileEffect, FileUse, NetworkEffect, Place, RunEffect,
};

/// The lists that borrowed effects are made of.
pub(crate) struct Lists<'a> {
    certainty: Vec<Certainty>,
    doubts: Vec<Doubt<'a>>,
    files: Vec<FileEffect<'a>>,
    network: Vec<NetworkEffect<'a>>,
    runs: Vec<RunEffect<'a>>,
    changes: Vec<ChangeEffect<'a>>,
    environment: Vec<EnvironmentEffect<'a>>,
}

impl<'a> Lists<'a> {
    pub(crate) fn of(effects: &'a cavra_sdk::Effects) -> Self {
        Self {
            certainty: effects.certainty.iter().map(certainty).collect(),
            doubts: effects
                .doubts
                .iter()
                .map(|doubt| Doubt { part: doubt.part, word: &doubt.word, sentence: &doubt.sentence })
                .collect(),
            files: effects.files.iter().map(file).collect(),
            network: effects.network.iter().map(network).collect(),
            runs: effects
                .runs
                .iter()
                .map(|run| RunEffect { part: run.part, kind: &run.kind, words: &run.words })
                .collect(),
            changes: effects.changes.iter().map(change).collect(),
            environment: effects
                .environment
                .iter()
                .map(|shown| EnvironmentEffect { part: shown.part, name: &shown.name })
                .collect(),
        }
    }

    pub(crate) fn borrowed(&self, seen: bool) -> Effects<'_> {
        Effects {
            certainty: &self.certainty,
            doubts: &self.doubts,
            files: &self.files,
            network: &self.network,
            runs: &self.runs,
            changes: &self.changes,
            environment: &self.environment,
            seen,
        }
    }
}

const fn certainty(certainty: &cavra_sdk::Certainty) -> Certainty {
    match certainty {
        cavra_sdk::Certainty::Known => Certainty::Known,
        cavra_sdk::Certainty::Bounded => Certainty::Bounded,
        cavra_sdk::Certainty::Unknown => Certainty::Unknown,
    }
}

fn file(file: &cavra_sdk::FileEffect) -> FileEffect<'_> {
    FileEffect {
        part: file.part,
        used: match file.use_ {
            cavra_sdk::FileUse::Lists => FileUse::Lists,
            cavra_sdk::FileUse::Reads => FileUse::Reads,
            cavra_sdk::FileUse::Writes => FileUse::Writes,
            cavra_sdk::FileUse::Deletes => FileUse::Deletes,
        },
        path: &file.path,
        tree: file.tree,
        pattern: file.pattern,
        place: match file.place {
            cavra_sdk::Place::Repository => Place::Repository,
            cavra_sdk::Place::Temporary => Place::Temporary,
            cavra_sdk::Place::Home => Place::Home,
            cavra_sdk::Place::System => Place::System,
            cavra_sdk::Place::Elsewhere => Place::Elsewhere,
            cavra_sdk::Place::Unknown => Place::Unknown,
        },
        why: &file.why,
    }
}

fn network(network: &cavra_sdk::NetworkEffect) -> NetworkEffect<'_> {
    NetworkEffect {
        part: network.part,
        host: &network.host,
        port: network.port,
        writes: network.writes,
        carries: network.carries,
    }
}

fn change(change: &cavra_sdk::ChangeEffect) -> ChangeEffect<'_> {
    ChangeEffect {
        part: change.part,
        system: &change.system,
        operation: &change.operation,
        target: &change.target,
        loses_work: change.loses_work,
        reads_only: change.reads_only,
    }
}
