//! Every row that guards money or tells what happened: its key, what it holds, how it is written down, in which lists it
//! is found. Sessions and forms are rows too, so that they take part in the one order.

mod form;
mod schema;

use ledger::Id;
use rules::binding::Binding;
use rules::card::{Card, Change as CardChange, Reports};
use rules::case::{Case, Ended};
use rules::credential::{Credential, Subject};
use rules::epoch::{Epoch, Met};
use rules::event::Began;
use rules::ids::{CardNo, CaseId, EnrolmentId, MerchantId, OrderNo, PersonId, RefundNo, TerminalNo};
use rules::limits::Change;
use rules::load::{Attempt, Item};
use rules::message::{Inbox, Received};
use rules::person::Person;
use rules::purchase::Sale;
use rules::refund::{Refund, Repaid};
use rules::spent::Spent;
use rules::top_up::Order;

use crate::session::{EarlySession, Session};
use crate::stored::stored_enum;
use crate::webhook::{Delivery, Webhook};

/// The rows of a school.
pub struct Campus;

/// Names one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A holder.
    Person(PersonId),
    /// The holder with this student or staff number.
    Number(String),
    /// The holder with this identity document, by keyed hash.
    Document([u8; 32]),
    /// Tries at the door with numbers that nobody has.
    Strangers,
    /// A session, by the hash of its token.
    Session([u8; 32]),
    /// A card.
    Card(CardNo),
    /// What waits for a holder's card and is in no open load (M10).
    Waiting(PersonId),
    /// A top-up order.
    Order(OrderNo),
    /// Which orders of a holder can still be paid, and what was ordered on which day.
    Ordered(PersonId),
    /// A payment of a provider, for ever (M6): channel and the provider's number.
    Payment(u8, String),
    /// A load attempt, for ever (M6).
    Attempt(CardNo, u32),
    /// A load the card applied, for ever (M6): card and on-line counter before.
    Applied(CardNo, u16),
    /// An enrolment of a terminal.
    Enrolment(EnrolmentId),
    /// The enrolment that now has this terminal number.
    Terminal(TerminalNo),
    /// A record of a terminal, for ever (M6, M19).
    Record(EnrolmentId, u64),
    /// A sale.
    Sale(Id),
    /// The sale that debited this card at this off-line counter, for ever (M6).
    Debited(CardNo, u16),
    /// The sale with this very debit, for ever: what a TAC covers. A new purchase module may count from 1 again.
    Counted(CardNo, TerminalNo, u32, [u8; 4], [u8; 3]),
    /// The enrolment that shows this certificate, by SHA-256.
    Certificate([u8; 32]),
    /// A merchant.
    Merchant(MerchantId),
    /// The merchant with this short name.
    MerchantCode(String),
    /// A case.
    Case(CaseId),
    /// The settings with their history.
    Settings,
    /// A form that a holder sent, by the key in it.
    Form(PersonId, [u8; 16]),
    /// Since when the book goes on from a backup; absent while it never did (M9).
    Epoch,
    /// What was found when this card first came after a restore (M9).
    Met(CardNo),
    /// The newest epoch in which a card showed exactly what the book has of it (M9).
    Agreed(CardNo),
    /// Which debits of a card are in the book, and which are missing.
    Spent(CardNo),
    /// The cases about odd debits of an enrolment.
    Odd(EnrolmentId),
    /// A refund.
    Refund(RefundNo),
    /// What went back of a provider's payment: channel and the provider's number (R76).
    Repaid(u8, String),
    /// The payment that lies in the suspense of a case.
    Suspended(CaseId),
    /// A refund that the provider tells of and that is none of ours: channel and its number there.
    ForeignRefund(u8, String),
    /// A change of a card's state, for ever (R3).
    CardChange(CardNo, Id),
    /// How often a holder reported a card lost lately.
    LossReports(PersonId),
    /// An access token, by the hash of its secret.
    Credential([u8; 32]),
    /// Which access tokens of an owner were live when the newest of them was made.
    Tokens(Subject),
    /// What a program was answered, by whom it asked for and its idempotency key.
    Answer(Id, [u8; 16]),
    /// A holder's newest messages.
    Inbox(PersonId),
    /// Older ones, by the place where they were put away.
    Messages(PersonId, u8),
    /// The holder who has this WeChat user, by keyed hash of its openid.
    WeChatUser([u8; 32]),
    /// The WeChat user of a holder.
    Binding(PersonId),
    /// A webhook, by its name.
    Webhook(String),
    /// How far a webhook has been told.
    Delivery(Id),
    /// The epochs of the book; absent while it was never restored (M9).
    Lineage,
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A holder.
    Person(Box<Person>),
    /// Which holder.
    Holder(PersonId),
    /// Tries with unknown numbers.
    Strangers(Strangers),
    /// A session of before there were kinds of them.
    Session(EarlySession),
    /// A card.
    Card(Card),
    /// What waits, oldest first.
    Waiting(Vec<Item>),
    /// A top-up order.
    Order(Box<Order>),
    /// Open orders and the day's total.
    Ordered(Ordered),
    /// What became of a payment.
    Payment(PaymentNote),
    /// A load attempt.
    Attempt(Box<Attempt>),
    /// Number of the attempt that was applied.
    Applied(u32),
    /// An enrolment.
    Enrolment(Box<Enrolment>),
    /// Which enrolment.
    Enrolled(EnrolmentId),
    /// A record and the answer to it.
    Record(RecordNote),
    /// A sale.
    Sale(Box<Sale>),
    /// Which sale.
    Sold(Id),
    /// A merchant.
    Merchant(Merchant),
    /// Which merchant.
    Sells(MerchantId),
    /// A case.
    Case(Case),
    /// Changes of settings, oldest first.
    Settings(Vec<Change>),
    /// What a form was answered.
    Form(FormNote),
    /// The newest restore.
    Epoch(Epoch),
    /// How a card was found.
    Met(Met),
    /// Number of the epoch in which a card last began to agree with the book.
    Agreed(u64),
    /// Debits of a card.
    Spent(Box<Spent>),
    /// Newest case about each kind of odd debits.
    Odd(Vec<OddDebits>),
    /// A refund.
    Refund(Box<Refund>),
    /// What went back of a payment.
    Repaid(Repaid),
    /// A payment in suspense.
    Suspended(SuspendedPayment),
    /// A case that is done with.
    CaseEnded(Box<Ended>),
    /// The case of a refund that is none of ours, and what was last told of it.
    ForeignRefund(ForeignRefund),
    /// A change of a card's state.
    CardChange(CardChange),
    /// Reports of lost cards lately.
    LossReports(Reports),
    /// An access token.
    Credential(Box<Credential>),
    /// What a program was answered.
    Answer(Box<AnswerNote>),
    /// The newest messages, how far they are read, and reminders to come.
    Inbox(Box<Inbox>),
    /// Messages, oldest first.
    Messages(Vec<Received>),
    /// A session.
    KindSession(Session),
    /// Bound or ended.
    Binding(Binding),
    /// A webhook.
    Webhook(Box<Webhook>),
    /// How far a webhook has been told.
    Delivery(Box<Delivery>),
    /// Epochs, oldest first.
    Lineage(Vec<Began>),
    /// Keys of access tokens, oldest first.
    Tokens(Vec<[u8; 32]>),
}

