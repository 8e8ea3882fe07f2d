//! The money tracker: where the money of one top-up is, since when, and what to do next (R17, R30, R66, R67).

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::home::{Place, Tracker, track};
use flows::top_up::look_after;
use ledger::Micros;
use rules::card::State as CardState;
use rules::ids::OrderNo;
use rules::refund::{Cause, Refund, State as RefundState};
use rules::top_up::{Arrival, Order, State as OrderState};

use crate::config::Web;
use crate::failure::Failure;
use crate::icons;
use crate::page::{self, Frame};
use crate::sign_in::Asked;
use crate::text::{Language, Text, Yuan};
use crate::visit::{Holder, Onlooker, Sent};

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    tracker: Shown,
}

/// The part of the page that refreshes itself.
#[derive(Template)]
#[template(path = "tracker.html")]
struct TrackerPart {
    frame: Frame,
    tracker: Shown,
}

/// A tracker as it is shown.
struct Shown {
    number: String,
    /// Another one whenever there is something new to show.
    revision: String,
    amount: Yuan,
    /// Shows at a glance how far it is.
    mood: Mood,
    icon: &'static str,
    /// One word for the state.
    state: Text,
    /// Where the money is, in one sentence.
    place: Text,
    /// What to do next.
    next: Text,
    /// When it goes back by itself.
    until: Option<Text>,
    steps: Vec<Step>,
    /// Refunds of it: how each stands, and how much when.
    refunds: Vec<(Text, String)>,
    asked: Option<Text>,
    late: bool,
    payable: bool,
    ended: bool,
    checkable: bool,
    live: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Waiting,
    Act,
    Done,
    Over,
}

impl Mood {
    const fn word(self) -> &'static str {
        match self {
            Mood::Waiting => "waiting",
            Mood::Act => "act",
            Mood::Done => "done",
            Mood::Over => "over",
        }
    }
}

struct Step {
    name: Text,
    at: Option<String>,
    /// `done`, `now` or `open`.
    stage: &'static str,
}

/// `GET /me/orders/{order}`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Path(order): Path<String>,
) -> Result<Response, Failure> {
    let tracker = find(&web, &holder, &order).await?;
    let frame = Frame::new(&web, &holder.visit, holder.visit.language.t("order-title")).below("/me");
    let shown = shown(&tracker, holder.visit.language, web.school.now());
    Ok(page::html(&holder.visit, StatusCode::OK, &OrderPage { frame, tracker: shown }))
}

/// `GET /me/orders/{order}/status`: the same part of the page alone, for the page's own refreshing.
pub(crate) async fn status(
    State(web): State<Web>,
    Onlooker(holder): Onlooker,
    Path(order): Path<String>,
) -> Result<Response, Failure> {
    let tracker = find(&web, &holder, &order).await?;
    let frame = Frame::new(&web, &holder.visit, holder.visit.language.t("order-title"));
    let shown = shown(&tracker, holder.visit.language, web.school.now());
    Ok(page::html(&holder.visit, StatusCode::OK, &TrackerPart { frame, tracker: shown }))
}

/// `POST /me/orders/{order}`: "I have paid": the provider is asked at once.
pub(crate) async fn look(
    State(web): State<Web>,
    holder: Holder,
    Path(order): Path<String>,
    Sent(Asked { .. }): Sent<Asked>,
) -> Result<Response, Failure> {
    let tracker = find(&web, &holder, &order).await?;
    look_after(&web.school, tracker.order.no).await?;
    Ok(page::see_other(&format!("/me/orders/{}", tracker.order.no)))
}

async fn find(web: &Web, holder: &Holder, order: &str) -> Result<Tracker, Failure> {
    let no = OrderNo::parse(order).map_err(|_| Failure::NotFound)?;
    track(&web.school, holder.person, no).await?.ok_or(Failure::NotFound)
}

/// Part of the texts' keys, and how it looks.
const fn face(place: Place, payable: bool) -> (&'static str, Mood, &'static str) {
    match place {
        Place::NotPaid if payable => ("not-paid", Mood::Act, icons::WALLET),
        Place::NotPaid | Place::BeingChecked => ("checking", Mood::Waiting, icons::CLOCK),
        Place::Ended => ("ended", Mood::Over, icons::INFO),
        Place::InCase => ("in-case", Mood::Waiting, icons::INFO),
        Place::WaitingForCard => ("waiting", Mood::Act, icons::TAP),
        Place::OnItsWay => ("on-its-way", Mood::Act, icons::SYNC),
        Place::OnCard => ("on-card", Mood::Done, icons::CHECK),
        Place::InAccount => ("in-account", Mood::Done, icons::CHECK),
        Place::Refunding => ("refunding", Mood::Waiting, icons::CLOCK),
        Place::Refunded => ("refunded", Mood::Over, icons::CHECK),
    }
}

