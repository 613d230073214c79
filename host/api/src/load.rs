//! How much the server does at once: bytes of request bodies that are being received and worked on, and requests whose
//! work grows with what is stored. What does not fit waits a moment and is then refused, so that many large or long
//! requests cannot take the memory or the processors from decisions.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Bodies up to this size do not wait for larger ones.
const SMALL: usize = 64 * 1024;
/// Bytes of small bodies at once.
const SMALL_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of larger bodies at once: four records of evidence.
const LARGE_BYTES: usize = 32 * 1024 * 1024;
/// Permits are for so many bytes each, because their number is limited.
const UNIT: usize = 1024;
/// Long requests at once.
const LONG: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// After how many seconds a refused client should ask again.
const RETRY_AFTER: u32 = 5;

/// What whoever does not fit is told.
const BUSY: &str = "the server is receiving as much as it can hold";

/// Whether the work of an endpoint grows with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It does not, or is bounded by a page.
    Short,
    /// It does: few run at once.
    Long,
}

/// The permits of one server.
pub struct Load {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    inventories: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Load {
    /// Of a server whose largest inventory has so many bytes. One of those at once has a room of its own.
    pub fn new(inventory: usize) -> Self {
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self {
            small: of(SMALL_BYTES / UNIT),
            large: of(LARGE_BYTES / UNIT),
            inventories: of(inventory.div_ceil(UNIT).max(1)),
            long: of(LONG),
        }
    }

    /// Room for an inventory of so many bytes, kept until the permit is dropped.
    pub async fn inventory(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        turn(&self.inventories, bytes.div_ceil(UNIT).max(1), BUSY).await
    }

    /// Room for a body of so many bytes, kept until the permit is dropped.
    pub async fn body(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room = if bytes <= SMALL { &self.small } else { &self.large };
        let permits = bytes.div_ceil(UNIT).max(1);
        turn(room, permits, BUSY).await
    }

    /// The permit for work of that kind; none for short work.
    pub async fn work(&self, work: Work) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        match work {
            Work::Short => Ok(None),
            Work::Long => turn(&self.long, 1, "as many long requests are running as the server takes").await.map(Some),
        }
    }
}

async fn turn(of: &Arc<Semaphore>, permits: usize, busy: &'static str) -> Result<OwnedSemaphorePermit, Problem> {
    let refused = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{busy}; ask again")).retry(RETRY_AFTER);
    let permits = u32::try_from(permits).map_err(|_| refused())?;
    let acquired = tokio::time::timeout(PATIENCE, Arc::clone(of).acquire_many_owned(permits)).await;
    acquired.ok().and_then(Result::ok).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_refused_and_what_is_dropped_makes_room() {
        let load = Load::new(64 * 1024 * 1024);
        let inventory = load.inventory(64 * 1024 * 1024).await;
        assert!(inventory.is_ok() && load.inventory(1).await.is_err());
        let mut held = Vec::new();
        while let Ok(permit) = load.body(8 * 1024 * 1024).await {
            held.push(permit);
        }
        assert_eq!(held.len(), 4);
        assert!(load.body(SMALL).await.is_ok(), "small bodies do not wait for large ones");
        assert!(load.body(SMALL + 1).await.is_err());
        held.pop();
        assert!(load.body(SMALL + 1).await.is_ok());
        let long = (load.work(Work::Long).await.unwrap(), load.work(Work::Long).await.unwrap());
        assert!(load.work(Work::Long).await.is_err());
        assert!(load.work(Work::Short).await.unwrap().is_none(), "short work needs no permit");
        drop(long.0);
        assert!(load.work(Work::Long).await.is_ok());
    }
}
