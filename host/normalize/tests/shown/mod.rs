//! Effects as short texts, for tests.
#![allow(dead_code, reason = "each test uses what it needs")]

use cavra_model::{Effects, FileEffect, FileUse};

/// What a command line does, as rows and corpora write it.
pub struct Shown {
    pub lists: Vec<String>,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub deletes: Vec<String>,
    pub network: Vec<String>,
    pub runs: Vec<String>,
    pub changes: Vec<String>,
    pub environment: Vec<String>,
}

impl Shown {
    pub fn of(effects: &Effects) -> Self {
        let files = |usage: FileUse| unique(effects.files.iter().filter(|file| file.usage == usage).map(path));
        let network = effects.network.iter().map(|reached| {
            let port = reached.port.map(|port| format!(":{port}")).unwrap_or_default();
            let writes = if reached.writes && reached.host != "git-remote" && port.is_empty() { ":write" } else { "" };
            format!("{}{port}{writes}", reached.host)
        });
        let changes = effects.changes.iter().map(|change| match change.operation.as_str() {
            "push" | "push-delete" => format!("{} {} {}", change.system, change.operation, change.target),
            operation => format!("{} {operation}", change.system),
        });
        Self {
            lists: files(FileUse::Lists),
            reads: files(FileUse::Reads),
            writes: files(FileUse::Writes),
            deletes: files(FileUse::Deletes),
            network: unique(network),
            runs: unique(effects.runs.iter().map(|run| format!("{}:{}", run.kind, run.words[0]))),
            changes: unique(changes),
            environment: unique(effects.environment.iter().map(|shown| shown.name.clone())),
        }
    }
}

fn path(file: &FileEffect) -> String {
    match (file.tree, file.path.as_str()) {
        (true, ".") => "**".to_owned(),
        (true, "/") => "/**".to_owned(),
        (true, path) => format!("{path}/**"),
        (false, path) => path.to_owned(),
    }
}

fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for text in texts {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    unique
}
