//! `onecard webhook`: systems of the school that are told of events.

use std::sync::Arc;

use flows::deliver::trial;
use flows::ports::{Courier, Receipt};
use flows::rows::Campus;
use flows::webhook::{self, Again, Delivery, NewWebhook, Webhook};
use keys::{SoftSecrets, SystemEntropy};
use ledger::{Id, Micros};
use rules::calendar::of_card_stamp;
use rules::event::{Cursor, Kind};
use rules::webhook::taken;
use store::sqlite::SqliteReader;
use teller::Schema;

use crate::clock::wall;
use crate::config::{self, WebhookPart};
use crate::courier::HttpCourier;
use crate::prompt::{Refused, Said, minute, start_log};
use crate::{Failure, Place, issue, verify};

/// Subcommands of `onecard webhook`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Adds a webhook and shows its secret, once; the server must not be running.
    ///
    /// From then on every event of the book is sent to the address, in order, until it answers 2xx. docs/webhooks.md says how
    /// a receiver checks that it comes from this school.
    Add {
        #[command(flatten)]
        place: Place,
        /// A short name: small letters, digits and hyphens, such as campus-app.
        #[arg(long)]
        name: String,
        /// Where events are sent: https://..., or http:// to this machine. Its host must stand in `allow` of [webhooks].
        #[arg(long, value_name = "ADDRESS")]
        url: String,
        /// Kinds of events that it is sent, such as topup.credited,refund.settled [default: all].
        #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = kind)]
        types: Vec<Kind>,
        /// Also tells the student or staff number of the holder.
        #[arg(long)]
        numbers: bool,
        /// Begins with the first event of the book, not with the next one.
        #[arg(long)]
        from_start: bool,
        /// Who adds it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Prints every webhook: where it goes, how far it was told, what waits, and how the last delivery went.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Removes a webhook; the server must not be running.
    Remove {
        #[command(flatten)]
        place: Place,
        /// Its name.
        name: String,
    },
    /// Sends a delivery without events now and prints what came back. Exit code 1: it was not taken.
    Test {
        #[command(flatten)]
        place: Place,
        /// Its name.
        name: String,
    },
    /// Tells a webhook again from an earlier place; the server must not be running.
    Replay {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        from: From,
        /// Its name.
        name: String,
    },
    /// Goes on with a webhook that was paused after three days of deliveries that were not taken; the server must not be running.
    Resume {
        #[command(flatten)]
        place: Place,
        /// Its name.
        name: String,
    },
    /// Gives a webhook a new secret and shows it, once; for a day deliveries carry both signatures. The server must not be
    /// running.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Its name.
        name: String,
    },
}

/// Which place to tell again from.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct From {
    /// After the event of this number, such as 1-42; 1-0 is the beginning.
    #[arg(long, value_name = "ID", value_parser = Cursor::parse)]
    after: Option<Cursor>,
    /// From the first event of this moment in campus time on, such as 2026-11-23T08:00.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Micros>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let all = || Kind::ALL.map(Kind::name).join(", ");
    Kind::from_name(text).ok_or_else(|| format!("there is no type {text}; there are {}", all()))
}

fn moment(text: &str) -> Result<Micros, String> {
    let read = || {
        let bytes = text.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':')];
        let formed = bytes.len() == 16 && marks.iter().all(|(at, mark)| bytes.get(*at) == Some(mark));
        let two = |at: usize| {
            let digits = text.get(at..at + 2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()))?;
            // Two decimal digits, each in half a byte.
            u8::from_str_radix(digits, 16).ok()
        };
        let date = [two(0)?, two(2)?, two(5)?, two(8)?];
        of_card_stamp(date, [two(11)?, two(14)?, 0]).filter(|_| formed)
    };
    read().ok_or_else(|| "write year, month, day, hour and minute, such as 2026-11-23T08:00".to_owned())
}

/// Runs the subcommand.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { place, name, url, types, numbers, from_start, by } => {
            let new = NewWebhook { name, url, kinds: types, numbers, from_start, by };
            if place.config.is_some() {
                HttpCourier::new(&part(&place)?)?.allowed(&new.url)?;
            }
            let name = new.name.clone();
            with_secret(&place, &name, async |school| webhook::add(school, new).await)
        }
        Command::Rotate { place, name } => {
            with_secret(&place, &name, async |school| webhook::rotate(school, &name).await)
        }
        Command::List { place } => list(&place),
        Command::Test { place, name } => test(&place, &name),
        Command::Remove { place, name } => issue::with_school(&place, async |school| {
            webhook::remove(&school, &name).await.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("webhook {name} is removed");
            Ok(())
        }),
        Command::Replay { place, from, name } => issue::with_school(&place, async |school| {
            let again = match (from.after, from.since) {
                (Some(after), _) => Again::After(after),
                (None, Some(since)) => Again::Since(since),
                (None, None) => return Err(Said("name --after or --since".to_owned()).into()),
            };
            let from =
                webhook::replay(&school, &name, again).await.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("webhook {name} is told again everything after {from}, once the server runs");
            Ok(())
        }),
        Command::Resume { place, name } => issue::with_school(&place, async |school| {
            webhook::resume(&school, &name).await.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("webhook {name} goes on where it stood, once the server runs");
            Ok(())
        }),
    }
}

