//! A holder's records: every top-up, every purchase and every refund (R92). The list with its filters is in `list`.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use flows::records::{Record, record, terminal_of};
use flows::rows::Enrolment;
use ledger::Fen;
use rules::calendar::{CampusMonth, of_card_stamp};
use rules::purchase::State as SaleState;
use rules::refund::{Origin, State as RefundState};
use rules::top_up::State as OrderState;

use crate::config::Web;
use crate::failure::{Failure, page_before};
use crate::page::{self, Frame};
use crate::text::{Language, Text, Yuan};
use crate::visit::Holder;

pub(crate) mod list;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    line: Line,
    rows: Vec<(Text, String)>,
    /// The tracker of a top-up.
    order: Option<String>,
    /// The statement that has it.
    month: CampusMonth,
}

/// Which way the money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the holder.
    In,
    /// To a merchant.
    Out,
    /// Back to the payer, without ever having been the holder's.
    Returned,
    /// Nowhere.
    None,
}

impl Way {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Way::In => "in",
            Way::Out => "out",
            Way::Returned => "returned",
            Way::None => "none",
        }
    }
}

/// One record in a list.
pub(crate) struct Line {
    /// Its number.
    pub(crate) number: String,
    /// What it was.
    pub(crate) title: String,
    /// How it stands, when that needs saying.
    pub(crate) note: Option<Text>,
    /// When.
    pub(crate) at: String,
    /// How much, with its sign.
    pub(crate) amount: String,
    /// The sign in a word.
    pub(crate) word: Text,
    /// For the style sheet.
    pub(crate) way: &'static str,
    /// Shape of its icon.
    pub(crate) icon: &'static str,
}

impl Line {
    /// A record as a line.
    pub(crate) fn of(record: &Record, language: Language) -> Line {
        let way = way(record);
        let amount = match way {
            Way::In => format!("+{}", Yuan(record.amount())),
            Way::Out => format!("\u{2212}{}", Yuan(record.amount())),
            Way::Returned | Way::None => Yuan(record.amount()).to_string(),
        };
        Line {
            number: record.number(),
            title: title(record, language),
            note: note(record).map(|key| language.t(key)),
            at: language.moment(record.at()),
            amount,
            word: language.t(format!("record-way-{}", way.key())),
            way: way.key(),
            icon: match way {
                Way::In => crate::icons::IN,
                Way::Out => crate::icons::OUT,
                Way::Returned => crate::icons::RETURN,
                Way::None => crate::icons::SYNC,
            },
        }
    }
}

/// `GET /me/records/{number}`
pub(crate) async fn one(
    State(web): State<Web>,
    holder: Holder,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let record = record(&web.school, holder.person, &number).await?.ok_or(Failure::NotFound)?;
    let language = holder.visit.language;
    let order = match &record {
        Record::TopUp(order, _) => Some(order.no.to_string()),
        Record::Purchase(..) => None,
        Record::Refund(refund) => refund.origin.of().map(|(_, order)| order.to_string()),
    };
    let terminal = terminal_of(&web.school, &record).await?;
    let back = list_before(&web, &headers).unwrap_or("/me/records").to_owned();
    let page = RecordPage {
        frame: Frame::new(&web, &holder.visit, language.t("record-title")).below(back),
        line: Line::of(&record, language),
        rows: rows(&record, terminal.as_ref(), language),
        order,
        month: CampusMonth::of(record.at()),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// The list in which the record was chosen, with its filters.
fn list_before<'a>(web: &Web, headers: &'a HeaderMap) -> Option<&'a str> {
    let before = page_before(&web.config.base_url, headers)?;
    let path = before.split('?').next()?;
    let lists = ["/me", "/me/records", "/me/spending"].contains(&path) || path.starts_with("/me/statements/");
    lists.then_some(before)
}

/// Which way its money went.
pub(crate) fn way(record: &Record) -> Way {
    match record {
        Record::TopUp(order, _) if matches!(order.state, OrderState::Credited(_)) => Way::In,
        Record::TopUp(..) => Way::None,
        Record::Purchase(sale, _) => match sale.state {
            SaleState::Paid
            | SaleState::FromPurse
            | SaleState::ByBalance(None)
            | SaleState::AwaitingPurse
            | SaleState::Unconfirmed
            | SaleState::Untold(_)
            | SaleState::Suspended(_) => Way::Out,
            SaleState::Reversed | SaleState::CalledOff | SaleState::NotDebited | SaleState::ByBalance(Some(_)) => {
                Way::None
            }
        },
        Record::Refund(refund) => match (refund.origin, &refund.state) {
            (_, RefundState::Released { .. }) => Way::None,
            // It is not in any sum of the holder's.
            (Origin::Case { .. }, _) => Way::Returned,
            (Origin::Waiting { .. } | Origin::Account { .. }, _) => Way::Out,
        },
    }
}

