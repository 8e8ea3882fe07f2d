//! A holder's statements by month (R92): the list of months, one month as a page, as PDF, as a workbook. Programs ask
//! `api::statements`.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::monthly::{Monthly, MonthlyFault, monthly, months};
use ledger::{Fen, Micros};
use rules::calendar::CampusMonth;
use rules::chart::{self, Reason};
use rules::statement::{Entry, Finality, Place, Sums};
use rules::words::Words;

use crate::config::Web;
use crate::document;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::text::{Language, Text, Yuan};
use crate::visit::Holder;

mod paper;

#[derive(Template)]
#[template(path = "statements.html")]
struct StatementsPage {
    frame: Frame,
    months: Vec<MonthLine>,
}

struct MonthLine {
    month: CampusMonth,
    title: String,
    /// What is to be said of it while it may change.
    running: Option<Text>,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    frame: Frame,
    month: CampusMonth,
    title: String,
    /// What it is about: number, holder, months.
    about: Vec<(Text, String)>,
    running: Option<Text>,
    total: [(Text, Yuan); 4],
    places: Vec<(Text, [(Text, Yuan); 4])>,
    movements: Vec<Movement>,
    hash: String,
}

/// One movement on the page.
struct Movement {
    title: String,
    at: String,
    happened: Option<Text>,
    number: String,
    /// Whether the number leads to a record.
    record: bool,
    route: String,
    amount: String,
    word: Text,
    way: &'static str,
    balance: Text,
}

