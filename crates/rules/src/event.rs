//! Events: what the school's other systems are told of the journal. An event is a journal row in other words, so nothing is
//! written down to make one, and telling again is reading again (decision 0024).

use std::fmt;

use ledger::{JournalRow, Kind as Stage, Micros};

use crate::chart::Reason;
use crate::epoch::Epoch;

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A payment was credited to its order's holder.
    TopUpCredited,
    /// A card took money that waited for it.
    CardLoaded,
    /// A merchant was paid by a holder.
    PurchasePaid,
    /// Such a payment was called off; the holder has it back.
    PurchaseReversed,
    /// Money was taken from its owner to be given back to the payer.
    RefundHeld,
    /// The payer has it.
    RefundSettled,
    /// The refund failed for good; the owner has it again.
    RefundReleased,
    /// Money was set aside within its account; no balance changed.
    MoneySetAside,
    /// What was set aside is free again; no balance changed.
    MoneyFreed,
    /// Money moved for any other reason.
    MoneyMoved,
    /// The book goes on from a backup: some events did not survive.
    BookRestored,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::TopUpCredited,
        Kind::CardLoaded,
        Kind::PurchasePaid,
        Kind::PurchaseReversed,
        Kind::RefundHeld,
        Kind::RefundSettled,
        Kind::RefundReleased,
        Kind::MoneySetAside,
        Kind::MoneyFreed,
        Kind::MoneyMoved,
        Kind::BookRestored,
    ];

    /// Its name, for ever.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::TopUpCredited => "topup.credited",
            Kind::CardLoaded => "card.loaded",
            Kind::PurchasePaid => "purchase.paid",
            Kind::PurchaseReversed => "purchase.reversed",
            Kind::RefundHeld => "refund.held",
            Kind::RefundSettled => "refund.settled",
            Kind::RefundReleased => "refund.released",
            Kind::MoneySetAside => "money.set_aside",
            Kind::MoneyFreed => "money.freed",
            Kind::MoneyMoved => "money.moved",
            Kind::BookRestored => "book.restored",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a journal row tells. Never [`Kind::BookRestored`].
    pub fn of(row: &JournalRow) -> Kind {
        match row.kind {
            Stage::Pend => return Kind::MoneySetAside,
            Stage::Void => return Kind::MoneyFreed,
            Stage::Direct | Stage::Post => {}
        }
        match Reason::from_number(row.code) {
            Some(Reason::TopUp) => Kind::TopUpCredited,
            Some(Reason::LoadApplied | Reason::LoadForgotten) => Kind::CardLoaded,
            Some(
                Reason::SaleFromAccount | Reason::SaleFromPurse | Reason::SaleFromUnproved | Reason::SaleForgotten,
            ) => Kind::PurchasePaid,
            Some(Reason::SaleReversed) => Kind::PurchaseReversed,
            Some(Reason::RefundHeld) => Kind::RefundHeld,
            Some(Reason::RefundSettled) => Kind::RefundSettled,
            Some(Reason::RefundReleased) => Kind::RefundReleased,
            Some(
                Reason::TopUpUnexplained
                | Reason::LoadReleased
                | Reason::LoadNotApplied
                | Reason::FloatSetAside
                | Reason::FloatReturned
                | Reason::UnprovedSettled
                | Reason::SaleUnexplained
                | Reason::LoadUntold,
            )
            | None => Kind::MoneyMoved,
        }
    }
}

