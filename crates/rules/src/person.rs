//! A holder: who it is and whether the account is open (R1).

use ledger::Micros;

use crate::ids::CardNo;
use crate::password::Password;
use crate::roster::Category;

/// Whether the account takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In use.
    Open,
    /// Closed: takes no more money (R21).
    Closed,
}

/// A holder. Personal fields are sealed bytes; only the `Secrets` port opens them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Student or staff number (学工号).
    pub number: String,
    /// Student or staff.
    pub category: Category,
    /// Department.
    pub department: String,
    /// Sealed name.
    pub name: Vec<u8>,
    /// Sealed number of the identity document.
    pub document: Vec<u8>,
    /// The document is an identity card (else a passport).
    pub identity_card: bool,
    /// Sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// Whether the account takes part.
    pub standing: Standing,
    /// When the account was opened.
    pub opened_at: Micros,
    /// The query password and its door.
    pub password: Password,
    /// The one active card (R1).
    pub card: Option<CardNo>,
}
