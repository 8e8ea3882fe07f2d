//! Who may: every route against everybody who may ask, as a table. A route without a row fails.

use axum::http::{Method, StatusCode};
use flows::credential;
use ledger::Id;
use rules::credential::{Scope, Subject, Wish, text};
use rules::ids::PersonId;

use crate::browser::{Answer, Browser};
use crate::contract::routes;
use crate::rig::{BASE, Rig};

/// Who asks, in the order of the table's letters.
const ACTORS: [&str; 11] = [
    "nobody",
    "the holder",
    "another holder",
    "a holder who must change the password",
    "a token to read",
    "a token to top up",
    "a token for the card",
    "a token that expired",
    "a token that was revoked",
    "a token of the school",
    "a token to read, with the cookies of the holder's session",
];

/// What each is answered, by its letter:
/// `+` let through (what then becomes of the request is not the policy's), `s` sign in first, `c` change the password
/// first, `0` not found, as what does not exist; `t` no token that lives, `x` not by this token; `f`
/// what this session did not begin.
const TABLE: &[(&str, &str, &str)] = &[
    ("GET", "/", "s+++ssssss+"),
    ("GET", "/sign-in", "+++++++++++"),
    ("POST", "/sign-in", "+++++++++++"),
    ("POST", "/sign-out", "+++++++++++"),
    ("GET", "/continue", "+++++++++++"),
    ("GET", "/password", "s+++ssssss+"),
    ("POST", "/password", "s+++ssssss+"),
    ("GET", "/me", "s++cssssss+"),
    ("GET", "/me/topup", "s++cssssss+"),
    ("POST", "/me/topup", "s++cssssss+"),
    ("GET", "/me/orders/{order}", "s+0cssssss+"),
    ("POST", "/me/orders/{order}", "s+0cssssss+"),
    ("GET", "/me/orders/{order}/status", "s+0cssssss+"),
    ("GET", "/me/records", "s++cssssss+"),
    ("GET", "/me/records.csv", "s++cssssss+"),
    ("GET", "/me/records/{number}", "s+0cssssss+"),
    ("GET", "/me/card", "s++cssssss+"),
    ("GET", "/me/card/loss", "s++cssssss+"),
    ("POST", "/me/card/loss", "s++cssssss+"),
    ("GET", "/me/messages", "s++cssssss+"),
    ("POST", "/me/messages", "s++cssssss+"),
    ("GET", "/me/statements", "s++cssssss+"),
    ("GET", "/me/statements/{month}", "s++cssssss+"),
    ("GET", "/me/spending", "s++cssssss+"),
    ("GET", "/me/security/tokens", "s++cssssss+"),
    ("POST", "/me/security/tokens", "s++cssssss+"),
    ("POST", "/me/security/tokens/{token}/revoke", "s+0cssssss+"),
    ("GET", "/pay/{order}", "s+0cssssss+"),
    ("GET", "/wechat/return", "sffcssssssf"),
    ("POST", "/display", "+++++++++++"),
    ("POST", "/notify/wechat", "+++++++++++"),
    ("GET", "/assets/{file}", "00000000000"),
    ("GET", "/healthz", "+++++++++++"),
    ("GET", "/api/v1/openapi.json", "+++++++++++"),
    ("GET", "/api/v1/me", "s++c+xxttx+"),
    ("GET", "/api/v1/me/topup", "s++cx+xttxx"),
    ("POST", "/api/v1/me/topup", "s++cx+xttxx"),
    ("GET", "/api/v1/me/orders/{order}", "s+0cx+xttxx"),
    ("POST", "/api/v1/me/orders/{order}/check", "s+0cx+xttxx"),
    ("GET", "/api/v1/me/records", "s++c+xxttx+"),
    ("GET", "/api/v1/me/records/{number}", "s+0c+xxttx+"),
    ("GET", "/api/v1/me/messages", "s++c+xxttx+"),
    ("POST", "/api/v1/me/messages/read", "s++c+xxttx+"),
    ("GET", "/api/v1/me/statements", "s++c+xxttx+"),
    ("GET", "/api/v1/me/statements/{month}", "s++c+xxttx+"),
    ("GET", "/api/v1/me/spending", "s++c+xxttx+"),
    ("GET", "/help", "+++++++++++"),
    ("GET", "/help/all", "+++++++++++"),
    ("GET", "/help/guide.pdf", "+++++++++++"),
    ("GET", "/help/{topic}", "+++++++++++"),
    ("GET", "/api/v1/guide", "+++++++++++"),
    ("GET", "/api/v1/channels", "+++++++++++"),
    ("GET", "/api/v1/events", "ttttxxxtt+x"),
    ("GET", "/api/v1/me/card", "s++c+xxttx+"),
    ("POST", "/api/v1/me/card/loss", "s++cxx+ttxx"),
    ("GET", "/wechat/enter", "s+++ssssss+"),
    ("GET", "/prove", "s++cssssss+"),
    ("POST", "/prove", "s+++ssssss+"),
    ("GET", "/me/security", "s++cssssss+"),
    ("POST", "/me/security/sessions", "s++cssssss+"),
    ("GET", "/me/security/wechat", "s++cssssss+"),
    ("POST", "/me/security/wechat", "s++cssssss+"),
    ("POST", "/me/security/wechat/end", "s++cssssss+"),
    ("GET", "/api/v1/me/security", "s++cxxxttxx"),
    ("GET", "/api/v1/me/sessions", "s++cxxxttxx"),
    ("DELETE", "/api/v1/me/sessions", "s++cxxxttxx"),
    ("DELETE", "/api/v1/me/sessions/{id}", "s00cxxxttxx"),
    ("DELETE", "/api/v1/me/wechat", "s++cxxxttxx"),
    ("POST", "/api/v1/me/proof", "s+++xxxttxx"),
    ("POST", "/api/v1/me/password", "s+++xxxttxx"),
];

