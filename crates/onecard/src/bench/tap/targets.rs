//! Target P6, and whether this run met it, for each number of terminals; the kind of tap that is worst counts.

use super::super::bound::{self, Bound, DISTURBED, Must};
use super::super::result::Target;
use super::result::{Median, Results, Spread, Taps};
use super::watch::Message;

/// A bound of the target in milliseconds.
struct Part {
    what: &'static str,
    of: fn(&Taps) -> Option<Spread>,
    pick: fn(Spread) -> u64,
    millis: u64,
}

fn host(taps: &Taps) -> Option<Spread> {
    taps.of_message(Message::Release)
}

fn whole(taps: &Taps) -> Option<Spread> {
    Some(taps.whole_us)
}

const PARTS: [Part; 4] = [
    Part { what: "host share of a tap, p50", of: host, pick: |spread| spread.p50, millis: HOST_P50 },
    Part { what: "host share of a tap, p99", of: host, pick: |spread| spread.p99, millis: HOST_P99 },
    Part { what: "whole tap with the card-time model, p50", of: whole, pick: |spread| spread.p50, millis: WHOLE_P50 },
    Part { what: "whole tap with the card-time model, p99", of: whole, pick: |spread| spread.p99, millis: WHOLE_P99 },
];

/// Half of the host's shares, milliseconds.
pub const HOST_P50: u64 = 15;
/// 99 of 100 of the host's shares, milliseconds.
pub const HOST_P99: u64 = 50;
/// Half of the whole taps, milliseconds.
pub const WHOLE_P50: u64 = 300;
/// 99 of 100 whole taps, milliseconds.
pub const WHOLE_P99: u64 = 500;

/// All parts of the target.
pub fn all(results: &Results) -> Vec<Target> {
    let mut targets: Vec<Target> =
        results.medians.iter().flat_map(|median| PARTS.iter().map(|part| judge(median, part))).collect();
    if results.head.quick {
        bound::judge_nothing(&mut targets);
    }
    targets
}

fn judge(median: &Median, part: &Part) -> Target {
    let worst = median.kinds.iter().filter_map(part.of).map(part.pick).max();
    let terminals = if median.terminals == 1 { "terminal" } else { "terminals" };
    let what = format!("{}, {} {terminals}", part.what, median.terminals);
    let bound = Bound { id: "P6", what, must: Must::AtMost, hundredths: part.millis * 100, unit: " ms" };
    bound.judged(worst.map(|micros| micros / 10), (median.valid_runs == 0).then_some(DISTURBED), "")
}

#[cfg(test)]
mod tests {
    use super::super::super::result::Head;
    use super::super::super::result::Verdict::{self, Met, NotMet, Skipped};
    use super::super::super::rounds::RoundOptions;
    use super::super::card_time::CardTime;
    use super::super::result::{Asked, FORMAT};
    use super::super::run::Kind;
    use super::*;

    fn taps(kind: Kind, host: Option<(u64, u64)>, (p50, p99): (u64, u64)) -> Taps {
        let messages = host.map(|(p50, p99)| Asked {
            message: Message::Release,
            us: Spread { count: 9, p50, p99, ..Spread::default() },
        });
        Taps {
            kind,
            messages: messages.into_iter().collect(),
            without_card_us: Spread::default(),
            whole_us: Spread { count: 9, p50, p99, ..Spread::default() },
            commands: 3,
        }
    }

    fn verdicts(kinds: Vec<Taps>, valid_runs: u64, quick: bool) -> Vec<Verdict> {
        let median = Median { terminals: 20, valid_runs, disturbed_runs: 0, per_second: 1, sync_p99_us: 1, kinds };
        let results = Results {
            head: Head::of("tap", FORMAT, &RoundOptions::usual(quick), std::path::Path::new(".")),
            card_time: CardTime { command_us: 0, write_us: 0, byte_us: 0, module_us: 0 },
            runs: Vec::new(),
            medians: vec![median],
            targets: Vec::new(),
        };
        all(&results).iter().map(|target| target.verdict).collect()
    }

    #[test]
    fn p6_is_judged_by_the_worst_kind_of_tap_in_undisturbed_runs_alone() {
        let good = || taps(Kind::Load, Some((15_000, 50_000)), (300_000, 500_000));
        let purse = |whole| taps(Kind::Purse, None, whole);
        let table = [
            (vec![good(), purse((1, 1))], [Met, Met, Met, Met]),
            (vec![good(), purse((300_010, 500_010))], [Met, Met, NotMet, NotMet]),
            (vec![taps(Kind::Load, Some((15_010, 50_010)), (1, 1))], [NotMet, NotMet, Met, Met]),
            (vec![purse((1, 1))], [Skipped, Skipped, Met, Met]),
        ];
        for (kinds, expected) in table {
            assert_eq!(verdicts(kinds.clone(), 2, false), expected, "{kinds:?}");
            assert_eq!(verdicts(kinds.clone(), 0, false), [Skipped; 4], "disturbed");
            assert_eq!(verdicts(kinds, 2, true), [Skipped; 4], "quick");
        }
    }
}
