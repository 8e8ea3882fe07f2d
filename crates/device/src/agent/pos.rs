//! The POS: loads what waits for a card, asks the platform whether a sale may be paid, debits the purse when told so.
//!
//! Order within one hold (M16): settle what an earlier hold left open, load, buy, fill the purse up to the float.
//! What must not be lost is journalled, and whatever depends on it waits until the journal is durable: a record is sent,
//! DEBIT goes out and the light turns green only after [`Input::Written`].
//!
//! | file | what it holds |
//! |---|---|
//! | `pos.rs` | inputs, outputs, state, journal and connection |
//! | `pos/hold.rs` | a card on the reader: select, load, fill, and its leaving |
//! | `pos/sale.rs` | a sale: entered, authorised, taken back, called off |
//! | `pos/keypad.rs` | the clerk's keys |
//! | `pos/purse.rs` | the debit of the purse, and what became of a torn one |

mod hold;
mod keypad;
mod purse;
mod resolve;
mod sale;

use card::files::KEY_ID;
use card::psam::Psam;
use ledger::{Fen, Micros};
use link::{Answer, Marked, Record, ToPlatform, ToTerminal};
use rules::calendar::campus_day;

use super::display::{Paid, Screen, Trouble};
use super::later;
use super::post::{Errand, Heard, Line, Numbers, Post};
use super::tap::Asks;
use crate::journal::{AUTHORISE_MICROS, DayTotal, Entry, LastSale, State};

pub use keypad::Key;

use hold::{Done, Hold, LastHold};
use keypad::Keypad;
use sale::Sale;

/// Highest amount of a sale: a slip of the finger is not asked for.
pub const MOST_SALE: Fen = Fen::new(999_999);

/// Numbers of a POS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Fresh at every start of the terminal.
    pub boot: [u8; 16],
    /// How long an authorisation may take before it is taken back.
    pub authorise_micros: i64,
    /// How long an answer of the platform within a tap may take.
    pub tap_micros: i64,
    /// How long the same card is ignored after a finished hold, unless the amount changed.
    pub repeat_micros: i64,
    /// How long at least the same card is asked for before a torn sale can be given up.
    pub give_up_micros: i64,
    /// How soon a card that stayed after a torn debit is asked again.
    pub retry_micros: i64,
    /// How soon a record that the platform could not decide is sent again.
    pub resend_micros: i64,
    /// How long an outcome stays on the display after the card left.
    pub linger_micros: i64,
    /// Acknowledged records that are kept, for a platform that was restored from an older backup (M9).
    pub keep_records: u64,
}

impl Config {
    /// The usual numbers: 3 s for an answer, 2 s between holds of one card.
    pub const fn usual(boot: [u8; 16]) -> Config {
        Config {
            boot,
            authorise_micros: AUTHORISE_MICROS,
            tap_micros: 3_000_000,
            repeat_micros: 2_000_000,
            give_up_micros: 2_000_000,
            retry_micros: 250_000,
            resend_micros: 5_000_000,
            linger_micros: 4_000_000,
            keep_records: 1_000,
        }
    }
}

/// What happens to a POS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The clerk pressed a key.
    Key(Key),
    /// The clerk entered and confirmed an amount by other means than keys.
    SaleEntered(Fen),
    /// The clerk called the sale off, or gave up asking for a card.
    SaleCancelled,
    /// A card lies on the reader, freshly powered.
    CardIn,
    /// The card is gone. Nothing that was sent to it before is answered any more.
    CardOut,
    /// The card's answer; fewer than two bytes for none. Comes once for each [`Output::Transmit`] unless the card left.
    Apdu(Vec<u8>),
    /// The platform spoke.
    Platform(ToTerminal),
    /// A connection stands.
    LinkUp,
    /// It is gone, or could not be made.
    LinkDown,
    /// The journal is durable up to and with this token.
    Written(u64),
    /// The journal cannot be written: the terminal stops.
    JournalFailed,
    /// The moment asked for by [`PosAgent::next_wake`] has come.
    Tick,
}

/// What a POS wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Give this to the card.
    Transmit(Vec<u8>),
    /// Send this to the platform.
    Send(ToPlatform),
    /// Append this to the journal, make it durable, then say [`Input::Written`]; tokens rise.
    Journal {
        /// Comes back.
        token: u64,
        /// What to append.
        entry: Entry,
    },
    /// Records up to here may be dropped from the journal: see [`State::forget`].
    JournalDelete {
        /// Highest number to drop.
        through: u64,
    },
    /// The display changes; lamp and sound follow from it.
    Show(Screen),
}

impl From<Errand> for Output {
    fn from(errand: Errand) -> Output {
        match errand {
            Errand::Send(message) => Output::Send(message),
            Errand::Journal { token, entry } => Output::Journal { token, entry },
            Errand::JournalDelete { through } => Output::JournalDelete { through },
        }
    }
}

