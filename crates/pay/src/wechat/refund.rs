//! Refunds: what is asked, and what each answer and each notice means.
//!
//! A refund moves money out of the merchant's account, so only what can never happen any more ends it (M27):
//!
//! | answer, proved | means |
//! |---|---|
//! | 200, about this refund and these amounts | accepted; its state says how far it is |
//! | 403 `NOT_ENOUGH` | our account is short: the same number again once there is money |
//! | 400 `INVALID_REQUEST` and `PARAM_ERROR`, 403 `USER_ACCOUNT_ABNORMAL`, 404 `RESOURCE_NOT_EXISTS`, on the create | refused for good |
//! | `MCH_NOT_EXISTS`, `NO_AUTH`, `SIGN_ERROR`, any 401 | our settings are wrong: unknown, with a hint; mended, the refund goes on |
//! | any other code, 202, 3xx, 408, 409, 425, 429, 5xx, no answer, an answer about another refund | unknown |
//! | 404 `RESOURCE_NOT_EXISTS` on the query | not found; never final once the request was sent |

use flows::ports::{ChannelError, RefundNo, RefundState, RefundWish, Refunded, Repayment};
use ledger::{Fen, Micros};
use reqwest::Method;

use super::call::{Answer, json, same_code};
use super::channel::WeChatPay;
use super::trade::{TradeFault, moment};
use super::wire::{self, CreateRefund, CreateRefundAmount, Object, RefundAmount};

/// Status and code, without inner underscores, after which nothing was given back and nothing will be under this number.
const FINAL: [(u16, &str); 6] = [
    (400, "INVALIDREQUEST"),
    (400, "PARAMERROR"),
    (403, "USERACCOUNTABNORMAL"),
    (404, "RESOURCENOTEXISTS"),
    (404, "RESOURCENOTEXIST"),
    (404, "ORDERNOTEXIST"),
];

/// Codes that blame our settings: a person mends them, and the same request goes through.
const SETTINGS: [&str; 5] = ["MCHNOTEXISTS", "MCHNOTEXIST", "NOAUTH", "SIGNERROR", "APPIDMCHIDNOTMATCH"];

impl WeChatPay {
    pub(super) async fn ask_refund(&self, wish: &RefundWish) -> Result<Repayment, ChannelError> {
        let body = json(&CreateRefund {
            transaction_id: &wish.transaction,
            out_refund_no: &wish.refund.to_string(),
            reason: &wish.reason,
            notify_url: &self.merchant.notify_url,
            amount: CreateRefundAmount { refund: wish.amount.get(), total: wish.total.get(), currency: "CNY" },
        })?;
        match self.call(Method::POST, "/v3/refund/domestic/refunds", body).await? {
            Answer::Done { status: 200, body } => {
                let refunded = self.asked_refund(wish.refund, &body)?;
                let same = refunded.transaction == wish.transaction
                    && refunded.amount == wish.amount
                    && refunded.total == wish.total;
                if !same {
                    return Err(ChannelError::Unknown(
                        "the answer is about another payment or another amount; compare this refund at the merchant \
                         portal"
                            .to_owned(),
                    ));
                }
                Ok(Repayment::Known(refunded))
            }
            Answer::Refused { status: 403, code, .. } if same_code(&code, "NOTENOUGH") => Ok(Repayment::Short),
            Answer::Refused { status, code, message }
                if FINAL.iter().any(|(known, plain)| *known == status && same_code(&code, plain)) =>
            {
                Ok(Repayment::Refused { code, message })
            }
            other => Err(doubt(other)),
        }
    }

    pub(super) async fn ask_refund_state(&self, refund: RefundNo) -> Result<Repayment, ChannelError> {
        match self.call(Method::GET, &format!("/v3/refund/domestic/refunds/{refund}"), Vec::new()).await? {
            Answer::Done { status: 200, body } => self.asked_refund(refund, &body).map(Repayment::Known),
            Answer::Refused { status: 404, code, .. }
                if is_one_of(&code, &["RESOURCENOTEXISTS", "RESOURCENOTEXIST", "REFUNDNOTEXIST"]) =>
            {
                Ok(Repayment::NotFound)
            }
            other => Err(doubt(other)),
        }
    }

