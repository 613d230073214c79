//! What the web console has to know about this server and its user: projections of the settings. docs/reference/approvals-identity-authoring.md,
//! section 7. Presence is reported, never contents.

use cavra_identity::{Actor, Identity};
use cavra_model::{APPROVALS, DECISIONS, EVIDENCE_METADATA, INTEGRATIONS, Kind, MCP_SERVERS, Object, REPOSITORIES};
use cavra_store::Mode;
use serde_json::{Value, json};

use crate::{App, BREAK_GLASS_GROUP, PackSignatures};

/// `GET /console/config`; `endpoints` maps names to path templates.
#[must_use]
pub fn console_config(app: &App, endpoints: &Object) -> Value {
    let configured = |present: bool| if present { "configured" } else { "disabled" };
    let settings = &app.settings;
    let mode = |kind: &Kind| app.store.mode(kind).unwrap_or(Mode::Json).as_str();
    json!({
        "product": "CAVRA",
        "api_base_url": settings.public_api_base_url,
        "metadata_mode": mode(&EVIDENCE_METADATA),
        "integration_mode": mode(&INTEGRATIONS),
        "approval_mode": mode(&APPROVALS),
        "registry_mode": mode(&MCP_SERVERS),
        "activity_mode": mode(&DECISIONS),
        "inventory_mode": mode(&REPOSITORIES),
        "approval_provider_delivery": configured(app.outgoing.approvals.is_some()),
        "connector_delivery": configured(app.outgoing.events.is_some()),
        "evidence_artifacts": configured(settings.artifact_root.is_some()),
        "approval_oidc": configured(app.gatekeeper.oidc_configured()),
        "approval_rbac": configured(app.gatekeeper.rbac_configured()),
        "registry_store": app.store.location(&MCP_SERVERS).map(ToString::to_string).unwrap_or_default(),
        "cors_origins": settings.cors_origins,
        "endpoints": endpoints,
    })
}

/// `GET /console/security-boundary`.
#[must_use]
pub fn security_boundary(app: &App, packs: &PackSignatures) -> Value {
    let gatekeeper = &app.gatekeeper;
    let (oidc, rbac) = (gatekeeper.oidc_configured(), gatekeeper.rbac_configured());
    let origins = &app.settings.cors_origins;
    json!({
        "schema_version": "cavra.console.security_boundary.v1",
        "product": "CAVRA",
        "mode": if oidc && rbac { "oidc_rbac_ready" } else { "local_or_demo" },
        "oidc": {
            "configured": oidc,
            "config_env": "CAVRA_APPROVAL_OIDC_CONFIG",
            "supported_algorithms": ["RS256"],
            "validated_claims": ["iss", "aud", "exp", "nbf", "groups", "roles", "email", "sub"],
        },
        "rbac": {
            "configured": rbac,
            "config_env": "CAVRA_APPROVAL_RBAC_FILE",
            "boundaries": ["approval_group", "repository_permissions", "group_mappings"],
        },
        "cors": { "configured": !origins.is_empty(), "origins": origins },
        "actor_claims": if gatekeeper.trusts_claims() { "trusted" } else { "refused" },
        "anonymous_mutations": if gatekeeper.admits_anonymous_mutations() { "allowed" } else { "refused" },
        "recorded_decisions": if app.approvals.routing().requires_recorded_decision() { "required" } else { "optional" },
        "policy_signatures": packs,
        "api_tokens": { "required": app.settings.require_token },
        "console_permissions": [
            "read_activity",
            "read_inventory",
            "read_integrations",
            "read_evidence_metadata",
            "read_console_session",
            "policy_publish_requires_digest_bound_approval",
            "approval_decision_requires_oidc_context_when_configured",
            "break_glass_requires_oidc_context_when_configured",
        ],
        "operator_notes": boundary_notes(app, packs),
    })
}

