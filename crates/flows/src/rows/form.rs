//! The stored form of every row, field by field. A new field goes to the end of a new row kind, never into an old one.

use rules::agent::{Agent, Browser, System};
use rules::binding::{Binding, State as BindingState};
use rules::card::{Actor, Card, Change as CardChange, Place, Reports, State as CardState, Why};
use rules::case::{Case, Ended, Kind as CaseKind};
use rules::chart::Channel;
use rules::credential::{Credential, Scope, Subject};
use rules::epoch::{Epoch, Met};
use rules::event::{Began, Cursor, Kind as EventKind};
use rules::limits::{Change, Setting};
use rules::load::{Attempt, Item, Session as LoadSession, Source, State as LoadState};
use rules::message::{Back, Inbox, Message, Received};
use rules::password::{Password, Secret};
use rules::person::{Person, Standing};
use rules::purchase::{Debit, Sale, State as SaleState};
use rules::refund::{Cause, Failure, Origin, Payment, Refund, Repaid, State as RefundState};
use rules::roster::Category;
use rules::session::Kind as SessionKind;
use rules::spent::{Loaded, Run, Spent};
use rules::top_up::{Arrival, Credited, Order, Scene, State as OrderState, Suspicion, Ticket};
use rules::waiting::Reminder;

use super::{
    AnswerNote, Enrolment, ForeignRefund, FormNote, Merchant, OddDebits, Ordered, PaymentNote, RecordNote, Strangers,
    SuspendedPayment,
};
use crate::session::{EarlySession, Entry, Session};
use crate::stored::{Stored, stored_enum, stored_struct};
use crate::webhook::{Delivery, Last, SealedSecret, Webhook};

impl<T: Stored> Stored for Box<T> {
    fn write(&self, out: &mut ledger::Writer) {
        (**self).write(out);
    }
    fn read(from: &mut ledger::Reader<'_>) -> Result<Self, ledger::CodecError> {
        T::read(from).map(Box::new)
    }
}

stored_struct! {
    Person { number, category, department, name, document, identity_card, phone, standing, opened_at, password, card }
    Password { secret, tries, locked_until }
    Strangers { day, tries }
    EarlySession { person, entry, made_at, seen_at, ends_at, must_change }
    Card { no, person, state, since, n, attempt, released, unconfirmed, awaiting }
    Item { source, amount, since }
    Order { no, person, channel, amount, arrival, scene, created_at, expires_at, state, queried, due_at }
    Credited { transaction, paid_at, at, late, on_card_at }
    Ordered { open, day, today }
    PaymentNote { order, case }
    Attempt { card, k, session, date, time, items, pend, released_at, state }
    LoadSession { old_balance, n, key_version, algorithm, random, mac1, amount, terminal }
    Enrolment {
        id, terminal, merchant, place_zh, place_en, certificate, last_seq, contiguous, beyond, quarantined,
        replaced,
    }
    RecordNote { hash, answer, sale }
    Sale { id, asked_by, card, person, merchant, amount, at, state, debit }
    Debit { old_balance, m, terminal, tsn, date, time, key_version, algorithm }
    Merchant { id, code, name_zh, name_en }
    Case { id, kind, opened_at, reference, amount, detail }
    Change { setting, value, from, set_at, set_by }
    FormNote { input, made, at }
    Epoch { number, since, orders_asked }
    Met { epoch, case, late }
    Ended { case, at, by, how }
    Refund {
        no, channel, transaction, total, amount, reason, origin, made_at, made_by, approved_by, state, sent_at, heard_at,
        due_at, cases,
    }
    Payment { channel, transaction, total, paid_at }
    Repaid { back, foreign, live, all, newest_at }
    SuspendedPayment { payment, of }
    ForeignRefund { case, told, counted }
    Spent { epoch, first, next, beyond, due_at, case, loads }
    OddDebits { kind, case, debits, first }
    Run { first, last, since, told }
    Loaded { old_balance, amount, at }
    CardChange { id, card, person, from, to, at, by, place, why }
    Reports { since, count }
    Credential { subject, name, scopes, made_at, expires_at, used_at, revoked_at }
    AnswerNote { owner, input, status, location, body, at }
    Inbox { newest, read, messages, reminders, look_at }
    Received { no, at, message }
    Reminder { order, since, told, failed, case }
    Session { person, kind, agent, made_at, seen_at, ends_at, proved_at, must_change }
    Agent { browser, system, hash }
    Binding { state, at }
}

