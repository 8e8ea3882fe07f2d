//! Kills: at each fail point in turn, in the middle of a checkpoint, and at random, always under load.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::chance::Chance;
use crate::load::Gauge;
use crate::log::checkpoint_half_done;
use crate::point::{POINTS, Point, When};
use crate::process::{End, Manner, Places, Server, Started, died_at, pause, was_killed};
use crate::round::{Drilled, Failure, Reckoned, wait};
use crate::total::Total;

/// Keys after which a new book is begun, so that sending them all again stays quick.
const BOOK: usize = 30_000;
/// Void rounds in a row after which the drill gives up.
const VOID: u32 = 8;
/// Milliseconds of load before a random kill.
const RANDOM: (u64, u64) = (50, 800);
/// How often the log's index is looked at for a checkpoint.
const LOOK: Duration = Duration::from_micros(100);
/// Looks after which the load is taken for one that never makes a checkpoint.
const LOOKS: u32 = 200_000;

/// What ends a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Random,
    At(Point),
    Checkpoint,
}

impl Blow {
    fn name(self) -> String {
        match self {
            Blow::Random => "kill -9 at random".to_owned(),
            Blow::At(point) => point.name.to_owned(),
            Blow::Checkpoint => "kill -9 in a checkpoint".to_owned(),
        }
    }
}

/// What to do.
#[derive(Debug)]
pub(crate) struct Kills {
    /// The drill's own binary.
    pub binary: PathBuf,
    /// Where books and notes are made.
    pub folder: PathBuf,
    /// How many rounds.
    pub rounds: u32,
    /// Only this point; else all of them, and chance.
    pub at: Option<Point>,
    /// What chance begins from.
    pub seed: u64,
    /// Whether this build has fail points.
    pub points: bool,
}

/// Runs the rounds.
pub(crate) fn run(wish: &Kills) -> Total {
    let mut total = Total::default();
    let blows = blows(wish);
    let mut chance = Chance::of(wish.seed, u64::MAX);
    let mut drilled = None;
    let mut voids = 0;
    let mut round = 1;
    while round <= wish.rounds {
        let blow = at(&blows, round);
        match one(wish, &mut drilled, blow, &mut chance) {
            Ok(Some((answered, open, reckoned))) => {
                total.passed(round, &blow.name(), answered, open, &reckoned);
                (voids, round) = (0, round + 1);
            }
            Ok(None) if voids < VOID => {
                voids += 1;
                total.void(round, &blow.name());
            }
            Ok(None) => {
                let what = format!("{VOID} void rounds, one after the other; see `onecard-drill points`");
                total.failed(round, &blow.name(), &Failure(vec![what]), &wish.folder);
                break;
            }
            Err(failure) => {
                total.failed(round, &blow.name(), &failure, &wish.folder);
                break;
            }
        }
    }
    total
}

/// Every other round is random, so that each of the others comes as early as it can.
fn blows(wish: &Kills) -> Vec<Blow> {
    let mut blows = vec![Blow::Checkpoint];
    if wish.points {
        blows.extend(POINTS.map(Blow::At));
    }
    if let Some(point) = wish.at {
        blows = vec![Blow::At(point)];
    }
    if wish.at.is_none() {
        blows = blows.into_iter().flat_map(|blow| [blow, Blow::Random]).collect();
    }
    blows
}

fn at(blows: &[Blow], round: u32) -> Blow {
    let place = usize::try_from(round).unwrap_or(0) - 1;
    blows.get(place % blows.len().max(1)).copied().unwrap_or(Blow::Random)
}

type Round = Option<(u64, u64, Reckoned)>;

