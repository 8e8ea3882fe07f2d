//! The port of the card keys against a software card.

use card::chip::Chip;
use card::files::{CardNumber, Profile, SM4_KEY_ID, Validity};
use card::holder::HolderFile;
use card::profile::Switches;
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, SessionForm, Stamp, Suite};
use card::terminal::{self, DebitAnswer, LoadAnswer, PurchaseAnswer};
use flows::ports::{CardKeys, CardNo, CardStamp, LoadSession, PurseDebit};
use keys::{CardMasterKeys, Keyring};

const TERMINAL: [u8; 6] = [0, 0, 1, 0xAA, 0xBB, 0xCC];
const AT: CardStamp = CardStamp { date: [0x20, 0x26, 0x09, 0x01], time: [0x12, 0x30, 0x45] };

struct Tap {
    keyring: Keyring,
    host: CardMasterKeys,
    chip: Chip,
    card: CardNo,
}

impl Tap {
    fn new() -> Tap {
        let keyring = Keyring::generate();
        let (key_version, masters) = keyring.newest_card_masters().unwrap();
        let validity = Validity { from: AT.date, until: [0x20, 0x30, 0x07, 0x31] };
        let profile = Profile { issuer: [1; 8], application_version: 1, key_version, validity };
        let mut chip = Chip::personalise([0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34], masters, &profile);
        chip.process(&terminal::select_purse(), &mut || [0; 4]);
        Tap { host: CardMasterKeys::new(&keyring), card: CardNo(chip.card().0), chip, keyring }
    }

    fn send(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.chip.process(apdu, &mut || [0xC0, 0xFF, 0xEE, 0x01])
    }

    fn open_load(&mut self, amount: u32) -> LoadSession {
        let answer = LoadAnswer::parse(&self.send(&terminal::init_load(amount, TERMINAL))).unwrap();
        LoadSession {
            old_balance: answer.old_balance,
            n: answer.n,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
            random: answer.random,
            mac1: answer.mac1,
            amount,
            terminal: TERMINAL,
        }
    }

    fn load(&mut self, amount: u32) {
        let session = self.open_load(amount);
        assert!(self.host.proves_load(self.card, &session));
        let mac2 = self.host.release_load(self.card, &session, AT);
        assert_eq!(self.host.release_load(self.card, &session, AT), mac2, "a resend gives the same MAC");
        let answer = self.send(&terminal::credit_load(Stamp { date: AT.date, time: AT.time }, mac2));
        let tac = terminal::parse_credit(&answer).unwrap();
        assert!(self.host.proves_loaded(self.card, &session, AT, tac));
        let later = CardStamp { time: [0x12, 0x30, 0x46], ..AT };
        assert!(!self.host.proves_loaded(self.card, &session, later, tac));
        assert!(!self.host.proves_loaded(CardNo(1), &session, AT, tac));
        assert!(!self.host.proves_loaded(self.card, &session, AT, [0; 4]));
    }
}

#[test]
fn a_card_is_loaded_under_the_keys_of_the_keyring() {
    let mut tap = Tap::new();
    tap.load(10_000);
    tap.load(1);
    assert_eq!((tap.chip.balance(), tap.chip.loads()), (10_001, 2));
}

#[test]
fn an_answer_that_differs_in_anything_proves_nothing() {
    let mut tap = Tap::new();
    let good = tap.open_load(10_000);
    let table = [
        ("balance", LoadSession { old_balance: 1, ..good }),
        ("counter", LoadSession { n: 1, ..good }),
        ("random", LoadSession { random: [0; 4], ..good }),
        ("mac", LoadSession { mac1: [0; 4], ..good }),
        ("amount", LoadSession { amount: 10_001, ..good }),
        ("nonce", LoadSession { terminal: [0, 0, 1, 0xAA, 0xBB, 0xCD], ..good }),
        ("key version", LoadSession { key_version: 2, ..good }),
        ("algorithm", LoadSession { algorithm: 4, ..good }),
    ];
    for (name, session) in table {
        assert!(!tap.host.proves_load(tap.card, &session), "{name}");
    }
    assert!(!tap.host.proves_load(CardNo(1), &good), "another card");
    assert!(!CardMasterKeys::new(&Keyring::generate()).proves_load(tap.card, &good), "another keyring");
    assert!(tap.host.proves_load(tap.card, &good));
}

#[test]
fn an_unknown_version_or_algorithm_releases_nothing_that_a_card_takes() {
    let mut tap = Tap::new();
    for change in [(2, 0), (1, 4)] {
        let good = tap.open_load(10_000);
        let session = LoadSession { key_version: change.0, algorithm: change.1, ..good };
        let mac2 = tap.host.release_load(tap.card, &session, AT);
        assert!(
            terminal::parse_credit(&tap.send(&terminal::credit_load(Stamp { date: AT.date, time: AT.time }, mac2)))
                .is_err()
        );
    }
    assert_eq!(tap.chip.balance(), 0);
}

