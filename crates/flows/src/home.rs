//! What a holder sees: where every yuan is, and where one top-up stands (R10, R17, R30).

use ledger::{Account, Fen, Micros};
use rules::card;
use rules::chart;
use rules::ids::{CardNo, OrderNo, PersonId, RefundNo};
use rules::limits::Limits;
use rules::load::{Attempt, Item, Source};
use rules::message::Inbox;
use rules::refund::{Origin, Refund, Repaid, State as RefundState};
use rules::top_up::{Arrival, Order, State};
use rules::waiting::Promise;

use crate::rows::{Key, Row};
use crate::{ReadFault, School, refund, tap_load};

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
    /// The card, with its state.
    pub card: Option<(CardNo, card::State)>,
    /// Since when the card is in that state.
    pub card_since: Option<Micros>,
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
    /// Its money is in a case, because the payment does not fit or because a restore left it unsure: a person looks after it.
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
    /// The holder's card, as far as the money waits for it or is on its way there.
    pub card: Option<card::State>,
    /// It has waited longer than it should (R66).
    pub delayed: bool,
    /// When it goes back by itself, while it waits for the card; none when it never does (R36).
    pub returns_at: Option<Micros>,
    /// What went back of its payments, or was to go back, newest first.
    pub refunds: Vec<Refund>,
}

/// Where every yuan of `person` is; `None` for somebody who is not a holder.
///
/// All amounts are of one moment, so that money on its way from one place to another is in one of them.
pub async fn home(school: &School, person: PersonId) -> Result<Option<Home>, ReadFault> {
    let keys = [Key::Person(person), Key::Waiting(person), Key::Ordered(person), Key::Inbox(person)];
    let rows = school.rows(&keys).await?;
    let [Some(holder), waiting, ordered, inbox] = &rows[..] else { return Ok(None) };
    if holder.person().is_none() {
        return Ok(None);
    }
    let since =
        waiting.as_ref().and_then(|row| row.waiting()).and_then(|items| items.iter().map(|item| item.since).min());
    let numbers: Vec<Key> = ordered
        .as_ref()
        .and_then(|row| row.ordered())
        .map(|ordered| ordered.open.iter().rev().map(|(no, _)| Key::Order(*no)).collect())
        .unwrap_or_default();
    let open_orders = school.rows(&numbers).await?.iter().flatten().filter_map(|row| row.order().cloned()).collect();
    let Sums { owned, awaiting, available, on_card, early, held } = Sums::of(school, person).await?;
    let mut home = Home {
        card: None,
        card_since: None,
        available,
        waiting: Standing { amount: awaiting.spendable(), since },
        in_transit: Standing { amount: awaiting.debits_pending, since: None },
        on_card,
        held: Standing { amount: held, since: owned.refunds.iter().map(|(_, since)| *since).min() },
        total: Fen::sum([available, awaiting.spendable(), awaiting.debits_pending, on_card, held, early])
            .unwrap_or(Fen::ZERO),
        open_orders,
        unread: inbox.as_ref().and_then(|row| row.inbox()).map_or(0, Inbox::unread),
    };
    if let Some(no) = owned.card
        && let Some(card) = school.row(&Key::Card(no)).await?.and_then(|row| row.card().cloned())
    {
        home.card = Some((no, card.state));
        home.card_since = Some(card.since);
        home.in_transit.since = released(school, &card).await?.map(|attempt| attempt.released_at);
    }
    Ok(Some(home))
}

/// By what a holder's accounts are found.
#[derive(PartialEq, Eq)]
struct Owned {
    card: Option<CardNo>,
    /// What was taken from the holder for refunds that have not ended, and since when.
    refunds: Vec<(RefundNo, Micros)>,
}

impl Owned {
    async fn by(school: &School, person: PersonId) -> Result<Owned, ReadFault> {
        let holder = school.row(&Key::Person(person)).await?;
        let refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
        let own = |refund: &&Refund| match refund.origin {
            Origin::Waiting { .. } | Origin::Account { .. } => refund.live(),
            Origin::Case { .. } => false,
        };
        let refunds = refunds.iter().filter(own).map(|refund| (refund.no, refund.made_at)).collect();
        Ok(Owned { card: holder.as_ref().and_then(Row::person).and_then(|holder| holder.card), refunds })
    }
}

/// What is in a holder's accounts, all of one commit.
struct Sums {
    owned: Owned,
    awaiting: Account,
    available: Fen,
    on_card: Fen,
    /// What was spent of a load before it was proved is not on the card any more (M13): less than nothing.
    early: Fen,
    held: Fen,
}

impl Sums {
    /// Rows tell which accounts there are. When they tell the same before and after the sums were read, no account was
    /// missed; rows are committed before their sums can be read.
    async fn of(school: &School, person: PersonId) -> Result<Sums, ReadFault> {
        let mut owned = Owned::by(school, person).await?;
        for _ in 0..CHANGES {
            let sums = Sums::read(school, person, owned);
            owned = Owned::by(school, person).await?;
            if owned == sums.owned {
                return Ok(sums);
            }
        }
        Ok(Sums::read(school, person, owned))
    }

