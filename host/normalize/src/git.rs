//! Version-control operations: from a name and a target, and from a `git` command. docs/reference/decisions-and-policy.md, section 4.3.

use cavra_model::GitOperation;

/// Describes an operation: which branch it is about, and whether it pushes or removes it.
///
/// The branch is the last word of the target, after the last `:`, without a leading `+` and without `refs/heads/`;
/// its last `/` segment is [`GitOperation::branch`]. Never fails; a target without words has no branch.
#[must_use]
pub fn git_operation(operation: &str, target: &str) -> GitOperation {
    let word = target.split_whitespace().next_back().unwrap_or_default().trim_end_matches([':', '/']);
    let destination = word.rsplit(':').next().unwrap_or(word);
    let destination = destination.trim_start_matches('+');
    let branch_path = destination.strip_prefix("refs/heads/").unwrap_or(destination);
    let branch = branch_path.rsplit('/').next().unwrap_or(branch_path);
    let words = words_of(operation);
    let has_word = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    GitOperation {
        operation: operation.to_owned(),
        target: target.to_owned(),
        branch: branch.to_owned(),
        branch_path: branch_path.to_owned(),
        is_push: has_word(&["push"]),
        removes_branch: has_word(&["branch", "branches"])
            && has_word(&[
                "delete", "deleted", "remove", "removed", "rename", "renamed", "move", "drop", "del", "rm", "d", "m",
            ]),
    }
}

/// The words of an operation's name in lower case: `force.push`, `pushForce` and `FORCE_PUSH` all have `push`.
pub(crate) fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before: [Option<char>; 2] = [None; 2];
    for c in name.chars() {
        let [earlier, last] = before;
        let is_capital = |c: Option<char>| c.is_some_and(char::is_uppercase);
        // `deleteBranch`, and `GITPush`, where the last capital belongs to what follows.
        if !c.is_alphabetic() || (c.is_uppercase() && last.is_some_and(char::is_lowercase)) {
            words.push(String::new());
        } else if c.is_lowercase() && is_capital(last) && is_capital(earlier) {
            let capital = words.last_mut().and_then(String::pop);
            words.push(capital.into_iter().collect());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
        before = [last, Some(c)];
    }
    words.retain(|word| !word.is_empty());
    words
}

/// More branches than this in one operation are as good as all.
const MOST_BRANCHES: usize = 64;

/// What else a push, a deletion or a renaming may be about: every branch that the words of its target can name, not
/// only the one the contract derives. For more rules to apply, never fewer.
///
/// Quotes and options are dropped; both sides of `:` count where branches are removed; all branches at once (`--all`,
/// `--mirror`, `:`, `*`) include `main`, as they do in a command.
#[must_use]
pub fn further_operations(operation: &GitOperation) -> Vec<GitOperation> {
    if !(operation.is_push || operation.removes_branch) {
        return Vec::new();
    }
    let about = |branch: &str| {
        let target = operation.target.clone();
        GitOperation { target, ..git_operation(&operation.operation, branch) }
    };
    let text: String = operation.target.chars().filter(|c| !matches!(c, '"' | '\'' | '`' | '\\')).collect();
    let text = text.replace("->", " ");
    let mut further: Vec<GitOperation> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
        for branch in branches(word, operation.removes_branch) {
            let candidate = about(branch);
            if candidate != *operation && !further.contains(&candidate) {
                further.push(candidate);
            }
        }
        if further.len() > MOST_BRANCHES {
            return vec![about(ANY_BRANCH)];
        }
    }
    further
}

/// A branch that is always protected stands for all of them.
const ANY_BRANCH: &str = "main";

/// The branches that one word of a target may name.
fn branches(word: &str, removes: bool) -> Vec<&str> {
    let all = ["--all", "--branches", "--mirror"].iter().any(|option| is_option(word, option));
    let bare = word.trim_start_matches('+');
    if all || bare == ":" || bare.contains('*') {
        vec![ANY_BRANCH]
    } else if word.starts_with('-') || is_address(word) {
        Vec::new()
    } else if removes {
        bare.split(':').filter(|side| !side.is_empty()).collect()
    } else {
        vec![bare]
    }
}

