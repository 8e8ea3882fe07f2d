//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::chance::fresh_seed;
use crate::disk::{self, Disks, Which};
use crate::kill::{self, Kills};
use crate::point::{POINTS, Point};
use crate::server::{Serve, serve};
use crate::total::Total;
use crate::volume::Kind;

const USAGE: &str = "\
Usage: onecard-drill <COMMAND> [OPTIONS]

Runs the teller and the SQLite store in a process of their own, under load, does them harm, and demands that every
acknowledged operation is in the book exactly once and every other one once or not at all.

Commands:
  kill         Kill the server at each fail point in turn, in a checkpoint, and at random
  power-cut    Cut a file system off from its disk under load; first show that weaker settings lose money by it
  eio          Let every call to the disk fail under load: the server must end by itself
  full-disk    Fill the disk under load: new money is refused until there is room
  disks        power-cut, eio and full-disk. These four make and mount a file system in --folder, which needs root;
               `cargo xtask power-cut` runs them so that nothing stays mounted
  points       Say what the fail points are

Options:
  --rounds N   How often [default: 20]
  --at POINT   kill: only at this point
  --folder DIR Where books and notes are made; it is emptied [default: a folder of its own below the system's]
  --fs NAME    xfs or ext4 [default: xfs]
  --seed N     What chance begins from [default: something new, which is printed]
  --help       Print this text

Exit codes: 0 all held, 1 something did not and was told, 2 wrong usage
";

/// Whether fail points are built in.
const POINTS_BUILT: bool = cfg!(feature = "failpoints");

#[derive(Default)]
struct Options {
    rounds: Option<u32>,
    at: Option<Point>,
    folder: Option<PathBuf>,
    seed: Option<u64>,
    data: Option<PathBuf>,
    socket: Option<PathBuf>,
    die: Option<(Point, u64)>,
    mark: Option<PathBuf>,
    weaker: Option<String>,
    kind: Option<Kind>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let wish = words.split_first().ok_or_else(|| "what is to be done?".to_owned());
    let wish = wish.and_then(|(command, rest)| Ok((command.as_str(), parse(rest)?)));
    let (command, options) = match wish {
        Ok(wish) => wish,
        Err(fault) => return misused(&fault),
    };
    let done = match command {
        "server" => server(options),
        "kill" => kill(options),
        "power-cut" => disks(options, &[Which::PowerCuts]),
        "eio" => disks(options, &[Which::FailingDisk]),
        "full-disk" => disks(options, &[Which::FullDisk]),
        "disks" => disks(options, &[Which::PowerCuts, Which::FailingDisk, Which::FullDisk]),
        "points" => {
            for point in POINTS {
                println!("{:<18} {}", point.name, point.what);
            }
            Ok(ExitCode::SUCCESS)
        }
        other => return misused(&format!("there is no command {other}")),
    };
    done.unwrap_or_else(|fault| {
        eprintln!("{fault}");
        ExitCode::FAILURE
    })
}

fn misused(fault: &str) -> ExitCode {
    eprint!("{fault}\n\n{USAGE}");
    ExitCode::from(2)
}

fn parse(words: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.iter();
    let point = |name: &str| Point::named(name).ok_or_else(|| format!("there is no fail point {name}"));
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|fault| format!("{word} {value}: {fault}"));
        match word.as_str() {
            "--rounds" => options.rounds = Some(value.parse().map_err(|fault| format!("{word} {value}: {fault}"))?),
            "--at" => options.at = Some(point(value)?),
            "--folder" => options.folder = Some(PathBuf::from(value)),
            "--seed" => options.seed = Some(number()?),
            "--data" => options.data = Some(PathBuf::from(value)),
            "--socket" => options.socket = Some(PathBuf::from(value)),
            "--fs" => {
                let kind = Kind::named(value).ok_or_else(|| format!("{word} {value}: xfs or ext4"))?;
                options.kind = Some(kind);
            }
            "--mark" => options.mark = Some(PathBuf::from(value)),
            "--synchronous" => options.weaker = Some(value.clone()),
            "--die-at" => {
                let (name, passing) = value.split_once(':').ok_or_else(|| format!("{word} {value}: write POINT:N"))?;
                let passing = passing.parse().map_err(|fault| format!("{word} {value}: {fault}"))?;
                options.die = Some((point(name)?, passing));
            }
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(options)
}

/// The process that is drilled. Only drills start it.
fn server(options: Options) -> Result<ExitCode, String> {
    let missing = || "a server needs --data and --socket".to_owned();
    let die = match (options.die, options.mark) {
        (Some((point, passing)), Some(mark)) => Some((point, passing, mark)),
        (Some(_), None) => return Err("--die-at needs --mark".to_owned()),
        (None, _) => None,
    };
    serve(Serve {
        data: options.data.ok_or_else(missing)?,
        socket: options.socket.ok_or_else(missing)?,
        die,
        weaker: options.weaker,
    })
}

fn kill(options: Options) -> Result<ExitCode, String> {
    if options.at.is_some() && !POINTS_BUILT {
        return Err("this drill was built without fail points; build it with --features failpoints".to_owned());
    }
    let seed = seed(&options)?;
    let wish = Kills {
        binary: own_binary()?,
        folder: folder(&options),
        rounds: options.rounds.unwrap_or(20),
        at: options.at,
        seed,
        points: POINTS_BUILT,
    };
    println!("kills, seed {seed}");
    let total = kill::run(&wish);
    Ok(ended(total, &wish.folder))
}

fn disks(options: Options, which: &[Which]) -> Result<ExitCode, String> {
    let seed = seed(&options)?;
    let wish = Disks {
        binary: own_binary()?,
        folder: folder(&options),
        kind: options.kind.unwrap_or(Kind::Xfs),
        rounds: options.rounds.unwrap_or(20),
        seed,
        weaker: POINTS_BUILT,
    };
    println!("disks, seed {seed}");
    let total = disk::run(&wish, which);
    Ok(ended(total, &wish.folder))
}

fn own_binary() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|fault| format!("this program cannot find itself: {fault}"))
}

fn seed(options: &Options) -> Result<u64, String> {
    match options.seed {
        Some(seed) => Ok(seed),
        None => fresh_seed().map_err(|fault| format!("cannot read /dev/urandom: {fault}")),
    }
}

fn folder(options: &Options) -> PathBuf {
    let own = || std::env::temp_dir().join(format!("onecard-drill-{}", std::process::id()));
    options.folder.clone().unwrap_or_else(own)
}

/// Prints the sums; what a drill made is removed unless it shows what went wrong.
fn ended(total: Total, folder: &std::path::Path) -> ExitCode {
    if !total.print() {
        return ExitCode::FAILURE;
    }
    match std::fs::remove_dir_all(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("cannot remove {}: {fault}", folder.display());
            ExitCode::FAILURE
        }
    }
}
