//! Commands whose arguments are another command.

use std::ops::Range;

use super::invoke::{Invocation, base_name, is_harmless_assignment};

/// What a command does with the command in its arguments.
pub(super) enum Inner {
    /// It is no wrapper, or nothing follows.
    Nothing,
    /// The inner command is all that happens: it starts at this word.
    Same {
        /// Position of the inner command.
        first: usize,
    },
    /// Inner commands run under other circumstances, such as another user.
    Other {
        /// Positions of the inner commands.
        ranges: Vec<Range<usize>>,
    },
    /// One of the words starts a command; which one is not known.
    Somewhere,
    /// What runs cannot be told.
    Unclear {
        /// For people.
        reason: &'static str,
    },
}

impl Inner {
    fn other(first: usize, command: &Invocation) -> Self {
        Self::Other { ranges: std::iter::once(first..command.words.len()).collect() }
    }
}

/// A command that runs its arguments.
struct Wrapper {
    name: &'static str,
    /// It changes nothing about the inner command that a rule could care about.
    transparent: bool,
    /// Options that take a value: single letters, and long names.
    value_letters: &'static str,
    value_names: &'static [&'static str],
    /// Options without a value.
    letters: &'static str,
    names: &'static [&'static str],
    /// Operands of its own before the inner command.
    operands: usize,
}

const fn transparent(name: &'static str, value_letters: &'static str, letters: &'static str) -> Wrapper {
    Wrapper { name, transparent: true, value_letters, value_names: &[], letters, names: &[], operands: 0 }
}

const WRAPPERS: [Wrapper; 19] = [
    Wrapper {
        value_names: &["--signal", "--kill-after"],
        names: &["--foreground", "--preserve-status", "--verbose"],
        operands: 1,
        ..transparent("timeout", "sk", "fpv")
    },
    transparent("nohup", "", ""),
    Wrapper { value_names: &["--adjustment"], ..transparent("nice", "n", "0123456789") },
    Wrapper { value_names: &["--class", "--classdata"], names: &["--ignore"], ..transparent("ionice", "cn", "t") },
    Wrapper {
        value_names: &["--output", "--format"],
        names: &["--portability", "--verbose", "--append", "--quiet"],
        ..transparent("time", "of", "pvaq")
    },
    transparent("command", "", "p"),
    transparent("builtin", "", ""),
    transparent("exec", "a", "cl"),
    Wrapper { value_names: &["--input", "--output", "--error"], ..transparent("stdbuf", "ioe", "") },
    Wrapper { names: &["--ctty", "--fork", "--wait"], ..transparent("setsid", "", "cfw") },
    transparent("noglob", "", ""),
    transparent("nocorrect", "", ""),
    Wrapper { transparent: false, ..transparent("doas", "uC", "nsL") },
    Wrapper {
        transparent: false,
        value_names: &[
            "--user",
            "--group",
            "--host",
            "--prompt",
            "--close-from",
            "--chdir",
            "--chroot",
            "--role",
            "--type",
            "--command-timeout",
            "--other-user",
        ],
        names: &[
            "--preserve-env",
            "--set-home",
            "--non-interactive",
            "--login",
            "--shell",
            "--stdin",
            "--background",
            "--askpass",
            "--bell",
            "--preserve-groups",
            "--reset-timestamp",
        ],
        ..transparent("sudo", "ughpCDRrtTU", "EHniASbBPks")
    },
    Wrapper {
        transparent: false,
        value_names: &["--max-args", "--max-procs", "--max-chars", "--delimiter", "--arg-file", "--process-slot-var"],
        // The last three take a value only behind `=`.
        names: &[
            "--null",
            "--no-run-if-empty",
            "--verbose",
            "--interactive",
            "--exit",
            "--open-tty",
            "--max-lines",
            "--replace",
            "--eof",
        ],
        ..transparent("xargs", "nPLsdaIE", "0rtpxo")
    },
    Wrapper {
        transparent: false,
        value_names: &["--userspec", "--groups"],
        names: &["--skip-chdir"],
        operands: 1,
        ..transparent("chroot", "", "")
    },
    Wrapper { transparent: false, value_names: &["--cpu-list"], operands: 1, ..transparent("taskset", "", "a") },
    Wrapper { transparent: false, names: &["--shell"], ..transparent("busybox", "", "") },
    Wrapper { transparent: false, ..transparent("toybox", "", "") },
];

