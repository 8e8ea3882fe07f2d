//! Selecting, reading and writing files, and the switches that show in them.

use card::apdu::Command;
use card::apdu::office::{Body, OfficeCommand};
use card::crypto::Algorithm;
use card::files::{LogRecord, PURSE_NAME};
use card::filesystem::{Access, FileForm, Guard, Shape};
use card::office::{Order, command};
use card::profile::{Counted, LOG_ID, PURSE_DF, ROOT_ID, ROOT_NAME, Switches};
use card::psam::{PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp, Suite};
use card::tear::TearableCard;
use card::terminal::{self, DebitAnswer, PurchaseAnswer};

use crate::world::{
    Dice, Host, POS, STAMP, Sale, bytes, hex, key, key_set, new_psam, order, ordered_chip, profile, send, word,
};

fn in_field(switches: Switches) -> (TearableCard, Dice) {
    let mut card = TearableCard::new(ordered_chip(&Order { switches, ..order() }));
    card.insert(None);
    (card, Dice::new())
}

#[test]
fn the_card_is_found_by_name_and_by_number() {
    let (mut card, mut dice) = in_field(Switches::CAMPUS);
    let root = bytes("6F 15 84 0E 315041592E5359532E4444463031 A5 03 880101 9000");
    assert_eq!(send(&mut card, &mut dice, &Command::Select(ROOT_NAME.to_vec()).encode()), root);
    assert_eq!(send(&mut card, &mut dice, &command::select_file(ROOT_ID)), root);
    let directory = send(&mut card, &mut dice, &terminal::read_record(1, 1));
    assert_eq!(directory, bytes("61 14 4F 09 A00000000386980701 50 07 4F4E4543415244 9000"));
    assert_eq!(word(&mut card, &mut dice, &terminal::read_record(1, 2)), 0x6A83);

    let by_id = send(&mut card, &mut dice, &command::select_file(PURSE_DF));
    assert_eq!(by_id, send(&mut card, &mut dice, &terminal::select_purse()));
    assert_eq!(terminal::parse_select(&by_id).unwrap(), card.chip().public_file().unwrap());
    let file = send(&mut card, &mut dice, &command::select_file(LOG_ID));
    assert_eq!(file, bytes("6F 0D 82 07 2E0A17F0EFFFFF 83 02 0018 9000"));
    for (apdu, expected) in [
        (command::select_file(0x0099), 0x6A82),
        (Command::Select(PURSE_NAME[..8].to_vec()).encode(), 0x6A82),
        (terminal::read_binary(0x18, 0), 0x6981),
        (terminal::read_binary(0x02, 0), 0x6981),
        (terminal::read_record(0x15, 1), 0x6981),
        (terminal::read_record(0x02, 1), 0x6981),
        (terminal::read_record(0x17, 2), 0x6A83),
        (terminal::read_record(0x17, 0), 0x6A83),
        (terminal::get_security_id(), 0x6A88),
        (Command::GetResponse(0).encode(), 0x6985),
    ] {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
}

#[test]
fn a_file_that_is_selected_needs_no_short_identifier() {
    let (mut card, mut dice) = in_field(Switches::CAMPUS);
    let whole = Command::ReadBinary { file: 0, offset: 12, length: 10 }.encode();
    let first = Command::ReadRecord { file: 0, record: 1, length: 16 }.encode();
    for (apdu, expected) in [
        (terminal::select_purse(), 0x9000),
        (whole.clone(), 0x6A82),
        (command::select_file(0x0015), 0x9000),
        (whole, 0x9000),
        (first.clone(), 0x6981),
        (command::select_file(0x0017), 0x9000),
        (first.clone(), 0x9000),
        (terminal::select_purse(), 0x9000),
        (first, 0x6A82),
    ] {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
}

#[test]
fn nobody_writes_what_the_card_alone_writes() {
    let (mut card, mut dice) = in_field(Switches::CAMPUS);
    word(&mut card, &mut dice, &terminal::select_purse());
    let before = card.chip().to_bytes();
    let set = key_set(Suite::TripleDes);
    let plain = |data: &[u8]| Body::Plain(data.to_vec());
    let table = [
        (OfficeCommand::UpdateBinary { file: 0x15, offset: 0, body: plain(&[1]) }, 0x6987),
        (OfficeCommand::UpdateBinary { file: 0x16, offset: 0, body: plain(&[1]) }, 0x6987),
        (OfficeCommand::UpdateRecord { file: 0x17, record: 1, body: plain(&[1; 16]) }, 0x6987),
        (OfficeCommand::UpdateRecord { file: 0x18, record: 1, body: plain(&[1; 23]) }, 0x6982),
        (OfficeCommand::AppendRecord { file: 0x18, body: plain(&[1; 23]) }, 0x6982),
        (OfficeCommand::UpdateBinary { file: 0x02, offset: 0, body: plain(&[1]) }, 0x6982),
        (OfficeCommand::UpdateBinary { file: 0x09, offset: 0, body: plain(&[1]) }, 0x6A82),
    ];
    for (apdu, expected) in table {
        let apdu = Command::Office(apdu).encode();
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
    // Not even with the right MAC.
    let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
    let append = command::append_record(Algorithm::TripleDes, &set.keys.maintenance, given, 0x18, &[1; 23]).unwrap();
    assert_eq!(word(&mut card, &mut dice, &append), 0x6982);
    for ((file, offset), data, expected) in
        [((0x15, 29), &[1, 2][..], 0x6B00), ((0x17, 0), &[1; 16], 0x6981), ((0x15, 30), &[1], 0x6B00)]
    {
        let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
        let update = command::update_binary(&set, given, (file, offset), data, false).unwrap();
        assert_eq!(word(&mut card, &mut dice, &update), expected);
    }
    for (record, length, expected) in [(2, 16, 0x6A83), (1, 15, 0x6700)] {
        let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
        let update = command::update_record(&set, given, (0x17, record), &vec![1; length]).unwrap();
        assert_eq!(word(&mut card, &mut dice, &update), expected);
    }
    assert_eq!(card.chip().to_bytes(), before);
}

/// A blank card with a purse application opened by its maker's key, ready to be given files.
fn opened() -> (TearableCard, Dice) {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(crate::world::blank_chip(&order)), Dice::new());
    card.insert(None);
    let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
    let proof = command::external_authenticate(Algorithm::TripleDes, &order.transport, 0, &given);
    assert_eq!(word(&mut card, &mut dice, &proof), 0x9000);
    (card, dice)
}

#[test]
fn a_blank_card_shows_its_root_and_nothing_in_it() {
    let (mut card, mut dice) = opened();
    let root = bytes("6F 12 84 0E 315041592E5359532E4444463031 A5 00 9000");
    assert_eq!(send(&mut card, &mut dice, &command::select_file(ROOT_ID)), root);
    for apdu in [terminal::select_purse(), command::select_file(PURSE_DF), terminal::read_record(1, 1)] {
        assert_eq!(word(&mut card, &mut dice, &apdu), 0x6A82, "{apdu:02X?}");
    }
}

#[test]
fn an_application_without_files_has_no_purse() {
    let (mut card, mut dice) = opened();
    let application = FileForm {
        id: PURSE_DF,
        guard: Guard::Plain,
        read: Access::Authenticated,
        write: Access::Never,
        shape: Shape::Application(PURSE_NAME.to_vec()),
    };
    assert_eq!(word(&mut card, &mut dice, &command::create_file(application.clone())), 0x9000);
    assert_eq!(
        send(&mut card, &mut dice, &terminal::select_purse()),
        bytes("6F 0D 84 09 A00000000386980701 A5 00 9000")
    );
    let mut write_key = |card: &mut TearableCard| {
        let given = terminal::parse_challenge(&send(card, &mut dice, &terminal::get_challenge())).unwrap();
        let form = &key_set(Suite::TripleDes).forms(1, false)[1];
        let apdu = command::write_key(Algorithm::TripleDes, &order().transport, given, form).unwrap();
        word(card, &mut dice, &apdu)
    };
    assert_eq!(write_key(&mut card), 0x6A82, "no key file yet");
    let mut dice = Dice::new();
    for (apdu, expected) in [
        (terminal::get_balance(), 0x6A82),
        (terminal::init_load(1, POS), 0x6A82),
        (terminal::init_purchase(0, POS), 0x6A82),
        (terminal::prove(Kind::Load, 1), 0x6A82),
        (command::create_file(application), 0x6A86),
        (command::create_file(FileForm { shape: Shape::Purse, ..form_of(2) }), 0x9000),
        (terminal::get_balance(), 0x9000),
        (terminal::init_load(1, POS), 0x9403),
        (terminal::init_purchase(0, POS), 0x9403),
        (command::block_application(&key_set(Suite::TripleDes), [0; 4], false), 0x6985),
    ] {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
    assert_eq!(write_key(&mut card), 0x6A82, "a purse is no key file");
    assert_eq!(
        word(&mut card, &mut dice, &command::create_file(FileForm { shape: Shape::Keys, ..form_of(0) })),
        0x9000
    );
    assert_eq!(write_key(&mut card), 0x9000);
    // A load key, and no key for certificates: the card opens a load and refuses to finish what it cannot prove.
    let answer = terminal::LoadAnswer::parse(&send(&mut card, &mut dice, &terminal::init_load(100, POS))).unwrap();
    let terms = card::session::Terms { amount: 100, kind: Kind::Load, terminal: POS };
    let mac2 = Host::new().keys.release_load(&card::host::LoadOpening { terms, answer }, STAMP);
    assert_eq!(word(&mut card, &mut dice, &terminal::credit_load(STAMP, mac2)), 0x9406);
    assert_eq!((card.chip().balance(), card.chip().loads()), (0, 0));
    let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
    let block = command::block_application(&key_set(Suite::TripleDes), given, false);
    assert_eq!(word(&mut card, &mut dice, &block), 0x9403, "no maintenance key");
    // A file goes into the directory that is selected.
    let binary = FileForm { shape: Shape::Binary(4), ..form_of(5) };
    for (apdu, expected) in [
        (command::select_file(ROOT_ID), 0x9000),
        (command::create_file(binary), 0x9000),
        (command::select_file(5), 0x9000),
        (command::select_file(PURSE_DF), 0x9000),
        (command::select_file(5), 0x6A82),
    ] {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
}

#[test]
fn the_key_file_has_no_short_identifier_and_takes_none_from_another_file() {
    let application = FileForm { shape: Shape::Application(PURSE_NAME.to_vec()), ..form_of(PURSE_DF) };
    let make = |id, shape| command::create_file(FileForm { shape, ..form_of(id) });
    let keys = || make(0x0000, Shape::Keys);
    let binary = |id| make(id, Shape::Binary(4));
    let table = [
        ("keys first", [(keys(), 0x9000), (binary(0x0020), 0x9000), (binary(0x0040), 0x6985)]),
        ("keys last", [(binary(0x0020), 0x9000), (keys(), 0x9000), (keys(), 0x6985)]),
        ("no keys", [(binary(0x0020), 0x9000), (binary(0x0000), 0x6985), (binary(0x0001), 0x9000)]),
    ];
    for (name, files) in table {
        let (mut card, mut dice) = opened();
        assert_eq!(word(&mut card, &mut dice, &command::create_file(application.clone())), 0x9000);
        assert_eq!(word(&mut card, &mut dice, &command::select_file(PURSE_DF)), 0x9000);
        for (apdu, expected) in files {
            assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{name} {apdu:02X?}");
        }
    }
}

fn form_of(id: u16) -> FileForm {
    FileForm { id, guard: Guard::Plain, read: Access::Free, write: Access::Never, shape: Shape::Purse }
}

#[test]
fn plain_files_are_written_under_their_rights() {
    let (mut card, mut dice) = opened();
    let form = |id, write, shape| FileForm { id, guard: Guard::Plain, read: Access::Free, write, shape };
    let update =
        |file| Command::Office(OfficeCommand::UpdateBinary { file, offset: 1, body: Body::Plain(vec![5, 6]) }).encode();
    let append = |file, data: &[u8]| {
        Command::Office(OfficeCommand::AppendRecord { file, body: Body::Plain(data.to_vec()) }).encode()
    };
    let cyclic = Shape::Cyclic { most: 2, length: 1 };
    let table = [
        (command::create_file(form(0x0005, Access::Free, Shape::Binary(4))), 0x9000),
        (command::create_file(form(0x0025, Access::Free, Shape::Binary(4))), 0x6985),
        (command::create_file(form(0x0006, Access::Authenticated, Shape::Binary(4))), 0x9000),
        (command::create_file(form(0x0007, Access::Pin, Shape::Binary(4))), 0x9000),
        (command::create_file(form(0x0008, Access::Never, Shape::Binary(4))), 0x9000),
        (command::create_file(form(0x0009, Access::Free, cyclic)), 0x9000),
        (command::create_file(form(0x000A, Access::Free, Shape::Purse)), 0x6A86),
        (command::create_file(form(0x000A, Access::Free, Shape::Keys)), 0x6A86),
        (command::create_file(form(0x000A, Access::Free, Shape::Cyclic { most: 255, length: 255 })), 0x6A86),
        (command::create_file(form(0x000A, Access::Free, Shape::Cyclic { most: 128, length: 32 })), 0x9000),
        (command::create_file(form(0x000B, Access::Free, Shape::Cyclic { most: 129, length: 32 })), 0x6A86),
        (command::create_file(form(ROOT_ID, Access::Free, Shape::Binary(4))), 0x6A86),
        (update(5), 0x9000),
        (update(6), 0x9000),
        (update(7), 0x6982),
        (update(8), 0x6982),
        (append(9, &[1]), 0x9000),
        (append(9, &[2]), 0x9000),
        (append(9, &[3]), 0x9000),
        (append(9, &[1, 2]), 0x6700),
        (append(5, &[1]), 0x6981),
    ];
    for (apdu, expected) in table {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
    assert_eq!(send(&mut card, &mut dice, &terminal::read_binary(5, 0)), bytes("00050600 9000"));
    assert_eq!(send(&mut card, &mut dice, &terminal::read_record(9, 1)), bytes("03 9000"));
    assert_eq!(send(&mut card, &mut dice, &terminal::read_record(9, 2)), bytes("02 9000"));
    assert_eq!(word(&mut card, &mut dice, &terminal::read_record(9, 3)), 0x6A83);
    // The right that the control key gave is gone with the power.
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &update(5)), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &update(6)), 0x6982);
}

#[test]
fn the_recorded_update_of_a_file_is_obeyed() {
    // Recorded: UPDATE BINARY of file 5 under a MAC. In the root the control key is the one that protects.
    let control = key("F28E92292DCB63F11EA7F5776A7122B8");
    let mut chip = card::chip::Chip::blank(Switches::CAMPUS, control.clone(), Algorithm::TripleDes);
    let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || hex("1B534732"));
    let form =
        FileForm { id: 0x0005, guard: Guard::Mac, read: Access::Free, write: Access::Free, shape: Shape::Binary(40) };
    ask(&terminal::get_challenge());
    ask(&command::external_authenticate(Algorithm::TripleDes, &control, 0, &hex::<4>("1B534732")));
    assert_eq!(ask(&command::create_file(form)), bytes("9000"));
    ask(&terminal::get_challenge());
    let text = "07314100000000004100000089999985020020150605000F00000001000120150605203808080000";
    assert_eq!(ask(&bytes(&format!("04D685002C {text} C853F358"))), bytes("9000"));
    assert_eq!(ask(&terminal::read_binary(5, 0)), bytes(&format!("{text} 9000")));
}

#[test]
fn the_recorded_authentication_is_believed() {
    // Recorded with a key of eight bytes, which is a key of sixteen with equal halves.
    let control = key("01020304050607080102030405060708");
    for (cryptogram, expected) in [("74B0047DD681D96C", "9000"), ("74B0047DD681D96D", "63CE")] {
        let mut chip = card::chip::Chip::blank(Switches::CAMPUS, control.clone(), Algorithm::TripleDes);
        let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || hex("BB83BFF3"));
        ask(&terminal::get_challenge());
        assert_eq!(ask(&bytes(&format!("00820000 08 {cryptogram}"))), bytes(expected));
    }
}

