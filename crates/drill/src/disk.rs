//! Harm to the disk: the power is cut, every call fails, there is no room left.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::chance::Chance;
use crate::log::begun_anew;
use crate::process::{Manner, Places, STORE_FAILED, Server, Started, pause, was_killed};
use crate::recount;
use crate::round::{Drilled, Failure, Reckoned, count, wait};
use crate::total::Total;
use crate::volume::{Kind, Volume};

/// Milliseconds of load before the power goes.
const POWER: (u64, u64) = (200, 3000);
/// Milliseconds of load before the disk fails, once the log was begun anew.
const FAILING: (u64, u64) = (0, 200);
/// Keys after which a new book is begun.
const BOOK: usize = 30_000;
/// What is left of the disk when it is to be filled: less than the write-ahead log takes before it is begun anew.
const ROOM: u64 = 6 << 20;
/// Answers that there is no room, after which there has been enough of them.
const ENOUGH: u64 = 500;
/// Milliseconds of load until the disk must be full, or the log be begun anew.
const PATIENCE: u32 = 60_000;
/// Void rounds after which the drill gives up.
const VOID: u32 = 8;
/// How often a control is done, if the file system happened to write everything in time.
const CONTROLS: u32 = 5;

/// What to do.
#[derive(Debug)]
pub(crate) struct Disks {
    /// The drill's own binary.
    pub binary: PathBuf,
    /// Where the disk and the notes are.
    pub folder: PathBuf,
    /// Which file system.
    pub kind: Kind,
    /// How many power cuts.
    pub rounds: u32,
    /// What chance begins from.
    pub seed: u64,
    /// Whether the store can be weakened, for the controls.
    pub weaker: bool,
}

/// Which drills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    PowerCuts,
    FailingDisk,
    FullDisk,
}

struct Bench<'a> {
    wish: &'a Disks,
    volume: Volume,
    chance: Chance,
    books: u32,
}

/// Runs these drills on one disk.
pub(crate) fn run(wish: &Disks, which: &[Which]) -> Total {
    let mut total = Total::default();
    if wish.folder.exists()
        && let Err(fault) = std::fs::remove_dir_all(&wish.folder)
    {
        let what = format!("cannot empty {}: {fault}", wish.folder.display());
        total.failed(0, "disk", &Failure(vec![what]), &wish.folder);
        return total;
    }
    let volume = match Volume::make(&wish.folder, wish.kind) {
        Ok(volume) => volume,
        Err(fault) => {
            total.failed(0, "disk", &Failure(vec![fault]), &wish.folder);
            return total;
        }
    };
    let mut bench = Bench { wish, volume, chance: Chance::of(wish.seed, u64::MAX - 1), books: 0 };
    for drill in which {
        let done = match drill {
            Which::PowerCuts => power_cuts(&mut bench, &mut total),
            Which::FailingDisk => failing_disk(&mut bench, &mut total),
            Which::FullDisk => full_disk(&mut bench, &mut total),
        };
        if let Err((round, what, failure)) = done {
            total.failed(round, what, &failure, &wish.folder);
            if let Err(fault) = bench.keep_evidence() {
                println!("  the book could not be kept: {fault}");
            }
            break;
        }
    }
    total
}

