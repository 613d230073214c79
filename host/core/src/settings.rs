//! Settings from the environment: one typed list, read once.

use std::path::PathBuf;
use std::time::Duration;

use cavra_evidence::Secret;
use cavra_fetch::Token;
use cavra_store::Location;
use serde::Serialize;

use crate::{CoreError, Redactor, ReleaseKeys};

/// Where the key of the evidence log is unless told.
const DEFAULT_LOG_KEY: &str = ".cavra/keys/evidence-log-ed25519.pem";

/// One environment variable.
#[derive(Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it does, one sentence.
    pub help: &'static str,
    /// What applies without it.
    pub default: &'static str,
    /// Its value is never shown.
    pub secret: bool,
}

const fn setting(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default, secret: false }
}

const fn secret(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { secret: true, ..setting(name, default, help) }
}

/// Every variable cavra reads.
pub static SETTINGS: &[Setting] = &[
    setting("CAVRA_ACTIVITY_DB", "unset", "SQLite file for decisions and sessions; wins over CAVRA_ACTIVITY_STORE."),
    setting("CAVRA_ACTIVITY_STORE", ".cavra/api/activity.json", "JSON file for decisions and sessions."),
    secret(
        "CAVRA_API_TOKEN",
        "unset",
        "Token that commands send to a server which asks for one: an API token or a person's.",
    ),
    setting("CAVRA_APPROVAL_DB", "unset", "SQLite file for approvals; wins over CAVRA_APPROVAL_STORE."),
    setting("CAVRA_APPROVAL_OIDC_CONFIG", "unset: OIDC is off", "OpenID Connect configuration, JSON or YAML."),
    setting("CAVRA_APPROVAL_RBAC_FILE", "unset: RBAC is off", "Who may decide which approvals, JSON or YAML."),
    setting("CAVRA_APPROVAL_ROUTING_FILE", "the built-in rules", "Which group approves what, JSON or YAML."),
    setting("CAVRA_APPROVAL_STORE", ".cavra/api/approvals.json", "JSON file for approvals."),
    setting("CAVRA_CACHE_DIR", "the user's cache directory", "Where compiled policy packs are kept; `off` keeps none."),
    setting("CAVRA_CORS_ORIGINS", "none", "Browser origins that may call the interface, separated by commas."),
    setting(
        "CAVRA_EVIDENCE_ARTIFACT_ROOT",
        "unset: no files are served",
        "Directory with one directory per session, rollout or export.",
    ),
    setting("CAVRA_EVIDENCE_LOG_KEY", DEFAULT_LOG_KEY, "Key that signs the evidence log; made on first start."),
    setting(
        "CAVRA_EVIDENCE_METADATA_DB",
        "unset",
        "SQLite file for evidence metadata; wins over CAVRA_EVIDENCE_METADATA_STORE.",
    ),
    setting("CAVRA_EVIDENCE_METADATA_STORE", ".cavra/api/evidence-metadata.json", "JSON file for evidence metadata."),
    secret(
        "CAVRA_EVIDENCE_SIGNING_KEY",
        "unset: a checksum instead",
        "Key that signers and verifiers of evidence bundles share.",
    ),
    secret(
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "unset",
        "Ed25519 private key, PEM text, of releases; signs promotion requests where there is no key for them.",
    ),
    setting("CAVRA_HOOK_DEADLINE_MS", "5000", "Time an agent hook may take before it refuses, in milliseconds."),
    setting(
        "CAVRA_INVENTORY_DB",
        "unset",
        "SQLite file for repositories and rollouts; wins over CAVRA_INVENTORY_STORE.",
    ),
    setting("CAVRA_INVENTORY_STORE", ".cavra/api/inventory.json", "JSON file for repositories and rollouts."),
    setting("CAVRA_LOG", "info when serving, else off", "Log filter, such as `debug` or `cavra_store=trace`."),
    setting("CAVRA_LOG_FORMAT", "text", "`json` writes the log as JSON lines."),
    setting("CAVRA_POLICY", "unset", "Pack file that decides when no pack is named (hooks, MCP adapter)."),
    setting("CAVRA_POLICY_DIR", "./policies if present", "Directory of policy packs laid over the shipped ones."),
    secret("CAVRA_POLICY_SIGNING_KEY", "unset: a checksum instead", "Key of the HMAC signatures of published packs."),
    setting("CAVRA_PUBLIC_API_BASE_URL", "empty", "Address under which browsers reach the interface."),
    setting("CAVRA_REDACT", "on", "`off` stores commands and reasons with the secrets in them."),
    setting("CAVRA_REGISTRY_DB", "unset", "SQLite file of the MCP and agent registry; wins over CAVRA_REGISTRY_STORE."),
    setting("CAVRA_REGISTRY_STORE", ".cavra/api/registry.json", "JSON file of the MCP and agent registry."),
    secret(
        "CAVRA_RELEASE_CHANNEL_SIGNING_KEY",
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "Ed25519 private key, PEM text, that signs requests to publish on a channel.",
    ),
    setting("CAVRA_REQUIRE_TOKEN", "false", "`true` serves only callers with an API token or an OpenID Connect token."),
    secret(
        "CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY",
        "CAVRA_GO_RELEASE_SIGNING_KEY",
        "Ed25519 private key, PEM text, that signs requests to promote a rollout.",
    ),
    setting("CAVRA_TOKEN_DB", "unset", "SQLite file of API tokens; wins over CAVRA_TOKEN_STORE."),
    setting("CAVRA_TOKEN_STORE", ".cavra/api/tokens.json", "JSON file of API tokens; it holds hashes only."),
];

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// The built-in default.
    Default,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decisions and sessions.
    pub activity: Location,
    /// MCP and agent registry.
    pub registry: Location,
    /// Root of the operator's packs.
    pub policy_dir: Option<PathBuf>,
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
    /// Whether a variable names the approval store.
    pub approvals_named: bool,
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
    /// OpenID Connect.
    pub oidc_config: Option<PathBuf>,
    /// Who may decide which approvals.
    pub rbac_file: Option<PathBuf>,
    /// Key of pack signatures.
    pub signing_key: Option<Secret>,
    /// Keys of release documents.
    pub release_keys: ReleaseKeys,
    /// Browser origins that may call; `*` is any.
    pub cors_origins: Vec<String>,
    /// Address under which browsers reach the interface; may be empty.
    pub public_api_base_url: String,
    /// Callers need a token.
    pub require_token: bool,
    /// Cuts secrets out of what is stored.
    pub redactor: Redactor,
}

