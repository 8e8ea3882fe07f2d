//! Epochs: a book that was restored from a backup goes on under a new number (M9).
//!
//! What happened after the backup is gone from the book and still true outside it: cards took loads, terminals made sales,
//! orders were paid. So in a later epoch some contradictions are explained by the restore, and become cases where they
//! would otherwise stop a card.

use ledger::{Fen, Micros};

use crate::ids::CaseId;
use crate::words::Words;

/// The newest restore of a book. A book that was never restored has none and is in epoch [`Epoch::FIRST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number: 2 after the first restore.
    pub number: u64,
    /// When it began.
    pub since: Micros,
    /// Every order that was open in the backup was asked about at its provider; new ones are taken.
    pub orders_asked: bool,
}

impl Epoch {
    /// The epoch of a book that was never restored.
    pub const FIRST: u64 = 1;

    /// The number of the epoch that a book is in.
    pub fn number_of(newest: Option<&Epoch>) -> u64 {
        newest.map_or(Epoch::FIRST, |epoch| epoch.number)
    }
}

/// What was found when a card first showed its counter after a restore, kept for each card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// In which epoch.
    pub epoch: u64,
    /// The case that was opened because the card was ahead of the book.
    pub case: Option<CaseId>,
    /// It had taken a load: sales posted on it since it last showed its purse, which may have been in what it showed.
    /// `None` when it had taken none, so that nothing more is explained.
    pub late: Option<Fen>,
}

/// How far a restore can explain that a card and the book disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Not at all: the book was never restored, or the card agreed with it when it came after the restore.
    Usual,
    /// The book was restored and the card has not come since: it may have taken loads that the book forgot.
    First {
        /// When the epoch began: what waited before that, any forgotten load took.
        since: Micros,
    },
    /// It had taken a load when it came. Sales of before may still come in from terminals, and show then that it had taken
    /// more than its purse showed.
    Ahead {
        /// Sales that came in since it last showed its purse.
        late: Fen,
    },
}

impl Meeting {
    /// How it is with a card.
    pub fn of(epoch: Option<&Epoch>, met: Option<&Met>) -> Meeting {
        match (epoch, met) {
            (None, _) => Meeting::Usual,
            (Some(epoch), Some(met)) if met.epoch >= epoch.number => {
                met.late.map_or(Meeting::Usual, |late| Meeting::Ahead { late })
            }
            (Some(epoch), _) => Meeting::First { since: epoch.since },
        }
    }

    /// A proved sale that the book cannot cover may be explained by a load that it forgot.
    pub const fn explains_overspending(&self) -> bool {
        match self {
            Meeting::Usual => false,
            Meeting::First { .. } | Meeting::Ahead { .. } => true,
        }
    }
}

/// Money that had waited for its card, and that a refund took out and did not bring back: what is known of it once that refund
/// failed for good.
#[derive(Clone, Copy, Debug)]
pub struct NotRefunded<'a> {
    /// The newest restore, if there was one.
    pub newest: Option<&'a Epoch>,
    /// Since when the order's money is in the book; `None` when the book has no such order, or none that was credited.
    pub credited_at: Option<Micros>,
    /// The holder has a card.
    pub has_card: bool,
    /// How that card was met last, in whatever epoch.
    pub met: Option<&'a Met>,
}

/// What becomes of such money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It waits for the card, since then.
    Waits(Micros),
    /// Nobody can tell whether it is on the card: a case has it until a person decides.
    Untold,
}

impl NotRefunded<'_> {
    /// What becomes of it, `now` that the refund failed.
    ///
    /// It waits anew. But a book that was restored does not know since when the refund had failed: the card may have taken
    /// the money before the restore. As long as the card has not come since, it waits since the restore itself, and
    /// [`crate::load`] decides by the purse; once it came and was ahead, a case has it. Repeats: the same facts give the same.
    /// Source: M9, M10.
    pub fn again(&self, now: Micros) -> Again {
        let (Some(newest), Some(credited_at), true) = (self.newest, self.credited_at, self.has_card) else {
            return Again::Waits(now);
        };
        if credited_at >= newest.since {
            return Again::Waits(now);
        }
        match self.met.filter(|met| met.epoch == newest.number) {
            None => Again::Waits(newest.since),
            Some(Met { case: None, .. }) => Again::Waits(now),
            Some(Met { case: Some(_), .. }) => Again::Untold,
        }
    }
}

