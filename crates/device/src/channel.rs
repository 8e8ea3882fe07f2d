//! The way to a card. A reader of any make is a [`CardChannel`]; agents never see one, the driver moves the bytes.

mod card_file;
#[cfg(feature = "pcsc")]
mod pcsc;
mod soft;
mod vpcd;

pub use card_file::{CardFileFault, Pull, PullAt, store_card};
#[cfg(feature = "pcsc")]
pub use pcsc::{PcscFault, PcscReader};
pub use soft::SoftReader;
pub use vpcd::{Left, Manner, VirtualReader};

/// One insertion of a card; another one differs, even of the same card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Insertion(pub u32);

/// A reader for cards, driven by one thread.
///
/// To add a back end: `present` looks without waiting and counts insertions (PC/SC: the event count of the reader's
/// state; OSDP: the reader's own reports), so that two cards put one after the other between two looks are told apart.
/// `transmit` does the whole exchange, GET RESPONSE included, within a deadline of its own.
pub trait CardChannel: Send {
    /// The insertion that lies there now, powered; `None` for none. Never waits.
    fn present(&mut self) -> Option<Insertion>;

    /// One command and its answer, to the insertion that `present` told last. Fewer than two bytes mean: no answer, the
    /// command may or may not have been obeyed. Repeats: never sends a command twice.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;

    /// The card left, or its turn is over: it loses power, its session is gone. Repeats change nothing.
    fn removed(&mut self);
}
