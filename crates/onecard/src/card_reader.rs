//! Which card reader a terminal or the card office has.

use std::time::Duration;

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
        Wish::Pcsc(name) => Ok(Reader::Other(pcsc(name, Duration::ZERO)?)),
    }
}

/// A reader for software cards.
pub fn soft() -> Reader {
    Reader::Soft(soft_reader())
}

/// The same, for whoever puts the card there himself.
pub fn soft_reader() -> SoftReader {
    SoftReader::new(|| {
        let mut bytes = [0; 4];
        SystemEntropy.fill(&mut bytes);
        bytes
    })
}

/// A reader of PC/SC, by its name or the beginning of it. Waits so long for a card, if none lies there.
#[cfg(feature = "pcsc")]
pub fn pcsc(name: &str, patience: Duration) -> Result<Box<dyn CardChannel>, Failure> {
    let reader = device::channel::PcscReader::open(name)?;
    if !patience.is_zero() && !reader.wait(true, NOTICED) {
        eprintln!("put the card on the reader");
        reader.wait(true, patience);
    }
    Ok(Box::new(reader))
}

/// How long the service may take to notice a card that lies there already.
#[cfg(feature = "pcsc")]
const NOTICED: Duration = Duration::from_secs(1);

/// As above, where the program was built without.
#[cfg(not(feature = "pcsc"))]
pub fn pcsc(_: &str, _: Duration) -> Result<Box<dyn CardChannel>, Failure> {
    let said = "this onecard was built without PC/SC: install its development files (Debian: libpcsclite-dev) and build it \
                with `cargo build --release --locked -p onecard --features pcsc`";
    Err(crate::prompt::Said(said.to_owned()).into())
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