/// Why money moved, in a word for programs; `expired` for money set aside that nobody took in time.
pub const fn reason_name(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::TopUp) => "top_up",
        Some(Reason::TopUpUnexplained) => "top_up_unexplained",
        Some(Reason::LoadReleased) => "load_released",
        Some(Reason::LoadApplied) => "load_applied",
        Some(Reason::LoadNotApplied) => "load_not_applied",
        Some(Reason::FloatSetAside) => "float_set_aside",
        Some(Reason::FloatReturned) => "float_returned",
        Some(Reason::SaleFromAccount) => "sale_from_account",
        Some(Reason::SaleReversed) => "sale_reversed",
        Some(Reason::SaleFromPurse) => "sale_from_purse",
        Some(Reason::SaleFromUnproved) => "sale_from_unproved",
        Some(Reason::UnprovedSettled) => "unproved_settled",
        Some(Reason::SaleUnexplained) => "sale_unexplained",
        Some(Reason::SaleForgotten) => "sale_forgotten",
        Some(Reason::LoadForgotten) => "load_forgotten",
        Some(Reason::LoadUntold) => "load_untold",
        Some(Reason::RefundHeld) => "refund_held",
        Some(Reason::RefundSettled) => "refund_settled",
        Some(Reason::RefundReleased) => "refund_released",
        None => "expired",
    }
}

/// A place between two events, and the number of the event before it: epoch and journal sequence, `2-41` in text. After a
/// restore sequences are used again, so the sequence alone names nothing (M9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Epoch of the book.
    pub epoch: u64,
    /// Journal sequence; 0 stands for the event that begins the epoch.
    pub seq: u64,
}

/// The text was not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in the events is written as epoch and number, such as 1-42")]
pub struct CursorText;

impl Cursor {
    /// Before the first event.
    pub const START: Cursor = Cursor { epoch: Epoch::FIRST, seq: 0 };

    /// Reads `epoch-seq`, each without leading zeroes. Error: [`CursorText`].
    pub fn parse(text: &str) -> Result<Cursor, CursorText> {
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
            text.parse::<u64>().ok().filter(|_| plain).ok_or(CursorText)
        };
        let (epoch, seq) = text.split_once('-').ok_or(CursorText)?;
        let cursor = Cursor { epoch: number(epoch)?, seq: number(seq)? };
        if cursor.epoch < Epoch::FIRST { Err(CursorText) } else { Ok(cursor) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.epoch, self.seq)
    }
}

/// An epoch that a restore began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// Its number.
    pub number: u64,
    /// Journal rows up to here are of epochs before it: what survived.
    pub after: u64,
    /// When it began.
    pub at: Micros,
}

/// Journal rows of one epoch that are in the book, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The epoch.
    pub epoch: u64,
    /// Its first row that is in the book.
    pub first: u64,
    /// Its last.
    pub last: u64,
}

/// The epochs of which a book has rows, oldest first: which sequence belongs to which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage(Vec<Began>);

impl Lineage {
    /// Of the restores that a book remembers, in the order in which they happened.
    pub const fn new(began: Vec<Began>) -> Lineage {
        Lineage(began)
    }

    /// The epoch of a journal row.
    pub fn epoch_of(&self, seq: u64) -> u64 {
        self.0.iter().rev().find(|began| began.after < seq).map_or(Epoch::FIRST, |began| began.number)
    }

    /// The epoch that the book is in.
    pub fn newest(&self) -> u64 {
        self.0.last().map_or(Epoch::FIRST, |began| began.number)
    }

    /// The first restore after an epoch.
    fn after(&self, epoch: u64) -> Option<&Began> {
        self.0.iter().find(|began| began.number > epoch)
    }

    fn begins(&self, epoch: u64) -> Option<u64> {
        match self.0.iter().find(|began| began.number == epoch) {
            Some(began) => Some(began.after),
            None => (epoch == Epoch::FIRST).then_some(0),
        }
    }

    /// Where somebody stands who was told everything up to `cursor`: set back to what survived of its epoch.
    ///
    /// An epoch that this book does not remember was itself undone by an older backup. What it shares with this book cannot
    /// be told, so everything comes again from the start: repeated events have the numbers they had.
    pub fn place(&self, cursor: Cursor) -> Cursor {
        let Some(first) = self.begins(cursor.epoch) else { return Cursor::START };
        let last = self.after(cursor.epoch).map_or(u64::MAX, |next| next.after);
        Cursor { epoch: cursor.epoch, seq: cursor.seq.max(first).min(last) }
    }

