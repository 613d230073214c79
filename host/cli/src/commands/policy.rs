//! `cavra policy …`. docs/reference/decisions-and-policy.md, section 12.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use cavra_model::PackName;
use cavra_packs::{Pack, PackError, ResolvedPack};
use serde_json::{Value, json};

use super::{backtest, corpus, explain, learn, policy_checks, policy_signing, scenario};
use crate::args::{Json, PackArg, PolicyCommand};
use crate::local::Local;
use crate::output::{print_json, print_line, tell};

/// The pack that `policy init` and `init claude-code` start from.
pub const STARTER: &str = include_str!("starter-policy.yaml");

pub fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::List(json) => list(json),
        PolicyCommand::Describe { id, json } => describe(&id, json),
        PolicyCommand::Validate { path, strict, json } => validate(&path, strict, json),
        PolicyCommand::Test { pack, json } => policy_checks::run(&pack, json),
        PolicyCommand::Explain { action_type, target, pack, action, table, json } => {
            explain::run(action_type, &target, &pack, &action, explain::Format::of(table, json))
        }
        PolicyCommand::Corpus { file, pack, failures, json } => corpus::run(&file, &pack, failures, json),
        PolicyCommand::Compile { pack, overlay, json: _ } => compile(&pack, &overlay),
        PolicyCommand::Diff { left, right, json: _ } => diff(&left, &right),
        PolicyCommand::Sign(args) => policy_signing::sign(&args),
        PolicyCommand::Verify(args) => policy_signing::verify(&args),
        PolicyCommand::Backtest { candidate, days, policy_pack, json } => {
            backtest::run(&candidate, days, policy_pack, json)
        }
        PolicyCommand::Learn { days, made_under, pack, json } => learn::run(days, made_under, &pack, json),
        PolicyCommand::Simulate(args) => scenario::simulate(&args),
        PolicyCommand::Init { destination, json } => init(&destination, json),
    }
}

