//! What a campus says of itself in the guide: tables `[service]` and `[guide]` of the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use web::Language;
use web::guide::{GuideConfig, OwnTexts, Service};

use crate::Failure;
use crate::prompt::Said;

/// Longest of these texts, in characters.
const LONGEST: usize = 200;

/// Table `[service]`: the card service centre. What is left out is not told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePart {
    /// Place, in Chinese.
    pub place_zh: Option<String>,
    /// Place, in English.
    pub place_en: Option<String>,
    /// Hours, in Chinese.
    pub hours_zh: Option<String>,
    /// Hours, in English.
    pub hours_en: Option<String>,
    /// Telephone: digits, blanks, `+`, `-` and brackets.
    pub phone: Option<String>,
    /// Mail address.
    pub email: Option<String>,
}

/// Table `[guide]`: texts that the campus writes itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidePart {
    /// Folder with `zh-CN.ftl` and `en.ftl`.
    pub texts: Option<PathBuf>,
}

impl ServicePart {
    /// The service centre, checked.
    ///
    /// Errors: a text is empty, too long or of several lines; one language alone; a telephone or mail address that is none.
    pub fn service(&self) -> Result<Service, Said> {
        let told = [
            ("place_zh", &self.place_zh),
            ("place_en", &self.place_en),
            ("hours_zh", &self.hours_zh),
            ("hours_en", &self.hours_en),
            ("phone", &self.phone),
            ("email", &self.email),
        ];
        for (name, text) in told {
            let Some(text) = text else { continue };
            if text.trim().is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
                return Err(Said(format!("service.{name} must be one line of 1 to {LONGEST} characters")));
            }
        }
        let dialled = |c: char| c.is_ascii_digit() || " +-()（）、".contains(c);
        if self.phone.as_ref().is_some_and(|phone| !phone.chars().all(dialled) || !phone.contains(char::is_numeric)) {
            return Err(Said("service.phone must be a telephone number: digits, blanks, + - and brackets".to_owned()));
        }
        let address =
            |text: &String| matches!(text.split_once('@'), Some((who, host)) if !who.is_empty() && host.contains('.'));
        if self.email.as_ref().is_some_and(|email| !address(email) || email.contains(char::is_whitespace)) {
            return Err(Said("service.email must be a mail address".to_owned()));
        }
        Ok(Service {
            place: both("place", &self.place_zh, &self.place_en)?,
            hours: both("hours", &self.hours_zh, &self.hours_en)?,
            phone: self.phone.clone(),
            email: self.email.clone(),
        })
    }
}

/// A text in both languages or in none.
fn both(name: &str, zh: &Option<String>, en: &Option<String>) -> Result<Option<(String, String)>, Said> {
    match (zh, en) {
        (Some(zh), Some(en)) => Ok(Some((zh.clone(), en.clone()))),
        (None, None) => Ok(None),
        _ => Err(Said(format!("service.{name}_zh and service.{name}_en go together: name both or none"))),
    }
}

impl GuidePart {
    /// The campus's texts, checked.
    ///
    /// Errors: a file cannot be read; a line, a key or a value is not the guide's (the error names file and place).
    pub fn texts(&self) -> Result<OwnTexts, Failure> {
        let Some(folder) = &self.texts else { return Ok(OwnTexts::default()) };
        let read = |language: Language| {
            let file = file_of(folder, language);
            fs::read_to_string(&file)
                .map_err(|fault| Said(format!("guide.texts: cannot read {}: {fault}", file.display())))
        };
        let (zh, en) = (read(Language::Chinese)?, read(Language::English)?);
        Ok(OwnTexts::read(&zh, &en).map_err(|fault| Said(format!("guide.texts in {}: {fault}", folder.display())))?)
    }

    /// Its files.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = self.texts.iter();
        folder.flat_map(|folder| [Language::Chinese, Language::English].map(|each| file_of(folder, each))).collect()
    }
}

fn file_of(folder: &Path, language: Language) -> PathBuf {
    folder.join(format!("{}.ftl", language.tag()))
}

/// Both tables, checked.
pub fn guide_config(service: &ServicePart, guide: &GuidePart) -> Result<GuideConfig, Failure> {
    Ok(GuideConfig { service: service.service()?, texts: guide.texts()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_about_the_service_centre_is_refused_with_its_key() {
        let some = |text: &str| Some(text.to_owned());
        let right = ServicePart {
            place_zh: some("行政楼"),
            place_en: some("Main building"),
            phone: some("+86 (10) 6275-0000"),
            email: some("card@example.edu.cn"),
            ..ServicePart::default()
        };
        assert!(right.service().is_ok());
        assert_eq!(ServicePart::default().service().expect("nothing is told"), Service::default());
        let table = [
            (ServicePart { place_zh: some(" "), ..right.clone() }, "service.place_zh must be one line"),
            (ServicePart { hours_zh: some("8:30\n17:00"), ..right.clone() }, "service.hours_zh must be one line"),
            (
                ServicePart { hours_zh: some("8:30"), ..right.clone() },
                "service.hours_zh and service.hours_en go together",
            ),
            (ServicePart { phone: some("call us"), ..right.clone() }, "service.phone"),
            (ServicePart { phone: some("--"), ..right.clone() }, "service.phone"),
            (ServicePart { email: some("card.example"), ..right.clone() }, "service.email"),
            (ServicePart { email: some("a b@example.cn"), ..right }, "service.email"),
        ];
        for (part, said) in table {
            let fault = part.service().expect_err(said).to_string();
            assert!(fault.contains(said), "{fault}");
        }
    }
}
