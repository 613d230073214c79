//! The evidence log: every decision, approval step and publication leaves a leaf in the store that holds the record, in
//! the same commit. Each store so has a log of its own, whose checkpoints are signed here.
//!
//! Appending costs no hashing. Once a second, and when the server ends, what has been appended is hashed, compared
//! with what was signed last, and signed. A log that does not continue what was signed is never signed again.

mod audit;
mod error;
mod grown;
mod identity;
mod keyring;
mod leaf;
mod lookup;
mod published;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_log::{Checkpoint, Tile, TileKind, TlogProof, VerifierKey, bundle, leaf_hash, verify_inclusion};
use cavra_model::{
    APPROVALS, DECISIONS, EVIDENCE_METADATA, INTEGRATIONS, Kind, MCP_SERVERS, Object, POLICY_ROLLOUTS, Timestamp,
};
use cavra_store::{Location, RecordStore};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{AREAS, Area, CoreError, Settings};

pub use audit::{Audit, Leaves, RecordAudit, RecordFault, audit, audit_records};
pub use error::LogError;
use grown::Grown;
pub use identity::{LogIdentity, Standing};
pub use keyring::{Keyring, KnownKey, KnownLog, LogState};
pub use leaf::{Leaf, LogEvent};
pub(crate) use leaf::{note, note_by};
pub use published::{Files, PublishedLog, Served, TileVisitor};
pub use remote::RemoteLog;

/// The names of the logs, each with the kind whose records most of its leaves speak of.
pub static LOGS: [(&str, &Kind); 6] = [
    ("activity", &DECISIONS),
    ("approvals", &APPROVALS),
    ("evidence", &EVIDENCE_METADATA),
    ("integrations", &INTEGRATIONS),
    ("inventory", &POLICY_ROLLOUTS),
    ("registry", &MCP_SERVERS),
];

/// The store of a log, and the kinds of records in it.
#[must_use]
pub fn log_store(settings: &Settings, name: &str) -> (Location, &'static [&'static Kind]) {
    let [activity, ..] = &AREAS;
    let area = Area::named(name).filter(|area| area.logged.is_some()).unwrap_or(activity);
    (area.location(settings), area.kinds)
}

/// The logs of the stores, and the key they are signed with.
#[derive(Clone)]
pub struct EvidenceLog {
    keyring: Keyring,
    logs: Arc<[Log]>,
}

struct Log {
    name: &'static str,
    kind: &'static Kind,
    store: RecordStore,
    /// The store's file, by its full name.
    place: PathBuf,
    grown: Mutex<Grown>,
}

/// A signed checkpoint.
#[derive(Clone, Debug)]
pub struct Head {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: String,
}

impl EvidenceLog {
    /// The logs in open stores, by name.
    #[must_use]
    pub fn new(keyring: Keyring, stores: Vec<(&'static str, RecordStore)>) -> Self {
        let log = |(name, store): (&'static str, RecordStore)| {
            let kind = LOGS.iter().find(|(known, _)| *known == name).map_or(&DECISIONS, |(_, kind)| *kind);
            let place = store.location(kind).map(Location::full_name).unwrap_or_default();
            Log { name, kind, place, grown: Mutex::new(Grown::new(name, kind, store.clone())), store }
        };
        Self { keyring, logs: stores.into_iter().map(log).collect() }
    }

    /// The logs of this installation.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub fn open(settings: &Settings) -> Result<Self, CoreError> {
        let places: Vec<_> = LOGS.iter().map(|(name, _)| log_store(settings, name)).collect();
        Ok(Self::of(settings, &RecordStore::open_all(&places)?))
    }

