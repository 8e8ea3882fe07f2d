//! How everything lies at the end, and what must hold whatever happened.

use std::collections::BTreeMap;

use card::chip::Chip;
use flows::rows::{Campus as Rows, Key, Row};
use ledger::{AccountKey, Id};
use rules::chart;
use rules::ids::{CardNo, CaseId, OrderNo};
use rules::purchase::State as SaleState;
use teller::Schema;

use crate::Broken;
use crate::campus::CARDS;
use crate::disk::school_id;
use crate::flow::Differs;
use crate::hand::Which;
use crate::world::{Purse, World, purse};

/// What is compared with the untorn run. Numbers of attempts and records may differ, and are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Balance, loads, purchases of both cards, and whether they are blocked.
    purses: Vec<Purse>,
    /// Loads and purchases in the cards' logs, newest first: kind and amount.
    logs: Vec<Vec<(u8, u32)>>,
    /// Posted balances, by name.
    accounts: BTreeMap<String, i64>,
    /// Orders by state.
    orders: BTreeMap<String, u32>,
    /// Sales with money by state.
    sales: BTreeMap<&'static str, u32>,
    /// Sales without money: called off, reversed, not debited.
    without_money: u32,
    /// Cases.
    cases: u32,
}

const FROM_ACCOUNT: &str = "from the account";
const FROM_PURSE: &str = "from the purse";

fn bump<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

impl World<'_> {
    /// How everything lies now; what must not be left open is a finding.
    pub(crate) fn ending(&mut self) -> Result<Ending, Broken> {
        let mut ending = Ending::default();
        for who in [Which::Anna, Which::Ben] {
            ending.card(&self.hand.chip(who)?);
            self.holder(who, &mut ending)?;
        }
        let merchant = self.campus.school.balance(&chart::merchant(self.people.merchant));
        ending.accounts.insert("merchant".to_owned(), merchant.get());
        self.rows(&mut ending)?;
        self.verify()?;
        Ok(ending)
    }

    /// The cards alone, for what the book does not take part in; the book is whole all the same.
    pub(crate) fn ending_of_cards(&mut self) -> Result<Ending, Broken> {
        let mut ending = Ending::default();
        for who in [Which::Anna, Which::Ben] {
            ending.card(&self.hand.chip(who)?);
        }
        self.verify()?;
        Ok(ending)
    }

    fn holder(&mut self, who: Which, ending: &mut Ending) -> Result<(), Broken> {
        let (card, person) = (CardNo(CARDS[who.place()]), self.people.holders[who.place()]);
        let accounts: [(&str, AccountKey); 4] = [
            ("available", chart::available(person)),
            ("awaiting_tap", chart::awaiting_tap(person)),
            ("on_card", chart::on_card(card)),
            ("suspense", chart::suspense_card(card)),
        ];
        for (name, key) in accounts {
            let account = self.campus.school.balances.account(&key);
            if account.credits_pending.is_positive() || account.debits_pending.is_positive() {
                self.findings.push(format!("money is set aside at {name} of {who:?}"));
            }
            ending.accounts.insert(format!("{name} of {who:?}"), account.balance().get());
        }
        let on_card = self.campus.school.balance(&chart::on_card(card));
        let chip = self.hand.chip(who)?;
        if on_card.get() != i64::from(chip.balance()) {
            self.findings.push(format!("{who:?}'s card holds {}, the book says {on_card}", chip.balance()));
        }
        let school = self.campus.school.clone();
        let row = self.campus.run(school.row(&Key::Card(card)))?.map_err(Broken::of("reading a card"))?;
        let row = row.as_ref().and_then(Row::card).ok_or_else(|| Broken::new("a card is missing"))?;
        if row.n != chip.loads() {
            self.findings.push(format!("{who:?}'s card counted {} loads, the book {}", chip.loads(), row.n));
        }
        if row.released.is_some() || !row.unconfirmed.is_empty() || !row.awaiting.is_empty() {
            self.findings.push(format!("something of {who:?}'s card is still open: {row:?}"));
        }
        if row.state != rules::card::State::Active {
            self.findings.push(format!("{who:?}'s card is {:?}", row.state));
        }
        let waiting = self.campus.run(school.row(&Key::Waiting(person)))?.map_err(Broken::of("reading what waits"))?;
        if waiting.as_ref().and_then(Row::waiting).is_some_and(|items| !items.is_empty()) {
            self.findings.push(format!("something still waits for {who:?}'s card"));
        }
        Ok(())
    }

    fn rows(&mut self, ending: &mut Ending) -> Result<(), Broken> {
        let mut open = Vec::new();
        let mut archive = self.campus.disk.archive()?;
        let any = [Key::Order(OrderNo::from_id(Id::new(0))), Key::Sale(Id::new(0)), Key::Case(CaseId(Id::new(0)))];
        for key in any {
            let mut each = |kept: store::verify::GuardRow<'_>| match Rows::decode(&key, kept.body) {
                Ok(Row::Order(order)) => {
                    let state = format!("{:?}", order.state);
                    // What follows the name is when and with what number.
                    let name: String = state.chars().take_while(|letter| letter.is_alphanumeric()).collect();
                    bump(&mut ending.orders, name);
                }
                Ok(Row::Sale(sale)) => match sale.state {
                    SaleState::Paid => bump(&mut ending.sales, FROM_ACCOUNT),
                    SaleState::FromPurse | SaleState::ByBalance(None) => bump(&mut ending.sales, FROM_PURSE),
                    SaleState::Reversed | SaleState::CalledOff | SaleState::NotDebited => {
                        ending.without_money = ending.without_money.saturating_add(1);
                    }
                    SaleState::AwaitingPurse
                    | SaleState::Unconfirmed
                    | SaleState::Suspended(_)
                    | SaleState::ByBalance(Some(_))
                    | SaleState::Untold(_) => {
                        open.push(format!("a sale is still {:?}", sale.state));
                    }
                },
                Ok(Row::Case(_)) => ending.cases = ending.cases.saturating_add(1),
                Ok(_) => {}
                Err(fault) => open.push(format!("a row does not decode: {fault}")),
            };
            archive.guard_rows(Rows::table(&key), &mut each).map_err(Broken::of("reading rows"))?;
        }
        self.findings.append(&mut open);
        Ok(())
    }

    /// The book is whole, its rows stand in their lists, and its balances add up to nothing.
    fn verify(&mut self) -> Result<(), Broken> {
        let mut archive = self.campus.disk.archive()?;
        let mut report = store::verify::verify(school_id(), archive.as_mut(), &[], &mut |_| {});
        let places = |_: &str, key: &[u8], body: &[u8]| Rows::listings_of_stored(key, body);
        store::verify::verify_lists(archive.as_mut(), &places, &mut report, &mut |_| {});
        if !report.clean() {
            self.findings.push(format!("the book is not whole: {report}"));
        }
        let sum = ledger::Fen::sum(report.sums.values().copied());
        if sum.is_none_or(|sum| sum != ledger::Fen::ZERO) {
            self.findings.push(format!("the trial balance is {sum:?}"));
        }
        Ok(())
    }
}

