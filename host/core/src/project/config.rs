//! `.cavra/config.yaml`: what all commands of a project share. It is read strictly, because a setting that is dropped is a
//! store that nobody looks into.

use std::path::{Path, PathBuf};

use cavra_documents::{DocumentError, Section, read_document};
use serde_json::Value;

use super::PROJECT_CONFIG;
use crate::CoreError;
use crate::settings::{SETTINGS, Without};

/// Keys of the document.
const KEYS: [&str; 3] = ["policy", "server", "stores"];

/// The key of a database for all stores that have no key of their own, and its variable.
const DATABASE: (&str, &str) = ("database", "CAVRA_DATABASE_URL");

/// A store that the document can place.
struct StoreRow {
    key: &'static str,
    /// The variable of a SQLite file.
    database: &'static str,
    /// The variable of a JSON file.
    document: &'static str,
}

const fn store(key: &'static str, database: &'static str, document: &'static str) -> StoreRow {
    StoreRow { key, database, document }
}

static STORES: [StoreRow; 7] = [
    store("activity", "CAVRA_ACTIVITY_DB", "CAVRA_ACTIVITY_STORE"),
    store("approvals", "CAVRA_APPROVAL_DB", "CAVRA_APPROVAL_STORE"),
    store("evidence", "CAVRA_EVIDENCE_METADATA_DB", "CAVRA_EVIDENCE_METADATA_STORE"),
    store("integrations", "CAVRA_INTEGRATION_DB", "CAVRA_INTEGRATION_STORE"),
    store("inventory", "CAVRA_INVENTORY_DB", "CAVRA_INVENTORY_STORE"),
    store("registry", "CAVRA_REGISTRY_DB", "CAVRA_REGISTRY_STORE"),
    store("tokens", "CAVRA_TOKEN_DB", "CAVRA_TOKEN_STORE"),
];

/// Files of the project that are not stores, at their places below the project.
const FILES: [&str; 2] = ["CAVRA_EVIDENCE_LOG_KEY", "CAVRA_PLUGIN_DIR"];

/// Endings of SQLite files; a `.json` file is a JSON store.
const DATABASE_ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];

/// The settings of a project.
#[derive(Clone, Debug)]
pub struct ProjectConfig {
    /// The file.
    pub file: PathBuf,
    /// The directory that relative paths in it start from.
    pub root: PathBuf,
    /// The policy file that it names, as it is named.
    policy: Option<PathBuf>,
    /// Address of the project's server.
    pub server: Option<String>,
    /// Variables that stand for what it says, with the other variables that take their place where they are set.
    values: Vec<(&'static str, String, [&'static str; 2])>,
}

impl ProjectConfig {
    /// Reads the settings of the project at `root`.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming the file and what is wrong in it.
    pub fn read(root: &Path) -> Result<Self, CoreError> {
        let file = root.join(PROJECT_CONFIG);
        let wrong =
            |problem: &dyn std::fmt::Display| CoreError::Configuration(format!("{}: {problem}", file.display()));
        let document = read_document(&file).map_err(|problem| wrong(&problem))?;
        // An empty file is a document too: everything at its place.
        let document = if document.is_null() { serde_json::json!({}) } else { document };
        Self::of(&document, root, &file).map_err(|problem| wrong(&problem))
    }

    fn of(document: &Value, root: &Path, file: &Path) -> Result<Self, DocumentError> {
        let document = Section::document(document, &KEYS)?;
        let server = document.text("server")?;
        if server.as_ref().is_some_and(|server| !server.starts_with("http://") && !server.starts_with("https://")) {
            return Err(document.wrong("server", "must be an address that begins with http:// or https://"));
        }
        let mut values = Vec::new();
        let keys: Vec<&str> = STORES.iter().map(|row| row.key).chain([DATABASE.0]).collect();
        let stores = document.section("stores", &keys)?;
        let all = stores.as_ref().map_or(Ok(None), |stores| stores.text(DATABASE.0))?;
        let known = SETTINGS.iter().any(|setting| setting.name == DATABASE.1);
        match &all {
            Some(file) if known => {
                values.push((DATABASE.1, format!("sqlite:{}", root.join(file).display()), [DATABASE.1; 2]))
            }
            Some(_) => return Err(document.wrong("stores.database", "is not supported; name each store")),
            None => {}
        }
        for row in &STORES {
            let named = stores.as_ref().map_or(Ok(None), |stores| stores.text(row.key))?;
            let (variable, place) = match &named {
                None if all.is_some() => continue,
                None => (row.document, standard(row.document)),
                Some(place) => match Path::new(place).extension().and_then(|ending| ending.to_str()) {
                    Some("json") => (row.document, place.as_str()),
                    Some(ending) if DATABASE_ENDINGS.contains(&ending) => (row.database, place.as_str()),
                    _ => {
                        let at = format!("stores.{}", row.key);
                        return Err(document.wrong(&at, "must be a file that ends in .db, .sqlite, .sqlite3 or .json"));
                    }
                },
            };
            values.push((variable, root.join(place).display().to_string(), [row.database, row.document]));
        }
        values.extend(FILES.map(|name| (name, root.join(standard(name)).display().to_string(), [name, name])));
        Ok(Self {
            file: file.to_owned(),
            root: root.to_owned(),
            policy: document.text("policy")?.map(PathBuf::from),
            server,
            values,
        })
    }