/// A POS terminal's agent. `P` is its purchase module.
#[derive(Debug)]
pub struct PosAgent<P> {
    config: Config,
    module: P,
    /// The purchase that the module has open.
    module_at: Option<u32>,
    post: Post,
    asks: Asks,
    hold: Hold,
    /// The key that the card of this hold knows, as far as it was asked.
    key: u8,
    sale: Sale,
    keypad: Keypad,
    /// The present hold, if it came to an end while the card stayed.
    done: Option<Done>,
    last_hold: Option<LastHold>,
    notice: Option<Notice>,
    trouble: Option<Trouble>,
    shown: Option<Screen>,
    out: Vec<Output>,
}

/// An outcome on the display: stays while the card stays, then until the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    screen: Screen,
    until: Option<Micros>,
}

fn is_payment(notice: &Notice) -> bool {
    matches!(notice.screen, Screen::Paid(_))
}

impl<P: Psam> PosAgent<P> {
    /// An agent that continues from a journal, and what it wants done first.
    ///
    /// Authorisations of which the journal does not know the end are taken back before any other payment (M17). A debit
    /// that may have happened is the open sale again: the same card is asked for until the clerk gives up.
    /// `module` must give only transaction numbers above [`State::last_tsn`].
    pub fn start(config: Config, module: P, book: State, now: Micros) -> (PosAgent<P>, Vec<Output>) {
        let last = book.last_sale().map(|last| card::session::fen(last.fen));
        let Config { boot, resend_micros, keep_records, .. } = config;
        let mut agent = PosAgent {
            config,
            module,
            module_at: None,
            post: Post::new(Numbers { boot, resend_micros, keep_records }, book),
            asks: Asks::default(),
            hold: Hold::Empty,
            key: KEY_ID,
            sale: Sale::None,
            keypad: Keypad::new(last),
            done: None,
            last_hold: None,
            notice: None,
            trouble: None,
            shown: None,
            out: Vec::new(),
        };
        agent.recover(now);
        agent.refresh();
        let out = std::mem::take(&mut agent.out);
        (agent, out)
    }

    fn recover(&mut self, now: Micros) {
        let last_paid = self.post.book().last_paid();
        for of in self.post.book().open_authorisations() {
            self.record(Record::Reverse { of });
        }
        let mut intents = self.post.book().intents().to_vec();
        let newest = intents.pop();
        for older in intents {
            self.record(Record::Sale(older));
        }
        if let Some(intent) = newest {
            self.sale = Sale::Unresolved { intent, since: now, account: None, loaded: Fen::ZERO };
        } else if let Some(amount) = last_paid {
            let screen = Screen::Restarted { last_paid: card::session::fen(amount) };
            self.notice = Some(Notice { screen, until: None });
        }
    }

