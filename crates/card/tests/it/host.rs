//! What the host believes: every fact of a proof counts, under every algorithm.

use card::host::{KeySet, LoadOpening, PurchaseOpening};
use card::session::{Kind, SessionForm, Stamp, Suite, Terms};
use card::terminal::{LoadAnswer, PurchaseAnswer};

use crate::world::{POS, STAMP, hex, key_set};

const SUITES: [Suite; 3] = [Suite::TripleDes, Suite::Sm4(SessionForm::Padded), Suite::Sm4(SessionForm::Doubled)];

/// A load of 1.00 on 50.00 as the card of this set signs it.
fn opening(set: &KeySet) -> LoadOpening {
    let terms = Terms { amount: 100, kind: Kind::Load, terminal: POS };
    let session = set.suite.load_key(&set.keys.load, [1, 2, 3, 4], 7);
    let answer = LoadAnswer {
        old_balance: 5_000,
        n: 7,
        key_version: 1,
        algorithm: set.suite.algorithm().identifier(),
        random: [1, 2, 3, 4],
        mac1: session.load_mac1(5_000, terms),
    };
    LoadOpening { terms, answer }
}

#[test]
fn every_fact_of_a_load_counts() {
    for suite in SUITES {
        let set = key_set(suite);
        let good = opening(&set);
        let (terms, answer) = (good.terms, good.answer);
        let other_algorithm = 4 - answer.algorithm;
        let forged = [
            LoadOpening { terms: Terms { amount: 101, ..terms }, ..good },
            LoadOpening { terms: Terms { kind: Kind::PassbookLoad, ..terms }, ..good },
            LoadOpening { terms: Terms { terminal: [0; 6], ..terms }, ..good },
            LoadOpening { answer: LoadAnswer { old_balance: 5_001, ..answer }, ..good },
            LoadOpening { answer: LoadAnswer { n: 8, ..answer }, ..good },
            LoadOpening { answer: LoadAnswer { random: [1, 2, 3, 5], ..answer }, ..good },
            LoadOpening { answer: LoadAnswer { mac1: [0; 4], ..answer }, ..good },
            LoadOpening { answer: LoadAnswer { algorithm: other_algorithm, ..answer }, ..good },
            LoadOpening { answer: LoadAnswer { algorithm: 9, ..answer }, ..good },
        ];
        // A set of 3DES keys alone is the same under its short name.
        let bare = set.keys.clone();
        let triple_des = suite == Suite::TripleDes;
        assert!(set.proves_load(&good));
        assert_eq!(bare.proves_load(&good), triple_des);
        for load in forged {
            assert!(!set.proves_load(&load) && !bare.proves_load(&load), "{suite:?} {load:?}");
        }

        let tac = suite.load_tac(&set.keys.tac, 5_100, 7, terms, STAMP);
        assert!(set.proves_loaded(&good, STAMP, tac));
        assert_eq!(bare.proves_loaded(&good, STAMP, tac), triple_des);
        assert!(!set.proves_loaded(&good, STAMP, [0; 4]) && !bare.proves_loaded(&good, STAMP, [0; 4]));
        let later = Stamp { time: [0x12, 0x30, 0x46], ..STAMP };
        assert!(!set.proves_loaded(&good, later, tac));
        for load in forged.iter().filter(|load| load.answer.random == [1, 2, 3, 4] && load.answer.mac1 != [0; 4]) {
            assert!(!set.proves_loaded(load, STAMP, tac), "{suite:?} {load:?}");
        }
        let full = LoadOpening { answer: LoadAnswer { old_balance: u32::MAX, ..answer }, ..good };
        assert!(!set.proves_loaded(&full, STAMP, tac), "more than a purse holds");
        if triple_des {
            assert_eq!(bare.release_load(&good, STAMP), set.release_load(&good, STAMP));
        }
        assert_ne!(set.release_load(&good, STAMP), set.release_load(&good, later));
    }
}

#[test]
fn every_fact_of_a_purchase_counts() {
    for suite in SUITES {
        let set = key_set(suite);
        let terms = Terms { amount: 100, kind: Kind::Purchase, terminal: POS };
        let tac = suite.purchase_tac(&set.keys.tac, terms, 9, STAMP);
        assert!(set.proves_purchase(terms, 9, STAMP, tac));
        assert_eq!(set.keys.proves_purchase(terms, 9, STAMP, tac), suite == Suite::TripleDes);
        let later = Stamp { date: [0x20, 0x26, 0x09, 0x02], ..STAMP };
        for (terms, tsn, stamp, tac) in [
            (Terms { amount: 99, ..terms }, 9, STAMP, tac),
            (Terms { kind: Kind::Composite, ..terms }, 9, STAMP, tac),
            (Terms { terminal: [0; 6], ..terms }, 9, STAMP, tac),
            (terms, 10, STAMP, tac),
            (terms, 9, later, tac),
            (terms, 9, STAMP, [0; 4]),
        ] {
            assert!(!set.proves_purchase(terms, tsn, stamp, tac), "{suite:?} {terms:?} {tsn}");
            assert!(!set.keys.proves_purchase(terms, tsn, stamp, tac), "{suite:?} {terms:?} {tsn}");
        }
    }
}

#[test]
fn m25_the_host_signs_a_purchase_of_its_own_and_believes_its_proof_alone() {
    let stamp = Stamp { date: hex("20260901"), time: hex("123110") };
    let table = [(SUITES[0], "7B3CD13B", "E3A80A2A"), (SUITES[1], "599F1ED7", "A65C5585")];
    for (suite, mac1, mac2) in table {
        let set = key_set(suite);
        let answer = PurchaseAnswer {
            old_balance: 15_000,
            m: 0x21,
            overdraft: [0; 3],
            key_version: 1,
            algorithm: suite.algorithm().identifier(),
            random: hex("9F8E7D6C"),
        };
        let terms = Terms { amount: 1_250, kind: Kind::Purchase, terminal: POS };
        let good = PurchaseOpening { terms, answer, tsn: 0xA5B, stamp };
        assert_eq!(set.sign_purchase(&good), hex(mac1));
        assert!(set.proves_debited(&good, hex(mac2)));
        assert!(!set.proves_debited(&good, hex(mac1)));
        for other in [
            PurchaseOpening { tsn: 0xA5C, ..good },
            PurchaseOpening { terms: Terms { amount: 1_251, ..terms }, ..good },
            PurchaseOpening { answer: PurchaseAnswer { m: 0x22, ..answer }, ..good },
            PurchaseOpening { answer: PurchaseAnswer { random: [0; 4], ..answer }, ..good },
            PurchaseOpening { answer: PurchaseAnswer { algorithm: 9, ..answer }, ..good },
        ] {
            assert!(!set.proves_debited(&other, hex(mac2)), "{other:?}");
        }
    }
}
