//! Checks that doctors make: what was looked at, and what is wrong with it.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::args::Json;
use crate::output::{print_json, print_line};

/// One thing that was looked at.
pub struct Check {
    subject: String,
    problem: Option<String>,
    note: String,
}

/// Prints checks; fails if one of them found something.
pub fn report(format: Json, checks: &[Check]) -> anyhow::Result<ExitCode> {
    let sound = checks.iter().all(|check| check.problem.is_none());
    if format.json {
        let shown: Vec<Value> = checks.iter().map(Check::shown).collect();
        print_json(&json!({ "sound": sound, "checks": shown }))?;
    } else {
        checks.iter().try_for_each(|check| print_line(&check.line()))?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Check {
    /// It is as it should be; the note says more.
    pub fn fine(subject: &str, note: &str) -> Self {
        Self { subject: subject.to_owned(), problem: None, note: note.to_owned() }
    }

    /// It is not.
    pub fn broken(subject: &str, problem: String) -> Self {
        Self { subject: subject.to_owned(), problem: Some(problem), note: String::new() }
    }

    fn shown(&self) -> Value {
        json!({
            "subject": self.subject,
            "status": if self.problem.is_none() { "pass" } else { "fail" },
            "message": self.problem.as_ref().unwrap_or(&self.note),
        })
    }

    fn line(&self) -> String {
        let (mark, text) = self.problem.as_ref().map_or(("ok", &self.note), |problem| ("FAIL", problem));
        format!("{mark:4}  {}: {text}", self.subject)
    }
}
