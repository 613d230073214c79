//! Decisions and sessions.

use super::Is::{Count, List, Maybe, OrNull, Said, Text, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    request(
        "DecisionRequest",
        "An action to be decided. Unknown members are ignored; the outcome cannot be sent.",
        &[
            (
                "action_type",
                Said(&Text, "`read_file`, `write_file`, `execute_command`, `git_operation` or `mcp_tool_call`."),
            ),
            ("target", Said(&Maybe(&OrNull(&Text)), "Path, command line, or remote and branch.")),
            ("operation", Said(&Maybe(&OrNull(&Text)), "Name of the git operation; default `push`.")),
            (
                "content",
                Said(
                    &Maybe(&OrNull(&Text)),
                    "Text about to be written by `write_file`, for components that look at it; its digest is recorded, not the text.",
                ),
            ),
            ("server", Said(&Maybe(&OrNull(&Text)), "MCP server.")),
            ("tool", Said(&Maybe(&OrNull(&Text)), "MCP tool.")),
            ("capability", Said(&Maybe(&OrNull(&Text)), "Capability the MCP call needs.")),
            ("policy_pack", Said(&Maybe(&OrNull(&Text)), "Policy pack; default `cavra-ai-agent-baseline`.")),
            (
                "policy_mode",
                Said(
                    &Maybe(&OrNull(&Text)),
                    "Mode whose overlay is wanted in the answer; the stored record stays as decided.",
                ),
            ),
            (
                "cwd",
                Said(
                    &Maybe(&OrNull(&Text)),
                    "Directory in which a command would run: absolute, or relative to the repository; default is its root.",
                ),
            ),
            ("session_id", Said(&Maybe(&OrNull(&Text)), "Session; default `local`.")),
            ("agent_id", Said(&Maybe(&OrNull(&Text)), "Agent; default `unknown-agent`.")),
            ("actor", Said(&Maybe(&OrNull(&Text)), "Who is behind the agent; default `ai-agent`.")),
            ("repository", Said(&Maybe(&OrNull(&Text)), "Repository; default `local`.")),
            ("correlation_id", Said(&Maybe(&OrNull(&Text)), "Kept if sent, at most 128 characters.")),
        ],
    ),
    request(
        "SessionRequest",
        "What a client says about a session.",
        &[
            ("session_id", Said(&Text, "Key of the session.")),
            ("agent_id", Said(&Maybe(&OrNull(&Text)), "Agent.")),
            ("actor", Said(&Maybe(&OrNull(&Text)), "Who is behind the agent.")),
            ("repository", Said(&Maybe(&OrNull(&Text)), "Repository.")),
            ("policy_pack", Said(&Maybe(&OrNull(&Text)), "Policy pack.")),
            (
                "state",
                Said(
                    &Maybe(&OrNull(&Text)),
                    "`active`, `completed`, `failed` or `archived`; `status` is another name for it.",
                ),
            ),
            ("started_at", Said(&Maybe(&OrNull(&Text)), "RFC 3339.")),
            ("updated_at", Said(&Maybe(&OrNull(&Text)), "RFC 3339.")),
            (
                "decision_count",
                Said(
                    &Maybe(&OrNull(&Count)),
                    "Ignored once decisions are stored for the session; so are the other counts.",
                ),
            ),
            ("blocked_count", Said(&Maybe(&OrNull(&Count)), "See `decision_count`.")),
            ("approval_required_count", Said(&Maybe(&OrNull(&Count)), "See `decision_count`.")),
            ("evidence_refs", Said(&Maybe(&OrNull(&Texts)), "A text or a list of texts.")),
        ],
    ),
    document(
        "SessionRecord",
        "A session, `cavra.session.v1`.",
        &[
            ("schema_version", Said(&Text, "`cavra.session.v1`.")),
            ("session_id", Said(&Text, "Key of the session.")),
            ("agent_id", Said(&Text, "Agent of the latest decision.")),
            ("actor", Said(&Text, "Actor of the latest decision.")),
            ("repository", Said(&Text, "Repository of the latest decision.")),
            ("policy_pack", Said(&Text, "Pack of the latest decision.")),
            ("state", Said(&Text, "`active`, `completed`, `failed` or `archived`.")),
            ("started_at", Said(&Text, "RFC 3339, UTC, microseconds.")),
            ("updated_at", Said(&Text, "RFC 3339, UTC, microseconds; only moves forward.")),
            ("decision_count", Said(&Count, "Number of decisions.")),
            ("blocked_count", Said(&Count, "Number of blocked actions.")),
            ("approval_required_count", Said(&Count, "Number of actions that need approval.")),
            (
                "evidence_ref_count",
                Said(&Count, "How many references there are: the client's and those of all decisions."),
            ),
            ("evidence_refs", Said(&Texts, "The newest hundred of them.")),
        ],
    ),
    document(
        "SessionReferences",
        "A page of a session's references to evidence.",
        &[
            ("session_id", Said(&Text, "Key of the session.")),
            ("evidence_refs", Said(&Texts, "References that clients gave the session itself.")),
            ("items", Said(&List("SessionReference"), "Decisions of the session, newest first.")),
            ("total", Said(&Count, "Number of decisions.")),
            ("limit", Said(&Count, "Page size.")),
            ("offset", Said(&Count, "Start.")),
            ("next_cursor", Said(&Maybe(&OrNull(&Text)), "Where the next page begins, if there is one.")),
        ],
    ),
    document(
        "SessionReference",
        "The references of one decision.",
        &[
            ("decision_id", Said(&Text, "The decision.")),
            ("timestamp", Said(&Text, "When it was made.")),
            ("evidence_refs", Said(&Texts, "Its references.")),
        ],
    ),
    document(
        "RiskEvent",
        "A decision somebody should look at.",
        &[
            ("event_id", Said(&Text, "`risk_` and the decision's id.")),
            ("decision_id", Said(&Text, "The decision.")),
            ("session_id", Said(&Text, "Session.")),
            ("agent_id", Said(&Text, "Agent.")),
            ("repository", Said(&Text, "Repository.")),
            ("action_type", Said(&Text, "Kind of action.")),
            ("target", Said(&Text, "What is acted upon.")),
            ("decision", Said(&Text, "`block`, `require_approval` or `warn`.")),
            ("severity", Said(&Text, "Severity.")),
            ("rule_id", Said(&Text, "Rule that decided.")),
            ("policy_pack", Said(&Text, "Policy pack.")),
            ("reason", Said(&Maybe(&OrNull(&Text)), "One sentence for humans.")),
            ("timestamp", Said(&Text, "RFC 3339, UTC, microseconds.")),
        ],
    ),
];
