//! What the journal tells the clerk: how much was sold today, and how the last sale ended.

use ledger::Micros;
use link::{DebitEvidence, PurseSale, Record};
use rules::calendar::{CampusDay, campus_day, campus_time};

use super::State;

/// How long an authorisation may take: it ends its life so long after the sale.
pub const AUTHORISE_MICROS: i64 = 3_000_000;

/// Paid sales of one campus day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// The day, from midnight to midnight, by the platform's clock when the sale was made.
    pub day: CampusDay,
    /// How many.
    pub count: u64,
    /// Their sum, in fen.
    pub fen: u64,
}

/// Nothing was sold on any day.
impl Default for DayTotal {
    fn default() -> DayTotal {
        DayTotal::none_on(CampusDay(0))
    }
}

impl DayTotal {
    /// Nothing was sold on this day.
    const fn none_on(day: CampusDay) -> DayTotal {
        DayTotal { day, count: 0, fen: 0 }
    }

    /// Counts a sale. An earlier day's is no longer of interest; that of a later day begins anew.
    pub(super) fn add(&mut self, day: CampusDay, fen: u32) {
        if day > self.day {
            *self = DayTotal::none_on(day);
        }
        if day == self.day {
            self.count = self.count.saturating_add(1);
            self.fen = self.fen.saturating_add(u64::from(fen));
        }
    }

    /// What is in this total and not in `part`, a total of some of the same sales.
    pub(super) fn without(self, part: DayTotal) -> DayTotal {
        if part.day != self.day {
            return self;
        }
        let (count, fen) = (self.count.saturating_sub(part.count), self.fen.saturating_sub(part.fen));
        DayTotal { day: self.day, count, fen }
    }
}

/// How a sale ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paid from the account.
    PaidFromAccount,
    /// Paid from the card.
    PaidFromPurse,
    /// Refused, or taken back.
    NotPaid,
    /// Recorded as not proved.
    Unproved,
    /// Not ended yet.
    Open,
}

/// The newest sale that the platform was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSale {
    /// In fen.
    pub fen: u32,
    /// Hour and minute of the campus's clocks.
    pub at: (u8, u8),
    /// How it ended.
    pub outcome: Outcome,
}

/// When an authorisation was asked for.
fn asked_at(not_after: i64) -> Micros {
    Micros::new(not_after.saturating_sub(AUTHORISE_MICROS))
}

/// Two decimal digits of a card's clock.
fn number(bcd: u8) -> u8 {
    (bcd >> 4).saturating_mul(10).saturating_add(bcd & 0x0F)
}

/// The day of a debit, as the terminal told the card.
fn day_of(sale: &PurseSale) -> CampusDay {
    CampusDay(
        sale.stamp.date.iter().fold(0, |day, two| day.saturating_mul(100).saturating_add(u32::from(number(*two)))),
    )
}

impl State {
    /// An authorisation was closed as paid.
    pub(super) fn count_closed(&mut self, seq: u64) {
        if let Some(Record::Authorise { amount, not_after, .. }) = self.records.get(&seq) {
            self.counted.add(campus_day(asked_at(*not_after)), *amount);
        }
    }

    /// A record was added: a debit that is proved counts when it is recorded, another one when it is settled.
    pub(super) fn count_record(&mut self, seq: u64, record: &Record) {
        match record {
            Record::Sale(sale) if sale.evidence != DebitEvidence::Unconfirmed => {
                self.counted.add(day_of(sale), sale.amount);
            }
            Record::Settle { of, tac: Some(_) } => {
                let again = self.records.iter().any(|(other, record)| {
                    *other != seq && matches!(record, Record::Settle { of: same, .. } if same == of)
                });
                if let (false, Some(Record::Sale(sale))) = (again, self.records.get(of)) {
                    self.counted.add(day_of(sale), sale.amount);
                }
            }
            Record::Authorise { .. }
            | Record::Sale(_)
            | Record::Settle { .. }
            | Record::Reverse { .. }
            | Record::Gap { .. } => {}
        }
    }