fn shown(tracker: &Tracker, language: Language, now: Micros) -> Shown {
    let Tracker { order, place, card, delayed, returns_at, refunds } = tracker;
    let in_time = now < order.expires_at;
    let payable = in_time && matches!(order.state, OrderState::Created | OrderState::Paying { .. });
    let (slug, mood, icon) = face(*place, payable);
    let (slug, mood) = match place {
        Place::WaitingForCard if *delayed => ("delayed", mood),
        // It waits for another card than the one in the holder's hand, if there is one.
        Place::WaitingForCard if *card != Some(CardState::Active) => ("kept", Mood::Waiting),
        Place::OnItsWay if *card != Some(CardState::Active) => ("stopped-on-its-way", Mood::Waiting),
        Place::InCase if matches!(order.state, OrderState::Credited(_)) => ("set-aside", mood),
        Place::NotPaid
        | Place::BeingChecked
        | Place::Ended
        | Place::InCase
        | Place::WaitingForCard
        | Place::OnItsWay
        | Place::OnCard
        | Place::InAccount
        | Place::Refunding
        | Place::Refunded => (slug, mood),
    };
    let amount = Yuan(order.amount);
    let late = matches!(&order.state, OrderState::Credited(credited) if credited.late);
    Shown {
        number: order.no.to_string(),
        revision: format!(
            "{slug}-{}-{}-{}",
            order.queried.map_or(0, |(_, times)| times),
            refunds.len(),
            refunds.iter().filter(|refund| !refund.live()).count()
        ),
        amount,
        mood,
        icon,
        state: language.t(format!("order-state-{slug}")),
        place: where_it_is(tracker, slug, language),
        until: returns_at.map(|at| language.t("order-until").with("until", language.moment(at))),
        next: language.t(format!("order-next-{slug}")).with("until", language.moment(order.expires_at)),
        steps: steps(tracker, language),
        refunds: refunds.iter().map(|refund| refund_line(order, refund, language)).collect(),
        asked: order.queried.map(|(at, times)| {
            language.t("order-asked").with("at", language.moment_to_the_second(at)).with("times", times)
        }),
        late,
        payable,
        ended: *place == Place::Ended,
        checkable: order.open(),
        live: !matches!(place, Place::Ended | Place::InCase | Place::OnCard | Place::InAccount | Place::Refunded)
            || refunds.iter().any(Refund::live),
    }
}

/// Where the money is, in one sentence; of money that nobody fetched, that this is why it went back (R36).
fn where_it_is(tracker: &Tracker, slug: &str, language: Language) -> Text {
    let newest = tracker.refunds.iter().find(|refund| !matches!(refund.state, RefundState::Released { .. }));
    let not_loaded = newest.filter(|refund| refund.cause() == Cause::NotLoaded);
    let key = match tracker.place {
        Place::Refunding => "order-place-returning",
        Place::Refunded => "order-place-returned",
        _ => "",
    };
    match (not_loaded, &tracker.order.state) {
        (Some(refund), OrderState::Credited(credited)) if !key.is_empty() => {
            language.t(key).with("after", how_long(refund.made_at.since(credited.at), language))
        }
        _ => language.t(format!("order-place-{slug}")).with("amount", Yuan(tracker.order.amount)),
    }
}

/// A time of so many microseconds, in whole days, or in hours while it is less than two of them.
fn how_long(micros: i64, language: Language) -> Text {
    let hours = micros / 3_600_000_000;
    match hours {
        0..48 => language.t("order-hours").with("count", hours),
        _ => language.t("order-days").with("count", hours / 24),
    }
}

/// How a refund stands, how much it is, and when it was made or ended. That of a second payment is told as such: the order's
/// own money stays.
fn refund_line(order: &Order, refund: &Refund, language: Language) -> (Text, String) {
    let own = match &order.state {
        OrderState::Credited(credited) => credited.transaction == refund.transaction,
        OrderState::Created
        | OrderState::Unknown { .. }
        | OrderState::Paying { .. }
        | OrderState::ExpiredLocal { .. }
        | OrderState::Closed { .. }
        | OrderState::InCase { .. } => true,
    };
    let (word, at) = match refund.state {
        RefundState::Settled { at } => ("settled", at),
        RefundState::Released { at, .. } => ("failed", at),
        RefundState::Held
        | RefundState::Sent
        | RefundState::Short { .. }
        | RefundState::Processing { .. }
        | RefundState::Abnormal { .. } => ("live", refund.made_at),
    };
    let key = if own { format!("order-refund-{word}") } else { format!("order-refund-second-{word}") };
    (language.t(key), format!("{} · {}", Yuan(refund.amount), language.moment_to_the_second(at)))
}

/// Every step with its time: made, paid, credited, on the card; or made, paid, and given back.
fn steps(tracker: &Tracker, language: Language) -> Vec<Step> {
    let Tracker { order, place, refunds, .. } = tracker;
    let credited = match &order.state {
        OrderState::Credited(credited) => Some(credited),
        _ => None,
    };
    let mut moments = vec![
        ("order-step-made", Some(order.created_at)),
        ("order-step-paid", credited.map(|credited| credited.paid_at)),
        ("order-step-credited", credited.map(|credited| credited.at)),
    ];
    if matches!(place, Place::Refunding | Place::Refunded) {
        let newest = refunds.iter().find(|refund| !matches!(refund.state, RefundState::Released { .. }));
        let settled = newest.and_then(|refund| match refund.state {
            RefundState::Settled { at } => Some(at),
            _ => None,
        });
        moments.retain(|(_, at)| at.is_some());
        moments.push(("order-step-refunding", newest.map(|refund| refund.made_at)));
        moments.push(("order-step-refunded", settled));
    } else if order.arrival == Arrival::Tap {
        moments.push(("order-step-on-card", credited.and_then(|credited| credited.on_card_at)));
    }
    if let OrderState::Closed { at } = order.state {
        moments = vec![("order-step-made", Some(order.created_at)), ("order-step-closed", Some(at))];
    }
    let mut reached = true;
    let mut steps = Vec::with_capacity(moments.len());
    for (key, at) in moments {
        let stage = match (at, reached && *place != Place::Ended) {
            (Some(_), _) => "done",
            (None, true) => "now",
            (None, false) => "open",
        };
        reached = at.is_some();
        steps.push(Step { name: language.t(key), at: at.map(|at| language.moment_to_the_second(at)), stage });
    }
    steps
}
