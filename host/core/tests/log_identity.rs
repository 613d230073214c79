//! However a store and the key of its log come apart, somebody is told, and the log goes on only after it was accepted.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use cavra_core::{ACTIVITY_KINDS, CoreError, EvidenceLog, Keyring, Leaf, LogError, LogEvent};
use cavra_model::{DECISIONS, Object};
use cavra_store::{Location, RecordStore};
use serde_json::json;

/// A store and a key, in a folder of a project.
#[derive(Clone)]
struct Project {
    folder: PathBuf,
    store: &'static str,
    keys: &'static str,
    sqlite: bool,
}

impl Project {
    fn file(&self) -> PathBuf {
        self.folder.join(self.store)
    }

    fn location(&self) -> Location {
        if self.sqlite { Location::Sqlite(self.file()) } else { Location::Json(self.file()) }
    }

    fn open(&self) -> (EvidenceLog, RecordStore) {
        let store = RecordStore::open(self.location(), &ACTIVITY_KINDS).unwrap();
        let keyring = Keyring::new(self.folder.join(self.keys).join("log.pem"));
        (EvidenceLog::new(keyring, vec![("activity", store.clone())]), store)
    }

    /// A server that makes some decisions and ends: the origin of its log, or why it does not start.
    async fn serve(&self, decisions: std::ops::Range<u64>) -> Result<String, LogError> {
        let (log, store) = self.open();
        let started = log.start().await;
        if started.is_ok() {
            store.transact(move |tx| decisions.clone().try_for_each(|number| decide(tx, number))).await.unwrap();
            log.sign_all().await.unwrap();
        }
        let origin = match started {
            Ok(()) => Ok(log.head("activity").await.unwrap().checkpoint.origin),
            Err(error) => Err(error),
        };
        store.settle().await;
        origin
    }

    async fn accept(&self) -> Result<Object, CoreError> {
        let (log, store) = self.open();
        let accepted = log.accept_restore("activity", "on purpose").await;
        store.settle().await;
        accepted
    }

    fn at(&self, store: &'static str) -> Self {
        Self { store, ..self.clone() }
    }

    fn with_keys(&self, keys: &'static str) -> Self {
        Self { keys, ..self.clone() }
    }
}

