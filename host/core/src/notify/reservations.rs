//! Reservations: who plans to tell somebody about a subject keeps others from planning the same until it is done and noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// Turns, by what they are about. Clones share them.
#[derive(Clone, Default)]
pub struct Reservations(Arc<Mutex<BTreeMap<String, Weak<Turn<()>>>>>);

impl Reservations {
    /// Waits for the turn of whatever `subject` names. It is over when the guard is dropped.
    pub async fn hold(&self, subject: &str) -> OwnedMutexGuard<()> {
        self.turn(subject).lock_owned().await
    }

    fn turn(&self, subject: &str) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(subject).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(subject.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_taken_one_after_the_other_and_forgotten() {
        let reservations = Reservations::default();
        let held = reservations.hold("a").await;
        assert!(reservations.turn("a").try_lock().is_err());
        assert!(reservations.turn("b").try_lock().is_ok());
        drop(held);
        assert!(reservations.turn("a").try_lock().is_ok());
        reservations.turn("c");
        assert_eq!(reservations.0.lock().unwrap().len(), 1);
    }
}