    /// As [`EvidenceLog::open`], for those who only read: stores that are not there are not made.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub fn look(settings: &Settings) -> Result<Self, CoreError> {
        let places: Vec<_> = LOGS.iter().map(|(name, _)| log_store(settings, name)).collect();
        Ok(Self::of(settings, &RecordStore::look_all(&places)?))
    }

    fn of(settings: &Settings, store: &RecordStore) -> Self {
        let stores = LOGS.iter().map(|(name, _)| (*name, store.clone())).collect();
        Self::new(Keyring::new(settings.evidence_log_key.clone()), stores)
    }

    /// The key that the logs are signed with, and what is remembered beside it.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Closes the stores.
    pub async fn close(&self) {
        for log in &*self.logs {
            log.store.close().await;
        }
    }

    fn log(&self, name: &str) -> Result<&Log, CoreError> {
        self.logs.iter().find(|log| log.name == name).ok_or(CoreError::NotFound("log"))
    }

    /// Every log with its newest checkpoint.
    ///
    /// # Errors
    /// [`CoreError::EvidenceLog`].
    pub async fn list(&self) -> Result<Value, CoreError> {
        let mut items = Vec::new();
        let state = self.keyring.state()?;
        for log in &*self.logs {
            let size = log.store.log_size(log.kind).await?;
            let identity = log.identity().await?;
            let known = state.as_ref().and_then(|state| Some((state, log.known(state, identity.as_ref(), size)?)));
            let signed = known.and_then(|(_, known)| Checkpoint::unverified(&known.checkpoint).ok());
            let keys = known.map(|(state, known)| state.verifiers(&known.origin)).unwrap_or_default();
            items.push(json!({
                "log": log.name,
                "origin": known.map(|(_, known)| &known.origin),
                "size": size,
                "signed_size": signed.as_ref().map(|signed| signed.size),
                "root_hash": signed.as_ref().map(|signed| signed.root.to_base64()),
                "keys": keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "checkpoint": known.map(|(_, known)| &known.checkpoint),
            }));
        }
        Ok(json!({ "items": items, "total": items.len() }))
    }

    /// Makes the key on first start; checks that it can be used, and that every log continues what was signed.
    ///
    /// # Errors
    /// As [`EvidenceLog::sign_all`].
    pub async fn start(&self) -> Result<(), LogError> {
        let keyring = self.keyring.clone();
        blocking(move || keyring.hold().map(drop)).await?;
        self.sign_all().await
    }

    /// Signs every log as far as it has come.
    ///
    /// # Errors
    /// The first [`LogError`]; the other logs are signed all the same.
    pub async fn sign_all(&self) -> Result<(), LogError> {
        let mut outcome = Ok(());
        for log in &*self.logs {
            outcome = outcome.and(self.sign(log).await.map(drop));
        }
        outcome
    }

    /// The newest checkpoint of a log, as it was signed last.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for a log that nobody has signed yet; [`CoreError::EvidenceLog`].
    pub async fn head(&self, name: &str) -> Result<Head, CoreError> {
        let log = self.log(name)?;
        let state = self.keyring.state()?;
        let (identity, size) = (log.identity().await?, log.store.log_size(log.kind).await?);
        match state.as_ref().and_then(|state| log.known(state, identity.as_ref(), size)) {
            Some(known) if !known.checkpoint.is_empty() => Ok(log.read_head(known)?),
            _ => Ok(self.sign(log).await?),
        }
    }

    /// Signs a log as far as it has come.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::EvidenceLog`].
    pub async fn sign_now(&self, name: &str) -> Result<Head, CoreError> {
        Ok(self.sign(self.log(name)?).await?)
    }

    async fn sign(&self, log: &Log) -> Result<Head, LogError> {
        let mut grown = log.grown.lock().await;
        loop {
            // In this order: what has been signed is in the log before.
            let state = self.keyring.state()?;
            let identity = log.identity().await?;
            grown.catch_up().await?;
            let (known, moved) = match log.standing(state.as_ref(), identity.as_ref(), grown.size()) {
                Standing::Known { log, moved } => (Some(log.clone()), moved),
                Standing::New => (None, false),
                Standing::Strange(problem) => return Err(log.tampered(problem)),
            };
            let wiped = match &known {
                Some(known) if !known.checkpoint.is_empty() => self.continues(log, &mut grown, known).await?,
                _ => None,
            };
            if let (None, Some(known)) = (&wiped, &known)
                && moved
            {
                tracing::warn!(log = log.name, from = %known.store.display(), to = %log.place.display(), "the store of a log has been moved");
            }
            if let (Some(known), Some(state), None, false) = (&known, &state, &wiped, moved)
                && let Some(head) = log.covers(known, state, grown.size())?
            {
                return Ok(head);
            }
            if identity.is_none() && grown.size() > 0 && wiped.is_none() {
                self.identify(log, known).await?;
                continue;
            }
            let (root, size) = (grown.root(), grown.size());
            let (keyring, name, place) = (self.keyring.clone(), log.name, log.place.clone());
            let work = move || sign_head(&keyring, name, &place, known.as_ref(), wiped, (size, root));
            // Nothing is signed if somebody else has signed meanwhile: their checkpoint is to be continued.
            if let Some(head) = blocking(work).await? {
                return Ok(head);
            }
        }
    }

    /// Lets a store say which log it holds, which is remembered beside the key before.
    async fn identify(&self, log: &Log, known: Option<KnownLog>) -> Result<(), LogError> {
        let (keyring, name, place) = (self.keyring.clone(), log.name, log.place.clone());
        let begin = move || {
            let mut held = keyring.hold()?;
            let public_key = held.state.keys.last().map(|key| key.public_key.clone()).unwrap_or_default();
            let origin = match known {
                Some(known) => known.origin,
                None => held.state.begin(name, &place).map(|log| log.origin.clone()).unwrap_or_default(),
            };
            keyring.save(&held.state)?;
            Ok(LogIdentity { origin, public_key })
        };
        let text = blocking(begin).await?.to_text();
        let (kind, property) = (log.kind, LogIdentity::property(log.name));
        log.store
            .transact(move |tx| match tx.property(kind, &property)? {
                // Somebody else has done it.
                Some(_) => Ok(()),
                None => tx.set_property(kind, &property, text.clone()),
            })
            .await?;
        Ok(())
    }

    /// Checks that the log continues the checkpoint that was signed last. Answers why it is a new one, if the whole
    /// store was taken away.
    async fn continues(&self, log: &Log, grown: &mut Grown, known: &KnownLog) -> Result<Option<String>, LogError> {
        let head = log.read_head(known)?.checkpoint;
        if head.size > 0 && grown.size() == 0 && log.is_blank().await? {
            let gone = format!("its store was new at {}, the {} leaves before are gone", Timestamp::now(), head.size);
            tracing::error!(log = log.name, store = %log.place.display(), "{gone}");
            return Ok(Some(gone));
        }
        let problem = match grown.root_at(head.size).await? {
            Some(root) if root == head.root => return Ok(None),
            Some(_) => format!("is not the one that was signed: its first {} leaves have been changed", head.size),
            None => format!("has {} leaves, but {} have been signed: it was cut", grown.size(), head.size),
        };
        grown.forget();
        Err(log.tampered(problem))
    }

    /// A tile as the log is served, as far as it is signed.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::EvidenceLog`].
    pub async fn tile(&self, name: &str, path: &str) -> Result<Vec<u8>, CoreError> {
        let missing = || CoreError::NotFound("tile");
        let tile: Tile = path.parse().map_err(|_| missing())?;
        let head = self.head(name).await?.checkpoint;
        if !tile.exists(head.size) {
            return Err(missing());
        }
        let log = self.log(name)?;
        let mut grown = log.grown.lock().await;
        grown.catch_up().await?;
        let hashes: Vec<_> = match tile.kind {
            TileKind::Entries => {
                let leaves = grown.leaves(tile.nodes()).await?;
                return bundle(leaves).map_err(|error| grown.damaged(&error).into());
            }
            TileKind::Hashes(0) => grown.leaves(tile.nodes()).await?.iter().map(leaf_hash).collect(),
            TileKind::Hashes(_) => grown.nodes(tile.level(), tile.nodes())?,
        };
        Ok(hashes.iter().flat_map(|hash| *hash.bytes()).collect())
    }

    /// The proof that the newest leaf about a record is in its log.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for a record without a leaf, [`CoreError::EvidenceLog`].
    pub async fn proof(&self, name: &str, id: &str) -> Result<TlogProof, CoreError> {
        let log = self.log(name)?;
        let (index, leaf) = log.find(id).await?.ok_or(CoreError::NotFound("leaf about this record"))?;
        let mut head = self.head(name).await?;
        if head.checkpoint.size <= index {
            head = self.sign_now(name).await?;
        }
        let mut grown = log.grown.lock().await;
        grown.catch_up().await?;
        let size = head.checkpoint.size;
        let hashes = grown.inclusion(index, size).await?;
        // A proof that does not hold is none; it is better to say so here.
        verify_inclusion(leaf_hash(&leaf), index, size, &hashes, head.checkpoint.root)
            .map_err(|error| grown.damaged(&format!("leaf {index} has been changed: {error}")))?;
        Ok(TlogProof { leaf: Some(leaf.into_bytes()), index, hashes, checkpoint: head.note })
    }

    /// Lets a new key sign from here on: a leaf in every log says so, and the old key has signed that leaf.
    ///
    /// # Errors
    /// [`CoreError::EvidenceLog`]; then the old key stays.
    pub async fn rotate_key(&self) -> Result<KnownKey, CoreError> {
        self.sign_all().await?;
        let state = self.keyring.state()?.ok_or(LogError::Interrupted)?;
        let (key, known) = self.keyring.next(&state)?;
        for log in &*self.logs {
            let leaf = Leaf::new(LogEvent::KeyRotated, &known.public_key, &known.record()).to_text();
            let kind = log.kind;
            log.store.transact(move |tx| tx.append(kind, leaf.clone())).await?;
        }
        self.sign_all().await?;
        let (keyring, new) = (self.keyring.clone(), known.clone());
        blocking(move || {
            let mut held = keyring.hold()?;
            keyring.take_over(&mut held, key, new)
        })
        .await?;
        self.sign_all().await?;
        Ok(known)
    }

    /// Accepts a store that does not continue what was signed: its log is a new one from here on, which begins with
    /// the leaves that are there and one that says what was accepted.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Conflict`] if there is nothing to accept, [`CoreError::EvidenceLog`].
    pub async fn accept_restore(&self, name: &str, reason: &str) -> Result<Object, CoreError> {
        let log = self.log(name)?;
        let outcome = self.sign(log).await;
        let problem = match outcome {
            Err(LogError::Tampered { problem, .. }) => problem,
            Err(error) => return Err(error.into()),
            Ok(_) => self.keyring.state()?.and_then(|state| state.unaccepted(name, &log.place)).ok_or_else(|| {
                CoreError::Conflict(format!("the log `{name}` continues what was signed; nothing is accepted"))
            })?,
        };
        let (identity, size) = (log.identity().await?, log.store.log_size(log.kind).await?);
        let state = self.keyring.state()?;
        let checkpoint = state.as_ref().and_then(|state| {
            let known = state.logs.iter().find(|known| identity.as_ref().is_some_and(|own| own.origin == known.origin));
            Some(known.or_else(|| state.open_log(name, &log.place))?.checkpoint.clone())
        });
        let record = json!({
            "log": name, "problem": problem, "reason": reason, "accepted_at": Timestamp::now(),
            "restored_size": size, "checkpoint": checkpoint,
        });
        let Value::Object(record) = record else { return Err(LogError::Interrupted.into()) };
        let (keyring, place, origin) = (self.keyring.clone(), log.place.clone(), identity.map(|own| own.origin));
        let (name, why) = (log.name, Value::Object(record.clone()).to_string());
        let work = move || {
            keyring.accept(name, &place, origin.as_deref(), &why)?;
            let mut held = keyring.hold()?;
            let public_key = held.state.keys.last().map(|key| key.public_key.clone()).unwrap_or_default();
            let origin = held.state.begin(name, &place).map(|log| log.origin.clone()).unwrap_or_default();
            keyring.save(&held.state)?;
            Ok(LogIdentity { origin, public_key })
        };
        let identity = blocking(work).await?.to_text();
        let leaf = Leaf::new(LogEvent::StoreRestored, name, &record).to_text();
        let (kind, property) = (log.kind, LogIdentity::property(name));
        log.store
            .transact(move |tx| {
                tx.set_property(kind, &property, identity.clone())?;
                tx.append(kind, leaf.clone())
            })
            .await?;
        log.grown.lock().await.forget();
        self.sign(log).await?;
        Ok(record)
    }
}

