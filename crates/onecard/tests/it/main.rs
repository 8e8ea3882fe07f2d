//! Tests of the binary from outside: what an operator types, and what happens.

mod anchors;
mod backup;
mod bench;
mod card_office;
mod cases;
mod demo;
mod doctor;
mod guide;
mod reports;
mod terminal_screen;
mod verify;
mod virtual_card;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A fresh folder with the configuration for a trial that `onecard sandbox` writes; removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let place = Place(folder);
        let example = place.onecard(&["sandbox", "--example-config", "sandbox"]);
        assert!(example.status.success(), "{example:?}");
        // The configuration that the sandbox wrote for the platform, on ports that are free.
        let mut config = fs::read_to_string(place.0.join("sandbox/onecard.toml")).unwrap();
        let elsewhere = [
            ("listen = \"127.0.0.1:8840\"", "listen = \"127.0.0.1:0\"", 1),
            ("listen = \"127.0.0.1:8841\"", "listen = \"127.0.0.1:0\"", 1),
            ("\"merchant/", "\"sandbox/merchant/", 4),
        ];
        for (from, to, times) in elsewhere {
            assert_eq!(config.matches(from).count(), times, "{from} in {config}");
            config = config.replace(from, to);
        }
        fs::write(place.0.join("onecard.toml"), config).unwrap();
        place
    }

    fn onecard(&self, line: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_onecard")).current_dir(&self.0).args(line).output().unwrap()
    }

    fn succeeds(&self, line: &[&str]) -> String {
        let output = self.onecard(line);
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code 1 and a sentence.
    fn refused(&self, line: &[&str]) -> String {
        let output = self.onecard(line);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const CONFIG: [&str; 2] = ["--config", "onecard.toml"];

fn with<'a>(line: &[&'a str]) -> Vec<&'a str> {
    [line, &CONFIG].concat()
}

fn roster() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/tests/data/people-2026.xlsx");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_roster_of_two_thousand_goes_in_with_thirty_one_refused_and_twice_changes_nothing() {
    let place = Place::new("roster");
    let roster = roster();
    let dry = place.succeeds(&with(&["import", "people", &roster, "--dry-run", "--results", "results.xlsx"]));
    assert!(dry.contains("2000 rows: 1969 would go in, 0 were there already, 31 refused"), "{dry}");
    let first = place.succeeds(&with(&["import", "people", &roster, "--results", "results.xlsx"]));
    assert!(first.contains("2000 rows: 1969 went in, 0 were there already, 31 refused"), "{first}");
    let again = place.succeeds(&with(&["import", "people", "results.xlsx", "--results", "again.xlsx"]));
    assert!(again.contains("2000 rows: 0 went in, 1969 were there already, 31 refused"), "{again}");
    let report = place.succeeds(&with(&["verify"]));
    assert!(report.contains("the book is whole"), "{report}");
}

#[test]
fn an_operator_sets_up_a_merchant_a_card_a_terminal_and_a_rule() {
    let place = Place::new("operator");
    fs::write(place.0.join("merchants.csv"), "code,name_zh,name_en\ncanteen-1,第一食堂,First canteen\n").unwrap();
    place.succeeds(&with(&["import", "merchants", "merchants.csv"]));
    place.succeeds(&with(&["import", "people", &roster(), "--results", "results.xlsx"]));
    let card = ["--number", "2023876543", "--card", "2026000000000042", "--out", "a.card"];
    place.succeeds(&with(&[&["card", "issue"][..], &card].concat()));
    let second = ["--number", "2023876543", "--card", "2026000000000043", "--out", "b.card"];
    let refused = place.refused(&with(&[&["card", "issue"][..], &second].concat()));
    assert!(refused.contains("CARD_ALREADY_ACTIVE"), "{refused}");
    assert!(!place.0.join("b.card").exists(), "a refused card leaves no file");
    let terminal = ["--number", "000001", "--merchant", "canteen-1", "--place-zh", "窗口", "--place-en", "Window"];
    let said = place.succeeds(&with(&[&["terminal", "enrol", "--out", "pos"][..], &terminal].concat()));
    assert!(said.contains("terminal 000001 is enrolled"), "{said}");
    place.succeeds(&with(&["settings", "set", "topup.min", "500", "--by", "finance"]));
    let nonsense = place.refused(&with(&["settings", "set", "topup.min", "0", "--by", "finance"]));
    assert!(nonsense.contains("SETTING_NONSENSE"), "{nonsense}");
    let shown = place.succeeds(&with(&["settings", "show"]));
    let line = shown.lines().find(|line| line.starts_with("topup.min")).unwrap();
    assert!(line.contains(" 500 "), "{line}");
    assert!(place.succeeds(&with(&["verify"])).contains("the book is whole"));
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let place = Place::new("wrong");
    let missing = place.refused(&["verify", "--config", "nowhere.toml"]);
    assert!(missing.contains("there is no configuration file nowhere.toml"), "{missing}");
    assert_eq!(place.onecard(&["verify"]).status.code(), Some(2), "neither --data nor --config: wrong usage");
    let text = fs::read_to_string(place.0.join("onecard.toml")).unwrap();
    fs::write(place.0.join("typo.toml"), text.replace("trial = true", "trail = true")).unwrap();
    let typo = place.refused(&["verify", "--config", "typo.toml"]);
    assert!(typo.contains("trail"), "{typo}");
    fs::write(place.0.join("real.toml"), text.replace("trial = true", "trial = false")).unwrap();
    let clear = place.refused(&["serve", "--config", "real.toml"]);
    assert!(clear.contains("https://"), "{clear}");
    let sandboxed =
        text.replace("trial = true", "trial = false").replace("http://127.0.0.1:8840\"", "https://card.example\"");
    fs::write(place.0.join("real.toml"), sandboxed).unwrap();
    let keys = place.refused(&["serve", "--config", "real.toml"]);
    assert!(keys.contains("sandbox"), "{keys}");
}
