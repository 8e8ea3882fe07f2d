//! Where everything of a document stands on its pages. Whole numbers only: thousandths of a point, from the upper left corner.

use super::lines::broken;
use super::typeface::Metrics;
use super::{Block, Document};

mod grid;

/// A4.
pub(super) const WIDTH: i32 = 595_276;
/// A4.
pub(super) const HEIGHT: i32 = 841_890;

const LEFT: i32 = 51_000;
const RIGHT: i32 = WIDTH - LEFT;
const TOP: i32 = 56_000;
const BOTTOM: i32 = HEIGHT - 62_000;
const FOOT: i32 = HEIGHT - 36_000;
const HEAD: i32 = 36_000;

/// Text of a kind: size, from line to line, how dark, whether its strokes are thicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) size: i32,
    leading: i32,
    /// 0 is black.
    pub(super) grey: u8,
    pub(super) strong: bool,
}

const SCHOOL: Style = Style { size: 10_000, leading: 15_000, grey: 89, strong: false };
const TITLE: Style = Style { size: 18_000, leading: 26_000, grey: 0, strong: true };
const HEADING: Style = Style { size: 13_000, leading: 20_000, grey: 0, strong: true };
const SUBHEADING: Style = Style { size: 11_000, leading: 17_000, grey: 0, strong: true };
const BODY: Style = Style { size: 10_000, leading: 16_000, grey: 0, strong: false };
const NOTE: Style = Style { size: 8_500, leading: 13_500, grey: 70, strong: false };
const LABEL: Style = Style { size: 9_000, leading: 15_000, grey: 89, strong: false };
const VALUE: Style = Style { size: 9_000, leading: 15_000, grey: 0, strong: false };
const MARGIN: Style = Style { size: 8_000, leading: 12_000, grey: 89, strong: false };

/// What a heading wants below it on its page: it never stands alone at the end of one.
const COMPANY: i32 = 60_000;

/// Something on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line of text; `y` is the line that its letters stand on.
    Text { x: i32, y: i32, style: Style, text: String },
    /// A filled rectangle: a rule, or the ground of a row.
    Area { x: i32, y: i32, width: i32, height: i32, grey: u8 },
}

/// The pages of `document`, each with everything on it. Never none.
pub(super) fn pages(document: &Document, metrics: &Metrics<'_>) -> Vec<Vec<Piece>> {
    let mut sheet = Sheet { metrics, pages: vec![Vec::new()], y: TOP };
    sheet.head(document);
    for (place, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Table(table) => {
                let notes = document.blocks.iter().skip(place + 1).map_while(Block::note);
                let below = notes.map(|text| sheet.note(text)).fold(0, i32::saturating_add);
                grid::place(&mut sheet, table, below);
            }
            other => sheet.block(other),
        }
    }
    sheet.margins(document);
    sheet.pages
}

/// Pages being filled, and how far the last one is.
struct Sheet<'a> {
    metrics: &'a Metrics<'a>,
    pages: Vec<Vec<Piece>>,
    y: i32,
}

