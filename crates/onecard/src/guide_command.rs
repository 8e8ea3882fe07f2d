//! `onecard guide`: the guide for holders as text or as a file, from the settings in force (R91).

use std::fs;
use std::path::{Path, PathBuf};

use report::document::pdf::pdf;
use report::document::typeface::Typefaces;
use rules::limits::Limits;
use web::Language;
use web::guide::{Facts, Guide, GuideConfig, document, html, text};

use crate::clock::wall;
use crate::prompt::Said;
use crate::{Failure, Place, campus, config, settings, verify};

/// Options of `onecard guide`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Language.
    #[arg(long, value_enum, default_value = "zh")]
    lang: Lang,
    /// Writes one HTML file instead of printing text.
    #[arg(long, value_name = "FILE", conflicts_with = "pdf")]
    html: Option<PathBuf>,
    /// Writes a PDF file instead of printing text.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

/// Languages by their short names.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// What the configuration says of the campus; a data folder alone says nothing.
struct Campus {
    name: String,
    guide: GuideConfig,
    pay_in_phone_browser: bool,
    pay_by_code: bool,
    typefaces: Typefaces,
}

/// Prints or writes it; also beside a running server.
pub fn run(options: Options) -> Result<(), Failure> {
    let language = match options.lang {
        Lang::Zh => Language::Chinese,
        Lang::En => Language::English,
    };
    let (data, school) = verify::book_of(&options.place)?;
    let campus = campus_of(&options.place, language)?;
    let at = wall();
    let limits = Limits::at(&settings::history(&data, school)?, at);
    let facts = Facts {
        limits: &limits,
        at,
        school: &campus.name,
        service: &campus.guide.service,
        texts: &campus.guide.texts,
        pay_in_phone_browser: campus.pay_in_phone_browser,
        pay_by_code: campus.pay_by_code,
    };
    let guide = Guide::of(facts, language);
    match (&options.html, &options.pdf) {
        (Some(file), _) => write(file, html(&guide)?.as_bytes()),
        (None, Some(file)) => write(file, &pdf(&document(&guide), campus.typefaces.get()?)?),
        (None, None) => {
            print!("{}", text(&guide));
            Ok(())
        }
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(file, bytes).map_err(|fault| Said(format!("cannot write {}: {fault}", file.display())).into())
}

fn campus_of(place: &Place, language: Language) -> Result<Campus, Failure> {
    let Some(path) = &place.config else {
        return Ok(Campus {
            name: String::new(),
            guide: GuideConfig::default(),
            pay_in_phone_browser: true,
            pay_by_code: true,
            typefaces: Typefaces::default(),
        });
    };
    let config = config::read(path)?;
    Ok(Campus {
        guide: campus::guide_config(&config.service, &config.guide)?,
        pay_in_phone_browser: config.web.pay_in_phone_browser,
        pay_by_code: config.web.pay_by_code,
        typefaces: Typefaces::new(config.report.font.clone()),
        name: language.either(&config.name_zh, &config.name_en).clone(),
    })
}
