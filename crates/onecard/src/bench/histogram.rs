//! Latencies counted in integer buckets, written by several threads at once.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Buckets for each doubling of the value: a bucket is at most 1/64 of its value wide.
const STEPS: u64 = 64;
/// Values from here on share the last bucket: 2^36 microseconds are 19 hours.
const DOUBLINGS: u64 = 36;

/// Counts of microseconds.
pub struct Histogram(Box<[AtomicU64]>);

/// What most latencies stay below, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1,000.
    pub p999: u64,
    /// All of them.
    pub most: u64,
}

impl Histogram {
    /// Nothing counted yet.
    pub fn new() -> Histogram {
        Histogram((0..bucket(u64::MAX) + 1).map(|_| AtomicU64::new(0)).collect())
    }

    /// Counts one.
    pub fn add(&self, micros: u64) {
        if let Some(count) = usize::try_from(bucket(micros)).ok().and_then(|at| self.0.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// The percentiles of what was counted: upper ends of buckets. All 0 when nothing was.
    pub fn percentiles(&self) -> Percentiles {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let at = |per_mille: u64| {
            let rank = (all * per_mille).div_ceil(1000).max(1);
            let mut seen = 0;
            let found = (0..).zip(&counts).find(|(_, count)| {
                seen += **count;
                seen >= rank
            });
            found.map_or(0, |(bucket, _)| upper_end(bucket))
        };
        Percentiles { p50: at(500), p99: at(990), p999: at(999), most: at(1000) }
    }
}

const fn bucket(micros: u64) -> u64 {
    if micros < 2 * STEPS {
        return micros;
    }
    let most = (1 << DOUBLINGS) - 1;
    let micros = if micros > most { most } else { micros };
    let shift = (u64::BITS - 1 - micros.leading_zeros()) as u64 - STEPS.trailing_zeros() as u64;
    shift * STEPS + (micros >> shift)
}

const fn upper_end(bucket: u64) -> u64 {
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS + 1) << shift) - 1
}

/// The value that `per_cent` of the sorted `samples` do not exceed; 0 when there are none.
pub fn percentile(samples: &[u64], per_cent: usize) -> u64 {
    let rank = (samples.len() * per_cent).div_ceil(100).max(1);
    samples.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_is_at_most_a_64th_wide() {
        let around = |power: u32| (1_u64 << power).saturating_sub(2)..=(1_u64 << power) + 2;
        for value in (0..36).flat_map(around).filter(|value| *value < 1 << DOUBLINGS) {
            let end = upper_end(bucket(value));
            assert!(end >= value && end - value <= value / 64, "{value} is told as {end}");
            assert!(bucket(value + 1) - bucket(value) <= 1, "no bucket is left out after {value}");
        }
        assert_eq!(bucket(u64::MAX), bucket((1 << DOUBLINGS) - 1));
    }

    #[test]
    fn percentiles_count_from_the_smallest() {
        let histogram = Histogram::new();
        assert_eq!(histogram.percentiles(), Percentiles::default());
        (1..=100).for_each(|micros| histogram.add(micros));
        let told = histogram.percentiles();
        assert_eq!((told.p50, told.p99, told.p999, told.most), (50, 99, 100, 100));
        histogram.clear();
        histogram.add(7);
        assert_eq!(histogram.percentiles(), Percentiles { p50: 7, p99: 7, p999: 7, most: 7 });
        let samples: Vec<u64> = (1..=10).collect();
        assert_eq!([percentile(&samples, 50), percentile(&samples, 99), percentile(&[], 50)], [5, 10, 0]);
    }
}
