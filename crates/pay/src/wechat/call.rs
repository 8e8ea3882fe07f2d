//! One request to the provider, and whether its answer is proved and sure.

use flows::ports::ChannelError;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, Url};

use super::channel::WeChatPay;
use super::config::{ConfigFault, Merchant, is_this_machine};
use super::sign::{Proof, Request, Unproved};
use super::wire;

/// Answers have a few kB; what is longer is no answer.
const LONGEST_ANSWER: usize = 256 * 1024;

impl WeChatPay {
    /// One signed request, and its answer if that is proved and sure.
    pub(super) async fn call(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Answer, ChannelError> {
        let raw = self.exchange(self.request(method, at(&self.merchant.api_base, target)?, body)?).await?;
        let mut proved = self.proved(&raw);
        if proved == Err(Unproved::UnknownSerial) && self.learn(raw.proof().serial).await {
            proved = self.proved(&raw);
        }
        match proved {
            Ok(()) => sure(raw),
            Err(fault) => {
                let status = raw.status;
                let hint = match status {
                    401 => {
                        "; if it is SIGN_ERROR: check merchant_serial, merchant_key_file, mchid and this machine's clock"
                    }
                    _ => "",
                };
                Err(ChannelError::Unknown(format!("HTTP {status}, not proved: {fault}{hint}")))
            }
        }
    }

    fn proved(&self, raw: &RawAnswer) -> Result<(), Unproved> {
        self.keys().verify(&raw.proof(), &raw.body, self.clock.now())
    }

    /// The answer to a request as it came; nothing about it is proved.
    pub(super) async fn exchange(&self, request: RequestBuilder) -> Result<RawAnswer, ChannelError> {
        let response = request.send().await.map_err(cut)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = whole(response).await?;
        Ok(RawAnswer { status, headers, body })
    }

    /// A signed request, ready to be sent.
    pub(super) fn request(&self, method: Method, url: Url, body: Vec<u8>) -> Result<RequestBuilder, ChannelError> {
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
        let builder = self
            .http
            .request(method, url)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        let builder = match self.keys().preferred(now) {
            Some(serial) => builder.header("Wechatpay-Serial", serial),
            None => builder,
        };
        Ok(builder.body(body))
    }

    /// Sixteen unguessable bytes in hexadecimal: 32 characters, the most the provider takes.
    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// An answer as it came.
pub(super) struct RawAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn proof(&self) -> Proof<'_> {
        Proof {
            timestamp: only(&self.headers, "Wechatpay-Timestamp"),
            nonce: only(&self.headers, "Wechatpay-Nonce"),
            serial: only(&self.headers, "Wechatpay-Serial"),
            signature: only(&self.headers, "Wechatpay-Signature"),
        }
    }
}

/// What a proved answer says, if its status settles anything.
fn sure(raw: RawAnswer) -> Result<Answer, ChannelError> {
    let RawAnswer { status, body, .. } = raw;
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

/// A proved answer that is sure.
pub(super) enum Answer {
    Done { status: u16, body: Vec<u8> },
    Refused { status: u16, code: String, message: String },
}

impl Answer {
    /// What an answer means to a caller that expected another.
    pub(super) fn failure(self) -> ChannelError {
        match self {
            Answer::Done { status, .. } => ChannelError::Unknown(format!("HTTP {status} was not expected")),
            Answer::Refused { code, message, .. } => ChannelError::Refused { code, message },
        }
    }
}

pub(super) fn client(merchant: &Merchant) -> Result<Client, ConfigFault> {
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
pub(super) fn at(base: &Url, target: &str) -> Result<Url, ChannelError> {
    Url::parse(&format!("{}{target}", base.as_str().trim_end_matches('/')))
        .map_err(|_| ChannelError::Unknown("nothing was sent: the address cannot be written".to_owned()))
}

pub(super) fn json(body: &impl serde::Serialize) -> Result<Vec<u8>, ChannelError> {
    serde_json::to_vec(body)
        .map_err(|_| ChannelError::Unknown("nothing was sent: the body cannot be written".to_owned()))
}

/// The whole body, unless it is longer than any answer.
pub(super) async fn whole(mut response: Response) -> Result<Vec<u8>, ChannelError> {
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
pub(super) fn cut(error: reqwest::Error) -> ChannelError {
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
pub(super) fn same_code(code: &str, plain: &str) -> bool {
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
