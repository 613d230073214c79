//! What bash evaluates although it is quoted: values of variables in arithmetic, subscripts in the names of variables, and
//! texts that run when something else happens. Bash manual, "Shell Arithmetic", "Arrays", "Bash Variables", "Bash Builtins".
//!
//! `x='a[$(command)]'; let x` runs the command. Such texts may come from anywhere, so what evaluates one that is not fixed
//! is not certain, and never allowed.

use std::rc::Rc;

use cavra_model::COMPUTED;

use super::invoke::{Invocation, base_name};
use super::shells;
use super::word::Word;

/// Which arguments of a built-in command name variables.
#[derive(Clone, Copy)]
enum Names {
    /// All but options.
    All,
    /// Those after one of these operators.
    After(&'static [&'static str]),
    /// The value of this option, of the options in front.
    Option(char),
    /// The one at this place.
    At(usize),
}

/// Built-in commands that evaluate the subscript of a variable's name.
const TAKE_NAMES: [(&str, Names); 15] = [
    ("[", Names::After(&["-v", "-R"])),
    ("test", Names::After(&["-v", "-R"])),
    ("printf", Names::Option('v')),
    ("wait", Names::Option('p')),
    ("getopts", Names::At(2)),
    ("read", Names::All),
    ("mapfile", Names::All),
    ("readarray", Names::All),
    ("unset", Names::All),
    ("declare", Names::All),
    ("typeset", Names::All),
    ("local", Names::All),
    ("readonly", Names::All),
    ("export", Names::All),
    ("integer", Names::All),
];

/// Options of built-in commands, by letter, with what they make of the rest of their arguments.
const OPTIONS: [(&str, &[char], &str); 8] = [
    ("declare", &['i', 'n'], VALUE),
    ("typeset", &['i', 'n'], VALUE),
    ("local", &['i', 'n'], VALUE),
    ("readonly", &['i', 'n'], VALUE),
    ("mapfile", &['C'], OTHER_TEXT),
    ("readarray", &['C'], OTHER_TEXT),
    ("hash", &['p'], OTHER_PROGRAM),
    ("enable", &['f'], OTHER_PROGRAM),
];

/// Variables whose values are run, or name what is run, once something else happens.
const RUN_LATER: [&str; 4] = ["BASH_ENV", "ENV", "PROMPT_COMMAND", "PS4"];

/// Variables whose values are arithmetic.
const INTEGERS: [&str; 6] = ["HISTCMD", "LINENO", "OPTIND", "RANDOM", "SECONDS", "SRANDOM"];

/// Operators of `[[ … ]]` between arithmetic expressions.
const ARITHMETIC: [&str; 6] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

/// Values that are whole numbers, whatever they are.
const COUNTS: [&str; 8] = ["$#", "$?", "$$", "$!", "\"$#\"", "\"$?\"", "\"$$\"", "\"$!\""];

const NAME: &str = "the name of a variable is not fixed text";
const SUBSCRIPT: &str = "a subscript that is evaluated";
const VALUE: &str = "the value of a variable is evaluated";
const LATER: &str = "a variable whose value is run later";
const OTHER_TEXT: &str = "a built-in command that runs other texts";
const OTHER_PROGRAM: &str = "another program under the name of a known one";
const STANDARD_INPUT: &str = "a script that is read from a descriptor";

/// True for a built-in command that this file is about.
pub(super) fn is_one(name: &str) -> bool {
    TAKE_NAMES.iter().any(|(known, _)| *known == name) || OPTIONS.iter().any(|(known, ..)| *known == name)
}

/// Why it is not certain what a command evaluates.
pub(super) fn of_command(command: &Invocation) -> Option<&'static str> {
    // `a[x]=1` is an assignment too, though it reads as the name of a command.
    if let Some(reason) = command.words.first().and_then(|word| of_assignment(word)) {
        return Some(reason);
    }
    // The index of a descriptor: `{a[…]}>file`.
    if command.words.iter().any(|word| word.source.starts_with('{') && word.source.contains('[')) {
        return Some(SUBSCRIPT);
    }
    let name = command.literal(0)?;
    let arguments = command.words.get(1..).unwrap_or_default();
    match name.as_str() {
        "compgen" | "fc" => Some(OTHER_TEXT),
        "let" => arguments.iter().any(|word| !is_arithmetic_of_numbers(word)).then_some(VALUE),
        name if matches!(base_name(name), "." | "source") || shells::is_evaluator(base_name(name)) => {
            let mut files = arguments.iter().filter_map(|word| word.literal());
            files.any(|text| is_descriptor(&text)).then_some(STANDARD_INPUT)
        }
        name if base_name(name) == "env" => arguments.iter().find_map(|word| of_assignment(word)),
        name => of_options(name, arguments).or_else(|| of_names(name, arguments)),
    }
}

