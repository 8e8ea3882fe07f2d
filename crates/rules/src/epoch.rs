//! Epochs: a book that was restored from a backup goes on under a new number (M9).
//!
//! What happened after the backup is gone from the book and still true outside it: cards took loads, terminals made sales,
//! orders were paid. So in a later epoch some contradictions are explained by the restore, and become cases where they
//! would otherwise stop a card.

use ledger::Micros;

/// The newest restore of a book. A book that was never restored has none and is in epoch [`Epoch::FIRST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number: 2 after the first restore.
    pub number: u64,
    /// When it began.
    pub since: Micros,
    /// Every order that was open in the backup was asked about at its provider; new ones are taken.
    pub orders_asked: bool,
}

impl Epoch {
    /// The epoch of a book that was never restored.
    pub const FIRST: u64 = 1;

    /// The number of the epoch that a book is in.
    pub fn number_of(newest: Option<&Epoch>) -> u64 {
        newest.map_or(Epoch::FIRST, |epoch| epoch.number)
    }
}
