//! `cavra registry …`: the same use cases as the HTTP interface, over a store of its own.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Caller, CoreError, PageRequest, REGISTRY_KINDS, Registry, Settings};
use cavra_model::members::built;
use cavra_model::{
    AGENT_PROFILES, AGENTS, Kind, MCP_SERVERS, McpTrust, Object, TOOL_CLASSIFICATIONS, tool_classification,
};
use cavra_store::{Location, Page, Query, RecordStore};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::args::{AgentDraft, RegistryArgs, RegistryCommand, RegistryStoreArgs, ServerDraft};
use crate::local::local_store;
use crate::output::print_json;

pub fn run(args: &RegistryArgs) -> anyhow::Result<ExitCode> {
    let store = &args.store;
    let answer = match &args.command {
        RegistryCommand::AgentRegister(draft) => register(store, &AGENTS, agent(draft))?,
        RegistryCommand::AgentList(filter) => {
            list(store, &AGENTS, &[("status", &filter.status), ("owner", &filter.owner)])?
        }
        RegistryCommand::Profiles => json!({ "items": AGENT_PROFILES, "total": AGENT_PROFILES.len() }),
        RegistryCommand::McpRegister(draft) => register(store, &MCP_SERVERS, server(draft))?,
        RegistryCommand::McpList(filter) => {
            let filters = [
                ("trust_tier", &filter.trust_tier),
                ("approval_state", &filter.approval_state),
                ("capability", &filter.capability),
            ];
            list(store, &MCP_SERVERS, &filters)?
        }
        RegistryCommand::McpCheck { server_id, tool, capability } => {
            check(store, server_id, tool, capability.as_deref())?
        }
        RegistryCommand::McpClassifications { capability: None } => {
            json!({ "items": TOOL_CLASSIFICATIONS, "total": TOOL_CLASSIFICATIONS.len() })
        }
        RegistryCommand::McpClassifications { capability: Some(capability) } => {
            let found = tool_classification(capability);
            json!(found.with_context(|| format!("there is no capability `{capability}`"))?)
        }
    };
    print_json(&answer)?;
    Ok(ExitCode::SUCCESS)
}

fn register(args: &RegistryStoreArgs, kind: &'static Kind, body: Object) -> anyhow::Result<Value> {
    let store = RecordStore::open(location(args)?, &REGISTRY_KINDS)?;
    with(&store, |registry| async move { registry.post(kind, body, &Caller::default()).await.map(Value::Object) })
}

fn list(args: &RegistryStoreArgs, kind: &'static Kind, filters: &[(&str, &Option<String>)]) -> anyhow::Result<Value> {
    let given = filters.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value).clone()?)));
    let page = PageRequest { parameters: given.collect(), ..PageRequest::default() };
    look(args, |registry| async move {
        let all = Query { limit: u64::MAX, ..Query::default() };
        let Page { items, total, .. } = if *kind == MCP_SERVERS {
            registry.servers(&page, all).await?
        } else {
            registry.list(kind, Query { filters: page.query(kind).filters, ..all }).await?
        };
        Ok(json!({ "items": items, "total": total }))
    })
}

fn check(args: &RegistryStoreArgs, server: &str, tool: &str, capability: Option<&str>) -> anyhow::Result<Value> {
    look(args, |registry| async move {
        let finding = registry.trust(server, tool, capability).await?;
        Ok(json!(McpTrust::from(finding)))
    })
}

/// Asks a registry that is not made if it is not there.
fn look<F>(args: &RegistryStoreArgs, use_case: impl FnOnce(Registry) -> F) -> anyhow::Result<Value>
where
    F: Future<Output = Result<Value, CoreError>>,
{
    with(&RecordStore::look(location(args)?, &REGISTRY_KINDS)?, use_case)
}

fn with<F>(store: &RecordStore, use_case: impl FnOnce(Registry) -> F) -> anyhow::Result<Value>
where
    F: Future<Output = Result<Value, CoreError>>,
{
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let outcome = use_case(Registry::new(store.clone())).await;
        store.close().await;
        Ok(outcome?)
    })
}

/// The store that is named, else the one that hooks use too.
fn location(args: &RegistryStoreArgs) -> anyhow::Result<Location> {
    if let Some(file) = &args.sqlite {
        return Ok(Location::Sqlite(file.clone()));
    }
    if let Some(file) = &args.store {
        return Ok(Location::Json(file.clone()));
    }
    let settings = Settings::from_env()?;
    Ok(local_store(&settings, "registry", &settings.registry))
}

fn agent(draft: &AgentDraft) -> Object {
    built(json!({
        "agent_id": draft.agent_id, "type": draft.agent_type, "vendor": draft.vendor, "version": draft.version,
        "capabilities": draft.capability, "scopes": draft.scope, "allowed_repositories": draft.repository,
        "allowed_tools": draft.tool, "risk_tier": draft.risk_tier, "owner": draft.owner, "status": draft.status,
    }))
}

fn server(draft: &ServerDraft) -> Object {
    built(json!({
        "server_id": draft.server_id, "name": draft.name, "trust_tier": draft.trust_tier,
        "capabilities": draft.capability, "owner": draft.owner, "approval_state": draft.approval_state,
        "allowed_tools": draft.tool, "definition_sha256": draft.definition_sha256,
        "tools_sha256": draft.tools_sha256,
    }))
}