stored_enum!(Category { 1 => Student, 2 => Staff });
stored_enum!(Standing { 1 => Open, 2 => Closed });
stored_enum!(Secret { 1 => Initial, 2 => Own { hash, set_at } });
stored_enum!(Subject { 1 => Person(person), 2 => School });
stored_enum!(Scope { 1 => Read, 2 => TopUp, 3 => Card, 4 => EventsRead, 5 => EventsNumbers });
stored_enum!(Entry { 1 => Browser });
stored_enum!(SessionKind { 1 => Holder, 2 => WeChat, 3 => Kiosk, 4 => Device, 5 => Staff });
stored_enum!(BindingState { 1 => Bound { user }, 2 => Ended { by } });
stored_enum!(Browser { 1 => Other, 2 => WeChat, 3 => Alipay, 4 => Edge, 5 => Firefox, 6 => Chrome, 7 => Safari });
stored_enum!(System {
    1 => Other,
    2 => Harmony,
    3 => Android,
    4 => IPhone,
    5 => IPad,
    6 => Windows,
    7 => Mac,
    8 => Linux,
});
stored_enum!(CardState { 1 => Issued, 2 => Active, 3 => Lost, 4 => Damaged, 5 => Replaced, 6 => Closed });
stored_enum!(Source { 1 => Order(no), 2 => Float });
stored_enum!(Channel { 1 => WeChat });
stored_enum!(Arrival { 1 => Tap, 2 => Instant });
stored_enum!(Scene { 1 => InWeChat { openid }, 2 => PhoneBrowser { address }, 3 => Scan });
stored_enum!(Ticket { 1 => Prepaid(id), 2 => Address(address), 3 => Code(code) });
stored_enum!(OrderState {
    1 => Created,
    2 => Unknown { since },
    3 => Paying { ticket },
    4 => ExpiredLocal { since },
    5 => Closed { at },
    6 => Credited(credited),
    7 => InCase { at, case },
});
stored_enum!(Origin { 1 => Waiting { person, order }, 2 => Account { person, order }, 3 => Case { case, of } });
stored_enum!(Failure { 1 => Closed, 2 => Refused { code } });
stored_enum!(RefundState {
    1 => Held,
    2 => Sent,
    3 => Short { since },
    4 => Processing { since },
    5 => Abnormal { since },
    6 => Settled { at },
    7 => Released { at, why },
});
stored_enum!(LoadState { 1 => Released, 2 => Applied { at }, 3 => NotApplied { at }, 4 => Doubted });
stored_enum!(SaleState {
    1 => Paid,
    2 => Reversed,
    3 => AwaitingPurse,
    4 => CalledOff,
    5 => FromPurse,
    6 => Unconfirmed,
    7 => NotDebited,
    8 => Suspended(case),
    9 => Untold(case),
    10 => ByBalance(case),
});
stored_enum!(CaseKind {
    1 => PaymentUnknownOrder,
    2 => PaymentMismatch,
    3 => PaymentTwice,
    4 => PaymentAccountClosed,
    5 => CardRolledBack,
    6 => CardAhead,
    7 => PurseAhead,
    8 => LoadTacWrong,
    9 => SaleTacWrong,
    10 => SaleOverspent,
    11 => SaleConflict,
    12 => SaleUnknownCard,
    13 => SaleAfterReversal,
    14 => TerminalQuarantined,
    15 => SaleAheadOfBook,
    16 => SaleForgotten,
    17 => RecordsForgotten,
    18 => SaleUntold,
    19 => LoadUntold,
    20 => RefundShort,
    21 => RefundAbnormal,
    22 => RefundFailed,
    23 => RefundUnknown,
    24 => RefundDiffers,
    25 => RefundContradicted,
    26 => PaymentGivenBack,
    27 => CardCloned,
    28 => SaleCardStopped,
    29 => SaleChainBroken,
    30 => SaleDateOdd,
    31 => SaleTerminalStopped,
    32 => SaleMissing,
    33 => SaleDisplaced,
    36 => WaitingNotReturned,
    38 => WebhookPaused,
});
stored_enum!(Actor { 1 => Holder, 2 => Office, 3 => Platform });
stored_enum!(Place { 1 => Pages, 2 => WeChat, 3 => Program, 4 => Office, 5 => Terminal(enrolment) });
stored_enum!(Why { 1 => HandedOut, 2 => ReportedLost, 3 => Alarm(case) });
stored_enum!(Message {
    1 => Credited { order, amount, arrival, late },
    2 => Loaded { card, amount, order, more },
    3 => RefundBegun { refund, order, amount, cause },
    4 => RefundSettled { refund, order, amount },
    5 => RefundFailed { refund, order, amount, back },
    6 => PaymentInCase { order, amount, why },
    7 => StillWaiting { order, amount, since, returns_at },
    8 => PasswordChanged,
    9 => CardLost { card },
    10 => WeChatBound,
    11 => WeChatUnbound,
    12 => SignedInElsewhere,
    13 => TokenMade,
});
stored_enum!(Back { 1 => Waiting, 2 => InAccount, 3 => InCase });
stored_enum!(Cause { 1 => Person, 2 => Twice, 3 => AccountClosed, 4 => NotLoaded });
stored_enum!(Suspicion { 1 => Mismatch, 2 => Twice, 3 => AccountClosed, 4 => GivenBack });

impl Stored for Setting {
    fn write(&self, out: &mut ledger::Writer) {
        self.spec().name.to_owned().write(out);
    }
    fn read(from: &mut ledger::Reader<'_>) -> Result<Self, ledger::CodecError> {
        Setting::from_name(&String::read(from)?).ok_or(ledger::CodecError::Unknown)
    }
}

stored_struct! {
    Webhook { id, name, url, secrets, kinds, numbers, made_at, made_by }
    SealedSecret { sealed, until }
    Delivery { cursor, told, failing_since, failures, due_at, last, paused }
    Last { at, status, events }
    Cursor { epoch, seq }
    Began { number, after, at }
}

stored_enum!(EventKind {
    1 => TopUpCredited,
    2 => CardLoaded,
    3 => PurchasePaid,
    4 => PurchaseReversed,
    5 => RefundHeld,
    6 => RefundSettled,
    7 => RefundReleased,
    8 => MoneySetAside,
    9 => MoneyFreed,
    10 => MoneyMoved,
    11 => BookRestored,
});
