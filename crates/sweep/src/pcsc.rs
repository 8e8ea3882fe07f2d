//! The same cards at virtual readers of PC/SC: every command goes through the service (pcscd) and its driver, and the
//! product's reader. Each reader has a thread of its own, because the service notices a card only when it looks.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use card::chip::Chip;
use card::tear::Cut;
use device::channel::{CardChannel, Manner, PcscReader, Pull, VirtualReader, store_card};

use crate::Broken;
use crate::flow::Flow;
use crate::hand::{Hand, Place, Tear, Which};
use crate::ports::Chance;
use crate::run::{Ground, Options, Outcome, sweep};

/// The service looks every 0.4 s; on a busy machine later.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the service needs to notice that a card left.
const TWO_LOOKS: Duration = Duration::from_secs(2);
/// Header and one byte of length: a longer command carries data.
const SHORT: usize = 5;

/// A virtual reader: its name, and where its driver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderAt {
    /// As PC/SC has it.
    pub name: String,
    /// On this machine.
    pub port: u16,
}

impl ReaderAt {
    /// Reads `name=port,name=port`. Error: what cannot be read.
    pub fn list(text: &str) -> Result<Vec<ReaderAt>, String> {
        let one = |part: &str| {
            let (name, port) = part.rsplit_once('=')?;
            Some(ReaderAt { name: name.to_owned(), port: port.parse().ok()? })
        };
        text.split(',').map(|part| one(part).ok_or_else(|| format!("{part} is no NAME=PORT"))).collect()
    }
}

/// A hand at one virtual reader; its cards are files.
pub struct PcscHand {
    reader: PcscReader,
    virtual_reader: VirtualReader,
    manner: Manner,
    files: [PathBuf; 2],
    tear: Option<Tear>,
    commands: u32,
    disturbed: bool,
}

impl PcscHand {
    /// A hand at this reader, with its cards in this folder.
    ///
    /// Errors: the service or the reader is not there.
    pub fn open(at: &ReaderAt, manner: Manner, folder: &Path) -> Result<PcscHand, Broken> {
        fs::create_dir_all(folder).map_err(Broken::of("making the folder of the cards"))?;
        let reader = PcscReader::open(&at.name).map_err(Broken::of("opening the reader"))?;
        let mut chance = Chance::new(1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port));
        let virtual_reader = VirtualReader::new(address, manner, move || chance.four());
        let files = ["anna.card", "ben.card"].map(|name| folder.join(name));
        Ok(PcscHand { reader, virtual_reader, manner, files, tear: None, commands: 0, disturbed: false })
    }

    fn file(&self, card: Which) -> &Path {
        match card {
            Which::Anna => &self.files[0],
            Which::Ben => &self.files[1],
        }
    }

    /// The card left during the GET RESPONSE of this command. Two bytes may be a status word of a card that stays: whether
    /// the reader sees it leave tells them apart.
    fn left_fetching(&self, answer: &[u8]) -> bool {
        answer.len() < 2 || self.reader.wait(false, TWO_LOOKS)
    }

    fn until(&self, there: bool) -> Result<(), Broken> {
        if self.reader.wait(there, PATIENCE) {
            return Ok(());
        }
        Err(Broken::new(if there {
            "the reader never noticed the card"
        } else {
            "the reader never noticed that it left"
        }))
    }
}

impl Hand for PcscHand {
    fn lay_out(&mut self, cards: &[Chip; 2]) -> Result<(), Broken> {
        self.lift()?;
        for (file, chip) in self.files.iter().zip(cards) {
            store_card(file, chip).map_err(Broken::of("writing a card"))?;
        }
        self.disturbed = false;
        Ok(())
    }

