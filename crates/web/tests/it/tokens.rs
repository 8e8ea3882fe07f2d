//! Access tokens of a holder: made on a page, shown once, used by a program, ended.

use axum::http::{Method, StatusCode};

use crate::browser::{Answer, Browser};
use crate::rig::{BASE, PASSWORD, Rig};

const PAGE: &str = "/me/security/tokens";

async fn rig_and_holder() -> (Rig, Browser) {
    let rig = Rig::new();
    rig.holder().await;
    let browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    (rig, browser)
}

/// Fills in the form of the page as it was just rendered.
async fn fill(browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let page = browser.get(PAGE).await;
    let (key, form) = (page.hidden("key"), page.hidden("token"));
    browser.post(PAGE, &[fields, &[("key", &key), ("token", &form)]].concat()).await
}

/// The token's text, off the page that the form leads to.
async fn make(browser: &mut Browser, fields: &[(&str, &str)]) -> String {
    let made = fill(browser, fields).await;
    let place = made.location().to_owned();
    shown(&browser.get(&place).await).expect("a new token is shown")
}

fn shown(page: &Answer) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once("data-testid=\"token\">")?;
    Some(rest.split('<').next().expect("an end").to_owned())
}

async fn ask(rig: &Rig, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    Browser::new(rig).send(Method::GET, path, &[("authorization", &bearer)], "").await
}

const READ: [(&str, &str); 3] = [("name", "记账"), ("read", "on"), ("days", "90")];

#[tokio::test]
async fn a_token_is_shown_once_opens_what_it_was_made_for_and_ends_when_its_holder_says_so() {
    let (rig, mut browser) = rig_and_holder().await;
    browser.get(PAGE).await.says("还没有访问令牌");
    let token = make(&mut browser, &READ).await;
    assert!(token.starts_with("oc_") && token.len() == 67, "{token}");
    let listed = browser.get(PAGE).await;
    assert_eq!(shown(&listed), None, "only where the form leads");
    listed.says("记账");
    listed.says("从未使用");

    assert_eq!(ask(&rig, &token, "/api/v1/me").await.json()["name_masked"], "林*雨");
    let refused = ask(&rig, &token, "/api/v1/me/orders/1").await;
    assert_eq!((refused.status, refused.json()["scope"].as_str()), (StatusCode::FORBIDDEN, Some("topup")));
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    browser.get(PAGE).await.says("最近使用：2026-11-23");

    let page = browser.get(PAGE).await.text();
    let (_, rest) = page.split_once("action=\"/me/security/tokens/").expect("a form that ends it");
    let end = format!("{PAGE}/{}", rest.split('"').next().expect("an end"));
    let form = browser.get(PAGE).await.hidden("token");
    for _ in 0..2 {
        assert_eq!(browser.post(&end, &[("token", &form)]).await.location(), PAGE);
        let gone = ask(&rig, &token, "/api/v1/me").await;
        assert_eq!((gone.status, gone.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("TOKEN_INVALID")));
        assert!(gone.header("www-authenticate").contains("invalid_token"));
    }
    browser.get(PAGE).await.says("已撤销");
}

#[tokio::test]
async fn the_form_sent_twice_is_one_token_and_it_is_shown_until_it_is_used_or_old_and_in_no_other_session() {
    let (rig, mut browser) = rig_and_holder().await;
    let page = browser.get(PAGE).await;
    let (key, form) = (page.hidden("key"), page.hidden("token"));
    let fields = [&READ[..], &[("key", key.as_str()), ("token", form.as_str())]].concat();
    let first = browser.post(PAGE, &fields).await.location().to_owned();
    assert_eq!(browser.post(PAGE, &fields).await.location(), first);
    let token = shown(&browser.get(&first).await).expect("shown");
    assert_eq!(shown(&browser.get(&first).await).as_deref(), Some(token.as_str()), "loaded anew");
    assert_eq!(browser.get(PAGE).await.text().matches("/revoke").count(), 1);

    let mut elsewhere = Browser::new(&rig);
    let entered = elsewhere.fill("/sign-in", &[("number", "2026010101"), ("password", PASSWORD)]).await;
    assert_eq!(entered.location(), "/me");
    assert_eq!(shown(&elsewhere.get(&first).await), None);
    rig.advance(299);
    assert!(shown(&browser.get(&first).await).is_some());
    rig.advance(2);
    assert_eq!(shown(&browser.get(&first).await), None, "five minutes are over");

    let next = make(&mut browser, &READ).await;
    assert_ne!(next, token);
    let made = fill(&mut browser, &READ).await.location().to_owned();
    let used = shown(&browser.get(&made).await).expect("shown");
    assert_eq!(ask(&rig, &used, "/api/v1/me").await.status, StatusCode::OK);
    assert_eq!(shown(&browser.get(&made).await), None, "it is in use");
}

