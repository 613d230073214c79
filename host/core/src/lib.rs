//! The use cases of cavra: decide, record, list, describe. The only crate that knows the packs, the plugin runtime
//! and the stores at once; the HTTP interface, the CLI, the hooks and the MCP adapter are thin callers of it.

mod activity;
mod app;
mod decide;
mod error;
mod page;
mod registry;
mod request;
mod scenario;
mod settings;
mod views;

pub use activity::Activity;
pub use app::{App, Engine};
pub use decide::{DecisionPoint, Verdict};
pub use error::CoreError;
pub use page::{MAX_LIMIT, PageRequest};
pub use registry::Registry;
pub use request::{DecisionRequest, FIELD_LIMIT, ID_LIMIT, check_id};
pub use scenario::{Step, before_the_agent_acts};
pub use settings::{Origin, SETTINGS, Setting, Settings};
pub use views::risk_event;
