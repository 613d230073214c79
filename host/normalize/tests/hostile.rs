//! Texts that are made to exhaust a parser: they have to come back, quickly and as unresolved.

use cavra_normalize::split_command;

/// The largest text the product lets through, in bytes.
const LARGEST: usize = 64 * 1024;

const OPENERS: [&str; 36] = [
    "(",
    "((",
    "$(",
    "`",
    "{ ",
    "${x:-",
    "$((",
    "<(",
    "if ",
    "[[ ",
    "[[ ((",
    "case x in a) ",
    "case x in ",
    "f() ",
    "while ",
    "\"$(",
    "function f { ",
    "coproc { ",
    "{a,",
    "{",
    "'",
    "\"",
    "$'",
    "<<E ",
    "for x in ",
    "a=(",
    "x=$(",
    "until ",
    "! (",
    "time (",
    "a && (",
    "a | { ",
    "eval \"",
    "bash -c '",
    "${x:-`",
    "$(( $(",
];

fn on_small_stack(check: impl FnOnce() + Send + 'static) {
    // Smaller than the stack of any thread the product uses.
    let outcome = std::thread::Builder::new().stack_size(512 * 1024).spawn(check).map(std::thread::JoinHandle::join);
    assert!(matches!(outcome, Ok(Ok(()))), "the check failed");
}

#[test]
fn endless_nesting_is_unresolved() {
    on_small_stack(|| {
        for opener in OPENERS {
            // An odd number, or quotes would close each other.
            let line = split_command(&opener.repeat((LARGEST / opener.len() - 1) | 1));
            assert!(line.unresolved.is_some(), "{opener:?} is resolved");
        }
    });
}

#[test]
fn balanced_nesting_beyond_the_limit_is_unresolved() {
    let pairs = [
        ("( ", " )"),
        ("$(", ")"),
        ("{ ", "; }"),
        ("${x:-", "}"),
        ("<(", ")"),
        ("(;", ")"),
        ("if a; then ", "; fi"),
        ("case x in a) ", ";; esac"),
        ("case x in a) ", "; esac"),
        ("f() { ", "; }"),
        ("while a; do ", "; done"),
    ];
    on_small_stack(move || {
        for (open, close) in pairs {
            let depth = LARGEST / (open.len() + close.len()) - 1;
            let line = split_command(&format!("{}a{}", open.repeat(depth), close.repeat(depth)));
            assert!(line.unresolved.is_some(), "{open:?} is resolved");
        }
    });
}

#[test]
fn nesting_within_the_limits_is_resolved_on_a_small_stack() {
    on_small_stack(|| {
        for (open, close, depth) in [("( ", " )", 40), ("{ ", "; }", 40), ("if a; then ", "; fi", 40), ("$(", ")", 12)]
        {
            let text = format!("{} ls {}", format!("echo x; {open}").repeat(depth), close.repeat(depth));
            let text = if open == "$(" { format!("{}ls{}", "echo $(".repeat(depth), ")".repeat(depth)) } else { text };
            assert_eq!(split_command(&text).unresolved, None, "{open:?}");
        }
        // Scripts in scripts, each with everything it may nest.
        let mut text = "ls".to_owned();
        for _ in 0..3 {
            let groups = format!("{} {text} {}", "{ ".repeat(30), "; }".repeat(30));
            let nested = format!("{}{groups}{}", "echo $(".repeat(10), ")".repeat(10));
            text = format!("bash -c '{}'", nested.replace('\'', r"'\''"));
        }
        assert_eq!(split_command(&text).unresolved, None);
    });
}

#[test]
fn lists_beyond_the_limits_are_unresolved() {
    for unit in [
        "a\n",
        "a;",
        "a|",
        "a && ",
        "$(a) ",
        "x=1 ",
        "a 'b' ",
        "{a,b} ",
        "sudo ",
        "timeout 1 ",
        "npx a ",
        "eval ",
        "find -exec ",
    ] {
        let line = split_command(&unit.repeat(LARGEST / unit.len()));
        assert!(line.unresolved.is_some(), "{unit:?} is resolved");
        assert!(line.parts.len() <= 512, "{unit:?} makes {} parts", line.parts.len());
    }
}

#[test]
fn scripts_in_scripts_have_a_limit() {
    let nest =
        |depth: usize| (0..depth).fold("ls".to_owned(), |text, _| format!("bash -c '{}'", text.replace('\'', r"'\''")));
    assert_eq!(split_command(&nest(6)).unresolved, None);
    assert!(split_command(&nest(9)).unresolved.is_some());
    assert!(split_command(&format!("{}ls", "timeout 1 ".repeat(20))).unresolved.is_some());
}

/// Packs read every part; the same words in many of them must not make a short text a long one.
#[test]
fn what_comes_of_a_text_is_not_much_longer() {
    let long = "a".repeat(1_800);
    for text in [
        format!("ls {{{}}}{}", vec!["a"; 31].join(","), "b".repeat(60_000)),
        format!("ls {}", format!("{{{}}}{long} ", vec!["a"; 31].join(",")).repeat(30)),
        format!("docker run x {}", format!("'{long} x' ").repeat(30)),
        format!("docker run {}", format!("docker\\ {long} ").repeat(30)),
        format!("{}'{}'", "timeout 1 ".repeat(7), "'\\''".repeat(16_000)),
        format!("{}{}", "xargs ".repeat(8), "'x y' ".repeat(10_000)),
        "ssh h 'ssh h '\\''a b'\\'''".repeat(2_400),
    ] {
        let line = split_command(&text);
        let bytes: usize = line.parts.iter().map(|part| part.dequoted.len() + part.spellings.concat().len()).sum();
        assert!(bytes <= 2 * (16 * text.len() + 128 * 1024), "{} bytes make {bytes}", text.len());
        assert!(line.unresolved.is_some() || bytes <= 16 * text.len() + 128 * 1024, "{:.40}", text);
    }
}

/// What is left out of a text that is only perhaps a script is left out of the judgement all the same.
#[test]
fn what_is_left_out_of_an_inner_script_is_not_resolved() {
    let script: String = (0..600).map(|number| format!("a{number}; ")).collect();
    assert!(split_command(&format!("ssh h '{script} terraform apply'")).unresolved.is_some());
}
