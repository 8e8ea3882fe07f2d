//! The enumeration: command x place x what comes next. Every case of a flow has a number, counted from 0.

use std::fmt;

use card::tear::CutPlace;

use crate::hand::{Place, Tear};

/// What people do after the card was torn, before everything is calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// The same card comes back to the same terminal.
    SameTerminal,
    /// The same card goes to another terminal first.
    OtherTerminal,
    /// Another card is held to the same terminal first.
    OtherCard,
    /// The terminal loses power and starts again from its journal.
    PowerCycle,
    /// The platform's process ends and starts again from its disk.
    ServerRestart,
}

impl Successor {
    /// All of them.
    pub const ALL: [Successor; 5] = [
        Successor::SameTerminal,
        Successor::OtherTerminal,
        Successor::OtherCard,
        Successor::PowerCycle,
        Successor::ServerRestart,
    ];
}

/// The four places of a cut, for a reader on which time counts.
pub const FOUR_PLACES: &[Place] = &[
    Place::Cut(CutPlace::BeforeReceive),
    Place::Cut(CutPlace::BeforeApply),
    Place::Cut(CutPlace::BeforeAnswer),
    Place::Cut(CutPlace::InAnswer(2)),
];

/// The four places, answers cut to one byte, two, some and all of them, and rests that look like status words: more
/// data, wrong length, wrong MAC.
pub const ALL_PLACES: &[Place] = &[
    Place::Cut(CutPlace::BeforeReceive),
    Place::Cut(CutPlace::BeforeApply),
    Place::Cut(CutPlace::BeforeAnswer),
    Place::Cut(CutPlace::InAnswer(1)),
    Place::Cut(CutPlace::InAnswer(2)),
    Place::Cut(CutPlace::InAnswer(5)),
    Place::Cut(CutPlace::InAnswer(usize::MAX)),
    Place::LooksLike(0x6104),
    Place::LooksLike(0x6C04),
    Place::LooksLike(0x9302),
];

/// Commands of the next hold at which the card may be torn once more: no hold has as many.
pub const AGAIN: u32 = 24;

/// Which cases there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Commands of the hold that is swept.
    pub commands: u32,
    /// Where a card is torn within a command.
    pub places: &'static [Place],
    /// The first hold after that is torn too, at each of [`AGAIN`] commands and in each place.
    pub twice: bool,
}

/// One case of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Where the card is torn.
    pub tear: Tear,
    /// What comes next.
    pub after: Successor,
    /// Where it is torn once more in the hold after that; a shorter hold makes the case void.
    pub again: Option<Tear>,
}

struct Torn(Tear);

impl fmt::Display for Torn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tear { at, place } = self.0;
        write!(out, "torn at command {at}, ")?;
        match place {
            Place::Cut(CutPlace::BeforeReceive) => write!(out, "before the card received it"),
            Place::Cut(CutPlace::BeforeApply) => write!(out, "received and not applied"),
            Place::Cut(CutPlace::BeforeAnswer) => write!(out, "applied and not answered"),
            Place::Cut(CutPlace::InAnswer(usize::MAX)) => write!(out, "after its whole answer"),
            Place::Cut(CutPlace::InAnswer(bytes)) => write!(out, "its answer cut to {bytes} bytes"),
            Place::LooksLike(word) => write!(out, "the rest of its answer looks like {word:04X}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; then ", Torn(self.tear))?;
        out.write_str(match self.after {
            Successor::SameTerminal => "the same card at the same terminal",
            Successor::OtherTerminal => "the same card at another terminal",
            Successor::OtherCard => "another card at the same terminal",
            Successor::PowerCycle => "the terminal loses power",
            Successor::ServerRestart => "the server restarts",
        })?;
        match self.again {
            Some(again) => write!(out, "; then the next hold is {}", Torn(again)),
            None => Ok(()),
        }
    }
}

impl Extent {
    /// How many cases there are.
    pub fn count(&self) -> u64 {
        self.once().saturating_mul(self.second())
    }

    fn places(&self) -> u64 {
        u64::try_from(self.places.len()).unwrap_or(u64::MAX)
    }

    /// Commands x places x successors.
    fn once(&self) -> u64 {
        let after = u64::try_from(Successor::ALL.len()).unwrap_or(u64::MAX);
        u64::from(self.commands).saturating_mul(self.places()).saturating_mul(after)
    }

    /// Cases of the second tear to each of the first.
    fn second(&self) -> u64 {
        if self.twice { u64::from(AGAIN).saturating_mul(self.places()) } else { 1 }
    }

    /// The tear with this number, counted through the commands.
    fn tear(&self, number: u64) -> Option<Tear> {
        let at = u32::try_from(number.checked_div(self.places())?).ok()?.checked_add(1)?;
        let place = *self.places.get(usize::try_from(number.checked_rem(self.places())?).ok()?)?;
        Some(Tear { at, place })
    }

    /// The case with this number; none beyond the last.
    pub fn case(&self, number: u64) -> Option<Case> {
        if number >= self.count() {
            return None;
        }
        let (first, second) = (number.checked_div(self.second())?, number.checked_rem(self.second())?);
        let each = u64::try_from(Successor::ALL.len()).ok()?;
        let tear = self.tear(first.checked_div(each)?)?;
        let after = *Successor::ALL.get(usize::try_from(first.checked_rem(each)?).ok()?)?;
        let again = if self.twice { Some(self.tear(second)?) } else { None };
        Some(Case { tear, after, again })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_place_and_successor_has_a_number_of_its_own() {
        for (places, twice) in [(FOUR_PLACES, false), (ALL_PLACES, false), (FOUR_PLACES, true)] {
            let extent = Extent { commands: 3, places, twice };
            let cases: Vec<String> =
                (0..).map_while(|number| extent.case(number)).map(|case| case.to_string()).collect();
            assert_eq!(u64::try_from(cases.len()), Ok(extent.count()));
            assert_eq!(cases.iter().collect::<BTreeSet<_>>().len(), cases.len(), "one of them is there twice");
        }
        let none = Extent { commands: 0, places: ALL_PLACES, twice: false };
        assert_eq!((none.count(), none.case(0)), (0, None));
        let four = Extent { commands: 3, places: FOUR_PLACES, twice: false };
        assert_eq!((four.count(), Extent { twice: true, ..four }.count()), (60, 60 * 24 * 4));
    }
}
