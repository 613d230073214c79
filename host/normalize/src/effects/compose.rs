//! Follows a script: sequences, branches, loops, pipelines, redirections.

use std::rc::Rc;

use cavra_model::FileUse;

use super::state::{Directory, State};
use super::words::{Arg, Reader, Set, Shape};
use super::{Engine, Input, MOST_DEPTH};
use crate::command::tree::{Command, Link, Node, Redirect, RedirectKind};
use crate::command::word::{Piece, Word};

/// What a command prints, if it is names of files.
pub(super) type Output = Option<Rc<Vec<Set>>>;

impl Engine<'_> {
    pub(super) fn list(&mut self, nodes: &[Node], state: &mut State, input: &Input) -> Output {
        let mut output = None;
        for node in nodes {
            output = self.node(node, state, input);
        }
        // What several commands print is not told apart.
        output.filter(|_| nodes.len() == 1)
    }

    fn node(&mut self, node: &Node, state: &mut State, input: &Input) -> Output {
        if self.depth > MOST_DEPTH {
            self.out.doubt("", "commands are nested too deeply");
            return None;
        }
        self.depth += 1;
        let output = stacker::maybe_grow(256 * 1024, 1024 * 1024, || self.node_here(node, state, input));
        self.depth -= 1;
        output
    }

    fn node_here(&mut self, node: &Node, state: &mut State, input: &Input) -> Output {
        match node {
            Node::Command(command) => self.command(command, state, input),
            Node::Test { part, source } => {
                let outer = self.out.enter(*part);
                self.condition(source, state);
                self.out.part = outer;
                None
            }
            Node::Chain(links) => {
                self.chain(links, state, input);
                None
            }
            Node::Pipeline(stages) => self.pipeline(stages, state, input),
            Node::Subshell(nodes) => self.list(nodes, &mut state.clone(), input),
            Node::Group(nodes) => self.list(nodes, state, input),
            Node::Redirected { body, redirects, computed, part } => {
                self.list(computed, &mut state.clone(), &Input::default());
                let outer = self.out.enter(*part);
                let input = self.redirects(redirects, state, input);
                self.out.part = outer;
                self.node(body, state, &input)
            }
            Node::Loop { variable, header, body } => {
                self.repeat(variable.as_ref(), header, body, state, input);
                None
            }
            Node::Branches { header, branches } => {
                let outside = state.clone();
                self.list(header, state, input);
                let holds = state.clone();
                // The first branch follows a condition that holds; the others, and none, one that does not.
                let fails = outside.or(holds.clone());
                *state = fails.clone();
                for (index, branch) in branches.iter().enumerate() {
                    let mut inside = if index == 0 { holds.clone() } else { fails.clone() };
                    self.list(branch, &mut inside, input);
                    *state = state.clone().or(inside);
                }
                None
            }
            Node::Elsewhere(nodes) => {
                // When it runs, and what holds then, is not known.
                let mut inside = state.clone();
                inside.directory = Directory::Unknown("the command runs at another time or place");
                self.list(nodes, &mut inside, &Input::default());
                self.out.doubt("", "commands that run at another time");
                None
            }
        }
    }

    fn chain(&mut self, links: &[(Link, Node)], state: &mut State, input: &Input) {
        // What holds where the chain may have been left.
        let mut left: Option<State> = None;
        let mut earlier = state.clone();
        for (link, node) in links {
            let before = state.clone();
            match link {
                Link::First => {
                    self.node(node, state, input);
                }
                Link::And => {
                    left = Some(left.map_or_else(|| before.clone(), |left| left.or(before.clone())));
                    self.node(node, state, input);
                }
                Link::Or => {
                    // It runs if what stands before has failed, so that the directory may still be the earlier one.
                    let mut failed = earlier.or(before.clone());
                    self.node(node, &mut failed, input);
                    *state = before.clone().or(failed);
                }
            }
            earlier = before;
        }
        let stays = links.iter().all(|(link, _)| *link != Link::Or) && cannot_fail(links);
        if let Some(left) = left.filter(|left| !stays || left.directory == state.directory) {
            *state = left.or(state.clone());
        }
    }

    fn pipeline(&mut self, stages: &[Node], state: &State, input: &Input) -> Output {
        let mut input = input.clone();
        let mut output = None;
        for stage in stages {
            output = self.node(stage, &mut state.clone(), &input);
            input = Input { names: output.clone(), given: true };
        }
        output
    }

    fn repeat(
        &mut self,
        variable: Option<&(String, Vec<Rc<Word>>)>,
        header: &[Node],
        body: &[Node],
        state: &mut State,
        input: &Input,
    ) {
        self.list(header, state, input);
        let mut values = Vec::new();
        if let Some((_, words)) = variable {
            for word in words {
                self.words(std::slice::from_ref(word), state, &mut values);
            }
        }
        let mut rounds: Vec<Option<Arg>> = values.into_iter().map(Some).collect();
        if rounds.len() > self.iterations || variable.is_none() {
            rounds = vec![None];
        }
        self.iterations = self.iterations.saturating_sub(rounds.len());
        for value in rounds {
            let mut inside = state.clone();
            if let Some((name, _)) = variable {
                inside.set(name, value.map(|value| vec![value]));
            }
            self.list(body, &mut inside, input);
            // A later round begins where an earlier one ended.
            if inside.directory != state.directory {
                self.out.doubt("", "a loop changes the working directory");
                inside.directory = Directory::Unknown("a loop changes the working directory");
            }
            *state = state.clone().or(inside);
        }
    }

    /// The files of redirections, and what standard input is.
    fn redirects(&mut self, redirects: &[Redirect], state: &State, input: &Input) -> Input {
        let mut input = input.clone();
        for redirect in redirects {
            let mut targets = Vec::new();
            if let Some(word) = &redirect.target {
                self.words(std::slice::from_ref(word), state, &mut targets);
            }
            let usages: &[FileUse] = match redirect.kind {
                RedirectKind::Reads => &[FileUse::Reads],
                RedirectKind::Writes => &[FileUse::Writes],
                RedirectKind::ReadsAndWrites => &[FileUse::Reads, FileUse::Writes],
                RedirectKind::Duplicates => continue,
                RedirectKind::Text => {
                    input = Input { names: None, given: true };
                    continue;
                }
            };
            if redirect.kind == RedirectKind::Reads {
                input = Input { names: None, given: true };
            }
            for target in &targets {
                for usage in usages {
                    self.named(*usage, target, false, "redirection", state);
                }
            }
        }
        input
    }

    /// The arguments that words become.
    pub(super) fn words(&mut self, words: &[Rc<Word>], state: &State, into: &mut Vec<Arg>) {
        let mut reader = Reader { state, surroundings: self.surroundings, secrets: Vec::new() };
        words.iter().for_each(|word| reader.word(word, into));
        for name in reader.secrets {
            self.out.environment(&name, "the value of a variable is put in");
        }
    }

    fn command(&mut self, command: &Command, state: &mut State, input: &Input) -> Output {
        let outer = self.out.enter(command.part);
        self.list(&command.computed, &mut state.clone(), &Input::default());
        self.out.enter(command.part);
        let input = self.redirects(&command.redirects, state, input);
        let output = if command.words.is_empty() {
            command.assignments.iter().for_each(|word| self.assignment(word, state));
            None
        } else {
            self.program(command, state, &input)
        };
        self.out.part = outer;
        output
    }

    fn program(&mut self, command: &Command, state: &mut State, input: &Input) -> Output {
        for word in &command.assignments {
            // `IFS= read -r line`.
            let only_splits = word.source.starts_with("IFS=")
                && command.words.first().is_some_and(|program| program.plain() == Some("read"));
            if !only_splits && !crate::command::is_harmless_assignment(word) {
                self.out.doubt(&word.source, "this variable may change what the program does");
            }
        }
        if let Some(assignment) = state.altered.clone() {
            self.out.doubt(&assignment, "this variable may change what later programs do");
        }
        let mut arguments = Vec::with_capacity(command.words.len());
        self.words(&command.words, state, &mut arguments);
        self.invoke(&arguments, command.script.as_deref(), state, input)
    }

    /// `NAME=value` as a command of its own.
    pub(super) fn assignment(&mut self, word: &Word, state: &mut State) {
        let Some(Piece::Plain(text)) = word.pieces.first() else {
            return self.out.doubt(&word.source, "an assignment that is not understood");
        };
        let Some((name, _)) = text.split_once('=') else {
            return self.out.doubt(&word.source, "an assignment that is not understood");
        };
        let skip = name.len() + 1;
        let value = {
            let mut reader = Reader { state, surroundings: self.surroundings, secrets: Vec::new() };
            reader.value(&word.pieces, skip)
        };
        if super::programs::is_read_by_programs(name) {
            state.altered.get_or_insert_with(|| word.source.clone());
            self.out.doubt(&word.source, "this variable may change what later programs do");
        }
        match name.strip_suffix('+') {
            Some(name) => state.set(name, None),
            None => state.set(name, value),
        }
    }

    /// `[[ … ]]` or `(( … ))`: names behind tests of files are listed.
    fn condition(&mut self, source: &str, state: &State) {
        let words: Vec<&str> = source.split_whitespace().collect();
        for pair in words.windows(2) {
            let [operator, name] = pair else { continue };
            let tests =
                operator.len() == 2 && operator.starts_with('-') && !matches!(*operator, "-z" | "-n" | "-v" | "-o");
            if !tests {
                continue;
            }
            let name = name.trim_matches(['"', '\'']);
            if name.contains(['$', '`', '\\', '"', '\'', '~']) {
                self.out.certainty(cavra_model::Certainty::Bounded);
            } else {
                self.named(FileUse::Lists, &Arg { text: name.to_owned(), shape: Shape::Fixed }, false, "test", state);
            }
        }
    }
}

/// True if the commands in front of the last change of the directory hardly fail. A failing `cd` is taken for the end.
fn cannot_fail(links: &[(Link, Node)]) -> bool {
    let program = |node: &Node| match node {
        Node::Command(command) => command.words.first().and_then(|word| word.literal()),
        _ => None,
    };
    let moves = |node: &Node| matches!(program(node).as_deref(), Some("cd" | "pushd"));
    let harmless = |node: &Node| match node {
        Node::Command(command) if command.words.is_empty() => true,
        node => matches!(program(node).as_deref(), Some("cd" | "pushd" | "echo" | "printf" | "true" | ":" | "pwd")),
    };
    let last = links.iter().rposition(|(_, node)| moves(node)).unwrap_or(0);
    links.iter().take(last).all(|(_, node)| harmless(node))
}
