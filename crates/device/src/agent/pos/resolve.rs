//! Was the purse debited? The questions to a card that left during DEBIT FOR PURCHASE, when it comes back.
//!
//! Source: JR/T 0025, GET TRANSACTION PROVE. Proofs are asked with the counter after the purchase and with the one before,
//! because cards differ. A proof that the module can no longer check may be that of the same amount paid at another terminal
//! since, under the same counter: then the card's log must name this terminal and this moment. Without a proof, the card was
//! not debited when balance and counter are those of before; anything else is left to the platform. A card that leaves again
//! decides nothing.

use card::files::LogRecord;
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
    /// The newest record of the log, for this unchecked TAC.
    Log([u8; 4]),
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
            At::Counter => {
                let amount = self.sale.amount.min(self.balance);
                terminal::init_purchase_with(terminal::key_of(self.sale.algorithm), amount, self.sale.terminal)
            }
            At::Log(_) => terminal::read_log(1),
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
            At::Log(tac) => match terminal::parse_log(answer) {
                Ok(newest) if newest.is_some_and(|newest| self.is_ours(&newest)) => Finding::Paid(tac),
                Ok(_) => Finding::Unclear,
                Err(fault) => refused_or_torn(fault, answer),
            },
            At::Over => Finding::Torn,
        }
    }

    /// The log names this very purchase; its counter is left out, because cards differ.
    fn is_ours(&self, newest: &LogRecord) -> bool {
        let sale = &self.sale;
        let same_place = (newest.kind, newest.terminal) == (Kind::Purchase.code(), sale.terminal);
        let same_moment = (newest.stamp.date, newest.stamp.time) == (sale.stamp.date, sale.stamp.time);
        same_place && same_moment && newest.amount == sale.amount
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
    fn judge(&mut self, m: Option<u16>) -> Finding {
        let before = &self.sale;
        let untouched = m == Some(before.m) && self.balance == before.old_balance;
        let debited = before.old_balance.checked_sub(before.amount) == Some(self.balance)
            && (m.is_none() || m == before.m.checked_add(1));
        match (untouched, debited, self.unchecked) {
            (true, _, _) => Finding::NotPaid,
            (false, true, Some(tac)) => self.ask(At::Log(tac)),
            (false, true, None) | (false, false, _) => Finding::Unclear,
        }
    }
}