impl Settings {
    /// Reads the settings through `lookup`, usually [`std::env::var`]. A variable that is set but empty is not set.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] naming a variable that cannot be understood.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, CoreError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| get(name).map(PathBuf::from);
        let location = |db: &str, store: &str, default: &str| match path(db) {
            Some(file) => Location::Sqlite(file),
            None => Location::Json(path(store).unwrap_or_else(|| default.into())),
        };
        let cache_dir = match get("CAVRA_CACHE_DIR") {
            Some(value) if value == "off" => None,
            Some(value) => Some(value.into()),
            None => path("XDG_CACHE_HOME")
                .or_else(|| path("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("cavra")),
        };
        let hook_deadline = match get("CAVRA_HOOK_DEADLINE_MS") {
            None => Duration::from_secs(5),
            Some(value) => value.parse().map(Duration::from_millis).map_err(|_| {
                CoreError::BadRequest("CAVRA_HOOK_DEADLINE_MS must be a whole number of milliseconds".to_owned())
            })?,
        };
        let api_token = get("CAVRA_API_TOKEN").map(|token| Token::new(&token)).transpose();
        Ok(Self {
            api_token: api_token.map_err(|error| CoreError::BadRequest(format!("CAVRA_API_TOKEN: {error}")))?,
            activity: location("CAVRA_ACTIVITY_DB", "CAVRA_ACTIVITY_STORE", ".cavra/api/activity.json"),
            registry: location("CAVRA_REGISTRY_DB", "CAVRA_REGISTRY_STORE", ".cavra/api/registry.json"),
            approvals: location("CAVRA_APPROVAL_DB", "CAVRA_APPROVAL_STORE", ".cavra/api/approvals.json"),
            approvals_named: get("CAVRA_APPROVAL_DB").or_else(|| get("CAVRA_APPROVAL_STORE")).is_some(),
            inventory: location("CAVRA_INVENTORY_DB", "CAVRA_INVENTORY_STORE", ".cavra/api/inventory.json"),
            evidence: location(
                "CAVRA_EVIDENCE_METADATA_DB",
                "CAVRA_EVIDENCE_METADATA_STORE",
                ".cavra/api/evidence-metadata.json",
            ),
            artifact_root: path("CAVRA_EVIDENCE_ARTIFACT_ROOT"),
            tokens: location("CAVRA_TOKEN_DB", "CAVRA_TOKEN_STORE", ".cavra/api/tokens.json"),
            routing_file: path("CAVRA_APPROVAL_ROUTING_FILE"),
            oidc_config: path("CAVRA_APPROVAL_OIDC_CONFIG"),
            rbac_file: path("CAVRA_APPROVAL_RBAC_FILE"),
            evidence_signing_key: get("CAVRA_EVIDENCE_SIGNING_KEY").and_then(|key| Secret::new(key).ok()),
            signing_key: get("CAVRA_POLICY_SIGNING_KEY").and_then(|key| Secret::new(key).ok()),
            release_keys: ReleaseKeys::read(get),
            cors_origins: get("CAVRA_CORS_ORIGINS").as_deref().map(origins).unwrap_or_default(),
            public_api_base_url: get("CAVRA_PUBLIC_API_BASE_URL").unwrap_or_default(),
            require_token: flag("CAVRA_REQUIRE_TOKEN", get("CAVRA_REQUIRE_TOKEN").as_deref())?,
            redactor: Redactor::new(match get("CAVRA_REDACT") {
                None => true,
                Some(value) => flag("CAVRA_REDACT", Some(&value))?,
            }),
            policy_dir: path("CAVRA_POLICY_DIR"),
            policy_file: path("CAVRA_POLICY"),
            cache_dir,
            evidence_log_key: path("CAVRA_EVIDENCE_LOG_KEY").unwrap_or_else(|| DEFAULT_LOG_KEY.into()),
            hook_deadline,
        })
    }

    /// Reads the settings from the process environment.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_env() -> Result<Self, CoreError> {
        Self::read(|name| std::env::var(name).ok())
    }
}

