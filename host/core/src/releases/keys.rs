//! Keys that sign and verify release documents. docs/reference/evidence-and-promotion.md, section 0.3.

use cavra_evidence::{InvalidKey, PublicKey, SigningKey};

use crate::CoreError;

/// Variables with the key of promotion requests, the first that is set counts.
const PROMOTION: [&str; 2] = ["CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY", "CAVRA_GO_RELEASE_SIGNING_KEY"];
/// The same for requests of channels.
const CHANNEL: [&str; 2] = ["CAVRA_RELEASE_CHANNEL_SIGNING_KEY", "CAVRA_GO_RELEASE_SIGNING_KEY"];

/// A variable that is set, and the key in it.
type Named = (&'static str, Result<SigningKey, InvalidKey>);

/// The keys of this place. One that cannot be used is a refusal when it is needed, never another key in its stead.
#[derive(Clone, Debug, Default)]
pub struct ReleaseKeys {
    promotion: Vec<Named>,
    channel: Vec<Named>,
}

impl ReleaseKeys {
    /// Reads the variables.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let named = |name: &'static str| Some((name, SigningKey::from_pem(&get(name)?)));
        Self {
            promotion: PROMOTION.into_iter().filter_map(named).collect(),
            channel: CHANNEL.into_iter().filter_map(named).collect(),
        }
    }

    /// The key that signs requests to promote a rollout.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if there is none, or if it cannot be used.
    pub fn promotion(&self) -> Result<SigningKey, CoreError> {
        first(&self.promotion, PROMOTION)
    }

    /// The key that signs requests to publish on a channel.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if there is none, or if it cannot be used.
    pub fn channel(&self) -> Result<SigningKey, CoreError> {
        first(&self.channel, CHANNEL)
    }

    /// Whether there is a key, usable or not, that says whose promotion requests count.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.promotion.is_empty()
    }

    /// Whose signature of a promotion request counts here.
    #[must_use]
    pub fn promotion_signers(&self) -> Vec<PublicKey> {
        self.promotion.iter().filter_map(|(_, key)| Some(key.as_ref().ok()?.public().clone())).collect()
    }
}

fn first(keys: &[Named], names: [&str; 2]) -> Result<SigningKey, CoreError> {
    match keys.first() {
        Some((_, Ok(key))) => Ok(key.clone()),
        Some((name, Err(error))) => Err(CoreError::BadRequest(format!("{name}: {error}"))),
        None => Err(CoreError::BadRequest(format!("no signing key: neither {} nor {} is set", names[0], names[1]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_key_is_not_replaced_by_another() {
        let pem = SigningKey::generate().unwrap().to_pem().unwrap();
        let keys = |set: &[(&'static str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            ReleaseKeys::read(|asked| set.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone()))
        };
        assert!(keys(&[]).promotion().is_err() && keys(&[]).promotion_signers().is_empty());
        let fallback = keys(&[(PROMOTION[1], &pem)]);
        assert_eq!(fallback.promotion().unwrap().public(), fallback.channel().unwrap().public());
        let broken = keys(&[(PROMOTION[0], "hush"), (PROMOTION[1], &pem)]);
        let error = broken.promotion().unwrap_err().to_string();
        assert!(error.contains(PROMOTION[0]) && !error.contains("hush"), "{error}");
        assert!(broken.channel().is_ok());
        assert!(!format!("{broken:?}").contains("hush") && !format!("{fallback:?}").contains("PRIVATE"));
    }
}
