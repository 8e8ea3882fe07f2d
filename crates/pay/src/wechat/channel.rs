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

use std::sync::Arc;

use flows::ports::{Bridge, ChannelError, Clock, Entropy, NoticeFault, PrepayWish, RawNotice, Trade, Waiting, WeChat};
use jiff::Timestamp;
use jiff::tz::Offset;
use ledger::Micros;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, Response, Url};
use rules::ids::OrderNo;

use super::config::{ConfigFault, Merchant, is_this_machine};
use super::notice;
use super::sign::{Proof, Request};
use super::trade;
use super::wire::{self, CloseOrder, CreateAmount, CreateOrder, CreatePayer};

/// Answers have a few kB; what is longer is no answer.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The longest one-time code that is even sent.
const LONGEST_CODE: usize = 512;

/// Errors of the OAuth2 service that say "later": system busy, called too often.
const BUSY_TOKEN_ERRORS: [i64; 2] = [-1, 45_011];

/// The WeChat Pay channel of one merchant id and one official account.
pub struct WeChatPay {
    merchant: Merchant,
    http: Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl WeChatPay {
    /// Prepares the channel; nothing is sent yet.
    ///
    /// If the process has no TLS provider installed, aws-lc-rs is installed as its default.
    /// Errors: `Https` when the system's root certificates cannot be read.
    pub fn new(merchant: Merchant, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<WeChatPay, ConfigFault> {
        let http = client(&merchant)?;
        Ok(WeChatPay { merchant, http, clock, entropy })
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

    async fn create(&self, wish: &PrepayWish) -> Result<String, ChannelError> {
        let body = json(&CreateOrder {
            appid: &self.merchant.appid,
            mchid: &self.merchant.mchid,
            description: &wish.description,
            out_trade_no: &wish.order.to_string(),
            time_expire: &beijing(wish.expires_at)?,
            notify_url: &self.merchant.notify_url,
            amount: CreateAmount { total: wish.amount.get(), currency: "CNY" },
            payer: CreatePayer { openid: &wish.openid },
        })?;
        let answer = self.call(Method::POST, "/v3/pay/transactions/jsapi", body).await?;
        match answer {
            Answer::Done { status: 200, body } => match wire::read::<wire::Prepaid>(&body) {
                Some(prepaid) if is_token(&prepaid.prepay_id) => Ok(prepaid.prepay_id),
                Some(_) | None => Err(ChannelError::Unknown("HTTP 200, and no prepay id in it".to_owned())),
            },
            other => Err(other.failure()),
        }
    }

    async fn ask(&self, order: OrderNo) -> Result<Trade, ChannelError> {
        let target = format!("/v3/pay/transactions/out-trade-no/{order}?mchid={}", self.merchant.mchid);
        match self.call(Method::GET, &target, Vec::new()).await? {
            Answer::Done { status: 200, body } => self.asked_trade(order, &body),
            Answer::Refused { status: 404, code, .. } if same_code(&code, "ORDERNOTEXIST") => Ok(Trade::NotFound),
            other => Err(other.failure()),
        }
    }

    /// A signature says who answers, not to which question: an answer about another order is none.
    fn asked_trade(&self, order: OrderNo, body: &[u8]) -> Result<Trade, ChannelError> {
        let transaction: wire::Transaction =
            wire::read(body).ok_or_else(|| ChannelError::Unknown("HTTP 200, and no transaction in it".to_owned()))?;
        if transaction.out_trade_no != order.to_string() {
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

    /// One signed request, and its answer if that is proved and sure.
    async fn call(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Answer, ChannelError> {
        let url = at(&self.merchant.api_base, target)?;
        // What is signed is what goes out: a base with a path in it lengthens both.
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let (now, nonce) = (self.clock.now(), self.nonce());
        let request = Request { method: method.as_str(), target: &target, at: now, nonce: &nonce, body: &body };
        let authorization = self
            .merchant
            .key
            .authorization(&self.merchant.mchid, &request)
            .map_err(|fault| ChannelError::Unknown(format!("nothing was sent: {fault}")))?;
        let response = self
            .http
            .request(method, url)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header("Wechatpay-Serial", self.merchant.platform.preferred())
            .body(body)
            .send()
            .await
            .map_err(cut)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = whole(response).await?;
        self.believe(status, &headers, body)
    }

    fn believe(&self, status: u16, headers: &HeaderMap, body: Vec<u8>) -> Result<Answer, ChannelError> {
        let proof = Proof {
            timestamp: only(headers, "Wechatpay-Timestamp"),
            nonce: only(headers, "Wechatpay-Nonce"),
            serial: only(headers, "Wechatpay-Serial"),
            signature: only(headers, "Wechatpay-Signature"),
        };
        if let Err(fault) = self.merchant.platform.verify(&proof, &body, self.clock.now()) {
            let hint = match status {
                401 => {
                    "; if it is SIGN_ERROR: check merchant_serial, merchant_key_file, mchid and this machine's clock"
                }
                _ => "",
            };
            return Err(ChannelError::Unknown(format!("HTTP {status}, not proved: {fault}{hint}")));
        }
        let fault = wire::read::<wire::Fault>(&body).filter(|fault| !fault.code.is_empty());
        let (code, message) = fault.map(|fault| (fault.code, fault.message.unwrap_or_default())).unwrap_or_default();
        let unsure = Err(ChannelError::Unknown(format!("HTTP {status} {code} {message}").trim_end().to_owned()));
        match status {
            202 => unsure,
            200..=299 => Ok(Answer::Done { status, body }),
            // Time-out, conflict, too early, too often.
            408 | 409 | 425 | 429 => unsure,
            400..=499 if code.is_empty() || says_busy(&code) => unsure,
            400..=499 => Ok(Answer::Refused { status, code, message }),
            _ => unsure,
        }
    }

    /// Sixteen unguessable bytes in hexadecimal: 32 characters, the most the provider takes.
    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

impl WeChat for WeChatPay {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(self.ask_openid(code))
    }

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(self.create(wish))
    }

    fn query(&self, order: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        Box::pin(self.ask(order))
    }

    fn close(&self, order: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        Box::pin(self.shut(order))
    }

    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Trade, NoticeFault> {
        notice::open(&self.merchant, notice, now)
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

/// A proved answer that is sure.
enum Answer {
    Done { status: u16, body: Vec<u8> },
    Refused { status: u16, code: String, message: String },
}

impl Answer {
    /// What an answer means to a caller that expected another.
    fn failure(self) -> ChannelError {
        match self {
            Answer::Done { status, .. } => ChannelError::Unknown(format!("HTTP {status} was not expected")),
            Answer::Refused { code, message, .. } => ChannelError::Refused { code, message },
        }
    }
}

fn client(merchant: &Merchant) -> Result<Client, ConfigFault> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only when another thread was faster, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let mut builder = Client::builder()
        .user_agent(concat!("onecard/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(merchant.connect)
        .timeout(merchant.deadline);
    if is_this_machine(&merchant.api_base) && is_this_machine(&merchant.token_base) {
        // The simulator on this machine: no certificate is ever needed, and the system may have none.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| ConfigFault::Https(root_cause(&error)))
}

/// `base` and `target` joined.
fn at(base: &Url, target: &str) -> Result<Url, ChannelError> {
    Url::parse(&format!("{}{target}", base.as_str().trim_end_matches('/')))
        .map_err(|_| ChannelError::Unknown("nothing was sent: the address cannot be written".to_owned()))
}

fn json(body: &impl serde::Serialize) -> Result<Vec<u8>, ChannelError> {
    serde_json::to_vec(body)
        .map_err(|_| ChannelError::Unknown("nothing was sent: the body cannot be written".to_owned()))
}

/// The whole body, unless it is longer than any answer.
async fn whole(mut response: Response) -> Result<Vec<u8>, ChannelError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if body.len().saturating_add(chunk.len()) > LONGEST_ANSWER {
            return Err(ChannelError::Unknown("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A call that broke off. The address is left out: that of the openid call has a secret in it.
fn cut(error: reqwest::Error) -> ChannelError {
    let error = error.without_url();
    let what = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke"
    };
    ChannelError::Unknown(format!("{what}: {}", root_cause(&error)))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A header that stands exactly once; else nothing, which no check accepts.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    }
}

/// The provider's pages write codes with and without inner underscores.
fn same_code(code: &str, plain: &str) -> bool {
    code.bytes().filter(|byte| *byte != b'_').eq(plain.bytes())
}

/// Codes that leave it open what happened, whatever status they come with.
fn says_busy(code: &str) -> bool {
    [
        "SYSTEMERROR",
        "BANKERROR",
        "SERVICEUNAVAILABLE",
        "FREQUENCYLIMITED",
        "FREQUENCYLIMIT",
        "RATELIMITEXCEEDED",
        "USERPAYING",
    ]
    .iter()
    .any(|busy| same_code(code, busy))
}

/// A name the provider made: visible ASCII, so that it cannot break a signed line or a page.
fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The moment in RFC 3339 with +08:00, to the second below.
fn beijing(at: Micros) -> Result<String, ChannelError> {
    let moment = Timestamp::from_second(at.seconds())
        .map_err(|_| ChannelError::Unknown("nothing was sent: the order's last moment is no date".to_owned()))?;
    Ok(moment.display_with_offset(Offset::constant(8)).to_string())
}

/// Percent-encoding of everything but letters, digits and `- . _ ~` (RFC 3986).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
