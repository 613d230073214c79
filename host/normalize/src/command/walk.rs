//! Walks a syntax tree and finds every simple command, redirection and substitution in it.

use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, CaseClauseCommand, Command, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundList,
    ForClauseCommand, IfClauseCommand, IoRedirect, Pipeline, RedirectList, SeparatorOperator, SimpleCommand,
    Word as TreeWord,
};

use cavra_model::CommandPart;

use super::grammar::{self, Parsed};
use super::invoke::{Invocation, Stdin};
use super::lex::{HereDoc, Script, Test, TokenKind, Trouble};
use super::tree::{Command as TreeCommand, Link, Node, Redirect, RedirectKind};
use super::word::{Word, collapse_all};
use super::{Context, STACK_CHUNK, STACK_RESERVE, Splitter, TOO_MANY, evaluators};

impl Splitter {
    /// Looks at all commands of a script.
    pub(super) fn script(&mut self, script: &Script, context: Context) -> Result<(), Trouble> {
        stacker::maybe_grow(STACK_RESERVE, STACK_CHUNK, || self.script_here(script, context))
    }

    fn script_here(&mut self, script: &Script, context: Context) -> Result<(), Trouble> {
        let parsed = grammar::parse(script)?;
        for list in &parsed.program.complete_commands {
            self.list(list, &parsed, context)?;
        }
        Ok(())
    }

    fn list(&mut self, list: &CompoundList, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        list.0.iter().try_for_each(|item| {
            let (nodes, result) = self.nodes_of(|this| this.and_or(&item.0, parsed, context));
            match item.1 {
                SeparatorOperator::Async => self.nodes.push(Node::Subshell(nodes)),
                SeparatorOperator::Sequence => self.nodes.extend(nodes),
            }
            result
        })
    }

    fn and_or(&mut self, list: &AndOrList, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        if list.additional.is_empty() {
            return self.pipeline(&list.first, parsed, context);
        }
        let mut chain = Vec::with_capacity(list.additional.len() + 1);
        let additional = list.additional.iter().map(|next| match next {
            AndOr::And(pipeline) => (Link::And, pipeline),
            AndOr::Or(pipeline) => (Link::Or, pipeline),
        });
        let mut result = Ok(());
        for (link, pipeline) in std::iter::once((Link::First, &list.first)).chain(additional) {
            let (nodes, outcome) = self.nodes_of(|this| this.pipeline(pipeline, parsed, context));
            chain.push((link, one(nodes)));
            result = outcome;
            if result.is_err() {
                break;
            }
        }
        self.nodes.push(Node::Chain(chain));
        result
    }

