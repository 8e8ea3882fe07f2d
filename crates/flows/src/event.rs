//! The events of the journal, for the school's other systems: read from a place on, in order, without a gap (decision 0024).
//!
//! Nothing is written to make an event: every committed journal row is one, so none is lost between a commit and its
//! telling, and telling again is reading again.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountCode, Fen, Id, JournalRow, Kind as Stage, Micros};
use rules::chart::{self, Reason, Whose};
use rules::epoch::Epoch;
use rules::event::{Began, Cursor, Kind, Lineage, Next, Span};
use rules::ids::{CardNo, CaseId, MerchantId, OrderNo, PersonId, RefundNo};

use crate::ReadFault;
use crate::ports::Reader;
use crate::rows::{Key, Row};
use crate::school::rows_of;

/// Journal rows read at once.
const CHUNK: u64 = 100;
/// Journal rows looked at for one page: a reader who wants few of them gets an empty page and goes on from its end.
const LOOKED_AT: u64 = 1_000;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, for ever: no other event of this school has it.
    pub id: Cursor,
    /// What it tells.
    pub told: Told,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A journal row.
    Moved(Box<Moved>),
    /// The book goes on from a backup.
    Restored(Restored),
}

/// A journal row, as other systems are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it tells.
    pub kind: Kind,
    /// Why the money moved; none for money set aside that nobody took in time.
    pub reason: Option<Reason>,
    /// Whether balances changed: not when money was only set aside, or freed again.
    pub posted: bool,
    /// How much.
    pub amount: Fen,
    /// When the book took it.
    pub recorded_at: Micros,
    /// When it happened outside.
    pub effective_at: Micros,
    /// Account that gives.
    pub debit: AccountCode,
    /// Account that receives.
    pub credit: AccountCode,
    /// The event that set aside what this one moves or frees.
    pub set_aside_by: Option<Cursor>,
    /// The top-up order.
    pub order: Option<OrderNo>,
    /// The refund.
    pub refund: Option<RefundNo>,
    /// The sale.
    pub sale: Option<Id>,
    /// The case whose money it is.
    pub case: Option<CaseId>,
    /// The card, all but its last four digits hidden.
    pub card: Option<String>,
    /// Short name of the merchant.
    pub merchant: Option<String>,
    /// Student or staff number of the holder, for who may have it.
    pub person: Option<String>,
}

/// A restore: of the epochs before it only these rows are true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The epoch that begins.
    pub epoch: u64,
    /// When.
    pub at: Micros,
    /// The last row that survived; 0 for none.
    pub last_seq: u64,
    /// All that survived. An event of an earlier epoch that stands in none of these never happened.
    pub survived: Vec<Span>,
}

impl Event {
    /// What it tells, in a word.
    pub fn kind(&self) -> Kind {
        match &self.told {
            Told::Moved(moved) => moved.kind,
            Told::Restored(_) => Kind::BookRestored,
        }
    }
}

/// Which events a reader is told, and how much of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// These kinds; all of them when none is named. A restore is told to everybody.
    pub kinds: Vec<Kind>,
    /// With the numbers of holders.
    pub numbers: bool,
}

impl Wanted {
    fn has(&self, row: &JournalRow) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&Kind::of(row))
    }
}

/// Events that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order of the journal.
    pub events: Vec<Event>,
    /// Where the reader stood: where they said, set back to what survived if the book was restored since.
    pub after: Cursor,
    /// Where to go on.
    pub upto: Cursor,
    /// Whether more can be read at once.
    pub more: bool,
}

/// What was found between two places, before it is put into words.
enum Found<'a> {
    Row(JournalRow),
    Began(&'a Began),
}

/// At most `most` events after a place.
///
/// Promise: pages that go on from one another's end tell every committed event once, in order; an unwanted one is passed
/// over. Only what is committed is told. Errors: what could not be read. Repeats: the same place gives the same events, and
/// perhaps more of them. After a restore the reader is set back to what survived, and told so by [`Told::Restored`] (M9).
pub async fn page(reader: &dyn Reader, after: Cursor, most: u32, wanted: &Wanted) -> Result<Page, ReadFault> {
    let lineage = lineage(reader).await?;
    let after = lineage.place(after);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut at, mut found, mut looked_at, mut more) = (after, Vec::new(), 0_u64, true);
    while more && found.len() < most && looked_at < LOOKED_AT {
        let last = match lineage.next(at) {
            Next::Begins(began) => {
                found.push(Found::Began(began));
                at = Cursor { epoch: began.number, seq: began.after };
                continue;
            }
            Next::Rows { last } => last.min(at.seq.saturating_add(CHUNK)),
        };
        let asked: Vec<u64> = (at.seq.saturating_add(1)..=last).collect();
        let rows = reader.journal(asked).await?;
        for seq in at.seq.saturating_add(1)..=last {
            // Rows are told in their order or not at all.
            let Some(row) = rows.iter().find(|row| row.seq == seq) else {
                more = false;
                break;
            };
            (at.seq, looked_at) = (seq, looked_at.saturating_add(1));
            if wanted.has(row) {
                found.push(Found::Row(*row));
            }
            if found.len() >= most {
                break;
            }
        }
    }
    let events = words(reader, &lineage, &found, wanted.numbers).await?;
    Ok(Page { events, after, upto: at, more })
}

