//! What is known of the card on the reader: one thread looks and tells it here, another uses it.
//!
//! An insertion is one life of the card's session. It begins when a card comes, and anew when the card lost its session
//! without leaving: after a reset by the reader's service, or after an exchange that broke off while the card stayed.

use std::ffi::CString;

use crate::channel::Insertion;

/// Looks without any change, after an exchange that broke off, until a card counts as staying: the service looks every
/// 400 ms, a look lasts 100 ms, and the first may have begun before.
const CALM_LOOKS: u8 = 6;
/// How often a card may begin anew without an answer in between: one that never answers must not be asked for ever.
const MOST_AGAIN: u8 = 3;

/// A card came or left: the reader's own count of that, in one life of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Counts how often service and reader began anew, since they then count from zero.
    pub(super) life: u32,
    /// The count.
    pub(super) count: u32,
}

/// A card on a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The reader's whole name.
    pub(super) reader: CString,
    /// When it came.
    pub(super) event: Event,
}

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Sight {
    insertions: u32,
    here: Option<Here>,
}

#[derive(Debug)]
struct Here {
    place: Place,
    insertion: Insertion,
    /// An exchange broke off, and nobody knows yet whether the card is still there.
    hidden: bool,
    /// Looks without any change since then.
    calm: u8,
    /// How often it began anew since its last answer.
    again: u8,
}

impl Sight {
    /// The insertion that can be worked with.
    pub(super) fn shown(&self) -> Option<Insertion> {
        self.here.as_ref().filter(|here| !here.hidden).map(|here| here.insertion)
    }

    /// Where this insertion is, unless it is over.
    pub(super) fn place(&self, insertion: Insertion) -> Option<Place> {
        let here = self.here.as_ref().filter(|here| !here.hidden && here.insertion == insertion)?;
        Some(here.place.clone())
    }

    /// The reader was looked at. Repeats change nothing.
    pub(super) fn saw(&mut self, place: Option<Place>) {
        if self.here.as_ref().map(|here| &here.place) == place.as_ref() {
            return;
        }
        self.here = place.map(|place| Here { place, insertion: self.next(), hidden: false, calm: 0, again: 0 });
    }

    /// A look ended without any change. Gives a card that stayed where an exchange broke off, and may begin anew.
    pub(super) fn calm(&mut self) -> Option<Place> {
        let here = self.here.as_mut().filter(|here| here.hidden && here.again < MOST_AGAIN)?;
        here.calm = here.calm.saturating_add(1);
        (here.calm >= CALM_LOOKS).then(|| here.place.clone())
    }

    /// Such a card took a reset: it is there, without its session.
    pub(super) fn stayed(&mut self, place: &Place) {
        let next = self.next();
        if let Some(here) = self.here.as_mut().filter(|here| here.hidden && here.place == *place) {
            here.hidden = false;
            here.again = here.again.saturating_add(1);
            here.insertion = next;
        }
    }

    /// The card of this insertion answered.
    pub(super) fn answered(&mut self, insertion: Insertion) {
        if let Some(here) = self.here.as_mut().filter(|here| here.insertion == insertion) {
            here.again = 0;
        }
    }

    /// An exchange with this insertion broke off: the card has left, or looks as if it had. It is hidden until it is known
    /// that it stayed.
    pub(super) fn broke(&mut self, insertion: Insertion) {
        if let Some(here) = self.here.as_mut().filter(|here| here.insertion == insertion) {
            (here.hidden, here.calm) = (true, 0);
        }
    }

    /// The service says that the card of this insertion was reset: it is there and has lost its session.
    pub(super) fn was_reset(&mut self, insertion: Insertion) {
        self.broke(insertion);
        let here = self.here.as_ref().filter(|here| here.insertion == insertion && here.again < MOST_AGAIN);
        if let Some(place) = here.map(|here| here.place.clone()) {
            self.stayed(&place);
        }
    }

    fn next(&mut self) -> Insertion {
        self.insertions = self.insertions.wrapping_add(1);
        Insertion(self.insertions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(life: u32, count: u32) -> Option<Place> {
        Some(Place { reader: c"reader 00 00".to_owned(), event: Event { life, count } })
    }

    #[test]
    fn each_insertion_has_its_own_number_also_when_nobody_looked_in_between() {
        let mut sight = Sight::default();
        let mut shown = Vec::new();
        for seen in [None, place(1, 1), place(1, 1), place(1, 3), None, place(1, 5), place(2, 5)] {
            sight.saw(seen);
            shown.push(sight.shown().map(|insertion| insertion.0));
        }
        assert_eq!(shown, [None, Some(1), Some(1), Some(2), None, Some(3), Some(4)]);
    }

    #[test]
    fn a_card_that_left_in_mid_command_is_not_shown_again() {
        let mut sight = Sight::default();
        sight.saw(place(1, 1));
        sight.broke(Insertion(1));
        assert_eq!((sight.shown(), sight.place(Insertion(1))), (None, None));
        for _ in 1..CALM_LOOKS {
            assert_eq!(sight.calm(), None, "the service may not have looked yet");
        }
        sight.saw(None);
        assert_eq!((sight.shown(), sight.calm()), (None, None));
    }

    #[test]
    fn a_card_that_stayed_begins_anew_but_one_that_never_answers_must_leave() {
        let mut sight = Sight::default();
        let same = place(1, 1).expect("a place");
        sight.saw(place(1, 1));
        let mut shown = Vec::new();
        for answers in [false, true, false, false, false, false, false] {
            if let Some(insertion) = sight.shown() {
                shown.push(insertion.0);
                if answers {
                    sight.answered(insertion);
                }
                sight.broke(insertion);
            }
            if (0..CALM_LOOKS).filter_map(|_| sight.calm()).next() == place(1, 1) {
                sight.stayed(&same);
            }
        }
        assert_eq!(shown, [1, 2, 3, 4, 5]);
        assert_eq!((sight.shown(), sight.calm()), (None, None));
        sight.saw(None);
        sight.saw(place(1, 3));
        assert!(sight.shown().is_some());
    }

    #[test]
    fn a_reset_card_begins_anew_at_once_and_an_old_insertion_breaks_nothing() {
        let mut sight = Sight::default();
        sight.saw(place(1, 1));
        sight.was_reset(Insertion(1));
        assert_eq!(sight.shown(), Some(Insertion(2)));
        assert_eq!(sight.place(Insertion(1)), None);
        assert_eq!(sight.place(Insertion(2)), place(1, 1));
        sight.broke(Insertion(1));
        assert_eq!(sight.shown(), Some(Insertion(2)));
    }
}
