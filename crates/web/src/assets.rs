//! The style sheet, the script and the icon, built in, at addresses that change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

/// A file of ours that never changes at its address.
pub(crate) struct Asset {
    /// Where it is found.
    pub(crate) path: String,
    kind: &'static str,
    content: &'static str,
}

fn asset(name: &str, kind: &'static str, content: &'static str) -> Asset {
    let hash = blake3::hash(content.as_bytes()).to_hex();
    Asset { path: format!("/assets/{}-{name}", &hash[..12]), kind, content }
}

pub(crate) static CSS: LazyLock<Asset> =
    LazyLock::new(|| asset("app.css", "text/css; charset=utf-8", include_str!("../assets/app.css")));
pub(crate) static JS: LazyLock<Asset> =
    LazyLock::new(|| asset("app.js", "text/javascript; charset=utf-8", include_str!("../assets/app.js")));
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")));

/// `GET /assets/{file}`
pub(crate) async fn file(Path(file): Path<String>) -> Result<Response, Failure> {
    let path = format!("/assets/{file}");
    let asset = [&CSS, &JS, &ICON].into_iter().find(|asset| asset.path == path).ok_or(Failure::NotFound)?;
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.content).into_response())
}
