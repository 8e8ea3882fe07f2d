//! `onecard card --vpcd`, with the driver's side of the line played here; and readers that are not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::Place;

fn bare(name: &str) -> Place {
    let place = Place::new(name);
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    place
}

/// A card in a process of its own, and the driver's end of its line.
fn lies(place: &Place, more: &[&str]) -> (Child, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let card = Command::new(env!("CARGO_BIN_EXE_onecard"))
        .current_dir(&place.0)
        .args(["card", "--vpcd", &address, "--state", "a.card"])
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    (card, listener.accept().unwrap().0)
}

fn ask(line: &mut TcpStream, message: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(message.len()).unwrap();
    line.write_all(&[&length.to_be_bytes()[..], message].concat()).unwrap();
    let mut length = [0; 2];
    line.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    line.read_exact(&mut answer).ok()?;
    Some(answer)
}

fn said(card: &mut Child) -> String {
    let lines = BufReader::new(card.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_card_lies_on_a_virtual_reader_until_ctrl_c_takes_it_away() {
    let place = bare("vpcd_story");
    for (more, atr) in [(&[][..], &[0x3B, 0x80, 0x80, 0x01, 0x01][..]), (&["--contact"], &[0x3B, 0x00])] {
        let (mut card, mut line) = lies(&place, more);
        assert_eq!(ask(&mut line, &[4]).as_deref(), Some(atr));
        let answer = ask(&mut line, &[0x00, 0x84, 0x00, 0x00, 0x04]).unwrap();
        assert_eq!(answer[4..], [0x90, 0x00]);
        let address = line.local_addr().unwrap().to_string();
        let taken = place.refused(&["card", "--vpcd", &address, "--state", "a.card"]);
        assert!(taken.contains("lies on another reader"), "{taken}");
        Command::new("kill").args(["-INT", &card.id().to_string()]).status().unwrap();
        assert!(card.wait().unwrap().success());
        assert_eq!(ask(&mut line, &[4]), None, "it has left");
        assert!(said(&mut card).contains("the card has left; its purse holds 0.00"));
    }
}

#[test]
fn a_reader_that_goes_away_is_a_failure_that_says_what_to_do() {
    let place = bare("vpcd_gone");
    let (mut card, line) = lies(&place, &[]);
    let address = line.local_addr().unwrap().to_string();
    drop(line);
    assert_eq!(card.wait().unwrap().code(), Some(1));
    let nobody = place.refused(&["card", "--vpcd", &address, "--state", "a.card"]);
    assert!(nobody.contains("no virtual reader answers") && nobody.contains("start pcscd"), "{nobody}");
    let missing = place.refused(&["card", "--vpcd", &address, "--state", "none.card"]);
    assert!(missing.contains("none.card"), "{missing}");
}

#[test]
fn options_of_a_card_on_a_reader_come_together_and_never_with_a_subcommand() {
    let place = bare("vpcd_options");
    let table: [&[&str]; 6] = [
        &["card"],
        &["card", "--vpcd", "127.0.0.1:1"],
        &["card", "--state", "a.card"],
        &["card", "--vpcd", "127.0.0.1", "--state", "a.card"],
        &["card", "--vpcd", "127.0.0.1:1", "--state", "a.card", "--leaves", "now"],
        &["card", "--vpcd", "127.0.0.1:1", "--state", "a.card", "blank", "--out", "b.card"],
    ];
    for line in table {
        assert_eq!(place.onecard(line).status.code(), Some(2), "{line:?}");
    }
}

#[cfg(not(feature = "pcsc"))]
#[test]
fn a_build_without_pcsc_says_how_to_get_one_with_it() {
    let place = bare("no_pcsc");
    let server = ["--server", "wss://127.0.0.1:1/link/v1", "--identity", "till"];
    let terminal = [&["terminal", "pos"][..], &server, &["--reader", "pcsc:Some Reader"]].concat();
    let office = crate::with(&[
        "card",
        "personalise",
        "--person",
        "1",
        "--card",
        "1000000000000001",
        "--reader",
        "pcsc:Some Reader",
    ]);
    for line in [terminal, office] {
        let refused = place.refused(&line);
        assert!(refused.contains("libpcsclite-dev") && refused.contains("--features pcsc"), "{refused}");
    }
    let wrong = [&["terminal", "pos"][..], &server, &["--reader", "usb"]].concat();
    assert_eq!(place.onecard(&wrong).status.code(), Some(2));
}