#[test]
fn the_recorded_key_is_written_and_used() {
    // Recorded: WRITE KEY of the load key of the transit card; its type byte is another maker's, so it is built here for
    // the same key, and the card then signs the recorded load.
    let order = Order { transport: key("6CA1901BE8F968A23A6BD5F62A20BDC8"), ..order() };
    let mut card = TearableCard::new(crate::world::blank_chip(&order));
    let mut dice = Dice::new();
    card.insert(None);
    card::office::personalise(&mut |apdu| send(&mut card, &mut dice, apdu), &order).unwrap();
    let control = order.set.control_form(1).key;
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    for (kind, id, bytes) in [
        (card::keystore::KeyKind::Load, 1, "374598B5C0B0EAE1E1D06609AC5BB369"),
        (card::keystore::KeyKind::Tac, 0, "CAA6025290114BFCC3C9043F70F7A07A"),
    ] {
        let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
        let form = card::keystore::KeyForm {
            kind,
            id,
            version: 1,
            algorithm: Algorithm::TripleDes,
            tries: 3,
            key: key(bytes),
        };
        let apdu = command::write_key(Algorithm::TripleDes, &control, given, &form).unwrap();
        assert_eq!(word(&mut card, &mut dice, &apdu), 0x9000);
    }
    let mut chip = card.into_chip();
    let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || hex("CDEF4F20"));
    ask(&terminal::select_purse());
    let init = terminal::init_load(0x1C37, hex("000001000050"));
    assert_eq!(ask(&init), bytes("00000000 0000 0100 CDEF4F20 06B1BEF5 9000"));
    let stamp = Stamp { date: hex("20140825"), time: hex("103100") };
    assert_eq!(ask(&terminal::credit_load(stamp, hex("0641DCD8"))), bytes("ED0F8755 9000"));
}

