// Types of cavra:connector@1.0.0. Generated from connector.wit.

/** How the host applies a secret. The connector never sees it. */
export type CredentialKind =
  /** `authorization: <scheme> <secret>`; the scheme unless the operator names another one. */
  | { tag: "token"; val: string }
  /** User name and secret in `authorization` (RFC 7617). */
  | { tag: "basic" }
  /** A header of that name, unless the operator names another one. */
  | { tag: "header"; val: string }
  /**
   * An access token as bearer, fetched from the operator's token endpoint with client credentials (RFC 6749,
   * section 4.4), kept, and fetched anew after a 401.
   */
  | { tag: "oauth2-client-credentials" }
  /**
   * A signature over `webhook-id`, `webhook-timestamp` and the body, in the header `webhook-signature`
   * (https://www.standardwebhooks.com). The connector sets the first two.
   */
  | { tag: "standard-webhooks" };

export interface Credential {
  name: string;
  /** The ways in which it can be given. The operator's settings choose. */
  kinds: CredentialKind[];
  /** Nothing is sent without it. */
  required: boolean;
  /** Why the connector needs it, for the operator who grants it. */
  reason: string;
}

export interface Endpoint {
  name: string;
  /** What is there, for the operator who says where it is. */
  meaning: string;
  /** What its address may look like. */
  example: string;
  /** The connector is told the path of its address. Not for an address that lets in whoever knows it. */
  pathVisible: boolean;
}

/** A text that the operator may set. */
export interface Setting {
  name: string;
  meaning: string;
  /** The values it may have; none stands for any. */
  values: string[];
}

/** What a connector can be asked to tell. */
export type SubjectKind =
  | "event"
  | "approval"
  | "document";

export interface Description {
  id: string;
  title: string;
  version: string;
  subjects: SubjectKind[];
  endpoints: Endpoint[];
  credentials: Credential[];
  settings: Setting[];
}

/** What is to be told; JSON texts. */
export type Subject =
  /** An event of cavra or of a caller, an object. */
  | { tag: "event"; val: string }
  /** The record of an approval as it is, an object. */
  | { tag: "approval"; val: string }
  /** A document that the host made for this connector, to be sent as it is. */
  | { tag: "document"; val: string };

export interface Moment {
  /** Microseconds since 1970-01-01T00:00:00Z. */
  micros: number;
  /** RFC 3339, UTC, six digits of a second. */
  text: string;
}

export interface Context {
  /** Stays the same however often the message is sent. Empty where the host has no randomness. */
  messageId: string;
  now: Moment;
  /** When the event says that it happened, if it says so. */
  happened: Moment | null;
  /** The name under which the operator's file has this connector. */
  connector: string;
  /** The settings that the operator made, of those in the description: name and value. */
  settings: [string, string][];
  /** Names of the credentials that the operator gave, of those in the description. */
  credentials: string[];
  /** Endpoints whose path may be known, and that path. */
  paths: [string, string][];
}

export interface Header {
  name: string;
  value: string;
}

/**
 * How long the answer to a request is waited for: five seconds, thirty, or as long as the delivery may take. Never
 * longer than that.
 */
export type Patience =
  | "short"
  | "standard"
  | "long";

export interface Request {
  /** GET, POST, PUT, PATCH or DELETE; the operator may have set another one. */
  method: string;
  /** Name of an endpoint of the description. */
  endpoint: string;
  /**
   * What is appended to the path of its address, and a query: segments of `A-Z a-z 0-9 - . _ ~ % ! $ & ' ( ) * + , ; = : @`
   * with `/` between them, none of them `.` or `..` in whatever notation. Empty is the address itself.
   */
  path: string;
  /** None of those that belong to the connection, and none that lets somebody in. What the operator set wins. */
  headers: Header[];
  body: Uint8Array;
  /** Names of credentials of the description to apply, where the operator gave them. */
  credentials: string[];
  patience: Patience;
}

/** A request that was sent, without what would have to be copied again and again. */
export interface Sent {
  method: string;
  endpoint: string;
  path: string;
  /** `sha256:` and the hexadecimal digest of its body. */
  bodyDigest: string;
  bodyLength: number;
}

export interface Response {
  status: number;
  /** Seconds after which the receiver wants the next request. */
  retryAfter: number | null;
  /** The beginning of the body, up to 4096 bytes, without the secrets that the host applied. */
  body: Uint8Array;
}

/** Why there is no response. */
export type Failure =
  /** Nobody is there. */
  | "unreachable"
  | "timed-out"
  /** The exchange broke off, or was none. */
  | "broken"
  /** The address leads to where the operator lets nothing be sent, or there is no access token. */
  | "not-permitted";

export interface Exchange {
  request: Sent;
  response: { tag: "ok"; val: Response } | { tag: "err"; val: Failure };
}

export type Verdict =
  /** The receiver has it. */
  | "accepted"
  /** It did not get through, and may well do so a moment later. */
  | "passing"
  /** It did not get through, and will when somebody has mended something: a credential, a setting, a permission. */
  | "held-up"
  /** The receiver does not want this one, however often it is sent. */
  | "refused";

export interface Outcome {
  verdict: Verdict;
  /** Seconds after which trying again makes sense, if the connector knows more than the last response says. */
  retryAfter: number | null;
  /** What the other system calls it, such as a ticket's key: up to 64 of the characters A-Z a-z 0-9 . _ - */
  reference: string | null;
  /** For the host's log. */
  detail: string;
}

export type Next =
  /**
   * Requests, sent one after the other until one of them is not answered with 2xx; then the connector is asked
   * again.
   */
  | { tag: "send"; val: Request[] }
  | { tag: "done"; val: Outcome };

/** What a connector exports. */
export interface Connector {
  /** The same answer each time. */
  describe(): Description;
  /**
   * Called with all exchanges so far until it answers `done`, each time in a fresh instance. An error is for the
   * host's log; what was to be told is not told then.
   * Throws: string
   */
  step(subject: Subject, context: Context, exchanges: Exchange[]): Next;
}
