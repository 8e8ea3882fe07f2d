//! A holder: who it is and whether the account is open (R1).

use ledger::Micros;

use crate::ids::{CardNo, PersonId};
use crate::password::Password;
use crate::roster::Category;
use crate::words::Words;

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

/// Where the roster's person already is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nowhere: an account is to be opened.
    New,
    /// It has this account: the number and the document are its own.
    Already(PersonId),
}

/// Why no account is opened; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitRefusal {
    /// The number belongs to somebody with another document.
    #[error("the number belongs to another person")]
    NumberTaken,
    /// The document belongs to somebody with another number.
    #[error("the document belongs to another number")]
    DocumentTaken,
}

/// May a person with this number and this document be given an account? `None`: nobody has it yet.
///
/// Errors, in order: `NumberTaken`, `DocumentTaken`. Repeats: an admitted person is `Already` there. Source: R1.
pub fn admit(number: Option<PersonId>, document: Option<PersonId>) -> Result<Admission, AdmitRefusal> {
    match (number, document) {
        (None, None) => Ok(Admission::New),
        (Some(holder), Some(owner)) if holder == owner => Ok(Admission::Already(holder)),
        (Some(_), Some(_) | None) => Err(AdmitRefusal::NumberTaken),
        (None, Some(_)) => Err(AdmitRefusal::DocumentTaken),
    }
}

impl AdmitRefusal {
    /// What the person who imports is told.
    pub fn words(self) -> Words {
        match self {
            AdmitRefusal::NumberTaken => Words::new(
                "NUMBER_TAKEN",
                "此学工号已属于证件号码不同的另一人，请核对名单；若本人更换了证件，请在服务中心办理变更。",
                "This number belongs to a person with another document. Please check the roster; if the person has a new \
                 document, have it changed at the service centre.",
            ),
            AdmitRefusal::DocumentTaken => Words::new(
                "DOCUMENT_TAKEN",
                "此证件号码已登记在另一学工号下，一人只能有一个账户，请核对名单；若本人更换了学工号，请在服务中心办理变更。",
                "This document is registered under another number, and a person has one account. Please check the roster; if \
                 the person has a new number, have it changed at the service centre.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_a_number_and_a_document_belong_together_or_to_nobody() {
        let [one, other] = [1, 2].map(|n| PersonId(ledger::Id::new(n)));
        let table = [
            (None, None, Ok(Admission::New)),
            (Some(one), Some(one), Ok(Admission::Already(one))),
            (Some(one), None, Err(AdmitRefusal::NumberTaken)),
            (Some(one), Some(other), Err(AdmitRefusal::NumberTaken)),
            (None, Some(one), Err(AdmitRefusal::DocumentTaken)),
        ];
        for (number, document, expected) in table {
            assert_eq!(admit(number, document), expected, "{number:?} {document:?}");
        }
    }
}