/// `GET /me/statements`
pub(crate) async fn page(State(web): State<Web>, holder: Holder) -> Result<Response, Failure> {
    let language = holder.visit.language;
    let now = web.school.now();
    let months = months(&web.school, holder.person).await?;
    let line = |month| MonthLine { month, title: language.month(month), running: in_list(month, now, language) };
    let page = StatementsPage {
        frame: Frame::new(&web, &holder.visit, language.t("statements-title")).below("/me"),
        months: months.into_iter().map(line).collect(),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// `GET /me/statements/{month}`: the page; with `.pdf` or `.xlsx` behind the month, the file.
pub(crate) async fn one(State(web): State<Web>, holder: Holder, Path(name): Path<String>) -> Result<Response, Failure> {
    let (text, form) = name.split_once('.').unwrap_or((&name, ""));
    let month = CampusMonth::parse(text).map_err(|_| Failure::NotFound)?;
    if !["", "pdf", "xlsx"].contains(&form) || name.ends_with('.') {
        return Err(Failure::NotFound);
    }
    let found = look(&web, &holder, month).await?;
    let language = holder.visit.language;
    if form.is_empty() {
        return Ok(page::html(&holder.visit, StatusCode::OK, &statement_page(&web, &holder, &found).await?));
    }
    let who = flows::people::named(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let school = web.config.school_name(language);
    let file = format!("statement-{month}.{form}");
    match form {
        "pdf" => {
            let paper = paper::pages(&found, &who, school, language);
            document::pdf(&web, paper, &file, &format!("/me/statements/{month}")).await
        }
        _ => document::workbook(paper::sheets(&found, &who, school, language), &file).await,
    }
}

/// The month of the holder. One that does not add up is in the log; nothing of it is shown.
pub(crate) async fn look(web: &Web, holder: &Holder, month: CampusMonth) -> Result<Monthly, Failure> {
    monthly(&web.school, holder.person, month).await.map_err(|fault| match fault {
        MonthlyFault::NoSuchMonth => Failure::NotFound,
        MonthlyFault::Read(fault) => fault.into(),
        MonthlyFault::DoesNotAddUp(_) => Failure::Words(Words::new(
            "STATEMENT_UNSURE",
            "本月账单核对未通过，为避免出错暂不显示。已通知信息中心；您的余额不受影响。",
            "This month's statement failed its own check, so it is not shown. The IT office has been told; your balances are not affected.",
        )),
    })
}

async fn statement_page(web: &Web, holder: &Holder, found: &Monthly) -> Result<StatementPage, Failure> {
    let language = holder.visit.language;
    let who = flows::people::profile(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let title = language.t("statement-title").with("month", language.month(found.month));
    let four = |sums: &Sums| {
        [
            (language.t("statement-opening"), Yuan(sums.opening)),
            (language.t("statement-in"), Yuan(sums.incoming)),
            (language.t("statement-out"), Yuan(sums.outgoing)),
            (language.t("statement-closing"), Yuan(sums.closing)),
        ]
    };
    let places = found.statement.places.iter().map(|(place, sums)| (place_text(*place, language), four(sums)));
    Ok(StatementPage {
        month: found.month,
        title: title.to_string(),
        frame: Frame::new(web, &holder.visit, title).below("/me/statements"),
        about: vec![
            (language.t("statement-number"), found.number.clone()),
            (language.t("statement-holder"), format!("{} {}", who.name, who.number)),
            (language.t("statement-period"), period(found, language)),
        ],
        running: running(found, language),
        total: four(&found.statement.total),
        places: places.collect(),
        movements: found.statement.entries.iter().rev().map(|entry| movement(found, entry, language)).collect(),
        hash: hex(&found.hash),
    })
}

/// From when to when it tells.
fn period(found: &Monthly, language: Language) -> String {
    let last = found.until.get().min(found.month.ends().get().saturating_sub(1));
    format!("{} – {}", language.day(found.month.begins()), language.day(Micros::new(last)))
}

/// That a statement may still change, and why; nothing of one that is final.
pub(crate) fn running(found: &Monthly, language: Language) -> Option<Text> {
    match found.finality {
        Finality::Running => {
            Some(language.t("statement-running").with("until", language.moment_to_the_second(found.until)))
        }
        Finality::Settling => {
            let until = Finality::settled_at(found.month);
            Some(language.t("statement-settling").with("until", language.moment(until)))
        }
        Finality::Final => None,
    }
}

/// The same in short.
fn in_list(month: CampusMonth, now: Micros, language: Language) -> Option<Text> {
    match Finality::of(month, now) {
        Finality::Running => Some(language.t("statements-running")),
        Finality::Settling => {
            let until = Finality::settled_at(month);
            Some(language.t("statement-settling").with("until", language.moment(until)))
        }
        Finality::Final => None,
    }
}

fn movement(found: &Monthly, entry: &Entry, language: Language) -> Movement {
    let change = entry.change();
    let (way, amount) = match change {
        Fen::ZERO => ("moved", Yuan(entry.amount).to_string()),
        change if change > Fen::ZERO => ("in", format!("+{}", Yuan(change))),
        change => ("out", Yuan(change).to_string()),
    };
    let record = entry.record();
    Movement {
        title: title(found, entry, language),
        at: language.moment(entry.recorded_at),
        happened: happened(entry, language),
        record: record.is_some(),
        number: record.unwrap_or_else(|| entry.booking()),
        route: route(entry, language),
        amount,
        word: language.t(format!("statement-way-{way}")),
        way,
        balance: language.t("statement-left").with("amount", Yuan(entry.balance)),
    }
}

/// What a movement was, with the merchant's name where there is one.
fn title(found: &Monthly, entry: &Entry, language: Language) -> String {
    let what = language.t(format!("statement-what-{}", what(entry))).to_string();
    match chart::merchant_of(&entry.counter).and_then(|id| found.merchants.get(&id)) {
        Some(merchant) => format!("{} · {what}", language.either(&merchant.name_zh, &merchant.name_en)),
        None => what,
    }
}

/// From where to where, as far as it is the holder's.
fn route(entry: &Entry, language: Language) -> String {
    let place = |place| place_text(place, language).to_string();
    match (entry.from, entry.to) {
        (Some(from), Some(to)) => format!("{} → {}", place(from), place(to)),
        (Some(one), None) | (None, Some(one)) => place(one),
        (None, None) => String::new(),
    }
}

/// When it happened, if that was on another day than the one on which the book took it.
fn happened(entry: &Entry, language: Language) -> Option<Text> {
    let same = rules::calendar::campus_day(entry.effective_at) == rules::calendar::campus_day(entry.recorded_at);
    (!same).then(|| language.t("statement-happened").with("at", language.moment(entry.effective_at)))
}

/// Part of the texts' keys, and the word for programs.
pub(crate) const fn what(entry: &Entry) -> &'static str {
    match entry.reason {
        Some(Reason::TopUp) => "top-up",
        Some(Reason::LoadApplied | Reason::LoadForgotten) => "load",
        Some(Reason::FloatSetAside) => "fill",
        Some(Reason::FloatReturned) => "fill-back",
        Some(Reason::SaleFromAccount | Reason::SaleFromPurse | Reason::SaleFromUnproved) => "purchase",
        Some(Reason::SaleReversed) => "called-off",
        Some(Reason::SaleForgotten) => "purchase-again",
        Some(Reason::SaleUnexplained) => "mended",
        Some(Reason::LoadUntold) => "case",
        Some(Reason::RefundHeld) => "refund-begun",
        Some(Reason::RefundSettled) => "refunded",
        Some(Reason::RefundReleased) => "refund-failed",
        Some(Reason::TopUpUnexplained | Reason::LoadReleased | Reason::LoadNotApplied | Reason::UnprovedSettled)
        | None => "other",
    }
}

/// A place's name.
fn place_text(place: Place, language: Language) -> Text {
    language.t(format!("statement-place-{}", place_word(place)))
}

/// Part of the texts' keys.
const fn place_word(place: Place) -> &'static str {
    match place {
        Place::Available => "available",
        Place::Waiting => "waiting",
        Place::OnCard => "on-card",
        Place::Held => "held",
    }
}

/// A hash as digits.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