#[test]
fn the_recorded_composite_purchase_covers_the_security_identifier() {
    let mut keys = key_set(Suite::TripleDes);
    keys.keys.purchase = key("A338D92A10C8285411E761445C831C22");
    keys.keys.tac = key("CAA6025290114BFCC3C9043F70F7A07A");
    for (security_id, mac1) in [(Some(hex("8588D32B7688D32B76")), "303D735D"), (None, "CD573164")] {
        let switches = Switches { security_id, ..Switches::CAMPUS };
        let order = Order { set: keys.clone(), switches, ..order() };
        let (mut card, mut dice, mut host) = (TearableCard::new(ordered_chip(&order)), Dice::new(), Host::new());
        host.keys = keys.keys.clone();
        card.insert(None);
        assert!(host.tap(&mut card, &mut dice, 0x1C37));
        let mut chip = card.into_chip();
        let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || hex("9AC87503"));
        ask(&terminal::select_purse());
        let seen = terminal::parse_security_id(&ask(&terminal::get_security_id())).ok();
        assert_eq!(seen, security_id);
        assert!(PurchaseAnswer::parse(&ask(&terminal::init_composite(0x1C37, hex("000000000001")))).is_ok());
        ask(&terminal::cache_day_counter(card::files::DayCounter::NEW));
        let stamp = Stamp { date: hex("20110919"), time: hex("204812") };
        let debit = terminal::debit(1, stamp, hex(mac1));
        assert_eq!(ask(&debit), bytes("44A8E04A 350AC480 9000"));
    }
}

