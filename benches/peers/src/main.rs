//! An engine that cavra is measured beside, in a process of its own: reads a task from standard input, answers it over and
//! over, and prints how long each answer took. Requests are made before the clock starts, as cavra's are.

mod engines;

use std::io::{Read as _, Write as _};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use engines::{Engine, of};

/// What to measure.
#[derive(Deserialize)]
struct Task {
    /// `cedar-policy` or `regorus`.
    engine: String,
    /// Patterns of paths that must not be written.
    patterns: Vec<String>,
    /// Paths to ask about, in turn.
    questions: Vec<String>,
    /// Whether each may be written.
    allowed: Vec<bool>,
    /// Answers before the first that is measured.
    warm_up: usize,
    /// Answers that are measured.
    count: usize,
}

fn main() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text)?;
    let mut engine = of(&task.engine, &task.patterns, &task.questions)?;
    for (at, (question, allowed)) in task.questions.iter().zip(&task.allowed).enumerate() {
        ensure!(engine.allows(at)? == *allowed, "{} is wrong about {question}", task.engine);
    }
    let nanoseconds = measured(engine.as_mut(), &task)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&nanoseconds)?)?;
    Ok(())
}

fn measured(engine: &mut dyn Engine, task: &Task) -> anyhow::Result<Vec<u64>> {
    let mut nanoseconds = Vec::with_capacity(task.count);
    for run in 0..task.warm_up + task.count {
        let at = run.checked_rem(task.questions.len()).context("no question")?;
        let started = Instant::now();
        engine.allows(at)?;
        let took = started.elapsed();
        if run >= task.warm_up {
            nanoseconds.push(u64::try_from(took.as_nanos())?);
        }
    }
    Ok(nanoseconds)
}
