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
    /// When the reader was last seen empty.
    empty: Option<Event>,
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

    /// Nothing lies there, for all that the service knows.
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_none()
    }

    /// Where this insertion is, unless it is over.
    pub(super) fn place(&self, insertion: Insertion) -> Option<Place> {
        let here = self.here.as_ref().filter(|here| !here.hidden && here.insertion == insertion)?;
        Some(here.place.clone())
    }

    /// A look at the reader. Repeats change nothing. A card under the count of the empty reader is one that the service has
    /// just found and is about to power: it counts as there when the count has risen, since using it before disturbs that.
    pub(super) fn saw(&mut self, place: Place, present: bool) {
        if !present {
            (self.here, self.empty) = (None, Some(place.event));
        } else if self.empty != Some(place.event) && self.here.as_ref().is_none_or(|here| here.place != place) {
            self.here = Some(Here { place, insertion: self.next(), hidden: false, calm: 0, again: 0 });
        }
    }

    /// Reader or service is gone.
    pub(super) fn lost(&mut self) {
        (self.here, self.empty) = (None, None);
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

    fn place(life: u32, count: u32) -> Place {
        Place { reader: c"reader 00 00".to_owned(), event: Event { life, count } }
    }

    /// A reader with a card.
    fn occupied() -> Sight {
        let mut sight = Sight::default();
        sight.saw(place(1, 1), true);
        assert_eq!(sight.shown(), Some(Insertion(1)));
        sight
    }

    #[test]
    fn each_insertion_has_its_own_number_also_when_nobody_looked_in_between() {
        let table = [
            (place(1, 0), false, None),
            (place(1, 1), true, Some(1)),
            (place(1, 1), true, Some(1)),
            (place(1, 3), true, Some(2)),
            (place(1, 4), false, None),
            (place(1, 5), true, Some(3)),
            (place(2, 5), true, Some(4)),
        ];
        let mut sight = Sight::default();
        for (place, present, shown) in table {
            sight.saw(place, present);
            assert_eq!(sight.shown().map(|insertion| insertion.0), shown);
        }
    }

    #[test]
    fn a_card_that_the_service_is_still_powering_is_not_shown() {
        let mut sight = Sight::default();
        for (count, present, shown) in [(0, false, None), (0, true, None), (1, true, Some(Insertion(1)))] {
            sight.saw(place(1, count), present);
            assert_eq!(sight.shown(), shown, "{count} {present}");
        }
        for (count, present, shown) in
            [(1, false, None), (2, false, None), (2, true, None), (3, true, Some(Insertion(2)))]
        {
            sight.saw(place(1, count), present);
            assert_eq!(sight.shown(), shown, "{count} {present}");
        }
    }

    #[test]
    fn a_card_that_left_in_mid_command_is_not_shown_again() {
        let mut sight = occupied();
        sight.broke(Insertion(1));
        assert_eq!((sight.shown(), sight.place(Insertion(1))), (None, None));
        for _ in 1..CALM_LOOKS {
            assert_eq!(sight.calm(), None, "the service may not have looked yet");
        }
        sight.lost();
        assert_eq!((sight.shown(), sight.calm()), (None, None));
    }

    #[test]
    fn a_card_that_stayed_begins_anew_but_one_that_never_answers_must_leave() {
        let mut sight = occupied();
        let mut shown = Vec::new();
        for answers in [false, true, false, false, false, false, false] {
            if let Some(insertion) = sight.shown() {
                shown.push(insertion.0);
                if answers {
                    sight.answered(insertion);
                }
                sight.broke(insertion);
            }
            if (0..CALM_LOOKS).filter_map(|_| sight.calm()).next() == Some(place(1, 1)) {
                sight.stayed(&place(1, 1));
            }
        }
        assert_eq!(shown, [1, 2, 3, 4, 5]);
        assert_eq!((sight.shown(), sight.calm()), (None, None));
        sight.saw(place(1, 2), false);
        sight.saw(place(1, 3), true);
        assert!(sight.shown().is_some());
    }

    #[test]
    fn a_reset_card_begins_anew_at_once_and_an_old_insertion_breaks_nothing() {
        let mut sight = occupied();
        sight.was_reset(Insertion(1));
        assert_eq!(sight.shown(), Some(Insertion(2)));
        assert_eq!(sight.place(Insertion(1)), None);
        assert_eq!(sight.place(Insertion(2)), Some(place(1, 1)));
        sight.broke(Insertion(1));
        assert_eq!(sight.shown(), Some(Insertion(2)));
    }
}
