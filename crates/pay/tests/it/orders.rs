//! What goes over the wire for an order, and what good answers mean.

use flows::ports::{ChannelError, Payment, PrepayWish, Scene, Ticket, Trade, WeChat};
use ledger::{Fen, Micros};

use crate::desk::{
    APPID, MCHID, MERCHANT, NOW, OLD_PLATFORM, OLD_SERIAL, ORDER, SERIAL, TRANSACTION, channel, fits, order, settings,
    wish,
};
use crate::provider::{Provider, Reply};

pub fn transaction(state: &str) -> String {
    let paid = match state {
        "SUCCESS" | "REFUND" => {
            r#""transaction_id":"1217752501201407033233368018","success_time":"2026-11-24T00:00:05+08:00","#
        }
        _ => "",
    };
    format!(
        r#"{{"appid":"{APPID}","mchid":"{MCHID}","out_trade_no":"{ORDER}",{paid}"trade_type":"JSAPI",
        "trade_state":"{state}","trade_state_desc":"words","bank_type":"CMC","attach":"",
        "payer":{{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}},"promotion_detail":[{{"amount":100,"rate":0.5}}],
        "amount":{{"total":5000,"payer_total":4900,"currency":"CNY","payer_currency":"CNY"}}}}"#
    )
}

pub fn payment() -> Payment {
    Payment {
        order: ORDER.to_owned(),
        transaction: TRANSACTION.to_owned(),
        amount: Fen::new(5000),
        currency: "CNY".to_owned(),
        paid_at: Micros::from_seconds(NOW + 5),
    }
}

fn prepaid(id: &str) -> Ticket {
    Ticket::Prepaid(id.to_owned())
}

