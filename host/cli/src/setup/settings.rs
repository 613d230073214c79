//! Whether the agent's settings let the hook guard: the switches, the entries of hooks, the agent's version.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cavra_model::read_json;
use semver::Version;
use serde_json::Value;

use super::canary::output_in_time;
use super::claude_code::{
    AGENT, DEFAULT_TIMEOUT, ENTRY_SWITCHES, EVENT, HANDLERS, PROGRAM, SWITCHES, Tier, facts_about, settings_files,
};
use super::command_line::{is_ours, loses_answer};
use super::{Finding, Level};

/// Time that the agent gets to say its version.
const VERSION_TIME: Duration = Duration::from_secs(10);

/// A hook entry of ours, as it is installed.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The settings file.
    pub place: String,
    /// The entry.
    pub entry: Value,
    /// It is asked about every tool.
    pub sees_every_tool: bool,
}

impl Installed {
    /// What it runs: a text for the shell, or a program with its arguments.
    pub fn command(&self) -> (String, Option<Vec<String>>) {
        command_of(&self.entry)
    }

    /// Seconds that the agent waits for it.
    pub fn timeout(&self) -> f64 {
        self.entry.get("timeout").and_then(Value::as_f64).unwrap_or(DEFAULT_TIMEOUT as f64)
    }
}

fn command_of(entry: &Value) -> (String, Option<Vec<String>>) {
    let command = entry.get("command").and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments = entry.get("args").and_then(Value::as_array);
    let text = |argument: &Value| argument.as_str().unwrap_or_default().to_owned();
    (command, arguments.map(|arguments| arguments.iter().map(text).collect()))
}

/// Whether a hook entry is ours, in whatever form.
pub fn is_our_entry(entry: &Value) -> bool {
    let (command, arguments) = command_of(entry);
    is_ours(&command, arguments.as_deref(), AGENT)
}

/// Whether a group of hooks is asked about every tool: `*`, empty or absent is all; what is no name is an unanchored regular
/// expression.
pub fn sees_every_tool(group: &Value) -> bool {
    group.get("matcher").is_none_or(|matcher| matcher.as_str().is_some_and(|it| ["", "*", ".*"].contains(&it)))
}

/// The hook entries of a group.
pub fn hooks_of(group: &Value) -> impl Iterator<Item = &Value> {
    group.get("hooks").and_then(Value::as_array).into_iter().flatten()
}

/// What the settings files of the project hold.
pub struct Surveyed {
    /// Our hook, wherever it is installed.
    pub installed: Vec<Installed>,
    /// What is the matter.
    pub findings: Vec<Finding>,
}

/// Looks through every settings file that counts here.
pub fn survey() -> Surveyed {
    let mut surveyed = Surveyed { installed: Vec::new(), findings: Vec::new() };
    let mut seen = Vec::new();
    for (tier, file) in settings_files() {
        // Where somebody's home is the project, one file is two of them.
        let real = file.canonicalize().unwrap_or_else(|_| file.clone());
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let shown = file.display().to_string();
        match read(&file) {
            Ok(None) => {}
            Ok(Some(settings)) => {
                surveyed.findings.extend(switches(tier, &shown, &settings));
                surveyed.findings.extend(invalid_entries(&shown, &settings));
                surveyed.installed.extend(installed(&shown, &settings));
            }
            Err(problem) => surveyed.findings.push(Finding::new(
                ("settings_unreadable", Level::Void),
                shown,
                problem,
                "Mend it: the agent ignores what it cannot read, its hooks with it",
            )),
        }
    }
    surveyed.findings.extend(surveyed.installed.iter().flat_map(entry_findings));
    surveyed.findings.extend(narrow(&surveyed.installed));
    if surveyed.installed.len() > 1 {
        let places: Vec<&str> = surveyed.installed.iter().map(|entry| entry.place.as_str()).collect();
        surveyed.findings.push(Finding::new(
            ("hook_twice", Level::Note),
            places.join(", "),
            "the hook is installed more than once, so each call is decided and recorded more than once",
            "Keep one of the entries",
        ));
    }
    surveyed
}

