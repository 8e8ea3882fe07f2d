//! The payer's side: begins to type, pays, fails or gives up; and what becomes of refunds with time.

use ledger::{Fen, Micros};
use tracing::info;

use super::book::{OrderState, PayRefusal, Payment, Ticket};
use super::funds::fee;
use super::notification::Content;
use super::oauth::visitor_openid;
use super::refund::{Refund, Status};
use crate::random;
use crate::records::Records;
use crate::sandbox::Sandbox;
use crate::switches::{Set, Switch, Way};

/// What a payer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// Pays; an order that is paid stays as it is.
    #[default]
    Pay,
    /// Pays a paid order a second time, as a wallet with a stale page may.
    PayAgain,
    /// Begins to type the password.
    Begin,
    /// Gives up typing.
    Stop,
    /// Types the password, and the bank does not pay.
    Fail,
}

/// What a payer's step led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) out_trade_no: String,
    /// The payment, where there is one.
    pub(crate) transaction_id: Option<String>,
    /// Paid by this step, and not by an earlier one.
    pub(crate) fresh: bool,
}

/// The payer takes a step; a payment's notice goes on its way as the switches say.
///
/// Shape: `at` moves the payment into the past, for bills of days gone by.
/// Errors, in order: `Unknown`, `Paid`, `NotPaid`, `Closed`, `Expired`, `Unsaved` (unknown outcome: look again).
/// Repeats: pays nothing again and sends no second notice, unless asked for.
pub(crate) fn step(sandbox: &Sandbox, ticket: Ticket<'_>, step: Step, at: Option<Micros>) -> Result<Paid, PayRefusal> {
    let now = sandbox.clock().now();
    let paid = sandbox.change(|records| match step {
        Step::Pay => match records.wechat.payable(ticket, now).map(|order| order.asked.out_trade_no.clone()) {
            Ok(number) => {
                let set = records.switches.take(Switch::Payment);
                let first = record(sandbox, records, &number, set, at.unwrap_or(now))?;
                if set.way == Way::PaidTwice {
                    record(sandbox, records, &number, set, at.unwrap_or(now))?;
                }
                Ok(first)
            }
            Err(PayRefusal::Paid) => known(records, ticket),
            Err(refusal) => Err(refusal),
        },
        Step::PayAgain => match known(records, ticket)? {
            Paid { transaction_id: None, .. } => Err(PayRefusal::NotPaid),
            Paid { out_trade_no, .. } => {
                let set = records.switches.take(Switch::Payment);
                record(sandbox, records, &out_trade_no, set, at.unwrap_or(now))
            }
        },
        Step::Begin | Step::Stop | Step::Fail => {
            let out_trade_no = records.wechat.payable(ticket, now)?.asked.out_trade_no.clone();
            let state = match step {
                Step::Begin => OrderState::Paying,
                Step::Fail => OrderState::Failed,
                _ => OrderState::NotPaid,
            };
            records.wechat.turn(&out_trade_no, state);
            Ok(Paid { out_trade_no, transaction_id: None, fresh: false })
        }
    })?;
    if paid.fresh {
        info!(order.no = %paid.out_trade_no, transaction = paid.transaction_id, "order {} is paid", paid.out_trade_no);
        sandbox.wake();
    }
    Ok(paid)
}

/// The order as it is, with its first payment.
fn known(records: &Records, ticket: Ticket<'_>) -> Result<Paid, PayRefusal> {
    let (order, _) = records.wechat.find(ticket).ok_or(PayRefusal::Unknown)?;
    let transaction_id = match &order.state {
        OrderState::Paid { transaction_id, .. } => Some(transaction_id.clone()),
        _ => None,
    };
    Ok(Paid { out_trade_no: order.asked.out_trade_no.clone(), transaction_id, fresh: false })
}

fn record(
    sandbox: &Sandbox,
    records: &mut Records,
    number: &str,
    set: Set,
    paid_at: Micros,
) -> Result<Paid, PayRefusal> {
    let (order, _) = records.wechat.by_number(number).ok_or(PayRefusal::Unknown)?;
    let (setup, asked) = (&sandbox.setup().wechat, &order.asked);
    let total = match set.way {
        // Less by so much, but never nothing.
        Way::WrongAmount => Fen::new(asked.amount.total.get().saturating_sub(set.number.into()).max(1)),
        _ => asked.amount.total,
    };
    let currency = if set.way == Way::WrongCurrency { "USD" } else { asked.amount.currency.as_str() };
    let openid = asked.payer.as_ref().map_or_else(|| visitor_openid(setup), |payer| payer.openid.clone());
    let payment = Payment {
        out_trade_no: number.to_owned(),
        transaction_id: random::transaction_id(paid_at),
        paid_at,
        total,
        currency: currency.to_owned(),
        fee: fee(total, setup.fee_per_ten_thousand),
        openid,
        refunded: false,
    };
    let transaction_id = payment.transaction_id.clone();
    records.wechat.record_payment(payment);
    if let Some((order, payment)) = records.wechat.by_transaction(&transaction_id) {
        let now = sandbox.clock().now();
        let (content, url) = (Content::of_payment(order, payment, now), order.asked.notify_url.clone());
        notify(records, number, &url, &content, now);
    }
    Ok(Paid { out_trade_no: number.to_owned(), transaction_id: Some(transaction_id), fresh: true })
}

/// Puts a notice on its way as the switches say, after a probe where they say so.
fn notify(records: &mut Records, number: &str, url: &str, content: &Content, now: Micros) {
    if records.switches.take(Switch::Probe).way == Way::ProbeNotices {
        records.notices.add_probe(number, url, content, now);
    }
    let set = records.switches.take(Switch::Notice);
    records.notices.add(set, number, url, content, now);
}

/// Ends or halts the refunds whose time has come, and puts their notices on their way.
pub(crate) fn advance(sandbox: &Sandbox, records: &mut Records) {
    let now = sandbox.clock().now();
    for refund in records.wechat.advance(now) {
        tell(sandbox, records, &refund, now);
    }
}

/// The operator ends a refund; false where there is nothing to end.
pub(crate) fn settle(sandbox: &Sandbox, records: &mut Records, out_refund_no: &str, status: Status) -> bool {
    let now = sandbox.clock().now();
    let settled = records.wechat.settle(out_refund_no, status, now);
    if let Some(refund) = &settled {
        tell(sandbox, records, refund, now);
    }
    settled.is_some()
}

fn tell(sandbox: &Sandbox, records: &mut Records, refund: &Refund, now: Micros) {
    let number = &refund.asked.out_refund_no;
    info!(refund.no = %number, status = refund.status().word(), "refund {number} is {}", refund.status().word());
    if let Some(url) = &refund.asked.notify_url
        && let Some(content) = Content::of_refund(refund, &sandbox.setup().wechat.mchid, now)
    {
        notify(records, &refund.out_trade_no, url, &content, now);
    }
}
