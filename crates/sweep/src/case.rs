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

/// One case of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Where the card is torn.
    pub tear: Tear,
    /// What comes next.
    pub after: Successor,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tear { at, place } = self.tear;
        write!(out, "torn at command {at}, ")?;
        match place {
            Place::Cut(CutPlace::BeforeReceive) => write!(out, "before the card received it")?,
            Place::Cut(CutPlace::BeforeApply) => write!(out, "received and not applied")?,
            Place::Cut(CutPlace::BeforeAnswer) => write!(out, "applied and not answered")?,
            Place::Cut(CutPlace::InAnswer(usize::MAX)) => write!(out, "after its whole answer")?,
            Place::Cut(CutPlace::InAnswer(bytes)) => write!(out, "its answer cut to {bytes} bytes")?,
            Place::LooksLike(word) => write!(out, "the rest of its answer looks like {word:04X}")?,
        }
        out.write_str(match self.after {
            Successor::SameTerminal => "; then the same card at the same terminal",
            Successor::OtherTerminal => "; then the same card at another terminal",
            Successor::OtherCard => "; then another card at the same terminal",
            Successor::PowerCycle => "; then the terminal loses power",
            Successor::ServerRestart => "; then the server restarts",
        })
    }
}

/// How many cases there are for so many commands and places.
pub fn count(commands: u32, places: &[Place]) -> u64 {
    let (places, after) = (places.len(), Successor::ALL.len());
    u64::from(commands).saturating_mul(u64::try_from(places.saturating_mul(after)).unwrap_or(u64::MAX))
}

/// The case with this number; none beyond the last.
pub fn numbered(number: u64, commands: u32, places: &[Place]) -> Option<Case> {
    let after = u64::try_from(Successor::ALL.len()).ok()?;
    let each = u64::try_from(places.len()).ok()?;
    let at = u32::try_from(number.checked_div(after.checked_mul(each)?)?).ok()?.checked_add(1)?;
    let place = *places.get(usize::try_from(number.checked_div(after)?.checked_rem(each)?).ok()?)?;
    let after = *Successor::ALL.get(usize::try_from(number.checked_rem(after)?).ok()?)?;
    (at <= commands).then_some(Case { tear: Tear { at, place }, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_place_and_successor_has_a_number_of_its_own() {
        for places in [FOUR_PLACES, ALL_PLACES] {
            let cases: Vec<Case> = (0..).map_while(|number| numbered(number, 3, places)).collect();
            assert_eq!(u64::try_from(cases.len()), Ok(count(3, places)));
            for (place, case) in cases.iter().enumerate() {
                assert!(!cases[..place].contains(case), "{case} twice");
            }
        }
        assert_eq!((count(0, ALL_PLACES), numbered(0, 0, ALL_PLACES)), (0, None));
    }
}
