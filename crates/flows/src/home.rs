//! What a holder sees: where every yuan is, and where one top-up stands (R10, R17, R30).

use ledger::{Fen, Micros};
use rules::card;
use rules::chart;
use rules::ids::{CardNo, OrderNo, PersonId};
use rules::limits::Limits;
use rules::load::{Attempt, Source};
use rules::message::Inbox;
use rules::refund::{Origin, Refund, State as RefundState};
use rules::top_up::{Arrival, Order, State};
use rules::waiting::Promise;

use crate::rows::Key;
use crate::{ReadFault, School, refund};

/// An amount and since when it is where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much.
    pub amount: Fen,
    /// Since when; none when it is nothing or has no one beginning.
    pub since: Option<Micros>,
}

/// Where every yuan of a holder is. Nothing else exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The active card, with its state.
    pub card: Option<(CardNo, card::State)>,
    /// Spendable on line now.
    pub available: Fen,
    /// Waits for the card.
    pub waiting: Standing,
    /// On its way to the card: released, not proved.
    pub in_transit: Standing,
    /// On the card, by the book.
    pub on_card: Fen,
    /// On its way back to where it was paid from: it can neither be spent nor loaded.
    pub held: Standing,
    /// All of it together.
    pub total: Fen,
    /// Orders that can still be paid, newest first.
    pub open_orders: Vec<Order>,
    /// Messages that are not read.
    pub unread: u64,
}

/// Where the money of one order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Not paid: nothing has moved.
    NotPaid,
    /// We ask the provider whether it was paid.
    BeingChecked,
    /// Ended unpaid.
    Ended,
    /// A payment of it is in a case: a person looks after it.
    InCase,
    /// In the book, waiting for the card.
    WaitingForCard,
    /// Released to the card at a terminal, not proved yet.
    OnItsWay,
    /// On the card.
    OnCard,
    /// In the account, spendable on line.
    InAccount,
    /// On its way back to the payer.
    Refunding,
    /// The payer has it back.
    Refunded,
}

/// One order as its holder follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// The order.
    pub order: Order,
    /// Where the money is.
    pub place: Place,
    /// It has waited longer than it should (R66).
    pub delayed: bool,
    /// When it goes back by itself, while it waits for the card; none when it never does (R36).
    pub returns_at: Option<Micros>,
    /// What went back of its payments, or was to go back, newest first.
    pub refunds: Vec<Refund>,
}

/// Where every yuan of `person` is; `None` for somebody who is not a holder.
pub async fn home(school: &School, person: PersonId) -> Result<Option<Home>, ReadFault> {
    let keys = [Key::Person(person), Key::Waiting(person), Key::Ordered(person), Key::Inbox(person)];
    let rows = school.rows(&keys).await?;
    let [holder, waiting, ordered, inbox] = &rows[..] else { return Ok(None) };
    let Some(holder) = holder.as_ref().and_then(|row| row.person()) else { return Ok(None) };
    let since =
        waiting.as_ref().and_then(|row| row.waiting()).and_then(|items| items.iter().map(|item| item.since).min());
    let numbers: Vec<Key> = ordered
        .as_ref()
        .and_then(|row| row.ordered())
        .map(|ordered| ordered.open.iter().rev().map(|(no, _)| Key::Order(*no)).collect())
        .unwrap_or_default();
    let open_orders = school.rows(&numbers).await?.iter().flatten().filter_map(|row| row.order().cloned()).collect();
    let awaiting = school.balances.account(&chart::awaiting_tap(person));
    let mut home = Home {
        card: None,
        available: school.balance(&chart::available(person)),
        waiting: Standing { amount: awaiting.spendable(), since },
        in_transit: Standing { amount: awaiting.debits_pending, since: None },
        on_card: Fen::ZERO,
        held: held(school, person).await?,
        total: Fen::ZERO,
        open_orders,
        unread: inbox.as_ref().and_then(|row| row.inbox()).map_or(0, Inbox::unread),
    };
    let mut early = Fen::ZERO;
    if let Some(no) = holder.card
        && let Some(card) = school.row(&Key::Card(no)).await?.and_then(|row| row.card().cloned())
    {
        home.card = Some((no, card.state));
        // What was spent of a load before it was proved is not there any more (M13).
        early = school.balance(&chart::suspense_card(no));
        home.on_card = school.balance(&chart::on_card(no));
        home.in_transit.since = released(school, &card).await?.map(|attempt| attempt.released_at);
    }
    let parts = [home.available, home.waiting.amount, home.in_transit.amount, home.on_card, home.held.amount, early];
    home.total = Fen::sum(parts).unwrap_or(Fen::ZERO);
    Ok(Some(home))
}