/// Tries at the password door with numbers that nobody has: an attack on many numbers shows here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// The campus day that `tries` counts for.
    pub day: u32,
    /// Tries on that day.
    pub tries: u32,
}

/// A holder's orders, as far as limits look at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Orders that can still be paid, with their amounts (M29).
    pub open: Vec<(OrderNo, ledger::Fen)>,
    /// The campus day `today` counts for.
    pub day: u32,
    /// Orders made on that day, without those that closed unpaid.
    pub today: ledger::Fen,
}

/// What became of a provider's payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentNote {
    /// The order it names, if it is one of ours.
    pub order: Option<OrderNo>,
    /// The case it went to, when it was not credited.
    pub case: Option<CaseId>,
}

/// A payment that was not credited: its money lies in the suspense of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspendedPayment {
    /// The payment.
    pub payment: rules::refund::Payment,
    /// The order of ours that it names, and whose that is.
    pub of: Option<(PersonId, OrderNo)>,
}

/// A refund that was not made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRefund {
    /// The case about it.
    pub case: CaseId,
    /// What was last told of it.
    pub told: String,
    /// What of its payment counts as given back by it.
    pub counted: ledger::Fen,
}

/// Debits of one enrolment that are odd in the same way: one case tells of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddDebits {
    /// What is odd.
    pub kind: rules::case::Kind,
    /// The newest case about it.
    pub case: CaseId,
    /// How many debits it tells of.
    pub debits: u64,
    /// The first of them, for a person to read.
    pub first: String,
}

