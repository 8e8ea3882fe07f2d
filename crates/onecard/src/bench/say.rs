//! What the bench tells while it works: a bar on a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};
use store::verify::Progress;

use crate::Failure;

/// Tells how far the bench is.
pub struct Say {
    bar: Option<ProgressBar>,
    steps: Cell<u64>,
}

impl Say {
    /// A bar for `steps` steps when standard error is a terminal.
    pub fn new(steps: u64) -> Result<Say, Failure> {
        let bar = stderr().is_terminal().then(|| ProgressBar::new(steps));
        if let Some(bar) = &bar {
            bar.set_style(ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {msg}")?);
        }
        Ok(Say { bar, steps: Cell::new(0) })
    }

    /// More steps than were thought.
    pub fn more_steps(&self, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.inc_length(steps);
        }
    }

    /// The next step begins.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.steps.get());
                bar.set_message(what.to_owned());
            }
            None => eprintln!("bench: {what}"),
        }
        self.steps.set(self.steps.get() + 1);
    }

    /// How far a long part of a step is; only a terminal shows it.
    pub fn part(&self, what: &str, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            let of = if of > 0 { format!(" of {of}") } else { String::new() };
            bar.set_message(format!("{what}: {done}{of}"));
        }
    }

    /// How far a check of a book is.
    pub fn verifying(&self, step: Progress) {
        match step {
            Progress::Journal { done, of } => self.part("verifying the journal", done, of),
            Progress::GuardRows { done } => self.part("verifying guard rows", done, 0),
            Progress::Engine | Progress::Accounts | Progress::Lists { .. } => {}
        }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("bench: {text}"),
        }
    }

    /// Everything is done.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
