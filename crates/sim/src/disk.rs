//! A terminal's disk: what is synced stays, what is not may be lost at a power cut, in the middle of a line too.

use std::collections::VecDeque;

use device::journal::{Entry, JournalFault, State};

use crate::rng::Rng;

enum Job {
    Append {
        token: u64,
        entry: Entry,
        line: String,
    },
    Forget {
        through: u64,
    },
    /// One record alone: a planted bug.
    Drop {
        seq: u64,
    },
}

/// The disk.
#[derive(Default)]
pub(crate) struct Disk {
    durable: Vec<u8>,
    waiting: VecDeque<Job>,
    pub(crate) flushing: bool,
}

/// What a power cut left.
pub(crate) struct Cut {
    /// Entries that stand on the disk although nobody was told.
    pub(crate) entries: Vec<Entry>,
    /// Entries that never were: nothing that depends on them happened.
    pub(crate) lost: Vec<Entry>,
    pub(crate) torn_line: bool,
}

impl Disk {
    /// A line to write.
    pub(crate) fn append(&mut self, token: u64, entry: Entry) {
        let line = entry.line().unwrap_or_default();
        self.waiting.push_back(Job::Append { token, entry, line });
    }

    /// Old records to drop.
    pub(crate) fn forget(&mut self, through: u64) {
        self.waiting.push_back(Job::Forget { through });
    }

    /// The planted bug forgets a record that was sent and not acknowledged.
    pub(crate) fn drop_record(&mut self, seq: u64) {
        self.waiting.push_back(Job::Drop { seq });
    }

    /// Writes all that waits. Gives what is durable now and the newest token.
    pub(crate) fn flush(&mut self) -> (Vec<Entry>, Option<u64>) {
        self.flushing = false;
        let (mut entries, mut newest) = (Vec::new(), None);
        for job in std::mem::take(&mut self.waiting) {
            match job {
                Job::Append { token, entry, line } => {
                    self.durable.extend_from_slice(line.as_bytes());
                    entries.push(entry);
                    newest = Some(token);
                }
                Job::Forget { through } => self.rewrite(|state| {
                    state.forget(through);
                    state.entries()
                }),
                Job::Drop { seq } => self.rewrite(|state| {
                    let mut entries = state.entries();
                    entries.retain(|entry| !matches!(entry, Entry::Record { seq: other, .. } if *other == seq));
                    entries
                }),
            }
        }
        (entries, newest)
    }

    fn rewrite(&mut self, shorter: impl FnOnce(&mut State) -> Vec<Entry>) {
        if let Ok((mut state, _)) = State::replay(&self.durable) {
            let lines: String = shorter(&mut state).iter().filter_map(|entry| entry.line().ok()).collect();
            self.durable = lines.into_bytes();
        }
    }

    /// The power goes: some of what waited may have reached the disk.
    pub(crate) fn power_cut(&mut self, rng: &mut Rng) -> Cut {
        self.flushing = false;
        let mut cut = Cut { entries: Vec::new(), lost: Vec::new(), torn_line: false };
        let mut writing = true;
        for job in std::mem::take(&mut self.waiting) {
            // A rewrite of the file begins anew and was not finished.
            let Job::Append { entry, line, .. } = job else {
                writing = false;
                continue;
            };
            if writing && rng.chance(500) {
                self.durable.extend_from_slice(line.as_bytes());
                cut.entries.push(entry);
                continue;
            }
            if writing {
                let part = rng.place(line.len());
                self.durable.extend_from_slice(line.as_bytes().get(..part).unwrap_or_default());
                cut.torn_line = part > 0;
            }
            writing = false;
            cut.lost.push(entry);
        }
        cut
    }

    /// Reads the journal; a torn last line is cut off.
    pub(crate) fn replay(&mut self) -> Result<State, JournalFault> {
        let (state, good) = State::replay(&self.durable)?;
        self.durable.truncate(good);
        Ok(state)
    }
}
