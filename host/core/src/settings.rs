//! Settings from the environment and from the project's file: one typed list, read once. The environment wins.

mod asked;
mod otel;
mod secrets;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cavra_connect::Network;
use cavra_evidence::Secret;
use cavra_fetch::Token;
use cavra_model::Digest;
use cavra_store::Location;
use serde::Serialize;

use self::asked::{Asked, origins};
use self::secrets::Kept;
pub use self::shown::{ShownSetting, shown_settings, unknown_variables};
use crate::project::Project;
use crate::{AREAS, CoreError, PilotSettings, Redactor, ReleaseKeys};

/// Largest limit of a body: bodies are read into memory.
const MOST_BYTES: usize = 1 << 30;

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it does, one sentence.
    pub help: &'static str,
    /// What applies without it.
    pub default: Without,
    /// Its value is never shown.
    pub secret: bool,
}

/// The variable of one database for everything.
const ALL: &str = "CAVRA_DATABASE_URL";

/// What applies where a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// This value.
    Value(&'static str),
    /// No value; the text says what that means.
    Nothing(&'static str),
}

impl Without {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Nothing(text) => text,
        }
    }
}

/// A variable that has a value without being set.
const fn valued(name: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default: Without::Value(value), secret: false }
}

const fn setting(name: &'static str, unset: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default: Without::Nothing(unset), secret: false }
}

const fn secret(name: &'static str, unset: &'static str, help: &'static str) -> Setting {
    Setting { secret: true, ..setting(name, unset, help) }
}