fn read(file: &Path) -> Result<Option<Value>, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("it cannot be read: {error}")),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let value = read_json(text.as_bytes()).map_err(|error| format!("it cannot be read: {error}"))?;
    if value.is_object() { Ok(Some(value)) } else { Err("it is not an object".to_owned()) }
}

fn switches(tier: Tier, place: &str, settings: &Value) -> Vec<Finding> {
    let applies = |row: &&super::claude_code::Switch| {
        (row.tiers.is_empty() || row.tiers.contains(&tier)) && settings.pointer(row.pointer).is_some_and(row.off)
    };
    let found = SWITCHES.iter().filter(applies);
    let mut findings: Vec<_> =
        found.map(|row| Finding::new((row.id, row.level), place, row.problem, row.remedy)).collect();
    let variables = settings.get("env").and_then(Value::as_object).into_iter().flatten();
    for (name, _) in variables.filter(|(name, _)| name.starts_with("CAVRA_") || *name == "PATH") {
        findings.push(Finding::new(
            ("environment", Level::Risk),
            place,
            format!("its `env` sets {name} for the hook, which changes what decides or where that is recorded"),
            "Say it in .cavra/config.yaml instead",
        ));
    }
    findings
}

/// Entries that the agent's own check refuses, and the whole file with them.
fn invalid_entries(place: &str, settings: &Value) -> Vec<Finding> {
    let mut problems = Vec::new();
    match settings.get("hooks") {
        None => {}
        Some(Value::Object(events)) => {
            for (event, groups) in events {
                match groups.as_array() {
                    None => problems.push((Level::Void, format!("hooks.{event} is not a list"))),
                    Some(groups) => {
                        let named =
                            groups.iter().enumerate().map(|(at, group)| (format!("hooks.{event}[{at}]"), group));
                        problems.extend(named.filter_map(|(at, group)| invalid_group(&at, group)));
                    }
                }
            }
        }
        Some(_) => problems.push((Level::Void, "hooks is not an object".to_owned())),
    }
    let invalid = |(level, problem): (Level, String)| {
        Finding::new(
            ("invalid_entry", level),
            place,
            format!("{problem}; the agent may drop the whole file for it"),
            "Mend or remove that entry",
        )
    };
    problems.into_iter().map(invalid).collect()
}

fn invalid_group(at: &str, group: &Value) -> Option<(Level, String)> {
    if !group.is_object() {
        return Some((Level::Void, format!("{at} is not an object")));
    }
    match group.get("matcher") {
        None => {}
        Some(Value::String(matcher)) if is_matcher(matcher) => {}
        Some(_) => return Some((Level::Void, format!("{at}.matcher is not a valid pattern"))),
    }
    match group.get("hooks") {
        None => Some((Level::Risk, format!("{at} has no hooks"))),
        Some(Value::Array(entries)) => invalid_entry(at, entries).map(|problem| (Level::Void, problem)),
        Some(_) => Some((Level::Void, format!("{at}.hooks is not a list"))),
    }
}

fn invalid_entry(at: &str, entries: &[Value]) -> Option<String> {
    entries.iter().enumerate().find_map(|(number, entry)| {
        let at = format!("{at}.hooks[{number}]");
        let kind = entry.get("type").and_then(Value::as_str);
        let Some((_, member)) = HANDLERS.iter().find(|(known, _)| Some(*known) == kind) else {
            return Some(format!("{at}.type is none that is known"));
        };
        if entry.get(*member).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Some(format!("{at}.{member} is missing"));
        }
        let timeout = entry.get("timeout").is_some_and(|timeout| timeout.as_f64().is_none_or(|time| time <= 0.0));
        timeout.then(|| format!("{at}.timeout is not a number of seconds"))
    })
}

