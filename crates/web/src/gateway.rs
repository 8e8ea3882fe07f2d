//! The way in for terminals: one WebSocket each, over TLS with the terminal's own certificate (M19).
//!
//! A connection is served message by message, in order. What a terminal may not lose is a record, and is answered and
//! acknowledged by [`flows::purchase::take`]; a tap that breaks off is begun again by the terminal.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use flows::rows::Enrolment;
use flows::{School, terminal, terminal_link};
use link::{FRAME_LIMIT, ToPlatform, VERSION};

/// A connection that says nothing for so long is dead.
const SILENCE: Duration = Duration::from_secs(75);

/// SHA-256 of the certificate that the terminal showed; put into the request by the TLS listener, which has checked that
/// this school signed it.
#[derive(Clone, Copy, Debug)]
pub struct PeerCertificate(pub [u8; 32]);

/// The address that terminals connect to: `/link/v1`. To be served only behind mutual TLS.
pub fn router(school: School) -> Router {
    Router::new().route("/link/v1", any(connect)).with_state(school)
}

async fn connect(
    State(school): State<School>,
    Extension(peer): Extension<Option<PeerCertificate>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(PeerCertificate(certificate)) = peer else {
        return (StatusCode::UNAUTHORIZED, "a terminal certificate is needed\n").into_response();
    };
    match terminal::by_certificate(&school, certificate).await {
        Ok(Some(enrolment)) => {
            upgrade.max_message_size(FRAME_LIMIT).on_upgrade(move |socket| serve(socket, school, enrolment))
        }
        Ok(None) => (StatusCode::FORBIDDEN, "this terminal is not enrolled\n").into_response(),
        Err(fault) => {
            tracing::error!(%fault, "a terminal could not be looked up");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn serve(mut socket: WebSocket, school: School, enrolment: Enrolment) {
    let terminal = enrolment.terminal;
    tracing::info!(%terminal, "terminal {terminal} connected");
    let mut greeted = false;
    loop {
        let frame = match tokio::time::timeout(SILENCE, socket.recv()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => frame,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None) | Err(_) => break,
        };
        let Ok(message) = link::decode::<ToPlatform>(&frame) else {
            tracing::warn!(%terminal, "terminal {terminal} sent a frame that is no message; connection closed");
            break;
        };
        let hello = matches!(message, ToPlatform::Hello { version: VERSION, .. });
        if hello == greeted {
            tracing::warn!(%terminal, "terminal {terminal} broke the order of messages or speaks another version");
            break;
        }
        greeted = true;
        for answer in terminal_link::answer(&school, &enrolment, message).await {
            let Ok(bytes) = link::encode(&answer) else { continue };
            if socket.send(Message::Binary(bytes.into())).await.is_err() {
                tracing::info!(%terminal, "terminal {terminal} went away in mid-answer");
                return;
            }
        }
    }
    tracing::info!(%terminal, "terminal {terminal} disconnected");
}
