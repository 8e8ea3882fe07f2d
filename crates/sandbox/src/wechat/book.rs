//! The platform's orders and what may happen to each: pure, the caller brings the time and the fresh numbers.

use std::collections::BTreeMap;

use ledger::{Fen, Micros};
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::create::{CreateOrder, Scene};
use super::funds::{Funds, Kind, Movement};
use super::refund::Refund;
use crate::records::Unsaved;

const PREPAY_LIFE_SECONDS: i64 = 2 * 3600;
const H5_LIFE_SECONDS: i64 = 5 * 60;

/// All orders of the merchant, with their payments and refunds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Book {
    orders: BTreeMap<String, Order>,
    prepays: BTreeMap<String, Prepay>,
    /// By transaction number.
    pub(super) payments: BTreeMap<String, Payment>,
    /// By the merchant's refund number.
    pub(super) refunds: BTreeMap<String, Refund>,
    pub(super) funds: Funds,
}

/// One order, named by the merchant's number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) asked: CreateOrder,
    #[serde(default)]
    pub(crate) scene: Scene,
    #[serde(with = "crate::stored::micros")]
    pub(crate) created_at: Micros,
    #[serde(with = "crate::stored::micros")]
    pub(crate) expires_at: Micros,
    /// The prepay number given last; earlier ones stay payable while they live.
    pub(crate) prepay_id: String,
    pub(crate) state: OrderState,
    /// How often a close came while the payer was typing.
    #[serde(default)]
    pub(crate) early_closes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderState {
    NotPaid,
    /// The payer is typing the password.
    Paying,
    /// The bank did not pay; the payer may try again.
    Failed,
    Paid {
        /// The first payment; a second one of the same order is told by its own number alone.
        transaction_id: String,
        #[serde(with = "crate::stored::micros")]
        paid_at: Micros,
    },
    Closed {
        #[serde(with = "crate::stored::micros")]
        closed_at: Micros,
    },
}

/// Money that came in for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) out_trade_no: String,
    pub(crate) transaction_id: String,
    #[serde(with = "crate::stored::micros")]
    pub(crate) paid_at: Micros,
    #[serde(with = "crate::stored::fen")]
    pub(crate) total: Fen,
    pub(crate) currency: String,
    /// What the platform keeps of it.
    #[serde(default, with = "crate::stored::fen")]
    pub(crate) fee: Fen,
    pub(crate) openid: String,
    /// A refund of it was accepted once.
    pub(crate) refunded: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Prepay {
    out_trade_no: String,
    #[serde(with = "crate::stored::micros")]
    made_at: Micros,
}

/// A payer's attempt to pay was turned down; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PayRefusal {
    #[error("there is no such order")]
    Unknown,
    #[error("the order is closed")]
    Closed,
    #[error("the time to pay has passed")]
    Expired,
    #[error("the order is not paid")]
    NotPaid,
    #[error("the order is paid")]
    Paid,
    #[error("the payment could not be saved")]
    Unsaved,
}

impl From<Unsaved> for PayRefusal {
    fn from(_: Unsaved) -> PayRefusal {
        PayRefusal::Unsaved
    }
}

