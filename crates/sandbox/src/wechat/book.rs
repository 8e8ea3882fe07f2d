//! The platform's orders and what may happen to each: pure, the caller brings the time and the fresh numbers.

use std::collections::BTreeMap;

use ledger::Micros;
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::wire::CreateOrder;
use crate::records::Unsaved;

const PREPAY_LIFE_SECONDS: i64 = 2 * 3600;

/// All orders of the merchant.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    orders: BTreeMap<String, Order>,
    prepays: BTreeMap<String, Prepay>,
    transactions: BTreeMap<String, String>,
}

/// One order, named by the merchant's number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) asked: CreateOrder,
    #[serde(with = "crate::stored::micros")]
    pub(crate) created_at: Micros,
    #[serde(with = "crate::stored::micros")]
    pub(crate) expires_at: Micros,
    /// The prepay number given last; earlier ones stay payable while they live.
    pub(crate) prepay_id: String,
    pub(crate) state: OrderState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderState {
    NotPaid,
    Paid {
        transaction_id: String,
        #[serde(with = "crate::stored::micros")]
        paid_at: Micros,
    },
    Closed {
        #[serde(with = "crate::stored::micros")]
        closed_at: Micros,
    },
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
    #[error("the payment could not be saved")]
    Unsaved,
}

impl From<Unsaved> for PayRefusal {
    fn from(_: Unsaved) -> PayRefusal {
        PayRefusal::Unsaved
    }
}

/// What a payer's attempt to pay did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) out_trade_no: String,
    pub(crate) transaction_id: String,
    /// Paid by this attempt, and not by an earlier one.
    pub(crate) fresh: bool,
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
    /// Errors, in order: `OUT_TRADE_NO_USED` (paid), `ORDER_CLOSED`, `INVALID_REQUEST` (other parameters, or expired).
    /// Source: WeChat Pay API v3, JSAPI create.
    pub(crate) fn open(&mut self, asked: CreateOrder, prepay_id: &str, now: Micros) -> Result<(), Failure> {
        let out_trade_no = asked.out_trade_no.clone();
        match self.orders.get_mut(&out_trade_no) {
            Some(order) => match order.state {
                OrderState::Paid { .. } => return Err(Failure::number_used()),
                OrderState::Closed { .. } => return Err(Failure::order_closed()),
                OrderState::NotPaid if order.asked != asked => {
                    return Err(Failure::invalid_request("商户订单号重复，且参数与原订单不一致"));
                }
                OrderState::NotPaid if now > order.expires_at => {
                    return Err(Failure::invalid_request("订单已过支付截止时间，请更换商户订单号"));
                }
                OrderState::NotPaid => order.prepay_id = prepay_id.to_owned(),
            },
            None => {
                let order = Order {
                    created_at: now,
                    expires_at: asked.expiry(now),
                    prepay_id: prepay_id.to_owned(),
                    state: OrderState::NotPaid,
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
    /// Errors: `ORDER_NOT_EXIST`, `ORDERPAID`, `ORDER_CLOSED`.
    /// Repeats: a second close is told `ORDER_CLOSED`.
    pub(crate) fn close(&mut self, out_trade_no: &str, now: Micros) -> Result<(), Failure> {
        let order = self.orders.get_mut(out_trade_no).ok_or_else(Failure::no_such_order)?;
        match order.state {
            OrderState::NotPaid => order.state = OrderState::Closed { closed_at: now },
            OrderState::Paid { .. } => return Err(Failure::order_paid()),
            OrderState::Closed { .. } => return Err(Failure::order_closed()),
        }
        Ok(())
    }

    /// The payer pays.
    ///
    /// Errors, in order: `Unknown`, `Closed`, `Expired`.
    /// Repeats: an order that is paid stays as it is and names its first transaction.
    pub(crate) fn pay(&mut self, ticket: Ticket<'_>, fresh_id: &str, now: Micros) -> Result<Payment, PayRefusal> {
        let (order, last_moment) = self.find(ticket).ok_or(PayRefusal::Unknown)?;
        match &order.state {
            OrderState::Paid { transaction_id, .. } => {
                let (out_trade_no, transaction_id) = (order.asked.out_trade_no.clone(), transaction_id.clone());
                return Ok(Payment { out_trade_no, transaction_id, fresh: false });
            }
            OrderState::Closed { .. } => return Err(PayRefusal::Closed),
            OrderState::NotPaid if now > last_moment => return Err(PayRefusal::Expired),
            OrderState::NotPaid => {}
        }

        let (out_trade_no, transaction_id) = (order.asked.out_trade_no.clone(), fresh_id.to_owned());
        if let Some(order) = self.orders.get_mut(&out_trade_no) {
            order.state = OrderState::Paid { transaction_id: transaction_id.clone(), paid_at: now };
        }
        self.transactions.insert(transaction_id.clone(), out_trade_no.clone());
        Ok(Payment { out_trade_no, transaction_id, fresh: true })
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

    /// The order with the merchant's number.
    pub(crate) fn by_number(&self, out_trade_no: &str) -> Option<&Order> {
        self.orders.get(out_trade_no)
    }

    /// The order with the platform's number, which only a paid one has.
    pub(crate) fn by_transaction(&self, transaction_id: &str) -> Option<&Order> {
        self.orders.get(self.transactions.get(transaction_id)?)
    }

    /// Every order, the newest first.
    pub(crate) fn newest_first(&self) -> Vec<&Order> {
        let mut orders: Vec<&Order> = self.orders.values().collect();
        orders.sort_by_key(|order| std::cmp::Reverse(order.created_at));
        orders
    }
}
