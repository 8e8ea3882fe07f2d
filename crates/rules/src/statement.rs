//! A holder's statement of a month, added up from journal rows alone (R92).
//!
//! Nothing is taken on trust: what an account had before and after comes from the balances that the journal carries, what
//! moved from its amounts, and both must agree for every place of money and for all of it together. Else there is none.

use std::collections::BTreeMap;

use ledger::{AccountKey, Fen, Id, JournalRow, Kind, Micros};

use crate::calendar::CampusMonth;
use crate::chart::Reason;
use crate::ids::{OrderNo, RefundNo};

/// How long after its end a month may still get rows, seconds: the book's time follows the clock within five minutes (M7).
const SETTLES_WITHIN: i64 = 600;

/// Whether a month's statement is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// The month is not over.
    Running,
    /// The month is over; the book may still take rows into it.
    Settling,
    /// The statement never changes again.
    Final,
}

impl Finality {
    /// Of `month` at `now`.
    pub fn of(month: CampusMonth, now: Micros) -> Finality {
        if now < month.ends() {
            Finality::Running
        } else if now < Finality::settled_at(month) {
            Finality::Settling
        } else {
            Finality::Final
        }
    }

    /// From when on the statement of `month` is final.
    pub fn settled_at(month: CampusMonth) -> Micros {
        month.ends().after_seconds(SETTLES_WITHIN)
    }

    /// There may be more of it later. What pages, files and programs are told as `running`.
    pub const fn may_change(self) -> bool {
        !matches!(self, Finality::Final)
    }
}

/// Where a holder's money can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Spendable on line.
    Available,
    /// Waits for the card, or is on its way to it.
    Waiting,
    /// On the holder's cards, less what was spent of loads that are not proved yet (M13).
    OnCard,
    /// Set aside for refunds.
    Held,
}

impl Place {
    /// Every place, in the order of a statement.
    pub const ALL: [Place; 4] = [Place::Available, Place::Waiting, Place::OnCard, Place::Held];
}

/// One of the holder's accounts: where its money counts, and its balances at both ends as the journal carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place.
    pub place: Place,
    /// Balance after its last row before the month.
    pub opening: Fen,
    /// Balance after its last row that counts.
    pub closing: Fen,
}

/// What was there, came, went, and is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// At the beginning.
    pub opening: Fen,
    /// What came.
    pub incoming: Fen,
    /// What went.
    pub outgoing: Fen,
    /// At the end.
    pub closing: Fen,
}

impl Sums {
    fn adds_up(&self) -> bool {
        self.opening.plus(self.incoming).and_then(|sum| sum.minus(self.outgoing)) == Some(self.closing)
    }
}

/// One movement of the holder's money. Shape: at least one of `from` and `to`; with both it only changed places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its row in the journal.
    pub seq: u64,
    /// When the book took it; it counts in the month of this moment.
    pub recorded_at: Micros,
    /// When it happened.
    pub effective_at: Micros,
    /// How much, more than nothing.
    pub amount: Fen,
    /// The place that gave it, if it was the holder's.
    pub from: Option<Place>,
    /// The place that got it, if it is the holder's.
    pub to: Option<Place>,
    /// Why; none for a number that this version does not know.
    pub reason: Option<Reason>,
    /// What it belongs to: order, sale, refund, attempt.
    pub reference: Id,
    /// The account on the other side; the receiving one when both are the holder's.
    pub counter: AccountKey,
    /// All the holder's money afterwards.
    pub balance: Fen,
}

impl Entry {
    /// What it added to all the holder's money; below nothing when it took, nothing when it only changed places.
    pub const fn change(&self) -> Fen {
        match (self.from, self.to) {
            (None, Some(_)) => self.amount,
            (Some(_), None) => Fen::new(self.amount.get().saturating_neg()),
            (Some(_), Some(_)) | (None, None) => Fen::ZERO,
        }
    }
}

