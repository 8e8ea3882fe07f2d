//! A host, a terminal and cards to play taps with.

use std::collections::BTreeMap;

use card::chip::Chip;
use card::crypto::{Algorithm, Key16};
use card::files::{CardKeys, CardNumber, DayCounter, Profile, Validity};
use card::holder::HolderFile;
use card::host::{KeySet, LoadOpening, Masters};
use card::office::Order;
use card::profile::Switches;
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp, Suite, Terms};
use card::tear::TearableCard;
use card::terminal::{self, CardFault, DebitAnswer, LoadAnswer, ProveAnswer, PurchaseAnswer};

pub const SERIAL: [u8; 10] = [0, 0, 0x20, 0x26, 0, 0, 0, 0, 0, 0x42];
pub const POS: [u8; 6] = [0, 0, 0, 0, 0x02, 0x02];
pub const STAMP: Stamp = Stamp { date: [0x20, 0x26, 0x09, 0x01], time: [0x12, 0x30, 0x45] };

pub fn hex<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().expect("length of a test constant")
}

pub fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub fn key(text: &str) -> Key16 {
    Key16::new(hex(text))
}

pub fn masters() -> Masters {
    Masters {
        load: key("00112233445566778899AABBCCDDEEFF"),
        purchase: key("0123456789ABCDEFFEDCBA9876543210"),
        tac: key("A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8"),
        maintenance: key("C0C1C2C3C4C5C6C7D0D1D2D3D4D5D6D7"),
    }
}

pub fn profile() -> Profile {
    Profile {
        issuer: hex("0102030405060708"),
        application_version: 1,
        key_version: 1,
        validity: Validity { from: hex("20260901"), until: hex("20300731") },
    }
}

pub fn new_chip() -> Chip {
    Chip::personalise(SERIAL, &masters(), &profile())
}

pub fn new_psam() -> SoftPsam {
    SoftPsam::new(POS, BTreeMap::from([(1, masters().purchase)]))
}

pub const TRANSPORT: [u8; 16] = *b"maker's own key!";

/// The keys of the card with [`SERIAL`].
pub fn key_set(suite: Suite) -> KeySet {
    masters().key_set(suite, CardNumber::of_serial(SERIAL))
}

/// An order for the card with [`SERIAL`], as the project makes cards.
pub fn order() -> Order {
    Order {
        serial: SERIAL,
        set: key_set(Suite::TripleDes),
        others: Vec::new(),
        profile: profile(),
        switches: Switches::CAMPUS,
        holder: HolderFile::of_school(b"Li Lei", b"2026010001", false).unwrap(),
        pin: None,
        transport: Key16::new(TRANSPORT),
        transport_algorithm: Algorithm::TripleDes,
    }
}

/// The card of an order, as no interruption could have made it.
pub fn ordered_chip(order: &Order) -> Chip {
    Chip::with_key_sets(order.serial, &order.set, &order.others, &order.profile, order.switches, &order.holder)
}

/// A blank card for an order.
pub fn blank_chip(order: &Order) -> Chip {
    Chip::blank(order.switches, order.transport.clone(), order.transport_algorithm)
}

/// Status word of one command.
pub fn word(card: &mut TearableCard, dice: &mut Dice, apdu: &[u8]) -> u16 {
    let answer = send(card, dice, apdu);
    let (_, word) = answer.split_last_chunk::<2>().expect("the card is there");
    u16::from_be_bytes(*word)
}

/// The image of a card as the first version of this program wrote it: facts, counters N and M, log records, proofs.
pub fn first_image(keys: &CardKeys, balance: u32, [n, m]: [u16; 2], log: &[Vec<u8>], proofs: &[Vec<u8>]) -> Vec<u8> {
    let mut image = vec![1];
    image.extend(profile().public_file(SERIAL, Algorithm::TripleDes).encode());
    image.push(1);
    for key in [&keys.load, &keys.purchase, &keys.tac, &keys.maintenance] {
        image.extend(key.expose());
    }
    image.extend(balance.to_be_bytes());
    image.extend([n.to_be_bytes(), m.to_be_bytes()].concat());
    image.extend([0; 16]);
    for list in [log, proofs] {
        image.push(list.len() as u8);
        image.extend(list.concat());
    }
    let sum = ledger::row_digest("card image", &[], Some(&image)).content;
    image.extend(sum);
    image
}

/// Chance that never repeats within a test and is the same in every run.
pub struct Dice(u32);

impl Dice {
    pub fn new() -> Dice {
        Dice(0x9E37_79B9)
    }

    pub fn throw(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
        self.0.to_be_bytes()
    }
}

pub fn send(card: &mut TearableCard, dice: &mut Dice, apdu: &[u8]) -> Vec<u8> {
    card.exchange(apdu, &mut || dice.throw())
}

