//! The MCP trust registry, as far as decisions need it. Contract 50, section 5.

use cavra_model::{MCP_SERVERS, McpRegistration, McpRegistry, Object};
use cavra_store::{Query, RecordStore};

use crate::CoreError;

/// Looks MCP servers up.
#[derive(Clone)]
pub struct Registry {
    store: RecordStore,
}

impl Registry {
    /// Over an open store that knows [`MCP_SERVERS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// What the registry says of `server`: the entry with that id, else the only entry with that name. An ambiguous
    /// name is not registered, so that nobody can lend a trusted server's name to another.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn look_up(&self, server: &str) -> Result<McpRegistry, CoreError> {
        if let Some(record) = self.store.get(&MCP_SERVERS, server).await? {
            return Ok(registration(record));
        }
        let query = Query { filters: vec![("name", server.to_owned())], limit: 2, ..Query::default() };
        let mut named = self.store.list(&MCP_SERVERS, query).await?.items;
        Ok(match (named.pop(), named.pop()) {
            (Some(only), None) => registration(only),
            _ => McpRegistry::Unregistered,
        })
    }
}

/// Values of `trust_tier` and `approval_state`. Contract 50, section 5.
const TIERS: [&str; 5] = ["trusted", "approved", "experimental", "blocked", "unknown"];
const STATES: [&str; 4] = ["approved", "pending", "denied", "not_required"];

/// An entry that does not have the form of one is no entry: what it does not say must not open anything.
fn registration(record: Object) -> McpRegistry {
    serde_json::from_value::<McpRegistration>(record.into())
        .ok()
        .filter(|entry| TIERS.contains(&entry.trust_tier.as_str()) && STATES.contains(&entry.approval_state.as_str()))
        .map_or(McpRegistry::Unregistered, McpRegistry::Registered)
}
