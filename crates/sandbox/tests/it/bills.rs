//! Bills: their columns and sums, when they are there, and how the switch spoils them.

use std::io::Read as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::http::StatusCode;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::merchant::{Answer, Merchant};

const HOUR: i64 = 3600;
/// From the start of these tests, 12:30:05, to ten the next morning.
const TO_TEN: i64 = 22 * HOUR - 30 * 60 - 5;
const DATE: &str = "2026-11-22";

async fn ask(merchant: &Merchant, bill: &str) -> Answer {
    merchant.call("GET", &format!("/v3/bill/{bill}"), "").await
}

fn download_target(offer: &Value) -> String {
    let url = offer["download_url"].as_str().expect("an address");
    url.strip_prefix("http://127.0.0.1:8081").expect("of the sandbox").to_owned()
}

/// Fetches a bill, unpacks it and says whether its hash is right.
async fn fetch(merchant: &Merchant, bill: &str) -> (String, bool) {
    let offer = ask(merchant, bill).await;
    assert_eq!(offer.status, StatusCode::OK, "{}", offer.text());
    let offer = offer.json();
    let file = merchant.send(merchant.request("GET", &download_target(&offer), "", &merchant.signing())).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(!file.headers.contains_key("wechatpay-signature"), "a bill's file is not signed");
    let mut plain = Vec::new();
    if bill.contains("GZIP") {
        GzDecoder::new(&file.body[..]).read_to_end(&mut plain).expect("gzip");
    } else {
        plain = file.body;
    }
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &plain);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(offer["hash_type"], "SHA1");
    (String::from_utf8(plain).expect("UTF-8"), offer["hash_value"] == json!(hash))
}

/// Header, rows and summary of a bill, without back-ticks.
fn parsed(text: &str) -> (Vec<String>, Vec<Vec<String>>, Vec<String>, Vec<String>) {
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    let header = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let cells = |line: &str| {
        let line = line.strip_prefix('`').expect("a back-tick");
        line.split(",`").map(str::to_owned).collect::<Vec<_>>()
    };
    let end = lines.len() - 2;
    (
        header(lines[0]),
        lines[1..end].iter().map(|line| cells(line)).collect(),
        header(lines[end]),
        cells(lines[end + 1]),
    )
}

/// Two payments, one of them refunded in part, at noon of the day.
async fn traded() -> Merchant {
    let merchant = Merchant::new();
    let mut order = merchant.order("BILL000001");
    order["description"] = json!("校园卡,充值\n第二行");
    merchant.created(&order).await;
    merchant.pay("BILL000001").await;
    merchant.clock.forward(60);
    merchant.paid("BILL000002").await;
    merchant.clock.forward(60);
    merchant.refund("BILL000001", "BILLREFUND", 2000).await;
    merchant.clock.forward(-120);
    merchant
}

#[tokio::test]
async fn the_bill_of_all_trades_has_27_columns_and_sums_that_agree() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    let (text, hash) = fetch(&merchant, &format!("tradebill?bill_date={DATE}&bill_type=ALL&tar_type=GZIP")).await;
    assert!(hash);
    let (header, rows, summary_header, summary) = parsed(&text);
    assert_eq!(header.len(), 27);
    assert_eq!(header[..8].join(","), "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识");
    assert_eq!(header[20..].join(","), "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注");
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!(row.len(), 27, "{row:?}");
    }
    assert_eq!((rows[0][0].as_str(), rows[0][9].as_str()), ("2026-11-22 12:30:05", "SUCCESS"));
    assert_eq!((rows[0][12].as_str(), rows[0][24].as_str(), rows[0][22].as_str()), ("50.00", "50.00", "0.30"));
    assert_eq!(rows[0][20], "校园卡,充值\\n第二行");
    assert_eq!((rows[2][9].as_str(), rows[2][15].as_str(), rows[2][16].as_str()), ("REFUND", "BILLREFUND", "20.00"));
    assert_eq!((rows[2][19].as_str(), rows[2][22].as_str(), rows[2][25].as_str()), ("SUCCESS", "-0.12", "20.00"));
    assert_eq!(
        summary_header.join(","),
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
    );
    assert_eq!(summary, ["3", "100.00", "20.00", "0.00", "0.48", "100.00", "20.00"]);
}

