//! The endpoint table: who may call what, and what comes of it.

mod evidence;
mod fleet;
mod integrations;
mod notifications;
mod operations;
mod promotions;
mod registry;
mod sandbox;

use axum::routing::{get, post};
use cavra_core::LogEvent;
use cavra_identity::Scope;
use cavra_model::{APPROVALS, ChatService, DECISIONS, POLICY_ROLLOUTS, REPOSITORIES, Ruling, SESSIONS};

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, array_of, named, one_of, page_of};
use crate::handlers::{self, approvals, authoring, console, inventory, log, records};

/// Every endpoint.
pub fn endpoints() -> Vec<Endpoint> {
    [
        system(),
        activity(),
        policy(),
        approval_rows(),
        chat_rows(),
        inventory_rows(),
        registry::rows(),
        integrations::rows(),
        evidence::rows(),
        promotions::rows(),
        fleet::rows(),
        notifications::rows(),
        sandbox::rows(),
        console_rows(),
        log_rows(),
        operations::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn system() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::PUBLIC, "/health", "health", get(handlers::health))
            .about("system", "Whether the server answers.")
            .answers(named("Health")),
        Endpoint::get(Access::PUBLIC, "/version", "version", get(handlers::version))
            .about("system", "Version of the server.")
            .answers(named("Version")),
        Endpoint::get(Access::READ, "/metrics", "metrics", get(handlers::metrics))
            .about("system", "Metrics in the Prometheus text format.")
            .answers_with("text/plain"),
    ]
}

fn activity() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            Access::records(Scope::Decide),
            Effect::Changes(&[LogEvent::Decision, LogEvent::ApprovalUsed]),
            "/decisions",
            "decide",
            post(handlers::decide),
        )
        .exact(&["*"])
        .about("decisions", "Decides an action and records the decision before it is answered.")
        .takes("DecisionRequest")
        .answers(named("DecisionAnswer"))
        .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/decisions", "list_decisions", records::list(&DECISIONS))
            .about("decisions", "Stored decisions, newest first.")
            .console("decisions")
            .answers(page_of("DecisionRecord"))
            .filtered_by(&DECISIONS)
            .paged(),
        Endpoint::get(Access::READ, "/decisions/{decision_id}", "get_decision", records::one(&DECISIONS))
            .about("decisions", "One decision.")
            .answers(named("DecisionRecord"))
            .refuses(&[404, 409]),
        Endpoint::post(
            Access::records(Scope::Decide),
            Effect::Changes(&[LogEvent::SessionReported]),
            "/sessions",
            "post_session",
            post(handlers::post_session),
        )
        .about("sessions", "Creates a session or merges into it.")
        .takes("SessionRequest")
        .answers(named("SessionRecord")),
        Endpoint::get(Access::READ, "/sessions", "list_sessions", records::list(&SESSIONS))
            .about("sessions", "Sessions, most recently updated first.")
            .console("sessions")
            .answers(page_of("SessionRecord"))
            .filtered_by(&SESSIONS)
            .paged(),
        Endpoint::get(Access::READ, "/sessions/{session_id}", "get_session", records::one(&SESSIONS))
            .about("sessions", "One session.")
            .answers(named("SessionRecord"))
            .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/sessions/{session_id}/references",
            "list_session_references",
            get(handlers::session_references),
        )
        .about(
            "sessions",
            "References to evidence of a session: those of its decisions, a page of decisions at a time.",
        )
        .answers(named("SessionReferences"))
        .paged()
        .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/risk/events", "risk_events", get(handlers::risk_events))
            .about("decisions", "Decisions that were blocked, need approval or warned, newest first.")
            .answers(array_of("RiskEvent"))
            .filtered_by(&DECISIONS)
            .paged(),
    ]
}

