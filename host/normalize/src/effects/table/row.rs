//! What a row says about a program. The build script makes statics of the built-in rows, policies bring rows of their own:
//! both are the same types, compiled by the same code (`source.rs`).

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;

/// A text, part of the binary or of a policy.
pub(crate) type Text = Cow<'static, str>;

/// A list, part of the binary or of a policy.
pub(crate) type List<T> = Cow<'static, [T]>;

/// What an argument means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// The meaning.
    pub kind: RoleKind,
    /// What narrows it: names below a folder, the kind of code.
    pub argument: Text,
}

/// The meanings of arguments. `docs/commands.md` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoleKind {
    /// A text without effect.
    Value,
    /// A file whose name or size is shown.
    Lists,
    /// A folder whose names are shown, with all below.
    ListsTree,
    /// A file that is read.
    Reads,
    /// A file or a folder that is read with all below.
    ReadsTree,
    /// A file, or of a folder the files that the argument names.
    ReadsBelow,
    /// A file that is read, or `@` and a file with further arguments.
    ReadsResponse,
    /// A file that is written.
    Writes,
    /// A folder in which anything may be written.
    WritesTree,
    /// A file that is read and written.
    Edits,
    /// As [`RoleKind::ReadsBelow`], written as well.
    EditsBelow,
    /// A file that is removed.
    Deletes,
    /// A file or folder that is removed with all below.
    DeletesTree,
    /// A file that gets another name.
    Moves,
    /// A name of which the last `X`s are replaced by letters that nobody knows beforehand; that file is written.
    Template,
    /// The directory in which the command works.
    Directory,
    /// An address that is reached.
    Url,
    /// A text that is sent, or `@` and a file whose content is sent.
    Data,
    /// A text, or `@` and a file with further arguments.
    Response,
    /// A text; if it is a path, what lies there is run or rules what is run.
    Project,
    /// A program in a language that is not analysed.
    Code,
    /// It and what follows is a command.
    Command,
    /// The name of something that is run.
    Run,
    /// The last operand of a copy.
    Destination,
    /// What a change is about.
    Target,
    /// An argument that makes the command unknown.
    Unknown,
    /// A revision or a path, as git tells them apart.
    Pathspec,
    /// A program that is run.
    Program,
}

/// What an option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// The rest of its word, or the next words.
    Values(List<Role>),
    /// The rest of its word, if there is any.
    Joined(List<Role>),
}

/// An operand, or several of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    /// What it means.
    pub role: Role,
    /// Any number of them.
    pub many: bool,
}

/// An effect that a command has whatever its arguments are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Does {
    /// The kind of effect.
    pub verb: Verb,
    /// Its words.
    pub text: Text,
}

/// Kinds of effects in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verb {
    /// Code is run: kind, then its name.
    Run,
    /// A host is reached; `write` behind it if something is changed there.
    Network,
    /// A system is looked at.
    Observe,
    /// A system is changed, in a way that can be undone.
    Change,
    /// A system is changed and work can be lost.
    Lose,
    /// A path is listed.
    Lists,
    /// A folder is listed.
    ListsTree,
    /// A folder is read.
    ReadsTree,
    /// A file is written.
    Writes,
    /// A folder is written.
    WritesTree,
    /// A folder is removed.
    DeletesTree,
    /// Variables of the environment are shown.
    Environment,
    /// What happens is not known, for this reason.
    Unknown,
}

/// What holds when an option is given.
#[derive(Clone, Debug)]
pub(crate) struct When {
    /// One of these options is given.
    pub given: List<Text>,
    /// None of these is.
    pub without: List<Text>,
    /// Operands instead of the usual ones.
    pub operands: Option<List<Operand>>,
    /// Further effects.
    pub does: List<Does>,
    /// Those effects replace the usual ones.
    pub instead: bool,
}

/// What is known about a program or a subcommand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// One-letter options: letter, key, value.
    pub letters: List<(char, Text, Takes)>,
    /// Other options, sorted by name.
    pub long: List<(Text, Text, Takes)>,
    /// Operands in order.
    pub operands: List<Operand>,
    /// Effects of every call.
    pub does: List<Does>,
    /// Effects of a call without operands.
    pub bare: List<Does>,
    /// Differences that options make.
    pub when: List<When>,
    /// Subcommands, sorted by name.
    pub subcommands: List<(Text, Inner)>,
    /// What an unknown subcommand is.
    pub otherwise: Option<Inner>,
    /// A parser for arguments that are a language of their own.
    pub analyser: Option<Analyser>,
    /// What words behind `--` are, if they are no operands.
    pub after: Option<Role>,
    /// The first operand ends the options.
    pub options_first: bool,
    /// Options have one dash and several letters.
    pub single_dash: bool,
    /// Its options are those of its subcommands too.
    pub inherits: bool,
    /// Arguments are texts without effect; there are no options.
    pub free: bool,
}

/// The row of a subcommand.
#[derive(Clone, Debug)]
pub(crate) enum Inner {
    /// A part of the binary.
    #[allow(dead_code, reason = "the build script names it in what it writes")]
    Built(&'static Row),
    /// A part of a policy.
    Read(Arc<Row>),
}

impl Deref for Inner {
    type Target = Row;

    fn deref(&self) -> &Row {
        match self {
            Self::Built(row) => row,
            Self::Read(row) => row,
        }
    }
}

/// Small parsers for arguments that are a language of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Analyser {
    /// Programs of awk.
    Awk,
    /// Changes of the directory.
    Cd,
    /// Addresses and data of curl and wget.
    Curl,
    /// Texts of the shell itself.
    Shell,
    /// Assignments of the shell and its environment.
    Declare,
    /// `key=value` operands of dd.
    Dd,
    /// Assignments in front of a command.
    Env,
    /// The end of the shell.
    Exit,
    /// Expressions of find.
    Find,
    /// Revisions, paths and branches of git.
    Git,
    /// Calls of the GitHub API.
    GhApi,
    /// Copies of repositories on GitHub.
    GhClone,
    /// Include and exclude options of searches.
    Grep,
    /// Interpreters: a script, or code.
    Interpreter,
    /// Filters of jq.
    Jq,
    /// Variables and targets of make.
    Make,
    /// File modes.
    Mode,
    /// Packages of go.
    Package,
    /// Programs that launch another one by name.
    Launch,
    /// Names from standard input.
    Read,
    /// Scripts of the project, by their names alone.
    Scripts,
    /// Scripts of sed.
    Sed,
    /// Bundled letters and members of tar.
    Tar,
    /// Operators of test.
    Test,
    /// Commands whose operands come from standard input.
    Xargs,
}
