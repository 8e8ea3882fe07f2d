//! `onecard cases`: what a person in charge must look at, with the money that lies in suspense for it (R94).

use flows::cases::{Listed, list};
use rules::case::Case;

use crate::prompt::minute;
use crate::{Failure, Place, issue};

/// Options of `onecard cases`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Also those that are done with.
    #[arg(long)]
    ended: bool,
    /// Print at most so many of each, the oldest first.
    #[arg(long, value_name = "N", default_value_t = 100)]
    most: u32,
}

/// Prints them; the server must not be running on the folder.
pub fn run(options: Options) -> Result<(), Failure> {
    issue::with_school(&options.place, async move |school| {
        let listed = list(&school, options.ended, options.most).await?;
        if listed.is_empty() {
            println!("there is no case");
        }
        for each in &listed {
            println!("{}", line(each));
        }
        Ok(())
    })
}

/// A case in a few lines: what it is, whose, how much, and what to do.
fn line(listed: &Listed) -> String {
    let head = |case: &Case| {
        let (zh, en) = case.kind.owner().names();
        let words = case.kind.words();
        let facts = format!("{}  {}  {}  {en} {zh}", case.id.0, minute(case.opened_at), case.subject());
        format!("{facts}\n  {} ({}) {}\n  {}", words.en, words.code, words.zh, case.detail)
    };
    match listed {
        Listed::Open { case, left } => format!("{}\n  open, ¥{left} in suspense", head(case)),
        Listed::Ended(ended) => {
            format!("{}\n  ended {} by {}: {}", head(&ended.case), minute(ended.at), ended.by, ended.how)
        }
    }
}
