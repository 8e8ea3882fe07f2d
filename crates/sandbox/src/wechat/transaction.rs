//! An order as the platform tells it.

use ledger::Fen;
use serde::Serialize;

use super::book::{Order, OrderState, Payment};
use crate::beijing;

/// What a query answers and what a notice of payment seals.
#[derive(Debug, Serialize)]
pub(crate) struct Transaction<'a> {
    appid: &'a str,
    mchid: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_type: Option<&'a str>,
    trade_state: &'a str,
    trade_state_desc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'a str>,
    attach: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer<'a>>,
    amount: Amount<'a>,
}

#[derive(Debug, Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

#[derive(Debug, Serialize)]
struct Amount<'a> {
    #[serde(with = "crate::stored::fen")]
    total: Fen,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_total: Option<i64>,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_currency: Option<&'a str>,
}

impl<'a> Transaction<'a> {
    /// `order` as it stands with this payment of it, or without any. Number, time and payer are missing before payment.
    pub(crate) fn of(order: &'a Order, payment: Option<&'a Payment>) -> Transaction<'a> {
        let asked = &order.asked;
        let (trade_state, trade_state_desc) = match (&order.state, payment) {
            (_, Some(payment)) if payment.refunded => ("REFUND", "订单发生过退款"),
            (_, Some(_)) | (OrderState::Paid { .. }, None) => ("SUCCESS", "支付成功"),
            (OrderState::NotPaid | OrderState::Paying, None) => ("NOTPAY", "订单未支付"),
            (OrderState::Failed, None) => ("PAYERROR", "支付失败，银行未能扣款"),
            (OrderState::Closed { .. }, None) => ("CLOSED", "订单已关闭"),
        };
        Transaction {
            appid: &asked.appid,
            mchid: &asked.mchid,
            out_trade_no: &asked.out_trade_no,
            transaction_id: payment.map(|payment| payment.transaction_id.as_str()),
            trade_type: payment.map(|_| order.scene.trade_type()),
            trade_state,
            trade_state_desc,
            bank_type: payment.map(|_| "OTHERS"),
            attach: asked.attach.as_deref().unwrap_or_default(),
            success_time: payment.map(|payment| beijing::rfc3339(payment.paid_at)),
            payer: payment.map(|payment| Payer { openid: &payment.openid }),
            amount: Amount {
                total: payment.map_or(asked.amount.total, |payment| payment.total),
                payer_total: payment.map(|payment| payment.total.get()),
                currency: payment.map_or(&asked.amount.currency, |payment| &payment.currency),
                payer_currency: payment.map(|payment| payment.currency.as_str()),
            },
        }
    }
}