    /// Where the rows stand that follow a cursor that was placed: either the epoch that begins there, or the last row that
    /// may be told before one begins.
    pub fn next(&self, placed: Cursor) -> Next<'_> {
        match self.after(placed.epoch) {
            Some(began) if placed.seq >= began.after => Next::Begins(began),
            Some(began) => Next::Rows { last: began.after },
            None => Next::Rows { last: u64::MAX },
        }
    }

    /// Of all epochs before `number`, what survived.
    pub fn survived(&self, number: u64) -> Vec<Span> {
        let ends = self.0.iter().filter(|began| began.number <= number);
        let (mut spans, mut epoch, mut first) = (Vec::new(), Epoch::FIRST, 1);
        for began in ends {
            if began.after >= first {
                spans.push(Span { epoch, first, last: began.after });
            }
            (epoch, first) = (began.number, began.after.saturating_add(1));
        }
        spans
    }
}

/// What follows a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// An epoch begins.
    Begins(&'a Began),
    /// Rows, up to `last` at most.
    Rows {
        /// The last of them.
        last: u64,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn began(number: u64, after: u64) -> Began {
        Began { number, after, at: Micros::from_seconds(1_795_400_000) }
    }

    fn cursor(text: &str) -> Cursor {
        Cursor::parse(text).expect("a cursor")
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("money"), None);
    }

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Reason::ALL.into_iter().map(|reason| reason_name(Some(reason))).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(!words.contains(reason_name(None)));
    }

    #[test]
    fn a_cursor_has_one_text_and_other_texts_are_none() {
        for text in ["1-0", "1-42", "7-18446744073709551615"] {
            assert_eq!(cursor(text).to_string(), text);
        }
        for text in
            ["", "1", "1-", "-1", "0-1", "01-1", "1-01", "1-+1", "1-1-1", "1-18446744073709551616", "1 -1", "一-1"]
        {
            assert_eq!(Cursor::parse(text), Err(CursorText), "{text}");
        }
    }

    #[test]
    fn m9_a_cursor_of_an_epoch_is_set_back_to_what_survived_of_it() {
        let never = Lineage::default();
        let twice = Lineage::new(vec![began(2, 50), began(3, 60)]);
        let older = Lineage::new(vec![began(3, 80)]);
        let table = [
            (&never, "1-7", "1-7"),
            (&never, "2-7", "1-0"),
            (&twice, "1-40", "1-40"),
            (&twice, "1-90", "1-50"),
            (&twice, "2-0", "2-50"),
            (&twice, "2-70", "2-60"),
            (&twice, "3-0", "3-60"),
            (&twice, "3-99", "3-99"),
            (&older, "1-90", "1-80"),
            (&older, "2-70", "1-0"),
        ];
        for (lineage, told, placed) in table {
            assert_eq!(lineage.place(cursor(told)), cursor(placed), "{told} in {lineage:?}");
        }
    }

    #[test]
    fn m9_each_epoch_is_told_of_between_the_rows_that_survived_and_its_own() {
        let lineage = Lineage::new(vec![began(2, 50), began(4, 50), began(5, 60)]);
        let rows = |seqs: &[u64]| seqs.iter().map(|seq| lineage.epoch_of(*seq)).collect::<Vec<u64>>();
        assert_eq!(rows(&[1, 50, 51, 60, 61]), [1, 1, 4, 4, 5]);
        let begins = |at: &str| match lineage.next(cursor(at)) {
            Next::Begins(began) => Err(began.number),
            Next::Rows { last } => Ok(last),
        };
        let table = [("1-0", Ok(50)), ("1-50", Err(2)), ("2-50", Err(4)), ("4-50", Ok(60)), ("4-60", Err(5))];
        for (at, next) in table {
            assert_eq!(begins(at), next, "{at}");
        }
        assert_eq!(begins("5-60"), Ok(u64::MAX));
        let span = |epoch, first, last| Span { epoch, first, last };
        assert_eq!(lineage.survived(5), [span(1, 1, 50), span(4, 51, 60)]);
        assert_eq!(lineage.survived(2), [span(1, 1, 50)]);
        assert_eq!(Lineage::new(vec![began(2, 0)]).survived(2), []);
    }
}
