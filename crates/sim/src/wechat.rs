//! The channel of WeChat Pay as the server holds it in this world: calls go out as plain data, answers come back when the
//! world delivers them, and a notice carries a keyed hash where the real one carries a signature.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use flows::ports::{
    Bridge, ChannelError, Notice, NoticeFault, OrderNo, Payment, PrepayWish, RawNotice, RefundNo, RefundState,
    RefundWish, Refunded, Repayment, Ticket, Trade, Waiting, WeChat,
};
use futures_channel::oneshot;
use ledger::{Fen, Micros};

use crate::plant::Plant;
use crate::ports::lock;

/// Our merchant id.
pub(crate) const MERCHANT: &str = "1900000001";
/// Serials of the provider's keys: the one that the server has from the start, and the one that takes its place.
pub(crate) const SERIALS: [&str; 2] = ["PUB_KEY_ID_01", "PUB_KEY_ID_02"];
/// A notice older than this is not believed, seconds.
const WINDOW: i64 = 300;

/// What the server asks the provider.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Prepay(PrepayWish),
    Query(String),
    Close(String),
    Refund(RefundWish),
    RefundQuery(String),
    /// Which keys it signs with.
    Keys,
}

/// What the provider says.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Prepay(Result<Ticket, ChannelError>),
    Query(Result<Trade, ChannelError>),
    Close(Result<(), ChannelError>),
    Refund(Result<Repayment, ChannelError>),
    Keys(Vec<String>),
}

/// A call that has not left the server yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) ask: Ask,
}

#[derive(Default)]
struct Desk {
    last: u64,
    calls: Vec<Call>,
    waiting: BTreeMap<u64, oneshot::Sender<Reply>>,
    /// Orders by number, for planted bugs that lie about them.
    wishes: BTreeMap<String, PrepayWish>,
    /// Number under which the provider heard of an order last.
    told: BTreeMap<String, String>,
    /// Numbers that a counter gives out once more after a restore, for the planted bug that counts.
    again: VecDeque<String>,
    /// Orders that a page called paid, for the planted bug that believes it.
    believed: BTreeMap<String, u64>,
    /// Refunds that were told to the provider, for the planted bug that tells them anew.
    refunds: BTreeSet<String>,
    /// Serials that the process learnt.
    serials: BTreeSet<String>,
}

/// The channel.
pub(crate) struct WorldWeChat {
    plant: Option<Plant>,
    desk: Mutex<Desk>,
}

impl WorldWeChat {
    pub(crate) fn new(plant: Option<Plant>) -> WorldWeChat {
        WorldWeChat { plant, desk: Mutex::default() }
    }

