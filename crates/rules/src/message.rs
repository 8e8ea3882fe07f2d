//! What a holder is told: one fact a message, with its figures and never with a sentence, so that it can be read in any
//! language (M31). How many are kept, and which of them are read.
//!
//! A message tells again what the book says elsewhere: it may be forgotten, the money's records may not.

use ledger::{Fen, Micros};

use crate::ids::{CardNo, OrderNo, RefundNo};
use crate::load::{Item, Source};
use crate::refund::{Cause, Origin};
use crate::top_up::{Arrival, Suspicion};
use crate::waiting::Reminder;

/// Something happened that a holder wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A top-up was paid and is in the book.
    Credited {
        /// Which.
        order: OrderNo,
        /// How much.
        amount: Fen,
        /// Whether it waits for the card or can be spent at once.
        arrival: Arrival,
        /// It came after the order's time, and counts all the same.
        late: bool,
    },
    /// Money that waited is on the card.
    Loaded {
        /// Onto which card.
        card: CardNo,
        /// How much of paid top-ups, together.
        amount: Fen,
        /// The oldest of those top-ups.
        order: OrderNo,
        /// How many more there were in the same load.
        more: u32,
    },
    /// Money is on its way back to where it was paid from.
    RefundBegun {
        /// Which refund.
        refund: RefundNo,
        /// Of which top-up's payment.
        order: OrderNo,
        /// How much.
        amount: Fen,
        /// Why.
        cause: Cause,
    },
    /// The payer has it.
    RefundSettled {
        /// Which refund.
        refund: RefundNo,
        /// Of which top-up's payment.
        order: OrderNo,
        /// How much.
        amount: Fen,
    },
    /// It could not be given back.
    RefundFailed {
        /// Which refund.
        refund: RefundNo,
        /// Of which top-up's payment.
        order: OrderNo,
        /// How much.
        amount: Fen,
        /// Where the money is again.
        back: Back,
    },
    /// A payment was not credited: a person looks at it.
    PaymentInCase {
        /// Which top-up it named.
        order: OrderNo,
        /// How much came; 0 of a foreign currency.
        amount: Fen,
        /// Why.
        why: Suspicion,
    },
    /// Money still waits for the card (R36).
    StillWaiting {
        /// Of which top-up.
        order: OrderNo,
        /// How much.
        amount: Fen,
        /// Since when.
        since: Micros,
        /// When it goes back by itself; never when none.
        returns_at: Option<Micros>,
    },
    /// The query password was changed.
    PasswordChanged,
    /// The card was reported lost and is stopped.
    CardLost {
        /// Which.
        card: CardNo,
    },
    /// A WeChat account can look after this account from now on.
    WeChatBound,
    /// It no longer can.
    WeChatUnbound,
    /// Somebody signed in from a browser that was not known.
    SignedInElsewhere,
    /// A token was made by which a program can look into this account.
    TokenMade,
}

impl Message {
    /// What is told of a load with these items; nothing of one that only filled the purse up from the account.
    pub fn loaded(card: CardNo, items: &[Item]) -> Option<Message> {
        let mut orders = Vec::new();
        for item in items {
            if let Source::Order(no) = item.source {
                orders.push((no, item.amount));
            }
        }
        let (order, _) = *orders.first()?;
        let amount = Fen::sum(orders.iter().map(|(_, amount)| *amount))?;
        let more = u32::try_from(orders.len()).unwrap_or(u32::MAX).saturating_sub(1);
        Some(Message::Loaded { card, amount, order, more })
    }
}

/// Where the money of a refund is again when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// It waits for the card.
    Waiting,
    /// It can be spent on line.
    InAccount,
    /// It lies in a case.
    InCase,
}

impl Back {
    /// Where money of this origin goes back to.
    pub const fn of(origin: &Origin) -> Back {
        match origin {
            Origin::Waiting { .. } => Back::Waiting,
            Origin::Account { .. } => Back::InAccount,
            Origin::Case { .. } => Back::InCase,
        }
    }
}

/// A message as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Counted for each holder from 1, without a gap.
    pub no: u64,
    /// When.
    pub at: Micros,
    /// What it tells.
    pub message: Message,
}

/// Messages that lie together in one row. The newest are written with each new one: the fewer they are, the less is written.
pub const TOGETHER: u64 = 16;
/// Full rows that are kept besides the newest; the next one takes the place of the oldest.
pub const PUT_AWAY: u64 = 12;
/// So many of the newest messages are kept at least: for most people those of a year.
pub const KEPT: u64 = TOGETHER.saturating_mul(PUT_AWAY);

/// The newest messages of a holder, how far they are read, and what he is to be reminded of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// Number of the newest message; 0 when there never was one.
    pub newest: u64,
    /// Every message up to here is read.
    pub read: u64,
    /// The newest messages, oldest first: at most [`TOGETHER`], at least one when there ever was one.
    pub messages: Vec<Received>,
    /// What waits for the card, as far as reminders of it are due or still come (R36).
    pub reminders: Vec<Reminder>,
    /// When somebody must look at the reminders; none when there are none.
    pub look_at: Option<Micros>,
}

/// Messages that are put away together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutAway {
    /// Where: the place of those that were put away [`PUT_AWAY`] times before is taken.
    pub place: u8,
    /// Oldest first.
    pub messages: Vec<Received>,
}

