//! Software cards at a virtual reader, with its driver's side of the line played here.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use card::chip::Chip;
use card::session::{Kind, Stamp, Terms};
use card::tear::{Cut, CutPlace};
use card::terminal::{self, LoadAnswer};
use device::channel::{CardFileFault, Left, Manner, Pull, PullAt, SoftReader, VirtualReader, store_card};

use crate::folder::fresh;
use crate::world::{ANNA, masters, new_chip};

pub const TERMINAL: [u8; 6] = [0, 0, 7, 0, 0, 1];
pub const STAMP: Stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0x30, 0x45] };

/// A chance that is none.
pub fn counting() -> impl FnMut() -> [u8; 4] + Send + 'static {
    static THROW: AtomicU32 = AtomicU32::new(1);
    || THROW.fetch_add(0x9E37_79B9, Ordering::Relaxed).to_be_bytes()
}

pub fn card_file(name: &str) -> PathBuf {
    let file = fresh(name).join("anna.card");
    store_card(&file, &new_chip(ANNA)).expect("can be written");
    file
}

pub fn stored(file: &PathBuf) -> Chip {
    Chip::from_bytes(&fs::read(file).expect("the card's file")).expect("a whole card")
}

/// CREDIT FOR LOAD of 50.00 for a card behind `transmit`.
pub fn credit(transmit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    terminal::parse_select(&transmit(&terminal::select_purse())).expect("our card");
    let answer = LoadAnswer::parse(&transmit(&terminal::init_load(5000, TERMINAL))).expect("can be loaded");
    let terms = Terms { amount: 5000, kind: Kind::Load, terminal: TERMINAL };
    let opening = card::host::LoadOpening { terms, answer };
    let mac2 = masters().card_keys(new_chip(ANNA).card()).release_load(&opening, STAMP);
    terminal::credit_load(STAMP, mac2)
}

/// The driver: listens, and speaks with the card that came.
struct Driver {
    listener: TcpListener,
}

impl Driver {
    fn new() -> Driver {
        Driver { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port") }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    fn hand(&self, manner: Manner) -> VirtualReader {
        VirtualReader::new(self.address(), manner, counting())
    }

    fn accept(&self) -> Line {
        Line(self.listener.accept().expect("a card comes").0)
    }
}

struct Line(TcpStream);

impl Line {
    fn send(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).expect("short");
        self.0.write_all(&length.to_be_bytes()).expect("sent");
        self.0.write_all(message).expect("sent");
    }

    /// The next message; nothing when the card has left.
    fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut message).ok()?;
        Some(message)
    }

    fn ask(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.send(message);
        self.hear()
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.ask(command).expect("the card answers")
    }
}

#[test]
fn a_card_shows_its_atr_and_what_it_answers_is_in_its_file_before() {
    let (driver, file) = (Driver::new(), card_file("vpcd_answers"));
    let hand = driver.hand(Manner::Contactless);
    hand.put(&file, None).expect("lies there");
    assert_eq!(hand.card(), Some(file.clone()));
    let mut line = driver.accept();
    line.send(&[1]);
    let atr = line.ask(&[4]).expect("an ATR");
    let check = atr[1..].iter().fold(0, |sum, byte| sum ^ byte);
    assert_eq!((atr[0], check), (0x3B, 0), "with its check byte, the exclusive or of all after TS is zero");
    let command = credit(&mut |command| line.transmit(command));
    assert_eq!(stored(&file).balance(), 0);
    assert!(terminal::parse_credit(&line.transmit(&command)).is_ok());
    assert_eq!((stored(&file).balance(), stored(&file).loads()), (5000, 1));
    hand.pull(Pull::Now);
    assert_eq!((hand.card(), hand.wait(), line.hear()), (None, Left::Pulled, None));
}

