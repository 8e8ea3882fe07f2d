//! Planted bugs on the teller's desk: before or after a command of the product decided.
//!
//! A hook that does not find what it looks for does nothing, so errors of the desk are dropped here and nowhere else.

use std::hash::{BuildHasher, RandomState};

use flows::rows::{Campus, Key, PaymentNote, RecordNote, Row};
use ledger::{Fen, Id, Stage as Leg, Transfer};
use rules::card::{Card, State as CardState};
use rules::chart::{self, Reason};
use rules::epoch::{Epoch, Met};
use rules::ids::RefundNo;
use rules::load::{Attempt, Source, State as LoadState};
use rules::refund::Origin;
use rules::top_up::{Arrival, Credited, State as OrderState, Ticket};
use teller::{Desk, Look, Seen};

use super::{IMPATIENCE, Plant, waiting};

type CampusDesk<'a> = Desk<'a, Campus>;

/// Rows that a hook must see besides the command's own.
pub(crate) fn also_needs(plant: Plant, keys: &mut Vec<Key>, seen: &Seen<'_, Campus>) {
    if plant == Plant::P30 {
        load_of_refunded(keys, seen);
    }
    if plant == Plant::P95 {
        waiting::needs(keys, seen);
    }
    if matches!(plant, Plant::P91 | Plant::P93) && reports_loss(keys) {
        money_of_lost(keys, seen);
    }
    if plant != Plant::P25 {
        return;
    }
    let card = keys.iter().find_map(|key| seen.row(key).and_then(Row::card));
    if let Some(card) = card {
        keys.push(Key::Waiting(card.person));
        keys.extend(card.released.map(|k| Key::Attempt(card.no, k)));
    }
}

/// The holder, the card and the load of an order that a clerk wants refunded.
fn load_of_refunded(keys: &mut Vec<Key>, seen: &Seen<'_, Campus>) {
    if asked_refund(keys).is_none() {
        return;
    }
    let Some(order) = keys.iter().find_map(|key| seen.row(key).and_then(Row::order)) else { return };
    keys.push(Key::Person(order.person));
    let Some(no) = seen.row(&Key::Person(order.person)).and_then(Row::person).and_then(|person| person.card) else {
        return;
    };
    keys.push(Key::Card(no));
    let released = seen.row(&Key::Card(no)).and_then(Row::card).and_then(|card| card.released);
    keys.extend(released.map(|k| Key::Attempt(no, k)));
}

/// Rows that the command names and that are not loaded for it.
pub(crate) fn needs_not(plant: Plant, keys: &mut Vec<Key>) {
    if plant == Plant::P69 {
        keys.retain(|key| !matches!(key, Key::Payment(..)));
    }
}

/// Before the command decides.
pub(crate) fn before(plant: Plant, keys: &[Key], desk: &mut CampusDesk<'_>) {
    let _ = match plant {
        Plant::P30 => refund_despite_load(keys, desk),
        Plant::P84 => forget_load_on_its_way(keys, desk),
        Plant::P20 => unpaid_order_looks_paid(keys, desk),
        Plant::P09 => second_payment_looks_like_the_first(keys, desk),
        Plant::P10 => payment_looks_settled(keys, desk, |state| matches!(state, OrderState::Credited(_))),
        Plant::P11 => payment_looks_settled(keys, desk, |state| {
            matches!(state, OrderState::ExpiredLocal { .. } | OrderState::Closed { .. })
        }),
        Plant::P25 => give_up_load(keys, desk),
        Plant::P29 => widen_load(keys, desk),
        Plant::P31 => lose_item(keys, desk),
        Plant::P32 => forget_debit(keys, desk),
        Plant::P60 => shuffle_waiting(keys, desk),
        Plant::P69 => take_for_absent(keys, desk),
        Plant::P73 => forget_payment(keys, desk),
        Plant::P58 => forget_answer(keys, desk, |note| note.hash != TOMBSTONE),
        Plant::P62 => forget_answer(keys, desk, |note| note.hash == TOMBSTONE),
        Plant::P64 => forget_fill(keys, desk),
        Plant::P65 => forget_answer(keys, desk, |note| {
            note.hash != TOMBSTONE && matches!(link::decode(&note.answer), Ok(link::Answer::Refused { .. }))
        }),
        Plant::P66 => forget_awaiting(keys, desk),
        Plant::P77 => restore_explains_nothing(keys, desk),
        Plant::P81 => take_orders_at_once(keys, desk),
        Plant::P82 => waits_since_the_restore(keys, desk),
        Plant::P88 => seems_given_back_here(keys, desk),
        Plant::P95 => waiting::takes_it_out_of_its_load(keys, desk),
        Plant::P97 => waiting::seems_met(keys, desk),
        Plant::P90 => seems_active(keys, desk, |_| true),
        Plant::P92 => seems_active(keys, desk, |keys| !keys.iter().any(|key| matches!(key, Key::Record(..)))),
        _ => None,
    };
}

