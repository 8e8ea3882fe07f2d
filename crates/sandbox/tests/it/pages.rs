use axum::body::Body;
use axum::http::{Request, StatusCode};
use sandbox::{Setup, Tour};
use serde_json::json;

use crate::merchant::{Answer, Merchant, RETURN_HOST, setup};

const RETURN: &str = "http%3A%2F%2F127.0.0.1%3A8080%2Fpay%2F7%3Fa%3Db";
const RETURNED: &str = "http://127.0.0.1:8080/pay/7?a=b";

async fn visit(merchant: &Merchant, target: &str, language: &str) -> Answer {
    let request = Request::get(target).header("accept-language", language);
    merchant.send(request.body(Body::empty()).expect("a request")).await
}

/// What holds on every page: one heading, a title, a main landmark, a language, and a policy without inline parts.
fn check_page(answer: &Answer, language: &str) {
    let text = answer.text();
    for (part, count) in [("<h1>", 1), ("<main>", 1), ("<title>", 1), ("<html lang=", 1), ("name=\"viewport\"", 1)] {
        assert_eq!(text.matches(part).count(), count, "{part} in {text}");
    }
    assert!(text.contains(&format!("<html lang=\"{language}\">")), "{text}");
    for banned in ["<script", "<style", " style=", "javascript:", "onclick", "http-equiv"] {
        assert!(!text.contains(banned), "{banned} in {text}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("vary"), "accept-language");
}

#[tokio::test]
async fn the_cashier_shows_what_is_paid_to_whom_in_both_languages() {
    let merchant = Merchant::new();
    let mut order = merchant.order("PAGE000001");
    order["amount"]["total"] = json!(123_450);
    order["description"] = json!("<b>校园卡</b>充值");
    let prepay_id = merchant.created(&order).await;

    let chinese = visit(&merchant, &format!("/cashier/{prepay_id}?return={RETURN}"), "zh-CN,zh;q=0.9").await;
    assert_eq!(chinese.status, StatusCode::OK);
    check_page(&chinese, "zh-CN");
    let text = chinese.text();
    for shown in ["沙箱收银台 · 不产生真实资金", "¥1,234.50", "PAGE000001", "示范大学一卡通", "支付", "取消"]
    {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    assert!(!text.contains("<b>校园卡"), "the merchant's text is not markup");
    assert!(!text.contains("oUpF8uMuAJO"), "a page names no payer");
    let policy = chinese.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8080;"), "{policy}");

    let english = visit(&merchant, &format!("/cashier/{prepay_id}"), "en-GB,en").await;
    check_page(&english, "en");
    assert!(english.text().contains("no real money moves"));
    let chosen = visit(&merchant, &format!("/cashier/{prepay_id}?lang=zh-CN"), "en").await;
    check_page(&chosen, "zh-CN");
}

#[tokio::test]
async fn paying_twice_pays_once_and_leads_back_both_times() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("PAGE000002")).await;
    let target = format!("/cashier/{prepay_id}");
    let form = format!("action=pay&return={RETURN}&lang=zh-CN");
    for _ in 0..2 {
        let answer = merchant.post_form(&target, &form).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, RETURNED));
    }
    let record = merchant.record_of("PAGE000002").await;
    assert_eq!(record["state"], "SUCCESS");
    assert_eq!(record["notices"].as_array().expect("notices").len(), 1);

    let page = merchant.get(&format!("{target}?return={RETURN}")).await;
    check_page(&page, "zh-CN");
    assert!(
        page.text().contains("已支付") && page.text().contains(record["transaction_id"].as_str().expect("a number"))
    );
    assert!(!page.text().contains("<form"));
}

