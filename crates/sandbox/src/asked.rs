use axum::Form;
use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

/// What was posted, as JSON by a program or as a form by a page; the answer takes the same shape.
pub(crate) struct Asked<T> {
    pub(crate) content: T,
    pub(crate) by: By,
}

/// Who posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Program,
    Page,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Asked<T>, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with("application/json")) {
            let Json(content) = Json::from_request(request, state).await.map_err(malformed)?;
            Ok(Asked { content, by: By::Program })
        } else {
            let Form(content) = Form::from_request(request, state).await.map_err(malformed)?;
            Ok(Asked { content, by: By::Page })
        }
    }
}

fn malformed(cause: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": "malformed", "message": cause.to_string() })))
        .into_response()
}
