//! The official account's callback.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pay::wechat::account::callback::{CallbackCipher, CallbackFault, encrypted_part, proves_address};

const TOKEN: &str = "campuscard2026";
/// 43 characters of which the last has bits that are left over.
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APPID: &str = "wx8888888888888888";

fn cipher() -> CallbackCipher {
    CallbackCipher::new(TOKEN, AES_KEY, APPID).expect("a cipher")
}

fn sha1(mut parts: Vec<&str>) -> String {
    parts.sort_unstable();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes of the key, by hand: six bits of each character.
fn key() -> [u8; 32] {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = Vec::new();
    for character in AES_KEY.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character).expect("Base64");
        bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
    }
    let mut key = [0; 32];
    for (byte, bits) in key.iter_mut().zip(bits.chunks(8)) {
        *byte = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    }
    key
}

/// Base64 of `clear`, encrypted as it is.
fn encrypted(mut clear: Vec<u8>) -> String {
    let iv: [u8; 16] = key()[..16].try_into().expect("16");
    let cbc = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &key()).expect("a key")).expect("a key");
    cbc.less_safe_encrypt(&mut clear, EncryptionContext::Iv128(FixedLength::from(iv))).expect("encrypts");
    STANDARD.encode(clear)
}

/// Random bytes, length, message, appid, and padding to 32.
fn padded(xml: &str, appid: &str) -> Vec<u8> {
    let length = u32::try_from(xml.len()).expect("short").to_be_bytes();
    let mut clear = [&b"0123456789abcdef"[..], &length, xml.as_bytes(), appid.as_bytes()].concat();
    let missing = 32 - clear.len() % 32;
    clear.extend(vec![u8::try_from(missing).expect("32"); missing]);
    clear
}

fn open(encrypt: &str) -> Result<String, CallbackFault> {
    let signature = sha1(vec![TOKEN, "1795449600", "N0", encrypt]);
    cipher().open("1795449600", "N0", &signature, encrypt)
}

#[test]
fn the_address_check_wants_the_signature_of_the_sorted_three() {
    // `echo -n "1795449600N0campuscard2026" | sha1sum`: digits before capitals before small letters.
    let good = sha1(vec![TOKEN, "1795449600", "N0"]);
    assert_eq!(good, sha1(vec!["1795449600N0campuscard2026"]));
    assert!(proves_address(TOKEN, "1795449600", "N0", &good));
    for (timestamp, nonce, signature) in [
        ("1795449601", "N0", good.as_str()),
        ("1795449600", "N1", &good),
        ("1795449600", "N0", &good[..39]),
        ("1795449600", "N0", &good.to_uppercase()),
        ("1795449600", "N0", ""),
    ] {
        assert!(!proves_address(TOKEN, timestamp, nonce, signature), "{timestamp} {nonce} {signature}");
    }
    assert!(!proves_address("another", "1795449600", "N0", &good));
}

#[test]
fn a_message_opens_whatever_its_length() {
    for length in 0..=70 {
        let xml = "卡".repeat(length);
        assert_eq!(open(&encrypted(padded(&xml, APPID))), Ok(xml), "{length}");
    }
}

#[test]
fn a_reply_goes_round_and_its_xml_carries_it() {
    for length in [0, 1, 15, 16, 27, 28, 31, 32, 33, 5000] {
        let reply = "x".repeat(length);
        let sealed = cipher().seal(&reply, "1795449600", "N0", [7; 16]).expect("sealed");
        let opened = cipher().open("1795449600", "N0", &sealed.msg_signature, &sealed.encrypt);
        assert_eq!(opened.as_deref(), Ok(reply.as_str()), "{length}");
        assert_eq!(STANDARD.decode(&sealed.encrypt).expect("Base64").len() % 32, 0);
        let xml = sealed.xml();
        assert_eq!(encrypted_part(xml.as_bytes()), Ok(sealed.encrypt.as_str()));
        assert!(xml.contains(&sealed.msg_signature) && xml.contains("<TimeStamp>1795449600</TimeStamp>"));
        let other = cipher().seal(&reply, "1795449600", "N0", [8; 16]).expect("sealed");
        assert_ne!(sealed.encrypt, other.encrypt, "the random bytes hide that two replies are the same");
    }
}

