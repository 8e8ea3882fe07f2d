//! Recorded answers of real cards, and a set worked out for this project, against the formulas and the software card.

use card::apdu::Command;
use card::chip::Chip;
use card::crypto::{Algorithm, Key8, Key16, mac8};
use card::files::{CardKeys, CardNumber};
use card::host::LoadOpening;
use card::psam::{Psam, PurchaseRequest};
use card::secure::{Protected, authentication, authentication_with_single_key, protect, protect_sealed};
use card::session::{Kind, SessionKey, Stamp, Terms, load_tac, purchase_tac};
use card::terminal::{self, LoadAnswer};

use crate::world::{Dice, Host, SERIAL, bytes, hex, key, masters, new_chip, profile};

fn stamp(date: &str, time: &str) -> Stamp {
    Stamp { date: hex(date), time: hex(time) }
}

struct LoadVector {
    load_key: &'static str,
    tac_key: Option<&'static str>,
    random: &'static str,
    n: u16,
    old_balance: u32,
    amount: u32,
    kind: Kind,
    terminal: &'static str,
    at: (&'static str, &'static str),
    session: &'static str,
    mac1: &'static str,
    mac2: &'static str,
    tac: &'static str,
}

const LOADS: [LoadVector; 4] = [
    // A card of a transit company.
    LoadVector {
        load_key: "374598B5C0B0EAE1E1D06609AC5BB369",
        tac_key: Some("CAA6025290114BFCC3C9043F70F7A07A"),
        random: "CDEF4F20",
        n: 0,
        old_balance: 0,
        amount: 0x1C37,
        kind: Kind::Load,
        terminal: "000001000050",
        at: ("20140825", "103100"),
        session: "3C05F429713D0188",
        mac1: "06B1BEF5",
        mac2: "0641DCD8",
        tac: "ED0F8755",
    },
    // A Fudan sample card with published keys.
    LoadVector {
        load_key: "00112233445566778899AABBCCDDEEFF",
        tac_key: Some("00112233445566778899AABBCCDDEEFF"),
        random: "C903814D",
        n: 0,
        old_balance: 0,
        amount: 0x2000,
        kind: Kind::Load,
        terminal: "001122334455",
        at: ("20161216", "105800"),
        session: "11FDF264E8AEEFA3",
        mac1: "03976C22",
        mac2: "8AFA5718",
        tac: "FA00066D",
    },
    // An electronic passbook.
    LoadVector {
        load_key: "11223344556677888877665544332211",
        tac_key: None,
        random: "11223344",
        n: 0,
        old_balance: 0,
        amount: 0x1000,
        kind: Kind::PassbookLoad,
        terminal: "001122334455",
        at: ("20111221", "214822"),
        session: "9B1D924E05595603",
        mac1: "2988AE5A",
        mac2: "3A845BF0",
        tac: "",
    },
    // The project's own card.
    LoadVector {
        load_key: "2C40DED895E0FCFEFEFAFA64AB443F96",
        tac_key: Some("4A0D3158E4010A74A0C028926ACC2AAF"),
        random: "1A2B3C4D",
        n: 7,
        old_balance: 5_000,
        amount: 10_000,
        kind: Kind::Load,
        terminal: "000000000101",
        at: ("20260901", "123045"),
        session: "7346515874628EDB",
        mac1: "67BC03FD",
        mac2: "4E388CC2",
        tac: "8D7F5085",
    },
];

#[test]
fn loads_are_signed_as_real_cards_and_hosts_sign_them() {
    for row in LOADS {
        let terms = Terms { amount: row.amount, kind: row.kind, terminal: hex(row.terminal) };
        let at = stamp(row.at.0, row.at.1);
        let session = SessionKey::for_load(&key(row.load_key), hex(row.random), row.n);
        assert_eq!(session.expose(), hex::<8>(row.session));
        assert_eq!(session.load_mac1(row.old_balance, terms), hex(row.mac1));
        assert_eq!(session.load_mac2(terms, at), hex(row.mac2));
        if let Some(tac_key) = row.tac_key {
            let new_balance = row.old_balance + row.amount;
            assert_eq!(load_tac(&key(tac_key), new_balance, row.n, terms, at), hex(row.tac));
        }
    }
}

