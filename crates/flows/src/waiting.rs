//! Money that waits for a card and is not fetched: its holder is reminded, and at last it goes back the way it came (R36;
//! M7, M9, M10, M12).
//!
//! Everything that is due about a holder's waiting money is one decision and one commit: what was told, when to look next,
//! and the refund that begins. A process that dies has done all of it or nothing. What is on its way to a card waits no
//! longer and is not touched; it is looked at again as long as a load of the holder's is open.

use ledger::Fen;
use rules::case::{Case, Kind};
use rules::chart;
use rules::ids::{CaseId, OrderNo, PersonId, RefundNo};
use rules::limits::Change;
use rules::load::{Item, Source};
use rules::message::Message;
use rules::person::Standing;
use rules::refund::{self, Origin, Payment, Refusal};
use rules::waiting::{Due, Promise, Reminder};
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::ports::ListAsk;
use crate::refund::{hold, repaid_key, repaid_on};
use crate::rows::{Campus, Key, Row, lists};
use crate::{ReadFault, School, cases, due, epoch, inbox};

/// Something of this holder's waits from now on, or again: its reminders come in their time. `failed` is an order of which a
/// refund failed for good; it does not go back by itself again.
///
/// Needs what waits, the settings, and the inbox. Repeats: an item that is known stays as it is.
pub(crate) fn begins(
    desk: &mut Desk<'_, Campus>,
    person: PersonId,
    failed: Option<OrderNo>,
) -> Result<(), NotLoaded<Key>> {
    let items = waiting_on(desk, person)?;
    let mut inbox = inbox::on_desk(desk, person)?;
    let now = desk.now();
    let mut first = inbox.look_at;
    for (order, item) in items {
        if inbox.reminders.iter().any(|known| (known.order, known.since) == (order, item.since)) {
            continue;
        }
        let promise = Promise::of(history_on(desk)?, item.since);
        let mut reminder = Reminder::anew(order, item.since, &promise, now);
        reminder.failed = failed == Some(order);
        first = first.into_iter().chain(reminder.next(&promise, now)).min();
        inbox.reminders.push(reminder);
    }
    inbox.look_at = first;
    desk.put(Key::Inbox(person), Row::Inbox(Box::new(inbox)))
}

/// Orders of which money waits for the card, and in no open load.
fn waiting_on(desk: &Desk<'_, Campus>, person: PersonId) -> Result<Vec<(OrderNo, Item)>, NotLoaded<Key>> {
    let items = desk.get(&Key::Waiting(person))?.and_then(Row::waiting).map_or(&[][..], Vec::as_slice);
    let orders = items.iter().filter_map(|item| match item.source {
        Source::Order(no) => Some((no, *item)),
        Source::Float => None,
    });
    Ok(orders.collect())
}

fn history_on<'a>(desk: &'a Desk<'_, Campus>) -> Result<&'a [Change], NotLoaded<Key>> {
    Ok(desk.get(&Key::Settings)?.and_then(Row::settings).map_or(&[], Vec::as_slice))
}

/// Does what is due about a holder's waiting money: reminders, and the return of one item.
struct Look {
    person: PersonId,
    /// Number for the refund that may begin.
    refund: RefundNo,
}

/// The number for the refund is taken; make another.
struct NumberTaken;

/// What is to be done about a holder's items once all of them were looked at.
#[derive(Default)]
struct Work {
    kept: Vec<(Reminder, Promise)>,
    messages: Vec<Message>,
    back: Option<Back>,
    /// Another one is due to go back.
    more: bool,
}

/// A payment that goes back.
struct Back {
    payment: Payment,
    amount: Fen,
    origin: Origin,
}

/// Why an item does not go back now.
enum Stays {
    /// It will be looked at again.
    ForNow,
    /// A person must decide, for this reason.
    Case(String),
}

