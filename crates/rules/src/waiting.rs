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

/// How soon what is on its way to the card is looked at again, seconds.
const LOOK_AGAIN: i64 = 3600;
/// How soon what a person was told of is looked at again, seconds.
const LOOK_SELDOM: i64 = 86_400;

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
        // Who is told that it goes back need not be told to fetch it.
        if !self.failed && promise.returns_at.is_some_and(|at| at <= now) {
            return Due::Return;
        }
        let told = over(promise, now);
        if told > self.told { Due::Remind(told) } else { Due::Nothing }
    }

    /// When something is due about it next, after `now`; none when nothing ever is.
    pub fn next(&self, promise: &Promise, now: Micros) -> Option<Micros> {
        let told = usize::from(self.told);
        let reminder = promise.reminders.iter().skip(told).copied().min();
        let back = promise.returns_at.filter(|_| !self.failed);
        let next = reminder.into_iter().chain(back).min()?;
        // Due, and not done: it was on its way to the card, or a person decides.
        let again = if self.case.is_some() { LOOK_SELDOM } else { LOOK_AGAIN };
        Some(if next > now { next } else { now.after_seconds(again) })
    }
}

/// How many reminders are over at `now`.
fn over(promise: &Promise, now: Micros) -> u8 {
    u8::try_from(promise.reminders.iter().filter(|at| **at <= now).count()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use ledger::Id;

    use super::*;

    const START: i64 = 1_795_400_000;
    const HOUR: i64 = 3600;
    const DAY: i64 = 86_400;

    fn since() -> Micros {
        Micros::from_seconds(START)
    }

    fn after(seconds: i64) -> Micros {
        since().after_seconds(seconds)
    }

    fn reminder() -> Reminder {
        Reminder::new(OrderNo::from_id(Id::new(1)), since(), false)
    }

    #[test]
    fn r36_reminders_come_after_2_24_and_72_hours_and_the_money_goes_back_after_30_days() {
        let promise = Promise::of(&[], since());
        let table = [
            (0, 0, Due::Nothing),
            (2 * HOUR - 1, 0, Due::Nothing),
            (2 * HOUR, 0, Due::Remind(1)),
            (2 * HOUR, 1, Due::Nothing),
            (DAY - 1, 1, Due::Nothing),
            (DAY, 1, Due::Remind(2)),
            (DAY, 0, Due::Remind(2)),
            (3 * DAY - 1, 2, Due::Nothing),
            (3 * DAY, 2, Due::Remind(3)),
            (3 * DAY, 0, Due::Remind(3)),
            (30 * DAY - 1, 3, Due::Nothing),
            (30 * DAY, 3, Due::Return),
            (30 * DAY, 0, Due::Return),
        ];
        for (seconds, told, expected) in table {
            let reminder = Reminder { told, ..reminder() };
            assert_eq!(reminder.due(&promise, after(seconds)), expected, "{told} told, after {seconds} s");
        }
        let failed = Reminder { failed: true, ..reminder() };
        assert_eq!(failed.due(&promise, after(30 * DAY)), Due::Remind(3), "it does not go back by itself again");
    }

    #[test]
    fn r36_the_next_look_is_at_the_next_threshold_and_soon_again_when_nothing_could_be_done() {
        let promise = Promise::of(&[], since());
        let case = Some(CaseId(Id::new(7)));
        let table = [
            (reminder(), 0, Some(2 * HOUR)),
            (Reminder { told: 1, ..reminder() }, 2 * HOUR, Some(DAY)),
            (Reminder { told: 2, ..reminder() }, DAY, Some(3 * DAY)),
            (Reminder { told: 3, ..reminder() }, 3 * DAY, Some(30 * DAY)),
            (Reminder { told: 3, ..reminder() }, 30 * DAY, Some(30 * DAY + HOUR)),
            (Reminder { told: 3, case, ..reminder() }, 30 * DAY, Some(31 * DAY)),
            (Reminder { told: 3, failed: true, ..reminder() }, 3 * DAY, None),
            (reminder(), 3 * HOUR, Some(4 * HOUR)),
        ];
        for (reminder, now, expected) in table {
            assert_eq!(reminder.next(&promise, after(now)), expected.map(after), "{reminder:?} at {now}");
        }
    }

    #[test]
    fn r93_what_was_promised_when_it_began_to_wait_holds() {
        let change =
            |setting, value, from| Change { setting, value, from: after(from), set_at: since(), set_by: "li".into() };
        let history = [change(Setting::PendingRefundAfter, 0, 1), change(Setting::PendingRemindFirst, HOUR, 1)];
        let (old, new) = (Promise::of(&history, since()), Promise::of(&history, after(1)));
        assert_eq!((old.returns_at, old.reminders[0]), (Some(after(30 * DAY)), after(2 * HOUR)));
        assert_eq!((new.returns_at, new.reminders[0]), (None, after(HOUR + 1)));
        let late = Reminder { since: after(1), told: 3, ..reminder() };
        assert_eq!((late.due(&new, after(900 * DAY)), late.next(&new, after(4 * DAY))), (Due::Nothing, None));
    }

    #[test]
    fn r36_what_waits_again_and_is_not_known_is_told_nothing_a_second_time() {
        let promise = Promise::of(&[], since());
        let order = OrderNo::from_id(Id::new(1));
        for (now, told, due) in [(0, 0, Due::Nothing), (2 * HOUR, 1, Due::Nothing), (31 * DAY, 3, Due::Return)] {
            let anew = Reminder::anew(order, since(), &promise, after(now));
            assert_eq!((anew.told, anew.due(&promise, after(now))), (told, due), "after {now}");
        }
    }
}
