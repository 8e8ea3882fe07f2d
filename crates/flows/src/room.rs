//! How much a holder may top up now, for the page to say before anyone types an amount (R19, R22, R28, R29).

use ledger::Fen;
use rules::calendar::campus_day;
use rules::chart;
use rules::ids::PersonId;
use rules::limits::Setting;
use rules::top_up::{OpenFacts, check_open, most_now};
use rules::words::Words;

use crate::rows::{Key, Row};
use crate::settings::limits;
use crate::{ReadFault, School};

/// What a page says beside the field for the amount. Nothing here decides: the order is checked again when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Least that an order may be.
    pub least: Fen,
    /// Most that one order may be now; nothing when none may be made.
    pub most: Fen,
    /// Most that any order may be.
    pub per_order: Fen,
    /// Kept for orders that can still be paid.
    pub kept: Fen,
    /// Why not even the least order may be made now.
    pub closed: Option<Words>,
    /// Paid money waits for the card; else it can be spent on line at once.
    pub waits_for_card: bool,
}

impl Room {
    /// Whether an order of this amount may be made now.
    pub fn allows(&self, amount: Fen) -> bool {
        self.closed.is_none() && amount >= self.least && amount <= self.most
    }
}

/// How much `person` may top up now; `None` for somebody who is not a holder.
pub async fn room(school: &School, person: PersonId) -> Result<Option<Room>, ReadFault> {
    let rows = school.rows(&[Key::Person(person), Key::Ordered(person)]).await?;
    let [holder, ordered] = &rows[..] else { return Ok(None) };
    let Some(holder) = holder.as_ref().and_then(Row::person) else { return Ok(None) };
    let ordered = ordered.as_ref().and_then(Row::ordered).cloned().unwrap_or_default();
    let card = match holder.card {
        Some(no) => school.row(&Key::Card(no)).await?.and_then(|row| row.card().cloned()),
        None => None,
    };
    let limits = limits(school).await?;
    let accounts = [chart::available(person), chart::awaiting_tap(person)];
    let held = accounts.into_iter().chain(card.as_ref().map(|card| chart::on_card(card.no)));
    let facts = OpenFacts {
        limits: &limits,
        standing: holder.standing,
        card: card.map(|card| card.state),
        holds: Fen::sum(held.map(|key| school.balance(&key))).unwrap_or(Fen::ZERO),
        open_orders: Fen::sum(ordered.open.iter().map(|(_, amount)| *amount)).unwrap_or(Fen::ZERO),
        ordered_today: if ordered.day == campus_day(school.now()).0 { ordered.today } else { Fen::ZERO },
    };
    let least = limits.fen(Setting::TopUpMin);
    Ok(Some(Room {
        kept: facts.open_orders,
        least,
        most: most_now(&facts),
        closed: check_open(least, &facts).err().map(|refusal| refusal.words()),
        per_order: limits.fen(Setting::WeChatPerOrderMax),
        waits_for_card: limits.get(Setting::WeChatArrival) == 0,
    }))
}