/// One enrolment of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Its identifier; new for each enrolment (M19).
    pub id: EnrolmentId,
    /// Number of the terminal on the card's side.
    pub terminal: TerminalNo,
    /// Who sells there.
    pub merchant: MerchantId,
    /// Where it stands, in Chinese.
    pub place_zh: String,
    /// Where it stands, in English.
    pub place_en: String,
    /// SHA-256 of the certificate it shows.
    pub certificate: [u8; 32],
    /// Highest record number that came.
    pub last_seq: u64,
    /// Every record up to here came.
    pub contiguous: u64,
    /// Numbers above `contiguous` that came.
    pub beyond: Vec<u64>,
    /// It takes no part until someone looked.
    pub quarantined: bool,
    /// A later enrolment took its place.
    pub replaced: bool,
}

/// A record of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordNote {
    /// Hash of the record; all zero for a tombstone (M17).
    pub hash: [u8; 32],
    /// The answer, as it was sent.
    pub answer: Vec<u8>,
    /// The sale it made or belongs to.
    pub sale: Option<Id>,
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its identifier.
    pub id: MerchantId,
    /// Short name, unique in the school, as imports and the command line use it.
    pub code: String,
    /// Name in Chinese.
    pub name_zh: String,
    /// Name in English.
    pub name_en: String,
}

/// A form and its answer (I5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormNote {
    /// Hash of what the form said.
    pub input: [u8; 32],
    /// What it made.
    pub made: Id,
    /// When.
    pub at: ledger::Micros,
}

/// What a program was answered to a changing call, to be told again when it asks again (I5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerNote {
    /// Whose call it was.
    pub owner: Id,
    /// Hash of what was asked.
    pub input: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// Where what was made is found, if something was.
    pub location: Option<String>,
    /// The body.
    pub body: String,
    /// When.
    pub at: ledger::Micros,
}

/// Names of lists.
pub mod lists {
    /// A holder's credited top-ups by time of credit.
    pub const CREDITED: &str = "credited_of_person";
    /// Orders that must be looked at, by due time.
    pub const DUE_ORDERS: &str = "orders_due";
    /// A holder's sales by time.
    pub const SALES: &str = "sales_of_person";
    /// A holder's cards.
    pub const CARDS: &str = "cards_of_person";
    /// A card's load attempts by number.
    pub const ATTEMPTS: &str = "attempts_of_card";
    /// Holders by time of opening.
    pub const PEOPLE: &str = "people";
    /// Open cases by time.
    pub const CASES: &str = "cases";
    /// Cases that are done with, by the time of their end.
    pub const CASES_ENDED: &str = "cases_ended";
    /// Refunds that must be looked at, by due time.
    pub const REFUNDS_DUE: &str = "refunds_due";
    /// Refunds that concern a holder, by time of making.
    pub const REFUNDS: &str = "refunds_of_person";
    /// Cards with debits that are missing, by the time at which somebody must be told.
    pub const MISSING_DUE: &str = "missing_due";
    /// Merchants.
    pub const MERCHANTS: &str = "merchants";
    /// Enrolments.
    pub const ENROLMENTS: &str = "enrolments";
    /// Sessions of a holder, by absolute end.
    pub const SESSIONS: &str = "sessions_of_person";
    /// Changes of a holder's cards, by time.
    pub const CARD_CHANGES: &str = "card_changes_of_person";
    /// Access tokens of a holder, or of the school, by time of making.
    pub const CREDENTIALS: &str = "credentials_of_owner";
    /// Answers to changing calls of a holder's programs, by time.
    pub const ANSWERS: &str = "answers_of_owner";
    /// Holders of whom money waits for the card, by the time at which somebody must look at it (R36).
    pub const REMINDERS_DUE: &str = "reminders_due";
    /// Webhooks, by time of adding.
    pub const WEBHOOKS: &str = "webhooks";
}

