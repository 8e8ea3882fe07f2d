//! A payment that is not credited: its money is kept with a case that has an owner, and can be found and given back by it
//! (R20, R21; decision table of payments, rows 6, 7, 8, 9).

use ledger::{Fen, Id, Stage, Transfer};
use rules::case::{Case, Kind};
use rules::chart::{self, Channel, Reason};
use rules::ids::{CaseId, OrderNo, PersonId, RefundNo};
use rules::person::Standing;
use rules::refund;
use rules::top_up::{self, Event, Order, Paid, State, Suspicion};
use teller::{Command, Desk, Halt, NotLoaded, Seen};

use crate::rows::{Campus, Key, PaymentNote, Row, SuspendedPayment};

/// The permanent key of a payment of WeChat Pay (M6).
pub(crate) fn payment_key(transaction: &str) -> Key {
    Key::Payment(Channel::WeChat.number(), transaction.to_owned())
}

/// Rows that [`suspend`] and [`give_back`] look at.
pub(crate) fn needs(transaction: &str, refund: RefundNo) -> [Key; 3] {
    let repaid = Key::Repaid(Channel::WeChat.number(), transaction.to_owned());
    [payment_key(transaction), Key::Refund(refund), repaid]
}

/// A payment in suspense: its case, and what can be given back of it; nothing of a foreign currency.
pub(crate) struct Kept {
    pub(crate) case: CaseId,
    pub(crate) payment: Option<SuspendedPayment>,
}

/// Whether the provider told of a refund of this payment that is none of ours. Needs what [`needs`] names.
pub(crate) fn given_back(desk: &Desk<'_, Campus>, transaction: &str) -> Result<bool, NotLoaded<Key>> {
    let key = Key::Repaid(Channel::WeChat.number(), transaction.to_owned());
    Ok(desk.get(&key)?.and_then(Row::repaid).is_some_and(|repaid| repaid.foreign.is_positive()))
}

/// Opens a case for a payment that is not credited, with the money in the case's suspense.
pub(crate) fn suspend<R>(
    desk: &mut Desk<'_, Campus>,
    kind: Kind,
    of: Option<(PersonId, OrderNo)>,
    reference: Id,
    paid: &Paid,
) -> Result<Kept, Halt<Campus, R>> {
    let id = CaseId(desk.new_id());
    // A foreign currency's figure is no amount of ours: the case tells it, the book does not.
    let amount = if paid.in_cny { paid.amount } else { Fen::ZERO };
    let mut kept = Kept { case: id, payment: None };
    if amount.is_positive() {
        let transfer = Transfer {
            id: desk.new_id(),
            debit: chart::receivable(Channel::WeChat),
            credit: chart::suspense_case(id),
            amount,
            stage: Stage::Direct,
            effective_at: paid.paid_at,
            code: Reason::TopUpUnexplained.number(),
            reference,
        };
        desk.post(&transfer).map_err(|refusal| Halt::Broken(refusal.to_string()))?;
        let payment = refund::Payment {
            channel: Channel::WeChat,
            transaction: paid.transaction.clone(),
            total: amount,
            paid_at: paid.paid_at,
        };
        let suspended = SuspendedPayment { payment, of };
        desk.insert_new(Key::Suspended(id), Row::Suspended(suspended.clone()));
        kept.payment = Some(suspended);
    }
    let detail = format!("transaction {}, {} {}", paid.transaction, paid.amount, if paid.in_cny { "CNY" } else { "?" });
    let case = Case { id, kind, opened_at: desk.now(), reference, amount, detail };
    crate::cases::open(desk, case);
    let note = PaymentNote { order: of.map(|(_, order)| order), case: Some(id) };
    desk.put(payment_key(&paid.transaction), Row::Payment(note))?;
    Ok(kept)
}

/// What kind of case a payment of an order goes to.
pub(crate) const fn kind_of(suspicion: Suspicion) -> Kind {
    match suspicion {
        Suspicion::Mismatch => Kind::PaymentMismatch,
        Suspicion::Twice => Kind::PaymentTwice,
        Suspicion::AccountClosed => Kind::PaymentAccountClosed,
        Suspicion::GivenBack => Kind::PaymentGivenBack,
    }
}

/// Begins the refund of a payment that no person need look at: the second one of an order, and one for a closed account
/// (rows 8, 9). Any other waits for a person. Says whether it did; then its holder was told. Needs the holder's inbox.
pub(crate) fn give_back<R>(
    desk: &mut Desk<'_, Campus>,
    no: RefundNo,
    kept: &Kept,
    suspicion: Suspicion,
) -> Result<bool, Halt<Campus, R>> {
    let (Some(suspended), Some(asked)) = (&kept.payment, refund::by_rule(suspicion)) else { return Ok(false) };
    let origin = refund::Origin::Case { case: kept.case, of: suspended.of };
    let amount = suspended.payment.total;
    crate::refund::hold(desk, no, &suspended.payment, amount, origin, &asked)?;
    Ok(true)
}

/// A payment that names no order of ours, kept in suspense (row 6).
pub(crate) struct Unexplained {
    pub(crate) paid: Paid,
    pub(crate) named: String,
}

/// It is never refused.
pub(crate) enum Never {}

impl Command<Campus> for Unexplained {
    /// The case, when this is its first news.
    type Answer = Option<CaseId>;
    type Refusal = Never;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![payment_key(&self.paid.transaction)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Option<CaseId>, Halt<Campus, Never>> {
        if desk.get(&payment_key(&self.paid.transaction))?.is_some() {
            return Ok(None);
        }
        let reference = desk.new_id();
        let named = self.named.chars().filter(char::is_ascii_alphanumeric).take(32).collect::<String>();
        let Kept { case, .. } = suspend(desk, Kind::PaymentUnknownOrder, None, reference, &self.paid)?;
        crate::cases::note(desk, case, &format!("out_trade_no {named}"))?;
        Ok(Some(case))
    }
}

/// What a query says of an order whose payment lies in a case, written into that case once (row 7).
pub(crate) struct Confirm {
    pub(crate) order: OrderNo,
    pub(crate) says: String,
}

impl Confirm {
    /// The order, and its case, while it is to be confirmed.
    fn of(order: Option<&Order>) -> Option<(Order, CaseId)> {
        match order {
            Some(order @ Order { state: State::InCase { case: Some(case), .. }, due_at: Some(_), .. }) => {
                Some((order.clone(), *case))
            }
            _ => None,
        }
    }
}

impl Command<Campus> for Confirm {
    type Answer = ();
    type Refusal = Never;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let case = Confirm::of(seen.row(&Key::Order(self.order)).and_then(Row::order)).map(|(_, case)| Key::Case(case));
        case.into_iter().chain([Key::Order(self.order)]).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Never>> {
        let order = desk.get(&Key::Order(self.order))?.and_then(Row::order);
        let Some((order, case)) = Confirm::of(order) else { return Ok(()) };
        crate::cases::note(desk, case, &format!("asked again, the provider says: {}", self.says))?;
        let confirmed = top_up::decide(&order, &Event::Confirmed, Standing::Open, desk.now()).order;
        desk.put(Key::Order(self.order), Row::Order(Box::new(confirmed)))?;
        Ok(())
    }
}