fn list(format: Json) -> anyhow::Result<ExitCode> {
    let packs = Local::from_env()?.library().list();
    if format.json {
        let rows: Vec<Value> = packs
            .iter()
            .map(|pack| json!({ "id": pack.id(), "title": pack.title(), "valid": pack.errors.is_empty() }))
            .collect();
        print_json(&rows)?;
    } else {
        for pack in &packs {
            let broken = if pack.errors.is_empty() { "" } else { "  (invalid)" };
            print_line(&format!("{}  {}{broken}", pack.id(), pack.title().unwrap_or_default()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(id: &str, format: Json) -> anyhow::Result<ExitCode> {
    let pack = Local::from_env()?.library().get(&PackName::new(id)?)?;
    if format.json {
        print_json(&description(&pack))?;
    } else {
        print_line(&format!("{} {}", pack.title().unwrap_or_else(|| pack.id()), pack.version().unwrap_or_default()))?;
        if let Some(description) = pack.description() {
            print_line(description)?;
        }
        print_json(&rules(&pack))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn description(pack: &Pack) -> Value {
    json!({
        "id": pack.id(), "title": pack.title(), "description": pack.description(), "version": pack.version(),
        "errors": pack.errors, "rules": rules(pack),
    })
}

/// Every section but the metadata.
fn rules(pack: &Pack) -> Value {
    let mut rules = pack.document.clone();
    if let Value::Object(sections) = &mut rules {
        sections.remove("metadata");
    }
    rules
}

fn validate(path: &Path, strict: bool, format: Json) -> anyhow::Result<ExitCode> {
    let (id, mut errors, mut warnings) = match cavra_packs::read_policy(path) {
        Ok(document) => {
            let id = document.pointer("/metadata/id").and_then(Value::as_str).unwrap_or("<no id>").to_owned();
            (Some(id), check(path, &document)?, cavra_packs::ignored(&document))
        }
        Err(error) => (None, error.faults(&path.display().to_string()), Vec::new()),
    };
    if strict {
        errors.append(&mut warnings);
        errors.sort();
    }
    if format.json {
        print_json(&json!({ "id": id, "valid": errors.is_empty(), "errors": errors, "warnings": warnings }))?;
    } else if let (Some(id), true) = (&id, errors.is_empty()) {
        print_line(&format!("valid {id}"))?;
        warn(&warnings);
    } else {
        for error in &errors {
            print_line(error)?;
        }
        warn(&warnings);
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells warnings apart from what was asked for. That they cannot be told changes nothing.
fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| tell(format_args!("warning: {warning}")));
}

/// A document without faults must also load, with the component beside it.
fn check(path: &Path, document: &Value) -> anyhow::Result<Vec<String>> {
    let local = Local::from_env()?;
    let faults = local.library().faults(document);
    if !faults.is_empty() {
        return Ok(faults);
    }
    let loaded = local.file(path).and_then(|pack| local.load(&pack));
    Ok(loaded.err().map(|error| format!("<root>: {error}")).into_iter().collect())
}

fn compile(pack: &PackArg, overlays: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let mut document = local.pack(pack)?.document.clone();
    for path in overlays {
        document = cavra_packs::merge(&document, &overlay(&local, path)?.document);
    }
    let label = "the compiled policy";
    let errors = cavra_packs::validate(&document);
    if !errors.is_empty() {
        return Err(PackError::Invalid { name: label.to_owned(), errors }.into());
    }
    let resolved = local.library().resolve_document(label, document)?;
    local.load(&resolved)?;
    print_json(&resolved.document)?;
    Ok(ExitCode::SUCCESS)
}

/// An overlay with its parents. It is no pack and need not say who it is.
fn overlay(local: &Local, path: &Path) -> anyhow::Result<Arc<ResolvedPack>> {
    let mut document = cavra_packs::read_policy(path)?;
    if let Value::Object(sections) = &mut document {
        sections.entry("metadata").or_insert_with(|| json!({}));
    }
    Ok(local.library().resolve_document(&path.display().to_string(), document)?)
}

fn diff(left: &str, right: &str) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let diff = cavra_packs::diff(&named_or_file(&local, left)?.document, &named_or_file(&local, right)?.document);
    print_json(&diff)?;
    Ok(ExitCode::SUCCESS)
}

/// A pack's name; anything that is no name is a path.
fn named_or_file(local: &Local, reference: &str) -> anyhow::Result<Arc<ResolvedPack>> {
    let path = Path::new(reference);
    if path.exists() && (path.is_file() || path.join("policy.yaml").is_file()) {
        local.file(path)
    } else {
        local.named(reference).with_context(|| format!("`{reference}` is neither a pack nor a policy file"))
    }
}

fn init(destination: &Path, format: Json) -> anyhow::Result<ExitCode> {
    if !write_starter(destination, None)? {
        bail!("{} exists already; it was left alone", destination.display());
    }
    if format.json {
        print_json(&json!({ "path": destination }))?;
    } else {
        print_line(&format!("wrote {}", destination.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the starter pack, over another parent than the baseline if one is named, unless the file exists; answers whether
/// it did.
pub fn write_starter(destination: &Path, parent: Option<&str>) -> anyhow::Result<bool> {
    let folder = || format!("cannot create {}", destination.parent().unwrap_or(destination).display());
    cavra_artifacts::create_parents(destination, 0o777).with_context(folder)?;
    let inherits = |pack: &str| format!("  inherits: {pack}\n");
    let starter = match parent {
        None => STARTER.to_owned(),
        Some(pack) => STARTER.replace(&inherits(cavra_model::DEFAULT_PACK), &inherits(PackName::new(pack)?.as_str())),
    };
    match std::fs::OpenOptions::new().write(true).create_new(true).open(destination) {
        Ok(mut file) => {
            std::io::Write::write_all(&mut file, starter.as_bytes())
                .with_context(|| format!("cannot write {}", destination.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", destination.display())),
    }
}
