//! What the flows ask of the world outside: payment channels, card keys, secrets, the clock and chance.
//!
//! To add a method: name it after what a flow needs, not after how an adapter does it; give it only plain data; say what
//! a second call does. Anything that waits returns a [`Waiting`] future, so that the server runs it on its executor and
//! the simulator polls it by hand.

use std::future::Future;
use std::pin::Pin;

use ledger::{AccountKey, Fen, Id, JournalRow, Micros};
use rules::event::Cursor;
use teller::{RawKey, StoreError};

use crate::event::Event;

/// Names that stand in the ports' signatures, so that an adapter need not import the rules.
pub use rules::ids::{CardNo, OrderNo, RefundNo};
pub use rules::pii::Pii;
pub use rules::refund::Progress as RefundState;
pub use rules::top_up::{Scene, Ticket};

/// A future that an adapter returns.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The clock on the wall.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Micros;

    /// The wall leapt and nobody has confirmed it: time goes on steadily, and jobs that move money by time alone wait (M7).
    fn leapt(&self) -> bool {
        false
    }
}

/// Chance: unguessable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unguessable ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// WeChat Pay as the top-up flow needs it. Wire facts are the adapter's.
pub trait WeChat: Send + Sync {
    /// The payer's openid for a one-time OAuth `code`. A second call with the same code is `Refused`.
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>>;

    /// Makes the order known to the provider; gives what the payer's page needs, of the kind of the wish's scene.
    /// Repeats: the same wish again gives a fresh ticket for the same order.
    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>>;

    /// What the provider knows of the order. Changes nothing.
    fn query(&self, order: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>>;

    /// Asks that the order can no longer be paid. `Ok` only when the provider says that it is closed (204); a paid order,
    /// one being paid (202, 429) and every doubt are errors after which one must query. Repeats: closed stays `Ok`.
    fn close(&self, order: OrderNo) -> Waiting<'_, Result<(), ChannelError>>;

    /// Asks that a payment, or a part of it, goes back the way it came. An answer of [`Repayment::Known`] means accepted,
    /// not given back: its state says how far it is.
    /// Repeats: the same wish under the same number is one refund, however often it is sent (M27).
    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>>;

    /// What the provider knows of a refund. Changes nothing.
    fn query_refund(&self, refund: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>>;

    /// Proves and opens a notice: signature by serial, time window, decryption, merchant and application.
    /// Says nothing of the order, the refund or the amount: that is the book's to compare. Changes nothing.
    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault>;

    /// A notice under a serial that is not known: fetch the provider's keys anew, once, and say whether that serial is
    /// known now. Repeats: harmless; asks the provider at most once a minute, whatever strangers send.
    fn learn_serial<'a>(&'a self, serial: &'a str) -> Waiting<'a, bool>;

    /// What the page hands to the WeChat bridge so that the payer is asked.
    fn bridge(&self, prepay_id: &str, now: Micros, nonce: &str) -> Bridge;
}

/// All parameters of a payment order. They are stored before they are first sent, and repeated byte for byte (M28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepayWish {
    /// Our number of the order.
    pub order: OrderNo,
    /// What is to be paid.
    pub amount: Fen,
    /// What the payer reads, at most 127 bytes.
    pub description: String,
    /// Where it is paid, and what the provider must know of the payer there.
    pub scene: Scene,
    /// Last moment to pay; the provider gets it as its own limit.
    pub expires_at: Micros,
}

/// All parameters of a refund. They are stored before they are first sent, and repeated byte for byte (M27, M28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundWish {
    /// Our number of the refund.
    pub refund: RefundNo,
    /// The provider's number of the payment that is given back.
    pub transaction: String,
    /// What goes back.
    pub amount: Fen,
    /// What that payment was in whole.
    pub total: Fen,
    /// What the payer reads, at most 80 bytes.
    pub reason: String,
}

/// What the provider answers about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repayment {
    /// It knows the refund.
    Known(Refunded),
    /// It has never heard of it. A request on its way may still arrive: never final once one was sent (M27).
    NotFound,
    /// Our account with the provider holds too little: nothing happened; once there is money, the same number again.
    Short,
    /// Refused for good, under this very number: nothing happened and nothing will (M27).
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
}

