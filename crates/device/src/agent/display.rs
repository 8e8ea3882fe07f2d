//! What a terminal shows and lights, as data: the terminal's own display, a text screen and the demo's page draw the same
//! values. What it sounds like is in [`super::sound`].

use ledger::Fen;
use link::Words;

/// What the display says. Texts are in [`super::words`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// Switched on, connecting for the first time.
    Starting,
    /// Switched on again, and the journal says that the last sale before was paid.
    Restarted {
        /// That sale.
        last_paid: Fen,
    },
    /// Nothing to do.
    Idle {
        /// Where the terminal stands, Chinese.
        place_zh: String,
        /// The same in English.
        place_en: String,
    },
    /// No connection, nothing to do.
    Offline,
    /// Nothing to do with an amount like this: it is not above zero, or above [`super::pos::MOST_SALE`].
    AmountInvalid,
    /// The clerk is typing an amount.
    Entering {
        /// As far as it is typed, such as `12.` or `12.5`; never empty.
        text: String,
    },
    /// Hold the card to pay.
    ReadyToPay {
        /// To pay.
        amount: Fen,
    },
    /// A new amount stands, and the card that lies there had its turn: it must be lifted, for the amount may be the next
    /// person's.
    LiftCard {
        /// To pay.
        amount: Fen,
    },
    /// The card is being read; keep it there.
    Reading {
        /// To pay, if a sale is open.
        amount: Option<Fen>,
    },
    /// Money is on its way to the chip; keep the card there.
    Loading {
        /// This much.
        amount: Fen,
    },
    /// A tap without a sale is done.
    Loaded {
        /// Put on the card in this tap; zero when nothing waited.
        loaded: Fen,
        /// On the card now.
        purse: Fen,
        /// Spendable on line beside it.
        account: Fen,
    },
    /// The platform is asked whether the sale may be paid.
    Asking {
        /// To pay.
        amount: Fen,
    },
    /// Money is being taken from the card; keep it there.
    Debiting {
        /// To pay.
        amount: Fen,
    },
    /// Paid.
    Paid(Paid),
    /// Not paid, or not loaded.
    Refused {
        /// Still to pay, if a sale is open.
        amount: Option<Fen>,
        /// Why.
        words: Words,
        /// On the account and on the card, when money is the reason (M18).
        balances: Option<(Fen, Fen)>,
    },
    /// The card left before its turn was over: nothing is lost, hold it again.
    RemovedEarly {
        /// Still to pay, if a sale is open.
        amount: Option<Fen>,
    },
    /// More waits than this hold could take: hold it again (R33).
    HoldAgain {
        /// Still to pay, if a sale is open.
        amount: Option<Fen>,
    },
    /// No connection: nothing can be loaded now (R34).
    CannotSync,
    /// No connection: this terminal does not sell without one.
    OfflineSale {
        /// Still to pay.
        amount: Fen,
    },
    /// No answer in time: the request is being taken back, do not charge again yet (M17).
    Reversing {
        /// Still to pay.
        amount: Fen,
    },
    /// The request was taken back: nothing was charged, the card may be held again.
    NotCharged {
        /// Still to pay.
        amount: Fen,
    },
    /// The card left while it was debited: hold the same card again.
    Unresolved {
        /// Paid or not: that is the question.
        amount: Fen,
    },
    /// Another card came: the first one is needed.
    OtherCard {
        /// Paid or not: that is the question.
        amount: Fen,
    },
    /// Recorded as not proved; the platform settles it when the card is seen again.
    Unproved {
        /// Paid or not.
        amount: Fen,
    },
    /// The sale was called off.
    CalledOff,
    /// No card of ours, or a broken chip (R4).
    Unreadable,
    /// The terminal must not go on until somebody looked.
    OutOfOrder(Trouble),
}

/// A sale that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The sale.
    pub amount: Fen,
    /// What paid it (M18: never both).
    pub from: Source,
    /// Spendable on line after it; unknown for a sale that was proved after a restart.
    pub account: Option<Fen>,
    /// On the card after it.
    pub purse: Fen,
    /// Put on the card before it, in the same hold.
    pub loaded: Fen,
    /// Filled into the purse after it.
    pub filled: Fen,
}

/// What paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The account.
    Account,
    /// The chip.
    Purse,
}

/// Why the terminal is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The journal cannot be written.
    Journal,
    /// The platform has another record under one of this terminal's numbers.
    Quarantined,
}

/// The lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// Dark.
    Off,
    /// Done.
    Green,
    /// Wait, or hold the card.
    Amber,
    /// No.
    Red,
}

impl Screen {
    /// The lamp that goes with it.
    pub fn lamp(&self) -> Lamp {
        match self {
            Screen::Paid(_) | Screen::Loaded { .. } => Lamp::Green,
            Screen::Reading { .. }
            | Screen::Loading { .. }
            | Screen::Asking { .. }
            | Screen::Debiting { .. }
            | Screen::Reversing { .. }
            | Screen::Unresolved { .. }
            | Screen::RemovedEarly { .. }
            | Screen::HoldAgain { .. }
            | Screen::LiftCard { .. }
            | Screen::NotCharged { .. } => Lamp::Amber,
            Screen::AmountInvalid
            | Screen::Refused { .. }
            | Screen::CannotSync
            | Screen::OfflineSale { .. }
            | Screen::OtherCard { .. }
            | Screen::Unproved { .. }
            | Screen::Unreadable
            | Screen::OutOfOrder(_) => Lamp::Red,
            Screen::Starting
            | Screen::Restarted { .. }
            | Screen::Idle { .. }
            | Screen::Offline
            | Screen::Entering { .. }
            | Screen::ReadyToPay { .. }
            | Screen::CalledOff => Lamp::Off,
        }
    }
}
