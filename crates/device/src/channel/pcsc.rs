//! A card reader of plastic, through PC/SC.
//!
//! | part | runs as | why |
//! |---|---|---|
//! | [`PcscReader`] | whoever uses it | never waits for a look, and no longer than a deadline for an answer |
//! | `pcsc/watch.rs` | a thread | waits for changes of the reader |
//! | `pcsc/line.rs` | a thread | connects and transmits |
//! | `pcsc/sight.rs` | | what both know of the card |
//! | `pcsc/exchange.rs` | | what T=0 asks of the sender |

mod exchange;
mod line;
mod sight;
mod watch;

use std::ffi::{CStr, CString};
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pcsc::{Context, Error, Scope};

use super::{CardChannel, Insertion};
use line::{Line, Said};
use sight::Sight;

/// The slowest command of a purse takes a tenth of this.
const DEADLINE: Duration = Duration::from_secs(3);

/// Why a reader cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PcscFault {
    /// The service does not answer.
    #[error("the PC/SC service does not answer: install and start pcscd")]
    Service(#[source] Error),
    /// No reader has this name, or several names begin with it.
    #[error("there is no card reader `{wanted}`; {}", listed(.readers))]
    Reader {
        /// The name.
        wanted: String,
        /// Names of the readers that are there.
        readers: Vec<String>,
    },
    /// The operating system gave no thread.
    #[error("no thread for the card reader")]
    Thread(#[source] io::Error),
}

fn listed(readers: &[String]) -> String {
    match readers {
        [] => "no reader is plugged in".to_owned(),
        readers => format!("choose one of these: {}", readers.join(", ")),
    }
}

/// A reader of plastic. Cards lie there, leave and come back, and so may the reader and the service.
///
/// An insertion ends also when the card stays but lost its session: it then counts as having left and come anew.
pub struct PcscReader {
    wanted: String,
    sight: Shared,
    told: Option<Insertion>,
    line: Option<Line>,
    /// Dropped, it ends the thread that looks.
    _stop: Sender<()>,
}

/// What is known of the card, for both threads.
#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<Sight>, Condvar)>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Sight> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and wakes who waits for it.
    fn tell(&self, change: impl FnOnce(&mut Sight)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    /// Waits until it is so; whether it became so in time.
    fn wait(&self, at_most: Duration, so: impl Fn(&Sight) -> bool) -> bool {
        let waited = self.0.1.wait_timeout_while(self.lock(), at_most, |sight| !so(sight));
        let (sight, _) = waited.unwrap_or_else(PoisonError::into_inner);
        so(&sight)
    }
}

impl PcscReader {
    /// The reader of this name, or the only one whose name begins so: the service adds numbers to names, which may change
    /// when a reader is plugged in anew.
    ///
    /// Errors, in order: `Service`, `Reader`, `Thread`.
    pub fn open(wanted: &str) -> Result<PcscReader, PcscFault> {
        let readers = Context::establish(Scope::System).and_then(|context| names(&context));
        let readers = readers.map_err(PcscFault::Service)?;
        if chosen(&readers, wanted).is_none() {
            let readers = readers.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            return Err(PcscFault::Reader { wanted: wanted.to_owned(), readers });
        }
        let (stop, stopped) = channel();
        let sight = Shared::default();
        let (theirs, name) = (sight.clone(), wanted.to_owned());
        let thread = std::thread::Builder::new().name("card watch".into());
        thread.spawn(move || watch::watch(&name, &theirs, &stopped)).map_err(PcscFault::Thread)?;
        Ok(PcscReader { wanted: wanted.to_owned(), sight, told: None, line: None, _stop: stop })
    }

    /// Waits, for whoever has nothing else to do: for a card that can be worked with, or until the service too knows that
    /// none lies there. Whether that came within the time; [`CardChannel::present`] then says the same.
    pub fn wait(&self, there: bool, at_most: Duration) -> bool {
        self.sight.wait(at_most, |sight| if there { sight.shown().is_some() } else { sight.is_empty() })
    }

    fn exchange(&mut self, insertion: Insertion, command: &[u8]) -> Option<Vec<u8>> {
        let place = self.sight.lock().place(insertion)?;
        if self.line.is_none() {
            self.line = Line::start().ok();
        }
        match self.line.as_ref()?.exchange(insertion, place, command, DEADLINE) {
            Some(Said::Answer(answer)) => {
                self.sight.tell(|sight| sight.answered(insertion));
                return Some(answer);
            }
            Some(Said::Reset) => {
                self.sight.tell(|sight| sight.was_reset(insertion));
                tracing::debug!("card reader {}: the card was reset", self.wanted);
            }
            Some(Said::Nothing(why)) => {
                self.sight.tell(|sight| sight.broke(insertion));
                tracing::info!("card reader {}: no answer: {why}", self.wanted);
            }
            None => {
                self.sight.tell(|sight| sight.broke(insertion));
                // The thread ends by itself when the driver gives it back.
                self.line = None;
                tracing::warn!("card reader {}: no answer within {} s", self.wanted, DEADLINE.as_secs());
            }
        }
        None
    }
}

impl CardChannel for PcscReader {
    fn present(&mut self) -> Option<Insertion> {
        self.told = self.sight.lock().shown();
        self.told
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.told.and_then(|insertion| self.exchange(insertion, command)).unwrap_or_default()
    }

    fn removed(&mut self) {
        if let Some(line) = &self.line {
            line.let_go();
        }
    }
}

/// The readers that are there.
fn names(context: &Context) -> Result<Vec<CString>, Error> {
    match context.list_readers_owned() {
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        names => names,
    }
}

/// The one that is meant.
fn chosen(readers: &[CString], wanted: &str) -> Option<CString> {
    let is = |reader: &&CString| reader.as_bytes() == wanted.as_bytes();
    let begins = |reader: &&CString| CStr::to_bytes(reader).starts_with(wanted.as_bytes());
    let mut beginning = readers.iter().filter(begins);
    let only = beginning.next().filter(|_| beginning.next().is_none() && !wanted.is_empty());
    readers.iter().find(is).or(only).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_chosen_by_its_name_or_by_a_beginning_that_only_one_has() {
        let readers = [c"ACR122U 00 00", c"ACR122U 01 00", c"Virtual PCD 00 00"].map(CStr::to_owned);
        let table = [
            ("ACR122U 01 00", Some("ACR122U 01 00")),
            ("ACR122U 01", Some("ACR122U 01 00")),
            ("ACR122U", None),
            ("Virtual", Some("Virtual PCD 00 00")),
            ("Other", None),
            ("", None),
        ];
        for (wanted, expected) in table {
            let found = chosen(&readers, wanted).map(|name| name.into_string().expect("text"));
            assert_eq!(found.as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_names_that_are_there() {
        let fault = |readers: &[&str]| {
            let readers = readers.iter().map(|name| (*name).to_owned()).collect();
            PcscFault::Reader { wanted: "X".to_owned(), readers }.to_string()
        };
        assert_eq!(
            fault(&["A 00 00", "B 00 00"]),
            "there is no card reader `X`; choose one of these: A 00 00, B 00 00"
        );
        assert_eq!(fault(&[]), "there is no card reader `X`; no reader is plugged in");
    }
}
