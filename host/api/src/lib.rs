//! The HTTP interface of cavra: every endpoint is a row of one table, from which the router and the OpenAPI document
//! are built. Nothing is decided here; handlers call `cavra-core` and map its errors.

mod access;
mod admission;
mod browser;
mod credentials;
mod documents;
mod endpoint;
mod extract;
mod guard;
mod guide;
mod handlers;
mod load;
mod openapi;
mod problem;
mod ranges;
mod refusals;
mod router;
mod routes;
mod server;
mod site;
mod stream;
mod telemetry;
mod validators;

pub use guard::HostGuard;
pub use router::openapi_document;
pub use server::{ServeError, adopt, bind, reload_signal, serve, shutdown_signal};
pub use site::Site;
pub use telemetry::Telemetry;

/// Largest request body, in bytes. docs/reference/decisions-and-policy.md, section 1.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Largest body of a record of evidence metadata: it holds whole lists of decisions. docs/reference/evidence-and-promotion.md, section 1.2.
pub const EVIDENCE_BODY_LIMIT: usize = 8 * 1024 * 1024;
