//! Was the purse debited? The questions to a card that left during DEBIT FOR PURCHASE, when it comes back.
//!
//! Source: JR/T 0025, GET TRANSACTION PROVE. Proofs are asked with the counter after the purchase and with the one before,
//! because cards differ. Without a proof, the card was not debited when balance and counter are those of before; anything
//! else is left to the platform. A card that leaves again decides nothing.

use card::session::Kind;
use card::terminal::{self, CardFault, ProveAnswer, PurchaseAnswer};
use link::PurseSale;

/// What is known of one torn debit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    sale: PurseSale,
    /// A TAC that the purchase module could not check, because it was switched off or is at another purchase since.
    unchecked: Option<[u8; 4]>,
    balance: u32,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    ProofAfter,
    ProofBefore,
    Balance,
    Counter,
    Over,
}

/// What the purchase module says of a MAC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It proves the debit.
    Right,
    /// It belongs to another purchase, or to none.
    Wrong,
    /// The module no longer has this purchase open.
    Unknown,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Ask the card on.
    Ask,
    /// It was debited; this TAC is for the host.
    Paid([u8; 4]),
    /// It was not debited.
    NotPaid,
    /// The card has moved on, or says what does not fit: the platform settles it.
    Unclear,
    /// The card did not answer, or not as a whole.
    Torn,
}

impl Resolution {
    /// Starts asking; the purse application is selected and the card number is that of `sale`.
    pub fn new(sale: PurseSale) -> Resolution {
        Resolution { sale, unchecked: None, balance: 0, at: At::ProofAfter }
    }

    /// The torn debit.
    pub fn sale(&self) -> &PurseSale {
        &self.sale
    }

    /// The command to the card.
    pub fn command(&self) -> Vec<u8> {
        match self.at {
            At::ProofAfter => terminal::prove(Kind::Purchase, self.sale.m.wrapping_add(1)),
            At::ProofBefore => terminal::prove(Kind::Purchase, self.sale.m),
            At::Balance | At::Over => terminal::get_balance(),
            At::Counter => terminal::init_purchase(self.sale.amount.min(self.balance), self.sale.terminal),
        }
    }

    /// The card answered; `check` asks the purchase module.
    pub fn answer(&mut self, answer: &[u8], check: impl FnOnce([u8; 4]) -> Checked) -> Finding {
        let asked = std::mem::replace(&mut self.at, At::Over);
        match asked {
            At::ProofAfter => self.proof(answer, check, At::ProofBefore),
            At::ProofBefore => self.proof(answer, check, At::Balance),
            At::Balance => match terminal::parse_balance(answer) {
                // A purse with nothing in it refuses every INITIALIZE, so its counter cannot be seen.
                Ok(0) => self.judge(None),
                Ok(balance) => {
                    self.balance = balance;
                    self.ask(At::Counter)
                }
                Err(fault) => refused_or_torn(fault, answer),
            },
            At::Counter => match PurchaseAnswer::parse(answer) {
                Ok(now) if now.old_balance == self.balance => self.judge(Some(now.m)),
                Ok(_) => Finding::Unclear,
                Err(fault) => refused_or_torn(fault, answer),
            },
            At::Over => Finding::Torn,
        }
    }

    fn ask(&mut self, at: At) -> Finding {
        self.at = at;
        Finding::Ask
    }

    fn proof(&mut self, answer: &[u8], check: impl FnOnce([u8; 4]) -> Checked, next: At) -> Finding {
        match ProveAnswer::parse(answer) {
            Ok(proof) => match check(proof.mac) {
                Checked::Right => Finding::Paid(proof.tac),
                Checked::Wrong => self.ask(next),
                Checked::Unknown => {
                    // Under the counter after it is rather this purchase than under the one before.
                    self.unchecked = self.unchecked.or(Some(proof.tac));
                    self.ask(next)
                }
            },
            Err(CardFault::Status(_)) if answer.len() == 2 => self.ask(next),
            Err(_) => Finding::Torn,
        }
    }

    /// Without a proof that the module could check: what balance and counter `m` say.
    fn judge(&self, m: Option<u16>) -> Finding {
        let before = &self.sale;
        let untouched = m == Some(before.m) && self.balance == before.old_balance;
        let debited = before.old_balance.checked_sub(before.amount) == Some(self.balance)
            && (m.is_none() || m == before.m.checked_add(1));
        match (untouched, debited, self.unchecked) {
            (true, _, _) => Finding::NotPaid,
            (false, true, Some(tac)) => Finding::Paid(tac),
            (false, true, None) | (false, false, _) => Finding::Unclear,
        }
    }
}

fn refused_or_torn(fault: CardFault, answer: &[u8]) -> Finding {
    match fault {
        CardFault::Status(_) if answer.len() == 2 => Finding::Unclear,
        _ => Finding::Torn,
    }
}
