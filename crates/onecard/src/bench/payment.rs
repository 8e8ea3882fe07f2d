//! The bench's own guard rows and its one command, kept as small as the product's smallest.

use ledger::{AccountKey, CodecError, Fen, Id, PostRefusal, Reader, Stage, Transfer, Writer};
use teller::{Command, Desk, Halt, Listing, Schema, Seen};

use super::workload::KEPT;

/// Places of a client's row for answers.
const PLACES: usize = 16;
/// Reason on the journal.
const REASON: u16 = 900;

/// Which guard rows the bench has.
pub enum Bench {}

/// Names a guard row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// What a client was told.
    Client(u16),
    /// What became of one transfer.
    Once(Id),
}

/// What a guard row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// See [`Key::Client`].
    Client(Box<Client>),
    /// See [`Key::Once`].
    Once(Kept),
}

/// A client's highest number, and the answers to its newest transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    highest: u64,
    answers: [Kept; PLACES],
}

/// An answer that was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Fingerprint of what was asked.
    mark: u64,
    /// Journal row; 0 when it was refused.
    seq: u64,
}

impl Schema for Bench {
    type Key = Key;
    type Row = Row;

    const TABLES: &'static [&'static str] = &["client", "once"];
    const LISTS: &'static [&'static str] = &[];

    fn table(key: &Key) -> &'static str {
        match key {
            Key::Client(_) => "client",
            Key::Once(_) => "once",
        }
    }

    fn key_bytes(key: &Key) -> Vec<u8> {
        match key {
            Key::Client(number) => number.to_be_bytes().to_vec(),
            Key::Once(id) => id.bytes().to_vec(),
        }
    }

    fn encode(row: &Row) -> Vec<u8> {
        let mut out = Writer::new();
        match row {
            Row::Client(client) => {
                out.u64(client.highest);
                client.answers.iter().for_each(|kept| kept.write(&mut out));
            }
            Row::Once(kept) => kept.write(&mut out),
        }
        out.done()
    }

    fn decode(key: &Key, body: &[u8]) -> Result<Row, CodecError> {
        let mut from = Reader::new(body);
        let row = match key {
            Key::Client(_) => {
                let mut client = Client { highest: from.u64()?, ..Client::default() };
                for kept in &mut client.answers {
                    *kept = Kept::read(&mut from)?;
                }
                Row::Client(Box::new(client))
            }
            Key::Once(_) => Row::Once(Kept::read(&mut from)?),
        };
        from.end()?;
        Ok(row)
    }

    fn listings(_: &Key, _: &Row) -> Vec<Listing> {
        Vec::new()
    }
}

impl Kept {
    fn write(&self, out: &mut Writer) {
        out.u64(self.mark).u64(self.seq);
    }

    fn read(from: &mut Reader<'_>) -> Result<Kept, CodecError> {
        Ok(Kept { mark: from.u64()?, seq: from.u64()? })
    }

    /// The stored answer, if it is one to what is asked now.
    fn again(self, mark: u64) -> Result<Told, Halt<Bench, Misuse>> {
        if self.mark == mark {
            Ok(Told { seq: self.seq, repeat: true })
        } else {
            Err(Halt::Refuse(Misuse::OtherPayload))
        }
    }
}

/// A holder pays a merchant.
pub struct Pay {
    /// The row that knows whether it was done before.
    pub key: Key,
    /// The client's number for it; 0 when the transfer has a row of its own.
    pub number: u64,
    /// Fingerprint of what is asked.
    pub mark: u64,
    /// Who pays.
    pub from: AccountKey,
    /// Who is paid.
    pub to: AccountKey,
    /// How much.
    pub amount: Fen,
    /// What the journal row refers to.
    pub reference: Id,
}

/// What the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Journal row; 0 when it was refused for want of money.
    pub seq: u64,
    /// The answer was given before; nothing was done this time.
    pub repeat: bool,
}

/// The client broke the rules of numbering. The bench's own client never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// A number was left out.
    Gap,
    /// The answer is no longer kept.
    Forgotten,
    /// Another transfer had this number or identifier.
    OtherPayload,
}

impl Command<Bench> for Pay {
    type Answer = Told;
    type Refusal = Misuse;

