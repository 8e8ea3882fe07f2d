use std::fmt;

/// An amount of money in fen (0.01 CNY).
///
/// Shape: a signed 64-bit count; every operation is checked, there is no `+` or `-`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fen(i64);

/// The text was not an amount in yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountText {
    /// Nothing but blanks.
    #[error("no amount given")]
    Empty,
    /// A sign, a letter, an exponent, a second point: anything but digits and one point.
    #[error("not an amount: write digits and at most one point, such as 50 or 12.50")]
    NotDigits,
    /// More than two digits after the point.
    #[error("an amount has at most two digits after the point")]
    TooPrecise,
    /// More than can be counted.
    #[error("amount too large")]
    TooLarge,
}

impl Fen {
    /// Nothing.
    pub const ZERO: Fen = Fen(0);

    /// `fen` as an amount.
    pub const fn new(fen: i64) -> Fen {
        Fen(fen)
    }

    /// The count of fen.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` when it cannot be counted.
    pub const fn plus(self, other: Fen) -> Option<Fen> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Fen(sum)),
            None => None,
        }
    }

    /// The difference, or `None` when it cannot be counted.
    pub const fn minus(self, other: Fen) -> Option<Fen> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Fen(rest)),
            None => None,
        }
    }

    /// The sum of many, or `None` when it cannot be counted.
    pub fn sum(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
        amounts.into_iter().try_fold(Fen::ZERO, Fen::plus)
    }

    /// More than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Reads yuan as a person writes them: `50`, `12.5`, `１２．５０`, ` 3.00 `.
    ///
    /// Shape: blanks around are dropped and full-width digits, points and the sign ¥ in front are normalised; no sign,
    /// no exponent, no thousands comma.
    /// Errors, in order: `Empty`, `NotDigits`, `TooPrecise`, `TooLarge`. Source: R19.
    pub fn parse_yuan(text: &str) -> Result<Fen, AmountText> {
        let plain: String = text.trim().trim_start_matches(['¥', '￥']).trim().chars().map(half_width).collect();
        if plain.is_empty() {
            return Err(AmountText::Empty);
        }
        let (yuan, fraction) = plain.split_once('.').unwrap_or((&plain, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(yuan) || !digits(fraction) {
            return Err(AmountText::NotDigits);
        }
        if fraction.len() > 2 {
            return Err(AmountText::TooPrecise);
        }
        let yuan: i64 = yuan.parse().map_err(|_| AmountText::TooLarge)?;
        let fen: i64 = format!("{fraction:0<2}").parse().map_err(|_| AmountText::TooLarge)?;
        yuan.checked_mul(100).and_then(|whole| whole.checked_add(fen)).map(Fen).ok_or(AmountText::TooLarge)
    }
}

fn half_width(letter: char) -> char {
    match letter {
        '０'..='９' => {
            u32::from(letter).checked_sub(0xFF10).and_then(|value| char::from_digit(value, 10)).unwrap_or(letter)
        }
        '．' | '。' => '.',
        other => other,
    }
}

/// Yuan with two digits after the point, such as `1000.00` or `-0.05`.
impl fmt::Display for Fen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        let (yuan, rest) = (fen.checked_div(100).unwrap_or(0), fen.checked_rem(100).unwrap_or(0));
        write!(out, "{sign}{yuan}.{rest:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_text_is_read_as_a_person_means_it() {
        let table = [
            ("50", Ok(5000)),
            ("12.5", Ok(1250)),
            (" 12.50 ", Ok(1250)),
            ("１２．５０", Ok(1250)),
            ("¥3", Ok(300)),
            ("0", Ok(0)),
            ("0.01", Ok(1)),
            ("", Err(AmountText::Empty)),
            ("  ", Err(AmountText::Empty)),
            ("-1", Err(AmountText::NotDigits)),
            ("+1", Err(AmountText::NotDigits)),
            ("1e3", Err(AmountText::NotDigits)),
            ("1.", Err(AmountText::NotDigits)),
            (".5", Err(AmountText::NotDigits)),
            ("1.2.3", Err(AmountText::NotDigits)),
            ("1,000", Err(AmountText::NotDigits)),
            ("NaN", Err(AmountText::NotDigits)),
            ("1.001", Err(AmountText::TooPrecise)),
            ("99999999999999999999", Err(AmountText::TooLarge)),
            ("92233720368547758.08", Err(AmountText::TooLarge)),
            ("92233720368547758.07", Ok(i64::MAX)),
        ];
        for (text, expected) in table {
            assert_eq!(Fen::parse_yuan(text), expected.map(Fen::new), "{text:?}");
        }
    }

    #[test]
    fn an_amount_prints_two_digits_and_its_sign() {
        for (fen, text) in [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456, "1234.56"), (-10_000, "-100.00")] {
            assert_eq!(Fen::new(fen).to_string(), text);
        }
    }

    #[test]
    fn sums_and_differences_are_counted_or_not_given() {
        const MOST: i64 = i64::MAX;
        const LEAST: i64 = i64::MIN;
        let table = [
            (7, 5, Some(12), Some(2)),
            (5, -7, Some(-2), Some(12)),
            (MOST, 1, None, Some(MOST - 1)),
            (LEAST, 1, Some(LEAST + 1), None),
            (MOST, MOST, None, Some(0)),
        ];
        for (left, right, sum, difference) in table {
            let (left, right) = (Fen::new(left), Fen::new(right));
            assert_eq!(left.plus(right), sum.map(Fen::new), "{left} and {right}");
            assert_eq!(left.minus(right), difference.map(Fen::new), "{left} less {right}");
            assert_eq!(Fen::sum([left, right, Fen::ZERO]), sum.map(Fen::new), "{left} and {right}");
        }
        assert_eq!(Fen::sum([]), Some(Fen::ZERO));
        assert_eq!([-1, 0, 1].map(|fen| Fen::new(fen).is_positive()), [false, false, true]);
    }
}
