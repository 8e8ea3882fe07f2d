//! The provider of a past: it knows what was paid there and nothing else, and answers nobody else's questions.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use flows::ports::{
    Bridge, ChannelError, Notice, NoticeFault, OrderNo, Payment, PrepayWish, RawNotice, RefundNo, RefundWish,
    Repayment, Ticket, Trade, Waiting, WeChat,
};
use ledger::{Fen, Micros};

use crate::engine::no_channel::NoChannel;

/// What was paid in a past.
#[derive(Default)]
pub struct Payer(Mutex<BTreeMap<OrderNo, Payment>>);

impl Payer {
    /// Somebody pays the order.
    pub fn pay(&self, order: OrderNo, amount: Fen, at: Micros) {
        let payment = Payment {
            order: order.to_string(),
            transaction: format!("4200{order}"),
            amount,
            currency: "CNY".to_owned(),
            paid_at: at,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(order, payment);
    }
}

impl WeChat for Payer {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        NoChannel.openid(code)
    }
    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        NoChannel.prepay(wish)
    }
    fn query(&self, order: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        let paid = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&order).cloned();
        Box::pin(async { Ok(paid.map_or(Trade::NotFound, Trade::Paid)) })
    }
    fn close(&self, order: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        NoChannel.close(order)
    }
    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        NoChannel.refund(wish)
    }
    fn query_refund(&self, refund: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        NoChannel.query_refund(refund)
    }
    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        NoChannel.open_notice(notice, now)
    }
    fn learn_serial<'a>(&'a self, serial: &'a str) -> Waiting<'a, bool> {
        NoChannel.learn_serial(serial)
    }
    fn bridge(&self, prepay_id: &str, now: Micros, nonce: &str) -> Bridge {
        NoChannel.bridge(prepay_id, now, nonce)
    }
}