    fn read(school: &School, person: PersonId, owned: Owned) -> Sums {
        let mut keys = vec![chart::awaiting_tap(person), chart::available(person)];
        keys.extend(owned.card.into_iter().flat_map(|no| [chart::on_card(no), chart::suspense_card(no)]));
        let held_from = keys.len();
        keys.extend(owned.refunds.iter().map(|(no, _)| chart::held(*no)));
        let sums = school.balances.accounts(&keys);
        let at = |place: usize| sums.get(place).map_or(Fen::ZERO, Account::balance);
        let (on_card, early) = if owned.card.is_some() { (at(2), at(3)) } else { (Fen::ZERO, Fen::ZERO) };
        let held = sums.iter().skip(held_from).map(Account::balance);
        Sums {
            awaiting: sums.first().copied().unwrap_or_default(),
            available: at(1),
            on_card,
            early,
            held: Fen::sum(held).unwrap_or(Fen::ZERO),
            owned,
        }
    }
}

/// Refunds of a holder that are looked at: more than anybody has in years.
pub(crate) const MOST_REFUNDS: u32 = 1_000;

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
    let (order, place, card) = located(school, order).await?;
    let mut refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
    refunds.retain(|refund| refund.origin.of().is_some_and(|(_, of)| of == no));
    let place = went_back(&order, &refunds).unwrap_or(place);
    let history = crate::settings::history(school).await?;
    let limits = Limits::at(&history, school.now());
    let delayed = match &order.state {
        // What waits for a card that is frozen is late for another reason.
        State::Credited(credited) if place == Place::WaitingForCard && card == Some(card::State::Active) => {
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
    Ok(Some(Tracker { order, place, card, delayed, returns_at, refunds }))
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

/// Where the money of an order is, with the order and the card as they were at that moment.
///
/// Order, refunds of its payment, waiting items and card are read together: between two reads a load may have begun or ended,
/// and money that is in neither place then would look as if it were gone. What an attempt carries never changes.
async fn located(school: &School, mut order: Order) -> Result<(Order, Place, Option<card::State>), ReadFault> {
    let no = order.no;
    let mut own: Option<CardNo> = None;
    // Once to learn which card it is; again if the holder gets another one at that very moment.
    for _ in 0..CHANGES {
        let mut keys = vec![Key::Order(no), Key::Person(order.person), Key::Waiting(order.person)];
        keys.extend(own.map(Key::Card));
        keys.extend(tap_load::repaid_key(&order));
        let rows = school.rows(&keys).await?;
        let of = |key: &Key| keys.iter().position(|each| each == key).and_then(|at| rows.get(at)?.as_ref());
        let card = of(&Key::Person(order.person)).and_then(Row::person).and_then(|holder| holder.card);
        if card != own {
            own = card;
            continue;
        }
        order = of(&Key::Order(no)).and_then(Row::order).cloned().unwrap_or(order);
        if tap_load::repaid_key(&order).is_some_and(|key| !keys.contains(&key)) {
            continue;
        }
        let card = own.and_then(|no| of(&Key::Card(no))).and_then(Row::card).cloned();
        let repaid = rows.iter().flatten().find_map(Row::repaid);
        let waits = of(&Key::Waiting(order.person)).and_then(Row::waiting).is_some_and(|items| holds(items, no));
        let place = match unpaid(&order).or_else(|| arrived(&order)) {
            Some(place) => place,
            None if waits => Place::WaitingForCard,
            None => match &card {
                Some(card) if released(school, card).await?.is_some_and(|attempt| holds(&attempt.items, no)) => {
                    Place::OnItsWay
                }
                Some(_) | None => gone(repaid),
            },
        };
        return Ok((order, place, card.map(|card| card.state)));
    }
    let place = unpaid(&order).or_else(|| arrived(&order)).unwrap_or(Place::WaitingForCard);
    Ok((order, place, None))
}

/// A card more often than this at one moment is nobody's.
const CHANGES: u32 = 4;

fn holds(items: &[Item], no: OrderNo) -> bool {
    items.iter().any(|item| item.source == Source::Order(no))
}

/// Where the money of an order is that is in no account of its holder's.
const fn unpaid(order: &Order) -> Option<Place> {
    match &order.state {
        State::Created | State::Paying { .. } => Some(Place::NotPaid),
        State::Unknown { .. } | State::ExpiredLocal { .. } => Some(Place::BeingChecked),
        State::Closed { .. } => Some(Place::Ended),
        State::InCase { .. } => Some(Place::InCase),
        State::Credited(_) => None,
    }
}

/// Where the money is when it came to where the order wants it.
const fn arrived(order: &Order) -> Option<Place> {
    match (&order.arrival, &order.state) {
        (Arrival::Instant, _) => Some(Place::InAccount),
        (Arrival::Tap, State::Credited(credited)) if credited.on_card_at.is_some() => Some(Place::OnCard),
        (Arrival::Tap, _) => None,
    }
}

/// Where credited money is that neither waits nor is on its way: it goes back, or a restore left it to a person (M9).
fn gone(repaid: Option<&Repaid>) -> Place {
    match repaid {
        Some(repaid) if repaid.live.is_some() => Place::Refunding,
        Some(repaid) if repaid.back.is_positive() => Place::Refunded,
        Some(_) | None => Place::InCase,
    }
}
