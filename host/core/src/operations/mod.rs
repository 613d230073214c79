//! What an operator asks of an installation: where its stores are, how they are kept, copied and put back, and whether it
//! is ready for production. docs/reference/connectors-drills-ops-registry.md, section 4.

mod backup;
mod disposal;
mod installation;
mod manifest;
mod readiness;
mod rehearsal;
mod restore;
mod retention;
mod stores;
mod verify;

pub use backup::backup;
pub use disposal::{Disposal, apply_retention};
pub use installation::Vitals;
pub use rehearsal::rehearse;
pub use restore::{Target, restore};
pub use retention::{RetentionRequest, retention_markdown, retention_plan};
pub use stores::{StoreItem, store_items, stores_document};
pub use verify::verify_backup;

/// What documents say whose they are.
const PRODUCT: &str = "CAVRA";
