//! `onecard doctor` from outside: a line for each thing, and an exit code that says whether one is to be mended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::backup::Server;
use crate::{Place, with};

/// What it prints, by thing: its state and its words; and whether it ended with 0.
fn examined(place: &Place, line: &[&str]) -> (Vec<(String, String)>, bool) {
    let output = place.onecard(&[&["doctor"], line].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(1), "{code:?} {text}");
    let lines: Vec<(String, String)> =
        text.lines().map(|line| (line[..4].trim().to_owned(), line[4..].trim().to_owned())).collect();
    let to_fix = lines.iter().any(|(state, _)| state == "FIX");
    assert_eq!(to_fix, code == Some(1), "{text}");
    (lines, code == Some(0))
}

fn told<'a>(lines: &'a [(String, String)], what: &str) -> (&'a str, &'a str) {
    let (state, words) = lines.iter().find(|(_, words)| words.starts_with(what)).unwrap_or_else(|| panic!("{lines:?}"));
    (state, words)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_sound_school_has_nothing_to_fix_but_what_its_machine_lacks() {
    let place = Place::new("sound");
    place.succeeds(&with(&["settings", "set", "topup.min", "500", "--by", "finance"]));
    let (lines, _) = examined(&place, &["--config", "onecard.toml"]);
    for (what, state) in [
        ("program", "fine"),
        ("clock", "fine"),
        ("permissions", "fine"),
        ("keys", "fine"),
        ("server", "note"),
        ("book", "fine"),
        ("durability", "fine"),
        ("anchors", "note"),
        ("backup", "note"),
    ] {
        assert_eq!(told(&lines, what).0, state, "{lines:?}");
    }
    assert!(told(&lines, "sync").1.contains("µs") && told(&lines, "free room").1.contains("iB"), "{lines:?}");
    place.succeeds(&with(&["backup", "--to", "today"]));
    let (lines, _) = examined(&place, &["--data", "school"]);
    let (state, words) = told(&lines, "backup");
    assert!(state == "fine" && words.contains("today"), "{words}");
}

#[test]
fn it_looks_beside_a_running_server_and_changes_nothing() {
    let place = Place::new("beside");
    place.succeeds(&with(&["settings", "set", "topup.min", "500", "--by", "finance"]));
    let server = Server::start(&place);
    let files = || {
        let mut names: Vec<_> =
            fs::read_dir(place.0.join("school")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let (lines, _) = examined(&place, &["--config", "onecard.toml"]);
    assert_eq!(told(&lines, "server"), ("fine", "server        one runs on this folder"));
    assert_eq!(told(&lines, "anchors").0, "note");
    assert_eq!(files(), before);
    let said = place.succeeds(&["doctor", "--data", "school", "--confirm-clock"]);
    assert!(said.contains("there is nothing to confirm"), "{said}");
    drop(server);
    let refused = place.refused(&["doctor", "--data", "school", "--confirm-clock"]);
    assert!(refused.contains("no server runs"), "{refused}");
}

#[test]
fn what_is_wrong_is_marked_and_says_what_to_do() {
    let place = Place::new("ill");
    place.succeeds(&with(&["settings", "set", "topup.min", "500", "--by", "finance"]));
    let (school, keys) = (place.0.join("school"), place.0.join("school/keys.json"));
    let look = |what: &str, state: &str, words: &str| {
        let (lines, _) = examined(&place, &["--data", "school"]);
        let found = told(&lines, what);
        assert!(found.0 == state && found.1.contains(words), "{what}: {found:?}");
    };

    set_mode(&school, 0o755);
    look("permissions", "FIX", "chmod 700");
    set_mode(&school, 0o700);
    set_mode(&keys, 0o644);
    look("permissions", "FIX", "chmod 600");
    look("keys", "FIX", "others may read it");
    set_mode(&keys, 0o600);

    let good = fs::read_to_string(&keys).unwrap();
    let line = good.lines().find(|line| line.contains("\"load\"")).unwrap();
    let zeros = line.replace(line.split('"').nth(3).unwrap(), "AAAAAAAAAAAAAAAAAAAAAA==");
    fs::write(&keys, good.replace(line, &zeros)).unwrap();
    look("keys", "FIX", "not fit for production");
    let (lines, _) = examined(&place, &["--config", "onecard.toml"]);
    assert_eq!(told(&lines, "keys").0, "note", "a trial may use them");
    fs::rename(&keys, place.0.join("away")).unwrap();
    look("keys", "FIX", "the key file cannot be used");
    fs::write(&keys, &good).unwrap();
    set_mode(&keys, 0o600);
    look("keys", "fine", "none of them published");

    fs::rename(school.join("anchors.log"), place.0.join("anchors.away")).unwrap();
    look("anchors", "FIX", "is its disk mounted?");
    fs::rename(place.0.join("anchors.away"), school.join("anchors.log")).unwrap();

    fs::write(school.join("last-backup.json"), r#"{"at": 1600000000000000, "to": "/old", "block": 1}"#).unwrap();
    look("backup", "FIX", "older than a week");
    fs::write(school.join("restore-unfinished"), "").unwrap();
    look("restore", "FIX", "did not finish");

    let nothing = place.refused(&["doctor", "--data", "nowhere"]);
    assert!(nothing.contains("there is no data folder nowhere"), "{nothing}");
}
