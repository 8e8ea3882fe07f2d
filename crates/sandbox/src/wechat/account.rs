//! The official account's server side: tokens, the menu, messages and the ticket of its pages.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use ledger::Micros;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::random;
use crate::records::{Records, Unsaved};
use crate::sandbox::Sandbox;
use crate::switches::{Switch, Way};

const TOKEN_LIFE_SECONDS: i64 = 7200;
/// How long a token that was replaced still works.
const OLD_TOKEN_SECONDS: i64 = 300;
const MESSAGES_KEPT: usize = 200;
/// The longest text of a `thing` in a subscribe message.
const LONGEST_THING: usize = 20;

/// What the account has been given.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    tokens: BTreeMap<String, Token>,
    ticket: Option<Ticket>,
    pub(crate) menu: Option<Value>,
    messages: Vec<Message>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    #[serde(with = "crate::stored::micros")]
    expires_at: Micros,
    kind: TokenKind,
    /// Replaced by a later one.
    old: bool,
}

/// The two calls that give tokens do not disturb each other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TokenKind {
    Plain,
    Stable,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ticket {
    text: String,
    #[serde(with = "crate::stored::micros")]
    expires_at: Micros,
}

/// A message that the account sent to a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(with = "crate::stored::micros")]
    pub(crate) at: Micros,
    pub(crate) number: u64,
    pub(crate) kind: MessageKind,
    pub(crate) template_id: String,
    /// Where a tap on it leads.
    pub(crate) link: String,
    /// Its parts and their values.
    pub(crate) data: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageKind {
    Template,
    Subscribe,
}

impl Account {
    /// The messages, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().rev()
    }

    /// A new token of a kind; the one before it works five minutes more.
    fn new_token(&mut self, kind: TokenKind, text: &str, now: Micros) {
        self.tokens.retain(|_, token| now <= token.expires_at.after_seconds(TOKEN_LIFE_SECONDS));
        for token in self.tokens.values_mut().filter(|token| token.kind == kind) {
            token.expires_at = token.expires_at.min(now.after_seconds(OLD_TOKEN_SECONDS));
            token.old = true;
        }
        let expires_at = now.after_seconds(TOKEN_LIFE_SECONDS);
        self.tokens.insert(text.to_owned(), Token { expires_at, kind, old: false });
    }

    /// The token of a kind that is in force, and the seconds that are left of it.
    fn current(&self, kind: TokenKind, now: Micros) -> Option<(String, i64)> {
        let holds = |token: &Token| token.kind == kind && !token.old && now < token.expires_at;
        let (text, token) = self.tokens.iter().find(|(_, token)| holds(token))?;
        Some((text.clone(), token.expires_at.since(now) / 1_000_000))
    }

    fn check(&self, token: Option<&str>, now: Micros) -> Result<(), Refusal> {
        let token = token.filter(|token| !token.is_empty()).ok_or(Refusal(41001, "access_token missing"))?;
        let known = self.tokens.get(token).ok_or(Refusal(40001, "invalid credential, access_token is invalid"))?;
        if now < known.expires_at { Ok(()) } else { Err(Refusal(42001, "access_token expired")) }
    }

    fn keep(&mut self, message: Message) {
        if self.messages.len() >= MESSAGES_KEPT {
            self.messages.remove(0);
        }
        self.messages.push(message);
    }

    fn next_number(&self) -> u64 {
        self.messages.last().map_or(1_000_001, |message| message.number.saturating_add(1))
    }
}

/// A refusal as the account platform numbers it; its HTTP status is 200 all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(i32, &'static str);

impl From<Unsaved> for Refusal {
    fn from(_: Unsaved) -> Refusal {
        Refusal(-1, "system error")
    }
}

fn told(done: Result<Value, Refusal>) -> Json<Value> {
    Json(done.unwrap_or_else(|Refusal(errcode, errmsg)| json!({ "errcode": errcode, "errmsg": errmsg })))
}

fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|_| Refusal(47001, "data format error"))
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    #[serde(default)]
    force_refresh: bool,
}

impl Credentials {
    fn check(&self, sandbox: &Sandbox) -> Result<(), Refusal> {
        let setup = &sandbox.setup().wechat;
        let secret = self.secret.as_deref().unwrap_or_default();
        if self.grant_type.as_deref() != Some("client_credential") {
            return Err(Refusal(40002, "invalid grant_type"));
        }
        if self.appid.as_deref() != Some(&setup.appid) {
            return Err(Refusal(40013, "invalid appid"));
        }
        aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), setup.app_secret.as_bytes())
            .map_err(|_| Refusal(40125, "invalid appsecret"))
    }
}

