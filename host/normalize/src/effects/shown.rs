//! Effects as short texts: how tests of rows and corpora write them.

use cavra_model::{Effects, FileEffect, FileUse};

/// What a command line does, as tests of rows and corpora write it; `docs/commands.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Files whose names are shown; `a/**` is a folder with all below.
    pub lists: Vec<String>,
    /// Files that are read.
    pub reads: Vec<String>,
    /// Files that are written.
    pub writes: Vec<String>,
    /// Files that are removed.
    pub deletes: Vec<String>,
    /// `host`, `host:port`, or `host:write`.
    pub network: Vec<String>,
    /// `kind:name`.
    pub runs: Vec<String>,
    /// `system operation`; of a push also the branch.
    pub changes: Vec<String>,
    /// Names of variables that are shown.
    pub environment: Vec<String>,
}

impl Shown {
    /// The effects of a command line.
    #[must_use]
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
            runs: unique(
                effects.runs.iter().map(|run| format!("{}:{}", run.kind, run.words.first().map_or("", String::as_str))),
            ),
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
