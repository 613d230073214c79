//! `cavra policy learn`: what would have spared the most questions, as YAML to paste into a pack.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{ACTIVITY_KINDS, Activity, DecisionPoint, Engine, Lessons, Proposal, Settings, backtest_scope};
use cavra_evidence::visible;
use cavra_packs::to_yaml;
use cavra_store::RecordStore;
use serde_json::{Value, json};

use crate::args::{Json, PackArg};
use crate::local::Local;
use crate::output::{print_json, print_line, progress};

/// Longest command that is shown whole, characters.
const SHOWN: usize = 100;

pub fn run(days: u64, made_under: Option<String>, pack: &PackArg, format: Json) -> anyhow::Result<ExitCode> {
    let pack = Local::from_env()?.pack(pack)?;
    let settings = Settings::from_env()?;
    let decisions = DecisionPoint::from_settings(&settings, Engine::Server)?;
    let activity = Activity::new(RecordStore::look(settings.activity, &ACTIVITY_KINDS)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let bar = progress(None, "decisions");
    let shown = bar.clone();
    let scope = backtest_scope(days, made_under);
    let lessons = runtime.block_on(decisions.learn(&activity, &pack, scope, move |read| shown.set_position(read)))?;
    bar.finish_and_clear();
    if format.json {
        print_json(&lessons)?;
    } else {
        print(&lessons)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(lessons: &Lessons) -> anyhow::Result<()> {
    comment(&format!(
        "{} questions in {} decisions since {}; under {}: {} would not be asked any more, {} more would be spared by what \
         follows, {} stay",
        lessons.questions,
        lessons.decisions,
        lessons.since,
        lessons.policy_pack,
        lessons.answered,
        lessons.spared,
        lessons.questions.saturating_sub(lessons.answered + lessons.spared),
    ))?;
    if lessons.truncated {
        comment("there were more decisions; the newest were looked at")?;
    }
    for reason in &lessons.not_understood {
        comment(&format!("{:>6}  not understood: {}", reason.questions, reason.reason))?;
    }
    lessons.proposals.iter().try_for_each(print_proposal)?;
    let list = |of: fn(&Proposal) -> Vec<Value>| lessons.proposals.iter().flat_map(of).collect::<Vec<Value>>();
    let allow = list(|proposal| proposal.allow.iter().map(|entry| json!(entry)).collect());
    let programs = list(|proposal| proposal.programs.clone());
    let sections = [("allow", allow), ("programs", programs)];
    let effects: serde_json::Map<String, Value> = sections
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(name, items)| (name.to_owned(), Value::Array(unique(items))))
        .collect();
    if effects.is_empty() {
        return comment("nothing to propose");
    }
    let yaml = to_yaml(&json!({ "effects": effects })).map_err(anyhow::Error::msg)?;
    print_line(yaml.trim_end())
}

fn print_proposal(proposal: &Proposal) -> anyhow::Result<()> {
    comment("")?;
    let rows = proposal.programs.iter().filter_map(|row| row.get("program").and_then(Value::as_str));
    let added: Vec<String> =
        proposal.allow.iter().cloned().chain(rows.map(|program| format!("a row for `{program}`"))).collect();
    comment(&format!("{:>6}  {}", proposal.questions, added.join("; ")))?;
    for sentence in &proposal.lets_through {
        comment(&format!("        lets through {sentence}"))?;
    }
    for command in &proposal.examples {
        comment(&format!("        such as {}", shortened(command)))?;
    }
    let more = proposal.commands.saturating_sub(proposal.examples.len());
    if more > 0 {
        comment(&format!("        and {more} others"))?;
    }
    Ok(())
}

/// A line of YAML that readers pass over.
fn comment(text: &str) -> anyhow::Result<()> {
    print_line(commented(text).trim_end())
}

/// The text behind a `#`. Agents chose some of its words, and what ends a line for a reader of YAML would end the comment.
fn commented(text: &str) -> String {
    format!("# {}", visible(text))
}

fn shortened(command: &str) -> String {
    let mut shown: String = command.chars().take(SHOWN).collect();
    if command.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

fn unique(items: Vec<Value>) -> Vec<Value> {
    let mut unique: Vec<Value> = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_an_agent_wrote_ends_a_comment() {
        for end in ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'] {
            let line = commented(&shortened(&format!("notes{end}commands: {{allow: [\"*\"]}}")));
            let read = cavra_documents::parse_yaml(&format!("a: 1\n{line}\n"));
            assert_eq!(read, Ok(json!({"a": 1})), "{line}");
        }
    }
}
