use crate::{AccountKey, CodecError, Fen, Id, Micros, Reader, Writer};

/// What a journal row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Moves money at once.
    Direct,
    /// Sets money aside for a later `Post` or `Void`.
    Pend,
    /// Moves money that was set aside; what is left of it goes back.
    Post,
    /// Gives money that was set aside back.
    Void,
}

/// One row of the journal: the truth. Rows are appended and never changed; a mistake is mended by another row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Position in the school's journal: 1, 2, 3, with no gap.
    pub seq: u64,
    /// Time-ordered identifier.
    pub id: Id,
    /// What it does.
    pub kind: Kind,
    /// Account that gives.
    pub debit: AccountKey,
    /// Account that receives.
    pub credit: AccountKey,
    /// More than 0.
    pub amount: Fen,
    /// For `Post` and `Void`: sequence of the `Pend`; else 0.
    pub ref_seq: u64,
    /// For `Pend`: from when on it can no longer be posted, if there is such a time.
    pub expires_at: Option<Micros>,
    /// The debit account's row before this one; 0 for none.
    pub debit_prev: u64,
    /// The credit account's row before this one; 0 for none.
    pub credit_prev: u64,
    /// Posted balance of the debit account after this row.
    pub debit_balance: Fen,
    /// Posted balance of the credit account after this row.
    pub credit_balance: Fen,
    /// When the book took it.
    pub recorded_at: Micros,
    /// When it happened outside.
    pub effective_at: Micros,
    /// Reason, a number of the caller's.
    pub code: u16,
    /// The order, attempt, sale or case it belongs to.
    pub reference: Id,
}

/// Bits of the first byte of a stored row, beside the two of its kind: what follows from other fields is left out.
mod left_out {
    /// A time of expiry follows.
    pub(super) const EXPIRES: u8 = 1 << 2;
    /// It was recorded at another time than its identifier was made.
    pub(super) const RECORDED: u8 = 1 << 3;
    /// It happened at another time than it was recorded.
    pub(super) const EFFECTIVE: u8 = 1 << 4;
    /// It belongs to something.
    pub(super) const REFERENCE: u8 = 1 << 5;
}

impl JournalRow {
    /// The stored and hashed form, but for the sequence, which is its key: 30 to 170 bytes, usually fewer than 90.
    ///
    /// Promise: a row has one form, and a form is one row's.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write(&mut out);
        out.done()
    }

    fn write(&self, out: &mut Writer) {
        let kind = match self.kind {
            Kind::Direct => 0,
            Kind::Pend => 1,
            Kind::Post => 2,
            Kind::Void => 3,
        };
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let recorded = self.id.made_at() != Some(self.recorded_at);
        let effective = self.effective_at != self.recorded_at;
        let reference = self.reference != Id::new(0);
        let head = kind
            | bit(self.expires_at.is_some(), left_out::EXPIRES)
            | bit(recorded, left_out::RECORDED)
            | bit(effective, left_out::EFFECTIVE)
            | bit(reference, left_out::REFERENCE);
        out.u8(head).raw(&self.id.bytes());
        self.debit.write_short(out);
        self.credit.write_short(out);
        out.signed(self.amount.get()).count(self.ref_seq);
        // The rows before are near more often than not.
        out.signed(back(self.seq, self.debit_prev)).signed(back(self.seq, self.credit_prev));
        out.signed(self.debit_balance.get()).signed(self.credit_balance.get()).count(u64::from(self.code));
        if let Some(at) = self.expires_at {
            out.i64(at.get());
        }
        if recorded {
            out.i64(self.recorded_at.get());
        }
        if effective {
            out.signed(self.effective_at.get().wrapping_sub(self.recorded_at.get()));
        }
        if reference {
            out.raw(&self.reference.bytes());
        }
    }

    /// Reads what `encode` wrote of the row at `seq`. Errors: cut short, too long, or nothing that it writes.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<JournalRow, CodecError> {
        let mut from = Reader::new(bytes);
        let head = from.u8()?;
        let kind = match head & 3 {
            0 => Kind::Direct,
            1 => Kind::Pend,
            2 => Kind::Post,
            _ => Kind::Void,
        };
        let has = |bit: u8| head & bit != 0;
        let id = Id::from_bytes(from.array()?);
        let (debit, credit) = (AccountKey::read_short(&mut from)?, AccountKey::read_short(&mut from)?);
        let (amount, ref_seq) = (Fen::new(from.signed()?), from.count()?);
        let (debit_prev, credit_prev) = (before(seq, from.signed()?), before(seq, from.signed()?));
        let (debit_balance, credit_balance) = (Fen::new(from.signed()?), Fen::new(from.signed()?));
        let code = u16::try_from(from.count()?).map_err(|_| CodecError::Unknown)?;
        let expires_at = if has(left_out::EXPIRES) { Some(Micros::new(from.i64()?)) } else { None };
        let recorded_at = if has(left_out::RECORDED) { Some(Micros::new(from.i64()?)) } else { id.made_at() };
        let recorded_at = recorded_at.ok_or(CodecError::Unknown)?;
        let later = if has(left_out::EFFECTIVE) { from.signed()? } else { 0 };
        let reference = if has(left_out::REFERENCE) { Id::from_bytes(from.array()?) } else { Id::new(0) };
        from.end()?;
        let row = JournalRow {
            seq,
            id,
            kind,
            debit,
            credit,
            amount,
            ref_seq,
            expires_at,
            debit_prev,
            credit_prev,
            debit_balance,
            credit_balance,
            recorded_at,
            effective_at: Micros::new(recorded_at.get().wrapping_add(later)),
            code,
            reference,
        };
        // A bit that is set for nothing, or a field that could have been left out.
        if row.encode() == bytes { Ok(row) } else { Err(CodecError::Unknown) }
    }
}

/// How far `prev` lies before `seq`; 0 when there is none.
fn back(seq: u64, prev: u64) -> i64 {
    if prev == 0 { 0 } else { seq.wrapping_sub(prev).cast_signed() }
}

fn before(seq: u64, back: i64) -> u64 {
    if back == 0 { 0 } else { seq.wrapping_sub(back.cast_unsigned()) }
}

/// Stored forms of rows that follow one another, in one piece.
#[derive(Clone, Debug, Default)]
pub struct Bodies {
    bytes: Writer,
    ends: Vec<usize>,
}

impl Bodies {
    /// Those of `rows`.
    pub fn of(rows: &[JournalRow]) -> Bodies {
        let mut bodies = Bodies::default();
        rows.iter().for_each(|row| bodies.push(row));
        bodies
    }

    /// One row more.
    pub fn push(&mut self, row: &JournalRow) {
        row.write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let bytes = self.bytes.so_far();
        starts.zip(&self.ends).map(|(start, end)| bytes.get(start..*end).unwrap_or_default())
    }

    /// All of them, one after the other, and where each ends.
    pub(crate) fn parts(&self) -> (&[u8], &[usize]) {
        (self.bytes.so_far(), &self.ends)
    }
}