    /// Paid sales of this day; none when the newest sale was on another.
    pub fn sold_on(&self, day: CampusDay) -> DayTotal {
        if self.counted.day == day { self.counted } else { DayTotal::none_on(day) }
    }

    /// The newest sale that the platform was asked about.
    pub fn last_sale(&self) -> Option<LastSale> {
        let taken_back =
            |seq: &u64| self.records.values().any(|other| matches!(other, Record::Reverse { of } if of == seq));
        self.records.iter().rev().find_map(|(seq, record)| match record {
            Record::Authorise { amount, not_after, .. } => {
                let time = campus_time(asked_at(*not_after));
                let outcome = match self.closed.get(seq) {
                    Some(true) => Outcome::PaidFromAccount,
                    Some(false) => Outcome::NotPaid,
                    None if taken_back(seq) => Outcome::NotPaid,
                    None => Outcome::Open,
                };
                Some(LastSale { fen: *amount, at: (time.hour, time.minute), outcome })
            }
            Record::Sale(sale) => {
                let [hour, minute, _] = sale.stamp.time;
                let outcome = match (sale.evidence, self.settled(*seq)) {
                    (DebitEvidence::Tac(_), _) | (DebitEvidence::Unconfirmed, Some(true)) => Outcome::PaidFromPurse,
                    (DebitEvidence::Unconfirmed, Some(false)) => Outcome::NotPaid,
                    (DebitEvidence::Unconfirmed, None) => Outcome::Unproved,
                };
                Some(LastSale { fen: sale.amount, at: (number(hour), number(minute)), outcome })
            }
            Record::Reverse { .. } | Record::Settle { .. } | Record::Gap { .. } => None,
        })
    }

