//! A document as XLSX: the same texts and tables, one below the other, on one sheet or on several. Amounts are numbers that can
//! be added up, moments are dates by which a person can sort; numbers of records and names are text, also when a person clicks
//! into the cell.

use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use ledger::Micros;
use rules::calendar::campus_time;

use super::{Block, Cell, Document, Table};

/// Why there is no workbook.
#[derive(Debug, thiserror::Error)]
#[error("the workbook cannot be written")]
pub struct WorkbookError(#[from] XlsxError);

/// The document as a workbook: one sheet, and one more for each [`Block::Sheet`].
///
/// Promise: the same document gives the same bytes; no clock is read. Nothing is ever a formula: a text that begins like one
/// is marked as text. Shape: a table with at most 1,048,576 rows and 16,384 columns; no two sheets of one
/// name. Errors: only if it cannot be built.
pub fn workbook(document: &Document) -> Result<Vec<u8>, WorkbookError> {
    let mut book = Workbook::new();
    // A file tells when it was made; this one would then never be the same twice.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    let about = DocProperties::new()
        .set_title(&document.title)
        .set_author(&document.school)
        .set_company(&document.school)
        .set_creation_datetime(&made);
    book.set_properties(&about);
    let looks = Looks::new();
    let begins = |block: &Block| matches!(block, Block::Sheet(_));
    let mut rest = document.blocks.as_slice();
    let (first, mut head) = (document.number.as_ref().unwrap_or(&document.title), Some(document));
    let mut name = sheet_name(first);
    loop {
        let until = rest.iter().position(begins).unwrap_or(rest.len());
        let (blocks, others) = rest.split_at_checked(until).unwrap_or((rest, &[]));
        sheet(book.add_worksheet(), &looks, &name, head.take(), blocks)?;
        let Some((Block::Sheet(next), others)) = others.split_first() else { break };
        (name, rest) = (sheet_name(next), others);
    }
    Ok(book.save_to_buffer()?)
}

/// One sheet; on the first stands what the document is about.
fn sheet(
    sheet: &mut Worksheet,
    looks: &Looks,
    name: &str,
    head: Option<&Document>,
    blocks: &[Block],
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_paper_size(9).set_landscape().set_print_fit_to_pages(1, 0);
    sheet.set_footer("&C&P / &N");
    let mut page = Page { sheet, looks, row: 0, widths: Vec::new() };
    match (head, blocks.first()) {
        (Some(document), _) => page.head(document)?,
        (None, Some(Block::Table(_))) => {
            page.sheet.set_freeze_panes(1, 0)?;
            page.sheet.set_repeat_rows(0, 0)?;
        }
        (None, _) => {}
    }
    for block in blocks {
        page.block(block)?;
    }
    let widths = page.widths;
    for (column, width) in (0_u16..).zip(widths) {
        sheet.set_column_width(column, u16::try_from(width.clamp(10, 48)).unwrap_or(48))?;
    }
    Ok(())
}

/// A text as far as a sheet's name goes.
fn sheet_name(name: &str) -> String {
    let name: String =
        name.chars().filter(|each| !"[]:*?/\\'".contains(*each) && !each.is_control()).take(31).collect();
    if name.is_empty() { "1".to_owned() } else { name }
}

struct Looks {
    title: Format,
    heading: Format,
    label: Format,
    text: Format,
    marked: Format,
    money: Format,
    moment: Format,
    head: Format,
    head_end: Format,
    sum: Format,
    sum_money: Format,
    note: Format,
}

impl Looks {
    fn new() -> Looks {
        let line = Format::new().set_num_format("@").set_align(FormatAlign::Top);
        let text = line.clone().set_text_wrap();
        let money = Format::new().set_num_format("#,##0.00;[Red]-#,##0.00").set_align(FormatAlign::Top);
        let head = line.clone().set_bold().set_background_color(Color::RGB(0x00E8_EEF4));
        Looks {
            title: line.clone().set_bold().set_font_size(16),
            heading: line.clone().set_bold().set_font_size(12),
            label: line.clone().set_font_color(Color::RGB(0x0059_5959)),
            marked: text.clone().set_quote_prefix(),
            head_end: head.clone().set_align(FormatAlign::Right),
            head,
            sum: text.clone().set_bold().set_border_top(FormatBorder::Thin),
            sum_money: money.clone().set_bold().set_border_top(FormatBorder::Thin),
            moment: Format::new()
                .set_num_format("yyyy-mm-dd hh:mm")
                .set_align(FormatAlign::Top)
                .set_align(FormatAlign::Left),
            note: line.clone().set_italic().set_font_color(Color::RGB(0x0059_5959)),
            money,
            text,
        }
    }
}

struct Page<'a> {
    sheet: &'a mut Worksheet,
    looks: &'a Looks,
    row: u32,
    /// What each column of a table wants, in characters of the usual width.
    widths: Vec<usize>,
}

