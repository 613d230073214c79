//! What commands of git do: paths they read and write, branches they push, work they may lose.

use cavra_model::FileUse;

use super::refs::{Operand, pathspec};
use crate::effects::collect::Change;
use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::state::{Directory, State};
use crate::effects::words::{Arg, Shape};
use crate::effects::{Engine, paths};
use crate::git::is_harmless_setting;

/// Commands that run hooks of the repository.
const RUN_HOOKS: [&str; 8] = ["commit", "push", "merge", "pull", "revert", "cherry-pick", "rebase", "switch"];

/// Settings that are read by any command, by those that show differences, that look at files, that speak to others.
const USED_BY: [(&str, &[&str]); 9] = [
    ("core.fsmonitor", &[]),
    ("core.hookspath", &["commit", "push", "merge", "pull", "checkout", "switch", "rebase", "cherry-pick", "revert"]),
    ("core.sshcommand", &["fetch", "pull", "push", "clone", "ls-remote"]),
    ("credential.", &["fetch", "pull", "push", "clone", "ls-remote"]),
    ("remote.", &["fetch", "pull", "push", "ls-remote"]),
    ("diff.", &["diff", "log", "show", "blame", "grep", "stash", "format-patch"]),
    (
        "filter.",
        &[
            "add",
            "checkout",
            "switch",
            "commit",
            "diff",
            "stash",
            "status",
            "merge",
            "pull",
            "reset",
            "restore",
            "rebase",
            "cherry-pick",
            "revert",
            "rm",
        ],
    ),
    ("merge.", &["merge", "pull", "rebase", "cherry-pick", "revert"]),
    ("gpg.", &["commit", "tag", "merge", "log", "show", "push"]),
];

/// Settings whose value is a program, but which no command here uses without a terminal.
const UNUSED: [&str; 8] =
    ["core.pager", "pager.", "core.editor", "sequence.editor", "alias.", "difftool.", "mergetool.", "web.browser"];

