//! The one way out: events in the form that other systems take, sent to where the operator named, with credentials that
//! nobody sees.
//!
//! The settings of a provider say where its messages go and what lets them in ([`Config`]). Its connector, a component in a
//! sandbox, describes a request and knows none of that; what it describes is checked and taken to the operator's address;
//! the host's name is resolved, and only if the operator's grant covers every address it has is one of them connected to.
//! No redirect is followed, an answer is read up to a bound, shown to the connector without the secrets that were sent, and
//! never kept, and what is shown of a request holds no secret.

mod address;
mod applied;
mod attempt;
mod callback;
mod certificates;
mod collector;
mod config;
mod conversation;
mod delivery;
mod event;
mod given;
mod loading;
mod message;
mod network;
mod oauth;
mod permit;
mod plug;
mod preview;
mod provider;
mod redact;
mod scrub;
mod secret;
mod send;
mod target;

pub use address::{Grant, Reach, reach};
pub use attempt::{Attempted, Verdict};
pub use callback::{Arrived, CallbackError, Choice, Press, Reply};
pub use collector::{Collector, CollectorError, Taken, Terms};
pub use config::{APPROVAL_KEYS, CONNECTOR_KEYS, Config, ConfigError, SettingError};
pub use delivery::{Connectors, DeliveryError, Options, Persistence, Source};
pub use network::{Network, NetworkError};
pub use preview::{Preview, preview_approval};
pub use provider::Provider;
pub use redact::shown_url;
pub use scrub::Scrubber;
pub use secret::Secret;