#[test]
fn the_security_identifier_is_given_whole_or_not_at_all() {
    let object = |object, length| Command::GetData { object, length }.encode();
    let table = [
        (Some([7; 9]), object(0, 0), "070707070707070707 9000"),
        (Some([7; 9]), object(0, 9), "070707070707070707 9000"),
        (Some([7; 9]), object(0, 8), "6C09"),
        (Some([7; 9]), object(0, 10), "6C09"),
        (Some([7; 9]), object(1, 9), "6A88"),
        (None, object(0, 8), "6A88"),
        (None, object(0, 9), "6A88"),
    ];
    for (security_id, apdu, expected) in table {
        let (mut card, mut dice) = in_field(Switches { security_id, ..Switches::CAMPUS });
        assert_eq!(send(&mut card, &mut dice, &apdu), bytes(expected), "{security_id:?} {apdu:02X?}");
    }
}

#[test]
fn a_module_signs_the_security_identifier_that_the_card_wants() {
    let identifier = [7; 9];
    let (mut card, mut dice) = in_field(Switches { security_id: Some(identifier), ..Switches::CAMPUS });
    assert!(Host::new().tap(&mut card, &mut dice, 5_000));
    let mut pay = |with: bool| {
        let answer = PurchaseAnswer::parse(&send(&mut card, &mut dice, &terminal::init_purchase(100, POS))).unwrap();
        let request = PurchaseRequest {
            card: card.chip().card(),
            random: answer.random,
            m: answer.m,
            amount: 100,
            kind: Kind::Purchase,
            stamp: STAMP,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
        };
        let mut psam: SoftPsam = new_psam();
        let grant = if with {
            psam.begin_identified_purchase(&request, &identifier)
        } else {
            card::psam::Psam::begin_purchase(&mut psam, &request)
        };
        let grant = grant.unwrap();
        DebitAnswer::parse(&send(&mut card, &mut dice, &terminal::debit(grant.tsn, STAMP, grant.mac1))).is_ok()
    };
    assert!(!pay(false));
    assert!(pay(true));
}

