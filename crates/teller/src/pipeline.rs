use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::engine::{Jobs, tell_all, tell_waiting};
use crate::queue::News;
use crate::round::{Round, Sealed};
use crate::{Commit, CommitError, Door, Engine, Fault, Paced, Schema, Store};

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
/// While the clock says that the wall leapt, money that was set aside until a time does not go back (M7).
pub fn run<S: Schema, St: Store>(
    door: &Door<S>,
    engine: &mut Engine<S, St>,
    mut clock: impl FnMut() -> Paced,
) -> Stopped {
    let store = Arc::clone(&engine.store);
    let (to_keeper, batches) = sync_channel::<Box<Commit>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for commit in batches {
                let outcome = keep_by(store.as_ref(), &commit);
                door.tell(commit, outcome);
            }
        });
        let mut desk =
            Loop { door, engine, to_keeper, flight: None, ready: None, forming: None, put_off: VecDeque::new() };
        // A rule that panics is caught where it decides; anything else leaves the batch in an unknown state.
        let served = catch_unwind(AssertUnwindSafe(|| desk.serve(&mut clock)));
        let stopped = served.unwrap_or_else(|_| CommitError::Unknown("the teller panicked".to_owned()).into());
        if let Stopped::Store(_) = &stopped {
            door.close();
            desk.tell_the_rest();
        }
        stopped
    })
}

/// A store that panics leaves it open whether the batch was kept.
fn keep_by(store: &impl Store, commit: &Commit) -> Result<(), CommitError> {
    let panicked = || Err(CommitError::Unknown("the store panicked".to_owned()));
    catch_unwind(AssertUnwindSafe(|| store.commit(commit))).unwrap_or_else(|_| panicked())
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
    fn serve(&mut self, clock: &mut impl FnMut() -> Paced) -> Stopped {
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
    fn next_batch(&mut self, clock: &mut impl FnMut() -> Paced) -> Result<bool, CommitError> {
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
    fn decide(&mut self, jobs: Jobs<S>, clock: &mut impl FnMut() -> Paced) -> Round<S> {
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
        if let Some(fault) = self.engine.disk_failed() {
            return self.engine.failed(sealed, Jobs::<S>::new(), fault).map(|_| true);
        }
        let Some(commit) = commit else {
            self.engine.keep(sealed, None);
            return Ok(true);
        };
        if sealed.decided.len() < WORTH_HANDING_OVER {
            let outcome = keep_by(self.engine.store.as_ref(), &commit);
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
    fn meanwhile(&mut self, clock: &mut impl FnMut() -> Paced) -> Result<bool, CommitError> {
        let room = self.room();
        if room > 0 && !self.put_off.is_empty() {
            // Who was put off goes before who came later.
            let jobs = self.put_off.drain(..room.min(self.put_off.len())).collect();
            self.fill(jobs, clock);
            return Ok(true);
        }
        match self.door.news(room) {
            News::Jobs(jobs) => self.fill(jobs, clock),
            News::Outcome(commit, outcome) => {
                if let Some(sealed) = self.flight.take() {
                    self.landed(sealed, &commit, outcome)?;
                }
            }
        }
        Ok(true)
    }

    /// Decides for the next batch, and makes it ready when it is full.
    fn fill(&mut self, jobs: Jobs<S>, clock: &mut impl FnMut() -> Paced) {
        let round = self.decide(jobs, clock);
        self.forming = Some(round);
        if self.room() == 0
            && let Some(mut round) = self.forming.take()
        {
            self.put_off.extend(std::mem::take(&mut round.waiting));
            self.ready = Some(self.engine.seal(round));
        }
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
        // Also those that were at fault: by what was decided before them, perhaps, which never was.
        ready.into_iter().chain(forming).map(|(job, _)| job).chain(waiting).collect()
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
