//! How often every fault and every outcome happened: a run that met nothing proves nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Counters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<&'static str, u64>);

/// What must have happened at least once in a range of seeds.
pub(crate) const DEMANDED: &[&str] = &[
    "card: another one came to a torn sale",
    "card: torn, answer cut",
    "card: torn, answer of a transaction cut",
    "card: torn, applied but no answer",
    "card: torn, before it got the command",
    "card: torn, received but not applied",
    "card: pulled between commands",
    "case: card ahead of a restored book",
    "case: load of before a restore that nobody can tell of",
    "case: payment mismatch",
    "case: payment twice",
    "case: payment of unknown order",
    "case: load TAC wrong",
    "case: records lost by a restore",
    "case: sale TAC wrong",
    "case: sale ahead of a restored book",
    "case: sale forgotten by a restore",
    "case: sale of before a restore that nobody can tell of",
    "case: terminal quarantined",
    "case: merchant account short",
    "case: payment given back meanwhile",
    "case: refund abnormal",
    "case: refund failed",
    "case: refund that is none of ours",
    "case: waiting money does not go back by rule",
    "case: waiting money of before a restore was given back meanwhile",
    "clone: found by a debit at the same counter",
    "clone: found by its counter",
    "clone: found by its purse",
    "clone: held",
    "clone: made",
    "clone: sale",
    "clone: tap message again",
    "clock: a day ahead",
    "clock: a day back",
    "clock: more than minutes ahead",
    "clock: more than minutes back",
    "clock: seconds or minutes ahead",
    "clock: seconds or minutes back",
    "door: opened",
    "door: right password at a locked door",
    "door: right password, locked by tries without an answer",
    "door: wrong password",
    "load: applied, proved by TAC",
    "load: applied, proved by the counter",
    "load: not applied",
    "load: several orders at once",
    "load: with a fill of the purse",
    "message: put away",
    "message: told",
    "loss: card refused at a till",
    "loss: forgotten by a restore",
    "loss: reported",
    "loss: reported again",
    "loss: with a load on its way",
    "network: corrupted",
    "network: connection cut",
    "network: connection cut at a debit",
    "network: connection cut at a torn debit",
    "network: dropped",
    "network: duplicated",
    "network: hours late",
    "network: overtaken",
    "network: slow",
    "network: terminal without a connection for long",
    "notice: after its order was closed",
    "notice: doubled",
    "notice: late",
    "notice: never sent",
    "notice: refused as foreign",
    "notice: refused as malformed",
    "notice: refused as stale",
    "notice: refused for its key",
    "notice: refused for its signature",
    "notice: sent again by the provider",
    "notice: under the new key",
    "order: asked about after a restore",
    "order: closed by the provider for us",
    "order: credited",
    "order: expired here",
    "order: late payment",
    "order: limit refused at the exact boundary",
    "order: limit taken at the exact boundary",
    "order: never told to the provider",
    "order: refused until open ones are asked about",
    "order: same form twice, same order",
    "page: says paid without a payment",
    "people: card left at home",
    "people: debited elsewhere, the line gone, on to a third till",
    "people: look after a torn card elsewhere",
    "people: switch a till off and on",
    "provider: bank took hours",
    "provider: close refused",
    "provider: create made, answer lost",
    "provider: create not made",
    "provider: creation refused for good",
    "provider: dark",
    "provider: charged twice",
    "provider: charged another amount",
    "provider: charged another currency",
    "provider: loses sight of an order",
    "provider: stale query",
    "provider: stranger's payment",
    "provider: asked for its keys",
    "provider: changes its key",
    "receiver: dark",
    "receiver: knows the whole journal",
    "receiver: refused",
    "receiver: silent in the dark",
    "receiver: told again",
    "receiver: told of a restore",
    "receiver: took a parcel and answered 500",
    "receiver: took a parcel, its answer was lost",
    "record: answered again",
    "record: reversed before it arrived",
    "record: sent again after a restore",
    "refund: abnormal",
    "refund: asked for again under its number",
    "refund: asked for by hand between backup and loss",
    "refund: by hand at the provider's portal",
    "refund: closed after it was abnormal",
    "refund: closed by the provider",
    "refund: given back",
    "refund: made by hand",
    "refund: merchant account short",
    "refund: query says not found",
    "refund: query without an answer",
    "refund: refused for good",
    "refund: refused, another has not ended",
    "refund: refused, needs two persons",
    "refund: refused, not paid",
    "refund: refused, nothing left",
    "refund: refused, on its way to the card",
    "refund: refused, on the card",
    "refund: refused, the card has not come since a restore",
    "refund: released to its owner",
    "refund: repaired after all",
    "refund: request not taken, no answer",
    "refund: request taken, no answer",
    "refund: settled",
    "rogue: forged sale",
    "rogue: forged tap",
    "rogue: number used twice",
    "sale: from the account",
    "sale: from the purse",
    "sale: not enough money",
    "sale: paid again after a restore",
    "sale: reversed",
    "sale: torn, not debited",
    "sale: torn, proved later",
    "sale: unconfirmed",
    "server: anchor torn by a crash",
    "server: commit constraint",
    "server: crash after commit",
    "server: crash after the last checkpoint",
    "server: crash after the book was read",
    "server: crash among commands run one by one",
    "server: crash at a later load of a batch",
    "server: crash at a load",
    "server: crash at any moment",
    "server: crash at the first load after a start",
    "server: crash at two starts running",
    "server: crash before commit",
    "server: crash before reply",
    "server: crash before the book was read",
    "server: crash before the last checkpoint",
    "server: disk full",
    "server: disk lost",
    "server: restarted",
    "server: restarted with a tail to replay",
    "server: restarted without a tail to replay",
    "server: restored from a backup",
    "server: start refused, the book is behind its anchors",
    "server: stopped in order",
    "server: store in other hands",
    "tap: alone",
    "terminal: device replaced",
    "terminal: clock off by more than an hour",
    "terminal: power cut",
    "terminal: power cut with unwritten lines",
    "terminal: slow disk",
    "terminal: torn line",
    "waiting: reminded",
    "waiting: went back by rule",
];

impl Counters {
    /// One more.
    pub(crate) fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    /// So many more.
    pub(crate) fn add_many(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    /// How often.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Counters) {
        for (name, count) in &other.0 {
            self.add_many(name, *count);
        }
    }

    /// What should have happened and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        DEMANDED.iter().copied().filter(|name| self.of(name) == 0).collect()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(out, "{count:>12}  {name}")?;
        }
        Ok(())
    }
}
