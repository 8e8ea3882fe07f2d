//! Those who guess at the door, and the numbers they guess at.

use flows::change_password::change_password;
use flows::sign_in::sign_in;
use reqwest::{Client, StatusCode};
use serde::Serialize;

use super::super::invented::{Comer, import, set};
use super::super::load::{micros_since, tick};
use super::super::say::Say;
use super::super::serving::Serving;
use super::super::sign_in::{Form, browser};
use super::super::workload::Draw;
use crate::Failure;
use crate::demo::roster as invented;
use crate::prompt::{Refused, Said};

/// Wrong tries that lock a number: the most that the rule allows, so that the numbers guessed at stay open.
pub const MOST_TRIES: i64 = 20;
/// How long a lock lasts, seconds: longer than a bench.
const LOCK: i64 = 86_400;
/// Wrong passwords of one address in a minute: all of the bench's.
const FROM_ONE_ADDRESS: i64 = 100_000;

/// What a guess meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A number that nobody has: what the others are compared with.
    Unknown,
    /// A number whose holder never changed the first password.
    FirstPassword,
    /// A number whose holder has a password of their own.
    OwnPassword,
    /// A number that is locked.
    Locked,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Unknown, Kind::FirstPassword, Kind::OwnPassword, Kind::Locked];

    /// In a table.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Unknown => "number that nobody has",
            Kind::FirstPassword => "number with its first password",
            Kind::OwnPassword => "number with a password of its own",
            Kind::Locked => "locked number",
        }
    }
}

/// Numbers of each kind, as many as a run guesses at.
pub struct Targets(Vec<(Kind, Comer)>);

impl Targets {
    /// Makes them in an empty school: people imported, passwords changed, doors locked.
    pub fn make(serving: &Serving, each: u32, say: &Say) -> Result<Targets, Failure> {
        let rows = invented(3 * each);
        let people: Vec<Comer> = rows.iter().filter_map(Comer::of).collect();
        let each = usize::try_from(each)?;
        let school = serving.school();
        serving.block_on(async {
            import(school, &rows).await?;
            set(school, "password.lock", LOCK).await?;
            // One wrong try locks, as long as those are locked that shall be.
            set(school, "password.tries", 1).await?;
            for person in people.iter().skip(2 * each) {
                // The answer tells nothing, by design.
                let _ = sign_in(school, &person.number, WRONG).await;
            }
            set(school, "password.tries", MOST_TRIES).await?;
            set(school, "password.address_failures", FROM_ONE_ADDRESS).await?;
            for (done, person) in (1_u64..).zip(people.iter().take(each)) {
                own_password(school, person).await?;
                say.part("passwords", done, u64::try_from(each)?);
            }
            Ok::<_, Failure>(())
        })?;
        let mut all = Vec::new();
        for (place, person) in (0_usize..).zip(people) {
            let kind = match place / each {
                0 => Kind::OwnPassword,
                1 => Kind::FirstPassword,
                _ => Kind::Locked,
            };
            all.push((kind, person));
        }
        let nobody = |place: usize| Comer { number: format!("2035{place:06}"), password: String::new() };
        all.extend((0..each).map(|place| (Kind::Unknown, nobody(place))));
        Ok(Targets(all))
    }
}

/// Nobody's password.
const WRONG: &str = "wrong-7531";

async fn own_password(school: &flows::School, person: &Comer) -> Result<(), Failure> {
    let signed_in = sign_in(school, &person.number, &person.password).await;
    let signed_in = signed_in.map_err(|refusal| Refused::from(refusal.words()))?;
    let changed = change_password(school, &signed_in.token, &person.password, "Lake-willow-58").await;
    changed.map(drop).map_err(|refusal| Refused::from(refusal.words()).into())
}

/// A guesser over one connection.
pub struct Guesser {
    base: String,
    client: Client,
}

impl Guesser {
    /// One who comes to the pages at `base`.
    pub fn new(base: String) -> Result<Guesser, Failure> {
        Ok(Guesser { base, client: browser()? })
    }

    /// Guesses once at every target, in no order: kind, and microseconds from the request to the last byte of the answer.
    ///
    /// Error: an answer is another one than that of a wrong password, or does not look like the others.
    pub async fn guess(&self, targets: &Targets, run: u64) -> Result<Vec<(Kind, u64)>, Failure> {
        let form = Form::open(&self.client, &self.base).await?;
        let mut order: Vec<&(Kind, Comer)> = targets.0.iter().collect();
        let mut draw = Draw::new(run);
        order.sort_by_cached_key(|_| draw.next());
        let mut seen = Vec::new();
        let mut length = None;
        for (kind, comer) in order {
            let guess = Comer { number: comer.number.clone(), password: WRONG.to_owned() };
            let began = tick();
            let answer = form.send(&guess).await?;
            let status = answer.status();
            let text = answer.text().await?;
            seen.push((*kind, micros_since(began)));
            if status != StatusCode::UNPROCESSABLE_ENTITY {
                return Err(Said(format!("a guess at {} was answered with {status}", comer.number)).into());
            }
            // The number stands in the page as it was typed.
            let told = text.len().saturating_sub(comer.number.len());
            if *length.get_or_insert(told) != told {
                return Err(Said(format!("the answer to a guess at {} tells it from others", comer.number)).into());
            }
        }
        Ok(seen)
    }
}
