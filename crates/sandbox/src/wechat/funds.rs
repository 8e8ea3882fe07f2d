//! The merchant's balance with the platform: every movement, and the fee.

use ledger::{Fen, Micros};
use serde::{Deserialize, Serialize};

use crate::beijing;

/// Every movement of the merchant's balance, in the order in which they were written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Funds {
    movements: Vec<Movement>,
}

/// One movement of the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movement {
    #[serde(with = "crate::stored::micros")]
    pub(crate) at: Micros,
    pub(crate) kind: Kind,
    /// Always positive; the kind says which way.
    #[serde(with = "crate::stored::fen")]
    pub(crate) amount: Fen,
    /// The platform's number of what moved it.
    pub(crate) business: String,
    /// The merchant's own number of what moved it.
    pub(crate) voucher: String,
    /// The number of the movement itself.
    pub(crate) flow: String,
}

/// Why the balance moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Trade,
    Fee,
    Refund,
    FeeBack,
    /// A refund that was closed gives the money back to the merchant.
    RefundBack,
    Withdrawal,
    Deposit,
}

impl Kind {
    /// The bill's words: the name of the business and its type.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Trade => ("交易", "交易"),
            Kind::Fee => ("交易", "扣除交易手续费"),
            Kind::Refund => ("退款", "退款"),
            Kind::FeeBack => ("退款", "退还交易手续费"),
            Kind::RefundBack => ("退款", "退款关闭退回"),
            Kind::Withdrawal => ("提现", "提现"),
            Kind::Deposit => ("充值", "充值"),
        }
    }

    /// Whether it adds to the balance.
    pub(crate) fn comes_in(self) -> bool {
        matches!(self, Kind::Trade | Kind::FeeBack | Kind::RefundBack | Kind::Deposit)
    }
}

impl Movement {
    /// What it adds to the balance; negative where it takes away.
    pub(crate) fn effect(&self) -> i64 {
        if self.kind.comes_in() { self.amount.get() } else { self.amount.get().saturating_neg() }
    }
}

impl Funds {
    /// Writes a movement down; one of nothing is none.
    pub(crate) fn moved(&mut self, movement: Movement) {
        if movement.amount.is_positive() {
            self.movements.push(movement);
        }
    }

    /// A number for the next movement: its day and its place.
    pub(crate) fn next_flow(&self, at: Micros) -> String {
        format!("10000{}{:012}", beijing::day(at), self.movements.len().saturating_add(1))
    }

    /// What the merchant has with the platform.
    pub(crate) fn balance(&self) -> i64 {
        self.movements.iter().fold(0, |sum, movement| sum.saturating_add(movement.effect()))
    }

    /// All movements in the order of their time.
    pub(crate) fn by_time(&self) -> Vec<&Movement> {
        let mut all: Vec<&Movement> = self.movements.iter().collect();
        all.sort_by_key(|movement| movement.at);
        all
    }
}

/// The fee of a payment, rounded to the nearest fen.
pub(crate) fn fee(total: Fen, per_ten_thousand: u32) -> Fen {
    let exact = i128::from(total.get()) * i128::from(per_ten_thousand);
    Fen::new(i64::try_from((exact + 5_000) / 10_000).unwrap_or(i64::MAX))
}

/// The part of a payment's fee that falls on the first `part` of its `total`.
pub(crate) fn fee_share(fee: Fen, part: i64, total: Fen) -> i64 {
    let exact = i128::from(fee.get()) * i128::from(part) / i128::from(total.get().max(1));
    i64::try_from(exact).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_rounded_and_its_shares_add_up() {
        for (total, fee_fen) in [(5_000, 30), (1, 0), (84, 1), (83, 0), (100_000, 600)] {
            assert_eq!(fee(Fen::new(total), 60), Fen::new(fee_fen), "{total}");
        }
        let (whole, total) = (Fen::new(31), Fen::new(5_000));
        let cuts = [0, 1_700, 3_333, 5_000];
        let shares: Vec<i64> =
            cuts.windows(2).map(|cut| fee_share(whole, cut[1], total) - fee_share(whole, cut[0], total)).collect();
        assert_eq!(shares.iter().sum::<i64>(), 31);
    }
}
