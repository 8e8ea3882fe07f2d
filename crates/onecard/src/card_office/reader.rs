//! Which reader the office works with.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use device::channel::CardChannel;

use crate::{Failure, card_reader};

/// How long a card may take to be put on the reader.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderName {
    /// A software card that lies on a reader of its own.
    Soft(PathBuf),
    /// A reader of PC/SC.
    Pcsc(String),
}

impl FromStr for ReaderName {
    type Err = String;

    fn from_str(text: &str) -> Result<ReaderName, String> {
        match text.split_once(':') {
            Some(("soft", file)) if !file.is_empty() => Ok(ReaderName::Soft(PathBuf::from(file))),
            Some(("pcsc", name)) if !name.trim().is_empty() => Ok(ReaderName::Pcsc(name.trim().to_owned())),
            _ => Err("write soft:FILE, FILE being a software card, or pcsc: and the reader's name, such as \
                      \"pcsc:ACS ACR122U\""
                .to_owned()),
        }
    }
}

impl ReaderName {
    /// The reader, with what lies on it.
    pub fn open(&self) -> Result<Box<dyn CardChannel>, Failure> {
        match self {
            ReaderName::Soft(file) => {
                let reader = card_reader::soft_reader();
                reader.put(file)?;
                Ok(Box::new(reader))
            }
            ReaderName::Pcsc(name) => card_reader::pcsc(name, PATIENCE),
        }
    }
}