/// A computed word may be an option.
fn of_options(name: &str, arguments: &[Rc<Word>]) -> Option<&'static str> {
    let (_, letters, reason) = OPTIONS.iter().find(|(known, ..)| *known == name)?;
    let is_one = |word: &Rc<Word>| match word.literal() {
        Some(text) => text.starts_with(['-', '+']) && !text.starts_with("--") && text.contains(*letters),
        None => starts_computed(word),
    };
    arguments.iter().any(is_one).then_some(*reason)
}

fn of_names(name: &str, arguments: &[Rc<Word>]) -> Option<&'static str> {
    let (_, names) = TAKE_NAMES.iter().find(|(known, _)| *known == name)?;
    if arguments.iter().any(|word| has_command_in_subscript(word)) {
        return Some("a subscript that runs a command");
    }
    match names {
        Names::All => arguments.iter().find_map(|word| of_name(word).or_else(|| of_assignment(word))),
        Names::At(place) => arguments.get(place.checked_sub(1)?).and_then(|word| of_name(word)),
        Names::After(operators) => arguments.windows(2).find_map(|pair| {
            let [before, word] = pair else { return None };
            let names = before.literal().is_none_or(|before| operators.contains(&before.as_str()));
            names.then(|| of_name(word)).flatten()
        }),
        Names::Option(letter) => arguments.iter().enumerate().find_map(|(index, word)| {
            let Some(text) = word.literal() else { return (index == 0 && starts_computed(word)).then_some(NAME) };
            match text.strip_prefix('-')?.split_once(*letter)? {
                (_, "") => arguments.get(index + 1).and_then(|word| of_name(word)),
                (_, name) => has_evaluated_subscript(name).then_some(SUBSCRIPT),
            }
        }),
    }
}

/// Why it is not certain what comes of values that are given to a variable one by one, or that a command reads.
pub(super) fn of_loop_variable(name: &str) -> Option<&'static str> {
    (RUN_LATER.contains(&name) || INTEGERS.contains(&name)).then_some(VALUE)
}

/// Why it is not certain what an assignment evaluates; nothing for a word that is none.
pub(super) fn of_assignment(word: &Word) -> Option<&'static str> {
    let text = word.dequoted();
    let (name, value) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let is_array = value.starts_with('(');
    let blank = |c: char| c == '(' || c.is_whitespace();
    if has_evaluated_subscript(name) || (is_array && value.split(blank).any(|element| element.starts_with('['))) {
        return Some(SUBSCRIPT);
    }
    if RUN_LATER.contains(&name) && !value.is_empty() {
        return Some(LATER);
    }
    (INTEGERS.contains(&name) && !is_whole_number(value)).then_some(VALUE)
}

/// Why it is not certain what `[[ … ]]` with these words evaluates.
pub(super) fn of_test(words: &[Word]) -> Option<&'static str> {
    let around = |index: usize| [index.checked_sub(1), index.checked_add(1)].into_iter().flatten();
    words.iter().enumerate().find_map(|(index, word)| match word.plain()? {
        operator if ARITHMETIC.contains(&operator) => {
            let mut operands = around(index).filter_map(|at| words.get(at));
            operands.any(|operand| !is_number(operand)).then_some(VALUE)
        }
        "-v" | "-R" => words.get(index + 1).and_then(of_name),
        _ => None,
    })
}

fn of_name(word: &Word) -> Option<&'static str> {
    let name_in = |text: &str| text.split_once('=').map_or(text, |(name, _)| name).trim_end_matches('+').to_owned();
    let text = word.dequoted();
    let name = name_in(&text);
    if has_evaluated_subscript(&name) {
        return Some(SUBSCRIPT);
    }
    if word.with_computed().is_some_and(|text| name_in(&text).contains(COMPUTED)) {
        return Some(NAME);
    }
    of_loop_variable(&name).filter(|_| text == name)
}

fn starts_computed(word: &Word) -> bool {
    word.with_computed().is_some_and(|text| text.starts_with(COMPUTED))
}

/// A quoted subscript such as `a[$(command)]`.
fn has_command_in_subscript(word: &Word) -> bool {
    let text = word.dequoted();
    text.contains('[') && (text.contains("$(") || text.contains('`')) && !word.has_command()
}

fn is_arithmetic_of_numbers(word: &Word) -> bool {
    word.literal().is_some_and(|text| !text.contains(|c: char| c.is_alphabetic() || c == '_'))
}

/// A subscript that is no number and not all elements: as an expression, it can run commands.
fn has_evaluated_subscript(name: &str) -> bool {
    let Some((variable, rest)) = name.split_once('[') else { return false };
    let subscript = rest.strip_suffix(']').unwrap_or(rest);
    let is_variable = variable.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_variable && !(matches!(subscript, "@" | "*") || is_whole_number(subscript))
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_number(word: &Word) -> bool {
    word.literal().is_some_and(|text| is_whole_number(&text)) || COUNTS.contains(&word.source.as_str())
}

/// A file that is what a descriptor of the process is about.
fn is_descriptor(path: &str) -> bool {
    path == "/dev/stdin" || path.starts_with("/dev/fd/") || (path.starts_with("/proc/") && path.contains("/fd/"))
}
