//! HTTP to the provider, and what each of its answers means.
//!
//! Every call is one request; nothing is repeated here, because whoever repeats must first have stored that it was sent.
//! An answer of API v3 counts only when its signature, checked by the key it names, and its time are good:
//!
//! | answer | means |
//! |---|---|
//! | none, cut, late, too long, not proved | unknown |
//! | 202, 3xx, 408, 409, 425, 429, 5xx, or a code that says "busy" with any status | unknown |
//! | another 4xx, proved, with a code | refused: nothing happened |
//! | 2xx, proved, of the expected form, about what was asked | done |
//!
//! **401 `SIGN_ERROR`.** It says that our key, its serial number or our clock is wrong, so nothing happened, and the
//! provider may be unable to sign it for us. Not proved it stays unknown all the same: it is the one answer that anybody
//! in between could write, "unknown" is safe for every order, and once the fault is mended the orders settle
//! themselves, whereas "refused" would have ended them. Its text names what to check. Proved, it is refused.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use flows::ports::{
    Bridge, ChannelError, Clock, Entropy, Notice, NoticeFault, OrderNo, PrepayWish, RawNotice, RefundNo, RefundWish,
    Repayment, Scene, Ticket, Trade, Waiting, WeChat,
};
use jiff::Timestamp;
use jiff::tz::Offset;
use ledger::Micros;
use reqwest::header::ACCEPT;
use reqwest::{Client, Method, Url};

use super::account::OfficialAccount;
use super::call::{Answer, at, client, cut, json, same_code, whole};
use super::certificates::Shelf;
use super::config::{ConfigFault, Merchant, is_this_machine};
use super::notice::{self, Counts, RefusedNotices};
use super::sign::PlatformKeys;
use super::trade;
use super::wire::{self, CloseOrder, CreateOrder, CreatePayer, H5Info, InFen, SceneInfo};

/// The longest one-time code that is even sent.
const LONGEST_CODE: usize = 512;

/// Errors of the OAuth2 service that say "later": system busy, called too often.
const BUSY_TOKEN_ERRORS: [i64; 2] = [-1, 45_011];

/// The WeChat Pay channel of one merchant id and one official account.
pub struct WeChatPay {
    pub(super) merchant: Merchant,
    pub(super) http: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Every key that proves the provider, now; those of the settings and those that were downloaded.
    pub(super) platform: RwLock<PlatformKeys>,
    pub(super) shelf: Shelf,
    account: OfficialAccount,
    counts: Counts,
}

