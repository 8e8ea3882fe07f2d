//! The terminal's journal: what it may not forget across a power cut, as lines of text, and the state they add up to.
//!
//! A line is the CRC-32 of its text, a blank and the text. Lines are only appended; a torn last line was never reported
//! as written, so nothing depends on it and it is dropped. The state is the same whether it was kept in memory or read
//! back: both go through [`State::apply`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use link::{DebitEvidence, FrameFault, PurseSale, Record};
use rules::calendar::CampusDay;

mod takings;

pub use takings::{AUTHORISE_MICROS, DayTotal, LastSale, Outcome};

/// One thing the terminal may not forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record under its number; kept until the platform acknowledged it.
    Record {
        /// Number of the record.
        seq: u64,
        /// What happened.
        record: Record,
    },
    /// The answer to the authorisation `seq` was final and is acted upon: it needs no reversal after a restart (M17).
    Closed {
        /// Number of the authorisation.
        seq: u64,
        /// Paid; else refused.
        paid: bool,
    },
    /// The purse is about to be debited: DEBIT goes out only when this is durable. Evidence is `Unconfirmed`.
    /// A [`Record::Sale`] or a [`Record::Gap`] with the same TSN ends it.
    Intent(PurseSale),
    /// Stands first in a journal that was shortened: the highest numbers ever used.
    Base {
        /// Highest record number.
        last_seq: u64,
        /// Highest number of the purchase module.
        last_tsn: Option<u32>,
    },
    /// Stands in a journal that was shortened: paid sales of the newest day whose records are gone.
    Total(DayTotal),
}

/// Why a journal cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalFault {
    /// A line before the last is damaged: money may depend on it, so a person must look.
    #[error("line {0} of the terminal's journal is damaged; keep the file and call the device manager")]
    Damaged(usize),
}

/// What a journal adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    records: BTreeMap<u64, Record>,
    closed: BTreeMap<u64, bool>,
    intents: Vec<PurseSale>,
    last_seq: u64,
    last_tsn: Option<u32>,
    /// Paid sales of the newest day, those included whose records are gone.
    counted: DayTotal,
}

impl Entry {
    /// The line, with its end.
    ///
    /// Errors: `TooLong` or `Malformed` for a record that has no frame; none of the present kinds is such.
    pub fn line(&self) -> Result<String, FrameFault> {
        let text = match self {
            Entry::Record { seq, record } => format!("R {seq} {}", hex(&link::encode(record)?)),
            Entry::Closed { seq, paid: true } => format!("C {seq} paid"),
            Entry::Closed { seq, paid: false } => format!("C {seq} refused"),
            Entry::Intent(sale) => format!("I {}", hex(&link::encode(&Record::Sale(*sale))?)),
            Entry::Base { last_seq, last_tsn: Some(tsn) } => format!("B {last_seq} {tsn}"),
            Entry::Base { last_seq, last_tsn: None } => format!("B {last_seq} -"),
            Entry::Total(DayTotal { day, count, fen }) => format!("T {} {count} {fen}", day.0),
        };
        Ok(format!("{:08x} {text}\n", crc32(text.as_bytes())))
    }

    /// Reads a line without its end; `None` when it is damaged.
    fn parse(line: &str) -> Option<Entry> {
        let (sum, text) = line.split_once(' ')?;
        if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != crc32(text.as_bytes()) {
            return None;
        }
        let mut words = text.split(' ');
        let (kind, first, second) = (words.next()?, words.next()?, words.next());
        let entry = match (kind, first, second) {
            ("R", seq, Some(body)) => {
                Entry::Record { seq: seq.parse().ok()?, record: link::decode(&bytes(body)?).ok()? }
            }
            ("C", seq, Some("paid")) => Entry::Closed { seq: seq.parse().ok()?, paid: true },
            ("C", seq, Some("refused")) => Entry::Closed { seq: seq.parse().ok()?, paid: false },
            ("I", body, None) => match link::decode(&bytes(body)?).ok()? {
                Record::Sale(sale) => Entry::Intent(sale),
                _ => return None,
            },
            ("B", seq, Some("-")) => Entry::Base { last_seq: seq.parse().ok()?, last_tsn: None },
            ("B", seq, Some(tsn)) => Entry::Base { last_seq: seq.parse().ok()?, last_tsn: Some(tsn.parse().ok()?) },
            ("T", day, Some(count)) => Entry::Total(DayTotal {
                day: CampusDay(day.parse().ok()?),
                count: count.parse().ok()?,
                fen: words.next()?.parse().ok()?,
            }),
            _ => return None,
        };
        words.next().is_none().then_some(entry)
    }
}

