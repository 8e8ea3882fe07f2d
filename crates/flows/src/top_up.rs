//! A top-up through WeChat: made, told to the provider, paid, credited (R17 to R22, R27 to R30, R67).
//!
//! Three doors lead to the same [`Settle`] command: a notice, a query that is due, and a query because the holder looks.
//! Whichever comes first credits; the others find it done.

use ledger::{Fen, Id, Micros, Stage, Transfer};
use rules::calendar::campus_day;
use rules::chart::{self, Reason};
use rules::ids::{CaseId, OrderNo, PersonId, RefundNo};
use rules::limits::Limits;
use rules::load::{Item, Source};
use rules::message::Message;
use rules::person::Standing;
use rules::top_up::{self, Arrival, Effect, Event, OpenFacts, OpenRefusal, Order, Paid, Scene, State, Ticket};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::ports::{Bridge, ChannelError, Notice, NoticeFault, Payment, PrepayWish, RawNotice, Trade};
use crate::refund::Heard;
use crate::rows::{Campus, FormNote, Key, Ordered, PaymentNote, Row};
use crate::school::fault_words;
use crate::suspense::{self, Confirm, Unexplained, payment_key};
use crate::{ReadFault, School, alarm, inbox, refund, waiting};

/// Makes an order. Keyed by the form: the same form again gives the same order (I5).
struct Open {
    person: PersonId,
    amount: Fen,
    scene: Scene,
    form: [u8; 16],
    input: [u8; 32],
    no: OrderNo,
}

/// Why no order was made.
enum OpenStop {
    Rule(OpenRefusal),
    OtherInput,
    NobodyThere,
    AfterRestore,
}

impl Command<Campus> for Open {
    type Answer = OrderNo;
    type Refusal = OpenStop;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![
            Key::Person(self.person),
            Key::Ordered(self.person),
            Key::Order(self.no),
            Key::Form(self.person, self.form),
            Key::Settings,
            Key::Epoch,
        ];
        let holder = seen.row(&Key::Person(self.person)).and_then(Row::person);
        keys.extend(holder.and_then(|holder| holder.card).map(Key::Card));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<OrderNo, Halt<Campus, OpenStop>> {
        if let Some(form) = desk.get(&Key::Form(self.person, self.form))?.and_then(Row::form) {
            return match form.input == self.input {
                true => Ok(OrderNo::from_id(form.made)),
                false => Err(Halt::Refuse(OpenStop::OtherInput)),
            };
        }
        if crate::epoch::newest(desk)?.is_some_and(|epoch| !epoch.orders_asked) {
            return Err(Halt::Refuse(OpenStop::AfterRestore));
        }
        let now = desk.now();
        let limits = limits_on(desk)?;
        let holder = desk.get(&Key::Person(self.person))?.and_then(Row::person).cloned();
        let Some(holder) = holder else { return Err(Halt::Refuse(OpenStop::NobodyThere)) };
        let card = match holder.card {
            Some(no) => desk.get(&Key::Card(no))?.and_then(Row::card).cloned(),
            None => None,
        };
        let mut ordered = ordered_on(desk, self.person, now)?;
        let holds = holds(desk, self.person, card.as_ref().map(|card| card.no));
        let open_orders = Fen::sum(ordered.open.iter().map(|(_, amount)| *amount)).unwrap_or(Fen::ZERO);
        let facts = OpenFacts {
            limits: &limits,
            standing: holder.standing,
            card: card.map(|card| card.state),
            holds,
            open_orders,
            ordered_today: ordered.today,
        };
        top_up::check_open(self.amount, &facts).map_err(|refusal| Halt::Refuse(OpenStop::Rule(refusal)))?;
        if desk.get(&Key::Order(self.no))?.is_some() {
            return Err(Halt::Refuse(OpenStop::Rule(OpenRefusal::NumberTaken)));
        }
        let order = Order::new(self.no, self.person, self.amount, self.scene.clone(), &limits, now);
        ordered.open.push((self.no, self.amount));
        ordered.today = ordered.today.plus(self.amount).unwrap_or(ordered.today);
        desk.put(Key::Ordered(self.person), Row::Ordered(ordered))?;
        desk.put(Key::Order(self.no), Row::Order(Box::new(order)))?;
        let note = FormNote { input: self.input, made: self.no.id(), at: now };
        desk.put(Key::Form(self.person, self.form), Row::Form(note))?;
        Ok(self.no)
    }
}

