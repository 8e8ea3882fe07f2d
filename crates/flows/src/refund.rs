//! A payment goes back the way it came: asked for by a person or begun by a rule, held, told to the provider, followed to
//! its end (R21, R36, R76; M10, M12, M27, M28; decision table of payments, rows 7 to 9, 20 to 26, 32).
//!
//! Three doors lead to the same [`Move`] command: the answer to the request, a query that is due, and a notice.

use ledger::{AccountKey, Fen, Id, Micros, Stage};
use rules::case::Kind;
use rules::chart::{self, Reason};
use rules::epoch::{Again, NotRefunded};
use rules::ids::{CaseId, OrderNo, PersonId, RefundNo};
use rules::load::{Item, Source};
use rules::message::{Back, Message};
use rules::refund::{self, Asked, Effect, Event, Origin, Payment, Place, Refund, Refusal, Repaid, State, Told};
use rules::top_up;
use rules::words::Words;
use teller::{Command, Desk, Halt, NotLoaded, Rejected, Seen};

use crate::ports::{ChannelError, ListAsk, RefundState, RefundWish, Refunded, Repayment};
use crate::rows::{Campus, ForeignRefund, FormNote, Key, Row, lists};
use crate::school::fault_words;
use crate::tap_load::{post, set_aside};
use crate::{ReadFault, School, cases, epoch, inbox, waiting};

/// What is to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The payment of an order, as far as its money is in the account or waits for the card.
    Order(OrderNo),
    /// The payment that lies in the suspense of a case.
    Case(CaseId),
}

/// Makes a refund and holds its money. Keyed by the form: the same form again gives the same refund (I5).
struct Open {
    what: What,
    amount: Option<Fen>,
    asked: Asked,
    form: [u8; 16],
    input: [u8; 32],
    no: RefundNo,
}

/// Why no refund was made.
enum OpenStop {
    Rule(Refusal),
    OtherInput,
}

impl From<Refusal> for OpenStop {
    fn from(refusal: Refusal) -> OpenStop {
        OpenStop::Rule(refusal)
    }
}

/// Forms of the school's own people stand under no holder.
const NO_HOLDER: PersonId = PersonId(Id::new(0));

impl Command<Campus> for Open {
    type Answer = RefundNo;
    type Refusal = OpenStop;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Form(NO_HOLDER, self.form), Key::Refund(self.no)];
        match self.what {
            What::Order(no) => {
                keys.push(Key::Order(no));
                let Some(order) = seen.row(&Key::Order(no)).and_then(Row::order) else { return keys };
                keys.extend([Key::Waiting(order.person), Key::Person(order.person), Key::Epoch]);
                let card = seen.row(&Key::Person(order.person)).and_then(Row::person).and_then(|holder| holder.card);
                keys.extend(card.into_iter().flat_map(|card| epoch::needs(seen, card)));
                keys.extend(inbox::needs(seen, order.person));
                if let Ok((payment, _, _)) = refund::of_order(order, None, Fen::ZERO) {
                    keys.push(repaid_key(&payment));
                }
            }
            What::Case(case) => {
                keys.extend([Key::Case(case), Key::Suspended(case)]);
                let suspended = seen.row(&Key::Suspended(case)).and_then(Row::suspended);
                let Some(suspended) = suspended else { return keys };
                keys.push(repaid_key(&suspended.payment));
                keys.extend(suspended.of.into_iter().flat_map(|(person, _)| inbox::needs(seen, person)));
            }
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<RefundNo, Halt<Campus, OpenStop>> {
        let refuse = |refusal: Refusal| Halt::Refuse(OpenStop::Rule(refusal));
        if let Some(form) = desk.get(&Key::Form(NO_HOLDER, self.form))?.and_then(Row::form) {
            return match form.input == self.input {
                true => Ok(RefundNo::from_id(form.made)),
                false => Err(Halt::Refuse(OpenStop::OtherInput)),
            };
        }
        let (payment, place, origin) = match self.what {
            What::Order(no) => order_facts(desk, no)?,
            What::Case(case) => case_facts(desk, case)?,
        };
        let repaid = repaid_on(desk, &payment)?;
        let now = desk.now();
        let amount = refund::check(&payment, &repaid, place, self.amount, &self.asked, now).map_err(refuse)?;
        if desk.get(&Key::Refund(self.no))?.is_some() {
            return Err(refuse(Refusal::NumberTaken));
        }
        hold(desk, self.no, &payment, amount, origin, &self.asked)?;
        let note = FormNote { input: self.input, made: self.no.id(), at: now };
        desk.put(Key::Form(NO_HOLDER, self.form), Row::Form(note))?;
        Ok(self.no)
    }
}

