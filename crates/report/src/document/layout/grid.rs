//! Tables: how wide the columns are, and where the rows stand. The headings come again on each page.

use super::{BOTTOM, LEFT, Piece, RIGHT, Sheet, Style, TOP, base};
use crate::document::{Align, Cell, Column, Table};

const HEADER: Style = Style { size: 8_500, leading: 13_000, grey: 0, strong: true };
const CELL: Style = Style { size: 9_000, leading: 13_500, grey: 0, strong: false };
const SUM: Style = Style { size: 9_000, leading: 13_500, grey: 0, strong: true };

/// Free room at each side of a cell.
const SIDE: i32 = 4_000;
/// Free room above and below a row.
const EDGE: i32 = 3_500;
/// No column is narrower, free room included.
const LEAST: i32 = 24_000;
/// What a long text wants at most.
const LONGEST: i32 = (RIGHT - LEFT) / 2;
const GROUND: u8 = 232;
const RULE: u8 = 190;

/// So many rows stay with the totals and with the remarks below a table: neither ever has a page of its own.
const COMPANY: usize = 2;
/// Free room below a table.
const BELOW: i32 = 8_000;

/// Puts the table on the sheet; what stands `below` it is so high and goes to the page of its last rows.
pub(super) fn place(sheet: &mut Sheet<'_>, table: &Table, below: i32) {
    let widths = widths(sheet, table);
    let grid = Grid { columns: &table.columns, widths: &widths };
    let header: Vec<String> = table.columns.iter().map(|column| column.heading.clone()).collect();
    sheet.gap(2_000);
    let first = table.rows.first().map_or(0, |row| grid.height(sheet, &texts(row), CELL));
    sheet.room(grid.height(sheet, &header, HEADER) + first);
    grid.row(sheet, &header, HEADER, None);
    let rows = table.rows.iter().map(|row| (texts(row), CELL));
    let rows: Vec<(Vec<String>, Style)> = rows.chain(table.totals.iter().map(|row| (texts(row), SUM))).collect();
    // The first row has just been given its room.
    let last = rows.len().saturating_sub(COMPANY + table.totals.iter().len()).max(1);
    for (place, (row, style)) in rows.iter().enumerate() {
        if place == last {
            let heights = rows.iter().skip(last).map(|(row, style)| grid.height(sheet, row, *style));
            grid.keep(sheet, heights.fold(BELOW.saturating_add(below), i32::saturating_add), &header);
        }
        grid.row(sheet, row, *style, Some(&header));
    }
    sheet.y += BELOW;
}

fn texts(row: &[Cell]) -> Vec<String> {
    row.iter().map(Cell::to_string).collect()
}

struct Grid<'a> {
    columns: &'a [Column],
    widths: &'a [i32],
}

impl Grid<'_> {
    /// Lines of each cell.
    fn cells(&self, sheet: &Sheet<'_>, row: &[String], style: Style) -> Vec<Vec<String>> {
        let empty = String::new();
        let texts = row.iter().chain(std::iter::repeat(&empty));
        self.widths.iter().zip(texts).map(|(width, text)| sheet.lines(text, width - 2 * SIDE, style)).collect()
    }

    fn height(&self, sheet: &Sheet<'_>, row: &[String], style: Style) -> i32 {
        self.cells(sheet, row, style).iter().map(|lines| tall(lines.len(), style)).max().unwrap_or(0)
    }

    /// A new page unless so much fits on this one; none for what fits on no page.
    fn keep(&self, sheet: &mut Sheet<'_>, height: i32, header: &[String]) {
        let fresh = TOP + self.height(sheet, header, HEADER);
        if sheet.y.saturating_add(height) > BOTTOM && fresh.saturating_add(height) <= BOTTOM {
            sheet.turn();
            self.row(sheet, header, HEADER, None);
        }
    }

    /// One row; one that is taller than what is left goes to the next page, and over several if it is taller than a page.
    fn row(&self, sheet: &mut Sheet<'_>, row: &[String], style: Style, header: Option<&[String]>) {
        let cells = self.cells(sheet, row, style);
        let most = cells.iter().map(Vec::len).max().unwrap_or(0);
        let mut done = 0;
        while done < most {
            let left = usize::try_from((BOTTOM - sheet.y - 2 * EDGE) / style.leading).unwrap_or(0);
            let fresh = sheet.y <= TOP + header.map_or(0, |header| self.height(sheet, header, HEADER));
            if left < most - done && !fresh {
                sheet.turn();
                if let Some(header) = header {
                    self.row(sheet, header, HEADER, None);
                }
                continue;
            }
            let now = (most - done).min(left.max(1));
            self.part(sheet, &cells, style, done..done + now);
            done += now;
        }
    }

    fn part(&self, sheet: &mut Sheet<'_>, cells: &[Vec<String>], style: Style, part: std::ops::Range<usize>) {
        let (top, height) = (sheet.y, tall(part.len(), style));
        let width = self.widths.iter().sum();
        if style == HEADER {
            sheet.put(Piece::Area { x: LEFT, y: top, width, height, grey: GROUND });
        }
        if style == SUM {
            sheet.put(Piece::Area { x: LEFT, y: top, width, height: 1_000, grey: 0 });
        }
        let mut x = LEFT;
        for ((column, width), lines) in self.columns.iter().zip(self.widths).zip(cells) {
            let mut y = top + EDGE;
            for line in lines.get(part.start..part.end.min(lines.len())).unwrap_or_default() {
                let from = match column.align {
                    Align::Start => x + SIDE,
                    Align::End => x + width - SIDE - sheet.metrics.width(line, style.size),
                };
                if !line.is_empty() {
                    sheet.put(Piece::Text { x: from, y: y + base(style), style, text: line.clone() });
                }
                y += style.leading;
            }
            x += width;
        }
        sheet.y += height;
        sheet.put(Piece::Area { x: LEFT, y: sheet.y, width, height: 400, grey: RULE });
    }
}

