//! Guesses at passwords, by the thousand and side by side, at the whole router (R77, T1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use flows::ports::{Field, Pii, SealBroken, Secrets, Waiting};
use flows::rows::{Key, Row};
use keys::{Keyring, SoftSecrets};
use ledger::Id;
use rules::credential::{Scope, Subject};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use crate::browser::Browser;
use crate::policy::token;
use crate::rig::{PASSWORD, Rig};

const GUESSES: usize = 10_000;
/// So many numbers are tried, one after the other; the first [`KNOWN`] of them exist.
const NUMBERS: usize = 500;
const KNOWN: usize = 20;

/// The real secrets, but for the slow hash: what it costs is measured elsewhere, here it is counted.
struct Counted {
    real: SoftSecrets,
    checks: AtomicUsize,
    /// A comparison ends only while there is a permit.
    ends: Semaphore,
}

impl Counted {
    fn new() -> Arc<Counted> {
        let real = SoftSecrets::new(&Keyring::generate()).expect("threads");
        Arc::new(Counted { real, checks: AtomicUsize::new(0), ends: Semaphore::new(1) })
    }

    fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }
}

fn quick_hash(password: &str) -> String {
    format!("{:02x?}", ledger::row_digest("password", password.as_bytes(), None).key)
}

impl Secrets for Counted {
    fn hash_password<'a>(&'a self, password: &'a str) -> Waiting<'a, String> {
        Box::pin(async move { quick_hash(password) })
    }

    fn check_password<'a>(&'a self, password: &'a str, hash: Option<&'a str>) -> Waiting<'a, bool> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let _turn = self.ends.acquire().await.expect("never closed");
            hash == Some(quick_hash(password).as_str())
        })
    }

    fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8> {
        self.real.seal(field, owner, plain)
    }

    fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken> {
        self.real.open(field, owner, sealed)
    }

    fn lookup(&self, field: Field, plain: &str) -> [u8; 32] {
        self.real.lookup(field, plain)
    }

    fn token_hash(&self, token: &[u8; 32]) -> [u8; 32] {
        self.real.token_hash(token)
    }
}

/// A school with a victim who has a card, money, a password of their own and a bound WeChat user; and with others.
struct Besieged {
    rig: Rig,
    secrets: Arc<Counted>,
    /// The victim's own browser.
    own: Browser,
}

fn number(at: usize) -> String {
    format!("20260101{:03}", at % NUMBERS)
}

