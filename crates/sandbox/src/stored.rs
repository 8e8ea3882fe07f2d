//! How `ledger` values are written in JSON: both are whole numbers, never text and never fractions.

/// An amount as its count of fen.
pub(crate) mod fen {
    use ledger::Fen;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(amount: &Fen, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(amount.get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fen, D::Error> {
        i64::deserialize(from).map(Fen::new)
    }
}

/// A moment as its count of microseconds since 1970.
pub(crate) mod micros {
    use ledger::Micros;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(moment: &Micros, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(moment.get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Micros, D::Error> {
        i64::deserialize(from).map(Micros::new)
    }
}
