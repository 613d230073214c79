//! A desk: the use cases of the server over the store that a command names, or over one of its own that is thrown away.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cavra_core::{App, Board, Call, Engine, Family, History, Operation, PageRequest, Settings, families};
use cavra_model::{Object, random_hex};
use cavra_store::Parts;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::args::{HistoryStoreArgs, MetadataArgs, SlaStoreArgs};
use crate::commands::release::metadata::{index, runtime};

/// Whose use cases these are.
pub static FAMILY: &Family = &families::ENDPOINT_REMEDIATION;

/// Kinds of the work that is reported.
const WORK: [&str; 2] = ["endpoint-remediation-handoff", "endpoint-remediation-handoff-status"];

/// The use cases, and where they work.
pub struct Desk {
    app: App,
    runtime: Runtime,
    /// The store that is worked in, if it is one that was named.
    named: Option<PathBuf>,
    /// A second store that gets what was made.
    second: Option<PathBuf>,
    /// What is thrown away in the end.
    scratch: PathBuf,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.runtime.block_on(self.app.store.settle());
        // It lies in the directory of temporary files; what cannot be removed is removed with that.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// A store that is named.
enum Place<'a> {
    Json(&'a Path),
    Sqlite(&'a Path),
}

impl Desk {
    /// Over the store that is read, or its default.
    pub fn reading(store: &HistoryStoreArgs, config: Option<&Path>) -> anyhow::Result<Self> {
        let place = match &store.metadata_json {
            Some(file) => Place::Json(file),
            None => Place::Sqlite(&store.sqlite),
        };
        Self::open(Some(&place), config)
    }

    /// Over the store that is named, or over none.
    pub fn indexing(store: &SlaStoreArgs, config: Option<&Path>) -> anyhow::Result<Self> {
        let json = store.metadata_json.as_deref().map(Place::Json);
        let both = store.metadata_json.is_some() && store.sqlite.is_some();
        let place = json.or_else(|| store.sqlite.as_deref().map(Place::Sqlite));
        let mut desk = Self::open(place.as_ref(), config)?;
        desk.second = store.sqlite.clone().filter(|_| both);
        Ok(desk)
    }

    /// Over a copy of the work in a store, which stays as it is.
    pub fn copying(store: &HistoryStoreArgs) -> anyhow::Result<Self> {
        let (read, desk) = (Self::reading(store, None)?, Self::open(None, None)?);
        for value in WORK {
            let kind = cavra_model::MetadataKind::of(Some(value));
            let mut found = Vec::new();
            let take = |record: &Object| {
                if cavra_model::members::text(record, "metadata_kind") == value {
                    found.push(record.clone());
                }
            };
            read.runtime.block_on(read.app.evidence.each(kind, Parts::Whole, take))?;
            found.into_iter().try_for_each(|record| desk.seed(record))?;
        }
        Ok(desk)
    }

    fn open(place: Option<&Place<'_>>, config: Option<&Path>) -> anyhow::Result<Self> {
        let name = format!("cavra-{}-{}", std::process::id(), random_hex(8)?);
        let scratch = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
        let aside = |name: &str| scratch.join(name).display().to_string();
        let setting = |name: &str| match (name, place) {
            ("CAVRA_EVIDENCE_METADATA_STORE", Some(Place::Json(file))) => Some(file.display().to_string()),
            ("CAVRA_EVIDENCE_METADATA_DB", Some(Place::Sqlite(file))) => Some(file.display().to_string()),
            ("CAVRA_CONNECTOR_CONFIG", _) => config.map(|file| file.display().to_string()),
            ("CAVRA_CACHE_DIR", _) => Some("off".to_owned()),
            ("CAVRA_EVIDENCE_LOG_KEY", _) => Some(aside("log.pem")),
            (name, _) if name.ends_with("_STORE") => Some(aside(name)),
            _ => None,
        };
        let app = App::open(&Settings::read(setting)?, Engine::OneShot)?;
        let named = place.map(|place| match place {
            Place::Json(file) | Place::Sqlite(file) => file.to_path_buf(),
        });
        Ok(Self { app, runtime: runtime()?, named, second: None, scratch })
    }

    /// Whether it works in a store that was named.
    pub fn is_named(&self) -> bool {
        self.named.is_some()
    }

    /// Puts a record into the store, unless there is one with its id.
    pub fn seed(&self, record: Object) -> anyhow::Result<()> {
        let id = cavra_model::members::text(&record, "session_id").to_owned();
        self.runtime.block_on(async {
            if self.app.evidence.get(&cavra_model::EVIDENCE, &id).await.is_err() {
                self.app.evidence.post(record, &cavra_core::Caller::default()).await?;
            }
            Ok(())
        })
    }

    /// Does what an endpoint does; says in which stores its records are.
    pub fn operate(&self, operation: Operation, id: &str, body: Object) -> anyhow::Result<Object> {
        let call = Call { id: id.to_owned(), body, caller: cavra_core::Caller::default(), run: None };
        let mut answer = self.runtime.block_on(self.app.notify(FAMILY, operation, call))?;
        answer.remove("actor");
        let mut stores: Vec<String> = self.named.iter().map(|file| file.display().to_string()).collect();
        if let Some(file) = &self.second {
            let second = MetadataArgs { metadata_json: None, sqlite: Some(file.clone()) };
            for record in records(&Value::Object(answer.clone())) {
                index(&second, &record)?;
            }
            stores.push(file.display().to_string());
        }
        answer.insert("indexed_metadata_stores".to_owned(), json!(stores));
        Ok(answer)
    }

    /// A page of a history.
    pub fn history(&self, history: &'static History, page: &PageRequest) -> anyhow::Result<Object> {
        Ok(self.runtime.block_on(self.app.notification_history(FAMILY, history, page))?)
    }

    /// A dashboard.
    pub fn board(&self, board: &'static Board) -> anyhow::Result<Object> {
        Ok(self.runtime.block_on(self.app.notification_board(FAMILY, board))?)
    }
}

/// The records in an answer.
fn records(value: &Value) -> Vec<Object> {
    match value {
        Value::Object(members) if members.contains_key("metadata_kind") && members.contains_key("session_id") => {
            vec![members.clone()]
        }
        Value::Object(members) => members.values().flat_map(records).collect(),
        Value::Array(items) => items.iter().flat_map(records).collect(),
        _ => Vec::new(),
    }
}
