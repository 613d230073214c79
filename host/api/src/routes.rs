//! The endpoint table and the router made from it.

mod evidence;
mod promotions;
mod sandbox;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cavra_core::App;
use cavra_identity::Scope;
use cavra_model::{APPROVALS, DECISIONS, POLICY_ROLLOUTS, REPOSITORIES, Ruling, SESSIONS};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::BODY_LIMIT;
use crate::credentials::admit;
use crate::endpoint::{Endpoint, named};
use crate::guard::{Guard, HostGuard, check_caller};
use crate::handlers::{self, approvals, authoring, console, inventory, log, records};
use crate::openapi::{self, array_of, page_of};
use crate::problem::{self, Problem};
use crate::telemetry::{Telemetry, measure};

/// Every endpoint of the JSON interface.
pub fn endpoints() -> Vec<Endpoint> {
    let scoped = |scope, rows: Vec<Endpoint>| rows.into_iter().map(move |row| scope_of(scope, row));
    system()
        .into_iter()
        .chain(scoped(Scope::Decide, activity()))
        .chain(scoped(Scope::Policy, policy()))
        .chain(scoped(Scope::Approvals, approval_rows()))
        .chain(scoped(Scope::Inventory, inventory_rows()))
        .chain(scoped(Scope::Evidence, evidence::rows()))
        .chain(scoped(Scope::Evidence, promotions::rows()))
        .chain(scoped(Scope::Decide, sandbox::rows()))
        .chain(scoped(Scope::Read, console_rows()))
        .chain(scoped(Scope::Read, log_rows()))
        .collect()
}

/// Reading needs one scope everywhere; writing needs the area's.
fn scope_of(area: Scope, row: Endpoint) -> Endpoint {
    let scope = if row.method == Method::GET { Scope::Read } else { area };
    row.scope(scope)
}

fn system() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/health", "health", get(handlers::health))
            .about("system", "Whether the server answers.")
            .answers(named("Health")),
        Endpoint::get("/version", "version", get(handlers::version))
            .about("system", "Version of the server.")
            .answers(named("Version")),
    ]
}

fn activity() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/decisions", "decide", post(handlers::decide))
            .about("decisions", "Decides an action and records the decision before it is answered.")
            .takes("DecisionRequest")
            .answers(named("DecisionRecord"))
            .refuses(&[400, 404, 409, 413, 422, 503]),
        Endpoint::get("/decisions", "list_decisions", records::list(&DECISIONS))
            .about("decisions", "Stored decisions, newest first.")
            .console("decisions")
            .answers(page_of("DecisionRecord"))
            .filtered_by(&DECISIONS)
            .paged()
            .refuses(&[422, 503]),
        Endpoint::get("/decisions/{decision_id}", "get_decision", records::one(&DECISIONS))
            .about("decisions", "One decision.")
            .answers(named("DecisionRecord"))
            .refuses(&[404, 409, 503]),
        Endpoint::post("/sessions", "post_session", post(handlers::post_session))
            .about("sessions", "Creates a session or merges into it.")
            .takes("SessionRequest")
            .answers(named("SessionRecord")),
        Endpoint::get("/sessions", "list_sessions", records::list(&SESSIONS))
            .about("sessions", "Sessions, most recently updated first.")
            .console("sessions")
            .answers(page_of("SessionRecord"))
            .filtered_by(&SESSIONS)
            .paged()
            .refuses(&[422, 503]),
        Endpoint::get("/sessions/{session_id}", "get_session", records::one(&SESSIONS))
            .about("sessions", "One session.")
            .answers(named("SessionRecord"))
            .refuses(&[404, 409, 503]),
        Endpoint::get("/risk/events", "risk_events", get(handlers::risk_events))
            .about("decisions", "Decisions that were blocked, need approval or warned, newest first.")
            .answers(array_of("RiskEvent"))
            .filtered_by(&DECISIONS)
            .paged()
            .refuses(&[422, 503]),
    ]
}