/// What a line says beside its time, when the state is not the usual one.
pub(crate) const fn note(record: &Record) -> Option<&'static str> {
    match record {
        Record::TopUp(_, Some(refund)) => Some(refund_note(&refund.state)),
        Record::TopUp(order, None) => match &order.state {
            OrderState::Credited(credited) => match (order.arrival, credited.on_card_at) {
                (rules::top_up::Arrival::Tap, None) => Some("record-note-waiting"),
                (rules::top_up::Arrival::Tap, Some(_)) | (rules::top_up::Arrival::Instant, _) => None,
            },
            OrderState::Closed { .. } => Some("record-note-closed"),
            OrderState::InCase { .. } => Some("record-note-suspended"),
            OrderState::Created
            | OrderState::Unknown { .. }
            | OrderState::Paying { .. }
            | OrderState::ExpiredLocal { .. } => Some("record-note-unpaid"),
        },
        Record::Purchase(sale, _) => match sale.state {
            SaleState::Paid | SaleState::FromPurse | SaleState::ByBalance(None) => None,
            SaleState::Reversed => Some("record-note-reversed"),
            SaleState::AwaitingPurse | SaleState::Unconfirmed | SaleState::Untold(_) => Some("record-note-unconfirmed"),
            SaleState::CalledOff | SaleState::NotDebited | SaleState::ByBalance(Some(_)) => {
                Some("record-note-not-debited")
            }
            SaleState::Suspended(_) => Some("record-note-suspended"),
        },
        Record::Refund(refund) => Some(refund_note(&refund.state)),
    }
}

/// What a line says of a refund.
const fn refund_note(state: &RefundState) -> &'static str {
    match state {
        RefundState::Held
        | RefundState::Sent
        | RefundState::Short { .. }
        | RefundState::Processing { .. }
        | RefundState::Abnormal { .. } => "record-note-refunding",
        RefundState::Settled { .. } => "record-note-refunded",
        RefundState::Released { .. } => "record-note-refund-failed",
    }
}

pub(crate) fn title(record: &Record, language: Language) -> String {
    match record {
        Record::TopUp(..) => language.t("record-top-up").to_string(),
        Record::Refund(_) => language.t("record-refund").to_string(),
        Record::Purchase(_, Some(merchant)) => match language {
            Language::Chinese => merchant.name_zh.clone(),
            Language::English => merchant.name_en.clone(),
        },
        Record::Purchase(_, None) => language.t("record-purchase").to_string(),
    }
}

fn rows(record: &Record, terminal: Option<&Enrolment>, language: Language) -> Vec<(Text, String)> {
    let exact = |at| language.moment_to_the_second(at);
    let mut rows = vec![(language.t("record-number"), record.number())];
    match record {
        Record::TopUp(order, _) => {
            rows.push((language.t("record-kind"), language.t("record-top-up").to_string()));
            rows.push((language.t("order-step-made"), exact(order.created_at)));
            if let OrderState::Credited(credited) = &order.state {
                rows.push((language.t("order-step-paid"), exact(credited.paid_at)));
                rows.push((language.t("order-step-credited"), exact(credited.at)));
                rows.extend(credited.on_card_at.map(|at| (language.t("order-step-on-card"), exact(at))));
                rows.push((language.t("record-transaction"), credited.transaction.clone()));
            }
        }
        Record::Refund(refund) => {
            rows.push((language.t("record-kind"), language.t("record-refund").to_string()));
            rows.push((language.t("order-step-refunding"), exact(refund.made_at)));
            if let RefundState::Settled { at } = refund.state {
                rows.push((language.t("order-step-refunded"), exact(at)));
            }
            let (zh, en) = refund.reason_words();
            rows.push((language.t("record-reason"), language.either(zh, en).to_owned()));
            rows.push((language.t("record-transaction"), refund.transaction.clone()));
        }
        Record::Purchase(sale, _) => {
            rows.push((language.t("record-kind"), language.t("record-purchase").to_string()));
            rows.push((language.t("record-at"), exact(sale.at)));
            if let Some(at) = sale.debit.and_then(|debit| of_card_stamp(debit.date, debit.time)) {
                rows.push((language.t("record-at-card"), exact(at)));
            }
            if let Some(at) = terminal {
                let place = language.either(&at.place_zh, &at.place_en);
                rows.push((language.t("record-place"), place.clone()));
                rows.push((language.t("record-terminal"), at.terminal.to_string()));
            }
            let source = if sale.debit.is_some() { "record-source-card" } else { "record-source-account" };
            rows.push((language.t("record-source"), language.t(source).to_string()));
            rows.push((language.t("record-card"), sale.card.to_string()));
            let after = sale.debit.and_then(|debit| Fen::new(i64::from(debit.old_balance)).minus(sale.amount));
            rows.extend(after.map(|after| (language.t("record-card-after"), Yuan(after).to_string())));
        }
    }
    rows
}
