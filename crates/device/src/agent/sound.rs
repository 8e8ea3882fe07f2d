//! What a terminal sounds like: one pattern for each outcome, in one place. Terminal makers find the list in
//! `docs/terminals.md`; the demo's page plays the same numbers.

use super::display::Screen;

/// A sound. Different ones, so that nobody has to look (R31, R32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sound {
    /// Done: paid, or loaded.
    Done,
    /// Refused.
    Refused,
    /// Refused: not enough money.
    NotEnough,
    /// Refused: this card is frozen or no longer in use.
    Blocked,
    /// Hold the card again.
    Again,
}

/// A part of a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// Pitch; 0 is silence.
    pub hertz: u16,
    /// Length.
    pub millis: u16,
}

const fn tone(hertz: u16, millis: u16) -> Tone {
    Tone { hertz, millis }
}

const DONE: [Tone; 1] = [tone(1760, 120)];
const REFUSED: [Tone; 1] = [tone(440, 500)];
const NOT_ENOUGH: [Tone; 3] = [tone(440, 200), tone(0, 100), tone(440, 200)];
const BLOCKED: [Tone; 7] =
    [tone(330, 250), tone(0, 80), tone(330, 250), tone(0, 80), tone(330, 250), tone(0, 80), tone(330, 250)];
const AGAIN: [Tone; 5] = [tone(880, 100), tone(0, 80), tone(880, 100), tone(0, 80), tone(880, 100)];

impl Sound {
    /// Every one.
    pub const ALL: [Sound; 5] = [Sound::Done, Sound::Refused, Sound::NotEnough, Sound::Blocked, Sound::Again];

    /// Its name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Sound::Done => "done",
            Sound::Refused => "refused",
            Sound::NotEnough => "not-enough",
            Sound::Blocked => "blocked",
            Sound::Again => "again",
        }
    }

    /// Its tones, one after the other. They differ in number and length too, for buzzers with one pitch and for people who
    /// do not hear pitch.
    pub const fn pattern(self) -> &'static [Tone] {
        match self {
            Sound::Done => &DONE,
            Sound::Refused => &REFUSED,
            Sound::NotEnough => &NOT_ENOUGH,
            Sound::Blocked => &BLOCKED,
            Sound::Again => &AGAIN,
        }
    }

    /// The sound to be played now that `screen` follows `before`: a screen that only changes its figures appears once.
    pub fn at(before: Option<&Screen>, screen: &Screen) -> Option<Sound> {
        let same = before.is_some_and(|before| std::mem::discriminant(before) == std::mem::discriminant(screen));
        Sound::of(screen).filter(|_| !same)
    }

    /// The sound that goes with a screen, once, when it appears: see [`Sound::at`].
    pub fn of(screen: &Screen) -> Option<Sound> {
        match screen {
            Screen::Paid(_) | Screen::Loaded { .. } => Some(Sound::Done),
            Screen::RemovedEarly { .. }
            | Screen::NotCharged { .. }
            | Screen::Unresolved { .. }
            | Screen::HoldAgain { .. } => Some(Sound::Again),
            Screen::Refused { words, balances, .. } => Some(of_refusal(&words.code, balances.is_some())),
            Screen::AmountInvalid
            | Screen::CannotSync
            | Screen::OfflineSale { .. }
            | Screen::OtherCard { .. }
            | Screen::Unproved { .. }
            | Screen::Unreadable
            | Screen::OutOfOrder(_) => Some(Sound::Refused),
            Screen::Starting
            | Screen::Restarted { .. }
            | Screen::Idle { .. }
            | Screen::Offline
            | Screen::Entering { .. }
            | Screen::ReadyToPay { .. }
            | Screen::LiftCard { .. }
            | Screen::Reading { .. }
            | Screen::Loading { .. }
            | Screen::Asking { .. }
            | Screen::Debiting { .. }
            | Screen::Reversing { .. }
            | Screen::CalledOff => None,
        }
    }
}

/// By the stable code of the words. A code that is not known here is a refusal like any other.
fn of_refusal(code: &str, about_money: bool) -> Sound {
    match code {
        "CARD_LOST" | "CARD_FROZEN" | "CARD_STATE" => Sound::Blocked,
        "TAP_AGAIN" | "NO_ANSWER" => Sound::Again,
        "BALANCE_LOW" | "PURSE_SHORT" => Sound::NotEnough,
        _ if about_money => Sound::NotEnough,
        _ => Sound::Refused,
    }
}

#[cfg(test)]
mod tests {
    use ledger::Fen;

    use super::*;

    #[test]
    fn a_screen_that_changes_its_figures_is_not_heard_again() {
        let loaded = |fen| Screen::Loaded { loaded: Fen::new(fen), purse: Fen::new(fen), account: Fen::ZERO };
        assert_eq!(Sound::at(None, &loaded(1)), Some(Sound::Done));
        assert_eq!(Sound::at(Some(&loaded(1)), &loaded(2)), None);
        let reading = Screen::Reading { amount: None };
        assert_eq!(Sound::at(Some(&reading), &loaded(2)), Some(Sound::Done));
        assert_eq!(Sound::at(Some(&loaded(2)), &reading), None);
    }

    #[test]
    fn every_sound_can_be_told_from_every_other_by_its_rhythm_alone() {
        for (place, one) in Sound::ALL.iter().enumerate() {
            let rhythm =
                |sound: &Sound| sound.pattern().iter().map(|tone| (tone.hertz > 0, tone.millis)).collect::<Vec<_>>();
            for other in &Sound::ALL[place + 1..] {
                assert_ne!(rhythm(one), rhythm(other), "{one:?} and {other:?}");
                assert_ne!(one.name(), other.name());
            }
            let length: u32 = one.pattern().iter().map(|tone| u32::from(tone.millis)).sum();
            assert!(length <= 1400, "{one:?} holds up the queue");
            assert!(one.pattern().first().is_some_and(|tone| tone.hertz > 0), "{one:?} begins with silence");
        }
    }
}
