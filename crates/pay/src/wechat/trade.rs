//! What a transaction of the provider means to us.

use flows::ports::{Payment, Trade};
use jiff::Timestamp;
use ledger::{Fen, Micros};

use super::wire::{Object, Transaction};

/// Why a transaction, although its signature is good, tells us nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TradeFault {
    /// Another merchant's or another application's.
    #[error("it is of another merchant or application")]
    Foreign,
    /// Paid, but number, time or amount of the payment are missing or unreadable.
    #[error("it is paid but says not when, how much or under which number")]
    Incomplete,
    /// A state that is not in the provider's list.
    #[error("its state is unknown")]
    UnknownState,
}

/// The meaning of `transaction`, once it is known to be ours.
///
/// Errors, the first that applies: `Foreign`, `Incomplete`, `UnknownState`.
/// Source: API v3, "trade_state" of a transaction.
pub(crate) fn meaning(transaction: &Transaction, mchid: &str, appid: &str) -> Result<Trade, TradeFault> {
    if transaction.mchid != mchid || transaction.appid != appid {
        return Err(TradeFault::Foreign);
    }
    match transaction.trade_state.as_str() {
        "SUCCESS" => payment(transaction).map(Trade::Paid).ok_or(TradeFault::Incomplete),
        // The payment did succeed, and some or all of it was given back since: whoever has not credited it must not now.
        "REFUND" => payment(transaction).map(Trade::Refunded).ok_or(TradeFault::Incomplete),
        // Also after `time_expire`, until somebody closes the order.
        "NOTPAY" => Ok(Trade::NotPaid),
        // The payer's last attempt failed (bank, limit, wrong password). Nothing says that no other can follow before the
        // order is closed, so it counts as open and not as closed.
        "PAYERROR" => Ok(Trade::NotPaid),
        "USERPAYING" => Ok(Trade::Paying),
        "CLOSED" => Ok(Trade::Closed),
        // Cancelled by the merchant; if money had been taken the provider has given it back. No payment can follow.
        "REVOKED" => Ok(Trade::Closed),
        _ => Err(TradeFault::UnknownState),
    }
}

fn payment(transaction: &Transaction) -> Option<Payment> {
    let Object(amount) = transaction.amount.as_ref()?;
    let total = Some(Fen::new(amount.total)).filter(|total| total.is_positive())?;
    Some(Payment {
        order: transaction.out_trade_no.clone(),
        transaction: transaction.transaction_id.clone().filter(|id| !id.is_empty())?,
        amount: total,
        // Missing is not the same as CNY: whoever compares shall see that nothing was said.
        currency: amount.currency.clone().unwrap_or_default(),
        paid_at: moment(transaction.success_time.as_deref()?)?,
    })
}

/// Reads RFC 3339 with its offset.
pub(crate) fn moment(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>().ok().map(|at| Micros::new(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat::wire;

    fn transaction(change: impl Fn(String) -> String) -> Transaction {
        let text = r#"{"appid":"wx1","mchid":"190","out_trade_no":"261123000000000112345678","transaction_id":"42",
            "trade_state":"SUCCESS","success_time":"2026-11-24T00:00:00+08:00",
            "amount":{"total":5000,"payer_total":4900,"currency":"CNY"}}"#;
        wire::read(change(text.to_owned()).as_bytes()).expect("a transaction")
    }

    #[test]
    fn every_state_has_its_meaning() {
        let paid = Payment {
            order: "261123000000000112345678".to_owned(),
            transaction: "42".to_owned(),
            amount: Fen::new(5000),
            currency: "CNY".to_owned(),
            paid_at: Micros::from_seconds(1_795_449_600),
        };
        let table = [
            ("SUCCESS", Ok(Trade::Paid(paid.clone()))),
            ("REFUND", Ok(Trade::Refunded(paid))),
            ("NOTPAY", Ok(Trade::NotPaid)),
            ("PAYERROR", Ok(Trade::NotPaid)),
            ("USERPAYING", Ok(Trade::Paying)),
            ("CLOSED", Ok(Trade::Closed)),
            ("REVOKED", Ok(Trade::Closed)),
            ("success", Err(TradeFault::UnknownState)),
            ("ACCEPT", Err(TradeFault::UnknownState)),
            ("", Err(TradeFault::UnknownState)),
        ];
        for (state, expected) in table {
            let transaction = transaction(|text| text.replace("\"SUCCESS\"", &format!("{state:?}")));
            assert_eq!(meaning(&transaction, "190", "wx1"), expected, "{state}");
        }
    }

    #[test]
    fn a_payment_without_its_facts_or_of_others_is_none() {
        let table = [
            ("\"mchid\":\"190\"", "\"mchid\":\"191\"", TradeFault::Foreign),
            ("\"appid\":\"wx1\"", "\"appid\":\"wx1 \"", TradeFault::Foreign),
            ("\"transaction_id\":\"42\",", "", TradeFault::Incomplete),
            ("\"transaction_id\":\"42\"", "\"transaction_id\":\"\"", TradeFault::Incomplete),
            ("\"transaction_id\":\"42\"", "\"transaction_id\":null", TradeFault::Incomplete),
            ("2026-11-24T00:00:00+08:00", "2026-11-24 00:00:00", TradeFault::Incomplete),
            ("2026-11-24T00:00:00+08:00", "yesterday", TradeFault::Incomplete),
            ("\"total\":5000", "\"total\":0", TradeFault::Incomplete),
            ("\"total\":5000", "\"total\":-5000", TradeFault::Incomplete),
            ("\"amount\"", "\"amounts\"", TradeFault::Incomplete),
        ];
        for (from, to, expected) in table {
            let transaction = transaction(|text| text.replace(from, to));
            assert_eq!(meaning(&transaction, "190", "wx1"), Err(expected), "{from} -> {to}");
        }
    }

    #[test]
    fn a_currency_that_is_not_stated_is_not_taken_for_yuan() {
        let transaction = transaction(|text| text.replace(",\"currency\":\"CNY\"", ""));
        let Ok(Trade::Paid(payment)) = meaning(&transaction, "190", "wx1") else { panic!("paid") };
        assert_eq!(payment.currency, "");
    }
}