fn policy() -> Vec<Endpoint> {
    let packs = |path, operation| {
        Endpoint::get(path, operation, get(handlers::policy_packs))
            .about("policy", "Installed policy packs, as written.")
            .answers(array_of("PolicyPack"))
    };
    vec![
        packs("/policy-packs", "list_policy_packs"),
        packs("/policies", "list_policies"),
        Endpoint::get("/policy-pack-catalog", "policy_pack_catalog", get(handlers::policy_pack_catalog))
            .about("policy", "Installed policy packs with rule counts.")
            .console("policy_pack_catalog")
            .answers(named("PolicyPackCatalog")),
        Endpoint::get("/compliance/mappings", "compliance_mappings", get(handlers::compliance_mappings))
            .about("policy", "Controls that the packs map to.")
            .answers(array_of("ComplianceMapping"))
            .filtered_by_name("policy_pack"),
        Endpoint::post("/policy-packs/draft", "draft_policy_pack", post(authoring::draft))
            .about("policy", "What a draft amounts to and what is wrong with it; writes nothing.")
            .console("policy_pack_draft")
            .refuses(&[400, 413, 422]),
        Endpoint::post("/policy-packs/publish-plan", "plan_policy_publication", post(authoring::publish_plan))
            .about("policy", "What publishing a draft would change, in the pack and in past decisions; writes nothing.")
            .console("policy_pack_publish_plan")
            .refuses(&[400, 409, 413, 422, 503]),
        Endpoint::post("/policy-packs/publish-request", "request_policy_publication", post(authoring::publish_request))
            .about("policy", "Asks for the approval of a draft's publication.")
            .console("policy_pack_publish_request")
            .refuses(&[400, 401, 409, 413, 422, 503]),
        Endpoint::post("/policy-packs/publish", "publish_policy_pack", post(authoring::publish))
            .about("policy", "Publishes an approved draft.")
            .console("policy_pack_publish")
            .refuses(GUARDED),
    ]
}

/// Refusals of endpoints that change something in the name of a person.
const GUARDED: &[u16] = &[400, 401, 403, 404, 409, 413, 422, 503];

fn approval_rows() -> Vec<Endpoint> {
    let ruling = |path, operation, ruling, summary| {
        Endpoint::post(path, operation, approvals::rule(ruling))
            .about("approvals", summary)
            .takes("ApprovalRuling")
            .answers(named("Approval"))
            .refuses(GUARDED)
    };
    vec![
        Endpoint::get("/approvals", "list_approvals", records::list(&APPROVALS))
            .about("approvals", "Approvals, newest first.")
            .console("approvals")
            .answers(page_of("Approval"))
            .filtered_by(&APPROVALS)
            .paged()
            .refuses(&[422, 503]),
        Endpoint::post("/approvals", "create_approval", post(approvals::create))
            .about("approvals", "Asks for the approval of a decision.")
            .takes("ApprovalRequest")
            .answers(named("Approval"))
            .refuses(&[400, 401, 413, 422, 503]),
        Endpoint::post("/approvals/break-glass", "break_glass", post(approvals::break_glass))
            .about("approvals", "Breaks the glass for a decision.")
            .takes("ApprovalRequest")
            .answers(named("Approval"))
            .refuses(GUARDED),
        Endpoint::get("/approvals/{approval_id}", "get_approval", records::one(&APPROVALS))
            .about("approvals", "One approval.")
            .answers(named("Approval"))
            .refuses(&[404, 409, 503]),
        ruling("/approvals/{approval_id}/approve", "approve", Ruling::Approve, "Approves."),
        ruling("/approvals/{approval_id}/deny", "deny", Ruling::Deny, "Denies."),
        ruling("/approvals/{approval_id}/expire", "expire", Ruling::Expire, "Gives up waiting; the body may be empty.")
            .body_optional(),
        Endpoint::post("/approvals/{approval_id}/attach-decision", "attach_decision", post(approvals::attach))
            .about("approvals", "A decision with the approval attached; stores nothing.")
            .takes("DecisionRecord")
            .answers(named("DecisionRecord"))
            .refuses(&[400, 404, 409, 413, 422, 503]),
    ]
}

