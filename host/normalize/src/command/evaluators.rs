//! What bash evaluates although it is quoted: values of variables in arithmetic, subscripts in the names of variables, and
//! texts that run when something else happens. Bash manual, "Shell Arithmetic", "Arrays", "Bash Variables", "Bash Builtins".
//!
//! `x='a[$(command)]'; let x` runs the command. Such texts may come from anywhere, so what evaluates one that is not fixed
//! is not certain, and never allowed.

use super::invoke::{Invocation, base_name};
use super::shells;
use super::word::Word;

/// Which arguments of a built-in command name variables.
#[derive(Clone, Copy)]
enum Names {
    /// All but options.
    All,
    /// Those after one of these.
    After(&'static [&'static str]),
    /// The one at this place.
    At(usize),
}

/// Built-in commands that evaluate the subscript of a variable's name.
const TAKE_NAMES: [(&str, Names); 15] = [
    ("[", Names::After(&["-v", "-R"])),
    ("test", Names::After(&["-v", "-R"])),
    ("printf", Names::After(&["-v"])),
    ("wait", Names::After(&["-p"])),
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

/// Options of built-in commands after which they evaluate what they are given, or run it.
const EVALUATING_OPTIONS: [(&str, &[char]); 8] = [
    ("declare", &['i', 'n']),
    ("typeset", &['i', 'n']),
    ("local", &['i', 'n']),
    ("readonly", &['i', 'n']),
    ("mapfile", &['C']),
    ("readarray", &['C']),
    // Another program under the name of a known one.
    ("hash", &['p']),
    ("enable", &['f']),
];

/// Built-in commands that run texts from elsewhere, whatever their arguments are.
const ALWAYS: [&str; 2] = ["compgen", "fc"];

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
const STANDARD_INPUT: &str = "a script that is read from a descriptor";

/// Whether a built-in command evaluates a subscript such as `a[$(command)]` even where it is quoted.
pub(super) fn evaluates_subscripts(name: &str) -> bool {
    name == "let" || TAKE_NAMES.iter().any(|(known, _)| *known == name)
}

/// Why it is not certain what a command evaluates.
pub(super) fn of_command(command: &Invocation) -> Option<&'static str> {
    // `a[x]=1` is an assignment too, though it reads as the name of a command.
    if let Some(reason) = command.words.first().and_then(|word| of_assignment(word)) {
        return Some(reason);
    }
    let name = command.literal(0)?;
    let name = name.as_str();
    let arguments = command.words.get(1..).unwrap_or_default();
    let options = || arguments.iter().filter_map(|word| word.literal()).filter(|text| text.starts_with(['-', '+']));
    if ALWAYS.contains(&name) {
        return Some("a built-in command that runs other texts");
    }
    if let Some((_, letters)) = EVALUATING_OPTIONS.iter().find(|(known, _)| *known == name)
        && options().any(|option| !option.starts_with("--") && option.contains(*letters))
    {
        return Some(VALUE);
    }
    if name == "let" {
        let is_number = |text: &str| !text.contains(|c: char| c.is_alphabetic() || c == '_');
        return (!arguments.iter().all(|word| word.literal().is_some_and(|text| is_number(&text)))).then_some(VALUE);
    }
    if matches!(base_name(name), "." | "source") || shells::is_evaluator(base_name(name)) {
        let read = arguments.iter().filter_map(|word| word.literal()).any(|text| is_descriptor(&text));
        return read.then_some(STANDARD_INPUT);
    }
    if base_name(name) == "env" {
        return arguments.iter().find_map(|word| of_assignment(word));
    }
    let (_, names) = TAKE_NAMES.iter().find(|(known, _)| *known == name)?;
    let mut named = arguments.iter().enumerate().filter(|(index, _)| match names {
        Names::All => true,
        Names::At(place) => index + 1 == *place,
        Names::After(options) => index
            .checked_sub(1)
            .and_then(|before| arguments.get(before))
            .is_some_and(|before| before.literal().is_none_or(|before| options.contains(&before.as_str()))),
    });
    named.find_map(|(_, word)| of_name(word).or_else(|| of_assignment(word)))
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
    if word.with_computed().is_some_and(|text| name_in(&text).contains(cavra_model::COMPUTED)) {
        return Some(NAME);
    }
    (text == name && (RUN_LATER.contains(&name.as_str()) || INTEGERS.contains(&name.as_str()))).then_some(VALUE)
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
