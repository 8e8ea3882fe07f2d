//! The debit of the purse. It is journalled before DEBIT goes out, DEBIT goes out once, and a card that leaves without an
//! answer leaves an open question that only the same card, or the platform, can answer.

use card::files::CardNumber;
use card::psam::{Psam, PsamFault, PurchaseRequest};
use card::session::{Kind, Stamp as CardStamp};
use card::status::Status;
use card::terminal::{self, CardFault, DebitAnswer, PurchaseAnswer};
use ledger::{Fen, Micros};
use link::{DebitEvidence, PurseSale, Record, Stage, Stamp, Words};
use rules::calendar::card_stamp;

use super::PosAgent;
use super::hold::Hold;
use super::resolve::{Checked, Finding, Resolution};
use super::sale::{Sale, Then};
use crate::agent::display::{Paid, Screen, Source};
use crate::agent::words::ModuleFault;
use crate::agent::{later, words};
use crate::journal::Entry;

/// A debit under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paying {
    card: u64,
    amount: u32,
    at: At,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// INITIALIZE FOR PURCHASE went out.
    Initialising { called_off: bool },
    /// The journal is to be durable up to `token`, then `command` goes out.
    Writing { token: u64, intent: PurseSale, command: Vec<u8> },
    /// DEBIT went out.
    Debiting { intent: PurseSale },
}

/// An earlier debit that is being settled: that of the open sale, or that of record `of`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proving {
    card: u64,
    of: Option<u64>,
    /// Records that the card could not settle in this hold.
    tried: Vec<u64>,
    resolution: Resolution,
}

/// Gaps reported one by one; a module whose numbers jump further was exchanged.
const MOST_GAPS: u32 = 100;

impl<P: Psam> PosAgent<P> {
    /// The platform said: debit the purse, this much. Only now, and only the card that was just proved (M16, M18).
    pub(super) fn pay_from_purse(&mut self, amount: Fen, seq: u64, card: u64, fen: u32) {
        let standby = match &self.hold {
            Hold::Standby { card: here, held } if *here == card && card::session::fen(fen) == amount => Some(*held),
            _ => None,
        };
        let Some(held) = standby else {
            if matches!(self.hold, Hold::Standby { .. }) {
                self.hold = Hold::resting();
            }
            return self.take_back(Some(seq), amount, Then::Again);
        };
        let ours = self.post.home().is_some_and(|home| home.terminal.with([0; 3]) == self.module.terminal());
        if !ours {
            self.hold = Hold::resting();
            let words = words::module_fault(ModuleFault::Foreign);
            return self.take_back(Some(seq), amount, Then::Refused(words));
        }
        self.sale = Sale::Allowed { amount, seq, account: held.account, loaded: held.loaded };
        self.ask_purse(card, fen);
    }

    fn ask_purse(&mut self, card: u64, amount: u32) {
        self.hold = Hold::Paying(Paying { card, amount, at: At::Initialising { called_off: false } });
        self.transmit(terminal::init_purchase_with(self.key, amount, self.module.terminal()));
    }

    pub(super) fn paying_answered(&mut self, paying: Paying, answer: &[u8], now: Micros) {
        match paying.at {
            At::Initialising { called_off: true } => {
                self.hold = Hold::resting();
                self.not_debited(None);
                self.called_off(now);
            }
            At::Initialising { called_off: false } => match PurchaseAnswer::parse(answer) {
                Ok(purse) => self.intend(paying.card, paying.amount, &purse, now),
                Err(CardFault::Status(Status::NotEnoughMoney)) if answer.len() == 2 => {
                    self.not_payable(words::purse_short());
                }
                Err(CardFault::Status(status)) if answer.len() == 2 => match terminal::next_key(self.key, status) {
                    Some(key) => {
                        self.key = key;
                        self.ask_purse(paying.card, paying.amount);
                    }
                    None => self.not_payable(words::card_refused(status)),
                },
                Err(_) => {
                    self.hold = Hold::resting();
                    self.not_debited(None);
                }
            },
            At::Debiting { intent } => {
                let proof = DebitAnswer::parse(answer).ok();
                match proof.filter(|proof| self.module.verify_mac2(proof.mac2).is_ok()) {
                    Some(proof) => self.debited(intent, proof.tac),
                    None => self.torn(intent, now),
                }
            }
            at @ At::Writing { .. } => self.hold = Hold::Paying(Paying { at, ..paying }),
        }
    }

