//! A card on the reader: which card it is, the stages of its tap, and its leaving at any moment.

use card::files::KEY_ID;
use card::psam::Psam;
use ledger::{Fen, Micros};
use link::{Stage, ToTerminal, Words};

use super::purse::{Paying, Proving};
use super::sale::Sale;
use super::{Output, PosAgent};
use crate::agent::display::Screen;
use crate::agent::later;
use crate::agent::select::{Select, Which};
use crate::agent::tap::{Held, Step, Tap};
use crate::agent::words;

/// What is going on with the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// No card.
    Empty,
    /// A card that nothing is asked of; of a torn debit it is asked again at the moment.
    Resting { retry_at: Option<Micros> },
    /// A card that came while the answer to a sale is open: its turn comes after that.
    Parked,
    /// Which card is it?
    Selecting(Select),
    /// An earlier debit is being settled.
    Proving(Proving),
    /// A stage of the tap.
    Tapping(Tap),
    /// Proved and loaded; waits for what the platform says to the sale.
    Standby { card: u64, held: Held },
    /// The purse is being debited.
    Paying(Paying),
    /// Debited; waits for the journal.
    Debited { card: u64 },
}

/// How the present hold ended while the card stayed: for which card, and with which sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) card: u64,
    pub(super) amount: Option<Fen>,
}

/// A finished hold, and when the card left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastHold {
    done: Done,
    left_at: Micros,
}

impl Hold {
    pub(super) const fn resting() -> Hold {
        Hold::Resting { retry_at: None }
    }

    /// The card, where it is known and its hold can go on.
    pub(super) fn card(&self) -> Option<u64> {
        match self {
            Hold::Standby { card, .. } | Hold::Debited { card } => Some(*card),
            Hold::Empty
            | Hold::Resting { .. }
            | Hold::Parked
            | Hold::Selecting(_)
            | Hold::Proving(_)
            | Hold::Tapping(_)
            | Hold::Paying(_) => None,
        }
    }

    /// The card must stay where it is.
    pub(super) fn reads_card(&self) -> bool {
        match self {
            Hold::Selecting(_) | Hold::Proving(_) | Hold::Paying(_) | Hold::Tapping(_) => true,
            Hold::Empty | Hold::Resting { .. } | Hold::Parked | Hold::Standby { .. } | Hold::Debited { .. } => false,
        }
    }

