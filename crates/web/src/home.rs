//! The holder's first page: where every yuan is, and what to do next (R10, R17, R30).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::home::{Home, home};
use flows::people::{Profile, profile};
use flows::records::records;
use ledger::{Fen, Micros};
use rules::card;
use rules::ids::CardNo;
use rules::top_up::Order;
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::records::Line;
use crate::text::{Language, Text, Yuan};
use crate::visit::{Guest, Holder};

/// How many records the first page shows.
const SHOWN_RECORDS: u32 = 3;

/// `GET /`
pub(crate) async fn front(guest: Result<Guest, Failure>) -> Result<Response, Failure> {
    match guest {
        Ok(_) => Ok(page::see_other("/me")),
        Err(Failure::SignInFirst { .. }) => Ok(page::see_other("/sign-in")),
        Err(failure) => Err(failure),
    }
}

/// What the address may carry.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    remind: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    /// A change of the password is recommended.
    remind: bool,
    holder: Profile,
    card: Option<CardFace>,
    places: Places,
    /// What waits cannot be loaded now: it is kept for another card.
    kept: bool,
    open_orders: Vec<OpenOrder>,
    /// Unpaid orders that are not shown.
    more_orders: usize,
    records: Vec<Line>,
    /// Messages that are not read.
    unread: u64,
}

impl HomePage {
    /// Whether there is a card that pays.
    fn usable(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.good)
    }
}

/// The card on the page.
struct CardFace {
    number: CardNo,
    state: Text,
    good: bool,
    /// It is lost or frozen, since then.
    stopped: Option<String>,
}

/// Where every yuan is.
struct Places {
    total: Yuan,
    available: Yuan,
    waiting: Yuan,
    waits: bool,
    waiting_since: Option<String>,
    in_transit: Yuan,
    travels: bool,
    on_card: Yuan,
    held: Yuan,
    refunds: bool,
    held_since: Option<String>,
}

struct OpenOrder {
    number: String,
    amount: Yuan,
    title: Text,
    says: Text,
}

/// `GET /me`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (who, home) = look(&web, &holder).await?;
    let newest = records(&web.school, holder.person, web.school.now(), SHOWN_RECORDS).await?;
    let language = holder.visit.language;
    let page = HomePage {
        frame: Frame::new(&web, &holder.visit, language.t("home-title")),
        remind: asked.remind == "password",
        holder: who,
        card: home.card.map(|(number, state)| CardFace {
            number,
            state: language.t(format!("card-state-{}", card_state(state))),
            good: state == card::State::Active,
            stopped: (state == card::State::Lost)
                .then(|| home.card_since.map(|since| language.moment_to_the_second(since)))
                .flatten(),
        }),
        kept: home.card.is_none_or(|(_, state)| state != card::State::Active),
        more_orders: home.open_orders.len().saturating_sub(ORDERS_SHOWN),
        open_orders: open_orders(&home, language, web.school.now()),
        places: places(&home, language),
        unread: home.unread,
        records: newest.iter().map(|record| Line::of(record, language)).collect(),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

async fn look(web: &Web, holder: &Holder) -> Result<(Profile, Home), Failure> {
    let who = profile(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let home = home(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    Ok((who, home))
}

fn places(home: &Home, language: Language) -> Places {
    Places {
        total: Yuan(home.total),
        available: Yuan(home.available),
        waiting: Yuan(home.waiting.amount),
        waits: home.waiting.amount > Fen::ZERO,
        waiting_since: home.waiting.since.map(|since| language.moment(since)),
        in_transit: Yuan(home.in_transit.amount),
        travels: home.in_transit.amount > Fen::ZERO,
        on_card: Yuan(home.on_card),
        held: Yuan(home.held.amount),
        refunds: home.held.amount > Fen::ZERO,
        held_since: home.held.since.map(|since| language.moment(since)),
    }
}

/// Unpaid orders that are shown, the newest ones.
const ORDERS_SHOWN: usize = 3;

fn open_orders(home: &Home, language: Language, now: Micros) -> Vec<OpenOrder> {
    let shown = |order: &Order| {
        let (title, says) = match now < order.expires_at {
            true => ("home-order-go-on", "home-order-until"),
            false => ("home-order-look", "home-order-checking"),
        };
        OpenOrder {
            number: order.no.to_string(),
            amount: Yuan(order.amount),
            title: language.t(title),
            says: language.t(says).with("until", language.moment(order.expires_at)),
        }
    };
    home.open_orders.iter().take(ORDERS_SHOWN).map(shown).collect()
}

/// The word for a card's state in texts and in JSON.
pub(crate) const fn card_state(state: card::State) -> &'static str {
    match state {
        card::State::Issued => "issued",
        card::State::Active => "active",
        card::State::Lost => "lost",
        card::State::Damaged => "damaged",
        card::State::Replaced => "replaced",
        card::State::Closed => "closed",
    }
}
