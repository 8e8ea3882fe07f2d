//! What a drill prints: a line for each round, then the sums.

use std::path::Path;

use crate::round::{Failure, Reckoned};

/// Sums over the rounds of a drill.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    passed: u64,
    failed: u64,
    void: u64,
    answered: u64,
    open: u64,
    kept: u64,
    not_kept: u64,
    repeated: u64,
    replayed: Option<(u64, u64)>,
}

impl Total {
    /// A round in which all held.
    pub(crate) fn passed(&mut self, round: u32, what: &str, answered: u64, open: u64, found: &Reckoned) {
        let Reckoned { unanswered, replayed, rows, repeated } = *found;
        println!(
            "round {round:>3}  {what:<24}  {answered:>6} acknowledged  {open:>4} on their way: {:>3} kept, {:>3} not  \
             {repeated:>6} repeated  {replayed:>5} rows replayed of {rows}",
            unanswered.kept, unanswered.not_kept
        );
        self.passed += 1;
        self.answered += answered;
        self.open += open;
        self.kept += unanswered.kept;
        self.not_kept += unanswered.not_kept;
        self.repeated += repeated;
        let (least, most) = self.replayed.unwrap_or((replayed, replayed));
        self.replayed = Some((least.min(replayed), most.max(replayed)));
    }

    /// A check beside the rounds that held.
    pub(crate) fn held(&mut self, what: &str, how: &str) {
        println!("{what}: {how}");
        self.passed += 1;
    }

    /// A round that shows nothing, because the blow fell elsewhere; it is done again.
    pub(crate) fn void(&mut self, round: u32, what: &str) {
        println!("round {round:>3}  {what:<24}  void: the blow did not fall there; once more");
        self.void += 1;
    }

    /// Something does not hold.
    pub(crate) fn failed(&mut self, round: u32, what: &str, failure: &Failure, folder: &Path) {
        println!("round {round:>3}  {what:<24}  FAILED; book and notes are in {}", folder.display());
        print!("{failure}");
        self.failed += 1;
    }

    /// Prints the sums; the last line is the one that `cargo xtask test` counts. `true`: all held.
    pub(crate) fn print(self) -> bool {
        let (least, most) = self.replayed.unwrap_or_default();
        println!(
            "\nacknowledged {}, lost 0 where a round passed; on their way {}: {} kept once, {} not kept; repeated {}; \
             rows replayed at a start {least} to {most}; void rounds {}",
            self.answered, self.open, self.kept, self.not_kept, self.repeated, self.void
        );
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}
