// Runs a plugin as cavra would, in Node.js, before there is a component.

export { play } from "./connector.js";
export { read } from "./normalizer.js";
export { commands, factsAt, mcpToolCall, readFile, writeFile } from "./policy.js";
