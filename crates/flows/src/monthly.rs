//! A holder's statement of a month: every movement of the holder's money, from the journal alone (R92).
//!
//! The journal's rows point to the row before on either of their accounts. So the rows of a month are read from the newest
//! one backwards, all accounts side by side; what they add up to is checked in [`rules::statement`].

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountKey, Fen, JournalRow, Micros};
use rules::calendar::CampusMonth;
use rules::chart;
use rules::ids::{CardNo, MerchantId, PersonId};
use rules::person::Person;
use rules::refund::Origin;
use rules::statement::{DoesNotAddUp, Finality, Part, Place, Statement, statement};

use crate::home::MOST_REFUNDS;
use crate::ports::ListAsk;
use crate::rows::{Key, Merchant, lists};
use crate::statement::newest_at;
use crate::{ReadFault, School, refund};

/// More cards than anybody has had.
const MOST_CARDS: u32 = 200;

/// A holder's month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monthly {
    /// Which month.
    pub month: CampusMonth,
    /// The moment up to which it tells; the end of the month once that is over.
    pub until: Micros,
    /// Whether there may be more of it later.
    pub finality: Finality,
    /// Sums and movements.
    pub statement: Statement,
    /// Number of the statement; the same for the same holder and month.
    pub number: String,
    /// BLAKE3 of the journal rows and balances it is made of.
    pub hash: [u8; 32],
    /// Merchants whom the movements name.
    pub merchants: BTreeMap<MerchantId, Merchant>,
}

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub enum MonthlyFault {
    /// Nobody has such a month: before the account was opened, or not yet begun.
    #[error("there is no such month for this holder")]
    NoSuchMonth,
    /// Opening, movements and closing disagree; it stands in the log, and nothing is shown.
    #[error("the month does not add up: {0}")]
    DoesNotAddUp(#[from] DoesNotAddUp),
    /// Rows cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFault),
}

/// The months of `person`, the newest first: from the one in which the account was opened to the one that runs. Empty for
/// somebody who is not a holder.
pub async fn months(school: &School, person: PersonId) -> Result<Vec<CampusMonth>, ReadFault> {
    let Some(holder) = holder(school, person).await? else { return Ok(Vec::new()) };
    Ok(months_of(&holder, school.now()))
}

fn months_of(holder: &Person, now: Micros) -> Vec<CampusMonth> {
    let (mut month, first) = (CampusMonth::of(now), CampusMonth::of(holder.opened_at));
    let mut months = vec![month];
    while month > first
        && let Some(before) = month.before()
    {
        months.push(before);
        month = before;
    }
    months
}

async fn holder(school: &School, person: PersonId) -> Result<Option<Person>, ReadFault> {
    Ok(school.row(&Key::Person(person)).await?.and_then(|row| row.person().cloned()))
}

/// The statement of `person` for `month`.
///
/// Errors, first match wins: `NoSuchMonth`, `Read`, `DoesNotAddUp`. Repeats: a month that is over gives the same each time, once
/// it is final; until then the same as long as no row comes in.
/// Source: R92; months by the time of recording and the campus's midnights.
pub async fn monthly(school: &School, person: PersonId, month: CampusMonth) -> Result<Monthly, MonthlyFault> {
    let holder = holder(school, person).await?.ok_or(MonthlyFault::NoSuchMonth)?;
    let now = school.now();
    if month > CampusMonth::of(now) || month < CampusMonth::of(holder.opened_at) {
        return Err(MonthlyFault::NoSuchMonth);
    }
    let mut accounts = own_accounts(school, person).await?;
    // What is committed now: of a month that runs no row after it counts, so that all accounts are seen at one moment.
    let upto = accounts.keys().map(|account| school.balances.account(account).last_seq).max().unwrap_or(0);
    for refund in refund::of_person(school, person, Micros::new(i64::MAX), MOST_REFUNDS).await? {
        if matches!(refund.origin, Origin::Waiting { .. } | Origin::Account { .. }) {
            accounts.insert(chart::held(refund.no), Place::Held);
        }
    }
    let (parts, rows) = read(school, &accounts, month, upto).await?;
    let found = statement(&parts, &rows).inspect_err(|fault| {
        tracing::error!(%fault, person = %person.0, %month, "a statement does not add up and is not shown; run `onecard verify`");
    })?;
    let finality = Finality::of(month, now);
    let until = now.min(month.ends());
    Ok(Monthly {
        month,
        until,
        finality,
        number: format!("S{:04}{:02}-{:04}-{}", month.year(), month.month(), school.id.get(), holder.number),
        hash: hash(school, person, month, (finality == Finality::Running).then_some(until), &parts, &rows),
        merchants: merchants(school, &found).await?,
        statement: found,
    })
}

/// Accounts of `person` that every row of theirs goes through: the account, what waits, and each card with what was spent of
/// it before it was proved.
async fn own_accounts(school: &School, person: PersonId) -> Result<BTreeMap<AccountKey, Place>, ReadFault> {
    let owner = person.0.bytes().to_vec();
    let ask = ListAsk { list: lists::CARDS, owner, from: i64::MIN, to: i64::MAX, backwards: false, most: MOST_CARDS };
    let listed = school.list(ask).await?;
    let cards = listed.iter().filter_map(|each| each.key[..].try_into().ok()).map(u64::from_be_bytes).map(CardNo);
    let mut accounts =
        BTreeMap::from([(chart::available(person), Place::Available), (chart::awaiting_tap(person), Place::Waiting)]);
    for card in cards {
        accounts.insert(chart::on_card(card), Place::OnCard);
        accounts.insert(chart::suspense_card(card), Place::OnCard);
    }
    Ok(accounts)
}

type Read = (BTreeMap<AccountKey, Part>, Vec<JournalRow>);

/// One account being followed backwards.
struct Walk {
    account: AccountKey,
    next: u64,
    closing: Option<Fen>,
    opening: Option<Fen>,
}

/// The rows of `month` up to row `upto`, oldest first, and the balances at its ends.
async fn read(
    school: &School,
    accounts: &BTreeMap<AccountKey, Place>,
    month: CampusMonth,
    upto: u64,
) -> Result<Read, ReadFault> {
    let (begins, ends) = (month.begins(), month.ends());
    let mut walks = Vec::with_capacity(accounts.len());
    for (account, place) in accounts {
        let newest = school.balances.account(account).last_seq;
        let over = school.now() >= ends;
        let next = match place {
            // What is held has two rows at most: they are nearer than any table.
            Place::Available | Place::Waiting | Place::OnCard if over => {
                let last = Micros::new(ends.get().saturating_sub(1));
                newest_at(school.reader.as_ref(), account, newest, last).await?.map_or(0, |line| line.row.seq)
            }
            _ => newest,
        };
        walks.push(Walk { account: *account, next, closing: None, opening: None });
    }
    let mut found = BTreeMap::new();
    loop {
        let wanted: BTreeSet<u64> = walks.iter().map(|walk| walk.next).filter(|seq| *seq > 0).collect();
        if wanted.is_empty() {
            break;
        }
        let rows = school.journal(wanted.iter().copied().collect()).await?;
        let rows: BTreeMap<u64, JournalRow> = rows.into_iter().map(|row| (row.seq, row)).collect();
        for walk in walks.iter_mut().filter(|walk| walk.next > 0) {
            let row = rows.get(&walk.next).ok_or(BROKEN)?;
            let (balance, prev) = ends_of(row, &walk.account).ok_or(BROKEN)?;
            if prev >= row.seq {
                return Err(BROKEN);
            }
            walk.next = prev;
            if row.recorded_at < begins {
                (walk.opening, walk.next) = (Some(balance), 0);
            } else if row.recorded_at < ends && row.seq <= upto {
                walk.closing = walk.closing.or(Some(balance));
                found.insert(row.seq, *row);
            }
        }
    }
    let part = |walk: &Walk| {
        let opening = walk.opening.unwrap_or(Fen::ZERO);
        let place = accounts.get(&walk.account).copied()?;
        Some((walk.account, Part { place, opening, closing: walk.closing.unwrap_or(opening) }))
    };
    Ok((walks.iter().filter_map(part).collect(), found.into_values().collect()))
}

const BROKEN: ReadFault = ReadFault::Broken("the journal");

/// Balance of the account after the row, and the account's row before it.
fn ends_of(row: &JournalRow, account: &AccountKey) -> Option<(Fen, u64)> {
    if row.debit == *account {
        return Some((row.debit_balance, row.debit_prev));
    }
    (row.credit == *account).then_some((row.credit_balance, row.credit_prev))
}

async fn merchants(school: &School, statement: &Statement) -> Result<BTreeMap<MerchantId, Merchant>, ReadFault> {
    let named: BTreeSet<MerchantId> =
        statement.entries.iter().filter_map(|entry| chart::merchant_of(&entry.counter)).collect();
    let keys: Vec<Key> = named.into_iter().map(Key::Merchant).collect();
    let rows = school.rows(&keys).await?;
    Ok(rows.iter().flatten().filter_map(|row| row.merchant()).map(|each| (each.id, each.clone())).collect())
}

/// Binds number, month and rows together: who has the journal can make it again.
fn hash(
    school: &School,
    person: PersonId,
    month: CampusMonth,
    until: Option<Micros>,
    parts: &BTreeMap<AccountKey, Part>,
    rows: &[JournalRow],
) -> [u8; 32] {
    let mut out = ledger::Writer::new();
    out.raw(b"onecard statement 1").u16(school.id.get()).raw(&person.0.bytes()).raw(month.to_string().as_bytes());
    out.i64(until.map_or(0, Micros::get));
    for (account, part) in parts.iter().filter(|(_, part)| part.opening != Fen::ZERO || part.closing != Fen::ZERO) {
        account.write(&mut out);
        out.i64(part.opening.get()).i64(part.closing.get());
    }
    for row in rows {
        out.u64(row.seq).raw(&row.encode());
    }
    *blake3::hash(&out.done()).as_bytes()
}