/// What the configuration says of webhooks. A data folder without one is a demo's or a test's: this machine alone.
fn part(place: &Place) -> Result<WebhookPart, Failure> {
    place.config.as_ref().map_or_else(|| Ok(WebhookPart::this_machine()), |path| Ok(config::read(path)?.webhooks))
}

/// Does what makes a secret, and shows it.
fn with_secret(
    place: &Place,
    name: &str,
    make: impl AsyncFnOnce(&flows::School) -> Result<String, webhook::WebhookRefusal>,
) -> Result<(), Failure> {
    issue::with_school(place, async |school| {
        let secret = make(&school).await.map_err(|refusal| Refused::from(refusal.words()))?;
        println!("webhook {name} has this secret; it is not shown again:");
        println!("{secret}");
        Ok(())
    })
}

/// Prints beside a running server: nothing is opened for writing.
fn list(place: &Place) -> Result<(), Failure> {
    let (data, school) = verify::book_of(place)?;
    let reader = SqliteReader::open(&data, school, Campus::TABLES, 1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let names = webhook::names(&reader).await?;
        for name in &names {
            if let Some((webhook, delivery)) = webhook::one(&reader, name).await? {
                let waiting = webhook::waiting(&reader, &webhook, &delivery).await?;
                println!("{}", told(&webhook, &delivery, waiting));
            }
        }
        println!("{} webhook(s)", names.len());
        Ok(())
    })
}

/// A webhook in four lines.
fn told(webhook: &Webhook, delivery: &Delivery, (waiting, more): (usize, bool)) -> String {
    let state = match (delivery.paused, delivery.failing_since) {
        (Some(case), _) => format!("PAUSED, case {}", case.0),
        (None, Some(since)) => {
            let (tries, next) = (delivery.failures, minute(delivery.due_at));
            format!("failing since {}, {tries} tries, the next at {next}", minute(since))
        }
        (None, None) => "in order".to_owned(),
    };
    let last = delivery.last.as_ref().map_or("nothing sent yet".to_owned(), |last| {
        let answer = last.status.map_or("no answer".to_owned(), |status| format!("status {status}"));
        format!("last sent {} with {} event(s): {answer}", minute(last.at), last.events)
    });
    let types = if webhook.kinds.is_empty() {
        "all types".to_owned()
    } else {
        webhook.kinds.iter().map(|kind| kind.name()).collect::<Vec<&str>>().join(", ")
    };
    let numbers = if webhook.numbers { "with numbers of holders" } else { "without numbers of holders" };
    let (name, url, made, by) = (&webhook.name, &webhook.url, minute(webhook.made_at), &webhook.made_by);
    let more = if more { "at least " } else { "" };
    format!(
        "{name}  {state}\n    {url}\n    {types}; {numbers}; added {made} by {by}\n    told up to {}; {more}{waiting} wait(s); \
         {last}",
        delivery.cursor
    )
}

/// Beside a running server too: nothing is written.
fn test(place: &Place, name: &str) -> Result<(), Failure> {
    start_log("error");
    let (data, school) = verify::book_of(place)?;
    let reader = SqliteReader::open(&data, school, Campus::TABLES, 1)?;
    let secrets = SoftSecrets::new(&issue::keyring_of(place)?)?;
    let courier: Arc<dyn Courier> = Arc::new(HttpCourier::new(&part(place)?)?);
    let mut chance = [0; 8];
    flows::ports::Entropy::fill(&SystemEntropy, &mut chance);
    let now = wall();
    let id = Id::time_ordered(now, chance);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let receipt = runtime.block_on(trial((&reader, &secrets), courier.as_ref(), name, (id, now)))?;
    match receipt {
        None => Err(Refused::from(rules::webhook::Refusal::Unknown.words()).into()),
        Some(Receipt::Answered(status)) if taken(status) => {
            println!("webhook {name} took delivery {id}: status {status}");
            Ok(())
        }
        Some(Receipt::Answered(status)) => {
            Err(Said(format!("webhook {name} did not take delivery {id}: status {status}")).into())
        }
        Some(Receipt::Silent(why)) => Err(Said(format!("webhook {name} did not answer: {why}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_campus_time() {
        assert_eq!(moment("2026-11-23T08:00"), Ok(Micros::from_seconds(1_795_392_000)));
        for text in [
            "",
            "2026-11-23",
            "2026-11-23 08:00",
            "2026-13-23T08:00",
            "2026-11-23T24:00",
            "2026-11-23T08:00:00",
            "２026-1-23T08:00",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn types_are_known_by_their_names() {
        assert_eq!(kind("topup.credited"), Ok(Kind::TopUpCredited));
        assert!(kind("topup").unwrap_err().contains("topup.credited"));
    }
}
