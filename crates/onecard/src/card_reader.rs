//! Which card reader a terminal has.

use device::channel::SoftReader;
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
        Wish::Pcsc(name) => pcsc(name),
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

#[cfg(feature = "pcsc")]
fn pcsc(name: &str) -> Result<Reader, Failure> {
    Ok(Reader::Other(Box::new(device::channel::PcscReader::open(name)?)))
}

#[cfg(not(feature = "pcsc"))]
fn pcsc(_: &str) -> Result<Reader, Failure> {
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
