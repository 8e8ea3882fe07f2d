//! A sale: entered by the clerk, authorised by the platform, taken back when it is not known to be paid.

use card::psam::Psam;
use card::session::purse_amount;
use ledger::{Fen, Micros};
use link::{Answer, DebitEvidence, PurseSale, Record, Stage, Words};

use super::hold::Hold;
use super::keypad::{Key, Pressed};
use super::{MOST_SALE, PosAgent};
use crate::agent::display::{Paid, Screen, Source};
use crate::agent::later;
use crate::journal::Entry;

/// The open sale. At most one; what was taken back or recorded is no longer part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sale {
    None,
    /// Waits for a card.
    Due {
        amount: Fen,
    },
    /// The platform was asked under number `seq`.
    Asking {
        amount: Fen,
        seq: u64,
        card: u64,
        until: Micros,
    },
    /// The platform said `PayFromPurse`: the debit is under way.
    Allowed {
        amount: Fen,
        seq: u64,
        account: Fen,
        loaded: Fen,
    },
    /// DEBIT went out and nothing came back.
    Unresolved {
        intent: PurseSale,
        since: Micros,
        account: Option<Fen>,
        loaded: Fen,
    },
    /// Paid; green as soon as the journal is durable up to `token`.
    Settling {
        token: u64,
        card: u64,
        paid: Paid,
    },
    /// The request is being taken back by record `seq`: nothing is paid until the platform has that (M17).
    Reversing {
        amount: Fen,
        seq: u64,
        then: Then,
    },
}

/// What the display says when a request was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Hold the card again.
    Again,
    /// Why it was not paid.
    Refused(Words),
}

impl Sale {
    /// What is to be paid and can be asked for now.
    pub(super) fn due(&self) -> Option<Fen> {
        match self {
            Sale::Due { amount } => Some(*amount),
            Sale::None
            | Sale::Asking { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. }
            | Sale::Reversing { .. } => None,
        }
    }

