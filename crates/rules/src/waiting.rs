//! Money that waits for a card and is not fetched: its holder is reminded, and at last it goes back the way it came (R36).
//!
//! What holds for an item is what the settings said when it began to wait (R93): a payer was promised that, and a later
//! change of the settings is for later payments.

use ledger::Micros;

use crate::ids::{CaseId, OrderNo};
use crate::limits::{Change, Limits, Setting};

/// An item that waits, as far as its holder was reminded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// Whose money it is: a paid top-up's.
    pub order: OrderNo,
    /// Since when it waits.
    pub since: Micros,
    /// So many of the reminders are over.
    pub told: u8,
    /// A refund of it failed for good: a person decides, it does not go back by itself again.
    pub failed: bool,
    /// The case that tells why it did not go back by itself.
    pub case: Option<CaseId>,
}

/// What is due about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// Its holder is to be reminded; so many reminders are over then.
    Remind(u8),
    /// It is to go back the way it came.
    Return,
}

/// Settings of the reminders, in their order.
const REMINDERS: [Setting; 3] =
    [Setting::PendingRemindFirst, Setting::PendingRemindSecond, Setting::PendingRemindThird];

/// How soon what could not be done is looked at again, seconds.
const LOOK_AGAIN: i64 = 3600;

/// What is promised to an item that began to wait at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    reminders: [Micros; 3],
    /// When it goes back by itself; none when it never does.
    pub returns_at: Option<Micros>,
}

impl Promise {
    /// By the settings that held at `since`.
    pub fn of(history: &[Change], since: Micros) -> Promise {
        let limits = Limits::at(history, since);
        let after = limits.get(Setting::PendingRefundAfter);
        Promise {
            reminders: REMINDERS.map(|setting| since.after_seconds(limits.get(setting))),
            returns_at: (after > 0).then(|| since.after_seconds(after)),
        }
    }

    /// When the first thing is due about an item of which nobody was reminded.
    pub fn first(&self) -> Micros {
        self.reminders.iter().copied().chain(self.returns_at).min().unwrap_or(Micros::new(i64::MAX))
    }
}

impl Reminder {
    /// An item that begins to wait.
    pub const fn new(order: OrderNo, since: Micros, failed: bool) -> Reminder {
        Reminder { order, since, told: 0, failed, case: None }
    }

    /// An item that waits again and of which nobody knows what its holder was told: what was due before `now` counts as told,
    /// so that nothing is told twice.
    pub fn anew(order: OrderNo, since: Micros, promise: &Promise, now: Micros) -> Reminder {
        Reminder { told: over(promise, now), ..Reminder::new(order, since, false) }
    }

    /// What is due at `now`. Several reminders that came due meanwhile are one: the newest.
    pub fn due(&self, promise: &Promise, now: Micros) -> Due {
        if !self.failed && self.case.is_none() && promise.returns_at.is_some_and(|at| at <= now) {
            return Due::Return;
        }
        let told = over(promise, now);
        // Who is told that it goes back need not be told to fetch it.
        let over = promise.returns_at.is_some_and(|at| at <= now) && !self.failed;
        if told > self.told && !over { Due::Remind(told) } else { Due::Nothing }
    }

    /// When something is due about it next, after `now`; none when nothing ever is.
    pub fn next(&self, promise: &Promise, now: Micros) -> Option<Micros> {
        let told = usize::from(self.told);
        let reminder = promise.reminders.iter().skip(told).copied().min();
        let back = promise.returns_at.filter(|_| !self.failed);
        let next = reminder.into_iter().chain(back).min()?;
        // Due, and not done: it was on its way to the card, or a person decides.
        Some(if next > now { next } else { now.after_seconds(LOOK_AGAIN) })
    }
}

/// How many reminders are over at `now`.
fn over(promise: &Promise, now: Micros) -> u8 {
    u8::try_from(promise.reminders.iter().filter(|at| **at <= now).count()).unwrap_or(u8::MAX)
}