    /// Collects the nodes of what `walk` goes through.
    pub(super) fn nodes_of(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<(), Trouble>,
    ) -> (Vec<Node>, Result<(), Trouble>) {
        let outer = std::mem::take(&mut self.nodes);
        let result = walk(self);
        (std::mem::replace(&mut self.nodes, outer), result)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only, parsed, context);
        }
        let mut stages = Vec::with_capacity(pipeline.seq.len());
        let mut nodes = Vec::with_capacity(pipeline.seq.len());
        let mut result = Ok(());
        for command in &pipeline.seq {
            let before = self.parts.len();
            let (stage, outcome) = self.nodes_of(|this| this.command(command, parsed, context));
            nodes.push(one(stage));
            result = outcome;
            if result.is_err() {
                break;
            }
            stages.extend(self.parts.get(before).cloned());
        }
        self.nodes.push(Node::Pipeline(nodes));
        result?;
        self.joined(&stages);
        Ok(())
    }

    /// A pipeline as a whole, wherever it stands, so that stricter rules about pipelines see it.
    fn joined(&mut self, stages: &[CommandPart]) {
        if stages.len() < 2 {
            return;
        }
        let join = |text: fn(&CommandPart) -> &str| stages.iter().map(text).collect::<Vec<_>>().join(" | ");
        let written = join(|stage| stage.spellings.last().map_or("", String::as_str));
        self.part(CommandPart { spellings: vec![written], dequoted: join(|stage| &stage.dequoted), implied: true });
    }

    fn command(&mut self, command: &Command, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        match command {
            Command::Simple(simple) => self.simple(simple, parsed, context),
            Command::Compound(compound, redirects) => {
                let part = self.parts.len();
                let (nodes, result) = self.nodes_of(|this| this.compound(compound, parsed, context));
                let body = one(nodes);
                result.and_then(|()| self.redirected(body, redirects.as_ref(), part, parsed, context))
            }
            Command::Function(function) => {
                // Its name may be that of a command that is judged by it, with arguments that only the body knows.
                self.unresolved("a function is defined");
                let part = self.parts.len();
                let (nodes, result) = self.nodes_of(|this| this.compound(&function.body.0, parsed, context));
                let body = Node::Elsewhere(nodes);
                result.and_then(|()| self.redirected(body, function.body.1.as_ref(), part, parsed, context))
            }
            // The lexer makes tests one word.
            Command::ExtendedTest(..) => Err(Trouble("an unexpected test")),
        }
    }

    fn compound(&mut self, compound: &CompoundCommand, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        match compound {
            // The lexer makes arithmetic one word.
            CompoundCommand::Arithmetic(_) | CompoundCommand::ArithmeticForClause(_) => {
                Err(Trouble("an unexpected arithmetic command"))
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list, parsed, context),
            CompoundCommand::Subshell(group) => {
                let (nodes, result) = self.nodes_of(|this| this.list(&group.list, parsed, context));
                self.nodes.push(Node::Subshell(nodes));
                result
            }
            CompoundCommand::ForClause(clause) => self.for_loop(clause, parsed, context),
            CompoundCommand::CaseClause(clause) => self.case(clause, parsed, context),
            CompoundCommand::IfClause(clause) => self.branches(clause, parsed, context),
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                let (header, first) = self.nodes_of(|this| this.list(&clause.0, parsed, context));
                let (body, second) = self.nodes_of(|this| match first {
                    Ok(()) => this.list(&clause.1.list, parsed, context),
                    Err(trouble) => Err(trouble),
                });
                self.nodes.push(Node::Loop { variable: None, header, body });
                second
            }
            CompoundCommand::Coprocess(coprocess) => {
                let (nodes, result) = self.nodes_of(|this| this.command(&coprocess.body, parsed, context));
                self.nodes.push(Node::Elsewhere(nodes));
                result
            }
        }
    }

    fn for_loop(&mut self, clause: &ForClauseCommand, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        if let Some(reason) = evaluators::of_loop_variable(&clause.variable_name) {
            self.unresolved(reason);
        }
        let values = clause.values.as_deref().unwrap_or_default();
        let (header, first) =
            self.nodes_of(|this| values.iter().try_for_each(|word| this.computed(word, parsed, context)));
        let words = values.iter().filter_map(|word| match find(word, parsed) {
            Ok(Found::Word(word)) => Some(word),
            _ => None,
        });
        let variable = Some((clause.variable_name.clone(), words.collect()));
        let (body, second) = self.nodes_of(|this| match first {
            Ok(()) => this.list(&clause.body.list, parsed, context),
            Err(trouble) => Err(trouble),
        });
        self.nodes.push(Node::Loop { variable, header, body });
        second
    }

    fn case(&mut self, clause: &CaseClauseCommand, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let mut branches = Vec::new();
        let (header, mut result) = self.nodes_of(|this| this.computed(&clause.value, parsed, context));
        for item in &clause.cases {
            let (branch, outcome) = self.nodes_of(|this| {
                item.patterns.iter().try_for_each(|word| this.computed(word, parsed, context))?;
                item.cmd.iter().try_for_each(|list| this.list(list, parsed, context))
            });
            branches.push(branch);
            result = result.and(outcome);
            if result.is_err() {
                break;
            }
        }
        self.nodes.push(Node::Branches { header, branches });
        result
    }

    fn branches(&mut self, clause: &IfClauseCommand, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let (header, first) = self.nodes_of(|this| this.list(&clause.condition, parsed, context));
        let mut branches = Vec::new();
        let mut result = first;
        let then = std::iter::once((None, &clause.then));
        let others = clause.elses.iter().flatten().map(|other| (other.condition.as_ref(), &other.body));
        for (condition, body) in then.chain(others) {
            if result.is_err() {
                break;
            }
            let (branch, outcome) = self.nodes_of(|this| {
                condition.iter().try_for_each(|list| this.list(list, parsed, context))?;
                this.list(body, parsed, context)
            });
            branches.push(branch);
            result = outcome;
        }
        self.nodes.push(Node::Branches { header, branches });
        result
    }

    /// A word outside simple commands: only the scripts in it matter.
    fn computed(&mut self, word: &TreeWord, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        match find(word, parsed)? {
            Found::Word(word) => self.scripts_of(&word, context),
            Found::Document(document) => self.all_scripts(&document.scripts, context),
            Found::Test(test) => self.all_scripts(&test.scripts, context),
        }
    }

    /// Looks at the scripts that run while a word is computed.
    pub(super) fn scripts_of(&mut self, word: &Word, context: Context) -> Result<(), Trouble> {
        let mut result = Ok(());
        word.scripts(&mut |script| {
            if result.is_ok() {
                result = self.substituted(script, context);
            }
        });
        result
    }

    fn all_scripts(&mut self, scripts: &[Script], context: Context) -> Result<(), Trouble> {
        scripts.iter().try_for_each(|script| self.substituted(script, context))
    }

    /// A script in a shell of its own.
    fn substituted(&mut self, script: &Script, context: Context) -> Result<(), Trouble> {
        let (nodes, result) = self.nodes_of(|this| this.script(script, context));
        self.nodes.push(Node::Subshell(nodes));
        result
    }

    /// A compound command with the redirections behind it.
    fn redirected(
        &mut self,
        body: Node,
        list: Option<&RedirectList>,
        part: usize,
        parsed: &Parsed<'_>,
        context: Context,
    ) -> Result<(), Trouble> {
        let Some(list) = list else {
            self.nodes.push(body);
            return Ok(());
        };
        let mut redirects = Vec::with_capacity(list.0.len());
        let (computed, result) = self.nodes_of(|this| {
            list.0.iter().try_for_each(|redirect| {
                redirects.push(redirect_node(redirect, parsed));
                this.redirect(redirect, parsed, context).map(|_| ())
            })
        });
        self.nodes.push(Node::Redirected { body: Box::new(body), redirects, computed, part });
        result
    }

    /// Collects the file of a redirection, and looks at the scripts in it.
    fn redirect(&mut self, redirect: &IoRedirect, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let scripts = self.redirect_scripts(redirect, parsed, context);
        scripts.and(self.redirect_target(redirect, parsed).map(|_| ()))
    }

    fn redirect_scripts(
        &mut self,
        redirect: &IoRedirect,
        parsed: &Parsed<'_>,
        context: Context,
    ) -> Result<(), Trouble> {
        let Some(target) = redirect_word(redirect) else { return Ok(()) };
        match find(target, parsed)? {
            Found::Word(word) => self.scripts_of(&word, context),
            Found::Document(document) => self.all_scripts(&document.scripts, context),
            Found::Test(_) => Ok(()),
        }
    }

    /// Collects the file of a redirection, and answers what is given to standard input.
    fn redirect_target(&mut self, redirect: &IoRedirect, parsed: &Parsed<'_>) -> Result<Option<Stdin>, Trouble> {
        let Some(target) = redirect_word(redirect) else { return Ok(None) };
        let stdin = match find(target, parsed)? {
            Found::Word(word) => {
                if matches!(redirect, IoRedirect::HereString(..)) {
                    Stdin::Text(word.literal())
                } else {
                    self.redirect_file(redirect, &word);
                    Stdin::Other
                }
            }
            Found::Document(document) => Stdin::Text(document.text.clone()),
            Found::Test(_) => return Err(Trouble("a redirection to a test")),
        };
        Ok(is_input(redirect).then_some(stdin))
    }

    fn simple(&mut self, simple: &SimpleCommand, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        if self.is_full() {
            self.cut = Some(TOO_MANY);
            return Err(Trouble(TOO_MANY));
        }
        let mut found = Simple::default();
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        for item in prefix {
            match item {
                Item::AssignmentWord(_, word) => found.assignments.push(found.span.word(word, parsed)?),
                Item::IoRedirect(redirect) => found.redirects.push(redirect),
                Item::Word(_) | Item::ProcessSubstitution(..) => return Err(Trouble("an unexpected word")),
            }
        }
        let mut words = simple.word_or_name.iter().collect::<Vec<_>>();
        for item in suffix {
            match item {
                Item::AssignmentWord(_, word) | Item::Word(word) => words.push(word),
                Item::IoRedirect(redirect) => found.redirects.push(redirect),
                Item::ProcessSubstitution(..) => return Err(Trouble("an unexpected word")),
            }
        }
        if let [only] = words.as_slice()
            && let Found::Test(test) = find(only, parsed)?
        {
            if !found.assignments.is_empty() {
                return Err(Trouble("an assignment before a test"));
            }
            let part = self.parts.len();
            let (nodes, result) = self.nodes_of(|this| this.test(only, test, parsed, context));
            result?;
            let mut redirects = Vec::with_capacity(found.redirects.len());
            let (computed, result) = self.nodes_of(|this| {
                found.redirects.iter().try_for_each(|redirect| {
                    redirects.push(redirect_node(redirect, parsed));
                    this.redirect(redirect, parsed, context).map(|_| ())
                })
            });
            self.nodes.push(Node::Redirected { body: Box::new(one(nodes)), redirects, computed, part });
            return result;
        }
        for word in words {
            found.words.push(found.span.word(word, parsed)?);
        }
        self.invocation(found, parsed, context)
    }

    fn invocation(&mut self, mut found: Simple<'_>, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        for redirect in &found.redirects {
            if let Some(position) = redirect_word(redirect).and_then(Parsed::position) {
                found.span.redirect(position, parsed);
            }
        }
        let written = found.span.source(parsed);
        let mut stdin = Stdin::Inherited;
        let mut files = Ok(());
        for redirect in &found.redirects {
            match self.redirect_target(redirect, parsed) {
                Ok(Some(given)) => stdin = given,
                Ok(None) => {}
                Err(trouble) => files = files.and(Err(trouble)),
            }
        }
        if let Some(reason) = found.assignments.iter().find_map(|word| evaluators::of_assignment(word)) {
            self.unresolved(reason);
        }
        // The command comes before the commands inside it.
        let redirects = found.redirects.iter().map(|redirect| redirect_node(redirect, parsed)).collect();
        let outer_part = self.own_part.take();
        let outer_script = self.script.take();
        let exported = self.exported.clone();
        let invocation = Invocation::new(found.words.clone(), &found.assignments, &written, stdin, &exported);
        self.invoke(invocation, context);
        let part = std::mem::replace(&mut self.own_part, outer_part);
        let script = std::mem::replace(&mut self.script, outer_script);
        let (computed, inner) = self.nodes_of(|this| {
            let mut inner = Ok(());
            for redirect in &found.redirects {
                inner = inner.and(this.redirect_scripts(redirect, parsed, context));
            }
            for word in found.assignments.iter().chain(&found.words) {
                inner = inner.and(this.scripts_of(word, context));
            }
            inner
        });
        if !context.implied {
            let part = part.unwrap_or(self.parts.len());
            let Simple { assignments, words, .. } = found;
            let command = TreeCommand { part, assignments, words, redirects, computed, script };
            self.nodes.push(Node::Command(Box::new(command)));
        }
        files.and(inner)
    }

    /// `[[ … ]]` or `(( … ))`: a command like any other, because its arithmetic can run commands.
    fn test(&mut self, word: &TreeWord, test: &Test, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let position = Parsed::position(word).ok_or(LOST)?;
        let source = parsed.source(position, position);
        let outer = self.own_part.take();
        self.plain_part(collapse_all(&source), context);
        let part = std::mem::replace(&mut self.own_part, outer);
        if !context.implied {
            self.nodes.push(Node::Test { part: part.unwrap_or(self.parts.len()), source: source.clone() });
        }
        // Shells that do not know the construct run its words as commands.
        super::guess::commands(&source).into_iter().for_each(|part| self.part(part));
        if let Some(reason) = test.uncertain {
            self.unresolved(reason);
        }
        self.all_scripts(&test.scripts, context)
    }
}