fn limits_on(desk: &Desk<'_, Campus>) -> Result<Limits, teller::NotLoaded<Key>> {
    let history = desk.get(&Key::Settings)?.and_then(Row::settings);
    Ok(Limits::at(history.map_or(&[], Vec::as_slice), desk.now()))
}

fn ordered_on(desk: &Desk<'_, Campus>, person: PersonId, now: Micros) -> Result<Ordered, teller::NotLoaded<Key>> {
    let mut ordered = desk.get(&Key::Ordered(person))?.and_then(Row::ordered).cloned().unwrap_or_default();
    let day = campus_day(now).0;
    if ordered.day != day {
        ordered = Ordered { day, today: Fen::ZERO, ..ordered };
    }
    Ok(ordered)
}

/// Everything that is the holder's now.
fn holds(desk: &Desk<'_, Campus>, person: PersonId, card: Option<rules::ids::CardNo>) -> Fen {
    let mut accounts = vec![chart::available(person), chart::awaiting_tap(person)];
    accounts.extend(card.map(chart::on_card));
    Fen::sum(accounts.iter().map(|key| desk.account(key).balance())).unwrap_or(Fen::ZERO)
}

/// Why a holder's wish to top up came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The rules or the form say no.
    Refused(Words),
    /// The server could not do it; nothing was done.
    Fault(Words),
}

impl Refusal {
    /// What the holder is told.
    pub fn words(&self) -> &Words {
        match self {
            Refusal::Refused(words) | Refusal::Fault(words) => words,
        }
    }
}

/// Makes a top-up order of `amount` yuan as typed, to be paid in `scene`.
///
/// Errors: [`Refusal::Refused`] with the words of [`OpenRefusal`] in its order, `FORM_REUSED` for a form whose key came
/// with other input before; [`Refusal::Fault`] when nothing could be decided.
/// Repeats: the same form gives the same order. Source: R17, R19 to R22, R28.
pub async fn open(
    school: &School,
    person: PersonId,
    amount: &str,
    scene: Scene,
    form: [u8; 16],
) -> Result<OrderNo, Refusal> {
    let amount = Fen::parse_yuan(amount).map_err(|fault| Refusal::Refused(OpenRefusal::Text(fault).words()))?;
    let input = input_hash(amount, &scene);
    // An order number is 24 digits, eight of them at random: a taken one is possible, three taken in a row are not.
    for _ in 0..3 {
        let no = OrderNo::new(school.id, school.now(), school.random());
        let command = Open { person, amount, scene: scene.clone(), form, input, no };
        return match school.submit(command).await {
            Ok(no) => Ok(no),
            Err(Rejected::Refused(OpenStop::Rule(OpenRefusal::NumberTaken))) => continue,
            Err(Rejected::Refused(OpenStop::Rule(refusal))) => Err(Refusal::Refused(refusal.words())),
            Err(Rejected::Refused(OpenStop::NobodyThere)) => Err(Refusal::Refused(OpenRefusal::AccountClosed.words())),
            Err(Rejected::Refused(OpenStop::OtherInput)) => Err(Refusal::Refused(Words::new(
                "FORM_REUSED",
                "此页面已用于另一笔充值，请返回充值页重新填写。",
                "This page was used for another top-up; please go back and fill it in again.",
            ))),
            Err(Rejected::Refused(OpenStop::AfterRestore)) => Err(Refusal::Fault(rules::epoch::not_asked_yet())),
            Err(Rejected::Fault(fault)) => Err(Refusal::Fault(fault_words(&fault))),
        };
    }
    Err(Refusal::Refused(OpenRefusal::NumberTaken.words()))
}

