//! What is known of Claude Code as data: where its settings are, what its versions honour, what switches hooks off.

use std::path::PathBuf;

use semver::Version;
use serde_json::Value;

use super::Level;

/// The agent's name in our command line.
pub const AGENT: &str = "claude-code";

/// The event that is asked about before a tool is used.
pub const EVENT: &str = "PreToolUse";

/// The agent's own program.
pub const PROGRAM: &str = "claude";

/// Settings of the project that are shared.
pub const SETTINGS: &str = ".claude/settings.json";

/// MCP servers of the project.
pub const MCP_CONFIG: &str = ".mcp.json";

/// Seconds that the agent waits for a hook whose entry names no time.
pub const DEFAULT_TIMEOUT: u64 = 600;

/// Who is the owner of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The administrator: they win.
    Managed,
    /// The person, for all projects.
    User,
    /// The project, shared.
    Project,
    /// The project, on this machine.
    Local,
}

/// Every settings file that counts in the project of the working directory.
pub fn settings_files() -> Vec<(Tier, PathBuf)> {
    let environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = environment("CLAUDE_CONFIG_DIR").or_else(|| environment("HOME").map(|home| home.join(".claude")));
    let managed =
        if cfg!(target_os = "macos") { "/Library/Application Support/ClaudeCode" } else { "/etc/claude-code" };
    let mut files = vec![(Tier::Managed, PathBuf::from(managed).join("managed-settings.json"))];
    files.extend(user.map(|user| (Tier::User, user.join("settings.json"))));
    files.push((Tier::Project, SETTINGS.into()));
    files.push((Tier::Local, ".claude/settings.local.json".into()));
    files
}

/// A setting that lets calls run without the hook.
pub struct Switch {
    /// Where it stands.
    pub pointer: &'static str,
    /// In whose files it counts; all if empty.
    pub tiers: &'static [Tier],
    /// The values that do it.
    pub off: fn(&Value) -> bool,
    /// How much that matters.
    pub level: Level,
    /// The finding's id.
    pub id: &'static str,
    /// What it does.
    pub problem: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

fn is_on(value: &Value) -> bool {
    *value != Value::Bool(false) && !value.is_null()
}

fn has_members(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.values().any(|member| *member != Value::Bool(false)))
}

/// Settings that switch hooks off or lead round them.
pub static SWITCHES: [Switch; 4] = [
    Switch {
        pointer: "/disableAllHooks",
        tiers: &[],
        off: is_on,
        level: Level::Void,
        id: "hooks_disabled",
        problem: "`disableAllHooks` is set, so no hook runs",
        remedy: "Remove it",
    },
    Switch {
        pointer: "/allowManagedHooksOnly",
        tiers: &[Tier::Managed],
        off: is_on,
        level: Level::Void,
        id: "managed_hooks_only",
        problem: "`allowManagedHooksOnly` is set, so only the administrator's hooks run",
        remedy: "Ask the administrator to install the hook in this file",
    },
    Switch {
        pointer: "/enabledPlugins",
        tiers: &[],
        off: has_members,
        level: Level::Note,
        id: "plugins",
        problem: "plugins are enabled, and from version 2.1.287 on their mods can approve a call past a hook",
        remedy: "Keep to plugins that you trust, or have the administrator set `allowManagedModsOnly`",
    },
    Switch {
        pointer: "/permissions/defaultMode",
        tiers: &[],
        off: |value| ["bypassPermissions", "dontAsk", "auto"].iter().any(|mode| value == mode),
        level: Level::Note,
        id: "nobody_asked",
        problem: "sessions start in a mode in which nobody is asked, so what needs approval is refused there",
        remedy: "Approve such actions with `cavra approval`, or choose another mode",
    },
];

/// Members of our entry in which the agent would not wait for its answer, or would not ask it.
pub static ENTRY_SWITCHES: [(&str, &str); 4] = [
    ("async", "`async` lets the call go on before the hook has answered"),
    ("asyncRewake", "`asyncRewake` lets the call go on before the hook has answered"),
    ("if", "`if` asks the hook about some calls only"),
    ("once", "`once` asks the hook about the first call only"),
];

/// Something that versions of the agent do.
pub struct VersionFact {
    /// The versions: this one and later ones, up to the other one.
    pub since: (u64, u64, u64),
    /// The first version that does not do it any more.
    pub until: Option<(u64, u64, u64)>,
    /// How much that matters.
    pub level: Level,
    /// The finding's id.
    pub id: &'static str,
    /// What it does.
    pub problem: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The lowest version whose calls stay refused whatever happens to the hook.
pub const SAFE_VERSION: (u64, u64, u64) = (2, 1, 295);

/// What versions do that matters to the hook.
pub static VERSION_FACTS: [VersionFact; 3] = [
    VersionFact {
        since: (0, 0, 0),
        until: Some((1, 0, 38)),
        level: Level::Void,
        id: "version_without_hooks",
        problem: "this version has no hooks",
        remedy: "Update it to 2.1.295 or later",
    },
    VersionFact {
        since: (1, 0, 38),
        until: Some(SAFE_VERSION),
        level: Level::Risk,
        id: "version_fails_open",
        problem: "this version lets a call go on if the hook cannot be started or takes too long: it does not know \
                  `onFailure`",
        remedy: "Update it to 2.1.295 or later",
    },
    VersionFact {
        since: (2, 1, 199),
        until: Some((2, 1, 200)),
        level: Level::Risk,
        id: "version_approves_questions",
        problem: "this version takes the hook's question for a permission where prompts are bypassed",
        remedy: "Update it to 2.1.295 or later",
    },
];

/// The facts about a version.
pub fn facts_about(version: &Version) -> impl Iterator<Item = &'static VersionFact> {
    let number = (version.major, version.minor, version.patch);
    VERSION_FACTS.iter().filter(move |fact| number >= fact.since && fact.until.is_none_or(|until| number < until))
}

/// Kinds of hook entries, with the member that each has to have.
pub static HANDLERS: [(&str, &str); 5] =
    [("command", "command"), ("http", "url"), ("mcp_tool", "tool"), ("prompt", "prompt"), ("agent", "prompt")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_versions_do() {
        for (version, wanted) in [
            ("0.2.9", &["version_without_hooks"][..]),
            ("1.0.38", &["version_fails_open"]),
            ("2.1.199", &["version_fails_open", "version_approves_questions"]),
            ("2.1.294", &["version_fails_open"]),
            ("2.1.295", &[]),
            ("3.0.0", &[]),
        ] {
            let ids: Vec<_> = facts_about(&version.parse().unwrap()).map(|fact| fact.id).collect();
            assert_eq!(ids, wanted, "{version}");
        }
    }
}
