//! Notices: which are due, what became of each, and the switches that lose, delay or double them.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Micros;
use serde::{Deserialize, Serialize};

use crate::wechat::TransactionNotice;

/// Seconds between one failed try and the next; after the last one the provider gives up (24 h 4 min in all).
///
/// Source: WeChat Pay API v3, payment notification.
const RETRY_SECONDS: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// What happens to the notice of an order that is paid while the switch stands so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// It is sent at once.
    #[default]
    Normal,
    /// It is never sent.
    Lost,
    /// It is sent first after so many seconds, on the sandbox's clock.
    Late {
        /// From payment to the first try.
        seconds: u32,
    },
    /// It is sent twice at the same moment.
    Twice,
}

/// The faults in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Switches {
    /// For every order.
    pub(crate) all: Mode,
    /// For the next order that is paid, then spent.
    pub(crate) next: Option<Mode>,
}

impl Switches {
    /// The mode for an order that is paid now.
    pub(crate) fn take(&mut self) -> Mode {
        self.next.take().unwrap_or(self.all)
    }
}

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
    pub(crate) content: TransactionNotice,
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
    /// The other side said that it has it.
    Delivered,
    /// The last try of the schedule failed.
    GivenUp,
    /// The switch said that it is never sent.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Try {
    #[serde(with = "crate::stored::micros")]
    pub(crate) at: Micros,
    pub(crate) outcome: Outcome,
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

impl Outbox {
    /// Puts the notice of a payment at `now` on its way as `mode` says.
    pub(crate) fn add(&mut self, mode: Mode, out_trade_no: &str, url: &str, content: &TransactionNotice, now: Micros) {
        let (state, copies) = match mode {
            Mode::Normal => (NoticeState::Waiting { due_at: now }, 1),
            Mode::Lost => (NoticeState::Lost, 1),
            Mode::Late { seconds } => (NoticeState::Waiting { due_at: now.after_seconds(seconds.into()) }, 1),
            Mode::Twice => (NoticeState::Waiting { due_at: now }, 2),
        };
        for _ in 0..copies {
            let id = self.notices.last_key_value().map_or(1, |(last, _)| last + 1);
            let notice = Notice {
                out_trade_no: out_trade_no.to_owned(),
                url: url.to_owned(),
                content: content.clone(),
                state,
                tries: Vec::new(),
            };
            self.notices.insert(id, notice);
            if let NoticeState::Waiting { due_at } = state {
                self.due.insert((due_at, id));
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

    /// Writes down what a try at `now` met, and when the next one is due.
    ///
    /// Shape: waiting times are divided by `speed`.
    pub(crate) fn record(&mut self, id: u64, outcome: Outcome, now: Micros, speed: u32) {
        let Some(notice) = self.notices.get_mut(&id) else { return };
        notice.tries.push(Try { at: now, outcome });
        notice.state = if outcome.accepted() {
            NoticeState::Delivered
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
        let waiting = self.notices.iter().filter_map(|(id, notice)| match notice.state {
            NoticeState::Waiting { due_at } => Some((due_at, *id)),
            NoticeState::Delivered | NoticeState::GivenUp | NoticeState::Lost => None,
        });
        self.due = waiting.collect();
    }
}
