//! The results as the JSON file has them. Field names are stable; every figure is an integer with its unit in its name.

use serde::Serialize;

use super::super::histogram::percentile;
use super::super::result::{Head, Target, median};
use super::super::rounds::{self, Same, by_contender, per_second};
use super::card_time::CardTime;
use super::run::{Kind, Outcome};
use super::till::Tap;
use super::watch::Message;

/// Number of this form of the file.
pub const FORMAT: u32 = 1;

/// Everything the bench found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What every file begins with; the number of its form is [`FORMAT`].
    #[serde(flatten)]
    pub head: Head,
    /// What a card of plastic is taken to need.
    pub card_time: CardTime,
    /// Every run, in the order of time.
    pub runs: Vec<Run>,
    /// What counts: medians over the rounds.
    pub medians: Vec<Median>,
    /// The targets, and whether they are met.
    pub targets: Vec<Target>,
}

/// How times are spread, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Half of them are at most so long.
    pub p50: u64,
    /// 90 of 100.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// All of them.
    pub most: u64,
}

impl Spread {
    /// That of these times.
    pub fn of(mut micros: Vec<u64>) -> Spread {
        micros.sort_unstable();
        let at = |per_cent| percentile(&micros, per_cent);
        Spread {
            count: u64::try_from(micros.len()).unwrap_or(u64::MAX),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            most: at(100),
        }
    }

    /// The median of each figure; the count is the sum.
    pub fn median(spreads: &[Spread]) -> Spread {
        let of = |pick: fn(&Spread) -> u64| median(spreads.iter().map(pick).collect());
        Spread {
            count: spreads.iter().map(|spread| spread.count).sum(),
            p50: of(|spread| spread.p50),
            p90: of(|spread| spread.p90),
            p99: of(|spread| spread.p99),
            most: of(|spread| spread.most),
        }
    }
}

/// One kind of question in one kind of tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Which.
    pub message: Message,
    /// From its sending to its answer, at the terminal.
    pub us: Spread,
}

/// One kind of tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taps {
    /// Which.
    pub kind: Kind,
    /// Questions and their answers.
    pub messages: Vec<Asked>,
    /// From the card on the reader to the green light, without what card and purchase module took in software.
    pub without_card_us: Spread,
    /// The same with the card-time model.
    pub whole_us: Spread,
    /// Commands to the card before the light, in the middle one of the taps.
    pub commands: u64,
}

impl Taps {
    fn of(kind: Kind, taps: &[Tap], card_time: &CardTime) -> Taps {
        let mut messages = Vec::new();
        for message in
            [Message::Open, Message::Release, Message::Prove, Message::Confirm, Message::Authorise, Message::Sale]
        {
            let asked = taps.iter().flat_map(|tap| &tap.seen.messages).filter(|(asked, _)| *asked == message);
            let micros: Vec<u64> = asked.map(|(_, micros)| *micros).collect();
            if !micros.is_empty() {
                messages.push(Asked { message, us: Spread::of(micros) });
            }
        }
        let commands = taps.iter().map(|tap| u64::try_from(tap.seen.commands).unwrap_or(u64::MAX));
        Taps {
            kind,
            messages,
            without_card_us: Spread::of(taps.iter().map(without_card).collect()),
            whole_us: Spread::of(taps.iter().map(|tap| without_card(tap) + modelled(tap, card_time)).collect()),
            commands: median(commands.collect()),
        }
    }

    /// What the answers to one kind of question took, if there were any.
    pub fn of_message(&self, message: Message) -> Option<Spread> {
        self.messages.iter().find(|asked| asked.message == message).map(|asked| asked.us)
    }
}

/// The commands before the light.
fn before_green(tap: &Tap) -> &[super::card_time::Exchange] {
    tap.work.exchanges.get(..tap.seen.commands).unwrap_or(&tap.work.exchanges)
}

/// The measured time without that of card and module in software; the module works only before the light.
fn without_card(tap: &Tap) -> u64 {
    let card: u64 = before_green(tap).iter().map(|exchange| exchange.took_ns).sum();
    let module: u64 = tap.work.module_ns.iter().sum();
    tap.seen.shown_us.saturating_sub((card + module) / 1000)
}

fn modelled(tap: &Tap, card_time: &CardTime) -> u64 {
    card_time.of(before_green(tap), u64::try_from(tap.work.module_ns.len()).unwrap_or(u64::MAX))
}

/// What one run gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Taps of all terminals in a second.
    pub per_second: u64,
    /// From the first tap to the last, microseconds.
    pub micros: u64,
    /// Each kind of tap.
    pub kinds: Vec<Taps>,
    /// Every chip holds what the book says, and the book was verified from end to end.
    pub verified: bool,
}