    /// How the unconfirmed sale of record `seq` was settled: debited or not.
    fn settled(&self, seq: u64) -> Option<bool> {
        self.records.values().find_map(|record| match record {
            Record::Settle { of, tac } if *of == seq => Some(tac.is_some()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use link::Stamp;

    use super::super::Entry;
    use super::*;

    /// 2026-11-23, so many seconds after 12:00 on the campus.
    fn noon(seconds: i64) -> i64 {
        1_795_406_400_000_000 + seconds * 1_000_000
    }

    fn authorise(seq: u64, amount: u32, at: i64) -> Entry {
        let not_after = at + AUTHORISE_MICROS;
        Entry::Record { seq, record: Record::Authorise { card: 1, hold: [0; 16], amount, not_after } }
    }

    fn debit(seq: u64, amount: u32, date: [u8; 4], evidence: DebitEvidence) -> Entry {
        let sale = PurseSale {
            card: 1,
            authorised_by: None,
            amount,
            old_balance: 9000,
            m: 1,
            terminal: [0; 6],
            tsn: u32::try_from(seq).expect("small"),
            stamp: Stamp { date, time: [0x12, 0x34, 0x56] },
            key_version: 1,
            algorithm: 0,
            evidence,
        };
        Entry::Record { seq, record: Record::Sale(sale) }
    }

    const TODAY: [u8; 4] = [0x20, 0x26, 0x11, 0x23];
    const YESTERDAY: [u8; 4] = [0x20, 0x26, 0x11, 0x22];
    const TAC: DebitEvidence = DebitEvidence::Tac([1; 4]);

    fn after(entries: &[Entry]) -> State {
        let mut state = State::default();
        entries.iter().for_each(|entry| state.apply(entry));
        state
    }

    /// Count, sum in fen, and how the last sale ended.
    fn told(entries: &[Entry]) -> (u64, u64, Option<Outcome>) {
        let state = after(entries);
        let total = state.sold_on(CampusDay(20_261_123));
        (total.count, total.fen, state.last_sale().map(|last| last.outcome))
    }

    #[test]
    fn every_sale_counts_once_when_it_is_paid_and_the_last_one_is_told_as_it_stands() {
        let closed = |seq, paid| Entry::Closed { seq, paid };
        let settle = |seq, of, tac| Entry::Record { seq, record: Record::Settle { of, tac } };
        let reverse = |seq, of| Entry::Record { seq, record: Record::Reverse { of } };
        let unproved = DebitEvidence::Unconfirmed;
        let table = [
            (vec![], (0, 0, None)),
            (vec![authorise(1, 900, noon(0))], (0, 0, Some(Outcome::Open))),
            (vec![authorise(1, 900, noon(0)), closed(1, true)], (1, 900, Some(Outcome::PaidFromAccount))),
            (
                vec![authorise(1, 900, noon(0)), closed(1, true), closed(1, true)],
                (1, 900, Some(Outcome::PaidFromAccount)),
            ),
            (vec![authorise(1, 900, noon(0)), closed(1, false)], (0, 0, Some(Outcome::NotPaid))),
            (vec![authorise(1, 900, noon(0)), reverse(2, 1)], (0, 0, Some(Outcome::NotPaid))),
            (vec![debit(1, 300, TODAY, TAC)], (1, 300, Some(Outcome::PaidFromPurse))),
            (vec![debit(1, 300, TODAY, unproved)], (0, 0, Some(Outcome::Unproved))),
            (vec![debit(1, 300, TODAY, unproved), settle(2, 1, None)], (0, 0, Some(Outcome::NotPaid))),
            (
                vec![debit(1, 300, TODAY, unproved), settle(2, 1, Some([1; 4])), settle(3, 1, Some([1; 4]))],
                (1, 300, Some(Outcome::PaidFromPurse)),
            ),
            (vec![debit(1, 500, YESTERDAY, TAC), debit(2, 300, TODAY, TAC)], (1, 300, Some(Outcome::PaidFromPurse))),
            (vec![debit(1, 300, TODAY, TAC), debit(2, 500, YESTERDAY, TAC)], (1, 300, Some(Outcome::PaidFromPurse))),
        ];
        for (entries, expected) in table {
            assert_eq!(told(&entries), expected, "{entries:?}");
        }
        let minute = after(&[authorise(1, 900, noon(61))]).last_sale().expect("one").at;
        assert_eq!(minute, (12, 1));
    }

    #[test]
    fn the_day_turns_at_midnight_of_the_campus_and_not_when_the_answer_may_no_longer_come() {
        let midnight = noon(12 * 3600);
        let entries = [authorise(1, 700, midnight - 1), Entry::Closed { seq: 1, paid: true }];
        assert_eq!(told(&entries), (1, 700, Some(Outcome::PaidFromAccount)));
        let next = [authorise(1, 700, midnight), Entry::Closed { seq: 1, paid: true }];
        assert_eq!(told(&next).0, 0);
        assert_eq!(after(&next).sold_on(CampusDay(20_261_124)).count, 1);
    }

    #[test]
    fn the_days_total_outlives_its_records_and_a_journal_read_back_has_the_same() {
        let mut state = after(&[
            debit(1, 300, TODAY, TAC),
            debit(2, 400, TODAY, DebitEvidence::Unconfirmed),
            Entry::Record { seq: 3, record: Record::Settle { of: 2, tac: Some([1; 4]) } },
            debit(4, 500, TODAY, TAC),
        ]);
        for through in 0..=4 {
            state.forget(through);
            assert_eq!(
                state.sold_on(CampusDay(20_261_123)),
                DayTotal { day: CampusDay(20_261_123), count: 3, fen: 1200 }
            );
            let lines: String = state.entries().iter().map(|entry| entry.line().expect("has a line")).collect();
            let (again, good) = State::replay(lines.as_bytes()).expect("good");
            assert_eq!((again, good), (state.clone(), lines.len()), "forgotten through {through}");
        }
    }
}