fn decide(tx: &mut dyn cavra_store::Transaction, number: u64) -> Result<(), cavra_store::StoreError> {
    let id = format!("dec_{number:012x}");
    let record = json!({"decision_id": id, "session_id": "s", "timestamp": format!("2031-01-01T00:00:{number:02}.000000+00:00")});
    let record = record.as_object().cloned().unwrap();
    tx.append(&DECISIONS, Leaf::new(LogEvent::Decision, &id, &record).to_text())?;
    tx.insert(&DECISIONS, record)
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What is done to a project in whose folder there are an older copy of the store (`older`) and another installation
/// (`other`); answers the project as it is used from then on.
type Deed = fn(&Project) -> Project;

/// What comes of it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// The log goes on under its name.
    GoesOn,
    /// No server starts; the text says why.
    Refused(&'static str),
}

fn deeds() -> Vec<(&'static str, Deed, Outcome)> {
    use Outcome::{GoesOn, Refused};
    vec![
        ("nothing", |project| project.clone(), GoesOn),
        (
            "the project is moved",
            |project| {
                let folder = project.folder.with_file_name("moved");
                fs::rename(&project.folder, &folder).unwrap();
                Project { folder, ..project.clone() }
            },
            GoesOn,
        ),
        (
            "the store is renamed",
            |project| {
                fs::rename(project.file(), project.folder.join("renamed")).unwrap();
                project.at("renamed")
            },
            GoesOn,
        ),
        (
            "the project is copied, and the copy is used",
            |project| {
                let folder = project.folder.with_file_name("copied");
                copy_all(&project.folder, &folder);
                Project { folder, ..project.clone() }
            },
            Refused("one is a copy of the other"),
        ),
        (
            "the store is copied, and the copy is used",
            |project| {
                fs::copy(project.file(), project.folder.join("copy")).unwrap();
                project.at("copy")
            },
            Refused("one is a copy of the other"),
        ),
        (
            "an older copy is put in its place",
            |project| {
                fs::copy(project.folder.join("older"), project.file()).unwrap();
                project.clone()
            },
            Refused("it was cut"),
        ),
        (
            "an older copy is used under another name",
            |project| {
                fs::remove_file(project.file()).unwrap();
                project.at("older")
            },
            Refused("it was cut"),
        ),
        (
            "the store of another installation is put in its place",
            |project| {
                fs::copy(project.folder.join("other/store"), project.file()).unwrap();
                project.clone()
            },
            Refused("never signed"),
        ),
        (
            "the key is lost",
            |project| {
                fs::remove_dir_all(project.folder.join("keys")).unwrap();
                project.clone()
            },
            Refused("never signed"),
        ),
        ("another key is used", |project| project.with_keys("other/keys"), Refused("never signed")),
        ("a second server has a key of its own", |project| project.with_keys("keys2"), Refused("never signed")),
    ]
}

/// A project with six decisions, an older copy of its store, and another installation.
async fn project(folder: &Path, sqlite: bool) -> (Project, String) {
    let project = Project { folder: folder.join("project"), store: "store", keys: "keys", sqlite };
    fs::create_dir_all(project.folder.join("other")).unwrap();
    let origin = project.serve(0..3).await.unwrap();
    fs::copy(project.file(), project.folder.join("older")).unwrap();
    assert_eq!(project.serve(3..6).await.unwrap(), origin);
    let other = Project { store: "other/store", keys: "other/keys", ..project.clone() };
    other.serve(0..9).await.unwrap();
    (project, origin)
}

#[tokio::test]
async fn what_comes_apart_is_noticed() {
    for sqlite in [false, true] {
        for (name, deed, outcome) in deeds() {
            let folder = tempfile::tempdir().unwrap();
            let (project, origin) = project(folder.path(), sqlite).await;
            let now = deed(&project);
            match (outcome, now.serve(20..22).await) {
                (Outcome::GoesOn, served) => assert_eq!(served.unwrap(), origin, "{name}"),
                (Outcome::Refused(why), Err(error @ LogError::Tampered { .. })) => {
                    assert!(error.to_string().contains(why), "{name}: {error}");
                    let accepted = now.accept().await.unwrap();
                    assert!(accepted["problem"].as_str().unwrap().contains(why), "{name}");
                    let new = now.serve(30..32).await.unwrap();
                    assert_ne!(new, origin, "{name}: it is a new log");
                    assert_eq!(now.serve(32..33).await.unwrap(), new, "{name}: which goes on");
                }
                (outcome, served) => panic!("{name}, {sqlite}: {outcome:?}, but {served:?}"),
            }
            assert!(matches!(now.accept().await, Err(CoreError::Conflict(_))), "{name}: nothing is left to accept");
        }
    }
}

/// A store that is gone begins anew, and somebody has to accept that.
#[tokio::test]
async fn a_store_that_is_gone() {
    for sqlite in [false, true] {
        for store in ["store", "elsewhere"] {
            let folder = tempfile::tempdir().unwrap();
            let (project, origin) = project(folder.path(), sqlite).await;
            fs::remove_file(project.file()).unwrap();
            let project = project.at(store);
            let keyring = Keyring::new(project.folder.join("keys/log.pem"));
            let unaccepted =
                || keyring.state().unwrap().unwrap().unaccepted("activity", &project.location().full_name());
            let new = project.serve(0..2).await.unwrap();
            assert_ne!(new, origin);
            assert!(unaccepted().unwrap().contains(&origin), "verify says so");
            assert!(project.accept().await.is_ok());
            assert_eq!(unaccepted(), None);
            project.serve(2..3).await.unwrap();
        }
    }
}