/// Every variable cavra reads.
pub static SETTINGS: &[Setting] = &[
    setting("CAVRA_ACTIVITY_DB", "unset", "SQLite file for decisions and sessions; wins over CAVRA_ACTIVITY_STORE."),
    valued("CAVRA_ACTIVITY_STORE", ".cavra/api/activity.json", "JSON file for decisions and sessions."),
    secret(
        "CAVRA_API_TOKEN",
        "unset",
        "Token that commands send to a server which asks for one: an API token or a person's.",
    ),
    setting(
        "CAVRA_APPROVAL_CHAT_FILE",
        "unset: nobody decides from a chat",
        "Which members of Slack and Teams are which people, JSON or YAML.",
    ),
    setting("CAVRA_APPROVAL_DB", "unset", "SQLite file for approvals; wins over CAVRA_APPROVAL_STORE."),
    setting("CAVRA_APPROVAL_OIDC_CONFIG", "unset: OIDC is off", "OpenID Connect configuration, JSON or YAML."),
    setting(
        "CAVRA_APPROVAL_PROVIDER_CONFIG",
        "unset: approvals are delivered to nobody",
        "Systems that approvals are delivered to, JSON or YAML.",
    ),
    setting("CAVRA_APPROVAL_RBAC_FILE", "unset: RBAC is off", "Who may decide which approvals, JSON or YAML."),
    setting("CAVRA_APPROVAL_ROUTING_FILE", "the built-in rules", "Which group approves what, JSON or YAML."),
    valued("CAVRA_APPROVAL_STORE", ".cavra/api/approvals.json", "JSON file for approvals."),
    setting("CAVRA_CACHE_DIR", "~/.cache/cavra", "Where compiled policy packs are kept; `off` keeps none."),
    setting(
        "CAVRA_CONNECTOR_CONFIG",
        "unset: events are delivered to nobody",
        "Systems that events are delivered to, JSON or YAML.",
    ),
    setting(
        "CAVRA_CONNECT_CA_FILE",
        "unset: the system's authorities",
        "Certificates (PEM) of authorities that may vouch for every system that something is delivered to.",
    ),
    secret(
        "CAVRA_CONNECT_PROXY",
        "unset: no proxy",
        "Proxy through which the hosts of CAVRA_CONNECT_PROXY_HOSTS are reached, `http://[USER:PASSWORD@]HOST:PORT`.",
    ),
    setting(
        "CAVRA_CONNECT_PROXY_HOSTS",
        "unset: none",
        "Hosts that are reached through the proxy, with commas; `*.NAME` is all below a name.",
    ),
    setting("CAVRA_CORS_ORIGINS", "none", "Browser origins that may call the interface, separated by commas."),
    setting(
        "CAVRA_DATABASE_URL",
        "unset",
        "One database for everything, `sqlite:PATH`; an area with a variable of its own stays where that says.",
    ),
    valued(
        "CAVRA_DELIVERY_MAX_AGE_HOURS",
        "24",
        "How long an event is tried to be delivered to an integration before it is given up, in hours.",
    ),
    valued(
        "CAVRA_DISK_HEADROOM_MIB",
        "1024",
        "Room that every disk should have so that the server counts as ready, in MiB.",
    ),
    secret(
        "CAVRA_ENDPOINT_INGEST_TOKEN",
        "unset: anybody may send inventories",
        "Bearer token that inventories and hand-off statuses have to be sent with.",
    ),
    setting(
        "CAVRA_ENDPOINT_MANIFEST_TRUST_ROOTS",
        "unset: unsigned manifests are compared too",
        "Trust root, or bundle of them, that deployment manifests have to be signed under.",
    ),
    setting(
        "CAVRA_EVIDENCE_ARTIFACT_ROOT",
        "unset: no files are served",
        "Directory with one directory per session, rollout or export.",
    ),
    valued(
        "CAVRA_EVIDENCE_LOG_KEY",
        ".cavra/keys/evidence-log-ed25519.pem",
        "Key that signs the evidence log; made on first start.",
    ),
    setting(
        "CAVRA_EVIDENCE_METADATA_DB",
        "unset",
        "SQLite file for evidence metadata; wins over CAVRA_EVIDENCE_METADATA_STORE.",
    ),
    valued("CAVRA_EVIDENCE_METADATA_STORE", ".cavra/api/evidence-metadata.json", "JSON file for evidence metadata."),
    secret(
        "CAVRA_EVIDENCE_SIGNING_KEY",
        "unset: a checksum instead",
        "Key that signers and verifiers of evidence bundles share.",
    ),
    valued(
        "CAVRA_GO_BACKEND_MODE",
        "disabled",
        "How far the backend that takes over in steps has come: `disabled`, `shadow`, `enforce` or `promoted`.",
    ),
    setting("CAVRA_GO_PROMOTION_EVIDENCE", "unset", "JSON file with the evidence that the backend may take over."),
    secret(
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "unset",
        "Ed25519 private key, PEM text, of releases; signs promotion requests where there is no key for them.",
    ),
    valued(
        "CAVRA_GO_ROLLBACK_DRILL_DUE_SOON_DAYS",
        "14",
        "Days before a drill of the way back is due in which it is due soon.",
    ),
    setting("CAVRA_GO_ROLLBACK_DRILL_HISTORY", "unset", "JSON file with the drills of the way back that there were."),
    valued("CAVRA_GO_ROLLBACK_DRILL_MAX_AGE_DAYS", "90", "Days after which the latest drill is too old."),
    setting("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", "unset", "JSON file that says when drills of the way back are due."),
    setting("CAVRA_GO_ROLLBACK_PLAN", "unset", "JSON file with the plan of the way back."),
    setting("CAVRA_GO_ROLLBACK_REHEARSAL_EVIDENCE", "unset", "JSON file with the rehearsal of the way back."),
    setting("CAVRA_GO_RUNTIME_PATH", "unset", "Program of the backend that takes over in steps."),
    setting("CAVRA_GO_RUNTIME_POLICY", "unset", "Policy of that backend."),
    setting("CAVRA_GO_RUNTIME_REGISTRY", "unset", "Registry of that backend."),
    valued("CAVRA_HOOK_DEADLINE_MS", "5000", "Time an agent hook may take before it refuses, in milliseconds."),
    setting("CAVRA_INTEGRATION_DB", "unset", "SQLite file for integrations; wins over CAVRA_INTEGRATION_STORE."),
    valued("CAVRA_INTEGRATION_STORE", ".cavra/api/integrations.json", "JSON file for integrations."),
    setting(
        "CAVRA_INVENTORY_DB",
        "unset",
        "SQLite file for repositories and rollouts; wins over CAVRA_INVENTORY_STORE.",
    ),
    valued("CAVRA_INVENTORY_STORE", ".cavra/api/inventory.json", "JSON file for repositories and rollouts."),
    setting("CAVRA_LOG", "info when serving", "Log filter, such as `debug` or `cavra_store=trace`."),
    valued("CAVRA_LOG_FORMAT", "text", "`json` writes the log as JSON lines."),
    valued("CAVRA_MAX_INVENTORY_BYTES", "67108864", "Largest inventory of endpoints that is taken, in bytes."),
    valued(
        "CAVRA_OTLP_PRIVATE",
        "false",
        "`true` lets the name of the OpenTelemetry collector lead into a network of one's own, without encryption, too.",
    ),
    valued("CAVRA_PLUGIN_DIR", ".cavra/plugins", "Directory of plugins: trust set, grants, lock, installed packages."),
    setting("CAVRA_POLICY", "unset", "Pack file that decides when no pack is named (hooks, MCP adapter)."),
    setting("CAVRA_POLICY_DIR", "./policies if present", "Directory of policy packs laid over the shipped ones."),
    secret("CAVRA_POLICY_SIGNING_KEY", "unset: a checksum instead", "Key of the HMAC signatures of published packs."),
    setting("CAVRA_PUBLIC_API_BASE_URL", "empty", "Address under which browsers reach the interface."),
    valued("CAVRA_REDACT", "on", "`off` stores commands and reasons with the secrets in them."),
    setting("CAVRA_REGISTRY_DB", "unset", "SQLite file of the MCP and agent registry; wins over CAVRA_REGISTRY_STORE."),
    valued("CAVRA_REGISTRY_STORE", ".cavra/api/registry.json", "JSON file of the MCP and agent registry."),
    secret(
        "CAVRA_RELEASE_CHANNEL_SIGNING_KEY",
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "Ed25519 private key, PEM text, that signs requests to publish on a channel.",
    ),
    setting(
        "CAVRA_RELEASE_TRUST_ROOT",
        "unset: any key a package brings along",
        "Trust root, or bundle of them, that release packages have to be signed under.",
    ),
    setting(
        "CAVRA_RELOAD_SECONDS",
        "unset: on SIGHUP only",
        "How often the server looks whether files have changed that it reads again, in seconds.",
    ),
    valued("CAVRA_REQUIRE_TOKEN", "false", "`true` serves only callers with an API token or an OpenID Connect token."),
    secret(
        "CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY",
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "Ed25519 private key, PEM text, that signs requests to promote a rollout.",
    ),
    setting("CAVRA_TOKEN_DB", "unset", "SQLite file of API tokens; wins over CAVRA_TOKEN_STORE."),
    valued("CAVRA_TOKEN_STORE", ".cavra/api/tokens.json", "JSON file of API tokens; it holds hashes only."),
    setting("CAVRA_WORKERS", "unset: nothing", "Jobs that the server does by itself, and how often, JSON or YAML."),
];

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// The project's own files.
    Project,
    /// The built-in default.
    Default,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project, if there is one.
    pub project: Option<Project>,
    /// Decisions and sessions.
    pub activity: Location,
    /// MCP and agent registry.
    pub registry: Location,
    /// Root of the operator's packs.
    pub policy_dir: Option<PathBuf>,
    /// Directory of plugins.
    pub plugin_dir: PathBuf,
    /// Pack file that decides when no pack is named.
    pub policy_file: Option<PathBuf>,
    /// Cache of compiled packs; `None` keeps none.
    pub cache_dir: Option<PathBuf>,
    /// Token that commands send to a server.
    pub api_token: Option<Token>,
    /// Key of the evidence log.
    pub evidence_log_key: PathBuf,
    /// Key that signers and verifiers of evidence bundles share.
    pub evidence_signing_key: Option<Secret>,
    /// Time an agent hook may take before it refuses.
    pub hook_deadline: Duration,
    /// Approvals.
    pub approvals: Location,
    /// The JSON file of each area that would be used without a database.
    pub json_files: BTreeMap<&'static str, PathBuf>,
    /// Integrations.
    pub integrations: Location,
    /// The variable that places each area, by environment or project; an area at its usual place is not in it.
    pub placed_by: BTreeMap<&'static str, &'static str>,
    /// Repositories and rollouts.
    pub inventory: Location,
    /// Evidence metadata.
    pub evidence: Location,
    /// Directory of the files behind evidence metadata.
    pub artifact_root: Option<PathBuf>,
    /// API tokens.
    pub tokens: Location,
    /// Who approves what.
    pub routing_file: Option<PathBuf>,
    /// The ways to systems that something is delivered to.
    pub network: Network,
    /// Members of chats.
    pub chat_file: Option<PathBuf>,
    /// OpenID Connect.
    pub oidc_config: Option<PathBuf>,
    /// Who may decide which approvals.
    pub rbac_file: Option<PathBuf>,
    /// Systems that events are delivered to.
    pub connector_config: Option<PathBuf>,
    /// Jobs that the server does by itself.
    pub workers_file: Option<PathBuf>,
    /// How long an event is tried to be delivered to an integration.
    pub delivery_max_age: Duration,
    /// Systems that approvals are delivered to.
    pub approval_provider_config: Option<PathBuf>,
    /// The files that secrets were read from.
    pub secret_files: Vec<PathBuf>,
    /// The collector of telemetry may lie in a network of one's own.
    pub otlp_private: bool,
    /// Room that every disk should have, in bytes.
    pub disk_headroom: u64,
    /// How often the server looks whether files that it reads again have changed; without it, only a signal has it read them.
    pub reload_every: Option<Duration>,
    /// Key of pack signatures.
    pub signing_key: Option<Secret>,
    /// Keys of release documents.
    pub release_keys: ReleaseKeys,
    /// Under which trust roots release packages have to be signed.
    pub release_trust_root: Option<PathBuf>,
    /// Digest of the token that inventories and hand-off statuses have to be sent with.
    pub endpoint_ingest_token: Option<Digest>,
    /// Under which trust roots deployment manifests have to be signed.
    pub endpoint_manifest_roots: Option<PathBuf>,
    /// Largest inventory of endpoints, in bytes.
    pub max_inventory_bytes: usize,
    /// Browser origins that may call; `*` is any.
    pub cors_origins: Vec<String>,
    /// Address under which browsers reach the interface; may be empty.
    pub public_api_base_url: String,
    /// Callers need a token.
    pub require_token: bool,
    /// Cuts secrets out of what is stored.
    pub redactor: Redactor,
    /// A backend that takes over in steps.
    pub pilot: PilotSettings,
}

