//! A bill's text while it comes: hashed, cut into lines, read row by row.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::columns::Columns;
use super::{Bill, BillFault, Take, Totals, rows};

/// The longest line; a row has some hundred bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// The longest text: some million rows.
const LONGEST_TEXT: u64 = 4 << 30;

/// Which line may come next.
enum Part {
    Header,
    Rows(Columns),
    /// The summary's names were read.
    Summary(Columns),
    /// The summary agreed with the rows: nothing may follow.
    Done,
}

/// Takes the unpacked text piece by piece.
pub(super) struct Sheet<'a> {
    bill: Bill,
    mchid: &'a str,
    take: &'a mut dyn Take,
    hash: Context,
    length: u64,
    /// The line that is not ended yet.
    line: Vec<u8>,
    number: u64,
    part: Part,
    totals: Totals,
    fault: Option<BillFault>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(bill: Bill, mchid: &'a str, take: &'a mut dyn Take) -> Sheet<'a> {
        Sheet {
            bill,
            mchid,
            take,
            hash: Context::new(&SHA1_FOR_LEGACY_USE_ONLY),
            length: 0,
            line: Vec::new(),
            number: 0,
            part: Part::Header,
            totals: Totals::none(bill),
            fault: None,
        }
    }

    /// Why the last write failed, if it was for the text itself.
    pub(super) fn take_fault(&mut self) -> Option<BillFault> {
        self.fault.take()
    }

    /// That all of it came and that it is the announced text.
    pub(super) fn finish(&mut self, announced: &str) -> Result<Totals, BillFault> {
        if self.length == 0 {
            return Err(BillFault::Empty);
        }
        if !self.line.is_empty() {
            self.end_line()?;
        }
        let digest = self.hash.clone().finish();
        let counted: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if counted != announced {
            return Err(BillFault::Hash { said: announced.to_owned(), counted });
        }
        match self.part {
            Part::Done => Ok(self.totals),
            Part::Header | Part::Rows(_) | Part::Summary(_) => Err(BillFault::CutShort),
        }
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), BillFault> {
        self.length = self.length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.length > LONGEST_TEXT {
            return Err(BillFault::TooLong);
        }
        self.hash.update(piece);
        self.take.text(piece).map_err(not_kept)?;
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            if self.line.len().saturating_add(part.len()) > LONGEST_LINE {
                return Err(self.line_fault("it is too long".to_owned()));
            }
            self.line.extend_from_slice(part);
            if parts.peek().is_some() {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), BillFault> {
        self.number = self.number.saturating_add(1);
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).map_err(|_| self.fault_here("it is not UTF-8".to_owned()))?;
        let text = if self.number == 1 { text.trim_start_matches('\u{FEFF}') } else { text };
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() {
            return Ok(());
        }
        self.read(text)
    }

    fn read(&mut self, text: &str) -> Result<(), BillFault> {
        match &self.part {
            Part::Header => {
                let columns = Columns::read(text, rows::needed(self.bill)).map_err(|words| self.fault_here(words))?;
                self.part = Part::Rows(columns);
            }
            Part::Rows(columns) if text.starts_with('`') => {
                let row = columns.cells(text).and_then(|cells| rows::read(self.bill, self.mchid, &cells));
                let row = row.map_err(|words| self.fault_here(words))?;
                self.totals =
                    self.totals.and(&row).ok_or_else(|| self.fault_here("the sums cannot be counted".to_owned()))?;
                self.take.row(row).map_err(not_kept)?;
            }
            Part::Rows(_) => {
                let columns =
                    Columns::read(text, rows::needed_in_summary(self.bill)).map_err(|words| self.fault_here(words))?;
                self.part = Part::Summary(columns);
            }
            Part::Summary(columns) => {
                let summary = columns.cells(text).map_err(|words| self.fault_here(words))?;
                self.totals.agree(&summary)?;
                self.part = Part::Done;
            }
            Part::Done => return Err(self.fault_here("something follows the summary".to_owned())),
        }
        Ok(())
    }

    /// A fault of the line that was ended last.
    fn fault_here(&self, problem: String) -> BillFault {
        BillFault::Line { line: self.number, problem }
    }

    /// A fault of the line that is being collected.
    fn line_fault(&self, problem: String) -> BillFault {
        BillFault::Line { line: self.number.saturating_add(1), problem }
    }
}

fn not_kept(fault: io::Error) -> BillFault {
    BillFault::NotKept(fault.to_string())
}

impl Write for Sheet<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.piece(piece) {
            Ok(()) => Ok(piece.len()),
            Err(fault) => {
                self.fault = Some(fault);
                Err(io::Error::other("the bill is refused"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
