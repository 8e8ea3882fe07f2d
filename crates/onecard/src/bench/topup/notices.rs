//! The provider's side: notices sealed and signed beforehand, whole requests ready to be sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use pay::wechat::sign::{MerchantKey, SCHEME};
use rules::calendar::campus_time;
use sandbox::{Config, MerchantSide};
use serde_json::json;

use super::super::say::Say;
use super::super::workload::mixed;
use super::plan::{Kind, Wish};
use super::prepared::Order;
use crate::Failure;
use crate::clock::wall;
use crate::prompt::Said;

/// How far a notice's time may lie from ours, either way, seconds: what the platform allows.
const WINDOW: i64 = 300;
/// Notices are dated so far ahead of their signing, seconds: valid at once, and as long as can be.
const AHEAD: i64 = 290;
/// Left over at the end of the window, seconds.
const MARGIN: i64 = 10;
/// Notices that one thread signs before it tells.
const PIECE: usize = 256;
const ASSOCIATED: &str = "transaction";

/// A notice, ready to be sent.
pub struct Notice {
    /// What it is.
    pub kind: Kind,
    /// Place of its order.
    pub order: u32,
    /// The whole HTTP request.
    pub request: Box<[u8]>,
}

/// Notices of one signing.
pub struct Signed {
    /// In the order in which they are sent.
    pub notices: Vec<Notice>,
    /// They are believed until then.
    pub good_until: Micros,
    /// What the signing took, seconds.
    pub took: i64,
}

/// The provider's keys, and a key that is not the provider's.
pub struct Provider {
    platform: MerchantKey,
    stranger: MerchantKey,
    seal: LessSafeKey,
    serial: String,
    mchid: String,
    appid: String,
}

impl Provider {
    /// Reads the keys from the simulator's folder. A forger has the key that is nearest at hand: the merchant's own.
    pub fn read(folder: &Path) -> Result<Provider, Failure> {
        let setup = Config::read(&folder.join("sandbox.toml"))?.load(folder)?.wechat;
        let merchant = MerchantSide::read(&folder.join("merchant"))?;
        let serial = setup.platform_key_id;
        let unusable = |_| Said("the sealing key that was made cannot be used".to_owned());
        let seal = UnboundKey::new(&AES_256_GCM, setup.apiv3_key.as_bytes()).map_err(unusable)?;
        Ok(Provider {
            platform: MerchantKey::from_pem(&serial, setup.platform_private_key_pem.as_bytes())?,
            stranger: MerchantKey::from_pem(&serial, merchant.merchant_private_key_pem.as_bytes())?,
            seal: LessSafeKey::new(seal),
            serial,
            mchid: setup.mchid,
            appid: setup.appid,
        })
    }

    /// The notice at `place` as a request, dated `at`. No two of different places or signings have the same nonces.
    fn request(&self, wish: Wish, order: &Order, place: usize, at: Micros) -> Result<Box<[u8]>, Failure> {
        let body = self.body(wish.order, order, place, at)?;
        let (seconds, nonce) = (at.seconds(), format!("{:016x}{place:016x}", mixed(u64::try_from(place)?)));
        let key = if wish.kind == Kind::Forged { &self.stranger } else { &self.platform };
        let signature = key.sign(format!("{seconds}\n{nonce}\n{body}\n").as_bytes())?;
        let (serial, length) = (&self.serial, body.len());
        let request = format!(
            "POST /notify/wechat HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nWechatpay-Timestamp: {seconds}\r\n\
             Wechatpay-Nonce: {nonce}\r\nWechatpay-Serial: {serial}\r\nWechatpay-Signature: {signature}\r\n\
             Wechatpay-Signature-Type: {SCHEME}\r\n\r\n{body}"
        );
        Ok(request.into_bytes().into_boxed_slice())
    }

