//! What a command line does, as far as its text and the facts at hand say: the files it touches, the hosts it reaches,
//! the code it runs, what it changes in version control and infrastructure, and how certain that is.
//!
//! Effects are made by the `cavra-normalize` crate and are part of the action, so that a recorded decision can be made
//! again from its record alone, without the disk that the effects were once looked up on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the list of a part's effects is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Every word is fixed text and explained; the list is complete up to what the code in [`Effects::runs`] does.
    Known,
    /// As [`Certainty::Known`], but a file is named by a set that contains it: a glob, a tree, the output of `find`.
    Bounded,
    /// Something is not explained. The effects that were found still count for stricter rules.
    #[default]
    Unknown,
}

/// Where a file lies, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilePlace {
    /// Below a root of the repository; its path is relative to that root.
    Repository,
    /// Below a folder for temporary files.
    Temporary,
    /// Below the user's home directory.
    Home,
    /// In a folder of the operating system, such as `/etc` or `/usr`.
    System,
    /// Anywhere else.
    Elsewhere,
    /// The directory that the name is relative to is not known.
    Unknown,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileUse {
    /// Its name, size or existence is shown; not its content.
    Lists,
    /// Its content is read.
    Reads,
    /// It is created or changed.
    Writes,
    /// It is removed.
    Deletes,
}

/// One file, or one set of files, that a part touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileEffect {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// What is done with it.
    #[serde(rename = "use")]
    pub usage: FileUse,
    /// Clean path: relative to the repository inside of it, absolute elsewhere. With [`FileEffect::pattern`] a glob.
    pub path: String,
    /// The folder and everything below it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tree: bool,
    /// The path is a glob, of which `**` stands for any number of folders.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pattern: bool,
    /// Where it lies.
    pub place: FilePlace,
    /// Which word says so, for people: "operand of `cat`".
    pub why: String,
}

/// One host that a part reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkEffect {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// Host name or address; `git-remote` for a configured remote, `registry` for a package registry, `?` if computed.
    pub host: String,
    /// The port, if the text names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Something is changed there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub writes: bool,
    /// The content of a file, or the output of another command, is sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub carries: bool,
    /// Which word says so, for people.
    pub why: String,
}

/// Code that a part runs beyond the program itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunEffect {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// An open set: `project_test`, `project_lint`, `project_build`, `project_script`, `project_task`, `project_hook`,
    /// `script`; and those that are never allowed by effects: `inline`, `package`, `install`, `remote`, `privilege`,
    /// `program`, `server`, `permission`.
    pub kind: String,
    /// What is run, then its arguments. The first is the name by which it is known: `cargo test`, the name of a
    /// package script or task, the path of a script, the language of inline code.
    pub words: Vec<String>,
    /// Which word says so, for people.
    pub why: String,
}

/// A reading or a change of a system that is no file: version control, a code host, containers, processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeEffect {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// `git`, `gh`, `docker`, `kubectl`, `terraform`, `process`, `database` and so on.
    pub system: String,
    /// What is done: `read`, `commit`, `push`, `compose up`.
    pub operation: String,
    /// What it is done to, such as a branch; empty if nothing is named. `HEAD` is the branch that is checked out where
    /// that is not known. Of a fetch, a name that is no branch of a configured remote: work of somebody else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// Work can be lost that cannot be had back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub loses_work: bool,
    /// Nothing is changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reads_only: bool,
    /// Which word says so, for people.
    pub why: String,
}

/// A variable of the environment that a part shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentEffect {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// Name of the variable; `*` for all of them.
    pub name: String,
    /// Which word says so, for people.
    pub why: String,
}

/// Why the effects of a part are not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doubt {
    /// Index into [`crate::CommandLine::parts`].
    pub part: u32,
    /// The word it is about, as written; may be empty.
    pub word: String,
    /// A sentence for people.
    pub sentence: String,
}

/// What a command line does.
///
/// `part` says which part an effect counts for: the one that would have to be allowed for it. Commands that run inside
/// of another one, such as that of `find -exec`, count for the outer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Effects {
    /// Digest of the table of commands that they were derived with: `sha256:…`.
    pub table: String,
    /// One per part. An implied part that no effect counts for is [`Certainty::Known`]; one with effects is judged by them.
    pub certainty: Vec<Certainty>,
    /// Why parts are unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
    /// Files that are touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEffect>,
    /// Hosts that are reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkEffect>,
    /// Code that is run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunEffect>,
    /// Systems that are read or changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeEffect>,
    /// Variables of the environment that are shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<EnvironmentEffect>,
    /// Links, trees and globs were looked up on a disk.
    pub seen: bool,
}

impl Effects {
    /// How certain the effects of a part are. A part that nothing is said about is not known.
    #[must_use]
    pub fn certainty_of(&self, part: usize) -> Certainty {
        self.certainty.get(part).copied().unwrap_or_default()
    }

    /// Every part's list is complete.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.certainty.is_empty() && self.certainty.iter().all(|certainty| *certainty != Certainty::Unknown)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Folders of the root that hold home directories.
const HOMES: [&str; 3] = ["home", "Users", "root"];

impl FilePlace {
    /// Where a clean path lies as far as its text tells: what is relative lies in the repository unless it leaves it.
    #[must_use]
    pub fn of_clean_path(path: &str) -> Self {
        let below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        if path.starts_with("../") || path == ".." {
            Self::Elsewhere
        } else if path.starts_with('~') || path.split('/').nth(1).is_some_and(|folder| HOMES.contains(&folder)) {
            Self::Home
        } else if !path.starts_with('/') {
            Self::Repository
        } else if below(&["/tmp/", "/var/tmp/"]) {
            Self::Temporary
        } else if below(&[
            "/etc/", "/usr/", "/bin/", "/sbin/", "/lib", "/boot/", "/dev/", "/proc/", "/sys/", "/System/",
        ]) {
            Self::System
        } else {
            Self::Elsewhere
        }
    }
}
