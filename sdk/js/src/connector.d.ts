/**
 * Connectors: something to tell goes in, HTTP requests are described, an outcome comes out.
 *
 * A connector does no I/O. It names an endpoint and credentials; cavra finds out where the endpoint is, checks that it was
 * granted, applies the credentials after the connector has answered, sends, cuts every secret out of the answer and asks
 * again, up to eight times. Every call runs in a fresh sandbox: what it knows is in its arguments.
 */
import type { Context, Exchange, Outcome, Patience, Request, Subject } from "../types/connector.js";

export * from "../types/connector.js";
export { decode, encode } from "./utf8.js";

/** A JSON object. */
export type Members = Record<string, unknown>;

/** Why something is not told, as a sentence for the host's log. Any other error a connector throws is one too. */
export class Untold extends Error {}

/** The event that is to be told. Throws {@link Untold} if it is no event, or no JSON object. */
export function eventOf(subject: Subject): Members;

/** A text that the operator set, or null. */
export function settingOf(context: Context, name: string): string | null;

/**
 * A text as one segment of a path (RFC 3986, section 3.3). Throws {@link Untold} if it cannot be one: it is empty, `.` or
 * `..`, or has a slash, a backslash, a percent sign or a control character, which cavra lets no path have in whatever
 * notation.
 */
export function segment(text: string): string;

/** What a request may have besides its endpoint and body; `POST` to the endpoint itself without it. */
export interface More {
  method?: string;
  path?: string;
  headers?: [name: string, value: string][];
  credentials?: string[];
  patience?: Patience;
}

/** A request with a JSON body, and the message's id as `idempotency-key`. */
export function jsonRequest(context: Context, endpoint: string, body: unknown, more?: More): Request;

/** The JSON object that the receiver answered with; an empty one if it did not. cavra keeps 4096 bytes of it. */
export function answerOf(exchange: Exchange): Members;

/**
 * What an answer usually means.
 *
 * 2xx is accepted. 408, 425, 429 and 5xx pass, as do receivers that are not there or late. 401, 402, 403 and 407 are held
 * up until somebody mends something, as is what broke off or is not permitted. Everything else is refused. `refer` says
 * what the receiver calls what it made, by its answer; a reference that is longer than cavra takes, or of other
 * characters, is left out.
 */
export function outcomeOf(exchange: Exchange, refer?: (answer: Members) => unknown): Outcome;