    /// Takes one input; gives what is to be done, in order. Inputs that do not fit the present state change nothing.
    pub fn handle(&mut self, input: Input, now: Micros) -> Vec<Output> {
        match input {
            Input::Key(key) => self.key(key, now),
            Input::SaleEntered(amount) => self.sale_entered(amount),
            Input::SaleCancelled => self.sale_cancelled(now),
            Input::CardIn => self.card_in(now),
            Input::CardOut => self.card_out(now),
            Input::Apdu(answer) => self.card_answered(&answer, now),
            Input::Platform(message) => self.platform(message, now),
            Input::LinkUp => self.post.link_up(&mut self.out),
            Input::LinkDown => {
                self.post.link_down();
                self.line_lost(now);
            }
            Input::Written(token) => self.written(token, now),
            Input::JournalFailed => {
                self.trouble = Some(Trouble::Journal);
                self.notice = self.notice.take().filter(is_payment);
            }
            Input::Tick => {}
        }
        self.deadlines(now);
        self.post.pump(self.sale.waits_for(), now, &mut self.out);
        if self.sale == Sale::None {
            self.post.shorten(&mut self.out);
        }
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// When the agent wants [`Input::Tick`]; `None` while nothing is due.
    pub fn next_wake(&self) -> Option<Micros> {
        let notice = self.notice.as_ref().and_then(|notice| notice.until);
        [self.hold.deadline(), self.sale.deadline(), notice, self.post.wake_at()].into_iter().flatten().min()
    }

    /// What the display says.
    pub fn screen(&self) -> Screen {
        // Trouble is said before anything else but a payment: the clerk must not charge that again.
        let notice = self.notice.as_ref().filter(|notice| self.trouble.is_none() || is_payment(notice));
        notice.map_or_else(|| self.standing_screen(), |notice| notice.screen.clone())
    }

    /// What the journal adds up to, as the agent knows it.
    pub fn book(&self) -> &State {
        self.post.book()
    }

    /// Paid sales of this day, and the newest sale: what the clerk sees beside the display.
    pub fn takings(&self, now: Micros) -> (DayTotal, Option<LastSale>) {
        let book = self.post.book();
        (book.sold_on(campus_day(self.post.platform_time(now))), book.last_sale())
    }

    /// The purchase module.
    pub fn module(&self) -> &P {
        &self.module
    }

    fn platform(&mut self, message: ToTerminal, now: Micros) {
        let (connected, due) = (self.post.home().is_some(), self.sale.due().is_some());
        match self.post.heard(&message, self.sale.waits_for(), now, &mut self.out) {
            Heard::Acknowledged => {
                self.acknowledged(now);
                // Of a sale that was taken back only now the display asks for the card to be held again.
                if !connected && due {
                    self.pay_by_the_card_here();
                }
            }
            Heard::Answered(Marked { seq, answer }) => {
                if answer == Answer::Quarantined {
                    self.trouble = Some(Trouble::Quarantined);
                    self.notice = self.notice.take().filter(is_payment);
                }
                self.record_answered(seq, answer, now);
            }
            Heard::Nothing => self.tap_answered(&message, now),
        }
    }

    /// A record that the platform has needs no further answer.
    fn acknowledged(&mut self, now: Micros) {
        let through = self.post.acknowledged();
        if matches!(self.sale, Sale::Reversing { seq, .. } if seq <= through) {
            self.taken_back(now);
        }
    }

    /// Journals an entry; gives its token.
    fn write(&mut self, entry: Entry) -> u64 {
        self.post.write(entry, &mut self.out)
    }

    /// Journals a record under the next number, to be sent when durable; gives number and token.
    fn record(&mut self, record: Record) -> (u64, u64) {
        self.post.record(record, &mut self.out)
    }

    fn written(&mut self, token: u64, now: Micros) {
        self.post.written(token);
        self.intent_written();
        if let Sale::Settling { token, .. } = self.sale
            && self.post.is_durable(token)
        {
            self.paid(now);
        }
    }

    fn deadlines(&mut self, now: Micros) {
        self.post.look_at_clock(now);
        if self.notice.as_ref().and_then(|notice| notice.until).is_some_and(|until| until <= now) {
            self.notice = None;
        }
        if self.sale.deadline().is_some_and(|until| until <= now) {
            self.authorisation_timed_out();
        }
        if self.hold.deadline().is_some_and(|until| until <= now) {
            self.hold_timed_out(now);
        }
    }

    /// Puts an outcome on the display until the next key or card, or until a while after the card left.
    fn notify(&mut self, screen: Screen, now: Micros) {
        let until = matches!(self.hold, Hold::Empty).then(|| later(now, self.config.linger_micros));
        self.notice = Some(Notice { screen, until });
    }

    /// Shows what is to be shown, if it is not shown already.
    fn refresh(&mut self) {
        let screen = self.screen();
        if self.shown.as_ref() != Some(&screen) {
            self.shown = Some(screen.clone());
            self.out.push(Output::Show(screen));
        }
    }

    /// What the display says while no outcome stands on it.
    fn standing_screen(&self) -> Screen {
        if let Some(trouble) = self.trouble {
            return Screen::OutOfOrder(trouble);
        }
        let busy = self.hold.reads_card();
        match &self.sale {
            Sale::Asking { amount, .. } | Sale::Settling { paid: Paid { amount, .. }, .. } => {
                Screen::Asking { amount: *amount }
            }
            Sale::Allowed { amount, .. } => Screen::Debiting { amount: *amount },
            Sale::Unresolved { intent, .. } => {
                let amount = card::session::fen(intent.amount);
                if busy { Screen::Reading { amount: Some(amount) } } else { Screen::Unresolved { amount } }
            }
            Sale::Reversing { amount, .. } => Screen::Reversing { amount: *amount },
            Sale::None | Sale::Due { .. } if busy => match self.hold.crediting() {
                Some(amount) => Screen::Loading { amount },
                None => Screen::Reading { amount: self.sale.due() },
            },
            Sale::None | Sale::Due { .. } if !self.keypad.text().is_empty() => {
                Screen::Entering { text: self.keypad.text().to_owned() }
            }
            Sale::Due { amount } => match self.post.line() {
                Line::Up(_) if self.served_card_stays() => Screen::LiftCard { amount: *amount },
                Line::Up(_) => Screen::ReadyToPay { amount: *amount },
                Line::Starting | Line::Down | Line::Greeting => Screen::OfflineSale { amount: *amount },
            },
            Sale::None => match self.post.line() {
                Line::Starting => Screen::Starting,
                Line::Down | Line::Greeting => Screen::Offline,
                Line::Up(home) => Screen::Idle { place_zh: home.place_zh.clone(), place_en: home.place_en.clone() },
            },
        }
    }
}