struct PurchaseVector {
    purchase_key: &'static str,
    tac_key: &'static str,
    random: &'static str,
    m: u16,
    tsn: u32,
    amount: u32,
    kind: Kind,
    terminal: &'static str,
    at: (&'static str, &'static str),
    session: &'static str,
    mac1: &'static str,
    mac2: &'static str,
    tac: &'static str,
}

const PURCHASES: [PurchaseVector; 3] = [
    PurchaseVector {
        purchase_key: "A338D92A10C8285411E761445C831C22",
        tac_key: "CAA6025290114BFCC3C9043F70F7A07A",
        random: "9AC87503",
        m: 0,
        tsn: 1,
        amount: 0x1C37,
        kind: Kind::Composite,
        terminal: "000000000001",
        at: ("20110919", "204812"),
        session: "45B5E6403E9995A8",
        mac1: "CD573164",
        mac2: "350AC480",
        tac: "44A8E04A",
    },
    PurchaseVector {
        purchase_key: "00112233445566778899AABBCCDDEEFF",
        tac_key: "00112233445566778899AABBCCDDEEFF",
        random: "584633C9",
        m: 0,
        tsn: 0,
        amount: 1,
        kind: Kind::Purchase,
        terminal: "001122334455",
        at: ("20161216", "134600"),
        session: "C08346DF9F1D457A",
        mac1: "D45737C5",
        mac2: "66B54A6B",
        tac: "8AF270DC",
    },
    PurchaseVector {
        purchase_key: "375556C197AD7EF70DDC5D2205377152",
        tac_key: "4A0D3158E4010A74A0C028926ACC2AAF",
        random: "9F8E7D6C",
        m: 0x21,
        tsn: 0xA5B,
        amount: 1_250,
        kind: Kind::Purchase,
        terminal: "000000000202",
        at: ("20260901", "123110"),
        session: "7A78A3B68BFFEA90",
        mac1: "7B3CD13B",
        mac2: "E3A80A2A",
        tac: "2EAB6373",
    },
];

#[test]
fn purchases_are_signed_as_real_cards_and_modules_sign_them() {
    for row in PURCHASES {
        let terms = Terms { amount: row.amount, kind: row.kind, terminal: hex(row.terminal) };
        let at = stamp(row.at.0, row.at.1);
        let session = SessionKey::for_purchase(&key(row.purchase_key), hex(row.random), row.m, row.tsn);
        assert_eq!(session.expose(), hex::<8>(row.session));
        assert_eq!(session.purchase_mac1(terms, at), hex(row.mac1));
        assert_eq!(session.purchase_mac2(row.amount), hex(row.mac2));
        assert_eq!(purchase_tac(&key(row.tac_key), terms, row.tsn, at), hex(row.tac));
    }
}

#[test]
fn a_security_identifier_appended_to_the_text_gives_the_mac_of_construction_ministry_cards() {
    let session = Key8::new(hex("45B5E6403E9995A8"));
    let text = bytes("00001C37 09 000000000001 20110919 204812 8588D32B7688D32B76");
    assert_eq!(mac8(&session, [0; 8], &text), hex("303D735D"));
}

#[test]
fn card_keys_are_diversified_from_the_masters_in_one_or_two_levels() {
    let card = CardNumber(0x2026_0000_0000_0042);
    let keys = masters().card_keys(card);
    assert_eq!(keys.load, key("2C40DED895E0FCFEFEFAFA64AB443F96"));
    assert_eq!(keys.purchase, key("375556C197AD7EF70DDC5D2205377152"));
    assert_eq!(keys.tac, key("4A0D3158E4010A74A0C028926ACC2AAF"));
    assert_eq!(keys.maintenance, key("E67E8264971F8296144A18A1E7480413"));
    assert_eq!(keys.tac.tac_key().expose(), &hex("EACD19CA8ECD20DB"));
    let school = masters().of_issuer(hex("0102030405060708"));
    assert_eq!(school.card_keys(card).load, key("4FAC320351A9BAB02ED1B67BF220A7A4"));
}

