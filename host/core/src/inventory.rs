//! Repositories and policy rollouts. docs/reference/approvals-identity-authoring.md, sections 5 and 6.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use cavra_model::{Kind, Object, POLICY_ROLLOUTS, PolicyMode, REPOSITORIES, Timestamp};
use cavra_store::{Page, Query, RecordStore, Transaction, Walk};
use serde_json::Value;

use crate::evidence_log::note_by;
use crate::recent::{KNOWN_FOR, Recent};
use crate::{Attributes, Author, Caller, CoreError, LogEvent};

/// The inventory store.
#[derive(Clone)]
pub struct Inventory {
    store: RecordStore,
    known: Arc<RwLock<Known>>,
    repositories: Arc<Recent>,
}

/// What is known of active rollouts, in the way of [`Recent`].
#[derive(Default)]
struct Known {
    active: Option<Arc<Active>>,
    /// Changes made so far through this process. What was read before one of them is not kept after it.
    changes: u64,
}

/// The active rollouts at one moment, by repository and pack.
struct Active {
    since: Instant,
    rollouts: HashMap<(String, String), Vec<Object>>,
}

impl Inventory {
    /// Over an open store that knows [`crate::INVENTORY_KINDS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store, known: Arc::default(), repositories: Arc::default() }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// One record: the one with that id, else for repositories the one with that name.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, kind: &'static Kind, id: &str) -> Result<Object, CoreError> {
        if let Some(record) = self.store.get(kind, id).await? {
            return Ok(record);
        }
        if *kind == REPOSITORIES {
            let query = Query { filters: vec![("repository", id.to_owned())], limit: 1, ..Query::default() };
            if let Some(named) = self.store.list(kind, query).await?.items.pop() {
                return Ok(named);
            }
        }
        Err(CoreError::NotFound(kind.name))
    }

    /// All records that match.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, CoreError> {
        Ok(self.store.list(kind, query).await?)
    }

    /// Replaces or creates a record: `make` turns what is stored into what is to be stored and an answer. With `whole`, what
    /// is to be stored is a whole record without that, so a stored one that cannot be read does not matter.
    ///
    /// The change leaves a leaf, which says who made it.
    pub(crate) async fn upsert<T: Send + 'static>(
        &self,
        kind: &'static Kind,
        id: String,
        whole: bool,
        author: Option<Author>,
        make: impl Fn(Option<&Object>) -> Result<(Object, T), CoreError> + Send + 'static,
    ) -> Result<T, CoreError> {
        let event = if *kind == REPOSITORIES { LogEvent::RepositoryChanged } else { LogEvent::RolloutChanged };
        let change = move |tx: &mut dyn Transaction| {
            let stored = if whole { tx.replaced(kind, &id)? } else { tx.get(kind, &id)? };
            Ok(match make(stored.as_ref()) {
                Ok((record, answer)) => {
                    tx.put(kind, record.clone())?;
                    note_by(tx, author.as_ref(), event, kind, &record)?;
                    Ok(answer)
                }
                Err(error) => Err(error),
            })
        };
        let answer = self.store.transact(change).await?;
        self.forget();
        answer
    }

    /// Every request from now on reads the rollouts again, whatever somebody is reading at this moment.
    fn forget(&self) {
        self.repositories.forget();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.active = None;
        known.changes += 1;
    }

    /// Keeps rollouts that were read when `changes` had been made, unless there were more since.
    fn keep_active(&self, active: &Arc<Active>, changes: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes == changes {
            known.active = Some(Arc::clone(active));
        }
    }

    /// The rollout that governs decisions of a session in a repository under a pack, and its mode.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn governing(
        &self,
        repository: &str,
        pack: &str,
        session: &str,
    ) -> Result<Option<(String, PolicyMode)>, CoreError> {
        let active = self.active().await?;
        if active.rollouts.is_empty() {
            return Ok(None);
        }
        let subject = (repository.to_owned(), pack.to_owned());
        let rollouts = active.rollouts.get(&subject).map(Vec::as_slice).unwrap_or_default();
        Ok(cavra_model::governing_rollout(rollouts, session))
    }

    /// What policies are told about decisions of a session in a repository under a pack.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn attributes(&self, repository: &str, pack: &str, session: &str) -> Result<Attributes, CoreError> {
        let mut attributes = Attributes::default();
        if let Some(record) = self.repository(repository).await? {
            attributes = attributes.with_repository(&record);
        }
        if let Some((id, mode)) = self.governing(repository, pack, session).await? {
            attributes = attributes.with("rollout.id", &id).with("rollout.mode", mode.as_str());
        }
        Ok(attributes)
    }

    /// The record of a repository, as it was within the last second.
    async fn repository(&self, name: &str) -> Result<Option<Arc<Object>>, CoreError> {
        let read = async {
            match self.get(&REPOSITORIES, name).await {
                Ok(record) => Ok(Some(record)),
                Err(CoreError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.repositories.get(name, read).await
    }

    async fn active(&self) -> Result<Arc<Active>, CoreError> {
        let (active, changes) = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.active.clone(), known.changes)
        };
        if let Some(active) = active.filter(|active| active.since.elapsed() < KNOWN_FOR) {
            return Ok(active);
        }
        let since = Instant::now();
        let collected = Arc::new(std::sync::Mutex::new(HashMap::<_, Vec<Object>>::new()));
        let sink = Arc::clone(&collected);
        let walk = Walk { filter: Some(("state", "active".to_owned())), ..Walk::default() };
        let visit = move |record: Object| {
            let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
            let subject = (text("repository"), text("policy_pack"));
            sink.lock().unwrap_or_else(PoisonError::into_inner).entry(subject).or_default().push(record);
            true
        };
        self.store.walk(&POLICY_ROLLOUTS, walk, visit).await?;
        let rollouts = std::mem::take(&mut *collected.lock().unwrap_or_else(PoisonError::into_inner));
        let active = Arc::new(Active { since, rollouts });
        self.keep_active(&active, changes);
        Ok(active)
    }

    /// Creates or replaces a repository.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn post(&self, kind: &'static Kind, body: Object, caller: &Caller) -> Result<Object, CoreError> {
        let now = Timestamp::now();
        let schema = if *kind == REPOSITORIES { &cavra_model::REPOSITORY_SCHEMA } else { &cavra_model::ROLLOUT_SCHEMA };
        let draft = schema.normalize(&body, None, now)?;
        let id = draft.get(kind.id).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.upsert(kind, id, true, caller.author(), move |stored| {
            let record = schema.normalize(&body, stored, now)?;
            Ok((record.clone(), record))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> (tempfile::TempDir, Inventory) {
        let folder = tempfile::tempdir().unwrap();
        let location = cavra_store::Location::Json(folder.path().join("inventory.json"));
        (folder, Inventory::new(RecordStore::open(location, &crate::INVENTORY_KINDS).unwrap()))
    }

    fn nothing() -> Arc<Active> {
        Arc::new(Active { since: Instant::now(), rollouts: HashMap::new() })
    }

    /// Somebody reads the rollouts, somebody else changes one, and only then the first keeps what was read.
    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (_folder, inventory) = inventory();
        inventory.keep_active(&nothing(), 0);
        assert!(inventory.known.read().unwrap().active.is_some());
        inventory.forget();
        inventory.keep_active(&nothing(), 0);
        assert!(inventory.known.read().unwrap().active.is_none());
        inventory.keep_active(&nothing(), 1);
        assert!(inventory.known.read().unwrap().active.is_some());
    }

    /// Readers without pause, and after each change one that has to see it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_change_counts_at_once_whoever_reads() {
        let (_folder, inventory) = inventory();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (inventory, stop) = (inventory.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        inventory.governing("r", "p", "s").await.unwrap();
                    }
                })
            })
            .collect();
        for round in 0..60 {
            let mode = if round % 2 == 0 { "strict" } else { "audit_only" };
            let body = serde_json::json!({"repository": "r", "policy_pack": "p", "mode": mode, "state": "active",
                "coverage_percent": 100});
            inventory.post(&POLICY_ROLLOUTS, body.as_object().cloned().unwrap(), &Caller::default()).await.unwrap();
            let (_, governing) = inventory.governing("r", "p", "s").await.unwrap().unwrap();
            assert_eq!(governing, mode.parse().unwrap(), "round {round}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
