//! Splits a command line into the commands it would run. docs/reference/decisions-and-policy.md, section 2.3.
//!
//! The stages: [`lex`], [`state`], [`expand`] and [`here_doc`] make tokens and words, [`grammar`] a syntax tree, [`walk`] finds the simple
//! commands in it, [`invoke`] turns each into parts and looks through the commands that run other commands
//! ([`wrappers`], [`shells`]), [`redirect`] collects files. What is not certain is reported as unresolved.

mod evaluators;
mod expand;
mod grammar;
mod guess;
mod here_doc;
pub(crate) mod invoke;
mod lex;
mod redirect;
mod shells;
mod state;
pub(crate) mod tree;
mod walk;
pub(crate) mod word;
mod wrappers;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cavra_model::{CommandLine, CommandPart, GitOperation};

use word::collapse_blanks;

pub(crate) use invoke::{is_harmless_assignment, is_harmless_variable};

use crate::{Surroundings, effects, git_operation};

/// How deep scripts may be given to shells inside scripts, and wrappers to wrappers.
const MAX_DEPTH: usize = 8;

/// Most parts of one command line that can be allowed.
const MAX_PARTS: usize = 512;

/// Most parts behind those, which are looked at by stricter rules only.
const MAX_FURTHER_PARTS: usize = 1024;

/// Bytes that the parts of a command line may have, for each byte of its text and in addition. Twice as much is left for
/// parts of which only the bare words are kept.
const BYTES_PER_BYTE: usize = 16;
const SPARE_BYTES: usize = 128 * 1024;

/// Built-in commands of shells (bash manual, "Shell Builtin Commands"; zsh), whether or not the table has a row for them.
const BUILT_INS: [&str; 62] = [
    ".",
    ":",
    "[",
    "alias",
    "autoload",
    "bg",
    "bind",
    "bindkey",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "emulate",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "setopt",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "zle",
    "zmodload",
];

const TOO_MANY: &str = "the text runs too many commands";

/// Stack that one script needs at most, and how much is added when less is left.
const STACK_RESERVE: usize = 768 * 1024;
const STACK_CHUNK: usize = 4 * 1024 * 1024;

/// Splits a command line.
///
/// Never fails: a text that cannot be understood with certainty has [`CommandLine::unresolved`] set, and its parts
/// are then a best effort for stricter rules. There is always at least one part. Work is linear in the text, and so is
/// what comes of it; nesting is limited, and no input panics.
#[must_use]
pub fn split_command(text: &str) -> CommandLine {
    split_command_in(text, &Surroundings::unknown())
}

/// Splits a command line that would run in these surroundings; see [`split_command`].
#[must_use]
pub fn split_command_in(text: &str, surroundings: &Surroundings<'_>) -> CommandLine {
    // The grammar is a foreign parser. Should an input make it panic, the text counts as not understood.
    catch_unwind(AssertUnwindSafe(|| split(text, surroundings))).unwrap_or_else(|_| {
        let mut splitter = Splitter::of(text);
        splitter.not_understood(text, "the shell grammar gave up");
        splitter.nodes.clear();
        splitter.finish(text, surroundings)
    })
}

fn split(text: &str, surroundings: &Surroundings<'_>) -> CommandLine {
    let mut splitter = Splitter::of(text);
    if text.contains('\0') {
        splitter.not_understood(text, "the text has a NUL character");
    } else {
        splitter.text(text, Context::default());
    }
    splitter.finish(text, surroundings)
}

/// True for a word that means something to the shell or to this module, whatever the table says of it.
pub(crate) fn has_meaning(name: &str) -> bool {
    BUILT_INS.contains(&name)
        || invoke::is_reserved(name)
        || wrappers::is_one(name)
        || shells::is_evaluator(name)
        || evaluators::is_one(name)
}

