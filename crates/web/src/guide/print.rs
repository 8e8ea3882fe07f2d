//! The guide outside the portal: as plain text and as one file for a browser.

use askama::Template;

use super::content::{Block, Guide};

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
