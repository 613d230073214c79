//! Who acts, and what they may decide.
//!
//! [`Gatekeeper`] turns what a request brings along into an [`Identity`] and answers whether its actor may decide an
//! approval. It knows no HTTP server and no store. Tokens of people are OpenID Connect tokens (RFC 7519, checked as
//! RFC 8725 advises); tokens of machines are [`ApiToken`]s.
//!
//! No error leads to an identity, and no token is ever logged or part of an error.

mod actor;
mod api_token;
mod chat;
mod claims;
mod config;
mod discovery;
mod gatekeeper;
mod jwk;
mod jwt;
mod rbac;

pub use actor::Actor;
pub use api_token::{ApiToken, Scope};
pub use config::ConfigError;
pub use gatekeeper::{Decide, DecisionSubject, Envelope, Gatekeeper, Identity, IdentityError, Via};
pub use rbac::{Permission, Rbac};