/// Commands with too many options to know, or whose inner command may be one word with blanks in it.
const RUNNERS: [&str; 60] = [
    "ansible",
    "apptainer",
    "at",
    "batch",
    "bun",
    "bundle",
    "bunx",
    "caffeinate",
    "catchsegv",
    "chpst",
    "chrt",
    "conda",
    "crictl",
    "cpulimit",
    "ctr",
    "dbus-run-session",
    "direnv",
    "docker",
    "entr",
    "faketime",
    "fakeroot",
    "firejail",
    "flock",
    "gdb",
    "heroku",
    "kubectl",
    "ltrace",
    "lxc",
    "mise",
    "mosh",
    "nerdctl",
    "nix-shell",
    "npm",
    "npx",
    "nsenter",
    "parallel",
    "perf",
    "pipx",
    "pkexec",
    "pnpm",
    "podman",
    "poetry",
    "proot",
    "rlwrap",
    "runuser",
    "script",
    "setarch",
    "setpriv",
    "ssh",
    "start-stop-daemon",
    "strace",
    "su",
    "systemd-run",
    "torsocks",
    "unbuffer",
    "unshare",
    "uv",
    "valgrind",
    "watch",
    "yarn",
];

/// Most commands of one `find`.
const MAX_FIND_COMMANDS: usize = 16;

/// Folders whose programs are what their names say.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/opt/homebrew/bin/"];

const UNKNOWN_OPTION: Inner = Inner::Unclear { reason: "an option of a command that runs another command" };

/// True for a command that runs its arguments.
pub(super) fn is_one(name: &str) -> bool {
    RUNNERS.contains(&name) || WRAPPERS.iter().any(|wrapper| wrapper.name == name)
}

/// Finds the command in the arguments of a command.
pub(super) fn look_through(name: &str, command: &Invocation) -> Inner {
    let base = base_name(name);
    let is_system =
        base == name || SYSTEM_FOLDERS.iter().any(|folder| name.strip_prefix(folder).is_some_and(|rest| rest == base));
    match base {
        "env" => env(command, is_system),
        "find" => find(command),
        // These only say what a name stands for.
        "command" if command.literal(1).is_some_and(|word| word == "-v" || word == "-V") => Inner::Nothing,
        _ => match WRAPPERS.iter().find(|wrapper| wrapper.name == base) {
            Some(wrapper) => wrapper.look_through(command, is_system),
            None if RUNNERS.contains(&base) => Inner::Somewhere,
            None => Inner::Nothing,
        },
    }
}

/// Whether a command puts something of its own into the command that it runs from the word at `first` on: in place of a
/// placeholder, or, if there is none, behind the other words.
pub(super) fn fills(name: &str, command: &Invocation, first: usize) -> Option<Option<String>> {
    match base_name(name) {
        "find" => Some(Some("{}".to_owned())),
        "xargs" => Some(xargs_placeholder(command, first)),
        _ => None,
    }
}

fn xargs_placeholder(command: &Invocation, first: usize) -> Option<String> {
    (1..first).rev().find_map(|at| {
        let option = command.literal(at)?;
        if let Some(long) = option.strip_prefix("--replace") {
            return Some(long.strip_prefix('=').filter(|text| !text.is_empty()).unwrap_or("{}").to_owned());
        }
        let (_, value) = option.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?.split_once('I')?;
        let value = if value.is_empty() { command.literal(at + 1)? } else { value.to_owned() };
        (!value.is_empty()).then_some(value)
    })
}

