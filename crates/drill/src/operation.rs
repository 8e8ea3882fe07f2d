//! What clients ask for, and how the teller decides it.

use std::fmt;

use ledger::{AccountCode, AccountKey, Fen, Id, PostRefusal, Stage, Transfer, Writer};
use teller::{Command, Desk, Halt, Seen};

use crate::schema::{Answer, Drill, Kept, Key, Row, Tally};

/// What is done with the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// From the bank to the holder.
    PayIn,
    /// From the holder to the merchant.
    Spend,
    /// Set aside, from the holder to the merchant.
    SetAside,
    /// What was set aside goes to the merchant, the rest of it back to the holder.
    Settle,
    /// What was set aside goes back to the holder.
    GiveBack,
}

const DEEDS: [(Deed, &str); 5] = [
    (Deed::PayIn, "pay-in"),
    (Deed::Spend, "spend"),
    (Deed::SetAside, "set-aside"),
    (Deed::Settle, "settle"),
    (Deed::GiveBack, "give-back"),
];

/// One operation. The same key with the same content is the same operation, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name for ever.
    pub key: Id,
    /// What is done.
    pub deed: Deed,
    /// Whose money.
    pub holder: u32,
    /// Who is paid.
    pub merchant: u32,
    /// How much; for `GiveBack` what was set aside, for `Settle` at most that.
    pub fen: i64,
    /// The operation that set it aside, for `Settle` and `GiveBack`; else 0.
    pub of: Id,
}

impl Operation {
    /// All of it but the key, in bytes.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let deed = DEEDS.iter().position(|(deed, _)| *deed == self.deed);
        out.u8(deed.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
        out.u32(self.holder).u32(self.merchant).i64(self.fen).u128(self.of.get());
        out.done()
    }

    /// Debit and credit.
    pub(crate) fn accounts(&self) -> (AccountKey, AccountKey) {
        let bank = AccountKey::new(AccountCode(1100), 0);
        let holder = AccountKey::new(AccountCode(2100), u128::from(self.holder));
        let merchant = AccountKey::new(AccountCode(3100), u128::from(self.merchant));
        match self.deed {
            Deed::PayIn => (bank, holder),
            Deed::Spend | Deed::SetAside | Deed::Settle | Deed::GiveBack => (holder, merchant),
        }
    }

    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Operation> {
        let mut words = text.split(' ');
        let mut word = || words.next();
        let operation = Operation {
            key: Id::parse(word()?).ok()?,
            deed: word().and_then(|name| DEEDS.iter().find(|(_, known)| *known == name))?.0,
            holder: word()?.parse().ok()?,
            merchant: word()?.parse().ok()?,
            fen: word()?.parse().ok()?,
            of: Id::parse(word()?).ok()?,
        };
        word().is_none().then_some(operation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { key, holder, merchant, fen, of, .. } = self;
        let deed = DEEDS.iter().find(|(deed, _)| *deed == self.deed).map_or("", |(_, name)| name);
        write!(out, "{key} {deed} {holder} {merchant} {fen} {of}")
    }
}

/// The key is known with other content; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

type Halted = Halt<Drill, Conflict>;

impl Command<Drill> for Operation {
    type Answer = Answer;
    type Refusal = Conflict;

    fn needs(&self, _: &Seen<'_, Drill>) -> Vec<Key> {
        let mut keys = vec![Key::Operation(self.key), Key::Tally(self.holder)];
        if matches!(self.deed, Deed::Settle | Deed::GiveBack) {
            keys.push(Key::Operation(self.of));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Drill>) -> Result<Answer, Halted> {
        if let Some(kept) = operation(desk, self.key)? {
            return if kept.payload == self.payload() { Ok(kept.answer) } else { Err(Halt::Refuse(Conflict)) };
        }
        let answer = match self.stage(desk)? {
            Some(stage) => self.post(desk, stage)?,
            None => Answer::NothingSetAside,
        };
        desk.put(Key::Operation(self.key), Row::Operation(Kept { payload: self.payload(), answer }))?;
        Ok(answer)
    }
}

impl Operation {
    /// `None`: nothing is set aside under the key named.
    fn stage(&self, desk: &Desk<'_, Drill>) -> Result<Option<Stage>, Halted> {
        Ok(match self.deed {
            Deed::PayIn | Deed::Spend => Some(Stage::Direct),
            Deed::SetAside => Some(Stage::Pend),
            Deed::Settle => set_aside_at(desk, self.of)?.map(Stage::Post),
            Deed::GiveBack => set_aside_at(desk, self.of)?.map(Stage::Void),
        })
    }

    fn post(&self, desk: &mut Desk<'_, Drill>, stage: Stage) -> Result<Answer, Halted> {
        let (debit, credit) = self.accounts();
        let transfer = Transfer {
            id: desk.new_id(),
            debit,
            credit,
            amount: Fen::new(self.fen),
            stage,
            effective_at: desk.now(),
            code: 1,
            reference: self.key,
        };
        match desk.post(&transfer) {
            Ok(row) => {
                let tally = match desk.get(&Key::Tally(self.holder))? {
                    Some(Row::Tally(tally)) => *tally,
                    None => Tally::default(),
                    Some(Row::Operation(_)) => return Err(Halt::Broken("an operation among the tallies".to_owned())),
                };
                let tally = Tally { count: tally.count + 1, fen: tally.fen.saturating_add(self.fen) };
                desk.put(Key::Tally(self.holder), Row::Tally(tally))?;
                Ok(Answer::Done(row.seq))
            }
            Err(PostRefusal::NotEnough { .. }) => Ok(Answer::NotEnough),
            Err(PostRefusal::NotPending(_)) => Ok(Answer::NothingSetAside),
            Err(other) => Err(Halt::Broken(other.to_string())),
        }
    }
}

fn operation(desk: &Desk<'_, Drill>, key: Id) -> Result<Option<Kept>, Halted> {
    match desk.get(&Key::Operation(key))? {
        Some(Row::Operation(kept)) => Ok(Some(kept.clone())),
        None => Ok(None),
        Some(Row::Tally(_)) => Err(Halt::Broken("a tally among the operations".to_owned())),
    }
}

/// Where an operation set money aside.
fn set_aside_at(desk: &Desk<'_, Drill>, key: Id) -> Result<Option<u64>, Halted> {
    Ok(match operation(desk, key)? {
        Some(Kept { answer: Answer::Done(seq), .. }) => Some(seq),
        Some(_) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_survive_text_and_differ_in_their_payload() {
        let first =
            Operation { key: Id::new(1 << 90), deed: Deed::PayIn, holder: 3, merchant: 4, fen: 500, of: Id::new(0) };
        let others = DEEDS.map(|(deed, _)| Operation { deed, ..first });
        for operation in others {
            assert_eq!(Operation::parse(&operation.to_string()), Some(operation));
            assert_eq!(operation.payload() == first.payload(), operation == first);
        }
        for other in [Operation { fen: 501, ..first }, Operation { of: Id::new(1), ..first }] {
            assert_ne!(other.payload(), first.payload());
        }
        assert_eq!(Operation::parse(&format!("{first} ")), None);
        assert_eq!(Operation::parse("x"), None);
    }
}
