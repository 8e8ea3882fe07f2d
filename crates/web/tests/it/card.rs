//! The card page in every state of a card, and reporting it lost (R3, R82).

use axum::http::{Method, StatusCode};
use flows::rows::{Campus, Key, Row};
use flows::{home, tap_load, terminal};
use rules::card::State;
use rules::ids::{CardNo, PersonId};
use rules::load::Stage;
use teller::{Command, Desk, Halt, Seen};

use crate::browser::{Answer, Browser};
use crate::hand::CARD;
use crate::rig::{BASE, PASSWORD, Rig};

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await.known_to_wechat().await
}

async fn report_json(browser: &mut Browser, key: &str, body: &'static str) -> Answer {
    let headers = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", key)];
    browser.send(Method::POST, "/api/v1/me/card/loss", &headers, body).await
}

/// What the counter of the service centre does to a card, or will do.
struct Becomes(CardNo, State);

impl Command<Campus> for Becomes {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Card(self.0)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, ()>> {
        let Some(mut card) = desk.get(&Key::Card(self.0))?.and_then(Row::card).cloned() else {
            return Err(Halt::Refuse(()));
        };
        (card.state, card.since) = (self.1, desk.now());
        desk.put(Key::Card(self.0), Row::Card(card))?;
        Ok(())
    }
}

/// What a terminal of the canteen hears when the card is held to it.
async fn held_to_a_till(rig: &Rig) -> Result<(), &'static str> {
    let at = terminal::by_certificate(&rig.school, [1; 32]).await.expect("readable").expect("enrolled").id;
    tap_load::open(&rig.school, at, CARD, Stage::Load).await.map(|_| ()).map_err(|words| words.code)
}

async fn money(rig: &Rig, person: PersonId) -> [i64; 4] {
    let home = home::home(&rig.school, person).await.expect("readable").expect("a holder");
    [home.available, home.waiting.amount, home.in_transit.amount, home.on_card].map(ledger::Fen::get)
}

