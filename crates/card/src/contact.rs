//! T=0 contact readers (ISO/IEC 7816-3): a command with a body is answered with how much waits, which is then fetched.

use crate::apdu::{Command, body_length};
use crate::status::Status;
use crate::terminal::{CardFault, data};

/// Rounds of fetching after which a card that always has more is given up; no answer of the purse needs two.
const MOST_ROUNDS: u32 = 8;

/// Sends a command and fetches what waits, so that the answer is that of a contactless card.
///
/// Shape: `transmit` sends one frame and gives what came back; fewer than two bytes are no answer. The command's own frame
/// goes out once, and a second time only when it has no body and the card named the right length (6Cxx): a command that
/// reads. Errors: an answer of fewer than two bytes is handed on as it is, and so is whatever a card says that goes on for
/// ever.
pub fn exchange(command: &[u8], transmit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut answer = transmit(&frame(command));
    if let (Err(CardFault::Status(Status::WrongExpectedLength(length))), [_, _, _, _, _], 2) =
        (data(&answer), command, answer.len())
    {
        let mut again = command.to_vec();
        again.pop();
        again.push(length);
        answer = transmit(&again);
    }
    let mut fetched = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let Some((part, &[0x61, waiting])) = answer.split_last_chunk::<2>() else { break };
        fetched.extend_from_slice(part);
        answer = transmit(&Command::GetResponse(waiting).encode());
    }
    if answer.len() < 2 {
        return answer;
    }
    fetched.extend_from_slice(&answer);
    fetched
}

/// The command as T=0 sends it: with a body, the expected length stays behind.
fn frame(command: &[u8]) -> Vec<u8> {
    let mut frame = command.to_vec();
    if let Some(body) = body_length(command) {
        frame.truncate(5_usize.saturating_add(body));
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays answers one after the other and keeps what was sent.
    fn play(command: &[u8], answers: &[&[u8]]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut sent, mut answers) = (Vec::new(), answers.iter());
        let answer = exchange(command, &mut |frame| {
            sent.push(frame.to_vec());
            answers.next().map(|answer| answer.to_vec()).unwrap_or_default()
        });
        (answer, sent)
    }

    #[test]
    fn what_waits_is_fetched_and_the_expected_length_stays_behind() {
        let (answer, sent) = play(&[0x80, 0x50, 0, 2, 1, 9, 0x10], &[&[0x61, 2], &[7, 8, 0x90, 0]]);
        assert_eq!(answer, [7, 8, 0x90, 0]);
        assert_eq!(sent, [vec![0x80, 0x50, 0, 2, 1, 9], vec![0, 0xC0, 0, 0, 2]]);
        let (answer, _) = play(&[0, 0xA4, 4, 0, 1, 9], &[&[0x61, 4], &[1, 2, 0x61, 2], &[3, 4, 0x90, 0]]);
        assert_eq!(answer, [1, 2, 3, 4, 0x90, 0]);
    }

    #[test]
    fn a_right_length_is_asked_again_for_a_reading_command_alone() {
        let (answer, sent) = play(&[0x80, 0x5C, 0, 2, 0], &[&[0x6C, 4], &[0, 0, 0, 1, 0x90, 0]]);
        assert_eq!(answer, [0, 0, 0, 1, 0x90, 0]);
        assert_eq!(sent, [vec![0x80, 0x5C, 0, 2, 0], vec![0x80, 0x5C, 0, 2, 4]]);
        let (answer, sent) = play(&[0x80, 0x54, 1, 0, 1, 9, 7], &[&[0x6C, 8]]);
        assert_eq!((answer, sent.len()), (vec![0x6C, 8], 1));
        // A cut answer may end like that: it holds more than the two bytes.
        let (answer, sent) = play(&[0x80, 0x5C, 0, 2, 4], &[&[0, 0x6C, 8]]);
        assert_eq!((answer, sent.len()), (vec![0, 0x6C, 8], 1));
    }

    #[test]
    fn silence_and_endless_talk_end() {
        let (answer, sent) = play(&[0x80, 0x5C, 0, 2, 4], &[&[0x90]]);
        assert_eq!((answer, sent.len()), (vec![0x90], 1));
        let (answer, _) = play(&[0, 0xA4, 4, 0, 1, 9], &[&[1, 2, 0x61, 2], &[0x90, 0]]);
        assert_eq!(answer, [1, 2, 0x90, 0]);
        let (answer, _) = play(&[0, 0xA4, 4, 0, 1, 9], &[&[1, 2, 0x61, 2], &[0x90]]);
        assert_eq!(answer, [0x90], "what was fetched before the card left is no answer");
        let (answer, _) = play(&[0, 0xA4, 4, 0, 1, 9], &[&[0x61, 4]]);
        assert_eq!(answer, []);
        let (answer, sent) = play(&[0, 0xA4, 4, 0, 1, 9], &[&[1, 0x61, 4][..]; 20]);
        assert_eq!((answer.len(), sent.len()), (11, 9));
    }
}