fn policy() -> Vec<Endpoint> {
    let packs = |path, operation| {
        Endpoint::get(Access::READ, path, operation, get(handlers::policy_packs))
            .about("policy", "Installed policy packs, as written.")
            .answers(array_of("PolicyPack"))
    };
    vec![
        packs("/policy-packs", "list_policy_packs"),
        packs("/policies", "list_policies"),
        Endpoint::get(Access::READ, "/policy-pack-catalog", "policy_pack_catalog", get(handlers::policy_pack_catalog))
            .about("policy", "Installed policy packs with rule counts.")
            .console("policy_pack_catalog")
            .answers(named("PolicyPackCatalog")),
        Endpoint::get(Access::READ, "/compliance/mappings", "compliance_mappings", get(handlers::compliance_mappings))
            .about("policy", "Controls that the packs map to.")
            .answers(array_of("ComplianceMapping"))
            .filtered_by_name("policy_pack"),
        Endpoint::post(
            Access::records(Scope::Policy),
            Effect::Computes,
            "/policy-packs/draft",
            "draft_policy_pack",
            post(authoring::draft),
        )
        .exact(&["*"])
        .about("policy", "What a draft amounts to and what is wrong with it; writes nothing.")
        .takes("PolicyDraft")
        .answers(named("PolicyDraftReport"))
        .console("policy_pack_draft"),
        Endpoint::post(
            Access::records(Scope::Policy),
            Effect::Computes,
            "/policy-packs/publish-plan",
            "plan_policy_publication",
            post(authoring::publish_plan),
        )
        .exact(&["*"])
        .about("policy", "What publishing a draft would change, in the pack and in past decisions; writes nothing.")
        .takes("PolicyDraft")
        .answers(named("PublishPlan"))
        .console("policy_pack_publish_plan")
        .long()
        .refuses(&[409]),
        Endpoint::post(
            Access::in_person(Scope::Policy),
            Effect::Changes(&[LogEvent::ApprovalRequested]),
            "/policy-packs/publish-request",
            "request_policy_publication",
            post(authoring::publish_request),
        )
        .exact(&["*"])
        .about("policy", "Asks for the approval of a draft's publication.")
        .takes("PolicyDraft")
        .answers(named("PublishRequest"))
        .console("policy_pack_publish_request")
        .refuses(&[409]),
        Endpoint::post(
            Access::in_group(Scope::Policy),
            Effect::Changes(&[
                LogEvent::PolicyPublishStarted,
                LogEvent::PolicyPublished,
                LogEvent::PolicyPublishFailed,
            ]),
            "/policy-packs/publish",
            "publish_policy_pack",
            post(authoring::publish),
        )
        .exact(&["*"])
        .about("policy", "Publishes an approved draft.")
        .takes("PolicyDraft")
        .answers(named("PublishResult"))
        .console("policy_pack_publish")
        .refuses(&[404, 409]),
    ]
}

