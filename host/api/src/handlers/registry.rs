//! Handlers of the registry: agents, MCP servers, and what is known of both.

use axum::Json;
use axum::extract::State;
use cavra_core::App;
use cavra_model::{AGENT_PROFILES, McpTrust, TOOL_CLASSIFICATIONS, tool_classification};
use serde_json::{Value, json};

use super::Answer;
use super::inventory::{unpaged, whole};
use crate::extract::{Filters, Id};
use crate::problem::Problem;

/// `GET /mcp/servers`.
pub async fn servers(State(app): State<App>, Filters(page): Filters) -> Answer {
    whole(app.registry.servers(&page, unpaged(page.page())).await?)
}

/// `GET /mcp/servers/{server_id}`: by id, else by name.
pub async fn server(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(Value::Object(app.registry.server(&id).await?)))
}

/// `GET /agents/profiles`.
pub async fn profiles() -> Json<Value> {
    Json(json!({ "items": AGENT_PROFILES, "total": AGENT_PROFILES.len() }))
}

/// `GET /mcp/tool-classifications`: all, or the one of a capability.
pub async fn classifications(Filters(page): Filters) -> Answer {
    match page.parameter("capability") {
        None => Ok(Json(json!({ "items": TOOL_CLASSIFICATIONS, "total": TOOL_CLASSIFICATIONS.len() }))),
        Some(capability) => match tool_classification(capability) {
            Some(found) => Ok(Json(json!(found))),
            None => Err(cavra_core::CoreError::NotFound("tool classification").into()),
        },
    }
}

/// `GET /mcp/trust`.
pub async fn trust(State(app): State<App>, Filters(page): Filters) -> Answer {
    let needed = || Problem::unprocessable(&["query", "server"], "must be given", "missing");
    let server = page.parameter("server").ok_or_else(needed)?;
    let tool = page.parameter("tool").unwrap_or("unknown");
    let finding = app.registry.trust(server, tool, page.parameter("capability")).await?;
    Ok(Json(json!(McpTrust::from(finding))))
}