impl Settings {
    /// Reads the settings through `lookup`, usually [`std::env::var`], without a project. A variable that is set but empty
    /// is not set.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] naming a variable that cannot be understood.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, CoreError> {
        Self::of(None, lookup)
    }

    /// As [`Settings::read`], in a project.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn of(project: Option<Project>, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, CoreError> {
        let kept = Kept::read(&lookup)?;
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty()).or_else(|| kept.value(name));
        let asked = Asked { lookup: &lookup, project: project.as_ref() };
        let cache_dir = match asked.value("CAVRA_CACHE_DIR") {
            Some(value) if value == "off" => None,
            Some(value) => Some(value.into()),
            None => asked
                .path("XDG_CACHE_HOME")
                .or_else(|| asked.path("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("cavra")),
        };
        Ok(Self {
            api_token: asked.token("CAVRA_API_TOKEN")?,
            activity: asked.location("CAVRA_ACTIVITY_DB", "CAVRA_ACTIVITY_STORE")?,
            registry: asked.location("CAVRA_REGISTRY_DB", "CAVRA_REGISTRY_STORE")?,
            approvals: asked.location("CAVRA_APPROVAL_DB", "CAVRA_APPROVAL_STORE")?,
            placed_by: AREAS
                .iter()
                .filter_map(|area| Some((area.name, asked.placed_by(area.database_variable, area.json_variable)?)))
                .collect(),
            integrations: asked.location("CAVRA_INTEGRATION_DB", "CAVRA_INTEGRATION_STORE")?,
            inventory: asked.location("CAVRA_INVENTORY_DB", "CAVRA_INVENTORY_STORE")?,
            evidence: asked.location("CAVRA_EVIDENCE_METADATA_DB", "CAVRA_EVIDENCE_METADATA_STORE")?,
            workers_file: asked.path("CAVRA_WORKERS"),
            artifact_root: asked.path("CAVRA_EVIDENCE_ARTIFACT_ROOT"),
            json_files: AREAS.iter().map(|area| (area.name, asked.json_file(area.json_variable))).collect(),
            tokens: asked.location("CAVRA_TOKEN_DB", "CAVRA_TOKEN_STORE")?,
            routing_file: asked.path("CAVRA_APPROVAL_ROUTING_FILE"),
            network: asked.network()?,
            chat_file: asked.path("CAVRA_APPROVAL_CHAT_FILE"),
            oidc_config: asked.path("CAVRA_APPROVAL_OIDC_CONFIG"),
            rbac_file: asked.path("CAVRA_APPROVAL_RBAC_FILE"),
            connector_config: asked.path("CAVRA_CONNECTOR_CONFIG"),
            delivery_max_age: asked.hours("CAVRA_DELIVERY_MAX_AGE_HOURS")?,
            approval_provider_config: asked.path("CAVRA_APPROVAL_PROVIDER_CONFIG"),
            evidence_signing_key: asked.secret("CAVRA_EVIDENCE_SIGNING_KEY"),
            otlp_private: asked.flag("CAVRA_OTLP_PRIVATE")?,
            disk_headroom: asked.mebibytes("CAVRA_DISK_HEADROOM_MIB")?,
            reload_every: asked.seconds("CAVRA_RELOAD_SECONDS")?,
            signing_key: asked.secret("CAVRA_POLICY_SIGNING_KEY"),
            release_keys: ReleaseKeys::read(|name| asked.value(name)),
            release_trust_root: asked.path("CAVRA_RELEASE_TRUST_ROOT"),
            endpoint_ingest_token: asked.value("CAVRA_ENDPOINT_INGEST_TOKEN").map(Digest::of),
            endpoint_manifest_roots: asked.path("CAVRA_ENDPOINT_MANIFEST_TRUST_ROOTS"),
            max_inventory_bytes: asked.bytes("CAVRA_MAX_INVENTORY_BYTES")?,
            cors_origins: asked.value("CAVRA_CORS_ORIGINS").as_deref().map_or(Ok(Vec::new()), origins)?,
            public_api_base_url: asked.value("CAVRA_PUBLIC_API_BASE_URL").unwrap_or_default(),
            require_token: asked.flag("CAVRA_REQUIRE_TOKEN")?,
            redactor: Redactor::new(asked.flag("CAVRA_REDACT")?),
            pilot: PilotSettings::read(|name| asked.value(name)),
            plugin_dir: asked.path("CAVRA_PLUGIN_DIR").unwrap_or_default(),
            policy_dir: asked.path("CAVRA_POLICY_DIR"),
            policy_file: asked.path("CAVRA_POLICY"),
            cache_dir,
            secret_files: kept.files.clone(),
            evidence_log_key: asked.path("CAVRA_EVIDENCE_LOG_KEY").unwrap_or_default(),
            hook_deadline: asked.milliseconds("CAVRA_HOOK_DEADLINE_MS")?,
            project,
        })
    }

    /// The JSON file of an area that is used where no database is named.
    #[must_use]
    pub fn json_file(&self, area: &str) -> PathBuf {
        self.json_files.get(area).cloned().unwrap_or_default()
    }

    /// Reads the settings from the process environment and the project around the working directory.
    ///
    /// # Errors
    /// As [`Settings::read`], and [`CoreError::Configuration`] for settings of the project that cannot be used.
    pub fn from_env() -> Result<Self, CoreError> {
        match std::env::current_dir() {
            Ok(here) => Self::from_env_in(&here),
            Err(_) => Self::read(|name| std::env::var(name).ok()),
        }
    }

    /// As [`Settings::from_env`], with the project around a directory.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_env_in(directory: &Path) -> Result<Self, CoreError> {
        let mut settings = Self::of(Project::find(directory)?, |name| std::env::var(name).ok())?;
        settings.policy_file = settings.policy_file.map(|file| upwards(directory, file));
        Ok(settings)
    }
}

/// A relative file as it is seen from a directory, or from the nearest one above in which it is there.
fn upwards(directory: &Path, file: PathBuf) -> PathBuf {
    if file.is_absolute() || directory.join(&file).exists() {
        return file;
    }
    directory.ancestors().map(|above| above.join(&file)).find(|found| found.exists()).unwrap_or(file)
}