fn inventory_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/repositories", "list_repositories", inventory::all(&REPOSITORIES))
            .about("inventory", "Repositories, by name.")
            .console("repositories")
            .answers(named("RepositoryList"))
            .filtered_by(&REPOSITORIES)
            .refuses(&[422, 503]),
        Endpoint::post("/repositories", "post_repository", inventory::upsert(&REPOSITORIES))
            .about("inventory", "Registers or replaces a repository.")
            .takes("Repository")
            .answers(named("Repository"))
            .refuses(&[400, 401, 413, 422, 503]),
        Endpoint::get("/repositories/{*repository_id}", "get_repository", records::one(&REPOSITORIES))
            .about("inventory", "One repository, by id or name; slashes may stand as they are.")
            .answers(named("Repository"))
            .refuses(&[404, 409, 503]),
        Endpoint::get("/policy-rollouts", "list_policy_rollouts", inventory::all(&POLICY_ROLLOUTS))
            .about("inventory", "Policy rollouts, by id.")
            .console("policy_rollouts")
            .answers(named("PolicyRolloutList"))
            .filtered_by(&POLICY_ROLLOUTS)
            .refuses(&[422, 503]),
        Endpoint::post("/policy-rollouts", "post_policy_rollout", inventory::upsert(&POLICY_ROLLOUTS))
            .about("inventory", "Creates or replaces a rollout.")
            .takes("PolicyRollout")
            .answers(named("PolicyRollout"))
            .refuses(&[400, 401, 413, 422, 503]),
        Endpoint::post("/policy-rollouts/change-plan", "plan_policy_rollout", post(inventory::change_plan))
            .about("inventory", "What a change of a rollout would do; stores nothing.")
            .console("policy_rollout_change_plan")
            .refuses(&[400, 413, 422, 503]),
        Endpoint::post("/policy-rollouts/apply-change", "apply_policy_rollout", post(inventory::apply_change))
            .about("inventory", "Changes a rollout.")
            .console("policy_rollout_apply_change")
            .refuses(&[400, 401, 413, 422, 503]),
        Endpoint::get("/policy-rollouts/{*rollout_id}", "get_policy_rollout", get(inventory::rollout))
            .about("inventory", "One rollout; with /detail behind the id, its details.")
            .answers(named("PolicyRollout"))
            .refuses(&[404, 409, 503]),
        Endpoint::get("/policy-rollout-details/{*rollout_id}", "policy_rollout_detail", get(inventory::rollout_detail))
            .about("inventory", "A rollout with its repository, pack, activity and readiness.")
            .console("policy_rollout_detail")
            .refuses(&[404, 409, 503]),
    ]
}

fn console_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/console/config", "console_config", get(console::config))
            .about("console", "What the web console has to know about this server."),
        Endpoint::get("/console/security-boundary", "console_security_boundary", get(console::security_boundary))
            .about("console", "Which checks of identity are in force.")
            .console("console_security_boundary"),
        Endpoint::get("/console/session", "console_session", get(console::session))
            .about("console", "Who the caller is and what the console may offer.")
            .console("console_session")
            .refuses(&[400, 401, 503]),
    ]
}

/// The evidence log, served as C2SP `tlog-tiles` describes.
fn log_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/log", "list_logs", get(log::list))
            .about("log", "The evidence logs with their newest checkpoints and keys.")
            .console("evidence_logs")
            .refuses(&[503]),
        Endpoint::get("/log/{log}/checkpoint", "log_checkpoint", get(log::checkpoint))
            .about("log", "The newest signed checkpoint of a log, as C2SP `tlog-checkpoint`.")
            .answers_with("text/plain")
            .refuses(&[404, 409, 503]),
        Endpoint::get("/log/{log}/tile/{*tile}", "log_tile", get(log::tile))
            .about("log", "A tile of hashes, or with `entries/` of leaves, as C2SP `tlog-tiles`; it never changes.")
            .answers_with("application/octet-stream")
            .refuses(&[404, 409, 503]),
        Endpoint::get("/log/{log}/proof/{record_id}", "log_proof", get(log::proof))
            .about("log", "The proof that the newest leaf about a record is in the log, as C2SP `tlog-proof`.")
            .answers_with("text/plain")
            .refuses(&[404, 409, 503]),
    ]
}

/// The whole application.
pub fn router(app: App, guard: HostGuard, telemetry: Telemetry) -> Router {
    let rows = endpoints();
    let document = openapi::build(&rows);
    let cors = cors(&app.settings.cors_origins);
    let guard = Guard::new(guard, &app.settings.cors_origins, &app.settings.public_api_base_url);
    let routes = rows.into_iter().fold(Router::new(), |router, row| {
        let handler = match row.scope {
            Some(scope) => row.handler.layer(from_fn_with_state((app.clone(), scope), admit)),
            None => row.handler,
        };
        router.route(row.path, handler)
    });
    let metrics = get(move || async move { metrics_page(&telemetry) });
    let router = routes
        .route("/metrics", metrics.layer(from_fn_with_state((app.clone(), Scope::Read), admit)))
        .with_state(app)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response(problem::shape));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(from_fn_with_state(guard, check_caller))
        .layer(from_fn(measure))
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed to answer").into_response()
        }))
}

/// Browsers of the listed origins may call; without any there are no such headers at all. Contract 20, section 7.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse::<HeaderValue>().ok()))
    };
    let exposed = handlers::artifacts::EXPOSED.into_iter().chain([header::WWW_AUTHENTICATE]);
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.collect::<Vec<_>>());
    Some(cors)
}

fn metrics_page(telemetry: &Telemetry) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry.render()).into_response()
}
