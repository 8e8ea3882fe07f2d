//! Heads of the chain that are written down outside the database, signed, so that a cut tail shows (M8).
//!
//! A bare chain of hashes cannot tell that its last block is gone, or that all of it was made anew. An anchor can: it is a
//! line in a file of its own, on another disk where the school has one, and only the installation's key can sign it.
//! This module reads and writes lines; who signs and who checks is handed in.

#[cfg(feature = "sqlite")]
mod file;

use std::fmt::Write;

use ledger::{Digest, Micros, SchoolId};

#[cfg(feature = "sqlite")]
pub use file::{AnchorFault, AnchorLog, newest_anchor};

use crate::verify::{Head, link_text};

/// Stands first in every line; another number would be another form.
const FORM: &str = "onecard-anchor-1";

/// Between what is signed and the signature.
const SIGNED_BY: &str = " signature ";

/// A head of the chain as it was at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Whose book.
    pub school: SchoolId,
    /// How often the book was restored from a backup, and 1 (M9). A restore makes other blocks under used numbers.
    pub epoch: u64,
    /// The newest block.
    pub head: Head,
    /// When it was written down.
    pub at: Micros,
}

impl Anchor {
    /// What is signed: everything that the line says.
    fn text(&self) -> String {
        let Anchor { school, epoch, head, at } = self;
        let (school, at, link) = (school.get(), at.get(), link_text(&head.link));
        format!("{FORM} school {school} epoch {epoch} block {} row {} time {at} link {link}", head.block, head.seq)
    }

    /// The line with its end.
    pub fn line(&self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        let mut line = self.text();
        let signature = sign(line.as_bytes());
        line.push_str(SIGNED_BY);
        for byte in signature {
            let _ = write!(line, "{byte:02x}");
        }
        line.push('\n');
        line
    }

    /// Reads a line without its end; `Err` says what is wrong with it.
    fn parse(line: &[u8], verifies: &dyn Fn(&[u8], &[u8]) -> bool) -> Result<Anchor, &'static str> {
        let unreadable = "it is no anchor";
        let line = std::str::from_utf8(line).map_err(|_| unreadable)?;
        let (text, signature) = line.split_once(SIGNED_BY).ok_or(unreadable)?;
        let signature = bytes::<64>(signature).ok_or(unreadable)?;
        let anchor = Anchor::of_text(text).ok_or(unreadable)?;
        // What is signed is the text itself, so that nothing can be written in two ways.
        if anchor.text() != text {
            return Err(unreadable);
        }
        if !verifies(text.as_bytes(), &signature) {
            return Err("its signature is not this installation's");
        }
        Ok(anchor)
    }

    fn of_text(text: &str) -> Option<Anchor> {
        let words: Vec<&str> = text.split(' ').collect();
        let [FORM, "school", school, "epoch", epoch, "block", block, "row", row, "time", at, "link", link] = words[..]
        else {
            return None;
        };
        Some(Anchor {
            school: SchoolId::new(school.parse().ok()?)?,
            epoch: epoch.parse().ok()?,
            head: Head { block: block.parse().ok()?, seq: row.parse().ok()?, link: bytes(link)? },
            at: Micros::new(at.parse().ok()?),
        })
    }
}

/// Exactly `N` bytes in hexadecimal digits.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (to, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *to = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// A whole file of anchors, checked line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors {
    /// Those that the book as it is now must contain, in order.
    standing: Vec<Anchor>,
    /// Heads of blocks that a restore gave up.
    given_up: u64,
    /// The last line has no end: the power went while it was written.
    torn: bool,
    /// What does not hold, a sentence each.
    findings: Vec<String>,
}

