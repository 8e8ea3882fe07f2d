//! Which reader the office works with.

use std::path::PathBuf;
use std::str::FromStr;

use device::channel::{CardChannel, SoftReader};
use flows::ports::Entropy;
use keys::SystemEntropy;

use crate::{Failure, card_reader};

/// A reader as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderName {
    /// A software card that lies on a reader of its own.
    Soft(PathBuf),
    /// A reader of PC/SC, by its name or the beginning of it.
    Pcsc(String),
}

impl FromStr for ReaderName {
    type Err = String;

    fn from_str(text: &str) -> Result<ReaderName, String> {
        match text.split_once(':') {
            Some(("soft", file)) if !file.is_empty() => Ok(ReaderName::Soft(PathBuf::from(file))),
            Some(("pcsc", name)) if !name.trim().is_empty() => Ok(ReaderName::Pcsc(name.trim().to_owned())),
            _ => Err("write soft:FILE, FILE being a software card, or pcsc: and the name of a card reader".to_owned()),
        }
    }
}

impl ReaderName {
    /// The reader, with what lies on it; waits a while for a card of plastic.
    pub fn open(&self) -> Result<Box<dyn CardChannel>, Failure> {
        match self {
            ReaderName::Soft(file) => {
                let reader = SoftReader::new(|| {
                    let mut bytes = [0; 4];
                    SystemEntropy.fill(&mut bytes);
                    bytes
                });
                reader.put(file)?;
                Ok(Box::new(reader))
            }
            ReaderName::Pcsc(name) => card_reader::with_card(name),
        }
    }
}
