//! The results as the JSON file has them. Field names are stable; every figure is an integer with its unit in its name.

use serde::Serialize;

use super::super::histogram::Percentiles;
use super::super::result::{self, Engine, Head, Skipped, Target, hundredths, median};
use super::super::rounds::{self, Same, by_contender, per_second};
use super::run::Outcome;

/// Number of this form of the file.
pub const FORMAT: u32 = 1;

/// Everything the bench found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What every file begins with; the number of its form is [`FORMAT`].
    #[serde(flatten)]
    pub head: Head,
    /// Connections, each with one notice at a time.
    pub connections: u16,
    /// Notices that were signed for each run, warm-up included.
    pub notices: u64,
    /// Those of the warm-up.
    pub warm_up: u64,
    /// Open orders in the book of each run.
    pub orders: u64,
    /// How often all notices were signed: again when a run would have met them too old.
    pub signings: u32,
    /// What the slowest signing took, seconds.
    pub signing_s: i64,
    /// References that took no part, and why.
    pub skipped: Vec<Skipped>,
    /// Every run, in the order of time.
    pub runs: Vec<Run>,
    /// What counts: medians over the rounds.
    pub medians: Vec<Median>,
    /// The targets, and whether they are met.
    pub targets: Vec<Target>,
}

/// What an engine did in one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Credited orders (transactions of the reference) in a second.
    pub per_second: u64,
    /// The measured time, microseconds.
    pub micros: u64,
    /// Everything that was answered: credited, repeated and refused.
    pub answered: u64,
    /// Notices that credited an order.
    pub credited: u64,
    /// Notices that came again and moved nothing.
    pub repeated: u64,
    /// Forged notices that were refused.
    pub forged: u64,
    /// From request to answer, microseconds; absent where the reference does not tell.
    pub latency_us: Option<Percentiles>,
    /// Concurrent clients of the reference's best.
    pub clients: Option<u32>,
    /// Processor time of server and clients for each answer, nanoseconds.
    pub cpu_ns_per_notice: Option<u64>,
    /// The clients' part of it, nanoseconds.
    pub client_cpu_ns_per_notice: Option<u64>,
    /// Notices that one batch of the teller made durable, on average, warm-up included, hundredths.
    pub notices_per_batch_hundredths: Option<u64>,
    /// Every order was credited as it was answered, and the book was verified from end to end.
    pub verified: bool,
}

impl Figures {
    /// Those of a run of onecard, whose book held what was answered.
    pub fn of(outcome: &Outcome) -> Figures {
        let Outcome { measured, batches } = outcome;
        let counts = measured.counts;
        let sent = u64::try_from(measured.sent).unwrap_or(u64::MAX);
        let each = |nanos: u64| nanos.checked_div(counts.answered());
        Figures {
            per_second: per_second(counts.paid, measured.micros),
            micros: measured.micros,
            answered: counts.answered(),
            credited: counts.paid,
            repeated: counts.again,
            forged: counts.forged,
            latency_us: Some(measured.latency),
            clients: None,
            cpu_ns_per_notice: each(measured.cpu_micros * 1000),
            client_cpu_ns_per_notice: each(measured.client_nanos),
            notices_per_batch_hundredths: Some(hundredths(sent, *batches)),
            verified: true,
        }
    }

    /// Those of the reference.
    pub fn of_reference(figures: &result::Figures) -> Figures {
        Figures {
            per_second: figures.per_second,
            micros: figures.micros,
            answered: figures.acknowledged,
            latency_us: figures.latency_us,
            clients: figures.clients,
            ..Figures::default()
        }
    }
}

/// Who ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Which engine.
    pub engine: Engine,
}

/// One run.
pub type Run = rounds::Run<Who, Figures>;

/// The median over the valid runs of one engine.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// Who.
    pub engine: Engine,
    /// Valid runs it is made of; when there are none, it is made of the disturbed ones.
    pub valid_runs: u64,
    /// Disturbed runs.
    pub disturbed_runs: u64,
    /// Credited orders, or transactions, in a second.
    pub per_second: u64,
    /// Latencies, microseconds.
    pub latency_us: Option<Percentiles>,
    /// 99 of 100 syncs of the looks before and after these runs took at most so long, microseconds.
    pub sync_p99_us: u64,
    /// As in [`Figures`].
    pub cpu_ns_per_notice: Option<u64>,
    /// As in [`Figures`].
    pub client_cpu_ns_per_notice: Option<u64>,
    /// As in [`Figures`].
    pub notices_per_batch_hundredths: Option<u64>,
}

/// The medians of `runs`, for each engine in the order of its first run.
pub fn medians(runs: &[Run]) -> Vec<Median> {
    let mut medians: Vec<Median> = Vec::new();
    for (Who { engine }, Same { counted, valid, disturbed }) in by_contender(runs) {
        let of = |figure: &dyn Fn(&Figures) -> Option<u64>| {
            let told: Vec<u64> = counted.iter().filter_map(|run| figure(&run.figures)).collect();
            (!told.is_empty()).then(|| median(told))
        };
        let latency = |pick: fn(Percentiles) -> u64| of(&|run| run.latency_us.map(pick));
        let told = counted.iter().all(|run| run.figures.latency_us.is_some());
        let syncs = counted.iter().flat_map(|run| [run.before.sync_p99_us, run.after.sync_p99_us]);
        medians.push(Median {
            engine,
            valid_runs: valid,
            disturbed_runs: disturbed,
            per_second: of(&|run| Some(run.per_second)).unwrap_or(0),
            latency_us: told.then(|| Percentiles {
                p50: latency(|told| told.p50).unwrap_or(0),
                p99: latency(|told| told.p99).unwrap_or(0),
                p999: latency(|told| told.p999).unwrap_or(0),
                most: latency(|told| told.most).unwrap_or(0),
            }),
            sync_p99_us: median(syncs.collect()),
            cpu_ns_per_notice: of(&|run| run.cpu_ns_per_notice),
            client_cpu_ns_per_notice: of(&|run| run.client_cpu_ns_per_notice),
            notices_per_batch_hundredths: of(&|run| run.notices_per_batch_hundredths),
        });
    }
    medians
}
