//! The rows of the drill: one that keeps the answer of each operation for ever, and a count for each holder.

use ledger::{CodecError, Id, Reader, Writer};
use teller::{Listing, Schema};

/// The row types.
#[derive(Debug)]
pub(crate) enum Drill {}

/// Which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// What became of an operation; kept for ever.
    Operation(Id),
    /// What was done for a holder.
    Tally(u32),
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Operation(Kept),
    Tally(Tally),
}

/// An operation that was settled: what was asked, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What was asked, byte for byte.
    pub payload: Vec<u8>,
    /// The answer that every repeat gets.
    pub answer: Answer,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// It is the journal row of this sequence.
    Done(u64),
    /// The holder has not enough.
    NotEnough,
    /// Nothing is set aside under the key it names.
    NothingSetAside,
}

/// What was done for a holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Operations that moved or set aside money.
    pub count: u64,
    /// The sum of their amounts.
    pub fen: i64,
}

/// Table of the operations.
pub(crate) const OPERATION: &str = "operation";
/// Table of the tallies.
pub(crate) const TALLY: &str = "tally";

impl Schema for Drill {
    type Key = Key;
    type Row = Row;
    const TABLES: &'static [&'static str] = &[OPERATION, TALLY];
    const LISTS: &'static [&'static str] = &[];

    fn table(key: &Key) -> &'static str {
        match key {
            Key::Operation(_) => OPERATION,
            Key::Tally(_) => TALLY,
        }
    }

    fn key_bytes(key: &Key) -> Vec<u8> {
        match key {
            Key::Operation(id) => id.bytes().to_vec(),
            Key::Tally(holder) => holder.to_be_bytes().to_vec(),
        }
    }

    fn encode(row: &Row) -> Vec<u8> {
        let mut out = Writer::new();
        match row {
            Row::Operation(Kept { payload, answer }) => {
                let (tag, seq) = match answer {
                    Answer::Done(seq) => (0, *seq),
                    Answer::NotEnough => (1, 0),
                    Answer::NothingSetAside => (2, 0),
                };
                out.u8(tag).u64(seq).bytes(payload);
            }
            Row::Tally(tally) => {
                out.u64(tally.count).i64(tally.fen);
            }
        }
        out.done()
    }

    fn decode(key: &Key, body: &[u8]) -> Result<Row, CodecError> {
        match key {
            Key::Operation(_) => kept(body).map(Row::Operation),
            Key::Tally(_) => tally(body).map(Row::Tally),
        }
    }

    fn listings(_: &Key, _: &Row) -> Vec<Listing> {
        Vec::new()
    }
}

/// Reads the row of an operation.
pub(crate) fn kept(body: &[u8]) -> Result<Kept, CodecError> {
    let mut from = Reader::new(body);
    let (tag, seq) = (from.u8()?, from.u64()?);
    let answer = match (tag, seq) {
        (0, seq) => Answer::Done(seq),
        (1, 0) => Answer::NotEnough,
        (2, 0) => Answer::NothingSetAside,
        _ => return Err(CodecError::Unknown),
    };
    let payload = from.bytes()?.to_vec();
    from.end()?;
    Ok(Kept { payload, answer })
}

/// Reads the row of a holder.
pub(crate) fn tally(body: &[u8]) -> Result<Tally, CodecError> {
    let mut from = Reader::new(body);
    let tally = Tally { count: from.u64()?, fen: from.i64()? };
    from.end()?;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let (operation, holder) = (Key::Operation(Id::new(7)), Key::Tally(9));
        let answers = [Answer::Done(u64::MAX), Answer::NotEnough, Answer::NothingSetAside];
        for answer in answers {
            let row = Row::Operation(Kept { payload: vec![1, 2, 3], answer });
            assert_eq!(Drill::decode(&operation, &Drill::encode(&row)), Ok(row));
        }
        let row = Row::Tally(Tally { count: 3, fen: -4 });
        assert_eq!(Drill::decode(&holder, &Drill::encode(&row)), Ok(row.clone()));
        assert!(Drill::decode(&operation, &Drill::encode(&row)).is_err());
    }
}
