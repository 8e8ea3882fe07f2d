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

impl JournalRow {
    /// The stored and hashed form: 151 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let kind = match self.kind {
            Kind::Direct => 0,
            Kind::Pend => 1,
            Kind::Post => 2,
            Kind::Void => 3,
        };
        out.u64(self.seq).u128(self.id.get()).u8(kind);
        self.debit.write(&mut out);
        self.credit.write(&mut out);
        out.i64(self.amount.get()).u64(self.ref_seq).u64(self.debit_prev).u64(self.credit_prev);
        out.i64(self.debit_balance.get()).i64(self.credit_balance.get());
        out.i64(self.recorded_at.get()).i64(self.effective_at.get());
        out.u16(self.code).u128(self.reference.get());
        out.done()
    }

    /// Reads what `encode` wrote. Errors: cut short, unknown kind, too long.
    pub fn decode(bytes: &[u8]) -> Result<JournalRow, CodecError> {
        let mut from = Reader::new(bytes);
        let (seq, id) = (from.u64()?, Id::new(from.u128()?));
        let kind = match from.u8()? {
            0 => Kind::Direct,
            1 => Kind::Pend,
            2 => Kind::Post,
            3 => Kind::Void,
            _ => return Err(CodecError::Unknown),
        };
        let row = JournalRow {
            seq,
            id,
            kind,
            debit: AccountKey::read(&mut from)?,
            credit: AccountKey::read(&mut from)?,
            amount: Fen::new(from.i64()?),
            ref_seq: from.u64()?,
            debit_prev: from.u64()?,
            credit_prev: from.u64()?,
            debit_balance: Fen::new(from.i64()?),
            credit_balance: Fen::new(from.i64()?),
            recorded_at: Micros::new(from.i64()?),
            effective_at: Micros::new(from.i64()?),
            code: from.u16()?,
            reference: Id::new(from.u128()?),
        };
        from.end()?;
        Ok(row)
    }
}
