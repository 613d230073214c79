"""Actions and facts for a pack's own tests."""

from cavra_sdk import policy as p


def facts_at(now: int) -> p.Facts:
    """Facts at a moment, in microseconds since 1970-01-01T00:00:00Z, about a local session."""
    return p.Facts(
        now=now,
        session_id="local",
        agent_id="unknown-agent",
        actor="ai-agent",
        repository="local",
        mcp_registry=p.McpRegistry_NotConsulted(),
        attributes=[],
    )


def read_file(path: str) -> p.Action:
    """Reading a file of the repository."""
    return p.Action_ReadFile(p.FileAccess(path, None, p.Place.REPOSITORY))


def write_file(path: str, content: str) -> p.Action:
    """Writing a text to a file of the repository."""
    return p.Action_WriteFile(p.FileAccess(path, content, p.Place.REPOSITORY))


def commands(*parts: str) -> p.CommandLine:
    """A command line of these commands, one after the other. cavra's own splitting is richer: it derives several
    spellings, redirections, git operations and effects; here every part is unknown."""
    quotes = str.maketrans("", "", "\"'")
    return p.CommandLine(
        dialect="posix",
        text="; ".join(parts),
        parts=[p.CommandPart([p.Spelling(text, [])], text.translate(quotes), False) for text in parts],
        reads=[],
        writes=[],
        git=[],
        unresolved=None,
        effects=p.Effects([p.Certainty.UNKNOWN for _ in parts], [], [], [], [], [], [], False),
    )


def mcp_tool_call(server: str, tool: str) -> p.Action:
    """Calling a tool of an MCP server."""
    return p.Action_McpToolCall(p.McpToolCall(server, tool, None, None))