/// After a restore, top-ups wait until every order that was open in the backup was asked about (M9).
pub fn not_asked_yet() -> Words {
    Words::new(
        "AFTER_RESTORE",
        "系统刚刚恢复，正在向支付平台核对未完成的订单，请稍候再试。没有发生任何变动。",
        "The system was restored and is asking the payment provider about open orders; try again in a moment. Nothing was \
         changed.",
    )
}

/// How long after a restore began a request may have been made before it, microseconds: a terminal's clock and a minute.
const BEFORE: i64 = 60_000_000;

impl Epoch {
    /// Whether a request with this last moment was made before the epoch began, as far as its terminal's clock tells.
    pub fn is_after(&self, not_after: Micros) -> bool {
        not_after.since(self.since) <= BEFORE
    }

    /// Whether the book may have forgotten what became of an order that was made then: it is in the book, and of before the
    /// restore (M9).
    pub fn may_have_forgotten(&self, created_at: Micros) -> bool {
        created_at < self.since
    }
}

#[cfg(test)]
mod tests {
    use ledger::Id;

    use super::*;

    #[test]
    fn m9_a_card_is_met_once_in_each_epoch() {
        let since = Micros::from_seconds(1_795_400_000);
        let epoch = Epoch { number: 3, since, orders_asked: true };
        let (case, late) = (Some(CaseId(Id::new(7))), Some(Fen::new(50)));
        let met = |epoch, late| Met { epoch, case, late };
        let table = [
            (None, None, Meeting::Usual, false),
            (None, Some(met(3, late)), Meeting::Usual, false),
            (Some(epoch), None, Meeting::First { since }, true),
            (Some(epoch), Some(met(2, late)), Meeting::First { since }, true),
            (Some(epoch), Some(met(3, None)), Meeting::Usual, false),
            (Some(epoch), Some(met(3, late)), Meeting::Ahead { late: Fen::new(50) }, true),
        ];
        for (epoch, met, expected, explains) in table {
            let meeting = Meeting::of(epoch.as_ref(), met.as_ref());
            assert_eq!((meeting, meeting.explains_overspending()), (expected, explains), "{epoch:?} {met:?}");
        }
    }

    #[test]
    fn m9_money_of_a_failed_refund_waits_anew_or_since_the_restore_or_lies_in_a_case() {
        let since = Micros::from_seconds(1_795_400_000);
        let (before, now) = (since.after_seconds(-1), since.after_seconds(3_600));
        let restored = Some(Epoch { number: 3, since, orders_asked: true });
        let met = |epoch, case| Some(Met { epoch, case, late: None });
        let ahead = Some(CaseId(Id::new(7)));
        let (anew, of_restore) = (Again::Waits(now), Again::Waits(since));
        let table = [
            ("never restored", None, Some(before), true, None, anew),
            ("never restored, a row of a card that came", None, Some(before), true, met(1, ahead), anew),
            ("no such order", restored, None, true, None, anew),
            ("no card", restored, Some(before), false, None, anew),
            ("credited when the epoch began", restored, Some(since), true, None, anew),
            ("credited since, the card was ahead", restored, Some(now), true, met(3, ahead), anew),
            ("the card never came", restored, Some(before), true, None, of_restore),
            ("came in the epoch before, not ahead", restored, Some(before), true, met(2, None), of_restore),
            ("came in the epoch before, ahead", restored, Some(before), true, met(2, ahead), of_restore),
            ("came and was not ahead", restored, Some(before), true, met(3, None), anew),
            ("came and was ahead", restored, Some(before), true, met(3, ahead), Again::Untold),
        ];
        for (row, newest, credited_at, has_card, met, expected) in table {
            let facts = NotRefunded { newest: newest.as_ref(), credited_at, has_card, met: met.as_ref() };
            assert_eq!(facts.again(now), expected, "{row}");
        }
    }

    #[test]
    fn m9_a_request_counts_as_made_before_the_restore_up_to_a_minute_after_it() {
        let since = Micros::from_seconds(1_795_400_000);
        let epoch = Epoch { number: 2, since, orders_asked: false };
        for (seconds, expected) in [(-3_600, true), (0, true), (60, true), (61, false), (3_600, false)] {
            assert_eq!(epoch.is_after(since.after_seconds(seconds)), expected, "{seconds}");
        }
    }
}
