// Types of cavra:normalizer@1.0.0. Generated from normalizer.wit.

export interface Description {
  /** The provider's name in requests and records: lower-case letters, digits, `-`. */
  id: string;
  /** Its name for people. */
  title: string;
  version: string;
  /** What it reads: `json`, `json-lines`, `csv`. */
  formats: string[];
  /** JSON Schema of the settings, as JSON text. */
  settingsSchema: string;
}

/** An endpoint as the export shows it. */
export interface Observation {
  /** The part of the export that it belongs to. Endpoints are in the order of parts, then of records. */
  part: number;
  /** Number of its record in what it was read from, from 1. */
  recordNumber: number;
  /**
   * A JSON object: `endpoint_id`, `deployment_target` and `provider` as texts; as far as they are known
   * `installed_version`, `binary_sha256`, `last_seen_at`, `hostname`, `serial_number`, `os`, `os_version`,
   * `management_state` as texts, numbers or booleans. Nothing else, and no value longer than 1 KiB.
   */
  payload: string;
}

export interface Batch {
  observations: Observation[];
  /**
   * Parts whose observations, in this batch and before, do not count: what came later shows that the export is to
   * be read in another way.
   */
  retracted: number[];
}

/** What the reader of the export should know. It does not keep the export from being read. */
export interface Problem {
  /** What sort of thing: one word. */
  sort: string;
  /** A sentence. */
  message: string;
}

export interface Summary {
  /** The last observations. */
  last: Batch;
  /** Records that count. */
  records: number;
  /** Entries that are no records. */
  skipped: number;
  problems: Problem[];
  /** Columns that no rule knows, the first ones. */
  unknownColumns: string[];
  /**
   * What an export that is one object says about itself, as a JSON object: `channel`, `schema_version`, `observed_at`,
   * `generated_at`, as far as they are texts, numbers or booleans of at most 1 KiB; `false` where they are not.
   */
  about: string;
}

/** Where an export cannot be read, and why. */
export interface Fault {
  /** Bytes before the place. */
  offset: number;
  /** Number of the record, from 1, if it is in one. */
  recordNumber: number | null;
  /** What is wrong there. It says nothing of the content. */
  message: string;
}

/** Why an export is not read. */
export type Refusal =
  /** The settings cannot be used. */
  | { tag: "settings"; val: string }
  /** There is no list of records in it. */
  | { tag: "no-records" }
  /** More records than one export may have; how many there are. */
  | { tag: "too-many"; val: number }
  /** It breaks the rules of its format, or a record is too large. */
  | { tag: "unreadable"; val: Fault };

/** What a normalizer exports. */
export interface Normalizer {
  describe(): Description;
  /**
   * Begins an export. `settings` is a JSON object; `target_map` in it says which deployment target a text of the vendor
   * means.
   * Throws: Refusal
   */
  begin(settings: string): void;
  /**
   * The next bytes; what cannot be decided yet is kept. After a refusal the session is over.
   * Throws: Refusal
   */
  chunk(bytes: Uint8Array): Batch;
  /**
   * No more bytes.
   * Throws: Refusal
   */
  finish(): Summary;
}