/// The epochs of a book.
pub(crate) async fn lineage(reader: &dyn Reader) -> Result<Lineage, ReadFault> {
    let rows = rows_of(reader, &[Key::Lineage, Key::Epoch]).await?;
    let row = |at: usize| rows.get(at).and_then(Option::as_ref);
    if let Some(began) = row(0).and_then(Row::lineage) {
        return Ok(Lineage::new(began.clone()));
    }
    // A book that was restored before it remembered its epochs: its newest restore is told by the time of the rows.
    let Some(Epoch { number, since, .. }) = row(1).and_then(Row::epoch).copied() else { return Ok(Lineage::default()) };
    let after = last_where(reader, |row| row.recorded_at < since).await?;
    Ok(Lineage::new(vec![Began { number, after, at: since }]))
}

/// The last committed row; 0 for none.
pub(crate) async fn head(reader: &dyn Reader) -> Result<u64, ReadFault> {
    last_where(reader, |_| true).await
}

/// After the newest event.
pub async fn newest(reader: &dyn Reader) -> Result<Cursor, ReadFault> {
    let (lineage, seq) = (lineage(reader).await?, head(reader).await?);
    Ok(Cursor { epoch: lineage.newest(), seq })
}

/// Before the first event that the book took at this moment or later.
pub async fn before(reader: &dyn Reader, moment: Micros) -> Result<Cursor, ReadFault> {
    let seq = last_where(reader, |row| row.recorded_at < moment).await?;
    Ok(Cursor { epoch: lineage(reader).await?.epoch_of(seq), seq })
}

/// Whether somebody can have been told of this place: a later one than the newest event, or of an epoch that has not begun,
/// was never given out by this book.
pub async fn is_known(reader: &dyn Reader, cursor: Cursor) -> Result<bool, ReadFault> {
    let newest = newest(reader).await?;
    Ok(cursor.epoch < newest.epoch || cursor.epoch == newest.epoch && cursor.seq <= newest.seq)
}

/// Points looked at in one reading.
const POINTS: u64 = 32;
/// More rows than a journal ever has.
const BEYOND: u64 = 1 << 48;

/// The last row of those for which something holds, which are the first of the journal; 0 for none.
async fn last_where(reader: &dyn Reader, holds: impl Fn(&JournalRow) -> bool) -> Result<u64, ReadFault> {
    let (mut low, mut high) = (0, BEYOND);
    let mut points: Vec<u64> = (0..48).map(|power| 1 << power).collect();
    while !points.is_empty() {
        let rows = reader.journal(points.clone()).await?;
        low = rows.iter().filter(|row| holds(row)).map(|row| row.seq).max().unwrap_or(low);
        high = points.iter().copied().find(|point| *point > low).unwrap_or(high);
        let between = high.saturating_sub(low).saturating_sub(1);
        let step = between.div_ceil(POINTS).max(1);
        points = (1..=POINTS).map(|n| low.saturating_add(n.saturating_mul(step))).filter(|at| *at < high).collect();
    }
    Ok(low)
}

/// What events need to know beside the journal.
#[derive(Default)]
struct Names {
    cards: BTreeMap<CardNo, PersonId>,
    refunds: BTreeMap<RefundNo, PersonId>,
    people: BTreeMap<PersonId, String>,
    merchants: BTreeMap<MerchantId, String>,
}

