//! The MCP adapter as a real client sees it: the `mcp` package of the protocol's authors.

use std::process::Command;

use serde_json::Value;

use crate::support::{Home, python};

/// Talks the way the package's session does, and the way its client does, which first asks for a newer protocol and
/// falls back.
const SCRIPT: &str = r#"
import asyncio, json, sys
import mcp
from mcp.client.stdio import stdio_client

server = mcp.StdioServerParameters(
    command=sys.argv[1], args=["mcp-server"], cwd=sys.argv[2], env={"CAVRA_CACHE_DIR": sys.argv[3]}
)

def either(thing, *names):
    return next(getattr(thing, name) for name in names if hasattr(thing, name))

async def use(speaker, name):
    tools = await speaker.list_tools()
    refused = await speaker.call_tool("cavra_check_file_read", {"path": ".env"})
    try:
        unknown = either(await speaker.call_tool("cavra_nothing", {}), "is_error", "isError")
    except Exception:
        unknown = True
    return {
        "server": name,
        "tools": [tool.name for tool in tools.tools],
        "decision": json.loads(refused.content[0].text)["decision"],
        "unknown_is_error": unknown,
    }

async def main():
    seen = []
    async with stdio_client(server) as (read, write):
        async with mcp.ClientSession(read, write) as session:
            hello = await session.initialize()
            seen.append(await use(session, either(hello, "server_info", "serverInfo").name))
    async with mcp.Client(server) as client:
        seen.append(await use(client, client.server_info.name))
    print(json.dumps(seen))

asyncio.run(main())
"#;

#[test]
fn a_real_client_lists_and_calls() {
    let Some(python) = python() else { return };
    let home = Home::new();
    let output = Command::new(python)
        .args(["-c", SCRIPT, env!("CARGO_BIN_EXE_cavra")])
        .arg(home.path())
        .arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen.as_array().unwrap().len(), 2);
    for seen in seen.as_array().unwrap() {
        assert_eq!(seen["server"], "cavra-mcp-server");
        assert!(seen["tools"].as_array().unwrap().iter().any(|tool| tool == "cavra_check_command"), "{seen}");
        assert_eq!((&seen["decision"], &seen["unknown_is_error"]), (&"block".into(), &true.into()));
    }
}
