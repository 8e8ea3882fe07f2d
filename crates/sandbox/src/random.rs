//! Every random value of the sandbox, drawn from the operating system.

use aws_lc_rs::rand;

use crate::beijing;
use ledger::Micros;

/// `LENGTH` random bytes.
pub(crate) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut drawn = [0; LENGTH];
    // Without random numbers nothing here may go on: keys and codes would be guessable.
    rand::fill(&mut drawn).expect("the operating system gives random bytes");
    drawn
}

/// `length` letters and digits, each drawn evenly.
pub(crate) fn letters(length: usize) -> String {
    drawn_from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
}

/// `length` decimal digits, each drawn evenly.
pub(crate) fn digits(length: usize) -> String {
    drawn_from(b"0123456789", length)
}

/// `length` lower-case hexadecimal digits.
pub(crate) fn hex(length: usize) -> String {
    drawn_from(b"0123456789abcdef", length)
}

/// A transaction number as the platform gives them: 28 digits that begin with 4200 and carry the day of payment.
pub(crate) fn transaction_id(now: Micros) -> String {
    format!("420000{}{}{}", digits(4), beijing::day(now), digits(10))
}

/// A refund number as the platform gives them: 29 digits that begin with 5030 and carry the day.
pub(crate) fn refund_id(now: Micros) -> String {
    format!("503000{}{}{}", digits(4), beijing::day(now), digits(11))
}

/// A prepay number as the platform gives them: `wx`, the time, then letters; 36 characters.
pub(crate) fn prepay_id(now: Micros) -> String {
    format!("wx{}{}", beijing::digits(now), hex(20))
}

/// A notice number as the platform gives them: 36 characters in five groups.
pub(crate) fn notice_id() -> String {
    format!("{}-{}-{}-{}-{}", hex(8), hex(4), hex(4), hex(4), hex(12))
}

fn drawn_from(alphabet: &[u8], length: usize) -> String {
    // Bytes at or above the last whole multiple of the alphabet are thrown away: taking the remainder of all 256
    // values would draw the first letters more often.
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let fair = bytes::<32>().into_iter().map(usize::from).filter(|byte| *byte < limit);
        text.extend(fair.take(length - text.len()).map(|byte| char::from(alphabet[byte % alphabet.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_platforms_shape() {
        let now = Micros::from_seconds(1_795_321_805);
        let transaction = transaction_id(now);
        assert!(transaction.starts_with("4200") && transaction.len() == 28, "{transaction}");
        assert!(transaction.bytes().all(|byte| byte.is_ascii_digit()), "{transaction}");
        assert_eq!(&transaction[10..18], "20261122");

        let prepay = prepay_id(now);
        assert!(prepay.starts_with("wx20261122123005") && prepay.len() == 36, "{prepay}");
        assert_eq!(notice_id().len(), 36);
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(letters(32), letters(32));
        assert_ne!(bytes::<16>(), bytes::<16>());
        assert_eq!(digits(0), "");
    }
}
