//! What a holder spent in a month, as charts with their tables: by day, by place, and what was left. They
//! are drawn here, in whole numbers; every sum is the statement's.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::monthly::{Monthly, months};
use ledger::Fen;
use rules::calendar::CampusMonth;
use rules::spending::{Spending, on_scale, spending, top_of_scale};
use rules::statement::Finality;
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::statements;
use crate::text::{Language, Text, Yuan};
use crate::visit::Holder;

/// Width of a day in a chart.
const DAY: usize = 10;

/// Which month.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    month: Option<String>,
}

#[derive(Template)]
#[template(path = "spending.html")]
struct SpendingPage {
    frame: Frame,
    month: CampusMonth,
    title: String,
    until: Option<Text>,
    earlier: Option<CampusMonth>,
    later: Option<CampusMonth>,
    total: Yuan,
    /// None when nothing was bought.
    days: Option<Chart>,
    places: Vec<Share>,
    balance: Chart,
}

/// A chart over the days of a month, and its table.
struct Chart {
    title: Text,
    says: Text,
    width: usize,
    top: Yuan,
    middle: Yuan,
    bottom: Yuan,
    first: String,
    half: String,
    last: String,
    /// Left edge and height of each bar.
    bars: Vec<(usize, u32)>,
    /// The line, as a path.
    curve: String,
    rows: Vec<(String, Yuan)>,
}

/// One place's part of the whole.
struct Share {
    name: String,
    amount: Yuan,
    /// Of the largest, in hundredths.
    share: u32,
    says: Text,
}

/// `GET /me/spending?month=`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (found, spent) = look(&web, &holder, asked.month.as_deref()).await?;
    let language = holder.visit.language;
    let months = months(&web.school, holder.person).await?;
    let known = |month: &CampusMonth| months.contains(month);
    let bought = !spent.places.is_empty();
    let page = SpendingPage {
        frame: Frame::new(&web, &holder.visit, language.t("spending-title")).below("/me"),
        month: found.month,
        title: language.month(found.month),
        until: until(&found, language),
        earlier: found.month.before().filter(known),
        later: found.month.next().filter(known),
        total: Yuan(spent.total),
        days: bought.then(|| bars(&found, &spent, language)),
        places: places(&found, &spent, language),
        balance: curve(&found, &spent, language),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// How far it goes, while there may be more of it.
fn until(found: &Monthly, language: Language) -> Option<Text> {
    match found.finality {
        Finality::Running => Some(language.t("spending-until").with("until", language.moment(found.until))),
        Finality::Settling | Finality::Final => statements::running(found, language),
    }
}

/// The month that was asked for, else the one that runs.
pub(crate) async fn look(web: &Web, holder: &Holder, asked: Option<&str>) -> Result<(Monthly, Spending), Failure> {
    let month = match asked {
        Some(text) => CampusMonth::parse(text).map_err(|_| Failure::NotFound)?,
        None => CampusMonth::of(web.school.now()),
    };
    let found = statements::look(web, holder, month).await?;
    let spent = spending(month, found.until, &found.statement).ok_or(Failure::Internal)?;
    Ok((found, spent))
}

fn bars(found: &Monthly, spent: &Spending, language: Language) -> Chart {
    let bars = |top| {
        let bar = |(place, amount): (usize, &Fen)| (place * DAY + 2, on_scale(*amount, top, 100));
        spent.days.iter().enumerate().map(bar).filter(|(_, height)| *height > 0).collect()
    };
    let most = spent.days.iter().enumerate().max_by_key(|(place, amount)| (**amount, std::cmp::Reverse(*place)));
    let (day, most) = most.map_or((0, Fen::ZERO), |(place, amount)| (place, *amount));
    let says =
        language.t("spending-days-says").with("day", date(found.month, day, language)).with("amount", Yuan(most));
    let mut chart = chart(found, &spent.days, language.t("spending-days"), says, language);
    chart.bars = bars(top_of_scale(most));
    // A month has 31 rows at most: those on which something was bought are told.
    let rows = chart.rows.into_iter().zip(&spent.days);
    chart.rows = rows.filter(|(_, spent)| **spent != Fen::ZERO).map(|(row, _)| row).collect();
    chart
}

fn curve(found: &Monthly, spent: &Spending, language: Language) -> Chart {
    let last = spent.balances.last().copied().unwrap_or(found.statement.total.closing);
    let says = language.t("spending-balance-says").with("amount", Yuan(last));
    let mut chart = chart(found, &spent.balances, language.t("spending-balance"), says, language);
    let top = chart.top.0;
    let mut y = 100 - on_scale(found.statement.total.opening, top, 100);
    chart.curve = format!("M0 {y}");
    // It stays as it is until the day's end, so it goes in steps.
    for (place, balance) in spent.balances.iter().enumerate() {
        y = 100 - on_scale(*balance, top, 100);
        chart.curve.push_str(&format!("V{y}H{}", (place + 1) * DAY));
    }
    chart
}

/// Everything but what is drawn.
fn chart(found: &Monthly, amounts: &[Fen], title: Text, says: Text, language: Language) -> Chart {
    let days = usize::from(found.month.days());
    let opening = found.statement.total.opening;
    let most = amounts.iter().copied().chain((amounts.len() <= 1).then_some(opening)).max().unwrap_or(opening);
    let top = top_of_scale(most);
    let row = |(place, amount): (usize, &Fen)| (date(found.month, place, language), Yuan(*amount));
    Chart {
        title: language.t("spending-chart").with("what", title).with("month", language.month(found.month)),
        says,
        width: days * DAY,
        top: Yuan(top),
        middle: Yuan(Fen::new(top.get() / 2)),
        bottom: Yuan(Fen::ZERO),
        first: date(found.month, 0, language),
        half: date(found.month, days / 2, language),
        last: date(found.month, days - 1, language),
        bars: Vec::new(),
        curve: String::new(),
        rows: amounts.iter().enumerate().map(row).collect(),
    }
}

fn places(found: &Monthly, spent: &Spending, language: Language) -> Vec<Share> {
    let largest = spent.places.first().map_or(Fen::ZERO, |(_, amount)| *amount);
    let share = |(merchant, amount): &(Option<rules::ids::MerchantId>, Fen)| {
        let name = match merchant.and_then(|id| found.merchants.get(&id)) {
            Some(merchant) => language.either(&merchant.name_zh, &merchant.name_en).clone(),
            None => language.t("spending-other").to_string(),
        };
        let of_all = on_scale(*amount, spent.total, 100);
        Share {
            says: language.t("spending-share").with("place", &name).with("percent", of_all),
            amount: Yuan(*amount),
            share: on_scale(*amount, largest, 100),
            name,
        }
    };
    spent.places.iter().map(share).collect()
}

/// A day as short as it can be said.
fn date(month: CampusMonth, place: usize, language: Language) -> String {
    match language {
        Language::Chinese => format!("{}月{}日", month.month(), place + 1),
        Language::English => {
            let name = language.month(month);
            format!("{} {}", place + 1, name.split(' ').next().unwrap_or_default())
        }
    }
}
