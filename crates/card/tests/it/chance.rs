//! Bytes at random: no command ends the card's program or touches its money.

use card::chip::Chip;
use card::crypto::same_bytes;
use card::terminal::{self, DebitAnswer, LoadAnswer, ProveAnswer, PurchaseAnswer};
use proptest::prelude::*;

use crate::world::{Dice, new_chip};

/// Commands that begin as real ones and go on at random, so that the parser is passed often enough.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![
        vec![0x00, 0xA4, 0x04, 0x00],
        vec![0x00, 0xB0],
        vec![0x00, 0xB2],
        vec![0x00, 0x84, 0x00, 0x00],
        vec![0x80, 0x5C, 0x00, 0x02],
        vec![0x80, 0x50, 0x00, 0x02, 0x0B, 0x01, 0x00, 0x00],
        vec![0x80, 0x50, 0x01, 0x02, 0x0B, 0x01, 0x00, 0x00],
        vec![0x80, 0x50, 0x03, 0x02, 0x0B, 0x01, 0x00, 0x00],
        vec![0x80, 0x52, 0x00, 0x00, 0x0B],
        vec![0x80, 0x54, 0x01, 0x00, 0x0F],
        vec![0x80, 0x5A, 0x00, 0x02, 0x02],
        vec![0x80, 0xDC, 0x01, 0xB8, 0x10],
        vec![],
    ]);
    (header, prop::collection::vec(any::<u8>(), 0..24)).prop_map(|(header, tail)| [header, tail].concat())
}

proptest! {
    #[test]
    fn no_command_without_the_hosts_mac_changes_what_the_card_keeps(
        commands in prop::collection::vec(command(), 1..40),
    ) {
        let mut chip = new_chip();
        let mut dice = Dice::new();
        let before = chip.to_bytes();
        chip.process(&terminal::select_purse(), &mut || dice.throw());
        for apdu in commands {
            let answer = chip.process(&apdu, &mut || dice.throw());
            prop_assert!(answer.len() >= 2);
        }
        prop_assert!(same_bytes(&chip.to_bytes(), &before));
    }

    #[test]
    fn no_answer_ends_the_terminals_program(answer in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut done = answer.clone();
        done.extend([0x90, 0x00]);
        for bytes in [&answer, &done] {
            let _ = (terminal::parse_select(bytes), terminal::parse_public_file(bytes), terminal::parse_log(bytes));
            let _ = (LoadAnswer::parse(bytes), PurchaseAnswer::parse(bytes), DebitAnswer::parse(bytes));
            let _ = (ProveAnswer::parse(bytes), terminal::parse_balance(bytes), terminal::parse_credit(bytes));
        }
        prop_assert!(Chip::from_bytes(&answer).is_err());
    }
}
