//! `onecard cases`: what a person in charge must look at. `onecard refund`: gives a payment back the way it came.

use flows::cases::{Listed, list};
use flows::refund::{What, open};
use flows::rows::Campus;
use ledger::{Fen, Id, Micros};
use rules::ids::{CaseId, OrderNo};
use rules::refund::Asked;
use store::sqlite::SqliteReader;
use teller::Schema;

use crate::clock::wall;
use crate::prompt::{Refused, Said, minute};
use crate::{Failure, Place, issue, verify};

/// Options of `onecard cases`.
#[derive(clap::Args)]
pub struct ListOptions {
    #[command(flatten)]
    place: Place,
    /// Also those that are done with.
    #[arg(long)]
    all: bool,
}

/// Options of `onecard refund`.
#[derive(clap::Args)]
pub struct RefundOptions {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    what: WhatOptions,
    /// How much, in yuan, such as 12.50 [default: all that can go back].
    #[arg(long, value_name = "YUAN")]
    amount: Option<String>,
    /// Why; the payer reads it, at most 80 bytes.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who asks for it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Another person who approves it, where two are needed.
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct WhatOptions {
    /// The order whose payment goes back: its money waits for the card or is in the account.
    #[arg(long, value_name = "NO")]
    order: Option<String>,
    /// The case whose payment goes back, as `onecard cases` prints it.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
}

/// More cases than anybody looks through.
const MOST: u32 = 10_000;

/// Prints the cases, beside a running server too: nothing is opened for writing.
pub fn print(options: &ListOptions) -> Result<(), Failure> {
    let (data, school) = verify::book_of(&options.place)?;
    let reader = SqliteReader::open(&data, school, Campus::TABLES, 1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let listed = runtime.block_on(list(&reader, options.all, MOST))?;
    let now = wall();
    for each in &listed {
        println!("{}", told(each, now));
    }
    let waiting = listed.iter().filter(|each| matches!(each, Listed::Open { .. })).count();
    println!("{waiting} open case(s)");
    Ok(())
}

/// A case in three lines: what it is, what to do, and the facts.
fn told(listed: &Listed, now: Micros) -> String {
    let (case, state) = match listed {
        Listed::Open { case, left } => {
            (case, format!("{} since {}, ¥{left} left", age(case.opened_at, now), minute(case.opened_at)))
        }
        Listed::Ended(ended) => {
            let (at, by, how) = (minute(ended.at), &ended.by, &ended.how);
            (&ended.case, format!("ended {at} by {by}: {how}"))
        }
    };
    let (words, (_, owner)) = (case.kind.words(), case.kind.owner().names());
    format!(
        "{}  {}  {owner}  ¥{}  {}  {state}\n    {}\n    {}",
        case.id.0,
        words.code,
        case.amount,
        case.subject(),
        words.en,
        case.detail
    )
}

/// How long a case waits, in the largest whole unit.
fn age(since: Micros, now: Micros) -> String {
    let minutes = now.since(since).max(0) / 60_000_000;
    match (minutes / 1440, minutes / 60) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h"),
        (days, _) => format!("{days} d"),
    }
}

/// Makes a refund: its money is held from then on; the server sends it to the provider and follows it to its end.
pub fn refund(options: RefundOptions) -> Result<(), Failure> {
    let what = what(&options.what)?;
    let amount = options.amount.as_deref().map(Fen::parse_yuan).transpose();
    let amount = amount.map_err(|fault| Said(format!("--amount: {fault}")))?;
    let RefundOptions { place, reason, by, approved_by, .. } = options;
    let asked = Asked { reason, by, approved_by };
    issue::with_school(&place, async move |school| {
        let form = school.random();
        let made = open(&school, what, amount, asked, form).await;
        let no = made.map_err(|refusal| Refused::from(refusal.words().clone()))?;
        println!("refund {no} is made and its money is held; the server sends it to WeChat Pay when it runs");
        Ok(())
    })
}

fn what(options: &WhatOptions) -> Result<What, Said> {
    match (&options.order, &options.case) {
        (Some(order), _) => {
            let no = OrderNo::parse(order).map_err(|fault| Said(format!("--order: {fault}")))?;
            Ok(What::Order(no))
        }
        (None, Some(case)) => {
            let id = Id::parse(case).map_err(|_| {
                Said("--case is the 32 hexadecimal digits with which `onecard cases` begins a line".to_owned())
            })?;
            Ok(What::Case(CaseId(id)))
        }
        (None, None) => Err(Said("name --order or --case".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_case_is_told_in_its_largest_unit() {
        let since = Micros::from_seconds(1_795_400_000);
        for (seconds, expected) in
            [(-5, "0 min"), (59, "0 min"), (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"), (180_000, "2 d")]
        {
            assert_eq!(age(since, since.after_seconds(seconds)), expected);
        }
    }
}
