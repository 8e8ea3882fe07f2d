//! A card came: which one is it? Every terminal asks so, whatever it wants of the card.
//!
//! The number proves nothing yet; the first stage of a tap does.

use card::status::Status;
use card::terminal::{self, CardFault};

/// The question under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// SELECT went out.
    Selecting,
    /// SELECT brought no public file; READ BINARY went out.
    Reading,
}

/// What is known after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Give it this, then ask on.
    Ask(Select, Vec<u8>),
    /// Its number.
    Card(u64),
    /// It gave no whole answer: it left, or will be told to have left.
    NoAnswer,
    /// A card whose purse was blocked (6A81), for good perhaps (9303).
    Blocked,
    /// No card of ours, or a broken chip.
    Unreadable,
}

impl Select {
    /// Begins; gives the first command.
    pub fn start() -> (Select, Vec<u8>) {
        (Select::Selecting, terminal::select_purse())
    }

    /// The card answered; fewer than two bytes say that it did not.
    pub fn answer(self, answer: &[u8]) -> Which {
        let file = match self {
            Select::Selecting => match terminal::parse_select(answer) {
                Err(CardFault::Malformed) => return Which::Ask(Select::Reading, terminal::read_public_file()),
                file => file,
            },
            Select::Reading => terminal::parse_public_file(answer),
        };
        match file {
            Ok(file) => Which::Card(file.card().0),
            Err(CardFault::NoAnswer) => Which::NoAnswer,
            Err(CardFault::Status(_)) if answer.len() > 2 => Which::NoAnswer,
            Err(CardFault::Status(Status::Blocked | Status::PermanentlyLocked)) => Which::Blocked,
            Err(CardFault::Status(_) | CardFault::Malformed) => Which::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_breaks_off_is_not_taken_for_a_strange_one() {
        let (select, _) = Select::start();
        let table = [
            (vec![], Which::NoAnswer),
            (vec![0x90], Which::NoAnswer),
            (vec![0x6F, 0x1C, 0x84], Which::NoAnswer),
            (vec![0x6A, 0x81], Which::Blocked),
            (vec![0x93, 0x03], Which::Blocked),
            (vec![0x6F, 0x1C, 0x6A, 0x81], Which::NoAnswer),
            (vec![0x6A, 0x82], Which::Unreadable),
            (vec![0x90, 0x00], Which::Ask(Select::Reading, terminal::read_public_file())),
        ];
        for (answer, which) in table {
            assert_eq!(select.answer(&answer), which, "{answer:02X?}");
        }
        assert_eq!(Select::Reading.answer(&[0x90, 0x00]), Which::Unreadable, "no number there either");
    }
}