impl WeChatPay {
    /// Prepares the channel; nothing is sent yet. Certificates that were kept from an earlier run are read.
    ///
    /// If the process has no TLS provider installed, aws-lc-rs is installed as its default.
    /// Errors: `Https` when the system's root certificates cannot be read.
    pub fn new(
        mut merchant: Merchant,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<WeChatPay, ConfigFault> {
        let http = client(&merchant)?;
        let mut platform = std::mem::take(&mut merchant.platform);
        let shelf = Shelf::open(merchant.certificates.take(), &merchant, &mut platform, clock.now());
        let account = OfficialAccount::new(&merchant, http.clone(), Arc::clone(&clock));
        Ok(WeChatPay {
            account,
            merchant,
            http,
            clock,
            entropy,
            platform: RwLock::new(platform),
            shelf,
            counts: Counts::default(),
        })
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> RwLockReadGuard<'_, PlatformKeys> {
        // A thread that panicked while it held them has left them whole: keys are only added and dropped.
        self.platform.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The official account beside the payments: menu and messages.
    pub fn account(&self) -> &OfficialAccount {
        &self.account
    }

    /// How many notices were refused since the start, by cause; for the operator's alarm.
    pub fn refused_notices(&self) -> RefusedNotices {
        self.counts.read()
    }

    /// Where to send the payer's browser so that it comes back to `redirect_uri` with `code` and `state`, silently.
    ///
    /// Shape: `redirect_uri` in clear, on the domain registered with the official account; `state` at most 128 letters
    /// and digits. The provider wants the parameters in this order and the fragment at the end.
    pub fn authorize_url(&self, redirect_uri: &str, state: &str) -> String {
        let base = self.merchant.oauth_base.as_str().trim_end_matches('/');
        let (appid, redirect_uri, state) = (&self.merchant.appid, encoded(redirect_uri), encoded(state));
        format!(
            "{base}/connect/oauth2/authorize?appid={appid}&redirect_uri={redirect_uri}\
             &response_type=code&scope=snsapi_base&state={state}#wechat_redirect"
        )
    }

    async fn ask_openid(&self, code: &str) -> Result<String, ChannelError> {
        if code.is_empty() || code.len() > LONGEST_CODE {
            // A browser brings the code: what can be none is refused in the provider's own words.
            return Err(ChannelError::Refused { code: "40029".to_owned(), message: "invalid code".to_owned() });
        }
        let (appid, secret, code) = (&self.merchant.appid, self.merchant.app_secret.as_str(), encoded(code));
        let target =
            format!("/sns/oauth2/access_token?appid={appid}&secret={secret}&code={code}&grant_type=authorization_code");
        let url = at(&self.merchant.token_base, &target)?;
        let response = self.http.get(url).header(ACCEPT, "application/json").send().await.map_err(cut)?;
        // This service does not sign; TLS is its proof. It answers 200 to refusals too, and calls its JSON text/plain.
        let status = response.status().as_u16();
        let body = whole(response).await?;
        let answer: Option<wire::OpenIdAnswer> = if status == 200 { wire::read(&body) } else { None };
        match answer {
            Some(wire::OpenIdAnswer { errcode: Some(number), errmsg, .. }) if number != 0 => {
                let message = errmsg.unwrap_or_default();
                if BUSY_TOKEN_ERRORS.contains(&number) {
                    return Err(ChannelError::Unknown(format!("busy: {number} {message}")));
                }
                Err(ChannelError::Refused { code: number.to_string(), message })
            }
            Some(wire::OpenIdAnswer { openid: Some(openid), .. }) if is_token(&openid) => Ok(openid),
            Some(_) | None => Err(ChannelError::Unknown(format!("HTTP {status}, and no openid in it"))),
        }
    }

    async fn create(&self, wish: &PrepayWish) -> Result<Ticket, ChannelError> {
        let (path, payer, scene_info) = match &wish.scene {
            Scene::InWeChat { openid } => ("jsapi", Some(CreatePayer { openid }), None),
            Scene::PhoneBrowser { address } => {
                ("h5", None, Some(SceneInfo { payer_client_ip: address, h5_info: H5Info { kind: "Wap" } }))
            }
            Scene::Scan => ("native", None, None),
        };
        let body = json(&CreateOrder {
            appid: &self.merchant.appid,
            mchid: &self.merchant.mchid,
            description: &wish.description,
            out_trade_no: &wish.order.to_string(),
            time_expire: &beijing(wish.expires_at)?,
            notify_url: &self.merchant.notify_url,
            amount: InFen { total: wish.amount.get(), currency: "CNY" },
            payer,
            scene_info,
        })?;
        match self.call(Method::POST, &format!("/v3/pay/transactions/{path}"), body).await? {
            Answer::Done { status: 200, body } => self
                .ticket(&wish.scene, &body)
                .ok_or_else(|| ChannelError::Unknown("HTTP 200, and nothing to pay with in it".to_owned())),
            other => Err(other.failure()),
        }
    }

    /// What a created order is paid with, if it is of the kind of its scene and can stand on a page.
    fn ticket(&self, scene: &Scene, body: &[u8]) -> Option<Ticket> {
        match scene {
            Scene::InWeChat { .. } => {
                let wire::Prepaid { prepay_id } = wire::read(body)?;
                is_token(&prepay_id).then_some(Ticket::Prepaid(prepay_id))
            }
            Scene::PhoneBrowser { .. } => {
                let wire::PrepaidH5 { h5_url } = wire::read(body)?;
                // A browser is sent there: never to a script, and in clear only to this machine.
                (is_line(&h5_url) && is_web_address(&h5_url)).then_some(Ticket::Address(h5_url))
            }
            Scene::Scan => {
                let wire::PrepaidNative { code_url } = wire::read(body)?;
                is_line(&code_url).then_some(Ticket::Code(code_url))
            }
        }
    }

    async fn ask(&self, order: OrderNo) -> Result<Trade, ChannelError> {
        let number = order.to_string();
        self.ask_at(&format!("out-trade-no/{number}"), |transaction| transaction.out_trade_no == number).await
    }

    /// What the provider knows of a payment by its own number of it. Changes nothing.
    ///
    /// Shape: `transaction` has 1 to 32 letters and digits. A number that cannot be one is not sent: `NotFound`.
    /// Errors: as [`WeChat::query`]. Source: API v3, query by transaction id.
    pub async fn query_transaction(&self, transaction: &str) -> Result<Trade, ChannelError> {
        let good =
            (1..=32).contains(&transaction.len()) && transaction.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !good {
            return Ok(Trade::NotFound);
        }
        self.ask_at(&format!("id/{transaction}"), |it| it.transaction_id.as_deref() == Some(transaction)).await
    }

    /// A signature says who answers, not to which question: an answer that is not `about` what was asked is none.
    async fn ask_at(&self, path: &str, about: impl Fn(&wire::Transaction) -> bool) -> Result<Trade, ChannelError> {
        let target = format!("/v3/pay/transactions/{path}?mchid={}", self.merchant.mchid);
        let body = match self.call(Method::GET, &target, Vec::new()).await? {
            Answer::Done { status: 200, body } => body,
            Answer::Refused { status: 404, code, .. } if same_code(&code, "ORDERNOTEXIST") => {
                return Ok(Trade::NotFound);
            }
            other => return Err(other.failure()),
        };
        let transaction: wire::Transaction =
            wire::read(&body).ok_or_else(|| ChannelError::Unknown("HTTP 200, and no transaction in it".to_owned()))?;
        if !about(&transaction) {
            return Err(ChannelError::Unknown("the answer is about another order".to_owned()));
        }
        trade::meaning(&transaction, &self.merchant.mchid, &self.merchant.appid)
            .map_err(|fault| ChannelError::Unknown(format!("the transaction says nothing: {fault}")))
    }

    async fn shut(&self, order: OrderNo) -> Result<(), ChannelError> {
        let target = format!("/v3/pay/transactions/out-trade-no/{order}/close");
        let body = json(&CloseOrder { mchid: &self.merchant.mchid })?;
        match self.call(Method::POST, &target, body).await? {
            Answer::Done { status: 204, .. } => Ok(()),
            // Closed before, so the provider has said it already.
            Answer::Refused { status: 400, code, .. } if same_code(&code, "ORDERCLOSED") => Ok(()),
            other => Err(other.failure()),
        }
    }
}

impl WeChat for WeChatPay {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(self.ask_openid(code))
    }

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        Box::pin(self.create(wish))
    }