    /// Calls that wait to leave.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.desk).calls)
    }

    /// The answer to a call; nobody may wait for it any more.
    pub(crate) fn answer(&self, id: u64, reply: Reply) {
        let waiting = lock(&self.desk).waiting.remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(reply);
        }
    }

    /// Whether somebody still waits for the answer to this call.
    pub(crate) fn waits(&self, id: u64) -> bool {
        lock(&self.desk).waiting.contains_key(&id)
    }

    /// A restore made the book forget these orders.
    pub(crate) fn forgot(&self, numbers: Vec<String>) {
        if self.plant == Some(Plant::P80) {
            lock(&self.desk).again = numbers.into();
        }
    }

    /// The process died.
    pub(crate) fn forget_calls(&self) {
        let mut desk = lock(&self.desk);
        desk.waiting.clear();
        desk.calls.clear();
        desk.serials.clear();
    }

    /// A page says that this order was paid.
    pub(crate) fn page_says_paid(&self, order: OrderNo) {
        if self.plant == Some(Plant::P15) {
            lock(&self.desk).believed.insert(order.to_string(), 1);
        }
    }

    fn ask(&self, ask: Ask) -> oneshot::Receiver<Reply> {
        let (tell, told) = oneshot::channel();
        let mut desk = lock(&self.desk);
        desk.last += 1;
        let id = desk.last;
        desk.calls.push(Call { id, ask });
        desk.waiting.insert(id, tell);
        told
    }

    /// Number under which the provider gets a creation. The planted bug tells a repeat under another one.
    fn wish(&self, wish: &PrepayWish) -> PrepayWish {
        let mut desk = lock(&self.desk);
        let number = wish.order.to_string();
        let repeated = desk.wishes.insert(number.clone(), wish.clone()).is_some();
        let mut wish = wish.clone();
        if repeated && self.plant == Some(Plant::P13) {
            let other = wish.order.id().get().wrapping_add(1);
            wish.order = OrderNo::from_id(ledger::Id::new(other));
        }
        let told = match desk.told.get(&number) {
            Some(before) if repeated => Some(before.clone()),
            _ => desk.again.pop_front(),
        };
        if let Some(told) =
            told.as_deref().and_then(|told| told.parse().ok()).filter(|_| self.plant == Some(Plant::P80))
        {
            wish.order = OrderNo::from_id(ledger::Id::new(told));
        }
        desk.told.insert(number, wish.order.to_string());
        wish
    }

    /// Number under which the provider knows an order: its own, but for the planted bug.
    pub(crate) fn number_at_provider(&self, order: OrderNo) -> String {
        let number = order.to_string();
        lock(&self.desk).told.get(&number).cloned().unwrap_or(number)
    }

    /// Number that an order is asked about under: its own, but for the planted bug that counts.
    fn counted(&self, number: &str) -> String {
        let told = lock(&self.desk).told.get(number).cloned().filter(|_| self.plant == Some(Plant::P80));
        told.unwrap_or_else(|| number.to_owned())
    }

    /// The order that bears this number now.
    fn bearer(&self, number: String) -> String {
        if self.plant != Some(Plant::P80) {
            return number;
        }
        let desk = lock(&self.desk);
        let other = desk.told.iter().find(|(order, told)| **told == number && **order != number);
        other.map_or(number, |(order, _)| order.clone())
    }

    /// A trade as the planted bugs see it.
    fn seen(&self, order: &str, trade: Trade) -> Trade {
        match (self.plant, trade) {
            (Some(Plant::P12), Trade::NotFound) => Trade::Closed,
            (Some(Plant::P80), Trade::Paid(payment)) => {
                let order = self.bearer(payment.order);
                Trade::Paid(Payment { order, ..payment })
            }
            (Some(Plant::P03), Trade::Paid(payment)) => Trade::Paid(self.amount_of_order(payment)),
            (Some(Plant::P04), Trade::Paid(payment)) => Trade::Paid(Payment { currency: "CNY".to_owned(), ..payment }),
            (_, trade) => {
                let mut desk = lock(&self.desk);
                match (desk.believed.remove(order), desk.wishes.get(order)) {
                    (Some(_), Some(wish)) => Trade::Paid(Payment {
                        order: order.to_owned(),
                        transaction: format!("page-{order}"),
                        amount: wish.amount,
                        currency: "CNY".to_owned(),
                        paid_at: wish.expires_at,
                    }),
                    _ => trade,
                }
            }
        }
    }

    /// Number under which the provider gets a refund. The planted bug tells a repeat under another one.
    fn refund_wish(&self, wish: &RefundWish) -> RefundWish {
        let repeated = !lock(&self.desk).refunds.insert(wish.refund.to_string());
        let mut wish = wish.clone();
        if repeated && self.plant == Some(Plant::P22) {
            wish.refund = RefundNo::from_id(ledger::Id::new(wish.refund.id().get().wrapping_add(1)));
        }
        wish
    }

    /// News of a refund as the planted bug sees them.
    fn seen_refund(&self, refunded: Refunded) -> Refunded {
        let state = match (self.plant, refunded.state) {
            (Some(Plant::P23), RefundState::Closed) => RefundState::Processing,
            (Some(Plant::P23), RefundState::Abnormal) => RefundState::Closed,
            (_, state) => state,
        };
        Refunded { state, ..refunded }
    }

    fn repaid(&self, reply: Reply) -> Result<Repayment, ChannelError> {
        match reply {
            Reply::Refund(Ok(Repayment::Known(refunded))) => Ok(Repayment::Known(self.seen_refund(refunded))),
            Reply::Refund(answer) => answer,
            Reply::Prepay(_) | Reply::Query(_) | Reply::Close(_) | Reply::Keys(_) => Err(gone()),
        }
    }

    fn amount_of_order(&self, payment: Payment) -> Payment {
        let amount = lock(&self.desk).wishes.get(&payment.order).map_or(payment.amount, |wish| wish.amount);
        Payment { amount, ..payment }
    }

    /// Whom the money went to does not matter to the planted bug.
    fn ours(&self, merchant: &str) -> bool {
        merchant == MERCHANT || self.plant == Some(Plant::P04)
    }
}

fn gone() -> ChannelError {
    ChannelError::Unknown("the connection is gone".to_owned())
}