/// One round; `None` when it is void: the blow did not fall where it was meant to.
fn one(wish: &Kills, book: &mut Option<Drilled>, blow: Blow, chance: &mut Chance) -> Result<Round, Failure> {
    let drilled = match book {
        Some(drilled) if drilled.known.acknowledged.len() < BOOK => drilled,
        old => old.insert(begin(wish, chance.next())?),
    };
    let millis = chance.between(RANDOM.0, RANDOM.1);
    let data = drilled.places.data.clone();
    let dying = |point, passing| Manner { die: Some((point, passing)), ..Manner::default() };
    let loaded = match blow {
        Blow::At(point @ Point { when: When::Answer, .. }) => {
            drilled.load(&dying(point, chance.between(100, 3000)), &mut |server, _| server.end())?
        }
        Blow::At(point @ Point { when: When::Batch, .. }) => {
            drilled.load(&dying(point, chance.between(3, 60)), &mut |server, _| server.end())?
        }
        Blow::At(point @ Point { when: When::Stop, .. }) => drilled.load(&dying(point, 1), &mut |server, _| {
            wait(millis);
            server.ask_to_stop()?;
            server.end()
        })?,
        Blow::Checkpoint => {
            drilled.load(&Manner::default(), &mut |server, gauge| in_checkpoint(server, gauge, &data))?
        }
        Blow::At(_) | Blow::Random => drilled.load(&Manner::default(), &mut |server, _| {
            wait(millis);
            server.kill()
        })?,
    };
    let hit = match blow {
        Blow::At(point) if point.when == When::Start => by_us(&loaded.end)? && dies_at_start(&drilled.places, point)?,
        Blow::At(point) => died_at(&drilled.places, &loaded.end, point),
        Blow::Checkpoint => by_us(&loaded.end)? && checkpoint_half_done(&data),
        Blow::Random => by_us(&loaded.end)?,
    };
    let reckoned = drilled.reckon()?;
    Ok((hit && loaded.open > 0).then_some((loaded.answered, loaded.open, reckoned)))
}

/// A new book in place of the old one; shows at once that nobody else can write to it.
fn begin(wish: &Kills, seed: u64) -> Result<Drilled, Failure> {
    if wish.folder.exists() {
        std::fs::remove_dir_all(&wish.folder)
            .map_err(|fault| format!("cannot empty {}: {fault}", wish.folder.display()))?;
    }
    let places =
        Places { binary: wish.binary.clone(), data: wish.folder.join("book"), notes: wish.folder.join("notes") };
    let drilled = Drilled::new(places, seed)?;
    let server = Server::must_start(&drilled.places, &Manner::default())?;
    let second = Places { notes: drilled.places.notes.join("second"), ..drilled.places.clone() };
    std::fs::create_dir_all(&second.notes).map_err(|fault| fault.to_string())?;
    match Server::start(&second, &Manner::default())? {
        Started::Ended(end) if end.said.contains("another onecard process serves") => {}
        Started::Ended(end) => return Err(format!("a second server ends for another reason: {}", end.told()).into()),
        Started::Ready(_) => return Err("a second server serves the same book".to_owned().into()),
    }
    server.stop()?;
    Ok(drilled)
}

/// A server that was killed and had not ended before.
fn by_us(end: &End) -> Result<bool, Failure> {
    if was_killed(end) { Ok(true) } else { Err(format!("the server ended by itself: {}", end.told()).into()) }
}

/// Starts a server that dies at a point of its start.
fn dies_at_start(places: &Places, point: Point) -> Result<bool, Failure> {
    let manner = Manner { die: Some((point, 1)), ..Manner::default() };
    match Server::start(places, &manner)? {
        Started::Ended(end) => Ok(died_at(places, &end, point)),
        Started::Ready(_) => Ok(false),
    }
}

/// Kills the server once the log's index says that a checkpoint has begun and is not done.
fn in_checkpoint(server: &mut Server, _: &Gauge, data: &Path) -> Result<End, String> {
    for _ in 0..LOOKS {
        if checkpoint_half_done(data) || server.ended() {
            break;
        }
        pause(LOOK);
    }
    server.kill()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_two_rounds_have_every_point_a_checkpoint_and_chance() {
        let wish =
            |at, points| Kills { binary: PathBuf::new(), folder: PathBuf::new(), rounds: 20, at, seed: 1, points };
        let all = blows(&wish(None, true));
        let all_rounds: Vec<Blow> = (1..=22).map(|round| at(&all, round)).collect();
        for blow in POINTS.map(Blow::At).into_iter().chain([Blow::Checkpoint]) {
            assert_eq!(all_rounds.iter().filter(|found| **found == blow).count(), 1, "{blow:?}");
        }
        assert_eq!(all_rounds.iter().filter(|found| **found == Blow::Random).count(), 11);
        assert_eq!(blows(&wish(None, false)), [Blow::Checkpoint, Blow::Random]);
        let point = Point::named("store.written");
        assert_eq!(point.map(Blow::At).as_slice(), blows(&wish(point, true)));
    }
}