/// `GET /cgi-bin/token`: a new token each time, which retires the one before.
pub(crate) async fn token(State(sandbox): State<Sandbox>, Query(asked): Query<Credentials>) -> Json<Value> {
    let now = sandbox.clock().now();
    told(asked.check(&sandbox).and_then(|()| {
        let text = random::letters(136);
        sandbox.change(|records| {
            records.account.new_token(TokenKind::Plain, &text, now);
            Ok::<_, Refusal>(())
        })?;
        Ok(json!({ "access_token": text, "expires_in": TOKEN_LIFE_SECONDS }))
    }))
}

/// `POST /cgi-bin/stable_token`: the token in force, or a new one where there is none or it is forced.
pub(crate) async fn stable_token(State(sandbox): State<Sandbox>, bytes: Bytes) -> Json<Value> {
    let now = sandbox.clock().now();
    told(body::<Credentials>(&bytes).and_then(|asked| {
        asked.check(&sandbox)?;
        let text = random::letters(136);
        let (text, left) = sandbox.change(|records| {
            let current = records.account.current(TokenKind::Stable, now).filter(|_| !asked.force_refresh);
            Ok::<_, Refusal>(current.unwrap_or_else(|| {
                records.account.new_token(TokenKind::Stable, &text, now);
                (text.clone(), TOKEN_LIFE_SECONDS)
            }))
        })?;
        Ok(json!({ "access_token": text, "expires_in": left }))
    }))
}