fn tall(lines: usize, style: Style) -> i32 {
    i32::try_from(lines).unwrap_or(i32::MAX).saturating_mul(style.leading).saturating_add(2 * EDGE)
}

/// Widths that fill the page. When every cell fits in one line, all columns share what is left. Else columns in one piece get
/// what their longest cell needs, the others share the rest by what they would need in one line; and when not even the former
/// fit, all of them give way.
fn widths(sheet: &Sheet<'_>, table: &Table) -> Vec<i32> {
    let room = RIGHT - LEFT;
    let wanted: Vec<i32> = (0..table.columns.len()).map(|place| wanted(sheet, table, place)).collect();
    let whole: i32 = sum(wanted.iter().copied());
    let wraps = |place: usize| table.columns.get(place).is_some_and(|column| column.wraps);
    let solid = sum(wanted.iter().enumerate().filter(|(place, _)| !wraps(*place)).map(|(_, width)| *width));
    let flexible = whole - solid;
    let least = sum(wanted.iter().enumerate().filter(|(place, _)| wraps(*place)).map(|_| LEAST));
    let in_lines = wanted.iter().enumerate().all(|(place, width)| !wraps(place) || *width < LONGEST);
    let mut widths: Vec<i32> = if flexible > 0 && solid + least <= room && !(whole <= room && in_lines) {
        let shared = |place, width| if wraps(place) { share(room - solid, width, flexible).max(LEAST) } else { width };
        wanted.iter().enumerate().map(|(place, width)| shared(place, *width)).collect()
    } else {
        wanted.iter().map(|width| share(room, *width, whole)).collect()
    };
    // What rounding and least widths left over or took too much is the widest column's.
    let rest = room - sum(widths.iter().copied());
    if let Some(widest) = widths.iter_mut().max_by_key(|width| **width) {
        *widest += rest;
    }
    widths
}

/// What a column needs to have its cells in one line; of its heading, the longest word. A long text wants no more than half
/// of the page.
fn wanted(sheet: &Sheet<'_>, table: &Table, place: usize) -> i32 {
    let Some(column) = table.columns.get(place) else { return 0 };
    let cells = table.rows.iter().map(|row| (row, CELL)).chain(table.totals.iter().map(|row| (row, SUM)));
    let cells = cells.filter_map(|(row, style)| Some((row.get(place)?.to_string(), style.size)));
    let words = column.heading.split(' ').map(|word| (word.to_owned(), HEADER.size));
    let widest = cells.chain(words).map(|(text, size)| sheet.metrics.width(&text, size)).max().unwrap_or(0);
    let most = if column.wraps { LONGEST } else { RIGHT - LEFT };
    // Thick strokes and rounding take a little.
    (widest + 2 * SIDE + 500).clamp(LEAST, most)
}

fn share(room: i32, part: i32, whole: i32) -> i32 {
    let share = i64::from(room) * i64::from(part) / i64::from(whole.max(1));
    i32::try_from(share).unwrap_or(room)
}

fn sum(widths: impl Iterator<Item = i32>) -> i32 {
    widths.fold(0, i32::saturating_add)
}
