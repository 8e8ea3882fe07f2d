use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ledger::{Micros, SchoolId};
use serde::{Deserialize, Serialize};
use store::verify::Head;

use super::link;
use crate::Failure;
use crate::prompt::Said;

/// Name of the manifest in a backup; it is written last, so a folder without one is no backup.
pub const MANIFEST: &str = "manifest.json";

/// Written into every manifest; another number is refused.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of this file.
    pub format: u32,
    /// Version of the program that made it.
    pub program: String,
    /// When it was begun, microseconds since 1970.
    pub made_at: i64,
    /// Whose book.
    pub school: u16,
    /// Epoch of the book.
    pub epoch: u64,
    /// Newest block of the book.
    pub block: u64,
    /// Newest journal row of the book.
    pub row: u64,
    /// Link of that block, hexadecimal.
    pub link: String,
    /// Every other file of the backup.
    pub files: Vec<Kept>,
    /// Files that the configuration names and that are not in the backup.
    pub elsewhere: Vec<PathBuf>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its name within the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

impl Kept {
    /// Reads the file from the disk again, to its end.
    pub fn of(folder: &Path, name: &str) -> Result<Kept, Failure> {
        let path = folder.join(name);
        let unreadable = |fault: std::io::Error| Said(format!("cannot read {}: {fault}", path.display()));
        let mut file = File::open(&path).map_err(unreadable)?;
        let (mut hash, mut bytes, mut buffer) = (blake3::Hasher::new(), 0_u64, vec![0; 1 << 16]);
        loop {
            let count = file.read(&mut buffer).map_err(unreadable)?;
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok(Kept { name: name.to_owned(), bytes, blake3: hash.finalize().to_hex().to_string() })
    }
}

impl Manifest {
    /// A manifest of these files.
    pub fn new(
        made_at: Micros,
        school: SchoolId,
        epoch: u64,
        head: Head,
        files: Vec<Kept>,
        elsewhere: Vec<PathBuf>,
    ) -> Manifest {
        Manifest {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: made_at.get(),
            school: school.get(),
            epoch,
            block: head.block,
            row: head.seq,
            link: link(&head),
            files,
            elsewhere,
        }
    }

    /// Writes it, and makes it and its folder durable.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let mut file = File::create(folder.join(MANIFEST))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(File::open(folder)?.sync_all()?)
    }

    /// Reads it, and every file that it names.
    ///
    /// Errors, each a sentence: there is none, it is of another form, a file's name leads out of the folder, a file is
    /// missing or changed.
    pub fn read(folder: &Path) -> Result<Manifest, Failure> {
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).map_err(|fault| {
            Said(format!("{} is no backup, or one that was never finished: {MANIFEST} {fault}", folder.display()))
        })?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|fault| Said(format!("{} is not as it was written: {fault}", path.display())))?;
        if manifest.format != FORMAT {
            let found = manifest.format;
            return Err(Said(format!("the backup has form {found}, this program reads form {FORMAT}")).into());
        }
        for file in &manifest.files {
            let inside = Path::new(&file.name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if !inside {
                return Err(Said(format!("the manifest names {}, which is outside the backup", file.name)).into());
            }
            if Kept::of(folder, &file.name)? != *file {
                return Err(Said(format!("{} is not as it was backed up; take another backup", file.name)).into());
            }
        }
        Ok(manifest)
    }

    /// Whose book; an error for a number that is none.
    pub fn school_id(&self) -> Result<SchoolId, Said> {
        SchoolId::new(self.school).ok_or_else(|| Said("the manifest names no school".to_owned()))
    }
}