impl Entry {
    /// Number of the record it belongs to, as the holder's records have it; none for a move that is no record of its own.
    pub fn record(&self) -> Option<String> {
        match self.reason? {
            Reason::TopUp => Some(OrderNo::from_id(self.reference).to_string()),
            Reason::SaleFromAccount
            | Reason::SaleReversed
            | Reason::SaleFromPurse
            | Reason::SaleFromUnproved
            | Reason::SaleUnexplained
            | Reason::SaleForgotten => Some(self.reference.to_string()),
            Reason::RefundHeld | Reason::RefundSettled | Reason::RefundReleased => {
                Some(RefundNo::from_id(self.reference).to_string())
            }
            Reason::TopUpUnexplained
            | Reason::LoadReleased
            | Reason::LoadApplied
            | Reason::LoadNotApplied
            | Reason::FloatSetAside
            | Reason::FloatReturned
            | Reason::UnprovedSettled
            | Reason::LoadForgotten
            | Reason::LoadUntold => None,
        }
    }

    /// Number of the movement in the book; every movement has one (R92).
    pub fn booking(&self) -> String {
        format!("B{:010}", self.seq)
    }

    /// What a purchase took, or gave back when it was called off (below nothing); nothing for what is no purchase.
    pub const fn spent(&self) -> Fen {
        match self.reason {
            Some(
                Reason::SaleFromAccount
                | Reason::SaleReversed
                | Reason::SaleFromPurse
                | Reason::SaleFromUnproved
                | Reason::SaleUnexplained
                | Reason::SaleForgotten,
            ) => Fen::new(self.change().get().saturating_neg()),
            _ => Fen::ZERO,
        }
    }
}

/// The sums of a month and every movement in it, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// All the holder's money; what only changed places is neither in nor out.
    pub total: Sums,
    /// Each place; what came from another place is in, what went to one is out.
    pub places: Vec<(Place, Sums)>,
    /// The movements.
    pub entries: Vec<Entry>,
}

/// Why there is no statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoesNotAddUp {
    /// The balances at both ends and the movements between them disagree at this place.
    #[error("opening, movements and closing of {0:?} do not agree")]
    Place(Place),
    /// The places and the movements from and to outside disagree.
    #[error("the places and the whole do not agree")]
    Total,
    /// A sum is too large to count.
    #[error("a sum is too large to count")]
    TooLarge,
    /// A row names none of the holder's accounts.
    #[error("journal row {0} is about none of these accounts")]
    Stranger(u64),
}

/// Adds a month up.
///
/// Shape: `parts` are all accounts of the holder, `rows` all journal rows of the month that name one of them, each once, in
/// the order of the journal; pends and voids may be among them and move nothing. A move between two accounts of one place is
/// no movement of the holder's.
/// Errors, first match wins: `Stranger`, `TooLarge`, `Place`, `Total`. Source: R92.
pub fn statement(parts: &BTreeMap<AccountKey, Part>, rows: &[JournalRow]) -> Result<Statement, DoesNotAddUp> {
    let mut places: BTreeMap<Place, Sums> = Place::ALL.into_iter().map(|place| (place, Sums::default())).collect();
    for part in parts.values() {
        let sums = places.entry(part.place).or_default();
        sums.opening = added(sums.opening, part.opening)?;
        sums.closing = added(sums.closing, part.closing)?;
    }
    let mut total = Sums { opening: sum(places.values().map(|sums| sums.opening))?, ..Sums::default() };
    let mut balance = total.opening;
    let mut entries = Vec::new();
    for row in rows {
        let place = |account| parts.get(account).map(|part| part.place);
        let (from, to) = (place(&row.debit), place(&row.credit));
        if from.is_none() && to.is_none() {
            return Err(DoesNotAddUp::Stranger(row.seq));
        }
        if matches!(row.kind, Kind::Pend | Kind::Void) || from == to {
            continue;
        }
        if let Some(sums) = from.and_then(|place| places.get_mut(&place)) {
            sums.outgoing = added(sums.outgoing, row.amount)?;
        }
        if let Some(sums) = to.and_then(|place| places.get_mut(&place)) {
            sums.incoming = added(sums.incoming, row.amount)?;
        }
        let mut entry = entry(row, from, to);
        match (from, to) {
            (None, _) => total.incoming = added(total.incoming, row.amount)?,
            (_, None) => total.outgoing = added(total.outgoing, row.amount)?,
            (Some(_), Some(_)) => {}
        }
        balance = added(balance, entry.change())?;
        entry.balance = balance;
        entries.push(entry);
    }
    if let Some((place, _)) = places.iter().find(|(_, sums)| !sums.adds_up()) {
        return Err(DoesNotAddUp::Place(*place));
    }
    total.closing = sum(places.values().map(|sums| sums.closing))?;
    if !total.adds_up() || balance != total.closing {
        return Err(DoesNotAddUp::Total);
    }
    Ok(Statement { total, places: places.into_iter().collect(), entries })
}

