//! Secrets and card keys behind the ports of `flows`, in software: keys come from one file and never leave this crate
//! but to a card that is personalised and to a purchase module that is provisioned.
//!
//! | type | is |
//! |---|---|
//! | [`Keyring`] | all keys of one installation, and their file |
//! | [`CardMasterKeys`] | the port `CardKeys`: proofs of cards and releases of loads |
//! | [`SoftSecrets`] | the port `Secrets`: passwords, sealed personal data |
//! | [`InstanceKey`] | signs what is written down outside the database |
//! | [`SystemEntropy`] | the port `Entropy`: the operating system's chance |
//!
//! Architecture invariant: this crate knows nothing of SQL or HTTP, and needs no executor: work that takes long runs on
//! threads of its own.

mod card_keys;
mod entropy;
mod instance;
mod key_file;
mod keyring;
mod passwords;
mod production;
mod sealing;
mod secrets;
mod workers;

pub use card_keys::CardMasterKeys;
pub use entropy::SystemEntropy;
pub use instance::{InstanceKey, PublicKey};
pub use key_file::{KeyFileFault, read_transport_key};
pub use keyring::{Keyring, Sm4Masters};
pub use production::{UnfitKey, Weakness, transport_weakness};
pub use secrets::SoftSecrets;
