//! The list of a holder's records, as a page and as a file: one kind or all, one month or all (R92).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flows::monthly::months;
use flows::records::{Filter, Kind, Place, Record, paged};
use ledger::{Fen, Micros};
use report::document::list::csv;
use report::document::{Cell, Column, Table};
use rules::calendar::CampusMonth;
use serde::Deserialize;

use super::{Line, Way, note, title, way};
use crate::config::Web;
use crate::document::kept;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::text::Language;
use crate::visit::Holder;

/// Records a page.
const PAGE: u32 = 20;
/// Records read at a time for a file.
const CHUNK: u32 = 200;
/// Records in a file: more than ten years of anybody.
const MOST: usize = 20_000;

/// What the address may carry. An empty field of the form is none.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    month: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn filter(&self) -> Result<Filter, Failure> {
        let kind = match self.kind.as_str() {
            "" => None,
            word => Some(*KINDS.iter().find(|kind| self::word(**kind) == word).ok_or(Failure::Malformed)?),
        };
        let month = match self.month.as_str() {
            "" => None,
            text => Some(CampusMonth::parse(text).map_err(|_| Failure::Malformed)?),
        };
        Ok(Filter { kind, month })
    }

    fn after(&self) -> Result<Option<Place>, Failure> {
        if self.after.is_empty() {
            return Ok(None);
        }
        place(&self.after).map(Some).ok_or(Failure::Malformed)
    }
}

const KINDS: [Kind; 3] = [Kind::TopUp, Kind::Purchase, Kind::Refund];

/// The word for a kind in addresses.
const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::TopUp => "top-up",
        Kind::Purchase => "purchase",
        Kind::Refund => "refund",
    }
}

/// A place in the list as a text without meaning for its reader.
fn cursor(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", place.at.get(), place.number))
}

fn place(text: &str) -> Option<Place> {
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (at, number) = plain.split_once(' ')?;
    let known = (1..=64).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    known.then_some(Place { at: Micros::new(at.parse().ok()?), number: number.to_owned() })
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    frame: Frame,
    lines: Vec<Line>,
    kinds: Vec<Choice>,
    months: Vec<Choice>,
    /// Something is left out by the filter.
    filtered: bool,
    first: bool,
    newest: String,
    older: Option<String>,
    file: String,
}

/// One choice of a filter.
struct Choice {
    value: String,
    name: String,
    chosen: bool,
}

/// `GET /me/records?kind=&month=&after=`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (filter, after) = (asked.filter()?, asked.after()?);
    let found = paged(&web.school, holder.person, &filter, after.as_ref(), PAGE).await?;
    let language = holder.visit.language;
    let own = months(&web.school, holder.person).await?;
    let kinds = KINDS.iter().map(|kind| Choice {
        value: word(*kind).to_owned(),
        name: language.t(format!("records-kind-{}", word(*kind))).to_string(),
        chosen: filter.kind == Some(*kind),
    });
    let months = own.into_iter().map(|month| Choice {
        value: month.to_string(),
        name: language.month(month),
        chosen: filter.month == Some(month),
    });
    let page = RecordsPage {
        frame: Frame::new(&web, &holder.visit, language.t("records-title")).below("/me"),
        lines: found.records.iter().map(|record| Line::of(record, language)).collect(),
        kinds: kinds.collect(),
        months: months.collect(),
        filtered: filter != Filter::default(),
        first: after.is_none(),
        newest: address("/me/records", &filter, None),
        older: found.next.as_ref().map(|next| address("/me/records", &filter, Some(next))),
        file: address("/me/records.csv", &filter, None),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// A list's address with its filter.
fn address(path: &str, filter: &Filter, after: Option<&Place>) -> String {
    let kind = filter.kind.map(|kind| format!("kind={}", word(kind)));
    let month = filter.month.map(|month| format!("month={month}"));
    let after = after.map(|place| format!("after={}", cursor(place)));
    let query: Vec<String> = [kind, month, after].into_iter().flatten().collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// `GET /me/records.csv?kind=&month=`
pub(crate) async fn file(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let filter = asked.filter()?;
    let mut all: Vec<Record> = Vec::new();
    let mut after = None;
    loop {
        let mut found = paged(&web.school, holder.person, &filter, after.as_ref(), CHUNK).await?;
        all.append(&mut found.records);
        after = found.next;
        if after.is_none() || all.len() >= MOST {
            break;
        }
    }
    let table = table(&all, holder.visit.language);
    let name = filter.month.map_or_else(|| "records.csv".to_owned(), |month| format!("records-{month}.csv"));
    Ok(kept(csv(&table), HeaderValue::from_static("text/csv; charset=utf-8"), &name))
}

fn table(records: &[Record], language: Language) -> Table {
    let t = |key: &'static str| language.t(key).to_string();
    let row = |record: &Record| {
        let way = way(record);
        let amount = match way {
            Way::Out => Fen::ZERO.minus(record.amount()).unwrap_or(record.amount()),
            Way::In | Way::Returned | Way::None => record.amount(),
        };
        let kind = match record {
            Record::TopUp(..) => "record-top-up",
            Record::Purchase(..) => "record-purchase",
            Record::Refund(_) => "record-refund",
        };
        let cells = [
            language.moment_to_the_second(record.at()),
            t(kind),
            title(record, language),
            record.number(),
            language.t(format!("record-way-{}", way.key())).to_string(),
            note(record).map(t).unwrap_or_default(),
        ];
        cells.into_iter().map(Cell::Text).chain([Cell::Money(amount)]).collect()
    };
    let heads = ["record-at", "record-kind", "records-what", "record-number", "records-way", "records-state"];
    Table {
        columns: heads
            .map(|key| Column::text(t(key)))
            .into_iter()
            .chain([Column::money(t("records-amount"))])
            .collect(),
        rows: records.iter().map(row).collect(),
        totals: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_is_read_back_and_nothing_else_is_one() {
        let at = Place { at: Micros::new(1_795_408_205_000_001), number: "R261122123005000112345678".to_owned() };
        assert_eq!(place(&cursor(&at)), Some(at));
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for other in
            ["!".to_owned(), encoded("17"), encoded("17 "), encoded("now 17"), encoded("17 x y"), encoded("17 \"")]
        {
            assert_eq!(place(&other), None, "{other}");
        }
    }

    #[test]
    fn the_filter_goes_along_from_page_to_page() {
        let filter = Filter { kind: Some(Kind::TopUp), month: CampusMonth::parse("2026-11").ok() };
        assert_eq!(address("/me/records", &filter, None), "/me/records?kind=top-up&month=2026-11");
        assert_eq!(address("/me/records", &Filter::default(), None), "/me/records");
        let asked = |kind: &str, month: &str| Asked { kind: kind.into(), month: month.into(), after: String::new() };
        assert_eq!(asked("top-up", "2026-11").filter(), Ok(filter));
        assert_eq!(asked("", "").filter(), Ok(Filter::default()));
        for (kind, month) in [("gift", ""), ("", "2026-13"), ("", "November")] {
            assert_eq!(asked(kind, month).filter(), Err(Failure::Malformed));
        }
    }
}
