//! The card took a load, as its TAC tells (M11; JR/T 0025 load transaction).

use ledger::{Fen, Id};
use rules::card;
use rules::case;
use rules::ids::{CardNo, EnrolmentId, PersonId};
use rules::load::{self, Attempt, Confirmation, Refusal, Stage, State};
use rules::words::Words;
use teller::{Command, Desk, Fault, Halt, Seen};

use super::{CardView, Onward, applied, done, freeze, fresh, issue, order_keys, port_session, rejected};
use crate::nonces::Known;
use crate::ports::CardStamp;
use crate::rows::{Campus, Key, Row};
use crate::school::fault_words;
use crate::{School, epoch, inbox};

/// Posts a proved load.
struct Confirm {
    enrolment: EnrolmentId,
    card: CardNo,
    k: u32,
    tac_verifies: bool,
}

struct Confirmed {
    person: PersonId,
    /// The TAC showed that the card lies on this terminal now: it was not known before, and it was released here.
    here: bool,
    /// What the book has of the card now, and what waits for it.
    known: Known,
    waiting: u32,
}

enum Confirming {
    Proved(Confirmed),
    /// A case tells of it; the card's next counter decides.
    TacWrong,
    /// The card was frozen.
    Cloned,
}

impl Command<Campus> for Confirm {
    type Answer = Confirming;
    type Refusal = Refusal;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = CardView::needs(seen, self.card);
        keys.extend([Key::Enrolment(self.enrolment), Key::Attempt(self.card, self.k)]);
        let card = seen.row(&Key::Card(self.card)).and_then(Row::card);
        keys.extend(card.into_iter().flat_map(|card| inbox::needs(seen, card.person)));
        if let Some(attempt) = seen.row(&Key::Attempt(self.card, self.k)).and_then(Row::attempt) {
            keys.extend(order_keys(&attempt.items));
            keys.push(Key::Applied(self.card, attempt.session.n));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Self::Answer, Halt<Campus, Refusal>> {
        let mut view = CardView::gather(desk, self.card)?.ok_or(Halt::Refuse(Refusal::UnknownCard))?;
        let attempt = desk.get(&Key::Attempt(self.card, self.k))?.and_then(Row::attempt).cloned();
        let mut here = false;
        let epoch = epoch::newest(desk)?;
        let of_this_epoch =
            attempt.as_ref().is_some_and(|attempt| epoch.is_none_or(|epoch| attempt.released_at >= epoch.since));
        match (load::confirm(attempt.as_ref(), self.tac_verifies, of_this_epoch), attempt) {
            (Confirmation::Applied, Some(attempt)) => {
                let enrolment = desk.get(&Key::Enrolment(self.enrolment))?.and_then(Row::enrolment);
                here = enrolment.is_some_and(|enrolment| attempt.shows_card_at(enrolment.terminal, desk.now()));
                applied(desk, &mut view.card, attempt)?;
                desk.put(Key::Card(self.card), Row::Card(view.card.clone()))?;
            }
            (Confirmation::AlreadyApplied, _) => {}
            // A terminal can say so as often as it likes: one case.
            (Confirmation::TacWrong, Some(Attempt { state: State::Doubted, .. })) => return Ok(Confirming::TacWrong),
            (Confirmation::TacWrong, Some(mut attempt)) => {
                let detail = format!("card {}, attempt {}: TAC of the load does not verify", self.card, self.k);
                let reference = Id::new(u128::from(attempt.card.0));
                crate::cases::tell(desk, case::Kind::LoadTacWrong, reference, detail);
                attempt.state = State::Doubted;
                desk.put(Key::Attempt(self.card, self.k), Row::Attempt(Box::new(attempt)))?;
                return Ok(Confirming::TacWrong);
            }
            // The case that stopped it is there.
            (Confirmation::Contradicted, _) if card::decide(view.card.state, card::Event::Freeze).is_err() => {
                return Ok(Confirming::Cloned);
            }
            (Confirmation::Contradicted, Some(attempt)) => {
                let detail = format!(
                    "card {}: the load of attempt {} was proved not to be taken, and now that it was; N was {}",
                    self.card, attempt.k, attempt.session.n
                );
                let reference = Id::new(u128::from(self.card.0));
                let case = crate::cases::tell(desk, case::Kind::CardCloned, reference, detail);
                freeze(desk, view.card, self.enrolment, case)?;
                return Ok(Confirming::Cloned);
            }
            (
                Confirmation::NoSuchAttempt
                | Confirmation::Applied
                | Confirmation::TacWrong
                | Confirmation::Contradicted,
                _,
            ) => {
                return Err(Halt::Refuse(Refusal::NonceDead));
            }
        }
        let after = CardView::gather(desk, self.card)?.ok_or(Halt::Refuse(Refusal::UnknownCard))?;
        let waiting = Fen::sum(after.waiting.iter().map(|item| item.amount)).unwrap_or(Fen::ZERO);
        Ok(Confirming::Proved(Confirmed {
            person: after.card.person,
            here,
            known: after.known(),
            waiting: u32::try_from(waiting.get()).unwrap_or(0),
        }))
    }
}

/// The card answered CREDIT FOR LOAD with this TAC.
///
/// Errors: `TAP_AGAIN` for an attempt that is not open; `CARD_UNREADABLE` for a TAC that does not verify, with one case
/// for the attempt (the card's next INITIALIZE decides); `CARD_FROZEN` for a TAC of a load that the card has proved not to
/// have taken. Repeats: a load that was proved before stays proved, and its copy proves nothing about where the card is
/// now: the answer is another INITIALIZE, never a hold. An error again opens no further case. Source: M11, M16; JR/T 0025.
pub async fn confirm(
    school: &School,
    enrolment: EnrolmentId,
    card: CardNo,
    k: u32,
    tac: [u8; 4],
) -> Result<Onward, Words> {
    // An attempt's session never changes, so the check may read it beside the teller.
    let row = school.row(&Key::Attempt(card, k)).await.map_err(|_| fault_words(&Fault::Stopping))?;
    let Some(Row::Attempt(attempt)) = row else { return Err(Refusal::NonceDead.words()) };
    let stamp = CardStamp { date: attempt.date, time: attempt.time };
    let tac_verifies = school.card_keys.proves_loaded(card, &port_session(&attempt.session), stamp, tac);
    let confirmed = school.submit(Confirm { enrolment, card, k, tac_verifies }).await.map_err(rejected)?;
    let confirmed = match confirmed {
        Confirming::Proved(confirmed) => confirmed,
        Confirming::TacWrong => return Err(Refusal::NotProved.words()),
        Confirming::Cloned => return Err(load::alarm_words()),
    };
    if confirmed.waiting > 0 || !confirmed.here {
        let nonce = issue(school, card, fresh(school, enrolment, confirmed.known, Stage::Load));
        return Ok(Onward::Again { nonce, amount: confirmed.waiting.max(1) });
    }
    let amount = attempt.session.amount;
    let purse = attempt.session.old_balance.saturating_add(amount);
    Ok(done(school, enrolment, card, confirmed.person, amount, purse))
}