/// A word of the tree that cannot be traced to the text. Does not happen.
const LOST: Trouble = Trouble("a word was lost");

/// The parts of a simple command.
#[derive(Default)]
struct Simple<'a> {
    assignments: Vec<Rc<Word>>,
    words: Vec<Rc<Word>>,
    redirects: Vec<&'a IoRedirect>,
    span: Span,
}

/// The tokens a simple command consists of.
#[derive(Default)]
struct Span(Option<(usize, usize)>);

impl Span {
    fn include(&mut self, position: usize) {
        let (first, last) = self.0.unwrap_or((position, position));
        self.0 = Some((first.min(position), last.max(position)));
    }

    fn word(&mut self, word: &TreeWord, parsed: &Parsed<'_>) -> Result<Rc<Word>, Trouble> {
        self.include(Parsed::position(word).ok_or(LOST)?);
        match find(word, parsed)? {
            Found::Word(word) => Ok(word),
            Found::Test(_) | Found::Document(_) => Err(Trouble("a test among the words of a command")),
        }
    }

    /// Includes the operator before a redirection's target, and the number before that.
    fn redirect(&mut self, target: usize, parsed: &Parsed<'_>) {
        self.include(target);
        let operator = target.saturating_sub(1);
        self.include(operator);
        if let Some(number) = operator.checked_sub(1)
            && parsed.token(number).is_some_and(|token| matches!(token.kind, TokenKind::IoNumber(_)))
        {
            self.include(number);
        }
    }