    fn put(&mut self, card: Which, tear: Option<Tear>) -> Result<(), Broken> {
        let cut = match tear {
            None => None,
            Some(Tear { at, place: Place::Cut(place) }) => Some(Cut { at: at.saturating_sub(1), place }),
            Some(Tear { place: Place::LooksLike(_), .. }) => {
                return Err(Broken::new("a card at a reader of PC/SC answers nothing but its own bytes"));
            }
        };
        (self.tear, self.commands) = (tear, 0);
        self.virtual_reader.put(self.file(card), cut).map_err(Broken::of("putting a card"))?;
        self.until(true)
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Broken> {
        if self.reader.present().is_none() {
            self.disturbed = true;
            return Ok(Vec::new());
        }
        let answer = self.reader.transmit(command);
        self.commands = self.commands.saturating_add(1);
        let leaves = self.tear.map(|tear| tear.at);
        let fetched = self.manner == Manner::Contact && command.len() > SHORT && answer.len() > 2;
        if fetched && leaves != Some(self.commands) {
            self.commands = self.commands.saturating_add(1);
        }
        let next = leaves == self.commands.checked_add(1);
        if self.manner == Manner::Contact && command.len() > SHORT && !fetched && next && self.left_fetching(&answer) {
            self.commands = self.commands.saturating_add(1);
        }
        if leaves == Some(self.commands) {
            self.until(false)?;
            self.reader.removed();
            if self.virtual_reader.card().is_some() {
                return Err(Broken::new("the card was to leave and did not"));
            }
        } else if answer.len() < 2 {
            self.disturbed = true;
        }
        Ok(answer)
    }

    fn commands(&self) -> u32 {
        self.commands
    }

    fn present(&mut self) -> Result<bool, Broken> {
        Ok(self.reader.present().is_some())
    }

    fn lift(&mut self) -> Result<(), Broken> {
        if self.virtual_reader.card().is_some() {
            self.virtual_reader.pull(Pull::Now);
        }
        self.until(false)?;
        self.reader.removed();
        Ok(())
    }

    fn disturbed(&self) -> bool {
        self.disturbed
    }

    fn chip(&self, card: Which) -> Result<Chip, Broken> {
        let image = fs::read(self.file(card)).map_err(Broken::of("reading a card"))?;
        Chip::from_bytes(&image).map_err(Broken::of("reading a card"))
    }
}

/// Sweeps these flows at all readers side by side; `told` hears how many cases are done.
///
/// Errors: the first reader that cannot go on. Each reader takes its part of every flow.
pub fn side_by_side(
    flows: &[Flow],
    options: &Options,
    ground: &Ground,
    readers: &[ReaderAt],
    folder: &Path,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Outcome>, Broken> {
    let done = AtomicU64::new(0);
    let of = u64::try_from(readers.len()).unwrap_or(u64::MAX);
    let each = |(number, reader): (u64, &ReaderAt)| {
        let part = options.part.within(number, of);
        let options = Options { part, ..options.clone() };
        let mut hand = PcscHand::open(reader, options.manner, &folder.join(format!("reader-{number}")))?;
        let mut one_more = |_, _| told(done.fetch_add(1, Ordering::SeqCst).saturating_add(1));
        let sweep = |flow: &Flow| sweep(*flow, &options, ground, &mut hand, &mut one_more);
        flows.iter().map(sweep).collect::<Result<Vec<Outcome>, Broken>>()
    };
    let each = &each;
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (1_u64..).zip(readers).map(|one| scope.spawn(move || each(one))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Vec<Outcome>, Broken>>| {
            thread.join().unwrap_or_else(|_| Err(Broken::new("a reader's thread broke off")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>, Broken>>()
    })?;
    let mut parts = parts.into_iter();
    let mut whole = parts.next().ok_or_else(|| Broken::new("no reader was named"))?;
    for part in parts {
        for (to, from) in whole.iter_mut().zip(part) {
            to.add(from);
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_named_with_their_ports() {
        let at = |name: &str, port| ReaderAt { name: name.to_owned(), port };
        let two = vec![at("Virtual PCD 0 00 00", 35_963), at("Virtual PCD 0 00 01", 35_964)];
        assert_eq!(ReaderAt::list("Virtual PCD 0 00 00=35963,Virtual PCD 0 00 01=35964"), Ok(two));
        for wrong in ["", "Virtual PCD 0 00 00", "A=1,B", "A=70000", "A=1,,B=2"] {
            assert!(ReaderAt::list(wrong).is_err(), "{wrong}");
        }
    }
}
