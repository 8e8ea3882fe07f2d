//! Payment notices: the good ones, and every way to forge one.

use aws_lc_rs::rsa::KeyPair as RsaPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flows::ports::{Notice as News, NoticeFault, RawNotice, Trade, WeChat};
use ledger::{Fen, Micros};
use pay::wechat::RefusedNotices;

use crate::attacks::{Attack, End, Forge, SEAL_NONCE, Sent, envelope, seal};
use crate::desk::{
    APIV3_KEY, APPID, MCHID, MERCHANT, NOW, OLD_PLATFORM, OLD_SERIAL, ORDER, PLATFORM, SERIAL, STRANGER, channel,
    settings, sign,
};
use crate::orders::{payment, transaction};

/// A notice in the making: what a row does not touch is good.
#[derive(Clone)]
struct Notice {
    timestamp: String,
    nonce: String,
    serial: String,
    signature: String,
    body: Vec<u8>,
}

impl Notice {
    fn raw(&self) -> RawNotice<'_> {
        RawNotice {
            timestamp: &self.timestamp,
            nonce: &self.nonce,
            serial: &self.serial,
            signature: &self.signature,
            body: &self.body,
        }
    }

    /// The notice with `body`, signed anew.
    fn around(body: impl Into<Vec<u8>>) -> Notice {
        Notice::signed(&PLATFORM, SERIAL, NOW, body)
    }

    fn signed(key: &RsaPair, serial: &str, at: i64, body: impl Into<Vec<u8>>) -> Notice {
        let (body, nonce) = (body.into(), "WVpM4sZ9qbQ1kXh0".to_owned());
        let signature = sign(key, &[format!("{at}\n{nonce}\n").as_bytes(), &body, b"\n"].concat());
        Notice { timestamp: at.to_string(), nonce, serial: serial.to_owned(), signature, body }
    }

    /// The notice of `clear`, sealed and signed as the provider does.
    fn of(clear: &str) -> Notice {
        Notice::around(envelope(&seal(APIV3_KEY, SEAL_NONCE, "transaction", clear)))
    }
}

fn good() -> Notice {
    Notice::of(&transaction("SUCCESS"))
}

/// The body of the good notice with a text replaced, signed anew by the provider.
fn resigned(from: &str, to: &str) -> Notice {
    let body = String::from_utf8(good().body).expect("UTF-8");
    assert!(body.contains(from), "{from}");
    Notice::around(body.replacen(from, to, 1))
}

/// The good transaction with a text replaced, sealed and signed anew by the provider.
fn resealed(from: &str, to: &str) -> Notice {
    let clear = transaction("SUCCESS");
    assert!(clear.contains(from), "{from}");
    Notice::of(&clear.replacen(from, to, 1))
}

fn changed(change: impl Fn(&mut Notice)) -> Notice {
    let mut notice = good();
    change(&mut notice);
    notice
}

fn check(table: Vec<(&str, Notice, NoticeFault)>) {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    for (what, notice, expected) in table {
        assert_eq!(wechat.open_notice(&notice.raw(), Micros::from_seconds(NOW)), Err(expected), "{what}");
    }
}