/// Whether a matcher is a name, a list of names, or an expression. JavaScript's expressions know more than ours: what only
/// they know is believed.
fn is_matcher(matcher: &str) -> bool {
    matcher == "*" || matcher.contains("(?") || regex::Regex::new(matcher).is_ok()
}

/// Our hook in the settings.
pub fn installed(place: &str, settings: &Value) -> Vec<Installed> {
    let groups = settings.pointer(&format!("/hooks/{EVENT}")).and_then(Value::as_array).into_iter().flatten();
    groups
        .flat_map(|group| hooks_of(group).map(move |entry| (group, entry)))
        .filter(|(_, entry)| is_our_entry(entry))
        .map(|(group, entry)| Installed {
            place: place.to_owned(),
            entry: entry.clone(),
            sees_every_tool: sees_every_tool(group),
        })
        .collect()
}

/// Whether there are tools about which no entry is asked.
fn narrow(installed: &[Installed]) -> Option<Finding> {
    let first = installed.first().filter(|_| !installed.iter().any(|entry| entry.sees_every_tool))?;
    Some(Finding::new(
        ("matcher", Level::Void),
        &first.place,
        "the hook is asked about some tools only",
        "Run `cavra init claude-code`, which moves it to the matcher `*`",
    ))
}

/// What is the matter with an entry of ours.
fn entry_findings(installed: &Installed) -> Vec<Finding> {
    let place = &installed.place;
    let mut findings = Vec::new();
    let mut say = |id, level, problem: String, remedy: &str| {
        findings.push(Finding::new((id, level), place, problem, remedy));
    };
    let entry = &installed.entry;
    if entry.get("type").and_then(Value::as_str) != Some("command") {
        say("entry_type", Level::Void, "the hook's entry is not of type `command`".to_owned(), "Correct it");
    }
    for (member, problem) in ENTRY_SWITCHES {
        if entry.get(member).is_some_and(|value| *value != Value::Bool(false) && !value.is_null()) {
            say("entry_switch", Level::Void, (*problem).to_owned(), "Remove it from the hook's entry");
        }
    }
    let (command, arguments) = installed.command();
    if let (None, Some(problem)) = (&arguments, loses_answer(&command, AGENT)) {
        say("answer_lost", Level::Void, format!("the hook's refusal is lost: {problem}"), "Let the command end there");
    }
    if entry.get("onFailure").and_then(Value::as_str) != Some("block") {
        let problem = "a call goes on if the hook cannot be started or takes too long".to_owned();
        say("fails_open", Level::Risk, problem, "Add `\"onFailure\": \"block\"` to the hook's entry");
    }
    let patience = patience(&command, arguments.as_deref());
    if installed.timeout() < patience {
        let problem =
            format!("the agent waits {} s for the hook, which believes that it has {patience} s", installed.timeout());
        say("timeout", Level::Void, problem, "Let `timeout` and the hook's `--timeout` be the same");
    }
    findings
}

/// Seconds that the installed hook believes to have.
fn patience(command: &str, arguments: Option<&[String]>) -> f64 {
    let all = arguments.map_or_else(|| command.to_owned(), |arguments| arguments.join(" "));
    let mut words = all.split([' ', '=', '"', '\'']).skip_while(|word| *word != "--timeout");
    words.nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(10.0)
}

