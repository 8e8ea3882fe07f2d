//! The agents of terminals: protocols without sockets, readers or clocks. Inputs go in, outputs come out, and the agent
//! says when it wants to be woken. The same agent runs in a real terminal, in the demo's page and in the simulator.
//!
//! What any terminal shares stands apart from what one kind of terminal does; a door reader and a kiosk are made of the same
//! parts as the POS:
//!
//! | part | promise |
//! |---|---|
//! | `select` | which card lies there |
//! | `tap` | a stage of a tap: nonce, INITIALIZE, load, confirm; whatever breaks off, the next tap settles |
//! | `post` | line, journal and upload: what is journalled reaches the platform once |
//! | [`display`], [`sound`], [`words`] | what people see and hear, as data |
//! | [`pos`] | the POS business: sale, amount, debit of the purse, and the order of one hold |

pub mod display;
pub mod pos;
pub mod sound;
pub mod words;

mod post;
mod select;
mod tap;
mod upload;

/// The moment `micros` after `now`.
fn later(now: ledger::Micros, micros: i64) -> ledger::Micros {
    ledger::Micros::new(now.get().saturating_add(micros))
}
