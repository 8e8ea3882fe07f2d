//! Where the next page of a list begins: opaque to programs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::Micros;

use crate::failure::Failure;

/// Lines of a page, if nothing else is asked.
pub(crate) const USUAL: u32 = 20;
/// Lines of a page at most.
pub(crate) const MOST: u32 = 100;

/// The place of the last line of a page: its moment, and its number for lines of the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Micros,
    pub(crate) number: String,
}

impl Cursor {
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.at.get(), self.number))
    }

    /// Errors: what no answer of ours gave.
    pub(crate) fn parse(text: &str) -> Result<Cursor, Failure> {
        let read = || {
            let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (at, number) = plain.split_once(' ')?;
            let known = (1..=64).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_graphic());
            known.then_some(Cursor { at: Micros::new(at.parse().ok()?), number: number.to_owned() })
        };
        read().ok_or_else(|| Failure::MalformedAt("query: after: no cursor of an earlier answer".to_owned()))
    }
}

/// How many lines are asked for. Errors: none, or more than a page has.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Failure> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Failure::MalformedAt(format!("query: limit: {limit} is not within 1 and {MOST}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let cursor = Cursor { at: Micros::new(1_795_408_205_000_001), number: "261122123005000112345678".to_owned() };
        assert_eq!(Cursor::parse(&cursor.text()), Ok(cursor));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let (plain, blank, words) = (encode("17"), encode("17 "), encode("now 17"));
        for other in ["", "!", "17 x", &plain, &blank, &words] {
            assert!(Cursor::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_page_has_1_to_100_lines() {
        assert_eq!((limit(None), limit(Some(1)), limit(Some(100))), (Ok(20), Ok(1), Ok(100)));
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }
}
