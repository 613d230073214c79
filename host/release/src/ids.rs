//! Ids that say what they are for: the same subject under the same approval has the same id. docs/reference/evidence-and-promotion.md, section 0.

use cavra_model::Digest;

/// `prefix` and the first 12 hex digits of the SHA-256 of the parts, joined by colons.
#[must_use]
pub fn bound_id(prefix: &str, parts: &[&str]) -> String {
    let digest = Digest::of(parts.join(":"));
    format!("{prefix}{}", digest.hex().get(..12).unwrap_or_default())
}

/// Id of the request to promote a rollout to a ring.
#[must_use]
pub fn promotion_request_id(rollout_id: &str, target_ring: &str) -> String {
    bound_id("rpr_", &[rollout_id, target_ring])
}

/// Id of the request to publish a version on a channel.
#[must_use]
pub fn channel_request_id(channel: &str, version: &str, target_ring: &str) -> String {
    bound_id("rcp_", &[channel, version, target_ring])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of docs/reference/evidence-and-promotion.md, section 0.
    #[test]
    fn vectors_of_the_contract() {
        assert_eq!(promotion_request_id("r-9", "broad"), "rpr_60c2c2707989");
        assert_eq!(bound_id("rpe_", &["rpr_0123456789ab", "apr_0123456789ab"]), "rpe_ea881a9fd536");
        assert_eq!(bound_id("rre_", &["rpe_0123456789ab", "apr_ba9876543210"]), "rre_89bac8777140");
    }
}
