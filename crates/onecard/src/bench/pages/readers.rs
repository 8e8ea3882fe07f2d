//! Those who ask for pages: browsers as far as a server sees them, signed in by the form of the page.

use futures_util::future::join_all;
use reqwest::header::{ACCEPT_ENCODING, COOKIE, LOCATION};
use reqwest::{Client, Response};
use serde::Serialize;

use super::super::invented::Comer;
use super::super::load::{micros_since, tick};
use super::super::sign_in::{Form, browser, cookie_of};
use super::super::workload::Draw;
use super::school::month_before;
use crate::Failure;
use crate::clock::wall;
use crate::prompt::Said;

/// A page that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Page {
    /// Its address; `{order}`, `{record}` and `{month}` stand for what the reader has.
    pub address: &'static str,
}

const fn page(address: &'static str) -> Page {
    Page { address }
}

/// Every page that a holder reads, and what programs ask for most.
pub const PAGES: [Page; 20] = [
    page("/me"),
    page("/me/topup"),
    page("/me/orders/{order}"),
    page("/me/records"),
    page("/me/records?kind=purchase&month={month}"),
    page("/me/records/{record}"),
    page("/me/statements"),
    page("/me/statements/{month}"),
    page("/me/statements/{month}.xlsx"),
    page("/me/spending?month={month}"),
    page("/me/card"),
    page("/me/messages"),
    page("/me/security"),
    page("/me/security/tokens"),
    page("/help"),
    page("/help/all"),
    page("/api/v1/me"),
    page("/api/v1/me/records?limit=100"),
    page("/api/v1/me/statements/{month}"),
    page("/api/v1/me/spending?month={month}"),
];

/// A reader with a session.
pub struct SignedIn {
    cookie: String,
    order: String,
    record: String,
    month: String,
}

/// Browsers on their own machines: each reader has a connection.
pub struct Readers {
    base: String,
    client: Client,
}

/// What a browser sends with every request.
const ENCODINGS: &str = "gzip, deflate, br";

impl Readers {
    /// Readers of the pages at `base`.
    pub fn new(base: String) -> Result<Readers, Failure> {
        Ok(Readers { base, client: browser()? })
    }

    /// Signs somebody in through the page and finds an order and a record of theirs.
    pub async fn sign_in(&self, reader: &Comer) -> Result<SignedIn, Failure> {
        let answer = Form::open(&self.client, &self.base).await?.send(reader).await?;
        let cookie = cookie_of(&answer, "sid")
            .ok_or_else(|| Said(format!("{} could not sign in: {}", reader.number, answer.status())))?;
        let mut signed_in =
            SignedIn { cookie, order: String::new(), record: String::new(), month: month_before(wall()) };
        let records = self.client.get(format!("{}/api/v1/me/records", self.base)).header(COOKIE, &signed_in.cookie);
        let records: serde_json::Value = records.send().await?.json().await?;
        let of_kind = |kind: &str| {
            let found = records["records"].as_array()?.iter().find(|record| record["kind"] == kind)?;
            found["number"].as_str().map(str::to_owned)
        };
        signed_in.record = of_kind("purchase").ok_or_else(|| Said("a reader has no purchase".to_owned()))?;
        // Who eats much has no top-up on the newest page: any record is followed then.
        signed_in.order = of_kind("top_up").unwrap_or_default();
        Ok(signed_in)
    }

    async fn get(&self, reader: &SignedIn, address: &str) -> Result<Response, Failure> {
        let request = self.client.get(format!("{}{address}", self.base)).header(COOKIE, &reader.cookie);
        Ok(request.header(ACCEPT_ENCODING, ENCODINGS).send().await?)
    }

    /// One page of one reader: microseconds from the request to the last byte of the answer, and the answer's bytes. `None`
    /// when the reader has nothing that the page is about.
    async fn read(&self, reader: &SignedIn, page: Page) -> Result<Option<(u64, u64)>, Failure> {
        if page.address.contains("{order}") && reader.order.is_empty() {
            return Ok(None);
        }
        let address = page.address.replace("{order}", &reader.order).replace("{record}", &reader.record);
        let address = address.replace("{month}", &reader.month);
        let began = tick();
        let answer = self.get(reader, &address).await?;
        let (status, to) = (answer.status(), answer.headers().get(LOCATION).cloned());
        let bytes = answer.bytes().await?.len();
        let took = micros_since(began);
        if !status.is_success() {
            return Err(
                Said(format!("{address} answered {status} {}", to.map_or("", |_| "and leads elsewhere"))).into()
            );
        }
        Ok(Some((took, u64::try_from(bytes)?)))
    }

    /// So many readers at once read every page, `visits` times together; each takes somebody else for each page. Gives the
    /// times and the largest answer of each page.
    pub async fn run(
        &self,
        people: &[SignedIn],
        readers: u16,
        visits: u32,
        warm_up: bool,
    ) -> Result<Vec<(Page, Vec<u64>, u64)>, Failure> {
        let each = visits.div_ceil(u32::from(readers)).max(1);
        let walks = (0..readers).map(|reader| async move {
            let mut draw = Draw::new(u64::from(reader) + 1);
            let mut seen = Vec::new();
            for _ in 0..each {
                for page in PAGES {
                    let place = usize::try_from(draw.below(u64::try_from(people.len())?))?;
                    let Some(person) = people.get(place) else { continue };
                    if let Some(read) = self.read(person, page).await? {
                        seen.push((page, read));
                    }
                }
            }
            Ok::<_, Failure>(seen)
        });
        let mut all = Vec::new();
        for walk in join_all(walks).await {
            all.extend(walk?);
        }
        if warm_up {
            return Ok(Vec::new());
        }
        let of = |page: Page| all.iter().filter(move |(of, _)| *of == page).map(|(_, read)| *read);
        Ok(PAGES
            .into_iter()
            .map(|page| {
                let times = of(page).map(|(took, _)| took).collect();
                (page, times, of(page).map(|(_, bytes)| bytes).max().unwrap_or(0))
            })
            .collect())
    }
}
