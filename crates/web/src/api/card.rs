//! The holder's card for programs: its state and story, and reporting it lost (R3, R82).

use axum::Json;
use axum::extract::State;
use flows::card_desk::{Told, card_page, report_loss};
use flows::settings::limits;
use rules::card::{self, LossRefusal};
use rules::credential::Scope;
use rules::ids::CardNo;
use rules::limits::Setting;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keyed::Key;
use super::me::{CardState, Part};
use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment, Sent};
use crate::card::reportable;
use crate::config::Web;
use crate::failure::Failure;
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/me/card",
        name: "card",
        summary: "The card: its state, what waits for it, and every change of it",
        detail: "",
        access: Access::Holder(Scope::Read),
        query: None,
        input: None,
        answer: Answer::Found(shape::<CardPage>),
        refusals: &[],
    },
    Operation {
        method: "POST",
        path: "/api/v1/me/card/loss",
        name: "report_loss",
        summary: "Report the card lost",
        detail: "From `effective_since` on every purchase, load and door on line is refused to the card. A card that is lost \
                 already stays so, and the answer is its first time of effect. Only the holder, with the identity card at \
                 the service centre, can have it unfrozen: there is no way back on line.",
        access: Access::Holder(Scope::Card),
        query: None,
        input: Some(shape::<LostCard>),
        answer: Answer::Found(shape::<Reported>),
        refusals: &["CARD_STATE"],
    },
];

/// A holder's card.
#[derive(Serialize, ToSchema)]
pub(crate) struct CardPage {
    /// The card that the holder has now, or had last; null for somebody who never had one.
    card: Option<OwnCard>,
    /// Whether it can be reported lost.
    may_report_loss: bool,
    /// On the card by the book, fen.
    on_card_fen: i64,
    /// Waits for the card to be held to a terminal, or for the next card.
    waiting: Part,
    /// Given to the card at a terminal that has not told yet how that went.
    in_transit: Part,
    /// Fee for a new card in the place of a lost or damaged one, fen.
    replace_fee_fen: i64,
    /// Changes of all cards of the holder, newest first.
    changes: Vec<CardChange>,
}

/// A card with the reason of its state.
#[derive(Serialize, ToSchema)]
struct OwnCard {
    /// Number on the card.
    number: String,
    /// How it stands.
    state: CardState,
    /// Since when.
    since: Moment,
    /// Why; null for a card that is older than its story.
    why: Option<Why>,
}

/// One change of a card.
#[derive(Serialize, ToSchema)]
struct CardChange {
    /// Number on the card.
    number: String,
    /// What it was.
    from: CardState,
    /// What it is from then on.
    to: CardState,
    /// When that took effect.
    at: Moment,
    /// Who.
    by: Actor,
    /// Where.
    place: Place,
    /// Where the terminal stands, in Chinese; null when it was none.
    terminal_zh: Option<String>,
    /// Where the terminal stands, in English; null when it was none.
    terminal_en: Option<String>,
    /// Why.
    why: Why,
}

/// Why a card was moved from one state to another.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CardWhy)]
enum Why {
    /// Handed to its holder.
    HandedOut,
    /// Reported lost by its holder.
    ReportedLost,
    /// Stopped: chip and account contradict each other.
    Alarm,
}

/// Who moved a card from one state to another.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CardActor)]
enum Actor {
    /// Its holder.
    Holder,
    /// The card office.
    CardOffice,
    /// The platform, by a rule.
    Platform,
}

/// Where a card was moved from one state to another.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CardPlace)]
enum Place {
    /// On the holder's pages.
    Pages,
    /// On the holder's pages, inside WeChat.
    #[serde(rename = "wechat")]
    WeChat,
    /// By a program.
    Program,
    /// At the card office.
    CardOffice,
    /// At a terminal.
    Terminal,
}

/// Which card is lost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostCard {
    /// Number on the card, as the card page has it: so that a call that comes late stops no other card.
    #[schema(pattern = "^[0-9A-Fa-f]{16}$")]
    number: String,
}

/// A card that is lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reported {
    /// Number on the card.
    number: String,
    /// Since when it is refused on line.
    effective_since: Moment,
}

impl From<card::Why> for Why {
    fn from(why: card::Why) -> Why {
        match why {
            card::Why::HandedOut => Why::HandedOut,
            card::Why::ReportedLost => Why::ReportedLost,
            card::Why::Alarm(_) => Why::Alarm,
        }
    }
}

impl CardChange {
    fn of(told: &Told) -> CardChange {
        let change = &told.change;
        CardChange {
            number: change.card.to_string(),
            from: change.from.into(),
            to: change.to.into(),
            at: Moment(change.at),
            by: match change.by {
                card::Actor::Holder => Actor::Holder,
                card::Actor::Office => Actor::CardOffice,
                card::Actor::Platform => Actor::Platform,
            },
            place: match change.place {
                card::Place::Pages => Place::Pages,
                card::Place::WeChat => Place::WeChat,
                card::Place::Program => Place::Program,
                card::Place::Office => Place::CardOffice,
                card::Place::Terminal(_) => Place::Terminal,
            },
            terminal_zh: told.terminal.as_ref().map(|(zh, _)| zh.clone()),
            terminal_en: told.terminal.as_ref().map(|(_, en)| en.clone()),
            why: change.why.into(),
        }
    }
}

/// `GET /api/v1/me/card`
pub(crate) async fn json(State(web): State<Web>, holder: Holder) -> Answered<CardPage> {
    let found = card_page(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let fee = limits(&web.school).await?.fen(Setting::ReplaceFee);
    Ok(Json(CardPage {
        card: found.card.as_ref().map(|card| OwnCard {
            number: card.no.to_string(),
            state: card.state.into(),
            since: Moment(card.since),
            why: found.newest().map(|change| change.why.into()),
        }),
        may_report_loss: found.card.as_ref().is_some_and(reportable),
        on_card_fen: found.home.on_card.get(),
        waiting: found.home.waiting.into(),
        in_transit: found.home.in_transit.into(),
        replace_fee_fen: fee.get(),
        changes: found.story.iter().map(CardChange::of).collect(),
    }))
}

/// `POST /api/v1/me/card/loss`: `{"number": "2026000000000042"}`.
pub(crate) async fn report(
    State(web): State<Web>,
    holder: Holder,
    Key(key): Key,
    Sent(LostCard { number }): Sent<LostCard>,
) -> Answered<Reported> {
    let number = CardNo::parse(&number).map_err(|why| Failure::MalformedAt(format!("number: {why}")))?;
    let reported = report_loss(&web.school, holder.person, number, card::Place::Program, key).await;
    let reported = reported.map_err(|not| match not {
        flows::card_desk::NotReported::Refused(LossRefusal::FormReused) => Failure::KeyConflict,
        not => Failure::Words(not.words()),
    })?;
    Ok(Json(Reported { number: reported.card.to_string(), effective_since: Moment(reported.since) }))
}
