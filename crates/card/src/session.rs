//! The formulas that bind a load or a purchase to one card, one terminal, one amount and one moment.
//!
//! They are written once; card, purchase module and host all call them. Source: JR/T 0025.1, checked with the recorded
//! answers of real cards (see the vector tests).

use ledger::{Fen, Writer};

use crate::crypto::{Key8, Key16, mac8};

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

/// The key of one transaction: made of the card's random number and counter, dead when the card loses power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey(pub Key8);

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
    /// Of a load: `E(load key, random || N || 80 00)`; `n` is the counter before the load.
    pub fn for_load(load_key: &Key16, random: [u8; 4], n: u16) -> SessionKey {
        let ([a, b, c, d], [e, f]) = (random, n.to_be_bytes());
        SessionKey(Key8::new(load_key.encrypt([a, b, c, d, e, f, 0x80, 0x00])))
    }

    /// Of a purchase: `E(purchase key, random || M || low half of TSN)`; `m` is the counter before the purchase.
    pub fn for_purchase(purchase_key: &Key16, random: [u8; 4], m: u16, tsn: u32) -> SessionKey {
        let ([a, b, c, d], [e, f], [_, _, g, h]) = (random, m.to_be_bytes(), tsn.to_be_bytes());
        SessionKey(Key8::new(purchase_key.encrypt([a, b, c, d, e, f, g, h])))
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
        mac8(&self.0, [0; 8], &text.done())
    }
}

/// TAC of a load: the card says that it added the amount. `n` is the counter before the load.
pub fn load_tac(tac_key: &Key16, new_balance: u32, n: u16, terms: Terms, stamp: Stamp) -> [u8; 4] {
    let mut text = Writer::new();
    stamp.write(terms.write(text.u32(new_balance).u16(n)));
    mac8(&tac_key.tac_key(), [0; 8], &text.done())
}

/// TAC of a purchase: the card says to the host that it was debited. It covers neither card number nor counter nor
/// balance; who it was follows from the key, and that it is new from (terminal, `tsn`).
pub fn purchase_tac(tac_key: &Key16, terms: Terms, tsn: u32, stamp: Stamp) -> [u8; 4] {
    let mut text = Writer::new();
    stamp.write(terms.write(&mut text).u32(tsn));
    mac8(&tac_key.tac_key(), [0; 8], &text.done())
}