/// What a script runs; `None` if it is not understood.
pub(crate) fn nodes_of(text: &str) -> Option<Vec<tree::Node>> {
    let mut splitter = Splitter::of(text);
    splitter.text(text, Context { depth: 2, ..Context::default() });
    splitter.unresolved.is_none().then_some(splitter.nodes)
}

/// The text written so that bash reads it as a POSIX shell such as dash reads the text itself, where that may run something
/// else: `&>` ends a command there and begins a redirection, and a quote that begins with `$'` ends at the next quote even
/// if that is escaped.
fn posix_reading(text: &str) -> Option<String> {
    let ends_elsewhere = text.contains("$'") && text.contains("\\'");
    if !text.contains("&>") && !ends_elsewhere {
        return None;
    }
    let mut posix = String::with_capacity(text.len() + 8);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some(_)) => {
                posix.push(c);
                posix.extend(characters.next());
            }
            ('&', Some('>')) => posix.push_str("& "),
            ('$', Some('\'')) => posix.push_str("\\$"),
            _ => posix.push(c),
        }
    }
    Some(posix)
}

/// How a command came to be run.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    /// Scripts and wrappers around it.
    depth: usize,
    /// It is only part of what happens.
    implied: bool,
    /// The caller already looks at every later word as if a command started there.
    tails_covered: bool,
}

impl Context {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, tails_covered: false, ..self }
    }

    fn implied(self) -> Self {
        Self { implied: true, ..self }
    }
}

/// Collects what a command line amounts to.
#[derive(Debug, Default)]
struct Splitter {
    parts: Vec<CommandPart>,
    /// Bytes of all parts so far, and how many there may be.
    bytes: usize,
    most_bytes: usize,
    reads: Vec<String>,
    writes: Vec<String>,
    git: Vec<GitOperation>,
    unresolved: Option<String>,
    /// Why something was left out. Unlike doubts about a text that may not be a script, this stays.
    cut: Option<&'static str>,
    /// A text is read as another shell reads it; what both find counts once.
    read_again: bool,
    /// Words that brace expansions made so far.
    braces: usize,
    /// Commands behind the limit of parts.
    further: HashSet<String>,
    /// Assignments that were exported and change what later commands do, each followed by a blank.
    exported: String,
    /// What runs, as far as the walk got, for the effects of it.
    nodes: Vec<tree::Node>,
    /// Index of the first part of the command that is looked at.
    own_part: Option<usize>,
    /// The script that this command gives to a shell.
    script: Option<Vec<tree::Node>>,
}

impl Splitter {
    fn of(text: &str) -> Self {
        Self { most_bytes: text.len() * BYTES_PER_BYTE + SPARE_BYTES, ..Self::default() }
    }

    /// Looks at a whole script.
    fn text(&mut self, text: &str, context: Context) {
        // Scripts nest in scripts; the limits bound how far, and the stack grows with them.
        stacker::maybe_grow(STACK_RESERVE, STACK_CHUNK, || self.text_here(text, context));
        // Which shell will read it is not known. Where the two readings differ, both have to be allowed.
        if let Some(posix) = posix_reading(text) {
            let outer = std::mem::replace(&mut self.read_again, true);
            stacker::maybe_grow(STACK_RESERVE, STACK_CHUNK, || self.text_here(&posix, context));
            self.read_again = outer;
        }
    }

    fn text_here(&mut self, text: &str, context: Context) {
        if context.depth > MAX_DEPTH {
            self.not_understood(text, "scripts are nested too deeply");
            return;
        }
        match lex::lex(text) {
            Ok(script) => {
                if let Err(trouble) = self.script(&script, context) {
                    self.not_understood(text, trouble.0);
                }
            }
            Err(trouble) => self.not_understood(text, trouble.0),
        }
    }

    /// Looks at a text that may or may not be a script, for stricter rules only.
    fn maybe_script(&mut self, text: &str, context: Context) {
        let before = self.unresolved.clone();
        // Its commands count for the outer one, whose effects are derived from its own words.
        let _ = self.nodes_of(|this| {
            this.text(text, context.deeper().implied());
            Ok(())
        });
        self.unresolved = before;
    }

