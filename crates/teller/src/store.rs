use ledger::{Account, AccountKey, Block, Digest, JournalRow, Micros, Pending, SchoolId};

use crate::Listing;

/// Where the book is kept. One store serves one school's engine; a second writer must find the store closed.
///
/// To write one: every method is synchronous and is called by one thread. `commit` is all or nothing, and durable when it
/// returns: a power cut after it loses nothing. No method waits for a client.
pub trait Store: Send {
    /// What was kept, for the engine to start from. Called once, first.
    ///
    /// Errors: [`StoreError`]; the engine then does not start.
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// The bodies of these rows, in the order asked; `None` for a row that does not exist. One read per table.
    fn load(&mut self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps a batch: journal rows, accounts, guard rows, lists and the block, in one transaction.
    ///
    /// Errors: [`CommitError`]; only `Unknown` leaves it open whether the batch was kept.
    /// Repeats: a batch whose block or journal sequence exists already is a `Constraint` error, so that a second writer
    /// never succeeds.
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), CommitError>;
}

/// A row by table and key bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawKey {
    /// Table, as [`crate::Schema::table`] names it.
    pub table: &'static str,
    /// Key within the table.
    pub key: Vec<u8>,
}

/// What a store kept.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Account rows, a checkpoint: correct up to `applied_seq`.
    pub accounts: Vec<(AccountKey, Account)>,
    /// Money set aside at `applied_seq`.
    pub pendings: Vec<(u64, Pending)>,
    /// The last journal row that the account rows contain; 0 for none.
    pub applied_seq: u64,
    /// The journal after `applied_seq`, in order.
    pub tail: Vec<JournalRow>,
    /// Number and link of the newest block; 0 and zeroes for none.
    pub block: (u64, Digest),
    /// Time of the newest block.
    pub at: Micros,
}

/// One guard row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWrite {
    /// Which row.
    pub at: RawKey,
    /// What it holds from now on; `None` deletes it.
    pub body: Option<Vec<u8>>,
    /// First half of its digest, stored beside it; all zero for a deleted row.
    pub digest: [u8; 16],
}

/// One batch to keep.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Whose.
    pub school: SchoolId,
    /// Journal rows, in sequence.
    pub journal: &'a [JournalRow],
    /// Accounts the batch changed, as they are after it.
    pub accounts: &'a [(AccountKey, Account)],
    /// Money set aside by this batch and still open.
    pub opened: &'a [(u64, Pending)],
    /// Sequences whose set-aside money this batch posted or voided.
    pub closed: &'a [u64],
    /// Guard rows the batch changed.
    pub rows: &'a [RowWrite],
    /// Places that rows leave in lists.
    pub unlist: &'a [Listing],
    /// Places that rows take in lists.
    pub enlist: &'a [Listing],
    /// The block that links it all.
    pub block: &'a Block,
    /// Every account row is right up to this sequence after the commit; a restart replays from the next one (M5).
    pub applied_seq: u64,
}

/// A store cannot do its work.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct StoreError {
    /// What was attempted.
    pub what: &'static str,
    /// What the engine underneath said.
    pub why: String,
}

/// Why a batch was not kept (M4).
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A unique key or a check failed: nothing was kept, one command of the batch is to blame.
    #[error("the batch breaks a rule of the database: {0}")]
    Constraint(String),
    /// No room: nothing was kept; it may work again when there is room.
    #[error("no room to keep the batch: {0}")]
    Full(String),
    /// It is not known whether it was kept: the process must end, recovery will tell.
    #[error("it is not known whether the batch was kept: {0}")]
    Unknown(String),
}