impl Figures {
    /// Those of a run whose book held what the chips do.
    pub fn of(outcome: &Outcome, card_time: &CardTime) -> Figures {
        Figures {
            per_second: per_second(outcome.made, outcome.micros),
            micros: outcome.micros,
            kinds: outcome.taps.iter().map(|(kind, taps)| Taps::of(*kind, taps, card_time)).collect(),
            verified: true,
        }
    }
}

/// How many tapped in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AtOnce {
    /// Terminals that tapped at once.
    pub terminals: u16,
}

/// One run.
pub type Run = rounds::Run<AtOnce, Figures>;

/// The median over the valid runs with one number of terminals.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// Terminals that tapped at once.
    pub terminals: u16,
    /// Valid runs it is made of; when there are none, it is made of the disturbed ones.
    pub valid_runs: u64,
    /// Disturbed runs.
    pub disturbed_runs: u64,
    /// Taps of all terminals in a second.
    pub per_second: u64,
    /// 99 of 100 syncs of the looks before and after these runs took at most so long, microseconds.
    pub sync_p99_us: u64,
    /// Each kind of tap.
    pub kinds: Vec<Taps>,
}

/// The medians of `runs`, for each number of terminals in the order of its first run.
pub fn medians(runs: &[Run]) -> Vec<Median> {
    let mut medians: Vec<Median> = Vec::new();
    for (AtOnce { terminals }, Same { counted, valid, disturbed }) in by_contender(runs) {
        let Some(first) = counted.first() else { continue };
        let syncs = counted.iter().flat_map(|run| [run.before.sync_p99_us, run.after.sync_p99_us]);
        medians.push(Median {
            terminals,
            valid_runs: valid,
            disturbed_runs: disturbed,
            per_second: median(counted.iter().map(|run| run.figures.per_second).collect()),
            sync_p99_us: median(syncs.collect()),
            kinds: first.figures.kinds.iter().map(|taps| middle(taps, &counted)).collect(),
        });
    }
    medians
}

fn middle(like: &Taps, runs: &[&Run]) -> Taps {
    let same: Vec<&Taps> =
        runs.iter().flat_map(|run| &run.figures.kinds).filter(|taps| taps.kind == like.kind).collect();
    let of = |pick: &dyn Fn(&Taps) -> Option<Spread>| {
        Spread::median(&same.iter().filter_map(|taps| pick(taps)).collect::<Vec<_>>())
    };
    let messages = like.messages.iter().map(|asked| {
        let message = asked.message;
        Asked { message, us: of(&|taps| taps.of_message(message)) }
    });
    Taps {
        kind: like.kind,
        messages: messages.collect(),
        without_card_us: of(&|taps| Some(taps.without_card_us)),
        whole_us: of(&|taps| Some(taps.whole_us)),
        commands: like.commands,
    }
}

#[cfg(test)]
mod tests {
    use super::super::card_time::Exchange;
    use super::super::hand::Work;
    use super::super::watch::Seen;
    use super::*;

    const CARD_TIME: CardTime = CardTime { command_us: 10_000, write_us: 5_000, byte_us: 0, module_us: 1_000 };

    #[test]
    fn the_whole_tap_has_the_model_in_the_place_of_what_card_and_module_took_before_the_light() {
        let exchange = |instruction, took_ns| Exchange { instruction, bytes: 20, took_ns };
        let tap = Tap {
            seen: Seen { shown_us: 9_000, commands: 2, messages: vec![(Message::Release, 4_000)] },
            work: Work {
                exchanges: vec![exchange(0xA4, 500_000), exchange(0x52, 400_000), exchange(0x50, 99_000_000)],
                module_ns: vec![60_000, 40_000],
            },
        };
        let taps = Taps::of(Kind::Load, &[tap], &CARD_TIME);
        assert_eq!((taps.without_card_us.p50, taps.whole_us.p50), (8_000, 8_000 + 25_000 + 2_000));
        assert_eq!(taps.of_message(Message::Release).map(|spread| (spread.count, spread.most)), Some((1, 4_000)));
        assert_eq!((taps.of_message(Message::Sale), taps.commands), (None, 2));
    }

    #[test]
    fn a_spread_counts_from_the_smallest_and_the_median_takes_each_figure_by_itself() {
        let spread = Spread::of((1..=100).rev().collect());
        assert_eq!(spread, Spread { count: 100, p50: 50, p90: 90, p99: 99, most: 100 });
        let (slow, fast) = (Spread::of(vec![70]), Spread::of(vec![1, 1000]));
        assert_eq!(Spread::median(&[slow, fast, spread]), Spread { count: 103, p50: 50, p90: 90, p99: 99, most: 100 });
        assert_eq!(Spread::of(vec![]), Spread::default());
    }
}
