//! Which card reader a terminal has.

use device::channel::{CardChannel, SoftReader};
use device::uplink::Reader;
use flows::ports::Entropy;
use keys::SystemEntropy;

use crate::Failure;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Software cards.
    Soft,
    /// A reader of PC/SC, by its name or the beginning of it.
    Pcsc(String),
}

/// Reads `soft` or `pcsc:NAME`.
pub fn wish(text: &str) -> Result<Wish, String> {
    match (text, text.strip_prefix("pcsc:")) {
        ("soft", _) => Ok(Wish::Soft),
        (_, Some(name)) if !name.trim().is_empty() => Ok(Wish::Pcsc(name.trim().to_owned())),
        _ => Err("write soft, or pcsc: and the reader's name, such as \"pcsc:ACS ACR122U\"".to_owned()),
    }
}

/// The reader.
pub fn open(wish: &Wish) -> Result<Reader, Failure> {
    match wish {
        Wish::Soft => Ok(soft()),
        Wish::Pcsc(name) => pcsc::terminal(name),
    }
}

/// A reader for software cards.
pub fn soft() -> Reader {
    Reader::Soft(SoftReader::new(|| {
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes);
        bytes
    }))
}

/// A reader of PC/SC with a card on it; one who has none there yet is asked for it. A card that does not come in time is
/// found missing by whoever looks.
pub fn with_card(name: &str) -> Result<Box<dyn CardChannel>, Failure> {
    pcsc::with_card(name)
}

#[cfg(feature = "pcsc")]
mod pcsc {
    use std::time::Duration;

    use device::channel::{CardChannel, PcscReader};
    use device::uplink::Reader;

    use crate::Failure;

    /// A card that lies there already is seen within this time.
    const GLANCE: Duration = Duration::from_millis(500);
    /// How long a person may look for the card.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(super) fn terminal(name: &str) -> Result<Reader, Failure> {
        Ok(Reader::Other(Box::new(PcscReader::open(name)?)))
    }

    pub(super) fn with_card(name: &str) -> Result<Box<dyn CardChannel>, Failure> {
        let mut reader = PcscReader::open(name)?;
        if !reader.wait(true, GLANCE) {
            eprintln!("put the card on the reader");
            reader.wait(true, PATIENCE);
        }
        reader.present();
        Ok(Box::new(reader))
    }
}

#[cfg(not(feature = "pcsc"))]
mod pcsc {
    use device::channel::CardChannel;
    use device::uplink::Reader;

    use crate::Failure;
    use crate::prompt::Said;

    const MISSING: &str = "this onecard was built without PC/SC: install its development files (Debian: libpcsclite-dev) and \
                           build it with `cargo build --release --locked -p onecard --features pcsc`";

    pub(super) fn terminal(_: &str) -> Result<Reader, Failure> {
        Err(Said(MISSING.to_owned()).into())
    }

    pub(super) fn with_card(_: &str) -> Result<Box<dyn CardChannel>, Failure> {
        Err(Said(MISSING.to_owned()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_named_by_kind_and_name() {
        let table = [
            ("soft", Some(Wish::Soft)),
            ("pcsc:ACS ACR122U", Some(Wish::Pcsc("ACS ACR122U".to_owned()))),
            ("pcsc:", None),
            ("pcsc: ", None),
            ("ACS ACR122U", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(wish(text).ok(), expected, "{text}");
        }
    }
}