fn card_of_a() -> Chip {
    let spare = Key16::new([0x5A; 16]);
    let keys = CardKeys {
        load: key("374598B5C0B0EAE1E1D06609AC5BB369"),
        tac: key("CAA6025290114BFCC3C9043F70F7A07A"),
        purchase: spare.clone(),
        maintenance: spare,
    };
    Chip::with_keys(SERIAL, keys, &profile())
}

fn ask(chip: &mut Chip, random: [u8; 4], apdu: &[u8]) -> Vec<u8> {
    chip.process(apdu, &mut || random)
}

#[test]
fn the_software_card_answers_a_load_as_the_recorded_card_did() {
    let mut chip = card_of_a();
    let (random, tid) = (hex("CDEF4F20"), hex("000001000050"));
    ask(&mut chip, random, &terminal::select_purse());
    let answer = ask(&mut chip, random, &terminal::init_load(0x1C37, tid));
    assert_eq!(answer, bytes("00000000 0000 0100 CDEF4F20 06B1BEF5 9000"));
    let credit = terminal::credit_load(stamp("20140825", "103100"), hex("0641DCD8"));
    assert_eq!(ask(&mut chip, random, &credit), bytes("ED0F8755 9000"));
    assert_eq!(ask(&mut chip, random, &terminal::get_balance()), bytes("00001C37 9000"));
    assert_eq!(
        ask(&mut chip, random, &terminal::read_log(1)),
        bytes("0001 000000 00001C37 02 000001000050 20140825 103100 9000")
    );
}

/// A card of the project with N = 7, M = 0x21 and 50.00 in the purse, brought there by taps alone.
fn used_card() -> Chip {
    let mut dice = Dice::new();
    let mut card = card::tear::TearableCard::new(new_chip());
    let (mut host, mut psam) = (Host::new(), crate::world::new_psam());
    card.insert(None);
    for amount in [100, 100, 100, 100, 100, 100, 4_433] {
        assert!(host.tap(&mut card, &mut dice, amount));
    }
    for _ in 0..0x21 {
        let mut sale = crate::world::Sale::new(1, Kind::Purchase);
        sale.tap(&mut card, &mut psam, &mut dice);
        assert!(sale.paid.is_some());
    }
    card.into_chip()
}

#[test]
fn a_load_and_a_purchase_of_the_project_run_byte_for_byte() {
    let mut chip = used_card();
    let keys = masters().card_keys(chip.card());
    let (random, tid) = (hex("1A2B3C4D"), hex("000000000101"));
    ask(&mut chip, random, &terminal::select_purse());
    let answer = ask(&mut chip, random, &terminal::init_load(10_000, tid));
    assert_eq!(answer, bytes("00001388 0007 01 00 1A2B3C4D 67BC03FD 9000"));
    let opening = LoadOpening {
        terms: Terms { amount: 10_000, kind: Kind::Load, terminal: tid },
        answer: LoadAnswer::parse(&answer).unwrap(),
    };
    assert!(keys.proves_load(&opening));
    let at = stamp("20260901", "123045");
    let credit = terminal::credit_load(at, keys.release_load(&opening, at));
    assert_eq!(credit, bytes("80 52 00 00 0B 20260901123045 4E388CC2 04"));
    assert_eq!(ask(&mut chip, random, &credit), bytes("8D7F5085 9000"));
    assert!(keys.proves_loaded(&opening, at, hex("8D7F5085")));

    let (random, tid) = (hex("9F8E7D6C"), hex("000000000202"));
    let answer = ask(&mut chip, random, &terminal::init_purchase(1_250, tid));
    assert_eq!(answer, bytes("00003A98 0021 000000 01 00 9F8E7D6C 9000"));
    let mut psam = crate::world::new_psam();
    psam.used(0xA5A);
    let at = stamp("20260901", "123110");
    let request = PurchaseRequest {
        card: chip.card(),
        random,
        m: 0x21,
        amount: 1_250,
        kind: Kind::Purchase,
        stamp: at,
        key_version: 1,
        algorithm: 0,
    };
    let grant = psam.begin_purchase(&request).unwrap();
    let debit = terminal::debit(grant.tsn, at, grant.mac1);
    assert_eq!(debit, bytes("80 54 01 00 0F 00000A5B 20260901123110 7B3CD13B 08"));
    assert_eq!(ask(&mut chip, random, &debit), bytes("2EAB6373 E3A80A2A 9000"));
    assert_eq!(psam.verify_mac2(hex("E3A80A2A")), Ok(()));
    let terms = Terms { amount: 1_250, kind: Kind::Purchase, terminal: tid };
    assert!(keys.proves_purchase(terms, 0xA5B, at, hex("2EAB6373")));
    let prove = Command::Prove { kind: Kind::Purchase, seq: 0x22 }.encode();
    assert_eq!(ask(&mut chip, random, &prove), bytes("E3A80A2A 2EAB6373 9000"));
}