    /// The record whose answer a person waits for.
    pub(super) fn waits_for(&self) -> Option<u64> {
        match self {
            Sale::Asking { seq, .. } => Some(*seq),
            Sale::None
            | Sale::Due { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. }
            | Sale::Reversing { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Micros> {
        match self {
            Sale::Asking { until, .. } => Some(*until),
            Sale::None
            | Sale::Due { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. }
            | Sale::Reversing { .. } => None,
        }
    }
}

impl<P: Psam> PosAgent<P> {
    /// The clerk pressed a key. While a sale is being decided only CANCEL says anything.
    pub(super) fn key(&mut self, key: Key, now: Micros) {
        let free = self.trouble.is_none() && matches!(self.sale, Sale::None | Sale::Due { .. });
        if !free && key != Key::Cancel {
            return;
        }
        match self.keypad.press(key) {
            Pressed::Typed => {
                self.notice = None;
                // The amount that was due is being replaced: a card that comes now must not pay the old one.
                self.sale = Sale::None;
            }
            Pressed::Entered(amount) => self.sale_entered(amount),
            Pressed::Cancelled => self.sale_cancelled(now),
            Pressed::Nothing => {}
        }
    }

    /// The clerk confirmed an amount. While an earlier sale is not over, this changes nothing.
    pub(super) fn sale_entered(&mut self, amount: Fen) {
        if self.trouble.is_some() || !matches!(self.sale, Sale::None | Sale::Due { .. }) {
            return;
        }
        self.notice = None;
        // Whatever was entered replaces the amount that was due: nobody pays the old one while the display refuses the new.
        self.sale = Sale::None;
        if purse_amount(amount).is_none_or(|fen| fen == 0) || amount > MOST_SALE {
            self.notice = Some(super::Notice { screen: Screen::AmountInvalid, until: None });
            return;
        }
        self.sale = Sale::Due { amount };
        self.keypad.sold(amount);
        self.pay_by_the_card_here();
    }

    /// A card that lies here unserved pays what is due; one that was served must be lifted first, for the amount may be the
    /// next person's.
    pub(super) fn pay_by_the_card_here(&mut self) {
        let rests = matches!(self.hold, Hold::Resting { .. }) && !self.served();
        if rests && self.sale.due().is_some() && self.trouble.is_none() && self.post.home().is_some() {
            self.begin_hold();
        }
    }

    /// The clerk called the sale off. A debit under way is waited for; a torn one is given up only after it was asked
    /// for long enough, and is recorded as unconfirmed.
    pub(super) fn sale_cancelled(&mut self, now: Micros) {
        match self.sale.clone() {
            Sale::None => self.notice = None,
            Sale::Due { .. } | Sale::Reversing { .. } => {
                self.rest_if_waiting();
                self.called_off(now);
            }
            Sale::Asking { seq, .. } => {
                self.record(Record::Reverse { of: seq });
                self.rest_if_waiting();
                self.called_off(now);
            }
            Sale::Allowed { .. } => self.debit_called_off(now),
            Sale::Unresolved { intent, since, .. } => {
                if now >= later(since, self.config.give_up_micros) && !self.hold.reads_card() {
                    self.record(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..intent }));
                    self.sale = Sale::None;
                    self.notify(Screen::Unproved { amount: card::session::fen(intent.amount) }, now);
                }
            }
            Sale::Settling { .. } => {}
        }
    }

    /// The sale is over without payment.
    pub(super) fn called_off(&mut self, now: Micros) {
        self.sale = Sale::None;
        self.notify(Screen::CalledOff, now);
    }

    /// Asks the platform whether the card that was just proved may pay. A terminal out of order asks nothing more.
    pub(super) fn authorise(&mut self, card: u64, hold: [u8; 16], amount: Fen, now: Micros) {
        let (Some(_), Some(fen), None) = (self.post.home(), purse_amount(amount), self.trouble) else {
            self.hold = Hold::resting();
            return;
        };
        let until = later(now, self.config.authorise_micros);
        let not_after = self.post.platform_time(until).get();
        let (seq, _) = self.record(Record::Authorise { card, hold, amount: fen, not_after });
        self.notice = None;
        self.sale = Sale::Asking { amount, seq, card, until };
    }

    /// The platform answered a record; only the answers that the open sale waits for matter.
    pub(super) fn record_answered(&mut self, answered: u64, answer: Answer, now: Micros) {
        match self.sale.clone() {
            Sale::Asking { amount, seq, card, .. } if seq == answered => match answer {
                Answer::Paid { account, purse } => self.paid_from_account(amount, seq, card, account, purse),
                Answer::PayFromPurse { amount: fen } => self.pay_from_purse(amount, seq, card, fen),
                Answer::Refused { words, balances } => {
                    self.write(Entry::Closed { seq, paid: false });
                    self.sale = Sale::Due { amount };
                    self.rest_if_waiting();
                    let balances = balances.map(|(account, purse)| (Fen::new(account), Fen::new(purse)));
                    self.served_as(card, Some(amount), now);
                    self.notify(Screen::Refused { amount: Some(amount), words, balances }, now);
                }
                Answer::Taken | Answer::Quarantined => {
                    self.rest_if_waiting();
                    self.take_back(Some(seq), amount, Then::Again);
                }
            },
            Sale::Reversing { seq, .. } if seq == answered && answer == Answer::Taken => self.taken_back(now),
            // Late answers of requests that were taken back, and acknowledgements of what is over.
            Sale::None
            | Sale::Due { .. }
            | Sale::Asking { .. }
            | Sale::Allowed { .. }
            | Sale::Unresolved { .. }
            | Sale::Settling { .. }
            | Sale::Reversing { .. } => {}
        }
    }

    fn paid_from_account(&mut self, amount: Fen, seq: u64, card: u64, account: i64, purse: i64) {
        let loaded = match &self.hold {
            Hold::Standby { held, .. } => held.loaded,
            _ => Fen::ZERO,
        };
        let paid = Paid {
            amount,
            from: Source::Account,
            account: Some(Fen::new(account)),
            purse: Fen::new(purse),
            loaded,
            filled: Fen::ZERO,
        };
        // Durable before green, or a restart would take back what the clerk saw as paid.
        let token = self.write(Entry::Closed { seq, paid: true });
        self.sale = Sale::Settling { token, card, paid };
    }

    /// The payment is durable: green, then the purse is filled while the card is still there.
    pub(super) fn paid(&mut self, now: Micros) {
        let Sale::Settling { card, paid, .. } = std::mem::replace(&mut self.sale, Sale::None) else {
            return;
        };
        self.served_as(card, Some(paid.amount), now);
        self.notify(Screen::Paid(paid), now);
        match self.hold.card() {
            Some(card) => self.open_stage(card, Stage::Fill, now),
            None => self.rest_if_waiting(),
        }
    }

    /// No answer in time: taken back before anything else of this sale (M17). The card must be held again.
    pub(super) fn authorisation_timed_out(&mut self) {
        if let Sale::Asking { amount, seq, .. } = self.sale {
            if matches!(self.hold, Hold::Standby { .. }) {
                self.hold = Hold::resting();
            }
            self.take_back(Some(seq), amount, Then::Again);
        }
    }

    /// The request `of` shall not count. Until the platform has that, nothing is paid for this sale.
    pub(super) fn take_back(&mut self, of: Option<u64>, amount: Fen, then: Then) {
        self.notice = None;
        self.sale = match of {
            Some(of) => {
                let (seq, _) = self.record(Record::Reverse { of });
                Sale::Reversing { amount, seq, then }
            }
            None => Sale::Due { amount },
        };
    }

    /// The platform has the reversal: the sale can be tried again, as a new request.
    pub(super) fn taken_back(&mut self, now: Micros) {
        let Sale::Reversing { amount, then, .. } = std::mem::replace(&mut self.sale, Sale::None) else {
            return;
        };
        self.sale = Sale::Due { amount };
        if self.trouble.is_some() {
            return self.rest_if_waiting();
        }
        match (&self.hold, then) {
            (Hold::Standby { card, held }, _) => {
                let (card, hold) = (*card, held.hold);
                self.authorise(card, hold, amount, now);
            }
            (Hold::Parked, _) => self.begin_hold(),
            (_, Then::Refused(words)) => {
                self.notify(Screen::Refused { amount: Some(amount), words, balances: None }, now);
            }
            (Hold::Empty | Hold::Resting { .. }, Then::Again) => self.notify(Screen::NotCharged { amount }, now),
            // The card is being read already: the display follows it.
            (_, Then::Again) => {}
        }
    }
}
