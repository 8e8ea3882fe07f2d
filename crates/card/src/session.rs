//! The formulas that bind a load or a purchase to one card, one terminal, one amount and one moment.
//!
//! They are written once; card, purchase module and host all call them. Source: JR/T 0025.1, checked with the recorded
//! answers of real cards (see the vector tests).

use ledger::{Fen, Writer};

use crate::crypto::{Algorithm, Key8, Key16, doubled, mac_sm4, mac8};

/// What kind of transaction a MAC, a TAC or a log record speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 01: load of an electronic passbook.
    PassbookLoad,
    /// 02: load of the electronic purse.
    Load,
    /// 05: purchase from an electronic passbook.
    PassbookPurchase,
    /// 06: purchase from the electronic purse.
    Purchase,
    /// 09: purchase that also rewrites a record of the card.
    Composite,
}

/// Date `YYYYMMDD` and time `hhmmss` in BCD, campus time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Four bytes.
    pub date: [u8; 4],
    /// Three bytes.
    pub time: [u8; 3],
}

/// What an INITIALIZE command fixed for the rest of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// In fen.
    pub amount: u32,
    /// Which transaction.
    pub kind: Kind,
    /// Terminal id given to INITIALIZE.
    pub terminal: [u8; 6],
}

/// How cards with SM4 make the key of a transaction; documents leave it open, so it is chosen per type of card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionForm {
    /// Form 1: the inputs padded to one block with `80 00 ..`.
    #[default]
    Padded,
    /// Form 2: the eight bytes that 3DES takes, then their complement.
    Doubled,
}

/// An algorithm and all that must be agreed on to use it in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Two-key 3DES, as checked with real cards.
    TripleDes,
    /// SM4 with one of two forms of session keys.
    Sm4(SessionForm),
}

impl Suite {
    /// The suite of an algorithm; `form` matters for SM4 alone.
    pub const fn of(algorithm: Algorithm, form: SessionForm) -> Suite {
        match algorithm {
            Algorithm::TripleDes => Suite::TripleDes,
            Algorithm::Sm4 => Suite::Sm4(form),
        }
    }

    /// The algorithm that the card names.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Suite::TripleDes => Algorithm::TripleDes,
            Suite::Sm4(_) => Algorithm::Sm4,
        }
    }
}

/// The key of one transaction: made of the card's random number and counter, dead when the card loses power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    TripleDes(Key8),
    Sm4(Key16),
}

/// `amount` as a purse can hold it; `None` below zero and above 42,949,672.95 yuan.
pub fn purse_amount(amount: Fen) -> Option<u32> {
    u32::try_from(amount.get()).ok()
}

/// A purse's count of fen as money.
pub fn fen(count: u32) -> Fen {
    Fen::new(i64::from(count))
}

impl Kind {
    /// The kind with this type byte.
    pub const fn of(code: u8) -> Option<Kind> {
        match code {
            0x01 => Some(Kind::PassbookLoad),
            0x02 => Some(Kind::Load),
            0x05 => Some(Kind::PassbookPurchase),
            0x06 => Some(Kind::Purchase),
            0x09 => Some(Kind::Composite),
            _ => None,
        }
    }

    /// The type byte.
    pub const fn code(self) -> u8 {
        match self {
            Kind::PassbookLoad => 0x01,
            Kind::Load => 0x02,
            Kind::PassbookPurchase => 0x05,
            Kind::Purchase => 0x06,
            Kind::Composite => 0x09,
        }
    }
}

impl Stamp {
    fn write(self, text: &mut Writer) -> &mut Writer {
        text.raw(&self.date).raw(&self.time)
    }
}

impl Terms {
    fn write(self, text: &mut Writer) -> &mut Writer {
        text.u32(self.amount).u8(self.kind.code()).raw(&self.terminal)
    }
}

impl SessionKey {
    /// Of a load under 3DES: `E(load key, random || N || 80 00)`; `n` is the counter before the load.
    pub fn for_load(load_key: &Key16, random: [u8; 4], n: u16) -> SessionKey {
        Suite::TripleDes.load_key(load_key, random, n)
    }

    /// Of a purchase under 3DES: `E(purchase key, random || M || low half of TSN)`; `m` is the counter before the purchase.
    pub fn for_purchase(purchase_key: &Key16, random: [u8; 4], m: u16, tsn: u32) -> SessionKey {
        Suite::TripleDes.purchase_key(purchase_key, random, m, tsn)
    }

    /// The bytes, eight or sixteen. Only to compare with recorded ones; the name can be searched for.
    pub fn expose(&self) -> &[u8] {
        match &self.0 {
            Form::TripleDes(key) => key.expose(),
            Form::Sm4(key) => key.expose(),
        }
    }

    /// MAC1 of a load, card to host: covers the balance before and the terms; the counter is bound through the key.
    pub fn load_mac1(&self, old_balance: u32, terms: Terms) -> [u8; 4] {
        let mut text = Writer::new();
        terms.write(text.u32(old_balance));
        self.mac(text)
    }

    /// MAC2 of a load, host to card. `stamp` is the host's clock.
    pub fn load_mac2(&self, terms: Terms, stamp: Stamp) -> [u8; 4] {
        self.stamped_mac(terms, stamp)
    }

    /// MAC1 of a purchase, terminal to card. `stamp` is the terminal's clock.
    pub fn purchase_mac1(&self, terms: Terms, stamp: Stamp) -> [u8; 4] {
        self.stamped_mac(terms, stamp)
    }