/// A remote as an address: its last part is a repository's name and no branch.
fn is_address(word: &str) -> bool {
    word.contains("://") || word.split_once(':').is_some_and(|(host, _)| host.contains('@'))
}

/// What a `git` command amounts to.
#[derive(Debug, Default)]
pub(crate) struct FromCommand {
    /// The operations that can be derived.
    pub operations: Vec<GitOperation>,
    /// A command that git is told to run.
    pub alias: Option<String>,
    /// Why the operation cannot be told from the text.
    pub unresolved: Option<&'static str>,
}

impl FromCommand {
    fn unclear(reason: &'static str) -> Self {
        Self { unresolved: Some(reason), ..Self::default() }
    }
}

/// Options before the subcommand that take the next word as value.
const GLOBAL_VALUES: [&str; 6] = ["-C", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--attr-source"];

/// Options before the subcommand without effect on what it does.
const GLOBAL_FLAGS: [&str; 16] = [
    "-p",
    "--paginate",
    "-P",
    "--no-pager",
    "--no-replace-objects",
    "--bare",
    "--literal-pathspecs",
    "--glob-pathspecs",
    "--noglob-pathspecs",
    "--icase-pathspecs",
    "--no-optional-locks",
    "--no-lazy-fetch",
    "--no-advice",
    "--version",
    "--help",
    "--html-path",
];

/// Settings given with `-c` that cannot change what a subcommand means.
const HARMLESS_SETTINGS: [&str; 8] = [
    "user.name",
    "user.email",
    "core.quotepath",
    "commit.gpgsign",
    "tag.gpgsign",
    "init.defaultbranch",
    "color.ui",
    "advice.detachedhead",
];

/// True for a setting that cannot change what a subcommand means.
pub(crate) fn is_harmless_setting(key: &str) -> bool {
    HARMLESS_SETTINGS.contains(&key.to_ascii_lowercase().as_str())
}

/// Looks at the words after `git`. `None` stands for a word that is not fixed text.
pub(crate) fn from_command(words: &[Option<String>]) -> FromCommand {
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let Some(word) = word.as_deref() else {
            return FromCommand::unclear("the subcommand of git is not fixed text");
        };
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        if GLOBAL_FLAGS.contains(&word) || (name != word && GLOBAL_VALUES.contains(&name)) {
            index += 1;
        } else if GLOBAL_VALUES.contains(&word) {
            index += 2;
        } else if word == "-c" {
            let setting = words.get(index + 1).and_then(Option::as_deref).unwrap_or_default();
            if let Some(outcome) = setting_outcome(setting) {
                return outcome;
            }
            index += 2;
        } else if word.starts_with('-') {
            return FromCommand::unclear("an option of git that is not known");
        } else {
            break;
        }
    }
    let arguments = words.get(index + 1..).unwrap_or_default();
    match words.get(index).and_then(Option::as_deref) {
        Some("push" | "send-pack") => push(arguments),
        Some("branch") => branch(arguments),
        Some("bisect" | "submodule" | "rebase" | "filter-branch" | "difftool" | "mergetool") => {
            FromCommand { alias: inner_command(arguments), ..FromCommand::default() }
        }
        _ => FromCommand::default(),
    }
}

/// `None` if a setting given with `-c` is harmless.
fn setting_outcome(setting: &str) -> Option<FromCommand> {
    let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
    let key = key.to_ascii_lowercase();
    if HARMLESS_SETTINGS.contains(&key.as_str()) {
        return None;
    }
    // `alias.x=!command`, and the many settings whose value is a command.
    let mut outcome = FromCommand::unclear("a git setting that can change what the command does");
    outcome.alias = Some(match value.strip_prefix('!') {
        Some(command) => command.to_owned(),
        None if key.starts_with("alias.") => format!("git {value}"),
        None => value.to_owned(),
    });
    Some(outcome)
}