#[tokio::test]
async fn cancelling_leaves_the_order_open() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("PAGE000003")).await;
    let target = format!("/cashier/{prepay_id}");
    let back = merchant.post_form(&target, &format!("action=cancel&return={RETURN}")).await;
    assert_eq!((back.status, back.header("location")), (StatusCode::SEE_OTHER, RETURNED));

    let here = merchant.post_form(&target, "action=cancel&lang=en").await;
    assert_eq!(here.status, StatusCode::SEE_OTHER);
    let page = merchant.get(here.header("location")).await;
    check_page(&page, "en");
    assert!(page.text().contains("Cancelled; nothing was charged"));
    assert_eq!(merchant.state_of("PAGE000003").await, "NOTPAY");
    assert_eq!(merchant.post_form(&target, "action=keep").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_order_that_cannot_be_paid_says_why() {
    let merchant = Merchant::new();
    let (closed, expired) =
        (merchant.created(&merchant.order("PAGE000004")).await, merchant.created(&merchant.order("PAGE000005")).await);
    merchant.close("PAGE000004").await;
    merchant.clock.forward(2 * 3600 + 1);
    for (prepay_id, says) in [(closed, "订单已关闭"), (expired, "已过支付时间")] {
        let target = format!("/cashier/{prepay_id}");
        let answer = merchant.post_form(&target, &format!("action=pay&return={RETURN}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let page = merchant.get(answer.header("location")).await;
        check_page(&page, "zh-CN");
        assert!(page.text().contains(&format!("<h1>{says}</h1>")), "{}", page.text());
        assert!(!page.text().contains("<form") && page.text().contains(RETURN_HOST), "{}", page.text());
    }
}

#[tokio::test]
async fn an_unknown_prepay_number_is_told_so() {
    let merchant = Merchant::new();
    for answer in [
        merchant.get("/cashier/wx2026").await,
        merchant.post_form("/cashier/wx2026", "action=pay").await,
        merchant.post_form("/cashier/wx2026", "action=cancel").await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        check_page(&answer, "zh-CN");
        assert!(answer.text().contains("没有这笔订单"));
    }
}

#[tokio::test]
async fn the_cashier_leads_to_no_foreign_host() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("PAGE000006")).await;
    let target = format!("/cashier/{prepay_id}");
    let foreign = "return=https%3A%2F%2Fevil.example%2F";
    let page = merchant.get(&format!("{target}?{foreign}")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    check_page(&page, "zh-CN");
    let posted = merchant.post_form(&target, &format!("action=pay&{foreign}")).await;
    assert_eq!(posted.status, StatusCode::BAD_REQUEST);
    assert!(!posted.headers.contains_key("location"));
    assert_eq!(merchant.state_of("PAGE000006").await, "NOTPAY");
}

#[tokio::test]
async fn the_merchants_signature_for_the_payment_sheet_is_checked_when_it_comes_along() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("PAGE000007")).await;
    let (appid, time, nonce) = (&merchant.side.appid, "1795321805", "abcdef");
    let sign = merchant.sign(format!("{appid}\n{time}\n{nonce}\nprepay_id={prepay_id}\n").as_bytes());
    let sign = sign.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let good = format!(
        "/cashier/{prepay_id}?appId={appid}&timeStamp={time}&nonceStr={nonce}&package=prepay_id%3D{prepay_id}\
         &signType=RSA&paySign={sign}"
    );
    assert_eq!(merchant.get(&good).await.status, StatusCode::OK);
    for (from, to) in
        [("1795321805", "1795321806"), ("abcdef", "abcdeg"), ("signType=RSA", "signType=MD5"), ("prepay_id%3D", "")]
    {
        let answer = merchant.get(&good.replace(from, to)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{to}");
        check_page(&answer, "zh-CN");
    }
}

#[tokio::test]
async fn the_style_sheet_and_the_icon_come_from_here_and_keep() {
    let merchant = Merchant::new();
    let page = merchant.get("/control").await.text();
    for (mark, content_type) in
        [("<link rel=\"stylesheet\" href=\"", "text/css"), ("svg+xml\" href=\"", "image/svg+xml")]
    {
        let rest = page.split(mark).nth(1).expect("a link");
        let answer = merchant.get(rest.split('"').next().expect("an address")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("content-type").starts_with(content_type));
        assert!(answer.header("cache-control").contains("immutable"));
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "a page names no other host: {page}");
}

#[tokio::test]
async fn an_unknown_address_and_the_front_door_lead_on() {
    let merchant = Merchant::new();
    let lost = merchant.get("/nowhere?lang=en").await;
    assert_eq!(lost.status, StatusCode::NOT_FOUND);
    check_page(&lost, "en");
    assert_eq!(merchant.get("/").await.header("location"), "/control");
}

#[tokio::test]
async fn the_operators_pages_are_whole_in_both_languages() {
    let merchant = Merchant::new();
    merchant.paid("PAGE000008").await;
    merchant.refund("PAGE000008", "PAGEREFUND", 100).await;
    for page in ["/control", "/control/switches", "/control/traffic", "/control/bills", "/control/account", "/scan"] {
        for (language, tag) in [("zh", "zh-CN"), ("en", "en")] {
            let answer = merchant.get(&format!("{page}?lang={language}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}");
            check_page(&answer, tag);
            let chinese = answer.text().chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
            assert_eq!(chinese > 20, language == "zh", "{page} in {language}: {chinese} Chinese characters");
        }
    }
    let page = merchant.get("/control?lang=en").await.text();
    assert!(
        page.contains("PAGEREFUND") && page.contains("Let it arrive") && page.contains("Pay a second time"),
        "{page}"
    );
    let form = "out_refund_no=PAGEREFUND&outcome=success&lang=en";
    let answer = merchant.post_form("/control/refund", form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/control?lang=en"));
    assert!(!merchant.get("/control?lang=en").await.text().contains("Let it arrive"));
}

#[tokio::test]
async fn every_switch_has_a_form_that_works() {
    let merchant = Merchant::new();
    let page = merchant.get("/control/switches?lang=en").await.text();
    for line in sandbox::switch_list().lines() {
        let mut words = line.split([' ', ',']).filter(|word| !word.is_empty() && !word.starts_with('('));
        let switch = words.next().expect("a switch");
        for mode in words {
            assert!(page.contains(&format!("value=\"{mode}\"")), "{switch} {mode}");
            let form = format!("switch={switch}&mode={mode}&number=1&scope=all&times=1&lang=en");
            let answer = merchant.post_form("/control/switch", &form).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{form}: {}", answer.text());
        }
    }
    assert_eq!(merchant.post_form("/control/reset", "lang=en").await.status, StatusCode::SEE_OTHER);
    assert!(merchant.get("/control?lang=en").await.text().contains("Everything is normal."));
}

#[tokio::test]
async fn a_payer_who_is_done_and_has_no_way_back_is_told_to_close_the_page() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("PAGECLOSE1")).await;
    let target = format!("/cashier/{prepay_id}");
    for (language, hint) in [("zh-CN", "可以关闭这一页"), ("en", "You can close this page")] {
        let open = merchant.get(&format!("{target}?lang={language}")).await.text();
        assert!(!open.contains(hint), "nothing is done yet: {open}");
        let answer = merchant.post_form(&target, &format!("action=cancel&lang={language}")).await;
        let cancelled = merchant.get(answer.header("location")).await;
        check_page(&cancelled, language);
        assert!(cancelled.text().contains(hint), "{}", cancelled.text());
    }
    merchant.post_form(&target, "action=pay&lang=en").await;
    for (language, hint) in [("zh-CN", "可以关闭这一页"), ("en", "You can close this page")] {
        let paid = merchant.get(&format!("{target}?lang={language}")).await.text();
        assert!(paid.contains(hint), "{paid}");
        let with_way_back = merchant.get(&format!("{target}?lang={language}&return={RETURN}")).await.text();
        assert!(!with_way_back.contains(hint) && with_way_back.contains("/pay/7"), "{with_way_back}");
    }
}

#[tokio::test]
async fn a_switch_that_was_saved_says_so_at_its_place() {
    let merchant = Merchant::new();
    let form = "switch=notice&mode=lost&scope=all&lang=en";
    let answer = merchant.post_form("/control/switch", form).await;
    let location = answer.header("location");
    assert_eq!(location, "/control/switches?lang=en&saved=notice#switch-notice");
    let page = merchant.get(location.split('#').next().expect("an address")).await;
    check_page(&page, "en");
    let text = page.text();
    let (_, section) = text.split_once("id=\"switch-notice\"").expect("its place");
    assert!(section.split("</section>").next().is_some_and(|own| own.contains("Saved.")), "{section}");
    assert_eq!(text.matches("Saved.").count(), 1);
    let answer = merchant.post_form("/control/reset", "lang=en").await;
    let page = merchant.get(answer.header("location")).await.text();
    assert!(page.contains("Everything is normal."), "{page}");
    assert!(!merchant.get("/control/switches?lang=en").await.text().contains("role=\"status\""));
}

#[tokio::test]
async fn the_operators_pages_lead_back_to_the_tour_that_leads_there_and_alone_to_none() {
    let tour = Tour { address: "http://127.0.0.1:8080/tour".into(), beside_bills: ("旁注", "a remark") };
    let (led, alone) = (Merchant::with(Setup { tour: Some(tour), ..setup() }), Merchant::new());
    for page in ["/control", "/control/switches", "/control/traffic", "/control/bills", "/control/account"] {
        for (language, words, remark) in [("zh-CN", "返回演示导览", "旁注"), ("en", "Back to the tour", "a remark")]
        {
            let answer = led.get(&format!("{page}?lang={language}")).await;
            check_page(&answer, language);
            let link = format!("<a href=\"http://127.0.0.1:8080/tour\">{words}</a>");
            assert!(answer.text().contains(&link), "{page}: {}", answer.text());
            assert_eq!(answer.text().contains(remark), page == "/control/bills", "{page}");
            let answer = alone.get(&format!("{page}?lang={language}")).await.text();
            assert!(!answer.contains(words) && !answer.contains("/tour"), "{page}: {answer}");
        }
    }
}