impl Sheet<'_> {
    fn put(&mut self, piece: Piece) {
        if let Some(page) = self.pages.last_mut() {
            page.push(piece);
        }
    }

    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// A new page unless so much fits on this one.
    fn room(&mut self, height: i32) {
        if self.y + height > BOTTOM && self.y > TOP {
            self.turn();
        }
    }

    fn gap(&mut self, height: i32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    fn lines(&self, text: &str, width: i32, style: Style) -> Vec<String> {
        broken(text, width, &|each| self.metrics.width_of(each, style.size))
    }

    /// One line whose upper edge is at `y`.
    fn line(&mut self, x: i32, y: i32, style: Style, text: String) {
        if !text.is_empty() {
            self.put(Piece::Text { x, y: y + base(style), style, text });
        }
    }

    /// Running text, over as many pages as it needs.
    fn text(&mut self, x: i32, style: Style, text: &str) {
        for line in self.lines(text, RIGHT - x, style) {
            self.room(style.leading);
            let y = self.y;
            self.line(x, y, style, line);
            self.y += style.leading;
        }
    }

    fn head(&mut self, document: &Document) {
        self.text(LEFT, SCHOOL, &document.school);
        self.text(LEFT, TITLE, &document.title);
        self.y += 4_000;
        self.put(Piece::Area { x: LEFT, y: self.y, width: RIGHT - LEFT, height: 1_000, grey: 0 });
        self.y += 8_000;
        self.meta(&document.meta);
        self.y += 6_000;
    }

    /// Two pairs side by side; a pair whose value is long has a line of its own.
    fn meta(&mut self, pairs: &[(String, String)]) {
        const BETWEEN: i32 = 10_000;
        let half = (RIGHT - LEFT - 20_000) / 2;
        let label =
            pairs.iter().map(|(label, _)| self.metrics.width(label, LABEL.size)).max().unwrap_or(0).min(half / 2);
        let wide = |sheet: &Self, value: &str| sheet.metrics.width(value, VALUE.size) > half - label - BETWEEN;
        let mut at = 0;
        while let Some((first, value)) = pairs.get(at) {
            let beside = pairs.get(at + 1).filter(|(_, next)| !wide(self, value) && !wide(self, next));
            let room = if beside.is_some() { half } else { RIGHT - LEFT };
            let left = self.pair(LEFT, label, room - label - BETWEEN, first, value);
            let right = match beside {
                Some((word, value)) => self.pair(LEFT + half + 20_000, label, half - label - BETWEEN, word, value),
                None => 0,
            };
            self.y += left.max(right);
            at += if beside.is_some() { 2 } else { 1 };
        }
    }

    fn pair(&mut self, x: i32, label: i32, width: i32, word: &str, value: &str) -> i32 {
        let mut height = 0;
        for (x, width, style, text) in [(x, label, LABEL, word), (x + label + 10_000, width, VALUE, value)] {
            let lines = self.lines(text, width, style);
            let mut y = self.y;
            for line in lines {
                self.line(x, y, style, line);
                y += style.leading;
            }
            height = height.max(y - self.y);
        }
        height
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(text) | Block::Sheet(text) => self.heading(HEADING, 12_000, text),
            Block::Subheading(text) => self.heading(SUBHEADING, 8_000, text),
            Block::Paragraph(text) => {
                self.text(LEFT, BODY, text);
                self.y += 5_000;
            }
            Block::Note(text) => {
                self.gap(3_000);
                self.text(LEFT, NOTE, text);
                self.y += 3_000;
            }
            Block::List { numbered, items } => {
                for (place, item) in (1..).zip(items) {
                    self.room(BODY.leading);
                    let mark: String = if *numbered { format!("{place}.") } else { "•".to_owned() };
                    let y = self.y;
                    self.line(LEFT + 4_000, y, BODY, mark);
                    self.text(LEFT + 22_000, BODY, item);
                    self.y += 2_000;
                }
                self.y += 3_000;
            }
            Block::Table(table) => grid::place(self, table, 0),
        }
    }

    /// What a note takes of a page.
    fn note(&self, text: &str) -> i32 {
        let lines = self.lines(text, RIGHT - LEFT, NOTE).len();
        i32::try_from(lines).unwrap_or(i32::MAX).saturating_mul(NOTE.leading).saturating_add(6_000)
    }

    fn heading(&mut self, style: Style, above: i32, text: &str) {
        self.gap(above);
        self.room(style.leading + COMPANY);
        self.text(LEFT, style, text);
        self.y += 4_000;
    }

    /// Number of the page at the foot; title and number of the document, from the second page on at the head.
    fn margins(&mut self, document: &Document) {
        let count = self.pages.len();
        let number = document.number.clone().unwrap_or_default();
        for (place, page) in self.pages.iter_mut().enumerate() {
            let mut put = |x, y, text: String| page.push(Piece::Text { x, y, style: MARGIN, text });
            let end = |text: &str| RIGHT - self.metrics.width(text, MARGIN.size);
            let pages = format!("{} / {count}", place + 1);
            put(end(&pages), FOOT, pages);
            let left = if number.is_empty() { &document.school } else { &number };
            put(LEFT, FOOT, self.metrics.fitted(left, MARGIN.size, RIGHT - LEFT - 60_000));
            if place > 0 {
                put(LEFT, HEAD, self.metrics.fitted(&document.title, MARGIN.size, RIGHT - LEFT));
            }
        }
    }
}

/// From the upper edge of a line to where its letters stand.
const fn base(style: Style) -> i32 {
    (style.leading - style.size) / 2 + style.size * 88 / 100
}

#[cfg(test)]
mod tests {
    use ledger::Fen;

    use super::super::typeface::{TypefaceError, Typefaces};
    use super::super::{Cell, Column, Table};
    use super::*;

    #[test]
    fn columns_that_need_little_share_the_width_of_the_page() {
        let typefaces = Typefaces::default();
        let metrics = match typefaces.get() {
            Ok(face) => face.metrics().expect("a good font"),
            Err(TypefaceError::NotFound) => return eprintln!("no font with Chinese characters on this machine"),
            Err(fault) => panic!("{fault}"),
        };
        let row = |name: &str| {
            let amounts = [0, 123_456, 5_000, 118_456].map(|fen| Cell::Money(Fen::new(fen)));
            std::iter::once(Cell::Text(name.to_owned())).chain(amounts).collect::<Vec<Cell>>()
        };
        let amounts = ["期初余额", "收入", "支出", "期末余额"].map(Column::money);
        let table = Table {
            columns: std::iter::once(Column::text("位置")).chain(amounts).collect(),
            rows: vec![row("账户余额"), row("卡内余额")],
            totals: Some(row("合计")),
        };
        let document = Document { blocks: vec![Block::Table(table)], ..Document::default() };
        let pages = pages(&document, &metrics);
        let starts: Vec<i32> = pages
            .concat()
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text { x, text, .. }
                    if ["位置", "期初余额", "收入", "支出", "期末余额"].contains(&text.as_str()) =>
                {
                    Some(*x)
                }
                _ => None,
            })
            .collect();
        assert_eq!(starts.len(), 5);
        let gaps: Vec<i32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap > (RIGHT - LEFT) / 8 && *gap < (RIGHT - LEFT) * 2 / 5), "{gaps:?}");
    }
}
