//! The checker's own book: sums of every account from the journal rows that became durable.

use std::collections::BTreeMap;

use ledger::{AccountKey, JournalRow, Kind};

use super::{Findings, People, Sum};
use crate::notes::Who;

/// Account codes, written down anew: an error in the product's chart must show.
pub(crate) mod code {
    pub(crate) const RECEIVABLE: u16 = 1100;
    pub(crate) const AVAILABLE: u16 = 2100;
    pub(crate) const AWAITING_TAP: u16 = 2200;
    pub(crate) const ON_CARD: u16 = 2300;
    pub(crate) const HELD: u16 = 2400;
    pub(crate) const MERCHANT: u16 = 3100;
    pub(crate) const SUSPENSE_CARD: u16 = 3200;
    pub(crate) const SUSPENSE_CASE: u16 = 3300;
}

/// Reasons, written down anew.
pub(crate) mod reason {
    pub(crate) const TOP_UP: u16 = 1;
    pub(crate) const TOP_UP_UNEXPLAINED: u16 = 2;
    pub(crate) const LOAD_RELEASED: u16 = 10;
    pub(crate) const LOAD_APPLIED: u16 = 11;
    pub(crate) const LOAD_NOT_APPLIED: u16 = 12;
    pub(crate) const FLOAT_SET_ASIDE: u16 = 13;
    pub(crate) const FLOAT_RETURNED: u16 = 14;
    pub(crate) const SALE_FROM_ACCOUNT: u16 = 20;
    pub(crate) const SALE_REVERSED: u16 = 21;
    pub(crate) const SALE_FROM_PURSE: u16 = 22;
    pub(crate) const SALE_FROM_UNPROVED: u16 = 23;
    pub(crate) const UNPROVED_SETTLED: u16 = 24;
    /// Of a copied card alone.
    pub(crate) const SALE_UNEXPLAINED: u16 = 25;
    /// After a restore alone.
    pub(crate) const LOAD_FORGOTTEN: u16 = 15;
    pub(crate) const LOAD_UNTOLD: u16 = 16;
    pub(crate) const SALE_FORGOTTEN: u16 = 26;
    pub(crate) const REFUND_HELD: u16 = 30;
    pub(crate) const REFUND_SETTLED: u16 = 31;
    pub(crate) const REFUND_RELEASED: u16 = 32;
}

/// 2 to the 53rd: a figure beyond it is no figure of a school.
const FAR: Sum = 1 << 53;

/// Sums of one account, as the checker counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) posted: Sum,
    /// Set aside to go out.
    pub(crate) leaving: Sum,
    /// Set aside to come in.
    pub(crate) coming: Sum,
}

/// Code and owner.
pub(crate) type Name = (u16, u128);

/// The book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    accounts: BTreeMap<Name, Held>,
    pends: BTreeMap<u64, (Name, Name, Sum)>,
    head: u64,
    total: Sum,
    /// It comes from a backup.
    pub(super) restored: bool,
}

const fn name(key: &AccountKey) -> Name {
    (key.code.0, key.owner)
}

impl Book {
    /// An account's sums; nothing when it was never used.
    pub(crate) fn held(&self, code: u16, owner: u128) -> Held {
        self.accounts.get(&(code, owner)).copied().unwrap_or_default()
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Name, &Held)> {
        self.accounts.iter()
    }

    /// Pends that are open: on their way to which card, how much.
    pub(crate) fn on_their_way(&self) -> impl Iterator<Item = (u128, Sum)> {
        self.pends.values().map(|(_, to, amount)| (to.1, *amount))
    }

    /// Takes a row of the journal.
    pub(super) fn take(&mut self, row: &JournalRow, people: &People, findings: &mut Findings) {
        let (from, to, amount) = (name(&row.debit), name(&row.credit), Sum::from(row.amount.get()));
        let who = people.holder(from.1).or_else(|| people.holder(to.1)).map_or(Who::NOBODY, Who::holder);
        findings.demand(row.seq == self.head + 1, "I1", who, || {
            format!("journal row {} follows row {}", row.seq, self.head)
        });
        findings.demand(amount > 0 && from != to, "I1", who, || {
            format!("row {}: {amount} from {from:?} to {to:?}", row.seq)
        });
        let explained = self.restored && after_restore(row, from, to, people);
        findings.demand(explained || permitted(row, from, to, people), "I10", who, || {
            format!("row {}: reason {} moved {amount} from {from:?} to {to:?}, {:?}", row.seq, row.code, row.kind)
        });
        self.head = row.seq;
        match row.kind {
            Kind::Direct => self.post(from, to, amount),
            Kind::Pend => {
                self.accounts.entry(from).or_default().leaving += amount;
                self.accounts.entry(to).or_default().coming += amount;
                self.pends.insert(row.seq, (from, to, amount));
            }
            Kind::Post | Kind::Void => match self.pends.remove(&row.ref_seq) {
                Some(pend) => {
                    findings.demand(pend == (from, to, amount), "I1", who, || {
                        format!("row {} closes {:?} as {:?}", row.seq, pend, (from, to, amount))
                    });
                    self.accounts.entry(from).or_default().leaving -= pend.2;
                    self.accounts.entry(to).or_default().coming -= pend.2;
                    if row.kind == Kind::Post {
                        self.post(from, to, amount);
                    }
                }
                None => {
                    findings.add("I1", who, || format!("row {} closes {}, which is not open", row.seq, row.ref_seq))
                }
            },
        }
        let told = (Sum::from(row.debit_balance.get()), Sum::from(row.credit_balance.get()));
        let own = (self.held(from.0, from.1).posted, self.held(to.0, to.1).posted);
        findings.demand(told == own, "I1", who, || {
            format!("row {} says that the balances after it are {told:?}; they are {own:?}", row.seq)
        });
        for account in [from, to] {
            self.sound(account, row.seq, who, findings);
        }
        let total = self.total;
        findings.demand(total == 0, "I1", who, || format!("after row {} all balances together are {total}", row.seq));
    }

