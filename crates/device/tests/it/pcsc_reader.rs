//! The reader of plastic, at real readers of PC/SC. With the feature `pcsc` these tests want virtual readers around them:
//! `cargo xtask readers --count 16 -- cargo test -p device --features pcsc`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use card::status::Status;
use card::tear::{Cut, CutPlace};
use card::terminal::{self, CardFault};
use device::channel::{
    CardChannel, Insertion, Left, Manner, PcscFault, PcscReader, Pull, PullAt, VirtualReader, store_card,
};
use pcsc::{Context, Error, Protocols, Scope, ShareMode};

use crate::virtual_reader::{card_file, counting, credit, stored};
use crate::world::{BEN, new_chip};

/// A virtual reader that no other test has: its name and its driver's port.
#[expect(clippy::disallowed_methods, reason = "says which readers are there; nothing else can")]
fn place() -> (String, SocketAddr) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let all = std::env::var("CARD_READERS").expect("run this with `cargo xtask readers --count 16 -- ...`");
    let own = all.split(',').nth(NEXT.fetch_add(1, Ordering::Relaxed)).expect("ask for more readers with --count");
    let (name, port) = own.split_once('=').expect("name=port");
    (name.to_owned(), SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a port"))))
}

fn both(manner: Manner) -> (PcscReader, VirtualReader) {
    let (name, address) = place();
    (PcscReader::open(&name).expect("is there"), VirtualReader::new(address, manner, counting()))
}

/// Looks until it is so; 20 seconds at most.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let (_never, pause) = mpsc::channel::<()>();
    for _ in 0..4_000 {
        if let Some(found) = look() {
            return found;
        }
        let _ = pause.recv_timeout(Duration::from_millis(5));
    }
    panic!("in vain: {what}");
}

const PATIENCE: Duration = Duration::from_secs(20);

fn comes(reader: &mut PcscReader) -> Insertion {
    assert!(reader.wait(true, PATIENCE), "no card comes");
    reader.present().expect("just seen")
}

fn leaves(reader: &mut PcscReader) {
    assert!(reader.wait(false, PATIENCE), "the card does not leave");
    assert_eq!(reader.present(), None);
}

#[test]
fn cards_come_answer_and_leave_and_each_insertion_differs() {
    for manner in [Manner::Contactless, Manner::Contact] {
        let ((mut reader, hand), file) = (both(manner), card_file("pcsc_story"));
        assert_eq!(reader.present(), None);
        assert!(reader.transmit(&terminal::select_purse()).is_empty(), "no card, no answer");
        hand.put(&file, None).expect("lies there");
        let first = comes(&mut reader);
        let command = credit(&mut |command| reader.transmit(command));
        assert_eq!(reader.present(), Some(first), "nothing of this makes it another insertion");
        assert!(terminal::parse_credit(&reader.transmit(&command)).is_ok());
        assert_eq!(stored(&file).balance(), 5000);
        assert_eq!(terminal::parse_balance(&reader.transmit(&terminal::get_balance())), Ok(5000));
        hand.pull(Pull::Now);
        leaves(&mut reader);
        reader.removed();
        hand.put(&file, None).expect("comes back");
        assert_ne!(comes(&mut reader), first);
        terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
    }
}

#[test]
fn a_card_whose_turn_is_over_has_lost_its_session() {
    let ((mut reader, hand), file) = (both(Manner::Contactless), card_file("pcsc_removed"));
    hand.put(&file, None).expect("lies there");
    comes(&mut reader);
    let command = credit(&mut |command| reader.transmit(command));
    reader.removed();
    let refused = terminal::parse_credit(&reader.transmit(&command));
    assert!(matches!(refused, Err(CardFault::Status(_))), "{refused:?}");
    assert_eq!(stored(&file).balance(), 0);
}

#[test]
fn a_card_pulled_within_a_command_is_gone_and_its_file_tells_what_it_did() {
    let places = [
        (CutPlace::BeforeReceive, 0, 0),
        (CutPlace::BeforeApply, 0, 0),
        (CutPlace::BeforeAnswer, 0, 5000),
        (CutPlace::InAnswer(1), 0, 5000),
        (CutPlace::InAnswer(3), 3, 5000),
        (CutPlace::InAnswer(5), 5, 5000),
    ];
    let mut cases = 0;
    // With T=0, SELECT and INITIALIZE are two commands each; the answer to CREDIT is only announced.
    for (manner, credit_at) in [(Manner::Contactless, 2), (Manner::Contact, 4)] {
        let (mut reader, hand) = both(manner);
        for (place, arrives, balance) in places {
            let file = card_file("pcsc_torn");
            hand.put(&file, Some(Cut { at: credit_at, place })).expect("lies there");
            let torn = comes(&mut reader);
            let command = credit(&mut |command| reader.transmit(command));
            assert_eq!(reader.transmit(&command).len(), arrives, "{manner:?} {place:?}");
            assert_eq!(hand.wait(), Left::Pulled);
            assert_eq!(stored(&file).balance(), balance, "{manner:?} {place:?}");
            assert!(reader.transmit(&terminal::get_balance()).is_empty(), "it is gone");
            leaves(&mut reader);
            hand.put(&file, None).expect("comes back");
            assert_ne!(comes(&mut reader), torn);
            terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
            let answer = reader.transmit(&terminal::get_balance());
            assert_eq!(terminal::parse_balance(&answer), Ok(balance), "{manner:?} {place:?}");
            hand.pull(Pull::Now);
            leaves(&mut reader);
            cases += 1;
        }
    }
    assert_eq!(cases, 12);
}

