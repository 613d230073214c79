//! Properties of the normaliser over generated texts.

use std::collections::BTreeSet;

use cavra_model::CommandLine;
use cavra_normalize::{clean_path, git_operation, split_command};
use proptest::prelude::*;

/// Pieces of shell text, chosen to collide.
const FRAGMENTS: [&str; 48] = [
    "a",
    "ls",
    "git push",
    "terraform apply",
    " ",
    "\t",
    "\n",
    ";",
    "&&",
    "||",
    "|",
    "&",
    "(",
    ")",
    "{ ",
    "; }",
    "'",
    "\"",
    "\\",
    "$",
    "$(",
    "`",
    "${x:-",
    "}",
    "$'",
    "#",
    "<<E\n",
    "\nE\n",
    "\\\n",
    "if ",
    "then ",
    "fi ",
    "case x in ",
    ";;",
    "esac",
    "for i in ",
    "do ",
    "done ",
    "[[ ",
    " ]]",
    "((",
    "))",
    "x=",
    "a=(",
    ">",
    "<",
    "bash -c ",
    "é",
];

/// A word of fixed text: mostly one that names no program, sometimes one that runs another command.
fn word() -> impl Strategy<Value = String> {
    let known =
        prop::sample::select(vec!["sudo", "git", "push", "timeout", "env", "npx", "bash", "-c", "find", "eval"]);
    prop_oneof![3 => "[qxz][qxz:/-]{0,7}", 1 => known.prop_map(str::to_owned)]
}

/// What rules can see of a command line, without the spellings as written. Implied parts may repeat.
fn essence(line: &CommandLine) -> (BTreeSet<(String, String, bool)>, Option<String>) {
    let parts = line.parts.iter().map(|part| {
        let canonical = part.spellings.last().cloned().unwrap_or_default();
        (canonical, part.dequoted.clone(), part.implied)
    });
    (parts.collect(), line.unresolved.clone())
}

/// One character, quoted in one of the ways that mean the same.
fn quoted(c: char, way: u8) -> String {
    match way % 5 {
        0 => c.to_string(),
        1 => format!("'{c}'"),
        2 => format!("\"{c}\""),
        3 => format!("\\{c}"),
        _ => format!("$'\\x{:02x}'", u32::from(c)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_gives_parts(text in any::<String>()) {
        let line = split_command(&text);
        prop_assert!(text.trim().is_empty() || !line.parts.is_empty());
        prop_assert!(line.parts.iter().all(|part| !part.spellings.is_empty()));
    }

    #[test]
    fn any_shell_like_text_gives_parts(pieces in prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..24)) {
        let text = pieces.concat();
        let line = split_command(&text);
        prop_assert!(text.trim().is_empty() || !line.parts.is_empty());
        // Without a decisive part nothing would be judged, so the text must not count as understood.
        let decides = line.parts.iter().any(|part| !part.implied);
        prop_assert!(decides || line.unresolved.is_some() || text.trim().is_empty(), "{line:?}");
    }

    #[test]
    fn an_open_quote_is_unresolved(
        words in prop::collection::vec(word(), 1..4), at in any::<prop::sample::Index>(), double in any::<bool>(),
    ) {
        let mut text = words.join(" ");
        text.insert(at.index(text.len() + 1), if double { '"' } else { '\'' });
        prop_assert!(split_command(&text).unresolved.is_some());
    }

    #[test]
    fn quoting_does_not_change_the_canonical_spelling(
        words in prop::collection::vec(word(), 1..5), ways in prop::collection::vec(any::<u8>(), 40),
    ) {
        let plain = split_command(&words.join(" "));
        let mut ways = ways.into_iter().cycle();
        let text = words
            .iter()
            .map(|word| word.chars().map(|c| quoted(c, ways.next().unwrap_or_default())).collect::<String>())
            .collect::<Vec<_>>()
            .join(" ");
        prop_assert_eq!(essence(&split_command(&text)), essence(&plain));
    }

    #[test]
    fn commands_are_seen_wherever_they_hide(
        shell in prop::sample::select(vec!["$(@)", "`@`", "\"$(@)\"", "! (@)", "{ @; }", "<(@)", "a; @", "a && @", "a | @",
            "if a; then @; fi", "bash -c '@'", "sudo @", "timeout 5 @", "eval @", "a <<E\n$(@)\nE\n", "f() { @; }",
            "x=$(@) a", "case a in a) @;; esac", "[[ a == $(@) ]]", "for i in 1; do @; done", "${x:-$(@)}"]),
        outer in prop::sample::select(vec!["$(@)", "(@)", "{ @\n}", "a; @", "if @\nthen a; fi", "! @", "while a; do @\ndone"]),
    ) {
        let text = outer.replace('@', &shell.replace('@', "terraform apply"));
        let line = split_command(&text);
        let seen = line.parts.iter().any(|part| part.dequoted == "terraform apply");
        prop_assert!(seen, "{text:?}: {line:?}");
    }

    #[test]
    fn clean_paths_are_clean(path in "[a./\\\\ ]{1,24}") {
        let clean = clean_path(&path).unwrap();
        prop_assert_eq!(&clean_path(&clean).unwrap(), &clean);
        prop_assert!(!clean.contains("//") && !clean.contains("/./") && !clean.contains('\\'));
        let climbs = clean.split('/').skip_while(|segment| *segment == "..");
        prop_assert!(climbs.clone().all(|segment| segment != ".."), "{clean:?}");
        prop_assert_eq!(clean.starts_with('/'), path.starts_with(['/', '\\']));
    }

    #[test]
    fn a_branch_has_no_separators(operation in ".{0,12}", target in ".{0,24}") {
        let git = git_operation(&operation, &target);
        prop_assert!(!git.branch.contains(['/', ':', ' ']));
        prop_assert!(git.branch_path.ends_with(&git.branch));
    }
}
