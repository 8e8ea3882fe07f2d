//! The card is pulled at every command, at every point of the command and at every byte of the answer (R32).

use card::chip::Chip;
use card::psam::SoftPsam;
use card::session::{Kind, Terms};
use card::tear::{Cut, CutPlace, TearableCard};
use card::terminal;

use crate::world::{Dice, Host, POS, STAMP, Sale, new_chip, new_psam, send, word};

/// Longer than any answer, so that one case of each command is "the whole answer arrived, then the card left".
const LONGEST_ANSWER: usize = 52;

fn cuts(commands: u32) -> impl Iterator<Item = Cut> {
    (0..commands).flat_map(|at| {
        let partly = (0..=LONGEST_ANSWER).map(CutPlace::InAnswer);
        [CutPlace::BeforeReceive, CutPlace::BeforeApply, CutPlace::BeforeAnswer]
            .into_iter()
            .chain(partly)
            .map(move |place| Cut { at, place })
    })
}

/// What may happen between the tear and the calm tap.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    StoredAndRestored,
    TornAgain,
}

const BETWEEN: [Between; 3] = [Between::Nothing, Between::StoredAndRestored, Between::TornAgain];

fn loaded(amount: u32) -> (TearableCard, Dice) {
    let (mut card, mut dice, mut host) = (TearableCard::new(new_chip()), Dice::new(), Host::new());
    card.insert(None);
    assert!(host.tap(&mut card, &mut dice, amount));
    card.remove();
    (card, dice)
}

fn stored_and_restored(card: TearableCard) -> TearableCard {
    TearableCard::new(Chip::from_bytes(&card.into_chip().to_bytes()).unwrap())
}

#[test]
fn a_load_torn_anywhere_leaves_the_old_or_the_new_balance_and_the_next_tap_finishes_it() {
    let (mut cases, mut old, mut new) = (0, 0, 0);
    for (cut, between) in cuts(3).flat_map(|cut| BETWEEN.map(|between| (cut, between))) {
        let (mut card, mut dice) = loaded(5_000);
        let mut host = Host::new();
        card.insert(Some(cut));
        let mut done = host.tap(&mut card, &mut dice, 10_000);
        assert!(!card.present(), "{cut:?} did not tear");
        match card.chip().balance() {
            5_000 => old += 1,
            15_000 => new += 1,
            other => panic!("{cut:?}: balance {other}"),
        }
        match between {
            Between::Nothing => {}
            Between::StoredAndRestored => card = stored_and_restored(card),
            Between::TornAgain if done => {}
            Between::TornAgain => {
                card.insert(Some(cut));
                done = host.tap(&mut card, &mut dice, 10_000);
            }
        }
        if !done {
            card.insert(None);
            done = host.tap(&mut card, &mut dice, 10_000);
        }
        assert!(done, "{cut:?} {between:?}");
        assert_eq!((card.chip().balance(), card.chip().loads(), host.applied), (15_000, 2, 1), "{cut:?} {between:?}");
        assert_eq!(card.chip().log().len(), 2, "{cut:?} {between:?}");
        cases += 1;
    }
    assert_eq!(cases, 3 * 56 * 3);
    assert_eq!((old, new), (cases - new, (56 - 2) * 3), "only CREDIT can change the balance");
}

fn sale_torn_everywhere(kind: Kind, commands: u32) -> u32 {
    let mut cases = 0;
    for (cut, between) in cuts(commands).flat_map(|cut| BETWEEN.map(|between| (cut, between))) {
        let (mut card, mut dice) = loaded(5_000);
        let (mut psam, mut sale) = (new_psam(), Sale::new(1_250, kind));
        card.insert(Some(cut));
        sale.tap(&mut card, &mut psam, &mut dice);
        assert!(!card.present(), "{cut:?} did not tear");
        assert!([5_000, 3_750].contains(&card.chip().balance()), "{cut:?}: balance {}", card.chip().balance());
        match between {
            Between::Nothing => {}
            Between::StoredAndRestored => card = stored_and_restored(card),
            Between::TornAgain if sale.paid.is_some() => {}
            Between::TornAgain => {
                card.insert(Some(cut));
                sale.tap(&mut card, &mut psam, &mut dice);
            }
        }
        if sale.paid.is_none() {
            card.insert(None);
            sale.tap(&mut card, &mut psam, &mut dice);
        }
        let tac = sale.paid.unwrap_or_else(|| panic!("{cut:?} {between:?}: not paid"));
        assert_eq!((card.chip().balance(), card.chip().purchases()), (3_750, 1), "{cut:?} {between:?}");
        let terms = Terms { amount: 1_250, kind, terminal: POS };
        let tsn = psam.next_tsn() - 1;
        assert!(Host::new().keys.proves_purchase(terms, tsn, STAMP, tac), "{cut:?} {between:?}");
        cases += 1;
    }
    cases
}

