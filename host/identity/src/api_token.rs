//! Tokens of machines: a random secret of which only a hash is kept.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cavra_model::{NoRandomness, fill_random, random_hex};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Hex digits of an id.
const ID_DIGITS: usize = 12;

/// What a token may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Ask for decisions and report sessions.
    Decide,
    /// Read everything.
    Read,
    /// Ask for approvals. No token decides one.
    Approvals,
    /// Write repositories and rollouts.
    Inventory,
    /// Draft and publish policies.
    Policy,
    /// Write evidence and what is done with it.
    Evidence,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 6] =
        [Self::Decide, Self::Read, Self::Approvals, Self::Inventory, Self::Policy, Self::Evidence];

    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Read => "read",
            Self::Approvals => "approvals",
            Self::Inventory => "inventory",
            Self::Policy => "policy",
            Self::Evidence => "evidence",
        }
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name).ok_or(())
    }
}

/// A token that was just made.
pub struct ApiToken {
    /// Its id: `tok_` and 12 hex digits.
    pub id: String,
    /// What its holder sends: `cavra_`, the id's digits, `_`, the secret in base64url.
    pub text: String,
    /// What is kept: the hex SHA-256 of the secret. The secret has 256 random bits, so a slow hash would add nothing.
    pub secret_sha256: String,
}

impl ApiToken {
    /// Makes a token.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut secret = [0_u8; SECRET_BYTES];
        fill_random(&mut secret)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let digits = random_hex(ID_DIGITS / 2)?;
        Ok(Self { id: format!("tok_{digits}"), text: format!("cavra_{digits}_{secret}"), secret_sha256: hash(&secret) })
    }

    /// Id and secret of a token, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<(String, &str)> {
        let (digits, secret) = text.strip_prefix("cavra_")?.split_once('_')?;
        let hex = digits.len() == ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let whole = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        (hex && whole).then(|| (format!("tok_{digits}"), secret))
    }

    /// Whether `secret` is the one that was kept as `secret_sha256`; takes the same time whatever differs.
    #[must_use]
    pub fn verify(secret: &str, secret_sha256: &str) -> bool {
        hash(secret).as_bytes().ct_eq(secret_sha256.as_bytes()).into()
    }
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_its_own_and_nobody_elses() {
        let (one, other) = (ApiToken::generate().unwrap(), ApiToken::generate().unwrap());
        let (id, secret) = ApiToken::parse(&one.text).unwrap();
        assert_eq!(id, one.id);
        assert!(ApiToken::verify(secret, &one.secret_sha256) && !ApiToken::verify(secret, &other.secret_sha256));
        assert!(!ApiToken::verify(secret, "") && !one.secret_sha256.contains(secret));
    }

    proptest! {
        #[test]
        fn other_texts_are_no_tokens(text in "(cavra_)?[a-z0-9_]{0,60}") {
            if let Some((id, secret)) = ApiToken::parse(&text) {
                prop_assert!(id.len() == 16 && secret.len() == 43);
            }
        }
    }
}
