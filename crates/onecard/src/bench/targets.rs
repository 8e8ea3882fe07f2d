//! The targets of the ledger, and whether this run met them. What was not measured is skipped, never met.

use super::bound::{self, Bound, DISTURBED, Must};
use super::onecard::Case;
use super::result::{Engine, Median, Results, Target, hundredths};
use super::stand::title_of;
use super::workload::{Keys, Pattern};

/// Journal rows a run must have written before its bytes for each row say something.
const ROWS_FOR_BYTES: u64 = 50_000;
const MILLION: u32 = 1_000_000;
/// Transfers after which a history is long.
const LONG_HISTORY: u64 = 10_000_000;

/// Every target of the ledger, in the order of their numbers.
pub fn all(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    for case in first_cases(results) {
        targets.push(against(results, case, Engine::Pgbench, 10_000));
        targets.push(against(results, case, Engine::Tigerbeetle, 100));
    }
    for case in first_cases(results) {
        targets.push(hot(results, case));
    }
    for case in first_cases(results) {
        targets.extend(many_accounts(results, case));
        targets.push(long_history(results, case));
    }
    targets.push(single(results));
    targets.extend(start(results));
    for case in first_cases(results) {
        targets.push(bytes(results, case));
    }
    targets.push(recovery(results));
    if results.head.quick {
        bound::judge_nothing(&mut targets);
    }
    targets
}

/// The uniform case with the fewest accounts that were asked for first, for each kind of keys.
fn first_cases(results: &Results) -> Vec<Case> {
    let cases = || results.medians.iter().filter_map(|median| median.case);
    let first = cases().find(|case| case.pattern == Pattern::Uniform).or_else(|| cases().next());
    let Some(first) = first else { return Vec::new() };
    let same = |case: &Case| (case.pattern, case.accounts) == (first.pattern, first.accounts);
    cases().filter(same).collect()
}

fn of(results: &Results, engine: Engine, case: Option<Case>) -> Option<&Median> {
    results.medians.iter().find(|median| (median.engine, median.case) == (engine, case))
}

fn keys_of(case: Case) -> &'static str {
    match case.keys {
        Keys::Stream => "stream keys",
        Keys::Transfer => "a row for each transfer",
    }
}

fn against(results: &Results, case: Case, reference: Engine, bound: u64) -> Target {
    let own = of(results, Engine::Onecard, Some(case));
    let other = of(results, reference, None);
    let ratio = own.zip(other).map(|(own, other)| hundredths(own.per_second, other.per_second));
    let skipped = results.skipped.iter().find(|skipped| skipped.engine == reference);
    let note = skipped.map_or("", |skipped| skipped.why.as_str());
    let what = format!("onecard / {}, {}", reference.name(), keys_of(case));
    Bound { id: "P1", what, must: Must::AtLeast, hundredths: bound, unit: "x" }.judged(
        ratio,
        disturbed(&[own, other]),
        note,
    )
}

/// Why nothing follows from these figures: one of them has no run that nothing disturbed.
fn disturbed(medians: &[Option<&Median>]) -> Option<&'static str> {
    let quiet = medians.iter().flatten().all(|median| median.valid_runs > 0);
    (!quiet).then_some(DISTURBED)
}

/// Two medians of onecard compared.
fn compared(results: &Results, one: Case, other: Case, what: &str, bound: Bound) -> Target {
    let pair = of(results, Engine::Onecard, Some(one)).zip(of(results, Engine::Onecard, Some(other)));
    let note = if pair.is_none() { format!("needs the runs of {what}") } else { String::new() };
    let doubt = pair.and_then(|(one, other)| disturbed(&[Some(one), Some(other)]));
    let ratio = pair.map(|(one, other)| match bound.must {
        Must::AtLeast => hundredths(one.per_second, other.per_second),
        Must::AtMost | Must::Below => hundredths(p99(one), p99(other)),
    });
    bound.judged(ratio, doubt, &note)
}

fn p99(median: &Median) -> u64 {
    median.latency_us.map_or(0, |told| told.p99)
}

fn hot(results: &Results, case: Case) -> Target {
    let what = format!("one hot account / uniform, {}", keys_of(case));
    let bound = Bound { id: "P2", what, must: Must::AtLeast, hundredths: 95, unit: "x" };
    compared(results, Case { pattern: Pattern::Hot, ..case }, case, "the patterns uniform and hot", bound)
}

