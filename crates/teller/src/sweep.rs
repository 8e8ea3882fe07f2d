use ledger::{Book, Slot};

use crate::{Checkpoint, Limits};

/// Goes round the accounts, a few with every batch, and writes those that changed: so a start has little to replay, no
/// batch pays for all the accounts that it touched, and rows that lie side by side are written together.
///
/// Every row before `replay_from` is in every account row that is kept. Source: M5.
pub(crate) struct Sweep {
    /// By slot: its kept row lacks something.
    dirty: Vec<bool>,
    next: usize,
    /// The round contains every row before this one when it is through.
    began: u64,
    replay_from: u64,
    /// The same, as of the last batch that was kept.
    durable: u64,
    /// Slots written by batches that are not known to be kept.
    unsettled: Vec<Slot>,
    /// Rows that a start may have to replay.
    tail: u64,
    /// Account rows that a large batch writes when it need not write more.
    usual: u64,
    /// Journal rows of batches that wrote no account rows, since the last that did.
    put_off: u64,
}

/// A batch with fewer journal rows than this leaves account rows to a later one, so that a single payment syncs as few
/// pages as it can: account rows lie all over the file, and every start can replay so few rows.
const TOO_FEW: u64 = 64;

impl Sweep {
    /// After a start: accounts that the tail touched are written again.
    pub(crate) fn new(book: &Book, replay_from: u64, limits: &Limits) -> Sweep {
        let accounts = book.accounts();
        let lacks = |number: usize| {
            let account = accounts.slot(number).and_then(|slot| accounts.at(slot));
            account.is_some_and(|(_, account)| account.last_seq >= replay_from)
        };
        Sweep {
            dirty: (0..accounts.len()).map(lacks).collect(),
            next: 0,
            began: book.head().saturating_add(1),
            replay_from,
            durable: replay_from,
            unsettled: Vec::new(),
            tail: limits.tail.max(2),
            usual: limits.sweep.max(1),
            put_off: 0,
        }
    }

    /// These accounts changed.
    pub(crate) fn soil(&mut self, slots: &[Slot]) {
        for slot in slots {
            let number = slot.number();
            if number >= self.dirty.len() {
                self.dirty.resize(number.saturating_add(1), false);
            }
            if let Some(dirty) = self.dirty.get_mut(number) {
                *dirty = true;
            }
        }
    }

    /// What a batch of `rows` journal rows writes. The book is as it will be after that batch.
    pub(crate) fn choose(&mut self, book: &Book, rows: u64) -> Checkpoint {
        let rows = self.put_off.saturating_add(rows);
        if rows < TOO_FEW && self.rows_left(book) > TOO_FEW {
            self.put_off = rows;
            return Checkpoint { replay_from: self.replay_from, ..Checkpoint::default() };
        }
        self.put_off = 0;
        let most = self.budget(book, rows);
        let mut checkpoint = self.write(book, most, rows.saturating_mul(64).max(4096));
        checkpoint.replay_from = self.replay_from;
        checkpoint
    }

    /// What is left to write, all of it. The book is as it was kept.
    pub(crate) fn all(&mut self, book: &Book) -> Checkpoint {
        (self.next, self.began) = (0, book.head().saturating_add(1));
        let mut checkpoint = self.write(book, u64::MAX, u64::MAX);
        checkpoint.replay_from = self.replay_from;
        checkpoint
    }

    /// How many accounts: a few, and more when the round would else not be through in half of the tail.
    fn budget(&self, book: &Book, rows: u64) -> u64 {
        let left = u64::try_from(self.dirty.len().saturating_sub(self.next)).unwrap_or(u64::MAX);
        let needed = left.saturating_mul(rows).checked_div(self.rows_left(book)).unwrap_or(left).saturating_add(1);
        rows.saturating_mul(4).min(self.usual).max(needed)
    }

    /// Journal rows until the round must be through. Also when rounds are begun anew, after failures and starts, the tail
    /// has its bound.
    fn rows_left(&self, book: &Book) -> u64 {
        let deadline = self.began.saturating_add(self.tail / 2).min(self.replay_from.saturating_add(self.tail));
        deadline.saturating_sub(book.head()).max(1)
    }