fn approval_rows() -> Vec<Endpoint> {
    let ruling = |path, operation, ruling, events, summary| {
        Endpoint::post(
            Access::in_group(Scope::Approvals),
            Effect::Changes(events),
            path,
            operation,
            approvals::rule(ruling),
        )
        .about("approvals", summary)
        .takes("ApprovalRuling")
        .answers(named("Approval"))
        .refuses(&[404, 409])
    };
    vec![
        Endpoint::get(Access::READ, "/approvals", "list_approvals", records::list(&APPROVALS))
            .about("approvals", "Approvals, newest first.")
            .console("approvals")
            .answers(page_of("Approval"))
            .filtered_by(&APPROVALS)
            .paged(),
        Endpoint::post(
            Access::asks(Scope::Approvals),
            Effect::Changes(&[LogEvent::ApprovalRequested]),
            "/approvals",
            "create_approval",
            post(approvals::create),
        )
        .exact(&["*"])
        .about("approvals", "Asks for the approval of a decision.")
        .takes("ApprovalRequest")
        .answers(named("Approval"))
        .refuses(&[409]),
        Endpoint::post(
            Access::in_group(Scope::Approvals),
            Effect::Changes(&[LogEvent::BreakGlassStarted]),
            "/approvals/break-glass",
            "break_glass",
            post(approvals::break_glass),
        )
        .exact(&["*"])
        .about("approvals", "Breaks the glass for a decision.")
        .takes("ApprovalRequest")
        .answers(named("Approval"))
        .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/approvals/{approval_id}", "get_approval", records::one(&APPROVALS))
            .about("approvals", "One approval.")
            .answers(named("Approval"))
            .refuses(&[404, 409]),
        ruling(
            "/approvals/{approval_id}/approve",
            "approve",
            Ruling::Approve,
            &[LogEvent::ApprovalApproved, LogEvent::ApprovalCounted],
            "Approves.",
        ),
        ruling("/approvals/{approval_id}/deny", "deny", Ruling::Deny, &[LogEvent::ApprovalDenied], "Denies."),
        ruling(
            "/approvals/{approval_id}/expire",
            "expire",
            Ruling::Expire,
            &[LogEvent::ApprovalExpired],
            "Gives up waiting; the body may be empty.",
        )
        .body_optional(),
        Endpoint::post(
            Access::loosens(Scope::Approvals),
            Effect::Computes,
            "/approvals/{approval_id}/deliver",
            "deliver_approval",
            post(approvals::deliver),
        )
        .about("approvals", "Delivers an approval to the configured systems; that one does not take it is no refusal.")
        .takes("ApprovalDeliveryRequest")
        .answers(named("ApprovalDelivery"))
        .body_optional()
        .refuses(&[404, 409]),
        Endpoint::post(
            Access::records(Scope::Approvals),
            Effect::Computes,
            "/approvals/{approval_id}/attach-decision",
            "attach_decision",
            post(approvals::attach),
        )
        .about("approvals", "A decision with the approval attached; stores nothing.")
        .takes("DecisionRecord")
        .answers(named("AttachedDecision"))
        .refuses(&[404, 409]),
    ]
}

/// Largest callback of a chat, in bytes: Slack sends the whole message along.
const CALLBACK_LIMIT: usize = 256 * 1024;

/// What chats send when one of their members decides.
fn chat_rows() -> Vec<Endpoint> {
    let row = |service, path, operation, media, summary| {
        let events = &[LogEvent::ApprovalApproved, LogEvent::ApprovalCounted, LogEvent::ApprovalDenied];
        let handler = post(approvals::callback);
        Endpoint::post(Access::signed_by(service), Effect::Changes(events), path, operation, handler)
            .about("approvals", summary)
            .takes("ChatCallback")
            .takes_signed(media, CALLBACK_LIMIT)
            .answers(named("ChatAnswer"))
    };
    vec![
        row(
            ChatService::Slack,
            "/approval-callbacks/slack",
            "slack_callback",
            "application/x-www-form-urlencoded",
            "A button that somebody pressed in Slack, with Slack's signature (`X-Slack-Signature`) over the moment and the \
             body. The approval is decided by the person whom the members file says that is.",
        ),
        row(
            ChatService::Teams,
            "/approval-callbacks/teams",
            "teams_callback",
            "application/json",
            "A command that somebody wrote to an outgoing webhook of Teams, with its signature (`Authorization: HMAC …`) over \
             the body. The approval is decided by the person whom the members file says that is.",
        ),
    ]
}

