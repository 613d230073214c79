/** Runs a plugin as cavra would, in Node.js, before there is a component. */
import type { Connector } from "../../types/connector.js";
import type { Normalizer, Summary } from "../../types/normalizer.js";
import type { Action, CommandLine, Facts } from "../../types/policy.js";

/** A recorded exchange: what is sent, and what comes back or why nothing does. */
export interface Recorded {
  request: {
    method: string;
    endpoint: string;
    path: string;
    headers: Record<string, string>;
    credentials: string[];
    /** The body where it is JSON. */
    body?: unknown;
    /** The body where it is none. */
    text?: string;
    /** Where it is not `long`. */
    patience?: string;
  };
  response?: { status: number; retry_after?: number; body?: unknown };
  failure?: "unreachable" | "timed-out" | "broken" | "not-permitted";
}

/**
 * What a connector is told, what it sends, what comes back, and what it makes of it: a case as `tests.yaml` of a package
 * holds it under `cases`. JSON is YAML, so the file is written as JSON.
 */
export interface Case {
  name: string;
  tell: { event?: unknown; approval?: unknown; document?: unknown };
  context?: {
    now?: string;
    message_id?: string;
    happened?: string;
    connector?: string;
    settings?: Record<string, string>;
    credentials?: string[];
    path?: string;
  };
  exchanges: Recorded[];
  outcome: { verdict: string; reference?: string; retry_after?: number };
}

/**
 * Plays a case as cavra does: each request has to be the recorded one, and gets the recorded answer. Throws an
 * `AssertionError` if something is not as it was recorded, or nothing that cavra would let pass.
 */
export function play(connector: Connector, recorded: Case): void;

/**
 * What a new normalizer makes of an export: the observations that count, and its summary. The export is read once for each
 * size of pieces, and has to come to the same each time.
 */
export function read(
  make: () => Normalizer,
  bytes: Uint8Array,
  settings?: Record<string, unknown>,
  cuts?: number[],
): { observations: Record<string, unknown>[]; summary: Summary };

/** Facts at a moment, in microseconds since 1970-01-01T00:00:00Z, about a local session. */
export function factsAt(now: number): Facts;

/** Reading a file of the repository. */
export function readFile(path: string): Action;

/** Writing a text to a file of the repository. */
export function writeFile(path: string, content: string): Action;

/**
 * A command line of these commands, one after the other. cavra's own splitting is richer: it derives several spellings,
 * redirections, git operations and effects; here every part is unknown.
 */
export function commands(...parts: string[]): CommandLine;

/** Calling a tool of an MCP server. */
export function mcpToolCall(server: string, tool: string): Action;
