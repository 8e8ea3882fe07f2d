use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use ledger::Micros;

use crate::engine::{Jobs, tell_all, tell_waiting};
use crate::queue::News;
use crate::round::{Round, Sealed};
use crate::{Commit, CommitError, Door, Engine, Fault, Schema, Store};

/// A batch with fewer commands is kept on the spot: handing it over would take longer than it could save.
const WORTH_HANDING_OVER: usize = 32;

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// [`Door::close`] was called and everything before it is answered.
    #[error("closed")]
    Closed,
    /// The outcome of a commit is unknown, or another process writes this book: end the process, recovery will tell.
    #[error(transparent)]
    Store(#[from] CommitError),
}

/// The batch loop: takes everything that waits, decides, and keeps it. There is no timer: a lone command goes at once, and
/// what arrives while a batch is being synced is decided and written out meanwhile, and makes the next one.
///
/// Promise: a command is answered only after its own batch and every batch before it are durable, although the next batch
/// is decided on top of one that is still on its way. When that one is not kept, what was decided on it is decided again.
pub fn run<S: Schema, St: Store>(
    door: &Door<S>,
    engine: &mut Engine<S, St>,
    mut clock: impl FnMut() -> Micros,
) -> Stopped {
    let store = Arc::clone(&engine.store);
    let (to_keeper, batches) = sync_channel::<Box<Commit>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for commit in batches {
                let outcome = catch_unwind(AssertUnwindSafe(|| store.commit(&commit)));
                let panicked = || Err(CommitError::Unknown("the store panicked".to_owned()));
                door.tell(commit, outcome.unwrap_or_else(|_| panicked()));
            }
        });
        let mut desk =
            Loop { door, engine, to_keeper, flight: None, ready: None, forming: None, put_off: VecDeque::new() };
        let stopped = desk.serve(&mut clock);
        if let Stopped::Store(_) = &stopped {
            door.close();
            desk.tell_the_rest();
        }
        stopped
    })
}

struct Loop<'a, S: Schema, St> {
    door: &'a Door<S>,
    engine: &'a mut Engine<S, St>,
    to_keeper: SyncSender<Box<Commit>>,
    /// On its way to the store.
    flight: Option<Sealed<S>>,
    /// Full, and next on its way.
    ready: Option<(Sealed<S>, Option<Commit>)>,
    /// Being decided.
    forming: Option<Round<S>>,
    /// To be decided with the batch after that.
    put_off: VecDeque<Box<dyn crate::Job<S>>>,
}

