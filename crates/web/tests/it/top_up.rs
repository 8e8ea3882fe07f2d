//! Making and paying an order: who pays, what is refused, what a repeat does (R19, R21, R22, R27 to R30).

use axum::http::StatusCode;
use flows::ports::{ChannelError, Payment, Trade};
use ledger::Fen;

use crate::browser::Browser;
use crate::rig::{CASHIER, Rig};

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await
}

/// Opens the form and orders; where that leads.
async fn order(browser: &mut Browser, amount: &str) -> String {
    let key = browser.get("/me/topup").await.hidden("key");
    let answer = browser.fill("/me/topup", &[("amount", amount), ("key", &key)]).await;
    answer.location().to_owned()
}

#[tokio::test]
async fn r27_wechat_is_asked_who_pays_once_a_session() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.in_wechat();
    let leave = browser.get("/me/topup").await;
    let address = leave.location();
    assert!(
        address.starts_with(&format!("{CASHIER}/authorize?redirect_uri=http://127.0.0.1:8080/wechat/return&state="))
    );
    let state = address.rsplit_once('=').expect("a state").1.to_owned();
    assert!(state.len() <= 128 && state.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{state}");

    let mut thief = browser.clone();
    let back = format!("/wechat/return?code=abc&state={state}");
    assert_eq!(browser.get(&back).await.location(), "/me/topup");
    assert_eq!(browser.get("/me/topup").await.status, StatusCode::OK);
    assert_eq!(browser.get(&back).await.status, StatusCode::FORBIDDEN, "the state is used up");

    thief.lose_cookie("sid");
    thief.fill("/sign-in", &[("number", "2026010101"), ("password", crate::rig::PASSWORD)]).await;
    assert_eq!(thief.get(&back).await.status, StatusCode::FORBIDDEN, "the state belongs to another session");
    let payer = browser.cookie("payer").expect("sealed").to_owned();
    assert!(!payer.contains("openid"));
    thief.set_cookie("payer", &payer);
    assert!(thief.get("/me/topup").await.status.is_redirection(), "what was sealed for one session opens in no other");
}

#[tokio::test]
async fn a_visit_to_wechat_that_fails_says_so_and_leads_back() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.in_wechat();
    let leave = browser.get("/me/topup").await;
    let state = leave.location().rsplit_once('=').expect("a state").1.to_owned();
    let table = [
        (format!("code=silent&state={state}"), StatusCode::BAD_GATEWAY),
        (format!("code=used&state={state}"), StatusCode::UNPROCESSABLE_ENTITY),
        ("code=abc&state=".to_owned(), StatusCode::FORBIDDEN),
        (format!("code=abc&state={}", "0".repeat(64)), StatusCode::FORBIDDEN),
        ("code=abc".to_owned(), StatusCode::FORBIDDEN),
    ];
    for (query, status) in table {
        let answer = browser.get(&format!("/wechat/return?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        answer.says("href=\"/me/topup\"");
        answer.says("没有发生任何扣款或入账");
        assert_eq!(browser.cookie("payer"), None);
    }
}

#[tokio::test]
async fn where_wechat_may_not_be_called_the_page_says_how_to_get_there() {
    let rig = Rig::with(|config| (config.pay_by_code, config.pay_in_phone_browser) = (false, false));
    rig.holder().await;
    let desk = signed_in(&rig).await;
    for mut browser in [desk.clone(), desk.clone().on_phone()] {
        let page = browser.get("/me/topup").await;
        assert_eq!(page.status, StatusCode::OK);
        page.says("http://127.0.0.1:8080/me/topup");
    }
    assert!(desk.in_wechat().get("/me/topup").await.status.is_redirection());
}

#[tokio::test]
async fn r27_outside_wechat_a_phone_calls_it_and_another_screen_shows_a_code() {
    for demo in [true, false] {
        let rig = Rig::with(|config| {
            if !demo {
                config.cashier = None;
            }
        });
        rig.holder().await;
        let desk = signed_in(&rig).await;

        let mut phone = desk.clone().on_phone();
        let place = order(&mut phone, "50").await;
        let number = place.rsplit_once('/').expect("a number").1.to_owned();
        let page = phone.get(&place).await;
        let back = format!("http%3A%2F%2F127.0.0.1%3A8080%2Fme%2Forders%2F{number}");
        page.says(&format!("href=\"https://wx.example/h5?prepay_id={number}&#38;redirect_url={back}\""));
        assert_eq!(
            page.header("referrer-policy"),
            "strict-origin-when-cross-origin",
            "the provider looks at the domain"
        );

        let mut screen = desk.clone();
        let place = order(&mut screen, "60").await;
        let page = screen.get(&place).await;
        page.says("role=\"img\" aria-label=\"微信支付二维码\"><svg ");
        let number = place.rsplit_once('/').expect("a number").1;
        let camera = format!("{CASHIER}/scan?code=weixin%3A%2F%2Fwxpay%2Fbizpayurl%3Fpr%3D{number}&#38;lang=zh-CN");
        assert_eq!(page.text().contains(&camera), demo, "the sandbox's camera is offered where nobody has WeChat");

        // Whoever looks again meets the same order, and after the payment its tracker.
        assert_eq!(screen.get(&place).await.status, StatusCode::OK);
        rig.pay(rules::ids::OrderNo::parse(number).expect("24 digits"), 6_000).await;
        assert_eq!(screen.get(&place).await.location(), format!("/me/orders/{number}"));
        screen.get(&format!("/me/orders/{number}/status")).await.says("data-payable=\"false\"");
    }
}

