//! `cavra policy backtest`: what a pack would have decided otherwise.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{ACTIVITY_KINDS, Activity, Backtest, DecisionPoint, Engine, Settings, backtest_scope};
use cavra_model::PackName;
use cavra_store::RecordStore;

use crate::args::Json;
use crate::output::{print_json, print_line, progress};

pub fn run(candidate: &str, days: u64, policy_pack: Option<String>, format: Json) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    // Many decisions, as the server makes them: pooled instances and every processor.
    let decisions = DecisionPoint::from_settings(&settings, Engine::Server)?;
    let path = Path::new(candidate);
    let pack = match PackName::new(candidate) {
        Ok(name) if !path.exists() => decisions.pack(Some(&name)).with_context(|| candidate.to_owned())?,
        _ => decisions.library().resolve_path(path)?,
    };
    let activity = Activity::new(RecordStore::look(settings.activity, &ACTIVITY_KINDS)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let bar = progress(None, "decisions");
    let shown = bar.clone();
    let scope = backtest_scope(days, policy_pack);
    let report =
        runtime.block_on(decisions.backtest(&activity, &pack, scope, move |decided| shown.set_position(decided)))?;
    bar.finish_and_clear();
    if format.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Backtest) -> anyhow::Result<()> {
    print_line(&format!(
        "{} decisions since {} made again, {} would come out otherwise",
        report.decided, report.since, report.changed
    ))?;
    for (transition, count) in &report.transitions {
        print_line(&format!("  {count:>8}  {transition}"))?;
    }
    for (title, most) in [("agents", &report.agents), ("repositories", &report.repositories)] {
        if !most.is_empty() {
            print_line(&format!("most affected {title}:"))?;
        }
        for changed in most {
            print_line(&format!("  {:>8}  {}", changed.changed, changed.name))?;
        }
    }
    if !report.examples.is_empty() {
        print_line("examples:")?;
    }
    for example in &report.examples {
        print_line(&format!(
            "  {}->{}  {} {} ({}): {}",
            example.before, example.after, example.action_type, example.target, example.decision_id, example.reason
        ))?;
    }
    for (count, what) in [
        (report.not_repeatable, "decisions could not be made again: their record does not hold the whole input"),
        (report.without_content, "decisions were made again without the contents they were about, which are not kept"),
    ] {
        if count > 0 {
            print_line(&format!("{count} {what}"))?;
        }
    }
    if report.truncated {
        print_line("there were more decisions; the newest were made again")?;
    }
    Ok(())
}
