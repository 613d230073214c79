//! What is judged, borrowed from whoever has it. Contract 10, section 3.

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
}

/// One command of a command line.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Equivalent spellings.
    pub spellings: &'a [String],
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
