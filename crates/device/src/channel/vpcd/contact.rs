//! How a card with contacts speaks (T=0, ISO/IEC 7816-3): a command carries data or expects some, never both; an answer
//! with data to a command with data is announced as `61xx` and fetched with GET RESPONSE, once.

/// What waits to be fetched.
#[derive(Default)]
pub(super) struct Contact {
    waiting: Vec<u8>,
}

/// What the card inside is asked for.
pub(super) enum Inside<'a> {
    /// To obey the command.
    Obey,
    /// To let these bytes go.
    HandOver(&'a [u8]),
}

/// Gives the answer of the card inside, and whether it is still there.
type Ask<'a> = dyn FnMut(Inside<'_>) -> (Vec<u8>, bool) + 'a;

/// GET RESPONSE.
const FETCH: [u8; 4] = [0x00, 0xC0, 0x00, 0x00];
/// Nothing to fetch: conditions of use not satisfied.
const NOTHING: [u8; 2] = [0x69, 0x85];

impl Contact {
    /// Answers a command.
    pub(super) fn answer(&mut self, command: &[u8], ask: &mut Ask<'_>) -> Vec<u8> {
        if let Some([expected]) = command.strip_prefix(&FETCH) {
            let length = self.waiting.len().saturating_sub(2);
            let answer = match (length, u8::try_from(length)) {
                (0, _) => NOTHING.to_vec(),
                (_, Ok(length)) if length != *expected => vec![0x6C, length],
                (_, _) => std::mem::take(&mut self.waiting),
            };
            return ask(Inside::HandOver(&answer)).0;
        }
        self.waiting.clear();
        let (answer, here) = ask(Inside::Obey);
        if !here || !carries_data(command) || answer.len() <= 2 {
            return answer;
        }
        // More than 255 bytes are never answered here.
        let length = u8::try_from(answer.len().saturating_sub(2)).unwrap_or(0);
        self.waiting = answer;
        vec![0x61, length]
    }
}

/// The command brings data, so that T=0 has no room for an answer's data.
fn carries_data(command: &[u8]) -> bool {
    command.len() > 5
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: [u8; 7] = [0x80, 0x50, 0x00, 0x02, 0x02, 1, 2];
    const BALANCE: [u8; 5] = [0x80, 0x5C, 0x00, 0x02, 0x04];

    /// A card that answers every command so.
    fn card(answer: &[u8], here: bool) -> impl FnMut(Inside<'_>) -> (Vec<u8>, bool) + use<'_> {
        move |step| match step {
            Inside::Obey => (answer.to_vec(), here),
            Inside::HandOver(waiting) => (waiting.to_vec(), here),
        }
    }

    #[test]
    fn an_answer_to_a_command_with_data_is_announced_and_fetched_once() {
        let mut contact = Contact::default();
        let mut ask = card(&[7, 8, 9, 0x90, 0x00], true);
        assert_eq!(contact.answer(&INIT, &mut ask), [0x61, 3]);
        assert_eq!(contact.answer(&[0x00, 0xC0, 0x00, 0x00, 4], &mut ask), [0x6C, 3]);
        assert_eq!(contact.answer(&[0x00, 0xC0, 0x00, 0x00, 3], &mut ask), [7, 8, 9, 0x90, 0x00]);
        assert_eq!(contact.answer(&[0x00, 0xC0, 0x00, 0x00, 3], &mut ask), NOTHING);
        assert_eq!(contact.answer(&BALANCE, &mut ask), [7, 8, 9, 0x90, 0x00]);
    }

    #[test]
    fn the_next_command_throws_away_what_was_not_fetched() {
        let mut contact = Contact::default();
        let mut ask = card(&[7, 0x90, 0x00], true);
        assert_eq!(contact.answer(&INIT, &mut ask), [0x61, 1]);
        contact.answer(&BALANCE, &mut ask);
        assert_eq!(contact.answer(&[0x00, 0xC0, 0x00, 0x00, 1], &mut ask), NOTHING);
    }

    #[test]
    fn a_card_that_left_announces_nothing() {
        assert_eq!(Contact::default().answer(&INIT, &mut card(&[7, 8, 9], false)), [7, 8, 9]);
    }
}
