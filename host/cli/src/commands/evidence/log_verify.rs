//! `cavra evidence log verify`: a whole log, in a store or as a server publishes it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use cavra_core::{
    Area, Audit, Keyring, KnownLog, LOGS, Leaves, LogError, LogIdentity, LogState, PublishedLog, RecordAudit,
    RemoteLog, Settings, Standing, audit, audit_records, log_store,
};
use cavra_log::{Checkpoint, VerifierKey};
use cavra_store::{Location, LogFile};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use serde_json::json;

use super::log::{keys, read};
use crate::args::{Cli, LogVerifyArgs};
use crate::output::{print_json, print_line, progress};

/// A checkpoint to check a log against, and where it is from.
struct Signed {
    from: String,
    checkpoint: Checkpoint,
}

impl Signed {
    /// The checkpoint of a note, signed by one of `keys`.
    fn open(from: String, note: &str, keys: &[VerifierKey]) -> anyhow::Result<Self> {
        let origin = Checkpoint::unverified(note).with_context(|| from.clone())?.origin;
        let known = keys.is_empty() || keys.iter().any(|key| key.name() == origin);
        ensure!(known, "{from}: this is a checkpoint of the log {origin}; the given keys are of other logs");
        let (checkpoint, _) = Checkpoint::open(note, keys).with_context(|| from.clone())?;
        Ok(Self { from, checkpoint })
    }
}

/// What is found about a log.
struct Report {
    audit: Audit,
    problems: Vec<String>,
    heads: Vec<Signed>,
    records: Option<RecordAudit>,
    closed: Vec<String>,
}

