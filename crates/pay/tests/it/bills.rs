//! Bills as the provider writes them, and every way in which one must not be believed.

use std::io::{self, Write};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use flows::ports::ChannelError;
use ledger::{Fen, Micros};
use pay::wechat::bills::{
    Bill, BillDay, BillFault, Direction, Flow, FlowKind, FundAccount, RefundPart, Row, Take, Totals, Trade, TradeState,
};

use crate::desk::{APPID, MCHID, NOW, ORDER, REFUND, TRANSACTION, channel, settings};
use crate::provider::{Provider, Reply};

/// Keeps all of a small bill.
#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    rows: Vec<Row>,
    full: bool,
}

impl Take for Kept {
    fn text(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.full {
            return Err(io::Error::other("the disk is full"));
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        self.rows.push(row);
        Ok(())
    }
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::default());
    packing.write_all(text).expect("packs");
    packing.finish().expect("packs")
}

fn sha1(text: &[u8]) -> String {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn link(provider: &Provider, hash: &str) -> Reply {
    let url =
        format!("{}/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd6kwvyKLG2uY2wMMR8cNXqaA_Cv_isgaUt", provider.base);
    Reply::signed(200, format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"{url}"}}"#))
}

/// What comes of a bill whose link announces `hash` and whose download is `body`.
async fn fetched(bill: Bill, hash: &str, body: Vec<u8>) -> (Result<Totals, BillFault>, Kept) {
    let provider = Provider::start().await;
    provider.will(link(&provider, hash));
    provider.will(Reply::unsigned(200, body));
    let mut kept = Kept::default();
    let day = BillDay::parse("2026-11-23").expect("a day");
    let outcome = channel(&settings(&provider.base)).bill(bill, day, &mut kept).await;
    (outcome, kept)
}

/// As `fetched`, with a text that is announced and packed well.
async fn read(bill: Bill, text: &str) -> (Result<Totals, BillFault>, Kept) {
    fetched(bill, &sha1(text.as_bytes()), packed(text.as_bytes())).await
}

const ALL: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,\
申请退款金额,费率备注";

const SUCCESS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注";

const REFUNDS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,\
商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

const FLOWS: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,\
业务凭证号";

const FLOW_SUMMARY: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

fn payment_line() -> String {
    format!(
        "`2026-11-23 12:34:56,`{APPID},`{MCHID},`0,`,`{TRANSACTION},`{ORDER},`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`SUCCESS,\
         `OTHERS,`CNY,`49.00,`1.00,`0,`0,`0.00,`0.00,`,`,`校园卡充值, 50 元,`,`0.29000,`0.60%,`50.00,`0.00,`"
    )
}

fn refund_line() -> String {
    format!(
        "`2026-11-23 13:00:00,`{APPID},`{MCHID},`0,`,`{TRANSACTION},`{ORDER},`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`REFUND,\
         `OTHERS,`CNY,`0.00,`0.00,`50000000382019052709732678859,`{REFUND},`19.60,`0.40,`ORIGINAL,`PROCESSING,`校园卡充值,`,\
         `-0.12000,`0.60%,`0.00,`20.00,`"
    )
}

fn all() -> String {
    format!(
        "\u{FEFF}{ALL}\r\n{}\r\n{}\r\n{SUMMARY}\r\n`2.0,`49.00,`19.60,`0.40,`0.17000,`50.00,`20.00\r\n",
        payment_line(),
        refund_line()
    )
}

fn trade() -> Trade {
    Trade {
        at: Micros::from_seconds(NOW - 86_400 + 45_296),
        state: TradeState::Paid,
        appid: APPID.to_owned(),
        transaction: TRANSACTION.to_owned(),
        order: ORDER.to_owned(),
        payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        trade_type: "JSAPI".to_owned(),
        currency: "CNY".to_owned(),
        total: Fen::new(5000),
        settled: Fen::new(4900),
        coupons: Fen::new(100),
        fee: Fen::new(29),
        refund: None,
    }
}