stored_enum!(Row {
    1 => Person(person),
    2 => Holder(person),
    3 => Session(session),
    4 => Card(card),
    5 => Waiting(items),
    6 => Order(order),
    7 => Ordered(ordered),
    8 => Payment(note),
    9 => Attempt(attempt),
    10 => Applied(k),
    11 => Enrolment(enrolment),
    12 => Enrolled(enrolment),
    13 => Record(note),
    14 => Sale(sale),
    15 => Sold(sale),
    16 => Merchant(merchant),
    17 => Case(case),
    18 => Settings(changes),
    19 => Form(note),
    20 => Sells(merchant),
    21 => Strangers(strangers),
    22 => Epoch(epoch),
    23 => Met(met),
    24 => Refund(refund),
    25 => Repaid(repaid),
    26 => Suspended(payment),
    27 => CaseEnded(ended),
    28 => ForeignRefund(told),
    29 => Agreed(epoch),
    30 => Spent(spent),
    31 => Odd(cases),
    40 => CardChange(change),
    41 => LossReports(reports),
    55 => Credential(credential),
    56 => Answer(note),
    44 => Inbox(inbox),
    45 => Messages(messages),
    49 => KindSession(session),
    50 => Binding(binding),
    59 => Webhook(webhook),
    60 => Delivery(delivery),
    61 => Lineage(epochs),
    62 => Tokens(keys),
});

/// Accessors that turn a looked-up row into what it must be.
macro_rules! rows_of {
    ($($get:ident: $variant:ident => $kind:ty),* $(,)?) => {
        impl Row {
            $(
                /// The row as this kind; `None` when the key's table holds another kind, which no command writes.
                pub fn $get(&self) -> Option<&$kind> {
                    if let Row::$variant(value) = self { Some(value) } else { None }
                }
            )*
        }
    };
}
rows_of! {
    person: Person => Person,
    holder: Holder => PersonId,
    strangers: Strangers => Strangers,
    card: Card => Card,
    waiting: Waiting => Vec<Item>,
    order: Order => Order,
    ordered: Ordered => Ordered,
    payment: Payment => PaymentNote,
    attempt: Attempt => Attempt,
    enrolment: Enrolment => Enrolment,
    enrolled: Enrolled => EnrolmentId,
    record: Record => RecordNote,
    sale: Sale => Sale,
    sold: Sold => Id,
    merchant: Merchant => Merchant,
    sells: Sells => MerchantId,
    case: Case => Case,
    settings: Settings => Vec<Change>,
    form: Form => FormNote,
    epoch: Epoch => Epoch,
    met: Met => Met,
    refund: Refund => Refund,
    repaid: Repaid => Repaid,
    suspended: Suspended => SuspendedPayment,
    case_ended: CaseEnded => Ended,
    foreign_refund: ForeignRefund => ForeignRefund,
    spent: Spent => Spent,
    odd: Odd => Vec<OddDebits>,
    card_change: CardChange => CardChange,
    loss_reports: LossReports => Reports,
    credential: Credential => Credential,
    answer: Answer => AnswerNote,
    inbox: Inbox => Inbox,
    messages: Messages => Vec<Received>,
    binding: Binding => Binding,
    webhook: Webhook => Webhook,
    delivery: Delivery => Delivery,
    lineage: Lineage => Vec<Began>,
    tokens: Tokens => Vec<[u8; 32]>,
}

impl Row {
    /// The row as a session, of whichever form; `None` when the key's table holds another kind, which no command writes.
    pub fn session(&self) -> Option<Session> {
        match self {
            Row::Session(early) => Some(early.today()),
            Row::KindSession(session) => Some(session.clone()),
            _ => None,
        }
    }
}