#[tokio::test]
async fn r11_target_and_way_are_named_before_anything_is_paid() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let form = browser.get("/me/topup").await;
    let pay = order(&mut browser, "50").await;
    for page in [form, browser.get(&pay).await] {
        page.says("自主充值");
        page.says("微信支付");
    }
}

#[tokio::test]
async fn i5_a_form_sent_twice_is_one_order() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let form = browser.get("/me/topup").await;
    let (token, key) = (form.hidden("token"), form.hidden("key"));
    let fields = |amount| [("token", token.clone()), ("key", key.clone()), ("amount", amount)];
    let send = async |browser: &mut Browser, amount: &str| {
        let fields = fields(amount.to_owned());
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/me/topup", &fields).await
    };
    let (mut left, mut right) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(send(&mut left, "50"), send(&mut right, "50.00"));
    assert_eq!(first.location(), second.location());
    assert_eq!(send(&mut browser, "50").await.location(), first.location());
    let other = send(&mut browser, "60").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    other.says("此页面已用于另一笔充值");
    assert_ne!(other.hidden("key"), key);
    assert_eq!(browser.get("/api/v1/me").await.json()["open_orders"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn r19_an_amount_that_is_none_comes_back_with_the_reason_at_its_field() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let table = [
        ("", "请填写充值金额"),
        ("abc", "金额只能用数字"),
        ("-1", "金额只能用数字"),
        ("1e3", "金额只能用数字"),
        ("1.001", "金额最多保留两位小数"),
        ("0", "每次至少充值"),
        ("0.99", "每次至少充值"),
        ("1000.01", "微信每笔最多充值"),
        ("2000", "2000.00 元及以上属大额充值，须先审批"),
        ("99999999999999999999", "金额过大"),
    ];
    for (amount, sentence) in table {
        let key = browser.get("/me/topup").await.hidden("key");
        let answer = browser.fill("/me/topup", &[("amount", amount), ("key", &key)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
        answer.says(&format!("id=\"amount-error\">{sentence}"));
        answer.says(&format!("name=\"amount\" value=\"{amount}\""));
        answer.says("aria-describedby=\"room amount-error\" aria-invalid=\"true\"");
    }
    for amount in ["50", " 12.5 ", "１２．５０", "¥3"] {
        assert!(order(&mut browser, amount).await.starts_with("/pay/"), "{amount}");
    }
}

#[tokio::test]
async fn what_fits_is_told_where_it_is_less_than_an_order_may_be_and_with_what_unpaid_orders_keep() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let page = browser.get("/me/topup").await;
    page.says("单笔最少 ¥1.00，最多 ¥1,000.00。");
    assert!(!page.text().contains("现在最多可充"), "nothing but the order's own bounds binds");
    for _ in 0..9 {
        let order = rig.order(person, "1000").await;
        rig.pay(order, 100_000).await;
    }
    rig.order(person, "300").await;
    browser.get("/me/topup").await.says("现在最多可充 ¥700.00。 未付款的订单占用 ¥300.00 额度，付款或关闭后释放。");
    let key = browser.get("/me/topup").await.hidden("key");
    let refused = browser.fill("/me/topup", &[("amount", "800"), ("key", &key)]).await;
    refused.says("现在最多还能充值 700.00 元：未付款的订单占用 300.00 元，付款或关闭后释放。");
}

#[tokio::test]
async fn a_typed_amount_counts_before_a_chosen_one() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    for (amount, preset, shown) in [("", "100", "¥100.00"), ("30", "100", "¥30.00"), ("30", "", "¥30.00")] {
        let key = browser.get("/me/topup").await.hidden("key");
        let answer = browser.fill("/me/topup", &[("amount", amount), ("preset", preset), ("key", &key)]).await;
        browser.get(answer.location()).await.says(&format!("<p class=\"figure money\">{shown}</p>"));
    }
}

#[tokio::test]
async fn r21_who_has_no_card_is_told_before_typing() {
    let rig = Rig::new();
    rig.person("2026010199", "赵六", "E20260099").await;
    let mut browser = Browser::signed_in(&rig, "2026010199", "260099").await.known_to_wechat().await;
    let page = browser.get("/me/topup").await;
    page.says("您还没有校园卡，请先到校园卡服务中心领卡");
    page.says("class=\"primary\" disabled");
    let key = page.hidden("key");
    let answer = browser.fill("/me/topup", &[("amount", "50"), ("key", &key)]).await;
    answer.says("您还没有校园卡");
    browser.get("/me").await.says("未领卡");
}

#[tokio::test]
async fn an_order_without_a_known_payer_is_not_made() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let form = browser.get("/me/topup").await;
    let fields = [("token", form.hidden("token")), ("key", form.hidden("key")), ("amount", "50".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.lose_cookie("payer");
    let answer = browser.post("/me/topup", &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    answer.says("需要微信授权");
    assert_eq!(browser.get("/api/v1/me").await.json()["open_orders"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn the_pay_page_hands_over_what_the_bridge_needs() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let pay = order(&mut browser, "50").await;
    let no = pay.rsplit_once('/').expect("a number").1.to_owned();
    let outside = browser.clone().on_desk().get(&pay).await;
    assert!(!outside.text().contains("id=\"bridge\""));
    let text = outside.text();
    let cashier = text.split_once("data-testid=\"cashier\"").expect("a link").0.rsplit_once("href=\"").expect("it").1;
    let expected = [
        format!("{CASHIER}/cashier/wx{no}?return=http%3A%2F%2F127.0.0.1%3A8080%2Fme%2Forders%2F{no}"),
        "lang=zh-CN".to_owned(),
        "appId=wxapp".to_owned(),
        format!("package=prepay_id%3Dwx{no}"),
        "paySign=c2lnbmF0dXJl%2B%2F%3D%3D".to_owned(),
    ];
    for part in expected {
        assert!(cashier.contains(&part), "{part} in {cashier}");
    }
    let inside = browser.in_wechat().get(&pay).await;
    inside.says("data-app-id=\"wxapp\" data-time-stamp=\"1795408205\" data-nonce-str=\"");
    inside.says(&format!(
        "data-package=\"prepay_id=wx{no}\" data-pay-sign=\"c2lnbmF0dXJl+/==\" data-done=\"/me/orders/{no}\""
    ));
}

#[tokio::test]
async fn what_can_no_longer_be_paid_goes_to_its_tracker() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let paid = rig.order(person, "50").await;
    rig.pay(paid, 5_000).await;
    let expired = rig.order(person, "60").await;
    let doubtful = rig.order(person, "70").await;
    let tracker = |no| format!("/me/orders/{no}");
    assert_eq!(browser.get(&format!("/pay/{paid}")).await.location(), tracker(paid));
    *rig.provider.prepays.lock().expect("one test") = Some(ChannelError::Unknown("cut".into()));
    let later = browser.get(&format!("/pay/{doubtful}")).await;
    later.says("微信支付暂时没有明确答复，没有扣款");
    rig.advance(901);
    assert_eq!(browser.get(&format!("/pay/{expired}")).await.location(), tracker(expired));
    browser.get(&tracker(expired)).await.says("查询中");
}

#[tokio::test]
async fn r67_whoever_says_paid_makes_the_provider_be_asked_at_once() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let pay = order(&mut browser, "50").await;
    browser.get(&pay).await;
    let no = pay.rsplit_once('/').expect("a number").1.to_owned();
    let tracker = format!("/me/orders/{no}");
    browser.get(&tracker).await.says("还没有收到付款");
    assert_eq!(browser.fill(&tracker, &[]).await.location(), tracker);
    let asked = browser.get(&tracker).await;
    asked.says("2026-11-23 12:30:05（第 1 次）");
    asked.says("还没有收到付款");
    *rig.provider.says.lock().expect("one test") = Some(Ok(Trade::Paid(Payment {
        order: no.clone(),
        transaction: "4200001".into(),
        amount: Fen::new(5_000),
        currency: "CNY".into(),
        paid_at: rig.school.now(),
    })));
    browser.fill(&tracker, &[]).await;
    browser.get(&tracker).await.says("已收到 ¥50.00，等待写入您的卡片");
    browser.fill(&tracker, &[]).await;
    assert_eq!(browser.get("/api/v1/me").await.json()["waiting"]["amount_fen"], 5_000);
}
