//! The contents page: every address, and who answers it.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

use crate::config::Web;
use crate::failure::Failure;
use crate::{
    assets, change_password, display, failure, headers, home, notice, order, pay, records, sign_in, top_up, wechat,
};

/// No body is larger.
const LARGEST_BODY: usize = 64 * 1024;

/// Everything that browsers, programs of holders and payment providers ask for. Terminals come in by
/// [`crate::gateway::router`].
pub fn router(web: Web) -> Router {
    let mut routes = Router::new()
        .route("/", get(home::front))
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-out", post(sign_in::out))
        .route("/continue", get(sign_in::resume))
        .route("/password", get(change_password::page).post(change_password::submit))
        .route("/me", get(home::page))
        .route("/me/topup", get(top_up::page).post(top_up::submit))
        .route("/me/orders/{order}", get(order::page).post(order::look))
        .route("/me/orders/{order}/status", get(order::status))
        .route("/me/records", get(records::page))
        .route("/me/records/{number}", get(records::one))
        .route("/pay/{order}", get(pay::page))
        .route("/wechat/return", get(wechat::come_back))
        .route("/display", post(display::set))
        .route("/api/v1/me", get(home::json))
        .route("/api/v1/me/topup", post(top_up::json))
        .route("/api/v1/me/orders/{order}", get(order::json))
        .route("/api/v1/me/records", get(records::json))
        .route("/notify/wechat", post(notice::wechat))
        .route("/assets/{file}", get(assets::file))
        .route("/healthz", get(health));
    for (name, content) in web.config.domain_checks.clone() {
        routes = routes.route(&format!("/{name}"), get(|| async { content }));
    }
    routes
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotAllowed })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(web.clone(), failure::own_origin))
        .layer(from_fn_with_state(web.clone(), failure::boundary))
        .layer(from_fn_with_state(web.clone(), headers::add))
        .layer(CompressionLayer::new())
        .with_state(web)
}

/// `GET /healthz`: 200 when committed rows can be read.
async fn health(State(web): State<Web>) -> Result<&'static str, Failure> {
    flows::settings::limits(&web.school).await?;
    Ok("ok\n")
}
