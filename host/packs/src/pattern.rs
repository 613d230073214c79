//! Patterns that do not mean what they seem to: those that can match nothing, and those with characters that a word
//! processor put there.

/// Characters that look like others, and what was meant; an empty text stands for nothing at all.
const LOOKALIKES: &[(&[char], &str)] = &[
    (&['“', '”', '„', '‟', '«', '»', '″'], "\""),
    (&['‘', '’', '‚', '‛', '‹', '›', '′'], "'"),
    (&['‐', '‑', '‒', '–', '—', '―', '−'], "-"),
    (&['…'], "..."),
    (&['＊', '∗', '⁎'], "*"),
    (&['／', '⁄', '∕'], "/"),
    (&['\u{a0}', '\u{2007}', '\u{202f}', '\u{3000}'], " "),
    (&['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}'], ""),
];

/// What is wrong with an entry of a list, if anything is: `section` and `key` say of which.
pub(crate) fn pattern_problem(section: &str, key: &str, pattern: &str) -> Option<String> {
    let trimmed = pattern.trim();
    if trimmed != pattern {
        return Some(match section {
            "commands" => format!("the blanks around it are not part of the pattern; write `{trimmed}`"),
            _ => format!("the blanks around it are part of it, so it can match nothing; write `{trimmed}`"),
        });
    }
    if let Some(problem) = lookalike(pattern) {
        return Some(problem);
    }
    match (section, key) {
        ("filesystem", _) => path_problem(pattern),
        ("git", "block_push_branches") => pattern
            .strip_prefix("refs/heads/")
            .map(|branch| format!("branches are compared without `refs/heads/`; write `{branch}`")),
        _ => None,
    }
}

fn lookalike(pattern: &str) -> Option<String> {
    let meant = |character: char| LOOKALIKES.iter().find(|(looks, _)| looks.contains(&character)).map(|row| row.1);
    let (character, _) = pattern.chars().find_map(|character| Some((character, meant(character)?)))?;
    let mended: String = pattern
        .chars()
        .map(|character| meant(character).map_or_else(|| character.to_string(), ToOwned::to_owned))
        .collect();
    Some(format!(
        "U+{:04X} is compared as it is, and keyboards do not write it; did you mean `{mended}`?",
        u32::from(character)
    ))
}

/// Why no path can match. Paths are compared cleaned up: without `.`, `..`, doubled and trailing slashes, and with `/`
/// between their parts.
fn path_problem(pattern: &str) -> Option<String> {
    let unquoted = [b'"', b'\''].iter().find_map(|quote| {
        let quote = char::from(*quote);
        pattern.strip_prefix(quote)?.strip_suffix(quote)
    });
    if let Some(inner) = unquoted {
        return Some(format!("the quotes are part of it, so it can match nothing; write `{inner}`"));
    }
    if pattern.contains('\\') {
        return Some(format!("paths have `/` between their parts; write `{}`", pattern.replace('\\', "/")));
    }
    if let Some(taken_back) = pattern.strip_prefix('!') {
        return Some(format!("a pattern takes nothing back: `!` is literal, and `{taken_back}` is not excepted"));
    }
    if has_alternatives(pattern) {
        return Some("braces are literal, so it can match nothing; write one pattern for each alternative".to_owned());
    }
    let cleaned = cleaned(pattern);
    (!cleaned.is_empty() && cleaned != pattern)
        .then(|| format!("paths are compared cleaned up, so it can match nothing; write `{cleaned}`"))
}

/// `{a,b}`, as other programs write alternatives.
fn has_alternatives(pattern: &str) -> bool {
    pattern.split_once('{').and_then(|(_, rest)| rest.split_once('}')).is_some_and(|(inner, _)| inner.contains(','))
}

/// The pattern as a cleaned path could match it. A folder that is named with its slash means what is in it.
fn cleaned(pattern: &str) -> String {
    let rooted = pattern.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| !["..", "*", "**"].contains(last)) => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut cleaned = parts.join("/");
    if rooted {
        cleaned.insert(0, '/');
    }
    if pattern.len() > 1 && pattern.ends_with('/') {
        cleaned.push_str("/*");
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_match_nothing_are_told_with_the_one_that_does() {
        for (section, key, pattern, mended) in [
            ("filesystem", "block_read", " .env", ".env"),
            ("filesystem", "block_read", ".env\t", ".env"),
            ("commands", "block", "terraform * ", "terraform *"),
            ("mcp", "allowed_servers", "github ", "github"),
            ("commands", "block", "echo “x”", "echo \"x\""),
            ("commands", "block", "terraform apply –auto-approve", "terraform apply -auto-approve"),
            ("filesystem", "block_read", "**/secret\u{200b}s.*", "**/secrets.*"),
            ("filesystem", "block_read", "my\u{a0}file", "my file"),
            ("filesystem", "block_read", "\"*.pem\"", "*.pem"),
            ("filesystem", "block_read", "'*.pem'", "*.pem"),
            ("filesystem", "block_read", "config\\*.key", "config/*.key"),
            ("filesystem", "block_read", "./iam/*", "iam/*"),
            ("filesystem", "block_read", "iam//*", "iam/*"),
            ("filesystem", "block_read", "a/./b", "a/b"),
            ("filesystem", "block_read", "a/../b", "b"),
            ("filesystem", "block_read", "secrets/", "secrets/*"),
            ("filesystem", "block_read", "/etc/", "/etc/*"),
            ("filesystem", "block_write", "!docs/*", "docs/*"),
            ("filesystem", "block_write", "*.{pem,key}", "one pattern"),
            ("git", "block_push_branches", "refs/heads/production", "production"),
        ] {
            let problem = pattern_problem(section, key, pattern).unwrap_or_default();
            assert!(problem.contains(mended), "{pattern:?}: {problem:?}");
        }
    }

    #[test]
    fn patterns_that_can_match_are_left_alone() {
        for pattern in [
            "**/.env",
            "*",
            "**",
            "/",
            "../other/*",
            "/etc/*",
            "src/[slug].tsx",
            "a b",
            "a{b}c",
            "é*",
            "~/.ssh/*",
            "**/x",
            "a/*/../b",
            "it's",
        ] {
            assert_eq!(pattern_problem("filesystem", "block_read", pattern), None, "{pattern}");
        }
        for pattern in ["echo \"x\"", "curl *|*sh*", "ls ./x/", "a\\ b", "git commit -m '*'", "! x"] {
            assert_eq!(pattern_problem("commands", "block", pattern), None, "{pattern}");
        }
        assert_eq!(pattern_problem("git", "block_push_branches", "release/2031"), None);
    }
}