    /// The purse can be debited: the module counts the purchase, and the journal takes the intent.
    fn intend(&mut self, card: u64, amount: u32, purse: &PurchaseAnswer, now: Micros) {
        let (date, time) = card_stamp(self.post.platform_time(now));
        let stamp = CardStamp { date, time };
        let request = PurchaseRequest {
            card: CardNumber(card),
            random: purse.random,
            m: purse.m,
            amount,
            kind: Kind::Purchase,
            stamp,
            key_version: purse.key_version,
            algorithm: purse.algorithm,
        };
        self.module_at = None;
        let grant = match self.module.begin_purchase(&request) {
            Ok(grant) => grant,
            Err(fault) => return self.not_payable(words::module_fault(ModuleFault::Own(fault))),
        };
        if self.post.book().last_tsn().is_some_and(|last| grant.tsn <= last) {
            return self.not_payable(words::module_fault(ModuleFault::Repeats));
        }
        self.report_gaps(grant.tsn);
        self.module_at = Some(grant.tsn);
        let authorised_by = match self.sale {
            Sale::Allowed { seq, .. } => Some(seq),
            _ => None,
        };
        let intent = PurseSale {
            card,
            authorised_by,
            amount,
            old_balance: purse.old_balance,
            m: purse.m,
            terminal: self.module.terminal(),
            tsn: grant.tsn,
            stamp: Stamp { date, time },
            key_version: purse.key_version,
            algorithm: purse.algorithm,
            evidence: DebitEvidence::Unconfirmed,
        };
        let token = self.write(Entry::Intent(intent));
        let command = terminal::debit(grant.tsn, stamp, grant.mac1);
        self.hold = Hold::Paying(Paying { card, amount, at: At::Writing { token, intent, command } });
    }

    /// Numbers that the module counted without this terminal knowing of a sale.
    fn report_gaps(&mut self, tsn: u32) {
        let Some(last) = self.post.book().last_tsn() else {
            return;
        };
        let first = last.saturating_add(1);
        if tsn.saturating_sub(first) <= MOST_GAPS {
            for missing in first..tsn {
                self.record(Record::Gap { tsn: missing });
            }
        }
    }

    /// The intent is durable: the debit, once.
    pub(super) fn intent_written(&mut self) {
        let Hold::Paying(Paying { at, .. }) = &mut self.hold else {
            return;
        };
        if let At::Writing { token, intent, command } = at
            && self.post.is_durable(*token)
        {
            let command = std::mem::take(command);
            *at = At::Debiting { intent: *intent };
            self.transmit(command);
        }
    }

    /// Proved: recorded with the TAC, and green when that is durable.
    fn debited(&mut self, intent: PurseSale, tac: [u8; 4]) {
        let (account, loaded) = match &self.sale {
            Sale::Allowed { account, loaded, .. } => (Some(*account), *loaded),
            Sale::Unresolved { account, loaded, .. } => (*account, *loaded),
            _ => (None, Fen::ZERO),
        };
        let (_, token) = self.record(Record::Sale(PurseSale { evidence: DebitEvidence::Tac(tac), ..intent }));
        let paid = Paid {
            amount: card::session::fen(intent.amount),
            from: Source::Purse,
            account,
            purse: card::session::fen(intent.old_balance.saturating_sub(intent.amount)),
            loaded,
            filled: Fen::ZERO,
        };
        self.hold = Hold::Debited { card: intent.card };
        self.sale = Sale::Settling { token, card: intent.card, paid };
    }

    /// DEBIT went out and its answer is not a proof: only the card can say what it did.
    fn torn(&mut self, intent: PurseSale, now: Micros) {
        let (account, loaded) = match &self.sale {
            Sale::Allowed { account, loaded, .. } => (Some(*account), *loaded),
            _ => (None, Fen::ZERO),
        };
        self.notice = None;
        self.sale = Sale::Unresolved { intent, since: now, account, loaded };
        self.hold = Hold::Resting { retry_at: Some(later(now, self.config.retry_micros)) };
    }

    /// The clerk called the sale off while the purse was being debited: too late once DEBIT went out.
    pub(super) fn debit_called_off(&mut self, now: Micros) {
        let Hold::Paying(Paying { at, .. }) = &mut self.hold else {
            return;
        };
        match at {
            // The card still owes an answer; nothing may be asked of it before.
            At::Initialising { called_off } => *called_off = true,
            At::Writing { intent, .. } => {
                let intent = *intent;
                self.hold = Hold::resting();
                self.not_debited(Some(intent));
                self.called_off(now);
            }
            At::Debiting { .. } => {}
        }
    }

