//! Anchors from outside: what an operator sees when the book and what was signed outside it disagree (M8).

use std::fs;

use crate::{Place, with};

/// A school with some blocks and their anchors.
fn school(name: &str) -> Place {
    let place = Place::new(name);
    fs::write(place.0.join("merchants.csv"), "code,name_zh,name_en\ncanteen-1,第一食堂,First canteen\n").unwrap();
    place.succeeds(&with(&["import", "merchants", "merchants.csv"]));
    place
}

fn set(place: &Place, fen: &str) {
    place.succeeds(&with(&["settings", "set", "topup.min", fen, "--by", "finance"]));
}

#[test]
fn m8_verify_compares_signed_anchors_from_the_files_alone() {
    let place = school("anchored");
    set(&place, "500");
    let told = place.succeeds(&with(&["verify"]));
    assert!(told.contains("anchors       2 compared, newest block 2"), "{told}");
    let key = fs::read_to_string(place.0.join("school/anchors.pub")).unwrap();
    assert!(told.contains(&format!("signed by     {}", key.lines().next().unwrap())), "{told}");
    // No secret is needed: the key file may be away.
    fs::remove_file(place.0.join("school/keys.json")).unwrap();
    assert!(place.succeeds(&["verify", "--data", "school"]).contains("anchors       2 compared"));
}

#[test]
fn m8_a_book_behind_its_newest_anchor_is_neither_verified_nor_served() {
    let place = school("behind");
    let copy = |from: &str, to: &str| {
        for file in ["book.sqlite", "book.sqlite-wal", "book.sqlite-shm"] {
            let _ = fs::remove_file(place.0.join(to).join(file));
            let _ = fs::copy(place.0.join(from).join(file), place.0.join(to).join(file));
        }
    };
    fs::create_dir(place.0.join("old")).unwrap();
    copy("school", "old");
    set(&place, "500");
    copy("old", "school");
    let output = place.onecard(&with(&["verify"]));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("names block 2, which is not there"), "{told}");
    for line in [&["serve"][..], &["settings", "set", "topup.min", "600", "--by", "finance"]] {
        let refused = place.refused(&with(line));
        assert!(refused.contains("the end of the book is gone") && refused.contains("onecard restore"), "{refused}");
    }
}

#[test]
fn m8_changed_missing_and_foreign_anchors_are_told() {
    let place = school("told");
    set(&place, "500");
    let path = place.0.join("school/anchors.log");
    let good = fs::read_to_string(&path).unwrap();
    let verify = |place: &Place| {
        let output = place.onecard(&with(&["verify"]));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };

    fs::write(&path, good.replacen("block 1 ", "block 2 ", 1)).unwrap();
    let (code, told) = verify(&place);
    assert!(code == Some(1) && told.contains("line 1: its signature is not this installation's"), "{told}");

    fs::write(&path, &good[..good.len() - 20]).unwrap();
    let (code, told) = verify(&place);
    assert!(code == Some(0) && told.contains("torn") && told.contains("1 compared"), "{told}");

    fs::rename(&path, place.0.join("away")).unwrap();
    let (code, told) = verify(&place);
    assert!(code == Some(1) && told.contains("the anchors of this book cannot be read"), "{told}");
    let refused = place.refused(&with(&["serve"]));
    assert!(refused.contains("Is its disk mounted?"), "{refused}");

    fs::write(&path, &good).unwrap();
    let (code, told) = verify(&place);
    assert!(code == Some(0) && told.contains("2 compared"), "{told}");
}

#[test]
fn m8_anchors_can_live_on_another_disk_and_are_found_there_again() {
    let place = Place::new("elsewhere");
    let text = fs::read_to_string(place.0.join("onecard.toml")).unwrap();
    fs::create_dir(place.0.join("other disk")).unwrap();
    fs::write(place.0.join("onecard.toml"), format!("anchors = \"other disk/heads\"\n{text}")).unwrap();
    set(&place, "500");
    assert!(place.0.join("other disk/heads").exists() && !place.0.join("school/anchors.log").exists());
    for line in [&["verify", "--config", "onecard.toml"][..], &["verify", "--data", "school"]] {
        assert!(place.succeeds(line).contains("anchors       1 compared"), "{line:?}");
    }
    let copy = ["verify", "--data", "school", "--anchors", "copy"];
    fs::copy(place.0.join("other disk/heads"), place.0.join("copy")).unwrap();
    assert!(place.succeeds(&copy).contains("anchors       1 compared"));
    fs::write(place.0.join("onecard.toml"), format!("anchors = \"nowhere/heads\"\n{text}")).unwrap();
    let refused = place.refused(&with(&["settings", "set", "topup.min", "600", "--by", "finance"]));
    assert!(refused.contains("move the file there"), "{refused}");
}