#[test]
fn power_off_and_reset_end_the_session_and_the_card_stays() {
    for control in [0_u8, 1, 2] {
        let (driver, file) = (Driver::new(), card_file("vpcd_power"));
        let hand = driver.hand(Manner::Contactless);
        hand.put(&file, None).expect("lies there");
        let mut line = driver.accept();
        let command = credit(&mut |command| line.transmit(command));
        line.send(&[control]);
        assert!(terminal::parse_credit(&line.transmit(&command)).is_err(), "{control}");
        terminal::parse_select(&line.transmit(&terminal::select_purse())).expect("it is there");
        assert!(terminal::parse_credit(&line.transmit(&command)).is_err(), "the old MAC2 is dead");
        assert_eq!(stored(&file).balance(), 0);
        hand.pull(Pull::Now);
    }
}

#[test]
fn a_card_leaves_at_the_command_of_the_insertion_that_was_asked_for() {
    let places = [
        (CutPlace::BeforeReceive, None, 0),
        (CutPlace::BeforeApply, None, 0),
        (CutPlace::BeforeAnswer, None, 5000),
        (CutPlace::InAnswer(0), None, 5000),
        (CutPlace::InAnswer(3), Some(3), 5000),
    ];
    for (manner, at) in [(Manner::Contactless, 2), (Manner::Contact, 4)] {
        for (place, arrives, balance) in places {
            let (driver, file) = (Driver::new(), card_file("vpcd_cut"));
            let hand = driver.hand(manner);
            hand.put(&file, Some(Cut { at, place })).expect("lies there");
            let mut line = driver.accept();
            let fetched = &mut |command: &[u8]| match line.transmit(command)[..] {
                [0x61, length] => line.transmit(&[0, 0xC0, 0, 0, length]),
                ref answer => answer.to_vec(),
            };
            let command = credit(fetched);
            assert_eq!(line.ask(&command).map(|answer| answer.len()), arrives, "{place:?}");
            assert_eq!((hand.wait(), hand.card(), line.hear()), (Left::Pulled, None, None));
            assert_eq!(stored(&file).balance(), balance, "{place:?}");
            hand.put(&file, None).expect("comes back at once");
            hand.pull(Pull::During(PullAt::Next, CutPlace::BeforeReceive));
            assert_eq!(driver.accept().ask(&terminal::select_purse()), None);
            assert_eq!(hand.wait(), Left::Pulled);
        }
    }
}

#[test]
fn a_reader_that_goes_is_told_from_a_card_that_is_pulled() {
    let (driver, file) = (Driver::new(), card_file("vpcd_reader_gone"));
    let hand = driver.hand(Manner::Contactless);
    hand.put(&file, None).expect("lies there");
    drop(driver.accept());
    assert_eq!((hand.wait(), hand.card()), (Left::ReaderGone, None));
    let address = driver.address();
    drop(driver);
    let refused = hand.put(&file, None);
    assert!(matches!(refused, Err(CardFileFault::Reader { address: told, .. }) if told == address), "{refused:?}");
    let soft = SoftReader::new(counting());
    soft.put(&file).expect("the file is free");
}

#[test]
fn a_card_lies_on_one_reader_of_any_make_at_a_time() {
    let (driver, file) = (Driver::new(), card_file("vpcd_one_place"));
    let hand = driver.hand(Manner::Contactless);
    hand.put(&file, None).expect("lies here");
    assert!(matches!(hand.put(&file, None), Err(CardFileFault::Occupied)));
    let soft = SoftReader::new(counting());
    assert!(matches!(soft.put(&file), Err(CardFileFault::Elsewhere(_))));
    hand.pull(Pull::Now);
    soft.put(&file).expect("now there");
    assert!(matches!(hand.put(&file, None), Err(CardFileFault::Elsewhere(_))));
}

#[test]
fn a_change_that_cannot_be_written_is_never_answered() {
    let (driver, file) = (Driver::new(), card_file("vpcd_cannot_write"));
    let hand = driver.hand(Manner::Contactless);
    hand.put(&file, None).expect("lies there");
    let mut line = driver.accept();
    let command = credit(&mut |command| line.transmit(command));
    fs::create_dir(file.with_extension("card.new")).expect("can be made");
    assert_eq!(line.ask(&command), None);
    assert_eq!(hand.wait(), Left::Pulled);
    assert_eq!(stored(&file).balance(), 0);
}