impl State {
    /// Reads a journal. Gives the state and how many bytes of it are good: what comes after is a torn last line.
    ///
    /// Errors: `Damaged` with the number of the line, counted from 1.
    pub fn replay(journal: &[u8]) -> Result<(State, usize), JournalFault> {
        let mut state = State::default();
        let mut good = 0_usize;
        let mut lines = journal.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((place, bytes)) = lines.next() {
            let entry =
                bytes.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()).and_then(Entry::parse);
            match entry {
                Some(entry) => {
                    state.apply(&entry);
                    good = good.saturating_add(bytes.len());
                }
                None if lines.peek().is_none() => break,
                None => return Err(JournalFault::Damaged(place.saturating_add(1))),
            }
        }
        Ok((state, good))
    }

    /// Adds one entry.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Record { seq, record } => {
                self.last_seq = self.last_seq.max(*seq);
                if let Record::Sale(PurseSale { tsn, .. }) | Record::Gap { tsn } = record {
                    self.intents.retain(|intent| intent.tsn != *tsn);
                    self.used_tsn(*tsn);
                }
                if self.records.insert(*seq, *record).is_none() {
                    self.count_record(*seq, record);
                }
            }
            Entry::Closed { seq, paid } => {
                if self.closed.insert(*seq, *paid).is_none() && *paid {
                    self.count_closed(*seq);
                }
            }
            Entry::Intent(sale) => {
                self.used_tsn(sale.tsn);
                self.intents.push(*sale);
            }
            Entry::Base { last_seq, last_tsn } => {
                self.last_seq = self.last_seq.max(*last_seq);
                self.last_tsn = self.last_tsn.max(*last_tsn);
            }
            Entry::Total(total) => self.counted = *total,
        }
    }

    fn used_tsn(&mut self, tsn: u32) {
        self.last_tsn = self.last_tsn.max(Some(tsn));
    }

    /// Drops what belongs to acknowledged records up to `through`; the highest numbers stay known.
    pub fn forget(&mut self, through: u64) {
        self.records.retain(|seq, _| *seq > through);
        self.closed.retain(|seq, _| *seq > through);
    }

    /// The shortest journal with this state.
    pub fn entries(&self) -> Vec<Entry> {
        let base = Entry::Base { last_seq: self.last_seq, last_tsn: self.last_tsn };
        let records = self.records.iter().map(|(seq, record)| Entry::Record { seq: *seq, record: *record });
        let closed = self.closed.iter().map(|(seq, paid)| Entry::Closed { seq: *seq, paid: *paid });
        let intents = self.intents.iter().copied().map(Entry::Intent);
        let rest: Vec<Entry> = records.chain(closed).chain(intents).collect();
        let mut kept = State::default();
        rest.iter().for_each(|entry| kept.apply(entry));
        // What the records below add up to comes back by itself.
        let gone = self.counted.without(kept.counted);
        [base, Entry::Total(gone)].into_iter().chain(rest).collect()
    }

    /// Records that are kept, by number.
    pub fn records(&self) -> &BTreeMap<u64, Record> {
        &self.records
    }

    /// Debits that may have happened and of which nothing was recorded, oldest first.
    pub fn intents(&self) -> &[PurseSale] {
        &self.intents
    }

    /// Highest record number ever used; 0 for none.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Highest number of the purchase module that is accounted for. A purchase module in software starts above it.
    pub fn last_tsn(&self) -> Option<u32> {
        self.last_tsn
    }

    /// Raises the highest number to what the platform knows (M19).
    pub fn continue_above(&mut self, last_seq: u64) {
        self.last_seq = self.last_seq.max(last_seq);
    }

    /// Authorisations of which nobody here knows how they ended: after a restart each is reversed before any other
    /// payment (M17).
    pub fn open_authorisations(&self) -> Vec<u64> {
        let ended = |seq: &u64| {
            self.closed.contains_key(seq)
                || self.intents.iter().any(|intent| intent.authorised_by == Some(*seq))
                || self.records.values().any(|record| match record {
                    Record::Reverse { of } => of == seq,
                    Record::Sale(sale) => sale.authorised_by == Some(*seq),
                    Record::Authorise { .. } | Record::Settle { .. } | Record::Gap { .. } => false,
                })
        };
        let asked = self.records.iter().filter(|(_, record)| matches!(record, Record::Authorise { .. }));
        asked.map(|(seq, _)| *seq).filter(|seq| !ended(seq)).collect()
    }

    /// The answer to this authorisation was that it is paid.
    pub fn was_paid(&self, seq: u64) -> bool {
        self.closed.get(&seq) == Some(&true)
    }

    /// Sales recorded as unconfirmed that no later evidence settled, by the number of their record.
    pub fn unsettled(&self) -> BTreeMap<u64, PurseSale> {
        let settled =
            |seq: &u64| self.records.values().any(|record| matches!(record, Record::Settle { of, .. } if of == seq));
        self.records
            .iter()
            .filter_map(|(seq, record)| match record {
                Record::Sale(sale) if sale.evidence == DebitEvidence::Unconfirmed => Some((*seq, *sale)),
                _ => None,
            })
            .filter(|(seq, _)| !settled(seq))
            .collect()
    }

    /// Amount in fen of the newest sale, when it ended as paid: what the clerk must know after a restart.
    pub fn last_paid(&self) -> Option<u32> {
        let paid = self.records.iter().rev().find_map(|(seq, record)| match record {
            Record::Authorise { amount, .. } => Some((self.closed.get(seq) == Some(&true)).then_some(*amount)),
            Record::Sale(sale) => Some((sale.evidence != DebitEvidence::Unconfirmed).then_some(sale.amount)),
            Record::Reverse { .. } | Record::Settle { .. } | Record::Gap { .. } => None,
        });
        paid.flatten()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// CRC-32 as in ISO/IEC 3309 (reflected, polynomial 04C11DB7).
fn crc32(bytes: &[u8]) -> u32 {
    let rest = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 })
    });
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use link::Stamp;

    fn sale(tsn: u32, evidence: DebitEvidence) -> PurseSale {
        PurseSale {
            card: 0x42,
            authorised_by: Some(2),
            amount: 1200,
            old_balance: 5000,
            m: 3,
            terminal: [0, 0, 7, 0, 0, 0],
            tsn,
            stamp: Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0, 0] },
            key_version: 1,
            algorithm: 0,
            evidence,
        }
    }

    fn story() -> Vec<Entry> {
        vec![
            Entry::Base { last_seq: 0, last_tsn: None },
            Entry::Record {
                seq: 1,
                record: Record::Authorise { card: 0x42, hold: [7; 16], amount: 900, not_after: 5 },
            },
            Entry::Closed { seq: 1, paid: true },
            Entry::Record {
                seq: 2,
                record: Record::Authorise { card: 0x42, hold: [8; 16], amount: 1200, not_after: 6 },
            },
            Entry::Intent(sale(10, DebitEvidence::Unconfirmed)),
            Entry::Record { seq: 3, record: Record::Sale(sale(10, DebitEvidence::Unconfirmed)) },
            Entry::Record {
                seq: 4,
                record: Record::Authorise { card: 0x42, hold: [9; 16], amount: 500, not_after: 7 },
            },
            Entry::Closed { seq: 4, paid: false },
            Entry::Record {
                seq: 5,
                record: Record::Authorise { card: 0x42, hold: [9; 16], amount: 700, not_after: 8 },
            },
            Entry::Record { seq: 6, record: Record::Gap { tsn: 11 } },
            Entry::Intent(PurseSale { authorised_by: None, ..sale(12, DebitEvidence::Unconfirmed) }),
            Entry::Total(DayTotal { day: CampusDay(20_261_123), count: 1, fen: 900 }),
        ]
    }

    fn written(entries: &[Entry]) -> Vec<u8> {
        entries.iter().map(|entry| entry.line().expect("has a line")).collect::<String>().into_bytes()
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_journal_read_back_is_the_state_that_was_kept() {
        let mut kept = State::default();
        for entry in story() {
            kept.apply(&entry);
        }
        let bytes = written(&story());
        assert_eq!(State::replay(&bytes), Ok((kept.clone(), bytes.len())));
        assert_eq!((kept.last_seq(), kept.last_tsn()), (6, Some(12)));
        assert_eq!(kept.open_authorisations(), [5]);
        assert_eq!(kept.unsettled().into_keys().collect::<Vec<_>>(), [3]);
        assert_eq!(kept.intents().iter().map(|intent| intent.tsn).collect::<Vec<_>>(), [12]);
        assert_eq!(kept.last_paid(), None, "the newest sale has no answer");
    }

    #[test]
    fn a_shortened_journal_keeps_what_is_open_and_the_highest_numbers() {
        let (mut state, _) = State::replay(&written(&story())).expect("good");
        state.forget(6);
        assert!(state.records().is_empty());
        let again = State::replay(&written(&state.entries())).expect("good").0;
        assert_eq!(again, state);
        assert_eq!((again.last_seq(), again.last_tsn(), again.intents().len()), (6, Some(12), 1));
    }

    #[test]
    fn a_journal_cut_at_any_byte_gives_the_lines_before_the_cut() {
        let bytes = written(&story());
        for cut in 0..=bytes.len() {
            let (state, good) = State::replay(&bytes[..cut]).expect("a torn last line is no damage");
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let expected = State::replay(&written(&story()[..whole])).expect("good");
            assert_eq!((state, good), expected, "cut at {cut}");
        }
    }

    #[test]
    fn damage_before_the_last_line_stops_the_terminal_and_names_the_line() {
        let good = written(&story());
        let third = good.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).expect("three lines").0 + 12;
        let mut damaged = good;
        damaged[third] ^= 1;
        assert_eq!(State::replay(&damaged), Err(JournalFault::Damaged(3)));
    }

    #[test]
    fn no_flipped_bit_of_a_line_goes_unseen() {
        for entry in story() {
            let line = entry.line().expect("has a line").into_bytes();
            for place in 0..line.len() - 1 {
                for bit in 0..8 {
                    let mut flipped = line.clone();
                    flipped[place] ^= 1 << bit;
                    let read = State::replay(&flipped);
                    // Hexadecimal digits of the checksum may change case; nothing else may pass.
                    let same_but_for_case = flipped.eq_ignore_ascii_case(&line) && place < 8;
                    if !same_but_for_case {
                        assert!(
                            !matches!(read, Ok((_, good)) if good == line.len()),
                            "{place} {bit} {}",
                            String::from_utf8_lossy(&flipped)
                        );
                    }
                }
            }
        }
    }
}
