//! `onecard guide`: the guide for holders as text or as a file, from the settings in force (R91).

use std::fs;
use std::path::PathBuf;

use rules::limits::Limits;
use web::Language;
use web::guide::{Facts, Guide, GuideConfig, html, text};

use crate::clock::wall;
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
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
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
    match &options.html {
        Some(file) => fs::write(file, html(&guide)?)?,
        None => print!("{}", text(&guide)),
    }
    Ok(())
}

fn campus_of(place: &Place, language: Language) -> Result<Campus, Failure> {
    let Some(path) = &place.config else {
        let guide = GuideConfig::default();
        return Ok(Campus { name: String::new(), guide, pay_in_phone_browser: true, pay_by_code: true });
    };
    let config = config::read(path)?;
    Ok(Campus {
        guide: campus::guide_config(&config.service, &config.guide)?,
        pay_in_phone_browser: config.web.pay_in_phone_browser,
        pay_by_code: config.web.pay_by_code,
        name: language.either(&config.name_zh, &config.name_en).clone(),
    })
}
