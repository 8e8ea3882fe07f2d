//! `onecard card`: the card office, from a blank card to one that is handed out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use card::chip::Chip;
use card::crypto::Key16;
use card::files::{CardKeys, Profile, Validity};
use card::host::KeySet;
use card::office::{Measure, maintain};
use card::session::Suite;
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
    let (foreign, keys) = foreign_card(1);
    store_card(&place.0.join("c.card"), &foreign).unwrap();
    let before = fs::read(place.0.join("c.card")).unwrap();
    assert!(place.refused(&with(&["card", "block", "--reader", "soft:c.card"])).contains("of another school"));
    assert_eq!(fs::read(place.0.join("c.card")).unwrap(), before);

    // Nor does it once it is blocked, where it can prove nothing.
    let own = KeySet { suite: Suite::TripleDes, keys };
    let taken = |file: &str, measure: Measure| {
        let mut reader = SoftReader::new(|| [1, 2, 3, 4]);
        reader.put(&place.0.join(file)).unwrap();
        reader.present().unwrap();
        maintain(&mut |apdu| reader.transmit(apdu), &own, measure)
    };
    assert_eq!(taken("c.card", Measure::Block), Ok(()));
    for _ in 0..5 {
        let refused = place.refused(&with(&["card", "unblock", "--reader", "soft:c.card"]));
        assert!(refused.contains("of another school"), "{refused}");
    }
    assert_eq!(taken("c.card", Measure::Unblock), Ok(()), "its own school still can");
    // One that says that it has keys which this school never had gets no key at all.
    store_card(&place.0.join("d.card"), &foreign_card(9).0).unwrap();
    assert_eq!(taken("d.card", Measure::Block), Ok(()));
    let before = fs::read(place.0.join("d.card")).unwrap();
    assert!(place.refused(&with(&["card", "unblock", "--reader", "soft:d.card"])).contains("of another school"));
    assert_eq!(fs::read(place.0.join("d.card")).unwrap(), before);
    assert_eq!(taken("d.card", Measure::LockForGood), Ok(()));
    let locked = place.refused(&with(&["card", "unblock", "--reader", "soft:d.card"]));
    assert!(locked.contains("if it is locked for good, take another card"), "{locked}");
}

/// A card of another school, and its keys.
fn foreign_card(key_version: u8) -> (Chip, CardKeys) {
    let key = || Key16::new([0x3D; 16]);
    let keys = CardKeys { load: key(), purchase: key(), tac: key(), maintenance: key() };
    let validity = Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] };
    let profile = Profile { issuer: [1; 8], application_version: 1, key_version, validity };
    (Chip::with_keys([7; 10], keys.clone(), &profile), keys)
}