type FactsOf = Result<(Payment, Place, Origin), Halt<Campus, OpenStop>>;

fn order_facts(desk: &Desk<'_, Campus>, no: OrderNo) -> FactsOf {
    let refuse = |refusal: Refusal| Halt::Refuse(OpenStop::Rule(refusal));
    let order = desk.get(&Key::Order(no))?.and_then(Row::order).ok_or(refuse(Refusal::Unknown))?;
    let waiting = desk.get(&Key::Waiting(order.person))?.and_then(Row::waiting);
    let item = waiting.and_then(|items| items.iter().find(|item| item.source == Source::Order(no)));
    if let (Some(newest), Some(_)) = (epoch::newest(desk)?, item)
        && newest.may_have_forgotten(order.created_at)
        && !epoch::holder_met(desk, order.person, &newest)?
    {
        return Err(refuse(Refusal::NotMet));
    }
    let spendable = desk.account(&chart::available(order.person)).spendable();
    refund::of_order(order, item.map(|item| item.amount), spendable).map_err(refuse)
}

fn case_facts(desk: &Desk<'_, Campus>, id: CaseId) -> FactsOf {
    let refuse = |refusal: Refusal| Halt::Refuse(OpenStop::Rule(refusal));
    let suspended = desk.get(&Key::Suspended(id))?.and_then(Row::suspended).ok_or(refuse(Refusal::Unknown))?;
    // A case that ended has no money any more.
    let case = desk.get(&Key::Case(id))?.and_then(Row::case).ok_or(refuse(Refusal::NothingLeft))?;
    let left = desk.account(&chart::suspense_case(id)).balance();
    let (place, origin) = refund::of_case(case, left, suspended.of);
    Ok((suspended.payment.clone(), place, origin))
}

/// Where it is noted what went back of a payment.
pub(crate) fn repaid_key(payment: &Payment) -> Key {
    Key::Repaid(payment.channel.number(), payment.transaction.clone())
}

pub(crate) fn repaid_on(desk: &Desk<'_, Campus>, payment: &Payment) -> Result<Repaid, NotLoaded<Key>> {
    Ok(desk.get(&repaid_key(payment))?.and_then(Row::repaid).cloned().unwrap_or_default())
}

/// Whose account the money comes from, and goes back to when the refund fails.
const fn owner(origin: &Origin) -> AccountKey {
    match *origin {
        Origin::Waiting { person, .. } => chart::awaiting_tap(person),
        Origin::Account { person, .. } => chart::available(person),
        Origin::Case { case, .. } => chart::suspense_case(case),
    }
}

/// Takes the money from its owner, writes the refund and tells its holder, in one decision (row 21). Needs the refund, what
/// went back of the payment, the holder's inbox, and the items that wait when it comes out of them; the caller has seen that
/// all of it is allowed.
pub(crate) fn hold<R>(
    desk: &mut Desk<'_, Campus>,
    no: RefundNo,
    payment: &Payment,
    amount: Fen,
    origin: Origin,
    asked: &Asked,
) -> Result<(), Halt<Campus, R>> {
    let mut repaid = repaid_on(desk, payment)?;
    let refund = Refund::new(no, payment, &repaid, amount, origin, asked, desk.now());
    if let Origin::Waiting { person, order } = origin {
        let mut items = desk.get(&Key::Waiting(person))?.and_then(Row::waiting).cloned().unwrap_or_default();
        items.retain(|item| item.source != Source::Order(order));
        desk.put(Key::Waiting(person), Row::Waiting(items))?;
    }
    post(desk, owner(&origin), chart::held(no), amount, Stage::Direct, Reason::RefundHeld, no.id())?;
    repaid.made(&refund);
    desk.put(repaid_key(payment), Row::Repaid(repaid))?;
    if let Some((person, order)) = origin.of() {
        inbox::tell(desk, person, Message::RefundBegun { refund: no, order, amount, cause: refund.cause() })?;
    }
    desk.put(Key::Refund(no), Row::Refund(Box::new(refund)))?;
    Ok(())
}