/// Refunds of a holder that are looked at: more than anybody has in years.
pub(crate) const MOST_REFUNDS: u32 = 1_000;

/// What was taken from the holder for refunds that have not ended.
async fn held(school: &School, person: PersonId) -> Result<Standing, ReadFault> {
    let refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
    let own = |refund: &&Refund| match refund.origin {
        Origin::Waiting { .. } | Origin::Account { .. } => refund.live(),
        Origin::Case { .. } => false,
    };
    let amount = Fen::sum(refunds.iter().filter(own).map(|refund| refund.amount)).unwrap_or(Fen::ZERO);
    Ok(Standing { amount, since: refunds.iter().filter(own).map(|refund| refund.made_at).min() })
}

async fn released(school: &School, card: &card::Card) -> Result<Option<Attempt>, ReadFault> {
    let Some(k) = card.released else { return Ok(None) };
    Ok(school.row(&Key::Attempt(card.no, k)).await?.and_then(|row| row.attempt().cloned()))
}

/// Where the order `no` of `person` stands; `None` when it is not an order of that person.
pub async fn track(school: &School, person: PersonId, no: OrderNo) -> Result<Option<Tracker>, ReadFault> {
    let Some(order) = school.row(&Key::Order(no)).await?.and_then(|row| row.order().cloned()) else {
        return Ok(None);
    };
    if order.person != person {
        return Ok(None);
    }
    let mut refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
    refunds.retain(|refund| refund.origin.of().is_some_and(|(_, of)| of == no));
    let place = match went_back(&order, &refunds) {
        Some(place) => place,
        None => place(school, &order).await?,
    };
    let history = crate::settings::history(school).await?;
    let limits = Limits::at(&history, school.now());
    let delayed = match &order.state {
        State::Credited(credited) if place == Place::WaitingForCard => {
            let threshold = limits.get(rules::limits::Setting::DelayThreshold);
            school.now() >= credited.at.after_seconds(threshold)
        }
        _ => false,
    };
    let returns_at = match &order.state {
        // After a refund that failed it does not.
        State::Credited(credited) if place == Place::WaitingForCard && refunds.is_empty() => {
            Promise::of(&history, credited.at).returns_at
        }
        _ => None,
    };
    Ok(Some(Tracker { order, place, delayed, returns_at, refunds }))
}

/// Where the money is when all of it went back, or is on its way back; `None` while it is somewhere else.
fn went_back(order: &Order, refunds: &[Refund]) -> Option<Place> {
    let of_payment = |refund: &&Refund| match &order.state {
        State::Credited(credited) => refund.transaction == credited.transaction,
        State::InCase { .. } => true,
        State::Created
        | State::Unknown { .. }
        | State::Paying { .. }
        | State::ExpiredLocal { .. }
        | State::Closed { .. } => false,
    };
    let counts = |refund: &&Refund| of_payment(refund) && !matches!(refund.state, RefundState::Released { .. });
    let back = Fen::sum(refunds.iter().filter(counts).map(|refund| refund.amount)).unwrap_or(Fen::ZERO);
    let whole = match order.state {
        State::InCase { .. } => back.is_positive(),
        _ => back >= order.amount,
    };
    let live = refunds.iter().filter(counts).any(|refund| refund.live());
    whole.then_some(if live { Place::Refunding } else { Place::Refunded })
}

async fn place(school: &School, order: &Order) -> Result<Place, ReadFault> {
    let credited = match &order.state {
        State::Created | State::Paying { .. } => return Ok(Place::NotPaid),
        State::Unknown { .. } | State::ExpiredLocal { .. } => return Ok(Place::BeingChecked),
        State::Closed { .. } => return Ok(Place::Ended),
        State::InCase { .. } => return Ok(Place::InCase),
        State::Credited(credited) => credited,
    };
    if order.arrival == Arrival::Instant {
        return Ok(Place::InAccount);
    }
    if credited.on_card_at.is_some() {
        return Ok(Place::OnCard);
    }
    let holder = school.row(&Key::Person(order.person)).await?.and_then(|row| row.person().cloned());
    let Some(no) = holder.and_then(|holder| holder.card) else { return Ok(Place::WaitingForCard) };
    let Some(card) = school.row(&Key::Card(no)).await?.and_then(|row| row.card().cloned()) else {
        return Ok(Place::WaitingForCard);
    };
    let on_its_way = released(school, &card)
        .await?
        .is_some_and(|attempt| attempt.items.iter().any(|item| item.source == Source::Order(order.no)));
    Ok(if on_its_way { Place::OnItsWay } else { Place::WaitingForCard })
}
