//! What takes long to load, loaded once: whoever waits for it may give up, the loading goes on for the next one who asks.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What came of a load; nothing while it is under way.
type State<T, E> = Option<Result<T, E>>;

/// Things by their keys, each loaded when it is first asked for.
pub(crate) struct Loading<K, T, E>(Arc<Mutex<Loads<K, T, E>>>);

type Loads<K, T, E> = BTreeMap<K, watch::Receiver<State<T, E>>>;

impl<K, T, E> Clone for Loading<K, T, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T, E> Default for Loading<K, T, E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T, E> Loading<K, T, E>
where
    K: Ord,
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// The thing of a key. Whoever asks first has it loaded; what failed is loaded anew. `None` if the load came to no end.
    pub async fn get<F>(&self, key: K, load: impl FnOnce() -> F) -> Option<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut waiting = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match known.get(&key).filter(|found| is_of_use(found)) {
                Some(found) => found.clone(),
                None => {
                    let (ready, waiting) = watch::channel(None);
                    let load = load();
                    tokio::spawn(async move { ready.send(Some(load.await)) });
                    known.insert(key, waiting.clone());
                    waiting
                }
            }
        };
        let state = waiting.wait_for(Option::is_some).await.ok()?;
        state.clone()
    }
}

/// It is loaded, or will be.
fn is_of_use<T, E>(found: &watch::Receiver<State<T, E>>) -> bool {
    match &*found.borrow() {
        Some(loaded) => loaded.is_ok(),
        None => found.has_changed().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn who_gives_up_waiting_does_not_end_the_load() {
        let (loading, loads, gate) =
            (Loading::<_, _, &str>::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let get = || {
            let (loads, gate) = (Arc::clone(&loads), Arc::clone(&gate));
            loading.get("slow", || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                let _permit = gate.acquire().await;
                Ok(7)
            })
        };
        assert!(timeout(Duration::from_millis(20), get()).await.is_err(), "it is not loaded yet");
        assert!(timeout(Duration::from_millis(20), get()).await.is_err());
        gate.add_permits(1);
        let (one, other) = tokio::join!(get(), get());
        assert_eq!((one, other, loads.load(Ordering::SeqCst)), (Some(Ok(7)), Some(Ok(7)), 1));
    }

    #[tokio::test]
    async fn what_failed_is_loaded_anew() {
        let loading = Loading::default();
        assert_eq!(loading.get("a", || async { Err("broken") }).await, Some(Err("broken")));
        assert_eq!(loading.get("a", || async { Ok(1) }).await, Some(Ok(1)));
        assert_eq!(loading.get("a", || async { Err("never asked") }).await, Some(Ok(1)));
        assert_eq!(loading.get("b", || async { Ok(2) }).await, Some(Ok(2)));
    }
}
