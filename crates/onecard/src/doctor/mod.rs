//! `onecard doctor`: what is fine and what to fix, also beside a running server.

mod book;
mod machine;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::sqlite::{BOOK_FILE, is_served, school_of};

use crate::config::{self, Config};
use crate::confirmation::{self, CONFIRMED, LEAPT};
use crate::prompt::{Said, sentence};
use crate::{Failure, Place};

/// Options of `onecard doctor`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Tells the running server that the machine's clock is right as it is, after it leapt; looks at nothing else.
    #[arg(long)]
    confirm_clock: bool,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Fine,
    /// Worth knowing, nothing to do at once.
    Note,
    /// To be mended.
    Fix,
}

/// What was found of one thing.
pub struct Finding {
    what: &'static str,
    state: State,
    words: String,
}

impl Finding {
    /// All is well.
    pub fn fine(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { what, state: State::Fine, words: words.into() }
    }

    /// Good to know.
    pub fn note(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { what, state: State::Note, words: words.into() }
    }

    /// To be mended; the words say how.
    pub fn fix(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { what, state: State::Fix, words: words.into() }
    }

    /// What could not even be looked at.
    pub fn unseen(what: &'static str, fault: &dyn std::error::Error) -> Finding {
        Finding::fix(what, sentence(fault))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Fine => "fine",
            State::Note => "note",
            State::Fix => "FIX ",
        };
        write!(out, "{state}  {:12}  {}", self.what, self.words)
    }
}

/// What the doctor looks at.
pub struct Patient {
    /// The data folder.
    pub data: PathBuf,
    /// The configuration, when it was named.
    pub config: Option<Config>,
    /// A process writes to the book.
    pub served: bool,
    /// There is a book.
    pub has_book: bool,
}

/// Looks, and prints a line for each thing. Error: something is to be mended.
pub fn run(options: Options) -> Result<(), Failure> {
    let config = options.place.config.as_deref().map(config::read).transpose()?;
    let data = match (&options.place.data, &config) {
        (Some(data), _) => data.clone(),
        (None, Some(config)) => config.data.clone(),
        (None, None) => return Err(Said("name the data folder or the configuration".to_owned()).into()),
    };
    if !data.is_dir() {
        return Err(Said(format!(
            "there is no data folder {}; the first start of `onecard serve` makes it",
            data.display()
        ))
        .into());
    }
    let served = is_served(&data)?;
    if options.confirm_clock {
        return confirm_clock(&data, served);
    }
    let has_book = data.join(BOOK_FILE).exists();
    let patient = Patient { data, config, served, has_book };
    let mut findings = machine::look(&patient);
    findings.extend(book::look(&patient));
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.state == State::Fix).count() {
        0 => Ok(()),
        1 => Err(Said("one thing is to be fixed; it is marked FIX above".to_owned()).into()),
        count => Err(Said(format!("{count} things are to be fixed; they are marked FIX above")).into()),
    }
}

/// How long a running server may take to follow, in tenths of a second: it looks once a second, unless it waits for the
/// payment provider.
const TENTHS: u32 = 150;

fn confirm_clock(data: &Path, served: bool) -> Result<(), Failure> {
    school_of(data)?;
    if !served {
        return Err(Said(
            "no server runs on this folder: start it; if it then says that the clock leapt, confirm it".to_owned(),
        )
        .into());
    }
    if !data.join(LEAPT).exists() {
        println!("the server follows the machine's clock: there is nothing to confirm");
        return Ok(());
    }
    confirmation::confirm(data)?;
    let taken = tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
        for _ in 0..TENTHS {
            if !data.join(CONFIRMED).exists() && !data.join(LEAPT).exists() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    });
    if taken {
        println!("the server follows the machine's clock again; what is due goes on");
        return Ok(());
    }
    Err(Said("the server has not taken the confirmation yet: see its log, and try again".to_owned()).into())
}