    fn source(&self, parsed: &Parsed<'_>) -> String {
        self.0.map(|(first, last)| collapse_all(&parsed.source(first, last))).unwrap_or_default()
    }
}

/// What a word of the tree is in the text.
enum Found<'a> {
    Word(Rc<Word>),
    Test(&'a Test),
    Document(&'a HereDoc),
}

fn find<'a>(word: &TreeWord, parsed: &Parsed<'a>) -> Result<Found<'a>, Trouble> {
    let token = Parsed::position(word).and_then(|position| parsed.token(position)).ok_or(LOST)?;
    match &token.kind {
        TokenKind::Word(word) => Ok(Found::Word(word.clone())),
        TokenKind::Test(test) => Ok(Found::Test(test)),
        TokenKind::HereDoc(document) => Ok(Found::Document(document)),
        TokenKind::IoNumber(_) | TokenKind::Operator(_) => Err(LOST),
    }
}

fn redirect_word(redirect: &IoRedirect) -> Option<&TreeWord> {
    use brush_parser::ast::IoFileRedirectTarget as Target;
    match redirect {
        IoRedirect::File(_, _, Target::Filename(word) | Target::Duplicate(word))
        | IoRedirect::HereString(_, word)
        | IoRedirect::OutputAndError(word, _) => Some(word),
        // `|&` adds a plain descriptor; the others are words or here-strings for our lexer.
        IoRedirect::File(..) | IoRedirect::HereDocument(..) => None,
    }
}

