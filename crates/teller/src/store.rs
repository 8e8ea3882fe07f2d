use ledger::{Account, AccountKey, Block, Bodies, Digest, JournalRow, Micros, Pending, SchoolId};

use crate::Listing;

/// Where the book is kept. One store serves one school's engine; a second writer must find the store closed.
///
/// To write one: every method is synchronous. `load` and `commit` may be called at the same time, each by one thread;
/// `load` then shows what was committed before, or with it. `commit` is all or nothing, and durable when it returns: a
/// power cut after it loses nothing. No method waits for a client.
pub trait Store: Send + Sync {
    /// What was kept, for the engine to start from. Called once, first.
    ///
    /// Errors: [`StoreError`]; the engine then does not start.
    fn recover(&self) -> Result<Recovered, StoreError>;

    /// The bodies of these rows, in the order asked; `None` for a row that does not exist. One read per table.
    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps a batch: journal rows, guard rows, lists, the block, and some account rows, in one transaction.
    ///
    /// Errors: [`CommitError`]; only `Unknown` leaves it open whether the batch was kept.
    /// Repeats: a batch whose block or journal sequence exists already is a `Fenced` error, so that a second writer never
    /// succeeds.
    fn commit(&self, commit: &Commit) -> Result<(), CommitError>;

    /// Keeps account rows alone, when nothing is under way: a start need not replay what they contain.
    ///
    /// Errors: [`CommitError`], as for a batch. Repeats: change nothing.
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError>;
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
    /// Account rows, a checkpoint: each contains every journal row up to its own `last_seq`, and some lack rows from
    /// `replay_from` on.
    pub accounts: Vec<(AccountKey, Account)>,
    /// Money set aside before row `replay_from`: also what rows from there on posted or voided.
    pub pendings: Vec<(u64, Pending)>,
    /// Money set aside after the last row, as it was kept.
    pub open: Vec<(u64, Pending)>,
    /// The first journal row that an account row may lack, at least 1.
    pub replay_from: u64,
    /// The journal from `replay_from` on, in order.
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

/// Account rows to write, and from where on a start must replay when they are kept (M5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Accounts as they are after the newest journal row.
    pub accounts: Vec<(AccountKey, Account)>,
    /// Every row before this one is in every account row.
    pub replay_from: u64,
}

/// One batch to keep.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Whose.
    pub school: SchoolId,
    /// Journal rows, in sequence.
    pub journal: Vec<JournalRow>,
    /// Their stored forms.
    pub bodies: Bodies,
    /// Money set aside by this batch and still open.
    pub opened: Vec<(u64, Pending)>,
    /// Sequences whose set-aside money this batch posted or voided.
    pub closed: Vec<u64>,
    /// Guard rows the batch changed.
    pub rows: Vec<RowWrite>,
    /// Places that rows leave in lists.
    pub unlist: Vec<Listing>,
    /// Places that rows take in lists.
    pub enlist: Vec<Listing>,
    /// The block that links it all.
    pub block: Block,
    /// Some account rows, so that a start never has much to replay.
    pub checkpoint: Checkpoint,
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A unique key or a check failed: nothing was kept, one command of the batch is to blame.
    #[error("the batch breaks a rule of the database: {0}")]
    Constraint(String),
    /// No room: nothing was kept; it may work again when there is room.
    #[error("no room to keep the batch: {0}")]
    Full(String),
    /// The store is held by someone else for the moment: nothing was kept; it may work again at once.
    #[error("the store is in use: {0}")]
    Busy(String),
    /// Another writer has gone on with this book: nothing was kept, and this engine must step down.
    #[error("another process writes this book, so this one stops: {0}")]
    Fenced(String),
    /// It is not known whether it was kept: the process must end, recovery will tell.
    #[error("it is not known whether the batch was kept: {0}")]
    Unknown(String),
}
