//! `cavra policy explain`: the decision about one action, and all that a command would do.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use cavra_core::DecisionRequest;
use cavra_model::{
    ActionInput, ActionType, Certainty, DecisionRecord, Effects, FileEffect, FilePlace, FileUse, NetworkEffect,
};

use crate::args::{ActionArgs, Json, PackArg};
use crate::local::{Local, action_request, here};
use crate::output::{print_json, print_line};

/// How the decision is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The decision as JSON.
    Json,
    /// Sentences and a table for a person.
    Table,
}

impl Format {
    /// The table where it is asked for or somebody looks at it, JSON for programs.
    pub fn of(table: bool, json: Json) -> Self {
        if table || (!json.json && std::io::stdout().is_terminal()) { Self::Table } else { Self::Json }
    }
}

pub fn run(
    action_type: ActionType,
    target: &str,
    pack: &PackArg,
    action: &ActionArgs,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let pack = local.pack(pack)?;
    let request = DecisionRequest { at: here(), ..DecisionRequest::new(action_request(action_type, target, action)) };
    let record = local.decide(request, &pack)?.record;
    match format {
        Format::Json => print_json(&record)?,
        Format::Table => print_table(&record)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(record: &DecisionRecord) -> anyhow::Result<()> {
    print_line(&format!("{}  {}  {}", record.decision, record.rule_id, record.target))?;
    print_line(&format!("  {}", record.reason.as_deref().unwrap_or_default()))?;
    let Some(ActionInput::Command { effects }) = &record.input else { return Ok(()) };
    print_line("")?;
    let rows = rows(effects);
    let width = |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default();
    let (kind, what) = (width(|row| &row.kind), width(|row| &row.what));
    for row in &rows {
        print_line(format!("  {:kind$}  {:what$}  {}", row.kind, row.what, row.why).trim_end())?;
    }
    let unknown = effects.certainty.iter().filter(|certainty| **certainty == Certainty::Unknown).count();
    print_line(&match (unknown, effects.seen) {
        (0, true) => "  all parts are understood; looked up on this disk".to_owned(),
        (0, false) => "  all parts are understood".to_owned(),
        (1, _) => "  one part is not understood: what it does besides is not known".to_owned(),
        (more, _) => format!("  {more} parts are not understood: what they do besides is not known"),
    })
}

/// A line of the table.
struct Row {
    kind: String,
    what: String,
    why: String,
}

fn row(kind: &str, what: String, why: &str) -> Row {
    Row { kind: kind.to_owned(), what, why: why.to_owned() }
}

fn rows(effects: &Effects) -> Vec<Row> {
    let files = effects.files.iter().map(|file| row(verb(file.usage), named(file), &file.why));
    let network = effects.network.iter().map(|network| row("reaches", host(network), &network.why));
    let runs = effects.runs.iter().map(|run| row("runs", format!("{}: {}", run.kind, run.words.join(" ")), &run.why));
    let changes = effects.changes.iter().map(|change| {
        let kind = if change.reads_only { "looks at" } else { "changes" };
        let loses = if change.loses_work { " (work can be lost)" } else { "" };
        let what = format!("{} {} {}{loses}", change.system, change.operation, change.target);
        row(kind, what.trim_end().to_owned(), &change.why)
    });
    let environment = effects.environment.iter().map(|shown| row("shows", format!("${}", shown.name), &shown.why));
    let doubts = effects.doubts.iter().map(|doubt| row("unknown", doubt.word.clone(), &doubt.sentence));
    files.chain(network).chain(runs).chain(changes).chain(environment).chain(doubts).collect()
}

const fn verb(usage: FileUse) -> &'static str {
    match usage {
        FileUse::Lists => "lists",
        FileUse::Reads => "reads",
        FileUse::Writes => "writes",
        FileUse::Deletes => "deletes",
    }
}

fn named(file: &FileEffect) -> String {
    let below = if file.tree { "/**" } else { "" };
    let place = match file.place {
        FilePlace::Repository => "",
        FilePlace::Temporary => " (temporary)",
        FilePlace::Home => " (home)",
        FilePlace::System => " (system)",
        FilePlace::Elsewhere => " (outside)",
        FilePlace::Unknown => " (place not known)",
    };
    format!("{}{below}{place}", file.path)
}

fn host(network: &NetworkEffect) -> String {
    let port = network.port.map(|port| format!(":{port}")).unwrap_or_default();
    let how = match (network.writes, network.carries) {
        (true, _) => " (writes)",
        (false, true) => " (sends data)",
        (false, false) => "",
    };
    format!("{}{port}{how}", network.host)
}
