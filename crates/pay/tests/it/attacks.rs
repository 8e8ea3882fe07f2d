//! The attack table: every way to send a notice that must change nothing, in one list, as it comes over HTTP.
//!
//! This file stands alone, so that whoever receives notices over HTTP can test with the same list
//! (`#[path = ".../attacks.rs"] mod attacks;`). It needs `aws-lc-rs`, `base64` and `flows`, and is told the two keys as
//! functions that sign.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flows::ports::NoticeFault;

/// Nonce of the seal of a good notice.
pub const SEAL_NONCE: &str = "EeXy0k2sBVUd";

const TIMESTAMP: &str = "Wechatpay-Timestamp";
const NONCE: &str = "Wechatpay-Nonce";
const SERIAL: &str = "Wechatpay-Serial";
const SIGNATURE: &str = "Wechatpay-Signature";

/// Base64 of the RSA-SHA256 signature over bytes.
pub type Sign<'a> = &'a dyn Fn(&[u8]) -> String;

/// What a good notice is made of: the provider's keys, and an order of ours that was paid.
pub struct Forge<'a> {
    /// Seconds since 1970.
    pub now: i64,
    /// The provider's key and the serial under which we know it.
    pub provider: (Sign<'a>, &'a str),
    /// A key that is not the provider's.
    pub stranger: Sign<'a>,
    pub apiv3_key: &'a [u8; 32],
    pub mchid: &'a str,
    pub appid: &'a str,
    /// Our order, and what it is to bring in fen.
    pub order: &'a str,
    pub total: i64,
}

/// A notice as it is sent.
#[derive(Clone)]
pub struct Sent {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What must come of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is not opened.
    Refused(NoticeFault),
    /// It is the provider's own and opens; the book must see that it credits nothing (rows 2, 6 and 7).
    NoCredit,
}

/// One attack.
pub struct Attack {
    pub what: &'static str,
    pub sent: Sent,
    pub end: End,
}

/// Base64 of data and tag.
pub fn seal(key: &[u8; 32], nonce: &str, associated: &str, clear: &str) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key"));
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).expect("12 bytes");
    let mut bytes = clear.as_bytes().to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(associated.as_bytes()), &mut bytes).expect("sealed");
    STANDARD.encode(bytes)
}

/// The envelope of a payment's notice around what `seal` gave.
pub fn envelope(ciphertext: &str) -> String {
    format!(
        r#"{{"id":"EV-2026112400000500001","create_time":"2026-11-24T00:00:05+08:00","resource_type":"encrypt-resource",
        "event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{{"original_type":"transaction",
        "algorithm":"AEAD_AES_256_GCM","ciphertext":"{ciphertext}","associated_data":"transaction",
        "nonce":"{SEAL_NONCE}"}}}}"#
    )
}

impl Sent {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Sent {
        self.headers.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Sent {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    fn instead(self, name: &'static str, value: impl Into<String>) -> Sent {
        self.without(name).with(name, value)
    }

    fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(known, _)| *known == name).expect("a header").1.clone()
    }
}

/// `text` with `from` replaced once; `from` must stand in it.
fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} stands in {text}");
    text.replacen(from, to, 1)
}

