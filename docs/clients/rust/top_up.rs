//! Tops up a campus card: reqwest (features `json`, `rustls-no-provider`), rustls (`aws_lc_rs`), tokio and serde_json.
//!
//! `ONECARD_ADDRESS=https://card.example.edu ONECARD_TOKEN=oc_... top_up 50.00 KEY`
//! The token needs the rights `read` and `topup`. KEY is any text of yours that names this top-up for good: whoever runs
//! the same line again gets the same order.

#![expect(clippy::disallowed_methods, reason = "a program of its own reads its own environment")]

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};

const TRIES: u32 = 5;
const ENDED: [&str; 6] = ["ended", "in_case", "waiting_for_card", "on_card", "in_account", "refunded"];

struct School {
    client: reqwest::Client,
    address: String,
    token: String,
}

impl School {
    /// One call; again when it is not known whether it arrived, or when the server asks for patience.
    async fn call(&self, path: &str, send: Option<(&Value, &str)>) -> Result<Value, Box<dyn Error>> {
        let mut left = TRIES;
        loop {
            left -= 1;
            let address = format!("{}{path}", self.address);
            let request = match send {
                Some((body, key)) => self.client.post(address).header("idempotency-key", key).json(body),
                None => self.client.get(address),
            };
            let request = request.bearer_auth(&self.token).header("accept-language", "en");
            let seconds = match told(request).await {
                Ok((true, _, body)) => return Ok(body),
                Ok((false, Some(patience), _)) if left > 0 => patience,
                // `code` is stable; `en` and `zh` are for people.
                Ok((false, _, body)) => return Err(format!("{}: {}", body["code"], body["en"]).into()),
                Err(unknown) if left == 0 => return Err(unknown),
                Err(_) => 1,
            };
            // The same key: however often this is repeated, it is one order.
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }
}

/// Whether it went well, how many seconds to wait before the next try, and the JSON of one answer.
///
/// Errors: it is not known what the school answered, or whether it got the request: the connection broke, or a proxy answered
/// with a page of its own.
async fn told(request: reqwest::RequestBuilder) -> Result<(bool, Option<u64>, Value), Box<dyn Error>> {
    let answer = request.send().await?;
    let status = answer.status();
    let patience = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let body: Value = answer.json().await?;
    if !status.is_success() && body["code"].is_null() {
        return Err(format!("HTTP {status} is not from the school").into());
    }
    Ok((status.is_success(), patience, body))
}

/// Fen of an amount in yuan as typed, without binary fractions; never rounded.
fn fen(typed: &str) -> Option<i64> {
    let (whole, part) = typed.split_once('.').unwrap_or((typed, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [_, amount, key] = &std::env::args().collect::<Vec<_>>()[..] else { return Err("top_up AMOUNT KEY".into()) };
    let wish = json!({ "amount_fen": fen(amount).ok_or("no amount of whole fen")? });
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "a crypto provider is there already")?;
    let school = School {
        client: reqwest::Client::builder().timeout(Duration::from_secs(15)).build()?,
        address: std::env::var("ONECARD_ADDRESS")?.trim_end_matches('/').to_owned(),
        token: std::env::var("ONECARD_TOKEN")?,
    };
    let total = school.call("/api/v1/me", None).await?["total_fen"].as_i64().ok_or("no balance")?;
    println!("balance {}.{:02}", total / 100, total % 100);
    // Told before the first try: if this program dies, the same key finds the same order.
    println!("key {key}");
    let made = school.call("/api/v1/me/topup", Some((&wish, key))).await?;
    let number = made["number"].as_str().ok_or("no number")?;
    println!("order {number} pay at {}", made["pay_address"].as_str().unwrap_or_default());
    let mut place = String::new();
    while !ENDED.contains(&place.as_str()) {
        let order = school.call(&format!("/api/v1/me/orders/{number}"), None).await?;
        let now = order["place"].as_str().ok_or("no place")?;
        if now != place {
            place = now.to_owned();
            println!("place {place}");
        }
        if !ENDED.contains(&place.as_str()) {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
    Ok(())
}
