//! What was signed counts once: signatures of the last minutes, remembered until they are too old to count anyway.
//!
//! They are remembered by this process, also when its files are read again. One that is repeated after a restart, or to another
//! server of the same store, finds the approval decided, or the vote of that person counted, and changes nothing either.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{CallbackError, WINDOW};

/// Most signatures that are remembered. Only a service that holds the secret can make one.
const MOST: usize = 100_000;

/// The signatures that counted, and when each was made.
#[derive(Default)]
pub(crate) struct Once(Mutex<HashMap<Vec<u8>, i64>>);

impl Once {
    /// Takes note of a signature that was made at `seconds`.
    pub fn admit(&self, tag: Vec<u8>, seconds: i64, now: i64) -> Result<(), CallbackError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains_key(&tag) {
            return Err(CallbackError::Repeated);
        }
        if seen.len() >= MOST {
            seen.retain(|_, made| now.saturating_sub(*made) <= WINDOW);
        }
        if seen.len() >= MOST {
            return Err(CallbackError::Busy);
        }
        seen.insert(tag, seconds);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_once_and_memory_has_an_end() {
        let once = Once::default();
        assert_eq!(once.admit(vec![1], 10, 10), Ok(()));
        assert_eq!(once.admit(vec![1], 10, 11), Err(CallbackError::Repeated));
        for number in 1..MOST {
            once.admit(number.to_le_bytes().to_vec(), 10, 10).unwrap();
        }
        assert_eq!(once.admit(vec![2], 10, 10 + WINDOW), Err(CallbackError::Busy));
        assert_eq!(once.admit(vec![2], 10 + WINDOW, 11 + WINDOW), Ok(()), "what is too old is forgotten");
    }
}