impl Forge<'_> {
    /// What the provider says of the paid order.
    pub fn clear(&self) -> String {
        let Forge { mchid, appid, order, total, .. } = self;
        format!(
            r#"{{"appid":"{appid}","mchid":"{mchid}","out_trade_no":"{order}","transaction_id":"4200001234202611240000000001",
            "trade_type":"JSAPI","trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"",
            "success_time":"2026-11-24T00:00:05+08:00","payer":{{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},
            "amount":{{"total":{total},"payer_total":{total},"currency":"CNY","payer_currency":"CNY"}}}}"#
        )
    }

    /// The notice that is as it must be.
    pub fn good(&self) -> Sent {
        self.sealed(&self.clear())
    }

    fn signed(&self, (sign, serial): (Sign<'_>, &str), at: i64, body: impl Into<Vec<u8>>) -> Sent {
        let (body, nonce) = (body.into(), "WVpM4sZ9qbQ1kXh0");
        let signature = sign(&[format!("{at}\n{nonce}\n").as_bytes(), &body, b"\n"].concat());
        let headers = vec![
            (TIMESTAMP, at.to_string()),
            (NONCE, nonce.to_owned()),
            (SERIAL, serial.to_owned()),
            (SIGNATURE, signature),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
            ("Content-Type", "application/json".to_owned()),
        ];
        Sent { headers, body }
    }

    /// `body` signed well, now.
    fn around(&self, body: impl Into<Vec<u8>>) -> Sent {
        self.signed(self.provider, self.now, body)
    }

    /// `clear` sealed and signed well.
    fn sealed(&self, clear: &str) -> Sent {
        self.around(envelope(&seal(self.apiv3_key, SEAL_NONCE, "transaction", clear)))
    }

    /// The whole table.
    pub fn attacks(&self) -> Vec<Attack> {
        [self.on_headers(), self.on_signatures(), self.on_bodies(), self.on_seals(), self.on_contents()]
            .into_iter()
            .flatten()
            .map(|(what, sent, end)| Attack { what, sent, end })
            .collect()
    }

    fn on_headers(&self) -> Vec<(&'static str, Sent, End)> {
        let (good, malformed) = (self.good(), End::Refused(NoticeFault::Malformed));
        let twice = |name: &'static str| good.clone().with(name, good.header(name));
        vec![
            ("no timestamp", good.clone().without(TIMESTAMP), malformed),
            ("no nonce", good.clone().without(NONCE), malformed),
            ("no serial", good.clone().without(SERIAL), malformed),
            ("no signature", good.clone().without(SIGNATURE), malformed),
            ("no signature header at all", Sent { headers: Vec::new(), ..good.clone() }, malformed),
            ("two timestamps", twice(TIMESTAMP), malformed),
            ("two nonces", twice(NONCE), malformed),
            ("two serials", twice(SERIAL), malformed),
            ("two signatures", twice(SIGNATURE), malformed),
            ("an empty signature", good.clone().instead(SIGNATURE, ""), malformed),
            ("a time in words", good.clone().instead(TIMESTAMP, "now"), malformed),
            ("a time with a sign", good.clone().instead(TIMESTAMP, format!("+{}", self.now)), malformed),
        ]
    }

    fn on_signatures(&self) -> Vec<(&'static str, Sent, End)> {
        let (good, body) = (self.good(), self.good().body);
        let (wrong, stale) = (End::Refused(NoticeFault::WrongSignature), End::Refused(NoticeFault::Stale));
        let unknown = End::Refused(NoticeFault::UnknownSerial);
        let at = |seconds: i64| self.signed(self.provider, self.now + seconds, body.clone());
        let signature = good.header(SIGNATURE);
        let dearer = self.sealed(&bent(&self.clear(), "\"total\":", "\"total\":9"));
        vec![
            (
                "forged by a stranger under the provider's serial",
                { self.signed((self.stranger, self.provider.1), self.now, body.clone()) },
                wrong,
            ),
            (
                "signed by a stranger under his own",
                self.signed((self.stranger, "0123456789ABCDEF"), self.now, body.clone()),
                unknown,
            ),
            (
                "the provider's serial in small letters",
                { good.clone().instead(SERIAL, format!("x{}", self.provider.1.to_lowercase())) },
                unknown,
            ),
            ("a public key that was never issued", good.clone().instead(SERIAL, "PUB_KEY_ID_9"), unknown),
            ("a probe", good.clone().instead(SIGNATURE, format!("WECHATPAY/SIGNTEST/{signature}")), wrong),
            ("a signature cut short", good.clone().instead(SIGNATURE, &signature[..40]), wrong),
            ("a signature of zeros", good.clone().instead(SIGNATURE, STANDARD.encode([0; 256])), wrong),
            ("a signature that is no Base64", good.clone().instead(SIGNATURE, "%%%%"), wrong),
            ("the MD5 of version 2", good.clone().instead(SIGNATURE, "C380BEC2BFD727A4B6845133519F3AD6"), wrong),
            ("replayed under another timestamp", good.clone().instead(TIMESTAMP, (self.now - 1).to_string()), wrong),
            ("replayed under another nonce", good.clone().instead(NONCE, "WVpM4sZ9qbQ1kXh1"), wrong),
            (
                "the body altered by one byte",
                { Sent { body: bent(&good.text(), "00001\"", "00002\"").into_bytes(), ..good.clone() } },
                wrong,
            ),
            ("a blank after the body", Sent { body: [&body[..], b" "].concat(), ..good.clone() }, wrong),
            ("the body of a dearer order under this signature", Sent { body: dearer.body, ..good.clone() }, wrong),
            (
                "no body under this signature of one",
                Sent { body: b"{}".to_vec(), ..good },
                End::Refused(NoticeFault::Malformed),
            ),
            ("replayed after more than five minutes", at(-301), stale),
            ("replayed after a day", at(-86_400), stale),
            ("signed for the future", at(301), stale),
        ]
    }

    fn on_bodies(&self) -> Vec<(&'static str, Sent, End)> {
        let text = self.good().text();
        let resigned = |from: &str, to: &str| self.around(bent(&text, from, to));
        let rows = [
            ("nothing", self.around("")),
            ("no JSON", self.around("transaction=SUCCESS")),
            ("the XML of version 2", self.around("<xml><return_code>SUCCESS</return_code></xml>")),
            ("a list around it", self.around(format!("[{text}]"))),
            ("two notices in one", self.around(format!("{text}{text}"))),
            ("cut in the middle", self.around(&text[..300])),
            ("not UTF-8", self.around([text.as_bytes(), b"\xFF"].concat())),
            ("nested without end", self.around("[".repeat(50_000))),
            ("huge", resigned("支付成功", &"x".repeat(64 * 1024))),
            ("two events", resigned("\"summary\"", "\"event_type\":\"TRANSACTION.SUCCESS\",\"summary\"")),
            ("two resources", resigned("\"resource\":", "\"resource\":{},\"resource\":")),
            ("two ciphertexts", resigned("\"ciphertext\"", "\"ciphertext\":\"AAAA\",\"ciphertext\"")),
            ("two ids, which nobody reads", resigned("\"create_time\"", "\"id\":\"EV-1\",\"create_time\"")),
            ("a name twice, once escaped", resigned("\"create_time\"", "\"\\u0069d\":\"EV-1\",\"create_time\"")),
            ("the event of a refund", resigned("TRANSACTION.SUCCESS", "REFUND.SUCCESS")),
            ("an event of tomorrow", resigned("TRANSACTION.SUCCESS", "TRANSACTION.PAYSCORE")),
            ("a resource of another kind", resigned("encrypt-resource", "plain-resource")),
            ("a refund inside", resigned("original_type\":\"transaction", "original_type\":\"refund")),
            ("another algorithm", resigned("AEAD_AES_256_GCM", "AEAD_AES_128_GCM")),
            ("no resource", resigned("\"resource\":", "\"source\":")),
        ];
        rows.map(|(what, sent)| (what, sent, End::Refused(NoticeFault::Malformed))).into()
    }

    fn on_seals(&self) -> Vec<(&'static str, Sent, End)> {
        let (text, clear) = (self.good().text(), self.clear());
        let resigned = |from: &str, to: &str| self.around(bent(&text, from, to));
        let ciphertext = seal(self.apiv3_key, SEAL_NONCE, "transaction", &clear);
        let flipped = |from_end: usize| {
            let mut bytes = STANDARD.decode(&ciphertext).expect("Base64");
            let at = bytes.len() - from_end;
            bytes[at] ^= 1;
            self.around(envelope(&STANDARD.encode(bytes)))
        };
        let other_key = seal(b"another-key-of-thirty-two-bytes-", SEAL_NONCE, "transaction", &clear);
        let rows = [
            ("sealed under another key", self.around(envelope(&other_key))),
            ("a wrong tag", flipped(1)),
            ("one bit of the data", flipped(100)),
            ("a wrong associated data", resigned("associated_data\":\"transaction", "associated_data\":\"certificate")),
            ("no associated data", resigned("\"associated_data\":\"transaction\",", "")),
            ("a wrong nonce", resigned(SEAL_NONCE, "EeXy0k2sBVUe")),
            ("a nonce too short", resigned(SEAL_NONCE, "EeXy0k2sBVU")),
            ("a nonce too long", resigned(SEAL_NONCE, "EeXy0k2sBVUd0")),
            ("not sealed at all", self.around(envelope(&STANDARD.encode(&clear)))),
            ("an empty ciphertext", self.around(envelope(""))),
        ];
        rows.map(|(what, sent)| (what, sent, End::Refused(NoticeFault::Sealed))).into()
    }

    fn on_contents(&self) -> Vec<(&'static str, Sent, End)> {
        let clear = self.clear();
        let resealed = |from: &str, to: &str| self.sealed(&bent(&clear, from, to));
        let (malformed, foreign) = (End::Refused(NoticeFault::Malformed), End::Refused(NoticeFault::Foreign));
        let total = format!("\"total\":{}", self.total);
        let refund = text_of_refund(self);
        vec![
            (
                "a foreign merchant",
                resealed(&format!("\"mchid\":\"{}\"", self.mchid), "\"mchid\":\"1999999999\""),
                foreign,
            ),
            ("a foreign application", resealed(self.appid, "wx0000000000000000"), foreign),
            ("two merchants", resealed("\"mchid\"", "\"mchid\":\"1999999999\",\"mchid\""), malformed),
            ("two totals", resealed("\"total\"", "\"total\":1,\"total\""), malformed),
            ("a total of nothing", resealed(&total, "\"total\":0"), malformed),
            ("a total below nothing", resealed(&total, &format!("\"total\":-{}", self.total)), malformed),
            ("a total with a fraction", resealed(&total, &format!("{total}.0")), malformed),
            ("a total beyond counting", resealed(&total, "\"total\":9223372036854775808"), malformed),
            ("not paid", resealed("\"SUCCESS\"", "\"NOTPAY\""), malformed),
            ("given back", resealed("\"SUCCESS\"", "\"REFUND\""), malformed),
            ("without the provider's number", resealed("\"transaction_id\"", "\"id\""), malformed),
            ("a refund in a payment's envelope", self.sealed(&refund), malformed),
            ("an unknown order", resealed(self.order, "999999999999999999999999"), End::NoCredit),
            ("another amount", resealed(&total, &format!("\"total\":{}", self.total + 1)), End::NoCredit),
            ("another currency", resealed("\"currency\":\"CNY\"", "\"currency\":\"USD\""), End::NoCredit),
            ("no currency", resealed("\"currency\":\"CNY\",", ""), End::NoCredit),
        ]
    }
}

fn text_of_refund(forge: &Forge<'_>) -> String {
    let Forge { mchid, order, total, .. } = forge;
    format!(
        r#"{{"mchid":"{mchid}","out_trade_no":"{order}","transaction_id":"4200001234202611240000000001",
        "out_refund_no":"R261124000000000187654321","refund_id":"50000000382019052709732678859",
        "refund_status":"SUCCESS","success_time":"2026-11-24T00:05:00+08:00","user_received_account":"支付用户零钱",
        "amount":{{"total":{total},"refund":{total},"payer_total":{total},"payer_refund":{total}}}}}"#
    )
}
