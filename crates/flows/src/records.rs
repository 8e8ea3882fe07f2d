//! A holder's records: every top-up, every purchase and every refund, newest first (R92).

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Fen, Id, Micros};
use rules::calendar::CampusMonth;
use rules::ids::{MerchantId, OrderNo, PersonId, RefundNo};
use rules::purchase::Sale;
use rules::refund::{Origin, Refund, State as RefundState};
use rules::top_up::{Order, State};

use crate::home::MOST_REFUNDS;
use crate::ports::ListAsk;
use crate::rows::{Enrolment, Key, Merchant, lists};
use crate::{ReadFault, School, refund};

mod paged;

pub use paged::{Filter, Kind, Paged, Place, paged};

/// One line of a holder's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Money that came in; and the refund that took it before it reached the card, if one did.
    TopUp(Box<Order>, Option<Box<Refund>>),
    /// Money that went out, or was about to.
    Purchase(Box<Sale>, Option<Merchant>),
    /// Money that went back to the payer, or was to.
    Refund(Box<Refund>),
}

impl Record {
    /// When it happened: a top-up counts from its credit, as long as it has none from its making.
    pub fn at(&self) -> Micros {
        match self {
            Record::TopUp(order, _) => match &order.state {
                State::Credited(credited) => credited.at,
                _ => order.created_at,
            },
            Record::Purchase(sale, _) => sale.at,
            Record::Refund(refund) => refund.made_at,
        }
    }

    /// How much.
    pub fn amount(&self) -> Fen {
        match self {
            Record::TopUp(order, _) => order.amount,
            Record::Purchase(sale, _) => sale.amount,
            Record::Refund(refund) => refund.amount,
        }
    }

    /// Number that the holder can name (R92).
    pub fn number(&self) -> String {
        match self {
            Record::TopUp(order, _) => order.no.to_string(),
            Record::Purchase(sale, _) => sale.id.to_string(),
            Record::Refund(refund) => refund.no.to_string(),
        }
    }
}

/// Records of `person` not after `before`, newest first, at most `most`; unpaid orders are not among them.
pub async fn records(school: &School, person: PersonId, before: Micros, most: u32) -> Result<Vec<Record>, ReadFault> {
    gathered(school, person, &Filter::default(), before, most).await
}

/// As [`records`], those that the filter lets through.
async fn gathered(
    school: &School,
    person: PersonId,
    filter: &Filter,
    before: Micros,
    most: u32,
) -> Result<Vec<Record>, ReadFault> {
    let from = filter.month.map_or(Micros::new(0), CampusMonth::begins);
    let last = filter.month.map_or(Micros::new(i64::MAX), |month| Micros::new(month.ends().get().saturating_sub(1)));
    let span = (from, before.min(last));
    let mut records = Vec::new();
    if filter.wants(Kind::Refund) || filter.wants(Kind::TopUp) {
        // A top-up of an older page may have gone back since: all refunds are looked at, those of this page are shown.
        let refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
        if filter.wants(Kind::TopUp) {
            let credited = credited(school, person, span, most).await?;
            records.extend(credited.into_iter().map(|order| top_up(order, &refunds)));
        }
        if filter.wants(Kind::Refund) {
            let within = refunds.into_iter().filter(|refund| (span.0..=span.1).contains(&refund.made_at));
            records.extend(within.map(|refund| Record::Refund(Box::new(refund))));
        }
    }
    if filter.wants(Kind::Purchase) {
        let sales = sales(school, person, span, most).await?;
        let merchants = merchants_of(school, &sales).await?;
        let named = |sale: Sale| Record::Purchase(Box::new(sale.clone()), merchants.get(&sale.merchant).cloned());
        records.extend(sales.into_iter().map(named));
    }
    records.sort_by_key(|record| std::cmp::Reverse(record.at()));
    records.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(records)
}