    /// The policy file that it names: the copy in this tree of the repository if there is one.
    pub(crate) fn policy_in(&self, tree: &Path) -> Option<PathBuf> {
        let policy = self.policy.as_ref()?;
        let own = tree.join(policy);
        Some(if own.exists() { own } else { self.root.join(policy) })
    }

    /// What the settings say for a variable that neither is set nor has another one set in its place.
    pub(crate) fn value(&self, name: &str, is_set: impl Fn(&str) -> bool) -> Option<String> {
        let (_, value, instead) = self.values.iter().find(|(variable, ..)| *variable == name)?;
        // One database that the environment names for everything takes the place of every store.
        let placed = STORES.iter().any(|row| instead.contains(&row.database)) && is_set(DATABASE.1);
        (!placed && !instead.iter().any(|other| is_set(other))).then(|| value.clone())
    }
}

/// Where a file is without a variable.
fn standard(variable: &str) -> &'static str {
    match SETTINGS.iter().find(|setting| setting.name == variable).map(|setting| setting.default) {
        Some(Without::Value(place)) => place,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(document: &Value) -> Result<ProjectConfig, DocumentError> {
        ProjectConfig::of(document, Path::new("/p"), Path::new("/p/.cavra/config.yaml"))
    }

    #[test]
    fn what_it_says_stands_for_variables() {
        let config = read(&json!({
            "policy": "rules/p.yaml", "server": "http://127.0.0.1:8000",
            "stores": {"activity": ".cavra/api/a.db", "approvals": "/elsewhere/a.json"},
        }))
        .unwrap();
        assert_eq!(config.policy_in(Path::new("/elsewhere")), Some("/p/rules/p.yaml".into()));
        let unset = |_: &str| false;
        for (name, value) in [
            ("CAVRA_ACTIVITY_DB", Some("/p/.cavra/api/a.db")),
            ("CAVRA_ACTIVITY_STORE", None),
            ("CAVRA_APPROVAL_STORE", Some("/elsewhere/a.json")),
            ("CAVRA_INVENTORY_STORE", Some("/p/.cavra/api/inventory.json")),
            ("CAVRA_EVIDENCE_LOG_KEY", Some("/p/.cavra/keys/evidence-log-ed25519.pem")),
            ("CAVRA_POLICY_DIR", None),
        ] {
            assert_eq!(config.value(name, unset).as_deref(), value, "{name}");
        }
        // Whichever variable of the store is set, it wins.
        for set in ["CAVRA_ACTIVITY_STORE", "CAVRA_ACTIVITY_DB", "CAVRA_DATABASE_URL"] {
            assert_eq!(config.value("CAVRA_ACTIVITY_DB", |name| name == set), None);
        }
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for (document, said) in [
            (json!({"polciy": "x"}), "policy"),
            (json!({"stores": {"activities": "a.db"}}), "activity"),
            (json!({"stores": {"activity": "a.txt"}}), "stores.activity"),
            (json!({"stores": {"activity": 5}}), "stores.activity"),
            (json!({"stores": "a.db"}), "stores"),
            (json!({"policy": ""}), "policy"),
            (json!({"server": "localhost:8000"}), "server"),
            (json!([]), "object"),
        ] {
            let problem = read(&document).unwrap_err().to_string();
            assert!(problem.contains(said), "{document}: {problem}");
        }
        assert!(read(&json!({})).is_ok());
    }
}