/// The payer's network address is left out: a phone that changes its network still sends the same form.
fn input_hash(amount: Fen, scene: &Scene) -> [u8; 32] {
    let text = match scene {
        Scene::InWeChat { openid } => format!("{amount} {openid}"),
        Scene::PhoneBrowser { .. } => format!("{amount} phone browser"),
        Scene::Scan => format!("{amount} scan"),
    };
    let change = ledger::row_digest("top-up form", b"", Some(text.as_bytes()));
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(change.key.iter().chain(&change.content)) {
        *to = *from;
    }
    hash
}

/// How the payer is brought to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Inside WeChat, through its bridge.
    Bridge {
        /// What the bridge is given.
        bridge: Bridge,
        /// The provider's number of the prepared payment.
        prepay_id: String,
    },
    /// In a phone's browser: this address calls WeChat.
    Address(String),
    /// From another screen: the text of the code to scan.
    Code(String),
}

/// What the pay page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payable {
    /// It can be paid.
    Now {
        /// The order.
        order: Box<Order>,
        /// How.
        way: Way,
    },
    /// It cannot be paid (any more): its tracker tells why.
    No(Box<Order>),
    /// The provider gives no sure answer at the moment; nothing was charged; look again soon.
    Later(Box<Order>),
}

/// Prepares the payment of an order with the provider, once; later calls only read.
///
/// Repeats: a prepared order gives fresh bridge parameters for the same payment; one whose creation had no sure answer is
/// told to the provider again under the same number with the same parameters (row 13). `None` when it is not an order of
/// that person.
pub async fn prepare(school: &School, person: PersonId, no: OrderNo) -> Result<Option<Payable>, ReadFault> {
    let Some(order) = order_of(school, person, no).await? else { return Ok(None) };
    let order = match (&order.state, school.now() < order.expires_at) {
        // An address is good for five minutes only; the same order gives a fresh one.
        (State::Created | State::Unknown { .. } | State::Paying { ticket: Ticket::Address(_) }, true) => {
            tell_provider(school, &order).await.unwrap_or(order)
        }
        _ => order,
    };
    let in_time = school.now() < order.expires_at;
    Ok(Some(match &order.state {
        State::Paying { ticket } if in_time => {
            let way = match ticket {
                Ticket::Prepaid(prepay_id) => {
                    let nonce = format!("{:032x}", u128::from_be_bytes(school.random()));
                    let bridge = school.wechat.bridge(prepay_id, school.now(), &nonce);
                    Way::Bridge { bridge, prepay_id: prepay_id.clone() }
                }
                Ticket::Address(address) => Way::Address(address.clone()),
                Ticket::Code(code) => Way::Code(code.clone()),
            };
            Payable::Now { way, order: Box::new(order) }
        }
        State::Created | State::Unknown { .. } if in_time => Payable::Later(Box::new(order)),
        _ => Payable::No(Box::new(order)),
    }))
}

async fn order_of(school: &School, person: PersonId, no: OrderNo) -> Result<Option<Order>, ReadFault> {
    let order = school.row(&Key::Order(no)).await?.and_then(|row| row.order().cloned());
    Ok(order.filter(|order| order.person == person))
}

/// The same words for the same order, always: a repeated creation must be the same byte for byte (M28).
fn wish(order: &Order) -> PrepayWish {
    PrepayWish {
        order: order.no,
        amount: order.amount,
        description: "校园卡充值".to_owned(),
        scene: order.scene.clone(),
        expires_at: order.expires_at,
    }
}

