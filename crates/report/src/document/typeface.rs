//! The font that documents are set in: one file of the machine's, read once and shared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use krilla::text::{Font, GlyphId};
use skrifa::raw::TableProvider;
use skrifa::string::StringId;
use skrifa::{FontRef, MetadataProvider};

/// Where systems keep a font with the Han characters of the mainland, the best first.
const USUAL: [&str; 9] = [
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/source-han-sans/SourceHanSansSC-Regular.otf",
    "/usr/local/share/fonts/NotoSansCJK-Regular.ttc",
    "/usr/local/share/fonts/NotoSansSC-Regular.otf",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
];

/// Largest file that is read as a font: those with all Han characters have about 20 MB.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Why there is no font. Documents can then be read as pages, not as PDF.
#[derive(Debug, thiserror::Error)]
pub enum TypefaceError {
    /// None is named and none was found.
    #[error(
        "no font with Chinese characters was found: install fonts-noto-cjk, or name a font file as `font` in [report]"
    )]
    NotFound,
    /// The named file cannot be read.
    #[error("the font {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no font that a PDF can hold.
    #[error("{} is no OpenType font (.otf, .ttf, .ttc)", path.display())]
    NotAFont {
        /// The file.
        path: PathBuf,
    },
}

/// The font of the machine, read when the first document wants it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Typefaces(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    named: Option<PathBuf>,
    read: OnceLock<Typeface>,
    reading: Mutex<()>,
}

impl Typefaces {
    /// The font in this file, else the best of the usual places. Nothing is read yet.
    pub fn new(named: Option<PathBuf>) -> Typefaces {
        Typefaces(Arc::new(Inner { named, ..Inner::default() }))
    }

    /// The font; read now if it is the first time. A font that is installed later is found by the next call.
    ///
    /// It reads a file of 20 MB the first time: not for an executor's thread. Errors: [`TypefaceError`].
    pub fn get(&self) -> Result<&Typeface, TypefaceError> {
        let inner = &*self.0;
        if let Some(read) = inner.read.get() {
            return Ok(read);
        }
        let _one = inner.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = inner.read.get() {
            return Ok(read);
        }
        let path = match &inner.named {
            Some(named) => named.clone(),
            None => USUAL.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or(TypefaceError::NotFound)?,
        };
        let read = Typeface::read(&path)?;
        Ok(inner.read.get_or_init(|| read))
    }
}

/// A font in memory.
pub struct Typeface {
    bytes: Arc<Vec<u8>>,
    index: u32,
    units: u16,
    pub(super) font: Font,
}

impl std::fmt::Debug for Typeface {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Typeface").field("bytes", &self.bytes.len()).field("index", &self.index).finish()
    }
}

impl Typeface {
    /// Reads a font file. Of a collection the face is taken whose name says SC, simplified Chinese (`NotoSansCJK-Regular.ttc`
    /// has it third); else the first.
    ///
    /// Errors: `File`, `NotAFont`.
    pub fn read(path: &Path) -> Result<Typeface, TypefaceError> {
        let fault = |source| TypefaceError::File { path: path.to_owned(), source };
        let not_a_font = || TypefaceError::NotAFont { path: path.to_owned() };
        if fs::metadata(path).map_err(fault)?.len() > MOST_BYTES {
            return Err(not_a_font());
        }
        Typeface::of(fs::read(path).map_err(fault)?).ok_or_else(not_a_font)
    }

    fn of(bytes: Vec<u8>) -> Option<Typeface> {
        let faces: Vec<FontRef<'_>> = FontRef::fonts(&bytes).collect::<Result<_, _>>().ok()?;
        let simplified = |face: &FontRef<'_>| {
            face.localized_strings(StringId::FAMILY_NAME).any(|name| name.to_string().ends_with(" SC"))
        };
        let found = faces.iter().position(simplified).unwrap_or(0);
        let units = faces.get(found)?.head().ok()?.units_per_em();
        drop(faces);
        if units == 0 {
            return None;
        }
        let index = u32::try_from(found).ok()?;
        let bytes = Arc::new(bytes);
        let font = Font::new(Arc::clone(&bytes).into(), index)?;
        Some(Typeface { bytes, index, units, font })
    }

    /// Which face of its file it is, from 0.
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Widths and shapes of its characters.
    pub(super) fn metrics(&self) -> Option<Metrics<'_>> {
        let face = FontRef::from_index(&self.bytes, self.index).ok()?;
        Some(Metrics { face, units: self.units })
    }
}

/// Widths and shapes of a font's characters.
pub(super) struct Metrics<'a> {
    face: FontRef<'a>,
    units: u16,
}

impl Metrics<'_> {
    /// The shape of a character; `None` when the font has none.
    pub(super) fn glyph(&self, each: char) -> Option<GlyphId> {
        self.face.charmap().map(each).map(|glyph| GlyphId::new(glyph.to_u32()))
    }

    /// Width of a character, or of the box that stands for it, in units of the font.
    pub(super) fn advance(&self, each: char) -> u16 {
        let glyph = self.face.charmap().map(each).unwrap_or_default();
        self.face.hmtx().ok().and_then(|widths| widths.advance(glyph)).unwrap_or(self.units)
    }

    /// Width of a character at a size, both in thousandths of a point.
    pub(super) fn width_of(&self, each: char, size: i32) -> i32 {
        let units = i64::from(self.advance(each)) * i64::from(size) / i64::from(self.units);
        i32::try_from(units).unwrap_or(i32::MAX)
    }

    /// Width of a text in one line.
    pub(super) fn width(&self, text: &str, size: i32) -> i32 {
        text.chars().map(|each| self.width_of(each, size)).fold(0, i32::saturating_add)
    }

    /// As much of the text's beginning as fits.
    pub(super) fn fitted(&self, text: &str, size: i32, width: i32) -> String {
        let mut taken = 0_i32;
        let fits = |each: &char| {
            taken = taken.saturating_add(self.width_of(*each, size));
            taken <= width
        };
        text.chars().take_while(fits).collect()
    }

    /// Units of the font in its size.
    pub(super) const fn units(&self) -> u16 {
        self.units
    }
}
