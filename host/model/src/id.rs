//! Identifiers the server makes.

/// `bytes` random bytes as lowercase hex.
///
/// Falls back to nothing weaker: if the operating system has no randomness the process cannot work safely, and
/// `getrandom` blocks or fails; a failure yields an id of zeros, which the store refuses as a duplicate.
#[must_use]
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    let _ = getrandom::fill(&mut buffer);
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `dec_` and 12 hex digits. Contract 10, section 5.
#[must_use]
pub fn new_decision_id() -> String {
    format!("dec_{}", random_hex(6))
}

/// `corr_` and 12 hex digits. Contract 10, section 5.
#[must_use]
pub fn new_correlation_id() -> String {
    format!("corr_{}", random_hex(6))
}
