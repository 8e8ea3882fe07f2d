//! The results as a person reads them.

use std::fmt::Write;

use super::histogram::Percentiles;
use super::machine::{Machine, Versions};
use super::result::{Engine, Results, Skipped, Target, Verdict, decimal, hundredths};
use super::rounds::millis;
use super::targets;

/// The whole report.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, results);
    out
}

fn write_all(out: &mut String, results: &Results) -> std::fmt::Result {
    head(out, &results.head.machine, &results.head.versions, &results.skipped)?;
    medians(out, results)?;
    measured_once(out, results)?;
    foot(out, &results.targets, results.head.quick)
}

/// Where and with what.
pub fn head(out: &mut String, machine: &Machine, versions: &Versions, skipped: &[Skipped]) -> std::fmt::Result {
    writeln!(out, "machine   {} cores, {}, {} MiB", machine.cores, machine.processor, machine.memory_mib)?;
    writeln!(out, "          Linux {}, {} on {}", machine.kernel, machine.file_system, machine.device)?;
    let commit = versions.commit.as_deref().map_or(String::new(), |commit| format!(" at {commit}"));
    writeln!(
        out,
        "versions  onecard {}{commit}, {} build, SQLite {}",
        versions.onecard, versions.build, versions.sqlite
    )?;
    for other in versions.postgresql.iter().chain(&versions.tigerbeetle) {
        writeln!(out, "          {other}")?;
    }
    for skipped in skipped {
        writeln!(out, "skipped   {}: {}", skipped.engine.name(), skipped.why)?;
    }
    writeln!(out)
}

/// The targets.
pub fn foot(out: &mut String, targets: &[Target], quick: bool) -> std::fmt::Result {
    writeln!(out)?;
    for target in targets {
        let verdict = match target.verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "NOT MET",
            Verdict::Skipped => "skipped",
        };
        let note = if target.note.is_empty() { String::new() } else { format!("  ({})", target.note) };
        let line = (target.id, &target.what, &target.target, &target.measured);
        writeln!(out, "{:<9} {:<62} {:>14} {:>12}  {verdict}{note}", line.0, line.1, line.2, line.3)?;
    }
    if quick {
        writeln!(out, "\nThis was a quick run: it shows that everything works and says nothing about speed.")?;
    }
    Ok(())
}

/// One line of cells.
pub fn row<S: std::fmt::Display>(
    out: &mut String,
    first: &str,
    cells: impl IntoIterator<Item = S>,
) -> std::fmt::Result {
    write!(out, "{first:<36}")?;
    for cell in cells {
        write!(out, "{cell:>11}")?;
    }
    writeln!(out)
}

fn medians(out: &mut String, results: &Results) -> std::fmt::Result {
    let heads = ["per second", "p50 ms", "p99 ms", "p99.9 ms", "bytes", "pgbench x", "runs"];
    row(out, "median", heads)?;
    let pgbench = results.medians.iter().find(|median| median.engine == Engine::Pgbench);
    for median in &results.medians {
        let of = |pick: fn(Percentiles) -> u64| median.latency_us.map_or("-".to_owned(), |told| millis(pick(told)));
        let bytes = median.bytes_per_transfer_hundredths.map_or("-".to_owned(), decimal);
        let ratio = pgbench.map_or("-".to_owned(), |other| decimal(hundredths(median.per_second, other.per_second)));
        let runs = format!("{}+{}", median.valid_runs, median.disturbed_runs);
        let cells = [median.per_second.to_string(), of(|t| t.p50), of(|t| t.p99), of(|t| t.p999), bytes, ratio, runs];
        row(out, &targets::title(median), cells)?;
    }
    writeln!(out, "(runs: valid + disturbed; per second: transfers that moved money)")
}

fn measured_once(out: &mut String, results: &Results) -> std::fmt::Result {
    if let Some(single) = &results.single {
        let micros = |nanos: u64| decimal(nanos / 10);
        let (own, sync) = (micros(single.p50_ns), micros(single.sync_p50_ns));
        writeln!(out, "single transfer    p50 {own} us, one fdatasync p50 {sync} us")?;
    }
    for history in &results.history {
        let title = super::stand::title_of(Engine::Onecard, Some(history.case));
        writeln!(out, "history            {title}, per second by million: {:?}", history.per_second_by_million)?;
    }
    for (what, start) in [("start", results.start), ("start after a break", results.recovery.map(|made| made.start))] {
        let Some(start) = start else { continue };
        writeln!(
            out,
            "{what:<18} {} accounts, {} rows replayed: open {} ms, engine {} ms, {} MiB",
            start.accounts,
            start.replayed_rows,
            millis(start.open_us),
            millis(start.engine_us),
            decimal(hundredths(start.resident_kib, 1024))
        )?;
    }
    Ok(())
}