impl Page<'_> {
    fn head(&mut self, document: &Document) -> Result<(), XlsxError> {
        let looks = self.looks;
        self.line(&document.school, &looks.label)?;
        self.line(&document.title, &looks.title)?;
        for (word, value) in &document.meta {
            self.sheet.write_string_with_format(self.row, 0, plain(word), &looks.label)?;
            self.text(1, value, &looks.text)?;
            self.row += 1;
        }
        Ok(())
    }

    fn line(&mut self, text: &str, look: &Format) -> Result<(), XlsxError> {
        for line in text.lines() {
            self.text(0, line, look)?;
            self.row += 1;
        }
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), XlsxError> {
        let looks = self.looks;
        match block {
            Block::Heading(text) | Block::Sheet(text) | Block::Subheading(text) => {
                self.row += 1;
                self.line(text, &looks.heading)
            }
            Block::Paragraph(text) => self.line(text, &looks.text),
            Block::Note(text) => self.line(text, &looks.note),
            Block::List { numbered, items } => {
                for (place, item) in (1..).zip(items) {
                    let mark = if *numbered { format!("{place}. ") } else { "• ".to_owned() };
                    self.line(&format!("{mark}{item}"), &looks.text)?;
                }
                Ok(())
            }
            Block::Table(table) => self.table(table),
        }
    }

    fn table(&mut self, table: &Table) -> Result<(), XlsxError> {
        let looks = self.looks;
        for (column, each) in (0_u16..).zip(&table.columns) {
            let look = match each.align {
                super::Align::Start => &looks.head,
                super::Align::End => &looks.head_end,
            };
            self.want(column, &each.heading);
            self.sheet.write_string_with_format(self.row, column, plain(&each.heading), look)?;
        }
        self.row += 1;
        for row in &table.rows {
            self.cells(table, row, (&looks.text, &looks.money))?;
        }
        if let Some(totals) = &table.totals {
            self.cells(table, totals, (&looks.sum, &looks.sum_money))?;
        }
        self.row += 1;
        Ok(())
    }

    fn cells(&mut self, table: &Table, row: &[Cell], (text, money): (&Format, &Format)) -> Result<(), XlsxError> {
        for (column, cell) in (0_u16..).zip(row.iter().take(table.columns.len())) {
            self.want(column, &cell.to_string());
            match cell {
                Cell::Empty => {
                    self.sheet.write_blank(self.row, column, text)?;
                }
                Cell::Text(words) => self.text(column, words, text)?,
                Cell::Moment(at, _) => {
                    self.sheet.write_datetime_with_format(self.row, column, moment(*at)?, &self.looks.moment)?;
                }
                Cell::Money(amount) => {
                    let digits = amount.to_string();
                    // A spreadsheet's number keeps fifteen digits: a longer amount stays text, to the last fen.
                    match digits.parse::<f64>() {
                        Ok(number) if digits.bytes().filter(u8::is_ascii_digit).count() <= 15 => {
                            self.sheet.write_number_with_format(self.row, column, number, money)?;
                        }
                        _ => self.text(column, &digits, text)?,
                    }
                }
            }
        }
        self.row += 1;
        Ok(())
    }

    fn text(&mut self, column: u16, text: &str, look: &Format) -> Result<(), XlsxError> {
        let marked;
        let look = if looks_like_a_formula(text) {
            marked = look.clone().merge(&self.looks.marked);
            &marked
        } else {
            look
        };
        self.sheet.write_string_with_format(self.row, column, plain(text), look)?;
        Ok(())
    }

    fn want(&mut self, column: u16, text: &str) {
        let wide = |line: &str| line.chars().map(|each| if each.is_ascii() { 1 } else { 2 }).sum::<usize>();
        let width = text.lines().map(wide).max().unwrap_or(0);
        let column = usize::from(column);
        if self.widths.len() <= column {
            self.widths.resize(column + 1, 0);
        }
        if let Some(known) = self.widths.get_mut(column) {
            *known = (*known).max(width + 2);
        }
    }
}

/// The moment as the campus's clocks show it: a spreadsheet's dates know no other.
fn moment(at: Micros) -> Result<ExcelDateTime, XlsxError> {
    let time = campus_time(at);
    ExcelDateTime::from_ymd(time.year, time.month, time.day)?.and_hms(time.hour.into(), time.minute, time.second)
}

/// What a spreadsheet would calculate if it were typed in, or pasted.
pub fn looks_like_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'])
}

/// A cell holds 32,767 characters, and of control characters only the one that begins a new line.
fn plain(text: &str) -> String {
    text.chars().filter(|each| *each == '\n' || !each.is_control()).take(32_767).collect()
}
