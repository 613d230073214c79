//! What both examples measure with.

use std::error::Error;
use std::time::Duration;

use cavra_model::{CommandLine, CommandPart, Facts, McpRegistry, Timestamp};

/// A command that is judged.
pub fn command() -> CommandLine {
    let text = "cargo test --workspace --all-features";
    let part = CommandPart { spellings: vec![text.to_owned()], dequoted: text.to_owned(), implied: false };
    CommandLine {
        written: text.to_owned(),
        text: text.to_owned(),
        parts: vec![part],
        reads: Vec::new(),
        writes: Vec::new(),
        git: Vec::new(),
        unresolved: None,
        effects: Box::default(),
    }
}

/// What is known of who runs it.
pub fn facts() -> Facts {
    Facts {
        now: Timestamp::now(),
        session_id: "session-1".to_owned(),
        agent_id: "agent".to_owned(),
        actor: "ada".to_owned(),
        repository: "pay/api".to_owned(),
        mcp_registry: McpRegistry::NotConsulted,
        attributes: Vec::new(),
    }
}

/// Prints the median and the 99th percentile.
pub fn report(name: &str, mut times: Vec<Duration>) -> Result<(), Box<dyn Error>> {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().ok_or("no measurements");
    println!("  {name}: p50 {:?}, p99 {:?}", at(50)?, at(99)?);
    Ok(())
}
