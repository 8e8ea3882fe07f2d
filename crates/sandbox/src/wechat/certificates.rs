//! The platform's certificates, for merchants that check answers with them.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::answer::Failure;
use crate::sandbox::Sandbox;
use crate::{beijing, random};

/// `GET /v3/certificates`: each certificate sealed under the APIv3 key.
///
/// Errors: 404 `RESOURCE_NOT_EXISTS` where the merchant only knows the public key.
pub(crate) async fn list(State(sandbox): State<Sandbox>) -> Result<Json<Value>, Failure> {
    let switches = sandbox.look(|records| records.switches.clone());
    let certificates = sandbox.keys().certificates(&switches);
    if certificates.is_empty() {
        return Err(Failure::no_certificates());
    }
    let associated_data = "certificate";
    let items = certificates.into_iter().map(|one| {
        let nonce = random::letters(12);
        let nonce_bytes = nonce.as_bytes().try_into().expect("twelve ASCII letters are twelve bytes");
        json!({
            "serial_no": one.signer.serial,
            "effective_time": beijing::rfc3339(one.effective_at),
            "expire_time": beijing::rfc3339(one.expires_at),
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM",
                "associated_data": associated_data,
                "ciphertext": sandbox.keys().seal(nonce_bytes, associated_data, &one.pem),
                "nonce": nonce,
            },
        })
    });
    Ok(Json(json!({ "data": items.collect::<Vec<_>>() })))
}
