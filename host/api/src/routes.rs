//! The endpoint table and the router made from it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cavra_core::App;
use cavra_model::{DECISIONS, SESSIONS};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::BODY_LIMIT;
use crate::endpoint::{Endpoint, named};
use crate::guard::{HostGuard, check_host};
use crate::handlers::{self, records};
use crate::openapi::{self, array_of, page_of};
use crate::problem::{self, Problem};
use crate::telemetry::{Telemetry, measure};

/// Every endpoint of the JSON interface.
pub fn endpoints() -> Vec<Endpoint> {
    let mut rows = system();
    rows.extend(activity());
    rows.extend(policy());
    rows
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
            .answers(page_of("DecisionRecord"))
            .filtered_by(&DECISIONS)
            .paged()
            .refuses(&[422, 503]),
        Endpoint::get("/decisions/{decision_id}", "get_decision", records::one(&DECISIONS))
            .about("decisions", "One decision.")
            .answers(named("DecisionRecord"))
            .refuses(&[404, 503]),
        Endpoint::post("/sessions", "post_session", post(handlers::post_session))
            .about("sessions", "Creates a session or merges into it.")
            .takes("SessionRequest")
            .answers(named("SessionRecord")),
        Endpoint::get("/sessions", "list_sessions", records::list(&SESSIONS))
            .about("sessions", "Sessions, most recently updated first.")
            .answers(page_of("SessionRecord"))
            .filtered_by(&SESSIONS)
            .paged()
            .refuses(&[422, 503]),
        Endpoint::get("/sessions/{session_id}", "get_session", records::one(&SESSIONS))
            .about("sessions", "One session.")
            .answers(named("SessionRecord"))
            .refuses(&[404, 503]),
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
            .answers(named("PolicyPackCatalog")),
        Endpoint::get("/compliance/mappings", "compliance_mappings", get(handlers::compliance_mappings))
            .about("policy", "Controls that the packs map to.")
            .answers(array_of("ComplianceMapping"))
            .filtered_by_name("policy_pack"),
    ]
}

/// The whole application.
pub fn router(app: App, guard: HostGuard, telemetry: Telemetry) -> Router {
    let rows = endpoints();
    let document = openapi::build(&rows);
    let routes = rows.into_iter().fold(Router::new(), |router, row| router.route(row.path, row.handler));
    routes
        .with_state(app)
        .route("/metrics", get(move || async move { metrics_page(&telemetry) }))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response(problem::shape))
        .layer(from_fn_with_state(guard, check_host))
        .layer(from_fn(measure))
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed to answer").into_response()
        }))
}

fn metrics_page(telemetry: &Telemetry) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry.render()).into_response()
}