impl Command<Campus> for Look {
    type Answer = ();
    type Refusal = NumberTaken;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let person = self.person;
        let mut keys =
            vec![Key::Person(person), Key::Waiting(person), Key::Settings, Key::Epoch, Key::Refund(self.refund)];
        keys.extend(inbox::needs(seen, person));
        let card = seen.row(&Key::Person(person)).and_then(Row::person).and_then(|holder| holder.card);
        keys.extend(card.into_iter().flat_map(|card| epoch::needs(seen, card)));
        let inbox = seen.row(&Key::Inbox(person)).and_then(Row::inbox);
        for reminder in inbox.into_iter().flat_map(|inbox| &inbox.reminders) {
            keys.push(Key::Order(reminder.order));
            keys.extend(reminder.case.map(Key::Case));
            let order = seen.row(&Key::Order(reminder.order)).and_then(Row::order);
            let payment = order.and_then(|order| refund::of_order(order, None, Fen::ZERO).ok());
            keys.extend(payment.map(|(payment, _, _)| repaid_key(&payment)));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, NumberTaken>> {
        let now = desk.now();
        let mut inbox = inbox::on_desk(desk, self.person)?;
        if inbox.look_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let mut work = Work::default();
        for reminder in std::mem::take(&mut inbox.reminders) {
            self.look_at(desk, reminder, &mut work)?;
        }
        let next = work.kept.iter().filter_map(|(reminder, promise)| reminder.next(promise, now)).min();
        inbox.look_at = if work.more { Some(now) } else { next };
        inbox.reminders = work.kept.into_iter().map(|(reminder, _)| reminder).collect();
        desk.put(Key::Inbox(self.person), Row::Inbox(Box::new(inbox)))?;
        for message in work.messages {
            inbox::tell(desk, self.person, message)?;
        }
        if let (Some(back), Some(asked)) = (work.back, refund::not_loaded()) {
            if desk.get(&Key::Refund(self.refund))?.is_some() {
                return Err(Halt::Refuse(NumberTaken));
            }
            hold(desk, self.refund, &back.payment, back.amount, back.origin, &asked)?;
        }
        Ok(())
    }
}

impl Look {
    /// What is due about one item goes to `work`; the caller does it.
    fn look_at(
        &self,
        desk: &mut Desk<'_, Campus>,
        mut reminder: Reminder,
        work: &mut Work,
    ) -> Result<(), Halt<Campus, NumberTaken>> {
        let now = desk.now();
        let promise = Promise::of(history_on(desk)?, reminder.since);
        let waits = waiting_on(desk, self.person)?;
        let item = waits.iter().find(|(order, item)| (*order, item.since) == (reminder.order, reminder.since));
        let Some((order, item)) = item.copied() else {
            // A load that is open may still turn out not to have been taken: then it waits again.
            if desk.account(&chart::awaiting_tap(self.person)).debits_pending.is_positive() {
                work.kept.push((reminder, promise));
            } else if let Some(case) = reminder.case {
                cases::end(desk, case, "it waits no longer".to_owned())?;
            }
            return Ok(());
        };
        match reminder.due(&promise, now) {
            Due::Nothing => {}
            Due::Remind(told) => {
                reminder.told = told;
                let holder = crate::desk::person(desk, self.person)?;
                // Whoever has no account any more has no card to hold to a terminal.
                if holder.is_some_and(|holder| holder.standing == Standing::Open) {
                    let returns_at = promise.returns_at.filter(|_| !reminder.failed);
                    let (amount, since) = (item.amount, item.since);
                    work.messages.push(Message::StillWaiting { order, amount, since, returns_at });
                }
            }
            Due::Return if work.back.is_some() => work.more = true,
            Due::Return => match self.back(desk, order, item)? {
                Ok(back) => {
                    if let Some(case) = reminder.case {
                        cases::end(desk, case, format!("goes back by refund {}", self.refund))?;
                    }
                    work.back = Some(back);
                    return Ok(());
                }
                Err(Stays::ForNow) => {}
                Err(Stays::Case(why)) if reminder.case.is_none() => {
                    reminder.case = Some(open_case(desk, order, item, &why));
                }
                Err(Stays::Case(_)) => {}
            },
        }
        work.kept.push((reminder, promise));
        Ok(())
    }

    /// Whether this item may go back now.
    fn back(
        &self,
        desk: &Desk<'_, Campus>,
        no: OrderNo,
        item: Item,
    ) -> Result<Result<Back, Stays>, Halt<Campus, NumberTaken>> {
        let stays = |why: &str| Ok(Err(Stays::Case(why.to_owned())));
        let Some(order) = desk.get(&Key::Order(no))?.and_then(Row::order) else {
            return stays("there is no such order");
        };
        if let Some(newest) = epoch::newest(desk)? {
            if !newest.orders_asked {
                return Ok(Err(Stays::ForNow));
            }
            if newest.may_have_forgotten(order.created_at) && !epoch::holder_met(desk, self.person, &newest)? {
                return stays(
                    "the book was restored since, and the card may have taken it before: hold it to a terminal",
                );
            }
        }
        let (payment, place, origin) = match refund::of_order(order, Some(item.amount), Fen::ZERO) {
            Ok(facts) => facts,
            Err(refusal) => return stays(&refusal.to_string()),
        };
        let repaid = repaid_on(desk, &payment)?;
        let Some(asked) = refund::not_loaded() else { return stays("a rule gives no reason") };
        match refund::check(&payment, &repaid, place, Some(item.amount), &asked, desk.now()) {
            Ok(amount) => Ok(Ok(Back { payment, amount, origin })),
            Err(Refusal::Live(_)) => Ok(Err(Stays::ForNow)),
            Err(refusal) => stays(&refusal.to_string()),
        }
    }
}

fn open_case(desk: &mut Desk<'_, Campus>, no: OrderNo, item: Item, why: &str) -> CaseId {
    let id = CaseId(desk.new_id());
    let detail = format!("order {no}: {} yuan of it wait for the card and do not go back by rule: {why}", item.amount);
    let (kind, opened_at, reference) = (Kind::WaitingNotReturned, desk.now(), no.id());
    cases::open(desk, Case { id, kind, opened_at, reference, amount: Fen::ZERO, detail });
    id
}

/// Reminds every holder, and sends everything back, for whom that is due, at most `most` holders at once, side by side. Gives
/// how many there were.
///
/// Errors: what could not be read. Repeats: harmless at any time; what was told or sent back is not again. Source: R36.
pub async fn look(school: &School, most: u32) -> Result<usize, ReadFault> {
    let to = school.now().get();
    let ask = ListAsk { list: lists::REMINDERS_DUE, owner: Vec::new(), from: i64::MIN, to, backwards: false, most };
    let mut work: Vec<due::Work<'_, ()>> = Vec::new();
    for listed in school.list(ask).await? {
        let Ok(person) = listed.key[..].try_into() else { continue };
        let person = PersonId(ledger::Id::from_bytes(person));
        work.push(Box::pin(async move {
            look_after(school, person).await;
            Ok(())
        }));
    }
    let found = work.len();
    due::side_by_side(work).await?;
    Ok(found)
}

/// A number of 24 digits, eight of them at random: a taken one is possible, three taken in a row are not. What the teller
/// could not do is due again.
async fn look_after(school: &School, person: PersonId) {
    for _ in 0..3 {
        let refund = RefundNo::new(school.id, school.now(), school.random());
        match school.submit(Look { person, refund }).await {
            Err(Rejected::Refused(NumberTaken)) => {}
            Ok(()) | Err(Rejected::Fault(Fault::Busy | Fault::Full | Fault::Poison(_) | Fault::Stopping)) => return,
        }
    }
}
