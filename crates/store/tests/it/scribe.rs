//! Writes batches by hand, so that the contract can also hand in those that an engine never makes.

use ledger::{
    Account, AccountCode, AccountKey, Block, Bodies, Book, Digest, Fen, Id, JournalRow, Kind, Micros, Pending, Stage,
    Transfer, chain_link, row_digest,
};
use teller::{Checkpoint, Commit, CommitError, Listing, RawKey, RowWrite, Store};

use crate::place::school;

pub const BANK: AccountKey = AccountKey::new(AccountCode(1000), 0);

pub const fn holder(number: u128) -> AccountKey {
    AccountKey { code: AccountCode(2000), owner: number << 100 | number, part: 202_609 }
}

pub fn order(number: u32) -> RawKey {
    RawKey { table: "order", key: number.to_be_bytes().to_vec() }
}

pub fn tally(number: u32) -> RawKey {
    RawKey { table: "tally", key: number.to_be_bytes().to_vec() }
}

pub fn listing(list: &'static str, owner: &[u8], at: i64, key: &[u8]) -> Listing {
    Listing { list, owner: owner.to_vec(), at, key: key.to_vec() }
}

/// What a [`Commit`] is made of.
#[derive(Clone)]
pub struct Batch {
    pub journal: Vec<JournalRow>,
    pub accounts: Vec<(AccountKey, Account)>,
    pub opened: Vec<(u64, Pending)>,
    pub closed: Vec<u64>,
    pub rows: Vec<RowWrite>,
    pub unlist: Vec<Listing>,
    pub enlist: Vec<Listing>,
    pub block: Block,
    pub replay_from: u64,
}

impl Batch {
    pub fn commit_to(&self, store: &mut impl Store) -> Result<(), CommitError> {
        store.commit(&Commit {
            school: school(),
            journal: self.journal.clone(),
            bodies: Bodies::of(&self.journal),
            opened: self.opened.clone(),
            closed: self.closed.clone(),
            rows: self.rows.clone(),
            unlist: self.unlist.clone(),
            enlist: self.enlist.clone(),
            block: self.block.clone(),
            checkpoint: Checkpoint { accounts: self.accounts.clone(), replay_from: self.replay_from },
        })
    }

    /// The same with these guard rows written.
    pub fn with_rows(mut self, rows: Vec<(RawKey, Option<&[u8]>)>) -> Batch {
        for (at, body) in rows {
            let change = row_digest(at.table, &at.key, body);
            self.block.changes.push(change);
            self.rows.push(RowWrite { at, body: body.map(<[u8]>::to_vec), digest: change.content });
        }
        self
    }

    /// The same with these places taken and left.
    pub fn with_places(mut self, enlist: Vec<Listing>, unlist: Vec<Listing>) -> Batch {
        self.enlist.extend(enlist);
        self.unlist.extend(unlist);
        self
    }
}

/// Keeps the book that the batches make.
pub struct Scribe {
    pub book: Book,
    pub block: (u64, Digest),
    pub at: Micros,
}

impl Scribe {
    pub fn new() -> Scribe {
        Scribe { book: Book::new(), block: (0, [0; 32]), at: Micros::new(1_790_000_000_000_000) }
    }

    /// The next batch, with these transfers.
    pub fn batch(&mut self, transfers: &[(Stage, AccountKey, AccountKey, i64)]) -> Batch {
        self.at = self.at.after_seconds(1);
        let (mut journal, before) = (Vec::new(), self.book.mark());
        for (stage, debit, credit, fen) in transfers {
            let transfer = Transfer {
                id: Id::time_ordered(self.at, self.book.head().to_be_bytes()),
                debit: *debit,
                credit: *credit,
                amount: Fen::new(*fen),
                stage: *stage,
                effective_at: Micros::new(self.at.get() - 1_234),
                code: 515,
                reference: Id::new(u128::MAX - 5),
            };
            journal.push(self.book.post(&transfer, self.at).expect("the test posts what fits"));
        }
        let count = u32::try_from(journal.len()).expect("few");
        let block = Block {
            no: self.block.0 + 1,
            first_seq: self.book.head() + 1 - u64::from(count),
            rows: count,
            at: self.at,
            changes: Vec::new(),
            link: [0; 32],
        };
        let changed = self.book.changed(before);
        let batch = Batch {
            accounts: changed.into_iter().filter_map(|slot| self.book.accounts().at(slot)).copied().collect(),
            opened: journal
                .iter()
                .filter(|row| row.kind == Kind::Pend)
                .filter_map(|row| self.book.pending(row.seq).map(|pending| (row.seq, pending)))
                .collect(),
            closed: journal.iter().filter(|row| row.ref_seq > 0).map(|row| row.ref_seq).collect(),
            rows: Vec::new(),
            unlist: Vec::new(),
            enlist: Vec::new(),
            block,
            replay_from: self.book.head() + 1,
            journal,
        };
        self.book.settle_all();
        batch
    }

    /// Links the batch and commits it.
    pub fn commit(&mut self, store: &mut impl Store, mut batch: Batch) -> Result<(), CommitError> {
        batch.block.link = chain_link(school(), &self.block.1, &batch.block, &Bodies::of(&batch.journal));
        batch.commit_to(store)?;
        self.block = (batch.block.no, batch.block.link);
        Ok(())
    }

    /// A top-up of `fen` for a holder, committed.
    pub fn top_up(&mut self, store: &mut impl Store, number: u128, fen: i64) {
        let batch = self.batch(&[(Stage::Direct, BANK, holder(number), fen)]);
        self.commit(store, batch).expect("commits");
    }
}