/// A refund as the provider tells it; signature and merchant were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// Our number of the refund as the provider has it; may be no number of ours (made by hand at the provider's portal).
    pub refund: String,
    /// The provider's number of the refund.
    pub refund_id: String,
    /// The provider's number of the payment.
    pub transaction: String,
    /// Our number of the order as the provider has it.
    pub order: String,
    /// What goes back.
    pub amount: Fen,
    /// What the payment was in whole.
    pub total: Fen,
    /// How far it is.
    pub state: RefundState,
}

/// What a proved notice tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// News of a payment.
    Trade(Trade),
    /// News of a refund.
    Refund(Refunded),
}

/// What the provider says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trade {
    /// Paid.
    Paid(Payment),
    /// Paid, and given back in part or whole since.
    Refunded(Payment),
    /// Known and not paid.
    NotPaid,
    /// The payer is typing a password.
    Paying,
    /// Can no longer be paid.
    Closed,
    /// The provider has never heard of it.
    NotFound,
}

/// A payment as the provider tells it; signature, merchant and application were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Our order number as the provider has it; may be no number of ours.
    pub order: String,
    /// The provider's number of the payment.
    pub transaction: String,
    /// The order's total (not what was left after coupons).
    pub amount: Fen,
    /// `CNY` or something wrong.
    pub currency: String,
    /// When it was paid.
    pub paid_at: Micros,
}

/// Why a channel call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// No answer, a 5xx, a 429, a 202 or an answer that is not proved: it may or may not have happened.
    #[error("the payment provider gave no sure answer ({0})")]
    Unknown(String),
    /// The provider refused for good: nothing happened.
    #[error("the payment provider refused: {code} {message}")]
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
}

/// A notice as it came over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RawNotice<'a> {
    /// Header `Wechatpay-Timestamp`.
    pub timestamp: &'a str,
    /// Header `Wechatpay-Nonce`.
    pub nonce: &'a str,
    /// Header `Wechatpay-Serial`.
    pub serial: &'a str,
    /// Header `Wechatpay-Signature`.
    pub signature: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Why a notice is not believed; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeFault {
    /// A header is missing or unreadable, or the body is no notice.
    #[error("not a notice of the expected form")]
    Malformed,
    /// Older or newer than five minutes.
    #[error("the notice's time is more than five minutes off")]
    Stale,
    /// Signed with a key that is not ours to trust.
    #[error("unknown key serial")]
    UnknownSerial,
    /// The signature does not fit; also the provider's own probes.
    #[error("wrong signature")]
    WrongSignature,
    /// The resource does not open under our key.
    #[error("the notice cannot be decrypted")]
    Sealed,
    /// Meant for another merchant or application.
    #[error("the notice is for another merchant or application")]
    Foreign,
}

/// The argument of `getBrandWCPayRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Application id.
    pub app_id: String,
    /// Seconds since 1970, as text.
    pub time_stamp: String,
    /// Any text, at most 32 characters.
    pub nonce_str: String,
    /// `prepay_id=...`.
    pub package: String,
    /// Base64 RSA-SHA256 over the four.
    pub pay_sign: String,
}

/// Card keys at the level of their purpose; nobody outside ever holds a key. The algorithms are card-side facts.
pub trait CardKeys: Send + Sync {
    /// MAC1 of an INITIALIZE FOR LOAD proves that the card itself answered, with this counter and this terminal id.
    fn proves_load(&self, card: CardNo, load: &LoadSession) -> bool;

    /// MAC2 that lets the card add `load.amount` once. Repeats: the same session and moment give the same MAC.
    fn release_load(&self, card: CardNo, load: &LoadSession, stamp: CardStamp) -> [u8; 4];

    /// The card's TAC proves that the load was applied.
    fn proves_loaded(&self, card: CardNo, load: &LoadSession, stamp: CardStamp, tac: [u8; 4]) -> bool;

    /// The card's TAC proves that a purchase debited it.
    fn proves_purchase(&self, card: CardNo, debit: &PurseDebit, tac: [u8; 4]) -> bool;
}

/// What card and host share within one load session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadSession {
    /// Balance before, in fen.
    pub old_balance: u32,
    /// The card's on-line counter N before.
    pub n: u16,
    /// Version of the load key.
    pub key_version: u8,
    /// Algorithm the card names.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's proof.
    pub mac1: [u8; 4],
    /// Amount given to INITIALIZE, in fen.
    pub amount: u32,
    /// Terminal id given to INITIALIZE: terminal number and nonce.
    pub terminal: [u8; 6],
}