fn owners(found: &[Found<'_>]) -> BTreeSet<Whose> {
    let rows = found.iter().filter_map(|each| match each {
        Found::Row(row) => Some(row),
        Found::Began(_) => None,
    });
    rows.flat_map(|row| [chart::whose(&row.debit), chart::whose(&row.credit)]).collect()
}

impl Names {
    /// Merchants, and with `numbers` also holders, of everything that was found.
    async fn of(reader: &dyn Reader, found: &[Found<'_>], numbers: bool) -> Result<Names, ReadFault> {
        let owners = owners(found);
        let first = owners.iter().filter_map(|owner| match owner {
            Whose::Merchant(id) => Some(Key::Merchant(*id)),
            Whose::Card(no) if numbers => Some(Key::Card(*no)),
            Whose::Refund(no) if numbers => Some(Key::Refund(*no)),
            Whose::Card(_) | Whose::Refund(_) | Whose::Person(_) | Whose::Case(_) | Whose::School => None,
        });
        let mut names = Names::default();
        for row in rows_of(reader, &first.collect::<Vec<Key>>()).await?.into_iter().flatten() {
            match row {
                Row::Merchant(merchant) => {
                    names.merchants.insert(merchant.id, merchant.code);
                }
                Row::Card(card) => {
                    names.cards.insert(card.no, card.person);
                }
                Row::Refund(refund) => {
                    names.refunds.extend(refund.origin.of().map(|(person, _)| (refund.no, person)));
                }
                _ => {}
            }
        }
        if numbers {
            let mut people: BTreeSet<PersonId> = names.cards.values().chain(names.refunds.values()).copied().collect();
            people.extend(owners.iter().filter_map(|owner| match owner {
                Whose::Person(person) => Some(*person),
                _ => None,
            }));
            let keys: Vec<Key> = people.iter().copied().map(Key::Person).collect();
            for (person, row) in people.into_iter().zip(rows_of(reader, &keys).await?) {
                names.people.extend(row.as_ref().and_then(Row::person).map(|row| (person, row.number.clone())));
            }
        }
        Ok(names)
    }

    fn holder(&self, owner: Whose) -> Option<&String> {
        let person = match owner {
            Whose::Person(person) => Some(person),
            Whose::Card(card) => self.cards.get(&card).copied(),
            Whose::Refund(refund) => self.refunds.get(&refund).copied(),
            Whose::Merchant(_) | Whose::Case(_) | Whose::School => None,
        };
        self.people.get(&person?)
    }
}

async fn words(
    reader: &dyn Reader,
    lineage: &Lineage,
    found: &[Found<'_>],
    numbers: bool,
) -> Result<Vec<Event>, ReadFault> {
    let names = Names::of(reader, found, numbers).await?;
    let events = found.iter().map(|each| match each {
        Found::Row(row) => {
            let id = Cursor { epoch: lineage.epoch_of(row.seq), seq: row.seq };
            Event { id, told: Told::Moved(Box::new(moved(row, lineage, &names))) }
        }
        Found::Began(began) => {
            let Began { number, after, at } = **began;
            let survived = lineage.survived(number);
            let id = Cursor { epoch: number, seq: 0 };
            Event { id, told: Told::Restored(Restored { epoch: number, at, last_seq: after, survived }) }
        }
    });
    Ok(events.collect())
}

fn moved(row: &JournalRow, lineage: &Lineage, names: &Names) -> Moved {
    let reason = Reason::from_number(row.code);
    let sides = [chart::whose(&row.debit), chart::whose(&row.credit)];
    let card = sides.iter().find_map(|owner| if let Whose::Card(no) = owner { Some(masked(*no)) } else { None });
    let case = sides.iter().find_map(|owner| if let Whose::Case(id) = owner { Some(*id) } else { None });
    let merchant = sides.iter().find_map(|owner| match owner {
        Whose::Merchant(id) => names.merchants.get(id).cloned(),
        _ => None,
    });
    let kind = Kind::of(row);
    let sale = match reason {
        Some(
            Reason::SaleFromAccount
            | Reason::SaleReversed
            | Reason::SaleFromPurse
            | Reason::SaleFromUnproved
            | Reason::SaleUnexplained
            | Reason::SaleForgotten,
        ) => Some(row.reference),
        _ => None,
    };
    let refund = match reason {
        Some(Reason::RefundHeld | Reason::RefundSettled | Reason::RefundReleased) => {
            Some(RefundNo::from_id(row.reference))
        }
        _ => None,
    };
    Moved {
        kind,
        reason,
        posted: matches!(row.kind, Stage::Direct | Stage::Post),
        amount: row.amount,
        recorded_at: row.recorded_at,
        effective_at: row.effective_at,
        debit: row.debit.code,
        credit: row.credit.code,
        set_aside_by: (row.ref_seq > 0).then(|| Cursor { epoch: lineage.epoch_of(row.ref_seq), seq: row.ref_seq }),
        order: (kind == Kind::TopUpCredited).then(|| OrderNo::from_id(row.reference)),
        refund,
        sale,
        case,
        card,
        merchant,
        person: sides.iter().find_map(|owner| names.holder(*owner)).cloned(),
    }
}

/// A card's last four digits.
fn masked(no: CardNo) -> String {
    let digits = no.to_string();
    let last = digits.get(digits.len().saturating_sub(4)..).unwrap_or_default();
    format!("****{last}")
}