fn entry(row: &JournalRow, from: Option<Place>, to: Option<Place>) -> Entry {
    Entry {
        seq: row.seq,
        recorded_at: row.recorded_at,
        effective_at: row.effective_at,
        amount: row.amount,
        from,
        to,
        reason: Reason::from_number(row.code),
        reference: row.reference,
        counter: if from.is_some() { row.credit } else { row.debit },
        balance: Fen::ZERO,
    }
}

fn added(sum: Fen, more: Fen) -> Result<Fen, DoesNotAddUp> {
    sum.plus(more).ok_or(DoesNotAddUp::TooLarge)
}

fn sum(amounts: impl IntoIterator<Item = Fen>) -> Result<Fen, DoesNotAddUp> {
    Fen::sum(amounts).ok_or(DoesNotAddUp::TooLarge)
}

#[cfg(test)]
mod tests {
    use ledger::AccountCode;

    use super::*;
    use crate::chart;
    use crate::ids::{CardNo, PersonId, RefundNo};

    const PERSON: PersonId = PersonId(Id::new(7));
    const CARD: CardNo = CardNo(9);

    fn outside() -> AccountKey {
        AccountKey::new(AccountCode(3100), 1)
    }

    fn row(seq: u64, debit: AccountKey, credit: AccountKey, fen: i64, reason: Reason) -> JournalRow {
        JournalRow {
            seq,
            id: Id::new(u128::from(seq)),
            kind: Kind::Direct,
            debit,
            credit,
            amount: Fen::new(fen),
            ref_seq: 0,
            expires_at: None,
            debit_prev: 0,
            credit_prev: 0,
            debit_balance: Fen::ZERO,
            credit_balance: Fen::ZERO,
            recorded_at: Micros::new(i64::try_from(seq).unwrap()),
            effective_at: Micros::new(0),
            code: reason.number(),
            reference: Id::new(5),
        }
    }

    fn part(place: Place, opening: i64, closing: i64) -> Part {
        Part { place, opening: Fen::new(opening), closing: Fen::new(closing) }
    }

    /// Had 1 000 on the card and 200 spent early; 500 came, were loaded, the early 200 made good, 300 spent, 100 held.
    fn month() -> (BTreeMap<AccountKey, Part>, Vec<JournalRow>) {
        let held = chart::held(RefundNo::from_id(Id::new(3)));
        let parts = BTreeMap::from([
            (chart::available(PERSON), part(Place::Available, 100, 0)),
            (chart::awaiting_tap(PERSON), part(Place::Waiting, 0, 0)),
            (chart::on_card(CARD), part(Place::OnCard, 1_000, 1_000)),
            (chart::suspense_card(CARD), part(Place::OnCard, -200, 0)),
            (held, part(Place::Held, 0, 100)),
        ]);
        let mut pend = row(2, chart::awaiting_tap(PERSON), chart::on_card(CARD), 500, Reason::LoadReleased);
        pend.kind = Kind::Pend;
        let mut load = row(3, chart::awaiting_tap(PERSON), chart::on_card(CARD), 500, Reason::LoadApplied);
        load.kind = Kind::Post;
        let rows = vec![
            row(1, chart::receivable(chart::Channel::WeChat), chart::awaiting_tap(PERSON), 500, Reason::TopUp),
            pend,
            load,
            row(4, chart::on_card(CARD), chart::suspense_card(CARD), 200, Reason::UnprovedSettled),
            row(5, chart::on_card(CARD), outside(), 300, Reason::SaleFromPurse),
            row(6, chart::available(PERSON), held, 100, Reason::RefundHeld),
        ];
        (parts, rows)
    }