impl WeChat for WorldWeChat {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(async move { Ok(format!("openid-{code}")) })
    }

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        let told = self.ask(Ask::Prepay(self.wish(wish)));
        Box::pin(async move {
            match told.await {
                Ok(Reply::Prepay(answer)) => answer,
                _ => Err(gone()),
            }
        })
    }

    fn query(&self, order: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        let number = order.to_string();
        let told = self.ask(Ask::Query(self.counted(&number)));
        Box::pin(async move {
            match told.await {
                Ok(Reply::Query(Ok(trade))) => Ok(self.seen(&number, trade)),
                Ok(Reply::Query(answer)) => answer,
                _ => Err(gone()),
            }
        })
    }

    fn close(&self, order: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        if self.plant == Some(Plant::P16) {
            return Box::pin(async { Ok(()) });
        }
        let told = self.ask(Ask::Close(self.counted(&order.to_string())));
        Box::pin(async move {
            match told.await {
                Ok(Reply::Close(answer)) => answer,
                _ => Err(gone()),
            }
        })
    }

    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        let told = self.ask(Ask::Refund(self.refund_wish(wish)));
        Box::pin(async move { self.repaid(told.await.map_err(|_| gone())?) })
    }

    fn query_refund(&self, refund: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        let told = self.ask(Ask::RefundQuery(refund.to_string()));
        Box::pin(async move { self.repaid(told.await.map_err(|_| gone())?) })
    }

    fn learn_serial<'a>(&'a self, serial: &'a str) -> Waiting<'a, bool> {
        let told = self.ask(Ask::Keys);
        Box::pin(async move {
            if let Ok(Reply::Keys(serials)) = told.await {
                lock(&self.desk).serials.extend(serials);
            }
            lock(&self.desk).serials.contains(serial)
        })
    }

    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        let seconds: i64 = notice.timestamp.parse().map_err(|_| NoticeFault::Malformed)?;
        if now.seconds().abs_diff(seconds) > WINDOW.unsigned_abs() {
            return Err(NoticeFault::Stale);
        }
        let unchecked = self.plant == Some(Plant::P02);
        let [first, _] = SERIALS;
        if notice.serial != first && !lock(&self.desk).serials.contains(notice.serial) && !unchecked {
            return Err(NoticeFault::UnknownSerial);
        }
        let right = signature(notice.serial, notice.timestamp, notice.nonce, notice.body);
        if notice.signature != right && !unchecked {
            return Err(NoticeFault::WrongSignature);
        }
        let (news, merchant) = read_body(notice.body).ok_or(NoticeFault::Malformed)?;
        if !self.ours(&merchant) {
            return Err(NoticeFault::Foreign);
        }
        Ok(match news {
            Notice::Trade(trade) => match &trade {
                Trade::Paid(payment) => {
                    let order = payment.order.clone();
                    Notice::Trade(self.seen(&order, trade))
                }
                _ => Notice::Trade(trade),
            },
            Notice::Refund(refunded) => Notice::Refund(self.seen_refund(refunded)),
        })
    }

    fn bridge(&self, prepay_id: &str, now: Micros, nonce: &str) -> Bridge {
        Bridge {
            app_id: "wx0001".to_owned(),
            time_stamp: now.seconds().to_string(),
            nonce_str: nonce.to_owned(),
            package: format!("prepay_id={prepay_id}"),
            pay_sign: String::new(),
        }
    }
}

/// What stands for the provider's signature: one key for each serial.
pub(crate) fn signature(serial: &str, timestamp: &str, nonce: &str, body: &[u8]) -> String {
    let change = ledger::row_digest("provider's key", format!("{serial} {timestamp} {nonce}").as_bytes(), Some(body));
    format!("{:02x?}", change.content)
}

/// The body of a notice.
pub(crate) fn body(news: &Notice, merchant: &str) -> Vec<u8> {
    let text = match news {
        Notice::Refund(refunded) => {
            let Refunded { refund, refund_id, transaction, order, amount, total, state } = refunded;
            let (state, at) = match state {
                RefundState::Success { at } => ("SUCCESS", at.get()),
                RefundState::Closed => ("CLOSED", 0),
                RefundState::Abnormal => ("ABNORMAL", 0),
                RefundState::Processing => ("PROCESSING", 0),
            };
            format!(
                "{refund} {refund_id} {transaction} {order} {} {} {state} {at} {merchant}",
                amount.get(),
                total.get()
            )
        }
        Notice::Trade(Trade::Paid(Payment { order, transaction, amount, currency, paid_at })) => {
            format!("{order} {transaction} {} {currency} {} {merchant}", amount.get(), paid_at.get())
        }
        Notice::Trade(_) => String::new(),
    };
    text.into_bytes()
}

fn read_body(body: &[u8]) -> Option<(Notice, String)> {
    let words: Vec<&str> = std::str::from_utf8(body).ok()?.split(' ').collect();
    let fen = |text: &str| text.parse().map(Fen::new).ok();
    let moment = |text: &str| text.parse().map(Micros::new).ok();
    match words[..] {
        [order, transaction, amount, currency, paid_at, merchant] => {
            let payment = Payment {
                order: order.to_owned(),
                transaction: transaction.to_owned(),
                amount: fen(amount)?,
                currency: currency.to_owned(),
                paid_at: moment(paid_at)?,
            };
            Some((Notice::Trade(Trade::Paid(payment)), merchant.to_owned()))
        }
        [refund, refund_id, transaction, order, amount, total, state, at, merchant] => {
            let state = match state {
                "SUCCESS" => RefundState::Success { at: moment(at)? },
                "CLOSED" => RefundState::Closed,
                "ABNORMAL" => RefundState::Abnormal,
                _ => return None,
            };
            let refunded = Refunded {
                refund: refund.to_owned(),
                refund_id: refund_id.to_owned(),
                transaction: transaction.to_owned(),
                order: order.to_owned(),
                amount: fen(amount)?,
                total: fen(total)?,
                state,
            };
            Some((Notice::Refund(refunded), merchant.to_owned()))
        }
        _ => None,
    }
}
