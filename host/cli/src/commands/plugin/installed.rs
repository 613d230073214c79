//! `cavra plugin install`, `grant`, `list` and `remove`: what is installed on this host.

use std::path::Path;
use std::process::ExitCode;

use cavra_core::supplied_pack;
use cavra_model::{PackName, Timestamp};
use cavra_trust::{Grant, Locked, Manifest, Replacing, Source, admit};
use serde_json::{Value, json};

use super::inspect::asked;
use super::{directory, package};
use crate::args::{GrantPluginArgs, InstallPluginArgs, Json};
use crate::local::Local;
use crate::output::{print_json, print_line};

pub fn install(args: &InstallPluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let (directory, now) = (directory(&local), Timestamp::now());
    let locked = if args.rollback {
        directory.roll_back(&name(&args.source)?, now)?
    } else {
        let admitted = admit(package(&args.source)?, &directory.rules()?, now)?;
        // Once before it is installed, so that nothing takes the place of what works and does not work itself.
        local.wait(supplied_pack(local.decisions(), &admitted.package))?;
        let source = Source { place: args.source.display().to_string(), installed_at: now };
        let replacing = Replacing { allow_downgrade: args.allow_downgrade, accept_signer: args.accept_signer };
        directory.install(&admitted, source, replacing)?
    };
    tell(&locked, if args.rollback { "rolled back to" } else { "installed" }, args.json)
}

pub fn remove(plugin: &str, format: Json) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let locked = directory(&local).remove(&PackName::new(plugin)?)?;
    tell(&locked, "removed", format)
}

fn tell(locked: &Locked, done: &str, format: Json) -> anyhow::Result<ExitCode> {
    if format.json {
        print_json(&row(locked))?;
    } else {
        print_line(&format!("{done} {} {} ({})", locked.name, locked.version, locked.package()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(locked: &Locked) -> Value {
    json!({
        "name": locked.name.as_str(),
        "version": locked.version.to_string(),
        "kind": locked.kind.as_str(),
        "package_digest": locked.package(),
        "component_digest": locked.component(),
        "signers": locked.signers,
        "source": locked.source.place,
        "installed_at": locked.source.installed_at,
        "previous": locked.previous.iter().map(|earlier| earlier.version.to_string()).collect::<Vec<_>>(),
    })
}

/// Lists what is installed; exits with 1 if something of it is not loaded.
pub fn list(format: Json) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let loaded = directory(&local).load_all(Timestamp::now())?;
    let whole = loaded.iter().all(|(_, loaded)| loaded.is_ok());
    if format.json {
        let rows = loaded.iter().map(|(locked, loaded)| {
            let mut row = row(locked);
            if let Value::Object(members) = &mut row {
                let refusal = loaded.as_ref().err();
                members.insert("loads".to_owned(), json!(refusal.is_none()));
                let refusal = refusal.map(|refusal| json!({"code": refusal.code(), "reason": refusal.to_string()}));
                members.insert("refusal".to_owned(), json!(refusal));
            }
            row
        });
        print_json(&rows.collect::<Vec<_>>())?;
    } else {
        for (locked, loaded) in &loaded {
            let by = if locked.signers.is_empty() { "nobody".to_owned() } else { locked.signers.join(", ") };
            print_line(&format!("{} {} ({}, signed by {by})", locked.name, locked.version, locked.kind))?;
            if let Err(refusal) = loaded {
                print_line(&format!("  not loaded: {refusal}"))?;
            }
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub fn grant(args: &GrantPluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let directory = directory(&local);
    if args.revoke {
        let plugin = name(&args.source).or_else(|_| Ok::<_, anyhow::Error>(package(&args.source)?.manifest.name))?;
        let mut had = false;
        directory.change_grants(|grants| had = grants.remove(&plugin))?;
        anyhow::ensure!(had, "`{plugin}` has no grant");
        return said(&format!("took the grant of {plugin} away"), &json!({"plugin": plugin.as_str()}), args.json);
    }
    let manifest = manifest_of(&local, &args.source)?;
    let (plugin, given) = (manifest.name.clone(), asked(&manifest));
    directory.change_grants(|grants| grants.put(Grant::all_of(&manifest)))?;
    let list = if given.is_empty() { "nothing, which is all it asks for".to_owned() } else { given.join(", ") };
    let document = json!({"plugin": plugin.as_str(), "at_least": manifest.version.to_string(), "granted": given});
    said(&format!("granted {plugin}, from version {} on: {list}", manifest.version), &document, args.json)
}

fn said(line: &str, document: &Value, format: Json) -> anyhow::Result<ExitCode> {
    if format.json {
        print_json(document)?
    } else {
        print_line(line)?
    }
    Ok(ExitCode::SUCCESS)
}

/// The manifest of a package, or of an installed plugin.
fn manifest_of(local: &Local, source: &Path) -> anyhow::Result<Manifest> {
    if source.exists() {
        return Ok(package(source)?.manifest);
    }
    let directory = directory(local);
    Ok(directory.installed_package(directory.lock()?.get(&name(source)?)?)?.manifest)
}

/// A plugin that is named.
fn name(source: &Path) -> anyhow::Result<PackName> {
    Ok(PackName::new(source.to_str().unwrap_or_default())?)
}