    fn sums([opening, incoming, outgoing, closing]: [i64; 4]) -> Sums {
        let [opening, incoming, outgoing, closing] = [opening, incoming, outgoing, closing].map(Fen::new);
        Sums { opening, incoming, outgoing, closing }
    }

    #[test]
    fn r92_every_place_and_all_of_it_add_up_and_what_changes_places_is_neither_in_nor_out() {
        let (parts, rows) = month();
        let statement = statement(&parts, &rows).unwrap();
        assert_eq!(statement.total, sums([900, 500, 300, 1_100]));
        let places = [[100, 0, 100, 0], [0, 500, 500, 0], [800, 500, 300, 1_000], [0, 100, 0, 100]].map(sums);
        assert_eq!(statement.places, Place::ALL.into_iter().zip(places).collect::<Vec<_>>());
        let seen: Vec<_> =
            statement.entries.iter().map(|entry| (entry.seq, entry.change().get(), entry.balance.get())).collect();
        assert_eq!(seen, [(1, 500, 1_400), (3, 0, 1_400), (5, -300, 1_100), (6, 0, 1_100)]);
        assert_eq!(statement.entries[1].reason, Some(Reason::LoadApplied));
        assert_eq!((statement.entries[1].from, statement.entries[1].to), (Some(Place::Waiting), Some(Place::OnCard)));
    }

    #[test]
    fn r92_what_does_not_add_up_is_no_statement() {
        type Change = fn(&mut BTreeMap<AccountKey, Part>, &mut Vec<JournalRow>);
        let table: [(Change, DoesNotAddUp); 6] = [
            (
                |parts, _| parts.get_mut(&chart::on_card(CARD)).unwrap().closing = Fen::new(999),
                DoesNotAddUp::Place(Place::OnCard),
            ),
            (
                |parts, _| parts.get_mut(&chart::available(PERSON)).unwrap().opening = Fen::new(99),
                DoesNotAddUp::Place(Place::Available),
            ),
            (
                |_, rows| {
                    rows.remove(4);
                },
                DoesNotAddUp::Place(Place::OnCard),
            ),
            (|_, rows| rows[5].amount = Fen::new(101), DoesNotAddUp::Place(Place::Available)),
            (|_, rows| rows.push(row(7, outside(), outside(), 1, Reason::TopUp)), DoesNotAddUp::Stranger(7)),
            (|_, rows| rows[0].amount = Fen::new(i64::MAX), DoesNotAddUp::TooLarge),
        ];
        for (change, expected) in table {
            let (mut parts, mut rows) = month();
            change(&mut parts, &mut rows);
            assert_eq!(statement(&parts, &rows), Err(expected));
        }
    }

    #[test]
    fn a_month_without_movements_closes_as_it_opened() {
        let parts = BTreeMap::from([(chart::available(PERSON), part(Place::Available, 70, 70))]);
        let statement = statement(&parts, &[]).unwrap();
        assert_eq!((statement.total, statement.entries.len()), (sums([70, 0, 0, 70]), 0));
    }

    #[test]
    fn a_month_s_statement_is_final_ten_minutes_after_its_end() {
        let november = CampusMonth::parse("2026-11").unwrap();
        let table = [
            (-1, Finality::Running, true),
            (0, Finality::Settling, true),
            (599_999_999, Finality::Settling, true),
            (600_000_000, Finality::Final, false),
        ];
        for (after, expected, may_change) in table {
            let found = Finality::of(november, Micros::new(november.ends().get() + after));
            assert_eq!((found, found.may_change()), (expected, may_change), "{after}");
        }
        assert_eq!(Finality::settled_at(november), november.ends().after_seconds(600));
    }
}
