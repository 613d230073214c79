//! Turns: who may run a guest now. A call waits for its plugin's turn first and for a place in the pool second, so that
//! callers of a slow plugin queue up where they are in nobody else's way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::error::{Failure, PluginErrorKind};
use crate::limits::Limits;

/// The places that calls of one plugin take.
pub(crate) struct Places {
    /// Places in the pool, shared with all plugins.
    pool: Arc<Semaphore>,
    /// How many of them this plugin may take at a time.
    own: Arc<Semaphore>,
    /// How many one call takes.
    each: u32,
    queue_time: Duration,
}

/// A turn; it is over when this is dropped.
pub(crate) struct Turn {
    _own: OwnedSemaphorePermit,
    _pool: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(pool: Arc<Semaphore>, limits: &Limits, each: u32) -> Self {
        let own = Arc::new(Semaphore::new(limits.calls_per_pack.max(each as usize)));
        Self { pool, own, each, queue_time: limits.queue_time }
    }

    /// # Errors
    /// [`PluginErrorKind::Busy`] if it does not come within the queue time.
    pub(crate) async fn turn(&self) -> Result<Turn, Failure> {
        if let Ok(own) = self.own.clone().try_acquire_many_owned(self.each)
            && let Ok(pool) = self.pool.clone().try_acquire_many_owned(self.each)
        {
            return Ok(Turn { _own: own, _pool: pool });
        }
        let wait = async {
            let own = self.own.clone().acquire_many_owned(self.each).await?;
            let pool = self.pool.clone().acquire_many_owned(self.each).await?;
            Ok(Turn { _own: own, _pool: pool })
        };
        match tokio::time::timeout(self.queue_time, wait).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(closed)) => {
                let closed: AcquireError = closed;
                Err(Failure::new(PluginErrorKind::Busy, closed))
            }
            Err(elapsed) => Err(Failure::new(PluginErrorKind::Busy, elapsed)),
        }
    }
}
