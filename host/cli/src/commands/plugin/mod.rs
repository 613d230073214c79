//! `cavra plugin …`: plugins made, signed, inspected and installed (`docs/plugins.md`).

mod build;
mod inspect;
mod installed;
mod new;
mod sign;
mod trial;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::read_file;
use cavra_trust::{MAX_PACKAGE_BYTES, Package, PluginDirectory, read_archive};

use crate::args::PluginCommand;
use crate::local::Local;

pub fn run(command: PluginCommand) -> anyhow::Result<ExitCode> {
    match command {
        PluginCommand::New(args) => new::run(&args),
        PluginCommand::Build(args) => build::run(&args),
        PluginCommand::Test(args) => trial::test(&args),
        PluginCommand::Bench(args) => trial::bench(&args),
        PluginCommand::Inspect(args) => inspect::run(&args),
        PluginCommand::Sign(args) => sign::run(&args),
        PluginCommand::Verify(args) => inspect::verify(&args),
        PluginCommand::Archive(args) => sign::archive(&args),
        PluginCommand::Install(args) => installed::install(&args),
        PluginCommand::Grant(args) => installed::grant(&args),
        PluginCommand::List(json) => installed::list(json),
        PluginCommand::Remove { name, json } => installed::remove(&name, json),
    }
}

/// The package in a folder or an archive.
fn package(source: &Path) -> anyhow::Result<Package> {
    let place = || source.display().to_string();
    if source.is_dir() {
        return Package::read(source).with_context(place);
    }
    let bytes = read_file(source, MAX_PACKAGE_BYTES).with_context(place)?;
    read_archive(&bytes).with_context(place)
}

/// The operator's directory of plugins.
fn directory(local: &Local) -> PluginDirectory {
    PluginDirectory::new(&local.settings.plugin_dir)
}