type Done = Result<(), (u32, &'static str, Failure)>;

impl Bench<'_> {
    fn newest(&self) -> PathBuf {
        self.volume.root.join(format!("book-{}", self.books))
    }

    /// Copies the newest book off the disk, which goes.
    fn keep_evidence(&mut self) -> Result<(), String> {
        self.volume.restore()?;
        let kept = self.wish.folder.join("book");
        let copy = || -> std::io::Result<()> {
            std::fs::create_dir_all(&kept)?;
            for file in std::fs::read_dir(self.newest())? {
                let file = file?;
                std::fs::copy(file.path(), kept.join(file.file_name()))?;
            }
            Ok(())
        };
        copy().map_err(|fault| format!("cannot copy {} to {}: {fault}", self.newest().display(), kept.display()))
    }

    /// A new book on the disk, its notes beside the disk; older ones are removed.
    fn book(&mut self) -> Result<Drilled, Failure> {
        let old = self.newest();
        if old.exists() {
            std::fs::remove_dir_all(&old).map_err(|fault| format!("cannot remove {}: {fault}", old.display()))?;
        }
        self.books += 1;
        let places = Places {
            binary: self.wish.binary.clone(),
            data: self.newest(),
            notes: self.wish.folder.join(format!("notes-{}", self.books)),
        };
        let drilled = Drilled::new(places, self.chance.next())?;
        // The empty book is on the disk before anything is cut.
        Server::must_start(&drilled.places, &Manner::default())?.stop()?;
        Ok(drilled)
    }

    /// Load until the power goes, by chance; then power comes back.
    ///
    /// The clients go deaf first: a process does not outlive its machine, but this server runs on for a moment, and may take
    /// a sync for done that was under way while the file system was shut down and was not.
    fn cut(&mut self, drilled: &mut Drilled, manner: &Manner) -> Result<(u64, u64), Failure> {
        let millis = self.chance.between(POWER.0, POWER.1);
        let volume = &self.volume;
        let loaded = drilled.load(manner, &mut |server, gauge| {
            let cut = volume.prepare_cut()?;
            wait(millis);
            gauge.deafen();
            cut.now()?;
            server.kill()
        })?;
        self.volume.restore()?;
        // Between cut and kill the server may have found its disk gone.
        if !was_killed(&loaded.end) && loaded.end.status.code() != Some(STORE_FAILED) {
            return Err(format!("the server ended by itself: {}", loaded.end.told()).into());
        }
        Ok((loaded.answered, loaded.open))
    }
}

fn power_cuts(bench: &mut Bench<'_>, total: &mut Total) -> Done {
    if bench.wish.weaker {
        for weaker in ["OFF", "NORMAL"] {
            let how = control(bench, weaker).map_err(|failure| (0, "control", failure))?;
            total.held(&format!("control, synchronous={weaker}"), &how);
        }
    }
    let mut book: Option<Drilled> = None;
    let (mut round, mut voids) = (1, 0);
    while round <= bench.wish.rounds {
        let one = |bench: &mut Bench<'_>, book: &mut Option<Drilled>| -> Result<(u64, u64, Reckoned), Failure> {
            if book.as_ref().is_none_or(|book| book.known.acknowledged.len() >= BOOK) {
                *book = Some(bench.book()?);
            }
            let Some(drilled) = book.as_mut() else { return Err(Failure(Vec::new())) };
            let (answered, open) = bench.cut(drilled, &Manner::default())?;
            Ok((answered, open, drilled.reckon()?))
        };
        match one(bench, &mut book) {
            Ok((answered, open, found)) if answered > 0 && open > 0 => {
                total.passed(round, "power cut", answered, open, &found);
                round += 1;
            }
            Ok(_) if voids < VOID => {
                voids += 1;
                total.void(round, "power cut");
            }
            Ok(_) => return Err((round, "power cut", "the server answers nothing before the cut".to_owned().into())),
            Err(failure) => return Err((round, "power cut", failure)),
        }
    }
    Ok(())
}

/// Shows that a cut takes what was not synced: with weaker settings acknowledged operations must be lost.
fn control(bench: &mut Bench<'_>, weaker: &'static str) -> Result<String, Failure> {
    for _ in 0..CONTROLS {
        let mut drilled = bench.book()?;
        let (answered, _) = bench.cut(&mut drilled, &Manner { weaker: Some(weaker), ..Manner::default() })?;
        let acknowledged = count(drilled.known.acknowledged.len());
        let said = format!("{answered} acknowledged, {acknowledged} keys");
        match Server::start(&drilled.places, &Manner::default())? {
            Started::Ended(end) => return Ok(format!("{said}: the book is lost as a whole ({})", end.told())),
            Started::Ready(server) => server.stop()?,
        }
        let Ok(found) = recount::read(&drilled.places.data) else {
            return Ok(format!("{said}: the book cannot be read any more"));
        };
        let lost = drilled.known.acknowledged.keys().filter(|key| !found.kept.contains_key(key)).count();
        if lost > 0 {
            return Ok(format!("{said}: {lost} LOST, as must be: the cut takes what is not synced"));
        }
    }
    let what =
        format!("synchronous={weaker} lost nothing {CONTROLS} times: this cut is none, the rounds would show nothing");
    Err(Failure(vec![what]))
}

