//! The official account's server side.

use serde_json::{Value, json};

use crate::merchant::Merchant;

const PAYER: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

async fn token(merchant: &Merchant) -> String {
    let target = format!(
        "/cgi-bin/token?grant_type=client_credential&appid={}&secret={}",
        merchant.side.appid, merchant.side.app_secret
    );
    let told = merchant.get(&target).await.json();
    assert_eq!(told["expires_in"], 7200);
    told["access_token"].as_str().expect("a token").to_owned()
}

async fn stable(merchant: &Merchant, force: bool) -> Value {
    let body = json!({
        "grant_type": "client_credential", "appid": merchant.side.appid, "secret": merchant.side.app_secret,
        "force_refresh": force,
    });
    merchant.post_json("/cgi-bin/stable_token", &body).await.json()
}

async fn post(merchant: &Merchant, path: &str, token: &str, body: &Value) -> Value {
    merchant.post_json(&format!("/cgi-bin/{path}?access_token={token}"), body).await.json()
}

fn menu() -> Value {
    json!({ "button": [
        { "name": "校园卡", "sub_button": [{ "type": "view", "name": "卡片充值", "url": "https://card.example/me" }] },
    ] })
}

#[tokio::test]
async fn credentials_are_checked_one_by_one() {
    let merchant = Merchant::new();
    let (appid, secret) = (&merchant.side.appid, &merchant.side.app_secret);
    let table = [
        (format!("grant_type=password&appid={appid}&secret={secret}"), 40002),
        (format!("grant_type=client_credential&appid=wx0&secret={secret}"), 40013),
        (format!("grant_type=client_credential&appid={appid}&secret=x"), 40125),
    ];
    for (query, code) in table {
        assert_eq!(merchant.get(&format!("/cgi-bin/token?{query}")).await.json()["errcode"], code, "{query}");
    }
}

#[tokio::test]
async fn a_new_token_retires_the_old_one_after_five_minutes() {
    let merchant = Merchant::new();
    let first = token(&merchant).await;
    let second = token(&merchant).await;
    assert_ne!(first, second);
    assert_eq!(post(&merchant, "menu/create", &first, &menu()).await["errcode"], 0);
    merchant.clock.forward(300);
    assert_eq!(post(&merchant, "menu/create", &first, &menu()).await["errcode"], 42001);
    assert_eq!(post(&merchant, "menu/create", &second, &menu()).await["errcode"], 0);
    merchant.clock.forward(7200);
    assert_eq!(post(&merchant, "menu/create", &second, &menu()).await["errcode"], 42001);
    assert_eq!(post(&merchant, "menu/create", "nonsense", &menu()).await["errcode"], 40001);
    assert_eq!(post(&merchant, "menu/create", "", &menu()).await["errcode"], 41001);
}

#[tokio::test]
async fn the_stable_token_stays_until_it_ends_or_is_forced() {
    let merchant = Merchant::new();
    let first = stable(&merchant, false).await;
    token(&merchant).await;
    merchant.clock.forward(200);
    let again = stable(&merchant, false).await;
    assert_eq!(again["access_token"], first["access_token"]);
    assert_eq!(again["expires_in"], 7000);
    let forced = stable(&merchant, true).await;
    assert_ne!(forced["access_token"], first["access_token"]);
    merchant.clock.forward(7200);
    assert_ne!(stable(&merchant, false).await["access_token"], forced["access_token"]);
}

#[tokio::test]
async fn a_ticket_stays_for_two_hours() {
    let merchant = Merchant::new();
    let token = token(&merchant).await;
    let ticket = async |kind: &str| {
        merchant.get(&format!("/cgi-bin/ticket/getticket?access_token={token}&type={kind}")).await.json()
    };
    let first = ticket("jsapi").await;
    assert_eq!((&first["errcode"], &first["expires_in"]), (&json!(0), &json!(7200)));
    assert_eq!(ticket("jsapi").await["ticket"], first["ticket"]);
    assert_eq!(ticket("other").await["errcode"], 40097);
}

#[tokio::test]
async fn messages_are_judged_kept_and_shown_without_the_person() {
    let merchant = Merchant::new();
    let token = token(&merchant).await;
    let template = json!({
        "touser": PAYER, "template_id": "TPL1", "url": "https://card.example/me",
        "data": { "first": { "value": "充值成功" } },
    });
    let sent = post(&merchant, "message/template/send", &token, &template).await;
    assert_eq!(sent["errcode"], 0);
    let subscribe =
        |touser: &str, data: Value| json!({ "touser": touser, "template_id": "SUB1", "page": "", "data": data });
    let table = [
        (subscribe(PAYER, json!({ "thing1": { "value": "到账 50.00 元" } })), 0),
        (subscribe("someone", json!({ "thing1": { "value": "x" } })), 40003),
        (subscribe(PAYER, json!({ "thing1": { "value": "长".repeat(21) } })), 47003),
        (subscribe(PAYER, json!({ "thing1": "x" })), 47003),
        (json!({ "touser": PAYER, "template_id": "", "data": {} }), 40037),
        (json!([]), 47001),
    ];
    for (body, code) in table {
        assert_eq!(post(&merchant, "message/subscribe/bizsend", &token, &body).await["errcode"], code, "{body}");
    }
    for (mode, code) in [("refused", 43101), ("busy", -1), ("quota", 45009)] {
        merchant.switch(&json!({ "switch": "message", "mode": mode, "scope": "next" })).await;
        assert_eq!(post(&merchant, "message/template/send", &token, &template).await["errcode"], code, "{mode}");
    }
    post(&merchant, "menu/create", &token, &menu()).await;

    let state = merchant.get("/control/state").await.json();
    assert_eq!(state["messages"].as_array().map(Vec::len), Some(2));
    let page = merchant.get("/control/account?lang=en").await.text();
    for shown in ["充值成功", "到账 50.00 元", "TPL1", "卡片充值", "https://card.example/me"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains(PAYER) && !state.to_string().contains(PAYER), "a person is named");
}