fn top_up(order: Order, refunds: &[Refund]) -> Record {
    let took = |refund: &&Refund| {
        matches!(refund.origin, Origin::Waiting { order: of, .. } if of == order.no)
            && !matches!(refund.state, RefundState::Released { .. })
    };
    let back = refunds.iter().find(took).cloned().map(Box::new);
    Record::TopUp(Box::new(order), back)
}

/// From when to when, both included.
type Span = (Micros, Micros);

async fn sales(school: &School, person: PersonId, span: Span, most: u32) -> Result<Vec<Sale>, ReadFault> {
    let keys = listed(school, lists::SALES, person, span, most).await?;
    let keys: Vec<Key> = keys.into_iter().map(Key::Sale).collect();
    Ok(school.rows(&keys).await?.iter().flatten().filter_map(|row| row.sale().cloned()).collect())
}

async fn credited(school: &School, person: PersonId, span: Span, most: u32) -> Result<Vec<Order>, ReadFault> {
    let keys = listed(school, lists::CREDITED, person, span, most).await?;
    let keys: Vec<Key> = keys.into_iter().map(|id| Key::Order(OrderNo::from_id(id))).collect();
    Ok(school.rows(&keys).await?.iter().flatten().filter_map(|row| row.order().cloned()).collect())
}

/// The newest keys of a list of `person` within `span`, newest first.
async fn listed(
    school: &School,
    list: &'static str,
    person: PersonId,
    (from, to): Span,
    most: u32,
) -> Result<Vec<Id>, ReadFault> {
    let owner = person.0.bytes().to_vec();
    let ask = ListAsk { list, owner, from: from.get(), to: to.get(), backwards: true, most };
    let listed = school.list(ask).await?;
    Ok(listed.iter().filter_map(|each| each.key[..].try_into().ok()).map(Id::from_bytes).collect())
}

/// The merchants of these sales, in one look.
async fn merchants_of(school: &School, sales: &[Sale]) -> Result<BTreeMap<MerchantId, Merchant>, ReadFault> {
    let named: BTreeSet<MerchantId> = sales.iter().map(|sale| sale.merchant).collect();
    let keys: Vec<Key> = named.into_iter().map(Key::Merchant).collect();
    let rows = school.rows(&keys).await?;
    Ok(rows.iter().flatten().filter_map(|row| row.merchant()).map(|each| (each.id, each.clone())).collect())
}

/// Where a purchase was: the terminal that asked for it, or debited the card; none for another record.
pub async fn terminal_of(school: &School, record: &Record) -> Result<Option<Enrolment>, ReadFault> {
    let Record::Purchase(sale, _) = record else { return Ok(None) };
    let (enrolment, _) = sale.asked_by;
    Ok(school.row(&Key::Enrolment(enrolment)).await?.and_then(|row| row.enrolment().cloned()))
}

/// One record of `person` by its number, as [`Record::number`] gives it; `None` when that person has no such record.
pub async fn record(school: &School, person: PersonId, number: &str) -> Result<Option<Record>, ReadFault> {
    if let Ok(no) = OrderNo::parse(number) {
        let order = school.row(&Key::Order(no)).await?.and_then(|row| row.order().cloned());
        let Some(order) = order.filter(|order| order.person == person) else { return Ok(None) };
        let refunds = refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await?;
        return Ok(Some(top_up(order, &refunds)));
    }
    if let Ok(no) = RefundNo::parse(number) {
        let refund = school.row(&Key::Refund(no)).await?.and_then(|row| row.refund().cloned());
        let own = refund.filter(|refund| refund.origin.of().is_some_and(|(of, _)| of == person));
        return Ok(own.map(|refund| Record::Refund(Box::new(refund))));
    }
    let Ok(id) = Id::parse(number) else { return Ok(None) };
    let Some(sale) = school.row(&Key::Sale(id)).await?.and_then(|row| row.sale().cloned()) else { return Ok(None) };
    if sale.person != Some(person) {
        return Ok(None);
    }
    let merchant = merchants_of(school, std::slice::from_ref(&sale)).await?.remove(&sale.merchant);
    Ok(Some(Record::Purchase(Box::new(sale), merchant)))
}