fn is_input(redirect: &IoRedirect) -> bool {
    use brush_parser::ast::IoFileRedirectKind as Kind;
    match redirect {
        IoRedirect::HereString(number, _) | IoRedirect::HereDocument(number, _) => number.is_none_or(|n| n == 0),
        IoRedirect::File(number, Kind::Read | Kind::ReadAndWrite | Kind::DuplicateInput, _) => {
            number.is_none_or(|n| n == 0)
        }
        _ => false,
    }
}

/// Several nodes as one.
pub(super) fn one(mut nodes: Vec<Node>) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            Node::Group(nodes)
        }
        None => Node::Group(nodes),
    }
}

/// A redirection as effects see it.
fn redirect_node(redirect: &IoRedirect, parsed: &Parsed<'_>) -> Redirect {
    use brush_parser::ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target};
    let target = redirect_word(redirect).and_then(|target| match find(target, parsed) {
        Ok(Found::Word(word)) => Some(word),
        _ => None,
    });
    let duplicates = || target.as_ref().is_some_and(|word| super::redirect::duplicates(word));
    let kind = match redirect {
        IoRedirect::HereString(..) | IoRedirect::HereDocument(..) => RedirectKind::Text,
        IoRedirect::OutputAndError(..) => RedirectKind::Writes,
        IoRedirect::File(_, _, Target::Fd(_)) => RedirectKind::Duplicates,
        IoRedirect::File(_, Kind::DuplicateInput, _) => RedirectKind::Duplicates,
        IoRedirect::File(_, _, Target::Duplicate(_)) if duplicates() => RedirectKind::Duplicates,
        IoRedirect::File(_, Kind::Read, _) => RedirectKind::Reads,
        IoRedirect::File(_, Kind::ReadAndWrite, _) => RedirectKind::ReadsAndWrites,
        IoRedirect::File(_, Kind::Write | Kind::Append | Kind::Clobber | Kind::DuplicateOutput, _) => {
            RedirectKind::Writes
        }
    };
    Redirect { kind, target }
}
