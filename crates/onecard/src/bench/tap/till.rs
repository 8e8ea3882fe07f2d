//! One terminal of the bench: the real terminal program, with its journal on the disk that is measured, and its clerk.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use card::chip::Chip;
use card::psam::SoftPsam;
use device::agent::display::Screen;
use device::journal_file::JournalFile;
use device::uplink::{Event, Identity, PosHandle, PosSetup, Reader, Server, Told, run_pos};
use flows::ports::Entropy;
use keys::SystemEntropy;
use ledger::Fen;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::hand::{Counted, Hand, Work};
use super::watch::{Seen, Watch};
use crate::Failure;
use crate::prompt::Said;
use crate::terminal::files;

/// A terminal that tells nothing for so long while it has work hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running terminal.
pub struct Till {
    name: String,
    handle: PosHandle,
    hand: Hand,
    events: Receiver<Told>,
    life: JoinHandle<()>,
}

/// A tap, and what card and module did in it.
pub struct Tap {
    /// As the terminal told it.
    pub seen: Seen,
    /// What was done by card and module, after the light too.
    pub work: Work,
}

impl Till {
    /// Starts the terminal whose identity lies in `identity`, with an empty journal, on the executor of the caller.
    pub fn start(identity: &Path, journal: &Path, gateway: SocketAddr, seed: u64) -> Result<Till, Failure> {
        let text = |name: &str| fs::read_to_string(identity.join(name));
        let hand = Hand::new(seed);
        let module = SoftPsam::from_bytes(&fs::read(identity.join(files::PSAM))?)?;
        let setup = PosSetup {
            server: Server { host: gateway.ip().to_string(), port: gateway.port() },
            identity: Identity {
                certificate: text(files::CERTIFICATE)?,
                key: text(files::KEY)?,
                authority: text(files::PLATFORM_CA)?,
            },
            reader: Reader::Other(Box::new(hand.clone())),
            journal: JournalFile::open(journal)?,
            module: Counted::new(module, hand.clone()),
            entropy: Box::new(|| {
                let mut bytes = [0; 16];
                SystemEntropy.fill(&mut bytes);
                bytes
            }),
        };
        let (handle, life) = run_pos(setup)?;
        let events = handle.events();
        let name = identity.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Till { name, handle, hand, events, life: tokio::spawn(life) })
    }

    /// Waits until the platform has greeted it.
    pub async fn greeted(&mut self) -> Result<(), Failure> {
        self.until("a greeting", |event| matches!(event, Event::Shown(Screen::Idle { .. }))).await
    }

    async fn next(&mut self, what: &str) -> Result<Told, Failure> {
        let said = |why: String| Failure::from(Said(format!("terminal {}: {why} while {what} was awaited", self.name)));
        match timeout(PATIENCE, self.events.recv()).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(fault)) => Err(said(fault.to_string())),
            Err(_) => {
                let screen = device::agent::words::display(&self.handle.screen()).en.replace('\n', "; ");
                Err(said(format!("nothing happened for {} s, the display says \"{screen}\"", PATIENCE.as_secs())))
            }
        }
    }

    async fn until(&mut self, what: &str, come: impl Fn(&Event) -> bool) -> Result<(), Failure> {
        while !come(&self.next(what).await?.event) {}
        Ok(())
    }

    /// One tap: the clerk enters the amount, if there is one, the card is held until everything is done, and taken away.
    ///
    /// Error: it did not turn out well, or the terminal hangs.
    pub async fn tap(&mut self, chip: Chip, sale: Option<Fen>) -> Result<(Chip, Tap), Failure> {
        if let Some(amount) = sale {
            self.handle.enter_sale(amount);
            self.until("the amount", |event| matches!(event, Event::Shown(Screen::ReadyToPay { .. }))).await?;
        }
        self.hand.put(chip);
        let mut watch = Watch::default();
        let seen = loop {
            let told = self.next("the end of a tap").await?;
            match watch.see(&told) {
                Ok(Some(seen)) => break seen,
                Ok(None) => {}
                Err(words) => return Err(Said(format!("terminal {} says: {words}", self.name)).into()),
            }
        };
        let held = self.hand.take().ok_or_else(|| Said("the card vanished from the reader".to_owned()))?;
        self.until("the card's leaving", |event| matches!(event, Event::CardOut)).await?;
        Ok((held.0, Tap { seen, work: held.1 }))
    }

    /// Switches it off.
    pub async fn stop(self) -> Result<(), Failure> {
        self.handle.stop();
        Ok(self.life.await?)
    }
}
