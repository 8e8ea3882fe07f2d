//! Why a flow could decide nothing.

use rules::words::Words;
use teller::Fault;

use crate::ReadFault;
use crate::ports::SealBroken;
use crate::school::fault_words;

/// Nothing could be decided; nothing was done, unless the server is stopping.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// A committed row could not be read.
    #[error(transparent)]
    Read(#[from] ReadFault),
    /// The teller could not do it.
    #[error(transparent)]
    Teller(#[from] Fault),
    /// Sealed personal data does not open.
    #[error(transparent)]
    Sealed(#[from] SealBroken),
}

impl Unavailable {
    /// What a person is told; the operator reads the error itself.
    pub fn words(&self) -> Words {
        match self {
            Unavailable::Teller(fault) => fault_words(fault),
            Unavailable::Read(_) | Unavailable::Sealed(_) => fault_words(&Fault::Poison(self.to_string())),
        }
    }
}
