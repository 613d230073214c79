// Actions and facts for a pack's own tests.

export function factsAt(now) {
  return {
    now,
    sessionId: "local",
    agentId: "unknown-agent",
    actor: "ai-agent",
    repository: "local",
    mcpRegistry: { tag: "not-consulted" },
    attributes: [],
  };
}

export function readFile(path) {
  return { tag: "read-file", val: { path, content: null, place: "repository" } };
}

export function writeFile(path, content) {
  return { tag: "write-file", val: { path, content, place: "repository" } };
}

export function commands(...parts) {
  return {
    dialect: "posix",
    text: parts.join("; "),
    parts: parts.map((text) => ({
      spellings: [{ text, computed: [] }],
      dequoted: text.replaceAll(/["']/g, ""),
      implied: false,
    })),
    reads: [],
    writes: [],
    git: [],
    unresolved: null,
    effects: {
      certainty: parts.map(() => "unknown"),
      doubts: [],
      files: [],
      network: [],
      runs: [],
      changes: [],
      environment: [],
      seen: false,
    },
  };
}

export function mcpToolCall(server, tool) {
  return { tag: "mcp-tool-call", val: { server, tool, capability: null, arguments: null } };
}
