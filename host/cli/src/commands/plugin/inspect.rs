//! `cavra plugin inspect` and `verify`.

use std::process::ExitCode;

use cavra_core::supplied_pack;
use cavra_model::Timestamp;
use cavra_trust::{Manifest, Package, Refusal, Rules, admit};
use serde_json::{Value, json};

use super::{directory, package};
use crate::args::PluginArgs;
use crate::local::Local;
use crate::output::{print_json, print_line};

/// Shows a package and whether this host would load it; exits with 1 if not.
pub fn run(args: &PluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let package = package(&args.source)?;
    let interfaces = package.interfaces();
    let verdict = admit(package.clone(), &directory(&local).rules()?, Timestamp::now());
    let signers: Vec<String> =
        verdict.iter().flat_map(|admitted| &admitted.signers).map(|s| s.key_id.clone()).collect();
    let refusal = match verdict {
        Ok(_) => local.wait(supplied_pack(local.decisions(), &package)).err(),
        Err(refusal) => Some(refusal),
    };
    let manifest = &package.manifest;
    let (imports, exports) = interfaces.as_ref().map_or((json!(null), json!(null)), |found| {
        (json!(found.imports.iter().map(|(name, _)| name).collect::<Vec<_>>()), json!(found.exports))
    });
    let found = interfaces.ok().and_then(|found| found.world()).map(|world| world.to_string());
    let report = json!({
        "schema_version": "cavra.plugin.inspection.v1",
        "name": manifest.name.as_str(),
        "version": manifest.version.to_string(),
        "kind": manifest.kind.as_str(),
        "world": manifest.world.to_string(),
        "component_world": found,
        "imports": imports,
        "exports": exports,
        "asks": asks(manifest),
        "component_bytes": package.component().len(),
        "component_digest": package.component_digest(),
        "package_digest": package.digest(),
        "signatures": key_ids(&package),
        "trusted_signers": signers,
        "loads": refusal.is_none(),
        "refusal": refusal.as_ref().map(|refusal| json!({"code": refusal.code(), "reason": refusal.to_string()})),
    });
    if args.json.json {
        print_json(&report)?;
    } else {
        show(&package, &report, refusal.as_ref())?;
    }
    Ok(if refusal.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(package: &Package, report: &Value, refusal: Option<&Refusal>) -> anyhow::Result<()> {
    let manifest = &package.manifest;
    print_line(&format!("{} {} ({} for {})", manifest.name, manifest.version, manifest.kind, manifest.world))?;
    for text in manifest.title.iter().chain(&manifest.description) {
        print_line(&format!("  {}", cavra_evidence::visible(text)))?;
    }
    print_line(&format!("  component  {} bytes, {}", package.component().len(), package.component_digest()))?;
    print_line(&format!("  package    {}", package.digest()))?;
    for (label, member) in [("imports", "imports"), ("exports", "exports"), ("signed by", "signatures")] {
        let list = report.get(member).and_then(Value::as_array);
        let names: Vec<String> =
            list.into_iter().flatten().filter_map(Value::as_str).map(cavra_documents::shown).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        print_line(&format!(
            "  {label:<9}  {}",
            if label == "signed by" && names == "nothing" { "nobody" } else { &names }
        ))?;
    }
    let asked = asked(manifest);
    print_line(&format!("  asks for   {}", if asked.is_empty() { "nothing".to_owned() } else { asked.join(", ") }))?;
    match refusal {
        None => print_line("this host loads it"),
        Some(refusal) => print_line(&format!("this host does not load it: {refusal}")),
    }
}

/// Checks who vouches for a package and whether it gets what it asks for; loads nothing.
pub fn verify(args: &PluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let rules: Rules = directory(&local).rules()?;
    let verdict = admit(package(&args.source)?, &rules, Timestamp::now());
    let message = match &verdict {
        Ok(admitted) if admitted.signers.is_empty() => {
            "accepted without a signature: the trust set excepts it".to_owned()
        }
        Ok(admitted) => {
            let said = admitted.signers.iter().map(|signer| match &signer.note {
                Some(note) => format!("`{}` of {} ({note})", signer.key_id, signer.owner),
                None => format!("`{}` of {}", signer.key_id, signer.owner),
            });
            format!("verified: signed by {}", said.collect::<Vec<_>>().join(" and "))
        }
        Err(refusal) => refusal.to_string(),
    };
    if args.json.json {
        let code = verdict.as_ref().err().map(Refusal::code);
        print_json(&json!({ "valid": verdict.is_ok(), "message": message, "code": code }))?;
    } else {
        print_line(&message)?;
    }
    Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a plugin asks for, each in words.
pub fn asked(manifest: &Manifest) -> Vec<String> {
    let asks = &manifest.asks;
    let hosts = asks.hosts.iter().map(|host| format!("the host {host}"));
    let secrets = asks
        .secrets
        .iter()
        .map(|secret| [&secret.name, &secret.reason].map(|text| cavra_documents::shown(text)))
        .map(|[name, reason]| format!("the secret `{name}` ({reason})"));
    let events = asks.events.iter().map(|event| format!("events `{}`", cavra_documents::shown(event)));
    let memory = asks.memory_mib.iter().map(|memory| format!("{memory} MiB of memory"));
    let time = asks.time_ms.iter().map(|time| format!("{time} ms for a call"));
    hosts.chain(secrets).chain(events).chain(memory).chain(time).collect()
}

fn asks(manifest: &Manifest) -> Value {
    let asks = &manifest.asks;
    let secrets: Vec<Value> =
        asks.secrets.iter().map(|secret| json!({"name": secret.name, "reason": secret.reason})).collect();
    json!({
        "hosts": asks.hosts, "secrets": secrets, "events": asks.events, "memory_mib": asks.memory_mib,
        "time_ms": asks.time_ms,
    })
}

/// The ids that the envelope names. They are the signer's word.
fn key_ids(package: &Package) -> Vec<&str> {
    let signatures = package.envelope.as_ref().and_then(|envelope| envelope.get("signatures")?.as_array());
    signatures.into_iter().flatten().filter_map(|signature| signature.get("keyid")?.as_str()).collect()
}