#[test]
fn a_card_that_is_in_use_is_checked_again_whatever_the_school_changed_since() {
    let (place, people) = school("office-again");
    let card = "1000000000000001";
    place.succeeds(&with(&["card", "issue", "--number", &people[0], "--card", card, "--out", "a.card"]));
    let signed = format!("+{}", &card[1..]);
    let refused =
        place.onecard(&with(&["card", "issue", "--number", &people[0], "--card", &signed, "--out", "b.card"]));
    assert_eq!(refused.status.code(), Some(1), "a sign is no digit");
    assert_eq!(place.onecard(&personalise(&people[0], &signed, "soft:a.card")).status.code(), Some(2));

    // It was made without its holder's name.
    let made = place.succeeds(&personalise(&people[0], card, "soft:a.card"));
    assert!(made.contains("its holder's file is written anew"), "{made}");
    // It speaks no SM4, whatever is asked now.
    place.succeeds(&with(&["card", "sm4-keys"]));
    for algorithm in ["both", "sm4"] {
        let line = [personalise(&people[0], card, "soft:a.card"), vec!["--algorithm", algorithm]].concat();
        let refused = place.refused(&line);
        assert!(refused.contains("order it as it was made") && !refused.contains("destroy"), "{refused}");
    }
    // New masters are for new cards.
    let path = place.0.join("school/keys.json");
    let text = fs::read_to_string(&path).unwrap();
    let other = keys::Keyring::generate();
    other.save_new(&place.0.join("other.json")).unwrap();
    let other = fs::read_to_string(place.0.join("other.json")).unwrap();
    let of = |text: &str| {
        let start = text.find("\"1\": {").unwrap();
        text[start..start + text[start..].find('}').unwrap() + 1].to_owned()
    };
    let (first, second) = (of(&text), of(&other).replacen("\"1\"", "\"2\"", 1));
    fs::write(&path, text.replacen(&first, &format!("{first},\n{second}"), 1)).unwrap();
    for _ in 0..9 {
        let made = place.succeeds(&personalise(&people[0], card, "soft:a.card"));
        assert!(made.contains("was finished before; it is checked\n"), "{made}");
    }
    place.succeeds(&["card", "blank", "--out", "b.card"]);
    place.succeeds(&personalise(&people[1], "1000000000000002", "soft:b.card"));
    let versions = ["a.card", "b.card"].map(|file| chip(&place, file).public_file().unwrap().issuer_data[0]);
    assert_eq!(versions, [1, 2]);
}

#[test]
fn without_a_configuration_nothing_counts_as_a_trial() {
    let (place, people) = school("office-data");
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    let blank = fs::read(place.0.join("a.card")).unwrap();
    let reader = ["--reader", "soft:a.card", "--data", "school"];
    let personalise =
        [&["card", "personalise", "--person", &people[0], "--card", "1000000000000001"][..], &reader].concat();
    let refused = place.refused(&personalise);
    assert!(refused.contains("the transport key is a published test key"), "{refused}");
    assert!(refused.contains("in a trial, name its configuration with --config"), "{refused}");
    assert_eq!(fs::read(place.0.join("a.card")).unwrap(), blank);

    // A key that everybody knows is refused by every command that works on the book.
    let path = place.0.join("school/keys.json");
    let text = fs::read_to_string(&path).unwrap();
    let tac = text.lines().find(|line| line.contains("\"tac\"")).unwrap().split('"').nth(3).unwrap();
    fs::write(&path, text.replace(tac, "ABEiM0RVZneImaq7zN3u/w==")).unwrap();
    let block = [&["card", "block"][..], &reader].concat();
    for line in [&personalise, &block, &vec!["card", "sm4-keys", "--data", "school"]] {
        let refused = place.refused(line);
        assert!(refused.contains("card TAC master of version 1 is a published test key"), "{refused}");
        assert!(refused.contains("in a trial, name its configuration"), "{refused}");
    }
    place.succeeds(&with(&["card", "sm4-keys"]));
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
        .replace("sandbox_cashier = \"http://127.0.0.1:8850\"\n", "")
        .replace("http://127.0.0.1:8840", "https://card.example.edu")
        .replace("http://127.0.0.1:8850", "https://api.mch.weixin.qq.com")
        .replace(&serial, "serial = \"PUB_KEY_ID_7\"");
    fs::write(place.0.join("onecard.toml"), config).unwrap();
    place.succeeds(&["card", "blank", "--out", "a.card"]);
    let refused = place.refused(&personalise(&people[0], "1000000000000001", "soft:a.card"));
    assert!(refused.contains("the transport key is a published test key"), "{refused}");

    fs::write(place.0.join("key.txt"), "secret").unwrap();
    fs::set_permissions(place.0.join("key.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = place.refused(&["card", "blank", "--out", "b.card", "--transport-key-file", "key.txt"]);
    assert!(open.contains("key.txt has mode 0644") && open.contains("chmod 600"), "{open}");
    fs::set_permissions(place.0.join("key.txt"), fs::Permissions::from_mode(0o600)).unwrap();
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