/// What is known of the version of the agent on this machine.
pub fn version_findings() -> Vec<Finding> {
    let mut command = Command::new(PROGRAM);
    command.arg("--version").stdin(Stdio::null());
    let said = output_in_time(command, None, VERSION_TIME);
    let version =
        said.ok().and_then(|said| said.stdout.split_whitespace().find_map(|word| word.parse::<Version>().ok()));
    match version {
        None => vec![Finding::new(
            ("version_unknown", Level::Note),
            PROGRAM,
            "its version is not known here",
            "Let it be 2.1.295 or later, which can refuse where the hook fails",
        )],
        Some(version) => facts_about(&version)
            .map(|fact| Finding::new((fact.id, fact.level), format!("{PROGRAM} {version}"), fact.problem, fact.remedy))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(settings: &Value) -> Vec<&'static str> {
        let mut findings = switches(Tier::Project, "x", settings);
        findings.extend(invalid_entries("x", settings));
        let installed = installed("x", settings);
        findings.extend(installed.iter().flat_map(entry_findings));
        findings.extend(narrow(&installed));
        findings.iter().map(|finding| finding.id).collect()
    }

    fn with_entry(change: &Value) -> Value {
        let mut entry =
            json!({"type": "command", "command": "cavra hook claude-code", "timeout": 10, "onFailure": "block"});
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"hooks": {EVENT: [{"matcher": "*", "hooks": [entry]}]}})
    }

    #[test]
    fn what_lets_calls_run_round_the_hook() {
        let group = |group: Value| json!({"hooks": {"Stop": [group]}});
        for (settings, wanted) in [
            (json!({}), &[][..]),
            (with_entry(&json!({})), &[]),
            (json!({"disableAllHooks": true}), &["hooks_disabled"]),
            (json!({"disableAllHooks": "true"}), &["hooks_disabled"]),
            (json!({"disableAllHooks": false}), &[]),
            (json!({"allowManagedHooksOnly": true}), &[]),
            (json!({"permissions": {"defaultMode": "bypassPermissions"}}), &["nobody_asked"]),
            (json!({"env": {"CAVRA_POLICY": "x", "EDITOR": "vi"}}), &["environment"]),
            (json!({"hooks": []}), &["invalid_entry"]),
            (json!({"hooks": {"Stop": {}}}), &["invalid_entry"]),
            (group(json!({"matcher": 5, "hooks": []})), &["invalid_entry"]),
            (group(json!({"matcher": "Bash(", "hooks": []})), &["invalid_entry"]),
            (group(json!({"matcher": "[", "hooks": []})), &["invalid_entry"]),
            (group(json!({"matcher": "^(?!Read)", "hooks": []})), &[]),
            (group(json!({"matcher": "Edit|Write", "hooks": []})), &[]),
            (group(json!({"matcher": "x"})), &["invalid_entry"]),
            (group(json!({"hooks": [{"type": "comand", "command": "x"}]})), &["invalid_entry"]),
            (group(json!({"hooks": [{"type": "command"}]})), &["invalid_entry"]),
            (group(json!({"hooks": [{"type": "http", "url": "https://x"}]})), &[]),
            (group(json!({"hooks": [{"type": "command", "command": "x", "timeout": "5"}]})), &["invalid_entry"]),
            (with_entry(&json!({"async": true})), &["entry_switch"]),
            (with_entry(&json!({"async": false})), &[]),
            (with_entry(&json!({"if": "Bash(git *)"})), &["entry_switch"]),
            (with_entry(&json!({"command": "cavra hook claude-code || true"})), &["answer_lost"]),
            (with_entry(&json!({"command": "cavra", "args": ["hook", "claude-code"]})), &[]),
            (with_entry(&json!({"onFailure": "continue"})), &["fails_open"]),
            (with_entry(&json!({"timeout": 3})), &["timeout"]),
            (with_entry(&json!({"timeout": 3, "command": "cavra hook claude-code --timeout 3"})), &[]),
            (
                with_entry(&json!({"timeout": 3, "command": "cavra", "args": ["hook", "--timeout=3", "claude-code"]})),
                &[],
            ),
        ] {
            assert_eq!(ids(&settings), wanted, "{settings}");
        }
        let narrow = json!({"hooks": {EVENT: [{"matcher": "Bash", "hooks": [
            {"type": "command", "command": "cavra hook claude-code", "onFailure": "block"}]}]}});
        assert_eq!(ids(&narrow), ["matcher"]);
    }
}
