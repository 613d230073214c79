//! Agents, MCP servers and integrations that are known: who may act, whom to trust, and whom to tell.

use std::sync::Arc;

use cavra_model::{
    AGENT_SCHEMA, AGENTS, APPROVAL_STATES, Finding, INTEGRATION_SCHEMA, INTEGRATIONS, Kind, MCP_SERVER_SCHEMA,
    MCP_SERVERS, McpRegistration, McpRegistry, McpToolCall, Object, RESERVED_AGENT_IDS, RecordSchema, TRUST_TIERS,
    Timestamp, judge_mcp_call,
};
use cavra_store::{Criterion, Page, Query, RecordStore, StoreError, Test, Transaction};
use serde_json::Value;

use crate::evidence_log::note_by;
use crate::recent::Recent;
use crate::{Caller, CoreError, LogEvent, PageRequest};

/// A kind of records that are registered: what they hold and what is noted when one is.
struct Entry {
    kind: &'static Kind,
    schema: &'static RecordSchema,
    event: LogEvent,
    /// Ids that no record can have, because it could not be fetched.
    reserved: &'static [&'static str],
}

static ENTRIES: [Entry; 3] = [
    Entry { kind: &AGENTS, schema: &AGENT_SCHEMA, event: LogEvent::AgentChanged, reserved: &RESERVED_AGENT_IDS },
    Entry { kind: &MCP_SERVERS, schema: &MCP_SERVER_SCHEMA, event: LogEvent::McpServerChanged, reserved: &[] },
    Entry { kind: &INTEGRATIONS, schema: &INTEGRATION_SCHEMA, event: LogEvent::IntegrationChanged, reserved: &[] },
];

/// What is known of an MCP server beside the name by which it is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerIdentity<'a> {
    /// Digest of how it is started or reached.
    pub definition: Option<&'a str>,
    /// Digest of how it describes its tools.
    pub tools: Option<&'a str>,
}

/// The registry.
#[derive(Clone)]
pub struct Registry {
    store: RecordStore,
    agents: Arc<Recent>,
    /// Without an MCP server in it there is no trust registry.
    optional: bool,
}