struct Actor {
    browser: Browser,
    token: Option<String>,
}

pub async fn token(rig: &Rig, subject: Subject, scope: Scope) -> String {
    let secret: [u8; 32] = rig.school.random();
    let wish = Wish { subject, name: scope.word().to_owned(), scopes: vec![scope], days: 30 };
    credential::make(&rig.school, wish, &secret).await.expect("a right wish");
    text(&secret)
}

/// Everybody of [`ACTORS`]; the order and the token that belong to the holder.
async fn everybody(rig: &Rig) -> (Vec<Actor>, String, String) {
    let person = rig.holder().await;
    rig.other().await;
    rig.person("2026010103", "李四", "E20260044").await;
    let mine = Subject::Person(person);
    Browser::signed_in(rig, "2026010101", "260042").await;
    let expired = token(rig, mine, Scope::Read).await;
    rig.advance(31 * 86_400);
    let holder = again(rig).await;
    let other = Browser::signed_in(rig, "2026010102", "260043").await;
    let mut fresh = Browser::new(rig);
    let entered = fresh.fill("/sign-in", &[("number", "2026010103"), ("password", "260044")]).await;
    assert_eq!(entered.location(), "/password");
    let [read, top_up, card, revoked] = [
        token(rig, mine, Scope::Read).await,
        token(rig, mine, Scope::TopUp).await,
        token(rig, mine, Scope::Card).await,
        token(rig, mine, Scope::Read).await,
    ];
    revoke(rig, person, &revoked).await;
    let number = number_of(rig, &token(rig, mine, Scope::Read).await).to_string();
    let school = token(rig, Subject::School, Scope::EventsRead).await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let nobody = Browser::new(rig);
    let by = |token: &String| Actor { browser: nobody.clone(), token: Some(token.clone()) };
    let in_session = |browser: &Browser| Actor { browser: browser.clone(), token: None };
    let actors = vec![
        in_session(&nobody),
        in_session(&holder),
        in_session(&other),
        in_session(&fresh),
        by(&read),
        by(&top_up),
        by(&card),
        by(&expired),
        by(&revoked),
        by(&school),
        Actor { browser: holder, token: Some(read) },
    ];
    (actors, order.to_string(), number)
}

