//! `cavra mcp-server`: the MCP adapter, JSON-RPC 2.0 with one message per line.

mod message;
mod protocol;
mod session;
mod tools;

use std::io::Write as _;
use std::process::ExitCode;

use cavra_model::{ActionType, Object, read_json};
use serde_json::{Value, json};

use crate::args::{ActionArgs, McpServerArgs};
use crate::local::{Local, action_request};
use crate::output::{explain, print_json};
use message::{Line, MESSAGE_LIMIT, is_id, next_line};
use protocol::{Era, Refusal, discovered, initialized};
use session::Session;
use tools::ToolError;

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
    // A policy that cannot be used is noticed before the first call.
    local.pack(&args.pack)?;
    let mut session = Session::new(local, args.pack.clone())?;
    if let Some(command) = &args.check_command {
        let action = action_request(ActionType::ExecuteCommand, command, &ActionArgs::default());
        print_json(&session.decide(action, None, None)?)?;
        session.close();
        return Ok(ExitCode::SUCCESS);
    }
    let served = serve(&mut session);
    session.close();
    served?;
    Ok(ExitCode::SUCCESS)
}

fn serve(session: &mut Session) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    while let Some(line) = next_line(&mut input)? {
        let answer = match line {
            Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => None,
            Line::Whole(line) => respond(session, &line),
            Line::TooLong(id) => Some(failure(&id.unwrap_or_default(), &too_long())),
        };
        if let Some(answer) = answer {
            let mut output = std::io::stdout().lock();
            writeln!(output, "{answer}")?;
            output.flush()?;
        }
    }
    Ok(())
}

fn too_long() -> Refusal {
    Refusal::new(INVALID_REQUEST, format!("the message is longer than {MESSAGE_LIMIT} bytes"))
}

/// The answer to one message; none for notifications, and for answers to what was never asked.
fn respond(session: &mut Session, line: &[u8]) -> Option<Value> {
    let Ok(message) = read_json(line) else {
        let unread = Refusal::new(PARSE_ERROR, "the message is not JSON, or not of one meaning");
        return Some(failure(&message::id_in(line).unwrap_or_default(), &unread));
    };
    let refused =
        |id: Option<&Value>, why: &str| Some(failure(id.unwrap_or(&Value::Null), &Refusal::new(INVALID_REQUEST, why)));
    let id = message.get("id").filter(|id| is_id(id));
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        let answers = message.get("method").is_none() && (message.get("result").or(message.get("error")).is_some());
        return if answers { None } else { refused(id, "the message names no method") };
    };
    if message.get("jsonrpc").is_some_and(|version| version != "2.0") {
        return refused(id, "the message is not JSON-RPC 2.0");
    }
    // A message without an id is a notification: it is never answered, not even with an error.
    let id = match (id, message.get("id")) {
        (Some(id), _) => id,
        (None, Some(_)) => return refused(None, "the id is neither a text nor a number"),
        (None, None) => return None,
    };
    let params = match message.get("params") {
        None | Some(Value::Null) => Object::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => return Some(failure(id, &Refusal::new(INVALID_PARAMS, "params must be an object"))),
    };
    Some(match result(session, method, &params) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(refusal) => failure(id, &refusal),
    })
}

fn result(session: &mut Session, method: &str, params: &Object) -> Result<Object, Refusal> {
    let era = Era::of(method, params)?;
    let result = match (method, era) {
        ("initialize", Era::Session) => initialized(params),
        ("server/discover", Era::Modern) => discovered(),
        ("ping", Era::Session) => Object::new(),
        ("tools/list", _) => Object::from_iter([("tools".to_owned(), Value::Array(tools::list()))]),
        ("tools/call", _) => call(session, params)?,
        _ => return Err(Refusal::new(METHOD_NOT_FOUND, format!("unknown method `{method}`"))),
    };
    Ok(era.result(method, result))
}

fn call(session: &mut Session, params: &Object) -> Result<Object, Refusal> {
    let invalid = |message: &str| Refusal::new(INVALID_PARAMS, message);
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| invalid("the call names no tool"))?;
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => Object::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(invalid("arguments must be an object")),
    };
    let (text, is_error) = match tools::call(session, name, &arguments) {
        Ok(result) => (result.to_string(), false),
        Err(ToolError::InvalidParams(message)) => return Err(invalid(&message)),
        Err(ToolError::Failed(error)) => (explain(&error), true),
    };
    let mut result = Object::from_iter([("content".to_owned(), json!([{ "type": "text", "text": text }]))]);
    if is_error {
        result.insert("isError".to_owned(), json!(true));
    }
    Ok(result)
}

fn failure(id: &Value, refusal: &Refusal) -> Value {
    let mut error = json!({ "code": refusal.code, "message": refusal.message });
    if let (Some(data), Some(error)) = (&refusal.data, error.as_object_mut()) {
        error.insert("data".to_owned(), data.clone());
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}