impl Ending {
    fn card(&mut self, chip: &Chip) {
        self.purses.push(purse(chip));
        self.logs.push(chip.log().iter().map(|record| (record.kind, record.amount)).collect());
    }

    /// What differs from the untorn run, and by which of the differences that this flow allows; what else differs is an error.
    pub(crate) fn compare(&self, untorn: &Ending, allowed: &[Differs]) -> Result<Vec<Differs>, String> {
        let mut seen = Vec::new();
        let mut like = self.clone();
        if like.without_money > untorn.without_money && allowed.contains(&Differs::AskedAgain) {
            like.without_money = untorn.without_money;
            seen.push(Differs::AskedAgain);
        }
        if allowed.contains(&Differs::LoadsMerged) && self.merged(untorn) {
            like.anna_like(untorn);
            seen.push(Differs::LoadsMerged);
        }
        if allowed.contains(&Differs::FilledFirst) && self.filled_first(untorn) {
            like.anna_like(untorn);
            like.sales.clone_from(&untorn.sales);
            seen.push(Differs::FilledFirst);
        }
        if like == *untorn { Ok(seen) } else { Err(like.differences(untorn)) }
    }

    fn anna_like(&mut self, untorn: &Ending) {
        let anna = Which::Anna.place();
        if let (Some(to), Some(from)) = (self.purses.get_mut(anna), untorn.purses.get(anna)) {
            *to = *from;
        }
        if let (Some(to), Some(from)) = (self.logs.get_mut(anna), untorn.logs.get(anna)) {
            to.clone_from(from);
        }
    }

    /// What differs, part by part.
    fn differences(&self, untorn: &Ending) -> String {
        let parts = |ending: &Ending| {
            [
                ("purses (balance, loads, purchases, blocked)", format!("{:?}", ending.purses)),
                ("logs (kind, amount)", format!("{:?}", ending.logs)),
                ("accounts", format!("{:?}", ending.accounts)),
                ("orders", format!("{:?}", ending.orders)),
                ("sales", format!("{:?}", ending.sales)),
                ("sales without money", ending.without_money.to_string()),
                ("cases", ending.cases.to_string()),
            ]
        };
        let differ = parts(self).into_iter().zip(parts(untorn)).filter(|(ours, theirs)| ours != theirs);
        let lines = differ.map(|((name, ours), (_, theirs))| format!("{name}: {ours}, untorn {theirs}"));
        lines.collect::<Vec<String>>().join("; ")
    }

    /// The first card differs by two loads that became one.
    fn merged(&self, untorn: &Ending) -> bool {
        let (Some(ours), Some(theirs)) = (self.purses.first(), untorn.purses.first()) else { return false };
        let (Some([(kind, amount)]), Some([(late, second), (early, first)])) =
            (self.logs.first().map(Vec::as_slice), untorn.logs.first().map(Vec::as_slice))
        else {
            return false;
        };
        let one_less = ours.1.checked_add(1).map(|loads| (ours.0, loads, ours.2, ours.3)) == Some(*theirs);
        one_less && kind == late && kind == early && first.checked_add(*second) == Some(*amount)
    }

    /// The first card was filled by the price more, and paid it.
    fn filled_first(&self, untorn: &Ending) -> bool {
        let (Some(ours), Some(theirs)) = (self.purses.first(), untorn.purses.first()) else { return false };
        let (Some([(_, paid), (_, filled)]), Some([(_, calm)])) =
            (self.logs.first().map(Vec::as_slice), untorn.logs.first().map(Vec::as_slice))
        else {
            return false;
        };
        let one_purchase = theirs.2.checked_add(1).map(|m| (theirs.0, theirs.1, m, theirs.3)) == Some(*ours);
        let one_sale = self.sales.get(FROM_PURSE) == Some(&1) && untorn.sales.get(FROM_ACCOUNT) == Some(&1);
        one_purchase && one_sale && calm.checked_add(*paid) == Some(*filled)
    }
}
