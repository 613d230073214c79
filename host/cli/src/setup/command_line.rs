//! Command lines of hooks, read as far as it takes to see ours in them.

/// The words of a command line, whatever quotes and operators are around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let apart = |letter: char| letter.is_whitespace() || "'\"`;|&(){}".contains(letter);
    text.split(apart).filter(|word| !word.is_empty())
}

/// Whether a program is cavra, whatever folder it is in.
fn is_cavra(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name == "cavra" || name == "cavra.exe"
}

/// Whether words start the hook of an agent.
fn starts_hook<'a>(words: impl Iterator<Item = &'a str>, agent: &str) -> bool {
    let words: Vec<&str> = words.collect();
    words.iter().enumerate().any(|(place, word)| {
        let arguments = words.get(place + 1..).unwrap_or_default();
        is_cavra(word) && arguments.first() == Some(&"hook") && arguments.contains(&agent)
    })
}

/// Whether a hook entry is ours, as a text for the shell or as a program with its arguments.
pub fn is_ours(command: &str, arguments: Option<&[String]>, agent: &str) -> bool {
    match arguments {
        // The program may be a shell that gets the text.
        Some(arguments) => {
            let all = std::iter::once(command).chain(arguments.iter().map(String::as_str));
            starts_hook(all.clone(), agent) || all.clone().any(|word| starts_hook(words(word), agent))
        }
        None => starts_hook(words(command), agent),
    }
}

/// Why the agent would not get the exit code and the answer of its hook in a text for the shell, if so: what follows it
/// answers instead.
pub fn loses_answer(text: &str, agent: &str) -> Option<&'static str> {
    let text = text.trim_end();
    let ours = text.rfind(agent).map_or(0, |place| place + agent.len());
    let mut quote = None;
    let mut before = ' ';
    for (place, letter) in text.char_indices() {
        let last = place + letter.len_utf8() == text.len();
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '!') if before.is_whitespace() => return Some("`!` turns its exit code round"),
            _ if place < ours => {}
            (None, '|') => return Some("what follows `|` takes the place of its answer"),
            (None, '&') if before != '>' => return Some("what follows `&` takes the place of its answer"),
            (None, ';' | '\n') if !last => return Some("the command that comes after it answers instead"),
            (None, '>') if before != '2' && before != '>' => return Some("its answer goes to a file"),
            _ => {}
        }
        before = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_our_hook() {
        for text in [
            "cavra hook claude-code",
            "cavra  hook   claude-code --policy-pack mine",
            "cavra hook --policy-file x claude-code",
            "/opt/cavra/bin/cavra hook claude-code",
            "\"$HOME/my programs/cavra\" hook claude-code",
            "'/opt/cavra' hook claude-code",
            "CAVRA_LOG=debug exec cavra hook claude-code",
            "cd /x && cavra hook claude-code || true",
            "sh -c 'cavra hook claude-code'",
            "C:\\tools\\cavra.exe hook claude-code",
            r#"cavra hook claude-code --policy-file "$CLAUDE_PROJECT_DIR/.cavra/policy.yaml""#,
        ] {
            assert!(is_ours(text, None, "claude-code"), "{text}");
        }
        for text in
            ["mycavra hook claude-code", "cavra evaluate", "cavra hook cursor", "echo cavra", "cavra-hook x", ""]
        {
            assert!(!is_ours(text, None, "claude-code"), "{text}");
        }
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (program, arguments, ours) in [
            ("cavra", &["hook", "claude-code"][..], true),
            ("/my programs/cavra", &["hook", "claude-code", "--policy-pack", "x"], true),
            ("env", &["A=b", "cavra", "hook", "claude-code"], true),
            ("sh", &["-c", "cavra hook claude-code"], true),
            ("cavra", &["evaluate"], false),
            ("node", &["hook.js"], false),
        ] {
            assert_eq!(is_ours(program, Some(&words(arguments)), "claude-code"), ours, "{program} {arguments:?}");
        }
    }

    #[test]
    fn where_the_answer_gets_lost() {
        for text in [
            "cavra hook claude-code",
            "cavra hook claude-code 2>>hook.log",
            "cavra hook claude-code 2>/dev/null",
            "cavra hook claude-code 2>&-",
            "'/a & b/cavra' hook claude-code",
            "cavra hook claude-code;",
            "cavra hook claude-code\n",
            "cd \"$CLAUDE_PROJECT_DIR\" && cavra hook claude-code",
        ] {
            assert_eq!(loses_answer(text, "claude-code"), None, "{text}");
        }
        for text in [
            "cavra hook claude-code || true",
            "cavra hook claude-code; true",
            "cavra hook claude-code | tee x",
            "cavra hook claude-code &",
            "cavra hook claude-code > log",
            "cavra hook claude-code >> log",
            "cavra hook claude-code &> log",
            "! cavra hook claude-code",
            "cavra hook claude-code\ntrue",
            "cavra hook claude-code && true",
        ] {
            assert!(loses_answer(text, "claude-code").is_some(), "{text}");
        }
    }
}