/// What the payer holds: the merchant's number, as an operator has it, or a prepay number, as a cashier page has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ticket<'a> {
    Number(&'a str),
    Prepay(&'a str),
}

impl Book {
    /// Opens an order, or gives a further prepay number for one that is open with the very same parameters.
    ///
    /// Errors, in order: `OUT_TRADE_NO_USED` (paid), `ORDER_CLOSED`, `INVALID_REQUEST` (other parameters or another
    /// scene, or expired).
    /// Source: WeChat Pay API v3, create.
    pub(crate) fn open(
        &mut self,
        asked: CreateOrder,
        scene: Scene,
        prepay_id: &str,
        now: Micros,
    ) -> Result<(), Failure> {
        let out_trade_no = asked.out_trade_no.clone();
        match self.orders.get_mut(&out_trade_no) {
            Some(order) => match order.state {
                OrderState::Paid { .. } => return Err(Failure::number_used()),
                OrderState::Closed { .. } => return Err(Failure::order_closed()),
                _ if order.asked != asked || order.scene != scene => {
                    return Err(Failure::invalid_request("商户订单号重复，且参数与原订单不一致"));
                }
                _ if now > order.expires_at => {
                    return Err(Failure::invalid_request("订单已过支付截止时间，请更换商户订单号"));
                }
                _ => order.prepay_id = prepay_id.to_owned(),
            },
            None => {
                let order = Order {
                    created_at: now,
                    expires_at: asked.expiry(now),
                    prepay_id: prepay_id.to_owned(),
                    state: OrderState::NotPaid,
                    early_closes: 0,
                    scene,
                    asked,
                };
                self.orders.insert(out_trade_no.clone(), order);
            }
        }
        self.prepays.insert(prepay_id.to_owned(), Prepay { out_trade_no, made_at: now });
        Ok(())
    }

    /// Closes an open order, expired or not.
    ///
    /// Errors: `ORDER_NOT_EXIST`, `ORDERPAID`, `ORDER_CLOSED`; while the payer is typing, 202 `USER_PAYING` and 429
    /// `FREQUENCY_LIMITED` in turn.
    /// Repeats: a second close is told `ORDER_CLOSED`.
    pub(crate) fn close(&mut self, out_trade_no: &str, now: Micros) -> Result<(), Failure> {
        let order = self.orders.get_mut(out_trade_no).ok_or_else(Failure::no_such_order)?;
        match order.state {
            OrderState::NotPaid | OrderState::Failed => order.state = OrderState::Closed { closed_at: now },
            OrderState::Paying => {
                order.early_closes = order.early_closes.wrapping_add(1);
                return Err(if order.early_closes % 2 == 1 { Failure::user_paying() } else { Failure::limited() });
            }
            OrderState::Paid { .. } => return Err(Failure::order_paid()),
            OrderState::Closed { .. } => return Err(Failure::order_closed()),
        }
        Ok(())
    }

    /// The order that a payer may pay now.
    ///
    /// Errors, in order: `Unknown`, `Paid`, `Closed`, `Expired`.
    pub(crate) fn payable(&self, ticket: Ticket<'_>, now: Micros) -> Result<&Order, PayRefusal> {
        let (order, last_moment) = self.find(ticket).ok_or(PayRefusal::Unknown)?;
        match &order.state {
            OrderState::Paid { .. } => Err(PayRefusal::Paid),
            OrderState::Closed { .. } => Err(PayRefusal::Closed),
            // Who has begun to type in time may end it.
            OrderState::NotPaid | OrderState::Failed if now > last_moment => Err(PayRefusal::Expired),
            OrderState::NotPaid | OrderState::Failed | OrderState::Paying => Ok(order),
        }
    }

    /// Puts an open order into another open state: the payer begins to type, gives up or fails.
    pub(crate) fn turn(&mut self, out_trade_no: &str, state: OrderState) {
        if let Some(order) = self.orders.get_mut(out_trade_no) {
            order.state = state;
        }
    }

    /// Writes down a payment; the first one makes its order paid.
    pub(crate) fn record_payment(&mut self, payment: Payment) {
        let (transaction_id, paid_at) = (payment.transaction_id.clone(), payment.paid_at);
        if let Some(order) = self.orders.get_mut(&payment.out_trade_no)
            && !matches!(order.state, OrderState::Paid { .. })
        {
            order.state = OrderState::Paid { transaction_id: transaction_id.clone(), paid_at };
        }
        let parts = [(Kind::Trade, payment.total), (Kind::Fee, payment.fee)];
        for (kind, amount) in parts {
            let flow = self.funds.next_flow(paid_at);
            let (business, voucher) = (transaction_id.clone(), payment.out_trade_no.clone());
            self.funds.moved(Movement { at: paid_at, kind, amount, business, voucher, flow });
        }
        self.payments.insert(transaction_id, payment);
    }

    /// The order that a ticket stands for, and the last moment at which that ticket pays: a prepay number lives two
    /// hours and no longer than its order.
    pub(crate) fn find(&self, ticket: Ticket<'_>) -> Option<(&Order, Micros)> {
        match ticket {
            Ticket::Number(out_trade_no) => self.orders.get(out_trade_no).map(|order| (order, order.expires_at)),
            Ticket::Prepay(prepay_id) => {
                let prepay = self.prepays.get(prepay_id)?;
                let order = self.orders.get(&prepay.out_trade_no)?;
                Some((order, order.expires_at.min(prepay.made_at.after_seconds(PREPAY_LIFE_SECONDS))))
            }
        }
    }

    /// Whether the address that H5 was answered with still leads to the cashier: five minutes.
    pub(crate) fn h5_lives(&self, prepay_id: &str, now: Micros) -> bool {
        self.prepays.get(prepay_id).is_some_and(|prepay| now <= prepay.made_at.after_seconds(H5_LIFE_SECONDS))
    }

    /// The order with the merchant's number, and its first payment.
    pub(crate) fn by_number(&self, out_trade_no: &str) -> Option<(&Order, Option<&Payment>)> {
        let order = self.orders.get(out_trade_no)?;
        let payment = match &order.state {
            OrderState::Paid { transaction_id, .. } => self.payments.get(transaction_id),
            _ => None,
        };
        Some((order, payment))
    }

    /// The order with the platform's number, which only a paid one has, and the payment of that number.
    pub(crate) fn by_transaction(&self, transaction_id: &str) -> Option<(&Order, &Payment)> {
        let payment = self.payments.get(transaction_id)?;
        Some((self.orders.get(&payment.out_trade_no)?, payment))
    }

    /// The payments of an order, as their numbers order them.
    pub(crate) fn payments_of<'a>(&'a self, out_trade_no: &'a str) -> impl Iterator<Item = &'a Payment> {
        self.payments.values().filter(move |payment| payment.out_trade_no == out_trade_no)
    }

    /// The refunds of an order, the oldest first.
    pub(crate) fn refunds_of(&self, out_trade_no: &str) -> Vec<&Refund> {
        let mut refunds: Vec<&Refund> =
            self.refunds.values().filter(|refund| refund.out_trade_no == out_trade_no).collect();
        refunds.sort_by_key(|refund| refund.created_at);
        refunds
    }

    /// What the merchant has with the platform, in fen.
    pub(crate) fn balance(&self) -> i64 {
        self.funds.balance()
    }

    /// Moves the merchant's balance without a payment.
    pub(crate) fn move_by_hand(&mut self, kind: Kind, amount: Fen, number: &str, at: Micros) {
        let flow = self.funds.next_flow(at);
        let number = number.to_owned();
        self.funds.moved(Movement { at, kind, amount, business: number.clone(), voucher: number, flow });
    }

    /// Every order, the newest first.
    pub(crate) fn newest_first(&self) -> Vec<&Order> {
        let mut orders: Vec<&Order> = self.orders.values().collect();
        orders.sort_by_key(|order| std::cmp::Reverse(order.created_at));
        orders
    }

    /// Gives every paid order of an older file the payment that the file did not keep apart.
    pub(crate) fn complete(&mut self) {
        for order in self.orders.values() {
            if let OrderState::Paid { transaction_id, paid_at } = &order.state
                && !self.payments.contains_key(transaction_id)
            {
                let payment = Payment {
                    out_trade_no: order.asked.out_trade_no.clone(),
                    transaction_id: transaction_id.clone(),
                    paid_at: *paid_at,
                    total: order.asked.amount.total,
                    currency: order.asked.amount.currency.clone(),
                    fee: Fen::ZERO,
                    openid: order.asked.payer.as_ref().map(|payer| payer.openid.clone()).unwrap_or_default(),
                    refunded: false,
                };
                self.payments.insert(transaction_id.clone(), payment);
            }
        }
    }
}
