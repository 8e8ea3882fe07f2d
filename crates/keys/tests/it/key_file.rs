//! The key file: who may read it, what it refuses, and which keys production refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use card::session::SessionForm;
use keys::{KeyFileFault, Keyring, Weakness, read_transport_key, transport_weakness};

/// A path of the test's own, with nothing there.
fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{name}.json"));
    let _ = fs::remove_file(&path);
    path
}

/// A saved keyring and its text.
fn saved(name: &str) -> (Keyring, PathBuf, String) {
    let (path, keyring) = (fresh(name), Keyring::generate());
    keyring.save_new(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    (keyring, path, text)
}

fn load_text(name: &str, text: &str) -> Result<Keyring, KeyFileFault> {
    let path = fresh(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Keyring::load(&path)
}

#[test]
fn a_saved_keyring_is_read_back_and_only_its_owner_can_read_it() {
    let (keyring, path, _) = saved("round-trip");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(Keyring::load(&path).unwrap() == keyring);
}

#[test]
fn a_file_that_others_may_touch_is_refused() {
    let (keyring, path, _) = saved("modes");
    for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true), (0o644, true)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match Keyring::load(&path) {
            Ok(loaded) => assert!(!refused && loaded == keyring, "{mode:o}"),
            Err(KeyFileFault::TooOpen(found)) => assert!(refused && found == mode, "{mode:o}"),
            Err(fault) => panic!("{mode:o}: {fault}"),
        }
    }
}