#[tokio::test]
async fn a_create_says_what_the_provider_wants_to_know() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(Reply::signed(200, r#"{"prepay_id":"wx261124000000000000001"}"#));
    assert_eq!(wechat.prepay(&wish()).await, Ok(prepaid("wx261124000000000000001")));

    let seen = provider.only_seen();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v3/pay/transactions/jsapi"));
    assert_eq!(
        String::from_utf8(seen.body.clone()).expect("UTF-8"),
        format!(
            r#"{{"appid":"{APPID}","mchid":"{MCHID}","description":"校园卡充值 \"50\" 元","out_trade_no":"{ORDER}","#
        ) + r#""time_expire":"2026-11-24T00:15:00+08:00","#
            + r#""notify_url":"https://card.example.edu.cn/notify/wechat","#
            + r#""amount":{"total":5000,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}"#
    );
    assert_eq!(seen.header("Accept"), "application/json");
    assert_eq!(seen.header("Content-Type"), "application/json");
    assert_eq!(seen.header("Wechatpay-Serial"), SERIAL);
    assert!(seen.header("User-Agent").starts_with("onecard/"));
    seen.proved();
}

#[tokio::test]
async fn each_scene_goes_its_own_way_and_tells_only_what_it_must() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let h5 = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx26&package=1037687096";
    let code = "weixin://wxpay/bizpayurl/up?pr=NwY5Mz9&groupid=00";
    let table = [
        (
            Scene::PhoneBrowser { address: "2001:db8::7".to_owned() },
            format!(r#"{{"h5_url":"{h5}"}}"#),
            Ticket::Address(h5.to_owned()),
            "/v3/pay/transactions/h5",
            r#","scene_info":{"payer_client_ip":"2001:db8::7","h5_info":{"type":"Wap"}}}"#,
        ),
        (
            Scene::Scan,
            format!(r#"{{"code_url":"{code}"}}"#),
            Ticket::Code(code.to_owned()),
            "/v3/pay/transactions/native",
            "}",
        ),
    ];
    for (scene, answer, ticket, target, rest) in table {
        let wish = PrepayWish { scene, ..wish() };
        provider.will(Reply::signed(200, answer));
        assert_eq!(wechat.prepay(&wish).await, Ok(ticket), "{:?}", wish.scene);
        let seen = provider.only_seen();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", target));
        let body = String::from_utf8(seen.body.clone()).expect("UTF-8");
        let ending = format!(r#""amount":{{"total":5000,"currency":"CNY"}}{rest}"#);
        assert!(body.ends_with(&ending) && !body.contains("payer\":"), "{body}");
        seen.proved();
    }
}

#[tokio::test]
async fn an_address_that_no_page_may_lead_to_is_none() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let long = format!("https://a.example/{}", "x".repeat(512));
    let phone = Scene::PhoneBrowser { address: "192.0.2.1".to_owned() };
    let table = [
        (&phone, r#"{"h5_url":"javascript:alert(1)"}"#.to_owned()),
        (&phone, r#"{"h5_url":"http://a.example/"}"#.to_owned()),
        (&phone, r#"{"h5_url":"https://a.example/ \n"}"#.to_owned()),
        (&phone, r#"{"h5_url":""}"#.to_owned()),
        (&phone, format!(r#"{{"h5_url":"{long}"}}"#)),
        (&phone, r#"{"prepay_id":"wx1"}"#.to_owned()),
        (&phone, r#"{"code_url":"weixin://a"}"#.to_owned()),
        (&Scene::Scan, r#"{"code_url":""}"#.to_owned()),
        (&Scene::Scan, r#"{"code_url":"weixin://a\tb"}"#.to_owned()),
        (&Scene::Scan, r#"{"code_url":"a","code_url":"b"}"#.to_owned()),
        (&Scene::Scan, r#"{"h5_url":"https://a.example/"}"#.to_owned()),
    ];
    for (scene, body) in table {
        provider.will(Reply::signed(200, body.clone()));
        let answer = wechat.prepay(&PrepayWish { scene: scene.clone(), ..wish() }).await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{scene:?} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_payment_is_found_by_the_provider_s_number_too() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(Reply::signed(200, transaction("SUCCESS")));
    assert_eq!(wechat.query_transaction(TRANSACTION).await, Ok(Trade::Paid(payment())));
    let seen = provider.only_seen();
    assert_eq!(seen.target, format!("/v3/pay/transactions/id/{TRANSACTION}?mchid={MCHID}"));
    seen.proved();

    provider.will(Reply::signed(200, transaction("SUCCESS").replace("68018", "68019")));
    assert_eq!(
        wechat.query_transaction(TRANSACTION).await,
        Err(ChannelError::Unknown("the answer is about another order".to_owned()))
    );
    provider.will(Reply::fault(404, "ORDERNOTEXIST"));
    assert_eq!(wechat.query_transaction(TRANSACTION).await, Ok(Trade::NotFound));
    provider.seen();
    for never in ["", "1/../2", "1?a=b", "一", &"1".repeat(33)] {
        assert_eq!(wechat.query_transaction(never).await, Ok(Trade::NotFound), "{never}");
    }
    assert!(provider.seen().is_empty(), "what can be no number is not sent");
}

#[tokio::test]
async fn m28_the_same_wish_again_sends_the_same_bytes_under_a_fresh_signature() {
    let provider = Provider::start().await;
    let settings = settings(&provider.base);
    provider.will(Reply::fault(500, "SYSTEM_ERROR"));
    provider.will(Reply::signed(200, r#"{"prepay_id":"first"}"#));
    provider.will(Reply::signed(200, r#"{"prepay_id":"second"}"#));
    let wechat = channel(&settings);
    assert!(matches!(wechat.prepay(&wish()).await, Err(ChannelError::Unknown(_))));
    assert_eq!(wechat.prepay(&wish()).await, Ok(prepaid("first")));
    // After a restart too.
    assert_eq!(channel(&settings).prepay(&wish()).await, Ok(prepaid("second")));

    let seen = provider.seen();
    assert_eq!(seen.len(), 3, "every call is one request");
    assert!(seen.iter().all(|request| request.body == seen[0].body));
    assert_ne!(seen[0].proved(), seen[1].proved(), "the nonce is fresh");
}

#[tokio::test]
async fn a_query_and_a_close_name_order_and_merchant() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(Reply::signed(200, transaction("NOTPAY")));
    assert_eq!(wechat.query(order()).await, Ok(Trade::NotPaid));
    let seen = provider.only_seen();
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.target, format!("/v3/pay/transactions/out-trade-no/{ORDER}?mchid={MCHID}"));
    assert_eq!((seen.body.len(), seen.header("Wechatpay-Serial")), (0, SERIAL));
    seen.proved();

    provider.will(Reply::signed(204, ""));
    assert_eq!(wechat.close(order()).await, Ok(()));
    let seen = provider.only_seen();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, format!("/v3/pay/transactions/out-trade-no/{ORDER}/close"));
    assert_eq!(seen.body, format!(r#"{{"mchid":"{MCHID}"}}"#).into_bytes());
    assert_eq!(seen.header("Wechatpay-Serial"), SERIAL);
    seen.proved();
}

#[tokio::test]
async fn a_base_with_a_path_is_signed_as_it_is_sent() {
    let provider = Provider::start().await;
    let mut settings = settings(&provider.base);
    settings.api_base = format!("{}/site/two/", provider.base);
    provider.will(Reply::signed(200, transaction("NOTPAY")));
    assert_eq!(channel(&settings).query(order()).await, Ok(Trade::NotPaid));
    let seen = provider.only_seen();
    assert_eq!(seen.target, format!("/site/two/v3/pay/transactions/out-trade-no/{ORDER}?mchid={MCHID}"));
    seen.proved();
}

#[tokio::test]
async fn every_state_of_a_trade_is_understood() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let table = [
        ("SUCCESS", Trade::Paid(payment())),
        ("REFUND", Trade::Refunded(payment())),
        ("NOTPAY", Trade::NotPaid),
        ("PAYERROR", Trade::NotPaid),
        ("USERPAYING", Trade::Paying),
        ("CLOSED", Trade::Closed),
        ("REVOKED", Trade::Closed),
    ];
    for (state, expected) in table {
        provider.will(Reply::signed(200, transaction(state)));
        assert_eq!(wechat.query(order()).await, Ok(expected), "{state}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_not_the_one_asked_for_is_no_answer() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let good = transaction("SUCCESS");
    let table = [
        ("another order", good.replace(ORDER, "261124000000000112345679")),
        ("another merchant", good.replace(MCHID, "1900000002")),
        ("another application", good.replace(APPID, "wx8888888888888889")),
        ("an unknown state", good.replace("\"SUCCESS\"", "\"ACCEPT\"")),
        ("no time of payment", good.replace("success_time", "other_time")),
        ("no number of the payment", good.replace("transaction_id", "other_id")),
        ("no amount", good.replace("\"amount\":{\"total\"", "\"amount\":{\"sum\"")),
        ("a fraction", good.replace(":5000", ":5000.0")),
        ("nothing", good.replace(":5000", ":0")),
        ("less than nothing", good.replace(":5000", ":-5000")),
        ("a doubled state", good.replace("\"trade_state\"", "\"trade_state\":\"NOTPAY\",\"trade_state\"")),
        ("a list", format!("[{good}]")),
        ("no JSON", "SUCCESS".to_owned()),
        ("no body", String::new()),
    ];
    for (what, body) in table {
        assert_ne!(body, good, "{what} changes something");
        provider.will(Reply::signed(200, body));
        let answer = wechat.query(order()).await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn an_order_the_provider_does_not_know_is_not_found_only_when_it_says_so() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for code in ["ORDER_NOT_EXIST", "ORDERNOTEXIST"] {
        provider.will(Reply::fault(404, code));
        assert_eq!(wechat.query(order()).await, Ok(Trade::NotFound), "{code}");
    }
    let not_so = [
        Reply::unsigned(404, r#"{"code":"ORDER_NOT_EXIST","message":"words"}"#),
        Reply::forged(404, r#"{"code":"ORDER_NOT_EXIST","message":"words"}"#),
        Reply::fault(500, "ORDER_NOT_EXIST"),
        Reply::fault(400, "ORDER_NOT_EXIST"),
        Reply::fault(404, "MCH_NOT_EXISTS"),
        Reply::fault(404, "ORDER_NOT_EXISTS"),
        Reply::signed(404, ""),
    ];
    for reply in not_so {
        provider.will(reply.clone());
        assert!(wechat.query(order()).await.is_err(), "{} {:?}", reply.status, reply.headers);
    }
}

#[tokio::test]
async fn a_close_is_done_when_the_provider_says_closed_and_never_before() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let refused = |code: &str| Err(ChannelError::Refused { code: code.to_owned(), message: "words".to_owned() });
    let unknown = |text: &str| Err(ChannelError::Unknown(text.to_owned()));
    let table = [
        (Reply::signed(204, ""), Ok(())),
        (Reply::signed_by(&OLD_PLATFORM, OLD_SERIAL, NOW, 204, ""), Ok(())),
        (Reply::fault(400, "ORDER_CLOSED"), Ok(())),
        (Reply::fault(400, "ORDERCLOSED"), Ok(())),
        (Reply::fault(403, "ORDER_CLOSED"), refused("ORDER_CLOSED")),
        (Reply::fault(400, "ORDERPAID"), refused("ORDERPAID")),
        (Reply::fault(400, "ORDER_PAID"), refused("ORDER_PAID")),
        (Reply::fault(400, "INVALID_REQUEST"), refused("INVALID_REQUEST")),
        (Reply::fault(404, "ORDER_NOT_EXIST"), refused("ORDER_NOT_EXIST")),
        (Reply::fault(202, "USER_PAYING"), unknown("HTTP 202 USER_PAYING words")),
        (Reply::fault(400, "USERPAYING"), unknown("HTTP 400 USERPAYING words")),
        (Reply::fault(429, "FREQUENCY_LIMITED"), unknown("HTTP 429 FREQUENCY_LIMITED words")),
        (Reply::signed(200, "{}"), unknown("HTTP 200 was not expected")),
        (Reply::unsigned(204, ""), unknown("HTTP 204, not proved: a signature header is missing or unreadable")),
        (Reply::forged(204, ""), unknown("HTTP 204, not proved: wrong signature")),
        (
            Reply::unsigned(400, r#"{"code":"ORDER_CLOSED"}"#),
            unknown("HTTP 400, not proved: a signature header is missing or unreadable"),
        ),
    ];
    for (reply, expected) in table {
        let what = (reply.status, String::from_utf8_lossy(&reply.body).into_owned());
        provider.will(reply);
        assert_eq!(wechat.close(order()).await, expected, "{what:?}");
    }
}

#[tokio::test]
async fn a_prepay_id_that_could_break_a_signed_line_is_none() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for body in
        [r#"{"prepay_id":""}"#, r#"{"prepay_id":"a\nb"}"#, r#"{"prepay_id":7}"#, r#"{"code_url":"a"}"#, "{}", ""]
    {
        provider.will(Reply::signed(200, body));
        let answer = wechat.prepay(&wish()).await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{body}: {answer:?}");
    }
}

#[test]
fn the_bridge_gets_what_the_payer_s_browser_signs_for() {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    let bridge = wechat.bridge("wx261124000000000000001", Micros::new(NOW * 1_000_000 + 5), "5K8264ILTKCH16CQ2502");
    assert_eq!(bridge.app_id, APPID);
    assert_eq!(bridge.time_stamp, "1795449600");
    assert_eq!(bridge.nonce_str, "5K8264ILTKCH16CQ2502");
    assert_eq!(bridge.package, "prepay_id=wx261124000000000000001");
    let signed = format!("{APPID}\n1795449600\n5K8264ILTKCH16CQ2502\nprepay_id=wx261124000000000000001\n");
    assert!(fits(&MERCHANT, signed.as_bytes(), &bridge.pay_sign));
}
