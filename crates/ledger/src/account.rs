use crate::{CodecError, Fen, Reader, Writer};

/// Number of an account in the chart of accounts. The thousands say how it behaves:
///
/// | code | what | may be below nothing |
/// |---|---|---|
/// | 1000..=1999 | asset: others owe us, cash | yes, within a day |
/// | 2000..=2999 | what belongs to a holder | never |
/// | 3000..=3999 | other liabilities: merchants, suspense | yes |
/// | 4000..=4999 | income | yes |
/// | 5000..=5999 | expense | yes |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountCode(pub u16);

/// Whether an account may be below nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Posted and pended debits together never exceed posted credits.
    NeverNegative,
    /// Any balance.
    Free,
}

impl AccountCode {
    /// What the thousands of the code say.
    pub const fn bound(self) -> Bound {
        if self.0 >= 2000 && self.0 <= 2999 { Bound::NeverNegative } else { Bound::Free }
    }
}

/// Which account: its code, whose it is, and which part of it (a subsidy period, else 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// Number in the chart of accounts.
    pub code: AccountCode,
    /// The person, card, merchant, channel or case it belongs to; 0 for the school's own.
    pub owner: u128,
    /// Part of the account; 0 when it has one part.
    pub part: u32,
}

impl AccountKey {
    /// The account with one part.
    pub const fn new(code: AccountCode, owner: u128) -> AccountKey {
        AccountKey { code, owner, part: 0 }
    }

    /// Writes 22 bytes.
    pub fn write(&self, out: &mut Writer) {
        out.u16(self.code.0).u128(self.owner).u32(self.part);
    }

    /// Reads what `write` wrote.
    pub fn read(from: &mut Reader<'_>) -> Result<AccountKey, CodecError> {
        Ok(AccountKey { code: AccountCode(from.u16()?), owner: from.u128()?, part: from.u32()? })
    }

    /// Writes 3 to 24 bytes: the owner without its leading zeroes, the part only when it has one.
    pub(crate) fn write_short(&self, out: &mut Writer) {
        let owner = self.owner.to_be_bytes();
        let zeroes = owner.iter().take_while(|byte| **byte == 0).count();
        let digits = owner.get(zeroes..).unwrap_or_default();
        let length = u8::try_from(digits.len()).unwrap_or(16);
        out.u16(self.code.0).u8(length | if self.part == 0 { 0 } else { PARTED }).raw(digits);
        if self.part != 0 {
            out.count(u64::from(self.part));
        }
    }

    /// Reads what `write_short` wrote. Errors: also a form that it never writes.
    pub(crate) fn read_short(from: &mut Reader<'_>) -> Result<AccountKey, CodecError> {
        let (code, head) = (AccountCode(from.u16()?), from.u8()?);
        let digits = from.raw(usize::from(head & !PARTED))?;
        let mut owner = [0; 16];
        let at = owner.len().checked_sub(digits.len()).ok_or(CodecError::Unknown)?;
        if digits.first() == Some(&0) {
            return Err(CodecError::Unknown);
        }
        owner.get_mut(at..).unwrap_or_default().copy_from_slice(digits);
        let part = if head & PARTED == 0 { 0 } else { from.count()? };
        let part = u32::try_from(part).ok().filter(|part| (*part != 0) == (head & PARTED != 0));
        Ok(AccountKey { code, owner: u128::from_be_bytes(owner), part: part.ok_or(CodecError::Unknown)? })
    }

    /// The account named by 22 bytes. Error: other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<AccountKey, CodecError> {
        let mut from = Reader::new(bytes);
        let key = AccountKey::read(&mut from)?;
        from.end()?;
        Ok(key)
    }

    /// The 22 bytes that name the account in a store; they sort as the keys do.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write(&mut out);
        out.done()
    }
}

/// In the byte before an owner: a part comes after it.
const PARTED: u8 = 0x80;

/// Sums of an account. Shape: four counts of fen, none below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Sum of posted debits.
    pub debits_posted: Fen,
    /// Sum of posted credits.
    pub credits_posted: Fen,
    /// Debits pended and not yet posted or voided.
    pub debits_pending: Fen,
    /// Credits pended and not yet posted or voided.
    pub credits_pending: Fen,
    /// Journal sequence of the newest row that names this account; 0 for none.
    pub last_seq: u64,
}

impl Account {
    /// The stored form, 5 to 50 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        for sum in [self.debits_posted, self.credits_posted, self.debits_pending, self.credits_pending] {
            out.signed(sum.get());
        }
        out.count(self.last_seq);
        out.done()
    }

    /// Reads what `encode` wrote. Errors: whatever no `encode` writes.
    pub fn decode(bytes: &[u8]) -> Result<Account, CodecError> {
        let mut from = Reader::new(bytes);
        let mut sum = || from.signed().map(Fen::new);
        let (debits_posted, credits_posted, debits_pending, credits_pending) = (sum()?, sum()?, sum()?, sum()?);
        let account =
            Account { debits_posted, credits_posted, debits_pending, credits_pending, last_seq: from.count()? };
        from.end()?;
        Ok(account)
    }

    /// Posted credits less posted debits. For an asset this is below nothing when it is owed to us.
    pub fn balance(&self) -> Fen {
        Fen::new(self.credits_posted.get().saturating_sub(self.debits_posted.get()))
    }

    /// What can still be debited: the balance less what is pended away.
    pub fn spendable(&self) -> Fen {
        Fen::new(self.balance().get().saturating_sub(self.debits_pending.get()))
    }

    /// The bound of `code` holds.
    pub fn within(&self, code: AccountCode) -> bool {
        match code.bound() {
            Bound::NeverNegative => self.spendable() >= Fen::ZERO,
            Bound::Free => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_holder_is_never_below_nothing_and_all_else_may_be() {
        let owing = Account { debits_posted: Fen::new(1), ..Account::default() };
        let set_aside = Account { debits_pending: Fen::new(1), ..Account::default() };
        let expected = Account { debits_posted: Fen::new(1), credits_pending: Fen::new(1), ..Account::default() };
        let even = Account {
            debits_posted: Fen::new(3),
            credits_posted: Fen::new(5),
            debits_pending: Fen::new(2),
            ..Account::default()
        };
        for (code, bounded) in [(0, false), (1999, false), (2000, true), (2500, true), (2999, true), (3000, false)] {
            let code = AccountCode(code);
            assert_eq!(code.bound() == Bound::NeverNegative, bounded, "{code:?}");
            for below in [owing, set_aside, expected] {
                assert_eq!(below.within(code), !bounded, "{code:?} {below:?}");
            }
            assert!(even.within(code), "{code:?}");
        }
        assert_eq!((even.balance(), even.spendable()), (Fen::new(2), Fen::ZERO));
    }
}
