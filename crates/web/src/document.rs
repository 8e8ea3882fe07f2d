//! A document for its reader to keep: as PDF, or as a workbook for a spreadsheet.

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use report::document::Document;
use report::document::pdf::PdfError;
use report::document::typeface::TypefaceError;

use crate::config::Web;
use crate::failure::Failure;

const PDF: HeaderValue = HeaderValue::from_static("application/pdf");
const XLSX: HeaderValue = HeaderValue::from_static("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");

/// The document as a PDF file named `file`. `page` is the page that says the same: it is offered when there is no font.
///
/// Shape: `file` has letters, digits, `-` and `.`. Errors: `NoPdf`, `Internal`.
pub(crate) async fn pdf(web: &Web, document: Document, file: &str, page: &str) -> Result<Response, Failure> {
    let typefaces = web.config.typefaces.clone();
    let made = tokio::task::spawn_blocking(move || -> Result<Vec<u8>, NotMade> {
        Ok(report::document::pdf::pdf(&document, typefaces.get()?)?)
    });
    match made.await {
        Ok(Ok(bytes)) => Ok(kept(bytes, PDF, file)),
        Ok(Err(fault)) => {
            tracing::error!(%fault, "a document cannot be given as PDF");
            Err(Failure::NoPdf { page: page.to_owned() })
        }
        Err(fault) => Err(broken(&fault)),
    }
}

/// The document as an XLSX file named `file`. Shape: as [`pdf`]. Errors: `Internal`.
pub(crate) async fn workbook(document: Document, file: &str) -> Result<Response, Failure> {
    let made = tokio::task::spawn_blocking(move || report::document::workbook::workbook(&document)).await;
    match made {
        Ok(Ok(bytes)) => Ok(kept(bytes, XLSX, file)),
        Ok(Err(fault)) => Err(broken(&fault)),
        Err(fault) => Err(broken(&fault)),
    }
}

/// A file that the browser keeps instead of showing it.
pub(crate) fn kept(bytes: impl Into<Bytes>, kind: HeaderValue, file: &str) -> Response {
    let mut answer = ([(header::CONTENT_TYPE, kind)], bytes.into()).into_response();
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    answer
}

#[derive(Debug, thiserror::Error)]
enum NotMade {
    #[error(transparent)]
    Typeface(#[from] TypefaceError),
    #[error(transparent)]
    Pdf(#[from] PdfError),
}

fn broken(fault: &dyn std::error::Error) -> Failure {
    tracing::error!(%fault, "a document cannot be made");
    Failure::Internal
}
