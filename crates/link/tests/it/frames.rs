//! What becomes a message and what does not.

use link::{FRAME_LIMIT, FrameFault, ToPlatform, ToTerminal, Words, decode, encode};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::{prop_assert, prop_assert_eq, proptest};

use crate::any::{to_platform, to_terminal};

proptest! {
    #[test]
    fn a_message_to_the_platform_comes_back_as_it_was(message in to_platform()) {
        let frame = encode(&message).expect("fits a frame");
        prop_assert_eq!(decode::<ToPlatform>(&frame), Ok(message));
    }

    #[test]
    fn a_message_to_the_terminal_comes_back_as_it_was(message in to_terminal()) {
        let frame = encode(&message).expect("fits a frame");
        prop_assert_eq!(decode::<ToTerminal>(&frame), Ok(message));
    }

    #[test]
    fn bytes_after_a_message_refuse_the_frame(message in to_platform(), tail in vec(any::<u8>(), 1..20)) {
        let mut frame = encode(&message).expect("fits a frame");
        frame.extend(tail);
        prop_assert_eq!(decode::<ToPlatform>(&frame), Err(FrameFault::Malformed));
    }

    #[test]
    fn a_frame_cut_short_is_no_message(message in to_terminal(), cut in any::<Index>()) {
        let frame = encode(&message).expect("fits a frame");
        let kept = cut.index(frame.len());
        prop_assert_eq!(decode::<ToTerminal>(&frame[..kept]), Err(FrameFault::Malformed));
    }

    #[test]
    fn garbage_is_refused_and_never_panics(bytes in vec(any::<u8>(), 0..400)) {
        // A random frame may by chance be a message: then it is one that encodes again.
        if let Ok(message) = decode::<ToPlatform>(&bytes) {
            prop_assert!(encode(&message).is_ok());
        }
        if let Ok(message) = decode::<ToTerminal>(&bytes) {
            prop_assert!(encode(&message).is_ok());
        }
    }

    #[test]
    fn a_flipped_bit_gives_a_fault_or_another_message_and_never_panics(
        message in to_platform(),
        place in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let mut frame = encode(&message).expect("fits a frame");
        let place = place.index(frame.len());
        frame[place] ^= 1 << bit;
        if let Ok(read) = decode::<ToPlatform>(&frame) {
            prop_assert!(encode(&read).is_ok());
        }
    }
}

/// A refusal whose frame is as long as its text makes it.
fn refusal(length: usize) -> ToTerminal {
    let words = Words { code: "CARD_STATE".into(), zh: String::new(), en: "x".repeat(length) };
    ToTerminal::TapRefused { ask: 1, words }
}

#[test]
fn the_longest_frame_passes_and_one_byte_more_is_refused_on_both_ways() {
    let around = encode(&refusal(1000)).expect("fits").len() - 1000;
    let longest = refusal(FRAME_LIMIT - around);
    let frame = encode(&longest).expect("exactly the limit fits");
    assert_eq!(frame.len(), FRAME_LIMIT);
    assert_eq!(decode::<ToTerminal>(&frame), Ok(longest));
    assert_eq!(encode(&refusal(FRAME_LIMIT - around + 1)), Err(FrameFault::TooLong));
    assert_eq!(decode::<ToTerminal>(&vec![0; FRAME_LIMIT + 1]), Err(FrameFault::TooLong));
}

#[test]
fn what_only_pretends_to_be_long_or_deep_is_refused() {
    // An array, a map, a byte string and a text that announce 2^64 - 1 items, and a thousand nested arrays.
    for first in [0x9B_u8, 0xBB, 0x5B, 0x7B] {
        let mut frame = vec![first];
        frame.extend([0xFF; 8]);
        assert_eq!(decode::<ToPlatform>(&frame), Err(FrameFault::Malformed), "{first:02X}");
    }
    assert_eq!(decode::<ToPlatform>(&vec![0x81; 16_000]), Err(FrameFault::Malformed));
    assert_eq!(decode::<ToPlatform>(&[]), Err(FrameFault::Malformed));
}

#[test]
fn a_message_of_the_other_direction_is_refused() {
    let ping = encode(&ToPlatform::Ping).expect("fits");
    let pong = encode(&ToTerminal::Pong { now: 7 }).expect("fits");
    assert_eq!(decode::<ToTerminal>(&ping), Err(FrameFault::Malformed));
    assert_eq!(decode::<ToPlatform>(&pong), Err(FrameFault::Malformed));
}
