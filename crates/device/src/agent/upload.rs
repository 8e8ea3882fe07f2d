//! Which record is sent next: taken-back requests first (M17), then the request that a person waits for, then the rest
//! in their order, each after the one it refers to. Everything is sent again, after a while and in each connection, until the platform answered it.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Micros;
use link::Record;

use crate::journal::State;

/// Records under way at a time, so that a long backlog does not fill the line.
const WINDOW: usize = 32;

/// What was sent and what was acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Upload {
    acknowledged: u64,
    /// Those among the unacknowledged that take a request back.
    reversals: BTreeSet<u64>,
    /// Not yet sent in this connection.
    unsent: BTreeSet<u64>,
    /// Sent in this connection and not answered, with the moment.
    unanswered: BTreeMap<u64, Micros>,
    /// Journal token that must be durable before the record may be sent.
    written_by: BTreeMap<u64, u64>,
}

impl Upload {
    /// A connection was greeted: whatever is not acknowledged goes out again, and `waited`, whose answer is missing here
    /// even if the platform has it.
    pub(super) fn connect(&mut self, book: &State, acknowledged: u64, waited: Option<u64>) {
        self.acknowledged = acknowledged;
        self.unanswered.clear();
        let open = || book.records().iter().filter(|(seq, _)| **seq > acknowledged);
        self.unsent = open().map(|(seq, _)| *seq).chain(waited).collect();
        self.reversals = open().filter(|(_, record)| takes_back(record)).map(|(seq, _)| *seq).collect();
    }

    /// A record was journalled under `token`.
    pub(super) fn add(&mut self, seq: u64, record: &Record, token: u64) {
        self.unsent.insert(seq);
        self.written_by.insert(seq, token);
        if takes_back(record) {
            self.reversals.insert(seq);
        }
    }

    /// The journal is durable up to `token`.
    pub(super) fn durable(&mut self, token: u64) {
        self.written_by.retain(|_, written_by| *written_by > token);
    }

    /// The platform answered a record.
    pub(super) fn answered(&mut self, seq: u64) {
        self.unanswered.remove(&seq);
        self.unsent.remove(&seq);
    }

    /// The platform acknowledged all records up to `through`.
    pub(super) fn acknowledge(&mut self, through: u64) {
        self.acknowledged = self.acknowledged.max(through);
        self.unsent.retain(|seq| *seq > through);
        self.unanswered.retain(|seq, _| *seq > through);
        self.reversals.retain(|seq| *seq > through);
    }

    /// Every record up to here is acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// When the oldest record without an answer was sent.
    pub(super) fn oldest_unanswered(&self) -> Option<Micros> {
        self.unanswered.values().min().copied()
    }

    /// The platform could not decide what was sent at or before `sent`: it is sent again.
    pub(super) fn resend(&mut self, sent: Micros) {
        self.unsent.extend(self.unanswered.iter().filter(|(_, at)| **at <= sent).map(|(seq, _)| *seq));
        self.unanswered.retain(|_, at| *at > sent);
    }

    /// The platform has not yet answered this record in this connection.
    fn open(&self, seq: u64) -> bool {
        self.unsent.contains(&seq) || self.unanswered.contains_key(&seq)
    }

    /// The next record to send, taken as sent `now`; `waited` is the one a person waits for.
    pub(super) fn next(&mut self, book: &State, waited: Option<u64>, now: Micros) -> Option<(u64, Record)> {
        let ready = |seq: &&u64| {
            let before = book.records().get(*seq).and_then(refers_to);
            self.unsent.contains(*seq) && !self.written_by.contains_key(*seq) && !before.is_some_and(|of| self.open(of))
        };
        let urgent = self.reversals.iter().find(ready).or_else(|| waited.as_ref().filter(ready));
        let seq = match urgent {
            Some(seq) => *seq,
            None if self.unanswered.len() >= WINDOW => return None,
            None => *self.unsent.iter().find(ready)?,
        };
        self.unsent.remove(&seq);
        let record = *book.records().get(&seq)?;
        self.unanswered.insert(seq, now);
        Some((seq, record))
    }
}

/// The record that the platform must have before this one says anything to it. A reversal waits for nothing: it also
/// stops a request that is still on its way.
fn refers_to(record: &Record) -> Option<u64> {
    match record {
        Record::Settle { of, .. } => Some(*of),
        Record::Sale(sale) => sale.authorised_by,
        Record::Authorise { .. } | Record::Reverse { .. } | Record::Gap { .. } => None,
    }
}

fn takes_back(record: &Record) -> bool {
    matches!(record, Record::Reverse { .. })
}
