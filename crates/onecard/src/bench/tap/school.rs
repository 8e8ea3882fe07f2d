//! The school of the bench: people with cards, each with a paid top-up that waits for the card, and terminals. The top-ups
//! came as they come in life: ordered, paid, told by the provider's notice over HTTP.

use std::path::PathBuf;

use card::chip::Chip;
use flows::merchant;
use flows::terminal::NewTerminal;
use rules::ids::{CardNo, TerminalNo};

use super::super::cleanup::Cleanup;
use super::super::load::Until;
use super::super::say::Say;
use super::super::serving::Serving;
use super::super::topup::clients;
use super::super::topup::notices::Provider;
use super::super::topup::plan::{Kind, Wish};
use super::super::topup::prepared::{CARD_PREFIX, Prepared};
use super::super::topup::serving;
use crate::Failure;
use crate::demo::Folder;
use crate::issue;
use crate::prompt::{Refused, Said};
use crate::terminal;
use crate::tls::Authority;

/// Where everybody taps.
pub const MERCHANT: &str = "canteen";
/// Connections over which the notices come.
const CONNECTIONS: u16 = 32;

/// A school at rest, of which every run gets a copy.
pub struct Paid {
    prepared: Prepared,
    identities: PathBuf,
}

impl Paid {
    /// Makes it: `cards` holders with one paid top-up each, and so many terminals.
    ///
    /// Error: a flow refuses, or a notice is answered wrongly.
    pub fn make(cards: u32, terminals: u16, cleanup: &Cleanup, say: &Say) -> Result<Paid, Failure> {
        let prepared = Prepared::make(cards, 1, cleanup, say)?;
        let wishes: Vec<Wish> = (0..cards).map(|order| Wish { kind: Kind::Paid, order }).collect();
        let signed = Provider::read(&prepared.provider())?.sign(&wishes, &prepared.orders, say)?;
        let paid = Paid { prepared, identities: cleanup.path("terminals") };
        let serving = serving::start(&paid.prepared.book, &paid.prepared.keys)?;
        let enrolled = serving.block_on(paid.enrol(&serving, terminals));
        let until = Until::Transfers(u64::MAX);
        let told = enrolled
            .and_then(|()| clients::run(serving.address, CONNECTIONS, &signed.notices, signed.notices.len(), until));
        serving.stop()?;
        let sent = told?.sent;
        if sent != signed.notices.len() {
            return Err(Said(format!("only {sent} of {cards} top-ups were paid")).into());
        }
        Ok(paid)
    }

    async fn enrol(&self, serving: &Serving, terminals: u16) -> Result<(), Failure> {
        let (school, keyring) = (serving.school(), self.keys().keyring());
        merchant::add(school, MERCHANT, "食堂", "Canteen").await.map_err(Refused::from)?;
        let authority = self.authority()?;
        for place in 0..terminals {
            let number = terminal_no(place);
            let certificate = terminal::identity(&self.identity(place), &authority, keyring, number)?;
            let new = NewTerminal {
                terminal: number,
                merchant: MERCHANT.to_owned(),
                place_zh: format!("食堂 {number}"),
                place_en: format!("Canteen {number}"),
                certificate,
            };
            terminal::enrol(school, new).await?;
        }
        Ok(())
    }

    /// Who signs for terminals and platform.
    pub fn authority(&self) -> Result<Authority, Failure> {
        Authority::open(&self.identities)
    }

    /// Folder of the identity of the terminal at `place`.
    pub fn identity(&self, place: u16) -> PathBuf {
        self.identities.join(terminal_no(place).to_string())
    }

    /// Folder of the book.
    pub const fn book(&self) -> &PathBuf {
        &self.prepared.book
    }

    /// Its keys.
    pub const fn keys(&self) -> &Folder {
        &self.prepared.keys
    }

    /// The card at `place`, empty, as it was handed to its holder.
    pub fn card(&self, place: u32) -> Result<Chip, Failure> {
        issue::personalise(self.keys().keyring(), card_no(place))
    }
}

/// Number of the card at `place`.
pub fn card_no(place: u32) -> CardNo {
    CardNo(CARD_PREFIX | (u64::from(place) + 1))
}

fn terminal_no(place: u16) -> TerminalNo {
    let [a, b] = place.wrapping_add(1).to_be_bytes();
    TerminalNo([0, a, b])
}
