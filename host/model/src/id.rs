//! Identifiers the server makes.

use thiserror::Error;

/// The operating system gave no random bytes. Nothing weaker takes their place.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the system has no randomness")]
pub struct NoRandomness;

/// Fills `buffer` with random bytes that nobody can guess.
///
/// # Errors
/// [`NoRandomness`]; what `buffer` holds then is of no use.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(buffer).map_err(|_| NoRandomness)
}

/// `bytes` random bytes as lowercase hex.
///
/// # Errors
/// [`NoRandomness`].
pub fn random_hex(bytes: usize) -> Result<String, NoRandomness> {
    hex_from(bytes, fill_random)
}

fn hex_from(bytes: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), NoRandomness>) -> Result<String, NoRandomness> {
    let mut buffer = vec![0_u8; bytes];
    fill(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `dec_` and 12 hex digits. docs/reference/decisions-and-policy.md, section 5.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_decision_id() -> Result<String, NoRandomness> {
    Ok(format!("dec_{}", random_hex(6)?))
}

/// `corr_` and 12 hex digits. docs/reference/decisions-and-policy.md, section 5.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_correlation_id() -> Result<String, NoRandomness> {
    Ok(format!("corr_{}", random_hex(6)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_randomness_there_is_no_id() {
        assert_eq!(hex_from(6, |_| Err(NoRandomness)), Err(NoRandomness));
        let filled = hex_from(2, |buffer| {
            buffer.copy_from_slice(&[0x0a, 0xff]);
            Ok(())
        });
        assert_eq!(filled.as_deref(), Ok("0aff"));
        assert_ne!(random_hex(16), random_hex(16));
    }
}