#[test]
fn a_card_that_speaks_sm4_is_loaded_and_pays_under_the_sm4_masters_alone() {
    for form in [SessionForm::Padded, SessionForm::Doubled] {
        let keyring = Keyring::generate().with_sm4(form);
        assert!(keyring.clone().with_sm4(SessionForm::Padded) == keyring, "masters stay");
        let sm4 = keyring.sm4_masters().unwrap();
        let masters = &sm4.cards[&1];
        let validity = Validity { from: AT.date, until: [0x20, 0x30, 0x07, 0x31] };
        let profile = Profile { issuer: [1; 8], application_version: 1, key_version: 1, validity };
        let card = CardNumber(0x1234);
        let mut serial = [0; 10];
        serial[2..].copy_from_slice(&card.factor());
        let set = masters.key_set(Suite::Sm4(form), card);
        let switches = Switches { session_form: form, ..Switches::CAMPUS };
        let chip = Chip::with_key_sets(serial, &set, &[], &profile, switches, &HolderFile::NOBODY);
        let mut tap = Tap { host: CardMasterKeys::new(&keyring), card: CardNo(card.0), chip, keyring };
        tap.send(&terminal::select_purse());

        let answer = tap.send(&terminal::init_load_with(SM4_KEY_ID, 700, TERMINAL));
        let answer = LoadAnswer::parse(&answer).unwrap();
        let session = LoadSession {
            old_balance: 0,
            n: 0,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
            random: answer.random,
            mac1: answer.mac1,
            amount: 700,
            terminal: TERMINAL,
        };
        assert!(tap.host.proves_load(tap.card, &session));
        assert!(!CardMasterKeys::new(&Keyring::generate()).proves_load(tap.card, &session), "a school without SM4");
        let mac2 = tap.host.release_load(tap.card, &session, AT);
        let stamp = Stamp { date: AT.date, time: AT.time };
        let tac = terminal::parse_credit(&tap.send(&terminal::credit_load(stamp, mac2))).unwrap();
        assert!(tap.host.proves_loaded(tap.card, &session, AT, tac));
        assert_eq!(tap.chip.balance(), 700);

        let purchase = tap.keyring.sm4_masters().unwrap().cards[&1].purchase.clone();
        let mut psam = SoftPsam::new([0, 0, 2, 0, 0, 0], [].into()).with_sm4(form, [(1, purchase)].into());
        let answer = tap.send(&terminal::init_purchase_with(SM4_KEY_ID, 250, psam.terminal()));
        let answer = PurchaseAnswer::parse(&answer).unwrap();
        let request = PurchaseRequest {
            card,
            random: answer.random,
            m: answer.m,
            amount: 250,
            kind: Kind::Purchase,
            stamp,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
        };
        let grant = psam.begin_purchase(&request).unwrap();
        let proof = DebitAnswer::parse(&tap.send(&terminal::debit(grant.tsn, stamp, grant.mac1))).unwrap();
        let debit = PurseDebit {
            amount: 250,
            terminal: psam.terminal(),
            tsn: grant.tsn,
            stamp: AT,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
        };
        assert!(tap.host.proves_purchase(tap.card, &debit, proof.tac));
        assert!(!tap.host.proves_purchase(tap.card, &PurseDebit { algorithm: 0, ..debit }, proof.tac));
    }
}

#[test]
fn a_purchase_is_proved_by_its_card_number_terminal_amount_and_time() {
    let mut tap = Tap::new();
    tap.load(5_000);
    let masters = tap.keyring.card_masters().iter().map(|(version, masters)| (*version, masters.purchase.clone()));
    let mut psam = SoftPsam::new([0, 0, 2, 0, 0, 0], masters.collect());
    let answer = PurchaseAnswer::parse(&tap.send(&terminal::init_purchase(1_250, psam.terminal()))).unwrap();
    let stamp = Stamp { date: AT.date, time: AT.time };
    let request = PurchaseRequest {
        card: tap.chip.card(),
        random: answer.random,
        m: answer.m,
        amount: 1_250,
        kind: Kind::Purchase,
        stamp,
        key_version: answer.key_version,
        algorithm: answer.algorithm,
    };
    let grant = psam.begin_purchase(&request).unwrap();
    let proof = DebitAnswer::parse(&tap.send(&terminal::debit(grant.tsn, stamp, grant.mac1))).unwrap();
    assert_eq!(psam.verify_mac2(proof.mac2), Ok(()));

    let good = PurseDebit {
        amount: 1_250,
        terminal: psam.terminal(),
        tsn: grant.tsn,
        stamp: AT,
        key_version: answer.key_version,
        algorithm: answer.algorithm,
    };
    assert!(tap.host.proves_purchase(tap.card, &good, proof.tac));
    let table = [
        ("amount", PurseDebit { amount: 1_249, ..good }),
        ("terminal", PurseDebit { terminal: [0, 0, 3, 0, 0, 0], ..good }),
        ("number", PurseDebit { tsn: 2, ..good }),
        ("time", PurseDebit { stamp: CardStamp { time: [0; 3], ..AT }, ..good }),
        ("key version", PurseDebit { key_version: 9, ..good }),
        ("algorithm", PurseDebit { algorithm: 4, ..good }),
    ];
    for (name, debit) in table {
        assert!(!tap.host.proves_purchase(tap.card, &debit, proof.tac), "{name}");
    }
    assert!(!tap.host.proves_purchase(CardNo(2), &good, proof.tac));
    assert!(!tap.host.proves_purchase(tap.card, &good, proof.mac2));
}
