//! The list for a card printer: who gets which number, and what stands on the card. Keys never leave the office's machine.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use encoding_rs::GB18030;
use flows::School;
use flows::card_face::{self, CardFace};
use rules::ids::CardNo;
use rules::roster::Category;

use crate::prompt::Said;
use crate::{Failure, Place, issue};

/// Options of `onecard card batch`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// File with one student or staff number per line, in the order in which cards are printed.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Number of the first card, 16 hexadecimal digits; each line takes the next, also one that gets no card, so that the
    /// same list gives the same numbers again.
    #[arg(long, value_name = "CARD", value_parser = super::card_number)]
    first: CardNo,
    /// Where a holder's photo is for the printer; {number} stands for the student or staff number.
    #[arg(long, default_value = "{number}.jpg")]
    photo: String,
    /// Writes GB18030, for older printer programs; else UTF-8.
    #[arg(long)]
    gb18030: bool,
    /// The list, made anew: names in clear, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

const HEADINGS: [&str; 7] = ["card", "number", "name", "department", "category", "photo", "valid_until"];

/// Writes the list. A line about nobody, about somebody twice or about a holder with a card is told and left out.
pub fn write(options: &Options) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&options.people)
        .map_err(|fault| Said(format!("{}: {fault}", options.people.display())))?;
    let numbers: Vec<&str> =
        text.trim_start_matches('\u{FEFF}').lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let until: String = issue::profile(0).validity.until.iter().map(|byte| format!("{byte:02x}")).collect();
    issue::with_school(&options.place, async move |school| {
        let (mut rows, mut left_out) = (Vec::new(), 0);
        let mut seen = BTreeSet::new();
        for (place, number) in (0_u64..).zip(&numbers) {
            let card = options.first.0.checked_add(place).map(CardNo);
            let card = card.ok_or_else(|| Said("there are not so many card numbers: begin lower".to_owned()))?;
            match face(&school, number, card, &mut seen).await? {
                Ok(face) => rows.push(row(options, card, &face, &until)),
                Err(why) => {
                    left_out += 1;
                    println!("{number} was left out: {why}");
                }
            }
        }
        save(options, &rows)?;
        println!("{} cards are in {}, {left_out} lines were left out", rows.len(), options.out.display());
        Ok(())
    })
}

/// The holder, or why there is no card.
async fn face(
    school: &School,
    number: &str,
    card: CardNo,
    seen: &mut BTreeSet<rules::ids::PersonId>,
) -> Result<Result<CardFace, String>, Failure> {
    let Some(face) = card_face::of_number(school, number).await? else {
        return Ok(Err("there is no such holder".to_owned()));
    };
    if !seen.insert(face.person) {
        return Ok(Err("the list has them already".to_owned()));
    }
    if let Some(has) = face.card {
        return Ok(Err(format!("the holder has card {has}")));
    }
    if card_face::holder_of(school, card).await?.is_some() {
        return Err(Said(format!("card {card} is in the book already: begin with another number")).into());
    }
    Ok(Ok(face))
}

fn row(options: &Options, card: CardNo, face: &CardFace, until: &str) -> [String; 7] {
    [
        card.to_string(),
        face.number.clone(),
        face.name.expose_for("it is printed on the holder's own card").clone(),
        face.department.clone(),
        match face.category {
            Category::Student => "student".to_owned(),
            Category::Staff => "staff".to_owned(),
        },
        options.photo.replace("{number}", &face.number),
        until.to_owned(),
    ]
}

fn save(options: &Options, rows: &[[String; 7]]) -> Result<(), Failure> {
    let mut text = csv::Writer::from_writer(Vec::new());
    text.write_record(HEADINGS)?;
    for row in rows {
        text.write_record(row)?;
    }
    let text = String::from_utf8(text.into_inner().map_err(|fault| fault.into_error())?)?;
    let bytes = if options.gb18030 { GB18030.encode(&text).0.into_owned() } else { text.into_bytes() };
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let mut file = file.open(&options.out).map_err(|fault| Said(format!("{}: {fault}", options.out.display())))?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(())
}
