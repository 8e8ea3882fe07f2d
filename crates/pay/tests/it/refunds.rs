//! Refunds: what goes over the wire, and what each answer means for the hold on the holder's money.

use flows::ports::{ChannelError, RefundState, Refunded, Repayment, WeChat};
use ledger::{Fen, Micros};

use crate::desk::{NOW, ORDER, REFUND, SERIAL, TRANSACTION, channel, refund, refund_wish, settings};
use crate::provider::{Provider, Reply};

/// An answer as the provider writes it.
pub fn answer(status: &str) -> String {
    let success = match status {
        "SUCCESS" => r#""success_time":"2026-11-24T00:05:00+08:00","#,
        _ => "",
    };
    format!(
        r#"{{"refund_id":"50000000382019052709732678859","out_refund_no":"{REFUND}","transaction_id":"{TRANSACTION}",
        "out_trade_no":"{ORDER}","channel":"ORIGINAL","user_received_account":"招商银行信用卡0403",{success}
        "create_time":"2026-11-24T00:00:01+08:00","status":"{status}","funds_account":"UNSETTLED",
        "amount":{{"total":5000,"refund":2000,"payer_total":4900,"payer_refund":1960,"settlement_refund":1960,
        "settlement_total":4900,"discount_refund":40,"currency":"CNY","from":[{{"account":"AVAILABLE","amount":444}}]}},
        "promotion_detail":[{{"promotion_id":"109519","amount":5}}]}}"#
    )
}

pub fn refunded(state: RefundState) -> Refunded {
    Refunded {
        refund: REFUND.to_owned(),
        refund_id: "50000000382019052709732678859".to_owned(),
        transaction: TRANSACTION.to_owned(),
        order: ORDER.to_owned(),
        amount: Fen::new(2000),
        total: Fen::new(5000),
        state,
    }
}

#[tokio::test]
async fn m27_a_refund_is_asked_for_in_the_same_bytes_however_often() {
    let provider = Provider::start().await;
    let settings = settings(&provider.base);
    provider.will(Reply::fault(500, "SYSTEM_ERROR"));
    provider.will(Reply::signed(200, answer("PROCESSING")));
    let wechat = channel(&settings);
    assert!(matches!(wechat.refund(&refund_wish()).await, Err(ChannelError::Unknown(_))));
    // After a restart too.
    let known = Ok(Repayment::Known(refunded(RefundState::Processing)));
    assert_eq!(channel(&settings).refund(&refund_wish()).await, known);
    for seen in provider.seen() {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v3/refund/domestic/refunds"));
        assert_eq!(
            String::from_utf8(seen.body.clone()).expect("UTF-8"),
            format!(r#"{{"transaction_id":"{TRANSACTION}","out_refund_no":"{REFUND}","reason":"销户退款","#)
                + r#""notify_url":"https://card.example.edu.cn/notify/wechat","#
                + r#""amount":{"refund":2000,"total":5000,"currency":"CNY"}}"#
        );
        assert_eq!(seen.header("Wechatpay-Serial"), SERIAL);
        seen.proved();
    }
}

#[tokio::test]
async fn every_state_of_a_refund_is_understood_from_create_and_query() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let at = |seconds: i64| RefundState::Success { at: Micros::from_seconds(NOW + seconds) };
    let untimed = answer("SUCCESS").replace("success_time", "other_time");
    let table = [
        (answer("PROCESSING"), RefundState::Processing),
        (answer("SUCCESS"), at(300)),
        (untimed, at(0)),
        (answer("CLOSED"), RefundState::Closed),
        (answer("ABNORMAL"), RefundState::Abnormal),
    ];
    for (body, state) in table {
        let known = Ok(Repayment::Known(refunded(state)));
        provider.will(Reply::signed(200, body.clone()));
        assert_eq!(wechat.refund(&refund_wish()).await, known, "{state:?}");
        provider.seen();
        provider.will(Reply::signed(200, body));
        assert_eq!(wechat.query_refund(refund()).await, known, "{state:?}");
        let seen = provider.only_seen();
        assert_eq!(seen.method, "GET");
        assert_eq!(seen.target, format!("/v3/refund/domestic/refunds/{REFUND}"));
        seen.proved();
    }
}

#[tokio::test]
async fn an_answer_that_is_not_about_this_refund_is_none() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let good = answer("SUCCESS");
    let neither = [
        ("another refund", good.replace(REFUND, "R261124000000000187654322")),
        ("another currency", good.replace("\"currency\":\"CNY\"", "\"currency\":\"HKD\"")),
        ("no currency", good.replace("\"currency\"", "\"money\"")),
        ("nothing given back", good.replace("\"refund\":2000", "\"refund\":0")),
        ("less than nothing", good.replace("\"refund\":2000", "\"refund\":-2000")),
        ("more than was paid", good.replace("\"total\":5000", "\"total\":1999")),
        ("a fraction", good.replace("\"refund\":2000", "\"refund\":2000.0")),
        ("a state of tomorrow", good.replace("\"SUCCESS\"", "\"DONE\"")),
        ("no state", good.replace("\"status\"", "\"refund_status\"")),
        ("a time without its offset", good.replace("00:05:00+08:00", "00:05:00")),
        ("no number of the provider", good.replace("50000000382019052709732678859", "")),
        ("a second amount", good.replace("\"amount\":{\"total\":5000", "\"amount\":{},\"amount\":{\"total\":5000")),
        ("a doubled field nobody reads", good.replace("\"channel\"", "\"channel\":\"BALANCE\",\"channel\"")),
        ("a list", format!("[{good}]")),
        ("no JSON", "SUCCESS".to_owned()),
        ("no body", String::new()),
    ];
    for (what, body) in neither {
        assert_ne!(body, good, "{what} changes something");
        provider.will(Reply::signed(200, body.clone()));
        provider.will(Reply::signed(200, body));
        for answer in [wechat.refund(&refund_wish()).await, wechat.query_refund(refund()).await] {
            assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{what}: {answer:?}");
        }
    }
    let not_what_was_asked = [
        ("another payment", good.replace(TRANSACTION, "1217752501201407033233368019")),
        ("another amount", good.replace("\"refund\":2000", "\"refund\":2001")),
        ("another total", good.replace("\"total\":5000", "\"total\":5001")),
    ];
    for (what, body) in not_what_was_asked {
        provider.will(Reply::signed(200, body));
        let answer = wechat.refund(&refund_wish()).await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{what}: {answer:?}");
    }
}

