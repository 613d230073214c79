//! The examples of the documentation, run as they stand there: what they print is what the page says.

use std::path::Path;
use std::process::Command;

use crate::support::{Home, repository};

/// A command of an example, and what the page says it prints.
struct Example {
    command: String,
    printed: String,
}

/// The commands of the `console` blocks of a page, without the blocks that need a running server.
fn examples(page: &str) -> Vec<Example> {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    let mut examples: Vec<Example> = Vec::new();
    for block in text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        if block.contains("localhost") {
            continue;
        }
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                examples.push(Example { command: command.to_owned(), printed: String::new() });
                continue;
            }
            let example = examples.last_mut().unwrap_or_else(|| panic!("{page}: a block without a command"));
            // A quoted text that goes on belongs to the command.
            let open = example.command.matches('\'').count() % 2 == 1;
            let part = if open { &mut example.command } else { &mut example.printed };
            part.push('\n');
            part.push_str(line);
        }
    }
    examples
}

/// Ids that the page shows and those that there really are, in the order in which they were met.
#[derive(Default)]
struct Ids(Vec<(String, String)>);

impl Ids {
    fn of(text: &str) -> Vec<String> {
        let word = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
        let known = |word: &&str| word.starts_with("apr_") || word.starts_with("dec_");
        text.split(word).filter(known).map(str::to_owned).collect()
    }

    fn learn(&mut self, page: &str, real: &str) {
        for (page, real) in Self::of(page).into_iter().zip(Self::of(real)) {
            if !self.0.iter().any(|(known, _)| *known == page) {
                self.0.push((page, real));
            }
        }
    }

    fn real(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (page, real)| text.replace(page, real))
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether that was printed. `…` stands for anything.
fn fits(said: &str, printed: &str) -> bool {
    let mut rest = printed;
    said.split('…').map(str::trim).all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

fn follow(page: &str, home: &Home) {
    let binary = Path::new(env!("CARGO_BIN_EXE_cavra"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let examples = examples(page);
    assert!(!examples.is_empty(), "{page} has no examples");
    let mut ids = Ids::default();
    for Example { command, printed } in examples {
        let output = Command::new("bash")
            .args(["-c", &ids.real(&command)])
            .current_dir(home.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", home.path())
            .output()
            .unwrap();
        let succeeded = output.status.success();
        let real = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(succeeded || !printed.trim().is_empty(), "{page}\n$ {command}\n{real}");
        ids.learn(&printed, &real);
        let said = ids.real(&printed).replace("/home/you/project", home.path().to_str().unwrap());
        assert!(fits(&words(&said), &words(&real)), "{page}\n$ {command}\nsays:{said}\nprinted:\n{real}");
    }
}

fn project() -> Home {
    let home = Home::new();
    let made = Command::new("git").args(["init", "-q", "-b", "main"]).current_dir(home.path()).status().unwrap();
    assert!(made.success());
    home
}

#[test]
fn the_readme_is_true() {
    follow("README.md", &project());
}

#[test]
fn the_tour_is_true() {
    follow("docs/tour.md", &project());
}

#[test]
fn a_tool_of_ones_own_is_described_as_the_page_says() {
    follow("docs/policy-effects.md", &project());
}

#[test]
fn what_is_said_has_to_be_printed() {
    assert!(fits("a … c", "a b c"));
    assert!(!fits("a … d", "a b c"));
    assert!(!fits("b a", "a b"));
}
