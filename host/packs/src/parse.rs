//! `policy.yaml` as a JSON value.

use cavra_documents::parse_yaml;
use serde_json::Value;

/// Largest `policy.yaml`, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// Parses YAML (JSON is YAML) into a JSON value, as strictly as every file that governs: see [`parse_yaml`].
///
/// # Errors
/// A sentence for the author of the document, with line and column where they are known.
pub fn parse_policy(text: &str) -> Result<Value, String> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("is larger than {MAX_POLICY_BYTES} bytes"));
    }
    parse_yaml(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_a_size() {
        assert!(parse_policy(&"x".repeat(MAX_POLICY_BYTES)).is_ok());
        assert!(parse_policy(&"x".repeat(MAX_POLICY_BYTES + 1)).unwrap_err().contains("larger"));
    }
}
