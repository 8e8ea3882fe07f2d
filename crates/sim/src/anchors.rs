//! What the school keeps outside its disk: signed heads of the chain (M8). And the machine that falls back: while the server
//! is down, an old image of its disk stands where the disk was.

use ledger::{Block, Micros};
use rules::epoch::Epoch;
use store::anchors::{Anchor, Anchors, require_anchored};
use store::memory::MemoryDisk;
use store::verify::{Archive, Head};

use flows::rows::{Key, Row};

use crate::notes::Who;
use crate::rng::Rng;
use crate::server::{row_of, school_id};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// How often the head is written down while it moves.
const EVERY: i64 = 60 * SECOND;

/// The file of anchors, and images of the disk.
pub(crate) struct Outside {
    file: Vec<u8>,
    newest: Option<Anchor>,
    /// An image of the disk as it was some time ago.
    image: Option<MemoryDisk>,
    /// The right disk, while an image stands in its place.
    aside: Option<MemoryDisk>,
    /// There is no disk: it must be restored.
    lost: bool,
    pub(crate) rng: Rng,
}

/// Stands for the signature: nobody in this world forges one.
fn sign(text: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    blake3::Hasher::new_derive_key("onecard sim anchors").update(text).finalize_xof().fill(&mut signature);
    signature
}

fn verifies(text: &[u8], signature: &[u8]) -> bool {
    sign(text) == signature
}

/// Whole lines, and what a power cut left behind them.
fn split(file: &[u8]) -> (&[u8], &[u8]) {
    file.split_at(file.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1))
}

fn block(disk: &MemoryDisk, no: u64) -> Option<Block> {
    let blocks = disk.archive().blocks(no.checked_sub(1)?, 1).ok()?;
    blocks.into_iter().next()?.ok().filter(|block| block.no == no)
}

/// The newest block of a disk; blocks have no gaps.
fn head(disk: &MemoryDisk) -> Head {
    let (mut there, mut step) = (0, 1);
    while block(disk, there + step).is_some() {
        (there, step) = (there + step, step * 2);
    }
    while step > 0 {
        if block(disk, there + step).is_some() {
            there += step;
        }
        step /= 2;
    }
    block(disk, there).map_or_else(Head::default, |block| Head {
        block: block.no,
        seq: (block.first_seq + u64::from(block.rows)).saturating_sub(1),
        link: block.link,
    })
}

fn epoch(disk: &MemoryDisk) -> u64 {
    Epoch::number_of(row_of(disk, &Key::Epoch).as_ref().and_then(Row::epoch))
}

impl Outside {
    pub(crate) fn new(seed: u64) -> Outside {
        Outside {
            file: Vec::new(),
            newest: None,
            image: None,
            aside: None,
            lost: false,
            rng: Rng::fork(seed, "anchors", 0),
        }
    }

    /// Holds a disk against the newest anchor, as the product does before it serves. Error: why it must not be served.
    pub(crate) fn require(&self, disk: &MemoryDisk) -> Result<(), String> {
        // The last line is enough, whatever a power cut left behind it; all are read at the end.
        let whole = split(&self.file).0;
        let last = whole.strip_suffix(b"\n").map_or(0, |lines| split(lines).0.len());
        let anchors = Anchors::read(self.file.get(last..).unwrap_or_default(), school_id(), &verifies);
        let Some(newest) = anchors.newest() else {
            return if whole.is_empty() { Ok(()) } else { Err(anchors.findings(epoch(disk)).join("; ")) };
        };
        let kept = block(disk, newest.head.block).map(|block| block.link);
        require_anchored(newest, epoch(disk), head(disk), kept).map_err(|unanchored| unanchored.to_string())
    }

    /// Whether there is no disk.
    pub(crate) const fn lost(&self) -> bool {
        self.lost
    }

    /// Bytes in the file.
    pub(crate) fn length(&self) -> usize {
        split(&self.file).0.len()
    }

    /// The disk is gone, and with it whatever stood in its place.
    pub(crate) fn lose_disk(&mut self) {
        (self.lost, self.image, self.aside) = (true, None, None);
    }

    /// The next epoch begins at this disk's head; its number. The anchors survived elsewhere, or are as long as they were
    /// when the backup was made.
    pub(crate) fn begin(&mut self, backed_up: usize, disk: &MemoryDisk, at: Micros) -> u64 {
        self.lost = false;
        let whole = self.length();
        self.file.truncate(if self.rng.chance(500) { whole } else { backed_up });
        let anchors = Anchors::read(&self.file, school_id(), &verifies);
        let number = anchors.newest().map_or(Epoch::FIRST, |newest| newest.epoch).max(epoch(disk)) + 1;
        let anchor = Anchor { school: school_id(), epoch: number, head: head(disk), at };
        self.file.extend(anchor.line(sign).into_bytes());
        self.newest = Some(anchor);
        number
    }

