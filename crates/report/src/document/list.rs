//! A table as CSV for a spreadsheet: UTF-8 with a mark, lines that end with CR and LF, nothing that would be calculated.

use super::workbook::looks_like_a_formula;
use super::{Cell, Table};

/// The table as CSV, headings first; a totals row comes last.
///
/// Shape: amounts are yuan with two decimals and a plain minus sign. A text that begins like a formula gets an apostrophe in
/// front, so that it stays a text.
pub fn csv(table: &Table) -> Vec<u8> {
    let mut out = "\u{FEFF}".to_owned();
    line(&mut out, table.columns.iter().map(|column| text(&column.heading)));
    for row in table.rows.iter().chain(&table.totals) {
        line(&mut out, row.iter().take(table.columns.len()).map(field));
    }
    out.into_bytes()
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(words) | Cell::Moment(_, words) => text(words),
        Cell::Money(amount) => amount.to_string(),
    }
}

fn text(words: &str) -> String {
    let words: String = words.chars().map(|each| if each.is_control() { ' ' } else { each }).collect();
    if looks_like_a_formula(&words) { format!("'{words}") } else { words }
}

fn line(out: &mut String, fields: impl Iterator<Item = String>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            out.push(',');
        }
        if field.contains([',', '"', ';']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use ledger::Fen;

    use super::super::Column;
    use super::*;

    #[test]
    fn a_list_opens_in_a_spreadsheet_as_it_is_and_calculates_nothing() {
        let table = Table {
            columns: vec![Column::text("名称"), Column::money("Amount")],
            rows: vec![
                vec!["𠮷, \"best\"".to_owned().into(), Fen::new(-123_450).into()],
                vec!["=HYPERLINK(\"x\")".to_owned().into(), Cell::Empty],
                vec!["a\r\nb".to_owned().into(), Fen::new(5).into()],
                vec!["0012".to_owned().into(), Fen::ZERO.into(), "too many".to_owned().into()],
            ],
            totals: None,
        };
        let expected = "\u{FEFF}名称,Amount\r\n\"𠮷, \"\"best\"\"\",-1234.50\r\n\"'=HYPERLINK(\"\"x\"\")\",\r\na  b,0.05\r\n0012,0.00\r\n";
        assert_eq!(String::from_utf8(csv(&table)).unwrap(), expected);
        for text in ["+1", "-1", "@x", "＝1"] {
            assert!(
                String::from_utf8(csv(&Table { rows: vec![vec![text.to_owned().into()]], ..table.clone() }))
                    .unwrap()
                    .contains(&format!("'{text}"))
            );
        }
    }
}