#[tokio::test]
async fn bills_of_payments_and_of_refunds_have_their_own_columns() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    let (text, _) = fetch(&merchant, &format!("tradebill?bill_date={DATE}&bill_type=SUCCESS")).await;
    let (header, rows, _, summary) = parsed(&text);
    assert_eq!((header.len(), rows.len(), summary[0].as_str()), (20, 2, "2"));
    let (text, _) = fetch(&merchant, &format!("tradebill?bill_date={DATE}&bill_type=REFUND&tar_type=GZIP")).await;
    let (header, rows, _, _) = parsed(&text);
    assert_eq!((header.len(), rows.len()), (29, 1));
    assert_eq!(header[14..18].join(","), "退款申请时间,退款成功时间,微信退款单号,商户退款单号");
    assert_eq!(rows[0][14..16], ["2026-11-22 12:32:05", "2026-11-22 12:37:05"]);
}

#[tokio::test]
async fn the_fund_flow_has_fees_as_rows_of_their_own() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    let (text, hash) =
        fetch(&merchant, &format!("fundflowbill?bill_date={DATE}&account_type=BASIC&tar_type=GZIP")).await;
    assert!(hash);
    let (header, rows, _, summary) = parsed(&text);
    assert_eq!(
        header.join(","),
        "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
    );
    let kinds: Vec<_> = rows.iter().map(|row| (row[4].as_str(), row[5].as_str(), row[6].as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("交易", "收入", "50.00"),
            ("扣除交易手续费", "支出", "0.30"),
            ("交易", "收入", "50.00"),
            ("扣除交易手续费", "支出", "0.30"),
            ("退款", "支出", "20.00"),
            ("退还交易手续费", "收入", "0.12"),
        ]
    );
    assert_eq!(rows[5][7], "79.52");
    assert_eq!((rows[0][10].as_str(), rows[4][10].as_str()), ("BILL000001", "BILLREFUND"));
    assert_eq!(summary, ["6.0", "3.0", "100.12", "3.0", "20.60"]);
    let empty = ask(&merchant, &format!("fundflowbill?bill_date={DATE}&account_type=FEES")).await;
    assert_eq!(empty.refusal(), (400, "NO_STATEMENT_EXIST".into()));
}

#[tokio::test]
async fn a_bill_is_there_from_ten_the_next_morning_for_three_months() {
    let merchant = traded().await;
    let bill = format!("tradebill?bill_date={DATE}");
    let code = |answer: Answer| answer.refusal().1;
    assert_eq!(code(ask(&merchant, &bill).await), "STATEMENT_CREATING");
    merchant.clock.forward(TO_TEN - 1);
    assert_eq!(code(ask(&merchant, &bill).await), "STATEMENT_CREATING");
    merchant.clock.forward(1);
    assert_eq!(ask(&merchant, &bill).await.status, StatusCode::OK);
    assert_eq!(code(ask(&merchant, "tradebill?bill_date=2026-11-21").await), "NO_STATEMENT_EXIST");
    assert_eq!(code(ask(&merchant, "tradebill?bill_date=2026-07-01").await), "INVALID_REQUEST");
    for wrong in
        ["bill_date=20261122", "bill_date=2026-11-22&bill_type=SOME", "bill_date=2026-11-22&tar_type=ZIP", "", "x=1"]
    {
        assert_eq!(code(ask(&merchant, &format!("tradebill?{wrong}")).await), "PARAM_ERROR", "{wrong}");
    }
}

