//! `onecard card`: the card office, from a blank card to one that is handed out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use card::chip::Chip;
use card::crypto::Key16;
use card::files::{CardKeys, Profile, Validity};
use device::channel::{CardChannel, SoftReader, store_card};

use crate::{Place, roster, with};

/// Numbers of two holders of the roster.
fn school(name: &str) -> (Place, Vec<String>) {
    let place = Place::new(name);
    place.succeeds(&with(&["import", "people", &roster(), "--results", "results.xlsx"]));
    let roster = report::roster::read(&fs::read(roster()).unwrap()).unwrap();
    let checked = rules::roster::check(&roster.rows, rules::calendar::CampusDay(20_260_901));
    let numbers = checked.into_iter().filter_map(Result::ok).map(|row| row.number).take(5).collect();
    (place, numbers)
}

fn personalise<'a>(person: &'a str, card: &'a str, reader: &'a str) -> Vec<&'a str> {
    with(&["card", "personalise", "--person", person, "--card", card, "--reader", reader])
}

fn chip(place: &Place, file: &str) -> Chip {
    Chip::from_bytes(&fs::read(place.0.join(file)).unwrap()).unwrap()
}

#[test]
fn m15_a_blank_card_is_made_handed_out_and_only_checked_the_next_time() {
    let (place, people) = school("office");
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    assert!(place.refused(&["card", "blank", "--out", "a.card"]).contains("nothing was written"));
    let made = place.succeeds(&personalise(&people[0], "1000000000000001", "soft:a.card"));
    assert!(made.contains("card 1000000000000001 is written and checked"), "{made}");
    assert!(made.contains(&format!("card 1000000000000001 is {}'s", people[0])), "{made}");
    assert_eq!(chip(&place, "a.card").card().0, 0x1000_0000_0000_0001);
    let again = place.succeeds(&personalise(&people[0], "1000000000000001", "soft:a.card"));
    assert!(again.contains("was finished before; it is checked"), "{again}");

    // Refusals come before the chip is touched.
    place.succeeds(&["card", "blank", "--out", "b.card"]);
    let blank = fs::read(place.0.join("b.card")).unwrap();
    for (person, card, words) in [
        (&people[1], "1000000000000001", "somebody else's"),
        (&people[0], "1000000000000002", "has card 1000000000000001"),
        (&"nobody".to_owned(), "1000000000000002", "there is no holder nobody"),
    ] {
        let refused = place.refused(&personalise(person, card, "soft:b.card"));
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(fs::read(place.0.join("b.card")).unwrap(), blank);
    let other = place.refused(&personalise(&people[1], "1000000000000003", "soft:a.card"));
    assert!(other.contains("is card 1000000000000001 already: put a blank card on the reader"), "{other}");
    let missing = place.refused(&personalise(&people[1], "1000000000000003", "soft:c.card"));
    assert!(missing.contains("c.card"), "{missing}");
    assert_eq!(place.onecard(&personalise(&people[1], "12", "soft:b.card")).status.code(), Some(2));
    assert_eq!(place.onecard(&personalise(&people[1], "1000000000000003", "ftp:b.card")).status.code(), Some(2));
    place.succeeds(&with(&["verify"]));
}

#[test]
fn a_card_is_blocked_and_unblocked_with_its_own_keys() {
    let (place, people) = school("office-block");
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    place.succeeds(&personalise(&people[0], "1000000000000001", "soft:a.card"));
    for _ in 0..2 {
        let said = place.succeeds(&with(&["card", "block", "--reader", "soft:a.card"]));
        assert!(said.contains("card 1000000000000001 is blocked"), "{said}");
        assert!(chip(&place, "a.card").blocked());
    }
    let said = place.succeeds(&with(&["card", "unblock", "--reader", "soft:a.card"]));
    assert!(said.contains("is unblocked") && !chip(&place, "a.card").blocked(), "{said}");
    place.succeeds(&["card", "blank", "--out", "b.card"]);
    assert!(place.refused(&with(&["card", "block", "--reader", "soft:b.card"])).contains("not of the ordered type"));
    // Three wrong MACs would lock a card for good; a card of another school gets none.
    let key = || Key16::new([0x3D; 16]);
    let keys = CardKeys { load: key(), purchase: key(), tac: key(), maintenance: key() };
    let validity = Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] };
    let profile = Profile { issuer: [1; 8], application_version: 1, key_version: 1, validity };
    store_card(&place.0.join("c.card"), &Chip::with_keys([7; 10], keys, &profile)).unwrap();
    let before = fs::read(place.0.join("c.card")).unwrap();
    assert!(place.refused(&with(&["card", "block", "--reader", "soft:c.card"])).contains("of another school"));
    assert_eq!(fs::read(place.0.join("c.card")).unwrap(), before);
}