#[test]
fn saving_never_overwrites_a_file() {
    let (_, path, before) = saved("no-overwrite");
    assert!(matches!(Keyring::generate().save_new(&path), Err(KeyFileFault::Io(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_missing_file_is_an_error_of_the_file() {
    assert!(matches!(Keyring::load(&fresh("missing")), Err(KeyFileFault::Io(_))));
}

#[test]
fn a_damaged_file_is_refused_without_repeating_what_stands_in_it() {
    let (_, _, text) = saved("damaged");
    let pepper = text.lines().find(|line| line.contains("pepper")).unwrap();
    let secret = pepper.split('"').nth(3).unwrap();
    let table = [
        ("cut", text[..text.len() / 2].to_owned()),
        ("unknown field", text.replacen('{', "{\"spare\": 1,", 1)),
        ("no base64", text.replace(secret, &format!("!{}", &secret[1..]))),
        ("short key", text.replace(secret, &STANDARD.encode([9; 31]))),
        ("wrong type", text.replace("\"format\": 1", &format!("\"format\": \"{secret}\""))),
        ("no pepper", text.replace(&format!("{pepper}\n"), "")),
    ];
    for (name, changed) in table {
        assert_ne!(changed, text, "{name}");
        let fault = load_text("damaged-copy", &changed).expect_err(name);
        assert!(matches!(fault, KeyFileFault::Malformed { .. }), "{name}: {fault}");
        assert!(!format!("{fault} {fault:?}").contains(&secret[1..12]), "{name}: {fault}");
    }
}

#[test]
fn a_file_of_another_format_or_without_a_kind_of_key_is_refused() {
    let (_, _, text) = saved("incomplete");
    let later = text.replace("\"format\": 1", "\"format\": 2");
    assert!(matches!(load_text("format", &later), Err(KeyFileFault::Format(2))));
    let start = text.find("\"sealing\": {").unwrap();
    let end = start + text[start..].find('}').unwrap();
    let unsealed = format!("{}\"sealing\": {{{}", &text[..start], &text[end..]);
    assert!(matches!(load_text("unsealed", &unsealed), Err(KeyFileFault::Missing("sealing key"))));
}

#[test]
fn fresh_keys_are_fit_for_production_and_differ_each_time() {
    let (one, other) = (Keyring::generate(), Keyring::generate());
    assert_eq!(one.check_production(), Ok(()));
    assert!(one != other);
    assert_ne!(one.instance(), other.instance());
}

#[test]
fn debug_output_shows_no_key() {
    let (keyring, _, _) = saved("debug");
    assert_eq!(format!("{keyring:?}"), format!("Keyring({})", keyring.instance()));
}

fn number(value: u128) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

#[test]
fn production_refuses_published_and_patterned_card_masters() {
    let table: [(&str, Vec<u8>, Weakness); 16] = [
        ("transit card", number(0x374598B5C0B0EAE1E1D06609AC5BB369), Weakness::Published),
        ("the same with other parity bits", number(0x364599B5C1B0EAE0E1D06709AC5AB368), Weakness::Published),
        ("sample card", number(0x00112233445566778899AABBCCDDEEFF), Weakness::Published),
        ("passbook", number(0x11223344556677888877665544332211), Weakness::Published),
        ("project vectors", number(0x0123456789ABCDEFFEDCBA9876543210), Weakness::Published),
        ("project vectors", number(0xA1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8), Weakness::Published),
        ("project vectors", number(0xC0C1C2C3C4C5C6C7D0D1D2D3D4D5D6D7), Weakness::Published),
        ("OSDP default", b"0123456789:;<=>?".to_vec(), Weakness::Published),
        ("card default", number(0x404142434445464748494A4B4C4D4E4F), Weakness::Published),
        ("zeros", vec![0x00; 16], Weakness::Pattern),
        ("ones", vec![0xFF; 16], Weakness::Pattern),
        ("zeros with parity", vec![0x01; 16], Weakness::Pattern),
        ("two bytes repeated", [0xCA, 0xFE].repeat(8), Weakness::Pattern),
        ("equal halves", [0x37, 0x45, 0x98, 0xB5, 0xC0, 0xB0, 0xEA, 0xE1].repeat(2), Weakness::Pattern),
        ("counted", (1..=16).collect(), Weakness::Pattern),
        ("counted back", (0..16).map(|step| 0xF0 - 5 * step).collect(), Weakness::Pattern),
    ];
    let (_, _, text) = saved("masters");
    let tac = text.lines().find(|line| line.contains("\"tac\"")).unwrap().split('"').nth(3).unwrap();
    for (name, key, weakness) in table {
        let keyring = load_text("masters-copy", &text.replace(tac, &STANDARD.encode(key))).unwrap();
        let unfit = keyring.check_production().expect_err(name);
        assert_eq!((unfit.key.as_str(), unfit.weakness), ("card TAC master of version 1", weakness), "{name}");
    }
}

#[test]
fn production_refuses_weak_and_shared_keys_of_every_kind() {
    let (_, _, text) = saved("kinds");
    let values: Vec<&str> =
        text.lines().filter_map(|line| line.split('"').nth(3)).filter(|value| value.ends_with('=')).collect();
    assert_eq!(values.len(), 8, "four masters, pepper, sealing key, lookup key, instance key");
    for value in &values {
        let length = STANDARD.decode(value).unwrap().len();
        let zeros = STANDARD.encode(vec![0; length]);
        let keyring = load_text("kinds-zeros", &text.replace(value, &zeros)).unwrap();
        assert_eq!(keyring.check_production().unwrap_err().weakness, Weakness::Pattern);
    }
    for pair in [[values[0], values[2]], [values[4], values[6]]] {
        let keyring = load_text("kinds-shared", &text.replace(pair[1], pair[0])).unwrap();
        let unfit = keyring.check_production().unwrap_err();
        assert!(matches!(unfit.weakness, Weakness::SameAs(_)), "{unfit}");
    }
    let half_published = [number(0x0123456789ABCDEFFEDCBA9876543210), number(0x9B1D924E05595603C08346DF9F1D457A)];
    let keyring = load_text("kinds-half", &text.replace(values[5], &STANDARD.encode(half_published.concat()))).unwrap();
    assert_eq!(
        keyring.check_production().unwrap_err().to_string(),
        "the key file is not fit for production: sealing key of version 1 is a published test key; make new keys"
    );
}

#[test]
fn a_file_from_before_there_was_an_instance_key_gets_one_and_keeps_every_other_key() {
    let (keyring, path, text) = saved("older");
    let line = text.lines().find(|line| line.contains("\"signing\"")).unwrap();
    let older = text.replace(&format!(",\n{line}"), "");
    assert_ne!(older, text);
    fs::write(&path, &older).unwrap();
    assert!(Keyring::load(&path).unwrap().instance_key().is_none());
    let opened = Keyring::open(&path).unwrap();
    let public = opened.instance_key().unwrap().public();
    assert_ne!(public, keyring.instance_key().unwrap().public(), "a key of its own");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let again = fs::read_to_string(&path).unwrap();
    assert!(older.lines().all(|line| again.contains(line.trim_end_matches(','))), "{again}");
    assert_eq!(Keyring::open(&path).unwrap().instance_key().unwrap().public(), public, "made once");
}

#[test]
fn sm4_masters_are_added_once_and_every_other_key_stays() {
    for (form, number) in [(SessionForm::Padded, 1), (SessionForm::Doubled, 2)] {
        let (keyring, path, before) = saved("sm4");
        assert!(keyring.sm4_masters().is_none() && !before.contains("sm4"));
        let added = Keyring::add_sm4(&path, form).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(before.lines().all(|line| text.contains(line.trim())), "{text}");
        assert!(text.contains(&format!("\"session_form\": {number}")), "{text}");
        assert!(Keyring::load(&path).unwrap() == added);
        assert!(Keyring::add_sm4(&path, SessionForm::Padded).unwrap() == added);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(added.check_production(), Ok(()));

        let wrong = text.replace(&format!("\"session_form\": {number}"), "\"session_form\": 3");
        assert!(matches!(load_text("sm4-form", &wrong), Err(KeyFileFault::Missing(_))));
        let load = text.split("\"sm4\"").nth(1).unwrap().lines().find(|line| line.contains("load")).unwrap();
        let weak = text.replace(load.split('"').nth(3).unwrap(), &STANDARD.encode([0; 16]));
        let unfit = load_text("sm4-weak", &weak).unwrap().check_production().unwrap_err();
        assert_eq!(unfit.key, "SM4 card load master of version 1");
        let start = text.find("\"sm4\"").unwrap() + text[text.find("\"sm4\"").unwrap()..].find("\"cards\": {").unwrap();
        let end = start + text[start..].find("    }\n  }").unwrap();
        let empty = format!("{}\"cards\": {{{}", &text[..start], &text[end + 4..]);
        assert!(
            matches!(load_text("sm4-empty", &empty), Err(KeyFileFault::Missing("SM4 card master keys"))),
            "{empty}"
        );
    }
}

#[test]
fn a_published_transport_key_is_told() {
    assert_eq!(transport_weakness(b"WATCHDATATimeCOS"), Some(Weakness::Published));
    assert_eq!(transport_weakness(&[0; 16]), Some(Weakness::Pattern));
    assert_eq!(transport_weakness(&0x9B1D924E05595603C08346DF9F1D457A_u128.to_be_bytes()), None);
}

#[test]
fn a_transport_key_is_read_from_a_file_of_its_owners_alone() {
    let path = fresh("transport");
    let digits = "9B1D924E05595603C08346DF9F1D457A";
    let key = 0x9B1D924E05595603C08346DF9F1D457A_u128.to_be_bytes();
    let table = [
        (format!("{digits}\r\n"), 0o600, "good"),
        (digits.to_lowercase(), 0o400, "good"),
        (digits.to_owned(), 0o640, "mode"),
        (digits.to_owned(), 0o604, "mode"),
        (format!("+{}", &digits[1..]), 0o600, "digits"),
        (digits[1..].to_owned(), 0o600, "digits"),
        (format!("{digits}0"), 0o600, "digits"),
        (digits.replace('9', "G"), 0o600, "digits"),
        (digits.replace("9B", "\u{00FC}"), 0o600, "digits"),
    ];
    for (text, mode, expected) in table {
        let _ = fs::remove_file(&path);
        fs::write(&path, &text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match read_transport_key(&path) {
            Ok(read) => assert!(expected == "good" && *read.expose() == key, "{text} {mode:o}"),
            Err(KeyFileFault::TooOpen(found)) => assert!(expected == "mode" && found == mode, "{text} {mode:o}"),
            Err(fault @ KeyFileFault::NotHexadecimal) => {
                assert!(expected == "digits" && !fault.to_string().contains(&text[4..]), "{text} {mode:o}");
            }
            Err(fault) => panic!("{text} {mode:o}: {fault}"),
        }
    }
    assert!(matches!(read_transport_key(&fresh("no-transport")), Err(KeyFileFault::Io(_))));
}

/// All files of the project whose text looks like a key file.
fn committed_key_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && name != "target" && !path.join("book.sqlite").exists() {
                committed_key_files(&path, found);
            }
        } else if name.ends_with(".json") && fs::read_to_string(&path).is_ok_and(|text| text.contains("\"pepper\"")) {
            found.push(path);
        }
    }
}

#[test]
fn production_refuses_every_key_of_a_key_file_that_is_part_of_the_project() {
    let mut files = Vec::new();
    committed_key_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut files);
    assert!(files.iter().any(|path| path.ends_with("sweep/src/keys.json")), "{files:?}");
    let (_, _, fresh) = saved("committed");
    let of = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.contains(name)).unwrap();
        line.split('"').nth(3).unwrap().to_owned()
    };
    let (short, long) = (of(&fresh, "\"tac\""), of(&fresh, "\"pepper\""));
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let keys: Vec<_> =
            text.lines().filter_map(|line| line.split('"').nth(3)).filter(|value| value.ends_with('=')).collect();
        assert!(keys.len() >= 7, "{path:?}");
        for key in keys {
            let place = if STANDARD.decode(key).unwrap().len() == 16 { &short } else { &long };
            let keyring = load_text("committed-copy", &fresh.replace(place, key)).unwrap();
            let unfit = keyring.check_production().expect_err("a key that everybody can read");
            assert_eq!(unfit.weakness, Weakness::Published, "{path:?}: {}", unfit.key);
        }
        let keyring = load_text("committed-copy", &text).unwrap();
        assert_eq!(keyring.check_production().unwrap_err().weakness, Weakness::Published, "{path:?}");
    }
}
