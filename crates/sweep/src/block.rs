//! APPLICATION BLOCK under secure messaging, by the card office. A blocked card moves no money at any terminal and keeps what
//! it holds.

use card::apdu::office::block_application_header;
use card::files::CardNumber;
use card::secure::protect;
use card::status::Status;
use card::terminal::{self, CardFault};
use device::agent::display::Screen;

use crate::Broken;
use crate::campus::CARDS;
use crate::card_work::CardWork;
use crate::case::Successor;
use crate::hand::{Tear, Which};
use crate::world::{HERE, World};

/// Holds until the card is blocked, at most.
const MOST_TAPS: u32 = 4;

/// The card office's desk. It keeps nothing: the command is made anew under every challenge.
pub(crate) struct Office;

/// Sends the command; whether the card said that it obeyed.
fn block(world: &mut World<'_>) -> Result<bool, Broken> {
    match terminal::parse_select(&world.exchange(&terminal::select_purse())?) {
        // Blocked already; nothing proves that, and the command does no harm twice.
        Ok(_) | Err(CardFault::Status(Status::Blocked)) => {}
        Err(_) => return Ok(false),
    }
    let Ok(challenge) = terminal::parse_challenge(&world.exchange(&terminal::get_challenge())?) else {
        return Ok(false);
    };
    let newest = world.keyring().newest_card_masters();
    let keys = newest.map(|(_, masters)| masters.card_keys(CardNumber(CARDS[Which::Anna.place()])));
    let keys = keys.ok_or_else(|| Broken::new("the keyring has no card masters"))?;
    let command = protect(&keys.maintenance, challenge, block_application_header(false), &[]);
    let command = command.map_err(Broken::of("protecting a command"))?;
    Ok(terminal::parse_done(&world.exchange(&command)?).is_ok())
}

impl CardWork for Office {
    fn hold(&mut self, world: &mut World<'_>, tear: Option<Tear>) -> Result<(), Broken> {
        world.lay(Which::Anna, tear)?;
        block(world)?;
        world.take()
    }

    fn go_on(&mut self, world: &mut World<'_>, after: Successor) -> Result<(), Broken> {
        world.go_on(after)
    }

    fn calm(&mut self, world: &mut World<'_>) -> Result<(), Broken> {
        let mut done = false;
        for _ in 0..MOST_TAPS {
            world.lay(Which::Anna, None)?;
            done = block(world)?;
            world.take()?;
            if done {
                break;
            }
        }
        if !done {
            world.findings.push(format!("after {MOST_TAPS} calm holds the card is not blocked"));
        }
        // What a blocked card says to the next terminal.
        world.lay(Which::Anna, None)?;
        world.exchange(&terminal::select_purse())?;
        let balance = terminal::parse_balance(&world.exchange(&terminal::get_balance())?);
        world.take()?;
        if !matches!(balance, Err(CardFault::Status(_))) {
            world.findings.push(format!("a blocked card still tells its balance: {balance:?}"));
        }
        world.rest()?;
        world.tap(HERE, Which::Anna)?;
        if !matches!(world.screen(), Screen::Refused { .. } | Screen::Unreadable) {
            let screen = world.screen();
            world.findings.push(format!("a terminal says of a blocked card {screen:?}"));
        }
        Ok(())
    }

    fn with_book(&self) -> bool {
        true
    }
}