#[test]
fn cards_with_sm4_need_sm4_keys_first() {
    let (place, people) = school("office-sm4");
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    let line = [personalise(&people[0], "1000000000000001", "soft:a.card"), vec!["--algorithm", "both"]].concat();
    assert!(place.refused(&line).contains("onecard card sm4-keys"));
    let added = place.succeeds(&with(&["card", "sm4-keys", "--session-form", "2"]));
    assert!(added.contains("has SM4 masters now"), "{added}");
    assert!(place.succeeds(&with(&["card", "sm4-keys"])).contains("nothing was changed"));
    let other = place.refused(&line);
    assert!(other.contains("check the form of SM4 session keys"), "{other}");
    place.succeeds(&["card", "blank", "--out", "b.card", "--session-form", "2"]);
    let line = [personalise(&people[0], "1000000000000001", "soft:b.card"), vec!["--algorithm", "both"]].concat();
    place.succeeds(&line);
    let mut reader = SoftReader::new(|| [1, 2, 3, 4]);
    reader.put(&place.0.join("b.card")).unwrap();
    reader.transmit(&card::terminal::select_purse());
    for (key, algorithm) in [(card::files::KEY_ID, 0x00), (card::files::SM4_KEY_ID, 0x04)] {
        let answer = reader.transmit(&card::terminal::init_load_with(key, 1, [0; 6]));
        assert_eq!(card::terminal::LoadAnswer::parse(&answer).unwrap().algorithm, algorithm);
    }
    drop(reader);
    place.succeeds(&with(&["card", "block", "--reader", "soft:b.card"]));
    place.succeeds(&with(&["card", "unblock", "--reader", "soft:b.card"]));
    place.succeeds(&["card", "blank", "--out", "c.card"]);
    let line = [personalise(&people[1], "1000000000000002", "soft:c.card"), vec!["--algorithm", "sm4"]].concat();
    assert!(place.refused(&line).contains("check the form"), "its maker pads, the school doubles");
}

#[test]
fn production_wants_a_transport_key_of_its_own() {
    let (place, people) = school("office-production");
    let config = fs::read_to_string(place.0.join("onecard.toml")).unwrap();
    let serial = config.lines().find(|line| line.starts_with("serial = ")).unwrap().to_owned();
    let config = config
        .replace("trial = true", "trial = false")
        .replace("http://127.0.0.1:8840", "https://card.example.edu")
        .replace("http://127.0.0.1:8850", "https://api.mch.weixin.qq.com")
        .replace(&serial, "serial = \"PUB_KEY_ID_7\"");
    fs::write(place.0.join("onecard.toml"), config).unwrap();
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    let refused = place.refused(&personalise(&people[0], "1000000000000001", "soft:a.card"));
    assert!(refused.contains("the transport key is a published test key"), "{refused}");

    fs::write(place.0.join("key.txt"), "secret").unwrap();
    let file = ["--transport-key-file", "key.txt"];
    let refused = place.refused(&["card", "blank", "--out", "b.card", file[0], file[1]]);
    assert!(refused.contains("32 hexadecimal digits") && !refused.contains("secret"), "{refused}");
    fs::write(place.0.join("key.txt"), "9B1D924E05595603C08346DF9F1D457A\n").unwrap();
    place.succeeds(&["card", "blank", "--out", "b.card", file[0], file[1]]);
    let made = [personalise(&people[0], "1000000000000001", "soft:b.card"), file.to_vec()].concat();
    assert!(place.succeeds(&made).contains("is written and checked"));
    let wrong = [personalise(&people[1], "1000000000000002", "soft:a.card"), file.to_vec()].concat();
    assert!(place.refused(&wrong).contains("neither the transport key nor the school's keys open the card"));
}

#[test]
fn the_printers_list_holds_names_and_numbers_and_no_key() {
    let (place, people) = school("office-batch");
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    place.succeeds(&personalise(&people[1], "1000000000000001", "soft:a.card"));
    let list = format!("\u{FEFF}{}\r\n\r\n{}\n{}\n{}\nnobody\n", people[0], people[1], people[2], people[0]);
    fs::write(place.0.join("list.txt"), list).unwrap();
    let line = ["card", "batch", "--people", "list.txt", "--first", "2000000000000000", "--photo", "p/{number}.png"];
    let said = place.succeeds(&with(&[&line[..], &["--out", "cards.csv"]].concat()));
    assert!(said.contains("2 cards are in cards.csv, 3 lines were left out"), "{said}");
    for why in ["has card 1000000000000001", "there is no such holder", "the list has them already"] {
        assert!(said.contains(why), "{said}");
    }
    let path = place.0.join("cards.csv");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert_eq!(rows[0], "card,number,name,department,category,photo,valid_until");
    assert!(rows[1].starts_with(&format!("2000000000000000,{},", people[0])), "{text}");
    assert!(rows[2].starts_with(&format!("2000000000000002,{},", people[2])), "{text}");
    assert!(rows[1].ends_with(&format!(",p/{}.png,20991231", people[0])), "{text}");
    assert!(place.refused(&with(&[&line[..], &["--out", "cards.csv"]].concat())).contains("cards.csv"));
    place.succeeds(&with(&[&line[..], &["--gb18030", "--out", "old.csv"]].concat()));
    assert!(String::from_utf8(fs::read(place.0.join("old.csv")).unwrap()).is_err(), "Chinese names in GB18030");
    let taken = with(&["card", "batch", "--people", "list.txt", "--first", "1000000000000001", "--out", "c.csv"]);
    assert!(place.refused(&taken).contains("card 1000000000000001 is in the book already"));
}