/// Why a wish for a refund came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotMade {
    /// The rules or the form say no.
    Refused(Words),
    /// The server could not do it; nothing was done.
    Fault(Words),
}

impl NotMade {
    /// What the person who asked is told.
    pub fn words(&self) -> &Words {
        match self {
            NotMade::Refused(words) | NotMade::Fault(words) => words,
        }
    }
}

/// Makes a refund of `what`; `amount` of none means all that can go back. The provider is told by the jobs that are due.
///
/// Errors: [`NotMade::Refused`] with the words of [`Refusal`] in its order, `FORM_REUSED` for a form whose key came with
/// other input before; [`NotMade::Fault`] when nothing could be decided.
/// Repeats: the same form gives the same refund. Source: R36, R76; rows 6, 7, 20, 21, 32.
pub async fn open(
    school: &School,
    what: What,
    amount: Option<Fen>,
    asked: Asked,
    form: [u8; 16],
) -> Result<RefundNo, NotMade> {
    refund::check_asked(&asked).map_err(|refusal| NotMade::Refused(refusal.words()))?;
    let input = input_hash(what, amount, &asked);
    // A number is 24 digits, eight of them at random: a taken one is possible, three taken in a row are not.
    for _ in 0..3 {
        let no = RefundNo::new(school.id, school.now(), school.random());
        return match school.submit(Open { what, amount, asked: asked.clone(), form, input, no }).await {
            Ok(no) => Ok(no),
            Err(Rejected::Refused(OpenStop::Rule(Refusal::NumberTaken))) => continue,
            Err(Rejected::Refused(OpenStop::Rule(refusal))) => Err(NotMade::Refused(refusal.words())),
            Err(Rejected::Refused(OpenStop::OtherInput)) => Err(NotMade::Refused(Words::new(
                "FORM_REUSED",
                "此页面已用于另一笔退款，请重新填写。",
                "This form was used for another refund; please fill in a new one.",
            ))),
            Err(Rejected::Fault(fault)) => Err(NotMade::Fault(fault_words(&fault))),
        };
    }
    Err(NotMade::Refused(Refusal::NumberTaken.words()))
}

fn input_hash(what: What, amount: Option<Fen>, asked: &Asked) -> [u8; 32] {
    let text = format!("{what:?} {amount:?} {asked:?}");
    let change = ledger::row_digest("refund form", b"", Some(text.as_bytes()));
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(change.key.iter().chain(&change.content)) {
        *to = *from;
    }
    hash
}

/// Moves a refund by one event.
struct Move {
    no: RefundNo,
    event: Event,
}

/// No such refund.
struct UnknownRefund;

impl Command<Campus> for Move {
    type Answer = Box<Refund>;
    type Refusal = UnknownRefund;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Refund(self.no)];
        let Some(refund) = seen.row(&Key::Refund(self.no)).and_then(Row::refund) else { return keys };
        keys.push(Key::Repaid(refund.channel.number(), refund.transaction.clone()));
        keys.extend(refund.cases.iter().map(|(_, case)| Key::Case(*case)));
        match refund.origin {
            Origin::Waiting { person, order } => {
                keys.extend([Key::Waiting(person), Key::Settings, Key::Order(order), Key::Person(person), Key::Epoch]);
                let card = seen.row(&Key::Person(person)).and_then(Row::person).and_then(|holder| holder.card);
                keys.extend(card.into_iter().flat_map(|card| epoch::needs(seen, card)));
            }
            Origin::Account { .. } => {}
            Origin::Case { case, .. } => keys.push(Key::Case(case)),
        }
        keys.extend(refund.origin.of().into_iter().flat_map(|(person, _)| inbox::needs(seen, person)));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Box<Refund>, Halt<Campus, UnknownRefund>> {
        let Some(refund) = desk.get(&Key::Refund(self.no))?.and_then(Row::refund).cloned() else {
            return Err(Halt::Refuse(UnknownRefund));
        };
        let decision = refund::decide(&refund, &self.event, desk.now());
        let mut next = decision.refund;
        match decision.effect {
            Effect::None => {}
            Effect::Settle => settle(desk, &next)?,
            Effect::Release => release(desk, &mut next)?,
            Effect::Tell(kind) => tell(desk, &mut next, kind, &news(&self.event)),
        }
        desk.put(Key::Refund(next.no), Row::Refund(Box::new(next.clone())))?;
        Ok(Box::new(next))
    }
}

