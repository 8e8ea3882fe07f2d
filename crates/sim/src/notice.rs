//! Notices of payments and refunds on their way to the server: repeated by the provider's own schedule, lost, late, doubled, forged.

use flows::ports::{Notice as News, NoticeFault, Payment, RawNotice, Trade};
use flows::top_up::{self, NoticeOutcome};
use ledger::{Fen, Micros};

use crate::provider::Told;
use crate::server::Said;
use crate::wechat::{MERCHANT, SERIALS, body, signature};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
/// The provider's waits between its tries, seconds.
const AGAIN_AFTER: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// A notice as it goes over the line.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    timestamp: String,
    nonce: String,
    serial: String,
    signature: String,
    body: Vec<u8>,
    made_at: i64,
}

impl World {
    fn wire(&mut self, news: &News, merchant: &str) -> Wire {
        let timestamp = self.wall_now().seconds().to_string();
        let nonce = format!("{:016x}", self.provider.rng.next());
        let body = body(news, merchant);
        let serial = self.provider.serial(self.now);
        if serial != SERIALS[0] {
            self.counters.add("notice: under the new key");
        }
        let signature = signature(serial, &timestamp, &nonce, &body);
        Wire { timestamp, nonce, serial: serial.to_owned(), signature, body, made_at: self.now }
    }

    /// The provider tells of a payment, and plans to tell again unless it is answered well.
    pub(crate) fn notify(&mut self, number: usize) {
        let Some(notice) = self.provider.notices.get_mut(number) else { return };
        if notice.done || notice.silent {
            return;
        }
        let tries = notice.tries;
        notice.tries += 1;
        let (news, merchant) = (notice.news.clone(), notice.merchant);
        if tries > 0 {
            self.counters.add("notice: sent again by the provider");
        }
        if let Some(wait) = AGAIN_AFTER.get(tries) {
            self.at(*wait * SECOND, Event::Notify { notice: number });
        }
        if self.now < self.provider.dark_until {
            return;
        }
        let copies = if self.provider.rng.chance(self.faults.notice_twice) { 2 } else { 1 };
        if copies > 1 {
            self.counters.add("notice: doubled");
        }
        for _ in 0..copies {
            let wire = self.wire(&news, merchant);
            for delay in self.net.http(&self.faults, &mut self.counters) {
                self.at(delay, Event::NoticeIn { notice: Some(number), wire: wire.clone() });
            }
        }
    }

    /// All is calm: what only a notice can tell is told again. This stands for the provider's bill, which is not read yet.
    pub(crate) fn tell_again(&mut self) {
        for number in 0..self.provider.notices.len() {
            let Some(notice) = self.provider.notices.get_mut(number) else { continue };
            if notice.only_way && !notice.done {
                notice.tries = 0;
                self.at(SECOND, Event::Notify { notice: number });
            }
        }
    }

    /// A notice arrives at the server.
    pub(crate) fn notice_in(&mut self, notice: Option<usize>, wire: Wire) {
        let late = self.now - wire.made_at > 60 * SECOND;
        let Some(live) = self.server.live.as_mut() else { return };
        if late {
            self.counters.add("notice: late");
        }
        let school = live.school.clone();
        live.spawn(async move {
            let raw = RawNotice {
                timestamp: &wire.timestamp,
                nonce: &wire.nonce,
                serial: &wire.serial,
                signature: &wire.signature,
                body: &wire.body,
            };
            let outcome = top_up::notice(&school, &raw).await;
            Said::Notice { notice, outcome }
        });
        self.run_server();
    }

    /// The server has answered a notice.
    pub(crate) fn notice_answered(&mut self, notice: Option<usize>, outcome: &NoticeOutcome) {
        let well = match outcome {
            NoticeOutcome::Taken(_) | NoticeOutcome::Refund(_) | NoticeOutcome::Suspended(_) => true,
            NoticeOutcome::NotBelieved(fault) => {
                self.counters.add(match fault {
                    NoticeFault::Malformed => "notice: refused as malformed",
                    NoticeFault::Stale => "notice: refused as stale",
                    NoticeFault::UnknownSerial => "notice: refused for its key",
                    NoticeFault::WrongSignature => "notice: refused for its signature",
                    NoticeFault::Sealed => "notice: refused as sealed",
                    NoticeFault::Foreign => "notice: refused as foreign",
                });
                false
            }
            NoticeOutcome::TryAgain => false,
        };
        let Some(number) = notice else { return };
        let Some(known) = self.provider.notices.get(number) else { return };
        if well {
            match &known.told {
                Told::Payment(transaction) => {
                    self.checker.payments.acknowledged(transaction, &mut self.checker.findings);
                }
                Told::Refund(number) => self.checker.refunds.acknowledged(number, &mut self.checker.findings),
            }
            for delay in self.net.http(&self.faults, &mut self.counters) {
                self.at(delay, Event::NoticeDone { notice: number, epoch: self.epoch });
            }
        }
    }

    /// The provider hears that all is well.
    pub(crate) fn notice_done(&mut self, number: usize, epoch: u64) {
        // What was said before a restore does not strike it from the bill.
        if let Some(notice) = self.provider.notices.get_mut(number).filter(|_| epoch == self.epoch) {
            notice.done = true;
        }
    }

    /// Somebody who is not the provider sends a notice of a payment that was never made, or the provider one that is not
    /// for us.
    pub(crate) fn forge(&mut self) {
        if self.calm || self.faults.forged_seconds == 0 {
            return;
        }
        let (order, amount) =
            self.provider.some_order().unwrap_or_else(|| ("261123080000000100000000".to_owned(), Fen::new(5000)));
        let payment = Payment {
            order,
            transaction: format!("forged-{:016x}", self.provider.rng.next()),
            amount,
            currency: "CNY".to_owned(),
            paid_at: self.wall_now(),
        };
        let refund = if self.provider.rng.chance(300) { self.provider.paybacks.forged() } else { None };
        let news = refund.map_or(News::Trade(Trade::Paid(payment)), News::Refund);
        let mut wire = self.wire(&news, MERCHANT);
        match self.provider.rng.below(5) {
            0 => wire.signature = "WECHATPAY/SIGNTEST/".to_owned(),
            1 => wire.serial = "PUB_KEY_ID_99".to_owned(),
            2 => {
                let old = Micros::new(self.wall_now().get() - 3600 * SECOND).seconds().to_string();
                wire.signature = signature(&wire.serial, &old, &wire.nonce, &wire.body);
                wire.timestamp = old;
            }
            3 => {
                wire.body = b"not a notice".to_vec();
                wire.signature = signature(&wire.serial, &wire.timestamp, &wire.nonce, &wire.body);
            }
            _ => wire = self.wire(&news, "1900009999"),
        }
        self.at(SECOND / 100, Event::NoticeIn { notice: None, wire });
        self.plan_forgery();
    }

    pub(crate) fn plan_forgery(&mut self) {
        if self.faults.forged_seconds > 0 {
            let mean = i64::from(self.faults.forged_seconds) * SECOND;
            let next = self.net.about(mean);
            self.at(next, Event::Forge);
        }
    }
}
