// Types of cavra:policy@1.1.0. Generated from policy.wit.

/** Where a file lies. */
export type Place =
  /** Inside the repository. */
  | "repository"
  /** In a directory for temporary files. */
  | "temporary"
  /** Below the user's home directory and not in the repository. */
  | "home"
  /** In a directory of the operating system. */
  | "system"
  /** Anywhere else. */
  | "elsewhere"
  /** Not known, such as a relative path in a directory that is known only at run time. */
  | "unknown";

/**
 * A file, with its path lexically cleaned: `/` separated, no `.`, no doubled or trailing slashes. A path that
 * climbs above its start keeps its leading `..`.
 */
export interface FileAccess {
  path: string;
  /** The text about to be written, where the caller knows it. */
  content: string | null;
  /** Where the file lies, seen from the repository. */
  place: Place;
}

/** A command as text, some stretches of which may be known only when it runs. */
export interface Spelling {
  /** What is known, with nothing in place of what is not. */
  text: string;
  /**
   * Where unknown text stands: byte offsets into `text`, ascending. A rule that some such text would make match
   * cannot be ruled out.
   */
  computed: number[];
}

/** One command of a command line. */
export interface CommandPart {
  /** Equivalent spellings, at least one. An allow rule has to match one of them; a stricter rule may match any. */
  spellings: Spelling[];
  /** All words with their quotes removed. Ambiguous, so only stricter rules may match it. */
  dequoted: string;
  /**
   * Only part of what happens (the inner command of `sudo`, `xargs`): stricter rules apply, but "nothing
   * matched" says nothing.
   */
  implied: boolean;
}

/** How well a part is understood. */
export type Certainty =
  /** Every word is explained, so its effects are all there are, up to what the code does that it runs. */
  | "known"
  /** The same, but some files are known only as a set in which they lie: a pattern or a tree. */
  | "bounded"
  /** Some word is not explained. The effects that were found still count for stricter rules. */
  | "unknown";

export type FileUse =
  /** Names, sizes and existence, no content. */
  | "lists"
  | "reads"
  | "writes"
  | "deletes";

/** A file that a part uses. */
export interface FileEffect {
  /** Position of the part in `parts`. */
  part: number;
  use: FileUse;
  /** Clean path; relative to the repository where it lies in it. */
  path: string;
  /** The path and all below it. */
  tree: boolean;
  /** The path is a shell pattern. */
  pattern: boolean;
  place: Place;
  /** The word it comes from, for people: "operand of `cat`". */
  why: string;
}

/** A host that a part talks to. */
export interface NetworkEffect {
  part: number;
  host: string;
  port: number | null;
  /** Something there may change. */
  writes: boolean;
  /** Local data is sent along. */
  carries: boolean;
  why: string;
}

/** Code that a part runs. */
export interface RunEffect {
  part: number;
  /**
   * `project_test`, `project_lint`, `project_build`, `project_script`, `project_task`, `project_hook`, `script`,
   * or what no rule should allow: `inline`, `package`, `install`, `remote`, `privilege`, `program`, `server`,
   * `permission`. New kinds may appear.
   */
  kind: string;
  /**
   * What is run, then its arguments: `cargo test`, the name of a script or task, the path of a script, the language of
   * inline code.
   */
  words: string[];
  why: string;
}

/** A look at a system that is no file, or a change of it: version control, a code host, containers, processes. */
export interface ChangeEffect {
  part: number;
  /** `git`, `gh`, `docker`, `kubectl`, `terraform`, `process` and so on. New systems may appear. */
  system: string;
  operation: string;
  /** What it is done to, such as a branch; `HEAD` is the branch that is checked out. Empty if nothing is named. */
  target: string;
  /** What it takes away cannot be had back. */
  losesWork: boolean;
  readsOnly: boolean;
  why: string;
}

/** A variable of the environment whose value a part shows. */
export interface EnvironmentEffect {
  part: number;
  /** `*` for all of them. */
  name: string;
  why: string;
}

/** Why a part is not known. */
export interface Doubt {
  part: number;
  /** The word it is about, as written; may be empty. */
  word: string;
  sentence: string;
}

/**
 * What a command line does. Commands that run inside of another one, such as that of `find -exec`, count for the
 * part of the outer one.
 */