impl Wrapper {
    fn look_through(&self, command: &Invocation, is_system: bool) -> Inner {
        let Some(mut first) = self.after_options(command) else { return UNKNOWN_OPTION };
        for _ in 0..self.operands {
            match command.words.get(first) {
                None => return Inner::Nothing,
                Some(word) if word.literal().is_none() => {
                    return Inner::Unclear { reason: "an argument of a command that runs another command" };
                }
                Some(_) => first += 1,
            }
        }
        if self.name == "sudo" {
            while command.literal(first).is_some_and(|word| is_assignment(&word)) {
                first += 1;
            }
        }
        match (first < command.words.len(), self.transparent && is_system) {
            (false, _) => Inner::Nothing,
            (true, true) => Inner::Same { first },
            (true, false) => Inner::other(first, command),
        }
    }

    /// The position behind the options, or `None` if one of them is not known.
    fn after_options(&self, command: &Invocation) -> Option<usize> {
        let mut at = 1;
        while at < command.words.len() {
            let Some(word) = command.literal(at) else {
                // The first word that is no option may well be computed.
                return Some(at);
            };
            if word == "--" {
                return Some(at + 1);
            }
            if let Some(long) = word.strip_prefix("--") {
                let name = long
                    .split_once('=')
                    .map_or(word.as_str(), |(name, _)| word.get(..name.len() + 2).unwrap_or_default());
                let has_value = name.len() < word.len();
                if self.value_names.contains(&name) {
                    at += if has_value { 1 } else { 2 };
                } else if self.names.contains(&name) {
                    at += 1;
                } else {
                    return None;
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                at += self.letters_length(letters)?;
            } else {
                return Some(at);
            }
        }
        Some(at)
    }

    /// How many words a group of one-letter options takes.
    fn letters_length(&self, letters: &str) -> Option<usize> {
        for (index, letter) in letters.char_indices() {
            if self.value_letters.contains(letter) {
                let is_last = index + letter.len_utf8() == letters.len();
                return Some(if is_last { 2 } else { 1 });
            }
            if !self.letters.contains(letter) {
                return None;
            }
        }
        Some(1)
    }
}

/// `env` is transparent as long as it only sets harmless variables.
fn env(command: &Invocation, is_system: bool) -> Inner {
    let mut same = is_system;
    let mut at = 1;
    while let Some(word) = command.literal(at) {
        match word.as_str() {
            "-i" | "--ignore-environment" | "-" | "-v" | "--debug" | "-0" | "--null" => same = false,
            "-u" | "--unset" | "-C" | "--chdir" => {
                same = false;
                at += 1;
            }
            "--" => {
                at += 1;
                break;
            }
            _ if word.starts_with("--unset=") || word.starts_with("--chdir=") => same = false,
            // `-S` splits its value by rules of its own.
            _ if word.starts_with('-') => return Inner::Unclear { reason: "an option of env" },
            _ if is_assignment(&word) => {
                same &= command.words.get(at).is_some_and(|word| is_harmless_assignment(word));
            }
            _ => break,
        }
        at += 1;
    }
    // Assignments may also follow `--`.
    while command.literal(at).is_some_and(|word| is_assignment(&word)) {
        same = false;
        at += 1;
    }
    let text = command.words.get(at).map(|word| word.dequoted());
    match text {
        None => Inner::Nothing,
        Some(text) if text.contains('=') => Inner::Unclear { reason: "a variable set to a value that is not fixed" },
        Some(_) if same => Inner::Same { first: at },
        Some(_) => Inner::other(at, command),
    }
}

/// `find` runs what follows `-exec` and its relatives, up to `;` or `+`.
fn find(command: &Invocation) -> Inner {
    let texts: Vec<Option<String>> = command.words.iter().map(|word| word.literal()).collect();
    let is = |index: usize, wanted: &[&str]| {
        texts.get(index).and_then(Option::as_deref).is_some_and(|text| wanted.contains(&text))
    };
    let mut ranges = Vec::new();
    for at in 1..texts.len() {
        if is(at, &["-exec", "-execdir", "-ok", "-okdir"]) {
            let end = (at + 1..texts.len()).find(|&index| is(index, &[";", "+"])).unwrap_or(texts.len());
            ranges.push(at + 1..end);
        }
        if ranges.len() > MAX_FIND_COMMANDS {
            return Inner::Unclear { reason: "find runs too many commands" };
        }
    }
    if ranges.is_empty() { Inner::Nothing } else { Inner::Other { ranges } }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with('-')
    })
}
