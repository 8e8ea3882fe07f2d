//! Backup and restore from outside (M9): what an operator types, and what lies on the disk afterwards.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::{Place, with};

fn set(place: &Place, fen: &str) {
    place.succeeds(&with(&["settings", "set", "topup.min", fen, "--by", "finance"]));
}

fn minimum(place: &Place, data: &str) -> String {
    let shown = place.succeeds(&["settings", "show", "--data", data]);
    shown.lines().find(|line| line.starts_with("topup.min")).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

fn verified(place: &Place, data: &str) -> String {
    let told = place.succeeds(&["verify", "--data", data]);
    assert!(told.contains("the book is whole"), "{told}");
    told
}

/// A server on the place's configuration; ended at the end.
pub struct Server(Child);

impl Server {
    pub fn start(place: &Place) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onecard"));
        command.current_dir(&place.0).args(["serve", "--config", "onecard.toml"]).stderr(Stdio::piped());
        let mut server = Server(command.spawn().unwrap());
        let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
        let begun = log.by_ref().map_while(Result::ok).any(|line| line.contains("is served at"));
        assert!(begun, "the server ended at once");
        // Somebody must read the rest, or the server waits for it.
        std::thread::spawn(move || log.count());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn m9_a_backup_made_beside_a_running_server_comes_back_in_a_new_epoch() {
    let place = Place::new("comes-back");
    set(&place, "500");
    let server = Server::start(&place);
    let told = place.succeeds(&with(&["backup", "--to", "backups/monday"]));
    assert!(told.contains("verified") && told.contains("epoch 1"), "{told}");
    assert!(told.contains("not in it") && told.contains("merchant_private_key.pem"), "{told}");
    drop(server);
    set(&place, "700");
    let anchors = fs::read_to_string(place.0.join("school/anchors.log")).unwrap();

    for (name, mode) in [("monday", 0o700), ("monday/keys.json", 0o600), ("monday/book.sqlite", 0o600)] {
        let found = fs::metadata(place.0.join("backups").join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    assert_eq!(fs::read_dir(place.0.join("backups")).unwrap().count(), 1, "nothing unfinished is left");
    verified(&place, "backups/monday");

    let told = place.succeeds(&["restore", "--from", "backups/monday", "--data", "new"]);
    assert!(told.contains("epoch         2") && told.contains("every order that was open in the backup"), "{told}");
    assert_eq!(minimum(&place, "new"), "500", "what came after the backup is not in it");
    let told = verified(&place, "new");
    assert!(told.contains("rows          1 epoch"), "{told}");
    // The restored book can be worked with, also a second time from the same backup.
    place.succeeds(&["settings", "set", "topup.min", "800", "--by", "finance", "--data", "new"]);
    verified(&place, "new");

    // With the anchors as they were when the old folder was lost: those of blocks after the backup are given up.
    fs::write(place.0.join("kept.log"), anchors).unwrap();
    place.succeeds(&["restore", "--from", "backups/monday", "--data", "again", "--anchors", "kept.log"]);
    let told = verified(&place, "again");
    assert!(told.contains("given up      1 of blocks"), "{told}");
    place.succeeds(&["settings", "set", "topup.min", "900", "--by", "finance", "--data", "again"]);
    verified(&place, "again");
}

#[test]
fn m9_what_cannot_be_backed_up_or_brought_back_is_said_and_nothing_is_written_over() {
    let place = Place::new("refusals");
    set(&place, "500");
    place.succeeds(&with(&["backup", "--to", "good"]));
    let restore = |from: &str, data: &str| place.refused(&["restore", "--from", from, "--data", data]);

    let refused = place.refused(&with(&["backup", "--to", "good"]));
    assert!(refused.contains("is there already"), "{refused}");
    let refused = restore("good", "school");
    assert!(refused.contains("is not empty"), "{refused}");
    let refused = restore("sandbox", "new");
    assert!(refused.contains("is no backup"), "{refused}");

    let book = place.0.join("good/book.sqlite");
    let bytes = fs::read(&book).unwrap();
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&book, flipped).unwrap();
    let refused = restore("good", "new");
    assert!(refused.contains("book.sqlite is not as it was backed up"), "{refused}");
    fs::write(&book, bytes).unwrap();

    let manifest = place.0.join("good/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"keys.json\"", "\"../keys.json\"")).unwrap();
    let refused = restore("good", "new");
    assert!(refused.contains("outside the backup"), "{refused}");
    assert!(!place.0.join("new").exists(), "nothing was begun");
    fs::write(&manifest, &text).unwrap();

    // A restore that was cut short leaves a folder that nobody serves.
    fs::create_dir(place.0.join("half")).unwrap();
    fs::write(place.0.join("half/restore-unfinished"), "").unwrap();
    for file in ["book.sqlite", "keys.json"] {
        fs::copy(place.0.join("good").join(file), place.0.join("half").join(file)).unwrap();
    }
    let refused = place.refused(&["settings", "set", "topup.min", "600", "--by", "finance", "--data", "half"]);
    assert!(refused.contains("did not finish"), "{refused}");
    place.succeeds(&["restore", "--from", "good", "--data", "new"]);
}

#[test]
fn m9_a_book_that_does_not_verify_is_not_called_a_backup() {
    let place = Place::new("unverified");
    set(&place, "500");
    let anchors = place.0.join("school/anchors.log");
    let text = fs::read_to_string(&anchors).unwrap();
    fs::write(&anchors, text.replacen("row 0", "row 1", 1)).unwrap();
    let refused = place.refused(&with(&["backup", "--to", "bad"]));
    assert!(refused.contains("the copy does not verify"), "{refused}");
    assert!(!place.0.join("bad").exists() && !place.0.join("bad.unfinished").exists());
}

#[test]
fn m9_a_backup_without_keys_needs_the_key_file_to_come_back() {
    let place = Place::new("without-keys");
    set(&place, "500");
    place.succeeds(&with(&["backup", "--to", "bare", "--without-keys"]));
    assert!(!place.0.join("bare/keys.json").exists());
    let refused = place.refused(&["restore", "--from", "bare", "--data", "new"]);
    assert!(refused.contains("--keys"), "{refused}");
    place.succeeds(&["restore", "--from", "bare", "--data", "new", "--keys", "school/keys.json"]);
    verified(&place, "new");
}