#[test]
fn a_good_notice_is_the_payment_it_tells_of() {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    let no_associated = envelope(&seal(APIV3_KEY, SEAL_NONCE, "", &transaction("SUCCESS")));
    let field = r#""associated_data":"transaction","#;
    let table = [
        ("new key", good()),
        ("old key", Notice::signed(&OLD_PLATFORM, OLD_SERIAL, NOW, good().body)),
        ("five minutes old", Notice::signed(&PLATFORM, SERIAL, NOW - 300, good().body)),
        ("five minutes early", Notice::signed(&PLATFORM, SERIAL, NOW + 300, good().body)),
        ("associated data empty", Notice::around(no_associated.replace(field, r#""associated_data":"","#))),
        ("associated data missing", Notice::around(no_associated.replace(field, ""))),
        ("fields of tomorrow", resigned("\"summary\"", "\"rate\":0.5,\"more\":[{}],\"summary\"")),
    ];
    for (what, notice) in table {
        for _ in 0..2 {
            // Opening changes nothing: the second delivery is the same news, and it is the book that knows it.
            let trade = wechat.open_notice(&notice.raw(), Micros::from_seconds(NOW));
            assert_eq!(trade, Ok(News::Trade(Trade::Paid(payment()))), "{what}");
        }
    }
}

#[test]
fn an_order_number_that_is_not_ours_is_handed_on_as_it_is() {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    let notice = resealed(ORDER, "shop-77");
    let opened = wechat.open_notice(&notice.raw(), Micros::from_seconds(NOW));
    let Ok(News::Trade(Trade::Paid(paid))) = opened else { panic!("{opened:?}") };
    assert_eq!(paid.order, "shop-77");
}

#[test]
fn t4_a_notice_without_readable_headers_is_malformed() {
    check(vec![
        ("no timestamp", changed(|notice| notice.timestamp.clear()), NoticeFault::Malformed),
        ("no nonce", changed(|notice| notice.nonce.clear()), NoticeFault::Malformed),
        ("no serial", changed(|notice| notice.serial.clear()), NoticeFault::Malformed),
        ("no signature", changed(|notice| notice.signature.clear()), NoticeFault::Malformed),
        ("a time in words", changed(|notice| notice.timestamp = "now".to_owned()), NoticeFault::Malformed),
        ("a time with a sign", changed(|notice| notice.timestamp.insert(0, '+')), NoticeFault::Malformed),
        ("a time before 1970", changed(|notice| notice.timestamp.insert(0, '-')), NoticeFault::Malformed),
        ("a time with a blank", changed(|notice| notice.timestamp.push(' ')), NoticeFault::Malformed),
        ("a time with a fraction", changed(|notice| notice.timestamp.push_str(".5")), NoticeFault::Malformed),
        ("a time too long", changed(|notice| notice.timestamp = "9".repeat(30)), NoticeFault::Malformed),
        ("a nonce with a line feed", changed(|notice| notice.nonce.push('\n')), NoticeFault::Malformed),
        ("a serial that is not ASCII", changed(|notice| notice.serial.push('卡')), NoticeFault::Malformed),
    ]);
}

#[test]
fn t4_a_body_that_is_no_notice_of_a_payment_is_malformed_even_if_signed() {
    let array = resigned("\"resource\":{", "\"resource\":[{").body;
    let array = String::from_utf8(array).expect("UTF-8").replace("}}", "}]}");
    check(vec![
        ("nothing", Notice::around(""), NoticeFault::Malformed),
        ("no JSON", Notice::around("transaction=SUCCESS"), NoticeFault::Malformed),
        ("version 2 with MD5", Notice::around("<xml><sign>C380BEC2</sign></xml>"), NoticeFault::Malformed),
        ("a list around", Notice::around([b"[".as_slice(), &good().body, b"]"].concat()), NoticeFault::Malformed),
        ("a list inside", Notice::around(array), NoticeFault::Malformed),
        ("two in one", Notice::around([good().body, good().body].concat()), NoticeFault::Malformed),
        ("cut", changed(|notice| notice.body.truncate(300)), NoticeFault::Malformed),
        ("not UTF-8", resigned_bytes("支付成功", b"\xFF"), NoticeFault::Malformed),
        ("deep nesting", Notice::around("[".repeat(50_000)), NoticeFault::Malformed),
        ("too long", resigned("支付成功", &"x".repeat(64 * 1024)), NoticeFault::Malformed),
        ("no resource", resigned("\"resource\":", "\"source\":"), NoticeFault::Malformed),
        ("a second resource", resigned("\"resource\":", "\"resource\":{},\"resource\":"), NoticeFault::Malformed),
        ("a second event", resigned("\"summary\"", "\"event_type\":\"X\",\"summary\""), NoticeFault::Malformed),
        (
            "a second ciphertext",
            resigned("\"ciphertext\"", "\"ciphertext\":\"\",\"ciphertext\""),
            NoticeFault::Malformed,
        ),
        ("a refund's event", resigned("TRANSACTION.SUCCESS", "REFUND.SUCCESS"), NoticeFault::Malformed),
        ("an event of tomorrow", resigned("TRANSACTION.SUCCESS", "TRANSACTION.CLOSED"), NoticeFault::Malformed),
        ("a resource of another kind", resigned("encrypt-resource", "resource"), NoticeFault::Malformed),
        (
            "a refund inside",
            resigned("original_type\":\"transaction", "original_type\":\"refund"),
            NoticeFault::Malformed,
        ),
        ("another cipher", resigned("AEAD_AES_256_GCM", "NONE"), NoticeFault::Malformed),
        ("a number as nonce", resigned("\"EeXy0k2sBVUd\"", "7"), NoticeFault::Malformed),
    ]);
}

fn resigned_bytes(from: &str, to: &[u8]) -> Notice {
    let body = String::from_utf8(good().body).expect("UTF-8");
    let (before, after) = body.split_once(from).expect("it stands there");
    Notice::around([before.as_bytes(), to, after.as_bytes()].concat())
}

#[test]
fn t4_a_notice_out_of_time_is_stale() {
    let late = |seconds: i64| Notice::signed(&PLATFORM, SERIAL, NOW + seconds, good().body);
    check(vec![
        ("replayed after five minutes", late(-301), NoticeFault::Stale),
        ("replayed after a day", late(-86_400), NoticeFault::Stale),
        ("signed ahead of time", late(301), NoticeFault::Stale),
        ("from the beginning of time", changed(|notice| notice.timestamp = "0".to_owned()), NoticeFault::Stale),
        ("from its end", changed(|notice| notice.timestamp = "9".repeat(12)), NoticeFault::Stale),
        ("in milliseconds", changed(|notice| notice.timestamp = (NOW / 10).to_string()), NoticeFault::Stale),
        ("stale before unknown", Notice::signed(&STRANGER, "AB", NOW - 301, good().body), NoticeFault::Stale),
    ]);
}

#[test]
fn t4_a_notice_of_a_key_we_do_not_know_is_refused_by_its_serial() {
    check(vec![
        ("a stranger", Notice::signed(&STRANGER, "PUB_KEY_ID_9", NOW, good().body), NoticeFault::UnknownSerial),
        ("our own", Notice::signed(&MERCHANT, crate::desk::MERCHANT_SERIAL, NOW, good().body), {
            NoticeFault::UnknownSerial
        }),
        ("a prefix of the serial", changed(|notice| notice.serial.truncate(20)), NoticeFault::UnknownSerial),
        ("small letters", changed(|notice| notice.serial = OLD_SERIAL.to_lowercase()), NoticeFault::UnknownSerial),
    ]);
}

#[test]
fn t4_a_signature_that_does_not_fit_to_the_last_bit_is_refused() {
    let bent = |index: usize| {
        changed(|notice| {
            let mut bytes = STANDARD.decode(&notice.signature).expect("Base64");
            bytes[index] ^= 1;
            notice.signature = STANDARD.encode(bytes);
        })
    };
    let wrong = NoticeFault::WrongSignature;
    check(vec![
        ("a stranger under our serial", Notice::signed(&STRANGER, SERIAL, NOW, good().body), wrong),
        ("the merchant's key", Notice::signed(&MERCHANT, SERIAL, NOW, good().body), wrong),
        ("the old key under the new serial", Notice::signed(&OLD_PLATFORM, SERIAL, NOW, good().body), wrong),
        ("the new key under the old serial", Notice::signed(&PLATFORM, OLD_SERIAL, NOW, good().body), wrong),
        ("first byte", bent(0), wrong),
        ("last byte", bent(255), wrong),
        ("cut", changed(|notice| notice.signature.truncate(40)), wrong),
        ("zeros", changed(|notice| notice.signature = STANDARD.encode([0; 256])), wrong),
        ("no Base64", changed(|notice| notice.signature = "!!!!".to_owned()), wrong),
        ("a probe", changed(|notice| notice.signature = format!("WECHATPAY/SIGNTEST/{}", notice.signature)), wrong),
        ("a probe and nothing else", changed(|notice| notice.signature = "WECHATPAY/SIGNTEST/".to_owned()), wrong),
        ("another time", changed(|notice| notice.timestamp = (NOW - 1).to_string()), wrong),
        ("another nonce", changed(|notice| notice.nonce.push('x')), wrong),
        (
            "one byte of the body",
            changed(|notice| {
                notice.body =
                    String::from_utf8(notice.body.clone()).expect("UTF-8").replace("00001\"", "00002\"").into_bytes()
            }),
            wrong,
        ),
        ("a blank after the body", changed(|notice| notice.body.push(b' ')), wrong),
        ("another notice's body", changed(|notice| notice.body = resealed(":5000", ":500000").body), wrong),
        (
            "the body of MD5 days, unsigned",
            changed(|notice| notice.signature = "C380BEC2BFD727A4B6845133519F3AD6".to_owned()),
            wrong,
        ),
    ]);
}

#[test]
fn t4_a_resource_that_does_not_open_is_sealed() {
    let clear = transaction("SUCCESS");
    let ciphertext = seal(APIV3_KEY, SEAL_NONCE, "transaction", &clear);
    let bent = |index: usize| {
        let mut bytes = STANDARD.decode(&ciphertext).expect("Base64");
        let index = index.min(bytes.len() - 1);
        bytes[index] ^= 1;
        Notice::around(envelope(&STANDARD.encode(bytes)))
    };
    let sealed = NoticeFault::Sealed;
    let other_key = envelope(&seal(b"another-key-of-thirty-two-bytes-", SEAL_NONCE, "transaction", &clear));
    check(vec![
        ("another key", Notice::around(other_key), sealed),
        ("other associated data", resigned("associated_data\":\"transaction", "associated_data\":\"refund"), sealed),
        ("no associated data", resigned("\"associated_data\":\"transaction\",", ""), sealed),
        ("another nonce", resigned(SEAL_NONCE, "EeXy0k2sBVUe"), sealed),
        ("a short nonce", resigned(SEAL_NONCE, "EeXy0k2sBVU"), sealed),
        ("the first byte", bent(0), sealed),
        ("the last byte of the tag", bent(usize::MAX), sealed),
        ("no tag", Notice::around(envelope(&STANDARD.encode(clear.as_bytes()))), sealed),
        ("empty", Notice::around(envelope("")), sealed),
        ("no Base64", Notice::around(envelope("%%%%")), sealed),
    ]);
}

#[test]
fn t4_a_sealed_text_that_is_no_success_of_ours_is_never_a_trade() {
    let (malformed, foreign) = (NoticeFault::Malformed, NoticeFault::Foreign);
    check(vec![
        ("another merchant", resealed(MCHID, "1900000002"), foreign),
        ("another application", resealed(APPID, "wx8888888888888889"), foreign),
        ("no merchant", resealed("\"mchid\"", "\"sp_mchid\""), malformed),
        ("two merchants", resealed("\"mchid\"", "\"mchid\":\"1\",\"mchid\""), malformed),
        ("two amounts", resealed("\"amount\":{\"total\"", "\"amount\":{\"total\":1},\"amount\":{\"total\""), malformed),
        ("two totals", resealed("\"total\"", "\"total\":1,\"total\""), malformed),
        ("a total in text", resealed(":5000", ":\"5000\""), malformed),
        ("a total with a fraction", resealed(":5000", ":5000.0"), malformed),
        ("nothing paid", resealed(":5000", ":0"), malformed),
        ("less than nothing", resealed(":5000", ":-5000"), malformed),
        ("more than can be counted", resealed(":5000", ":9223372036854775808"), malformed),
        ("not paid", Notice::of(&transaction("NOTPAY")), malformed),
        ("closed", Notice::of(&transaction("CLOSED")), malformed),
        ("refunded", Notice::of(&transaction("REFUND")), malformed),
        ("a state of tomorrow", Notice::of(&transaction("ACCEPT")), malformed),
        ("no number", resealed("\"transaction_id\"", "\"id\""), malformed),
        ("no time", resealed("\"success_time\"", "\"time\""), malformed),
        ("a time without its offset", resealed("+08:00", ""), malformed),
        ("a list", Notice::of(&format!("[{}]", transaction("SUCCESS"))), malformed),
        ("no JSON", Notice::of("SUCCESS"), malformed),
        ("nothing", Notice::of(""), malformed),
    ]);
}

#[test]
fn t5_the_attack_table_opens_nothing_and_every_cause_is_counted() {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    let (provider, stranger) = (|text: &[u8]| sign(&PLATFORM, text), |text: &[u8]| sign(&STRANGER, text));
    let forge = Forge {
        now: NOW,
        provider: (&provider, SERIAL),
        stranger: &stranger,
        apiv3_key: APIV3_KEY,
        mchid: MCHID,
        appid: APPID,
        order: ORDER,
        total: 5000,
    };
    let open = |sent: &Sent| {
        let only = |name: &str| {
            let mut values = sent.headers.iter().filter(|(known, _)| *known == name);
            // A header that stands twice says nothing: whoever receives notices must not choose.
            match (values.next(), values.next()) {
                (Some((_, value)), None) => value.clone(),
                _ => String::new(),
            }
        };
        let [timestamp, nonce, serial, signature] =
            ["Timestamp", "Nonce", "Serial", "Signature"].map(|name| only(&format!("Wechatpay-{name}")));
        wechat.open_notice(
            &Notice { timestamp, nonce, serial, signature, body: sent.body.clone() }.raw(),
            Micros::from_seconds(NOW),
        )
    };
    let Ok(News::Trade(Trade::Paid(good))) = open(&forge.good()) else { panic!("the good notice opens") };
    assert_eq!((good.order.as_str(), good.amount, good.currency.as_str()), (ORDER, Fen::new(5000), "CNY"));

    let attacks = forge.attacks();
    assert!(attacks.len() >= 25);
    let mut counted = RefusedNotices::default();
    for Attack { what, sent, end } in &attacks {
        match (open(sent), end) {
            (Err(fault), End::Refused(expected)) => {
                assert_eq!(fault, *expected, "{what}");
                *match fault {
                    NoticeFault::Malformed => &mut counted.malformed,
                    NoticeFault::Stale => &mut counted.stale,
                    NoticeFault::UnknownSerial => &mut counted.unknown_serial,
                    NoticeFault::WrongSignature if *what == "a probe" => &mut counted.probes,
                    NoticeFault::WrongSignature => &mut counted.wrong_signature,
                    NoticeFault::Sealed => &mut counted.sealed,
                    NoticeFault::Foreign => &mut counted.foreign,
                } += 1;
            }
            // Order, amount and currency are the book's to compare: it must be able to see that they differ.
            (Ok(News::Trade(Trade::Paid(paid))), End::NoCredit) => {
                let differs = paid.order != good.order || paid.amount != good.amount || paid.currency != good.currency;
                assert!(differs, "{what}");
            }
            (opened, _) => panic!("{what}: {opened:?}"),
        }
    }
    assert_eq!(wechat.refused_notices(), counted);
    assert_eq!(counted.probes, 1, "a probe is counted by itself");
}
