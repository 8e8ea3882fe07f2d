use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use x509_parser::pem::{Pem, parse_x509_pem};

use crate::config::{PlatformCertificate, WechatSetup};
use crate::switches::{Set, Switch, Switches, Way};

/// The platform's keys: they check the merchant, sign for the platform and seal what a notice carries.
///
/// Source: WeChat Pay API v3, signature and callback decryption. It has no `Debug`.
pub(crate) struct WechatKeys {
    merchant: ParsedPublicKey,
    public: Signer,
    certificates: Vec<Certificate>,
    seal: LessSafeKey,
}

/// A private key of the platform and the name under which the merchant knows its other half.
pub(crate) struct Signer {
    /// `PUB_KEY_ID_...` or the serial number of a certificate, upper-case hex.
    pub(crate) serial: String,
    pair: RsaKeyPair,
    opener: OaepPrivateDecryptingKey,
}

/// A platform certificate.
pub(crate) struct Certificate {
    pub(crate) signer: Signer,
    pub(crate) pem: String,
    pub(crate) effective_at: Micros,
    pub(crate) expires_at: Micros,
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
    /// Not a PEM certificate.
    #[error("a platform certificate is not a PEM certificate")]
    PlatformCertificate,
    /// Not 32 characters.
    #[error("the APIv3 key must have 32 characters")]
    Apiv3Key,
}