#[test]
fn the_switches_of_log_and_proof_show() {
    for (log_seq, proof_seq, apart) in [
        (Counted::After, Counted::After, false),
        (Counted::Before, Counted::After, false),
        (Counted::After, Counted::Before, true),
        (Counted::Before, Counted::Before, true),
    ] {
        let switches = Switches { log_seq, proof_seq, loads_apart: apart, ..Switches::CAMPUS };
        let (mut card, mut dice) = in_field(switches);
        assert!(Host::new().tap(&mut card, &mut dice, 5_000));
        Sale::new(100, Kind::Purchase).tap(&mut card, &mut new_psam(), &mut dice);
        assert_eq!(card.chip().balance(), 4_900);
        let mut read = |apdu: &[u8]| -> Option<LogRecord> {
            let answer = send(&mut card, &mut dice, apdu);
            terminal::parse_log(&answer).unwrap_or(None)
        };
        let load = if apart { terminal::read_load_log(1) } else { terminal::read_log(2) };
        let seen = [read(&terminal::read_log(1)), read(&load)].map(|record| record.map(|it| (it.kind, it.seq)));
        let shown = u16::from(log_seq == Counted::After);
        assert_eq!(seen, [Some((6, shown)), Some((2, shown))], "{switches:?}");
        assert_eq!(read(&terminal::read_load_log(2)), None);
        let found = u16::from(proof_seq == Counted::After);
        for kind in [Kind::Load, Kind::Purchase] {
            assert_eq!(word(&mut card, &mut dice, &terminal::prove(kind, found)), 0x9000, "{switches:?}");
            assert_eq!(word(&mut card, &mut dice, &terminal::prove(kind, 1 - found)), 0x9406, "{switches:?}");
        }
    }
}

#[test]
fn a_log_of_more_records_keeps_them() {
    let (mut card, mut dice) = in_field(Switches { log_records: 12, ..Switches::CAMPUS });
    assert!(Host::new().tap(&mut card, &mut dice, 5_000));
    let mut psam = new_psam();
    for amount in 1..=14 {
        Sale::new(amount, Kind::Purchase).tap(&mut card, &mut psam, &mut dice);
    }
    assert_eq!(word(&mut card, &mut dice, &terminal::read_log(12)), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &terminal::read_log(13)), 0x6A83);
    let short = Order { switches: Switches { log_records: 1, ..Switches::CAMPUS }, ..order() };
    assert_eq!(ordered_chip(&short).to_bytes().len(), ordered_chip(&order()).to_bytes().len(), "ten at least");
    assert_eq!(profile().key_version, 1);
}
