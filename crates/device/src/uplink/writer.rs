//! The thread that makes the journal durable. What waits while one write is synced goes into the next one together.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::journal::Entry;
use crate::journal_file::JournalFile;

pub(super) enum Job {
    Append { token: u64, entry: Entry },
    Forget { through: u64 },
}

pub(super) enum Event {
    /// Durable up to this token.
    Written(u64),
    /// Not durable; nothing more is written.
    Failed,
}

/// Starts the thread; it ends when the sender of jobs is dropped.
pub(super) fn start(journal: JournalFile) -> io::Result<(Sender<Job>, UnboundedReceiver<Event>)> {
    let (jobs, from_driver) = channel();
    let (to_driver, events) = unbounded_channel();
    std::thread::Builder::new()
        .name("terminal journal".into())
        .spawn(move || {
            if let Err(fault) = serve(journal, &from_driver, &to_driver) {
                tracing::error!(%fault, "the terminal's journal cannot be written: the terminal stops selling");
                let _ = to_driver.send(Event::Failed);
            }
        })
        .map(|_| (jobs, events))
}

fn serve(mut journal: JournalFile, jobs: &Receiver<Job>, events: &UnboundedSender<Event>) -> io::Result<()> {
    while let Ok(first) = jobs.recv() {
        let mut entries = Vec::new();
        let mut written = None;
        let mut forget = None;
        for job in std::iter::once(first).chain(jobs.try_iter()) {
            match job {
                Job::Append { token, entry } => {
                    written = Some(token);
                    entries.push(entry);
                }
                Job::Forget { through } => forget = forget.max(Some(through)),
            }
        }
        if let Some(token) = written {
            journal.append(&entries)?;
            let _ = events.send(Event::Written(token));
        }
        if let Some(through) = forget {
            journal.forget(through)?;
        }
    }
    Ok(())
}
