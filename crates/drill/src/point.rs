//! Where the server can be made to die, and the proof that it died there.

use std::path::Path;

/// A fail point of `teller` or `store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub what: &'static str,
    /// When it is passed.
    pub when: When,
}

/// When a point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Under load, once for each batch.
    Batch,
    /// Under load, once for each answer.
    Answer,
    /// At a start.
    Start,
    /// At a stop.
    Stop,
}

/// All of them.
pub(crate) const POINTS: [Point; 10] = [
    Point { name: "teller.loaded", what: "rows are loaded, nothing is decided", when: When::Batch },
    Point { name: "teller.decided", what: "the batch is decided and not yet handed to the store", when: When::Batch },
    Point { name: "store.written", what: "everything is written, COMMIT is not", when: When::Batch },
    Point { name: "store.committed", what: "COMMIT is done, the teller does not know", when: When::Batch },
    Point { name: "teller.kept", what: "the teller knows, nobody is answered", when: When::Batch },
    Point { name: "teller.answered", what: "some of a batch are answered, others not", when: When::Answer },
    Point { name: "store.opened", what: "the file is open, the log of the last process is in it", when: When::Start },
    Point { name: "store.recovering", what: "the accounts are read, the journal is not", when: When::Start },
    Point { name: "teller.replayed", what: "the journal is replayed, nobody is served", when: When::Start },
    Point { name: "teller.stopping", what: "all is answered, the last account rows are not written", when: When::Stop },
];

impl Point {
    /// The point of that name.
    pub(crate) fn named(name: &str) -> Option<Point> {
        POINTS.into_iter().find(|point| point.name == name)
    }
}

/// Makes this process die at its `passing`th passing of the point, after it wrote the point's name to `mark`.
#[cfg(feature = "failpoints")]
pub(crate) fn arm(point: Point, passing: u64, mark: &Path) -> Result<(), String> {
    use std::sync::atomic::{AtomicU64, Ordering};
    let (passed, mark) = (AtomicU64::new(0), mark.to_owned());
    fail::cfg_callback(point.name, move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == passing {
            // Without its mark this death is taken for one at an unknown place, which is what it then is.
            drop(std::fs::write(&mark, point.name));
            std::process::abort();
        }
    })
}

/// Says that this build has no fail points.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn arm(point: Point, _: u64, _: &Path) -> Result<(), String> {
    Err(format!("{}: this drill was built without fail points; build it with --features failpoints", point.name))
}