async fn tell_provider(school: &School, order: &Order) -> Option<Order> {
    let event = match school.wechat.prepay(&wish(order)).await {
        Ok(ticket) => Event::Prepaid(ticket),
        Err(ChannelError::Unknown(_)) => Event::CreateUnknown,
        Err(ChannelError::Refused { .. }) => Event::CreateRefused,
    };
    news(school, order.no, event).await
}

/// Takes news of an order to the teller; gives the order as it is afterwards.
async fn news(school: &School, no: OrderNo, event: Event) -> Option<Order> {
    settle(school, no, event).await.ok().map(|settled| *settled.order)
}

/// A refund's number is 24 digits, eight of them at random: a taken one is possible, three taken in a row are not.
async fn settle(school: &School, no: OrderNo, event: Event) -> Result<Settled, Rejected<SettleStop>> {
    for _ in 0..2 {
        let refund = RefundNo::new(school.id, school.now(), school.random());
        match school.submit(Settle { no, event: event.clone(), refund }).await {
            Err(Rejected::Refused(SettleStop::NumberTaken)) => {}
            settled => return settled,
        }
    }
    let refund = RefundNo::new(school.id, school.now(), school.random());
    school.submit(Settle { no, event, refund }).await
}

/// Moves an order by one event; a payment is keyed by the provider's number for ever (M6).
struct Settle {
    no: OrderNo,
    event: Event,
    /// Number for the refund that a rule may begin.
    refund: RefundNo,
}

/// Why an order was not moved.
enum SettleStop {
    /// No such order.
    UnknownOrder,
    /// The number for the refund is taken; make another.
    NumberTaken,
}

struct Settled {
    order: Box<Order>,
    case: Option<CaseId>,
}

impl Command<Campus> for Settle {
    type Answer = Settled;
    type Refusal = SettleStop;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Order(self.no)];
        if let Event::Paid(paid) | Event::RefundedThere(paid) = &self.event {
            keys.extend(suspense::needs(&paid.transaction, self.refund));
        }
        if let Some(order) = seen.row(&Key::Order(self.no)).and_then(Row::order) {
            keys.extend([Key::Person(order.person), Key::Waiting(order.person), Key::Ordered(order.person)]);
            keys.extend([Key::Settings].into_iter().chain(inbox::needs(seen, order.person)));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Settled, Halt<Campus, SettleStop>> {
        let Some(order) = desk.get(&Key::Order(self.no))?.and_then(Row::order).cloned() else {
            return Err(Halt::Refuse(SettleStop::UnknownOrder));
        };
        let mut event = self.event.clone();
        if let Event::Paid(paid) | Event::RefundedThere(paid) = &self.event {
            if desk.get(&payment_key(&paid.transaction))?.is_some() {
                return Ok(Settled { order: Box::new(order), case: None });
            }
            // News may overtake each other: its refund was told before the payment itself (row 10).
            if suspense::given_back(desk, &paid.transaction)? {
                event = Event::RefundedThere(paid.clone());
            }
        }
        let holder = desk.get(&Key::Person(order.person))?.and_then(Row::person);
        let standing = holder.map_or(Standing::Closed, |holder| holder.standing);
        let decision = top_up::decide(&order, &event, standing, desk.now());
        let case = match (&decision.effect, &event) {
            (Effect::None, _) => None,
            (Effect::Credit, Event::Paid(paid)) => {
                credit(desk, &decision.order, paid)?;
                None
            }
            (Effect::Suspend(suspicion), Event::Paid(paid) | Event::RefundedThere(paid)) => {
                if desk.get(&Key::Refund(self.refund))?.is_some() {
                    return Err(Halt::Refuse(SettleStop::NumberTaken));
                }
                let of = Some((order.person, order.no));
                let kept = suspense::suspend(desk, suspense::kind_of(*suspicion), of, order.no.id(), paid)?;
                if !suspense::give_back(desk, self.refund, &kept, *suspicion)? {
                    let amount = kept.payment.as_ref().map_or(Fen::ZERO, |kept| kept.payment.total);
                    let message = Message::PaymentInCase { order: order.no, amount, why: *suspicion };
                    inbox::tell(desk, order.person, message)?;
                }
                Some(kept.case)
            }
            (Effect::Credit | Effect::Suspend(_), _) => {
                return Err(Halt::Broken("a credit without a payment".to_owned()));
            }
        };
        let mut order = decision.order;
        if let (State::InCase { case: known, .. }, Some(case)) = (&mut order.state, case) {
            *known = Some(case);
        }
        if !order.open() {
            close_ordered(desk, &order)?;
        }
        desk.put(Key::Order(order.no), Row::Order(Box::new(order.clone())))?;
        Ok(Settled { order: Box::new(order), case })
    }
}