    fn write(&mut self, book: &Book, most: u64, most_looked_at: u64) -> Checkpoint {
        let accounts = book.accounts();
        let mut checkpoint = Checkpoint::default();
        let (mut written, mut looked_at) = (0_u64, 0_u64);
        while written < most && looked_at < most_looked_at {
            let Some(dirty) = self.dirty.get_mut(self.next) else {
                // The round is through.
                self.replay_from = self.began;
                (self.next, self.began) = (0, book.head().saturating_add(1));
                break;
            };
            looked_at = looked_at.saturating_add(1);
            if std::mem::take(dirty)
                && let Some(slot) = accounts.slot(self.next)
                && let Some(kept) = accounts.at(slot).filter(|(_, account)| account.last_seq > 0)
            {
                checkpoint.accounts.push(*kept);
                self.unsettled.push(slot);
                written = written.saturating_add(1);
            }
            self.next = self.next.saturating_add(1);
        }
        checkpoint
    }

    /// Batches up to one that wrote `checkpoint` are kept.
    pub(crate) fn kept(&mut self, checkpoint: &Checkpoint) {
        self.durable = checkpoint.replay_from;
        self.unsettled.drain(..checkpoint.accounts.len().min(self.unsettled.len()));
    }

    /// No batch since the last kept one was kept: what they wrote is to be written again. The book is as it was kept.
    pub(crate) fn forget(&mut self, book: &Book) {
        let lost = std::mem::take(&mut self.unsettled);
        self.soil(&lost);
        self.replay_from = self.durable;
        (self.next, self.began) = (0, book.head().saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use ledger::{AccountCode, AccountKey, Fen, Id, Micros, Stage, Transfer};

    use super::*;

    const BANK: AccountKey = AccountKey::new(AccountCode(1000), 0);

    const fn holder(number: usize) -> AccountKey {
        AccountKey { code: AccountCode(2000), owner: 1, part: number as u32 }
    }

    /// The bank has paid 1.00 to each of so many holders: one account more than that, each in its own place.
    fn book(holders: usize) -> Book {
        let mut book = Book::new();
        for number in 1..=holders {
            pay(&mut book, number);
        }
        book
    }

    fn pay(book: &mut Book, number: usize) {
        let transfer = Transfer {
            id: Id::new(1),
            debit: BANK,
            credit: holder(number),
            amount: Fen::new(100),
            stage: Stage::Direct,
            effective_at: Micros::new(0),
            code: 1,
            reference: Id::new(0),
        };
        book.post(&transfer, Micros::new(0)).expect("the bank always has enough");
    }

    fn soiled(book: &Book, tail: u64, usual: u64) -> Sweep {
        let mut sweep = Sweep::new(&Book::new(), 1, &Limits { tail, sweep: usual, ..Limits::default() });
        sweep.soil(&book.changed(Book::new().mark()));
        sweep
    }

    /// Places of the accounts that a checkpoint writes, and from where on it lets a start replay.
    fn places(checkpoint: &Checkpoint, book: &Book) -> (Vec<usize>, u64) {
        let place = |key| book.accounts().find(key).expect("has a place").number();
        (checkpoint.accounts.iter().map(|(key, _)| place(key)).collect(), checkpoint.replay_from)
    }

    #[test]
    fn m5_a_round_writes_each_account_once_a_few_with_every_batch_and_then_less_need_be_replayed() {
        let mut book = book(9);
        let mut sweep = soiled(&book, 1_000_000, 4);
        let mut choose = |book: &Book| places(&sweep.choose(book, 64), book);
        assert_eq!(choose(&book), (vec![0, 1, 2, 3], 1));
        assert_eq!(choose(&book), (vec![4, 5, 6, 7], 1));
        pay(&mut book, 5);
        assert_eq!(choose(&book), (vec![8, 9], 1), "the round is through: it began before row 1");
        // Nothing is dirty: the next round is through at once, and began after row 10.
        assert_eq!(choose(&book), (vec![], 11));
        pay(&mut book, 5);
        sweep.soil(&book.changed(Book::new().mark()));
        let kept = sweep.choose(&book, 64);
        assert_eq!(kept.accounts.first(), Some(&(BANK, book.account(&BANK))), "as it is after the newest row");
    }

    #[test]
    fn m5_a_batch_writes_as_many_accounts_as_its_size_and_the_rest_of_the_tail_ask_for() {
        let table = [
            ("a small batch: none", 1_000_000, 256, 63, 0),
            // 300 accounts and 60 rows are left of the round: five for each of its rows, and one.
            ("a small batch when few rows are left of the round: its share", 716, 256, 10, 51),
            ("a large batch: four for each of its rows", 1_000_000, 1_000, 64, 256),
            ("no more than usual", 1_000_000, 16, 64, 16),
            ("all, as half of the tail is over", 200, 16, 10, 300),
            // 300 accounts and 150 rows are left of the round: two for each of its rows, and one.
            ("as many as bring the round through in half of the tail", 896, 4, 70, 141),
        ];
        let book = book(299);
        for (what, tail, usual, rows, wanted) in table {
            let mut sweep = soiled(&book, tail, usual);
            assert_eq!(sweep.choose(&book, rows).accounts.len(), wanted, "{what}");
        }
    }

    #[test]
    fn m5_single_payments_write_no_account_rows_until_so_many_came_that_they_make_a_large_batch() {
        let book = book(9);
        let mut sweep = soiled(&book, 1_000_000, 256);
        let written: Vec<_> = (0..130).map(|_| sweep.choose(&book, 1).accounts.len()).collect();
        let expected: Vec<_> = (1..=130).map(|batch| if batch == 64 { 10 } else { 0 }).collect();
        assert_eq!(written, expected, "after the 64th all are written, and nothing changed since");
        sweep.soil(&book.changed(Book::new().mark()));
        assert_eq!(sweep.choose(&book, 61).accounts.len(), 0, "63 rows since the last time");
        assert_eq!(sweep.choose(&book, 1).accounts.len(), 10, "64 rows");
    }

    #[test]
    fn m5_a_batch_looks_at_no_more_accounts_than_it_has_time_for() {
        for (rows, looked_at) in [(64, 4_096), (65, 65 * 64)] {
            let book = book(looked_at - 1);
            let mut sweep = Sweep::new(&book, book.head() + 1, &Limits::default());
            let begun = sweep.replay_from;
            assert_eq!(places(&sweep.choose(&book, rows), &book), (vec![], begun));
            assert_eq!(sweep.next, looked_at, "{rows} rows: all were looked at, and the round is not through");
            let book = self::book(looked_at);
            sweep.soil(&book.accounts().slot(looked_at).into_iter().collect::<Vec<_>>());
            assert_eq!(
                places(&sweep.choose(&book, rows), &book),
                (vec![looked_at], begun),
                "and the next goes on there"
            );
        }
    }

    #[test]
    fn m5_what_a_lost_batch_wrote_is_written_again_and_what_it_made_is_forgotten() {
        let mut book = book(3);
        let mut sweep = soiled(&book, 1_000_000, 256);
        let first = sweep.choose(&book, 64);
        assert_eq!(places(&first, &book), (vec![0, 1, 2, 3], 1));
        sweep.kept(&first);
        book.settle_all();
        pay(&mut book, 4);
        sweep.soil(&book.changed(book.mark()));
        sweep.soil(&[0, 4].map(|number| book.accounts().slot(number).expect("a place")));
        assert_eq!(places(&sweep.choose(&book, 64), &book), (vec![0, 4], 4), "a second round began after row 3");
        book.rollback_all();
        sweep.forget(&book);
        let again = sweep.choose(&book, 64);
        assert_eq!(places(&again, &book), (vec![0], 4), "nobody was paid in the fourth place");
        sweep.kept(&again);
        assert_eq!(places(&sweep.all(&book), &book), (vec![], 4));
    }
}