#[tokio::test]
async fn r82_a_holder_reports_the_card_lost_sees_since_when_and_keeps_every_fen() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    rig.hand.lock().await.buy(&rig.school, 1_200).await;
    let waits = rig.order(person, "30").await;
    rig.pay(waits, 3_000).await;
    let before = money(&rig, person).await;
    assert_eq!(before, [0, 3_000, 0, 3_800]);
    let mut browser = signed_in(&rig).await;

    let card = browser.get("/me/card").await;
    for words in ["**** 0042", "正常", "自 2026-11-23 12:30:05 起", "¥38.00", "¥30.00", "领取并启用", "挂失此卡"]
    {
        card.says(words);
    }
    assert!(!card.text().contains("2026000000000042"), "the number is not shown whole");
    assert_eq!(held_to_a_till(&rig).await, Ok(()));

    let ask = browser.get("/me/card/loss").await;
    for words in
        ["立即拒绝此卡", "不由您承担", "¥30.00", "¥38.00", "不能在网上撤销", "身份证", "工本费 ¥20.00", "确认挂失"]
    {
        ask.says(words);
    }
    assert_eq!(held_to_a_till(&rig).await, Ok(()), "looking reports nothing");
    rig.advance(37);
    let fields = [("key", ask.hidden("key")), ("card", ask.hidden("card")), ("token", ask.hidden("token"))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/me/card/loss", &fields).await.location(), "/me/card");
    assert_eq!(held_to_a_till(&rig).await, Err("CARD_LOST"), "at once");

    // The same form again, a minute later: pressed twice, or sent again.
    rig.advance(60);
    assert_eq!(browser.post("/me/card/loss", &fields).await.location(), "/me/card");
    let lost = browser.get("/me/card").await;
    for words in ["挂失冻结", "生效时间：2026-11-23 12:30:42", "不能解挂", "工本费 ¥20.00", "正常 → 挂失冻结", "本人"]
    {
        lost.says(words);
    }
    assert!(!lost.text().contains("挂失此卡"), "there is nothing more to report");
    assert_eq!(browser.get("/me/card/loss").await.location(), "/me/card");
    assert_eq!(lost.text().matches("正常 → 挂失冻结").count(), 1, "one change");
    assert_eq!(money(&rig, person).await, before, "no money moved");

    let home = browser.get("/me").await;
    home.says("卡片已冻结，自 2026-11-23 12:30:42 起生效");
    home.says("为您保留，写入下一张可用的卡");
    assert!(!home.text().contains("保持 3 秒"), "nobody is sent to a POS with a frozen card");
    let tracker = browser.get(&format!("/me/orders/{waits}")).await;
    tracker.says("卡片现在不能使用，这笔钱为您保留");
    assert!(!tracker.text().contains("保持 3 秒"));
    // Signed in anew everything is still there, and a top-up is refused in words.
    let mut browser = Browser::new(&rig);
    let entered = browser.fill("/sign-in", &[("number", "2026010101"), ("password", PASSWORD)]).await;
    assert!(entered.status.is_success() || entered.status.is_redirection(), "{}", entered.status);
    browser.get("/me").await.says("卡片已冻结");
    let mut browser = browser.known_to_wechat().await;
    let form = browser.get("/me/topup").await;
    form.says("卡片已挂失冻结，现在不能充值");
    form.says("<a href=\"/me/card\">查看我的卡</a>");
    assert!(!form.text().contains("现在最多可充"), "no cap is the reason");
    let key = form.hidden("key");
    let refused = browser.fill("/me/topup", &[("amount", "50"), ("key", &key)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says("卡片已挂失冻结，现在不能充值");
    browser.get("/me/records").await.says("¥50.00");
}

#[tokio::test]
async fn r82_a_form_of_before_stops_neither_another_card_nor_another_holder_s() {
    let rig = Rig::new();
    rig.holder().await;
    rig.other().await;
    let mut browser = signed_in(&rig).await;
    let ask = browser.get("/me/card/loss").await;
    let (key, token) = (ask.hidden("key"), ask.hidden("token"));
    for (card, status) in [
        ("2026000000000043", StatusCode::UNPROCESSABLE_ENTITY),
        ("0000000000000000", StatusCode::UNPROCESSABLE_ENTITY),
        ("", StatusCode::BAD_REQUEST),
        ("202600000000004", StatusCode::BAD_REQUEST),
        ("２０２６000000000042", StatusCode::BAD_REQUEST),
    ] {
        let answer = browser.post("/me/card/loss", &[("key", &key), ("token", &token), ("card", card)]).await;
        assert_eq!(answer.status, status, "{card}");
    }
    let no_token = browser.post("/me/card/loss", &[("key", &key), ("card", "2026000000000042")]).await;
    assert!(no_token.status.is_client_error());
    assert_eq!(held_to_a_till(&rig).await, Ok(()));
    for card in [CARD, CardNo(0x2026_0000_0000_0043)] {
        let row = rig.school.row(&Key::Card(card)).await.expect("readable").expect("a card");
        assert_eq!(row.card().expect("a card").state, State::Active);
    }
}

#[tokio::test]
async fn r3_the_page_says_in_every_state_what_holds_and_what_to_do() {
    let rig = Rig::new();
    rig.holder().await;
    rig.person("2026010103", "赵六", "E20260044").await;
    let mut browser = signed_in(&rig).await;
    let table = [
        (State::Issued, ["待激活", "尚未启用", "领取并启用"], true),
        (State::Active, ["正常", "可以消费", "越早越好"], true),
        (State::Lost, ["挂失冻结", "已拒绝此卡", "不能解挂"], false),
        (State::Damaged, ["损坏", "已登记损坏", "工本费 ¥20.00"], false),
        (State::Replaced, ["已补办", "由新卡代替", "请使用新卡"], false),
        (State::Closed, ["已注销", "此卡已注销", "校园卡服务中心查询"], false),
    ];
    for (state, words, reportable) in table {
        rig.advance(1);
        rig.school.submit(Becomes(CARD, state)).await.unwrap_or_else(|_| panic!("{state:?}"));
        let page = browser.get("/me/card").await;
        words.iter().for_each(|words| page.says(words));
        assert_eq!(page.text().contains("href=\"/me/card/loss\""), reportable, "{state:?}");
        let json = browser.get("/api/v1/me/card").await.json();
        assert_eq!(json["may_report_loss"], reportable, "{state:?}");
        assert_eq!(browser.get("/me/card/loss").await.status.is_redirection(), !reportable, "{state:?}");
    }
    let mut nobody = Browser::signed_in(&rig, "2026010103", "260044").await;
    let page = nobody.get("/me/card").await;
    page.says("未领卡");
    page.says("领卡");
    page.says("还没有记录");
    let json = nobody.get("/api/v1/me/card").await.json();
    assert_eq!((json["card"].is_null(), json["changes"].as_array().map(Vec::len)), (true, Some(0)));
    let refused = report_json(&mut nobody, "k", r#"{"number": "2026000000000042"}"#).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (422, Some("CARD_STATE")));
    assert_eq!(nobody.get("/me/card/loss").await.location(), "/me/card");
}

#[tokio::test]
async fn r82_a_program_reports_a_card_lost_and_the_same_key_gives_the_same_answer() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let card = browser.get("/api/v1/me/card").await.json();
    assert_eq!(card["card"]["number"], "2026000000000042");
    assert_eq!((card["card"]["state"].as_str(), card["card"]["why"].as_str()), (Some("active"), Some("handed_out")));
    rig.advance(5);
    let number = r#"{"number": "2026000000000042"}"#;
    let first = report_json(&mut browser, "key-1", number).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.json()["effective_since"], "2026-11-23T12:30:10+08:00");
    rig.advance(60);
    for key in ["key-1", "key-2"] {
        assert_eq!(report_json(&mut browser, key, number).await.bytes, first.bytes, "{key}");
    }
    let card = browser.get("/api/v1/me/card").await.json();
    assert_eq!((card["card"]["state"].as_str(), card["card"]["why"].as_str()), (Some("lost"), Some("reported_lost")));
    assert_eq!(card["card"]["since"], "2026-11-23T12:30:10+08:00");
    let change = &card["changes"][0];
    assert_eq!((change["from"].as_str(), change["to"].as_str()), (Some("active"), Some("lost")));
    assert_eq!((change["by"].as_str(), change["place"].as_str()), (Some("holder"), Some("program")));
    let table = [
        (report_json(&mut browser, "", number).await, 400, "IDEMPOTENCY_KEY"),
        (report_json(&mut browser, "k", "{}").await, 400, "MALFORMED"),
        (report_json(&mut browser, "k", r#"{"number": "1"}"#).await, 400, "MALFORMED"),
        (
            report_json(&mut browser, "k", r#"{"number": "2026000000000042", "state": "active"}"#).await,
            400,
            "MALFORMED",
        ),
        (report_json(&mut browser, "key-1", r#"{"number": "2026000000000043"}"#).await, 409, "IDEMPOTENCY_CONFLICT"),
        (report_json(&mut browser, "k", r#"{"number": "2026000000000043"}"#).await, 422, "CARD_STATE"),
        (report_json(&mut Browser::new(&rig), "k", number).await, 401, "SIGN_IN_REQUIRED"),
    ];
    for (answer, status, code) in table {
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
    }
}

#[tokio::test]
async fn r82_inside_wechat_the_report_says_so_in_the_story() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.in_wechat();
    let ask = browser.get("/me/card/loss").await;
    let (key, card, token) = (ask.hidden("key"), ask.hidden("card"), ask.hidden("token"));
    let fields = [("key", key.as_str()), ("card", &card), ("token", &token)];
    assert_eq!(browser.post("/me/card/loss", &fields).await.location(), "/me/card");
    browser.get("/me/card").await.says("微信");
}