impl Registry {
    /// Over an open store that knows [`MCP_SERVERS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store, agents: Arc::default(), optional: false }
    }

    /// As [`Registry::new`], where nobody has to keep a trust registry: without an MCP server in it, it is not consulted.
    #[must_use]
    pub fn optional(store: RecordStore) -> Self {
        Self { optional: true, ..Self::new(store) }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// Whether records of the kind are registered here.
    #[must_use]
    pub fn takes(kind: &Kind) -> bool {
        ENTRIES.iter().any(|entry| entry.kind == kind)
    }

    /// Registers a record or replaces the one with its id.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for a kind that is not registered here; [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn post(&self, kind: &'static Kind, body: Object, caller: &Caller) -> Result<Object, CoreError> {
        self.post_with(kind, body, caller, |_| Ok(()), |_, _, _| Ok(())).await
    }

    /// As [`Registry::post`], of a record that `check` finds nothing wrong with; `more` is written in the same unit of work:
    /// it is shown the record before, if there is one, and the new one.
    ///
    /// # Errors
    /// As [`Registry::post`], and those of `check`.
    pub(crate) async fn post_with(
        &self,
        kind: &'static Kind,
        body: Object,
        caller: &Caller,
        check: impl FnOnce(&Object) -> Result<(), CoreError>,
        more: impl Fn(&mut dyn Transaction, Option<&Object>, &Object) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Object, CoreError> {
        let entry = ENTRIES.iter().find(|entry| entry.kind == kind).ok_or(CoreError::NotFound(kind.name))?;
        let now = Timestamp::now();
        let draft = entry.schema.normalize(&body, None, now)?;
        let id = draft.get(kind.id).and_then(Value::as_str).unwrap_or_default().to_owned();
        if entry.reserved.contains(&id.as_str()) {
            return Err(CoreError::BadRequest(format!(
                "no {} can be called {id}: its record could not be fetched",
                kind.name
            )));
        }
        check(&draft)?;
        let author = caller.author();
        let change = move |tx: &mut dyn Transaction| {
            let stored = tx.replaced(kind, &id)?;
            let record = match entry.schema.normalize(&body, stored.as_ref(), now) {
                Ok(record) => record,
                Err(error) => return Ok(Err(error)),
            };
            tx.put(kind, record.clone())?;
            note_by(tx, author.as_ref(), entry.event, kind, &record)?;
            more(tx, stored.as_ref(), &record)?;
            Ok(Ok(record))
        };
        let changed = self.store.transact(change).await;
        self.agents.forget();
        Ok(changed??)
    }

    /// The record of an agent, as it was within the last second.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn agent(&self, id: &str) -> Result<Option<Arc<Object>>, CoreError> {
        self.agents.get(id, async { Ok(self.store.get(&AGENTS, id).await?) }).await
    }

    /// One record of a kind, by its id; of integrations else the one with the lowest id of that provider.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, kind: &'static Kind, id: &str) -> Result<Object, CoreError> {
        if let Some(record) = self.store.get(kind, id).await? {
            return Ok(record);
        }
        let mut named = None;
        if *kind == INTEGRATIONS {
            let query = Query { filters: vec![("provider", id.to_owned())], limit: 1, ..Query::default() };
            named = self.store.list(kind, query).await?.items.pop();
        }
        named.ok_or(CoreError::NotFound(kind.name))
    }

    /// All records of a kind that match.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, CoreError> {
        Ok(self.store.list(kind, query).await?)
    }

    /// The MCP servers that match, of those that have a capability if one is asked for.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn servers(&self, page: &PageRequest, limits: Query) -> Result<Page, CoreError> {
        let capability = page.parameter("capability").map(ToOwned::to_owned);
        let has = |capability| Criterion { member: "capabilities", test: Test::Has(capability) };
        let query = Query {
            filters: page.query(&MCP_SERVERS).filters,
            criteria: capability.map(has).into_iter().collect(),
            ..limits
        };
        self.list(&MCP_SERVERS, query).await
    }

    /// One MCP server: the one with that id, else the only one with that name.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn server(&self, id: &str) -> Result<Object, CoreError> {
        self.found(id).await?.ok_or(CoreError::NotFound(MCP_SERVERS.name))
    }

    /// What the registry makes of a call of `tool` of `server`.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn trust(&self, server: &str, tool: &str, capability: Option<&str>) -> Result<Finding, CoreError> {
        let call = McpToolCall {
            server: server.to_owned(),
            tool: tool.to_owned(),
            capability: capability.map(ToOwned::to_owned),
            arguments: None,
        };
        let registry = self.look_up(server, ServerIdentity::default()).await?;
        // A registry that was asked always has an opinion.
        Ok(judge_mcp_call(&registry, &call).unwrap_or_else(|| Finding::engine_error("the registry was not asked")))
    }

    /// What the registry says of `server`: the entry with that id, else the only entry with that name. An ambiguous
    /// name is not registered, so that nobody can lend a trusted server's name to another; and neither is one that something
    /// else launches than what the entry names.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn look_up(&self, server: &str, known: ServerIdentity<'_>) -> Result<McpRegistry, CoreError> {
        Ok(match self.found(server).await? {
            Some(record) => identified(server, record, known),
            None if self.optional && self.is_without_servers().await? => McpRegistry::NotConsulted,
            None => McpRegistry::Unregistered,
        })
    }

    async fn is_without_servers(&self) -> Result<bool, CoreError> {
        Ok(self.store.list(&MCP_SERVERS, Query { limit: 1, ..Query::default() }).await?.total == 0)
    }

    /// The entry with that id, else the only one with that name.
    async fn found(&self, server: &str) -> Result<Option<Object>, CoreError> {
        if let Some(record) = self.store.get(&MCP_SERVERS, server).await? {
            return Ok(Some(record));
        }
        let query = Query { filters: vec![("name", server.to_owned())], limit: 2, ..Query::default() };
        let mut named = self.store.list(&MCP_SERVERS, query).await?.items;
        Ok(match (named.pop(), named.pop()) {
            (Some(only), None) => Some(only),
            _ => None,
        })
    }
}

/// What the entry says of a server that is known like that. An entry that names no digest asks for none.
fn identified(server: &str, record: Object, known: ServerIdentity<'_>) -> McpRegistry {
    let named = |member: &str| record.get(member).and_then(Value::as_str).filter(|digest| !digest.is_empty());
    let differs = |named: &str, found: &str| !plain(named).eq_ignore_ascii_case(plain(found));
    let distrust = match (named("definition_sha256"), known.definition) {
        (Some(named), Some(found)) if differs(named, found) => {
            tracing::warn!(
                server,
                "something else launches this MCP server than what is registered; it is judged as unregistered"
            );
            return McpRegistry::Unregistered;
        }
        (Some(_), None) => Some(format!("it is not known what launches MCP server `{server}`")),
        _ => None,
    };
    let changed = match (named("tools_sha256"), known.tools) {
        (Some(named), Some(found)) if differs(named, found) => {
            Some(format!("MCP server `{server}` describes its tools otherwise than when it was approved"))
        }
        _ => None,
    };
    match registration(record) {
        McpRegistry::Registered(entry) => {
            McpRegistry::Registered(McpRegistration { distrust: distrust.or(changed), ..entry })
        }
        other => other,
    }
}

/// A digest without the name of its function.
fn plain(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// An entry that does not have the form of one is no entry: what it does not say must not open anything.
fn registration(record: Object) -> McpRegistry {
    serde_json::from_value::<McpRegistration>(record.into())
        .ok()
        .filter(|entry| {
            TRUST_TIERS.contains(&entry.trust_tier.as_str()) && APPROVAL_STATES.contains(&entry.approval_state.as_str())
        })
        .map_or(McpRegistry::Unregistered, McpRegistry::Registered)
}
