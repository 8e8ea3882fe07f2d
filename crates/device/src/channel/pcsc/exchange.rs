//! A whole exchange on a reader: what T=0 asks of the one who sends, and nothing else. A command that adds or takes money
//! is put on the line once, whatever the answer.

/// Puts one frame on the line and gives what comes back.
type Send<'a, E> = dyn FnMut(&[u8]) -> Result<Vec<u8>, E> + 'a;

/// GET RESPONSE.
const FETCH: [u8; 4] = [0x00, 0xC0, 0x00, 0x00];

/// Sends a command and gives its whole answer.
///
/// Shape: with `contact` (T=0) a command that brings data goes without its expected length. An answer of just `61xx` is
/// fetched; an answer of just `6Cxx` to a command without data, which only reads, is asked for again with that length.
/// Everything else is given as it came: a longer answer that ends like one of these may be the rest of a cut one.
pub(super) fn whole<E>(contact: bool, command: &[u8], send: &mut Send<'_, E>) -> Result<Vec<u8>, E> {
    let frame = if contact { contact_frame(command) } else { command.to_vec() };
    let answer = send(&frame)?;
    match (answer.as_slice(), frame.split_last()) {
        ([0x61, more], _) => fetch(*more, send),
        ([0x6C, right], Some((_, header))) if header.len() == FETCH.len() => send(&[header, &[*right]].concat()),
        _ => Ok(answer),
    }
}

fn fetch<E>(more: u8, send: &mut Send<'_, E>) -> Result<Vec<u8>, E> {
    let answer = send(&[&FETCH[..], &[more]].concat())?;
    match answer.as_slice() {
        [0x6C, right] => send(&[&FETCH[..], &[*right]].concat()),
        _ => Ok(answer),
    }
}

/// The command as T=0 carries it: five bytes at least, and either data or an expected length.
fn contact_frame(command: &[u8]) -> Vec<u8> {
    match command {
        [_, _, _, _] => [command, &[0]].concat(),
        [_, _, _, _, length, body @ ..] if body.len() == usize::from(*length).saturating_add(1) && *length > 0 => {
            command.split_last().map_or_else(Vec::new, |(_, frame)| frame.to_vec())
        }
        _ => command.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDIT: [u8; 17] = [0x80, 0x52, 0, 0, 0x0B, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 4];
    const BALANCE: [u8; 5] = [0x80, 0x5C, 0, 2, 4];

    /// What went over the line, and what came out, for these answers of the card.
    fn played(contact: bool, command: &[u8], answers: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut sent = Vec::new();
        let mut left = answers.iter();
        let whole = whole(contact, command, &mut |frame: &[u8]| {
            sent.push(frame.to_vec());
            left.next().map(|answer| answer.to_vec()).ok_or("more was sent than is expected")
        });
        assert_eq!(left.count(), 0, "{command:02X?}");
        (sent, whole.expect("answered"))
    }

    #[test]
    fn contactless_commands_go_as_they_are() {
        let tac = [1, 2, 3, 4, 0x90, 0];
        assert_eq!(played(false, &CREDIT, &[&tac]), (vec![CREDIT.to_vec()], tac.to_vec()));
    }

    #[test]
    fn contact_cards_get_frames_of_t0_and_their_answers_are_fetched() {
        let credit = CREDIT[..16].to_vec();
        let tac = vec![1, 2, 3, 4, 0x90, 0];
        let fetch = |length| vec![0, 0xC0, 0, 0, length];
        assert_eq!(played(true, &CREDIT, &[&[0x61, 4], &tac]), (vec![credit.clone(), fetch(4)], tac.clone()));
        let corrected = [&[0x61, 8][..], &[0x6C, 4], &tac];
        assert_eq!(played(true, &CREDIT, &corrected), (vec![credit, fetch(8), fetch(4)], tac));
        let table: [(&[u8], &[u8]); 4] = [
            (&[0x80, 0x52, 0, 0], &[0x80, 0x52, 0, 0, 0]),
            (&BALANCE, &BALANCE),
            (&[0, 0xA4, 4, 0, 2, 0xA0, 0], &[0, 0xA4, 4, 0, 2, 0xA0, 0]),
            (&[0x80, 0x5A, 0, 6, 2, 0, 1, 8], &[0x80, 0x5A, 0, 6, 2, 0, 1]),
        ];
        for (command, frame) in table {
            assert_eq!(played(true, command, &[&[0x90, 0]]).0, [frame.to_vec()], "{command:02X?}");
        }
    }

    #[test]
    fn a_reading_command_is_asked_again_with_the_right_length_and_a_crediting_one_never() {
        let balance = vec![0, 0, 0, 1, 0x90, 0];
        let wrong = [0x80, 0x5C, 0, 2, 0];
        let again = (vec![wrong.to_vec(), BALANCE.to_vec()], balance.clone());
        assert_eq!(played(false, &wrong, &[&[0x6C, 4], &balance]), again);
        assert_eq!(played(true, &wrong, &[&[0x6C, 4], &balance]), again);
        for contact in [false, true] {
            let (sent, answer) = played(contact, &CREDIT, &[&[0x6C, 4]]);
            assert_eq!((sent.len(), answer), (1, vec![0x6C, 4]));
        }
    }

    #[test]
    fn the_rest_of_a_cut_answer_is_not_taken_for_an_announcement() {
        for rest in [&[7, 0x61, 4][..], &[7, 0x6C, 4], &[0x61], &[]] {
            for contact in [false, true] {
                let (sent, answer) = played(contact, &CREDIT, &[rest]);
                assert_eq!((sent.len(), answer), (1, rest.to_vec()));
            }
        }
    }
}