/// The command in `bisect run …`, `submodule foreach …` and `rebase --exec …`.
fn inner_command(arguments: &[Option<String>]) -> Option<String> {
    let starts = ["run", "foreach", "--exec", "-x", "--recursive"];
    let texts: Vec<&str> = arguments.iter().filter_map(Option::as_deref).collect();
    if let Some(text) = texts.iter().find_map(|text| text.strip_prefix("--exec=").or(text.strip_prefix("-x "))) {
        return Some(text.to_owned());
    }
    let start = texts.iter().rposition(|text| starts.contains(text))?;
    texts.get(start + 1..).map(|rest| rest.join(" "))
}

/// True for a long option or a beginning of it, which git accepts too.
fn is_option(word: &str, option: &str) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    name.len() >= 4 && option.starts_with(name)
}

fn push(arguments: &[Option<String>]) -> FromCommand {
    let mut operands = Vec::new();
    let (mut all, mut delete, mut only_operands) = (false, false, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(word) = word.as_deref() else {
            return FromCommand::unclear("a remote or branch that is not fixed text");
        };
        if only_operands || !word.starts_with('-') {
            operands.push(word);
        } else if word == "--" {
            only_operands = true;
        } else if word.starts_with("--") {
            all |= ["--all", "--branches", "--mirror"].iter().any(|option| is_option(word, option));
            delete |= is_option(word, "--delete");
            let takes_value = ["--repo", "--receive-pack", "--exec", "--push-option"];
            if !word.contains('=') && takes_value.iter().any(|option| is_option(word, option)) {
                words.next();
            }
        } else {
            delete |= word.contains('d');
            if word.ends_with('o') {
                words.next();
            }
        }
    }
    let remote = operands.first().copied().unwrap_or_default();
    let mut operations = Vec::new();
    if all {
        operations.push(push_of_all(remote));
    }
    let mut refspecs = operands.iter().skip(1).copied();
    while let Some(refspec) = refspecs.next() {
        if refspec == "tag" {
            refspecs.next();
            continue;
        }
        let target = format!("{remote} {refspec}");
        let bare = refspec.trim_start_matches('+');
        operations.push(if bare == ":" || bare.contains('*') {
            push_of_all(remote)
        } else if delete || bare.starts_with(':') {
            git_operation("delete_branch", &target)
        } else {
            git_operation("push", &target)
        });
    }
    FromCommand { operations, ..FromCommand::default() }
}

/// A push of every branch includes the protected ones.
fn push_of_all(remote: &str) -> GitOperation {
    let target = format!("{remote} --all").trim_start().to_owned();
    GitOperation { target, ..git_operation("push", ANY_BRANCH) }
}

fn branch(arguments: &[Option<String>]) -> FromCommand {
    let mut operation = None;
    let mut names = Vec::new();
    let mut unclear = false;
    for word in arguments {
        let Some(word) = word.as_deref() else {
            unclear = true;
            continue;
        };
        if word.starts_with("--") {
            if is_option(word, "--delete") {
                operation = Some("delete_branch");
            } else if is_option(word, "--move") {
                operation = Some("rename_branch");
            }
        } else if let Some(letters) = word.strip_prefix('-') {
            if letters.contains(['d', 'D']) {
                operation = Some("delete_branch");
            } else if letters.contains(['m', 'M']) {
                operation = Some("rename_branch");
            }
        } else {
            names.push(word);
        }
    }
    match operation {
        Some(_) if unclear => FromCommand::unclear("a branch that is not fixed text"),
        Some(operation) => FromCommand {
            operations: names.into_iter().map(|name| git_operation(operation, name)).collect(),
            ..FromCommand::default()
        },
        None => FromCommand::default(),
    }
}
