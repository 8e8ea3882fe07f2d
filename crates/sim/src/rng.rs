//! Chance that is the same in every run (SplitMix64), one stream for each actor.

/// A stream of chance. Streams of different labels do not depend on how much the others drew, so that a new actor shifts
/// nobody's.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The stream of the actor `label`, number `number`, in the run of `seed`.
    pub(crate) fn fork(seed: u64, label: &str, number: u64) -> Rng {
        let mut state = 0xCBF2_9CE4_8422_2325_u64;
        let words = seed.to_le_bytes().into_iter().chain(label.bytes()).chain(number.to_le_bytes());
        for byte in words {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        let mut rng = Rng(state);
        rng.next();
        rng
    }

    /// 64 even bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// 0 to `bound` - 1; 0 for a bound of 0. The bias is far below anything a run could show.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A place in a list of that length.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = most.saturating_sub(least).max(0).unsigned_abs();
        least.saturating_add_unsigned(self.below(width.saturating_add(1)))
    }

    /// So many times out of a thousand.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < u64::from(per_mille)
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let place = self.place(list.len());
        list.get(place).copied()
    }

    /// Even bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
    }

    /// Even bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_its_seed_label_and_number_alone() {
        let draw = |seed, label, number| Rng::fork(seed, label, number).next();
        assert_eq!(draw(1, "till", 7), draw(1, "till", 7));
        for other in [draw(2, "till", 7), draw(1, "card", 7), draw(1, "till", 8)] {
            assert_ne!(draw(1, "till", 7), other);
        }
    }

    #[test]
    fn both_ends_of_a_range_are_drawn_and_nothing_beyond() {
        let mut rng = Rng::fork(1, "range", 0);
        let drawn: std::collections::BTreeSet<i64> = (0..1000).map(|_| rng.between(-2, 3)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2, 3]);
    }
}
