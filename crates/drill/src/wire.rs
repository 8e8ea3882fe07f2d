//! Lines between clients and the server.

use std::fmt;

use ledger::{AccountCode, AccountKey, Id};

use crate::operation::Operation;
use crate::schema::Answer;

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Do this, once.
    Do(Operation),
    /// What has the server on this account?
    Sums(AccountKey),
}

/// What the server says of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is settled, durably.
    Settled(Answer),
    /// The key is known with other content.
    Conflict,
    /// Nothing was done: too much to do.
    Busy,
    /// Nothing was done: no room.
    Full,
    /// Nobody knows.
    Stopping,
    /// Nothing was done: a fault in the program.
    Poison(String),
}

/// Sums of an account: debits and credits posted, debits and credits set aside.
pub(crate) type Sums = [i64; 4];

impl Ask {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Option<Ask> {
        match line.split_once(' ')? {
            ("do", rest) => Operation::parse(rest).map(Ask::Do),
            ("sums", rest) => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [code, owner, part] = words.as_slice() else { return None };
                let (code, owner) = (AccountCode(code.parse().ok()?), owner.parse().ok()?);
                Some(Ask::Sums(AccountKey { code, owner, part: part.parse().ok()? }))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Do(operation) => write!(out, "do {operation}"),
            Ask::Sums(account) => write!(out, "sums {} {} {}", account.code.0, account.owner, account.part),
        }
    }
}

/// The line about an operation.
pub(crate) fn told_line(key: Id, told: &Told) -> String {
    match told {
        Told::Settled(answer) => format!("{key} {answer}\n"),
        Told::Conflict => format!("{key} conflict\n"),
        Told::Busy => format!("{key} busy\n"),
        Told::Full => format!("{key} full\n"),
        Told::Stopping => format!("{key} stopping\n"),
        Told::Poison(why) => format!("{key} poison {}\n", why.replace('\n', " ")),
    }
}

/// Reads the line about an operation.
pub(crate) fn read_told(line: &str) -> Option<(Id, Told)> {
    let (key, rest) = line.split_once(' ')?;
    let told = match rest {
        "conflict" => Told::Conflict,
        "busy" => Told::Busy,
        "full" => Told::Full,
        "stopping" => Told::Stopping,
        _ => match rest.strip_prefix("poison ") {
            Some(why) => Told::Poison(why.to_owned()),
            None => Told::Settled(Answer::parse(rest)?),
        },
    };
    Some((Id::parse(key).ok()?, told))
}

/// The line about an account.
pub(crate) fn sums_line(sums: Sums) -> String {
    let [debits, credits, debits_aside, credits_aside] = sums;
    format!("sums {debits} {credits} {debits_aside} {credits_aside}\n")
}

/// Reads the line about an account.
pub(crate) fn read_sums(line: &str) -> Option<Sums> {
    let numbers: Vec<i64> = line.strip_prefix("sums ")?.split(' ').map_while(|word| word.parse().ok()).collect();
    numbers.try_into().ok()
}

impl Answer {
    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Answer> {
        match text {
            "refused not-enough" => Some(Answer::NotEnough),
            "refused nothing-set-aside" => Some(Answer::NothingSetAside),
            _ => text.strip_prefix("done ")?.parse().ok().map(Answer::Done),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Done(seq) => write!(out, "done {seq}"),
            Answer::NotEnough => out.write_str("refused not-enough"),
            Answer::NothingSetAside => out.write_str("refused nothing-set-aside"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let key = Id::new(0xAB);
        let table = [
            Told::Settled(Answer::Done(17)),
            Told::Settled(Answer::NotEnough),
            Told::Settled(Answer::NothingSetAside),
            Told::Conflict,
            Told::Busy,
            Told::Full,
            Told::Stopping,
            Told::Poison("two words".to_owned()),
        ];
        for told in table {
            let line = told_line(key, &told);
            assert_eq!(read_told(line.trim_end()), Some((key, told)));
        }
        assert_eq!(read_told("x done 1"), None);
        let account = AccountKey { code: AccountCode(2100), owner: u128::MAX, part: 5 };
        let ask = Ask::Sums(account);
        assert_eq!(Ask::parse(&ask.to_string()), Some(ask));
        assert_eq!(read_sums(sums_line([1, -2, 3, i64::MAX]).trim_end()), Some([1, -2, 3, i64::MAX]));
        assert_eq!(read_sums("sums 1 2 3"), None);
    }
}
