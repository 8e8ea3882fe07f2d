//! Refunds and what may happen to each: pure, the caller brings the time and the fresh numbers.

use ledger::{Fen, Micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Failure;
use super::book::{Book, Payment};
use super::create::{is_notify_url, require, require_short};
use super::funds::{Kind, Movement, fee_share};
use crate::switches::Way;

const WINDOW_SECONDS: i64 = 365 * 86_400;
const MOST_PARTS: usize = 50;
const BETWEEN_PARTS_SECONDS: i64 = 60;
/// How long money takes back into a wallet.
const ARRIVES_SECONDS: i64 = 300;
/// How long a refund without funds is kept before it is closed.
const CLOSES_SECONDS: i64 = 7 * 86_400;

/// The body of a refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundAsked {
    #[serde(default)]
    transaction_id: Option<String>,
    #[serde(default)]
    out_trade_no: Option<String>,
    pub(crate) out_refund_no: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    pub(crate) notify_url: Option<String>,
    #[serde(default)]
    funds_account: Option<String>,
    amount: RefundAmount,
    #[serde(default)]
    goods_detail: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundAmount {
    #[serde(with = "crate::stored::fen")]
    refund: Fen,
    #[serde(with = "crate::stored::fen")]
    total: Fen,
    currency: String,
    #[serde(default)]
    from: Option<Value>,
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Processing,
    Success,
    Closed,
    Abnormal,
}

impl Status {
    /// The platform's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Processing => "PROCESSING",
            Status::Success => "SUCCESS",
            Status::Closed => "CLOSED",
            Status::Abnormal => "ABNORMAL",
        }
    }
}

/// One refund, named by the merchant's number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) asked: RefundAsked,
    pub(crate) refund_id: String,
    pub(crate) out_trade_no: String,
    pub(crate) transaction_id: String,
    #[serde(with = "crate::stored::micros")]
    pub(crate) created_at: Micros,
    /// The payment's amount.
    #[serde(with = "crate::stored::fen")]
    pub(crate) total: Fen,
    /// The part of the payment's fee that comes back with it.
    #[serde(with = "crate::stored::fen")]
    pub(crate) fee_back: Fen,
    pub(crate) channel: Channel,
    changes: Vec<Change>,
    due: Option<Change>,
}

/// The way the money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Channel {
    Original,
    OtherBankcard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    #[serde(with = "crate::stored::micros")]
    at: Micros,
    status: Status,
}

/// When and by what a request came; what the caller knows and the book does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Micros,
    /// How many times faster than in reality waiting goes.
    pub(crate) speed: u32,
}

impl Moment {
    fn after(self, seconds: i64) -> Micros {
        Micros::new(self.now.get().saturating_add(self.scaled(seconds)))
    }

    fn scaled(self, seconds: i64) -> i64 {
        seconds.saturating_mul(1_000_000) / i64::from(self.speed.max(1))
    }
}

impl RefundAsked {
    /// Reads and checks a body.
    ///
    /// Errors: `PARAM_ERROR`, field by field.
    pub(crate) fn read(body: &[u8]) -> Result<RefundAsked, Failure> {
        let asked: RefundAsked = serde_json::from_slice(body)
            .map_err(|error| Failure::parameter("body", format!("请求体不符合接口定义：{error}")))?;
        let named = asked.transaction_id.is_some() || asked.out_trade_no.is_some();
        require(named, "/out_trade_no", "transaction_id 与 out_trade_no 至少填一个")?;
        require_short(asked.transaction_id.as_deref(), 32, "/transaction_id")?;
        require_short(asked.out_trade_no.as_deref(), 32, "/out_trade_no")?;
        require(
            is_refund_number(&asked.out_refund_no),
            "/out_refund_no",
            "商户退款单号应为 1 至 64 位数字、字母或 _-|*@",
        )?;
        require_short(asked.reason.as_deref(), 80, "/reason")?;
        let notify = asked.notify_url.as_deref();
        require(notify.is_none_or(is_notify_url), "/notify_url", "通知地址应为不带参数的 https 地址")?;
        let account = asked.funds_account.as_deref();
        require(
            account.is_none_or(|name| matches!(name, "AVAILABLE" | "UNSETTLED")),
            "/funds_account",
            "退款资金来源应为 AVAILABLE 或 UNSETTLED",
        )?;
        require(asked.amount.refund.is_positive(), "/amount/refund", "退款金额应为正整数，单位为分")?;
        require(asked.amount.total.is_positive(), "/amount/total", "原订单金额应为正整数，单位为分")?;
        require(asked.amount.currency == "CNY", "/amount/currency", "货币类型只支持 CNY")?;
        require(asked.goods_detail.as_ref().is_none_or(Value::is_array), "/goods_detail", "退款商品应为数组")?;
        Ok(asked)
    }
}

