//! One run: a copy of the school, served, notified and checked.

use std::collections::BTreeMap;
use std::path::Path;

use flows::School;
use flows::rows::{Key, Row};
use ledger::Fen;
use rules::chart::{self, Channel};
use rules::ids::PersonId;
use rules::top_up::State;
use store::sqlite::SqliteHead;

use super::super::load::Until;
use super::super::onecard::{copy_book, require_whole};
use super::super::say::Say;
use super::clients::{self, Measured};
use super::notices::{Notice, transaction_id};
use super::options::Sizes;
use super::plan::Kind;
use super::prepared::{Order, Prepared};
use super::serving;
use crate::Failure;
use crate::demo::SCHOOL;
use crate::prompt::Said;
use crate::verify::check_and_tell;

/// Orders that are looked up at once.
const AT_ONCE: usize = 500;
/// Seconds that a run by number may take before its notices are too old.
const LONGEST_RUN: i64 = 120;
/// What a run needs besides its own time, seconds: the copy, the start, the warm-up.
const AROUND: i64 = 30;

/// Seconds for which notices must still be good when a run begins.
pub fn needs(until: Until) -> i64 {
    match until {
        Until::Seconds(seconds) => AROUND + i64::try_from(seconds).unwrap_or(i64::MAX),
        Until::Transfers(_) => AROUND + LONGEST_RUN,
    }
}

/// What a run gave.
pub struct Outcome {
    /// What the clients saw.
    pub measured: Measured,
    /// Batches that the teller made durable, warm-up included.
    pub batches: u64,
}

/// Runs on a copy of `prepared` in `data`, then holds the book against what was answered and verifies it.
///
/// Error: also when the book does not hold exactly what was answered; `data` is then left as it is.
pub fn run(prepared: &Prepared, notices: &[Notice], sizes: &Sizes, data: &Path, say: &Say) -> Result<Outcome, Failure> {
    copy_book(&prepared.book, data)?;
    let blocks = SqliteHead::open(data, SCHOOL)?.newest()?.map_or(0, |(head, _)| head.block);
    let serving = serving::start(data, &prepared.keys)?;
    let warm_up = usize::try_from(sizes.warm_up)?;
    let measured = clients::run(serving.address, sizes.connections, notices, warm_up, sizes.until)?;
    let paid = Paid::of(notices.get(..measured.sent).unwrap_or_default(), &prepared.orders);
    say.part("looking up orders", 0, u64::try_from(prepared.orders.len())?);
    serving.block_on(paid.require_credited(serving.school(), &prepared.orders))?;
    serving.stop()?;
    let report = check_and_tell(data, SCHOOL, &[], &mut |step| say.verifying(step))?;
    let report = require_whole(data, report)?;
    let credited = u64::try_from(paid.orders.len())?;
    let kept = report.guard_rows.get("payment").copied().unwrap_or(0);
    if (report.journal_rows, kept) != (credited, credited) {
        let rows = report.journal_rows;
        return Err(wrong(format!("{rows} journal rows and {kept} payments, {credited} orders were paid")));
    }
    Ok(Outcome { measured, batches: report.blocks.saturating_sub(blocks) })
}

/// A sum that cannot be counted is none that a book has.
fn more(sum: Fen, amount: Fen) -> Fen {
    sum.plus(amount).unwrap_or(Fen::new(i64::MAX))
}

fn wrong(what: String) -> Failure {
    Said(format!("the book does not hold what was answered: {what}")).into()
}

/// What the notices that were sent have paid.
#[derive(Debug, Default, PartialEq, Eq)]
struct Paid {
    /// Places of the orders.
    orders: Vec<u32>,
    /// What each holder must have.
    holders: BTreeMap<PersonId, Fen>,
    /// All together.
    total: Fen,
}

impl Paid {
    fn of(sent: &[Notice], orders: &[Order]) -> Paid {
        let mut paid = Paid::default();
        for notice in sent.iter().filter(|notice| notice.kind == Kind::Paid) {
            let place = usize::try_from(notice.order).ok();
            let Some(order) = place.and_then(|place| orders.get(place)) else { continue };
            let holder = paid.holders.entry(order.person).or_default();
            *holder = more(*holder, order.amount);
            paid.total = more(paid.total, order.amount);
            paid.orders.push(notice.order);
        }
        paid.orders.sort_unstable();
        paid
    }