impl Engine<'_> {
    pub(in crate::effects) fn git(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        let command = parsed.subcommands.first()?;
        self.settings(parsed);
        self.repository(command, state);
        if RUN_HOOKS.contains(&command.as_str()) {
            self.hooks();
        }
        if command == "rebase" && parsed.has(&["i"]) {
            self.out.doubt("git rebase -i", "an editor is started");
        }
        match command.as_str() {
            "diff" | "log" | "show" | "blame" | "annotate" | "shortlog" | "whatchanged" | "diff-tree"
            | "diff-index" | "diff-files" | "cat-file" => self.looks(command, parsed, state),
            "grep" => self.git_grep(parsed, state),
            "add" | "stage" => self.add(parsed, state),
            "commit" => self.commit(parsed, state),
            "checkout" => self.checkout(parsed, state),
            "switch" => self.switch(parsed),
            "restore" => self.restore(parsed, state),
            "reset" => self.reset(parsed),
            "stash" => self.stash(parsed),
            "branch" => self.branch(parsed),
            "tag" => self.tag(parsed),
            "push" => self.push(parsed, state),
            "fetch" | "pull" => self.fetch(command, parsed),
            "clone" => self.clone_repository(parsed, state),
            "config" => self.config(parsed, state),
            "worktree" => self.worktree(parsed, state),
            "remote" => self.remote(parsed),
            "clean" => self.clean(parsed, state),
            "rm" => self.remove(parsed, state),
            "mv" => self.changes("index", ""),
            "format-patch" => self.patches(parsed, state),
            _ => {}
        }
        None
    }

    fn change(&mut self, operation: &str, target: &str, loses_work: bool) {
        let change = Change { system: "git", operation, target, loses_work, reads_only: false };
        self.out.change(change, &format!("`git {operation}`"));
    }

    fn changes(&mut self, operation: &str, target: &str) {
        self.change(operation, target, false);
    }

    fn loses(&mut self, operation: &str, target: &str) {
        self.change(operation, target, true);
    }

    fn observes(&mut self) {
        let change = Change { system: "git", operation: "read", reads_only: true, ..Change::default() };
        self.out.change(change, "`git`");
    }

    fn hooks(&mut self) {
        self.out.run("project_hook", vec!["git".to_owned()], "hooks of the repository");
    }

    /// Settings given with `-c`.
    fn settings(&mut self, parsed: &Parsed<'_>) {
        for setting in parsed.values_of(&["c"]) {
            let harmless = setting.text.split_once('=').is_some_and(|(key, _)| is_harmless_setting(key));
            if harmless {
                continue;
            }
            self.out.doubt(setting.shown(), "this setting may change what git runs");
            if let Some((_, value)) = setting.text.split_once('=') {
                let text = value.strip_prefix('!');
                match text {
                    Some(_) => self.out.run("inline", vec!["shell".to_owned()], "a setting of git"),
                    None => {
                        let shown =
                            self.shown_path(&Arg::fixed(value), &State::in_directory(paths::root(self.surroundings)));
                        self.out.run("script", vec![shown], "a setting of git");
                    }
                }
            }
        }
    }

    /// Whether git finds the project's own repository, and which programs its settings name.
    fn repository(&mut self, command: &str, state: &State) {
        let Directory::Known { path, pattern: false } = &state.directory else {
            return self.out.doubt("git", "which repository git finds is not known");
        };
        let Some(disk) = self.surroundings.disk else {
            if state.moved {
                self.out.doubt("git", "whether another repository lies there cannot be told without a disk");
            }
            return;
        };
        let Some(facts) = disk.git(path) else {
            return self.out.doubt("git", "what git would do there cannot be told");
        };
        if !facts.own {
            self.out.doubt("git", "the repository that git finds there is not the project's own");
        }
        for setting in &facts.programs {
            let key = setting.split('=').next().unwrap_or(setting).to_ascii_lowercase();
            if UNUSED.iter().any(|unused| key.starts_with(unused)) {
                continue;
            }
            let known = USED_BY.iter().find(|(beginning, _)| key.starts_with(beginning));
            let is_used = known.is_none_or(|(_, commands)| commands.is_empty() || commands.contains(&command));
            if is_used {
                self.out.doubt(&key, "this setting of the repository names a program that git runs");
                if let Some((_, value)) = setting.split_once('=') {
                    let shown = self.shown_path(&Arg::fixed(value), state);
                    self.out.run("script", vec![shown], "a setting of the repository");
                }
            }
        }
    }

    /// Paths behind `--`, and those in front that are no revisions.
    fn paths_of(&self, parsed: &Parsed<'_>, state: &State, skip: usize) -> Vec<Arg> {
        let mut found = Vec::new();
        for (index, arg) in parsed.operands.iter().enumerate().skip(skip) {
            if index >= parsed.before_dashes && parsed.has_dashes {
                if let Some(path) = self.pathspec(arg) {
                    found.push(path);
                }
                continue;
            }
            match self.operand_of_git(arg, state) {
                Operand::Path(path) => found.push(path),
                Operand::Inside(path) => found.push(self.inside(&path, state)),
                Operand::Revision | Operand::Excluded => {}
            }
        }
        found
    }

    fn reads_paths(&mut self, paths: &[Arg], why: &str, state: &State) {
        for path in paths {
            self.named(FileUse::Reads, path, false, why, state);
        }
    }

    fn looks(&mut self, command: &str, parsed: &Parsed<'_>, state: &State) {
        self.observes();
        let why = format!("operand of `git {command}`");
        if parsed.has(&["--no-index"]) {
            for arg in &parsed.operands {
                self.named(FileUse::Reads, arg, false, &why, state);
            }
            return;
        }
        let paths = self.paths_of(parsed, state, 0);
        self.reads_paths(&paths, &why, state);
        for range in parsed.values_of(&["L"]) {
            // `START,END:FILE` and `:FUNCTION:FILE`.
            if let Some(at) = range.text.rfind(':') {
                self.named(FileUse::Reads, &range.behind(at + 1), false, &why, state);
            }
        }
    }

    fn git_grep(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.observes();
        let skip = usize::from(!parsed.has(&["e", "f"]));
        let paths = self.paths_of(parsed, state, skip);
        if paths.is_empty() {
            self.tree(FileUse::Reads, &Arg::fixed("."), "`git grep`", state);
        }
        self.reads_paths(&paths, "operand of `git grep`", state);
    }

    fn add(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.changes("index", "");
        for arg in &parsed.operands {
            if let Some(path) = self.pathspec(arg) {
                self.named(FileUse::Reads, &path, false, "operand of `git add`", state);
            }
        }
    }

    fn commit(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.changes("commit", "");
        let has_message = ["m", "F", "C", "--no-edit", "--fixup", "--dry-run", "--allow-empty-message"];
        if !parsed.has(&has_message) {
            self.out.doubt("git commit", "without a message an editor is started");
        }
        if parsed.has(&["--amend"]) {
            self.changes("amend", "");
        }
        if parsed.has(&["n"]) {
            self.changes("no-verify", "");
        }
        for arg in &parsed.operands {
            self.named(FileUse::Reads, &pathspec(arg), false, "operand of `git commit`", state);
        }
    }

    fn checkout(&mut self, parsed: &Parsed<'_>, state: &State) {
        let creates = parsed.values_of(&["b", "B", "--orphan"]).next().map(|arg| arg.text.clone());
        if let Some(branch) = creates {
            self.changes("branch-create", &branch);
            self.changes("checkout", "");
            return self.hooks();
        }
        let paths = self.paths_of(parsed, state, 0);
        if paths.is_empty() && !parsed.has_dashes && !parsed.has(&["p"]) {
            self.hooks();
            self.change("checkout", "", parsed.has(&["f", "m"]));
            return;
        }
        self.discard(&paths, state);
    }

    fn discard(&mut self, paths: &[Arg], state: &State) {
        self.loses("discard", "");
        for path in paths {
            self.named(FileUse::Writes, path, false, "a path that is restored", state);
        }
    }

    fn switch(&mut self, parsed: &Parsed<'_>) {
        let created = parsed.values_of(&["c", "C", "--orphan"]).next().map(|arg| arg.text.clone());
        if let Some(branch) = created {
            self.changes("branch-create", &branch);
        }
        self.change("checkout", "", parsed.has(&["f", "--discard-changes", "m"]));
    }

    fn restore(&mut self, parsed: &Parsed<'_>, state: &State) {
        if parsed.has(&["S"]) && !parsed.has(&["W"]) {
            return self.changes("index", "");
        }
        let paths: Vec<Arg> = parsed.operands.iter().map(pathspec).collect();
        self.discard(&paths, state);
    }

    fn reset(&mut self, parsed: &Parsed<'_>) {
        if parsed.has(&["--hard", "--merge", "--keep"]) {
            self.loses("reset-hard", "");
        } else {
            self.changes("reset", "");
        }
    }

    fn stash(&mut self, parsed: &Parsed<'_>) {
        match parsed.subcommands.get(1).map_or("push", String::as_str) {
            "list" | "show" => self.observes(),
            operation @ ("drop" | "clear") => self.loses(&format!("stash {operation}"), ""),
            operation => self.changes(&format!("stash {operation}"), ""),
        }
    }

    fn branch(&mut self, parsed: &Parsed<'_>) {
        let names: Vec<String> = parsed.operands.iter().map(|arg| arg.text.clone()).collect();
        if parsed.operands.iter().any(|arg| arg.literal().is_none()) && !parsed.has(&["l"]) {
            self.out.doubt("git branch", "which branch this is, is known only when the command runs");
        }
        let lists =
            ["a", "r", "l", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at", "--show-current"];
        if parsed.has(&["d", "D"]) {
            for name in &names {
                self.change("branch-delete", name, parsed.has(&["D", "f"]));
            }
        } else if parsed.has(&["m", "M"]) {
            names.iter().for_each(|name| self.changes("branch-rename", name));
        } else if parsed.has(&["u", "--unset-upstream"]) {
            self.changes("branch-upstream", "");
        } else if names.is_empty() || parsed.has(&lists) {
            self.observes();
        } else {
            let loses = parsed.has(&["f"]);
            self.change("branch-create", names.first().map_or("", String::as_str), loses);
        }
    }

    fn tag(&mut self, parsed: &Parsed<'_>) {
        let name = parsed.operands.first().map_or("", |arg| arg.text.as_str());
        if parsed.has(&["d"]) {
            self.loses("tag-delete", name);
        } else if parsed.operands.is_empty() || parsed.has(&["l", "--contains", "--merged", "--points-at"]) {
            self.observes();
        } else {
            self.change("tag", name, parsed.has(&["f"]));
        }
    }

    fn remote_host(&mut self, remote: Option<&Arg>, writes: bool) -> bool {
        let text = remote.map_or("", |arg| arg.text.as_str());
        let is_address = text.contains("://") || text.contains(':') || text.starts_with(['/', '.', '\u{2}']);
        if text.contains("::") {
            self.out.run("inline", vec!["shell".to_owned()], "a remote that names a program");
            self.out.doubt(text, "a remote that names a program");
        } else if text.contains("://") {
            let remote = remote.cloned().unwrap_or_else(Arg::any);
            self.url(&remote, writes, writes, "a remote");
        } else if let Some((host, _)) = text.split_once(':').filter(|_| is_address) {
            let host = host.rsplit('@').next().unwrap_or(host);
            self.out.network(host, None, writes, writes, "a remote");
        } else if is_address {
            self.out.doubt(text, "a remote that is a folder");
        } else {
            self.out.network("git-remote", None, writes, false, "the remote");
        }
        if remote.is_some_and(|arg| arg.literal().is_none()) {
            self.out.doubt(text, "which remote this is, is known only when the command runs");
        }
        is_address
    }

    fn fetch(&mut self, command: &str, parsed: &Parsed<'_>) {
        let remote = parsed.operands.first();
        let foreign = self.remote_host(remote, false);
        // Work of somebody else, under a name that is no branch of the remote.
        let request = parsed.operands.iter().skip(1).find(|arg| {
            let text = arg.text.trim_start_matches('+');
            ["pull/", "refs/pull/", "merge-requests/", "refs/merge-requests/"]
                .iter()
                .any(|known| text.starts_with(known))
        });
        let target = request.or_else(|| remote.filter(|_| foreign)).map_or("", |arg| arg.text.as_str()).to_owned();
        self.changes(command, &target);
    }

    fn push(&mut self, parsed: &Parsed<'_>, state: &State) {
        let remote = parsed.operands.first().or_else(|| parsed.values_of(&["--repo"]).next());
        self.remote_host(remote, true);
        let mut force = parsed.has(&["f", "--force-with-lease", "--mirror"]);
        if parsed.has(&["--no-verify"]) {
            self.changes("no-verify", "");
        }
        if parsed.has(&["--all", "--mirror"]) {
            self.changes("push", "*");
        }
        let refspecs = parsed.operands.get(1..).unwrap_or_default();
        let mut is_tag = false;
        for refspec in refspecs {
            let Some(text) = refspec.literal() else {
                self.out.doubt(refspec.shown(), "which branch is pushed is known only when the command runs");
                continue;
            };
            if text == "tag" {
                is_tag = true;
                continue;
            }
            if std::mem::take(&mut is_tag) {
                self.changes("push", "tags");
                continue;
            }
            let bare = text.trim_start_matches('+');
            force |= bare.len() < text.len();
            let (source, target) = bare.split_once(':').unwrap_or((bare, bare));
            let target = target.strip_prefix("refs/heads/").unwrap_or(target);
            if parsed.has(&["d"]) || (source.is_empty() && !target.is_empty()) {
                self.loses("push-delete", target);
            } else if bare == ":" || target.contains('*') {
                self.changes("push", "*");
            } else if target == "HEAD" || target == "@" {
                self.push_head(state);
            } else {
                self.changes("push", target);
            }
        }
        if refspecs.is_empty() && !parsed.has(&["--all", "--mirror"]) {
            if parsed.has(&["--tags"]) {
                self.changes("push", "tags");
            } else {
                self.push_head(state);
            }
        }
        if force {
            self.loses("push-force", "");
        }
    }

    /// The branch that is checked out.
    fn push_head(&mut self, state: &State) {
        let branch = match (&state.directory, self.surroundings.disk) {
            (Directory::Known { path, pattern: false }, Some(disk)) => disk.head(path),
            _ => None,
        };
        self.changes("push", branch.as_deref().unwrap_or("HEAD"));
        self.checked_out.extend(branch);
    }

    fn clone_repository(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.remote_host(parsed.operands.first(), false);
        self.changes("clone", "");
        let named = parsed.operands.get(1).cloned();
        let derived = parsed.operands.first().and_then(Arg::literal).map(|address| {
            let name = address.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(address);
            Arg::fixed(name.strip_suffix(".git").unwrap_or(name))
        });
        match named.or(derived) {
            Some(folder) => self.named(FileUse::Writes, &folder, true, "folder of `git clone`", state),
            None => self.out.doubt("git clone", "which folder is written is not known"),
        }
    }

    fn config(&mut self, parsed: &Parsed<'_>, state: &State) {
        let operands: Vec<&Arg> = parsed.operands.iter().collect();
        let reads = parsed.has(&[
            "--get",
            "--get-all",
            "--get-regexp",
            "l",
            "--get-urlmatch",
            "--get-color",
            "--get-colorbool",
        ]);
        let first = operands.first().map_or("", |arg| arg.text.as_str());
        let is_verb = matches!(first, "get" | "list");
        if reads
            || is_verb
            || (operands.len() == 1 && !parsed.has(&["--unset", "--unset-all", "--add", "--remove-section", "e"]))
        {
            return self.observes();
        }
        let key =
            if matches!(first, "set" | "unset") { operands.get(1).map_or("", |arg| arg.text.as_str()) } else { first };
        self.changes(&format!("config {key}"), key);
        if parsed.has(&["--global"]) {
            self.named(
                FileUse::Writes,
                &Arg::fixed(format!("{}/.gitconfig", paths::home(self.surroundings))),
                false,
                "`git config --global`",
                state,
            );
        } else if parsed.has(&["--system"]) {
            self.named(FileUse::Writes, &Arg::fixed("/etc/gitconfig"), false, "`git config --system`", state);
        }
        if parsed.has(&["e"]) {
            self.out.doubt("git config", "an editor is started");
        }
    }

    fn worktree(&mut self, parsed: &Parsed<'_>, state: &State) {
        match parsed.subcommands.get(1).map_or("", String::as_str) {
            "list" => self.observes(),
            "add" => {
                self.changes("worktree-add", "");
                if let Some(folder) = parsed.operands.first() {
                    self.named(FileUse::Writes, folder, true, "folder of `git worktree add`", state);
                }
            }
            operation => self.loses(&format!("worktree-{operation}"), ""),
        }
    }

    fn remote(&mut self, parsed: &Parsed<'_>) {
        match parsed.subcommands.get(1).map(String::as_str) {
            None | Some("get-url") => self.observes(),
            Some("show" | "prune" | "update") => {
                self.observes();
                self.out.network("git-remote", None, false, false, "the remote");
            }
            Some(operation) => self.changes(&format!("remote-{operation}"), ""),
        }
    }

    fn clean(&mut self, parsed: &Parsed<'_>, state: &State) {
        if parsed.has(&["n"]) {
            return self.observes();
        }
        self.loses("clean", "");
        let here = [Arg::fixed(".")];
        let folders = if parsed.operands.is_empty() { here.as_slice() } else { parsed.operands.as_slice() };
        for folder in folders {
            self.named(FileUse::Deletes, folder, true, "`git clean`", state);
        }
    }

    fn remove(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.changes("index", "");
        if !parsed.has(&["--cached", "n"]) {
            for arg in &parsed.operands {
                self.named(FileUse::Deletes, &pathspec(arg), parsed.has(&["r"]), "operand of `git rm`", state);
            }
        }
    }

    fn patches(&mut self, parsed: &Parsed<'_>, state: &State) {
        self.changes("format-patch", "");
        if parsed.has(&["--stdout"]) {
            return;
        }
        let folder = parsed.values_of(&["o"]).next().cloned().unwrap_or_else(|| Arg::fixed("."));
        match folder.literal() {
            Some(text) => {
                let text = format!("{}/*", text.trim_end_matches('/'));
                self.named(FileUse::Writes, &Arg { text, shape: Shape::Glob }, false, "patches", state);
            }
            None => self.out.doubt(folder.shown(), "where patches are written is known only when the command runs"),
        }
    }
}
