//! Faults that an operator must act on, told in the log.
//!
//! The log is the process's, so what was told lately is kept for the process too. A school that is overrun must not fill its
//! disk with saying so: of one kind only a few lines are written in ten seconds, and the next says how many were left out.

use std::sync::{Mutex, PoisonError};

use ledger::Micros;
use rules::ids::{CaseId, PersonId};
use teller::Fault;

use crate::ports::NoticeFault;

/// How long a window is, microseconds.
const WINDOW: i64 = 10_000_000;

/// Lines of one kind within a window.
#[derive(Debug)]
struct Quota {
    most: u32,
    began: Micros,
    told: u32,
    left_out: u64,
}

impl Quota {
    const fn new(most: u32) -> Quota {
        Quota { most, began: Micros::new(i64::MIN), told: 0, left_out: 0 }
    }

    /// Whether a line may be written now, and how many were left out before it.
    fn take(&mut self, now: Micros) -> Option<u64> {
        // A clock that is another school's, or a test's, may be earlier.
        if now.since(self.began).checked_abs().is_none_or(|since| since >= WINDOW) {
            (self.began, self.told) = (now, 0);
        }
        if self.told >= self.most {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.told = self.told.saturating_add(1);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Notices that were not believed within a window, and how many of them are one too many.
#[derive(Debug)]
struct Rate {
    began: Micros,
    seen: u64,
}

impl Rate {
    /// More in one window than a provider's probes and a badly set clock explain.
    const MOST: u64 = 20;

    const fn new() -> Rate {
        Rate { began: Micros::new(i64::MIN), seen: 0 }
    }

    /// Whether this one is the first above the rate in its window.
    fn passed_by(&mut self, now: Micros) -> bool {
        if now.since(self.began).checked_abs().is_none_or(|since| since >= WINDOW) {
            (self.began, self.seen) = (now, 0);
        }
        self.seen = self.seen.saturating_add(1);
        self.seen == Rate::MOST.saturating_add(1)
    }
}

static FORGED: Mutex<Rate> = Mutex::new(Rate::new());
static FOREIGN: Mutex<Quota> = Mutex::new(Quota::new(1));
static BUSY: Mutex<Quota> = Mutex::new(Quota::new(1));
static FULL: Mutex<Quota> = Mutex::new(Quota::new(1));
static LOSS: Mutex<Quota> = Mutex::new(Quota::new(5));
static POISON: Mutex<Quota> = Mutex::new(Quota::new(20));

fn quota(kind: &Mutex<Quota>, now: Micros) -> Option<u64> {
    kind.lock().unwrap_or_else(PoisonError::into_inner).take(now)
}

/// Tells of notices that are not believed: the first that is meant for another merchant, and the first above a rate of those
/// that prove nothing. Source: decision table of payments, rows 4 and 5.
pub(crate) fn not_believed(fault: NoticeFault, now: Micros) {
    match fault {
        NoticeFault::Foreign => {
            if let Some(left_out) = quota(&FOREIGN, now) {
                tracing::error!(
                    counter.notice_foreign = left_out.saturating_add(1),
                    "ALARM: the payment provider signed a notice for another merchant or application; nothing was changed. \
                     Somebody forwards foreign notices to this server, or its merchant id or appid is set wrong"
                );
            }
        }
        NoticeFault::Malformed
        | NoticeFault::Stale
        | NoticeFault::UnknownSerial
        | NoticeFault::WrongSignature
        | NoticeFault::Sealed => {
            if FORGED.lock().unwrap_or_else(PoisonError::into_inner).passed_by(now) {
                tracing::error!(
                    %fault,
                    "ALARM: more than {} notices in ten seconds are not believed, the newest because: {fault}; nothing was \
                     changed. Somebody forges notices, or the provider's key or this machine's clock is wrong",
                    Rate::MOST
                );
            }
        }
    }
}

/// Tells that a holder reports a card lost again and again: somebody else may have the session, or a program runs wild. No
/// report is refused for that. Source: R82.
pub(crate) fn many_loss_reports(person: PersonId, now: Micros) {
    if let Some(left_out) = quota(&LOSS, now) {
        tracing::error!(
            counter.loss_reports = left_out.saturating_add(1),
            person = %person.0,
            "ALARM: holder {} reported a card lost more than {} times in an hour; the card is stopped since the first report. \
             A program runs wild, or somebody else has the holder's session: ask the holder",
            person.0,
            rules::card::MOST_REPORTS
        );
    }
}

/// Tells a fault that `command` came to. Source: M4.
pub(crate) fn tell(command: &'static str, fault: &Fault, now: Micros) {
    let command = command.strip_prefix("flows::").unwrap_or(command);
    match fault {
        Fault::Busy => {
            if let Some(left_out) = quota(&BUSY, now) {
                tracing::error!(
                    counter.fault_busy = left_out.saturating_add(1),
                    command,
                    "ALARM: {} command(s) were refused because too many wait, the newest is {command}; nothing was done \
                     for them and people are told to try again. If it lasts, the disk is slow or the machine is too \
                     small: run `onecard doctor`",
                    left_out.saturating_add(1),
                );
            }
        }
        Fault::Full => {
            if let Some(left_out) = quota(&FULL, now) {
                tracing::error!(
                    counter.fault_full = left_out.saturating_add(1),
                    command,
                    "ALARM: the disk of the data folder is full; {} command(s) were refused, the newest is {command}; \
                     nothing was done for them. Nobody can pay until there is room: make some, it goes on by itself",
                    left_out.saturating_add(1),
                );
            }
        }
        Fault::Poison(why) => {
            if let Some(left_out) = quota(&POISON, now) {
                tracing::error!(
                    counter.fault_poison = left_out.saturating_add(1),
                    command,
                    "ALARM: {command} could not be carried out and was refused; nothing was done: {why}. {left_out} more \
                     were left out of the log. Run `onecard verify` and send these lines to the maker",
                );
            }
        }
        // The server says itself that it stops, and why.
        Fault::Stopping => {}
    }
}

/// Tells that nothing more is sent to a receiver of events.
pub(crate) fn webhook_paused(webhook: &str, case: CaseId) {
    tracing::error!(
        webhook,
        case = %case.0,
        "ALARM: the receiver of webhook {webhook} has taken nothing for three days; nothing more is sent to it, and nothing is \
         lost. Have the receiver mended, then run `onecard webhook resume {webhook}`"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_4_a_few_notices_that_prove_nothing_raise_no_alarm_and_a_flood_raises_one_in_each_window() {
        let at = |millis: i64| Micros::new(1_795_400_000_000_000 + millis * 1_000);
        let mut rate = Rate::new();
        let alarms = |rate: &mut Rate, from: i64, many: i64| (0..many).filter(|n| rate.passed_by(at(from + n))).count();
        assert_eq!(alarms(&mut rate, 0, 20), 0);
        assert_eq!(alarms(&mut rate, 20, 500), 1);
        assert_eq!(alarms(&mut rate, 20_000, 20), 0);
        assert_eq!(alarms(&mut rate, 20_020, 1), 1);
    }

    #[test]
    fn m4_a_flood_of_faults_writes_a_few_lines_and_counts_the_rest() {
        let at = |millis: i64| Micros::new(1_795_400_000_000_000 + millis * 1_000);
        let mut quota = Quota::new(2);
        let table = [
            (0, Some(0)),
            (1, Some(0)),
            (2, None),
            (9_999, None),
            (10_000, Some(2)),
            (10_001, Some(0)),
            (10_002, None),
            (60_000, Some(1)),
            (-60_000, Some(0)),
        ];
        for (millis, expected) in table {
            assert_eq!(quota.take(at(millis)), expected, "{millis}");
        }
    }
}
