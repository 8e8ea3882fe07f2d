//! Bytes at random: no command ends the card's program or touches its money.

use card::chip::Chip;
use card::crypto::Algorithm;
use card::crypto::same_bytes;
use card::keystore::{KeyForm, KeyKind};
use card::office::command;
use card::session::{Kind, Suite};
use card::tear::{Cut, CutPlace, TearableCard};
use card::terminal::{self, DebitAnswer, LoadAnswer, ProveAnswer, PurchaseAnswer};
use proptest::prelude::*;

use crate::world::{Dice, Host, Sale, key_set, new_chip, new_psam, order, send};

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

/// What may happen to a card in its life.
#[derive(Clone, Debug)]
enum Deed {
    /// Bytes that begin as a command.
    Noise(Vec<u8>),
    /// A tap of the host that wants so much on the card.
    Load(u32),
    /// A sale.
    Buy(u32, bool),
    /// An office command under a right or a wrong MAC.
    Office(u8, bool),
    /// The card leaves in the middle of what comes next.
    Tear(u32, u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    let office = prop::sample::select(vec![0x84, 0x04, 0x00, 0x80]);
    let noise = (office, any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..24));
    prop_oneof![
        2 => command().prop_map(Deed::Noise),
        2 => noise.prop_map(|(class, p1, p2, tail)| {
            let instruction = [0xD4, 0xD6, 0xDC, 0xE0, 0xE2, 0x1E, 0x18, 0x16, 0x24, 0x5E, 0x82, 0x88, 0x20, 0xC0];
            let instruction = instruction[usize::from(p1) % instruction.len()];
            let length = tail.len() as u8;
            Deed::Noise([&[class, instruction, p1, p2, length][..], &tail].concat())
        }),
        4 => (1..20_000_u32).prop_map(Deed::Load),
        4 => (0..20_000_u32, any::<bool>()).prop_map(|(amount, composite)| Deed::Buy(amount, composite)),
        3 => (0..6_u8, prop::bool::weighted(0.9)).prop_map(|(which, right)| Deed::Office(which, right)),
        3 => (0..5_u32, 0..12_u8).prop_map(|(at, place)| Deed::Tear(at, place)),
    ]
}

fn place(number: u8) -> CutPlace {
    match number {
        0 => CutPlace::BeforeReceive,
        1 => CutPlace::BeforeApply,
        2 => CutPlace::BeforeAnswer,
        more => CutPlace::InAnswer(usize::from(more) - 3),
    }
}

/// An office command on a card whose purse is selected.
fn office(card: &mut TearableCard, dice: &mut Dice, which: u8, right: bool) {
    let _ = send(card, dice, &terminal::select_purse());
    let Ok(mut given) = terminal::parse_challenge(&send(card, dice, &terminal::get_challenge())) else { return };
    if !right {
        given[0] ^= 1;
    }
    let (set, control) = (key_set(Suite::TripleDes), order().set.control_form(1));
    let form = KeyForm { kind: KeyKind::Encrypt, id: 5, tries: 3, version: 2, ..control.clone() };
    let apdu = match which {
        0 => command::update_binary(&set, given, (0x16, 0), &[5; 55], true).unwrap(),
        1 => command::update_record(&set, given, (0x17, 1), &[0; 16]).unwrap(),
        2 => command::block_application(&set, given, false),
        3 => command::unblock_application(&set, given),
        4 => command::write_key(Algorithm::TripleDes, &control.key, given, &form).unwrap(),
        _ => command::external_authenticate(Algorithm::TripleDes, &control.key, 0, &given),
    };
    let _ = send(card, dice, &apdu);
}

proptest! {
    #[test]
    fn r32_r81_whatever_happens_money_moves_by_load_and_purchase_alone_and_counters_never_fall(
        deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let (mut card, mut dice) = (TearableCard::new(new_chip()), Dice::new());
        let (mut host, mut psam, mut cut) = (Host::new(), new_psam(), None);
        for deed in deeds {
            let before = card.chip().clone();
            if !card.present() || matches!(deed, Deed::Tear(..)) {
                card.insert(cut.take());
            }
            let mut most_in = 0;
            let mut most_out = 0;
            match deed.clone() {
                Deed::Noise(apdu) => {
                    let answer = send(&mut card, &mut dice, &apdu);
                    prop_assert!(answer.len() >= 2 || !card.present());
                }
                Deed::Load(amount) => {
                    // What was released and is in doubt is resolved first, as the host does.
                    most_in = amount;
                    host.tap(&mut card, &mut dice, amount);
                }
                Deed::Buy(amount, composite) => {
                    most_out = amount;
                    let kind = if composite { Kind::Composite } else { Kind::Purchase };
                    let mut sale = Sale::new(amount, kind);
                    sale.tap(&mut card, &mut psam, &mut dice);
                }
                Deed::Office(which, right) => office(&mut card, &mut dice, which, right),
                Deed::Tear(at, number) => cut = Some(Cut { at, place: place(number) }),
            }
            let after = card.chip();
            let (loads, buys) = (after.loads() - before.loads(), after.purchases() - before.purchases());
            prop_assert!(loads <= u16::from(most_in > 0) && buys <= u16::from(matches!(deed, Deed::Buy(..))));
            let moved = i64::from(after.balance()) - i64::from(before.balance());
            let expected = i64::from(loads) * i64::from(most_in) - i64::from(buys) * i64::from(most_out);
            prop_assert_eq!(moved, expected, "{:?}", deed);
            prop_assert_eq!(&Chip::from_bytes(&after.to_bytes()).map(|chip| chip.to_bytes()), &Ok(after.to_bytes()));
        }
    }

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