    fn unresolved(&mut self, reason: &str) {
        self.unresolved.get_or_insert_with(|| reason.to_owned());
    }

    /// A text, or a script inside it, that was not understood: stricter rules still see a guess at its commands.
    fn not_understood(&mut self, text: &str, reason: &str) {
        self.unresolved(reason);
        for part in guess::commands(text) {
            self.part(part);
        }
    }

    /// No more parts are taken, so looking further is in vain.
    fn is_full(&self) -> bool {
        self.parts.len() >= MAX_PARTS + MAX_FURTHER_PARTS
    }

    fn part(&mut self, part: CommandPart) {
        if self.is_full() {
            self.cut = Some(TOO_MANY);
            return;
        }
        if self.parts.len() >= MAX_PARTS {
            return self.further_part(part);
        }
        let maybe_known = part.implied || self.read_again;
        let known = maybe_known.then(|| self.parts.iter().position(|kept| *kept == part)).flatten();
        self.own_part.get_or_insert(known.unwrap_or(self.parts.len()));
        if known.is_none() {
            self.keep(part);
        }
    }

    /// Behind the limit nothing is allowed any more, but what is forbidden is still found: each command once.
    fn further_part(&mut self, part: CommandPart) {
        self.cut = Some(TOO_MANY);
        self.own_part.get_or_insert(self.parts.len().saturating_sub(1));
        if self.further.insert(part.dequoted.clone()) {
            self.keep(CommandPart { spellings: vec![part.dequoted.clone()], implied: true, ..part });
        }
    }

    /// Keeps a part as long as all of them together are not much more than the text they come from: packs read them
    /// all, and the same words may stand in many.
    fn keep(&mut self, mut part: CommandPart) {
        if self.bytes + bytes_of(&part) > self.most_bytes {
            self.cut = Some("the commands that the text runs are too long together");
            part = CommandPart { spellings: vec![part.dequoted.clone()], implied: true, ..part };
            if self.bytes + bytes_of(&part) > 2 * self.most_bytes {
                return;
            }
        }
        self.bytes += bytes_of(&part);
        self.parts.push(part);
    }

    fn git_operation(&mut self, operation: GitOperation) {
        if !self.git.contains(&operation) {
            self.git.push(operation);
        }
    }

    fn finish(mut self, text: &str, surroundings: &Surroundings<'_>) -> CommandLine {
        if let Some(reason) = self.cut {
            self.unresolved(reason);
        }
        let written = text.trim().to_owned();
        let text = collapse_blanks(&written);
        // Something has to decide: a command whose inner script is empty, or the text itself if it has no command,
        // such as a lone redirection.
        let decided = self.parts.iter().any(|part| !part.implied) || self.unresolved.is_some();
        match self.parts.first_mut() {
            Some(first) if !decided => first.implied = false,
            Some(_) => {}
            None => {
                let implied = self.unresolved.is_some();
                self.parts.push(CommandPart { spellings: vec![text.clone()], dequoted: text.clone(), implied });
            }
        }
        let unresolved = self.unresolved.as_deref();
        let (effects, checked_out) = effects::derive(&self.nodes, &written, &self.parts, unresolved, surroundings);
        // A push that names no branch pushes the one that is checked out, where the caller can tell.
        for branch in &checked_out {
            self.git_operation(git_operation("push", branch));
        }
        CommandLine {
            written,
            text,
            parts: self.parts,
            reads: self.reads,
            writes: self.writes,
            git: self.git,
            unresolved: self.unresolved,
            effects: Box::new(effects),
        }
    }
}

/// What a part adds to what packs read.
fn bytes_of(part: &CommandPart) -> usize {
    part.dequoted.len() + part.spellings.iter().map(String::len).sum::<usize>()
}