fn inventory_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/repositories", "list_repositories", inventory::all(&REPOSITORIES))
            .about("inventory", "Repositories, by name.")
            .console("repositories")
            .answers(named("RepositoryList"))
            .filtered_by(&REPOSITORIES),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Changes(&[LogEvent::RepositoryChanged]),
            "/repositories",
            "post_repository",
            inventory::upsert(&REPOSITORIES),
        )
        .about("inventory", "Registers or replaces a repository.")
        .takes("RepositoryDraft")
        .answers(named("Repository")),
        Endpoint::get(Access::READ, "/repositories/{*repository_id}", "get_repository", records::one(&REPOSITORIES))
            .about("inventory", "One repository, by id or name; slashes may stand as they are.")
            .answers(named("Repository"))
            .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/policy-rollouts", "list_policy_rollouts", inventory::all(&POLICY_ROLLOUTS))
            .about("inventory", "Policy rollouts, by id.")
            .console("policy_rollouts")
            .answers(named("PolicyRolloutList"))
            .filtered_by(&POLICY_ROLLOUTS),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Changes(&[LogEvent::RolloutChanged]),
            "/policy-rollouts",
            "post_policy_rollout",
            inventory::upsert(&POLICY_ROLLOUTS),
        )
        .about("inventory", "Creates or replaces a rollout.")
        .takes("PolicyRolloutDraft")
        .answers(named("PolicyRollout")),
        Endpoint::post(
            Access::records(Scope::Inventory),
            Effect::Computes,
            "/policy-rollouts/change-plan",
            "plan_policy_rollout",
            post(inventory::change_plan),
        )
        .about("inventory", "What a change of a rollout would do; stores nothing.")
        .takes("ChangeRequest")
        .answers(named("ChangePlan"))
        .console("policy_rollout_change_plan"),
        Endpoint::post(
            Access::in_person(Scope::Inventory),
            Effect::Changes(&[LogEvent::RolloutChanged]),
            "/policy-rollouts/apply-change",
            "apply_policy_rollout",
            post(inventory::apply_change),
        )
        .about("inventory", "Changes a rollout.")
        .takes("ChangeRequest")
        .answers(named("ChangeResult"))
        .refuses(&[409])
        .console("policy_rollout_apply_change"),
        Endpoint::get(Access::READ, "/policy-rollouts/{*rollout_id}", "get_policy_rollout", get(inventory::rollout))
            .about("inventory", "One rollout; with /detail behind the id, its details.")
            .answers(one_of(&["PolicyRollout", "RolloutDetail"]))
            .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/policy-rollout-details/{*rollout_id}",
            "policy_rollout_detail",
            get(inventory::rollout_detail),
        )
        .about("inventory", "A rollout with its repository, pack, activity and readiness.")
        .answers(named("RolloutDetail"))
        .console("policy_rollout_detail")
        .refuses(&[404, 409]),
    ]
}

fn console_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/console/config", "console_config", get(console::config))
            .about("console", "What the web console has to know about this server.")
            .answers(named("ConsoleConfig")),
        Endpoint::get(
            Access::READ,
            "/console/security-boundary",
            "console_security_boundary",
            get(console::security_boundary),
        )
        .about("console", "Which checks of identity are in force.")
        .answers(named("SecurityBoundary"))
        .console("console_security_boundary"),
        Endpoint::get(Access::WHO_AM_I, "/console/session", "console_session", get(console::session))
            .about("console", "Who the caller is and what the console may offer.")
            .answers(named("ConsoleSession"))
            .console("console_session"),
    ]
}

/// The evidence log, served as C2SP `tlog-tiles` describes.
fn log_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/log", "list_logs", get(log::list))
            .about("log", "The evidence logs with their newest checkpoints and keys.")
            .answers(named("EvidenceLogList"))
            .console("evidence_logs"),
        Endpoint::get(Access::READ, "/log/{log}/checkpoint", "log_checkpoint", get(log::checkpoint))
            .about("log", "The newest signed checkpoint of a log, as C2SP `tlog-checkpoint`.")
            .answers_with("text/plain")
            .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/log/{log}/tile/{*tile}", "log_tile", get(log::tile))
            .about("log", "A tile of hashes, or with `entries/` of leaves, as C2SP `tlog-tiles`; it never changes.")
            .answers_with("application/octet-stream")
            .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/log/{log}/proof/{record_id}", "log_proof", get(log::proof))
            .about("log", "The proof that the newest leaf about a record is in the log, as C2SP `tlog-proof`.")
            .answers_with("text/plain")
            .refuses(&[404, 409]),
    ]
}
