//! The pure part: signatures, proofs and sealed resources, with keys made for the test.

use aws_lc_rs::rsa::KeyPair as RsaPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use pay::wechat::sign::{
    KeyFault, MerchantKey, PlatformKey, PlatformKeys, Proof, Request, ResourceKey, Sealed, Unproved,
};
use rcgen::{CertificateParams, PKCS_RSA_SHA256, SerialNumber};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::desk::{MERCHANT, NOW, OLD_PLATFORM, PLATFORM, STRANGER, fits, pem, private_der, public_der, sign};

fn merchant_key() -> MerchantKey {
    MerchantKey::from_pem("AB01", pem("PRIVATE KEY", &private_der(&MERCHANT)).as_bytes()).expect("a key")
}

fn platform_key(id: &str, key: &RsaPair) -> PlatformKey {
    PlatformKey::from_pem(id, pem("PUBLIC KEY", &public_der(key)).as_bytes()).expect("a key")
}

/// A self-signed certificate of `key` with this serial number.
pub fn certificate(key: &RsaPair, serial: &[u8]) -> String {
    certificate_of(key, serial, (2024, 2029))
}

/// As `certificate`, good from the first day of a year to the first of another.
pub fn certificate_of(key: &RsaPair, serial: &[u8], (from, to): (i32, i32)) -> String {
    let der = PrivatePkcs8KeyDer::from(private_der(key));
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).expect("a pair");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    pem("CERTIFICATE", params.self_signed(&pair).expect("a certificate").der())
}

#[test]
fn a_request_is_signed_over_five_lines_each_ended() {
    let key = merchant_key();
    let table = [
        ("GET", "/v3/certificates", &b""[..], "GET\n/v3/certificates\n1795449600\nN0\n\n"),
        ("GET", "/a?x=1&y=%20", b"", "GET\n/a?x=1&y=%20\n1795449600\nN0\n\n"),
        ("POST", "/v3/pay", b"{\"a\":\"\xE5\x8D\xA1\"}", "POST\n/v3/pay\n1795449600\nN0\n{\"a\":\"卡\"}\n"),
    ];
    for (method, target, body, signed) in table {
        // The fraction of a second is not rounded up.
        let at = Micros::new(NOW * 1_000_000 + 999_999);
        let header = key.authorization("190", &Request { method, target, at, nonce: "N0", body }).expect("a header");
        let signature = sign(&MERCHANT, signed.as_bytes());
        let expected = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"190\",nonce_str=\"N0\",signature=\"{signature}\",\
             timestamp=\"1795449600\",serial_no=\"AB01\""
        );
        assert_eq!(header, expected, "{method} {target}");
    }
    let pay_sign = key.pay_sign("wx1", "1795449600", "N0", "prepay_id=p").expect("a signature");
    assert!(fits(&MERCHANT, b"wx1\n1795449600\nN0\nprepay_id=p\n", &pay_sign));
}

#[test]
fn a_message_is_proved_by_the_key_it_names_while_old_and_new_live_side_by_side() {
    let keys = PlatformKeys::new(platform_key("PUB_KEY_ID_2", &PLATFORM), [platform_key("0A1B", &OLD_PLATFORM)]);
    assert_eq!(keys.preferred(Micros::from_seconds(NOW)), Some("PUB_KEY_ID_2"));
    let table = [
        ("PUB_KEY_ID_2", &*PLATFORM, Ok(())),
        ("0A1B", &*OLD_PLATFORM, Ok(())),
        ("0A1B", &*PLATFORM, Err(Unproved::WrongSignature)),
        ("PUB_KEY_ID_2", &*OLD_PLATFORM, Err(Unproved::WrongSignature)),
        ("PUB_KEY_ID_2", &*STRANGER, Err(Unproved::WrongSignature)),
        ("0a1b", &*OLD_PLATFORM, Err(Unproved::UnknownSerial)),
        ("PUB_KEY_ID_3", &*PLATFORM, Err(Unproved::UnknownSerial)),
        ("", &*PLATFORM, Err(Unproved::Malformed)),
    ];
    for body in [&b"{\"a\":1}"[..], b"", b"\xFF\x00\n"] {
        for (serial, key, expected) in table {
            let signature = sign(key, &[format!("{NOW}\nn\n").as_bytes(), body, b"\n"].concat());
            let proof = Proof { timestamp: &NOW.to_string(), nonce: "n", serial, signature: &signature };
            assert_eq!(keys.verify(&proof, body, Micros::from_seconds(NOW)), expected, "{serial}");
        }
    }
}

