//! `cavra evidence replay`: whether stored decisions come out as they are stored.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{ACTIVITY_KINDS, Activity, DecisionPoint, Engine, Replay, ReplayScope, Settings};
use cavra_model::{DECISIONS, Timestamp};
use cavra_store::{Query, RecordStore};

use crate::args::ReplayArgs;
use crate::output::{print_json, print_line, progress};

pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let decisions = DecisionPoint::from_settings(&settings, Engine::Server)?;
    let activity = Activity::new(RecordStore::look(settings.activity, &ACTIVITY_KINDS)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let format = args.json;
    let scope = scope(args);
    let report = runtime.block_on(async {
        let bar = progress(total(&activity, &scope).await, "decisions");
        let shown = bar.clone();
        let report = decisions.replay(&activity, scope, move |count| shown.set_position(count)).await;
        bar.finish_and_clear();
        report
    })?;
    if format.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scope(args: ReplayArgs) -> ReplayScope {
    match (args.decision, args.session) {
        (Some(id), _) => ReplayScope::Decision(id),
        (None, Some(id)) => ReplayScope::Session(id),
        (None, None) => ReplayScope::Window {
            since: args.since.or_else(|| args.days.map(|days| Timestamp::now().minus_hours(days * 24))),
            until: args.until,
        },
    }
}

/// How many decisions there are, where the store keeps count.
async fn total(activity: &Activity, scope: &ReplayScope) -> Option<u64> {
    let filters = match scope {
        ReplayScope::Session(id) => vec![("session_id", id.clone())],
        ReplayScope::Decision(_) | ReplayScope::Window { .. } => return None,
    };
    let page = activity.store().list(&DECISIONS, Query { filters, ..Query::default() }).await;
    page.ok().map(|page| page.total)
}

fn print(report: &Replay) -> anyhow::Result<()> {
    print_line(&format!(
        "{} decisions: {} made again and equal, {} different, {} with a damaged archive, {} not repeatable",
        report.decisions, report.equal, report.different, report.damaged, report.not_repeatable
    ))?;
    for difference in &report.differences {
        let what = format!("{} {}", difference.action_type, difference.target);
        print_line(&format!("{}  {}  {what}", difference.decision_id, difference.timestamp))?;
        for member in &difference.members {
            print_line(&format!("  {}: stored {}, replayed {}", member.member, member.stored, member.replayed))?;
        }
    }
    for (digest, what) in &report.faults {
        print_line(&format!("archive: {digest} is {what}; it was not run"))?;
    }
    for (cause, count) in &report.causes {
        print_line(&format!("{count} not repeatable: {}", explain(cause)))?;
    }
    Ok(())
}

/// A cause for people.
fn explain(cause: &str) -> &str {
    match cause {
        "kind" => "no policy decides this kind of action",
        "incomplete" => "the record does not hold the whole input",
        "redacted" => "a secret was removed from the input before it was stored",
        "content" => "a component may have looked at contents, which are not kept",
        "no_archive" => "its record does not name the policy that decided",
        "component_not_loadable" => "a component cannot be loaded by this version",
        "engine_failed" => "the engine failed then, and why is no part of the input",
        other => other,
    }
}