/// Two bytes with which no card refuses a question of this kind are the rest of a cut answer: the card left again, and that
/// decides nothing. None of them carries a MAC, so that 9302 is no answer, and a reader never hands on 61xx or 6Cxx.
fn refused_or_torn(fault: CardFault, answer: &[u8]) -> Finding {
    match (fault, answer) {
        (CardFault::Status(_), [0x62..=0x6B | 0x6D..=0x6F | 0x94, _] | [0x93, 0x03]) => Finding::Unclear,
        _ => Finding::Torn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use link::{DebitEvidence, Stamp};

    const MAC: [u8; 4] = [0xA1, 0xA2, 0xA3, 0xA4];
    const TAC: [u8; 4] = [0xB1, 0xB2, 0xB3, 0xB4];
    const OTHER: [u8; 4] = [0xC1, 0xC2, 0xC3, 0xC4];

    /// 12.00 of 50.00, M 3 before.
    fn torn() -> PurseSale {
        PurseSale {
            card: 0x42,
            authorised_by: Some(1),
            amount: 1200,
            old_balance: 5000,
            m: 3,
            terminal: [0, 0, 7, 0, 0, 0],
            tsn: 9,
            stamp: Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0, 0] },
            key_version: 1,
            algorithm: 0,
            evidence: DebitEvidence::Unconfirmed,
        }
    }

    fn proof(mac: [u8; 4], tac: [u8; 4]) -> Vec<u8> {
        [&mac[..], &tac[..], &[0x90, 0x00]].concat()
    }

    fn none() -> Vec<u8> {
        vec![0x94, 0x06]
    }

    fn balance(fen: u32) -> Vec<u8> {
        [&fen.to_be_bytes()[..], &[0x90, 0x00]].concat()
    }

    fn purse(fen: u32, m: u16) -> Vec<u8> {
        let answer = PurchaseAnswer {
            old_balance: fen,
            m,
            overdraft: [0; 3],
            key_version: 1,
            algorithm: 0,
            random: [1, 2, 3, 4],
        };
        [&answer.encode()[..], &[0x90, 0x00]].concat()
    }

    /// Answers in order; what they mean. The module knows the purchase, or not.
    fn check(module_knows: bool, answers: &[Vec<u8>], expected: Finding) {
        let mut resolution = Resolution::new(torn());
        let mut finding = Finding::Ask;
        for (place, answer) in answers.iter().enumerate() {
            assert_eq!(finding, Finding::Ask, "{answers:02X?} is over before answer {place}");
            finding = resolution.answer(answer, |mac| match (module_knows, mac == MAC) {
                (true, true) => Checked::Right,
                (true, false) => Checked::Wrong,
                (false, _) => Checked::Unknown,
            });
        }
        assert_eq!(finding, expected, "{answers:02X?}, module knows: {module_knows}");
    }

    #[test]
    fn a_proof_that_the_module_checked_is_a_payment_under_either_counter() {
        check(true, &[proof(MAC, TAC)], Finding::Paid(TAC));
        check(true, &[none(), proof(MAC, TAC)], Finding::Paid(TAC));
        check(true, &[proof(OTHER, OTHER), proof(MAC, TAC)], Finding::Paid(TAC));
    }

    #[test]
    fn without_a_proof_the_untouched_purse_was_not_debited_and_anything_else_is_left_open() {
        let without = |balance_now, m| [none(), proof(OTHER, OTHER), balance(balance_now), purse(balance_now, m)];
        check(true, &without(5000, 3), Finding::NotPaid);
        check(true, &[none(), none(), balance(5000), purse(5000, 3)], Finding::NotPaid);
        check(true, &without(5000, 4), Finding::Unclear);
        check(true, &without(3800, 4), Finding::Unclear);
        check(true, &without(8000, 3), Finding::Unclear);
        check(true, &[none(), none(), balance(5000), purse(3800, 3)], Finding::Unclear);
        check(true, &[none(), none(), balance(0)], Finding::Unclear);
    }

    /// The card's newest log record, of a purchase of 12.00.
    fn log(terminal: [u8; 6], hour: u8) -> Vec<u8> {
        let stamp = card::session::Stamp { date: torn().stamp.date, time: [hour, 0, 0] };
        let (seq, kind) = (4, Kind::Purchase.code());
        let record = LogRecord { seq, overdraft: [0; 3], amount: 1200, kind, terminal, stamp };
        [record.encode(), vec![0x90, 0x00]].concat()
    }

    #[test]
    fn a_proof_that_the_module_cannot_check_counts_only_when_balance_counter_and_log_agree() {
        let unchecked = |balance_now, m| [proof(MAC, TAC), none(), balance(balance_now), purse(balance_now, m)];
        let logged = |newest: Vec<u8>| [unchecked(3800, 4).as_slice(), &[newest]].concat();
        let here = torn().terminal;
        check(false, &logged(log(here, 0x12)), Finding::Paid(TAC));
        check(false, &logged(log([0, 0, 9, 0, 0, 0], 0x12)), Finding::Unclear);
        check(false, &logged(log(here, 0x13)), Finding::Unclear);
        check(false, &logged(vec![0x6A, 0x83]), Finding::Unclear);
        check(false, &logged(vec![0x6A, 0x82]), Finding::Unclear);
        check(false, &logged(vec![0x6A]), Finding::Torn);
        check(false, &unchecked(3800, 5), Finding::Unclear);
        check(false, &unchecked(2600, 5), Finding::Unclear);
        check(false, &unchecked(5000, 3), Finding::NotPaid);
        let before = [none(), proof(MAC, TAC), balance(3800), purse(3800, 4), log(here, 0x12)];
        check(false, &before, Finding::Paid(TAC));
        let both = [proof(MAC, TAC), proof(OTHER, OTHER), balance(3800), purse(3800, 4), log(here, 0x12)];
        check(false, &both, Finding::Paid(TAC));
        check(false, &[none(), none(), balance(3800), purse(3800, 4)], Finding::Unclear);
    }

    #[test]
    fn an_emptied_purse_shows_no_counter_and_its_balance_decides() {
        let mut resolution = Resolution::new(PurseSale { old_balance: 1200, ..torn() });
        let unknown = |_| Checked::Unknown;
        assert_eq!(resolution.answer(&proof(MAC, TAC), unknown), Finding::Ask);
        assert_eq!(resolution.answer(&none(), unknown), Finding::Ask);
        assert_eq!(resolution.answer(&balance(0), unknown), Finding::Ask);
        assert_eq!(resolution.answer(&log(torn().terminal, 0x12), unknown), Finding::Paid(TAC));
    }

    #[test]
    fn a_card_that_leaves_again_decides_nothing_at_any_question() {
        let calm = [none(), none(), balance(5000), purse(5000, 3)];
        for place in 0..calm.len() {
            for cut in [0, 1, 2, 3, calm[place].len().saturating_sub(1)] {
                // An answer of two bytes that arrives whole is one.
                if cut >= calm[place].len() {
                    continue;
                }
                let mut answers = calm[..place].to_vec();
                answers.push(calm[place][..cut].to_vec());
                check(true, &answers, Finding::Torn);
            }
        }
    }

    #[test]
    fn the_rest_of_a_cut_answer_is_no_refusal_and_a_refusal_is_one() {
        let table = [
            ([0x6A, 0x81], Finding::Unclear),
            ([0x93, 0x03], Finding::Unclear),
            ([0x94, 0x02], Finding::Unclear),
            ([0x00, 0x00], Finding::Torn),
            ([0x13, 0x88], Finding::Torn),
            ([0x61, 0x04], Finding::Torn),
            ([0x6C, 0x04], Finding::Torn),
            ([0x93, 0x02], Finding::Torn),
        ];
        for (rest, expected) in table {
            check(true, &[none(), none(), rest.to_vec()], expected);
            check(true, &[none(), none(), balance(5000), rest.to_vec()], expected);
        }
    }

    #[test]
    fn the_counter_is_asked_under_the_key_of_the_debit_with_no_more_than_the_purse_holds() {
        for (algorithm, key) in [(0x00, 0x01), (0x04, 0x41)] {
            let mut resolution = Resolution::new(PurseSale { algorithm, ..torn() });
            let unknown = |_| Checked::Unknown;
            for answer in [proof(MAC, TAC), none(), balance(300)] {
                assert_eq!(resolution.answer(&answer, unknown), Finding::Ask);
            }
            assert_eq!(resolution.command(), terminal::init_purchase_with(key, 300, torn().terminal));
        }
    }
}
