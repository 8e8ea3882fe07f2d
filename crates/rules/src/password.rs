//! The query password: first password, what is too weak, and the door that locks (R24, R25, R26, R77).

use ledger::Micros;

/// What the door compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Never changed: the last six of the identity number (R25); no hash is stored.
    Initial,
    /// The holder's own.
    Own {
        /// Argon2id, with a pepper outside the database.
        hash: String,
        /// Since when.
        set_at: Micros,
    },
}

/// A query password and the count of wrong tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    /// What the door compares with.
    pub secret: Secret,
    /// Tries since the last right one, counted before they are checked.
    pub tries: u8,
    /// No try counts before this.
    pub locked_until: Option<Micros>,
}