#[tokio::test]
async fn a_link_lives_five_minutes_and_wants_a_signed_request() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    let target = download_target(&ask(&merchant, &format!("tradebill?bill_date={DATE}")).await.json());
    assert_eq!(merchant.get(&target).await.refusal(), (401, "SIGN_ERROR".into()));
    merchant.clock.forward(300);
    let file = merchant.send(merchant.request("GET", &target, "", &merchant.signing())).await;
    assert_eq!(file.status, StatusCode::OK);
    merchant.clock.forward(1);
    assert_eq!(merchant.call("GET", &target, "").await.refusal(), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn the_switch_spoils_a_bill_in_every_way_that_it_names() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    let bill = format!("tradebill?bill_date={DATE}&tar_type=GZIP");
    let (good, _) = fetch(&merchant, &bill).await;
    let (_, good_rows, _, good_summary) = parsed(&good);
    let spoil = |mode: &str| json!({ "switch": "bill", "mode": mode, "scope": "next" });

    merchant.switch(&spoil("creating")).await;
    assert_eq!(ask(&merchant, &bill).await.refusal(), (400, "STATEMENT_CREATING".into()));
    merchant.switch(&spoil("wrong_hash")).await;
    assert_eq!(fetch(&merchant, &bill).await, (good.clone(), false));
    merchant.switch(&spoil("truncated")).await;
    merchant.switch(&json!({ "switch": "bill", "mode": "normal" })).await;

    for (mode, rows, count) in [("row_missing", 2, "2"), ("row_foreign", 4, "4"), ("wrong_amount", 3, "3")] {
        merchant.switch(&spoil(mode)).await;
        let (text, hash) = fetch(&merchant, &bill).await;
        let (_, found, _, summary) = parsed(&text);
        assert!(hash, "{mode}: the hash of what was sent");
        assert_eq!((found.len(), summary[0].as_str()), (rows, count), "{mode}");
        assert_ne!(found, good_rows, "{mode}");
    }
    merchant.switch(&spoil("wrong_summary")).await;
    let (_, rows, _, summary) = parsed(&fetch(&merchant, &bill).await.0);
    assert_eq!(rows, good_rows);
    assert_ne!(summary, good_summary);
    // Each was set for one bill, so the next one is right again.
    assert_eq!(fetch(&merchant, &bill).await, (good, true));
}

#[tokio::test]
async fn a_cut_bill_does_not_match_its_hash() {
    let merchant = traded().await;
    merchant.clock.forward(TO_TEN);
    merchant.switch(&json!({ "switch": "bill", "mode": "truncated", "scope": "next" })).await;
    let offer = ask(&merchant, &format!("tradebill?bill_date={DATE}")).await.json();
    let file = merchant.send(merchant.request("GET", &download_target(&offer), "", &merchant.signing())).await;
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &file.body);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(offer["hash_value"], json!(hash));
    assert!(!file.body.ends_with(b"\r\n"));
}

#[tokio::test]
async fn a_payment_of_the_past_stands_in_the_bill_of_its_day() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("BILL000009")).await;
    let pay = |at: &str| json!({ "provider": "wechat", "out_trade_no": "BILL000009", "at": at });
    let future = merchant.post_json("/control/pay", &pay("2026-11-23T00:00:00+08:00")).await;
    assert_eq!(future.json()["error"], "time_malformed");
    assert_eq!(merchant.post_json("/control/pay", &pay("2026-11-20T23:59:59+08:00")).await.status, StatusCode::OK);
    let (text, _) = fetch(&merchant, "tradebill?bill_date=2026-11-20").await;
    assert_eq!(parsed(&text).1[0][6], "BILL000009");

    let seen = merchant.get("/control/bill?date=2026-11-20&kind=ALL").await;
    assert_eq!(seen.text(), text);
    assert!(seen.header("content-disposition").contains("2026-11-20-ALL.csv"));
    assert_eq!(merchant.get("/control/bill?date=2026-11-21&kind=ALL").await.status, StatusCode::NOT_FOUND);
}
