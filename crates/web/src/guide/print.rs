//! The guide outside the portal: as a document to keep, as plain text and as one file for a browser.

use askama::Template;
use report::document::{self, Cell, Column, Document, Table};

use super::content::{Block, Guide};

/// The guide as a document, for paper and PDF.
pub fn document(guide: &Guide) -> Document {
    let mut blocks = vec![document::Block::Paragraph(guide.lead.clone())];
    for (number, chapter) in (1..).zip(&guide.chapters) {
        blocks.push(document::Block::Heading(format!("{number}. {}", chapter.title)));
        blocks.extend(chapter.blocks.iter().map(block));
    }
    Document {
        language: guide.language.tag().to_owned(),
        school: guide.school.clone(),
        title: guide.title.clone(),
        number: None,
        meta: Vec::new(),
        blocks,
    }
}

fn block(block: &Block) -> document::Block {
    let cells = |cells: &[String]| cells.iter().cloned().map(Cell::Text).collect::<Vec<_>>();
    match block {
        Block::Heading(text) => document::Block::Subheading(text.clone()),
        Block::Text(text) | Block::Note(text) => document::Block::Paragraph(text.clone()),
        Block::Steps(items) => document::Block::List { numbered: true, items: items.clone() },
        Block::Points(items) => document::Block::List { numbered: false, items: items.clone() },
        Block::Pairs(pairs) => document::Block::Table(Table {
            columns: vec![Column::mark(""), Column::text("")],
            rows: pairs.iter().map(|(name, value)| cells(&[name.clone(), value.clone()])).collect(),
            totals: None,
        }),
        Block::Table { head, rows } => document::Block::Table(Table {
            columns: head.iter().map(Column::text).collect(),
            rows: rows.iter().map(|row| cells(row)).collect(),
            totals: None,
        }),
    }
}

/// The guide as text for a terminal or a mail.
pub fn text(guide: &Guide) -> String {
    let mut out = format!("{}\n{}\n\n{}\n", guide.school, guide.title, guide.lead);
    for (number, chapter) in (1..).zip(&guide.chapters) {
        out.push_str(&format!("\n{number}. {}\n", chapter.title));
        for block in &chapter.blocks {
            out.push('\n');
            out.push_str(&block_text(block));
        }
    }
    out
}

fn block_text(block: &Block) -> String {
    let lines = |lines: Vec<String>| lines.into_iter().map(|line| line + "\n").collect::<String>();
    match block {
        Block::Heading(text) => format!("[{text}]\n"),
        Block::Text(text) => format!("{text}\n"),
        Block::Note(text) => format!("! {text}\n"),
        Block::Steps(steps) => {
            lines((1..).zip(steps).map(|(number, step): (usize, _)| format!("  {number}) {step}")).collect())
        }
        Block::Points(points) => lines(points.iter().map(|point| format!("  - {point}")).collect()),
        Block::Pairs(pairs) => lines(pairs.iter().map(|(name, value)| format!("  {name}: {value}")).collect()),
        Block::Table { head, rows } => {
            let row = |cells: &Vec<String>| format!("  {}", cells.join(" | "));
            lines([head].into_iter().chain(rows).map(row).collect())
        }
    }
}

#[derive(Template)]
#[template(path = "guide_file.html")]
struct FilePage<'a> {
    guide: &'a Guide,
}

/// The guide as one HTML file that needs no other.
///
/// Errors: the template could not be filled in.
pub fn html(guide: &Guide) -> Result<String, askama::Error> {
    FilePage { guide }.render()
}