/// The payer has it: what was held is no longer owed to us by the channel (row 24).
fn settle(desk: &mut Desk<'_, Campus>, refund: &Refund) -> Result<(), Halt<Campus, UnknownRefund>> {
    let (from, to) = (chart::held(refund.no), chart::receivable(refund.channel));
    post(desk, from, to, refund.amount, Stage::Direct, Reason::RefundSettled, refund.no.id())?;
    ended(desk, refund)?;
    if let Some((person, order)) = refund.origin.of() {
        inbox::tell(desk, person, Message::RefundSettled { refund: refund.no, order, amount: refund.amount })?;
    }
    if let Origin::Case { case, .. } = refund.origin
        && desk.account(&chart::suspense_case(case)).balance() == Fen::ZERO
    {
        cases::end(desk, case, format!("refunded by {}", refund.no))?;
    }
    Ok(())
}

/// Money that waits again since a refund did not take it: since when; none when nobody can tell whether it is on the card, and
/// a case has it.
fn waits_again(
    desk: &mut Desk<'_, Campus>,
    refund: &Refund,
    (person, order): (PersonId, OrderNo),
) -> Result<Option<Micros>, Halt<Campus, UnknownRefund>> {
    let newest = epoch::newest(desk)?;
    let credited_at = match desk.get(&Key::Order(order))?.and_then(Row::order).map(|order| &order.state) {
        Some(top_up::State::Credited(credited)) => Some(credited.at),
        Some(_) | None => None,
    };
    let card = crate::desk::person(desk, person)?.and_then(|holder| holder.card);
    let met = match card {
        Some(card) => epoch::met(desk, card)?,
        None => None,
    };
    let facts = NotRefunded { newest: newest.as_ref(), credited_at, has_card: card.is_some(), met: met.as_ref() };
    match (facts.again(desk.now()), card, credited_at) {
        (Again::Waits(since), _, _) => Ok(Some(since)),
        (Again::Untold, Some(card), Some(since)) => {
            let detail = format!(
                "refund {} of order {order} failed; card {card} took more than the book knows, and does not show whether \
                 that was part of it",
                refund.no
            );
            let item = Item { source: Source::Order(order), amount: refund.amount, since };
            set_aside(desk, (person, card), &item, Kind::LoadUntold, detail)?;
            Ok(None)
        }
        (Again::Untold, _, _) => Err(Halt::Broken("money of nobody's card that nobody can tell of".to_owned())),
    }
}

/// It failed for good: its owner has the money back, and finance is told why (row 25).
fn release(desk: &mut Desk<'_, Campus>, refund: &mut Refund) -> Result<(), Halt<Campus, UnknownRefund>> {
    let (from, to) = (chart::held(refund.no), owner(&refund.origin));
    post(desk, from, to, refund.amount, Stage::Direct, Reason::RefundReleased, refund.no.id())?;
    ended(desk, refund)?;
    let mut back = Back::of(&refund.origin);
    let why = match &refund.state {
        State::Released { why: refund::Failure::Refused { code }, .. } => format!("refused for good: {code}"),
        _ => "closed by the provider".to_owned(),
    };
    match refund.origin {
        Origin::Waiting { person, order } => {
            if let Some(since) = waits_again(desk, refund, (person, order))? {
                let mut items = desk.get(&Key::Waiting(person))?.and_then(Row::waiting).cloned().unwrap_or_default();
                items.push(Item { source: Source::Order(order), amount: refund.amount, since });
                desk.put(Key::Waiting(person), Row::Waiting(items))?;
                waiting::begins(desk, person, Some(order))?;
            } else {
                back = Back::InCase;
            }
            tell(desk, refund, Kind::RefundFailed, &why);
        }
        Origin::Account { .. } => tell(desk, refund, Kind::RefundFailed, &why),
        Origin::Case { case, .. } => {
            cases::note(desk, case, &format!("refund {} of {}: {why}", refund.no, refund.amount))?;
        }
    }
    if let Some((person, order)) = refund.origin.of() {
        let (no, amount) = (refund.no, refund.amount);
        inbox::tell(desk, person, Message::RefundFailed { refund: no, order, amount, back })?;
    }
    Ok(())
}