    /// What is being put on the card.
    pub(super) fn crediting(&self) -> Option<Fen> {
        match self {
            Hold::Tapping(tap) => tap.crediting(),
            _ => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Micros> {
        match self {
            Hold::Tapping(tap) => tap.deadline(),
            Hold::Resting { retry_at } => *retry_at,
            _ => None,
        }
    }
}

impl<P: Psam> PosAgent<P> {
    pub(super) fn card_in(&mut self, now: Micros) {
        if self.hold != Hold::Empty {
            self.card_out(now);
        }
        self.done = None;
        if self.trouble.is_some() {
            self.hold = Hold::resting();
            return;
        }
        match self.sale {
            Sale::Asking { .. } | Sale::Settling { .. } | Sale::Allowed { .. } => self.hold = Hold::Parked,
            Sale::None | Sale::Due { .. } | Sale::Unresolved { .. } | Sale::Reversing { .. } => self.begin_hold(),
        }
    }

    /// From the beginning: which card is it?
    pub(super) fn begin_hold(&mut self) {
        self.key = KEY_ID;
        let (select, command) = Select::start();
        self.hold = Hold::Selecting(select);
        self.transmit(command);
    }

    pub(super) fn transmit(&mut self, command: Vec<u8>) {
        self.out.push(Output::Transmit(command));
    }

    pub(super) fn card_out(&mut self, now: Micros) {
        if let Some(done) = self.done.take() {
            self.last_hold = Some(LastHold { done, left_at: now });
        }
        match std::mem::replace(&mut self.hold, Hold::Empty) {
            Hold::Selecting(_) | Hold::Proving(_) => self.left_early(now),
            Hold::Tapping(tap) => match tap.stage() {
                Stage::Load => self.left_early(now),
                Stage::Fill => {}
            },
            Hold::Paying(paying) => self.left_while_paying(paying, now),
            Hold::Empty | Hold::Resting { .. } | Hold::Parked => {}
            Hold::Standby { .. } | Hold::Debited { .. } => {}
        }
        if let Some(notice) = &mut self.notice {
            // That this is another card is no news once it is gone.
            notice.until = Some(match notice.screen {
                Screen::OtherCard { .. } => now,
                _ => later(now, self.config.linger_micros),
            });
        }
    }

    /// Gone, or silent, before its turn was over. Nothing is lost; what was under way is settled by the next hold.
    fn left_early(&mut self, now: Micros) {
        match self.sale {
            Sale::None | Sale::Due { .. } => {
                let amount = self.sale.due();
                self.notify(Screen::RemovedEarly { amount }, now);
            }
            Sale::Asking { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. }
            | Sale::Reversing { .. } => {}
        }
    }

    /// The card gave no whole answer, and the reader has not yet said that it left.
    pub(super) fn silent(&mut self, now: Micros) {
        let torn = matches!(self.sale, Sale::Unresolved { .. });
        self.hold = Hold::Resting { retry_at: torn.then(|| later(now, self.config.retry_micros)) };
        self.left_early(now);
    }

    pub(super) fn card_answered(&mut self, answer: &[u8], now: Micros) {
        match std::mem::replace(&mut self.hold, Hold::Empty) {
            Hold::Selecting(select) => self.selected(select.answer(answer), now),
            Hold::Proving(proving) => self.proved(proving, answer, now),
            Hold::Tapping(mut tap) => {
                let step = tap.card(&mut self.asks, answer, now);
                self.key = tap.key();
                self.hold = Hold::Tapping(tap);
                self.tap_step(step, now);
            }
            Hold::Paying(paying) => self.paying_answered(paying, answer, now),
            // Nothing was asked of this card: an answer that comes here is none.
            idle
            @ (Hold::Empty | Hold::Resting { .. } | Hold::Parked | Hold::Standby { .. } | Hold::Debited { .. }) => {
                self.hold = idle;
            }
        }
    }

    fn selected(&mut self, which: Which, now: Micros) {
        match which {
            Which::Ask(select, command) => {
                self.hold = Hold::Selecting(select);
                self.transmit(command);
            }
            Which::Card(card) => self.identified(card, now),
            Which::NoAnswer => self.silent(now),
            Which::Blocked => {
                self.hold = Hold::resting();
                let (amount, words) = (self.sale.due(), words::card_blocked());
                self.notify(Screen::Refused { amount, words, balances: None }, now);
            }
            Which::Unreadable => {
                self.hold = Hold::resting();
                self.notify(Screen::Unreadable, now);
            }
        }
    }

    /// The card's number is read. It proves nothing yet; what follows does.
    fn identified(&mut self, card: u64, now: Micros) {
        self.hold = Hold::resting();
        if let Sale::Unresolved { intent, .. } = &self.sale {
            let intent = *intent;
            if intent.card == card {
                self.settle(card, None, Vec::new(), intent);
            } else {
                self.notify(Screen::OtherCard { amount: card::session::fen(intent.amount) }, now);
            }
        } else if self.repeated(card, now) {
            // As if it had never left: the next amount, which may be the next person's, is not for this card.
            self.done = self.last_hold.map(|last| last.done);
        } else {
            self.notice = None;
            self.settle_next(card, Vec::new(), now);
        }
    }

    /// The same card right after its hold ended, for the same amount or for none: no new wish of its holder.
    fn repeated(&self, card: u64, now: Micros) -> bool {
        self.passes_over().is_some_and(|(last, until)| last == card && now < until)
    }

    /// The card that had its turn last, and until when it is passed over as if it had never left; `None` while whoever comes
    /// is heard at once. Of a card that still lies there nothing is said: it must leave first.
    pub fn passes_over(&self) -> Option<(u64, Micros)> {
        let last = self.last_hold?;
        let due = self.sale.due();
        let unresolved = matches!(self.sale, Sale::Unresolved { .. });
        let same = due.is_none() || due == last.done.amount;
        (same && !unresolved).then(|| (last.done.card, later(last.left_at, self.config.repeat_micros)))
    }

    /// Remembers that this card had its turn.
    pub(super) fn served_as(&mut self, card: u64, amount: Option<Fen>, now: Micros) {
        let done = Done { card, amount };
        if self.hold == Hold::Empty {
            self.last_hold = Some(LastHold { done, left_at: now });
        } else {
            self.done = Some(done);
        }
    }

    /// A sale was paid or refused in this hold.
    pub(super) fn served(&self) -> bool {
        self.done.is_some_and(|done| done.amount.is_some())
    }

    /// A card lies there that had its turn.
    pub(super) fn served_card_stays(&self) -> bool {
        matches!(self.hold, Hold::Resting { .. }) && self.served()
    }

    /// The sale that this hold waited for is decided without it.
    pub(super) fn rest_if_waiting(&mut self) {
        if matches!(self.hold, Hold::Standby { .. } | Hold::Parked) {
            self.hold = Hold::resting();
        }
    }

    /// Asks the platform for a stage.
    pub(super) fn open_stage(&mut self, card: u64, stage: Stage, now: Micros) {
        let Some(home) = self.post.home() else {
            self.hold = Hold::resting();
            if stage == Stage::Load && self.sale == Sale::None {
                self.notify(Screen::CannotSync, now);
            }
            return;
        };
        let patience = self.config.tap_micros;
        let (tap, question) = Tap::open(&mut self.asks, (card, self.key), home.terminal, stage, patience, now);
        self.hold = Hold::Tapping(tap);
        self.out.push(Output::Send(question));
    }

    pub(super) fn tap_answered(&mut self, message: &ToTerminal, now: Micros) {
        if let Hold::Tapping(tap) = &mut self.hold {
            let step = tap.platform(message, now);
            self.tap_step(step, now);
        }
    }

    fn tap_step(&mut self, step: Step, now: Micros) {
        let Hold::Tapping(tap) = &self.hold else {
            return;
        };
        let (card, stage) = (tap.number(), tap.stage());
        match step {
            Step::Transmit(command) | Step::Credit { command, .. } => self.transmit(command),
            Step::Send(message) => match self.post.home() {
                Some(_) => self.out.push(Output::Send(message)),
                None => self.line_lost_in_tap(now),
            },
            Step::Done(held) => match stage {
                Stage::Load => self.loaded(card, held, now),
                Stage::Fill => self.filled(card, held, now),
            },
            Step::Refused(words) => self.tap_refused(card, stage, words, now),
            Step::CardRefused(status) => self.tap_refused(card, stage, words::card_refused(status), now),
            Step::TooMany => match stage {
                Stage::Load => {
                    let amount = self.sale.due();
                    // The card had no turn: held again at once it goes on.
                    self.hold = Hold::resting();
                    self.notify(Screen::HoldAgain { amount }, now);
                }
                Stage::Fill => self.after_fill(card, now),
            },
            Step::Torn => match stage {
                Stage::Load => self.silent(now),
                Stage::Fill => self.hold = Hold::resting(),
            },
            Step::Ignored => {}
        }
    }

    /// The card is proved and has what was waiting: now the sale.
    fn loaded(&mut self, card: u64, held: Held, now: Micros) {
        match self.sale {
            Sale::None => {
                let Held { loaded, purse, account, .. } = held;
                self.served_as(card, None, now);
                self.notify(Screen::Loaded { loaded, purse, account }, now);
                // What is on the display stays: a fill that fails spoils nothing.
                self.open_stage(card, Stage::Fill, now);
            }
            Sale::Due { amount } => {
                self.hold = Hold::Standby { card, held };
                self.authorise(card, held.hold, amount, now);
            }
            Sale::Reversing { .. }
            | Sale::Asking { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. } => self.hold = Hold::Standby { card, held },
        }
    }

    fn filled(&mut self, card: u64, held: Held, now: Micros) {
        let more = |before: Fen| held.purse.minus(before).filter(|more| more.is_positive()).unwrap_or(Fen::ZERO);
        match self.notice.as_mut().map(|notice| &mut notice.screen) {
            Some(Screen::Paid(paid)) => {
                paid.filled = more(paid.purse);
                (paid.purse, paid.account) = (held.purse, Some(held.account));
            }
            Some(Screen::Loaded { loaded, purse, account }) => {
                *loaded = loaded.plus(more(*purse)).unwrap_or(*loaded);
                (*purse, *account) = (held.purse, held.account);
            }
            _ => {}
        }
        self.after_fill(card, now);
    }

    /// A sale that was entered while a card was only loading is paid by it in the same hold.
    fn after_fill(&mut self, card: u64, now: Micros) {
        if self.sale.due().is_some() && !self.served() {
            self.open_stage(card, Stage::Load, now);
        } else {
            self.hold = Hold::resting();
        }
    }

    fn tap_refused(&mut self, card: u64, stage: Stage, words: Words, now: Micros) {
        match stage {
            Stage::Load => {
                let amount = self.sale.due();
                self.hold = Hold::resting();
                self.served_as(card, amount, now);
                self.notify(Screen::Refused { amount, words, balances: None }, now);
            }
            Stage::Fill => self.after_fill(card, now),
        }
    }

    /// The connection is gone: what waits for the platform ends here; what waits for the card goes on.
    pub(super) fn line_lost(&mut self, now: Micros) {
        if matches!(&self.hold, Hold::Tapping(tap) if tap.waits_for_platform()) {
            self.line_lost_in_tap(now);
        }
    }

    fn line_lost_in_tap(&mut self, now: Micros) {
        if let Hold::Tapping(tap) = &self.hold {
            let stage = tap.stage();
            self.hold = Hold::resting();
            if stage == Stage::Load && self.sale == Sale::None {
                self.notify(Screen::CannotSync, now);
            }
        }
    }

    pub(super) fn hold_timed_out(&mut self, now: Micros) {
        match &self.hold {
            Hold::Resting { .. } if matches!(self.sale, Sale::Unresolved { .. }) => self.begin_hold(),
            Hold::Resting { .. } => self.hold = Hold::resting(),
            Hold::Tapping(tap) => match tap.stage() {
                // The card had no turn: it is to be held again, and then it is heard.
                Stage::Load => {
                    self.hold = Hold::resting();
                    let (amount, words) = (self.sale.due(), words::no_answer());
                    self.notify(Screen::Refused { amount, words, balances: None }, now);
                }
                Stage::Fill => self.tap_refused(tap.number(), Stage::Fill, words::no_answer(), now),
            },
            _ => {}
        }
    }
}
