//! The channel of WeChat Pay as the server holds it in this world: calls go out as plain data, answers come back when the
//! world delivers them, and a notice carries a keyed hash where the real one carries a signature.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use flows::ports::{
    Bridge, ChannelError, NoticeFault, OrderNo, Payment, PrepayWish, RawNotice, Trade, Waiting, WeChat,
};
use futures_channel::oneshot;
use ledger::{Fen, Micros};

use crate::plant::Plant;
use crate::ports::lock;

/// Our merchant id.
pub(crate) const MERCHANT: &str = "1900000001";
/// Serial of the provider's key.
pub(crate) const SERIAL: &str = "PUB_KEY_ID_01";
/// A notice older than this is not believed, seconds.
const WINDOW: i64 = 300;

/// What the server asks the provider.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Prepay(PrepayWish),
    Query(String),
    Close(String),
}

/// What the provider says.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Prepay(Result<String, ChannelError>),
    Query(Result<Trade, ChannelError>),
    Close(Result<(), ChannelError>),
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

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<String, ChannelError>> {
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
        let told = self.ask(Ask::Close(self.counted(&order.to_string())));
        Box::pin(async move {
            match told.await {
                Ok(Reply::Close(answer)) => answer,
                _ => Err(gone()),
            }
        })
    }

    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Trade, NoticeFault> {
        let seconds: i64 = notice.timestamp.parse().map_err(|_| NoticeFault::Malformed)?;
        if now.seconds().abs_diff(seconds) > WINDOW.unsigned_abs() {
            return Err(NoticeFault::Stale);
        }
        let unchecked = self.plant == Some(Plant::P02);
        if notice.serial != SERIAL && !unchecked {
            return Err(NoticeFault::UnknownSerial);
        }
        if notice.signature != signature(notice.timestamp, notice.nonce, notice.body) && !unchecked {
            return Err(NoticeFault::WrongSignature);
        }
        let (payment, merchant) = read_body(notice.body).ok_or(NoticeFault::Malformed)?;
        if !self.ours(&merchant) {
            return Err(NoticeFault::Foreign);
        }
        let order = payment.order.clone();
        Ok(self.seen(&order, Trade::Paid(payment)))
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

/// What stands for the provider's signature.
pub(crate) fn signature(timestamp: &str, nonce: &str, body: &[u8]) -> String {
    let change = ledger::row_digest("provider's key", format!("{timestamp} {nonce}").as_bytes(), Some(body));
    format!("{:02x?}", change.content)
}

/// The body of a notice.
pub(crate) fn body(payment: &Payment, merchant: &str) -> Vec<u8> {
    let Payment { order, transaction, amount, currency, paid_at } = payment;
    format!("{order} {transaction} {} {currency} {} {merchant}", amount.get(), paid_at.get()).into_bytes()
}

fn read_body(body: &[u8]) -> Option<(Payment, String)> {
    let words: Vec<&str> = std::str::from_utf8(body).ok()?.split(' ').collect();
    let [order, transaction, amount, currency, paid_at, merchant] = words[..] else { return None };
    let payment = Payment {
        order: order.to_owned(),
        transaction: transaction.to_owned(),
        amount: Fen::new(amount.parse().ok()?),
        currency: currency.to_owned(),
        paid_at: Micros::new(paid_at.parse().ok()?),
    };
    Some((payment, merchant.to_owned()))
}
