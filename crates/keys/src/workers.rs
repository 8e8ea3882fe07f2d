//! A few threads for work that would hold up an executor, behind a bounded queue: who comes when it is full waits without
//! holding a thread, and work whose caller has gone is not begun.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use futures_channel::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Threads and their queue. Dropping it ends them after the job in hand.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    more: Condvar,
    room: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Callers who found the queue full; all of them look again when a job leaves it.
    waiting: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Workers {
    /// `threads` threads named `name`; at most `room` jobs wait. Errors: the operating system gives no thread.
    pub(crate) fn start(name: &str, threads: usize, room: usize) -> io::Result<Workers> {
        let shared = Arc::new(Shared { state: Mutex::default(), more: Condvar::new(), room });
        let mut workers = Workers { shared, threads: Vec::new() };
        for _ in 0..threads {
            let shared = Arc::clone(&workers.shared);
            workers.threads.push(Builder::new().name(name.to_owned()).spawn(move || shared.work())?);
        }
        Ok(workers)
    }

    /// Does `work` on a thread; nothing happens before the first poll. `None` only when the thread failed.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, result) = oneshot::channel();
        let mut job: Job = Box::new(move || {
            if !answer.is_canceled() {
                let _ = answer.send(work());
            }
        });
        while let Err((back, room)) = self.shared.offer(job) {
            job = back;
            let _ = room.await;
        }
        result.await.ok()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No job runs under the lock, so a poisoned one guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, job: Job) -> Result<(), (Job, oneshot::Receiver<()>)> {
        let mut state = self.lock();
        if state.jobs.len() >= self.room {
            let (wake, room) = oneshot::channel();
            state.waiting.retain(|waiting| !waiting.is_canceled());
            state.waiting.push(wake);
            return Err((job, room));
        }
        state.jobs.push_back(job);
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    fn work(&self) {
        while let Some((job, waiting)) = self.next() {
            for wake in waiting {
                let _ = wake.send(());
            }
            job();
        }
    }

    fn next(&self) -> Option<(Job, Vec<oneshot::Sender<()>>)> {
        let idle = |state: &mut State| state.jobs.is_empty() && !state.closing;
        let mut state = self.more.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.closing {
            return None;
        }
        let job = state.jobs.pop_front()?;
        Some((job, std::mem::take(&mut state.waiting)))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.more.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;

    struct Ring(mpsc::Sender<()>);

    impl Wake for Ring {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let (ring, rung) = mpsc::channel();
        let waker = Waker::from(Arc::new(Ring(ring)));
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            rung.recv().unwrap();
        }
    }

    fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn all_work_is_done_though_the_queue_is_short() {
        let workers = Arc::new(Workers::start("test", 2, 1).unwrap());
        let callers: Vec<_> = (0..20)
            .map(|number| {
                let workers = Arc::clone(&workers);
                std::thread::spawn(move || block_on(workers.run(move || number * 2)))
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert_eq!(answers, (0..20).map(|number| Some(number * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn work_whose_caller_has_gone_is_not_begun() {
        let workers = Workers::start("test", 1, 4).unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let mut first = pin!(workers.run(move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        }));
        assert!(poll_once(first.as_mut()).is_pending());
        has_begun.recv().unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        {
            let counted = Arc::clone(&runs);
            let mut gone = Box::pin(workers.run(move || counted.fetch_add(1, Ordering::SeqCst)));
            assert!(poll_once(gone.as_mut()).is_pending());
        }
        let counted = Arc::clone(&runs);
        let mut last = pin!(workers.run(move || counted.fetch_add(10, Ordering::SeqCst)));
        assert!(poll_once(last.as_mut()).is_pending());
        hold.send(()).unwrap();
        assert_eq!(block_on(first), Some(()));
        assert_eq!(block_on(last), Some(0));
        assert_eq!(runs.load(Ordering::SeqCst), 10);
    }

    #[test]
    fn a_full_queue_holds_no_more_than_it_has_room_for() {
        let workers = Workers::start("test", 1, 1).unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let mut first = pin!(workers.run(move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        }));
        assert!(poll_once(first.as_mut()).is_pending());
        has_begun.recv().unwrap();
        let mut second = pin!(workers.run(|| 2));
        let mut third = pin!(workers.run(|| 3));
        assert!(poll_once(second.as_mut()).is_pending());
        assert!(poll_once(third.as_mut()).is_pending());
        assert_eq!(workers.shared.lock().jobs.len(), 1);
        assert_eq!(workers.shared.lock().waiting.len(), 1);
        hold.send(()).unwrap();
        assert_eq!((block_on(first), block_on(second), block_on(third)), (Some(()), Some(2), Some(3)));
    }
}