    /// The planted bug begins no epoch: the anchors are as they were when the backup was made.
    pub(crate) fn copied_back(&mut self, backed_up: usize) {
        self.lost = false;
        self.file.truncate(backed_up);
        self.newest = Anchors::read(&self.file, school_id(), &verifies).newest().copied();
    }

    /// All heads that the book on this disk must contain, and what is wrong with the anchors themselves.
    pub(crate) fn all(&self, disk: &MemoryDisk) -> (Vec<Head>, Vec<String>) {
        let anchors = Anchors::read(&self.file, school_id(), &verifies);
        (anchors.heads(), anchors.findings(epoch(disk)))
    }
}

impl World {
    /// Signs the head and writes it down, if it moved.
    pub(crate) fn write_anchor(&mut self) {
        let (disk, at) = (&self.server.disk, self.wall());
        let anchor = Anchor { school: school_id(), epoch: epoch(disk), head: head(disk), at };
        let outside = &mut self.server.outside;
        let same = |newest: &Anchor| (newest.epoch, newest.head) == (anchor.epoch, anchor.head);
        if anchor.head.block == 0 || outside.newest.as_ref().is_some_and(same) {
            return;
        }
        outside.file.truncate(split(&outside.file).0.len());
        outside.file.extend(anchor.line(sign).into_bytes());
        outside.newest = Some(anchor);
        self.counters.add("server: anchors");
    }

    /// A minute is over.
    pub(crate) fn anchor_due(&mut self, boot: u64) {
        if boot == self.server.boot && self.server.live.is_some() {
            self.write_anchor();
            self.at(EVERY, Event::Anchor { boot });
        }
    }

    /// The process dies: it may have been writing a line.
    pub(crate) fn tear_anchor(&mut self) {
        let (head, at) = (head(&self.server.disk), self.wall());
        let outside = &mut self.server.outside;
        if self.calm || !outside.rng.chance(20) {
            return;
        }
        let line = Anchor { school: school_id(), epoch: epoch(&self.server.disk), head, at }.line(sign);
        let part = 1 + outside.rng.place(line.len() - 1);
        outside.file.truncate(split(&outside.file).0.len());
        outside.file.extend(line.bytes().take(part));
        self.counters.add("server: anchor torn by a crash");
    }

    pub(crate) fn plan_image(&mut self) {
        if self.faults.falls_back > 0 {
            let wait = self.server.outside.rng.between(HOUR / 4, 6 * HOUR);
            self.at(wait, Event::Image);
        }
    }

    /// Somebody takes an image of the machine, for the case of need.
    pub(crate) fn take_image(&mut self) {
        if self.calm {
            return;
        }
        self.server.outside.image = Some(self.server.disk.copy());
        self.plan_image();
    }

    /// Somebody puts an old image back, when the server is down. `true` when one stands there now.
    pub(crate) fn falls_back(&mut self) -> bool {
        let fault = self.faults.falls_back;
        let server = &mut self.server;
        let (newest, outside) = (server.outside.newest, &mut server.outside);
        if outside.aside.is_none()
            && outside.rng.chance(fault)
            && let (Some(image), Some(newest)) = (&outside.image, newest)
            && head(image).block < newest.head.block
        {
            let image = image.copy();
            outside.aside = Some(std::mem::replace(&mut server.disk, image));
            self.note(Who::NOBODY, || "the disk is an old image".to_owned());
        }
        self.server.outside.aside.is_some()
    }

    /// The start was refused: the operator brings the right disk back and tries again.
    pub(crate) fn refused_start(&mut self, why: &str) {
        self.note(Who::NOBODY, || format!("server: {why}"));
        self.server.watch.power_off();
        let Some(right) = self.server.outside.aside.take() else {
            self.checker.findings.add("M8", Who::NOBODY, || format!("a start on the right disk was refused: {why}"));
            return;
        };
        self.server.disk = right;
        self.counters.add("server: start refused, the book is behind its anchors");
        let wait = self.server.outside.rng.between(60 * SECOND, 1800 * SECOND);
        self.at(if self.calm { SECOND } else { wait }, Event::Start);
    }

    /// A process serves this disk: it must be the right one.
    pub(crate) fn require_right_disk(&mut self) {
        let right = self.server.outside.aside.is_none();
        self.checker.findings.demand(right, "M8", Who::NOBODY, || {
            let (book, newest) = (head(&self.server.disk).block, self.server.outside.newest);
            format!("an old image is served: it ends at block {book}, the newest anchor is {newest:?}")
        });
    }
}
