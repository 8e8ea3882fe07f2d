//! The official account beside the payments: its server token, its menu, its messages and its callback.
//!
//! This service does not sign; TLS is its proof. It answers HTTP 200 to refusals too, with an error number.

pub mod callback;
mod menu;
mod message;

use std::sync::Arc;

use flows::ports::{ChannelError, Clock};
use ledger::Micros;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Url};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

pub use menu::{Button, Menu, MenuFault};
pub use message::{SubscribeMessage, TemplateMessage};

use super::call::{at, cut, json, whole};
use super::channel::encoded;
use super::config::Merchant;
use super::wire::{self, TokenAnswer, TokenAsk};

/// A token is renewed so long before it ends, so that none ends on its way.
const EARLY_SECONDS: i64 = 300;

/// Error numbers that say: this token is no good (any more).
const TOKEN_ENDED: [i64; 3] = [40_001, 40_014, 42_001];

/// Error numbers that say "later": busy, the day's or the minute's quota is used up.
const LATER: [i64; 4] = [-1, 45_009, 45_011, 45_047];

/// Why the official account's service did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountFault {
    /// No answer, or none that can be read: it may or may not have happened.
    #[error("the official account's service gave no sure answer ({0})")]
    Unknown(String),
    /// Nothing happened; later it may.
    #[error("the official account's service asks to wait: {code} {message}")]
    Later {
        /// The provider's number.
        code: i64,
        /// The provider's words.
        message: String,
    },
    /// No server token could be had, so nothing was sent.
    #[error(
        "no server token of the official account: {0}; check appid, app_secret_file and the account's list of allowed addresses"
    )]
    NoToken(String),
    /// Refused for good: nothing happened. 43101 says that the user did not agree to this message.
    #[error("the official account's service refused: {code} {message}")]
    Refused {
        /// The provider's number.
        code: i64,
        /// The provider's words.
        message: String,
    },
}

/// The official account. One for an appid in a process, because its token is shared.
pub struct OfficialAccount {
    base: Url,
    appid: String,
    secret: Zeroizing<String>,
    http: Client,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    renew_at: Micros,
    ends_at: Micros,
}

impl OfficialAccount {
    pub(super) fn new(merchant: &Merchant, http: Client, clock: Arc<dyn Clock>) -> OfficialAccount {
        OfficialAccount {
            base: merchant.token_base.clone(),
            appid: merchant.appid.clone(),
            secret: merchant.app_secret.clone(),
            http,
            clock,
            token: Mutex::new(None),
        }
    }

    /// The server token, other than `spoilt`. While one task fetches it the others wait for that one.
    async fn token(&self, spoilt: Option<&Token>) -> Result<Token, AccountFault> {
        let mut held = self.token.lock().await;
        let now = self.clock.now();
        let usable = held
            .as_ref()
            .filter(|token| now < token.ends_at && spoilt.is_none_or(|spoilt| *spoilt.text != *token.text));
        if let Some(token) = usable.filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        match self.fetch_token(now, spoilt).await {
            Ok(token) => {
                *held = Some(token.clone());
                Ok(token)
            }
            // It should have been renewed by now, and is still good.
            Err(fault) => usable.cloned().ok_or(fault),
        }
    }

    /// The service gives the same token until it is near its end. Only when that very one is spoilt is another forced,
    /// which may be done a few times a day.
    async fn fetch_token(&self, now: Micros, spoilt: Option<&Token>) -> Result<Token, AccountFault> {
        let token = self.ask_token(now, false).await?;
        match spoilt {
            Some(spoilt) if *spoilt.text == *token.text => self.ask_token(now, true).await,
            Some(_) | None => Ok(token),
        }
    }

    async fn ask_token(&self, now: Micros, force_refresh: bool) -> Result<Token, AccountFault> {
        let ask = TokenAsk { grant_type: "client_credential", appid: &self.appid, secret: &self.secret, force_refresh };
        let no_token = |fault: ChannelError| AccountFault::NoToken(words(fault));
        let url = at(&self.base, "/cgi-bin/stable_token").map_err(no_token)?;
        let body = self.post(url, json(&ask).map_err(no_token)?).await.map_err(no_token)?;
        let answer: TokenAnswer =
            wire::read(&body).ok_or_else(|| AccountFault::NoToken("an answer that cannot be read".to_owned()))?;
        match answer {
            TokenAnswer { access_token: Some(text), expires_in: Some(seconds), .. }
                if seconds > 0 && (1..=1024).contains(&text.len()) =>
            {
                // A token near its end is used up, rather than asked for with every call.
                let early = EARLY_SECONDS.min(seconds.checked_div(2).unwrap_or_default());
                let ends_at = now.after_seconds(seconds);
                let renew_at = now.after_seconds(seconds.saturating_sub(early));
                Ok(Token { text: Zeroizing::new(text), renew_at, ends_at })
            }
            TokenAnswer { errcode, errmsg, .. } => {
                let number = errcode.map(|number| number.to_string()).unwrap_or_default();
                Err(AccountFault::NoToken(format!("{number} {}", errmsg.unwrap_or_default()).trim().to_owned()))
            }
        }
    }

    /// One call with the token; with a fresh one a second time if the token was no good.
    async fn call(&self, path: &str, body: &[u8]) -> Result<Vec<u8>, AccountFault> {
        let mut spoilt: Option<Token> = None;
        loop {
            let token = self.token(spoilt.as_ref()).await?;
            let target = format!("{path}?access_token={}", encoded(&token.text));
            let url = at(&self.base, &target).map_err(unknown)?;
            let answer = self.post(url, body.to_vec()).await.map_err(unknown)?;
            let outcome: wire::AccountAnswer =
                wire::read(&answer).ok_or_else(|| AccountFault::Unknown("an answer that cannot be read".to_owned()))?;
            match outcome.errcode {
                0 => return Ok(answer),
                code if TOKEN_ENDED.contains(&code) && spoilt.is_none() => spoilt = Some(token),
                code => {
                    let message = outcome.errmsg.unwrap_or_default();
                    let later = LATER.contains(&code) || TOKEN_ENDED.contains(&code);
                    return Err(match later {
                        true => AccountFault::Later { code, message },
                        false => AccountFault::Refused { code, message },
                    });
                }
            }
        }
    }

    async fn post(&self, url: Url, body: Vec<u8>) -> Result<Vec<u8>, ChannelError> {
        let request = self.http.post(url).header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/json");
        let response = request.body(body).send().await.map_err(cut)?;
        let status = response.status().as_u16();
        let body = whole(response).await?;
        if status == 200 { Ok(body) } else { Err(ChannelError::Unknown(format!("HTTP {status}"))) }
    }
}

fn words(fault: ChannelError) -> String {
    match fault {
        ChannelError::Unknown(text) => text,
        ChannelError::Refused { code, message } => format!("{code} {message}"),
    }
}

fn unknown(fault: ChannelError) -> AccountFault {
    AccountFault::Unknown(words(fault))
}