    fn post(&mut self, from: Name, to: Name, amount: Sum) {
        self.accounts.entry(from).or_default().posted -= amount;
        self.total -= amount;
        self.accounts.entry(to).or_default().posted += amount;
        self.total += amount;
    }

    fn sound(&self, account: Name, seq: u64, who: Who, findings: &mut Findings) {
        let held = self.held(account.0, account.1);
        let owned = (2000..3000).contains(&account.0);
        findings.demand(!owned || held.posted - held.leaving >= 0, "I4", who, || {
            format!("after row {seq} account {account:?} holds {} of which {} leave", held.posted, held.leaving)
        });
        let suspense = account.0 == code::SUSPENSE_CARD;
        findings.demand(!suspense || held.posted <= 0, "I4", who, || {
            format!("after row {seq} the suspense of card {} is {}, above nothing", account.1, held.posted)
        });
        findings.demand(held.posted.abs() < FAR, "I4", who, || format!("account {account:?} holds {}", held.posted));
    }
}

/// What a restored book moves besides: what forgotten loads took and forgotten sales cost, out of what waits or is there,
/// and else out of a case.
fn after_restore(row: &JournalRow, from: Name, to: Name, people: &People) -> bool {
    let holder = people.holder(from.1);
    let own = holder.is_some() && holder == u64::try_from(to.1).ok().and_then(|card| people.holder_of_card(card));
    row.kind == Kind::Direct
        && match (row.code, from.0, to.0) {
            (reason::LOAD_FORGOTTEN, code::AWAITING_TAP, code::ON_CARD) => own,
            (reason::LOAD_FORGOTTEN, code::SUSPENSE_CASE, code::ON_CARD) => true,
            (reason::LOAD_UNTOLD, code::AWAITING_TAP, code::SUSPENSE_CASE) => holder.is_some(),
            (reason::SALE_FORGOTTEN, code::AVAILABLE | code::SUSPENSE_CASE, code::MERCHANT) => true,
            _ => false,
        }
}

/// Between which accounts a reason may move money, and for whom.
fn permitted(row: &JournalRow, from: Name, to: Name, people: &People) -> bool {
    let codes = (from.0, to.0);
    let of_person = |person: u128| people.holder(person);
    let of_card = |card: u128| u64::try_from(card).ok().and_then(|card| people.holder_of_card(card));
    let same = |one: Option<usize>, other: Option<usize>| one.is_some() && one == other;
    let direct = row.kind == Kind::Direct;
    let owns = |code: u16| matches!(code, code::AWAITING_TAP | code::AVAILABLE | code::SUSPENSE_CASE);
    match row.code {
        reason::TOP_UP => {
            let to_holder =
                codes == (code::RECEIVABLE, code::AWAITING_TAP) || codes == (code::RECEIVABLE, code::AVAILABLE);
            direct && to_holder && of_person(to.1).is_some()
        }
        reason::TOP_UP_UNEXPLAINED => direct && codes == (code::RECEIVABLE, code::SUSPENSE_CASE),
        reason::LOAD_RELEASED | reason::LOAD_APPLIED | reason::LOAD_NOT_APPLIED => {
            let kind = match row.code {
                reason::LOAD_RELEASED => Kind::Pend,
                reason::LOAD_APPLIED => Kind::Post,
                _ => Kind::Void,
            };
            let own = same(of_person(from.1), of_card(to.1));
            row.kind == kind && codes == (code::AWAITING_TAP, code::ON_CARD) && own
        }
        reason::FLOAT_SET_ASIDE => direct && codes == (code::AVAILABLE, code::AWAITING_TAP) && from.1 == to.1,
        reason::FLOAT_RETURNED => direct && codes == (code::AWAITING_TAP, code::AVAILABLE) && from.1 == to.1,
        reason::SALE_FROM_ACCOUNT => direct && codes == (code::AVAILABLE, code::MERCHANT),
        reason::SALE_REVERSED => direct && codes == (code::MERCHANT, code::AVAILABLE),
        reason::SALE_FROM_PURSE => direct && codes == (code::ON_CARD, code::MERCHANT),
        reason::SALE_FROM_UNPROVED => direct && codes == (code::SUSPENSE_CARD, code::MERCHANT),
        reason::UNPROVED_SETTLED => direct && codes == (code::ON_CARD, code::SUSPENSE_CARD) && from.1 == to.1,
        reason::REFUND_HELD => direct && owns(codes.0) && codes.1 == code::HELD,
        reason::REFUND_RELEASED => direct && codes.0 == code::HELD && owns(codes.1),
        reason::REFUND_SETTLED => direct && codes == (code::HELD, code::RECEIVABLE),
        // Money of a sale that no card can have paid: there is none in an honest world. To a card it goes back.
        reason::SALE_UNEXPLAINED => {
            let to = matches!(codes.1, code::MERCHANT | code::ON_CARD);
            // What is paid with a lost card is the school's.
            let cause = people.crook.is_some() || !people.lost.is_empty();
            direct && cause && codes.0 == code::SUSPENSE_CASE && to
        }
        _ => false,
    }
}
