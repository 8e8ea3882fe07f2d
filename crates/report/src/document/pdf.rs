//! A document as PDF: A4, its font embedded as far as it is used, its text found and copied by readers.

use std::collections::BTreeSet;

use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::{GlyphId, KrillaGlyph};

use super::Document;
use super::layout::{HEIGHT, Piece, Style, WIDTH, pages};
use super::typeface::{Metrics, Typeface};

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The font's tables cannot be read.
    #[error("the font's tables cannot be read")]
    Font,
    /// The file cannot be put together.
    #[error("the PDF cannot be put together: {0}")]
    Build(String),
}

/// The document as PDF.
///
/// Promise: the same document in the same font gives the same bytes; no clock is read. A character that the font does not
/// have stands as a box, and its code point is logged. It takes some milliseconds a page: not for an executor's thread.
/// Errors: `Font`, `Build`.
pub fn pdf(document: &Document, typeface: &Typeface) -> Result<Vec<u8>, PdfError> {
    let metrics = typeface.metrics().ok_or(PdfError::Font)?;
    let mut out = krilla::Document::new();
    let mut missing = BTreeSet::new();
    for pieces in pages(document, &metrics) {
        let size = PageSettings::from_wh(points(WIDTH), points(HEIGHT));
        let mut page = out.start_page_with(size.ok_or_else(|| PdfError::Build("no page size".to_owned()))?);
        let mut surface = page.surface();
        for piece in &pieces {
            draw(&mut surface, piece, typeface, &metrics, &mut missing);
        }
        surface.finish();
        page.finish();
    }
    if !missing.is_empty() {
        let points: Vec<String> = missing.iter().map(|each| format!("U+{:04X}", u32::from(*each))).collect();
        tracing::warn!(
            missing = points.join(" "),
            "the font has no shape for characters of a document; boxes stand there"
        );
    }
    let mut about = Metadata::new()
        .title(document.title.clone())
        .language(document.language.clone())
        .authors(vec![document.school.clone()])
        .creator("onecard".to_owned());
    if let Some(number) = &document.number {
        about = about.document_id(number.clone());
    }
    out.set_metadata(about);
    out.finish().map_err(|fault| PdfError::Build(format!("{fault:?}")))
}

fn draw(
    surface: &mut Surface<'_>,
    piece: &Piece,
    typeface: &Typeface,
    metrics: &Metrics<'_>,
    missing: &mut BTreeSet<char>,
) {
    match piece {
        Piece::Text { x, y, style, text } => {
            ink(surface, *style);
            let mut glyphs = Vec::with_capacity(text.len());
            for (at, each) in text.char_indices() {
                let glyph = metrics.glyph(each).unwrap_or_else(|| {
                    missing.insert(each);
                    GlyphId::new(0)
                });
                glyphs.push(KrillaGlyph {
                    glyph_id: glyph,
                    text_range: at..at + each.len_utf8(),
                    x_advance: ratio(metrics.advance(each), metrics.units()),
                    x_offset: 0.0,
                    y_offset: 0.0,
                    y_advance: 0.0,
                    location: None,
                });
            }
            let start = Point::from_xy(points(*x), points(*y));
            surface.draw_glyphs(start, &glyphs, typeface.font.clone(), text, points(style.size), false);
        }
        Piece::Area { x, y, width, height, grey } => {
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*grey)));
            let mut path = PathBuilder::new();
            if let Some(area) = Rect::from_xywh(points(*x), points(*y), points(*width), points(*height)) {
                path.push_rect(area);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}

/// One file of a font holds one weight: headings are drawn with their outlines.
fn ink(surface: &mut Surface<'_>, style: Style) {
    surface.set_fill(Some(fill(style.grey)));
    let stroke =
        Stroke { paint: luma::Color::new(style.grey).into(), width: points(style.size / 48), ..Stroke::default() };
    surface.set_stroke(style.strong.then_some(stroke));
}

fn fill(grey: u8) -> Fill {
    Fill { paint: luma::Color::new(grey).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

/// Thousandths of a point as the library has them.
#[expect(
    clippy::float_arithmetic,
    reason = "the library draws in floats; everything is decided in whole numbers before"
)]
fn points(thousandths: i32) -> f32 {
    thousandths as f32 / 1000.0
}

#[expect(clippy::float_arithmetic, reason = "the library takes widths as parts of the font's size")]
fn ratio(part: u16, whole: u16) -> f32 {
    f32::from(part) / f32::from(whole)
}
