//! Records that decisions ask for again and again: they are taken as known for a moment. Changes made through this process
//! count at once; those of other processes on the same store after that moment.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use cavra_model::Object;

use crate::CoreError;

/// How long what was read is taken as known.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Records of one kind that are kept in memory.
const MOST_KNOWN: usize = 1024;

/// Records of one kind that were asked for lately, by name; of one that is not there, that it is not.
#[derive(Default)]
pub(crate) struct Recent(RwLock<Known>);

#[derive(Default)]
struct Known {
    records: HashMap<String, (Instant, Option<Arc<Object>>)>,
    /// Changes made so far through this process. What was read before one of them is not kept after it.
    changes: u64,
}

impl Recent {
    /// The record of that name, as it was within the last second; `read` is waited for if that is not known.
    pub(crate) async fn get(
        &self,
        name: &str,
        read: impl Future<Output = Result<Option<Object>, CoreError>>,
    ) -> Result<Option<Arc<Object>>, CoreError> {
        let (known, changes) = {
            let known = self.read();
            (known.records.get(name).cloned(), known.changes)
        };
        if let Some((_, record)) = known.filter(|(since, _)| since.elapsed() < KNOWN_FOR) {
            return Ok(record);
        }
        let since = Instant::now();
        let record = read.await?.map(Arc::new);
        let mut known = self.write();
        if known.records.len() >= MOST_KNOWN {
            known.records.clear();
        }
        if known.changes == changes {
            known.records.insert(name.to_owned(), (since, record.clone()));
        }
        Ok(record)
    }

    /// Every request from now on reads again, whatever somebody is reading at this moment.
    pub(crate) fn forget(&self) {
        let mut known = self.write();
        known.records.clear();
        known.changes += 1;
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(recent: &Recent, now: Option<&str>) -> Option<String> {
        let record = now.map(|value| Object::from_iter([("is".to_owned(), value.into())]));
        let found = recent.get("a", async { Ok(record) }).await.unwrap();
        found.and_then(|record| record.get("is")?.as_str().map(ToOwned::to_owned))
    }

    #[tokio::test]
    async fn what_is_known_is_not_read_again_until_it_changes() {
        let recent = Recent::default();
        assert_eq!(asked(&recent, None).await, None);
        assert_eq!(asked(&recent, Some("new")).await, None);
        recent.forget();
        assert_eq!(asked(&recent, Some("new")).await.as_deref(), Some("new"));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let recent = Recent::default();
        let changed_meanwhile = async {
            recent.forget();
            Ok(None)
        };
        assert!(recent.get("a", changed_meanwhile).await.unwrap().is_none());
        assert_eq!(asked(&recent, Some("new")).await.as_deref(), Some("new"));
    }
}