export interface Effects {
  /** One for each part. */
  certainty: Certainty[];
  doubts: Doubt[];
  files: FileEffect[];
  network: NetworkEffect[];
  runs: RunEffect[];
  changes: ChangeEffect[];
  environment: EnvironmentEffect[];
  /** Links, trees and patterns were looked up on a disk. */
  seen: boolean;
}

export interface GitOperation {
  operation: string;
  /** Remote and branch as given. */
  target: string;
  /** Last segment of the branch, empty if there is none. */
  branch: string;
  /** The whole branch path, such as `release/2031`. */
  branchPath: string;
  isPush: boolean;
  /** The operation deletes or renames a branch. */
  removesBranch: boolean;
}

/** A command line, split by a shell grammar into every command it would run. */
export interface CommandLine {
  /**
   * The language the text was read as: `posix` stands for bash and the POSIX shell, both of which count. Others may
   * appear; a text in a language that the host does not know is unresolved.
   */
  dialect: string;
  /** Trimmed, runs of blanks collapsed to one; newlines are kept. */
  text: string;
  parts: CommandPart[];
  /** Files opened by redirections. */
  reads: string[];
  writes: string[];
  /** Version-control operations the parts amount to. */
  git: GitOperation[];
  /** Why the text could not be understood completely. Such a text must never be allowed. */
  unresolved: string | null;
  effects: Effects;
}

export interface McpToolCall {
  server: string;
  tool: string;
  capability: string | null;
  /** The tool's arguments as JSON text, where the caller has them. */
  arguments: string | null;
}

export type Action =
  | { tag: "read-file"; val: FileAccess }
  | { tag: "write-file"; val: FileAccess }
  | { tag: "execute-command"; val: CommandLine }
  | { tag: "git-operation"; val: GitOperation }
  | { tag: "mcp-tool-call"; val: McpToolCall };

/** An entry of the MCP trust registry. */
export interface McpRegistration {
  serverId: string;
  trustTier: string;
  approvalState: string;
  capabilities: string[];
  allowedTools: string[];
}

export type McpRegistry =
  /** There is no registry: the pack judges the server. */
  | { tag: "not-consulted" }
  | { tag: "unregistered" }
  | { tag: "registered"; val: McpRegistration };

export interface Attribute {
  name: string;
  value: string;
}

export interface Facts {
  /** Moment of the decision, microseconds since 1970-01-01T00:00:00Z. */
  now: number;
  sessionId: string;
  agentId: string;
  actor: string;
  repository: string;
  mcpRegistry: McpRegistry;
  /**
   * Further named facts, sorted by name: what the stores know of the repository (`repository.risk_tier`,
   * `repository.environment`, `repository.owner`) and of the rollout that governs the decision (`rollout.id`,
   * `rollout.mode`); `filesystem.ignores_case`, which is `true` where names that differ only in case are the same
   * file. Recorded with the decision. New names may appear.
   */
  attributes: Attribute[];
}

export type Outcome =
  | "allow"
  | "allow-with-attestation"
  | "warn"
  | "require-approval"
  | "block";

export type Severity =
  | "low"
  | "medium"
  | "high"
  | "critical";

export interface Finding {
  /** Dotted, lower case: `filesystem.read.block`. */
  ruleId: string;
  outcome: Outcome;
  severity: Severity;
  /** One sentence for humans; names the matched pattern where there is one. */
  reason: string;
  /** Who may approve, for `require-approval`. */
  approverGroup: string | null;
}

export interface Description {
  id: string;
  title: string;
  version: string;
  /** Number of rules in force. */
  rules: number;
}

export interface Diagnostic {
  /** Dotted path into the document, `<root>` for the document itself. */
  path: string;
  message: string;
}

/** What a policy pack exports. */
export interface PolicyPack {
  /**
   * Parses and compiles the pack's document: the merged policy as JSON text. Called once; the host keeps a
   * snapshot of the memory it leaves behind, and every `evaluate` starts from that snapshot.
   * Throws: Diagnostic[]
   */
  configure(document: string): Description;
  /** Answers every finding the action gives rise to; the host lets the strictest win. An empty list is no opinion. */
  evaluate(action: Action, facts: Facts): Finding[];
}
