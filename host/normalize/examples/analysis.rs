//! What it costs to split a command line and to derive its effects.
//!
//! `cargo run --release -p cavra-normalize --example analysis`

use std::hint::black_box;
use std::time::Instant;

use cavra_normalize::split_command;

/// Longest command that is judged, in bytes.
const LONGEST: usize = 64 * 1024;

fn filled(unit: &str) -> String {
    unit.repeat(LONGEST / unit.len())
}

fn main() {
    let short = [
        "git status",
        "cat src/main.rs",
        "grep -rn TODO src --include=*.rs",
        "cd packages/core && npm test 2>&1 | tail -20",
        "find . -name '*.md' | xargs wc -l",
    ];
    for command in short {
        let rounds = 20_000;
        let started = Instant::now();
        for _ in 0..rounds {
            black_box(split_command(black_box(command)));
        }
        println!("{:8.2} µs  {command}", started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    }
    let long = [
        "true; ",
        "cat a b c; ",
        "cat a.txt | ",
        "x=$y; ",
        "git -C x log -- a; ",
        "cp a b && ",
        "( ",
        "sort $x ",
        "find . -name x; ",
    ];
    for unit in long {
        for share in [4, 2, 1] {
            let text = filled(unit);
            let text = text.get(..text.len() / share).unwrap_or_default().to_owned() + "true";
            let started = Instant::now();
            black_box(split_command(black_box(&text)));
            println!("{:8.2} ms  {} bytes of {unit:?}", started.elapsed().as_secs_f64() * 1e3, text.len());
        }
    }
}