/// Work with files leaves the threads of the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(LogError::Interrupted))
}

/// Signs the head of a log, if nobody has signed since `known` was read.
fn sign_head(
    keyring: &Keyring,
    name: &str,
    place: &Path,
    known: Option<&KnownLog>,
    wiped: Option<String>,
    (size, root): (u64, cavra_log::Hash),
) -> Result<Option<Head>, LogError> {
    let mut held = keyring.hold()?;
    let now = match known {
        Some(known) => held.state.logs.iter().find(|log| log.origin == known.origin),
        None => held.state.open_log(name, place),
    };
    if now != known {
        return Ok(None);
    }
    let of_known = |log: &&mut KnownLog| known.is_some_and(|known| known.origin == log.origin);
    if let Some(old) = held.state.logs.iter_mut().find(of_known) {
        place.clone_into(&mut old.store);
        if let Some(why) = wiped {
            (old.closed, old.unaccepted) = (Some(why), true);
        }
    }
    let key = &held.key;
    let damaged = |problem: &str| LogError::State { file: keyring.key_file().to_owned(), problem: problem.to_owned() };
    let Some(entry) = held.state.begin(name, place) else { return Err(damaged("a log got lost")) };
    let checkpoint = Checkpoint { origin: entry.origin.clone(), size, root };
    let verifier =
        VerifierKey::new(entry.origin.as_str(), &key.public().bytes()).map_err(|error| damaged(&error.to_string()))?;
    let note = checkpoint.sign(&verifier, |text| key.sign(text)).map_err(|error| damaged(&error.to_string()))?;
    entry.checkpoint.clone_from(&note);
    keyring.save(&held.state)?;
    Ok(Some(Head { checkpoint, note }))
}

