//! The one way out: events in the form that other systems take, sent to where the operator named, with credentials that
//! nobody sees.
//!
//! An event becomes a request in three steps. The settings of a provider say where it goes and what lets us in
//! ([`Config`]); the event is brought into the provider's form; the host's name is resolved, and only if the operator's
//! grant covers every address it has is one of them connected to. No redirect is followed, an answer is read up to a
//! bound and never kept, and what is shown of a request holds no secret.

mod address;
mod attempt;
mod body;
mod config;
mod delivery;
mod event;
mod message;
mod oauth;
mod provider;
mod redact;
mod scrub;
mod secret;
mod send;
mod target;

pub use address::{Grant, Reach, reach};
pub use attempt::{Attempted, Verdict};
pub use config::{APPROVAL_KEYS, CONNECTOR_KEYS, Config, ConfigError, SettingError};
pub use delivery::{Connectors, DeliveryError, Options, Persistence, Source};
pub use provider::Provider;
pub use redact::shown_url;
pub use scrub::Scrubber;
pub use secret::Secret;
