//! The card office: blank cards become cards of the school and are handed out, cards are blocked, printers get their list.

mod batch;
mod keys_at_hand;
mod reader;

use std::path::{Path, PathBuf};

use card::chip::Chip;
use card::crypto::Algorithm;
use card::files::CardNumber;
use card::holder::HolderFile;
use card::office::{Measure, OfficeFault, Order, key_version_of, maintain, personalise};
use card::profile::Switches;
use card::session::SessionForm;
use card::status::Status;
use card::terminal::{self, CardFault};
use clap::ValueEnum;
use device::channel::{CardChannel, store_card};
use encoding_rs::GB18030;
use flows::card_face::{self, CardFace};
use keys::Keyring;
use rules::ids::CardNo;
use rules::roster::Category;

use self::keys_at_hand::{KeysAtHand, TransportKey};
use self::reader::ReaderName;
use crate::prompt::{Refused, Said};
use crate::{Failure, Place, issue};

/// Subcommands of `onecard card` for the card office.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Makes a card of the school of a blank one on the reader and hands it to its holder; the server must not be running.
    ///
    /// Run it again after any interruption: it finishes the card, or says that it must be destroyed. A finished card is
    /// only checked and keeps its money; where its holder changed, the holder's file is written anew.
    Personalise(Personalise),
    /// Writes the list for a card printer or encoder: numbers, names, departments, photos. It holds no key.
    Batch(batch::Options),
    /// Blocks the purse on the card that lies on the reader, until it is unblocked. The book is not touched.
    Block(OnReader),
    /// Unblocks it.
    Unblock(OnReader),
    /// Makes the file of a blank software card, to try things out.
    Blank {
        /// The file, made anew.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        transport: TransportKey,
        /// How it makes session keys under SM4: 1 pads, 2 doubles.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
        session_form: u8,
    },
    /// Adds master keys for SM4 to the school's key file; every other key stays.
    Sm4Keys {
        #[command(flatten)]
        place: Place,
        /// How the school's cards make session keys: 1 pads, 2 doubles. Ask the card maker.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
        session_form: u8,
    },
}

/// Options of `onecard card personalise`.
#[derive(clap::Args)]
pub struct Personalise {
    #[command(flatten)]
    place: Place,
    /// The reader: soft:FILE for a software card, pcsc:NAME for a card reader of PC/SC.
    #[arg(long)]
    reader: ReaderName,
    /// Student or staff number of the holder.
    #[arg(long, value_name = "NO")]
    person: String,
    /// Number of the card, 16 hexadecimal digits.
    #[arg(long, value_parser = card_number)]
    card: CardNo,
    #[command(flatten)]
    transport: TransportKey,
    /// Algorithms that the card speaks.
    #[arg(long, value_enum, default_value_t = Speaks::TripleDes)]
    algorithm: Speaks,
}

/// Options of a command about the card on the reader.
#[derive(clap::Args)]
pub struct OnReader {
    #[command(flatten)]
    place: Place,
    /// The reader: soft:FILE for a software card, pcsc:NAME for a card reader of PC/SC.
    #[arg(long)]
    reader: ReaderName,
}

/// Algorithms of a card.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Speaks {
    /// 3DES alone.
    #[value(name = "3des")]
    TripleDes,
    /// SM4 alone.
    #[value(name = "sm4")]
    Sm4,
    /// Both; the terminal picks by the key.
    #[value(name = "both")]
    Both,
}

/// Runs the subcommand.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Personalise(options) => make(&options),
        Command::Batch(options) => batch::write(&options),
        Command::Block(options) => measure(&options, Measure::Block),
        Command::Unblock(options) => measure(&options, Measure::Unblock),
        Command::Blank { out, transport, session_form } => blank(&out, &transport, session_form),
        Command::Sm4Keys { place, session_form } => add_sm4(&place, session_form),
    }
}

/// A card number as it is typed.
pub(crate) fn card_number(text: &str) -> Result<CardNo, String> {
    // The parser of numbers alone would take a sign for a digit.
    let digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let value = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    value.filter(|value| *value != 0).map(CardNo).ok_or_else(|| "a card number has 16 hexadecimal digits".to_owned())
}

fn make(options: &Personalise) -> Result<(), Failure> {
    let Personalise { place, reader, person, card, transport, algorithm } = options;
    let keyring = issue::keyring_of(place)?;
    let at_hand = KeysAtHand::new(place, &keyring, transport)?;
    let mut channel = reader.open()?;
    issue::with_school(place, async move |school| {
        let face = card_face::of_number(&school, person).await?;
        let face = face.ok_or_else(|| Said(format!("there is no holder {person}; import the roster first")))?;
        // What the book would refuse is refused before the chip is written.
        let taken = card_face::holder_of(&school, *card).await?;
        if taken.is_some_and(|other| other != face.person) {
            return Err(Said(format!("card {card} is somebody else's already; take another number")).into());
        }
        if let Some(other) = face.card.filter(|other| other != card) {
            let number = &face.number;
            return Err(Said(format!("{number} has card {other}; report it lost or close it first")).into());
        }
        // The school may have newer masters than a card that is finished or begun.
        let version = on_card(channel.as_mut(), |transmit| key_version_of(transmit, serial(*card)))?;
        let order = order(&keyring, &at_hand, (*card, version), &face, *algorithm)?;
        let made = on_card(channel.as_mut(), |transmit| personalise(transmit, &order))?;
        let what = match (made.written, made.renewed) {
            (true, _) => "is written and checked",
            (false, false) => "was finished before; it is checked",
            (false, true) => "was finished before; it is checked, and its holder's file is written anew",
        };
        println!("card {card} {what}");
        if let Err(words) = flows::card_issue::issue(&school, face.person, *card).await {
            println!("the card is nobody's: what the book says follows; then run the same command again");
            return Err(Refused::from(words).into());
        }
        println!("card {card} is {}'s", face.number);
        Ok(())
    })
}

