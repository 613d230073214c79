//! What the tests share: keys, forged tokens, gatekeepers from files, a provider on loopback.

mod forge;
mod gate;
mod provider;

pub use forge::{AUDIENCE, ISSUER, Signer, b64, claims, claims_with, good_token, header, now, object, segments};
pub use gate::{Gate, block_on, config, load, unauthenticated};
pub use provider::{Answer, Provider};
