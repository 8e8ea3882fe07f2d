//! The ports of the flows: a clock that is set by hand, chance from a seed, and a payment provider that tells of payments.
//! Card keys and sealing are the product's own.

use std::future::ready;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use flows::ports::{
    Bridge, ChannelError, Clock, Entropy, Notice, NoticeFault, OrderNo, Payment, PrepayWish, RawNotice, RefundNo,
    RefundWish, Repayment, Ticket, Trade, Waiting, WeChat,
};
use ledger::{Fen, Id, Micros};
use teller::IdSource;

/// The wall clock of the platform and of the terminals.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn at(now: Micros) -> HandClock {
        HandClock(AtomicI64::new(now.get()))
    }

    pub(crate) fn set(&self, now: Micros) {
        self.0.store(now.get(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros::new(self.0.load(Ordering::SeqCst))
    }
}

/// Chance that is the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    pub(crate) fn four(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        [a, b, c, d]
    }
}

/// The platform's chance.
pub(crate) struct Dice(pub(crate) Mutex<Chance>);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut chance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(chance.next().to_be_bytes()) {
                *to = from;
            }
        }
    }
}

/// Identifiers in the order of time, also across a restart within one microsecond.
pub(crate) struct Ids(pub(crate) u64);

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        self.0 = self.0.wrapping_add(1);
        Id::time_ordered(now, self.0.to_be_bytes())
    }
}

/// A payment provider with which every order is paid: its notices are `order transaction fen`. Nothing is ever given back.
pub(crate) struct Provider;

fn no<T: Send + 'static>() -> Waiting<'static, Result<T, ChannelError>> {
    let refused = ChannelError::Refused { code: "NOT_HERE".to_owned(), message: "nobody asks for this".to_owned() };
    Box::pin(ready(Err(refused)))
}

impl WeChat for Provider {
    fn openid<'a>(&'a self, _: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        no()
    }

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        Box::pin(ready(Ok(Ticket::Prepaid(format!("wx{}", wish.order)))))
    }

    fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        no()
    }

    fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        no()
    }

    fn refund<'a>(&'a self, _: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        no()
    }

    fn query_refund(&self, _: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        no()
    }

    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        let text = std::str::from_utf8(notice.body).map_err(|_| NoticeFault::Malformed)?;
        let mut words = text.split(' ');
        let (Some(order), Some(transaction), Some(fen), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(NoticeFault::Malformed);
        };
        Ok(Notice::Trade(Trade::Paid(Payment {
            order: order.to_owned(),
            transaction: transaction.to_owned(),
            amount: fen.parse().map(Fen::new).map_err(|_| NoticeFault::Malformed)?,
            currency: "CNY".to_owned(),
            paid_at: now,
        })))
    }

    fn learn_serial<'a>(&'a self, _: &'a str) -> Waiting<'a, bool> {
        Box::pin(ready(false))
    }

    fn bridge(&self, prepay_id: &str, _: Micros, nonce: &str) -> Bridge {
        Bridge {
            app_id: String::new(),
            time_stamp: String::new(),
            nonce_str: nonce.to_owned(),
            package: format!("prepay_id={prepay_id}"),
            pay_sign: String::new(),
        }
    }
}