fn credit(desk: &mut Desk<'_, Campus>, order: &Order, paid: &Paid) -> Result<(), Halt<Campus, SettleStop>> {
    let to = match order.arrival {
        Arrival::Tap => chart::awaiting_tap(order.person),
        Arrival::Instant => chart::available(order.person),
    };
    if order.arrival == Arrival::Tap {
        let mut items = desk.get(&Key::Waiting(order.person))?.and_then(Row::waiting).cloned().unwrap_or_default();
        items.push(Item { source: Source::Order(order.no), amount: order.amount, since: desk.now() });
        desk.put(Key::Waiting(order.person), Row::Waiting(items))?;
    }
    let note = PaymentNote { order: Some(order.no), case: None };
    desk.put(payment_key(&paid.transaction), Row::Payment(note))?;
    let transfer = Transfer {
        id: desk.new_id(),
        debit: chart::receivable(order.channel),
        credit: to,
        amount: order.amount,
        stage: Stage::Direct,
        effective_at: paid.paid_at,
        code: Reason::TopUp.number(),
        reference: order.no.id(),
    };
    desk.post(&transfer).map_err(|refusal| Halt::Broken(refusal.to_string()))?;
    let late = matches!(&order.state, State::Credited(credited) if credited.late);
    let Order { no, amount, arrival, .. } = *order;
    inbox::tell(desk, order.person, Message::Credited { order: no, amount, arrival, late })?;
    if arrival == Arrival::Tap {
        waiting::begins(desk, order.person, None)?;
    }
    Ok(())
}

/// The order no longer keeps room; one that ended unpaid gives its part of the day back (R39, M29).
fn close_ordered(desk: &mut Desk<'_, Campus>, order: &Order) -> Result<(), teller::NotLoaded<Key>> {
    let mut ordered = ordered_on(desk, order.person, desk.now())?;
    let before = ordered.open.len();
    ordered.open.retain(|(no, _)| *no != order.no);
    if ordered.open.len() == before {
        return Ok(());
    }
    let closed = matches!(order.state, State::Closed { .. });
    if closed && campus_day(order.created_at).0 == ordered.day {
        ordered.today = ordered.today.minus(order.amount).unwrap_or(Fen::ZERO).max(Fen::ZERO);
    }
    desk.put(Key::Ordered(order.person), Row::Ordered(ordered))
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// Credited, or found credited: tell the provider that all is well.
    Taken(OrderNo),
    /// News of a refund of ours: tell the provider that all is well.
    Refund(RefundNo),
    /// It went to a case, a payment with its money in suspense: tell the provider that all is well; a repeat cannot help.
    Suspended(CaseId),
    /// Not believed: say no, change nothing.
    NotBelieved(NoticeFault),
    /// Nothing could be decided: say so, the provider will come again.
    TryAgain,
}

