//! Walks a syntax tree and finds every simple command, redirection and substitution in it.

use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, Command, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundList, IoRedirect, Pipeline,
    RedirectList, SimpleCommand, Word as TreeWord,
};

use cavra_model::CommandPart;

use super::grammar::{self, Parsed};
use super::invoke::{Invocation, Stdin};
use super::lex::{HereDoc, Script, Test, TokenKind, Trouble};
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
        list.0.iter().try_for_each(|item| self.and_or(&item.0, parsed, context))
    }

    fn and_or(&mut self, list: &AndOrList, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        self.pipeline(&list.first, parsed, context)?;
        list.additional.iter().try_for_each(|next| match next {
            AndOr::And(pipeline) | AndOr::Or(pipeline) => self.pipeline(pipeline, parsed, context),
        })
    }

    fn pipeline(&mut self, pipeline: &Pipeline, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let mut stages = Vec::with_capacity(pipeline.seq.len());
        for command in &pipeline.seq {
            let before = self.parts.len();
            self.command(command, parsed, context)?;
            stages.extend(self.parts.get(before).cloned());
        }
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
                self.compound(compound, parsed, context)?;
                self.redirects(redirects.as_ref(), parsed, context)
            }
            Command::Function(function) => {
                // Its name may be that of a command that is judged by it, with arguments that only the body knows.
                self.unresolved("a function is defined");
                self.compound(&function.body.0, parsed, context)?;
                self.redirects(function.body.1.as_ref(), parsed, context)
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
            CompoundCommand::Subshell(group) => self.list(&group.list, parsed, context),
            CompoundCommand::ForClause(clause) => {
                if let Some(reason) = evaluators::of_loop_variable(&clause.variable_name) {
                    self.unresolved(reason);
                }
                let values = clause.values.as_deref().unwrap_or_default();
                values.iter().try_for_each(|word| self.computed(word, parsed, context))?;
                self.list(&clause.body.list, parsed, context)
            }
            CompoundCommand::CaseClause(clause) => {
                self.computed(&clause.value, parsed, context)?;
                for item in &clause.cases {
                    item.patterns.iter().try_for_each(|word| self.computed(word, parsed, context))?;
                    item.cmd.iter().try_for_each(|list| self.list(list, parsed, context))?;
                }
                Ok(())
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition, parsed, context)?;
                self.list(&clause.then, parsed, context)?;
                for other in clause.elses.iter().flatten() {
                    other.condition.iter().try_for_each(|list| self.list(list, parsed, context))?;
                    self.list(&other.body, parsed, context)?;
                }
                Ok(())
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0, parsed, context)?;
                self.list(&clause.1.list, parsed, context)
            }
            CompoundCommand::Coprocess(coprocess) => self.command(&coprocess.body, parsed, context),
        }
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
                result = self.script(script, context);
            }
        });
        result
    }

    fn all_scripts(&mut self, scripts: &[Script], context: Context) -> Result<(), Trouble> {
        scripts.iter().try_for_each(|script| self.script(script, context))
    }

    fn redirects(&mut self, list: Option<&RedirectList>, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        for redirect in list.iter().flat_map(|list| &list.0) {
            self.redirect(redirect, parsed, context)?;
        }
        Ok(())
    }

    /// Collects the files of a redirection, looks at the scripts in it, and answers what is given to standard input.
    fn redirect(
        &mut self,
        redirect: &IoRedirect,
        parsed: &Parsed<'_>,
        context: Context,
    ) -> Result<Option<Stdin>, Trouble> {
        let Some(target) = redirect_word(redirect) else { return Ok(None) };
        let stdin = match find(target, parsed)? {
            Found::Word(word) => {
                self.scripts_of(&word, context)?;
                if matches!(redirect, IoRedirect::HereString(..)) {
                    Stdin::Text(word.literal())
                } else {
                    self.redirect_file(redirect, &word);
                    Stdin::Other
                }
            }
            Found::Document(document) => {
                self.all_scripts(&document.scripts, context)?;
                Stdin::Text(document.text.clone())
            }
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
            self.test(only, test, parsed, context)?;
            return found.redirects.iter().try_for_each(|r| self.redirect(r, parsed, context).map(|_| ()));
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
        // The command comes before the commands inside it, so remember what its input is first.
        let parts_before = self.parts.len();
        let mut stdin = Stdin::Inherited;
        let mut inner = Ok(());
        for redirect in &found.redirects {
            match self.redirect(redirect, parsed, context) {
                Ok(Some(given)) => stdin = given,
                Ok(None) => {}
                Err(trouble) => inner = Err(trouble),
            }
        }
        for word in found.assignments.iter().chain(&found.words) {
            inner = inner.and(self.scripts_of(word, context));
        }
        let inner_parts = self.take_back(parts_before);
        if let Some(reason) = found.assignments.iter().find_map(|word| evaluators::of_assignment(word)) {
            self.unresolved(reason);
        }
        self.invoke(Invocation::new(found.words, &found.assignments, written, stdin), context);
        for part in inner_parts {
            self.part(part);
        }
        inner
    }

    /// `[[ … ]]` or `(( … ))`: a command like any other, because its arithmetic can run commands.
    fn test(&mut self, word: &TreeWord, test: &Test, parsed: &Parsed<'_>, context: Context) -> Result<(), Trouble> {
        let position = Parsed::position(word).ok_or(LOST)?;
        let source = parsed.source(position, position);
        self.plain_part(collapse_all(&source), context);
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
