//! `cavra mcp-server`: the MCP adapter, JSON-RPC 2.0 with one message per line. Contract 10, section 13.

mod session;
mod tools;

use std::io::{BufRead, Read as _, Write as _};
use std::process::ExitCode;

use cavra_core::DecisionRequest;
use cavra_model::{ActionType, read_json};
use serde_json::{Value, json};

use crate::args::{ActionArgs, McpServerArgs};
use crate::local::{Local, action_request};
use crate::output::{explain, print_json};
use session::Session;
use tools::ToolError;

/// Longest message, in bytes.
const MESSAGE_LIMIT: u64 = 4 * 1024 * 1024;
const PROTOCOL_VERSION: &str = "2024-11-05";

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

pub fn run(args: &McpServerArgs) -> anyhow::Result<ExitCode> {
    if args.list_tools {
        print_json(&json!({ "tools": tools::list() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let local = Local::from_env()?;
    let pack = local.pack(&args.pack)?;
    if let Some(command) = &args.check_command {
        let action = action_request(ActionType::ExecuteCommand, command, &ActionArgs::default());
        print_json(&local.decide(DecisionRequest::new(action), &pack)?.record)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut session = Session::new(local, args.pack.clone())?;
    let mut input = std::io::stdin().lock();
    while let Some(line) = next_line(&mut input)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Some(answer) = respond(&mut session, &line) {
            let mut output = std::io::stdout().lock();
            writeln!(output, "{answer}")?;
            output.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The next line; one over the limit is cut there and its rest skipped, so that it fails to parse.
fn next_line(input: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.by_ref().take(MESSAGE_LIMIT).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == MESSAGE_LIMIT && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// The answer to one message; none for notifications.
fn respond(session: &mut Session, line: &[u8]) -> Option<Value> {
    let Ok(message) = read_json(line) else {
        return Some(failure(&Value::Null, PARSE_ERROR, "the message is not JSON, or not of one meaning"));
    };
    let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        return Some(failure(&id.unwrap_or(Value::Null), INVALID_REQUEST, "the message names no method"));
    };
    // A message without an id is a notification: it is never answered, not even with an error.
    let id = id?;
    let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
    let result = match method {
        "initialize" => Ok(json!({
            "protocolVersion": PROTOCOL_VERSION,
            "serverInfo": { "name": "cavra-mcp-server", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": { "tools": {} },
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools::list() })),
        "tools/call" => call(session, &params),
        _ => Err((METHOD_NOT_FOUND, format!("unknown method `{method}`"))),
    };
    Some(match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => failure(&id, code, &message),
    })
}

fn call(session: &mut Session, params: &Value) -> Result<Value, (i32, String)> {
    let invalid = |message: &str| (INVALID_PARAMS, message.to_owned());
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| invalid("the call names no tool"))?;
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => cavra_model::Object::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(invalid("arguments must be an object")),
    };
    match tools::call(session, name, &arguments) {
        Ok(result) => Ok(json!({ "content": [{ "type": "text", "text": result.to_string() }] })),
        Err(ToolError::InvalidParams(message)) => Err((INVALID_PARAMS, message)),
        Err(ToolError::Failed(error)) => {
            Ok(json!({ "content": [{ "type": "text", "text": explain(&error) }], "isError": true }))
        }
    }
}

fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}
