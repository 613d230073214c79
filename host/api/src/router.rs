//! The router made from the endpoint table, and what stands around every endpoint.

use std::sync::Arc;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use cavra_core::App;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::admission::{Admission, admit};
use crate::browser;
use crate::guard::{Guard, HostGuard, check_caller};
use crate::guide;
use crate::handlers::artifacts::EXPOSED;
use crate::handlers::console::ConsoleEndpoints;
use crate::load::Load;
use crate::openapi;
use crate::problem::{self, Problem};
use crate::routes::endpoints;
use crate::telemetry::{Telemetry, measure};

/// The whole application.
pub fn router(app: &App, guard: HostGuard, telemetry: Telemetry, load: &Arc<Load>) -> Router {
    let rows = endpoints();
    let document = openapi::build(&rows);
    let console = ConsoleEndpoints::of(&rows);
    let cors = cors(&app.settings.cors_origins);
    let guard = Guard::new(guard, &app.settings.cors_origins, &app.settings.public_api_base_url);
    let routes = rows.into_iter().fold(Router::new(), |router, row| {
        let admission = Admission {
            app: app.clone(),
            load: Arc::clone(load),
            access: row.access,
            intake: row.intake,
            exact: row.exact,
            work: row.work,
            effect: row.effect,
        };
        router.route(row.path, row.handler.route_layer(from_fn_with_state(admission, admit)))
    });
    let router = routes
        .layer(Extension(console))
        .layer(Extension(telemetry))
        .with_state(app.clone())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .merge(guide::pages())
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") })
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
        .layer(map_response(browser::restrict))
}

/// The OpenAPI document as JSON text, pretty, with a final newline.
///
/// # Errors
/// If the document cannot be written as JSON.
pub fn openapi_document() -> Result<String, serde_json::Error> {
    let mut text = openapi::build(&endpoints()).to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// Browsers of the listed origins may call; without any there are no such headers at all. docs/reference/approvals-identity-authoring.md, section 7.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse::<HeaderValue>().ok()))
    };
    let exposed = EXPOSED.into_iter().chain([header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::ACCEPT_ENCODING]);
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.collect::<Vec<_>>());
    Some(cors)
}