    /// Each of them was credited by its own payment, nothing else was, and every holder has the sum.
    async fn require_credited(&self, school: &School, orders: &[Order]) -> Result<(), Failure> {
        let numbered: Vec<_> = (0_u32..).zip(orders).collect();
        for chunk in numbered.chunks(AT_ONCE) {
            let keys: Vec<Key> = chunk.iter().map(|(_, order)| Key::Order(order.no)).collect();
            for ((place, order), row) in chunk.iter().zip(school.rows(&keys).await?) {
                let found = row.as_ref().and_then(Row::order);
                let by = found.map(|found| match &found.state {
                    State::Credited(credited) => Some(credited.transaction.clone()),
                    _ => None,
                });
                let due = self.orders.binary_search(place).is_ok().then(|| transaction_id(*place));
                if by != Some(due.clone()) {
                    return Err(wrong(format!("order {} is credited by {by:?}, paid by {due:?}", order.no)));
                }
            }
        }
        for person in orders.iter().map(|order| order.person) {
            let due = self.holders.get(&person).copied().unwrap_or_default();
            let has = school.balance(&chart::awaiting_tap(person));
            if has != due {
                return Err(wrong(format!("a holder has {has}, and paid {due}")));
            }
        }
        let owed = school.balance(&chart::receivable(Channel::WeChat));
        match owed.plus(self.total) {
            Some(Fen::ZERO) => Ok(()),
            _ => Err(wrong(format!("the channel owes {owed}, {} was paid", self.total))),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::Id;
    use rules::ids::OrderNo;

    use super::super::super::cleanup::Cleanup;
    use super::super::notices::Provider;
    use super::super::plan;
    use super::*;

    #[test]
    fn only_first_notices_that_were_sent_count_as_paid_and_holders_have_their_sums() {
        let order = |place: u128, person: u128, fen: i64| Order {
            no: OrderNo::from_id(Id::new(place)),
            person: PersonId(Id::new(person)),
            amount: Fen::new(fen),
        };
        let orders = [order(0, 7, 100), order(1, 8, 50), order(2, 7, 30), order(3, 9, 1)];
        let notice = |kind, order| Notice { kind, order, request: Box::default() };
        let sent = [
            notice(Kind::Paid, 2),
            notice(Kind::Paid, 0),
            notice(Kind::Again, 2),
            notice(Kind::Forged, 3),
            notice(Kind::Paid, 1),
        ];
        let holder = |person| PersonId(Id::new(person));
        assert_eq!(
            Paid::of(&sent, &orders),
            Paid {
                orders: vec![0, 1, 2],
                holders: [(holder(7), Fen::new(130)), (holder(8), Fen::new(50))].into(),
                total: Fen::new(180),
            }
        );
        assert_eq!(Paid::of(&sent[3..4], &orders), Paid::default());
    }

    #[test]
    fn a_book_that_holds_more_or_less_than_was_answered_fails_the_run() {
        let (cleanup, say) = (Cleanup::begin(&std::env::temp_dir()).unwrap(), Say::new(1).unwrap());
        let (wishes, orders) = plan::draw(150);
        let prepared = Prepared::make(orders, super::super::prepared::ORDERS_EACH, &cleanup, &say).unwrap();
        let signed = Provider::read(&prepared.provider()).unwrap().sign(&wishes, &prepared.orders, &say).unwrap();
        let serving = serving::start(&prepared.book, &prepared.keys).unwrap();
        // Those with an even place stay away.
        let (sent, kept): (Vec<_>, Vec<_>) = signed.notices.into_iter().partition(|notice| notice.order % 2 == 1);
        let until = Until::Transfers(u64::MAX);
        let measured = clients::run(serving.address, 3, &sent, 5, until).unwrap();
        assert_eq!((measured.sent, measured.counts.answered() + 5), (sent.len(), measured.sent as u64));

        let holds = |answered: &[Notice]| {
            let paid = Paid::of(answered, &prepared.orders);
            serving.block_on(paid.require_credited(serving.school(), &prepared.orders))
        };
        assert!(holds(&sent).is_ok());
        let one = sent.iter().position(|notice| notice.kind == Kind::Paid).unwrap();
        let lost = holds(&sent[one + 1..]).unwrap_err().to_string();
        assert!(lost.contains("is credited by Some") && lost.contains("paid by None"), "{lost}");
        let missing = holds(&kept).unwrap_err().to_string();
        assert!(missing.contains("does not hold what was answered"), "{missing}");
        serving.stop().unwrap();
    }

    #[test]
    fn a_run_needs_notices_that_are_good_to_its_end() {
        assert_eq!([needs(Until::Seconds(60)), needs(Until::Transfers(1000))], [90, 150]);
    }
}
