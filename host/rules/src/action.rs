//! What is judged, borrowed from whoever has it.

/// One normalised action.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Read the file at a clean path.
    ReadFile(&'a str),
    /// Write the file at a clean path.
    WriteFile(&'a str),
    /// Run a command line.
    Command(Command<'a>),
    /// A git operation.
    Git(Git<'a>),
    /// Call a tool of an MCP server.
    Mcp {
        /// Name of the server.
        server: &'a str,
        /// Name of the tool.
        tool: &'a str,
    },
}

/// A command line, split into the commands it would run.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The whole text: trimmed, blanks collapsed, newlines kept.
    pub text: &'a str,
    /// Every command the text would run.
    pub parts: &'a [Part<'a>],
    /// Files opened for reading by redirections.
    pub reads: &'a [String],
    /// Files opened for writing by redirections.
    pub writes: &'a [String],
    /// Git operations the parts amount to.
    pub git: &'a [Git<'a>],
    /// Why the text could not be understood completely.
    pub unresolved: Option<&'a str>,
    /// What it does.
    pub effects: Effects<'a>,
}

/// A command as text, some stretches of which may be known only when it runs.
#[derive(Clone, Copy, Debug)]
pub struct Spelling<'a> {
    /// What is known, with nothing in place of what is not.
    pub text: &'a str,
    /// Byte offsets into the text where unknown text stands, ascending.
    pub computed: &'a [u32],
}

/// One command of a command line.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Equivalent spellings.
    pub spellings: &'a [Spelling<'a>],
    /// All words without their quotes; only stricter rules may match it.
    pub dequoted: &'a str,
    /// Only stricter rules apply.
    pub implied: bool,
}

/// A git operation.
#[derive(Clone, Copy, Debug)]
pub struct Git<'a> {
    /// Name of the operation.
    pub operation: &'a str,
    /// Last segment of the branch, empty if there is none.
    pub branch: &'a str,
    /// The whole branch path.
    pub branch_path: &'a str,
    /// The operation is a push of some form.
    pub is_push: bool,
    /// The operation deletes or renames a branch.
    pub removes_branch: bool,
}

/// How well a part is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The list of its effects is complete.
    Known,
    /// The same, with sets instead of some files.
    Bounded,
    /// Something is not explained.
    Unknown,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileUse {
    /// Its name or existence is shown.
    Lists,
    /// Its content is read.
    Reads,
    /// It is created or changed.
    Writes,
    /// It is removed.
    Deletes,
}

/// Where a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the repository.
    Repository,
    /// In a folder for temporary files.
    Temporary,
    /// Below the home directory.
    Home,
    /// In a folder of the operating system.
    System,
    /// Anywhere else.
    Elsewhere,
    /// Not known.
    Unknown,
}

impl Place {
    /// The place of that name. What is not known has none.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "repository" => Self::Repository,
            "temporary" => Self::Temporary,
            "home" => Self::Home,
            "system" => Self::System,
            "elsewhere" => Self::Elsewhere,
            _ => return None,
        })
    }
}

/// A file, or a set of files, that a part uses.
#[derive(Clone, Copy, Debug)]
pub struct FileEffect<'a> {
    /// Position of the part.
    pub part: u32,
    /// What is done with it.
    pub used: FileUse,
    /// Clean path, relative inside of the repository.
    pub path: &'a str,
    /// The path and all below it.
    pub tree: bool,
    /// The path is a shell pattern.
    pub pattern: bool,
    /// Where it lies.
    pub place: Place,
    /// The word that says so.
    pub why: &'a str,
}

/// A host that a part reaches.
#[derive(Clone, Copy, Debug)]
pub struct NetworkEffect<'a> {
    /// Position of the part.
    pub part: u32,
    /// Name or address; `?` if it is computed.
    pub host: &'a str,
    /// Port, if one is named.
    pub port: Option<u16>,
    /// Something changes there.
    pub writes: bool,
    /// Local data is sent.
    pub carries: bool,
}

/// Code that a part runs.
#[derive(Clone, Copy, Debug)]
pub struct RunEffect<'a> {
    /// Position of the part.
    pub part: u32,
    /// Kind of code.
    pub kind: &'a str,
    /// What is run, and its arguments.
    pub words: &'a [String],
}

/// A reading or a change of a system that is no file.
#[derive(Clone, Copy, Debug)]
pub struct ChangeEffect<'a> {
    /// Position of the part.
    pub part: u32,
    /// The system.
    pub system: &'a str,
    /// What is done.
    pub operation: &'a str,
    /// What it is done to.
    pub target: &'a str,
    /// Work can be lost.
    pub loses_work: bool,
    /// Nothing changes.
    pub reads_only: bool,
}

/// A variable of the environment that a part shows.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentEffect<'a> {
    /// Position of the part.
    pub part: u32,
    /// Its name; `*` for all.
    pub name: &'a str,
}

/// Why a part is not known.
#[derive(Clone, Copy, Debug)]
pub struct Doubt<'a> {
    /// Position of the part.
    pub part: u32,
    /// The word it is about, as written; may be empty.
    pub word: &'a str,
    /// A sentence for people.
    pub sentence: &'a str,
}

/// What a command line does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects<'a> {
    /// One for each part.
    pub certainty: &'a [Certainty],
    /// Why parts are not known.
    pub doubts: &'a [Doubt<'a>],
    /// Files.
    pub files: &'a [FileEffect<'a>],
    /// Hosts.
    pub network: &'a [NetworkEffect<'a>],
    /// Code.
    pub runs: &'a [RunEffect<'a>],
    /// Systems.
    pub changes: &'a [ChangeEffect<'a>],
    /// Variables that are shown.
    pub environment: &'a [EnvironmentEffect<'a>],
    /// Links, trees and globs were looked up on a disk: the protected files in them are effects of their own.
    pub seen: bool,
}
