//! Where a test keeps its book: one kind of place for each store.

use flows::ports::{Reader, Waiting};
use ledger::SchoolId;
use store::memory::{MemoryDisk, MemoryStore};
use store::verify::Archive;
use teller::Store;

/// Tables of guard rows in every test; `order` is a word of SQL too.
pub const TABLES: &[&str] = &["order", "tally"];

pub fn school() -> SchoolId {
    SchoolId::new(7).expect("a school")
}

/// A place outlives the stores that are opened in it.
pub trait Place {
    type Store: Store;
    fn new() -> Self;
    fn try_open(&self) -> Result<Self::Store, String>;
    fn reader(&self) -> Box<dyn Reader>;
    fn archive(&self) -> Box<dyn Archive>;

    fn open(&self) -> Self::Store {
        self.try_open().expect("opens")
    }
}

pub struct InMemory(pub MemoryDisk);

impl Place for InMemory {
    type Store = MemoryStore;
    fn new() -> InMemory {
        InMemory(MemoryDisk::new(school(), TABLES))
    }
    fn try_open(&self) -> Result<MemoryStore, String> {
        self.0.open().map_err(|fault| fault.to_string())
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(self.0.reader())
    }
    fn archive(&self) -> Box<dyn Archive> {
        Box::new(self.0.archive())
    }
}

/// The value of a future that is ready at once.
pub fn now<T>(mut future: Waiting<'_, T>) -> T {
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future is not ready at once"),
    }
}

#[cfg(feature = "sqlite")]
pub use on_disk::{Folder, OnDisk};

#[cfg(feature = "sqlite")]
mod on_disk {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use store::sqlite::{SqliteArchive, SqliteReader, SqliteStore};

    use super::*;

    /// A folder of its own, removed when the test is done with it.
    pub struct Folder(PathBuf);

    impl Folder {
        pub fn new() -> Folder {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("onecard-store-{}-{number}", std::process::id()));
            std::fs::create_dir(&path).expect("a new folder");
            Folder(path)
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).expect("is removed");
        }
    }

    pub struct OnDisk(pub Folder);

    impl Place for OnDisk {
        type Store = SqliteStore;
        fn new() -> OnDisk {
            OnDisk(Folder::new())
        }
        fn try_open(&self) -> Result<SqliteStore, String> {
            SqliteStore::open(self.0.path(), school(), TABLES).map_err(|fault| fault.to_string())
        }
        fn reader(&self) -> Box<dyn Reader> {
            Box::new(SqliteReader::open(self.0.path(), school(), TABLES, 2).expect("opens"))
        }
        fn archive(&self) -> Box<dyn Archive> {
            Box::new(SqliteArchive::open(self.0.path(), school()).expect("opens"))
        }
    }
}
