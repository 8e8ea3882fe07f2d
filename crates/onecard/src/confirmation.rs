//! How an administrator tells a running server that the machine's clock is right (M7): two small files in the data folder,
//! which its owner alone can enter.
//!
//! `clock-leapt` lies there as long as the server does not follow the clock. `onecard doctor --confirm-clock` writes
//! `clock-confirmed` with what the wall shows; the server takes it away, and follows the wall if that is still what it
//! shows. So a confirmation holds for the clock as the administrator saw it, and not for a later leap.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flows::ports::Clock;
use ledger::Micros;

use crate::clock::{FOLLOWED, SteadyClock, wall};
use crate::prompt::minute;

/// Lies in the data folder while the server's clock waits for a confirmation.
pub const LEAPT: &str = "clock-leapt";

/// The confirmation.
pub const CONFIRMED: &str = "clock-confirmed";

/// The server's side.
pub struct Confirmation {
    leapt: PathBuf,
    confirmed: PathBuf,
}

/// What to do with a confirmation that was written when the wall showed `written`.
fn fresh(written: &str, wall: Micros) -> bool {
    let written = written.trim().parse().map(Micros::new);
    written.is_ok_and(|written| wall.since(written).saturating_abs() <= FOLLOWED)
}

impl Confirmation {
    /// For the data folder of a school.
    pub fn new(data: &Path) -> Confirmation {
        Confirmation { leapt: data.join(LEAPT), confirmed: data.join(CONFIRMED) }
    }

    /// Says in the folder whether the clock waits, and takes a confirmation that is there. Called again and again.
    pub fn attend(&self, clock: &SteadyClock) {
        if let Err(fault) = self.look(clock) {
            tracing::error!("the confirmation of the clock cannot be read or told: {fault}");
        }
    }

    fn look(&self, clock: &SteadyClock) -> io::Result<()> {
        let leapt = clock.leapt();
        match fs::read_to_string(&self.confirmed) {
            Ok(text) => {
                fs::remove_file(&self.confirmed)?;
                match (leapt, fresh(&text, wall())) {
                    (true, true) => clock.confirm(),
                    (true, false) => tracing::warn!(
                        "a confirmation of the clock was not taken: it was made when the clock showed another time"
                    ),
                    (false, _) => {}
                }
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        match (clock.leapt(), self.leapt.exists()) {
            (true, false) => fs::write(&self.leapt, format!("{} instead of {}\n", minute(wall()), minute(clock.now()))),
            (false, true) => fs::remove_file(&self.leapt),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

/// The administrator's side: says that the wall is right, now.
pub fn confirm(data: &Path) -> io::Result<()> {
    let (path, beside) = (data.join(CONFIRMED), data.join(format!("{CONFIRMED}.new")));
    let mut file = File::create(&beside)?;
    writeln!(file, "{}", wall().get())?;
    file.sync_all()?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m7_a_confirmation_holds_for_the_clock_as_it_was_seen() {
        let wall = Micros::from_seconds(1_795_400_000);
        let table = [(0, true), (299, true), (-299, true), (301, false), (-301, false), (86_400, false)];
        for (seconds, expected) in table {
            let written = wall.after_seconds(seconds).get().to_string();
            assert_eq!(fresh(&format!("{written}\n"), wall), expected, "{seconds}");
        }
        assert!(!fresh("", wall) && !fresh("now", wall));
    }

    #[test]
    fn m7_a_leapt_clock_is_told_in_the_folder_confirmed_there_and_both_files_go() {
        let data = std::env::temp_dir().join(format!("onecard-confirmation-{}", std::process::id()));
        fs::create_dir_all(&data).expect("a folder");
        let (clock, server) = (SteadyClock::new(), Confirmation::new(&data));
        let there = |name: &str| data.join(name).exists();
        server.attend(&clock);
        assert!(!there(LEAPT), "the clock is fine");

        clock.not_before(wall().after_seconds(86_400));
        server.attend(&clock);
        assert!(there(LEAPT) && clock.leapt());
        fs::write(data.join(CONFIRMED), wall().after_seconds(-900).get().to_string()).expect("writes");
        server.attend(&clock);
        assert!(there(LEAPT) && clock.leapt() && !there(CONFIRMED), "a stale one is thrown away");

        confirm(&data).expect("writes");
        let before = clock.now();
        server.attend(&clock);
        assert!(!clock.leapt() && !there(LEAPT) && !there(CONFIRMED));
        assert!(clock.now() >= before, "time went back");
        confirm(&data).expect("writes");
        server.attend(&clock);
        assert!(!there(CONFIRMED), "one that nobody asked for is thrown away");
        fs::remove_dir_all(&data).expect("is removed");
    }
}