/// What an answer to a create must end as.
enum Meaning {
    Refused,
    Short,
    Unknown,
    /// Unknown, with words about the settings.
    Settings,
}

#[tokio::test]
async fn m27_only_a_final_refusal_to_this_number_ends_a_refund() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let table = [
        (400, "INVALID_REQUEST", Meaning::Refused),
        (400, "INVALIDREQUEST", Meaning::Refused),
        (400, "PARAM_ERROR", Meaning::Refused),
        (403, "USER_ACCOUNT_ABNORMAL", Meaning::Refused),
        (404, "RESOURCE_NOT_EXISTS", Meaning::Refused),
        (403, "NOT_ENOUGH", Meaning::Short),
        (403, "NOTENOUGH", Meaning::Short),
        (404, "MCH_NOT_EXISTS", Meaning::Settings),
        (400, "MCH_NOT_EXISTS", Meaning::Settings),
        (403, "NO_AUTH", Meaning::Settings),
        (401, "SIGN_ERROR", Meaning::Settings),
        (401, "INVALID_REQUEST", Meaning::Settings),
        (400, "APPID_MCHID_NOT_MATCH", Meaning::Settings),
        (429, "FREQUENCY_LIMITED", Meaning::Unknown),
        (429, "NOT_ENOUGH", Meaning::Unknown),
        (403, "FREQUENCY_LIMITED", Meaning::Unknown),
        (403, "RULE_LIMIT", Meaning::Unknown),
        (403, "A_CODE_OF_TOMORROW", Meaning::Unknown),
        (409, "INVALID_REQUEST", Meaning::Unknown),
        (422, "INVALID_REQUEST", Meaning::Unknown),
        (202, "ACCEPTED", Meaning::Unknown),
        (500, "SYSTEM_ERROR", Meaning::Unknown),
        (500, "INVALID_REQUEST", Meaning::Unknown),
        (502, "SERVICE_UNAVAILABLE", Meaning::Unknown),
        (503, "SERVICE_UNAVAILABLE", Meaning::Unknown),
    ];
    for (status, code, meaning) in table {
        provider.will(Reply::fault(status, code));
        let answer = wechat.refund(&refund_wish()).await;
        match meaning {
            Meaning::Refused => {
                let refused = Repayment::Refused { code: code.to_owned(), message: "words".to_owned() };
                assert_eq!(answer, Ok(refused), "{status} {code}");
            }
            Meaning::Short => assert_eq!(answer, Ok(Repayment::Short), "{status} {code}"),
            Meaning::Unknown => {
                assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{status} {code}: {answer:?}");
            }
            Meaning::Settings => {
                let Err(ChannelError::Unknown(text)) = &answer else { panic!("{status} {code}: {answer:?}") };
                assert!(text.contains("merchant_serial") && text.contains(code), "{text}");
            }
        }
        // Nobody in between can end a refund.
        let body = format!(r#"{{"code":"{code}","message":"words"}}"#);
        for reply in [Reply::unsigned(status, body.clone()), Reply::forged(status, body)] {
            provider.will(reply);
            let answer = wechat.refund(&refund_wish()).await;
            assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{status} {code}: {answer:?}");
        }
    }
    for reply in
        [Reply::signed(204, ""), Reply::signed(201, answer("SUCCESS")), Reply::unsigned(200, answer("SUCCESS"))]
    {
        provider.will(reply);
        assert!(matches!(wechat.refund(&refund_wish()).await, Err(ChannelError::Unknown(_))));
    }
}

#[tokio::test]
async fn m27_a_query_can_only_say_what_is_known_or_that_nothing_is() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for code in ["RESOURCE_NOT_EXISTS", "RESOURCENOTEXISTS", "REFUND_NOT_EXIST"] {
        provider.will(Reply::fault(404, code));
        assert_eq!(wechat.query_refund(refund()).await, Ok(Repayment::NotFound), "{code}");
    }
    let doubts = [
        Reply::unsigned(404, r#"{"code":"RESOURCE_NOT_EXISTS","message":"words"}"#),
        Reply::fault(400, "RESOURCE_NOT_EXISTS"),
        Reply::fault(404, "MCH_NOT_EXISTS"),
        Reply::fault(400, "INVALID_REQUEST"),
        Reply::fault(403, "NOT_ENOUGH"),
        Reply::fault(403, "USER_ACCOUNT_ABNORMAL"),
        Reply::fault(401, "SIGN_ERROR"),
        Reply::fault(429, "FREQUENCY_LIMITED"),
        Reply::fault(500, "SYSTEM_ERROR"),
        Reply::signed(404, ""),
    ];
    for reply in doubts {
        let what = (reply.status, String::from_utf8_lossy(&reply.body).into_owned());
        provider.will(reply);
        let answer = wechat.query_refund(refund()).await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{what:?}: {answer:?}");
    }
}