impl LogState {
    /// What has happened to logs of that name that nobody has accepted yet, in a sentence.
    #[must_use]
    pub fn unaccepted(&self, name: &str, store: &Path) -> Option<String> {
        let gone = |log: &KnownLog| {
            let place = log.store.display();
            format!(
                "follows {}, which was signed up to {} leaves; its store {place} is gone",
                log.origin,
                log.signed_size()
            )
        };
        let wiped = self.logs.iter().find(|log| log.name == name && log.unaccepted && log.closed.is_some());
        wiped
            .map(|log| format!("follows {}: {}", log.origin, log.closed.as_deref().unwrap_or_default()))
            .or_else(|| self.missing(name, store).map(gone))
    }
}

impl Log {
    /// Which log the store says it holds.
    async fn identity(&self) -> Result<Option<LogIdentity>, LogError> {
        let text = self.store.property(self.kind, &LogIdentity::property(self.name)).await?;
        text.map(|text| LogIdentity::parse(self.name, &text)).transpose()
    }

    fn standing<'a>(&self, state: Option<&'a LogState>, identity: Option<&LogIdentity>, size: u64) -> Standing<'a> {
        let kinds = Area::of(self.kind).map_or(&[][..], |area| area.kinds);
        match (state, identity) {
            (Some(state), identity) => state.standing(self.name, kinds, &self.place, identity, size),
            (None, None) => Standing::New,
            (None, Some(identity)) => {
                Standing::Strange(format!("is {}, and there is no key here that has signed it", identity.origin))
            }
        }
    }

    /// What is remembered of the log.
    fn known<'a>(&self, state: &'a LogState, identity: Option<&LogIdentity>, size: u64) -> Option<&'a KnownLog> {
        match self.standing(Some(state), identity, size) {
            Standing::Known { log, .. } => Some(log),
            Standing::New | Standing::Strange(_) => None,
        }
    }

    fn tampered(&self, problem: String) -> LogError {
        LogError::Tampered { log: self.name, store: self.place.clone(), problem }
    }

    /// The newest checkpoint that is remembered.
    fn read_head(&self, known: &KnownLog) -> Result<Head, LogError> {
        let checkpoint = Checkpoint::unverified(&known.checkpoint)
            .map_err(|error| LogError::Damaged { log: self.name, problem: error.to_string() })?;
        Ok(Head { checkpoint, note: known.checkpoint.clone() })
    }

    /// The newest checkpoint, if it covers `size` leaves and is signed by the present key.
    fn covers(&self, known: &KnownLog, state: &LogState, size: u64) -> Result<Option<Head>, LogError> {
        if known.checkpoint.is_empty() {
            return Ok(None);
        }
        let head = self.read_head(known)?;
        let keys = state.verifiers(&known.origin);
        let (_, signer) = Checkpoint::open(&known.checkpoint, &keys)
            .map_err(|error| LogError::Damaged { log: self.name, problem: error.to_string() })?;
        Ok((head.checkpoint.size == size && keys.last() == Some(signer)).then_some(head))
    }

    /// Whether there is nothing at all in the store.
    async fn is_blank(&self) -> Result<bool, LogError> {
        let query = cavra_store::Query::default();
        Ok(self.store.list(self.kind, query).await?.total == 0)
    }
}