pub fn verify(args: &LogVerifyArgs) -> anyhow::Result<ExitCode> {
    if args.url.is_some() && args.vkey.is_empty() {
        let missing = "--url needs --vkey: whoever serves a log is not asked for the key to check it with";
        Cli::command().error(ErrorKind::MissingRequiredArgument, missing).print()?;
        return Ok(ExitCode::from(2));
    }
    let report = match &args.url {
        Some(url) => published(args, url),
        None => stored(args),
    };
    match report {
        Ok(report) => report.print(args.json.json),
        Err(error) if args.json.json => {
            print_json(&json!({ "valid": false, "problems": [format!("{error:#}")] }))?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

/// A log as its server publishes it, checked by somebody who trusts nothing but the keys.
fn published(args: &LogVerifyArgs, url: &str) -> anyhow::Result<Report> {
    let keys = keys(&args.vkey)?;
    let log = RemoteLog::new(url, &args.log.log, Settings::from_env()?.api_token)?;
    let served = Signed::open(log.checkpoint_address(), &log.checkpoint()?, &keys)?;
    let origin = served.checkpoint.origin.clone();
    let log = PublishedLog::new(log, served.checkpoint.size);
    let mut heads = vec![served];
    for file in &args.checkpoint {
        heads.push(Signed::open(file.display().to_string(), &read(file)?, &keys)?);
    }
    let mut report = Report::new(&log, heads)?;
    let others = report.heads.iter().filter(|head| head.checkpoint.origin != origin);
    let others = others.map(|head| format!("{}: is of the log {}, not of {origin}", head.from, head.checkpoint.origin));
    report.problems.extend(others.collect::<Vec<_>>());
    Ok(report)
}

/// A log in its store.
fn stored(args: &LogVerifyArgs) -> anyhow::Result<Report> {
    let settings = Settings::from_env()?;
    let name = args.log.log.as_str();
    let location = match &args.store {
        Some(file) => LogFile::find(file)?,
        None => log_store(&settings, name).0,
    };
    let (_, kinds) = log_store(&settings, name);
    let file = LogFile::open(&location, kinds)?;
    let state = Keyring::new(settings.evidence_log_key).state()?;
    let found = Found::of(&file, state.as_ref(), name, &location, args.store.is_some())?;
    let heads = heads(args, state.as_ref(), found.known)?;
    ensure!(
        !heads.is_empty() || !found.problems.is_empty(),
        "nothing has been signed here; name a signed checkpoint with --checkpoint"
    );
    let mut report = Report::new(&file, heads)?;
    report.problems.extend(found.problems);
    if args.records {
        let records = audit_records(&file, kinds)?;
        report.problems.extend(records.faults.iter().map(ToString::to_string));
        report.problems.extend(records.lists.iter().cloned());
        report.records = Some(records);
    }
    let closed = state.iter().flat_map(|state| &state.logs).filter(|log| log.store == place(&location));
    report.closed = closed.filter_map(|log| Some(format!("{}: {}", log.origin, log.closed.as_ref()?))).collect();
    Ok(report)
}

fn place(location: &Location) -> PathBuf {
    location.full_name()
}

/// How the log of a store and what this installation has signed belong together.
struct Found<'a> {
    known: Option<&'a KnownLog>,
    problems: Vec<String>,
}

impl<'a> Found<'a> {
    /// `is_copy`: another file than the one the installation uses, such as a backup.
    fn of(
        file: &LogFile,
        state: Option<&'a LogState>,
        name: &str,
        location: &Location,
        is_copy: bool,
    ) -> anyhow::Result<Self> {
        let Some((name, kind)) = LOGS.iter().find(|(known, _)| *known == name) else { bail!("there is no log {name}") };
        let identity = LogIdentity::of_file(name, file)?;
        let Some(state) = state else {
            let unknown = |identity: LogIdentity| {
                format!("the log is {}, and there is no key here that has signed it", identity.origin)
            };
            return Ok(Self { known: None, problems: identity.map(unknown).into_iter().collect() });
        };
        if is_copy {
            let by_origin = |log: &&KnownLog| identity.as_ref().is_some_and(|identity| identity.origin == log.origin);
            let known = state.logs.iter().find(by_origin).or_else(|| state.open_log(name, &place(location)));
            return Ok(Self { known, problems: Vec::new() });
        }
        let kinds = Area::of(kind).map_or(&[][..], |area| area.kinds);
        let unaccepted = state.unaccepted(name, &place(location)).map(|problem| format!("the log {problem}"));
        let mut problems: Vec<String> = unaccepted.into_iter().collect();
        let known = match state.standing(name, kinds, &place(location), identity.as_ref(), file.size()?) {
            Standing::Known { log, .. } => Some(log),
            Standing::New => None,
            Standing::Strange(problem) => {
                problems.push(format!("the log {problem}"));
                None
            }
        };
        Ok(Self { known, problems })
    }
}

/// The checkpoints a log has to continue: those in files, and what this installation has signed last.
fn heads(args: &LogVerifyArgs, state: Option<&LogState>, known: Option<&KnownLog>) -> anyhow::Result<Vec<Signed>> {
    let given = keys(&args.vkey)?;
    let open = |from: String, note: &str| {
        let ours = || Some(state?.verifiers(&Checkpoint::unverified(note).ok()?.origin));
        let keys = if given.is_empty() { ours().unwrap_or_default() } else { given.clone() };
        Signed::open(from, note, &keys)
    };
    let mut heads = Vec::new();
    for file in &args.checkpoint {
        heads.push(open(file.display().to_string(), &read(file)?)?);
    }
    if let Some(known) = known.filter(|known| !known.checkpoint.is_empty()) {
        heads.push(open("what was signed last".to_owned(), &known.checkpoint)?);
    }
    Ok(heads)
}

impl Report {
    /// Checks the leaves against the checkpoints.
    fn new(log: &impl Leaves, heads: Vec<Signed>) -> Result<Self, LogError> {
        let checkpoints: Vec<_> = heads.iter().map(|head| head.checkpoint.clone()).collect();
        let bar = progress(Some(log.size()?), "leaves");
        let audit = audit(log, &checkpoints, |index| bar.set_position(index + 1));
        bar.finish_and_clear();
        let audit = audit?;
        let misfits = heads.iter().zip(&audit.problems);
        let misfits = misfits.filter_map(|(head, problem)| Some(format!("{}: {}", head.from, problem.as_ref()?)));
        let strange = audit.strange.iter().map(|index| format!("leaf {index} is none of cavra's"));
        let problems = misfits.chain(audit.faults.iter().cloned()).chain(strange).collect();
        Ok(Self { audit, problems, heads, records: None, closed: Vec::new() })
    }

    fn print(&self, json: bool) -> anyhow::Result<ExitCode> {
        let Self { audit, problems, heads, records, closed } = self;
        let signed = heads.iter().map(|head| head.checkpoint.size).max().unwrap_or(0);
        let (size, root) = (audit.size, audit.root.to_base64());
        if json {
            print_json(&json!({
                "valid": problems.is_empty(), "problems": problems, "size": size, "root_hash": root,
                "checkpoints": heads.len(), "signed_size": signed, "closed_logs": closed,
                "records": records.as_ref().map(|records| json!({
                    "matching": records.matching, "older_than_the_log": records.older,
                    "by_clients": records.by_clients, "faults": records.faults,
                })),
            }))?;
        } else {
            print_line(&format!("{size} leaves, root hash {root}"))?;
            let unsigned = size.saturating_sub(signed);
            print_line(&format!("{} signed checkpoints; {unsigned} leaves after the newest of them", heads.len()))?;
            if let Some(records) = records {
                let (matching, older) = (records.matching, records.older);
                print_line(&format!("{matching} records are as logged, {older} are older than the log"))?;
                if records.by_clients > 0 {
                    print_line(&format!("{} records were posted by clients and have no leaf", records.by_clients))?;
                }
            }
            closed.iter().try_for_each(|log| print_line(&format!("closed log {log}")))?;
            problems.iter().try_for_each(|problem| print_line(&format!("WRONG: {problem}")))?;
            print_line(if problems.is_empty() { "the log is whole" } else { "the log is NOT whole" })?;
        }
        Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