/// What the host knows of one card: at most one released load, and how many were applied.
pub struct Host {
    pub keys: CardKeys,
    pub released: Option<LoadOpening>,
    pub applied: u32,
    taps: u32,
}

impl Host {
    pub fn new() -> Host {
        let keys = masters().card_keys(new_chip().card());
        Host { keys, released: None, applied: 0, taps: 0 }
    }

    /// One hold of the card that wants `amount` on it once. True when the host knows that it is there.
    pub fn tap(&mut self, card: &mut TearableCard, dice: &mut Dice, amount: u32) -> bool {
        self.try_tap(card, dice, amount).unwrap_or(false)
    }

    fn try_tap(&mut self, card: &mut TearableCard, dice: &mut Dice, amount: u32) -> Result<bool, CardFault> {
        terminal::parse_select(&send(card, dice, &terminal::select_purse()))?;
        self.taps += 1;
        let [_, a, b, c] = self.taps.to_be_bytes();
        let terms = Terms { amount, kind: Kind::Load, terminal: [0, 0, 1, a, b, c] };
        let answer = LoadAnswer::parse(&send(card, dice, &terminal::init_load(amount, terms.terminal)))?;
        let opening = LoadOpening { terms, answer };
        if !self.keys.proves_load(&opening) {
            return Ok(false);
        }
        if let Some(before) = self.released.take() {
            match answer.n.checked_sub(before.answer.n) {
                Some(0) => {}
                Some(1) => {
                    self.applied += 1;
                    return Ok(true);
                }
                _ => panic!("the card's counter jumped from {} to {}", before.answer.n, answer.n),
            }
        }
        self.released = Some(opening);
        let mac2 = self.keys.release_load(&opening, STAMP);
        let tac = terminal::parse_credit(&send(card, dice, &terminal::credit_load(STAMP, mac2)))?;
        if !self.keys.proves_loaded(&opening, STAMP, tac) {
            return Ok(false);
        }
        self.released = None;
        self.applied += 1;
        Ok(true)
    }
}

/// A sale at a terminal, until it is known to be paid.
pub struct Sale {
    pub amount: u32,
    pub kind: Kind,
    pub paid: Option<[u8; 4]>,
    /// M before and balance before of the debit whose fate is not known.
    doubt: Option<(u16, u32)>,
}

impl Sale {
    pub fn new(amount: u32, kind: Kind) -> Sale {
        Sale { amount, kind, paid: None, doubt: None }
    }

    /// One hold of the card; afterwards `paid` holds the TAC, or the sale is to be tried again.
    pub fn tap(&mut self, card: &mut TearableCard, psam: &mut SoftPsam, dice: &mut Dice) {
        let _ = self.try_tap(card, psam, dice);
    }

    fn try_tap(&mut self, card: &mut TearableCard, psam: &mut SoftPsam, dice: &mut Dice) -> Result<(), CardFault> {
        terminal::parse_select(&send(card, dice, &terminal::select_purse()))?;
        if let Some((m, old_balance)) = self.doubt {
            for seq in [m + 1, m] {
                let answer = ProveAnswer::parse(&send(card, dice, &terminal::prove(self.kind, seq)));
                if let Some(proof) = answer.ok().filter(|proof| psam.verify_mac2(proof.mac).is_ok()) {
                    self.paid = Some(proof.tac);
                    return Ok(());
                }
            }
            assert_eq!(terminal::parse_balance(&send(card, dice, &terminal::get_balance()))?, old_balance);
        }
        let composite = self.kind == Kind::Composite;
        let mut counter = DayCounter::NEW;
        if composite {
            counter = terminal::parse_day_counter(&send(card, dice, &terminal::read_day_counter()))?;
        }
        let init = if composite { terminal::init_composite } else { terminal::init_purchase };
        let answer = PurchaseAnswer::parse(&send(card, dice, &init(self.amount, psam.terminal())))?;
        if composite {
            let next = counter.after(STAMP.date, self.amount).expect("a small sum");
            terminal::parse_done(&send(card, dice, &terminal::cache_day_counter(next)))?;
        }
        let request = PurchaseRequest {
            card: card.chip().card(),
            random: answer.random,
            m: answer.m,
            amount: self.amount,
            kind: self.kind,
            stamp: STAMP,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
        };
        let grant = psam.begin_purchase(&request).expect("the module knows the card");
        self.doubt = Some((answer.m, answer.old_balance));
        let proof = DebitAnswer::parse(&send(card, dice, &terminal::debit(grant.tsn, STAMP, grant.mac1)))?;
        if psam.verify_mac2(proof.mac2).is_ok() {
            self.paid = Some(proof.tac);
        }
        Ok(())
    }
}