    /// Source: WeChat Pay API v3, payment notification and AEAD_AES_256_GCM.
    fn body(&self, number: u32, order: &Order, place: usize, at: Micros) -> Result<String, Failure> {
        let (paid_at, payer) = (rfc3339(at), format!("oBench{number:022}"));
        let transaction = json!({
            "mchid": self.mchid,
            "appid": self.appid,
            "out_trade_no": order.no.to_string(),
            "transaction_id": transaction_id(number),
            "trade_type": "JSAPI",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": paid_at,
            "payer": { "openid": payer },
            "amount": {
                "total": order.amount.get(),
                "payer_total": order.amount.get(),
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        });
        let nonce = format!("{:04x}{place:08x}", at.seconds() & 0xFFFF);
        let unsealed = |_| Said("a notice could not be sealed".to_owned());
        let nonce_bytes = Nonce::try_assume_unique_for_key(nonce.as_bytes()).map_err(unsealed)?;
        let mut sealed = transaction.to_string().into_bytes();
        self.seal.seal_in_place_append_tag(nonce_bytes, Aad::from(ASSOCIATED), &mut sealed).map_err(unsealed)?;
        let notice = json!({
            "id": format!("6e0d2026-0000-4000-8000-{number:012x}"),
            "create_time": paid_at,
            "event_type": "TRANSACTION.SUCCESS",
            "resource_type": "encrypt-resource",
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": STANDARD.encode(sealed),
                "associated_data": ASSOCIATED,
                "nonce": nonce,
            },
        });
        Ok(notice.to_string())
    }

    /// Signs all that is planned with every core. Error: so many cannot be signed and sent within their window.
    pub fn sign(&self, plan: &[Wish], orders: &[Order], say: &Say) -> Result<Signed, Failure> {
        let began = wall();
        let at = began.after_seconds(AHEAD);
        let next = AtomicUsize::new(0);
        let (give, given) = channel();
        let work = |give: std::sync::mpsc::Sender<_>| {
            loop {
                let from = next.fetch_add(PIECE, Ordering::Relaxed);
                let Some(rest) = plan.get(from..).filter(|rest| !rest.is_empty()) else { return };
                let piece: Result<Vec<Notice>, Failure> =
                    (from..).zip(rest).take(PIECE).map(|(place, wish)| self.notice(*wish, orders, place, at)).collect();
                if give.send((from, piece)).is_err() {
                    return;
                }
            }
        };
        let pieces = std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                let (give, work) = (give.clone(), &work);
                scope.spawn(move || work(give));
            }
            drop(give);
            let (mut pieces, mut done) = (BTreeMap::new(), 0);
            for (from, piece) in given {
                let piece = piece?;
                done += piece.len();
                pieces.insert(from, piece);
                say.part("signing notices", u64::try_from(done)?, u64::try_from(plan.len())?);
            }
            Ok::<_, Failure>(pieces)
        })?;
        let notices = pieces.into_values().flatten().collect();
        let took = wall().since(began) / 1_000_000;
        Ok(Signed { notices, good_until: at.after_seconds(WINDOW - MARGIN), took })
    }

    fn notice(&self, wish: Wish, orders: &[Order], place: usize, at: Micros) -> Result<Notice, Failure> {
        let order = usize::try_from(wish.order).ok().and_then(|order| orders.get(order));
        let order = order.ok_or_else(|| Said(format!("notice {place} names no order")))?;
        Ok(Notice { kind: wish.kind, order: wish.order, request: self.request(wish, order, place, at)? })
    }
}

impl Signed {
    /// They are believed for so many seconds more.
    pub fn good_for(&self) -> i64 {
        self.good_until.since(wall()) / 1_000_000
    }
}

/// The provider's number of the payment of the order at this place: 28 digits.
pub fn transaction_id(order: u32) -> String {
    format!("42000026{order:020}")
}

/// A moment as the provider writes it.
fn rfc3339(at: Micros) -> String {
    let time = campus_time(at);
    let (year, month, day) = (time.year, time.month, time.day);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+08:00", time.hour, time.minute, time.second)
}
