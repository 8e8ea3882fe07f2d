//! What terminals send again after a restore, and what they no longer have (M9).

use ledger::{Fen, Id, Stage as Leg};
use link::Answer;
use rules::case::{Case, Kind};
use rules::chart::{self, Reason};
use rules::ids::{CardNo, CaseId, EnrolmentId};
use rules::purchase::{Sale, State};
use teller::{Command, Desk, Halt, Seen};

use crate::purchase::Stop;
use crate::rows::{Campus, Enrolment, Key, Row};
use crate::tap_load::post;
use crate::{School, epoch};

/// A sale that was paid from the account before the restore and that the book forgot: it is paid again, out of the account
/// if that covers it, else out of a case. Its record is written by the caller.
pub(crate) fn paid(
    desk: &mut Desk<'_, Campus>,
    enrolment: &Enrolment,
    seq: u64,
    no: CardNo,
    amount: u32,
) -> Result<(Answer, Option<Id>), Stop> {
    let person = desk.get(&Key::Card(no))?.and_then(Row::card).map(|card| card.person);
    let amount = Fen::new(i64::from(amount));
    let account = person.map(chart::available);
    let spendable = account.map_or(Fen::ZERO, |account| desk.account(&account).spendable());
    let mut sale = Sale {
        id: desk.new_id(),
        asked_by: (enrolment.id, seq),
        card: no,
        person,
        merchant: enrolment.merchant,
        amount,
        at: desk.now(),
        state: State::Paid,
        debit: None,
    };
    let merchant = chart::merchant(enrolment.merchant);
    match account.filter(|_| spendable >= amount && amount.is_positive()) {
        Some(account) => {
            post(desk, account, merchant, amount, Leg::Direct, Reason::SaleForgotten, sale.id)?;
        }
        None => {
            let case = CaseId(desk.new_id());
            let detail = format!(
                "terminal {} sold for {amount} yuan on card {no} before the restore; the account does not cover it now",
                enrolment.terminal
            );
            let (kind, opened_at, reference) = (Kind::SaleForgotten, desk.now(), sale.id);
            crate::cases::open(desk, Case { id: case, kind, opened_at, reference, amount, detail });
            if amount.is_positive() {
                post(desk, chart::suspense_case(case), merchant, amount, Leg::Direct, Reason::SaleForgotten, sale.id)?;
            }
            sale.state = State::Suspended(case);
        }
    }
    let left = account.map_or(Fen::ZERO, |account| desk.account(&account).spendable());
    let id = sale.id;
    desk.insert_new(Key::Sale(id), Row::Sale(Box::new(sale)));
    Ok((Answer::Paid { account: left.get(), purse: 0 }, Some(id)))
}

/// Records below `lowest` will never come: they were acknowledged, deleted there, and lost here.
struct Kept {
    enrolment: EnrolmentId,
    lowest: u64,
}

/// Nobody enrolled that terminal, or the book was never restored.
struct NotTaken;

impl Command<Campus> for Kept {
    type Answer = u64;
    type Refusal = NotTaken;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Epoch, Key::Enrolment(self.enrolment)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<u64, Halt<Campus, NotTaken>> {
        let enrolment = desk.get(&Key::Enrolment(self.enrolment))?.and_then(Row::enrolment).cloned();
        let (Some(mut enrolment), Some(_)) = (enrolment, epoch::newest(desk)?) else {
            return Err(Halt::Refuse(NotTaken));
        };
        let (first, last) = (enrolment.contiguous.saturating_add(1), self.lowest.saturating_sub(1));
        let missing = enrolment.forget_below(self.lowest);
        if missing == 0 {
            return Ok(enrolment.contiguous);
        }
        let id = CaseId(desk.new_id());
        let detail = format!(
            "terminal {}: {missing} record(s) between {first} and {last} had been acknowledged before the restore and are \
             kept nowhere any more",
            enrolment.terminal
        );
        let (kind, opened_at, reference) = (Kind::RecordsForgotten, desk.now(), self.enrolment.0);
        crate::cases::open(desk, Case { id, kind, opened_at, reference, amount: Fen::ZERO, detail });
        let through = enrolment.contiguous;
        desk.put(Key::Enrolment(self.enrolment), Row::Enrolment(Box::new(enrolment)))?;
        Ok(through)
    }
}

/// A terminal no longer has records below `lowest`: after a restore the gap is closed with a case, so that nothing waits
/// for it. Gives the number up to which everything is acknowledged now; `None` when nothing was done.
///
/// A book that was never restored does nothing: there a terminal that deleted what was not acknowledged must be looked at.
/// Repeats: a gap that is closed stays closed, with one case. Source: M9.
pub async fn kept(school: &School, enrolment: EnrolmentId, lowest: u64) -> Option<u64> {
    school.submit(Kept { enrolment, lowest }).await.ok()
}
