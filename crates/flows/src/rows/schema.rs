//! Where each row is kept and found: its table, the bytes of its key, and the lists it stands in.

use ledger::{CodecError, Reader, Writer};
use rules::top_up::State;
use teller::{Listing, Schema};

use super::{Campus, Key, Row, lists};
use crate::stored::Stored;

impl Schema for Campus {
    type Key = Key;
    type Row = Row;

    const TABLES: &'static [&'static str] = &[
        "person",
        "number",
        "document",
        "strangers",
        "session",
        "card",
        "waiting",
        "top_up_order",
        "ordered",
        "payment",
        "attempt",
        "applied",
        "enrolment",
        "terminal",
        "record",
        "sale",
        "debited",
        "counted",
        "certificate",
        "merchant",
        "merchant_code",
        "open_case",
        "settings",
        "form",
        "epoch",
        "met",
        "refund",
        "repaid",
        "suspended",
        "foreign_refund",
        "agreed",
        "spent",
        "odd",
        "card_change",
        "loss_reports",
        "credential",
        "answer",
        "inbox",
        "messages",
        "wechat_user",
        "binding",
        "webhook",
        "delivery",
        "lineage",
        "tokens",
    ];

    const LISTS: &'static [&'static str] = &[
        lists::CREDITED,
        lists::DUE_ORDERS,
        lists::SALES,
        lists::CARDS,
        lists::ATTEMPTS,
        lists::PEOPLE,
        lists::CASES,
        lists::CASES_ENDED,
        lists::REFUNDS_DUE,
        lists::REFUNDS,
        lists::MISSING_DUE,
        lists::MERCHANTS,
        lists::ENROLMENTS,
        lists::SESSIONS,
        lists::CARD_CHANGES,
        lists::CREDENTIALS,
        lists::ANSWERS,
        lists::REMINDERS_DUE,
        lists::WEBHOOKS,
    ];

    fn table(key: &Key) -> &'static str {
        match key {
            Key::Person(_) => "person",
            Key::Number(_) => "number",
            Key::Document(_) => "document",
            Key::Strangers => "strangers",
            Key::Session(_) => "session",
            Key::Card(_) => "card",
            Key::Waiting(_) => "waiting",
            Key::Order(_) => "top_up_order",
            Key::Ordered(_) => "ordered",
            Key::Payment(..) => "payment",
            Key::Attempt(..) => "attempt",
            Key::Applied(..) => "applied",
            Key::Enrolment(_) => "enrolment",
            Key::Terminal(_) => "terminal",
            Key::Record(..) => "record",
            Key::Sale(_) => "sale",
            Key::Debited(..) => "debited",
            Key::Counted(..) => "counted",
            Key::Certificate(_) => "certificate",
            Key::Merchant(_) => "merchant",
            Key::MerchantCode(_) => "merchant_code",
            Key::Case(_) => "open_case",
            Key::Settings => "settings",
            Key::Form(..) => "form",
            Key::Epoch => "epoch",
            Key::Met(_) => "met",
            Key::Agreed(_) => "agreed",
            Key::Spent(_) => "spent",
            Key::Odd(_) => "odd",
            Key::Refund(_) => "refund",
            Key::Repaid(..) => "repaid",
            Key::Suspended(_) => "suspended",
            Key::ForeignRefund(..) => "foreign_refund",
            Key::CardChange(..) => "card_change",
            Key::LossReports(_) => "loss_reports",
            Key::Credential(_) => "credential",
            Key::Tokens(_) => "tokens",
            Key::Answer(..) => "answer",
            Key::Inbox(_) => "inbox",
            Key::Messages(..) => "messages",
            Key::WeChatUser(_) => "wechat_user",
            Key::Binding(_) => "binding",
            Key::Webhook(_) => "webhook",
            Key::Delivery(_) => "delivery",
            Key::Lineage => "lineage",
        }
    }

    fn key_bytes(key: &Key) -> Vec<u8> {
        let mut out = Writer::new();
        match key {
            Key::Person(id) | Key::Waiting(id) | Key::Ordered(id) => id.write(&mut out),
            Key::Number(text) | Key::MerchantCode(text) => {
                out.raw(text.as_bytes());
            }
            Key::Document(hash) | Key::Session(hash) | Key::Certificate(hash) => hash.write(&mut out),
            Key::Card(no) | Key::Met(no) | Key::Agreed(no) | Key::Spent(no) => no.write(&mut out),
            Key::Order(no) => no.write(&mut out),
            Key::Payment(channel, number) | Key::Repaid(channel, number) | Key::ForeignRefund(channel, number) => {
                out.u8(*channel).raw(number.as_bytes());
            }
            Key::Refund(no) => no.write(&mut out),
            Key::Attempt(card, k) => (*card, *k).write(&mut out),
            Key::Applied(card, n) | Key::Debited(card, n) => (*card, *n).write(&mut out),
            Key::Enrolment(id) | Key::Odd(id) => id.write(&mut out),
            Key::Terminal(no) => no.write(&mut out),
            Key::Record(enrolment, seq) => (*enrolment, *seq).write(&mut out),
            Key::Sale(id) => id.write(&mut out),
            Key::Counted(card, terminal, tsn, date, time) => {
                (*card, *terminal).write(&mut out);
                (*tsn, *date).write(&mut out);
                time.write(&mut out);
            }
            Key::Merchant(id) => id.write(&mut out),
            Key::Case(id) | Key::Suspended(id) => id.write(&mut out),
            Key::Settings | Key::Strangers | Key::Epoch => {}
            Key::Form(person, key) => (*person, *key).write(&mut out),
            Key::CardChange(card, change) => (*card, *change).write(&mut out),
            Key::LossReports(person) => person.write(&mut out),
            Key::Credential(hash) => hash.write(&mut out),
            Key::Tokens(owner) => {
                out.raw(&crate::credential::owner(*owner));
            }
            Key::Answer(owner, key) => (*owner, *key).write(&mut out),
            Key::Inbox(person) => person.write(&mut out),
            Key::Messages(person, place) => (*person, *place).write(&mut out),
            Key::WeChatUser(hash) => hash.write(&mut out),
            Key::Binding(person) => person.write(&mut out),
            Key::Webhook(name) => {
                out.raw(name.as_bytes());
            }
            Key::Delivery(id) => id.write(&mut out),
            Key::Lineage => {}
        }
        out.done()
    }

    fn encode(row: &Row) -> Vec<u8> {
        let mut out = Writer::new();
        row.write(&mut out);
        out.done()
    }

    fn decode(_: &Key, body: &[u8]) -> Result<Row, CodecError> {
        read(body)
    }

    fn listings(key: &Key, row: &Row) -> Vec<Listing> {
        places(&Campus::key_bytes(key), row)
    }
}

