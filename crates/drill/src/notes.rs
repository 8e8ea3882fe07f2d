//! What was acknowledged, written down where no drill touches it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use ledger::Id;

use crate::operation::Operation;
use crate::schema::Answer;

/// An operation and the answer that its client got.
pub(crate) type Acknowledged = (Operation, Answer);

/// Writes acknowledgements to a file and syncs them, many with one sync, while more arrive.
pub(crate) struct Notes {
    sender: Sender<Acknowledged>,
    writer: JoinHandle<Result<(), String>>,
}

impl Notes {
    /// Appends to the file from now on.
    pub(crate) fn append(path: &Path) -> Result<Notes, String> {
        let path = path.to_owned();
        let told = |fault: std::io::Error| format!("cannot write {}: {fault}", path.display());
        let mut file = File::options().create(true).append(true).open(&path).map_err(told)?;
        let (sender, receiver): (_, Receiver<Acknowledged>) = channel();
        let writer = std::thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                let mut text = String::new();
                for (operation, answer) in std::iter::once(first).chain(receiver.try_iter()) {
                    text.push_str(&format!("{operation} {answer}\n"));
                }
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
                written.map_err(|fault| format!("cannot write {}: {fault}", path.display()))?;
            }
            Ok(())
        });
        Ok(Notes { sender, writer })
    }

    /// A way to hand acknowledgements in.
    pub(crate) fn sender(&self) -> Sender<Acknowledged> {
        self.sender.clone()
    }

    /// Waits until everything handed in is on the disk; every sender must be gone.
    pub(crate) fn close(self) -> Result<(), String> {
        drop(self.sender);
        self.writer.join().map_err(|_| "the notes were not written to their end".to_owned())?
    }
}

/// Everything acknowledged, by key; and the keys of which a client was told two different things.
pub(crate) fn read(path: &Path) -> Result<(BTreeMap<Id, Acknowledged>, Vec<String>), String> {
    let told = |path: &PathBuf, why: String| format!("cannot read {}: {why}", path.display());
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(fault) => return Err(told(&path, fault.to_string())),
    };
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        let (operation, answer) = parse(line).ok_or_else(|| told(&path, format!("{line:?}")))?;
        match found.insert(operation.key, (operation, answer)) {
            Some(before) if before != (operation, answer) => {
                findings.push(format!("{}: answered `{}`, then `{answer}`", operation.key, before.1));
            }
            _ => {}
        }
    }
    Ok((found, findings))
}

/// The operation is the first six words, the answer the rest.
fn parse(line: &str) -> Option<Acknowledged> {
    let (at, _) = line.match_indices(' ').nth(5)?;
    let (operation, answer) = line.split_at_checked(at)?;
    Some((Operation::parse(operation)?, Answer::parse(answer.trim_start())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Deed;

    #[test]
    fn acknowledgements_are_read_back_and_two_answers_for_one_key_are_told() {
        let path = std::env::temp_dir().join(format!("onecard-drill-notes-{}", std::process::id()));
        let of = |key: u128| Operation {
            key: Id::new(key),
            deed: Deed::Spend,
            holder: 1,
            merchant: 2,
            fen: 3,
            of: Id::new(0),
        };
        assert!(read(&path).expect("a missing file says nothing").0.is_empty());
        let table = [(1, Answer::Done(5)), (2, Answer::NotEnough), (1, Answer::Done(5)), (2, Answer::Done(6))];
        for part in table.chunks(2) {
            let notes = Notes::append(&path).expect("opens");
            let sender = notes.sender();
            part.iter().for_each(|(key, answer)| sender.send((of(*key), *answer)).expect("is taken"));
            drop(sender);
            notes.close().expect("is written");
        }
        let (found, findings) = read(&path).expect("is readable");
        assert_eq!(found.into_values().collect::<Vec<_>>(), [(of(1), Answer::Done(5)), (of(2), Answer::Done(6))]);
        assert_eq!(findings, [format!("{}: answered `refused not-enough`, then `done 6`", Id::new(2))]);
        std::fs::remove_file(&path).expect("is removed");
    }
}
