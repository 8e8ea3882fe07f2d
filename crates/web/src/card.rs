//! The holder's card: its state and story, what is on it and waits for it, what to do; and reporting it lost (R3, R82).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use flows::card_desk::{CardPage, Told, card_page, report_loss};
use flows::settings::limits;
use ledger::{Fen, Id, Micros};
use rules::card::{Actor, Card, Place, State as CardState, Why};
use rules::ids::CardNo;
use rules::limits::{Limits, Setting};
use rules::mask;
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::home::card_state;
use crate::icons;
use crate::page::{self, Frame};
use crate::text::{Language, Text, Yuan};
use crate::visit::{Holder, Sent};

#[derive(Template)]
#[template(path = "card.html")]
struct Page {
    frame: Frame,
    shown: Shown,
}

/// The page before a report: what will happen.
#[derive(Template)]
#[template(path = "card_loss.html")]
struct AskPage {
    frame: Frame,
    lead: Text,
    parts: [Part; 3],
    key: String,
    card: CardNo,
}

struct Part {
    slug: &'static str,
    icon: &'static str,
    title: Text,
    lines: Vec<Text>,
}

/// A card as it is shown.
struct Shown {
    mood: &'static str,
    icon: &'static str,
    state: Text,
    number: Option<String>,
    says: Text,
    since: Option<Text>,
    steps: Vec<Text>,
    places: Vec<Held>,
    story: Vec<Line>,
    reportable: bool,
}

/// An amount and where it is.
struct Held {
    slug: &'static str,
    icon: &'static str,
    name: Text,
    says: Text,
    since: Option<Text>,
    amount: Yuan,
}

/// One change of a card.
struct Line {
    why: Text,
    moved: Text,
    at: String,
    place: String,
    by: Text,
    card: Text,
}

/// `GET /me/card`
pub(crate) async fn page(State(web): State<Web>, holder: Holder) -> Result<Response, Failure> {
    let (found, limits) = look(&web, &holder).await?;
    let language = holder.visit.language;
    let frame = Frame::new(&web, &holder.visit, language.t("card-title")).below("/me");
    Ok(page::html(&holder.visit, StatusCode::OK, &Page { frame, shown: shown(&found, &limits, language) }))
}

