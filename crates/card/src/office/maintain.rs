//! Blocking and unblocking a finished card.

use super::{OfficeFault, Transmit, ask, authenticate, challenge, command};
use crate::host::KeySet;
use crate::keystore::{CONTROL_KEY, OfficeUse};
use crate::profile::ROOT_ID;
use crate::status::Status;
use crate::terminal;

/// What the office does to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// APPLICATION BLOCK until it is unblocked.
    Block,
    /// APPLICATION UNBLOCK.
    Unblock,
    /// APPLICATION BLOCK for good.
    LockForGood,
    /// CARD BLOCK.
    BlockCard,
}

/// Whether the card's control key is that of `set`. The root hears it also while the purse is blocked and proves nothing.
///
/// Errors: `NoAnswer`, `Blocked`, `Malformed`, `Locked`, `Refused`. A wrong set costs one of fifteen tries, which the right one gives back; no other
/// key of the card loses any.
pub fn is_controlled_by(transmit: &mut Transmit<'_>, set: &KeySet) -> Result<bool, OfficeFault> {
    ask(transmit, "select its root", &command::select_file(ROOT_ID))?;
    authenticate(transmit, set.suite.algorithm(), &set.office_key(OfficeUse::Control), CONTROL_KEY)
}

/// Takes a measure on the card of `set`, which must be the card's own: wrong keys cost one of three tries.
///
/// Errors: `NoAnswer` (the measure may have been taken: take it again), `Blocked` when it is locked for good, `Refused`.
/// Repeats: a measure that was taken is taken again and changes nothing; one that cannot be undone answers `Ok` when it is
/// taken already.
pub fn maintain(transmit: &mut Transmit<'_>, set: &KeySet, measure: Measure) -> Result<(), OfficeFault> {
    let for_good = matches!(measure, Measure::LockForGood | Measure::BlockCard);
    let selected = terminal::data(&transmit(&terminal::select_purse())).map(|_| ());
    match selected {
        Ok(()) => {}
        Err(terminal::CardFault::Status(Status::PermanentlyLocked)) if measure == Measure::LockForGood => return Ok(()),
        // Blocked for a time, or the whole card: a card that is blocked gives no challenge.
        Err(terminal::CardFault::Status(Status::Blocked)) => {}
        Err(fault) => return Err(super::named("select the purse", fault)),
    }
    let challenge = match challenge(transmit) {
        Ok(challenge) => challenge,
        Err(OfficeFault::Blocked) if for_good => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let (step, command) = match measure {
        Measure::Block => ("block the purse", command::block_application(set, challenge, false)),
        Measure::Unblock => ("unblock the purse", command::unblock_application(set, challenge)),
        Measure::LockForGood => ("lock the purse for good", command::block_application(set, challenge, true)),
        Measure::BlockCard => ("block the card", command::block_card(set, challenge)),
    };
    ask(transmit, step, &command).map(|_| ())
}