/// The disk fails under load: the server must end by itself, and what it acknowledged until then must be there.
fn failing_disk(bench: &mut Bench<'_>, total: &mut Total) -> Done {
    const NAME: &str = "disk fails (EIO)";
    let (answered, open, found) = fail_once(bench, NAME).map_err(|failure| (1, NAME, failure))?;
    total.passed(1, NAME, answered, open, &found);
    Ok(())
}

/// The disk fails once the log is written over and no longer grows: the sync of a file that grows may come back as done
/// although the file system was shut down meanwhile, which no program can notice.
fn fail_once(bench: &mut Bench<'_>, name: &str) -> Result<(u64, u64, Reckoned), Failure> {
    let mut drilled = bench.book()?;
    let (millis, data) = (bench.chance.between(FAILING.0, FAILING.1), drilled.places.data.clone());
    let volume = &bench.volume;
    let loaded = drilled.load(&Manner::default(), &mut |server, _| {
        let cut = volume.prepare_cut()?;
        let (mut looks, mut first) = (0, None);
        while first.is_none() || begun_anew(&data) == first {
            first = first.or_else(|| begun_anew(&data));
            if looks == PATIENCE || server.ended() {
                return Err("the log is never begun anew".to_owned());
            }
            pause(Duration::from_millis(1));
            looks += 1;
        }
        wait(millis);
        cut.now()?;
        server.end()
    })?;
    bench.volume.restore()?;
    if loaded.end.status.code() != Some(STORE_FAILED) {
        return Err(format!("the server must stop for its store, but ended so: {}", loaded.end.told()).into());
    }
    println!("{name}: the server ended by itself; it said: {}", loaded.end.said.trim());
    Ok((loaded.answered, loaded.open, drilled.reckon()?))
}

/// No room: new money is refused, nothing is lost, and it works again when there is room; also after a kill while full.
fn full_disk(bench: &mut Bench<'_>, total: &mut Total) -> Done {
    for (round, killed) in [(1, false), (2, true)] {
        let name = if killed { "full disk, then kill -9" } else { "full disk" };
        let (answered, full, found) = full_once(bench, killed).map_err(|failure| (round, name, failure))?;
        println!("{name}: {full} operations refused for want of room, none of them kept, all done when there was room");
        total.passed(round, name, answered, 0, &found);
    }
    Ok(())
}

fn full_once(bench: &mut Bench<'_>, killed: bool) -> Result<(u64, u64, Reckoned), Failure> {
    let mut drilled = bench.book()?;
    let mut server = Server::must_start(&drilled.places, &Manner::default())?;
    let ballast = bench.volume.fill(ROOM)?;
    let (crew, notes) = drilled.crew()?;
    let mut looks = 0;
    while crew.gauge.full.load(Ordering::SeqCst) < ENOUGH && !server.ended() && looks < PATIENCE {
        pause(Duration::from_millis(1));
        looks += 1;
    }
    crew.stop();
    let shift = crew.join()?;
    if server.ended() {
        return Err(format!("a full disk ends the server: {}", server.end()?.told()).into());
    }
    let (answered, full) = (shift.answered, count(shift.full.len()));
    drilled.learn(notes, shift)?;
    if full < ENOUGH || answered == 0 {
        return Err(format!("the disk did not get full: {answered} answered, {full} refused").into());
    }
    drilled.compare_beside()?;
    if killed {
        server.kill()?;
        // It may be refused to start or serve what it has; what matters is what is there when there is room again.
        match Server::start(&drilled.places, &Manner::default())? {
            Started::Ended(end) => println!("full disk: a start is refused: {}", end.told()),
            Started::Ready(mut server) => {
                drilled.compare_beside()?;
                server.kill()?;
            }
        }
    } else {
        remove(&ballast)?;
        drilled.repeat()?;
        server.stop()?;
    }
    if ballast.exists() {
        remove(&ballast)?;
    }
    Ok((answered, full, drilled.reckon()?))
}

fn remove(path: &std::path::Path) -> Result<(), String> {
    std::fs::remove_file(path).map_err(|fault| format!("cannot remove {}: {fault}", path.display()))
}