/// `GET /me/card/loss`: what a report will do, and the form that does it; on to the card when there is nothing to report.
pub(crate) async fn ask(State(web): State<Web>, holder: Holder) -> Result<Response, Failure> {
    let (found, limits) = look(&web, &holder).await?;
    let Some(card) = found.card.as_ref().filter(|card| reportable(card)) else {
        return Ok(page::see_other("/me/card"));
    };
    let language = holder.visit.language;
    let home = &found.home;
    let line = |key: &'static str| language.t(key);
    let sum = |key: &'static str, amount: Fen| language.t(key).with("amount", Yuan(amount));
    let waits = home.waiting.amount.plus(home.in_transit.amount).unwrap_or(home.waiting.amount);
    let sums =
        [("loss-money-account", home.available), ("loss-money-waiting", waits), ("loss-money-card", home.on_card)];
    let mut money: Vec<Text> =
        sums.into_iter().filter(|(_, amount)| amount.is_positive()).map(|(key, amount)| sum(key, amount)).collect();
    money.push(line("loss-money-new"));
    let parts = [
        Part {
            slug: "now",
            icon: icons::ALERT,
            title: line("loss-now-title"),
            lines: vec![line("loss-now-1"), line("loss-now-2"), line("loss-now-3")],
        },
        Part { slug: "money", icon: icons::WALLET, title: line("loss-money-title"), lines: money },
        Part {
            slug: "back",
            icon: icons::INFO,
            title: line("loss-back-title"),
            lines: vec![line("loss-back-1"), line("loss-back-2").with("fee", fee(&limits))],
        },
    ];
    let page = AskPage {
        frame: Frame::new(&web, &holder.visit, line("loss-title")).below("/me/card"),
        lead: line("loss-lead").with("number", mask::card(card.no)),
        parts,
        // Made when the page is rendered: sent twice it is one report.
        key: Id::from_bytes(web.school.random()).to_string(),
        card: card.no,
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// What the form posts. It names the card that the holder saw: a page of before never stops another card.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    key: String,
    #[serde(default)]
    card: String,
}

/// `POST /me/card/loss`: the card is lost from now on; its page says since when.
pub(crate) async fn report(
    State(web): State<Web>,
    holder: Holder,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let key = Id::parse(&typed.key).map_err(|_| Failure::StaleForm)?.bytes();
    let card = CardNo::parse(&typed.card).map_err(|_| Failure::Malformed)?;
    let place = if holder.visit.in_wechat { Place::WeChat } else { Place::Pages };
    let reported = report_loss(&web.school, holder.person, card, place, key).await;
    reported.map_err(|refusal| Failure::Words(refusal.words()))?;
    Ok(page::see_other("/me/card"))
}

async fn look(web: &Web, holder: &Holder) -> Result<(CardPage, Limits), Failure> {
    let found = card_page(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    Ok((found, limits(&web.school).await?))
}

/// Whether the page offers a report; whether one is taken is the rule's to say.
pub(crate) const fn reportable(card: &Card) -> bool {
    matches!(card.state, CardState::Issued | CardState::Active)
}

fn fee(limits: &Limits) -> Yuan {
    Yuan(limits.fen(Setting::ReplaceFee))
}

/// Part of the texts' keys, how many things are to be done, and how it looks.
fn face(found: &CardPage) -> (&'static str, &'static [&'static str], &'static str, &'static str) {
    let Some(card) = &found.card else { return ("none", &["card-none-do"], "waiting", icons::INFO) };
    let alarm = found.newest().is_some_and(|change| matches!(change.why, Why::Alarm(_)));
    match card.state {
        CardState::Issued => ("issued", &["card-do-issued-1"], "act", icons::INFO),
        CardState::Active => ("active", &["card-do-active-1", "card-do-active-2"], "done", icons::CHECK),
        CardState::Lost if alarm => ("alarm", &["card-do-alarm-1", "card-do-alarm-2"], "lost", icons::ALERT),
        CardState::Lost => ("lost", &["card-do-lost-1", "card-do-lost-2", "card-do-lost-3"], "lost", icons::ALERT),
        CardState::Damaged => ("damaged", &["card-do-damaged-1"], "act", icons::ALERT),
        CardState::Replaced => ("replaced", &["card-do-replaced-1"], "over", icons::INFO),
        CardState::Closed => ("closed", &["card-do-closed-1"], "over", icons::INFO),
    }
}

fn shown(found: &CardPage, limits: &Limits, language: Language) -> Shown {
    let (slug, steps, mood, icon) = face(found);
    let card = found.card.as_ref();
    let since = |card: &Card| {
        let key = if card.state == CardState::Lost { "card-effect" } else { "card-since" };
        language.t(key).with("since", language.moment_to_the_second(card.since))
    };
    Shown {
        mood,
        icon,
        state: match card {
            Some(card) => language.t(format!("card-state-{}", card_state(card.state))),
            None => language.t("card-none-state"),
        },
        number: card.map(|card| mask::card(card.no)),
        says: match card {
            Some(_) => language.t(format!("card-says-{slug}")),
            None => language.t("card-none-says"),
        },
        since: card.map(since),
        steps: steps.iter().map(|key| language.t(*key).with("fee", fee(limits))).collect(),
        places: places(found, language),
        story: found.story.iter().map(|told| line(told, language)).collect(),
        reportable: card.is_some_and(reportable),
    }
}

fn places(found: &CardPage, language: Language) -> Vec<Held> {
    let home = &found.home;
    let usable = found.card.as_ref().is_some_and(|card| card.state == CardState::Active);
    let since = |since: Option<Micros>| since.map(|at| language.t("card-since").with("since", language.moment(at)));
    let mut places = vec![Held {
        slug: "on-card",
        icon: icons::CARD,
        name: language.t("card-on-card"),
        says: language.t("card-on-card-says"),
        since: None,
        amount: Yuan(home.on_card),
    }];
    if home.in_transit.amount.is_positive() {
        places.push(Held {
            slug: "in-transit",
            icon: icons::SYNC,
            name: language.t("card-travels"),
            says: language.t(if usable { "card-travels-says" } else { "card-travels-kept" }),
            since: since(home.in_transit.since),
            amount: Yuan(home.in_transit.amount),
        });
    }
    places.push(Held {
        slug: "waiting",
        icon: icons::CLOCK,
        name: language.t("card-waiting"),
        says: language.t(if usable { "card-waiting-says" } else { "card-waiting-kept" }),
        since: since(home.waiting.since),
        amount: Yuan(home.waiting.amount),
    });
    places.push(Held {
        slug: "available",
        icon: icons::WALLET,
        name: language.t("card-account"),
        says: language.t("card-account-says"),
        since: None,
        amount: Yuan(home.available),
    });
    places
}

fn line(told: &Told, language: Language) -> Line {
    let change = &told.change;
    let state = |state: CardState| language.t(format!("card-state-{}", card_state(state)));
    let place = match (&change.place, &told.terminal) {
        (Place::Terminal(_), Some((zh, en))) => {
            language.t("card-at-terminal").with("place", language.either(zh.as_str(), en.as_str()))
        }
        (Place::Terminal(_), None) => language.t("card-by-platform"),
        (Place::Pages, _) => language.t("card-at-pages"),
        (Place::WeChat, _) => language.t("card-at-wechat"),
        (Place::Program, _) => language.t("card-at-program"),
        (Place::Office, _) => language.t("card-at-office"),
    };
    Line {
        why: language.t(match change.why {
            Why::HandedOut => "card-why-handed-out",
            Why::ReportedLost => "card-why-reported",
            Why::Alarm(_) => "card-why-alarm",
        }),
        moved: language.t("card-moved").with("from", state(change.from)).with("to", state(change.to)),
        at: language.moment_to_the_second(change.at),
        place: place.to_string(),
        by: language.t(match change.by {
            Actor::Holder => "card-by-holder",
            Actor::Office => "card-by-office",
            Actor::Platform => "card-by-platform",
        }),
        card: language.t("card-story-of").with("number", mask::card(change.card)),
    }
}
