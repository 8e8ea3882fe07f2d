//! Notices of refunds.

use flows::ports::{Notice, NoticeFault, RawNotice, RefundState, WeChat};
use ledger::Micros;

use crate::attacks::{SEAL_NONCE, seal};
use crate::desk::{APIV3_KEY, MCHID, NOW, ORDER, PLATFORM, REFUND, SERIAL, TRANSACTION, channel, settings, sign};
use crate::refunds::refunded;

/// What is sealed in the notice of a refund that ended so.
fn clear(status: &str) -> String {
    let success = match status {
        "SUCCESS" => r#""success_time":"2026-11-24T00:05:00+08:00","#,
        _ => "",
    };
    format!(
        r#"{{"mchid":"{MCHID}","out_trade_no":"{ORDER}","transaction_id":"{TRANSACTION}","out_refund_no":"{REFUND}",
        "refund_id":"50000000382019052709732678859","refund_status":"{status}",{success}
        "user_received_account":"招商银行信用卡0403","amount":{{"total":5000,"refund":2000,"payer_total":4900,
        "payer_refund":1960}}}}"#
    )
}

fn envelope(event: &str, clear: &str) -> String {
    let ciphertext = seal(APIV3_KEY, SEAL_NONCE, "refund", clear);
    format!(
        r#"{{"id":"EV-2026112400050000002","create_time":"2026-11-24T00:05:01+08:00","resource_type":"encrypt-resource",
        "event_type":"{event}","summary":"退款","resource":{{"original_type":"refund","algorithm":"AEAD_AES_256_GCM",
        "ciphertext":"{ciphertext}","associated_data":"refund","nonce":"{SEAL_NONCE}"}}}}"#
    )
}

fn open(body: &str) -> Result<Notice, NoticeFault> {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    let signature = sign(&PLATFORM, format!("{NOW}\nN0\n{body}\n").as_bytes());
    let notice = RawNotice {
        timestamp: &NOW.to_string(),
        nonce: "N0",
        serial: SERIAL,
        signature: &signature,
        body: body.as_bytes(),
    };
    wechat.open_notice(&notice, Micros::from_seconds(NOW))
}

#[test]
fn every_end_of_a_refund_is_told() {
    let at = |seconds: i64| RefundState::Success { at: Micros::from_seconds(NOW + seconds) };
    let table = [
        ("REFUND.SUCCESS", clear("SUCCESS"), at(300)),
        ("REFUND.SUCCESS", clear("SUCCESS").replace("success_time", "other_time"), at(0)),
        ("REFUND.ABNORMAL", clear("ABNORMAL"), RefundState::Abnormal),
        ("REFUND.CLOSED", clear("CLOSED"), RefundState::Closed),
    ];
    for (event, clear, state) in table {
        assert_eq!(open(&envelope(event, &clear)), Ok(Notice::Refund(refunded(state))), "{event}");
    }
}

#[test]
fn a_refund_of_others_or_without_sense_is_no_news() {
    let good = clear("SUCCESS");
    let (malformed, foreign) = (NoticeFault::Malformed, NoticeFault::Foreign);
    let table = [
        ("another merchant", good.replace(MCHID, "1900000002"), foreign),
        ("no merchant", good.replace("\"mchid\"", "\"sp_mchid\""), malformed),
        ("another end than the event's", clear("CLOSED"), malformed),
        ("no end", clear("PROCESSING"), malformed),
        ("an end of tomorrow", clear("DONE"), malformed),
        ("more than was paid", good.replace("\"refund\":2000", "\"refund\":5001"), malformed),
        ("nothing", good.replace("\"refund\":2000", "\"refund\":0"), malformed),
        ("less than nothing", good.replace("\"refund\":2000", "\"refund\":-1"), malformed),
        ("a fraction", good.replace("\"refund\":2000", "\"refund\":2000.0"), malformed),
        ("two amounts", good.replace("\"amount\"", "\"amount\":{},\"amount\""), malformed),
        ("another currency", good.replace("\"total\"", "\"currency\":\"HKD\",\"total\""), malformed),
        ("a time without its offset", good.replace("00:05:00+08:00", "00:05:00"), malformed),
        ("no number of ours", good.replace(REFUND, ""), malformed),
        ("a payment", crate::orders::transaction("SUCCESS"), malformed),
        ("no JSON", "SUCCESS".to_owned(), malformed),
    ];
    for (what, clear, fault) in table {
        assert_ne!(clear, good, "{what} changes something");
        assert_eq!(open(&envelope("REFUND.SUCCESS", &clear)), Err(fault), "{what}");
    }
}

#[test]
fn the_envelope_of_a_refund_must_fit_what_it_says() {
    let good = envelope("REFUND.SUCCESS", &clear("SUCCESS"));
    let table = [
        ("a payment's event", good.replace("REFUND.SUCCESS", "TRANSACTION.SUCCESS"), NoticeFault::Malformed),
        ("an event of tomorrow", good.replace("REFUND.SUCCESS", "REFUND.PROCESSING"), NoticeFault::Malformed),
        ("a payment's type", good.replace("type\":\"refund", "type\":\"transaction"), NoticeFault::Malformed),
        ("another associated data", good.replace("data\":\"refund", "data\":\"transaction"), NoticeFault::Sealed),
    ];
    for (what, body, fault) in table {
        assert_ne!(body, good, "{what} changes something");
        assert_eq!(open(&body), Err(fault), "{what}");
    }
}

#[test]
fn a_refund_that_is_not_ours_by_number_is_handed_on_as_it_is() {
    let opened = open(&envelope("REFUND.SUCCESS", &clear("SUCCESS").replace(REFUND, "portal-0007")));
    let Ok(Notice::Refund(refunded)) = opened else { panic!("{opened:?}") };
    assert_eq!(refunded.refund, "portal-0007");
}