/// Takes a notice of WeChat Pay as it came over HTTP.
///
/// Repeats: a notice of a payment that was settled changes nothing and is `Taken` again; so with a refund and `Refund`.
/// Source: decision table of payments, rows 1 to 10, 12, 24 to 26, 33.
pub async fn notice(school: &School, raw: &RawNotice<'_>) -> NoticeOutcome {
    let mut opened = school.wechat.open_notice(raw, school.now());
    // The provider changed its keys: they are fetched anew, once, and the notice is proved again (row 33).
    if opened == Err(NoticeFault::UnknownSerial) && school.wechat.learn_serial(raw.serial).await {
        opened = school.wechat.open_notice(raw, school.now());
    }
    if let Err(fault) = &opened {
        alarm::not_believed(*fault, school.now());
    }
    match opened {
        Ok(Notice::Trade(Trade::Paid(payment))) => match forgotten(school, &payment).await {
            Ok(None) => settle_payment(school, &payment).await,
            Ok(Some(no)) => settle_asked(school, no, &payment).await,
            Err(_) => NoticeOutcome::TryAgain,
        },
        Ok(Notice::Refund(refunded)) => match refund::told(school, &refunded).await {
            Heard::Ours(no) => NoticeOutcome::Refund(no),
            Heard::Foreign(case) => NoticeOutcome::Suspended(case),
            Heard::TryAgain => NoticeOutcome::TryAgain,
        },
        // Of a payment the provider notifies success alone; anything else in a good notice is not for us to act on.
        Ok(Notice::Trade(Trade::Refunded(_) | Trade::NotPaid | Trade::Paying | Trade::Closed | Trade::NotFound)) => {
            NoticeOutcome::NotBelieved(NoticeFault::Malformed)
        }
        Err(fault) => NoticeOutcome::NotBelieved(fault),
    }
}

fn paid(payment: &Payment) -> Paid {
    Paid {
        transaction: payment.transaction.clone(),
        amount: payment.amount,
        in_cny: payment.currency == "CNY",
        paid_at: payment.paid_at,
    }
}

/// The order of a payment that a restored book may have credited and given back, and forgotten both: one of before the
/// restore, whose payment is new to the book. A notice tells what was true when it was paid, not what became of it since (M9).
async fn forgotten(school: &School, payment: &Payment) -> Result<Option<OrderNo>, ReadFault> {
    let Ok(no) = OrderNo::parse(&payment.order) else { return Ok(None) };
    let rows = school.rows(&[Key::Epoch, Key::Order(no), payment_key(&payment.transaction)]).await?;
    let [epoch, order, None] = rows.as_slice() else { return Ok(None) };
    let epoch = epoch.as_ref().and_then(Row::epoch);
    let order = order.as_ref().and_then(Row::order);
    Ok(epoch.zip(order).filter(|(epoch, order)| epoch.may_have_forgotten(order.created_at)).map(|_| no))
}

/// Settles a payment by what the provider says of its order now. Without a sure answer nothing is done: the provider comes
/// again with its notice, and an open order is asked about as it is due.
async fn settle_asked(school: &School, no: OrderNo, payment: &Payment) -> NoticeOutcome {
    match school.wechat.query(no).await {
        Ok(Trade::Paid(_)) => settle_payment(school, payment).await,
        Ok(Trade::Refunded(_)) => match settle(school, no, Event::RefundedThere(paid(payment))).await {
            Ok(Settled { case: Some(case), .. }) => NoticeOutcome::Suspended(case),
            Ok(Settled { case: None, .. }) => NoticeOutcome::Taken(no),
            Err(_) => NoticeOutcome::TryAgain,
        },
        Ok(Trade::NotPaid | Trade::Paying | Trade::Closed | Trade::NotFound) | Err(_) => NoticeOutcome::TryAgain,
    }
}

