//! Notices: which are due and what became of each.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Micros;
use serde::{Deserialize, Serialize};

use crate::switches::{Set, Way};
use crate::wechat::Content;

/// Seconds between one failed try and the next; after the last one the provider gives up (24 h 4 min in all).
///
/// Source: WeChat Pay API v3, payment notification.
const RETRY_SECONDS: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// All notices, sent and to be sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outbox {
    notices: BTreeMap<u64, Notice>,
    /// Those that wait, by time; one that is on its way stands in no index and waits again after a restart.
    #[serde(skip)]
    due: BTreeSet<(Micros, u64)>,
}

/// One notice to one address, with its tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) out_trade_no: String,
    pub(crate) url: String,
    pub(crate) content: Content,
    /// Wrongly signed on purpose, sent once: who takes it does not check signatures.
    #[serde(default)]
    pub(crate) probe: bool,
    pub(crate) state: NoticeState,
    pub(crate) tries: Vec<Try>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NoticeState {
    /// The next try is due then.
    Waiting {
        #[serde(with = "crate::stored::micros")]
        due_at: Micros,
    },
    /// It goes out after the next notice, or then.
    Held {
        #[serde(with = "crate::stored::micros")]
        until: Micros,
    },
    /// The other side said that it has it.
    Delivered,
    /// A probe was refused, as it should be.
    Refused,
    /// The last try of the schedule failed.
    GivenUp,
    /// The switch said that it is never sent.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Try {
    #[serde(with = "crate::stored::micros")]
    pub(crate) at: Micros,
    pub(crate) outcome: Outcome,
    /// The beginning of what was answered.
    #[serde(default)]
    pub(crate) said: String,
}

/// What one try met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// An answer with this status; 200 and 204 end the matter.
    Answered(u16),
    /// No answer within five seconds.
    TimedOut,
    /// No connection, or one that broke.
    NoConnection,
}

impl Outcome {
    pub(crate) fn accepted(self) -> bool {
        matches!(self, Outcome::Answered(200 | 204))
    }
}

/// A notice that waits for the one after it goes out by itself after so long.
const HELD_SECONDS: i64 = 3600;
/// How long after the one that it waited for.
const AFTER_THE_NEXT_SECONDS: i64 = 2;

impl Outbox {
    /// Puts a notice of what happened at `now` on its way, as the switch says.
    pub(crate) fn add(&mut self, set: Set, out_trade_no: &str, url: &str, content: &Content, now: Micros) {
        self.release(now);
        let at_once = NoticeState::Waiting { due_at: now };
        let (state, copies) = match set.way {
            Way::NoticeLost => (NoticeState::Lost, 1),
            Way::NoticeLate => (NoticeState::Waiting { due_at: now.after_seconds(set.number.into()) }, 1),
            Way::NoticeTwice => (at_once, 2),
            Way::NoticeOutOfOrder => (NoticeState::Held { until: now.after_seconds(HELD_SECONDS) }, 1),
            _ => (at_once, 1),
        };
        for _ in 0..copies {
            self.insert(out_trade_no, url, content, state, false);
        }
    }

    /// Sends a probe before the notice that is added next.
    pub(crate) fn add_probe(&mut self, out_trade_no: &str, url: &str, content: &Content, now: Micros) {
        self.insert(out_trade_no, url, content, NoticeState::Waiting { due_at: now }, true);
    }

    fn insert(&mut self, out_trade_no: &str, url: &str, content: &Content, state: NoticeState, probe: bool) {
        let id = self.notices.last_key_value().map_or(1, |(last, _)| last + 1);
        let notice = Notice {
            out_trade_no: out_trade_no.to_owned(),
            url: url.to_owned(),
            content: content.clone(),
            probe,
            state,
            tries: Vec::new(),
        };
        self.notices.insert(id, notice);
        self.due.extend(due_of(state).map(|due_at| (due_at, id)));
    }

    /// Lets go of what waited for a notice at `now`.
    fn release(&mut self, now: Micros) {
        let due_at = now.after_seconds(AFTER_THE_NEXT_SECONDS);
        for (id, notice) in &mut self.notices {
            if let NoticeState::Held { until } = notice.state {
                self.due.remove(&(until, *id));
                notice.state = NoticeState::Waiting { due_at };
                self.due.insert((due_at, *id));
            }
        }
    }

    /// Takes the first notice that is due, out of the index: nobody else gets it until it is [`Outbox::record`]ed.
    pub(crate) fn take_due(&mut self, now: Micros) -> Option<(u64, Notice)> {
        let (due_at, id) = self.due.first().copied().filter(|(due_at, _)| *due_at <= now)?;
        self.due.remove(&(due_at, id));
        self.notices.get(&id).map(|notice| (id, notice.clone()))
    }

    /// When the first notice that waits is due.
    pub(crate) fn next_due(&self) -> Option<Micros> {
        self.due.first().map(|(due_at, _)| *due_at)
    }

    /// Writes down what a try at `now` met, and when the next one is due; a probe is not repeated.
    ///
    /// Shape: waiting times are divided by `speed`.
    pub(crate) fn record(&mut self, id: u64, outcome: Outcome, said: String, now: Micros, speed: u32) {
        let Some(notice) = self.notices.get_mut(&id) else { return };
        notice.tries.push(Try { at: now, outcome, said });
        notice.state = if outcome.accepted() {
            NoticeState::Delivered
        } else if notice.probe {
            NoticeState::Refused
        } else if let Some(seconds) = RETRY_SECONDS.get(notice.tries.len() - 1) {
            let due_at = Micros::new(now.get() + seconds * 1_000_000 / i64::from(speed.max(1)));
            self.due.insert((due_at, id));
            NoticeState::Waiting { due_at }
        } else {
            NoticeState::GivenUp
        };
    }

    /// The notices of one order, the oldest first.
    pub(crate) fn of_order<'a>(&'a self, out_trade_no: &'a str) -> impl Iterator<Item = &'a Notice> {
        self.notices.values().filter(move |notice| notice.out_trade_no == out_trade_no)
    }

    /// Rebuilds the index after the notices were read from the file.
    pub(crate) fn reindex(&mut self) {
        self.due = self.notices.iter().filter_map(|(id, notice)| Some((due_of(notice.state)?, *id))).collect();
    }

    /// How many wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.due.len()
    }
}

/// When a notice in this state goes out by itself.
fn due_of(state: NoticeState) -> Option<Micros> {
    match state {
        NoticeState::Waiting { due_at } => Some(due_at),
        NoticeState::Held { until } => Some(until),
        NoticeState::Delivered | NoticeState::Refused | NoticeState::GivenUp | NoticeState::Lost => None,
    }
}