#[derive(Deserialize)]
pub(crate) struct Holder {
    access_token: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// `GET /cgi-bin/ticket/getticket?access_token=&type=jsapi`
pub(crate) async fn ticket(State(sandbox): State<Sandbox>, Query(holder): Query<Holder>) -> Json<Value> {
    let now = sandbox.clock().now();
    let fresh = Ticket { text: random::letters(86), expires_at: now.after_seconds(TOKEN_LIFE_SECONDS) };
    told(sandbox.change(|records| {
        records.account.check(holder.access_token.as_deref(), now)?;
        if !matches!(holder.kind.as_deref(), Some("jsapi" | "wx_card")) {
            return Err(Refusal(40097, "invalid args"));
        }
        let known = records.account.ticket.clone().filter(|ticket| now < ticket.expires_at);
        let ticket = known.unwrap_or(fresh);
        let left = ticket.expires_at.since(now) / 1_000_000;
        let told = json!({ "errcode": 0, "errmsg": "ok", "ticket": ticket.text, "expires_in": left });
        records.account.ticket = Some(ticket);
        Ok(told)
    }))
}

/// `POST /cgi-bin/menu/create?access_token=`
pub(crate) async fn create_menu(
    State(sandbox): State<Sandbox>,
    Query(holder): Query<Holder>,
    bytes: Bytes,
) -> Json<Value> {
    let now = sandbox.clock().now();
    told(sandbox.change(|records| {
        records.account.check(holder.access_token.as_deref(), now)?;
        let menu: Value = body(&bytes)?;
        check_menu(&menu)?;
        records.account.menu = Some(menu);
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    }))
}

fn check_menu(menu: &Value) -> Result<(), Refusal> {
    let buttons = menu["button"].as_array().ok_or(Refusal(40016, "invalid button size"))?;
    if !(1..=3).contains(&buttons.len()) {
        return Err(Refusal(40016, "invalid button size"));
    }
    for button in buttons {
        match button.get("sub_button").and_then(Value::as_array).filter(|below| !below.is_empty()) {
            Some(below) if below.len() > 5 => return Err(Refusal(40023, "invalid sub button size")),
            Some(below) => {
                check_name(button, 16)?;
                below.iter().try_for_each(|button| check_button(button, 60))?;
            }
            None => check_button(button, 16)?,
        }
    }
    Ok(())
}

fn check_name(button: &Value, most_bytes: usize) -> Result<(), Refusal> {
    let name = button["name"].as_str().unwrap_or_default();
    if (1..=most_bytes).contains(&name.len()) { Ok(()) } else { Err(Refusal(40018, "invalid button name size")) }
}

fn check_button(button: &Value, most_bytes: usize) -> Result<(), Refusal> {
    check_name(button, most_bytes)?;
    let part = |name: &str| button[name].as_str().unwrap_or_default().len();
    match button["type"].as_str() {
        Some("view") if (1..=1024).contains(&part("url")) => Ok(()),
        Some("view") => Err(Refusal(40020, "invalid url size")),
        Some("click") if (1..=128).contains(&part("key")) => Ok(()),
        Some("click") => Err(Refusal(40019, "invalid button key size")),
        _ => Err(Refusal(40017, "invalid button type")),
    }
}

#[derive(Deserialize)]
struct MessageAsked {
    touser: String,
    template_id: String,
    /// Of a template message.
    url: Option<String>,
    /// Of a subscribe message.
    page: Option<String>,
    data: BTreeMap<String, Value>,
}

/// `POST /cgi-bin/message/template/send?access_token=`
pub(crate) async fn send_template(
    State(sandbox): State<Sandbox>,
    Query(holder): Query<Holder>,
    bytes: Bytes,
) -> Json<Value> {
    send(&sandbox, &holder, &bytes, MessageKind::Template)
}

/// `POST /cgi-bin/message/subscribe/bizsend?access_token=`
pub(crate) async fn send_subscribe(
    State(sandbox): State<Sandbox>,
    Query(holder): Query<Holder>,
    bytes: Bytes,
) -> Json<Value> {
    send(&sandbox, &holder, &bytes, MessageKind::Subscribe)
}

fn send(sandbox: &Sandbox, holder: &Holder, bytes: &[u8], kind: MessageKind) -> Json<Value> {
    let now = sandbox.clock().now();
    let done: Result<Result<Value, Refusal>, Refusal> = sandbox.change(|records: &mut Records| {
        // What the switch spent is kept although the message may be refused.
        Ok(accept(records, holder, bytes, kind, now))
    });
    told(done.and_then(|done| done))
}

fn accept(
    records: &mut Records,
    holder: &Holder,
    bytes: &[u8],
    kind: MessageKind,
    now: Micros,
) -> Result<Value, Refusal> {
    records.account.check(holder.access_token.as_deref(), now)?;
    let asked: MessageAsked = body(bytes)?;
    if !is_openid(&asked.touser) {
        return Err(Refusal(40003, "invalid openid"));
    }
    if asked.template_id.is_empty() {
        return Err(Refusal(40037, "invalid template_id"));
    }
    for (name, part) in &asked.data {
        let value = part["value"].as_str().ok_or(Refusal(47003, "argument invalid"))?;
        if kind == MessageKind::Subscribe && !fits(name, value) {
            return Err(Refusal(47003, "argument invalid"));
        }
    }
    match records.switches.take(Switch::Message).way {
        Way::MessageRefused => return Err(Refusal(43101, "user refuse to accept the msg")),
        Way::MessageBusy => return Err(Refusal(-1, "system error")),
        Way::MessageQuota => return Err(Refusal(45009, "reach max api daily quota limit")),
        _ => {}
    }
    let number = records.account.next_number();
    records.account.keep(Message {
        at: now,
        number,
        kind,
        template_id: asked.template_id,
        link: asked.url.or(asked.page).unwrap_or_default(),
        data: json!(asked.data),
    });
    Ok(json!({ "errcode": 0, "errmsg": "ok", "msgid": number }))
}

fn is_openid(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    text.len() == 28 && text.starts_with('o') && letters
}

/// Whether a part of a subscribe message is of a known kind, and its value fits it.
fn fits(name: &str, value: &str) -> bool {
    let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let letters = value.chars().count();
    let most = match kind {
        "thing" => LONGEST_THING,
        "phrase" | "short_thing" => 5,
        "character_string" | "number" | "letter" => 32,
        "amount" | "name" | "time" | "date" | "const" | "phone_number" | "symbol" | "car_number" => 32,
        _ => return false,
    };
    kind.len() < name.len() && (1..=most).contains(&letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_is_judged_by_its_sizes() {
        let view = json!({ "type": "view", "name": "校园卡", "url": "https://card.example/" });
        let table = [
            (json!({ "button": [view] }), Ok(())),
            (json!({ "button": [{ "name": "校园卡", "sub_button": [view, view] }] }), Ok(())),
            (json!({ "button": [] }), Err(40016)),
            (json!({ "button": [view, view, view, view] }), Err(40016)),
            (json!({ "button": [{ "name": "卡", "sub_button": [view, view, view, view, view, view] }] }), Err(40023)),
            (json!({ "button": [{ "type": "view", "name": "校园卡校园卡", "url": "https://a/" }] }), Err(40018)),
            (json!({ "button": [{ "type": "view", "name": "卡" }] }), Err(40020)),
            (json!({ "button": [{ "type": "click", "name": "卡" }] }), Err(40019)),
            (json!({ "button": [{ "type": "fly", "name": "卡" }] }), Err(40017)),
        ];
        for (menu, expected) in table {
            assert_eq!(check_menu(&menu).map_err(|refusal| refusal.0), expected, "{menu}");
        }
    }

    #[test]
    fn a_part_of_a_subscribe_message_fits_its_kind() {
        let long = "长".repeat(21);
        let table =
            [("thing1", "充值成功", true), ("thing1", &long, false), ("thing", "x", false), ("wish1", "x", false)];
        for (name, value, expected) in table {
            assert_eq!(fits(name, value), expected, "{name} {value}");
        }
    }
}
