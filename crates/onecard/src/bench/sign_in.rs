//! The form at the door, as a browser has it.

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::invented::Comer;
use crate::Failure;

/// How long anything may take that a browser asks for, seconds.
const PATIENCE: u64 = 30;

/// A browser that goes nowhere by itself.
pub fn browser() -> Result<Client, Failure> {
    Ok(Client::builder().redirect(Policy::none()).timeout(std::time::Duration::from_secs(PATIENCE)).build()?)
}

/// The form of one visitor; it can be sent many times.
pub struct Form<'a> {
    client: &'a Client,
    base: &'a str,
    visitor: String,
    token: String,
}

impl<'a> Form<'a> {
    /// Opens the page at `base`.
    pub async fn open(client: &'a Client, base: &'a str) -> Result<Form<'a>, Failure> {
        let page = client.get(format!("{base}/sign-in")).send().await?;
        let visitor = cookie_of(&page, "visitor").unwrap_or_default();
        let page = page.text().await?;
        Ok(Form { client, base, visitor, token: between(&page, "name=\"token\" value=\"", "\"").to_owned() })
    }

    /// Sends it.
    pub async fn send(&self, comer: &Comer) -> Result<Response, Failure> {
        let Form { client, base, visitor, token } = self;
        let body = format!("token={token}&next=&number={}&password={}", comer.number, comer.password);
        let request = client.post(format!("{base}/sign-in")).header(ORIGIN, *base).header(COOKIE, visitor);
        Ok(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await?)
    }
}

/// The pair of that cookie, as it is sent back.
pub fn cookie_of(answer: &Response, name: &str) -> Option<String> {
    let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pair = lines.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with(&format!("{name}=")));
    pair.map(str::to_owned)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(inside, _)| inside)
}
