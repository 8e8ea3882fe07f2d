//! `onecard card issue`: hands a card to its holder. And the way in for commands that work on the book by themselves.

use std::path::PathBuf;
use std::sync::Arc;

use card::chip::Chip;
use card::files::{Profile, Validity};
use flows::School;
use keys::Keyring;
use rules::ids::CardNo;

use crate::clock::SteadyClock;
use crate::engine::{self, Files, no_channel::NoChannel};
use crate::prompt::{Refused, Said};
use crate::{Failure, Place, card_office, config, serve, verify};

/// Subcommands of `onecard card`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Personalises a software card with the school's keys and hands it to its holder; the server must not be running.
    Issue {
        #[command(flatten)]
        place: Place,
        /// Student or staff number of the holder.
        #[arg(long)]
        number: String,
        /// Number of the card, 16 hexadecimal digits.
        #[arg(long)]
        card: String,
        /// File of the software card, made anew.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    #[command(flatten)]
    Office(card_office::Command),
}

/// Issues.
pub fn run(command: Command) -> Result<(), Failure> {
    let (place, number, card, out) = match command {
        Command::Issue { place, number, card, out } => (place, number, card, out),
        Command::Office(command) => return card_office::run(command),
    };
    let no = card_office::card_number(&card).map_err(|_| Said("--card has 16 hexadecimal digits".to_owned()))?;
    let keyring = keyring_of(&place)?;
    with_school(&place, async move |school| {
        let person = flows::people::find_by_number(&school, &number).await?;
        let person = person.ok_or_else(|| Said(format!("there is no holder {number}; import the roster first")))?;
        // The file first, so that no card in the book lacks its chip; a card that is refused leaves none.
        let made = !out.exists();
        if made {
            device::channel::store_card(&out, &personalise(&keyring, no)?)?;
        }
        if let Err(words) = flows::card_issue::issue(&school, person, no).await {
            if made {
                std::fs::remove_file(&out)?;
            }
            return Err(Refused::from(words).into());
        }
        println!("card {no} is {number}'s; its file is {}", out.display());
        Ok(())
    })
}

/// A fresh card with the school's newest keys.
pub fn personalise(keyring: &Keyring, no: CardNo) -> Result<Chip, Failure> {
    let (version, masters) = keyring.newest_card_masters().ok_or("the keyring has no card keys")?;
    let mut serial = [0; 10];
    serial[2..].copy_from_slice(&no.0.to_be_bytes());
    Ok(Chip::personalise(serial, masters, &profile(version)))
}

/// What all cards of this software have in common.
pub fn profile(key_version: u8) -> Profile {
    Profile {
        issuer: *b"ONECARD1",
        application_version: 1,
        key_version,
        validity: Validity { from: [0x20, 0x20, 0x01, 0x01], until: [0x20, 0x99, 0x12, 0x31] },
    }
}

/// Whether the place is a trial. Only a configuration can say so: a data folder alone may be a school's.
pub fn is_trial(place: &Place) -> Result<bool, Failure> {
    place.config.as_ref().map_or(Ok(false), |path| config::read(path).map(|config| config.trial))
}

/// What is said of a trial's keys where no configuration says that it is a trial.
pub const NAME_THE_TRIAL: &str = "or, in a trial, name its configuration with --config";

/// The keyring of a data folder; outside of a trial only one that is fit for production.
pub fn keyring_of(place: &Place) -> Result<Keyring, Failure> {
    match (&place.data, &place.config) {
        (Some(data), _) => {
            let keyring = Keyring::open(&data.join("keys.json"))?;
            if !is_trial(place)? {
                keyring.check_production().map_err(|unfit| Said(format!("{unfit}, {NAME_THE_TRIAL}")))?;
            }
            Ok(keyring)
        }
        (None, Some(path)) => serve::keyring(&config::read(path)?),
        (None, None) => Err(Said("name the data folder or the configuration".to_owned()).into()),
    }
}

/// Opens the book, works on it, closes it. Error: a server has it open; nothing was done.
pub fn with_school(place: &Place, work: impl AsyncFnOnce(School) -> Result<(), Failure>) -> Result<(), Failure> {
    let (data, id) = verify::book_of(place)?;
    let keyring = keyring_of(place)?;
    let anchors = match &place.config {
        Some(path) => config::read(path)?.anchors,
        None => None,
    };
    let files = Files { data: &data, anchors: anchors.as_deref() };
    let running = engine::start(files, id, &keyring, Arc::new(NoChannel), Arc::new(SteadyClock::new()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work(running.school.clone()));
    running.stop()?;
    done
}