/// What the card is to be; with keys of the version that it has, or of the newest.
fn order(
    keyring: &Keyring,
    at_hand: &KeysAtHand,
    (card, version): (CardNo, Option<u8>),
    face: &CardFace,
    speaks: Speaks,
) -> Result<Order, Failure> {
    let newest = || keyring.newest_card_masters().map(|(version, _)| version);
    let version = version.or_else(newest).ok_or("the keyring has no card keys")?;
    let name = GB18030.encode(face.name.expose_for("it is written to the holder's own card")).0;
    let staff = face.category == Category::Staff;
    let holder = HolderFile::of_school(&name, face.number.as_bytes(), staff);
    let holder = holder.ok_or_else(|| Said(format!("the number {} is too long for a card", face.number)))?;
    let number = CardNumber(card.0);
    let (set, others) = match speaks {
        Speaks::TripleDes => (at_hand.triple_des(number, version)?, Vec::new()),
        Speaks::Sm4 => (at_hand.sm4(number, version)?, Vec::new()),
        Speaks::Both => (at_hand.triple_des(number, version)?, vec![at_hand.sm4(number, version)?]),
    };
    Ok(Order {
        serial: serial(card),
        set,
        others,
        profile: issue::profile(version),
        switches: Switches { session_form: at_hand.session_form(), ..Switches::CAMPUS },
        holder,
        pin: None,
        transport: at_hand.transport.clone(),
        transport_algorithm: Algorithm::TripleDes,
    })
}

fn serial(card: CardNo) -> [u8; 10] {
    let mut serial = [0; 10];
    serial[2..].copy_from_slice(&card.0.to_be_bytes());
    serial
}

fn measure(options: &OnReader, measure: Measure) -> Result<(), Failure> {
    let keyring = issue::keyring_of(&options.place)?;
    let mut channel = options.reader.open()?;
    let public = on_card(channel.as_mut(), |transmit| {
        // The public file can be read whether the purse is blocked or not, unless it is locked for good.
        if terminal::data(&transmit(&terminal::select_purse())) == Err(CardFault::Status(Status::PermanentlyLocked)) {
            return Err(OfficeFault::Blocked);
        }
        let public = terminal::parse_public_file(&transmit(&terminal::read_public_file()));
        public.map_err(|_| OfficeFault::Malformed("show its public file"))
    })?;
    let set = keys_at_hand::maintained_by(&keyring, &public, channel.as_mut())?;
    on_card(channel.as_mut(), |transmit| maintain(transmit, &set, measure))?;
    let state = if measure == Measure::Block { "blocked" } else { "unblocked" };
    println!("the purse of card {:016X} is {state}; the book is as it was", public.card().0);
    Ok(())
}

/// Runs a sequence on the card that lies on the reader.
fn on_card<T>(
    channel: &mut dyn CardChannel,
    work: impl FnOnce(&mut card::office::Transmit<'_>) -> Result<T, OfficeFault>,
) -> Result<T, Failure> {
    if channel.present().is_none() {
        return Err(Said("no card lies on the reader: put one there and run the command again".to_owned()).into());
    }
    let done = work(&mut |apdu| channel.transmit(apdu));
    channel.removed();
    Ok(done?)
}

fn blank(out: &Path, transport: &TransportKey, session_form: u8) -> Result<(), Failure> {
    if out.exists() {
        return Err(Said(format!("{} is there already; nothing was written", out.display())).into());
    }
    let switches = Switches { session_form: form(session_form), ..Switches::CAMPUS };
    let chip = Chip::blank(switches, transport.read()?.key, Algorithm::TripleDes);
    store_card(out, &chip)?;
    println!("{} is a blank card", out.display());
    Ok(())
}

fn add_sm4(place: &Place, session_form: u8) -> Result<(), Failure> {
    let path = match (&place.data, &place.config) {
        (Some(data), _) => data.join("keys.json"),
        (None, Some(config)) => crate::config::read(config)?.keyring(),
        (None, None) => return Err(Said("name the data folder or the configuration".to_owned()).into()),
    };
    let before = Keyring::load(&path)?;
    if !issue::is_trial(place)? {
        before.check_production().map_err(|unfit| Said(format!("{unfit}, {}", issue::NAME_THE_TRIAL)))?;
    }
    if before.sm4_masters().is_some() {
        println!("the key file has SM4 masters already; nothing was changed");
        return Ok(());
    }
    Keyring::add_sm4(&path, form(session_form))?;
    println!(
        "{} has SM4 masters now: put a fresh copy of it in the safe, start the server again, and enrol terminals anew \
         where such cards are to pay",
        path.display()
    );
    Ok(())
}

const fn form(number: u8) -> SessionForm {
    if number == 2 { SessionForm::Doubled } else { SessionForm::Padded }
}