impl Inbox {
    /// Takes a message; gives what must be put away to make room for it.
    pub fn take(&mut self, message: Message, at: Micros) -> Option<PutAway> {
        let full = u64::try_from(self.messages.len()).is_ok_and(|count| count >= TOGETHER);
        let put_away =
            full.then(|| PutAway { place: place_of(self.newest), messages: std::mem::take(&mut self.messages) });
        self.newest = self.newest.saturating_add(1);
        self.messages.push(Received { no: self.newest, at, message });
        put_away
    }

    /// Where the newest messages would be put away if `more` came; none while there is room for them.
    pub fn next_place(&self, more: u64) -> Option<u8> {
        let count = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        (count.saturating_add(more) > TOGETHER).then(|| place_of(self.newest))
    }

    /// Everything up to number `to` is read. Repeats: what was read stays so; a number that was never given marks nothing
    /// that is yet to come. Says whether anything changed.
    pub fn mark_read(&mut self, to: u64) -> bool {
        let to = to.min(self.newest);
        let changed = to > self.read;
        self.read = self.read.max(to);
        changed
    }

    /// Messages that are kept and not read.
    pub fn unread(&self) -> u64 {
        let kept = u64::try_from(self.messages.len()).unwrap_or(0).saturating_add(KEPT);
        self.newest.saturating_sub(self.read).min(kept)
    }

    /// Places where the messages numbered from `first` to `last` were put away, as far as they are kept: each once.
    pub fn places(&self, first: u64, last: u64) -> Vec<u8> {
        let here = self.messages.first().map_or(u64::MAX, |oldest| oldest.no);
        let oldest = here.saturating_sub(KEPT).max(1);
        let (mut no, last) = (first.max(oldest), last.min(here.saturating_sub(1)));
        let mut places = Vec::new();
        while no <= last {
            places.push(place_of(no));
            let row = no.saturating_sub(1).checked_div(TOGETHER).unwrap_or(0);
            no = row.saturating_add(1).saturating_mul(TOGETHER).saturating_add(1);
        }
        places
    }
}

/// Where the message with this number is put away.
fn place_of(no: u64) -> u8 {
    let row = no.saturating_sub(1).checked_div(TOGETHER).unwrap_or(0);
    u8::try_from(row.checked_rem(PUT_AWAY).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// An inbox with the rows that were put away, as a store would keep them.
    #[derive(Default)]
    struct Kept {
        inbox: Inbox,
        rows: BTreeMap<u8, Vec<Received>>,
    }

    impl Kept {
        fn tell(&mut self, many: u64) {
            for _ in 0..many {
                let (foreseen, at) = (self.inbox.next_place(1), Micros::new(7));
                let put_away = self.inbox.take(Message::PasswordChanged, at);
                assert_eq!(put_away.as_ref().map(|put_away| put_away.place), foreseen);
                self.rows.extend(put_away.map(|put_away| (put_away.place, put_away.messages)));
            }
        }

        /// Numbers that can be read from `first` to `last`, in order.
        fn read(&self, first: u64, last: u64) -> Vec<u64> {
            let away = self.inbox.places(first, last).into_iter().filter_map(|place| self.rows.get(&place));
            let all = away.flatten().chain(&self.inbox.messages).map(|received| received.no);
            all.filter(|no| (first..=last).contains(no)).collect()
        }
    }

    #[test]
    fn m31_messages_are_numbered_and_the_newest_ones_are_kept_whole() {
        for many in [0, 1, 15, 16, 17, 32, 33, KEPT, KEPT + 1, KEPT + 16, KEPT + 17, 1000, 1001] {
            let mut kept = Kept::default();
            kept.tell(many);
            assert_eq!(kept.inbox.newest, many);
            let all = kept.read(1, u64::MAX);
            let count = u64::try_from(all.len()).expect("few");
            assert!(count >= many.min(KEPT) && count <= KEPT + TOGETHER, "{many}: {count}");
            assert_eq!(all, (many - count + 1..=many).collect::<Vec<u64>>(), "{many}");
            assert_eq!(kept.inbox.unread(), count, "{many}");
        }
    }

    #[test]
    fn any_part_of_the_messages_can_be_read_alone() {
        let mut kept = Kept::default();
        kept.tell(300);
        for (first, last) in [(300, 300), (281, 300), (270, 280), (250, 262), (200, 230), (97, 97), (113, 113)] {
            assert_eq!(kept.read(first, last), (first.max(97)..=last).collect::<Vec<u64>>(), "{first} to {last}");
        }
        assert_eq!(kept.read(1, 96), Vec::<u64>::new(), "they are forgotten");
        assert_eq!(kept.inbox.places(301, 400), Vec::<u8>::new());
    }

    #[test]
    fn what_is_read_stays_read_and_nothing_that_is_yet_to_come_is_marked() {
        let mut kept = Kept::default();
        kept.tell(5);
        for (to, changed, unread) in [(3, true, 2), (3, false, 2), (1, false, 2), (99, true, 0), (5, false, 0)] {
            assert_eq!((kept.inbox.mark_read(to), kept.inbox.unread()), (changed, unread), "up to {to}");
        }
        kept.tell(1);
        assert_eq!(kept.inbox.unread(), 1, "number 99 was never given, so the sixth is new");
    }
}