/// One setting as it is shown to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// Name of the variable.
    pub name: &'static str,
    /// Its value; secrets are masked; `null` if it is not set.
    pub value: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
    /// What applies without it.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Every setting with its value, secrets masked.
pub fn shown_settings(lookup: impl Fn(&str) -> Option<String>) -> Vec<ShownSetting> {
    let shown = |setting: &Setting| {
        let value = lookup(setting.name).filter(|value| !value.is_empty());
        let origin = if value.is_some() { Origin::Environment } else { Origin::Default };
        let value = if setting.secret { value.map(|_| "********".to_owned()) } else { value };
        ShownSetting { name: setting.name, value, origin, default: setting.default, help: setting.help }
    };
    SETTINGS.iter().map(shown).collect()
}

/// A list separated by commas; blanks are dropped.
fn origins(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(ToOwned::to_owned).collect()
}

fn flag(name: &str, value: Option<&str>) -> Result<bool, CoreError> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "no" | "off") => Ok(false),
        Some("true" | "1" | "yes" | "on") => Ok(true),
        Some(_) => Err(CoreError::BadRequest(format!("{name} must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_never_debugged() {
        let names = ["CAVRA_POLICY_SIGNING_KEY", "CAVRA_API_TOKEN"];
        let lookup = |name: &str| names.contains(&name).then(|| "hush-hush".to_owned());
        let shown = shown_settings(lookup);
        for name in names {
            let key = shown.iter().find(|setting| setting.name == name).unwrap();
            assert_eq!((key.value.as_deref(), key.origin), (Some("********"), Origin::Environment));
        }
        let settings = Settings::read(lookup).unwrap();
        assert!(settings.signing_key.is_some() && settings.api_token.is_some());
        assert!(!format!("{settings:?}").contains("hush"));
        let refused = Settings::read(|name| (name == "CAVRA_API_TOKEN").then(|| "hush\nhush".to_owned())).unwrap_err();
        assert!(!refused.to_string().contains("hush"), "{refused}");
    }

    #[test]
    fn flags_and_lists() {
        let read =
            |name: &'static str, value: &'static str| Settings::read(|asked| (asked == name).then(|| value.to_owned()));
        assert!(read("CAVRA_REQUIRE_TOKEN", "TRUE").unwrap().require_token);
        assert!(!read("CAVRA_REQUIRE_TOKEN", "off").unwrap().require_token);
        assert!(read("CAVRA_REQUIRE_TOKEN", "maybe").is_err());
        assert_eq!(read("CAVRA_LOG", "x").unwrap().redactor, Redactor::new(true));
        assert_eq!(read("CAVRA_REDACT", "off").unwrap().redactor, Redactor::new(false));
        assert!(read("CAVRA_REDACT", "maybe").is_err());
        let origins = read("CAVRA_CORS_ORIGINS", " https://a.example, ,https://b.example").unwrap().cors_origins;
        assert_eq!(origins, ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn settings_are_sorted_and_unique() {
        assert!(SETTINGS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
