//! Plugins in memory: a bounded map in which each is loaded once, however many ask for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::error::{PluginError, PluginErrorKind};
use crate::host::Wanted;
use crate::limits::Within;

/// Plugins of a world that are kept; the least recently used goes first. One is a few hundred kilobytes of code.
const CAPACITY: usize = 128;

/// How long a failure answers for the next try.
const FAILURE_MEMORY: Duration = Duration::from_secs(10);

/// What makes two plugins of a world the same. Apart from `within`, the limits are those of the host, the same for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    plugin: String,
    version: String,
    wasm_digest: String,
    document_digest: String,
    within: Within,
}

impl Key {
    pub(crate) fn of(source: &Wanted<'_>) -> Self {
        Self {
            plugin: source.plugin.to_owned(),
            version: source.version.to_owned(),
            wasm_digest: source.wasm_digest.to_owned(),
            document_digest: source.document_digest().to_owned(),
            within: source.within,
        }
    }
}

type Outcome<T> = Result<Arc<T>, PluginError>;

/// A load that is going on or done, and when it was done.
type Slot<T> = Arc<OnceCell<(Instant, Outcome<T>)>>;

pub(crate) struct Loaded<T>(Mutex<Map<T>>);

struct Map<T> {
    slots: HashMap<Key, (u64, Slot<T>)>,
    uses: u64,
}

impl<T> Default for Loaded<T> {
    fn default() -> Self {
        Self(Mutex::new(Map { slots: HashMap::new(), uses: 0 }))
    }
}

impl<T> Loaded<T> {
    /// The plugin under `key`, loaded with `load` if nobody has done so.
    pub(crate) async fn get<F>(&self, key: Key, load: impl FnOnce() -> F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        let slot = self.slot(key);
        let (_, outcome) = slot
            .get_or_init(|| async {
                let outcome = load().await;
                (Instant::now(), outcome)
            })
            .await;
        outcome.clone()
    }

    fn slot(&self, key: Key) -> Slot<T> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.uses = map.uses.wrapping_add(1);
        let now = map.uses;
        if let Some((used, slot)) = map.slots.get_mut(&key)
            && !is_over(slot)
        {
            *used = now;
            return slot.clone();
        }
        let slot = Slot::<T>::default();
        map.slots.insert(key, (now, slot.clone()));
        map.make_room();
        slot
    }
}

impl<T> Map<T> {
    fn make_room(&mut self) {
        while self.slots.len() > CAPACITY {
            let oldest = self.slots.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.slots.remove(&oldest);
        }
    }
}

/// True for a failure that has been remembered for long enough.
fn is_over<T>(slot: &Slot<T>) -> bool {
    match slot.get() {
        Some((at, Err(error))) => {
            let memory = if *error.kind() == PluginErrorKind::Busy { Duration::ZERO } else { FAILURE_MEMORY };
            at.elapsed() >= memory
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, Identity};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn key(number: usize) -> Key {
        Key {
            plugin: "acme".to_owned(),
            version: String::new(),
            wasm_digest: number.to_string(),
            document_digest: String::new(),
            within: Within::default(),
        }
    }

    fn failure(kind: PluginErrorKind) -> PluginError {
        let identity = Identity { plugin: String::new(), version: String::new(), digest: String::new() };
        Failure::from(kind).about(&identity)
    }

    #[tokio::test]
    async fn a_failure_is_remembered_and_a_full_house_is_not() {
        let (loaded, loads) = (Loaded::<()>::default(), AtomicUsize::new(0));
        let load = async |number, kind: PluginErrorKind| {
            let result = loaded.get(key(number), || async {
                loads.fetch_add(1, Ordering::SeqCst);
                Err(failure(kind))
            });
            assert!(result.await.is_err());
        };
        load(1, PluginErrorKind::Trap).await;
        load(1, PluginErrorKind::Trap).await;
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        load(2, PluginErrorKind::Busy).await;
        load(2, PluginErrorKind::Busy).await;
        assert_eq!(loads.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn the_map_is_bounded_and_keeps_what_is_used() {
        let loaded = Loaded::<()>::default();
        for number in 0..CAPACITY * 2 {
            for wanted in [0, number] {
                let _ = loaded.get(key(wanted), || async { Err(failure(PluginErrorKind::Trap)) }).await;
            }
        }
        let map = loaded.0.lock().unwrap();
        assert_eq!(map.slots.len(), CAPACITY);
        assert!(map.slots.contains_key(&key(0)));
        assert!(!map.slots.contains_key(&key(1)));
    }
}
