//! What the server says of itself.

use super::Is::{Any, Count, Flag, Map, Maps, Said, Text, Texts};
use super::{Document, document};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "Health",
        "Health of the server.",
        &[("status", Said(&Text, "`ok`.")), ("product", Said(&Text, "`CAVRA`."))],
    ),
    document(
        "Version",
        "Version of the server.",
        &[("version", Said(&Text, "Semantic version.")), ("name", Said(&Text, "Name of the server."))],
    ),
    document(
        "Problem",
        "RFC 9457 problem details.",
        &[
            ("type", Said(&Text, "Kind of problem.")),
            ("title", Said(&Text, "Name of the status.")),
            ("status", Said(&Count, "HTTP status.")),
            ("detail", Said(&Any, "One sentence, or for 422 a list of places that could not be parsed.")),
        ],
    ),
    document(
        "ConsoleConfig",
        "What the web console has to know about this server.",
        &[
            ("product", Text),
            ("api_base_url", Text),
            ("metadata_mode", Text),
            ("approval_mode", Text),
            ("registry_mode", Text),
            ("activity_mode", Text),
            ("inventory_mode", Text),
            ("integration_mode", Text),
            ("approval_provider_delivery", Text),
            ("connector_delivery", Text),
            ("evidence_artifacts", Text),
            ("approval_oidc", Text),
            ("approval_rbac", Text),
            ("registry_store", Text),
            ("cors_origins", Texts),
            ("endpoints", Map),
        ],
    ),
    document(
        "ConsoleSession",
        "Who the caller is and what the console may offer.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("mode", Text),
            ("authenticated", Flag),
            ("auth_required", Flag),
            ("actor", Any),
            ("permissions", Map),
            ("operator_notes", Texts),
            ("repository_permissions", Maps),
        ],
    ),
    document(
        "SecurityBoundary",
        "Which checks of identity are in force.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("mode", Text),
            ("oidc", Map),
            ("rbac", Map),
            ("cors", Map),
            ("actor_claims", Text),
            ("anonymous_mutations", Text),
            ("api_tokens", Map),
            ("console_permissions", Texts),
            ("operator_notes", Texts),
            ("policy_signatures", Map),
            ("recorded_decisions", Text),
        ],
    ),
];
