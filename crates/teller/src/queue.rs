use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ledger::Micros;

use crate::{CommitError, Engine, Fault, Job, Schema, Store};

/// The way into the teller. Cheap to clone; every clone leads to the same queue.
pub struct Door<S: Schema>(Arc<Shared<S>>);

struct Shared<S: Schema> {
    queue: Mutex<Queue<S>>,
    news: Condvar,
    limit: usize,
}

struct Queue<S: Schema> {
    jobs: VecDeque<Box<dyn Job<S>>>,
    open: bool,
}

/// The queue is full or closed; the command comes back.
pub struct QueueFull<S: Schema>(pub Box<dyn Job<S>>);

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// [`Door::close`] was called and everything before it is answered.
    #[error("closed")]
    Closed,
    /// The outcome of a commit is unknown: end the process, recovery will tell.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl<S: Schema> Clone for Door<S> {
    fn clone(&self) -> Self {
        Door(Arc::clone(&self.0))
    }
}

impl<S: Schema> Door<S> {
    /// A door with a queue of at most `limit` commands.
    pub fn new(limit: usize) -> Door<S> {
        Door(Arc::new(Shared {
            queue: Mutex::new(Queue { jobs: VecDeque::new(), open: true }),
            news: Condvar::new(),
            limit,
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue<S>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a command in. Error: the queue is full or closed; the command comes back untouched.
    pub fn hand_in(&self, job: Box<dyn Job<S>>) -> Result<(), QueueFull<S>> {
        let mut queue = self.queue();
        if !queue.open || queue.jobs.len() >= self.0.limit {
            return Err(QueueFull(job));
        }
        queue.jobs.push_back(job);
        self.0.news.notify_one();
        Ok(())
    }

    /// Takes nothing more; the loop ends when what is queued is answered.
    pub fn close(&self) {
        self.queue().open = false;
        self.0.news.notify_all();
    }

    /// Everything waiting now, at most `most`; does not wait for more.
    pub fn take_waiting(&self, most: usize) -> Vec<Box<dyn Job<S>>> {
        let mut queue = self.queue();
        let count = queue.jobs.len().min(most);
        queue.jobs.drain(..count).collect()
    }

    /// Everything waiting, at most `most`; waits until there is something. `None` once closed and empty.
    fn take(&self, most: usize) -> Option<Vec<Box<dyn Job<S>>>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if !queue.open {
                return None;
            }
            queue = self.0.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let count = queue.jobs.len().min(most);
        Some(queue.jobs.drain(..count).collect())
    }
}

/// The batch loop: takes everything that waits, steps the engine, and again. There is no timer: a lone command goes at
/// once, and whatever arrives while a batch is being synced makes the next one.
pub fn run<S: Schema, St: Store>(
    door: &Door<S>,
    engine: &mut Engine<S, St>,
    mut clock: impl FnMut() -> Micros,
) -> Stopped {
    let mut waiting: Vec<Box<dyn Job<S>>> = Vec::new();
    loop {
        let mut jobs = std::mem::take(&mut waiting);
        let room = engine.batch_limit().saturating_sub(jobs.len());
        if jobs.is_empty() {
            match door.take(room) {
                Some(more) => jobs = more,
                None => return Stopped::Closed,
            }
        } else {
            jobs.extend(door.take_waiting(room));
        }
        match engine.step(jobs, clock()) {
            Ok(put_off) => waiting = put_off,
            Err(fault) => {
                door.close();
                for job in door.take_waiting(usize::MAX) {
                    job.deliver(Some(Fault::Stopping));
                }
                return Stopped::Store(fault);
            }
        }
    }
}