fn refunded(asked_at: Option<i64>, succeeded_at: Option<i64>) -> Trade {
    Trade {
        at: Micros::from_seconds(NOW - 86_400 + 46_800),
        state: TradeState::Refunded,
        total: Fen::ZERO,
        settled: Fen::ZERO,
        coupons: Fen::ZERO,
        fee: Fen::new(-12),
        refund: Some(RefundPart {
            refund_id: "50000000382019052709732678859".to_owned(),
            refund: REFUND.to_owned(),
            amount: Fen::new(1960),
            asked: Fen::new(2000),
            coupons: Fen::new(40),
            state: "PROCESSING".to_owned(),
            asked_at: asked_at.map(Micros::from_seconds),
            succeeded_at: succeeded_at.map(Micros::from_seconds),
        }),
        ..trade()
    }
}

#[tokio::test]
async fn a_bill_is_asked_for_signed_and_its_download_too() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let day = BillDay::parse("2026-11-23").expect("a day");
    let table = [
        (Bill::All, "/v3/bill/tradebill?bill_date=2026-11-23&bill_type=ALL&tar_type=GZIP"),
        (Bill::Success, "/v3/bill/tradebill?bill_date=2026-11-23&bill_type=SUCCESS&tar_type=GZIP"),
        (Bill::Refund, "/v3/bill/tradebill?bill_date=2026-11-23&bill_type=REFUND&tar_type=GZIP"),
        (
            Bill::FundFlow(FundAccount::Basic),
            "/v3/bill/fundflowbill?bill_date=2026-11-23&account_type=BASIC&tar_type=GZIP",
        ),
        (
            Bill::FundFlow(FundAccount::Operation),
            "/v3/bill/fundflowbill?bill_date=2026-11-23&account_type=OPERATION&tar_type=GZIP",
        ),
        (
            Bill::FundFlow(FundAccount::Fees),
            "/v3/bill/fundflowbill?bill_date=2026-11-23&account_type=FEES&tar_type=GZIP",
        ),
    ];
    for (bill, target) in table {
        provider.will(link(&provider, &sha1(all().as_bytes())));
        provider.will(Reply::unsigned(403, r#"{"code":"NO_AUTH","message":"words"}"#));
        let outcome = wechat.bill(bill, day, &mut Kept::default()).await;
        let said = "the bill's download: HTTP 403".to_owned();
        assert_eq!(outcome, Err(BillFault::Channel(ChannelError::Unknown(said))), "{target}");
        let seen = provider.seen();
        assert_eq!(seen[0].target, target);
        assert!(seen[1].target.starts_with("/v3/billdownload/file?token=6XIv5TUPto7"), "{}", seen[1].target);
        assert!(seen.iter().all(|request| request.method == "GET" && request.proved() != ""));
    }
}

#[tokio::test]
async fn a_bill_of_a_day_is_read_row_by_row_and_kept_byte_for_byte() {
    let text = all();
    let (outcome, kept) = read(Bill::All, &text).await;
    let totals = Totals::Trade {
        count: 2,
        settled: Fen::new(4900),
        refunded: Fen::new(1960),
        coupons_refunded: Fen::new(40),
        fees: Fen::new(17),
        ordered: Fen::new(5000),
        refunds_asked: Fen::new(2000),
    };
    assert_eq!(outcome, Ok(totals));
    assert_eq!(kept.rows, [Row::Trade(trade()), Row::Trade(refunded(None, None))]);
    assert_eq!(kept.text, text.as_bytes());
    // Without mark, with bare line feeds, and with no last one.
    let plain = text.replace("\r\n", "\n");
    let plain = plain.trim_start_matches('\u{FEFF}').trim_end();
    assert_eq!(read(Bill::All, plain).await.0, Ok(totals));
}

#[tokio::test]
async fn the_other_trade_bills_have_other_columns() {
    let row = payment_line().replace(",`0,`0,`0.00,`0.00,`,`,`校", ",`校").replace(",`50.00,`0.00,`", ",`50.00,`");
    let text = format!("{SUCCESS}\n{row}\n{SUMMARY}\n`1,`49.00,`0.00,`0.00,`0.29,`50.00,`0.00\n");
    let (outcome, kept) = read(Bill::Success, &text).await;
    assert!(matches!(outcome, Ok(Totals::Trade { count: 1, ordered, .. }) if ordered == Fen::new(5000)), "{outcome:?}");
    assert_eq!(kept.rows, [Row::Trade(trade())]);

    let row = refund_line().replace("`0.00,`0.00,`5000", "`0.00,`0.00,`2026-11-23 13:00:00,`2026-11-23 13:05:00,`5000");
    let text = format!("{REFUNDS}\n{row}\n{SUMMARY}\n`1,`0.00,`19.60,`0.40,`-0.12,`0.00,`20.00\n");
    let (outcome, kept) = read(Bill::Refund, &text).await;
    assert!(matches!(outcome, Ok(Totals::Trade { count: 1, .. })), "{outcome:?}");
    let start = NOW - 86_400;
    assert_eq!(kept.rows, [Row::Trade(refunded(Some(start + 46_800), Some(start + 47_100)))]);
}

fn flows() -> String {
    let lines = [
        "`2026-11-23 12:34:58,`{T},`4200001,`交易,`交易,`收入,`50.00,`150.00,`system,`结算总金额 50.00 元,`{O}",
        "`2026-11-23 12:34:58,`{T},`4200002,`交易,`扣除交易手续费,`支出,`0.30,`149.70,`system,`,`{O}",
        "`2026-11-23 13:00:02,`{T},`4200003,`退款,`退款,`支出,`19.88,`129.82,`1900000001API,`,`{O}",
        "`2026-11-23 13:00:02,`{T},`4200005,`退款,`退回交易手续费,`收入,`0.12,`129.94,`system,`,`{O}",
        "`2026-11-23 18:00:00,`,`4200004,`提现,`提现,`支出,`100.00,`29.94,`admin,`,`",
    ];
    let lines = lines.join("\r\n").replace("{T}", TRANSACTION).replace("{O}", ORDER);
    format!("\u{FEFF}{FLOWS}\r\n{lines}\r\n{FLOW_SUMMARY}\r\n`5.0,`2.0,`50.12,`3.0,`120.18\r\n")
}

#[tokio::test]
async fn a_fund_flow_bill_tells_payments_refunds_and_fees_apart() {
    let (outcome, kept) = read(Bill::FundFlow(FundAccount::Basic), &flows()).await;
    let totals = Totals::FundFlow {
        count: 5,
        income_count: 2,
        income: Fen::new(5012),
        spending_count: 3,
        spending: Fen::new(12_018),
    };
    assert_eq!(outcome, Ok(totals));
    let flow = |row: &Row| match row {
        Row::Flow(flow) => flow.clone(),
        Row::Trade(trade) => panic!("{trade:?}"),
    };
    let kinds: Vec<_> = kept.rows.iter().map(|row| (flow(row).kind, flow(row).direction)).collect();
    assert_eq!(
        kinds,
        [
            (FlowKind::Payment, Direction::Income),
            (FlowKind::Fee, Direction::Spending),
            (FlowKind::Refund, Direction::Spending),
            (FlowKind::Fee, Direction::Income),
            (FlowKind::Other, Direction::Spending),
        ]
    );
    let fee = Flow {
        at: Micros::from_seconds(NOW - 86_400 + 45_298),
        business: TRANSACTION.to_owned(),
        flow: "4200002".to_owned(),
        kind: FlowKind::Fee,
        name: "交易".to_owned(),
        sort: "扣除交易手续费".to_owned(),
        direction: Direction::Spending,
        amount: Fen::new(30),
        balance: Fen::new(14_970),
        voucher: ORDER.to_owned(),
    };
    assert_eq!(flow(&kept.rows[1]), fee);
}

#[tokio::test]
async fn t31_a_day_without_trade_is_an_answer_of_its_own() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let day = BillDay::parse("2026-11-23").expect("a day");
    let refused =
        |code: &str| BillFault::Channel(ChannelError::Refused { code: code.to_owned(), message: "words".to_owned() });
    let table = [
        (Reply::fault(400, "NO_STATEMENT_EXIST"), BillFault::NoStatement),
        (Reply::fault(400, "NOSTATEMENTEXIST"), BillFault::NoStatement),
        (Reply::fault(400, "STATEMENT_CREATING"), BillFault::Creating),
        (Reply::fault(400, "INVALID_REQUEST"), refused("INVALID_REQUEST")),
        (Reply::fault(403, "NO_STATEMENT_EXIST"), refused("NO_STATEMENT_EXIST")),
    ];
    for (reply, expected) in table {
        provider.will(reply);
        assert_eq!(wechat.bill(Bill::All, day, &mut Kept::default()).await, Err(expected));
    }
    for reply in [
        Reply::unsigned(400, r#"{"code":"NO_STATEMENT_EXIST","message":"words"}"#),
        Reply::forged(400, r#"{"code":"NO_STATEMENT_EXIST","message":"words"}"#),
        Reply::fault(429, "FREQUENCY_LIMITED"),
        Reply::fault(500, "SYSTEM_ERROR"),
    ] {
        provider.will(reply);
        let outcome = wechat.bill(Bill::All, day, &mut Kept::default()).await;
        assert!(matches!(outcome, Err(BillFault::Channel(ChannelError::Unknown(_)))), "{outcome:?}");
    }
    // An empty day that was announced as a bill is read like any other.
    let empty = format!("{ALL}\n{SUMMARY}\n`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00\n");
    let (outcome, kept) = read(Bill::All, &empty).await;
    assert!(matches!(outcome, Ok(Totals::Trade { count: 0, .. })) && kept.rows.is_empty(), "{outcome:?}");
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_not_followed() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let day = BillDay::parse("2026-11-23").expect("a day");
    let hash = sha1(b"");
    let answers = [
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"https://mch.weixin.qq.com.example/f"}}"#),
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"http://api.mch.weixin.qq.com/f"}}"#),
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"http://127.0.0.1:1/f"}}"#),
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"file:///etc/passwd"}}"#),
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"/f"}}"#),
        format!(r#"{{"hash_type":"MD5","hash_value":"{hash}","download_url":"{}/f"}}"#, provider.base),
        format!(r#"{{"hash_type":"SHA1","hash_value":"","download_url":"{}/f"}}"#, provider.base),
        format!(r#"{{"hash_type":"SHA1","hash_value":"{}","download_url":"{}/f"}}"#, "g".repeat(40), provider.base),
        "{}".to_owned(),
    ];
    for body in answers {
        provider.will(Reply::signed(200, body.clone()));
        let outcome = wechat.bill(Bill::All, day, &mut Kept::default()).await;
        assert!(matches!(outcome, Err(BillFault::Link(_))), "{body}: {outcome:?}");
        provider.only_seen();
    }
}

#[tokio::test]
async fn t31_a_bill_that_is_not_the_announced_text_is_no_bill() {
    let text = all();
    let (hash, good) = (sha1(text.as_bytes()), packed(text.as_bytes()));
    let other = text.replace("oUpF8", "oUpF9");
    let mut bent = good.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 0x10;
    type Expected = fn(&BillFault) -> bool;
    let table: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("another text", packed(other.as_bytes()), |fault| matches!(fault, BillFault::Hash { .. })),
        ("nothing", Vec::new(), |fault| *fault == BillFault::Empty),
        ("nothing, packed", packed(b""), |fault| *fault == BillFault::Empty),
        ("not packed", text.clone().into_bytes(), |fault| matches!(fault, BillFault::Packed(_))),
        ("cut", good[..good.len() - 20].to_vec(), |fault| matches!(fault, BillFault::Packed(_))),
        ("cut within the trailer", good[..good.len() - 3].to_vec(), |fault| matches!(fault, BillFault::Packed(_))),
        ("bent", bent, |fault| matches!(fault, BillFault::Packed(_) | BillFault::Line { .. } | BillFault::Hash { .. })),
        ("something behind it", [&good[..], b"more"].concat(), |fault| matches!(fault, BillFault::Packed(_))),
        ("a page", b"<html></html>".to_vec(), |fault| matches!(fault, BillFault::Packed(_))),
    ];
    for (what, body, expected) in table {
        let (outcome, _) = fetched(Bill::All, &hash, body).await;
        assert!(outcome.as_ref().is_err_and(expected), "{what}: {outcome:?}");
    }
    assert!(fetched(Bill::All, &hash.to_uppercase(), good).await.0.is_ok());
}