    /// The card left during the debit; the hold is empty already.
    pub(super) fn left_while_paying(&mut self, paying: Paying, now: Micros) {
        match paying.at {
            At::Initialising { called_off } => {
                self.not_debited(None);
                if called_off {
                    self.called_off(now);
                }
            }
            At::Writing { intent, .. } => self.not_debited(Some(intent)),
            At::Debiting { intent } => {
                self.torn(intent, now);
                self.hold = Hold::Empty;
            }
        }
    }

    /// The debit did not and will not happen: its number is a gap, and the authorisation is taken back.
    fn not_debited(&mut self, intent: Option<PurseSale>) {
        if let Some(intent) = intent {
            self.record(Record::Gap { tsn: intent.tsn });
        }
        if let Sale::Allowed { amount, seq, .. } = self.sale {
            self.take_back(Some(seq), amount, Then::Again);
        }
    }

    fn not_payable(&mut self, words: Words) {
        self.hold = Hold::resting();
        if let Sale::Allowed { amount, seq, .. } = self.sale {
            self.take_back(Some(seq), amount, Then::Refused(words));
        }
    }

    /// Asks the card what became of a torn debit: that of the open sale, or that of record `of`.
    pub(super) fn settle(&mut self, card: u64, of: Option<u64>, tried: Vec<u64>, sale: PurseSale) {
        let resolution = Resolution::new(sale);
        let command = resolution.command();
        self.hold = Hold::Proving(Proving { card, of, tried, resolution });
        self.transmit(command);
    }

    /// The next sale of this card that was recorded as unconfirmed here; after the last one, the tap.
    pub(super) fn settle_next(&mut self, card: u64, tried: Vec<u64>, now: Micros) {
        let open =
            self.post.book().unsettled().into_iter().find(|(seq, sale)| sale.card == card && !tried.contains(seq));
        match open {
            Some((seq, sale)) => self.settle(card, Some(seq), tried, sale),
            None => self.open_stage(card, Stage::Load, now),
        }
    }

    pub(super) fn proved(&mut self, proving: Proving, answer: &[u8], now: Micros) {
        let Proving { card, of, mut tried, mut resolution } = proving;
        let sale = *resolution.sale();
        let finding = resolution.answer(answer, |mac2| check(&mut self.module, self.module_at == Some(sale.tsn), mac2));
        match (finding, of) {
            (Finding::Ask, _) => {
                let command = resolution.command();
                self.hold = Hold::Proving(Proving { card, of, tried, resolution });
                self.transmit(command);
            }
            (Finding::Torn, _) => self.silent(now),
            (Finding::Paid(tac), None) => self.debited(sale, tac),
            (Finding::NotPaid, None) => {
                // The hold goes on: what waits is loaded, and the sale is asked for anew, under a new number.
                self.record(Record::Gap { tsn: sale.tsn });
                self.take_back(sale.authorised_by, card::session::fen(sale.amount), Then::Again);
                self.settle_next(card, tried, now);
            }
            (Finding::Unclear, None) => {
                self.hold = Hold::resting();
                self.record(Record::Sale(sale));
                self.sale = Sale::None;
                self.notify(Screen::Unproved { amount: card::session::fen(sale.amount) }, now);
            }
            (Finding::Paid(tac), Some(of)) => {
                self.record(Record::Settle { of, tac: Some(tac) });
                self.settle_next(card, tried, now);
            }
            (Finding::NotPaid, Some(of)) => {
                self.record(Record::Settle { of, tac: None });
                self.settle_next(card, tried, now);
            }
            (Finding::Unclear, Some(of)) => {
                tried.push(of);
                self.settle_next(card, tried, now);
            }
        }
    }
}

/// Asks the purchase module about a MAC2, if it has that purchase open.
fn check(module: &mut impl Psam, open: bool, mac2: [u8; 4]) -> Checked {
    match open.then(|| module.verify_mac2(mac2)) {
        Some(Ok(())) => Checked::Right,
        Some(Err(PsamFault::WrongMac)) => Checked::Wrong,
        Some(Err(_)) | None => Checked::Unknown,
    }
}
