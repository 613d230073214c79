//! A script as the effects of its commands are derived from it: what runs after, beside and inside of what.
//!
//! The walk over the grammar's tree leaves this smaller one behind. It owns what it needs, and its commands know the
//! part of the command line that they count for.

use std::rc::Rc;

use super::word::Word;

/// Something that runs.
#[derive(Debug)]
pub(crate) enum Node {
    /// A simple command.
    Command(Box<Command>),
    /// `[[ … ]]` or `(( … ))`.
    Test {
        /// Index of its part.
        part: usize,
        /// As written.
        source: String,
    },
    /// Commands joined by `&&` and `||`.
    Chain(Vec<(Link, Node)>),
    /// Commands whose output is the input of the next.
    Pipeline(Vec<Node>),
    /// A list in a shell of its own: `( )`, `$( )`, `<( )`, `&`.
    Subshell(Vec<Node>),
    /// A list in this shell.
    Group(Vec<Node>),
    /// A compound command with redirections.
    Redirected {
        /// The command.
        body: Box<Node>,
        /// Its redirections.
        redirects: Vec<Redirect>,
        /// What runs to compute their targets.
        computed: Vec<Node>,
        /// Index of the first part in it.
        part: usize,
    },
    /// `for`, `while`, `until`.
    Loop {
        /// The variable of `for`, with the words it goes through.
        variable: Option<(String, Vec<Rc<Word>>)>,
        /// The condition, and what runs to compute the words.
        header: Vec<Node>,
        /// What is repeated.
        body: Vec<Node>,
    },
    /// `if`, `case`: one of the branches runs, or none.
    Branches {
        /// What runs in any case.
        header: Vec<Node>,
        /// The branches.
        branches: Vec<Vec<Node>>,
    },
    /// Something whose commands run at another time or under other circumstances.
    Elsewhere(Vec<Node>),
}

/// How a command follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It is the first.
    First,
    /// After success.
    And,
    /// After failure.
    Or,
}

/// A simple command.
#[derive(Debug)]
pub(crate) struct Command {
    /// Index of its part.
    pub part: usize,
    /// Assignments in front.
    pub assignments: Vec<Rc<Word>>,
    /// The program and its arguments.
    pub words: Vec<Rc<Word>>,
    /// Redirections.
    pub redirects: Vec<Redirect>,
    /// What runs before, to compute the words.
    pub computed: Vec<Node>,
    /// The commands of the script that a shell is given.
    pub script: Option<Vec<Node>>,
}

/// A redirection.
#[derive(Debug)]
pub(crate) struct Redirect {
    /// What it does.
    pub kind: RedirectKind,
    /// The file.
    pub target: Option<Rc<Word>>,
}

/// What a redirection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    /// Opens a file for reading, as standard input or another descriptor.
    Reads,
    /// Opens a file for writing.
    Writes,
    /// Both.
    ReadsAndWrites,
    /// Gives a text to standard input.
    Text,
    /// Only concerns descriptors.
    Duplicates,
}