/// A payment that the adapter proved, by whatever door it came.
async fn settle_payment(school: &School, payment: &Payment) -> NoticeOutcome {
    let paid = paid(payment);
    if let Ok(no) = OrderNo::parse(&payment.order) {
        match settle(school, no, Event::Paid(paid.clone())).await {
            Ok(Settled { case: Some(case), .. }) => return NoticeOutcome::Suspended(case),
            Ok(Settled { case: None, .. }) => return NoticeOutcome::Taken(no),
            Err(Rejected::Refused(SettleStop::UnknownOrder)) => {}
            Err(Rejected::Refused(SettleStop::NumberTaken) | Rejected::Fault(_)) => return NoticeOutcome::TryAgain,
        }
    }
    let fallback = OrderNo::from_id(Id::new(0));
    match school.submit(Unexplained { paid, named: payment.order.clone() }).await {
        Ok(Some(case)) => NoticeOutcome::Suspended(case),
        Ok(None) => NoticeOutcome::Taken(OrderNo::parse(&payment.order).unwrap_or(fallback)),
        Err(_) => NoticeOutcome::TryAgain,
    }
}

/// Looks after an order that is due: tells it to the provider again, asks, or closes it there. Gives the order as it is
/// afterwards; `None` when there is no such order or nothing could be decided.
///
/// Repeats: harmless at any time; the holder's "I have paid" calls it too. Source: rows 13 to 16; R67.
pub async fn look_after(school: &School, no: OrderNo) -> Result<Option<Order>, ReadFault> {
    let Some(order) = school.row(&Key::Order(no)).await?.and_then(|row| row.order().cloned()) else {
        return Ok(None);
    };
    if !order.open() {
        return if order.due_at.is_some() { confirm(school, &order).await } else { Ok(Some(order)) };
    }
    let event = match school.wechat.query(no).await {
        Ok(Trade::Paid(payment)) => {
            return match settle_payment(school, &payment).await {
                NoticeOutcome::TryAgain => Ok(None),
                _ => Ok(school.row(&Key::Order(no)).await?.and_then(|row| row.order().cloned())),
            };
        }
        Ok(Trade::Refunded(payment)) => Event::RefundedThere(paid(&payment)),
        Ok(Trade::NotPaid | Trade::Paying) => Event::NotPaid,
        Ok(Trade::Closed) => Event::ClosedThere,
        Ok(Trade::NotFound) => Event::NotFound,
        Err(ChannelError::Unknown(_) | ChannelError::Refused { .. }) => Event::NoAnswer,
    };
    let unknown_there = event == Event::NotFound;
    let Some(order) = news(school, no, event).await else { return Ok(None) };
    match &order.state {
        // The creation never arrived: the same number and parameters again, while there is time to pay.
        State::Created | State::Unknown { .. } if unknown_there && school.now() < order.expires_at => {
            Ok(tell_provider(school, &order).await)
        }
        State::ExpiredLocal { .. } if !unknown_there => {
            let event = match school.wechat.close(no).await {
                Ok(()) => Event::ClosedThere,
                Err(_) => Event::NoAnswer,
            };
            Ok(news(school, no, event).await)
        }
        _ => Ok(Some(order)),
    }
}

/// A payment of the order lies in a case: what the provider says when asked is written there, once (row 7). A right payment
/// of the order is credited.
async fn confirm(school: &School, order: &Order) -> Result<Option<Order>, ReadFault> {
    let says = match school.wechat.query(order.no).await {
        Ok(Trade::Paid(payment)) => {
            if let NoticeOutcome::TryAgain = settle_payment(school, &payment).await {
                return Ok(None);
            }
            format!("paid, transaction {}, {} {}", payment.transaction, payment.amount, payment.currency)
        }
        Ok(Trade::Refunded(payment)) => format!("paid and refunded there, transaction {}", payment.transaction),
        Ok(Trade::NotPaid | Trade::Paying) => "not paid".to_owned(),
        Ok(Trade::Closed) => "closed unpaid".to_owned(),
        Ok(Trade::NotFound) => "not known there".to_owned(),
        Err(ChannelError::Unknown(_) | ChannelError::Refused { .. }) => {
            return Ok(news(school, order.no, Event::NoAnswer).await);
        }
    };
    match school.submit(Confirm { order: order.no, says }).await {
        Ok(()) => Ok(school.row(&Key::Order(order.no)).await?.and_then(|row| row.order().cloned())),
        Err(_) => Ok(None),
    }
}
