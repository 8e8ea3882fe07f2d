//! Software cards at a virtual reader of PC/SC: the driver `vpcd` of the vsmartcard project makes a reader out of a TCP
//! port, and a card is whoever connects to it.
//!
//! Protocol: each message is a length of two bytes and that many bytes. A message of one byte is for the card's power or
//! asks for its ATR; every longer one is a command, and its answer is one message. Whoever closes the connection has left.
//! A second card waits until the first one has left, unseen.

mod contact;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use card::tear::Cut;

use super::card_file::{CardFile, CardFileFault, Plan, Pull};
use contact::{Contact, Inside};

/// How long the driver may take to accept; it listens from its start on, so more means that it is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// What the driver asks of the card itself, as a message of one byte.
const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const SEND_ATR: u8 = 4;

/// How a card speaks to its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As a contactless card: each answer comes at once (ISO/IEC 14443-4, shown as T=1).
    #[default]
    Contactless,
    /// As a card with contacts that speaks T=0: an answer with data is announced and then fetched with GET RESPONSE.
    Contact,
}

impl Manner {
    /// The ATR: that of PC/SC part 3 for a contactless card without historical bytes, or the shortest one of T=0.
    fn atr(self) -> &'static [u8] {
        match self {
            Manner::Contactless => &[0x3B, 0x80, 0x80, 0x01, 0x01],
            Manner::Contact => &[0x3B, 0x00],
        }
    }
}

/// How a card left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// A hand took it, at once or within a command.
    Pulled,
    /// The reader is gone: its driver closed the connection.
    ReaderGone,
}

/// The hand at one virtual reader: puts cards on it and pulls them away. Clones are the same hand.
///
/// The reader itself is seen through PC/SC alone; it notices a card that came or left within 400 ms.
#[derive(Clone)]
pub struct VirtualReader(Arc<Hand>);

struct Hand {
    address: SocketAddr,
    manner: Manner,
    slot: Mutex<Slot>,
    changed: Condvar,
}

struct Slot {
    card: Option<Here>,
    left: Left,
    plan: Plan,
    random: Box<dyn FnMut() -> [u8; 4] + Send>,
}

/// A card that its thread serves.
struct Here {
    path: PathBuf,
    line: TcpStream,
    pulled: bool,
}

impl VirtualReader {
    /// The hand at the reader whose driver listens at `address`; `random` is the chance of its cards.
    pub fn new(address: SocketAddr, manner: Manner, random: impl FnMut() -> [u8; 4] + Send + 'static) -> VirtualReader {
        let slot = Slot { card: None, left: Left::Pulled, plan: None, random: Box::new(random) };
        VirtualReader(Arc::new(Hand { address, manner, slot: Mutex::new(slot), changed: Condvar::new() }))
    }

    /// Puts the card of a file on the reader; it leaves by itself at `cut`, counted in commands of this insertion.
    ///
    /// Errors, in order: `Occupied`, `File`, `Elsewhere`, `Image`, `Reader`.
    pub fn put(&self, path: &Path, cut: Option<Cut>) -> Result<(), CardFileFault> {
        let mut slot = self.0.slot();
        if slot.card.is_some() {
            return Err(CardFileFault::Occupied);
        }
        let card = CardFile::open(path, cut)?;
        let away = |source| CardFileFault::Reader { address: self.0.address, source };
        let line = TcpStream::connect_timeout(&self.0.address, CONNECT).map_err(away)?;
        line.set_nodelay(true).map_err(away)?;
        let ours = line.try_clone().map_err(away)?;
        let hand = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("virtual card".into());
        thread.spawn(move || hand.lie(card, line)).map_err(away)?;
        slot.card = Some(Here { path: path.to_owned(), line: ours, pulled: false });
        Ok(())
    }

    /// Pulls the card away. Now: it has left, and its file is free, when this returns; a command under way may go without
    /// its answer. During: at a command to come, of this card or the next. What was planned is over when a card is pulled
    /// now.
    pub fn pull(&self, pull: Pull) {
        let mut slot = self.0.slot();
        match pull {
            Pull::During(at, place) => slot.plan = Some((at, place)),
            Pull::Now => {
                slot.plan = None;
                if let Some(here) = &mut slot.card {
                    here.pulled = true;
                    // Fails only when the line is down already.
                    let _ = here.line.shutdown(Shutdown::Both);
                }
                drop(self.0.until_left(slot));
            }
        }
    }

    /// The file of the card that lies there.
    pub fn card(&self) -> Option<PathBuf> {
        self.0.slot().card.as_ref().map(|here| here.path.clone())
    }

    /// Waits until no card lies there; tells how the last one left.
    pub fn wait(&self) -> Left {
        self.0.until_left(self.0.slot()).left
    }
}

impl Hand {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until_left<'a>(&self, slot: MutexGuard<'a, Slot>) -> MutexGuard<'a, Slot> {
        self.changed.wait_while(slot, |slot| slot.card.is_some()).unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a card on the reader.
    fn lie(&self, mut card: CardFile, mut line: TcpStream) {
        let served = self.serve(&mut card, &mut line);
        // First the file, then the line: whoever sees the reader empty can take the card.
        drop(card);
        drop(line);
        let mut slot = self.slot();
        let pulled = slot.card.take().is_none_or(|here| here.pulled);
        slot.left = if pulled || served.is_ok() { Left::Pulled } else { Left::ReaderGone };
        drop(slot);
        self.changed.notify_all();
    }

    /// Answers until the card leaves or the line ends.
    fn serve(&self, card: &mut CardFile, line: &mut TcpStream) -> io::Result<()> {
        let mut contact = Contact::default();
        loop {
            let message = read_message(line)?;
            match message.as_slice() {
                [POWER_OFF | POWER_ON | RESET] => {
                    card.lose_power();
                    contact = Contact::default();
                }
                [SEND_ATR] => write_message(line, self.manner.atr())?,
                [] | [_] => {}
                command => {
                    let answer = self.answer(card, &mut contact, command);
                    let left = !card.present();
                    // The rest of a cut answer arrives; of none, nothing does.
                    if !(left && answer.is_empty()) {
                        write_message(line, &answer)?;
                    }
                    if left {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn answer(&self, card: &mut CardFile, contact: &mut Contact, command: &[u8]) -> Vec<u8> {
        let slot = &mut *self.slot();
        let (plan, random) = (&mut slot.plan, &mut *slot.random);
        match self.manner {
            Manner::Contactless => card.exchange(command, plan, random),
            Manner::Contact => contact.answer(command, &mut |step| {
                let answer = match step {
                    Inside::Obey => card.exchange(command, plan, random),
                    Inside::HandOver(waiting) => card.hand_over(command, waiting, plan),
                };
                (answer, card.present())
            }),
        }
    }
}

fn read_message(line: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    at_once(line)?;
    line.read_exact(&mut length)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    at_once(line)?;
    line.read_exact(&mut body)?;
    Ok(body)
}

/// The driver sends length and body apart: unless the first is acknowledged at once, the second waits for 40 ms. The
/// kernel forgets this wish, so it is told before each read.
fn at_once(line: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    std::os::linux::net::TcpStreamExt::set_quickack(line, true)?;
    #[cfg(not(target_os = "linux"))]
    let _ = line;
    Ok(())
}

fn write_message(line: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = u16::try_from(body.len()).map_err(io::Error::other)?;
    line.write_all(&[&length.to_be_bytes()[..], body].concat())
}
