use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Commit, CommitError, Job, Schema};

/// Commands that are worth deciding while a batch is being kept; fewer wait for it, so that batches stay large.
const HANDFUL: usize = 256;

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
    /// The loop wants to be woken when so many are waiting.
    wake_at: usize,
    /// What became of the batch that was on its way.
    outcome: Option<(Box<Commit>, Result<(), CommitError>)>,
}

/// The queue is full or closed; the command comes back.
pub struct QueueFull<S: Schema>(pub Box<dyn Job<S>>);

/// What the loop waits for while a batch is on its way to the store.
pub(crate) enum News<S: Schema> {
    /// Enough commands to go on with.
    Jobs(Vec<Box<dyn Job<S>>>),
    /// The batch is kept, or not.
    Outcome(Box<Commit>, Result<(), CommitError>),
}

impl<S: Schema> Clone for Door<S> {
    fn clone(&self) -> Self {
        Door(Arc::clone(&self.0))
    }
}

impl<S: Schema> Door<S> {
    /// A door with a queue of at most `limit` commands.
    pub fn new(limit: usize) -> Door<S> {
        let queue = Queue { jobs: VecDeque::new(), open: true, wake_at: usize::MAX, outcome: None };
        Door(Arc::new(Shared { queue: Mutex::new(queue), news: Condvar::new(), limit }))
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
        self.wake(&mut queue);
        Ok(())
    }

    /// Hands in as many of these as there is room for, in order; the others stay.
    pub fn hand_in_all(&self, jobs: &mut VecDeque<Box<dyn Job<S>>>) {
        let mut queue = self.queue();
        if queue.open {
            let room = self.0.limit.saturating_sub(queue.jobs.len()).min(jobs.len());
            queue.jobs.extend(jobs.drain(..room));
            self.wake(&mut queue);
        }
    }

    fn wake(&self, queue: &mut Queue<S>) {
        if queue.jobs.len() >= queue.wake_at {
            queue.wake_at = usize::MAX;
            self.0.news.notify_all();
        }
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
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Box<dyn Job<S>>>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if !queue.open {
                return None;
            }
            queue.wake_at = 1;
            queue = self.0.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let count = queue.jobs.len().min(most);
        Some(queue.jobs.drain(..count).collect())
    }

    /// While a batch is on its way: waits for its outcome, or for a handful of commands when there is `room` for them.
    pub(crate) fn news(&self, room: usize) -> News<S> {
        let mut queue = self.queue();
        let enough = if room == 0 { usize::MAX } else { room.min(HANDFUL) };
        loop {
            if let Some((commit, outcome)) = queue.outcome.take() {
                return News::Outcome(commit, outcome);
            }
            if queue.jobs.len() >= enough {
                let count = queue.jobs.len().min(room);
                return News::Jobs(queue.jobs.drain(..count).collect());
            }
            queue.wake_at = enough;
            queue = self.0.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What became of the batch that was on its way.
    pub(crate) fn tell(&self, commit: Box<Commit>, outcome: Result<(), CommitError>) {
        self.queue().outcome = Some((commit, outcome));
        self.0.news.notify_all();
    }
}
