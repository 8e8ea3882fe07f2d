use crate::{Account, AccountKey};

/// An account's place in [`Accounts`]: it keeps it as long as they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Number of the place: 0, 1, 2, in the order in which accounts were first named.
    pub fn number(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Accounts by their keys. Found in one or two memory accesses, however many there are.
///
/// Determinism: places come from the order of calls alone; nothing depends on where in the table a key happens to lie.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    kept: Vec<(AccountKey, Account)>,
    /// A slot's number and one more, or 0; as many as a power of two, at most half of them taken.
    table: Vec<u32>,
}

/// Spreads a key over 64 bits. Keys are made by the school, not by those who might wish them to collide.
fn spread(key: &AccountKey) -> u64 {
    let low = u64::try_from(key.owner & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(key.owner >> 64).unwrap_or(0);
    let rest = (u64::from(key.code.0) << 32) | u64::from(key.part);
    let mixed = (low ^ high.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ rest;
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}

impl Accounts {
    /// None yet.
    pub fn new() -> Accounts {
        Accounts::default()
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// No place is taken.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Where the search for `key` ends: the place in the table, and the slot when it is there.
    fn look(&self, key: &AccountKey) -> (usize, Option<Slot>) {
        let mask = self.table.len().wrapping_sub(1);
        let mut at = usize::try_from(spread(key)).unwrap_or(0) & mask;
        loop {
            match self.table.get(at) {
                None | Some(0) => return (at, None),
                Some(number) => {
                    let slot = Slot(number.wrapping_sub(1));
                    if self.kept.get(slot.number()).is_some_and(|(other, _)| other == key) {
                        return (at, Some(slot));
                    }
                }
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    /// The account's place, if it was ever named.
    pub fn find(&self, key: &AccountKey) -> Option<Slot> {
        self.look(key).1
    }

    /// The account's place; an account that was never named gets the next one, with all sums 0.
    pub fn place(&mut self, key: &AccountKey) -> Slot {
        if self.table.len() < self.kept.len().saturating_add(1).saturating_mul(2) {
            self.grow();
        }
        let (at, found) = self.look(key);
        if let Some(slot) = found {
            return slot;
        }
        // Four thousand million accounts do not fit into a machine's memory.
        let number = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        self.kept.push((*key, Account::default()));
        if let Some(place) = self.table.get_mut(at) {
            *place = number.wrapping_add(1);
        }
        Slot(number)
    }

    /// The accounts of a list that was kept, in its order; of a key that stands there again, the last counts.
    pub fn of(kept: Vec<(AccountKey, Account)>) -> Accounts {
        let rising = kept.is_sorted_by(|left, right| left.0 < right.0);
        if !rising {
            let mut accounts = Accounts::new();
            for (key, account) in kept {
                let slot = accounts.place(&key);
                accounts.set(slot, account);
            }
            return accounts;
        }
        let size = kept.len().saturating_add(1).saturating_mul(2).next_power_of_two();
        let mut accounts = Accounts { kept, table: Vec::new() };
        accounts.spread_over(size);
        accounts
    }

    fn grow(&mut self) {
        self.spread_over(self.table.len().saturating_mul(2).max(16));
    }

    fn spread_over(&mut self, size: usize) {
        self.table = vec![0; size];
        for number in 0..self.kept.len() {
            let Some((key, _)) = self.kept.get(number) else { continue };
            let mask = size.wrapping_sub(1);
            let mut at = usize::try_from(spread(key)).unwrap_or(0) & mask;
            while self.table.get(at).is_some_and(|taken| *taken != 0) {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(place) = self.table.get_mut(at) {
                *place = u32::try_from(number).unwrap_or(u32::MAX).wrapping_add(1);
            }
        }
    }

    /// Key and sums at `slot`; `None` for a place of other accounts.
    pub fn at(&self, slot: Slot) -> Option<&(AccountKey, Account)> {
        self.kept.get(slot.number())
    }

    /// The place with this number, if it is taken.
    pub fn slot(&self, number: usize) -> Option<Slot> {
        self.kept.get(number).and_then(|_| u32::try_from(number).ok()).map(Slot)
    }

    /// The account's sums; all 0 when it was never named.
    pub fn get(&self, key: &AccountKey) -> Account {
        self.find(key).and_then(|slot| self.at(slot)).map(|(_, account)| *account).unwrap_or_default()
    }

    /// Puts other sums at `slot` and gives the old ones.
    pub fn set(&mut self, slot: Slot, account: Account) -> Account {
        match self.kept.get_mut(slot.number()) {
            Some((_, kept)) => std::mem::replace(kept, account),
            None => account,
        }
    }

    /// Every account that was ever used, in the order of keys.
    pub fn sorted(&self) -> Vec<(&AccountKey, &Account)> {
        let used = self.kept.iter().filter(|(_, account)| *account != Account::default());
        let mut all: Vec<_> = used.map(|(key, account)| (key, account)).collect();
        all.sort_unstable_by_key(|(key, _)| **key);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{AccountCode, Fen};

    #[test]
    fn thousands_of_like_keys_are_each_found_in_their_own_place() {
        let (mut accounts, mut model) = (Accounts::new(), BTreeMap::new());
        let mut state = 7_u64;
        for round in 0..20_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let owner = u128::from(state >> 51) << (if state & 1 == 0 { 0 } else { 100 });
            let key = AccountKey { code: AccountCode(2000), owner, part: u32::from(state & 2 != 0) };
            assert_eq!(accounts.find(&key).is_some(), model.contains_key(&key));
            let slot = accounts.place(&key);
            assert_eq!((accounts.find(&key), accounts.place(&key)), (Some(slot), slot));
            let sums = Account { last_seq: round + 1, credits_posted: Fen::new(3), ..Account::default() };
            assert_eq!(accounts.set(slot, sums), model.insert(key, sums).unwrap_or_default());
        }
        assert_eq!(accounts.len(), model.len());
        assert!(model.iter().all(|(key, sums)| accounts.get(key) == *sums));
        assert_eq!(accounts.sorted(), model.iter().collect::<Vec<_>>());
        let numbers = (0..accounts.len()).filter_map(|number| accounts.slot(number)).map(Slot::number);
        assert!(numbers.eq(0..accounts.len()));
        assert_eq!(accounts.slot(accounts.len()), None);
    }

    #[test]
    fn an_account_that_was_named_but_never_used_has_a_place_and_no_line() {
        let mut accounts = Accounts::new();
        let [named, used, other] = [1, 2, 3].map(|owner| AccountKey::new(AccountCode(2000), owner));
        assert!(accounts.is_empty());
        let (first, second) = (accounts.place(&named), accounts.place(&used));
        assert_eq!((first.number(), second.number(), accounts.len()), (0, 1, 2));
        assert!(!accounts.is_empty());
        let sums = Account { last_seq: 1, ..Account::default() };
        assert_eq!(accounts.set(second, sums), Account::default());
        assert_eq!(
            (accounts.at(first), accounts.at(second)),
            (Some(&(named, Account::default())), Some(&(used, sums)))
        );
        assert_eq!(accounts.sorted(), [(&used, &sums)]);
        assert_eq!((accounts.find(&other), accounts.get(&other)), (None, Account::default()));
        let none = Accounts::new();
        assert_eq!((none.at(second), none.find(&used), none.slot(0)), (None, None, None));
    }
}