#[test]
fn a_purchase_torn_anywhere_is_paid_once_or_not_at_all() {
    assert_eq!(sale_torn_everywhere(Kind::Purchase, 3), 3 * 56 * 3);
}

#[test]
fn a_composite_purchase_torn_anywhere_is_paid_once_or_not_at_all() {
    assert_eq!(sale_torn_everywhere(Kind::Composite, 5), 5 * 56 * 3);
}

#[test]
fn the_day_counter_changes_together_with_the_balance() {
    for cut in cuts(5) {
        let (mut card, mut dice) = loaded(5_000);
        let (mut psam, mut sale) = (new_psam(), Sale::new(1_250, Kind::Composite));
        card.insert(Some(cut));
        sale.tap(&mut card, &mut psam, &mut dice);
        card.insert(None);
        let _ = crate::world::send(&mut card, &mut dice, &card::terminal::select_purse());
        let answer = crate::world::send(&mut card, &mut dice, &card::terminal::read_day_counter());
        let spent = card::terminal::parse_day_counter(&answer).unwrap().spent;
        assert_eq!(spent + card.chip().balance(), 5_000, "{cut:?}");
    }
}

#[test]
fn a_number_given_out_before_a_tear_is_never_given_out_again() {
    let (mut card, mut dice) = loaded(5_000);
    let mut psam = new_psam();
    let cut = Cut { at: 2, place: CutPlace::BeforeReceive };
    card.insert(Some(cut));
    Sale::new(100, Kind::Purchase).tap(&mut card, &mut psam, &mut dice);
    assert_eq!(psam.next_tsn(), 2);
    let restored = SoftPsam::from_bytes(&psam.to_bytes()).unwrap();
    assert_eq!(restored.next_tsn(), 2);
}

#[test]
fn a_reader_that_drops_the_field_loses_the_session_and_keeps_the_card_and_the_plan() {
    let (mut card, mut dice) = (TearableCard::new(new_chip()), Dice::new());
    assert!(!card.present());
    card.insert(Some(Cut { at: 3, place: CutPlace::BeforeAnswer }));
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &terminal::get_balance()), 0x9000);
    card.lose_power();
    assert!(card.present());
    assert_eq!(word(&mut card, &mut dice, &terminal::get_balance()), 0x6985);
    assert_eq!(send(&mut card, &mut dice, &terminal::select_purse()), [], "the fourth command is torn");
    assert!(!card.present());

    card.insert(None);
    card.remove();
    assert!(!card.present());
    assert_eq!(send(&mut card, &mut dice, &terminal::select_purse()), []);
}

#[test]
fn a_tear_may_be_planned_for_the_next_command_and_hits_what_is_handed_over_too() {
    let waiting = [1, 2, 3, 4];
    for (place, arrives) in [
        (CutPlace::BeforeReceive, &[][..]),
        (CutPlace::BeforeApply, &[]),
        (CutPlace::BeforeAnswer, &[]),
        (CutPlace::InAnswer(3), &[1, 2, 3]),
        (CutPlace::InAnswer(9), &waiting),
    ] {
        let (mut card, mut dice) = (TearableCard::new(new_chip()), Dice::new());
        card.insert(Some(Cut { at: 1, place: CutPlace::BeforeReceive }));
        assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
        card.tear_next(place);
        assert_eq!(card.hand_over(&waiting), arrives, "{place:?}");
        assert!(!card.present(), "{place:?}");
        assert_eq!(card.hand_over(&waiting), [], "{place:?}");

        card.insert(None);
        assert_eq!(card.hand_over(&waiting), waiting, "{place:?}");
        card.tear_next(place);
        let answer = send(&mut card, &mut dice, &terminal::select_purse());
        assert!(answer.len() <= 9 && !card.present(), "{place:?} {answer:02X?}");
    }
}
