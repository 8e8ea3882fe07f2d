//! The contents page: every address, and who answers it.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};
use tower_http::compression::CompressionLayer;

use crate::config::Web;
use crate::failure::Failure;
use crate::{
    api, assets, card, change_password, display, events, failure, guide, headers, home, messages, notice, order, pay,
    proof, records, security, sign_in, spending, statements, tokens, top_up, wechat,
};

/// No body is larger.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

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
        .route("/me/records", get(records::list::page))
        .route("/me/records.csv", get(records::list::file))
        .route("/me/records/{number}", get(records::one))
        .route("/me/card", get(card::page))
        .route("/me/card/loss", get(card::ask).post(card::report))
        .route("/me/security/tokens", get(tokens::page).post(tokens::submit))
        .route("/me/security/tokens/{token}/revoke", post(tokens::end))
        .route("/me/statements", get(statements::page))
        .route("/me/statements/{month}", get(statements::one))
        .route("/me/spending", get(spending::page))
        .route("/pay/{order}", get(pay::page))
        .route("/wechat/return", get(wechat::come_back))
        .route("/wechat/enter", get(wechat::come))
        .route("/prove", get(proof::page).post(proof::submit))
        .route("/me/security", get(security::page))
        .route("/me/security/sessions", post(security::end))
        .route("/me/security/wechat", get(security::wechat_page).post(security::bind_wechat))
        .route("/me/security/wechat/end", post(security::unbind_wechat))
        .route("/api/v1/me/security", get(api::security::json))
        .route("/api/v1/me/sessions", get(api::security::sessions).delete(api::security::end_others))
        .route("/api/v1/me/sessions/{id}", delete(api::security::end))
        .route("/api/v1/me/wechat", delete(api::security::end_wechat))
        .route("/api/v1/me/proof", post(proof::json))
        .route("/api/v1/me/password", post(change_password::json))
        .route("/display", post(display::set))
        .route("/help", get(guide::contents))
        .route("/help/all", get(guide::whole))
        .route("/help/guide.pdf", get(guide::pdf))
        .route("/help/{topic}", get(guide::chapter))
        .route("/api/v1/openapi.json", get(api::served))
        .route("/api/v1/me", get(api::me::json))
        .route("/api/v1/me/topup", get(api::top_up::json).post(api::orders::make))
        .route("/api/v1/me/orders/{order}", get(api::orders::one))
        .route("/api/v1/me/orders/{order}/check", post(api::orders::check))
        .route("/api/v1/me/records", get(api::records::json))
        .route("/api/v1/me/records/{number}", get(api::records::one))
        .route("/me/messages", get(messages::page).post(messages::read))
        .route("/api/v1/me/messages", get(api::messages::json))
        .route("/api/v1/me/messages/read", post(api::messages::read))
        .route("/api/v1/me/statements", get(api::statements::list))
        .route("/api/v1/me/statements/{month}", get(api::statements::one))
        .route("/api/v1/me/spending", get(api::statements::spent))
        .route("/api/v1/guide", get(api::guide::whole))
        .route("/api/v1/channels", get(api::guide::channels))
        .route("/api/v1/events", get(events::json))
        .route("/api/v1/me/card", get(api::card::json))
        .route("/api/v1/me/card/loss", post(api::card::report))
        .route("/notify/wechat", post(notice::wechat))
        .route("/assets/{file}", get(assets::file))
        .route("/healthz", get(health));
    for (name, content) in web.config.domain_checks.clone() {
        routes = routes.route(&format!("/{name}"), get(|| async { content }));
    }
    whole(routes, web)
}

/// The routes with what is answered elsewhere, and with what lies around all of them.
fn whole(routes: Router<Web>, web: Web) -> Router {
    routes
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotAllowed })
        // The first is the outermost. One layer of three, because each by itself boxes and copies the whole of its inside
        // once more for every request.
        .layer((CompressionLayer::new(), from_fn_with_state(web.clone(), around), DefaultBodyLimit::max(LARGEST_BODY)))
        .with_state(web)
}

/// What lies around every answer: from without to within its headers, the face of a failure and its deadline, the origin.
async fn around(State(web): State<Web>, request: Request, next: Next) -> Response {
    let pay = request.uri().path().starts_with("/pay/");
    let answer = failure::boundary(&web, request, next).await;
    headers::add(&web, pay, answer)
}

/// `GET /healthz`: 200 when committed rows can be read.
async fn health(State(web): State<Web>) -> Result<&'static str, Failure> {
    flows::settings::limits(&web.school).await?;
    Ok("ok\n")
}