#[test]
fn a_card_that_comes_back_before_the_service_looked_begins_anew() {
    let ((mut reader, hand), file) = (both(Manner::Contactless), card_file("pcsc_quick"));
    hand.put(&file, None).expect("lies there");
    for round in 0..5 {
        let before = comes(&mut reader);
        let command = credit(&mut |command| reader.transmit(command));
        hand.pull(Pull::During(PullAt::Credit, CutPlace::BeforeApply));
        assert!(reader.transmit(&command).is_empty());
        assert_eq!((reader.present(), hand.wait()), (None, Left::Pulled));
        hand.put(&file, None).expect("comes back at once");
        assert_ne!(comes(&mut reader), before);
        terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
        let refused = terminal::parse_credit(&reader.transmit(&command));
        assert_eq!(refused, Err(CardFault::Status(Status::InvalidState)), "round {round}");
    }
    assert_eq!(stored(&file).balance(), 0);
}

#[test]
fn a_card_of_t0_pulled_before_its_answer_is_fetched_has_obeyed_and_not_answered() {
    let (mut reader, hand) = both(Manner::Contact);
    // SELECT, INITIALIZE and CREDIT, each with its GET RESPONSE.
    for (at, place, arrives) in
        [(5, CutPlace::BeforeReceive, 0), (5, CutPlace::InAnswer(2), 2), (4, CutPlace::BeforeAnswer, 0)]
    {
        let file = card_file("pcsc_fetch");
        hand.put(&file, Some(Cut { at, place })).expect("lies there");
        comes(&mut reader);
        let command = credit(&mut |command| reader.transmit(command));
        assert_eq!(reader.transmit(&command).len(), arrives, "{at} {place:?}");
        assert_eq!((hand.wait(), stored(&file).balance()), (Left::Pulled, 5000));
        leaves(&mut reader);
    }
}

#[test]
fn a_card_changed_for_another_without_a_look_in_between_is_another_insertion() {
    let ((mut reader, hand), anna) = (both(Manner::Contactless), card_file("pcsc_changed"));
    let ben = anna.with_file_name("ben.card");
    store_card(&ben, &new_chip(BEN)).expect("can be written");
    hand.put(&anna, None).expect("lies there");
    let first = comes(&mut reader);
    let command = credit(&mut |command| reader.transmit(command));
    hand.pull(Pull::Now);
    hand.put(&ben, None).expect("lies there");
    // The terminal still means the first card: the other one must not get the command.
    assert!(reader.transmit(&command).is_empty());
    let second = until("the other card", || reader.present().filter(|insertion| *insertion != first));
    let file = terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("a card");
    assert_eq!(file.card().0, BEN, "{second:?}");
    assert_eq!((stored(&anna).balance(), stored(&ben).balance()), (0, 0));
}

#[test]
fn nobody_else_talks_to_a_card_while_it_is_used() {
    let ((name, address), file) = (place(), card_file("pcsc_exclusive"));
    let mut reader = PcscReader::open(&name).expect("is there");
    let hand = VirtualReader::new(address, Manner::Contactless, counting());
    hand.put(&file, None).expect("lies there");
    comes(&mut reader);
    terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
    let context = Context::establish(Scope::User).expect("the service");
    let named = std::ffi::CString::new(name).expect("a name");
    let other = context.connect(&named, ShareMode::Shared, Protocols::ANY);
    assert_eq!(other.err(), Some(Error::SharingViolation));
    reader.removed();
    let other = until("it is free", || context.connect(&named, ShareMode::Shared, Protocols::ANY).ok());
    assert!(reader.transmit(&terminal::select_purse()).is_empty(), "now the other one has it");
    drop(other);
    comes(&mut reader);
    terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card again");
}

#[test]
fn a_wrong_name_is_answered_with_the_readers_that_are_there() {
    let (name, _) = place();
    match PcscReader::open("No Such Reader").err() {
        Some(PcscFault::Reader { wanted, readers }) => {
            assert_eq!(wanted, "No Such Reader");
            assert!(readers.contains(&name), "{readers:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(PcscReader::open("Virtual PCD"), Err(PcscFault::Reader { .. })), "more than one begins so");
}

/// A card that tells its ATR and answers no command.
fn silent_card(address: SocketAddr) -> TcpStream {
    let line = TcpStream::connect(address).expect("the driver");
    let mut theirs = line.try_clone().expect("a line");
    std::thread::spawn(move || {
        let mut length = [0; 2];
        while theirs.read_exact(&mut length).is_ok() {
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            if theirs.read_exact(&mut message).is_err() {
                return;
            }
            if message == [4] && theirs.write_all(&[0, 5, 0x3B, 0x80, 0x80, 0x01, 0x01]).is_err() {
                return;
            }
        }
    });
    line
}

#[test]
fn a_card_that_never_answers_holds_nobody_up() {
    let ((name, address), file) = (place(), card_file("pcsc_silent"));
    let mut reader = PcscReader::open(&name).expect("is there");
    let silent = silent_card(address);
    comes(&mut reader);
    assert!(reader.transmit(&terminal::select_purse()).is_empty());
    assert_eq!(reader.present(), None, "it counts as gone");
    silent.shutdown(std::net::Shutdown::Both).expect("pulled");
    drop(silent);
    let hand = VirtualReader::new(address, Manner::Contactless, counting());
    hand.put(&PathBuf::from(&file), None).expect("another card");
    until("the reader works again", || {
        reader.present()?;
        terminal::parse_select(&reader.transmit(&terminal::select_purse())).ok()
    });
}