#[test]
fn the_window_is_five_minutes_either_way_to_the_microsecond() {
    let keys = PlatformKeys::new(platform_key("PUB_KEY_ID_2", &PLATFORM), []);
    let signature = sign(&PLATFORM, format!("{NOW}\nn\n\n").as_bytes());
    let proof = Proof { timestamp: &NOW.to_string(), nonce: "n", serial: "PUB_KEY_ID_2", signature: &signature };
    let table = [
        (300_000_000, Ok(())),
        (-300_000_000, Ok(())),
        (300_000_001, Err(Unproved::Stale)),
        (-300_000_001, Err(Unproved::Stale)),
        (86_400_000_000, Err(Unproved::Stale)),
    ];
    for (micros, expected) in table {
        assert_eq!(keys.verify(&proof, b"", Micros::new(NOW * 1_000_000 + micros)), expected, "{micros}");
    }
    let ends = [Micros::new(i64::MIN), Micros::new(i64::MAX)];
    assert!(ends.iter().all(|now| keys.verify(&proof, b"", *now) == Err(Unproved::Stale)));
}

#[test]
fn key_files_are_read_for_what_they_are() {
    let (pkcs8, spki) = (private_der(&MERCHANT), public_der(&PLATFORM));
    // PKCS#8 of an RSA-2048 key is a header of 26 bytes before the PKCS#1 key.
    let pkcs1 = pem("RSA PRIVATE KEY", &pkcs8[26..]);
    let private = |text: &str| MerchantKey::from_pem("AB01", text.as_bytes()).err();
    assert_eq!(private(&pem("PRIVATE KEY", &pkcs8)), None);
    assert_eq!(private(&pkcs1), None);
    assert_eq!(private(&pem("PUBLIC KEY", &spki)), Some(KeyFault::WrongKind));
    assert_eq!(private(&pem("PRIVATE KEY", &spki)), Some(KeyFault::NotRsa));
    assert_eq!(private(""), Some(KeyFault::NotPem));
    assert_eq!(private("-----BEGIN PRIVATE KEY-----\nAAAA\n"), Some(KeyFault::NotPem));

    let curve = rcgen::KeyPair::generate().expect("a P-256 key");
    let certificate = certificate(&PLATFORM, &[0x7C, 0x26, 0x01]);
    let public = |id: &str, text: &str| PlatformKey::from_pem(id, text.as_bytes()).err();
    assert_eq!(public("PUB_KEY_ID_2", &pem("PUBLIC KEY", &spki)), None);
    assert_eq!(public("7C2601", &certificate), None);
    assert_eq!(public("7C2602", &certificate), Some(KeyFault::OtherSerial));
    assert_eq!(public("PUB_KEY_ID_2", &certificate), Some(KeyFault::OtherSerial));
    assert_eq!(public("PUB_KEY_ID_2", &pem("PRIVATE KEY", &pkcs8)), Some(KeyFault::WrongKind));
    assert_eq!(public("PUB_KEY_ID_2", &curve.public_key_pem()), Some(KeyFault::NotRsa));
    assert_eq!(public("PUB_KEY_ID_2", &pem("PUBLIC KEY", &short_rsa_key())), Some(KeyFault::NotRsa));
    assert_eq!(public("PUB_KEY_ID_2", &pem("CERTIFICATE", &spki)), Some(KeyFault::NotPem));
    assert_eq!(public("PUB_KEY_ID_2", "MIIB"), Some(KeyFault::NotPem));
}