fn many_accounts(results: &Results, case: Case) -> [Target; 2] {
    let many = Case { accounts: MILLION, ..case };
    // Without a smaller number of accounts there is nothing to compare with.
    let few = if case.accounts == MILLION { Case { accounts: 0, ..case } } else { case };
    let needs = "1000000 accounts and of a smaller number before it";
    let rate = Bound {
        id: "P3",
        what: format!("1,000,000 accounts / {}, {}", case.accounts, keys_of(case)),
        must: Must::AtLeast,
        hundredths: 80,
        unit: "x",
    };
    let latency = Bound {
        id: "P3",
        what: format!("p99 with 1,000,000 accounts / {}, {}", case.accounts, keys_of(case)),
        must: Must::AtMost,
        hundredths: 200,
        unit: "x",
    };
    [compared(results, many, few, needs, rate), compared(results, many, few, needs, latency)]
}

fn long_history(results: &Results, case: Case) -> Target {
    let grown = results.history.iter().find(|history| history.case.keys == case.keys);
    let ends = grown.and_then(|history| {
        let by_million = &history.per_second_by_million;
        (by_million.len() > 1).then(|| (by_million.first(), by_million.last()))
    });
    let ratio = match ends {
        Some((Some(first), Some(last))) => Some(hundredths(*last, *first)),
        _ => None,
    };
    let note = match grown {
        None => "needs --rows 10000000",
        Some(_) => "",
    };
    let short = grown.filter(|history| history.transfers < LONG_HISTORY);
    let short = short.map(|history| format!("only {} rows: needs --rows 10000000", history.transfers));
    let what = format!("the last million rows / the first, {}", keys_of(case));
    Bound { id: "P3", what, must: Must::AtLeast, hundredths: 95, unit: "x" }.judged(ratio, short.as_deref(), note)
}

fn single(results: &Results) -> Target {
    let ratio = results.single.map(|single| hundredths(single.p50_ns, single.sync_p50_ns));
    let what = "single transfer p50 / one fdatasync p50".to_owned();
    Bound { id: "P8", what, must: Must::AtMost, hundredths: 150, unit: "x" }.target(ratio, "")
}

fn start(results: &Results) -> [Target; 2] {
    let start = results.start;
    let seconds = start.map(|start| hundredths(start.open_us + start.engine_us, 1_000_000));
    let mib = start.map(|start| hundredths(start.resident_kib * 1024, 1_000_000));
    let bound =
        |what: &str, hundredths, unit| Bound { id: "P10", what: what.to_owned(), must: Must::Below, hundredths, unit };
    [
        bound("start with 100,000 people", 100, " s").target(seconds, ""),
        bound("memory with 100,000 people", 15_000, " MB").target(mib, ""),
    ]
}

fn bytes(results: &Results, case: Case) -> Target {
    let grown = results.history.iter().find(|history| history.case == case);
    let median = of(results, Engine::Onecard, Some(case)).filter(|median| median.journal_rows >= ROWS_FOR_BYTES);
    let of_runs = median.and_then(|median| median.bytes_per_transfer_hundredths);
    let measured = grown.map(|history| history.bytes_per_transfer_hundredths).or(of_runs);
    let note = if measured.is_none() { "needs runs of at least 50000 transfers" } else { "" };
    let what = format!("bytes on disk for each transfer, {}", keys_of(case));
    Bound { id: "P10", what, must: Must::AtMost, hundredths: 16_000, unit: "" }.target(measured, note)
}

fn recovery(results: &Results) -> Target {
    let recovery = results.recovery;
    let enough = recovery.filter(|recovery| recovery.start.replayed_rows >= 900_000);
    let seconds = enough.map(|recovery| hundredths(recovery.start.open_us + recovery.start.engine_us, 1_000_000));
    let note = match recovery {
        None => "needs --tail 1000000".to_owned(),
        Some(recovery) => format!("{} rows replayed after {} written", recovery.start.replayed_rows, recovery.rows),
    };
    let what = "start with 1,000,000 rows to replay".to_owned();
    Bound { id: "recovery", what, must: Must::Below, hundredths: 200, unit: " s" }.target(seconds, &note)
}

/// What to call a median in the table.
pub fn title(median: &Median) -> String {
    title_of(median.engine, median.case)
}
