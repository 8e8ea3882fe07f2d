use std::sync::{Arc, PoisonError, RwLock};

use ledger::{Account, AccountKey, Accounts};

/// The balances as of the last commit, for pages to read. Never shows what is not durable.
#[derive(Clone, Default)]
pub struct Balances(Arc<RwLock<Accounts>>);

impl Balances {
    /// The balances of accounts that are kept, as they are now.
    pub(crate) fn of(kept: &Accounts) -> Balances {
        Balances(Arc::new(RwLock::new(kept.clone())))
    }

    /// The account's sums; all 0 when it was never used.
    pub fn account(&self, key: &AccountKey) -> Account {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    /// The sums of these accounts as of one commit, in the order asked; all 0 for one that was never used.
    pub fn accounts(&self, keys: &[AccountKey]) -> Vec<Account> {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| accounts.get(key)).collect()
    }

    pub(crate) fn set(&self, changed: &[(AccountKey, Account)]) {
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, account) in changed {
            let slot = accounts.place(key);
            accounts.set(slot, *account);
        }
    }
}
