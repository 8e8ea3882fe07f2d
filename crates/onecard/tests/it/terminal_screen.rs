//! `onecard terminal pos` from outside: typed lines in, a line for each change of the display out.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::backup::Server;
use crate::{Place, roster, with};

const PATIENCE: Duration = Duration::from_secs(30);

/// A school with a holder, a card and a terminal that is enrolled; the port is that of the terminals' listener.
fn school(name: &str) -> (Place, u16) {
    let place = Place::new(name);
    // Free now; the server takes it a moment later.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = fs::read_to_string(place.0.join("onecard.toml")).unwrap();
    let terminals = format!("[terminals]\nlisten = \"127.0.0.1:{port}\"");
    fs::write(place.0.join("onecard.toml"), config.replace("[terminals]\nlisten = \"127.0.0.1:0\"", &terminals))
        .unwrap();
    fs::write(place.0.join("merchants.csv"), "code,name_zh,name_en\ncanteen-1,第一食堂,First canteen\n").unwrap();
    place.succeeds(&with(&["import", "merchants", "merchants.csv"]));
    place.succeeds(&with(&["import", "people", &roster(), "--results", "results.xlsx"]));
    let card = ["--number", "2023876543", "--card", "2026000000000042", "--out", "a.card"];
    place.succeeds(&with(&[&["card", "issue"][..], &card].concat()));
    let terminal = ["--number", "000001", "--merchant", "canteen-1", "--place-zh", "窗口", "--place-en", "Window 3"];
    place.succeeds(&with(&[&["terminal", "enrol", "--out", "pos"][..], &terminal].concat()));
    (place, port)
}

struct Pos {
    child: Child,
    keys: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Drop for Pos {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pos {
    fn start(place: &Place, port: u16, more: &[&str]) -> Pos {
        let server = format!("wss://127.0.0.1:{port}/link/v1");
        let line = ["terminal", "pos", "--server", &server, "--identity", "pos", "--reader", "soft"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_onecard"));
        command.current_dir(&place.0).args(line).args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (said, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| said.send(line).is_ok()));
        let keys = child.stdin.take();
        Pos { child, keys, lines }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.keys.as_mut().expect("open"), "{line}").unwrap();
    }

    /// The next line that has this in it.
    fn says(&self, what: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return line,
                Ok(line) => heard.push(line),
                Err(_) => panic!("{what:?} is not said, but {heard:#?}"),
            }
        }
    }

    fn ends_well(mut self) {
        self.says("switched off");
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0));
    }
}

#[test]
fn a_clerk_sells_by_typed_lines_and_sees_lamp_sound_and_words() {
    let (place, port) = school("screen");
    let server = Server::start(&place);
    let mut pos = Pos::start(&place, port, &["--language", "en"]);
    pos.says("[lamp off] Starting");
    pos.says("12.50            enters an amount");
    pos.says("[lamp off] Window 3; Enter an amount, or hold a card to sync it");
    let taken = place.refused(&[
        "terminal",
        "pos",
        "--server",
        "wss://127.0.0.1:1/link/v1",
        "--identity",
        "pos",
        "--reader",
        "soft",
    ]);
    assert!(taken.contains("this terminal runs already"), "{taken}");

    pos.types("card nowhere.card");
    pos.says("nowhere.card cannot be used");
    pos.types("card a.card");
    pos.says("[green lamp, sound done] Card 0.00, account 0.00");
    pos.types("pull");
    pos.types("twelve");
    pos.says("\"twelve\" is no amount and no command; type help");
    pos.types("0");
    pos.says("[red lamp, sound refused] Not a valid amount; Enter 0.01 to 9999.99");
    for wrong in ["10000", "12.345", "0"] {
        pos.types("12.5");
        pos.says("[lamp off] To pay 12.50; Hold your card");
        pos.types(wrong);
        pos.says("Not a valid amount");
    }
    pos.types("12.5");
    pos.says("[lamp off] To pay 12.50; Hold your card");
    pos.types("card a.card");
    let refused = pos.says("[red lamp, sound not-enough] 12.50 not paid");
    assert!(refused.contains("Card 0.00, account 0.00"), "{refused}");
    pos.types("pull");
    pos.types("cancel");
    pos.says("[lamp off] Called off");
    pos.types("repeat");
    pos.says("[lamp off] 12.50; Press enter");
    pos.types("");
    pos.says("[lamp off] To pay 12.50; Hold your card");
    pos.types("total");
    pos.says("Sales today: 0, 0.00 in all");
    pos.says("12.50, not paid");
    pos.types("quit");
    pos.ends_well();
    drop(server);
    assert!(place.succeeds(&with(&["verify"])).contains("the book is whole"));
}

#[test]
fn r34_without_the_platform_it_says_so_once_and_ends_well_at_the_end_of_its_input_and_at_ctrl_c() {
    let (place, _) = school("screen-off-line");
    let mut pos = Pos::start(&place, 1, &["--language", "both", "--plain"]);
    pos.says("no connection to the platform");
    pos.says("网络未连接; 暂停收款和同步 | No connection; No sales and no sync for now");
    pos.types("card a.card");
    pos.says("[red lamp, sound refused] 暂不可同步");
    pos.keys = None;
    pos.ends_well();

    let pos = Pos::start(&place, 1, &["--language", "zh", "--bell"]);
    pos.says("网络未连接");
    let interrupted = Command::new("kill").args(["-INT", &pos.child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    pos.ends_well();
}