impl WechatKeys {
    /// Errors, in order: `MerchantKey`, `MerchantSerial`, `PlatformKeyId`, `PlatformKey`, `PlatformCertificate`,
    /// `Apiv3Key`.
    pub(crate) fn read(setup: &WechatSetup) -> Result<WechatKeys, WechatKeysError> {
        let merchant = merchant_key(setup)?;
        let digits = setup.platform_key_id.strip_prefix("PUB_KEY_ID_").ok_or(WechatKeysError::PlatformKeyId)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WechatKeysError::PlatformKeyId);
        }
        let public = Signer::read(setup.platform_key_id.clone(), &setup.platform_private_key_pem)?;
        let certificates = setup.platform_certificates.iter().map(Certificate::read).collect::<Result<_, _>>()?;
        let seal = UnboundKey::new(&AES_256_GCM, setup.apiv3_key.as_bytes()).map_err(|_| WechatKeysError::Apiv3Key)?;
        Ok(WechatKeys { merchant, public, certificates, seal: LessSafeKey::new(seal) })
    }

    /// Whether the merchant signed `message`; `signature` is the Base64 text as received.
    pub(crate) fn merchant_signed(&self, message: &[u8], signature: &str) -> bool {
        STANDARD.decode(signature).is_ok_and(|signature| self.merchant.verify_sig(message, &signature).is_ok())
    }

    /// How many platform certificates there are.
    pub(crate) fn certificate_count(&self) -> usize {
        self.certificates.len()
    }

    /// The platform certificates that the merchant may know now, the one that signs first.
    pub(crate) fn certificates(&self, switches: &Switches) -> Vec<&Certificate> {
        if switches.standing(Switch::Keys).way == Way::PublicKey {
            return Vec::new();
        }
        let order: &[usize] = match switches.standing(Switch::Certificates).way {
            Way::FirstOfTwo => &[0, 1],
            Way::SecondOfTwo => &[1, 0],
            Way::Second => &[1],
            _ => &[0],
        };
        order.iter().filter_map(|place| self.certificates.get(*place)).collect()
    }

    /// The key with which an answer is signed: that which the request names, if the merchant may know it now; the
    /// certificate's where it names none and there is one.
    pub(crate) fn for_answer(&self, named: Option<&str>, switches: &Switches) -> Option<&Signer> {
        let Set { way, .. } = switches.standing(Switch::Keys);
        let certificates = self.certificates(switches);
        match named {
            None => certificates.first().map(|one| &one.signer),
            Some(name) if name == self.public.serial => (way != Way::Certificate).then_some(&self.public),
            Some(name) => {
                let mut signers = certificates.into_iter().map(|one| &one.signer);
                signers.find(|signer| signer.serial.eq_ignore_ascii_case(name))
            }
        }
    }

    /// The key of an answer to a request that names none that can be used.
    pub(crate) fn usual(&self, switches: &Switches) -> &Signer {
        let certificate = self.certificates(switches).into_iter().next().map(|one| &one.signer);
        match switches.standing(Switch::Keys).way {
            Way::Certificate => certificate.unwrap_or(&self.public),
            _ => &self.public,
        }
    }

    /// The key with which a notice is signed.
    pub(crate) fn for_notice(&self, by_public_key: bool, switches: &Switches) -> &Signer {
        let certificate = self.certificates(switches).into_iter().next().map(|one| &one.signer);
        certificate.filter(|_| !by_public_key).unwrap_or(&self.public)
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

impl Signer {
    fn read(serial: String, private_key_pem: &str) -> Result<Signer, WechatKeysError> {
        let (_, pem) = parse_x509_pem(private_key_pem.as_bytes()).map_err(|_| WechatKeysError::PlatformKey)?;
        let pair = RsaKeyPair::from_pkcs8(&pem.contents).map_err(|_| WechatKeysError::PlatformKey)?;
        let key = PrivateDecryptingKey::from_pkcs8(&pem.contents).map_err(|_| WechatKeysError::PlatformKey)?;
        let opener = OaepPrivateDecryptingKey::new(key).map_err(|_| WechatKeysError::PlatformKey)?;
        Ok(Signer { serial, pair, opener })
    }

    /// The platform's signature of `message`, Base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("a signature as long as the modulus is always made");
        STANDARD.encode(signature)
    }

    /// What the merchant encrypted for the platform (OAEP, SHA-1), if it is text under this very key.
    pub(crate) fn open(&self, ciphertext: &str) -> Option<String> {
        let ciphertext = STANDARD.decode(ciphertext).ok()?;
        let mut plain = vec![0; self.opener.min_output_size()];
        let plain = self.opener.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plain, None).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

impl Certificate {
    fn read(setup: &PlatformCertificate) -> Result<Certificate, WechatKeysError> {
        let wrong = WechatKeysError::PlatformCertificate;
        let (_, pem) = parse_x509_pem(setup.certificate_pem.as_bytes()).map_err(|_| wrong.clone())?;
        let certificate = pem.parse_x509().map_err(|_| wrong)?;
        let validity = certificate.validity();
        Ok(Certificate {
            effective_at: Micros::from_seconds(validity.not_before.timestamp()),
            expires_at: Micros::from_seconds(validity.not_after.timestamp()),
            signer: Signer::read(serial_text(certificate.raw_serial()), &setup.private_key_pem)?,
            pem: setup.certificate_pem.clone(),
        })
    }
}

/// A leading zero byte is how DER writes a number whose top bit is set; the portal shows none.
fn serial_text(raw: &[u8]) -> String {
    raw.iter().skip_while(|byte| **byte == 0).map(|byte| format!("{byte:02X}")).collect()
}

fn merchant_key(setup: &WechatSetup) -> Result<ParsedPublicKey, WechatKeysError> {
    let (_, pem) = parse_x509_pem(setup.merchant_key_pem.as_bytes()).map_err(|_| WechatKeysError::MerchantKey)?;
    let spki = if pem.label == "CERTIFICATE" { spki_of_certificate(&pem, setup)? } else { pem.contents };
    ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, spki).map_err(|_| WechatKeysError::MerchantKey)
}

fn spki_of_certificate(pem: &Pem, setup: &WechatSetup) -> Result<Vec<u8>, WechatKeysError> {
    let certificate = pem.parse_x509().map_err(|_| WechatKeysError::MerchantKey)?;
    let found = serial_text(certificate.raw_serial());
    if !found.eq_ignore_ascii_case(&setup.merchant_serial) {
        return Err(WechatKeysError::MerchantSerial { found });
    }
    Ok(certificate.public_key().raw.to_vec())
}