fn read(body: &[u8]) -> Result<Row, CodecError> {
    let mut from = Reader::new(body);
    let row = Row::read(&mut from)?;
    from.end()?;
    Ok(row)
}

impl Campus {
    /// Lists in which a row is to be found, from its key and body as a store keeps them. Errors: as `decode`.
    pub fn listings_of_stored(key: &[u8], body: &[u8]) -> Result<Vec<Listing>, CodecError> {
        Ok(places(key, &read(body)?))
    }
}

fn places(key: &[u8], row: &Row) -> Vec<Listing> {
    let place = |list, owner: &[u8], at: ledger::Micros| Listing {
        list,
        owner: owner.to_vec(),
        at: at.get(),
        key: key.to_vec(),
    };
    match row {
        Row::Order(order) => {
            let due = order.due_at.map(|at| place(lists::DUE_ORDERS, &[], at));
            let mut places: Vec<Listing> = due.into_iter().collect();
            if let State::Credited(credited) = &order.state {
                places.push(place(lists::CREDITED, &order.person.0.bytes(), credited.at));
            }
            places
        }
        Row::Sale(sale) => {
            sale.person.map(|person| place(lists::SALES, &person.0.bytes(), sale.at)).into_iter().collect()
        }
        Row::Card(card) => vec![place(lists::CARDS, &card.person.0.bytes(), card.since)],
        Row::Attempt(attempt) => {
            vec![place(lists::ATTEMPTS, &attempt.card.0.to_be_bytes(), attempt.released_at)]
        }
        Row::Person(person) => vec![place(lists::PEOPLE, &[], person.opened_at)],
        Row::Case(case) => vec![place(lists::CASES, &[], case.opened_at)],
        Row::CaseEnded(ended) => vec![place(lists::CASES_ENDED, &[], ended.at)],
        Row::Refund(refund) => {
            let due = refund.due_at.map(|at| place(lists::REFUNDS_DUE, &[], at));
            let of = refund.origin.of().map(|(person, _)| place(lists::REFUNDS, &person.0.bytes(), refund.made_at));
            due.into_iter().chain(of).collect()
        }
        Row::Spent(spent) => spent.due_at.map(|at| place(lists::MISSING_DUE, &[], at)).into_iter().collect(),
        Row::Merchant(_) => vec![place(lists::MERCHANTS, &[], ledger::Micros::default())],
        Row::Enrolment(_) => vec![place(lists::ENROLMENTS, &[], ledger::Micros::default())],
        Row::Session(session) => vec![place(lists::SESSIONS, &session.person.0.bytes(), session.ends_at)],
        Row::CardChange(change) => vec![place(lists::CARD_CHANGES, &change.person.0.bytes(), change.at)],
        Row::Credential(credential) => {
            vec![place(lists::CREDENTIALS, &crate::credential::owner(credential.subject), credential.made_at)]
        }
        Row::Answer(note) => vec![place(lists::ANSWERS, &note.owner.bytes(), note.at)],
        Row::Inbox(inbox) => inbox.look_at.map(|at| place(lists::REMINDERS_DUE, &[], at)).into_iter().collect(),
        Row::KindSession(session) => vec![place(lists::SESSIONS, &session.person.0.bytes(), session.ends_at)],
        Row::Webhook(webhook) => vec![place(lists::WEBHOOKS, &[], webhook.made_at)],
        Row::Holder(_)
        | Row::Messages(_)
        | Row::Strangers(_)
        | Row::Waiting(_)
        | Row::Ordered(_)
        | Row::Payment(_)
        | Row::Applied(_)
        | Row::Enrolled(_)
        | Row::Record(_)
        | Row::Sold(_)
        | Row::Sells(_)
        | Row::Settings(_)
        | Row::Form(_)
        | Row::Epoch(_)
        | Row::Met(_)
        | Row::Agreed(_)
        | Row::Odd(_)
        | Row::Repaid(_)
        | Row::Suspended(_)
        | Row::ForeignRefund(_)
        | Row::Binding(_)
        | Row::Delivery(_)
        | Row::Lineage(_)
        | Row::Tokens(_)
        | Row::LossReports(_) => Vec::new(),
    }
}
