//! `cavra doctor`: is the guard really on? Canaries go through the installed hook and have to be refused; settings that
//! lead round it are named.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Settings, project_around, unknown_variables};
use serde_json::json;

use crate::args::{DoctorArgs, DoctorCommand};
use crate::local::Local;
use crate::output::{print_json, print_line};
use crate::setup::settings::{survey, version_findings};
use crate::setup::{Finding, Level, canary, guards};

pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    match &args.about {
        Some(DoctorCommand::Integrations(json)) => return super::doctor_integrations::run(*json),
        Some(DoctorCommand::Workers(json)) => return super::doctor_workers::run(*json),
        None => {}
    }
    let here = std::env::current_dir().context("there is no working directory")?;
    let project = project_around(&here);
    std::env::set_current_dir(&project).with_context(|| format!("cannot enter {}", project.display()))?;
    let findings = examine(&project);
    if args.json.json {
        print_json(&json!({ "project": project, "guarded": guards(&findings), "findings": findings }))?;
    } else {
        findings.iter().try_for_each(|finding| print_line(&finding.line()))?;
        let verdict = if guards(&findings) { "guarded: canaries are refused" } else { "NOT GUARDED" };
        print_line(&format!("{}: {verdict}", project.display()))?;
    }
    let sound = findings.iter().all(|finding| finding.level < Level::Broken);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(project: &Path) -> Vec<Finding> {
    let surveyed = survey();
    let mut findings = surveyed.findings;
    if surveyed.installed.is_empty() {
        findings.push(Finding::new(
            ("no_hook", Level::Void),
            project.display().to_string(),
            "there is no hook of cavra in the agent's settings",
            "Run `cavra init claude-code`",
        ));
    }
    findings.extend(policy());
    findings.extend(surveyed.installed.iter().flat_map(|installed| canary::send(installed, project, false)));
    findings.extend(version_findings());
    findings.extend(environment());
    if project.join(".cavra").is_dir() && !project.join(".cavra/.gitignore").exists() {
        findings.push(Finding::new(
            ("records_in_version_control", Level::Note),
            ".cavra",
            "records and keys in it are not kept out of version control",
            "Run `cavra init claude-code`, which writes .cavra/.gitignore",
        ));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

/// Whether settings and policy can be used at all.
fn policy() -> Option<Finding> {
    let loaded = || {
        let local = Local::from_env()?;
        local.load(&*local.pack(&crate::args::PackArg { policy_pack: None, policy_file: None })?)
    };
    loaded().err().map(|error: anyhow::Error| {
        Finding::new(
            ("policy_broken", Level::Broken),
            "policy",
            format!("it cannot decide, so everything is refused: {error:#}"),
            "Mend it; `cavra policy validate` says what is wrong",
        )
    })
}

/// Variables that do not do what somebody meant.
fn environment() -> Vec<Finding> {
    let mut findings: Vec<Finding> = unknown_variables()
        .into_iter()
        .map(|problem| Finding::new(("unknown_variable", Level::Risk), "environment", problem, "Correct or unset it"))
        .collect();
    let small = Settings::from_env().is_ok_and(|settings| settings.hook_deadline.as_millis() < 100);
    if small {
        findings.push(Finding::new(
            ("deadline", Level::Risk),
            "CAVRA_HOOK_DEADLINE_MS",
            "the hook refuses before it can decide",
            "Give it some seconds, or unset it",
        ));
    }
    findings
}
