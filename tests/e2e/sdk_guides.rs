//! The guides of the SDKs, followed word for word from an empty folder: their files are written, their commands run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Home, node_sdk, python_sdk, repository};

/// A step of a guide.
enum Step<'a> {
    /// A file, named in the first line of its block.
    File(&'a str, &'a str),
    Commands(&'a str),
}

fn steps(guide: &str) -> Vec<Step<'_>> {
    let blocks = guide.split("\n```").skip(1).step_by(2);
    let steps = blocks.filter_map(|block| {
        let (language, text) = block.split_once('\n').unwrap();
        if language == "sh" {
            return Some(Step::Commands(text));
        }
        let (first, rest) = text.split_once('\n').unwrap();
        let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("// "))?;
        Some(Step::File(name, rest))
    });
    steps.collect()
}

/// Follows a guide in a folder beside `cavra`, the checkout. Answers what its commands print.
fn follow(guide: &str) -> String {
    let home = Home::new();
    fs::create_dir(home.join("empty")).unwrap();
    std::os::unix::fs::symlink(repository(), home.join("cavra")).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_cavra")).parent().unwrap().display();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    let text = fs::read_to_string(repository().join(guide)).unwrap();
    let mut printed = String::new();
    let mut has_commands = false;
    for step in steps(&text) {
        match step {
            Step::File(name, content) => {
                home.write(&format!("empty/{name}"), content);
            }
            Step::Commands(commands) => {
                has_commands = true;
                let output = Command::new("bash")
                    .args(["-euc", commands])
                    .current_dir(home.join("empty"))
                    .env("PATH", &path)
                    .env("CAVRA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
                    .output()
                    .unwrap();
                let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
                assert!(output.status.success(), "{guide}\n{commands}\n{said}");
                printed.push_str(&said);
            }
        }
    }
    assert!(has_commands, "{guide} has no commands");
    printed
}

/// What both guides come to: the tests of the plugin ran, and cavra asked the component what to send.
fn assert_followed(guide: &str, tested: &str) {
    let printed = follow(guide);
    for wanted in [tested, "built build/plugin.wasm: a connector", "http://localhost:9/api/tickets", "\"POST\""] {
        assert!(printed.contains(wanted), "{guide}: no `{wanted}` in\n{printed}");
    }
}

#[test]
fn the_guide_of_the_python_sdk_is_true() {
    if python_sdk().is_some() {
        assert_followed("sdk/python/README.md", "Ran 1 test");
    }
}

#[test]
fn the_guide_of_the_javascript_sdk_is_true() {
    if node_sdk().is_some() {
        assert_followed("sdk/js/README.md", "pass 1");
    }
}