    /// The same for a card of the construction ministry's profile, which wants its security identifier covered too.
    pub fn purchase_mac1_with(&self, terms: Terms, stamp: Stamp, identifier: &[u8; 9]) -> [u8; 4] {
        let mut text = Writer::new();
        stamp.write(terms.write(&mut text)).raw(identifier);
        self.mac(text)
    }

    /// MAC2 of a purchase, card to terminal: the money has left the purse.
    pub fn purchase_mac2(&self, amount: u32) -> [u8; 4] {
        let mut text = Writer::new();
        text.u32(amount);
        self.mac(text)
    }

    fn stamped_mac(&self, terms: Terms, stamp: Stamp) -> [u8; 4] {
        let mut text = Writer::new();
        stamp.write(terms.write(&mut text));
        self.mac(text)
    }

    fn mac(&self, text: Writer) -> [u8; 4] {
        match &self.0 {
            Form::TripleDes(key) => mac8(key, [0; 8], &text.done()),
            Form::Sm4(key) => mac_sm4(key, [0; 16], &text.done()),
        }
    }
}

impl Suite {
    /// Key of a load; `n` is the counter before it.
    pub fn load_key(self, key: &Key16, random: [u8; 4], n: u16) -> SessionKey {
        let ([a, b, c, d], [e, f]) = (random, n.to_be_bytes());
        self.session(key, [a, b, c, d, e, f, 0x80, 0x00], 6)
    }

    /// Key of a purchase; `m` is the counter before it.
    pub fn purchase_key(self, key: &Key16, random: [u8; 4], m: u16, tsn: u32) -> SessionKey {
        let ([a, b, c, d], [e, f], [_, _, g, h]) = (random, m.to_be_bytes(), tsn.to_be_bytes());
        self.session(key, [a, b, c, d, e, f, g, h], 8)
    }

    /// `facts` of the eight input bytes are facts; the rest is the padding of 3DES.
    fn session(self, key: &Key16, input: [u8; 8], facts: usize) -> SessionKey {
        SessionKey(match self {
            Suite::TripleDes => Form::TripleDes(Key8::new(key.encrypt(input))),
            Suite::Sm4(SessionForm::Doubled) => Form::Sm4(Key16::new(key.sm4_encrypt(doubled(input)))),
            Suite::Sm4(SessionForm::Padded) => {
                let mut block = [0; 16];
                let padded = input.iter().take(facts).chain(&[0x80]);
                for (to, from) in block.iter_mut().zip(padded) {
                    *to = *from;
                }
                Form::Sm4(Key16::new(key.sm4_encrypt(block)))
            }
        })
    }

    /// TAC of a load: the card says that it added the amount. `n` is the counter before the load.
    pub fn load_tac(self, tac_key: &Key16, new_balance: u32, n: u16, terms: Terms, stamp: Stamp) -> [u8; 4] {
        let mut text = Writer::new();
        stamp.write(terms.write(text.u32(new_balance).u16(n)));
        self.tac(tac_key, text)
    }

    /// TAC of a purchase: the card says to the host that it was debited. It covers neither card number nor counter nor
    /// balance; who it was follows from the key, and that it is new from (terminal, `tsn`).
    pub fn purchase_tac(self, tac_key: &Key16, terms: Terms, tsn: u32, stamp: Stamp) -> [u8; 4] {
        let mut text = Writer::new();
        stamp.write(terms.write(&mut text).u32(tsn));
        self.tac(tac_key, text)
    }

    /// Under 3DES the two halves of the key are folded into one; SM4 takes the key as it is.
    fn tac(self, key: &Key16, text: Writer) -> [u8; 4] {
        match self {
            Suite::TripleDes => mac8(&key.tac_key(), [0; 8], &text.done()),
            Suite::Sm4(_) => mac_sm4(key, [0; 16], &text.done()),
        }
    }
}

/// TAC of a load under 3DES: [`Suite::load_tac`].
pub fn load_tac(tac_key: &Key16, new_balance: u32, n: u16, terms: Terms, stamp: Stamp) -> [u8; 4] {
    Suite::TripleDes.load_tac(tac_key, new_balance, n, terms, stamp)
}

/// TAC of a purchase under 3DES: [`Suite::purchase_tac`].
pub fn purchase_tac(tac_key: &Key16, terms: Terms, tsn: u32, stamp: Stamp) -> [u8; 4] {
    Suite::TripleDes.purchase_tac(tac_key, terms, tsn, stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_what_a_purse_can_count() {
        let table = [
            (0, Some(0)),
            (1_250, Some(1_250)),
            (i64::from(u32::MAX), Some(u32::MAX)),
            (i64::from(u32::MAX) + 1, None),
            (-1, None),
        ];
        for (amount, count) in table {
            assert_eq!(purse_amount(Fen::new(amount)), count, "{amount}");
            if let Some(count) = count {
                assert_eq!(fen(count), Fen::new(amount));
            }
        }
    }

    #[test]
    fn every_kind_survives_being_numbered() {
        let kinds = [Kind::PassbookLoad, Kind::Load, Kind::PassbookPurchase, Kind::Purchase, Kind::Composite];
        for (kind, code) in kinds.into_iter().zip([1, 2, 5, 6, 9]) {
            assert_eq!((kind.code(), Kind::of(code)), (code, Some(kind)));
        }
        assert_eq!([0, 3, 4, 7, 8, 10, 0xFF].map(Kind::of), [None; 7]);
    }
}