/// SubjectPublicKeyInfo of an RSA key of 1024 bits, written by hand.
fn short_rsa_key() -> Vec<u8> {
    let mut modulus = vec![0x02, 0x81, 0x81, 0x00];
    modulus.extend([0xFF; 128]);
    let numbers = [modulus, vec![0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let key = [vec![0x30, 0x81, 0x89], numbers].concat();
    let algorithm = [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = [vec![0x03, 0x81, 0x8D, 0x00], key].concat();
    [vec![0x30, 0x81, 0x9F], algorithm.to_vec(), bits].concat()
}

#[test]
fn a_certificate_s_key_verifies_what_its_owner_signs() {
    let key = PlatformKey::from_pem("7C2601", certificate(&PLATFORM, &[0x7C, 0x26, 0x01]).as_bytes()).expect("a key");
    assert!(!key.belongs_to(&merchant_key()));
    let keys = PlatformKeys::new(key, []);
    let signature = sign(&PLATFORM, format!("{NOW}\nn\nbody\n").as_bytes());
    let proof = Proof { timestamp: &NOW.to_string(), nonce: "n", serial: "7C2601", signature: &signature };
    assert_eq!(keys.verify(&proof, b"body", Micros::from_seconds(NOW)), Ok(()));
    assert!(platform_key("PUB_KEY_ID_2", &MERCHANT).belongs_to(&merchant_key()));
}

#[test]
fn resources_open_as_aes_256_gcm_says() {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13 and 14: zero key, zero nonce.
    let key = ResourceKey::new(&[0; 32]).expect("a key");
    let nonce = "\0".repeat(12);
    let tag_alone = [0x53, 0x0F, 0x8A, 0xFB, 0xC7, 0x45, 0x36, 0xB9, 0xA9, 0x63, 0xB4, 0xF1, 0xC4, 0xCB, 0x73, 0x8B];
    let sixteen = [
        0xCE, 0xA7, 0x40, 0x3D, 0x4D, 0x60, 0x6B, 0x6E, 0x07, 0x4E, 0xC5, 0xD3, 0xBA, 0xF3, 0x9D, 0x18, 0xD0, 0xD1,
        0xC8, 0xA7, 0x99, 0x99, 0x6B, 0xF0, 0x26, 0x5B, 0x98, 0xB5, 0xD4, 0x8A, 0xB9, 0x19,
    ];
    assert_eq!(key.open(&nonce, "", &STANDARD.encode(tag_alone)), Ok(Vec::new()));
    assert_eq!(key.open(&nonce, "", &STANDARD.encode(sixteen)), Ok(vec![0; 16]));

    let whole = STANDARD.encode(sixteen);
    let mut bent = sixteen;
    bent[31] ^= 1;
    let table = [
        (nonce.as_str(), "", STANDARD.encode(bent)),
        (nonce.as_str(), "x", whole.clone()),
        ("\0\0\0\0\0\0\0\0\0\0\0\u{1}", "", whole.clone()),
        ("\0", "", whole.clone()),
        ("", "", whole.clone()),
        (nonce.as_str(), "", STANDARD.encode(&sixteen[..31])),
        (nonce.as_str(), "", STANDARD.encode([0; 15])),
        (nonce.as_str(), "", String::new()),
        (nonce.as_str(), "", format!("{whole}%")),
    ];
    for (nonce, associated, ciphertext) in table {
        assert_eq!(key.open(nonce, associated, &ciphertext), Err(Sealed), "{nonce:?} {associated:?} {ciphertext}");
    }
    assert_eq!(ResourceKey::new(&[1; 32]).expect("a key").open(&nonce, "", &whole), Err(Sealed));
}