    fn query(&self, order: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        Box::pin(self.ask(order))
    }

    fn close(&self, order: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        Box::pin(self.shut(order))
    }

    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        let opened = notice::open(&self.merchant, &self.keys(), notice, now);
        opened.map_err(|fault| {
            self.counts.count(fault);
            fault.into()
        })
    }

    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        Box::pin(self.ask_refund(wish))
    }

    fn query_refund(&self, refund: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        Box::pin(self.ask_refund_state(refund))
    }

    fn learn_serial<'a>(&'a self, serial: &'a str) -> Waiting<'a, bool> {
        Box::pin(self.learn(serial))
    }

    fn bridge(&self, prepay_id: &str, now: Micros, nonce: &str) -> Bridge {
        let app_id = self.merchant.appid.clone();
        let time_stamp = now.seconds().to_string();
        let package = format!("prepay_id={prepay_id}");
        // The key signed once at start-up. Should it ever fail, the bridge refuses an empty signature and nothing is paid.
        let pay_sign = self.merchant.key.pay_sign(&app_id, &time_stamp, nonce, &package).unwrap_or_else(|fault| {
            tracing::error!("the payer cannot be asked to pay: {fault}");
            String::new()
        });
        Bridge { app_id, time_stamp, nonce_str: nonce.to_owned(), package, pay_sign }
    }
}

/// A name the provider made: visible ASCII, so that it cannot break a signed line or a page.
fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An address the provider made: visible ASCII of the length its pages allow.
fn is_line(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// https anywhere; http only to this machine, for the provider simulator.
pub(super) fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => is_this_machine(&url),
        _ => false,
    })
}

/// The moment in RFC 3339 with +08:00, to the second below.
fn beijing(at: Micros) -> Result<String, ChannelError> {
    let moment = Timestamp::from_second(at.seconds())
        .map_err(|_| ChannelError::Unknown("nothing was sent: the order's last moment is no date".to_owned()))?;
    Ok(moment.display_with_offset(Offset::constant(8)).to_string())
}

/// Percent-encoding of everything but letters, digits and `- . _ ~` (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