    /// A signature says who answers, not to which question: an answer about another refund is none.
    fn asked_refund(&self, refund: RefundNo, body: &[u8]) -> Result<Refunded, ChannelError> {
        let answer: wire::Refund =
            wire::read(body).ok_or_else(|| ChannelError::Unknown("HTTP 200, and no refund in it".to_owned()))?;
        if answer.out_refund_no != refund.to_string() {
            return Err(ChannelError::Unknown("the answer is about another refund".to_owned()));
        }
        answered(answer, self.clock.now())
            .map_err(|fault| ChannelError::Unknown(format!("the refund says nothing: {fault}")))
    }
}

/// What an answer that settles nothing is told as: a refusal would release the hold, so there is none here.
fn doubt(answer: Answer) -> ChannelError {
    match answer {
        Answer::Refused { status, code, message } => {
            let hint = if status == 401 || is_one_of(&code, &SETTINGS) {
                "; check mchid, merchant_serial, merchant_key_file, the permissions at the merchant portal and this \
                 machine's clock"
            } else {
                ""
            };
            ChannelError::Unknown(format!("HTTP {status} {code} {message}{hint}"))
        }
        done @ Answer::Done { .. } => done.failure(),
    }
}

fn is_one_of(code: &str, list: &[&str]) -> bool {
    list.iter().any(|known| same_code(code, known))
}

/// The meaning of an answer. Its merchant is the one that signed the request; its currency must be stated.
fn answered(answer: wire::Refund, now: Micros) -> Result<Refunded, TradeFault> {
    let Object(amount) = answer.amount;
    if amount.currency.as_deref() != Some("CNY") {
        return Err(TradeFault::Incomplete);
    }
    let (amount, total) = sums(&amount)?;
    let state = state(&answer.status, answer.success_time.as_deref(), now)?;
    let wire::Refund { out_refund_no: refund, refund_id, transaction_id: transaction, out_trade_no: order, .. } =
        answer;
    named(Refunded { refund, refund_id, transaction, order, amount, total, state })
}

/// The meaning of what a notice has sealed, once it is known to be ours.
///
/// Errors, the first that applies: `Foreign`, `Incomplete`, `UnknownState`.
/// Source: API v3, refund notice.
pub(super) fn told(news: wire::RefundNews, mchid: &str, now: Micros) -> Result<Refunded, TradeFault> {
    if news.mchid != mchid {
        return Err(TradeFault::Foreign);
    }
    let Object(amount) = news.amount;
    if amount.currency.as_deref().is_some_and(|currency| currency != "CNY") {
        return Err(TradeFault::Incomplete);
    }
    let (amount, total) = sums(&amount)?;
    let state = state(&news.refund_status, news.success_time.as_deref(), now)?;
    let wire::RefundNews { out_refund_no: refund, refund_id, transaction_id: transaction, out_trade_no: order, .. } =
        news;
    named(Refunded { refund, refund_id, transaction, order, amount, total, state })
}

/// What goes back, of which total.
fn sums(amount: &RefundAmount) -> Result<(Fen, Fen), TradeFault> {
    let (refund, total) = (Fen::new(amount.refund), Fen::new(amount.total));
    if refund.is_positive() && refund <= total { Ok((refund, total)) } else { Err(TradeFault::Incomplete) }
}

fn state(status: &str, success_time: Option<&str>, now: Micros) -> Result<RefundState, TradeFault> {
    match (status, success_time) {
        ("PROCESSING", _) => Ok(RefundState::Processing),
        ("SUCCESS", None) => Ok(RefundState::Success { at: now }),
        ("SUCCESS", Some(text)) => Ok(RefundState::Success { at: moment(text).ok_or(TradeFault::Incomplete)? }),
        ("CLOSED", _) => Ok(RefundState::Closed),
        ("ABNORMAL", _) => Ok(RefundState::Abnormal),
        _ => Err(TradeFault::UnknownState),
    }
}

fn named(refunded: Refunded) -> Result<Refunded, TradeFault> {
    let Refunded { refund, refund_id, transaction, order, .. } = &refunded;
    if [refund, refund_id, transaction, order].iter().any(|name| name.is_empty()) {
        return Err(TradeFault::Incomplete);
    }
    Ok(refunded)
}