#[tokio::test]
async fn t31_a_bill_that_contradicts_itself_or_its_form_is_refused_by_line() {
    let good = all();
    let summary = "`2.0,`49.00,`19.60,`0.40,`0.17000,`50.00,`20.00";
    let with = |to: &str| good.replace(summary, to);
    let table: Vec<(&str, String, &str)> = vec![
        ("a row less", good.replace(&format!("{}\r\n", refund_line()), ""), "总交易单数 is 2.0, and the rows make 1"),
        ("a row more", good.replace(&payment_line(), &format!("{0}\r\n{0}", payment_line())), "the rows make 3"),
        ("the count", with(&summary.replace("`2.0", "`3.0")), "总交易单数"),
        ("what is settled", with(&summary.replace("49.00", "49.01")), "应结订单总金额"),
        ("what went back", with(&summary.replace("19.60", "19.61")), "退款总金额"),
        ("vouchers back", with(&summary.replace("0.40", "0.00")), "充值券退款总金额"),
        ("fees", with(&summary.replace("0.17000", "0.29000")), "手续费总金额"),
        ("orders", with(&summary.replace("50.00", "500.00")), "订单总金额"),
        ("refunds asked for", with(&summary.replace("`20.00", "`")), "申请退款总金额"),
        ("no summary", good.replace(summary, ""), "ends before its summary"),
        ("no names of a summary", good.replace(&format!("{SUMMARY}\r\n{summary}\r\n"), ""), "ends before its summary"),
        ("two summaries", with(&format!("{summary}\r\n{summary}")), "line 6"),
        (
            "a missing column",
            good.replace("商户订单号", "订单号"),
            "line 1 of the bill: the column 商户订单号 is missing",
        ),
        ("a doubled column", good.replace("费率备注", "费率"), "stands twice"),
        ("another bill's form", flows(), "line 1"),
        ("no header", good.replace(&format!("{ALL}\r\n"), ""), "line 1"),
        ("a value less", good.replace("`0.60%,`50.00", "`50.00"), "line 2 of the bill: it has 26 values instead of 27"),
        ("a value without its back-tick", good.replacen("`2026-11-23 13", "2026-11-23 13", 1), "line 3"),
        ("an amount in words", good.replace("`50.00,`0.00,`\r", "`fifty,`0.00,`\r"), "订单金额 is fifty"),
        ("part of a fen", good.replace("`0.29000", "`0.29400"), "手续费 is 0.29400"),
        ("no time", good.replace("2026-11-23 12:34:56", ""), "交易时间 is empty"),
        ("no such time", good.replace("2026-11-23 12:34:56", "2026-11-31 12:34:56"), "which is no time"),
        ("another merchant", good.replacen(MCHID, "1900000002", 1), "another merchant, 1900000002"),
        ("a state of tomorrow", good.replace("`SUCCESS", "`DONE"), "交易状态 is DONE"),
        ("a refund without its number", good.replace(&format!("`{REFUND}"), "`"), "商户退款单号 is empty"),
        (
            "a line without end",
            good.replace("校园卡充值, 50 元", &"x".repeat(70_000)),
            "line 2 of the bill: it is too long",
        ),
    ];
    for (what, text, words) in table {
        assert_ne!(text, good, "{what} changes something");
        let (outcome, _) = read(Bill::All, &text).await;
        let said = outcome.as_ref().map_err(ToString::to_string).expect_err(what);
        assert!(said.contains(words), "{what}: {said}");
    }
    let (outcome, _) =
        fetched(Bill::All, &sha1(&[good.as_bytes(), b"\xFF"].concat()), packed(&[good.as_bytes(), b"\xFF"].concat()))
            .await;
    assert!(outcome.is_err_and(|fault| fault.to_string().contains("UTF-8")));
    for (from, to, words) in [
        ("`收入", "`进", "收支类型 is 进"),
        ("`0.30", "`-0.30", "below zero"),
        ("`3.0,`120.18", "`3.0,`120.19", "支出金额"),
        ("`2.0,`50.12", "`1.0,`50.12", "收入笔数"),
    ] {
        let (outcome, _) = read(Bill::FundFlow(FundAccount::Basic), &flows().replace(from, to)).await;
        let said = outcome.map_err(|fault| fault.to_string()).expect_err(words);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn a_bill_that_cannot_be_kept_is_no_bill() {
    let provider = Provider::start().await;
    provider.will(link(&provider, &sha1(all().as_bytes())));
    provider.will(Reply::unsigned(200, packed(all().as_bytes())));
    let mut kept = Kept { full: true, ..Kept::default() };
    let day = BillDay::parse("2026-11-23").expect("a day");
    let outcome = channel(&settings(&provider.base)).bill(Bill::All, day, &mut kept).await;
    assert_eq!(outcome, Err(BillFault::NotKept("the disk is full".to_owned())));
}

/// Counts and keeps nothing, and remembers the longest piece.
#[derive(Default)]
struct Counting {
    rows: u64,
    longest: usize,
}

impl Take for Counting {
    fn text(&mut self, piece: &[u8]) -> io::Result<()> {
        self.longest = self.longest.max(piece.len());
        Ok(())
    }

    fn row(&mut self, _: Row) -> io::Result<()> {
        self.rows += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_long_bill_comes_in_small_pieces() {
    let count: i64 = 50_000;
    let mut text = format!("{ALL}\n");
    for _ in 0..count {
        text.push_str(&payment_line());
        text.push('\n');
    }
    let sum = |fen: i64| Fen::new(fen * count).to_string();
    let fees = sum(29);
    text.push_str(&format!("{SUMMARY}\n`{count},`{},`0.00,`0.00,`{fees},`{},`0.00\n", sum(4900), sum(5000)));
    let provider = Provider::start().await;
    provider.will(link(&provider, &sha1(text.as_bytes())));
    provider.will(Reply::unsigned(200, packed(text.as_bytes())));
    let mut counting = Counting::default();
    let day = BillDay::parse("2026-11-23").expect("a day");
    let outcome = channel(&settings(&provider.base)).bill(Bill::All, day, &mut counting).await;
    assert!(matches!(outcome, Ok(Totals::Trade { count: 50_000, .. })), "{outcome:?}");
    assert_eq!(counting.rows, 50_000);
    assert!(counting.longest <= 64 * 1024, "{} bytes at once", counting.longest);
}

#[test]
fn a_day_is_written_in_one_way() {
    for text in ["2026-11-23", "2028-02-29"] {
        assert_eq!(BillDay::parse(text).map(|day| day.to_string()), Ok(text.to_owned()));
    }
    for text in ["", "2026-11-31", "2027-02-29", "20261123", "2026-11-23 ", "2026/11/23", "23-11-2026", "2026-1-023"] {
        assert!(BillDay::parse(text).is_err(), "{text}");
    }
}