impl Anchors {
    /// Reads the file's bytes; `verifies` says whether a signature is the installation's over a text.
    ///
    /// Promise: nothing is left out silently. A line that cannot be read, is signed by another, belongs to another school or
    /// goes back within an epoch is a finding; a last line without its end is none, only told.
    /// The first line of a later epoch says from which block the restored book goes on: anchors of blocks after it name
    /// blocks that the restore gave up, and are counted instead of compared (M9).
    pub fn read(file: &[u8], school: SchoolId, verifies: &dyn Fn(&[u8], &[u8]) -> bool) -> Anchors {
        let mut anchors = Anchors::default();
        let (whole, rest) = file.split_at(end_of_last_line(file));
        for (place, line) in whole.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let number = place.saturating_add(1);
            match Anchor::parse(line, verifies) {
                Ok(anchor) if anchor.school != school => {
                    anchors.finding(number, &format!("it belongs to school {}", anchor.school.get()));
                }
                Ok(anchor) => anchors.add(number, anchor),
                Err(why) => anchors.finding(number, why),
            }
        }
        anchors.torn = !rest.is_empty();
        anchors
    }

    fn finding(&mut self, line: usize, why: &str) {
        self.findings.push(format!("anchors, line {line}: {why}"));
    }

    fn add(&mut self, line: usize, anchor: Anchor) {
        if let Some(before) = self.standing.last().copied() {
            let (new, old) = (anchor.head, before.head);
            if anchor.epoch < before.epoch {
                return self.finding(line, &format!("it goes back from epoch {} to {}", before.epoch, anchor.epoch));
            }
            if anchor.epoch > before.epoch {
                let all = self.standing.len();
                self.standing.retain(|earlier| earlier.head.block <= new.block);
                let gone = all.saturating_sub(self.standing.len());
                self.given_up = self.given_up.saturating_add(u64::try_from(gone).unwrap_or(u64::MAX));
            } else if new.block < old.block || new.seq < old.seq {
                return self.finding(
                    line,
                    &format!(
                        "it goes back from block {}, row {} to block {}, row {}",
                        old.block, old.seq, new.block, new.seq
                    ),
                );
            } else if new.block == old.block && new != old {
                return self.finding(line, &format!("it names another block {} than the line before", new.block));
            }
        }
        self.standing.push(anchor);
    }

    /// Heads that the book must contain, for [`crate::verify::verify`].
    pub fn heads(&self) -> Vec<Head> {
        self.standing.iter().map(|anchor| anchor.head).collect()
    }

    /// The newest.
    pub fn newest(&self) -> Option<&Anchor> {
        self.standing.last()
    }

    /// How many name blocks that a restore gave up.
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// The last line has no end: the power went while it was written. Its head is in the book all the same.
    pub const fn torn(&self) -> bool {
        self.torn
    }

    /// What does not hold in the file itself and for a book that is in `epoch`.
    pub fn findings(&self, epoch: u64) -> Vec<String> {
        let mut findings = self.findings.clone();
        if let Some(newest) = self.newest()
            && newest.epoch != epoch
        {
            findings.push(format!(
                "the newest anchor is of epoch {}, the book is in epoch {epoch}: a restore that did not finish, or a book \
                 or anchors put back by hand",
                newest.epoch
            ));
        }
        findings
    }
}

/// Bytes up to and with the last line's end.
fn end_of_last_line(file: &[u8]) -> usize {
    file.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place.saturating_add(1))
}

/// Holds what a head of the chain is against the newest anchor of it, before an engine starts.
///
/// Shape: `head` is the book's newest block; `kept` is the link of the block that the anchor names, if it is there.
/// Errors, first match wins: `Epoch`, `Behind`, `Other`. Source: M8, M9.
pub fn require_anchored(newest: &Anchor, epoch: u64, head: Head, kept: Option<Digest>) -> Result<(), Unanchored> {
    let anchor = newest.head;
    if newest.epoch != epoch {
        return Err(Unanchored::Epoch { anchor: newest.epoch, book: epoch });
    }
    if head.block < anchor.block {
        return Err(Unanchored::Behind { anchor: anchor.block, book: head.block });
    }
    if kept != Some(anchor.link) {
        return Err(Unanchored::Other { block: anchor.block });
    }
    Ok(())
}

/// Why a book must not be served: it is not the one that was written down outside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanchored {
    /// The book was put back without a restore, or a restore did not finish.
    #[error(
        "the book is in epoch {book}, its newest anchor in epoch {anchor}: book or anchors were put back by hand, or a \
         restore did not finish; use `onecard restore` into an empty folder"
    )]
    Epoch {
        /// The anchor's.
        anchor: u64,
        /// The book's.
        book: u64,
    },
    /// Blocks are gone.
    #[error(
        "the book ends at block {book}, but block {anchor} was signed and written down in the anchors: the end of the \
         book is gone. Keep this folder as it is; bring back what is missing, or use `onecard restore` with the last \
         backup into an empty folder. `onecard verify` tells more"
    )]
    Behind {
        /// Block that was written down.
        anchor: u64,
        /// Newest block that is there.
        book: u64,
    },
    /// The chain was made anew.
    #[error(
        "block {block} is another one than was signed and written down in the anchors: the book was changed. Keep this \
         folder as it is and run `onecard verify`; use `onecard restore` with the last backup into an empty folder"
    )]
    Other {
        /// Its number.
        block: u64,
    },
}

#[cfg(test)]
#[path = "anchors/tests.rs"]
mod tests;