/// What an operator should know about the boundary as it is.
fn boundary_notes(app: &App, packs: &PackSignatures) -> Vec<&'static str> {
    let gatekeeper = &app.gatekeeper;
    let (oidc, rbac) = (gatekeeper.oidc_configured(), gatekeeper.rbac_configured());
    let notes = [
        (
            !oidc && !rbac,
            "Nobody's identity is verified: whoever reaches this server can approve. Set CAVRA_APPROVAL_OIDC_CONFIG.",
        ),
        (!oidc && rbac, "Groups are taken from unsigned claims, because there is no identity provider to verify them."),
        (
            oidc && !rbac,
            "Approvals are decided by the members of their group; set CAVRA_APPROVAL_RBAC_FILE to bind groups to repositories.",
        ),
        (
            oidc && gatekeeper.trusts_claims(),
            "Unsigned claims are accepted (trust_actor_claims): only a proxy that authenticates may reach this server.",
        ),
        (
            (oidc || rbac) && gatekeeper.admits_anonymous_mutations(),
            "Warning: anybody may change rollouts, repositories and whom this server trusts (allow_anonymous_mutations).",
        ),
        (
            oidc && !gatekeeper.requires_identity_for_all_mutations(),
            "Decisions, sessions, evidence and requests for approval may be recorded without identity; set require_identity_for_all_mutations to close them.",
        ),
        (
            (oidc || rbac) && !app.approvals.routing().requires_recorded_decision(),
            "Warning: approvals may be asked for decisions that are not recorded here, and are marked unverified then; set require_recorded_decision in the routing file.",
        ),
        (
            !app.settings.require_token,
            "Reading and deciding need no token; set CAVRA_REQUIRE_TOKEN for servers that others can reach.",
        ),
        (
            app.settings.signing_key.is_none(),
            "Published packs carry a checksum, no signature; set CAVRA_POLICY_SIGNING_KEY.",
        ),
        (
            !packs.unverified.is_empty(),
            "Published packs do not verify and block every action (policy_signatures.unverified): publish them again.",
        ),
        (
            !packs.unsigned.is_empty(),
            "Packs without a signature decide (policy_signatures.unsigned): publish them, or sign them with `cavra policy sign`.",
        ),
        (
            app.settings.cors_origins.iter().any(|origin| origin == "*"),
            "Any web page may call this server (CAVRA_CORS_ORIGINS has `*`).",
        ),
    ];
    notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note).collect()
}

/// `GET /console/session` for whoever was established, or for nobody.
#[must_use]
pub fn console_session(app: &App, identity: Option<&Identity>) -> Value {
    let gatekeeper = &app.gatekeeper;
    let auth_required = gatekeeper.oidc_configured();
    let actor = identity.map(|identity| &identity.actor);
    let permissions = actor.map(|actor| gatekeeper.permissions_of(actor)).unwrap_or_default();
    let decides = |actor: &Actor| !actor.groups.is_empty() || !permissions.is_empty();
    let mode = match (actor, auth_required) {
        (Some(_), _) => "authenticated",
        (None, true) => "auth_required",
        (None, false) => "local_or_demo",
    };
    let note = match mode {
        "authenticated" => "Approvals are offered for the groups and repositories shown here.",
        "auth_required" => "Sign in to decide approvals and publish policies.",
        _ => "No identity provider is configured: names are taken as they are typed.",
    };
    json!({
        "schema_version": "cavra.console.session.v1",
        "product": "CAVRA",
        "mode": mode,
        "authenticated": actor.is_some(),
        "auth_required": auth_required,
        "actor": actor,
        "permissions": {
            "read_activity": true,
            "read_inventory": true,
            "read_integrations": true,
            "read_evidence_metadata": true,
            "decide_approvals": actor.is_some_and(decides),
            "publish_policy_packs": actor.is_some_and(decides),
            "create_break_glass": actor.is_some_and(|actor| actor.in_group(BREAK_GLASS_GROUP)),
        },
        "repository_permissions": permissions,
        "operator_notes": [note],
    })
}
