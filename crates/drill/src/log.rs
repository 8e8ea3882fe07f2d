//! What SQLite's write-ahead log and its index tell from outside, while the server runs or after it died.
//!
//! Source: SQLite's file format, "WAL File Format" and "WAL-Index Format".

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn word(path: &Path, at: u64) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    File::open(path).and_then(|file| file.read_exact_at(&mut bytes, at)).ok().map(|()| bytes)
}

/// Whether a checkpoint has begun to copy pages into the database and has not done so to the end.
///
/// Frames that are copied stand at byte 96 of the index, frames that a checkpoint set out to copy at byte 128, both in the
/// machine's own byte order.
pub(crate) fn checkpoint_half_done(data: &Path) -> bool {
    let index = data.join("book.sqlite-shm");
    let frames = |at| word(&index, at).map(u32::from_ne_bytes);
    matches!((frames(96), frames(128)), (Some(copied), Some(meant)) if meant > copied)
}

/// How many times the log was begun anew: its checkpoint sequence number, at byte 12. `None` while there is no log.
pub(crate) fn begun_anew(data: &Path) -> Option<u32> {
    word(&data.join("book.sqlite-wal"), 12).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_half_done_from_its_first_page_to_its_last() {
        let dir = std::env::temp_dir().join(format!("onecard-drill-log-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        assert!(!checkpoint_half_done(&dir) && begun_anew(&dir).is_none(), "there is no log");
        for (copied, meant, half) in [(0_u32, 0_u32, false), (0, 40, true), (40, 40, false), (40, 90, true)] {
            let mut index = vec![0_u8; 136];
            index[96..100].copy_from_slice(&copied.to_ne_bytes());
            index[128..132].copy_from_slice(&meant.to_ne_bytes());
            std::fs::write(dir.join("book.sqlite-shm"), index).expect("is written");
            assert_eq!(checkpoint_half_done(&dir), half, "{copied} of {meant}");
        }
        std::fs::write(dir.join("book.sqlite-wal"), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2])
            .expect("is written");
        assert_eq!(begun_anew(&dir), Some(258));
        std::fs::remove_dir_all(&dir).expect("is removed");
    }
}
