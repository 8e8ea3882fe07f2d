//! A statement on paper and in a spreadsheet.

use flows::monthly::Monthly;
use flows::people::Named;
use ledger::{Fen, Micros};
use report::document::{Block, Cell, Column, Document, Table};
use rules::statement::Sums;

use super::{happened, hex, period, place_text, route, running, title};
use crate::text::Language;

/// The statement on paper, in the reader's language. It is the holder's own: the name stands in full.
pub(super) fn pages(found: &Monthly, who: &Named, school: &str, language: Language) -> Document {
    let mut document = document(found, who, school, language);
    document.blocks.push(Block::Heading(language.t("statement-movements-book").to_string()));
    document.blocks.push(match found.statement.entries.is_empty() {
        true => Block::Paragraph(language.t("statement-none").to_string()),
        false => Block::Table(movements(found, language)),
    });
    document.blocks.extend(notes(found, language));
    document
}

/// The same for a spreadsheet: the movements have a sheet of their own, on which each cell says one thing.
pub(super) fn sheets(found: &Monthly, who: &Named, school: &str, language: Language) -> Document {
    let mut document = document(found, who, school, language);
    document.blocks.extend(notes(found, language));
    if !found.statement.entries.is_empty() {
        document.blocks.push(Block::Sheet(language.t("statement-movements-book").to_string()));
        document.blocks.push(Block::Table(journal(found, language)));
    }
    document
}

/// What both begin with: whose it is, and the sums.
fn document(found: &Monthly, who: &Named, school: &str, language: Language) -> Document {
    let t = |key: &'static str| language.t(key).to_string();
    let mut meta = vec![
        (t("statement-number"), found.number.clone()),
        (t("statement-period"), period(found, language)),
        (t("statement-name"), who.name.expose_for("the holder's own statement").clone()),
        (t("statement-holder-number"), who.number.clone()),
    ];
    if !who.department.is_empty() {
        meta.push((t("statement-department"), who.department.clone()));
    }
    let mut blocks = Vec::new();
    blocks.extend(running(found, language).map(|says| Block::Note(says.to_string())));
    blocks.extend([Block::Heading(t("statement-sums")), Block::Table(sums(found, language))]);
    Document {
        language: language.tag().to_owned(),
        school: school.to_owned(),
        title: language.t("statement-title").with("month", language.month(found.month)).to_string(),
        number: Some(found.number.clone()),
        meta,
        blocks,
    }
}

fn notes(found: &Monthly, language: Language) -> [Block; 2] {
    let hash = language.t("statement-hash-says").with("hash", hex(&found.hash));
    [Block::Note(language.t("statement-says").to_string()), Block::Note(hash.to_string())]
}

/// The places, and all of it as the last row.
fn sums(found: &Monthly, language: Language) -> Table {
    let t = |key: &'static str| language.t(key).to_string();
    let row = |name: String, sums: &Sums| {
        let amounts = [sums.opening, sums.incoming, sums.outgoing, sums.closing];
        std::iter::once(Cell::Text(name)).chain(amounts.map(Cell::Money)).collect::<Vec<Cell>>()
    };
    let amounts = ["statement-opening", "statement-in", "statement-out", "statement-closing"];
    let places = found.statement.places.iter().map(|(place, sums)| row(place_text(*place, language).to_string(), sums));
    Table {
        columns: std::iter::once(Column::text(t("statement-place")))
            .chain(amounts.map(|key| Column::money(t(key))))
            .collect(),
        rows: places.collect(),
        totals: Some(row(t("statement-total"), &found.statement.total)),
    }
}

/// Every movement, oldest first, and what came and went in all.
fn movements(found: &Monthly, language: Language) -> Table {
    let t = |key: &'static str| language.t(key).to_string();
    let rows = found.statement.entries.iter().map(|entry| {
        let change = entry.change();
        let mut what = title(found, entry, language);
        if change == Fen::ZERO {
            what = format!("{what} {}", Cell::Money(entry.amount));
        }
        what = format!("{what}\n{}", route(entry, language));
        if let Some(happened) = happened(entry, language) {
            what = format!("{what}\n{happened}");
        }
        vec![
            moment(entry.recorded_at, language),
            Cell::Text(what),
            Cell::Text(entry.record().unwrap_or_else(|| entry.booking())),
            if change > Fen::ZERO { Cell::Money(change) } else { Cell::Empty },
            if change < Fen::ZERO { Cell::Money(entry.amount) } else { Cell::Empty },
            Cell::Money(entry.balance),
        ]
    });
    let total = &found.statement.total;
    Table {
        columns: vec![
            Column::mark(t("statement-at")),
            Column::text(t("statement-what")),
            Column::mark(t("statement-record")),
            Column::money(t("statement-in")),
            Column::money(t("statement-out")),
            Column::money(t("statement-balance")),
        ],
        rows: rows.collect(),
        totals: Some(vec![
            Cell::Text(t("statement-total")),
            Cell::Empty,
            Cell::Empty,
            Cell::Money(total.incoming),
            Cell::Money(total.outgoing),
            Cell::Money(total.closing),
        ]),
    }
}

fn moment(at: Micros, language: Language) -> Cell {
    Cell::Moment(at, language.moment(at))
}

/// The same rows, with a column for each thing that can be sorted, filtered or added up.
fn journal(found: &Monthly, language: Language) -> Table {
    let t = |key: &'static str| language.t(key).to_string();
    let rows = found.statement.entries.iter().map(|entry| {
        let change = entry.change();
        let amount = |counts: bool| if counts { Cell::Money(entry.amount) } else { Cell::Empty };
        vec![
            moment(entry.recorded_at, language),
            moment(entry.effective_at, language),
            Cell::Text(title(found, entry, language)),
            Cell::Text(route(entry, language)),
            Cell::Text(entry.record().unwrap_or_else(|| entry.booking())),
            amount(change > Fen::ZERO),
            amount(change < Fen::ZERO),
            amount(change == Fen::ZERO),
            Cell::Money(entry.balance),
        ]
    });
    let texts = ["statement-what", "statement-place", "statement-record"];
    let amounts = ["statement-in", "statement-out", "statement-way-moved", "statement-balance"];
    let total = &found.statement.total;
    let mut totals = vec![Cell::Text(t("statement-total")), Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty];
    totals.extend([Cell::Money(total.incoming), Cell::Money(total.outgoing), Cell::Empty, Cell::Money(total.closing)]);
    Table {
        columns: ["statement-at", "statement-effective"]
            .map(|key| Column::mark(t(key)))
            .into_iter()
            .chain(texts.map(|key| Column::text(t(key))))
            .chain(amounts.map(|key| Column::money(t(key))))
            .collect(),
        rows: rows.collect(),
        totals: Some(totals),
    }
}