#[tokio::test]
async fn a_wish_that_cannot_be_met_comes_back_as_it_was_typed_with_the_reason() {
    let (_rig, mut browser) = rig_and_holder().await;
    let table = [
        ([("name", " "), ("read", "on"), ("days", "30")], "名称"),
        ([("name", "desk"), ("read", ""), ("days", "30")], "请至少选择一项权限"),
        ([("name", "desk"), ("card", "on"), ("days", "9999")], "30、90 或 365 天"),
    ];
    for (fields, reason) in table {
        let answer = fill(&mut browser, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        answer.says(reason);
        answer.says("没有访问令牌");
    }
    fill(&mut browser, &[("name", "<b>desk"), ("days", "30")]).await.says("value=\"&#60;b&#62;desk\"");
}

#[tokio::test]
async fn a_new_password_ends_the_holder_s_tokens() {
    let (rig, mut browser) = rig_and_holder().await;
    let token = make(&mut browser, &READ).await;
    let new = "dong-tian-8642";
    let changed = browser.fill("/password", &[("old", PASSWORD), ("new", new), ("again", new)]).await;
    assert_eq!(changed.location(), "/me");
    assert_eq!(ask(&rig, &token, "/api/v1/me").await.json()["code"], "TOKEN_INVALID");
    browser.get(PAGE).await.says("修改密码后已失效");
}

#[tokio::test]
async fn a_program_with_a_token_needs_neither_cookie_nor_origin_and_cookies_count_for_nothing_beside_it() {
    let (rig, mut browser) = rig_and_holder().await;
    let token = make(&mut browser, &[("name", "pay"), ("topup", "on"), ("days", "30")]).await;
    let bearer = format!("Bearer {token}");
    let more = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k-1")];
    let body = r#"{"amount_fen": 5000}"#;
    let made = Browser::new(&rig).send(Method::POST, "/api/v1/me/topup", &more, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let number = made.json()["number"].as_str().expect("a number").to_owned();
    assert_eq!(made.json()["pay_address"], format!("{BASE}/pay/{number}"));

    // Another site's page cannot send the header; with it, where the request comes from says nothing.
    let foreign = [&more[..], &[("origin", "https://evil.example")]].concat();
    let again = Browser::new(&rig).send(Method::POST, "/api/v1/me/topup", &foreign, body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(again.text(), made.text());
    // The session may see everything; the token beside it may not, and counts.
    let both = browser.send(Method::GET, "/api/v1/me", &more[..1], "").await;
    assert_eq!(both.json()["code"], "SCOPE_MISSING");
    for header in ["Bearer", "Bearer oc_", "Basic b2M6b2M=", "bearer oc_00", ""] {
        let answer = browser.send(Method::GET, "/api/v1/me", &[("authorization", header)], "").await;
        assert_eq!(answer.json()["code"], "TOKEN_INVALID", "{header:?} beside a session that lives");
    }
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(browser.send(Method::GET, "/api/v1/me", &twice, "").await.json()["code"], "TOKEN_INVALID");
    let pages = Browser::new(&rig).send(Method::GET, "/me", &more[..1], "").await;
    assert_eq!(pages.location(), "/sign-in", "a token opens no page");
}

#[tokio::test]
async fn a_key_is_its_holder_s_whichever_token_or_session_brings_it() {
    let (_rig, mut browser) = rig_and_holder().await;
    let fields = [("name", "pay"), ("topup", "on"), ("days", "30")];
    let tokens = [make(&mut browser, &fields).await, make(&mut browser, &fields).await];
    let bearer = tokens.map(|token| format!("Bearer {token}"));
    let [kind, key] = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let mut answers = Vec::new();
    for who in [("authorization", bearer[0].as_str()), ("authorization", bearer[1].as_str()), ("origin", BASE)] {
        let made = browser.send(Method::POST, "/api/v1/me/topup", &[kind, key, who], r#"{"amount_fen": 5000}"#).await;
        answers.push((made.status, made.text(), made.header("idempotency-replayed") == "true"));
    }
    let first = answers[0].1.clone();
    let told = |again| (StatusCode::CREATED, first.clone(), again);
    assert_eq!(answers, [told(false), told(true), told(true)]);
}