/// It counts as ended with its payment; cases that only its going on needed are done with.
fn ended(desk: &mut Desk<'_, Campus>, refund: &Refund) -> Result<(), NotLoaded<Key>> {
    let key = Key::Repaid(refund.channel.number(), refund.transaction.clone());
    let mut repaid = desk.get(&key)?.and_then(Row::repaid).cloned().unwrap_or_default();
    repaid.ended(refund);
    desk.put(key, Row::Repaid(repaid))?;
    for kind in [Kind::RefundShort, Kind::RefundAbnormal] {
        if let Some(case) = refund.case(kind) {
            cases::end(desk, case, format!("refund {} ended", refund.no))?;
        }
    }
    Ok(())
}

fn tell(desk: &mut Desk<'_, Campus>, refund: &mut Refund, kind: Kind, why: &str) {
    let of = refund.origin.of().map_or(String::new(), |(_, order)| format!(", order {order}"));
    let detail = format!("{} of {} of transaction {}{of}; {why}", refund.amount, refund.total, refund.transaction);
    let case = cases::tell(desk, kind, refund.no.id(), detail);
    refund.cases.push((kind, case));
}

/// News as a case tells them.
fn news(event: &Event) -> String {
    match event {
        Event::Told(told) => format!(
            "the provider says: {:?}, {} of {} of transaction {}",
            told.progress, told.amount, told.total, told.transaction
        ),
        Event::Refused { code } => format!("the provider refused: {code}"),
        Event::Short => "the merchant account holds too little".to_owned(),
        Event::Sending | Event::NotFound | Event::NoAnswer => String::new(),
    }
}

/// The same words for the same refund, always: a repeated request must be the same byte for byte (M28).
fn wish(refund: &Refund) -> RefundWish {
    RefundWish {
        refund: refund.no,
        transaction: refund.transaction.clone(),
        amount: refund.amount,
        total: refund.total,
        reason: refund.reason.clone(),
    }
}

/// Takes news of a refund to the teller; gives the refund as it is afterwards.
async fn moved(school: &School, no: RefundNo, event: Event) -> Option<Refund> {
    school.submit(Move { no, event }).await.ok().map(|refund| *refund)
}

/// Tells the provider, after it was written down that it is told: from then on only the provider's word ends it (M27).
async fn tell_provider(school: &School, no: RefundNo) -> Option<Refund> {
    let refund = moved(school, no, Event::Sending).await?;
    if !refund.live() {
        return Some(refund);
    }
    let event = match school.wechat.refund(&wish(&refund)).await {
        Ok(Repayment::Known(refunded)) => Event::Told(told_of(&refunded)),
        Ok(Repayment::NotFound) => Event::NotFound,
        Ok(Repayment::Short) => Event::Short,
        Ok(Repayment::Refused { code, .. }) => Event::Refused { code },
        // Not a word about this number: our keys or our contract, perhaps. It goes again.
        Err(ChannelError::Unknown(_) | ChannelError::Refused { .. }) => Event::NoAnswer,
    };
    moved(school, no, event).await
}

fn told_of(refunded: &Refunded) -> Told {
    Told {
        transaction: refunded.transaction.clone(),
        amount: refunded.amount,
        total: refunded.total,
        progress: refunded.state,
    }
}

/// Looks after a refund that is due: tells it to the provider, or asks about it, and tells it again under the same number
/// when the provider has never heard of it. Gives the refund as it is afterwards; `None` when there is no such refund or
/// nothing could be decided.
///
/// Repeats: harmless at any time. Source: rows 22, 23.
pub async fn look_after(school: &School, no: RefundNo) -> Result<Option<Refund>, ReadFault> {
    let Some(refund) = school.row(&Key::Refund(no)).await?.and_then(|row| row.refund().cloned()) else {
        return Ok(None);
    };
    if !refund.live() {
        return Ok(Some(refund));
    }
    if refund.state == State::Held {
        return Ok(tell_provider(school, no).await);
    }
    let event = match school.wechat.query_refund(no).await {
        Ok(Repayment::Known(refunded)) => Event::Told(told_of(&refunded)),
        Ok(Repayment::NotFound) => Event::NotFound,
        // A query that is refused refuses no refund.
        Ok(Repayment::Short | Repayment::Refused { .. }) | Err(_) => Event::NoAnswer,
    };
    let unknown_there = event == Event::NotFound;
    let Some(refund) = moved(school, no, event).await else { return Ok(None) };
    match refund.live() && unknown_there {
        true => Ok(tell_provider(school, no).await),
        false => Ok(Some(refund)),
    }
}