async fn besieged() -> Besieged {
    let secrets = Counted::new();
    let rig = Rig::with_secrets(secrets.clone(), |config| config.client_header = Some("x-real-ip".to_owned()));
    let victim = rig.person(&number(0), "林晓雨", "E20260042").await;
    flows::card_issue::issue(&rig.school, victim, crate::hand::CARD).await.expect("a free card");
    crate::hand::open_canteen(&rig.school).await;
    for at in 1..KNOWN {
        rig.person(&number(at), "王芳", &format!("E2027{at:04}")).await;
    }
    let order = rig.order(victim, "100").await;
    rig.pay(order, 10_000).await;
    let mut own = Browser::new(&rig);
    own.headers.push(("x-real-ip", "198.51.100.1".to_owned()));
    own.fill("/sign-in", &[("number", &number(0)), ("password", "260042")]).await;
    let changed = own.fill("/password", &[("old", "260042"), ("new", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!(changed.location(), "/me");
    let mut own = own.known_to_wechat().await;
    assert_eq!(own.fill("/me/security/wechat", &[]).await.location(), "/me/security");
    Besieged { rig, secrets, own }
}

impl Besieged {
    async fn tries(&self, at: usize) -> u8 {
        let found = self.rig.school.row(&Key::Number(number(at))).await.expect("readable");
        let person = found.as_ref().and_then(Row::holder).copied().expect("known");
        let row = self.rig.school.row(&Key::Person(person)).await.expect("readable");
        row.as_ref().and_then(Row::person).expect("a holder").password.tries
    }

    /// The victim goes on as if nothing had happened: signed in, by WeChat, and with the card.
    async fn victim_is_unharmed(&mut self) {
        assert_eq!(self.own.get("/me").await.status, StatusCode::OK, "the victim's session lives");
        let mut menu = Browser::new(&self.rig).in_wechat();
        menu.headers.push(("x-real-ip", "203.0.113.9".to_owned()));
        let leave = menu.get("/wechat/enter").await;
        let state = leave.location().rsplit_once("state=").expect("a state").1.to_owned();
        assert_eq!(menu.get(&format!("/wechat/return?code=abc&state={state}")).await.location(), "/me");
        assert_eq!(menu.get("/api/v1/me").await.json()["number"], number(0).as_str());
        self.rig.advance(1);
        self.rig.hand.lock().await.buy(&self.rig.school, 1_200).await;
        let left = self.rig.school.balance(&rules::chart::on_card(crate::hand::CARD));
        assert_eq!(left, ledger::Fen::new(8_800), "the card took its money and paid");
    }
}

/// A guesser at a door that is already open on the page.
async fn guesser(rig: &Rig, address: &str) -> (Browser, String) {
    let mut browser = Browser::new(rig);
    browser.headers.push(("x-real-ip", address.to_owned()));
    let token = browser.get("/sign-in").await.hidden("token");
    (browser, token)
}

fn guess(at: usize) -> String {
    format!("guess-{at:05}")
}

#[tokio::test]
async fn r77_ten_thousand_guesses_from_one_address_are_sixty_tries_a_minute() {
    let mut siege = besieged().await;
    let before = siege.secrets.checks();
    let (mut browser, token) = guesser(&siege.rig, "203.0.113.9").await;
    let (mut tried, mut told_to_wait) = (0, 0);
    for at in 0..GUESSES {
        let fields = [("token", token.as_str()), ("number", &number(at)), ("password", &guess(at))];
        let answer = browser.post("/sign-in", &fields).await;
        match answer.status {
            StatusCode::UNPROCESSABLE_ENTITY => tried += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                told_to_wait += 1;
                assert_eq!(answer.header("retry-after"), "1");
            }
            other => panic!("guess {at}: {other}"),
        }
    }
    assert_eq!((tried, told_to_wait), (60, GUESSES - 60));
    assert_eq!(siege.secrets.checks(), before + 60, "what was told to wait was not looked at");
    assert_eq!(browser.cookie("sid"), None);
    for at in 0..KNOWN {
        assert_eq!(siege.tries(at).await, 1, "one of sixty met each; what was told to wait is no try");
    }
    let refused = browser.post("/sign-in", &[("token", &token), ("number", "1"), ("password", "x")]).await;
    refused.says("操作太频繁");
    refused.says("没有发生任何扣款或入账");
    let json = [("origin", crate::rig::BASE), ("content-type", "application/json")];
    browser.headers[1].1 = "203.0.113.9".to_owned();
    siege
        .own
        .headers
        .iter_mut()
        .filter(|(name, _)| *name == "x-real-ip")
        .for_each(|(_, at)| *at = "203.0.113.9".into());
    let program = siege.own.send(axum::http::Method::POST, "/api/v1/me/proof", &json, r#"{"password":"x"}"#).await;
    assert_eq!((program.status.as_u16(), program.json()["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert_eq!(program.header("content-type"), "application/problem+json");

    let (mut elsewhere, token) = guesser(&siege.rig, "203.0.113.10").await;
    let fields = [("token", token.as_str()), ("number", &number(0)), ("password", PASSWORD)];
    assert_eq!(elsewhere.post("/sign-in", &fields).await.location(), "/me", "another address is free");
    siege.victim_is_unharmed().await;
    siege.rig.advance(60);
    let (mut browser, token) = guesser(&siege.rig, "203.0.113.9").await;
    let fields = [("token", token.as_str()), ("number", &number(0)), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).await.location(), "/me", "a minute later this one too");
}

#[tokio::test]
async fn r77_ten_thousand_guesses_from_everywhere_compare_five_with_each_account() {
    let mut siege = besieged().await;
    let before = siege.secrets.checks();
    let (mut browser, token) = guesser(&siege.rig, "203.0.113.9").await;
    for at in 0..GUESSES {
        let address = format!("10.{}.{}.{}", at >> 16, (at >> 8) & 255, at & 255);
        browser
            .headers
            .iter_mut()
            .filter(|(name, _)| *name == "x-real-ip")
            .for_each(|(_, from)| *from = address.clone());
        // From the sixth round on every guess at the victim is the right password.
        let right = at % NUMBERS == 0 && at / NUMBERS >= 5;
        let password = if right { PASSWORD.to_owned() } else { guess(at) };
        let fields = [("token", token.as_str()), ("number", &number(at)), ("password", &password)];
        let answer = browser.post("/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "guess {at}");
    }
    assert_eq!(browser.cookie("sid"), None, "five were compared with each password, and the door was locked then");
    assert_eq!(siege.secrets.checks(), before + GUESSES, "known, unknown or locked: the same work");
    for at in 0..KNOWN {
        assert_eq!(usize::from(siege.tries(at).await), GUESSES / NUMBERS, "every guess is counted");
    }
    let strangers = siege.rig.school.row(&Key::Strangers).await.expect("readable");
    let strangers = strangers.as_ref().and_then(Row::strangers).map(|counted| counted.tries as usize);
    assert_eq!(strangers, Some(GUESSES / NUMBERS * (NUMBERS - KNOWN)), "a sweep through many numbers is seen");
    siege.victim_is_unharmed().await;
    siege.rig.advance(1_800);
    let fields = [("token", token.as_str()), ("number", &number(0)), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).await.location(), "/me", "the lock is over");
}

#[tokio::test]
async fn r77_a_hundred_guesses_side_by_side_count_as_a_hundred_also_by_address() {
    let siege = besieged().await;
    let before = siege.secrets.checks();
    let mut crowd = JoinSet::new();
    for at in 0..200 {
        // A hundred from as many addresses, a hundred from one.
        let address = if at < 100 { format!("10.0.1.{at}") } else { "203.0.113.9".to_owned() };
        let (mut browser, token) = guesser(&siege.rig, &address).await;
        crowd.spawn(async move {
            let (number, guess) = (number(if at < 100 { 0 } else { 1 }), guess(at));
            browser.post("/sign-in", &[("token", &token), ("number", &number), ("password", &guess)]).await.status
        });
    }
    let answers = crowd.join_all().await;
    let waiting = answers.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!((answers.len(), waiting), (200, 40));
    assert_eq!((siege.tries(0).await, siege.tries(1).await), (100, 60));
    assert_eq!(siege.secrets.checks(), before + 160);
}

#[tokio::test]
async fn two_thousand_people_behind_one_address_come_in_at_noon_as_long_as_they_are_right() {
    let siege = besieged().await;
    let (browser, token) = guesser(&siege.rig, "203.0.113.9").await;
    for _ in 0..2_000 {
        let mut fresh = browser.clone();
        let fields = [("token", token.as_str()), ("number", &number(0)), ("password", PASSWORD)];
        assert_eq!(fresh.post("/sign-in", &fields).await.location(), "/me");
    }
}

#[tokio::test]
async fn one_person_makes_ten_orders_a_minute_and_a_form_that_comes_again_is_no_other() {
    let mut siege = besieged().await;
    let token = siege.own.get("/me").await.hidden("token");
    for at in 0..10 {
        let key = format!("{at:032x}");
        for _ in 0..10 {
            let fields = [("token", token.as_str()), ("amount", "10"), ("key", key.as_str())];
            assert!(siege.own.post("/me/topup", &fields).await.location().starts_with("/pay/"));
        }
    }
    let key = format!("{:032x}", 10);
    let fields = [("token", token.as_str()), ("amount", "10"), ("key", key.as_str())];
    let refused = siege.own.post("/me/topup", &fields).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    refused.says("请等 60 秒再试");
    let first = format!("{:032x}", 0);
    let other = [("token", token.as_str()), ("amount", "20"), ("key", first.as_str())];
    assert!(siege.own.post("/me/topup", &other).await.status.is_client_error(), "a used form with another amount");
    let refused = siege.own.post("/me/topup", &fields).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "makes no room for a new one");
    siege.rig.advance(60);
    assert!(
        siege.own.post("/me/topup", &fields).await.location().starts_with("/pay/"),
        "the same form, a minute later"
    );
}

#[tokio::test]
async fn a_session_that_never_rests_is_told_to_wait_and_no_other_is() {
    let mut siege = besieged().await;
    let mut answers = std::collections::BTreeMap::new();
    for _ in 0..3_100 {
        *answers.entry(siege.own.get("/wechat/enter").await.status.as_u16()).or_insert(0) += 1;
    }
    assert!(answers[&429] >= 100, "{answers:?}");
    assert_eq!(Browser::new(&siege.rig).get("/sign-in").await.status, StatusCode::OK);
    siege.rig.advance(1);
    assert_eq!(siege.own.get("/me").await.status, StatusCode::OK, "fifty more a second later");
}

#[tokio::test]
async fn r77_a_right_password_whose_browser_goes_away_while_it_is_compared_counts_as_right() {
    let besieged = besieged().await;
    let mut impatient = Browser::new(&besieged.rig);
    impatient.headers.push(("x-real-ip", "198.51.100.1".to_owned()));
    let token = impatient.get("/sign-in").await.hidden("token");
    let number = number(0);
    let fields = [("token", token.as_str()), ("number", number.as_str()), ("password", PASSWORD)];
    for _ in 0..10 {
        let before = besieged.secrets.checks();
        let held = besieged.secrets.ends.acquire().await.expect("never closed");
        let compared = async {
            while besieged.secrets.checks() == before {
                yield_now().await;
            }
        };
        tokio::select! {
            answer = impatient.post("/sign-in", &fields) => panic!("nothing can be answered: {}", answer.text()),
            () = compared => {}
        }
        // The connection is gone; now the comparison ends.
        drop(held);
        let forgiven = async {
            while besieged.tries(0).await != 0 {
                yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), forgiven).await.expect("a right one is taken back");
    }
    assert_eq!(impatient.post("/sign-in", &fields).await.location(), "/me");
}

/// Who shows this header; where it asks.
async fn asks(rig: &Rig, header: &str, path: &str) -> u16 {
    Browser::new(rig).send(Method::GET, path, &[("authorization", header)], "").await.status.as_u16()
}

#[tokio::test]
async fn a_program_that_never_rests_is_told_to_wait_and_no_other_is() {
    let rig = Rig::new();
    let person = rig.holder().await;
    Browser::signed_in(&rig, "2026010101", "260042").await;
    let mine = Subject::Person(person);
    let [wild, calm, school] = [
        token(&rig, mine, Scope::Read).await,
        token(&rig, mine, Scope::Read).await,
        token(&rig, Subject::School, Scope::EventsRead).await,
    ];
    for (token, path) in [(&wild, "/api/v1/me/card"), (&school, "/api/v1/events?limit=1")] {
        // However the header is written, it is one token.
        let spellings = [format!("Bearer {token}"), format!("bearer  {token}")];
        let mut answers = std::collections::BTreeMap::new();
        for at in 0..3_100 {
            let asked = if at < 3_000 { "/api/v1/none" } else { path };
            *answers.entry(asks(&rig, &spellings[at % 2], asked).await).or_insert(0) += 1;
        }
        assert_eq!(answers, [(404, 3_000), (429, 100)].into(), "{path}");
    }
    assert_eq!(asks(&rig, &format!("Bearer {calm}"), "/api/v1/me").await, 200, "another token of the same holder");
    rig.advance(1);
    assert_eq!(asks(&rig, &format!("Bearer {wild}"), "/api/v1/me").await, 200, "fifty more a second later");
}

#[tokio::test]
async fn whoever_asks_for_what_is_so_already_fills_no_book() {
    let rig = Rig::new();
    let person = rig.holder().await;
    Browser::signed_in(&rig, "2026010101", "260042").await;
    let bearer = format!("Bearer {}", token(&rig, Subject::Person(person), Scope::Read).await);
    let read = async |key: &str, to: u64| {
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        let body = format!(r#"{{"to": {to}}}"#);
        let answer = Browser::new(&rig).send(Method::POST, "/api/v1/me/messages/read", &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.header("idempotency-replayed") == "true"
    };
    assert!(!read("none", 0).await && !read("none", 0).await, "no message was read, and no answer is kept");
    assert!(!read("all", 99).await && read("all", 99).await, "they are read, and the answer is told again");
    assert!(!read("again", 99).await && !read("again", 99).await, "they were read");
}