/// Date `YYYYMMDD` and time `hhmmss` in BCD, campus time, as cards write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardStamp {
    /// Four bytes.
    pub date: [u8; 4],
    /// Three bytes.
    pub time: [u8; 3],
}

/// A purse debit as its TAC covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurseDebit {
    /// In fen.
    pub amount: u32,
    /// Terminal id given to INITIALIZE FOR PURCHASE.
    pub terminal: [u8; 6],
    /// Number the purchase module counted.
    pub tsn: u32,
    /// The terminal's date and time.
    pub stamp: CardStamp,
    /// Version of the purchase and TAC keys.
    pub key_version: u8,
    /// Algorithm the card names.
    pub algorithm: u8,
}

/// Which personal field is sealed or looked up; a value sealed as one field never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Name.
    Name,
    /// Number of the identity card or passport.
    IdentityNumber,
    /// Mobile phone.
    Phone,
    /// WeChat openid.
    OpenId,
    /// What signs the deliveries of a webhook.
    WebhookSecret,
}

/// Passwords and sealed personal data. Keys never leave the adapter.
pub trait Secrets: Send + Sync {
    /// A hash to store (argon2id with a pepper that is not in the database), made off the executor.
    fn hash_password<'a>(&'a self, password: &'a str) -> Waiting<'a, String>;

    /// Whether `password` made `hash`. With no hash it does the same work and says no, so that an unknown number takes as
    /// long as a known one.
    fn check_password<'a>(&'a self, password: &'a str, hash: Option<&'a str>) -> Waiting<'a, bool>;

    /// Seals a field of `owner` with a fresh nonce.
    fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8>;

    /// Opens what `seal` sealed for the same field and owner; anything else is an error.
    fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken>;

    /// A keyed hash by which a field can be found without storing it in clear.
    fn lookup(&self, field: Field, plain: &str) -> [u8; 32];

    /// SHA-256 of a session's token: what is stored of it. The token is unguessable, so the hash needs neither key nor salt.
    fn token_hash(&self, token: &[u8; 32]) -> [u8; 32];
}

/// Sealed data does not open: another key, another field, another owner or a changed byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open; is the key file the one it was sealed with?")]
pub struct SealBroken;

/// Reads what was committed, beside the teller: lists, rows and journal rows for pages and for jobs that are due.
/// Nothing read here decides about money; a command looks again at its own rows.
pub trait Reader: Send + Sync {
    /// Bodies of rows, in the order asked; `None` for a row that does not exist.
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>>;

    /// Part of a list, in its order or backwards.
    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>>;

    /// Journal rows at these sequences, in the order asked; a sequence that does not exist is left out.
    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>>;

    /// Where in the journal `account` stood at `moment`, as a reporting table has it: a hint, which may be old or wrong and
    /// must be proved by the journal. A reader without such a table has none.
    fn around(&self, account: AccountKey, moment: Micros) -> Waiting<'_, Result<Option<Around>, StoreError>> {
        let _ = (account, moment);
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Journal rows of one account around a moment, by the time of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// The newest row not after the moment; 0 for none.
    pub last: u64,
    /// The first row after it; `None` when none is known.
    pub next: Option<u64>,
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAsk {
    /// Name of the list.
    pub list: &'static str,
    /// Whose list; empty for the school's.
    pub owner: Vec<u8>,
    /// First place, included.
    pub from: i64,
    /// Last place, included.
    pub to: i64,
    /// Highest place first.
    pub backwards: bool,
    /// At most so many.
    pub most: u32,
}

/// One place of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub at: i64,
    /// Key of the row within its table.
    pub key: Vec<u8>,
}

/// Carries events to the school's other systems.
pub trait Courier: Send + Sync {
    /// Sends a parcel once, signed with each of its secrets; says what came back. A redirect is an answer and is not
    /// followed. Repeats: sends it again.
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Waiting<'a, Receipt>;
}

/// Events on their way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Fresh for each sending.
    pub id: Id,
    /// Name of the webhook.
    pub webhook: String,
    /// Where it goes.
    pub url: String,
    /// What signs it, newest first; never empty when it is sent.
    pub secrets: Vec<Pii<String>>,
    /// When it is sent.
    pub at: Micros,
    /// Where the parcel ended that was taken before it.
    pub after: Cursor,
    /// Where it ends.
    pub upto: Cursor,
    /// In their order; none in a trial.
    pub events: Vec<Event>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// An answer with this status.
    Answered(u16),
    /// No answer, for this reason: the parcel may have arrived or not.
    Silent(String),
}