/// Refunds that concern `person`, made not after `before`, newest first, at most `most`: those of the holder's own money and
/// those of payments that never became it.
pub async fn of_person(school: &School, person: PersonId, before: Micros, most: u32) -> Result<Vec<Refund>, ReadFault> {
    let owner = person.0.bytes().to_vec();
    let ask = ListAsk { list: lists::REFUNDS, owner, from: i64::MIN, to: before.get(), backwards: true, most };
    let listed = school.list(ask).await?;
    let ids = listed.iter().filter_map(|each| each.key[..].try_into().ok()).map(Id::from_bytes);
    let keys: Vec<Key> = ids.map(|id| Key::Refund(RefundNo::from_id(id))).collect();
    Ok(school.rows(&keys).await?.iter().flatten().filter_map(|row| row.refund().cloned()).collect())
}

/// What became of a refund's notice.
pub(crate) enum Heard {
    /// It is one of ours.
    Ours(RefundNo),
    /// It is none of ours: a case tells of it.
    Foreign(CaseId),
    /// Nothing could be decided.
    TryAgain,
}

/// A refund that the adapter proved to be told by the provider.
pub(crate) async fn told(school: &School, refunded: &Refunded) -> Heard {
    if let Ok(no) = RefundNo::parse(&refunded.refund) {
        match school.submit(Move { no, event: Event::Told(told_of(refunded)) }).await {
            Ok(_) => return Heard::Ours(no),
            Err(Rejected::Refused(UnknownRefund)) => {}
            Err(Rejected::Fault(_)) => return Heard::TryAgain,
        }
    }
    match school.submit(Foreign { refunded: refunded.clone() }).await {
        Ok(case) => Heard::Foreign(case),
        Err(_) => Heard::TryAgain,
    }
}

/// A refund that was not made here, or that a restored book forgot: a person compares it with the account.
struct Foreign {
    refunded: Refunded,
}

impl Foreign {
    fn key(&self) -> Key {
        let channel = chart::Channel::WeChat.number();
        let number = self.refunded.refund.chars().filter(char::is_ascii_graphic).take(64).collect();
        Key::ForeignRefund(channel, number)
    }

    fn repaid(&self) -> Key {
        Key::Repaid(chart::Channel::WeChat.number(), self.refunded.transaction.clone())
    }
}

impl Command<Campus> for Foreign {
    type Answer = CaseId;
    type Refusal = UnknownRefund;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let key = self.key();
        let case = seen.row(&key).and_then(Row::foreign_refund).map(|known| Key::Case(known.case));
        case.into_iter().chain([key, self.repaid()]).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<CaseId, Halt<Campus, UnknownRefund>> {
        let Refunded { refund, refund_id, transaction, order, amount, total, state } = &self.refunded;
        let short = |text: &str| text.chars().filter(char::is_ascii_graphic).take(64).collect::<String>();
        let told = format!("{state:?}");
        let before = desk.get(&self.key())?.and_then(Row::foreign_refund).map_or(Fen::ZERO, |known| known.counted);
        let counted = if *state == RefundState::Closed { Fen::ZERO } else { *amount };
        let case = match desk.get(&self.key())?.and_then(Row::foreign_refund) {
            Some(known) if known.told == told => return Ok(known.case),
            Some(known) => {
                let case = known.case;
                cases::note(desk, case, &format!("then told: {told}"))?;
                case
            }
            None => {
                let detail = format!(
                    "refund {} ({}) of {amount} of {total}, transaction {}, order {}; told: {told}",
                    short(refund),
                    short(refund_id),
                    short(transaction),
                    short(order)
                );
                let reference = desk.new_id();
                cases::tell(desk, Kind::RefundUnknown, reference, detail)
            }
        };
        // What went back there can neither go back again nor be credited.
        let mut repaid = desk.get(&self.repaid())?.and_then(Row::repaid).cloned().unwrap_or_default();
        repaid.foreign = repaid.foreign.minus(before).and_then(|rest| rest.plus(counted)).unwrap_or(repaid.foreign);
        desk.put(self.repaid(), Row::Repaid(repaid))?;
        desk.put(self.key(), Row::ForeignRefund(ForeignRefund { case, told, counted }))?;
        Ok(case)
    }
}
