//! Making a top-up order (R11, R17 to R22, R27 to R30).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use flows::room::{Room, room};
use flows::top_up::{Refusal, open};
use ledger::{Fen, Id};
use rules::top_up::Scene;
use rules::words::Words;
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::text::{Language, Yuan};
use crate::visit::{Client, Holder, Sent};
use crate::wechat;

/// Amounts that take one touch, in whole yuan.
pub(crate) const PRESETS: [u32; 4] = [50, 100, 200, 500];

/// What the form posts. An amount that was typed counts before one that was chosen.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    amount: String,
    #[serde(default)]
    preset: String,
    #[serde(default)]
    key: String,
}

#[derive(Template)]
#[template(path = "top_up.html")]
struct TopUpPage {
    frame: Frame,
    typed: Typed,
    room: Shown,
    error: Option<String>,
}

/// What may be topped up, as the page says it.
struct Shown {
    most: Yuan,
    least: Yuan,
    per_order: Yuan,
    /// Something leaves less than an order may be.
    tight: bool,
    /// What unpaid orders keep, if that is something.
    kept: Option<Yuan>,
    closed: Option<String>,
    by_card: bool,
    waits_for_card: bool,
    presets: Vec<Preset>,
}

struct Preset {
    value: u32,
    amount: Yuan,
    chosen: bool,
    allowed: bool,
}

#[derive(Template)]
#[template(path = "top_up_elsewhere.html")]
struct ElsewherePage {
    frame: Frame,
    address: String,
}

/// Where an order of this visit is paid; none inside WeChat as long as it did not say who pays, and where the school's
/// contract with WeChat Pay does not let it be called.
pub(crate) fn scene(web: &Web, holder: &Holder, Client(address): Client) -> Option<Scene> {
    let visit = &holder.visit;
    if holder.by_token {
        // A program pays nothing itself: whoever opens the pay page does, wherever that is.
        return match (web.config.pay_by_code, web.config.pay_in_phone_browser) {
            (true, _) => Some(Scene::Scan),
            (false, true) => Some(Scene::PhoneBrowser { address: address.to_string() }),
            (false, false) => None,
        };
    }
    if visit.in_wechat {
        return visit.payer(web).map(|openid| Scene::InWeChat { openid });
    }
    match (visit.on_phone, web.config.pay_in_phone_browser, web.config.pay_by_code) {
        (true, true, _) => Some(Scene::PhoneBrowser { address: address.to_string() }),
        (false, _, true) => Some(Scene::Scan),
        (true, false, _) | (false, _, false) => None,
    }
}

/// `GET /me/topup`: the form; or first to WeChat, which says who pays; or, where WeChat cannot be called, how to get there.
pub(crate) async fn page(State(web): State<Web>, holder: Holder, client: Client) -> Result<Response, Failure> {
    if scene(&web, &holder, client).is_some() {
        return form(&web, &holder, StatusCode::OK, Typed::default(), None).await;
    }
    if holder.visit.in_wechat {
        return Ok(wechat::leave(&web, &holder.visit, wechat::Purpose::Name, "/me/topup"));
    }
    let frame = Frame::new(&web, &holder.visit, holder.visit.language.t("topup-title")).below("/me");
    let page = ElsewherePage { frame, address: web.config.address("/me/topup") };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// `POST /me/topup`: the order, and on to its payment. The same form again leads to the same order.
pub(crate) async fn submit(
    State(web): State<Web>,
    holder: Holder,
    client: Client,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let scene = scene(&web, &holder, client).ok_or(Failure::NoPayer)?;
    let key = Id::parse(&typed.key).map_err(|_| Failure::StaleForm)?.bytes();
    let amount = if typed.amount.trim().is_empty() { &typed.preset } else { &typed.amount };
    let asked = web.doors.order(&web, holder.person, key).await?;
    let opened = open(&web.school, holder.person, amount, scene, key).await;
    if opened.is_err() {
        asked.made_none();
    }
    match opened {
        Ok(no) => Ok(page::see_other(&format!("/pay/{no}"))),
        Err(Refusal::Refused(words)) => form(&web, &holder, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(words)).await,
        Err(Refusal::Fault(words)) => Err(words.into()),
    }
}

async fn form(
    web: &Web,
    holder: &Holder,
    status: StatusCode,
    typed: Typed,
    refused: Option<Words>,
) -> Result<Response, Failure> {
    let room = room(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let visit = &holder.visit;
    let page = TopUpPage {
        frame: Frame::new(web, visit, visit.language.t("topup-title")).below("/me"),
        room: shown(&room, &typed, visit.language),
        // Made when the form is rendered: the form sent twice is one order, a form asked for again is another.
        typed: Typed { key: Id::from_bytes(web.school.random()).to_string(), ..typed },
        error: refused.map(|words| visit.language.words(&words).to_owned()),
    };
    Ok(page::html(visit, status, &page))
}

fn shown(room: &Room, typed: &Typed, language: Language) -> Shown {
    let presets = PRESETS.into_iter().map(|value| {
        let amount = Fen::new(i64::from(value) * 100);
        let chosen = typed.amount.trim().is_empty() && typed.preset == value.to_string();
        Preset { value, amount: Yuan(amount), chosen, allowed: room.allows(amount) }
    });
    Shown {
        most: Yuan(room.most),
        least: Yuan(room.least),
        per_order: Yuan(room.per_order),
        tight: room.closed.is_none() && room.most < room.per_order,
        kept: room.kept.is_positive().then_some(Yuan(room.kept)),
        closed: room.closed.as_ref().map(|words| language.words(words).to_owned()),
        by_card: room.closed.as_ref().is_some_and(|words| words.code == "CARD_STATE"),
        waits_for_card: room.waits_for_card,
        presets: presets.collect(),
    }
}
