//! The results as a person reads them.

use std::fmt::Write;

use super::super::result::{decimal, hundredths};
use super::super::rounds::millis;
use super::super::table::{foot, head, row};
use super::result::{Median, Results, Spread};
use super::targets::{HOST_P50, HOST_P99, WHOLE_P50, WHOLE_P99};
use super::watch::Message;

/// The whole report.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, results);
    out
}

fn write_all(out: &mut String, results: &Results) -> std::fmt::Result {
    head(out, &results.head.machine, &results.head.versions, &[])?;
    for median in &results.medians {
        write_median(out, median)?;
    }
    let time = &results.card_time;
    writeln!(
        out,
        "card-time model: {} ms a command, {} ms more to write, {} us a byte; purchase module {} ms a command",
        millis(time.command_us),
        millis(time.write_us),
        time.byte_us,
        millis(time.module_us)
    )?;
    writeln!(out, "(x of target: p50 and p99 divided by what is allowed; runs: valid + disturbed)")?;
    foot(out, &results.targets, results.head.quick)
}

fn write_median(out: &mut String, median: &Median) -> std::fmt::Result {
    let Median { terminals, valid_runs, disturbed_runs, per_second, sync_p99_us, .. } = median;
    let sync = millis(*sync_p99_us);
    writeln!(
        out,
        "{terminals} at once: {per_second} taps a second; fdatasync p99 {sync} ms; runs {valid_runs}+{disturbed_runs}"
    )?;
    row(out, "milliseconds", ["count", "p50", "p90", "p99", "max", "p50 x of", "p99 x of"])?;
    for taps in &median.kinds {
        writeln!(out, "{}, {} commands to the card", taps.kind.name(), taps.commands)?;
        for asked in &taps.messages {
            let target = (asked.message == Message::Release).then_some((HOST_P50, HOST_P99));
            spread(out, &format!("  {}", asked.message.name()), asked.us, target)?;
        }
        spread(out, "  card in to green, without card", taps.without_card_us, None)?;
        spread(out, "  card in to green, card-time model", taps.whole_us, Some((WHOLE_P50, WHOLE_P99)))?;
    }
    writeln!(out)
}

fn spread(out: &mut String, what: &str, spread: Spread, target: Option<(u64, u64)>) -> std::fmt::Result {
    let of = |micros: u64, pick: fn((u64, u64)) -> u64| {
        target.map_or_else(|| "-".to_owned(), |both| decimal(hundredths(micros, pick(both) * 1000)))
    };
    let Spread { count, p50, p90, p99, most } = spread;
    let cells = [
        count.to_string(),
        millis(p50),
        millis(p90),
        millis(p99),
        millis(most),
        of(p50, |both| both.0),
        of(p99, |both| both.1),
    ];
    row(out, what, cells)
}
