//! Cells of a bill: columns found by name, amounts in yuan, counts and times.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use ledger::{Fen, Micros};

/// Names of a header line, and where each stands.
pub(super) struct Columns {
    places: BTreeMap<String, usize>,
    count: usize,
}

impl Columns {
    /// Reads a header line. Errors, in words: a name stands twice; one of `needed` is missing.
    pub(super) fn read(line: &str, needed: &[&str]) -> Result<Columns, String> {
        let mut places = BTreeMap::new();
        let mut count: usize = 0;
        for (place, name) in line.split(',').enumerate() {
            // The provider writes the unit in brackets of either width.
            let name = name.trim().trim_start_matches('`').replace('（', "(").replace('）', ")");
            if !name.is_empty() && places.insert(name.clone(), place).is_some() {
                return Err(format!("the column {name} stands twice"));
            }
            count = place.saturating_add(1);
        }
        match needed.iter().find(|name| !places.contains_key(**name)) {
            Some(missing) => Err(format!("the column {missing} is missing")),
            None => Ok(Columns { places, count }),
        }
    }

    /// The cells of a data line. Each value begins with a back-tick, so that commas within values do no harm.
    pub(super) fn cells<'a>(&'a self, line: &'a str) -> Result<Cells<'a>, String> {
        let values: Vec<&str> =
            line.strip_prefix('`').ok_or("a value without a back-tick")?.split(",`").map(str::trim).collect();
        if values.len() != self.count {
            return Err(format!("it has {} values instead of {}", values.len(), self.count));
        }
        Ok(Cells { columns: self, values })
    }
}

/// One data line.
pub(super) struct Cells<'a> {
    columns: &'a Columns,
    values: Vec<&'a str>,
}

impl Cells<'_> {
    /// The value of a column; empty when the bill has no such column.
    pub(super) fn text(&self, name: &str) -> &str {
        self.columns.places.get(name).and_then(|place| self.values.get(*place)).copied().unwrap_or_default()
    }

    pub(super) fn owned(&self, name: &str) -> String {
        self.text(name).to_owned()
    }

    /// A value that must not be empty.
    pub(super) fn needed(&self, name: &'static str) -> Result<String, String> {
        match self.text(name) {
            "" => Err(format!("{name} is empty")),
            text => Ok(text.to_owned()),
        }
    }

    /// An amount; nothing when the cell is empty or the bill has no such column.
    pub(super) fn amount(&self, name: &'static str) -> Result<Fen, String> {
        match self.text(name) {
            "" => Ok(Fen::ZERO),
            text => yuan(text).ok_or_else(|| format!("{name} is {text}, which is no amount in yuan")),
        }
    }

    /// A moment; none when the cell is empty or the bill has no such column.
    pub(super) fn moment(&self, name: &'static str) -> Result<Option<Micros>, String> {
        match self.text(name) {
            "" => Ok(None),
            text => beijing(text).map(Some).ok_or_else(|| format!("{name} is {text}, which is no time")),
        }
    }
}

/// Yuan as bills write them, to the fen: `12`, `12.5`, `-0.06000`. Digits beyond the fen must be zeros.
pub(super) fn yuan(text: &str) -> Option<Fen> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (cents, beyond) = fraction.split_at(fraction.len().min(2));
    if beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    let fen = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
    Some(Fen::new(if negative { fen.checked_neg()? } else { fen }))
}

/// A count as summaries write it: `20`, `20.0`.
pub(super) fn count(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let good = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte == b'0');
    if good { whole.parse().ok() } else { None }
}

/// `2026-11-24 00:00:05` in Beijing time.
fn beijing(text: &str) -> Option<Micros> {
    let shape = text.len() == 19 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-: ".contains(&byte));
    let at: DateTime = shape.then(|| text.parse().ok()).flatten()?;
    let moment = Offset::constant(8).to_timestamp(at).ok()?;
    Some(Micros::new(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_to_the_fen_or_not_at_all() {
        let table = [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("12", Some(1200)),
            ("12.5", Some(1250)),
            ("0.01", Some(1)),
            ("-0.06000", Some(-6)),
            ("0.29", Some(29)),
            ("1001.10000", Some(100_110)),
            ("92233720368547758.07", Some(i64::MAX)),
            ("92233720368547758.08", None),
            ("0.006", None),
            ("0.00600", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("1,000.00", None),
            ("1e3", None),
            ("+1", None),
            ("--1", None),
            ("１", None),
            ("¥1", None),
        ];
        for (text, fen) in table {
            assert_eq!(yuan(text), fen.map(Fen::new), "{text}");
        }
    }

    #[test]
    fn counts_and_times_are_read_strictly() {
        let counts = [("20", Some(20)), ("20.0", Some(20)), ("0", Some(0)), ("20.5", None), ("", None), ("-1", None)];
        for (text, expected) in counts {
            assert_eq!(count(text), expected, "{text}");
        }
        let times = [
            ("2026-11-24 00:00:05", Some(Micros::from_seconds(1_795_449_605))),
            ("2026-11-24T00:00:05", None),
            ("2026-11-31 00:00:05", None),
            ("2026-11-24", None),
            ("2026/11/24 00:00:05", None),
        ];
        for (text, expected) in times {
            assert_eq!(beijing(text), expected, "{text}");
        }
    }

    #[test]
    fn columns_are_found_by_name_and_commas_in_values_do_no_harm() {
        let columns = Columns::read("a,b（元）, c ", &["c", "b(元)"]).expect("columns");
        let cells = columns.cells("`1,2,`-0.50,` 3").expect("cells");
        assert_eq!((cells.text("a"), cells.text("c"), cells.text("d")), ("1,2", "3", ""));
        assert_eq!(cells.amount("b(元)"), Ok(Fen::new(-50)));
        for odd in ["1,`2,`3", "`1,`2", "`1,`2,`3,`4", ""] {
            assert!(columns.cells(odd).is_err(), "{odd}");
        }
        assert!(Columns::read("a,a", &[]).is_err());
        assert!(Columns::read("a,b", &["c"]).is_err());
    }
}
