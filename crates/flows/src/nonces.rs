//! Live nonces and holds: which card may now prove itself at which terminal (M11). They live in memory and die with the
//! process, which is safe: a dead nonce only means that the card is held again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::{Fen, Id, Micros};
use rules::card::Card;
use rules::chart;
use rules::ids::{CardNo, EnrolmentId};
use rules::load::Stage;
use teller::Desk;

use crate::rows::Campus;

/// How long a nonce or a hold lives, seconds.
const LIFE: i64 = 60;
/// When so many cards are live at once, dead ones are swept out.
const SWEEP_ABOVE: usize = 10_000;

/// What the book had of a card when a nonce was issued for it, and what the same terminal brought since. What the card shows
/// under that nonce is judged against this alone: a debit that another terminal brought may have been made after the card
/// answered, and would contradict an honest one. A terminal itself brings a debit before the answers that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    attempt: u32,
    n: u16,
    held: Option<Fen>,
    open: Vec<Id>,
}

impl Known {
    /// The card as it is now, with its balances on this desk.
    pub(crate) fn on(desk: &Desk<'_, Campus>, card: &Card) -> Known {
        let [on_card, suspense] =
            [chart::on_card(card.no), chart::suspense_card(card.no)].map(|account| desk.account(&account).balance());
        Known::of(card, on_card, suspense)
    }

    /// The card as it is now, with the balances of `on_card` and of `suspense(card)`.
    pub fn of(card: &Card, on_card: Fen, suspense: Fen) -> Known {
        let open = card.unconfirmed.iter().chain(&card.awaiting).copied().collect();
        Known { attempt: card.attempt, n: card.n, held: on_card.plus(suspense), open }
    }
}

/// A nonce that was issued for a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// Three bytes.
    pub bytes: [u8; 3],
    /// To which terminal.
    pub enrolment: EnrolmentId,
    /// What the book had of the card when it was issued.
    pub known: Known,
    /// What the tap is for.
    pub stage: Stage,
    /// When.
    pub at: Micros,
    /// Open purse sales for which the card is asked for a proof under it.
    pub asked: [Option<Id>; PROOFS_AT_ONCE],
}

/// A chip keeps the proofs of its newest purchases alone, and a hold is short.
pub const PROOFS_AT_ONCE: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Hold {
    id: [u8; 16],
    enrolment: EnrolmentId,
    at: Micros,
}

#[derive(Default)]
struct Live {
    nonces: BTreeMap<CardNo, Nonce>,
    holds: BTreeMap<CardNo, Hold>,
}

/// One live nonce and one live hold a card at most; a newer one kills the older.
#[derive(Default)]
pub struct Nonces(Mutex<Live>);

impl Nonces {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Issues a nonce; the card's older one is dead from now on.
    pub fn issue(&self, card: CardNo, nonce: Nonce) {
        let mut live = self.live();
        if live.nonces.len() > SWEEP_ABOVE {
            live.nonces.retain(|_, old| fresh(old.at, nonce.at));
        }
        live.nonces.insert(card, nonce);
    }

    /// Takes the card's live nonce if it is this one, at this terminal; it is used up either way it is taken.
    pub fn take(&self, card: CardNo, enrolment: EnrolmentId, bytes: [u8; 3], now: Micros) -> Option<Nonce> {
        let mut live = self.live();
        let nonce = live.nonces.get(&card)?;
        let fits = nonce.enrolment == enrolment && nonce.bytes == bytes && fresh(nonce.at, now);
        if !fits {
            return None;
        }
        live.nonces.remove(&card)
    }

    /// Gives a nonce back that was taken and proved nothing; a newer one of the card stays, and this one is dead.
    pub fn put_back(&self, card: CardNo, nonce: Nonce) {
        let mut live = self.live();
        if live.nonces.get(&card).is_none_or(|newer| newer.at < nonce.at) {
            live.nonces.insert(card, nonce);
        }
    }

    /// A record of this terminal changed what the book has of the card: a nonce that was issued to it lives on, if nothing
    /// else had changed.
    pub fn moved(&self, card: CardNo, enrolment: EnrolmentId, before: &Known, now: Known) {
        if let Some(nonce) = self.live().nonces.get_mut(&card)
            && nonce.enrolment == enrolment
            && nonce.known == *before
        {
            nonce.known = now;
        }
    }

    /// The card proved itself at this terminal: the hold by which it may pay there.
    pub fn hold(&self, card: CardNo, enrolment: EnrolmentId, id: [u8; 16], now: Micros) {
        let mut live = self.live();
        if live.holds.len() > SWEEP_ABOVE {
            live.holds.retain(|_, old| fresh(old.at, now));
        }
        live.holds.insert(card, Hold { id, enrolment, at: now });
    }

    /// Whether that hold goes on.
    pub fn holds(&self, card: CardNo, enrolment: EnrolmentId, id: [u8; 16], now: Micros) -> bool {
        let hold = self.live().holds.get(&card).copied();
        hold.is_some_and(|hold| hold.enrolment == enrolment && hold.id == id && fresh(hold.at, now))
    }
}

fn fresh(at: Micros, now: Micros) -> bool {
    now.since(at) <= LIFE.saturating_mul(1_000_000)
}
