//! Target P4, and whether this run met it. What was not measured is skipped, never met.

use super::super::bound::{self, Bound, DISTURBED, Must};
use super::super::result::{Engine, Target, hundredths};
use super::result::{Median, Results};

/// The number of connections that the target speaks of.
const CONNECTIONS: u16 = 64;

/// Both parts of the target.
pub fn all(results: &Results) -> Vec<Target> {
    let mut targets = vec![rate(results), latency(results)];
    if results.head.quick {
        bound::judge_nothing(&mut targets);
    }
    targets
}

fn of(results: &Results, engine: Engine) -> Option<&Median> {
    results.medians.iter().find(|median| median.engine == engine)
}

/// Why nothing is judged although there are figures.
fn doubt(results: &Results, medians: &[&Median]) -> Option<&'static str> {
    if medians.iter().any(|median| median.valid_runs == 0) {
        return Some(DISTURBED);
    }
    (results.connections != CONNECTIONS).then_some("the target is for 64 connections")
}

fn rate(results: &Results) -> Target {
    let pair = of(results, Engine::Onecard).zip(of(results, Engine::Pgbench));
    let ratio = pair.map(|(own, other)| hundredths(own.per_second, other.per_second));
    let doubt = pair.and_then(|(own, other)| doubt(results, &[own, other]));
    let skipped = results.skipped.iter().find(|skipped| skipped.engine == Engine::Pgbench);
    let note = skipped.map_or("", |skipped| skipped.why.as_str());
    let what = "notices credited / pgbench, each in a second".to_owned();
    Bound { id: "P4", what, must: Must::AtLeast, hundredths: 300, unit: "x" }.judged(ratio, doubt, note)
}

fn latency(results: &Results) -> Target {
    let own = of(results, Engine::Onecard);
    let told = own.and_then(|own| own.latency_us.map(|latency| (own, latency.p99)));
    let ratio = told.filter(|(own, _)| own.sync_p99_us > 0).map(|(own, p99)| hundredths(p99, own.sync_p99_us));
    let doubt = own.and_then(|own| doubt(results, &[own]));
    let what = "p99 of a notice / p99 of one fdatasync".to_owned();
    Bound { id: "P4", what, must: Must::AtMost, hundredths: 400, unit: "x" }.judged(ratio, doubt, "")
}

#[cfg(test)]
mod tests {
    use super::super::super::histogram::Percentiles;
    use super::super::super::result::{Head, Skipped, Verdict};
    use super::super::super::rounds::RoundOptions;
    use super::super::result::FORMAT;
    use super::*;

    fn median(engine: Engine, per_second: u64, p99: u64, valid_runs: u64) -> Median {
        Median {
            engine,
            valid_runs,
            disturbed_runs: 1,
            per_second,
            latency_us: (p99 > 0).then(|| Percentiles { p99, ..Percentiles::default() }),
            sync_p99_us: 250,
            cpu_ns_per_notice: None,
            client_cpu_ns_per_notice: None,
            notices_per_batch_hundredths: None,
        }
    }

    fn results(medians: Vec<Median>) -> Results {
        Results {
            head: Head::of("topup", FORMAT, &RoundOptions::usual(false), std::path::Path::new(".")),
            connections: 64,
            notices: 0,
            warm_up: 0,
            orders: 0,
            signings: 1,
            signing_s: 0,
            skipped: Vec::new(),
            runs: Vec::new(),
            medians,
            targets: Vec::new(),
        }
    }

    #[test]
    fn p4_is_three_times_pgbench_and_four_syncs_at_64_connections_in_undisturbed_runs_alone() {
        use Verdict::{Met, NotMet, Skipped};
        let (own, other) = (Engine::Onecard, Engine::Pgbench);
        let table = [
            ("at both bounds", vec![median(own, 3000, 1000, 1), median(other, 1000, 0, 2)], [Met, Met]),
            ("just short", vec![median(own, 2999, 1001, 1), median(other, 1000, 0, 2)], [NotMet, Met]),
            ("too late", vec![median(own, 3000, 1003, 1), median(other, 1000, 0, 2)], [Met, NotMet]),
            ("no reference", vec![median(own, 3000, 1000, 1)], [Skipped, Met]),
            ("a disturbed reference", vec![median(own, 3000, 1000, 1), median(other, 1000, 0, 0)], [Skipped, Met]),
            ("disturbed", vec![median(own, 3000, 1000, 0), median(other, 1000, 0, 1)], [Skipped, Skipped]),
            ("nothing", vec![], [Skipped, Skipped]),
        ];
        for (what, medians, verdicts) in table {
            let mut results = results(medians);
            assert_eq!(all(&results).iter().map(|target| target.verdict).collect::<Vec<_>>(), verdicts, "{what}");
            let changes: [fn(&mut Results); 2] =
                [|results| results.head.quick = true, |results| results.connections = 63];
            for change in changes {
                change(&mut results);
                assert!(all(&results).iter().all(|target| target.verdict == Skipped), "{what}");
            }
        }
    }

    #[test]
    fn a_reference_that_took_no_part_is_told_with_its_reason() {
        let mut results = results(vec![median(Engine::Onecard, 1, 1, 1)]);
        results.skipped.push(Skipped { engine: Engine::Pgbench, why: "not named".to_owned() });
        assert_eq!(all(&results).first().map(|target| target.note.clone()), Some("not named".to_owned()));
    }
}