#[test]
fn a_message_that_was_touched_does_not_open() {
    let good = encrypted(padded("<xml/>", APPID));
    let signature = sha1(vec![TOKEN, "1795449600", "N0", &good]);
    for (timestamp, nonce, signature, encrypt) in [
        ("1795449601", "N0", signature.clone(), good.clone()),
        ("1795449600", "N1", signature.clone(), good.clone()),
        ("1795449600", "N0", signature.to_uppercase(), good.clone()),
        ("1795449600", "N0", String::new(), good.clone()),
        ("1795449600", "N0", sha1(vec!["another", "1795449600", "N0", &good]), good.clone()),
        ("1795449600", "N0", signature.clone(), encrypted(padded("<xml>2</xml>", APPID))),
    ] {
        assert_eq!(cipher().open(timestamp, nonce, &signature, &encrypt), Err(CallbackFault::WrongSignature));
    }

    let with_padding = |padding: &[u8]| {
        let clear = padded("<xml/>", APPID);
        let kept = clear.len() - padding.len();
        encrypted([&clear[..kept], padding].concat())
    };
    let clear = padded("<xml/>", APPID);
    let mut long = clear.clone();
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut past = clear.clone();
    past[16..20].copy_from_slice(&200_u32.to_be_bytes());
    // One byte of message; 39 bytes before the padding.
    let not_utf8 = [&[0; 19][..], &[1, 0xFF], APPID.as_bytes(), &[25; 25][..]].concat();
    let table = [
        ("another account", encrypted(padded("<xml/>", "wx8888888888888889")), CallbackFault::Foreign),
        ("no account", encrypted(padded("<xml/>", "")), CallbackFault::Foreign),
        ("a length past the end", encrypted(past), CallbackFault::Sealed),
        ("the longest length", encrypted(long), CallbackFault::Sealed),
        ("padding of nothing", with_padding(&[0]), CallbackFault::Sealed),
        ("padding longer than any", with_padding(&[33]), CallbackFault::Sealed),
        ("padding of two values", with_padding(&[3, 2, 3]), CallbackFault::Sealed),
        ("padding alone", encrypted(vec![32; 32]), CallbackFault::Sealed),
        ("not UTF-8", encrypted(not_utf8), CallbackFault::Sealed),
        ("part of a block", STANDARD.encode([0; 20]), CallbackFault::Sealed),
        ("no Base64", "%%%".to_owned(), CallbackFault::Sealed),
        ("nothing", String::new(), CallbackFault::Malformed),
        ("too long", "A".repeat(300 * 1024), CallbackFault::Malformed),
    ];
    for (what, encrypt, fault) in table {
        assert_eq!(open(&encrypt), Err(fault), "{what}");
    }
}

#[test]
fn the_encrypted_part_is_found_and_nothing_else_is_read() {
    let good = [
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[QUJD+/==]]></Encrypt></xml>",
        "<xml>\n  <Encrypt>QUJD+/==</Encrypt>\n</xml>",
        "<xml><Encrypt>\n<![CDATA[QUJD+/==]]>\n</Encrypt></xml>",
    ];
    for xml in good {
        assert_eq!(encrypted_part(xml.as_bytes()), Ok("QUJD+/=="), "{xml}");
    }
    let odd: [&[u8]; 9] = [
        b"",
        b"<xml></xml>",
        b"<xml><Encrypt></Encrypt></xml>",
        b"<xml><Encrypt><![CDATA[QUJD]></Encrypt></xml>",
        b"<xml><Encrypt>QUJD</xml>",
        b"<xml><Encrypt>QUJD</Encrypt><Encrypt>QUJE</Encrypt></xml>",
        b"<xml><Encrypt>&a;</Encrypt></xml>",
        b"<!DOCTYPE xml [<!ENTITY a 'b'>]><xml><Encrypt>QUJD</Encrypt></xml>",
        b"<xml><Encrypt>QUJD</Encrypt>\xFF</xml>",
    ];
    for xml in odd {
        assert_eq!(encrypted_part(xml), Err(CallbackFault::Malformed), "{}", String::from_utf8_lossy(xml));
    }
}

#[test]
fn a_key_is_43_letters_and_digits() {
    assert!(CallbackCipher::new(TOKEN, AES_KEY, APPID).is_some());
    for key in ["", &AES_KEY[..42], &format!("{AES_KEY}="), &AES_KEY.replace('a', "+"), &AES_KEY.replace('a', "卡")] {
        assert!(CallbackCipher::new(TOKEN, key, APPID).is_none(), "{key}");
    }
}