impl<S: Schema, St: Store> Loop<'_, S, St> {
    fn serve(&mut self, clock: &mut impl FnMut() -> Micros) -> Stopped {
        loop {
            let went_on = if self.flight.is_some() { self.meanwhile(clock) } else { self.next_batch(clock) };
            match went_on {
                Ok(true) => {}
                Ok(false) => {
                    // Whatever comes of it, the book is whole; without it the next start takes a little longer.
                    let _ = self.engine.checkpoint();
                    return Stopped::Closed;
                }
                Err(fault) => return Stopped::Store(fault),
            }
        }
    }

    fn room(&self) -> usize {
        let limits = &self.engine.limits;
        match &self.forming {
            _ if self.ready.is_some() => 0,
            None => limits.batch,
            Some(round) if round.weight() >= limits.bytes => 0,
            Some(round) => limits.batch.saturating_sub(round.len()),
        }
    }

    /// Nothing is on its way: what waits makes a batch and goes. `false` once the door is closed and nothing waits.
    fn next_batch(&mut self, clock: &mut impl FnMut() -> Micros) -> Result<bool, CommitError> {
        if let Some((sealed, commit)) = self.ready.take() {
            return self.send(sealed, commit, Jobs::<S>::new());
        }
        let room = self.room();
        let mut jobs: Jobs<S> = self.put_off.drain(..room.min(self.put_off.len())).collect();
        let room = room.saturating_sub(jobs.len());
        if jobs.is_empty() && self.forming.is_none() {
            match self.door.take(room) {
                Some(more) => jobs = more,
                None => return Ok(false),
            }
        } else {
            jobs.extend(self.door.take_waiting(room));
        }
        let mut round = self.decide(jobs, clock);
        let waiting = std::mem::take(&mut round.waiting);
        let (sealed, commit) = self.engine.seal(round);
        self.send(sealed, commit, waiting)
    }

    /// Decides on top of the batch that is being formed, as far as its weight allows.
    fn decide(&mut self, jobs: Jobs<S>, clock: &mut impl FnMut() -> Micros) -> Round<S> {
        let mut round = self.forming.take().unwrap_or_else(|| self.engine.open(clock()));
        let mut weight = round.weight();
        let bytes = self.engine.limits.bytes;
        let mut now = jobs;
        let mut fits = 0_usize;
        for job in &now {
            if weight >= bytes {
                break;
            }
            weight = weight.saturating_add(job.weight());
            fits = fits.saturating_add(1);
        }
        for job in now.split_off(fits).into_iter().rev() {
            self.put_off.push_front(job);
        }
        self.engine.decide(&mut round, now);
        round
    }

    /// Keeps a small batch on the spot and sends a larger one on its way.
    fn send(&mut self, sealed: Sealed<S>, commit: Option<Commit>, waiting: Jobs<S>) -> Result<bool, CommitError> {
        self.put_off.extend(waiting);
        let Some(commit) = commit else {
            self.engine.keep(sealed, None);
            return Ok(true);
        };
        if sealed.decided.len() < WORTH_HANDING_OVER {
            let outcome = self.engine.store.commit(&commit);
            self.landed(sealed, &commit, outcome)?;
            return Ok(true);
        }
        self.flight = Some(sealed);
        match self.to_keeper.send(Box::new(commit)) {
            Ok(()) => Ok(true),
            Err(_) => Err(CommitError::Unknown("the thread that keeps batches is gone".to_owned())),
        }
    }

    /// A batch is on its way: decide the next one, or hear what became of it.
    fn meanwhile(&mut self, clock: &mut impl FnMut() -> Micros) -> Result<bool, CommitError> {
        match self.door.news(self.room()) {
            News::Jobs(jobs) => {
                let round = self.decide(jobs, clock);
                self.forming = Some(round);
                if self.room() == 0
                    && let Some(mut round) = self.forming.take()
                {
                    self.put_off.extend(std::mem::take(&mut round.waiting));
                    self.ready = Some(self.engine.seal(round));
                }
            }
            News::Outcome(commit, outcome) => {
                if let Some(sealed) = self.flight.take() {
                    self.landed(sealed, &commit, outcome)?;
                }
            }
        }
        Ok(true)
    }

    fn landed(
        &mut self,
        sealed: Sealed<S>,
        commit: &Commit,
        outcome: Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        let Err(fault) = outcome else {
            self.engine.keep(sealed, Some(commit));
            return Ok(());
        };
        let again = self.undecide();
        let waiting = match self.engine.failed(sealed, Jobs::<S>::new(), fault) {
            Ok(waiting) => waiting,
            Err(fault) => {
                tell_waiting(again);
                return Err(fault);
            }
        };
        for job in again.into_iter().chain(waiting).rev() {
            self.put_off.push_front(job);
        }
        Ok(())
    }

    /// Commands that were decided on top of a batch that was not kept: they are to be decided again.
    fn undecide(&mut self) -> Jobs<S> {
        let ready = self.ready.take().map(|(sealed, _)| sealed.decided).unwrap_or_default();
        let (forming, waiting) = self.forming.take().map(|round| (round.decided, round.waiting)).unwrap_or_default();
        let mut again = Jobs::<S>::new();
        for (job, fault) in ready.into_iter().chain(forming) {
            match fault {
                Some(fault) => job.deliver(Some(fault)),
                None => again.push(job),
            }
        }
        again.extend(waiting);
        again
    }

    /// The loop ends: whoever still waits is told so.
    fn tell_the_rest(&mut self) {
        if let Some(sealed) = self.flight.take() {
            tell_all(sealed, &Fault::Stopping);
        }
        tell_waiting(self.undecide());
        tell_waiting(self.put_off.drain(..).collect());
        tell_waiting::<S>(self.door.take_waiting(usize::MAX));
    }
}