#[test]
fn secure_messaging_gives_the_recorded_commands() {
    let project = key("E67E8264971F8296144A18A1E7480413");
    let block = key("6474215EF549707831BB8DB9895FD48A");
    let update = key("F28E92292DCB63F11EA7F5776A7122B8");
    let record = "07314100000000004100000089999985020020150605000F00000001000120150605203808080000";
    let table = [
        (&block, "1EA2B2E6", "841E0000", "", "841E000004 A86CC6A8".to_string()),
        (&update, "1B534732", "04D68500", record, format!("04D685002C {record} C853F358")),
        (&project, "4D5E6F70", "04D69500", "1122334455667788", "04D695000C 1122334455667788 103DA903".to_string()),
        (&project, "11223344", "841E0000", "", "841E000004 DB80BDD5".to_string()),
        (&project, "11223344", "84180000", "", "8418000004 1193A7BF".to_string()),
    ];
    for (key, challenge, header, data, expected) in table {
        let command = protect(key, hex(challenge), hex(header), &bytes(data)).unwrap();
        assert_eq!(command, bytes(&expected), "{header}");
    }
    let sealed = protect_sealed(&project, hex("4D5E6F70"), hex("04D69500"), &bytes("1122334455667788")).unwrap();
    assert_eq!(sealed, bytes("04D6950014 698B4FD82EFBDCDEF2C7CD6B942B5B29 9EC1A68A"));
}

#[test]
fn a_key_written_under_encryption_has_the_recorded_cipher_text_and_mac() {
    let key = key("6CA1901BE8F968A23A6BD5F62A20BDC8");
    let data = bytes("01003300 374598B5C0B0EAE1E1D06609AC5BB369");
    let command = protect_sealed(&key, hex("B3F2BA43"), hex("84D40701"), &data).unwrap();
    assert_eq!(command, bytes("84D407011C ACB9ACA418B376513B0C4C00F0FDD9846F83FE7A04AD9347 C8A0FA85"));
    let heard = Protected::of(hex("84D40701"), &command[5..]).unwrap();
    assert!(heard.proves(Algorithm::TripleDes, &key, hex("B3F2BA43")));
    assert_eq!(heard.opened(Algorithm::TripleDes, &key), Some(data));
}

#[test]
fn external_authentication_answers_a_challenge_as_recorded() {
    let single = Key8::new(hex("0102030405060708"));
    assert_eq!(authentication_with_single_key(&single, hex("BB83BFF3")), hex("74B0047DD681D96C"));
    let project = key("E67E8264971F8296144A18A1E7480413");
    assert_eq!(authentication(&project, hex("A1B2C3D4")), hex("1F9C8DB0D1BC297D"));
}
