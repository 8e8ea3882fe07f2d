use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::{Pem, parse_x509_pem};

use crate::config::WechatSetup;

/// The platform's keys: they check the merchant, sign for the platform and seal what a notice carries.
///
/// Source: WeChat Pay API v3, signature and callback decryption. It has no `Debug`.
pub(crate) struct WechatKeys {
    merchant: ParsedPublicKey,
    platform: RsaKeyPair,
    seal: LessSafeKey,
}

/// A key of the WeChat part cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WechatKeysError {
    /// Neither a certificate nor a public key in PEM.
    #[error("the merchant key is neither a PEM certificate nor a PEM public key")]
    MerchantKey,
    /// The certificate names another serial number than the configuration.
    #[error("the merchant certificate has serial number {found}, the configuration says otherwise")]
    MerchantSerial {
        /// What the certificate says, upper-case hex.
        found: String,
    },
    /// Not an RSA key of 2,048 bits or more in PKCS#8 PEM.
    #[error("the platform private key is not a PKCS#8 PEM RSA key")]
    PlatformKey,
    /// Not `PUB_KEY_ID_` and digits.
    #[error("the platform key's name must be PUB_KEY_ID_ and digits")]
    PlatformKeyId,
    /// Not 32 characters.
    #[error("the APIv3 key must have 32 characters")]
    Apiv3Key,
}

impl WechatKeys {
    /// Errors, in order: `MerchantKey`, `MerchantSerial`, `PlatformKey`, `PlatformKeyId`, `Apiv3Key`.
    pub(crate) fn read(setup: &WechatSetup) -> Result<WechatKeys, WechatKeysError> {
        let merchant = merchant_key(setup)?;

        let (_, pem) =
            parse_x509_pem(setup.platform_private_key_pem.as_bytes()).map_err(|_| WechatKeysError::PlatformKey)?;
        let platform = RsaKeyPair::from_pkcs8(&pem.contents).map_err(|_| WechatKeysError::PlatformKey)?;

        let digits = setup.platform_key_id.strip_prefix("PUB_KEY_ID_").ok_or(WechatKeysError::PlatformKeyId)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WechatKeysError::PlatformKeyId);
        }
        let seal = UnboundKey::new(&AES_256_GCM, setup.apiv3_key.as_bytes()).map_err(|_| WechatKeysError::Apiv3Key)?;
        Ok(WechatKeys { merchant, platform, seal: LessSafeKey::new(seal) })
    }

    /// Whether the merchant signed `message`; `signature` is the Base64 text as received.
    pub(crate) fn merchant_signed(&self, message: &[u8], signature: &str) -> bool {
        STANDARD.decode(signature).is_ok_and(|signature| self.merchant.verify_sig(message, &signature).is_ok())
    }

    /// The platform's signature of `message`, Base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.platform.public_modulus_len()];
        self.platform
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("a signature as long as the modulus is always made");
        STANDARD.encode(signature)
    }

    /// `plain` sealed under the APIv3 key: Base64 of the ciphertext and its 16-byte tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], associated: &str, plain: &str) -> String {
        let mut sealed = plain.as_bytes().to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.seal
            .seal_in_place_append_tag(nonce, Aad::from(associated.as_bytes()), &mut sealed)
            .expect("a message of a few kilobytes is always sealed");
        STANDARD.encode(sealed)
    }
}

fn merchant_key(setup: &WechatSetup) -> Result<ParsedPublicKey, WechatKeysError> {
    let (_, pem) = parse_x509_pem(setup.merchant_key_pem.as_bytes()).map_err(|_| WechatKeysError::MerchantKey)?;
    let spki = if pem.label == "CERTIFICATE" { spki_of_certificate(&pem, setup)? } else { pem.contents };
    ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, spki).map_err(|_| WechatKeysError::MerchantKey)
}

fn spki_of_certificate(pem: &Pem, setup: &WechatSetup) -> Result<Vec<u8>, WechatKeysError> {
    let certificate = pem.parse_x509().map_err(|_| WechatKeysError::MerchantKey)?;
    let found: String = certificate.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect();
    // A leading zero byte is how DER writes a number whose top bit is set; the portal shows none.
    let found = found.trim_start_matches("00").to_owned();
    if !found.eq_ignore_ascii_case(&setup.merchant_serial) {
        return Err(WechatKeysError::MerchantSerial { found });
    }
    Ok(certificate.public_key().raw.to_vec())
}