    fn needs(&self, _: &Seen<'_, Bench>) -> Vec<Key> {
        vec![self.key.clone()]
    }

    fn decide(&self, desk: &mut Desk<'_, Bench>) -> Result<Told, Halt<Bench, Misuse>> {
        match (&self.key, desk.get(&self.key)?) {
            (Key::Once(_), Some(Row::Once(kept))) => kept.again(self.mark),
            (Key::Once(_), None) => {
                let seq = self.post(desk)?;
                desk.put(self.key.clone(), Row::Once(Kept { mark: self.mark, seq }))?;
                Ok(Told { seq, repeat: false })
            }
            (Key::Client(_), Some(Row::Client(client))) => {
                let client = client.clone();
                self.decide_numbered(client, desk)
            }
            (Key::Client(_), None) => self.decide_numbered(Box::default(), desk),
            (Key::Once(_), Some(Row::Client(_))) | (Key::Client(_), Some(Row::Once(_))) => {
                Err(Halt::Broken("a guard row of another kind".to_owned()))
            }
        }
    }
}

impl Pay {
    fn decide_numbered(
        &self,
        mut client: Box<Client>,
        desk: &mut Desk<'_, Bench>,
    ) -> Result<Told, Halt<Bench, Misuse>> {
        let place = usize::try_from(self.number % KEPT).unwrap_or(0);
        if self.number <= client.highest {
            if client.highest - self.number >= KEPT {
                return Err(Halt::Refuse(Misuse::Forgotten));
            }
            return client.answers[place].again(self.mark);
        }
        if self.number != client.highest + 1 {
            return Err(Halt::Refuse(Misuse::Gap));
        }
        let seq = self.post(desk)?;
        client.highest = self.number;
        client.answers[place] = Kept { mark: self.mark, seq };
        desk.put(self.key.clone(), Row::Client(client))?;
        Ok(Told { seq, repeat: false })
    }

    /// The journal row, or 0 when there is not enough money.
    fn post(&self, desk: &mut Desk<'_, Bench>) -> Result<u64, Halt<Bench, Misuse>> {
        match desk_post(desk, self.from, self.to, self.amount, self.reference) {
            Ok(seq) => Ok(seq),
            Err(PostRefusal::NotEnough { .. }) => Ok(0),
            Err(other) => Err(Halt::Broken(other.to_string())),
        }
    }
}

fn desk_post(
    desk: &mut Desk<'_, Bench>,
    debit: AccountKey,
    credit: AccountKey,
    amount: Fen,
    reference: Id,
) -> Result<u64, PostRefusal> {
    let (id, effective_at) = (desk.new_id(), desk.now());
    let stage = Stage::Direct;
    desk.post(&Transfer { id, debit, credit, amount, stage, effective_at, code: REASON, reference }).map(|row| row.seq)
}

/// An account gets its first money.
pub struct Fund {
    /// Who is owed it by the channel.
    pub from: AccountKey,
    /// Who gets it.
    pub to: AccountKey,
    /// How much.
    pub amount: Fen,
}

impl Command<Bench> for Fund {
    type Answer = Told;
    type Refusal = Misuse;

    fn needs(&self, _: &Seen<'_, Bench>) -> Vec<Key> {
        Vec::new()
    }

    fn decide(&self, desk: &mut Desk<'_, Bench>) -> Result<Told, Halt<Bench, Misuse>> {
        match desk_post(desk, self.from, self.to, self.amount, Id::default()) {
            Ok(seq) => Ok(Told { seq, repeat: false }),
            Err(other) => Err(Halt::Broken(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_rows_read_as_they_were_written_and_nothing_else_is_read() {
        let mut client = Client { highest: 77, ..Client::default() };
        client.answers[3] = Kept { mark: 5, seq: 6 };
        let rows =
            [(Key::Client(9), Row::Client(Box::new(client))), (Key::Once(Id::new(1)), Row::Once(Kept::default()))];
        for (key, row) in rows {
            let body = Bench::encode(&row);
            assert_eq!(Bench::decode(&key, &body), Ok(row));
            assert_eq!(Bench::decode(&key, &body[1..]), Err(CodecError::Short));
            assert_eq!(Bench::decode(&key, &[&body[..], &[0]].concat()), Err(CodecError::Long));
        }
    }
}