/// After it decided, when it left something.
pub(crate) fn after(plant: Plant, keys: &[Key], desk: &mut CampusDesk<'_>) {
    let _ = match plant {
        Plant::P14 => move_order_back(keys, desk),
        Plant::P21 => let_go(keys, desk),
        Plant::P38 => drop_unconfirmed(keys, desk),
        Plant::P70 => forget_quarantine(keys, desk),
        Plant::P75 => forget_try(keys, desk),
        Plant::P87 => let_it_go_on(keys, desk),
        Plant::P88 => is_not_given_back(keys, desk),
        Plant::P94 => waiting::goes_back_again(keys, desk),
        Plant::P96 => waiting::tells_again(keys, desk),
        Plant::P97 => waiting::is_not_met(keys, desk),
        Plant::P90 | Plant::P92 => is_lost_again(keys, desk),
        Plant::P91 => drop_waiting(keys, desk),
        Plant::P93 => call_off_with_report(keys, desk),
        _ => None,
    };
}

/// How long the planted bug knows a payment, seconds after its order was made.
const EXPIRY: i64 = 600;

/// Hash of a record that was reversed before it arrived.
const TOMBSTONE: [u8; 32] = [0; 32];

pub(super) fn find<T>(keys: &[Key], desk: &CampusDesk<'_>, get: impl Fn(&Row) -> Option<&T>) -> Option<(Key, T)>
where
    T: Clone,
{
    keys.iter().find_map(|key| {
        let row = desk.get(key).ok()??;
        Some((key.clone(), get(row)?.clone()))
    })
}

/// Key of a payment that is not settled yet.
fn new_payment(keys: &[Key], desk: &CampusDesk<'_>) -> Option<Key> {
    let key = keys.iter().find(|key| matches!(key, Key::Payment(..)))?;
    desk.get(key).ok()?.is_none().then(|| key.clone())
}

fn second_payment_looks_like_the_first(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    new_payment(keys, desk)?;
    let (key, mut order) = find(keys, desk, Row::order)?;
    if matches!(order.state, OrderState::Credited(_)) {
        order.state = OrderState::Paying { ticket: Ticket::Prepaid("planted".to_owned()) };
        desk.put(key, Row::Order(Box::new(order))).ok()?;
    }
    Some(())
}

fn payment_looks_settled(keys: &[Key], desk: &mut CampusDesk<'_>, when: impl Fn(&OrderState) -> bool) -> Option<()> {
    let payment = new_payment(keys, desk)?;
    let (_, order) = find(keys, desk, Row::order)?;
    if when(&order.state) {
        desk.put(payment, Row::Payment(PaymentNote { order: Some(order.no), case: None })).ok()?;
    }
    Some(())
}

/// Key of a refund that a clerk asks for.
fn asked_refund(keys: &[Key]) -> Option<RefundNo> {
    let form = keys.iter().any(|key| matches!(key, Key::Form(person, _) if person.0.get() == 0));
    let refund = keys.iter().find_map(|key| if let Key::Refund(no) = key { Some(*no) } else { None });
    refund.filter(|_| form)
}

fn unpaid_order_looks_paid(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    asked_refund(keys)?;
    let (key, mut order) = find(keys, desk, Row::order)?;
    if order.open() {
        let (transaction, at) = (format!("planted-{}", order.no), desk.now());
        let (paid_at, late, on_card_at) = (at, false, None);
        order.state = OrderState::Credited(Credited { transaction, paid_at, at, late, on_card_at });
        order.arrival = Arrival::Instant;
        desk.put(key, Row::Order(Box::new(order))).ok()?;
    }
    Some(())
}

fn let_go(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let no = asked_refund(keys)?;
    let refund = desk.get(&Key::Refund(no)).ok()??.refund()?.clone();
    let (debit, credit) = (
        chart::held(no),
        match refund.origin {
            Origin::Waiting { person, .. } => chart::awaiting_tap(person),
            Origin::Account { person, .. } => chart::available(person),
            Origin::Case { case, .. } => chart::suspense_case(case),
        },
    );
    let (id, amount, effective_at) = (desk.new_id(), refund.amount, desk.now());
    let (stage, code, reference) = (Leg::Direct, Reason::RefundReleased.number(), no.id());
    desk.post(&Transfer { id, debit, credit, amount, stage, effective_at, code, reference }).ok()?;
    Some(())
}

fn move_order_back(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let other = |key: &Key| matches!(key, Key::Payment(..) | Key::Card(_) | Key::Form(..));
    if keys.iter().any(other) {
        return None;
    }
    let (key, mut order) = find(keys, desk, Row::order)?;
    if matches!(order.state, OrderState::Credited(_)) {
        order.state = OrderState::ExpiredLocal { since: desk.now() };
        desk.put(key, Row::Order(Box::new(order))).ok()?;
    }
    Some(())
}

/// The card's released attempt, if both are on the desk.
pub(super) fn released(keys: &[Key], desk: &CampusDesk<'_>) -> Option<(Card, Attempt)> {
    let (_, card) = find(keys, desk, Row::card)?;
    let key = Key::Attempt(card.no, card.released?);
    let attempt = desk.get(&key).ok()??.attempt()?.clone();
    matches!(attempt.state, LoadState::Released | LoadState::Doubted).then_some((card, attempt))
}

fn transfer(card: &Card, amount: Fen, stage: Leg, reason: Reason, desk: &mut CampusDesk<'_>) -> Option<u64> {
    let transfer = Transfer {
        id: desk.new_id(),
        debit: chart::awaiting_tap(card.person),
        credit: chart::on_card(card.no),
        amount,
        stage,
        effective_at: desk.now(),
        code: reason.number(),
        reference: Id::new(u128::from(card.no.0)),
    };
    desk.post(&transfer).ok().map(|row| row.seq)
}

fn carried(attempt: &Attempt) -> Fen {
    Fen::new(i64::from(attempt.session.amount))
}

fn give_up_load(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (card, attempt) = released(keys, desk)?;
    if desk.now() < attempt.released_at.after_seconds(IMPATIENCE) {
        return None;
    }
    call_off(card, attempt, desk)
}

/// A load that has begun is called off, so that its order waits again.
fn refund_despite_load(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    asked_refund(keys)?;
    let (_, order) = find(keys, desk, Row::order)?;
    let (card, attempt) = released(keys, desk)?;
    let carries = attempt.items.iter().any(|item| item.source == Source::Order(order.no));
    carries.then(|| call_off(card, attempt, desk)).flatten()
}

/// The attempt is not applied, and what it carried waits again.
pub(super) fn call_off(mut card: Card, mut attempt: Attempt, desk: &mut CampusDesk<'_>) -> Option<()> {
    let waiting = Key::Waiting(card.person);
    let mut items = desk.get(&waiting).ok()?.and_then(Row::waiting).cloned().unwrap_or_default();
    transfer(&card, carried(&attempt), Leg::Void(attempt.pend), Reason::LoadNotApplied, desk)?;
    items.extend(attempt.items.iter().copied());
    attempt.state = LoadState::NotApplied { at: desk.now() };
    card.released = None;
    desk.put(waiting, Row::Waiting(items)).ok()?;
    desk.put(Key::Attempt(card.no, attempt.k), Row::Attempt(Box::new(attempt))).ok()?;
    desk.put(Key::Card(card.no), Row::Card(card)).ok()
}

/// A sale comes in, and what is on its way to its card is not looked at.
fn forget_load_on_its_way(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let [record, debit] = [|key: &Key| matches!(key, Key::Record(..)), |key: &Key| matches!(key, Key::Debited(..))]
        .map(|kind| keys.iter().any(kind));
    if !record || !debit || begins_load(keys) {
        return None;
    }
    let (card, attempt) = released(keys, desk)?;
    transfer(&card, carried(&attempt), Leg::Void(attempt.pend), Reason::LoadNotApplied, desk)?;
    Some(())
}

/// What stopped a card is forgotten.
fn let_it_go_on(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (key, mut card) = find(keys, desk, Row::card)?;
    // By an alarm in this very decision, not because its holder reported it.
    if card.state == CardState::Lost && card.since == desk.now() && !reports_loss(keys) {
        card.state = CardState::Active;
        desk.put(key, Row::Card(card)).ok()?;
    }
    Some(())
}

/// Whether a holder reports a card lost.
fn reports_loss(keys: &[Key]) -> bool {
    keys.iter().any(|key| matches!(key, Key::LossReports(_)))
}

/// What waits for a card that is being reported, and what is on its way to it.
fn money_of_lost(keys: &mut Vec<Key>, seen: &Seen<'_, Campus>) {
    let Some(card) = keys.iter().find_map(|key| seen.row(key).and_then(Row::card)) else { return };
    keys.push(Key::Waiting(card.person));
    keys.extend(card.released.map(|k| Key::Attempt(card.no, k)));
}

/// Among what the card is waited for: the mark of a card that only looks active.
const LOOKS_ACTIVE: Id = Id::new(0x90);

/// At a terminal a lost card looks active.
fn seems_active(keys: &[Key], desk: &mut CampusDesk<'_>, which: impl Fn(&[Key]) -> bool) -> Option<()> {
    let terminal = keys.iter().any(|key| matches!(key, Key::Enrolment(_)));
    let (key, mut card) = find(keys, desk, Row::card)?;
    if terminal && which(keys) && card.state == CardState::Lost {
        card.state = CardState::Active;
        card.awaiting.push(LOOKS_ACTIVE);
        desk.put(key, Row::Card(card)).ok()?;
    }
    Some(())
}

/// What only looked active is lost as before.
fn is_lost_again(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (key, mut card) = find(keys, desk, Row::card)?;
    if card.awaiting.contains(&LOOKS_ACTIVE) {
        card.state = CardState::Lost;
        card.awaiting.retain(|id| *id != LOOKS_ACTIVE);
        desk.put(key, Row::Card(card)).ok()?;
    }
    Some(())
}

fn drop_waiting(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !reports_loss(keys) {
        return None;
    }
    let (key, _) = find(keys, desk, Row::waiting)?;
    desk.put(key, Row::Waiting(Vec::new())).ok()
}

fn call_off_with_report(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !reports_loss(keys) {
        return None;
    }
    let (card, attempt) = released(keys, desk)?;
    call_off(card, attempt, desk)
}

fn begins_load(keys: &[Key]) -> bool {
    keys.iter().any(|key| matches!(key, Key::Applied(..))) && keys.iter().any(|key| matches!(key, Key::Enrolment(_)))
}

fn widen_load(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (card, mut attempt) = released(keys, desk)?;
    let waiting = Key::Waiting(card.person);
    let items = desk.get(&waiting).ok()??.waiting()?.clone();
    let more = Fen::sum(items.iter().map(|item| item.amount))?;
    if !begins_load(keys) || !more.is_positive() {
        return None;
    }
    transfer(&card, carried(&attempt), Leg::Void(attempt.pend), Reason::LoadNotApplied, desk)?;
    let all = carried(&attempt).plus(more)?;
    attempt.pend = transfer(&card, all, Leg::Pend, Reason::LoadReleased, desk)?;
    attempt.session.amount = u32::try_from(all.get()).ok()?;
    attempt.items.extend(items);
    desk.put(waiting, Row::Waiting(Vec::new())).ok()?;
    desk.put(Key::Attempt(card.no, attempt.k), Row::Attempt(Box::new(attempt))).ok()
}

fn lose_item(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !begins_load(keys) {
        return None;
    }
    let (key, mut items) = find(keys, desk, Row::waiting)?;
    if items.len() >= 2 {
        items.pop();
        desk.put(key, Row::Waiting(items)).ok()?;
    }
    Some(())
}

fn forget_fill(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (card, mut attempt) = released(keys, desk)?;
    attempt.items.retain(|item| item.source != Source::Float);
    desk.put(Key::Attempt(card.no, attempt.k), Row::Attempt(Box::new(attempt))).ok()
}

fn forget_debit(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    keys.iter().find(|key| matches!(key, Key::Debited(..)))?;
    let record = keys.iter().find(|key| matches!(key, Key::Record(..)));
    let claims = keys.iter().filter(|key| matches!(key, Key::Debited(..) | Key::Counted(..)));
    for key in record.into_iter().chain(claims) {
        desk.delete(key.clone()).ok()?;
    }
    Some(())
}

fn forget_answer(keys: &[Key], desk: &mut CampusDesk<'_>, which: impl Fn(&RecordNote) -> bool) -> Option<()> {
    let authorisation = keys.contains(&Key::Settings) && !keys.iter().any(|key| matches!(key, Key::Debited(..)));
    let key = keys.iter().find(|key| matches!(key, Key::Record(..)))?;
    let note = desk.get(key).ok()??.record()?;
    if authorisation && which(note) {
        desk.delete(key.clone()).ok()?;
    }
    Some(())
}

fn drop_unconfirmed(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    keys.iter().find(|key| matches!(key, Key::Debited(..)))?;
    let (key, mut card) = find(keys, desk, Row::card)?;
    card.unconfirmed.clear();
    desk.put(key, Row::Card(card)).ok()
}

/// A command of a tap: what a card holds by the book is looked at for a terminal, and no record came in.
fn of_tap(keys: &[Key]) -> bool {
    let has = |kind: fn(&Key) -> bool| keys.iter().any(kind);
    has(|key| matches!(key, Key::Enrolment(_)))
        && has(|key| matches!(key, Key::Spent(_)))
        && !has(|key| matches!(key, Key::Record(..)))
}

/// Already when the tap begins, so that its nonce is of a book that knows no such debit: else that nonce would be dead.
fn forget_awaiting(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !of_tap(keys) {
        return None;
    }
    let (key, mut card) = find(keys, desk, Row::card)?;
    if !card.awaiting.is_empty() {
        card.awaiting.clear();
        desk.put(key, Row::Card(card)).ok()?;
    }
    Some(())
}

fn shuffle_waiting(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !begins_load(keys) {
        return None;
    }
    let (key, mut items) = find(keys, desk, Row::waiting)?;
    let map = RandomState::new();
    items.sort_by_cached_key(|item| map.hash_one((item.amount.get(), item.since.get())));
    desk.put(key, Row::Waiting(items)).ok()
}

fn take_for_absent(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let key = keys.iter().find(|key| matches!(key, Key::Payment(..)))?;
    if matches!(desk.look(key), Look::NotLoaded) {
        desk.insert_new(key.clone(), Row::Payment(PaymentNote { order: None, case: None }));
        desk.delete(key.clone()).ok()?;
    }
    Some(())
}

fn forget_payment(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let key = keys.iter().find(|key| matches!(key, Key::Payment(..)))?;
    let (_, order) = find(keys, desk, Row::order)?;
    desk.get(key).ok()??;
    if desk.now() > order.created_at.after_seconds(EXPIRY) {
        desk.delete(key.clone()).ok()?;
    }
    Some(())
}

fn forget_quarantine(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (key, mut enrolment) = find(keys, desk, Row::enrolment)?;
    if enrolment.quarantined {
        enrolment.quarantined = false;
        desk.put(key, Row::Enrolment(Box::new(enrolment))).ok()?;
    }
    Some(())
}

fn forget_try(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    if !keys.contains(&Key::Strangers) {
        return None;
    }
    let (key, mut person) = find(keys, desk, Row::person)?;
    (person.password.tries, person.password.locked_until) = (0, None);
    desk.put(key, Row::Person(Box::new(person))).ok()
}

/// The newest restore, when a card comes for the first time after it.
fn first_meeting(keys: &[Key], desk: &CampusDesk<'_>) -> Option<(Epoch, Key)> {
    let (_, epoch) = find(keys, desk, Row::epoch)?;
    let key = keys.iter().find(|key| matches!(key, Key::Met(_)))?;
    let met = desk.get(key).ok()?.and_then(Row::met).is_some_and(|met| met.epoch == epoch.number);
    (begins_load(keys) && !met).then(|| (epoch, key.clone()))
}

/// A refund of the book's own is no news, so that the provider is not asked.
fn seems_given_back_here(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    find(keys, desk, Row::epoch)?;
    find(keys, desk, Row::card)?;
    for key in keys.iter().filter(|key| matches!(key, Key::Repaid(..))) {
        let mut repaid = desk.get(key).ok()?.and_then(Row::repaid).cloned().unwrap_or_default();
        if repaid.back == Fen::ZERO {
            repaid.back = SEEMS_BACK;
            desk.put(key.clone(), Row::Repaid(repaid)).ok()?;
        }
    }
    Some(())
}

/// What seemed to have gone back: no order is so small.
const SEEMS_BACK: Fen = Fen::new(1);

/// And nobody sees afterwards why it seemed so.
fn is_not_given_back(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    for key in keys.iter().filter(|key| matches!(key, Key::Repaid(..))) {
        let repaid = desk.get(key).ok()?.and_then(Row::repaid).cloned();
        if let Some(mut repaid) = repaid.filter(|repaid| repaid.back == SEEMS_BACK) {
            repaid.back = Fen::ZERO;
            desk.put(key.clone(), Row::Repaid(repaid)).ok()?;
        }
    }
    Some(())
}

fn restore_explains_nothing(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (epoch, key) = first_meeting(keys, desk)?;
    desk.put(key, Row::Met(Met { epoch: epoch.number, case: None, late: None })).ok()
}

fn take_orders_at_once(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    keys.iter().find(|key| matches!(key, Key::Form(..)))?;
    let (key, epoch) = find(keys, desk, Row::epoch)?;
    desk.put(key, Row::Epoch(Epoch { orders_asked: true, ..epoch })).ok()
}

fn waits_since_the_restore(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (epoch, _) = first_meeting(keys, desk)?;
    let (key, mut items) = find(keys, desk, Row::waiting)?;
    for item in &mut items {
        item.since = item.since.max(epoch.since);
    }
    desk.put(key, Row::Waiting(items)).ok()
}