/// The holder signs in anew: the first session ended in the meantime.
async fn again(rig: &Rig) -> Browser {
    let mut browser = Browser::new(rig);
    let fields = [("number", "2026010101"), ("password", crate::rig::PASSWORD)];
    assert_eq!(browser.fill("/sign-in", &fields).await.location(), "/me");
    browser
}

fn number_of(rig: &Rig, token: &str) -> Id {
    let secret = rules::credential::parse(token).expect("a token");
    rules::credential::number(&rig.school.secrets.token_hash(&secret))
}

async fn revoke(rig: &Rig, person: PersonId, token: &str) {
    credential::revoke(&rig.school, Subject::Person(person), number_of(rig, token)).await.expect("ended");
}

/// Sends what a person or a program would, with everything right but perhaps who sends it.
async fn ask(actor: &Actor, method: &str, path: &str) -> Answer {
    let mut browser = actor.browser.clone();
    let bearer = actor.token.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    if method == "GET" {
        return browser.send(Method::GET, path, &headers, "").await;
    }
    headers.push(("origin", BASE));
    if path.starts_with("/api/") {
        headers.extend([("content-type", "application/json"), ("idempotency-key", "policy")]);
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        return browser.send(method, path, &headers, r#"{"amount_fen": 0}"#).await;
    }
    // Whatever page this browser may open has the token of its forms.
    let mut form = String::new();
    for page in ["/me", "/password", "/sign-in"] {
        let shown = browser.get(page).await;
        if shown.status == StatusCode::OK {
            form = format!("token={}&to=0&key={}", shown.hidden("token"), "0".repeat(32));
            break;
        }
    }
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    browser.send(Method::POST, path, &headers, form).await
}

fn letter(path: &str, answer: &Answer) -> char {
    let place = answer.header("location");
    let code = if answer.header("content-type").contains("problem") {
        answer.json()["code"].as_str().unwrap_or_default().to_owned()
    } else {
        String::new()
    };
    match (answer.status.as_u16(), code.as_str()) {
        (_, "SIGN_IN_REQUIRED") => 's',
        (_, "PASSWORD_CHANGE_REQUIRED") => 'c',
        (_, "TOKEN_INVALID") => 't',
        (_, "SCOPE_MISSING") => 'x',
        (404, _) => '0',
        (303, _) if place.starts_with("/sign-in") && path != "/sign-out" => 's',
        (303, _) if place.starts_with("/password") => 'c',
        (403, _) => 'f',
        (500.., _) => '!',
        _ => '+',
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let rig = Rig::new();
    let (actors, order, token) = everybody(&rig).await;
    assert_eq!(actors.len(), ACTORS.len());
    let mut wrong = Vec::new();
    let mut all = routes();
    // Whoever signs out is out everywhere: that comes last.
    all.sort_by_key(|(_, path)| path == "/sign-out");
    for (method, path) in all {
        let Some((_, _, expected)) = TABLE.iter().find(|row| (row.0, row.1) == (method.as_str(), path.as_str())) else {
            wrong.push(format!("{method} {path} has no row"));
            continue;
        };
        let address = path.replace("{order}", &order).replace("{number}", &order).replace("{token}", &token);
        let address = address.replace("{month}", "2026-12").replace("{topic}", "topup");
        let mut found = String::new();
        for actor in &actors {
            found.push(letter(&path, &ask(actor, &method, &address).await));
        }
        if found != **expected {
            wrong.push(format!("{method} {path}: {found} and not {expected}"));
        }
    }
    for (method, path, _) in TABLE {
        if !routes().contains(&((*method).to_owned(), (*path).to_owned())) {
            wrong.push(format!("{method} {path} is no route"));
        }
    }
    assert!(wrong.is_empty(), "{ACTORS:?}\n{}", wrong.join("\n"));
}