fn is_refund_number(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

impl Refund {
    /// How far it has come.
    pub(crate) fn status(&self) -> Status {
        self.changes.last().map_or(Status::Processing, |change| change.status)
    }

    /// How far it had come at `moment`.
    pub(crate) fn status_at(&self, moment: Micros) -> Status {
        self.changes.iter().rev().find(|change| change.at <= moment).map_or(Status::Processing, |change| change.status)
    }

    /// When the money arrived, if it has.
    pub(crate) fn arrived_at(&self) -> Option<Micros> {
        self.changes.last().filter(|change| change.status == Status::Success).map(|change| change.at)
    }

    /// The amount that goes back.
    pub(crate) fn amount(&self) -> Fen {
        self.asked.amount.refund
    }

    fn turn(&mut self, status: Status, at: Micros) {
        self.changes.push(Change { at, status });
        self.due = None;
    }
}

impl Book {
    /// Accepts a refund, or gives the one that this number stands for already.
    ///
    /// Errors, in order: 400 `INVALID_REQUEST` (the number with other parameters), 404 `RESOURCE_NOT_EXISTS` (no such
    /// payment), 400 `INVALID_REQUEST` (amounts, 365 days, 50 parts, more than was paid), 429 `FREQUENCY_LIMITED`
    /// (within a minute of another part), then what the switch or the balance says.
    /// Source: WeChat Pay API v3, refund.
    pub(crate) fn refund(
        &mut self,
        asked: RefundAsked,
        way: Way,
        refund_id: &str,
        moment: Moment,
    ) -> Result<Refund, Failure> {
        if let Some(known) = self.refunds.get(&asked.out_refund_no) {
            return if known.asked == asked {
                Ok(known.clone())
            } else {
                Err(Failure::invalid_request("商户退款单号重复，且参数与原退款不一致"))
            };
        }
        let payment = self.payment_to_refund(&asked)?.clone();
        let earlier = self.check_refund(&asked, &payment, moment)?;
        let shares = [earlier, earlier.saturating_add(asked.amount.refund.get())]
            .map(|part| fee_share(payment.fee, part, payment.total));
        let fee_back = Fen::new(shares[1].saturating_sub(shares[0]));
        match way {
            Way::NoMerchant => return Err(Failure::refund_merchant_unknown()),
            Way::NotEnough => return Err(Failure::not_enough()),
            Way::AccountAbnormal => return Err(Failure::account_abnormal()),
            _ if self.funds.balance() < asked.amount.refund.get().saturating_sub(fee_back.get()) => {
                return Err(Failure::not_enough());
            }
            _ => {}
        }
        let due = match way {
            Way::RefundStays => None,
            Way::RefundClosed => Some(Change { at: moment.after(CLOSES_SECONDS), status: Status::Closed }),
            Way::RefundAbnormal => Some(Change { at: moment.after(ARRIVES_SECONDS), status: Status::Abnormal }),
            _ => Some(Change { at: moment.after(ARRIVES_SECONDS), status: Status::Success }),
        };
        let refund = Refund {
            refund_id: refund_id.to_owned(),
            out_trade_no: payment.out_trade_no,
            transaction_id: payment.transaction_id.clone(),
            created_at: moment.now,
            total: payment.total,
            fee_back,
            channel: Channel::Original,
            changes: vec![Change { at: moment.now, status: Status::Processing }],
            due,
            asked,
        };
        self.move_refund(&refund, [Kind::Refund, Kind::FeeBack], moment.now);
        if let Some(payment) = self.payments.get_mut(&payment.transaction_id) {
            payment.refunded = true;
        }
        self.refunds.insert(refund.asked.out_refund_no.clone(), refund.clone());
        Ok(refund)
    }

    fn payment_to_refund(&self, asked: &RefundAsked) -> Result<&Payment, Failure> {
        let payment = match (&asked.transaction_id, &asked.out_trade_no) {
            (Some(number), _) => self.by_transaction(number).map(|(_, payment)| payment),
            (None, Some(number)) => self.by_number(number).and_then(|(_, payment)| payment),
            (None, None) => None,
        };
        let payment = payment.ok_or_else(Failure::nothing_to_refund)?;
        match &asked.out_trade_no {
            Some(number) if *number != payment.out_trade_no => {
                Err(Failure::invalid_request("transaction_id 与 out_trade_no 不是同一笔订单"))
            }
            _ => Ok(payment),
        }
    }

    /// What was refunded of this payment before, in fen; refusals as [`Book::refund`] lists them.
    fn check_refund(&self, asked: &RefundAsked, payment: &Payment, moment: Moment) -> Result<i64, Failure> {
        let invalid = Failure::invalid_request;
        if asked.amount.total != payment.total {
            return Err(invalid("订单金额与原支付不一致"));
        }
        if moment.now > payment.paid_at.after_seconds(WINDOW_SECONDS) {
            return Err(invalid("支付已超过 365 天，不能退款"));
        }
        let same = |refund: &&Refund| refund.transaction_id == payment.transaction_id;
        let earlier: Vec<&Refund> = self.refunds.values().filter(same).collect();
        let counted = earlier.iter().filter(|refund| refund.status() != Status::Closed);
        let sum = counted.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount().get()));
        if sum.saturating_add(asked.amount.refund.get()) > payment.total.get() {
            return Err(invalid("退款总金额超过支付金额"));
        }
        if earlier.len() >= MOST_PARTS {
            return Err(invalid("一笔支付最多退款 50 次"));
        }
        let latest = earlier.iter().map(|refund| refund.created_at).max();
        if latest.is_some_and(|latest| moment.now.since(latest) < moment.scaled(BETWEEN_PARTS_SECONDS)) {
            return Err(Failure::limited());
        }
        Ok(sum)
    }

    /// Sends a refund that turned abnormal on another way.
    ///
    /// Errors, in order: 404 `RESOURCE_NOT_EXISTS`, 400 `INVALID_REQUEST` (other number, or not abnormal).
    pub(crate) fn apply_abnormal(
        &mut self,
        refund_id: &str,
        out_refund_no: &str,
        moment: Moment,
    ) -> Result<Refund, Failure> {
        let known = self.refunds.values_mut().find(|refund| refund.refund_id == refund_id);
        let refund = known.ok_or_else(Failure::no_such_refund)?;
        if refund.asked.out_refund_no != out_refund_no {
            return Err(Failure::invalid_request("商户退款单号与微信退款单号不是同一笔退款"));
        }
        if refund.status() != Status::Abnormal {
            return Err(Failure::invalid_request("退款不是异常状态"));
        }
        refund.turn(Status::Processing, moment.now);
        refund.due = Some(Change { at: moment.after(ARRIVES_SECONDS), status: Status::Success });
        refund.channel = Channel::OtherBankcard;
        Ok(refund.clone())
    }

    /// The refund with the merchant's number.
    pub(crate) fn refund_by_number(&self, out_refund_no: &str) -> Option<&Refund> {
        self.refunds.get(out_refund_no)
    }

    /// The refunds whose next change is due, changed, the earliest first.
    pub(crate) fn advance(&mut self, now: Micros) -> Vec<Refund> {
        let due = |refund: &Refund| refund.due.filter(|change| change.at <= now);
        let mut changes: Vec<(Change, String)> =
            self.refunds.iter().filter_map(|(number, refund)| Some((due(refund)?, number.clone()))).collect();
        changes.sort_by_key(|(change, _)| change.at);
        changes.into_iter().filter_map(|(change, number)| self.settle(&number, change.status, change.at)).collect()
    }

    /// When the next refund changes by itself.
    pub(crate) fn next_change(&self) -> Option<Micros> {
        self.refunds.values().filter_map(|refund| refund.due.map(|change| change.at)).min()
    }

    /// Ends a refund that is not ended, as its time or the operator says; `None` where there is nothing to end.
    pub(crate) fn settle(&mut self, out_refund_no: &str, status: Status, at: Micros) -> Option<Refund> {
        let refund = self.refunds.get_mut(out_refund_no)?;
        let open = matches!(refund.status(), Status::Processing | Status::Abnormal);
        if !open || status == refund.status() {
            return None;
        }
        refund.turn(status, at);
        let refund = refund.clone();
        if status == Status::Closed {
            self.move_refund(&refund, [Kind::RefundBack, Kind::Fee], at);
        }
        Some(refund)
    }

    fn move_refund(&mut self, refund: &Refund, kinds: [Kind; 2], at: Micros) {
        for (kind, amount) in kinds.into_iter().zip([refund.amount(), refund.fee_back]) {
            let flow = self.funds.next_flow(at);
            let (business, voucher) = (refund.refund_id.clone(), refund.asked.out_refund_no.clone());
            self.funds.moved(Movement { at, kind, amount, business, voucher, flow });
        }
    }
}
