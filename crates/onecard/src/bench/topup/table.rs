//! The results as a person reads them.

use std::fmt::Write;

use super::super::histogram::Percentiles;
use super::super::result::{Engine, decimal, hundredths};
use super::super::rounds::millis;
use super::super::table::{foot, head, row};
use super::result::Results;

/// The whole report.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, results);
    out
}

fn write_all(out: &mut String, results: &Results) -> std::fmt::Result {
    head(out, &results.head.machine, &results.head.versions, &results.skipped)?;
    row(
        out,
        "median",
        [
            "per second",
            "p50 ms",
            "p99 ms",
            "max ms",
            "sync p99",
            "cpu us",
            "client us",
            "in a batch",
            "pgbench x",
            "runs",
        ],
    )?;
    let pgbench = results.medians.iter().find(|median| median.engine == Engine::Pgbench);
    for median in &results.medians {
        let none = || "-".to_owned();
        let own = median.engine == Engine::Onecard;
        let of = |pick: fn(Percentiles) -> u64| median.latency_us.map_or_else(none, |told| millis(pick(told)));
        let micros = |nanos: Option<u64>| nanos.map_or_else(none, |nanos| decimal(nanos / 10));
        let ratio = pgbench.map_or_else(none, |other| decimal(hundredths(median.per_second, other.per_second)));
        let cells = [
            median.per_second.to_string(),
            of(|told| told.p50),
            of(|told| told.p99),
            of(|told| told.most),
            if own { millis(median.sync_p99_us) } else { none() },
            micros(median.cpu_ns_per_notice),
            micros(median.client_cpu_ns_per_notice),
            median.notices_per_batch_hundredths.map_or_else(none, decimal),
            ratio,
            format!("{}+{}", median.valid_runs, median.disturbed_runs),
        ];
        row(out, if own { "onecard, notices over HTTP" } else { median.engine.name() }, cells)?;
    }
    writeln!(out, "(runs: valid + disturbed; per second: credited orders; cpu: server and clients, for each answer)")?;
    writeln!(
        out,
        "{} notices signed {} times, at most {} s; {} connections, the clients are a thread of the same process",
        results.notices, results.signings, results.signing_s, results.connections
    )?;
    foot(out, &results.targets, results.head.quick)
}
