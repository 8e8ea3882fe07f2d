//! The clerk's keys: an amount is typed, corrected, entered or thrown away.
//!
//! Nothing is charged by a slip: ENTER without an amount does nothing, so that pressing it twice is pressing it once, and
//! REPEAT only puts the last amount on the display, to be entered like any other.

use ledger::Fen;

use super::MOST_SALE;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// 0 to 9; anything above does nothing.
    Digit(u8),
    /// Between yuan and fen.
    Point,
    /// Takes the last one back.
    Back,
    /// Throws away what was typed; when nothing was, calls the sale off.
    Cancel,
    /// The amount is right.
    Enter,
    /// The last amount again.
    Repeat,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// What was typed changed.
    Typed,
    /// This amount was entered; it may be none that can be paid.
    Entered(Fen),
    /// The sale is to be called off.
    Cancelled,
    /// Nothing happens.
    Nothing,
}

/// What was typed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keypad {
    text: String,
    last: Option<Fen>,
}

/// Digits before the point, and behind it.
const DIGITS: (usize, usize) = (4, 2);

impl Keypad {
    /// Nothing typed; REPEAT gives `last`.
    pub(super) fn new(last: Option<Fen>) -> Keypad {
        Keypad { text: String::new(), last }
    }

    /// What is typed; empty when nothing is.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// An amount became a sale; what was typed meanwhile belongs to none.
    pub(super) fn sold(&mut self, amount: Fen) {
        self.text.clear();
        self.last = Some(amount);
    }

    pub(super) fn press(&mut self, key: Key) -> Pressed {
        match key {
            Key::Digit(digit) => self.digit(digit),
            Key::Point if self.text.contains('.') => Pressed::Nothing,
            Key::Point => {
                self.text.push_str(if self.text.is_empty() { "0." } else { "." });
                Pressed::Typed
            }
            Key::Back => match self.text.pop() {
                Some(_) => Pressed::Typed,
                None => Pressed::Nothing,
            },
            Key::Cancel if self.text.is_empty() => Pressed::Cancelled,
            Key::Cancel => {
                self.text.clear();
                Pressed::Typed
            }
            Key::Enter => match Fen::parse_yuan(self.text.trim_end_matches('.')) {
                Ok(amount) => {
                    self.text.clear();
                    Pressed::Entered(amount)
                }
                Err(_) => Pressed::Nothing,
            },
            Key::Repeat => match self.last.filter(|last| *last <= MOST_SALE) {
                Some(last) => {
                    self.text = last.to_string();
                    Pressed::Typed
                }
                None => Pressed::Nothing,
            },
        }
    }

    fn digit(&mut self, digit: u8) -> Pressed {
        let (whole, part) = match self.text.split_once('.') {
            Some((whole, part)) => (whole.len(), Some(part.len())),
            None => (self.text.len(), None),
        };
        let room = part.map_or(whole < DIGITS.0, |part| part < DIGITS.1);
        let Some(digit) = char::from_digit(u32::from(digit), 10).filter(|_| room) else {
            return Pressed::Nothing;
        };
        if self.text == "0" {
            self.text.clear();
        }
        self.text.push(digit);
        Pressed::Typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: char) -> Key {
        match letter {
            '.' => Key::Point,
            '<' => Key::Back,
            'c' => Key::Cancel,
            'e' => Key::Enter,
            'r' => Key::Repeat,
            digit => Key::Digit(u8::try_from(digit.to_digit(10).expect("a digit")).expect("small")),
        }
    }

    /// What is on the display after these keys, and what was entered on the way.
    fn typed(keys: &str) -> (String, Vec<i64>) {
        let mut keypad = Keypad::new(Some(Fen::new(850)));
        let mut entered = Vec::new();
        for letter in keys.chars() {
            if let Pressed::Entered(amount) = keypad.press(key(letter)) {
                entered.push(amount.get());
            }
        }
        (keypad.text().to_owned(), entered)
    }

    #[test]
    fn amounts_are_typed_as_people_write_them_and_slips_are_taken_back() {
        let table: [(&str, &str, &[i64]); 16] = [
            ("12", "12", &[]),
            ("12e", "", &[1200]),
            ("12.5e", "", &[1250]),
            ("12.e", "", &[1200]),
            (".5e", "", &[50]),
            ("0012", "12", &[]),
            ("12.345", "12.34", &[]),
            ("1.2.3", "1.23", &[]),
            ("123456", "1234", &[]),
            ("9999.99e", "", &[999_999]),
            ("12<<<3e", "", &[300]),
            ("12c", "", &[]),
            ("12ee", "", &[1200]),
            ("e", "", &[]),
            ("r", "8.50", &[]),
            ("re", "", &[850]),
        ];
        for (keys, text, entered) in table {
            assert_eq!(typed(keys), (text.to_owned(), entered.to_vec()), "{keys}");
        }
    }

    #[test]
    fn cancel_throws_away_what_was_typed_before_it_calls_a_sale_off() {
        let mut keypad = Keypad::new(None);
        keypad.press(Key::Digit(7));
        assert_eq!(keypad.press(Key::Cancel), Pressed::Typed);
        assert_eq!(keypad.press(Key::Cancel), Pressed::Cancelled);
        assert_eq!(keypad.press(Key::Repeat), Pressed::Nothing, "nothing was sold yet");
        assert_eq!(keypad.press(Key::Digit(10)), Pressed::Nothing);
    }
}
