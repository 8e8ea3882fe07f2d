//! The bills of a day as text: pure, made from the book.

use std::fmt::Write as _;

use ledger::{Fen, Micros};

use super::book::Book;
use super::funds::Kind;
use super::refund::Channel;
use crate::beijing;
use crate::config::WechatSetup;
use crate::switches::Way;

/// Which trades a bill has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeBill {
    All,
    Success,
    Refund,
}

/// A day of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) from: Micros,
    pub(crate) until: Micros,
}

impl Day {
    fn holds(self, moment: Micros) -> bool {
        (self.from..self.until).contains(&moment)
    }

    /// Bills are made at nine the next morning; what happens later does not change them.
    fn made_at(self) -> Micros {
        self.until.after_seconds(9 * 3600)
    }
}

const TRADE: [&str; 29] = [
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
    "退款申请时间",
    "退款成功时间",
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "充值券退款金额",
    "退款类型",
    "退款状态",
    "商品名称",
    "商户数据包",
    "手续费",
    "费率",
    "订单金额",
    "申请退款金额",
    "费率备注",
];
const REFUND_TIMES: [usize; 2] = [14, 15];
const REFUND_COLUMNS: [usize; 9] = [14, 15, 16, 17, 18, 19, 20, 21, 27];
const TRADE_SUMMARY: [&str; 7] =
    ["总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额"];
const FLOW: [&str; 11] = [
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
];
const FLOW_SUMMARY: [&str; 5] = ["资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"];

impl TradeBill {
    fn columns(self) -> impl Iterator<Item = usize> {
        let dropped: &'static [usize] = match self {
            TradeBill::All => &REFUND_TIMES,
            TradeBill::Success => &REFUND_COLUMNS,
            TradeBill::Refund => &[],
        };
        (0..TRADE.len()).filter(move |column| !dropped.contains(column))
    }
}

/// A payment or a refund.
#[derive(Clone, Debug)]
struct TradeRow {
    at: Micros,
    transaction_id: String,
    out_trade_no: String,
    openid: String,
    trade_type: &'static str,
    currency: String,
    description: String,
    attach: String,
    /// What was paid; nothing for a refund.
    paid: i64,
    /// Negative where it is given back.
    fee: i64,
    refund: Option<RefundPart>,
}

#[derive(Clone, Debug)]
struct RefundPart {
    refund_id: String,
    out_refund_no: String,
    amount: i64,
    channel: Channel,
    status: &'static str,
    arrived_at: Option<Micros>,
}

impl TradeRow {
    fn refunded(&self) -> i64 {
        self.refund.as_ref().map_or(0, |refund| refund.amount)
    }

    fn cells(&self, setup: &WechatSetup) -> [String; TRADE.len()] {
        let text = str::to_owned;
        let refund = self.refund.as_ref();
        let (times, numbers) = match refund {
            Some(refund) => (
                [beijing::shown_zh(self.at), refund.arrived_at.map(beijing::shown_zh).unwrap_or_default()],
                [refund.refund_id.clone(), refund.out_refund_no.clone()],
            ),
            None => ([String::new(), String::new()], [text("0"), text("0")]),
        };
        let [asked_at, arrived_at] = times;
        let [refund_id, out_refund_no] = numbers;
        let channel = match refund.map(|refund| refund.channel) {
            Some(Channel::Original) => "ORIGINAL",
            Some(Channel::OtherBankcard) => "OTHER_BANKCARD",
            None => "",
        };
        let rate = setup.fee_per_ten_thousand;
        [
            beijing::shown_zh(self.at),
            setup.appid.clone(),
            setup.mchid.clone(),
            text("0"),
            String::new(),
            self.transaction_id.clone(),
            self.out_trade_no.clone(),
            self.openid.clone(),
            text(self.trade_type),
            text(if refund.is_some() { "REFUND" } else { "SUCCESS" }),
            text("OTHERS"),
            self.currency.clone(),
            yuan(self.paid),
            yuan(0),
            asked_at,
            arrived_at,
            refund_id,
            out_refund_no,
            yuan(self.refunded()),
            yuan(0),
            text(channel),
            text(refund.map_or("", |refund| refund.status)),
            one_line(&self.description),
            one_line(&self.attach),
            yuan(self.fee),
            format!("{}.{:02}%", rate / 100, rate % 100),
            yuan(self.paid),
            yuan(self.refunded()),
            String::new(),
        ]
    }
}

/// The trade bill of a day with the fault that was asked for; `None` where the day has no such trade.
pub(crate) fn trade(book: &Book, bill: TradeBill, day: Day, setup: &WechatSetup, fault: Way) -> Option<String> {
    let mut rows = trade_rows(book, bill, day);
    if rows.is_empty() {
        return None;
    }
    match fault {
        Way::BillRowMissing => drop(rows.pop()),
        Way::BillRowForeign => rows.extend(rows.first().cloned().map(foreign)),
        Way::BillAmount => {
            if let Some(row) = rows.first_mut() {
                match &mut row.refund {
                    Some(refund) => refund.amount = refund.amount.saturating_add(100),
                    None => row.paid = row.paid.saturating_add(100),
                }
            }
        }
        _ => {}
    }
    let columns: Vec<usize> = bill.columns().collect();
    let mut text = String::from("\u{feff}");
    line(&mut text, columns.iter().map(|column| TRADE[*column].to_owned()), "");
    for row in &rows {
        let cells = row.cells(setup);
        line(&mut text, columns.iter().map(|column| cells[*column].clone()), "`");
    }
    let sum = |part: fn(&TradeRow) -> i64| rows.iter().fold(0_i64, |sum, row| sum.saturating_add(part(row)));
    let wrong = if fault == Way::BillSummary { 100 } else { 0 };
    let paid = sum(|row| row.paid).saturating_add(wrong);
    let refunded = sum(TradeRow::refunded);
    line(&mut text, TRADE_SUMMARY.map(str::to_owned).into_iter(), "");
    let summary = [
        rows.len().to_string(),
        yuan(paid),
        yuan(refunded),
        yuan(0),
        yuan(sum(|row| row.fee)),
        yuan(paid),
        yuan(refunded),
    ];
    line(&mut text, summary.into_iter(), "`");
    Some(text)
}

fn trade_rows(book: &Book, bill: TradeBill, day: Day) -> Vec<TradeRow> {
    let mut rows = Vec::new();
    let of_transaction = |number: &str| book.by_transaction(number);
    for payment in book.payments.values().filter(|payment| day.holds(payment.paid_at)) {
        let Some((order, _)) = of_transaction(&payment.transaction_id) else { continue };
        rows.push(TradeRow {
            at: payment.paid_at,
            transaction_id: payment.transaction_id.clone(),
            out_trade_no: payment.out_trade_no.clone(),
            openid: payment.openid.clone(),
            trade_type: order.scene.trade_type(),
            currency: payment.currency.clone(),
            description: order.asked.description.clone(),
            attach: order.asked.attach.clone().unwrap_or_default(),
            paid: payment.total.get(),
            fee: payment.fee.get(),
            refund: None,
        });
    }
    for refund in book.refunds.values().filter(|refund| day.holds(refund.created_at)) {
        let Some((order, payment)) = of_transaction(&refund.transaction_id) else { continue };
        rows.push(TradeRow {
            at: refund.created_at,
            transaction_id: refund.transaction_id.clone(),
            out_trade_no: refund.out_trade_no.clone(),
            openid: payment.openid.clone(),
            trade_type: order.scene.trade_type(),
            currency: payment.currency.clone(),
            description: order.asked.description.clone(),
            attach: order.asked.attach.clone().unwrap_or_default(),
            paid: 0,
            fee: refund.fee_back.get().saturating_neg(),
            refund: Some(RefundPart {
                refund_id: refund.refund_id.clone(),
                out_refund_no: refund.asked.out_refund_no.clone(),
                amount: refund.amount().get(),
                channel: refund.channel,
                status: refund.status_at(day.made_at()).word(),
                arrived_at: refund.arrived_at().filter(|at| *at <= day.made_at()),
            }),
        });
    }
    rows.retain(|row| match bill {
        TradeBill::All => true,
        TradeBill::Success => row.refund.is_none(),
        TradeBill::Refund => row.refund.is_some(),
    });
    rows.sort_by_key(|row| row.at);
    rows
}

/// A row of a trade that the merchant never had.
fn foreign(row: TradeRow) -> TradeRow {
    let refund = row.refund.map(|refund| RefundPart {
        refund_id: refund.refund_id.chars().rev().collect(),
        out_refund_no: "FOREIGN0001R".to_owned(),
        ..refund
    });
    let transaction_id = row.transaction_id.chars().rev().collect();
    TradeRow { transaction_id, out_trade_no: "FOREIGN0001".to_owned(), refund, ..row }
}

/// One movement of the balance.
#[derive(Clone, Debug)]
struct FlowRow {
    at: Micros,
    business: String,
    flow: String,
    kind: Kind,
    amount: i64,
    balance: i64,
    voucher: String,
}

impl FlowRow {
    fn cells(&self) -> [String; FLOW.len()] {
        let (name, kind) = self.kind.words();
        [
            beijing::shown_zh(self.at),
            self.business.clone(),
            self.flow.clone(),
            name.to_owned(),
            kind.to_owned(),
            if self.kind.comes_in() { "收入" } else { "支出" }.to_owned(),
            yuan(self.amount),
            yuan(self.balance),
            "system".to_owned(),
            String::new(),
            self.voucher.clone(),
        ]
    }
}

/// The fund-flow bill of the basic account of a day with the fault that was asked for; `None` where nothing moved.
pub(crate) fn fund_flow(book: &Book, day: Day, fault: Way) -> Option<String> {
    let mut balance = 0_i64;
    let mut rows = Vec::new();
    for movement in book.funds.by_time() {
        balance = balance.saturating_add(movement.effect());
        if day.holds(movement.at) {
            rows.push(FlowRow {
                at: movement.at,
                business: movement.business.clone(),
                flow: movement.flow.clone(),
                kind: movement.kind,
                amount: movement.amount.get(),
                balance,
                voucher: movement.voucher.clone(),
            });
        }
    }
    if rows.is_empty() {
        return None;
    }
    match fault {
        Way::BillRowMissing => drop(rows.pop()),
        Way::BillRowForeign => {
            let foreign =
                |row: FlowRow| FlowRow { voucher: "FOREIGN0001".to_owned(), business: row.flow.clone(), ..row };
            rows.extend(rows.first().cloned().map(foreign));
        }
        Way::BillAmount => {
            if let Some(row) = rows.first_mut() {
                row.amount = row.amount.saturating_add(100);
            }
        }
        _ => {}
    }
    let mut text = String::from("\u{feff}");
    line(&mut text, FLOW.map(str::to_owned).into_iter(), "");
    for row in &rows {
        line(&mut text, row.cells().into_iter(), "`");
    }
    line(&mut text, FLOW_SUMMARY.map(str::to_owned).into_iter(), "");
    let (ins, outs): (Vec<&FlowRow>, Vec<&FlowRow>) = rows.iter().partition(|row| row.kind.comes_in());
    let sum = |rows: &[&FlowRow]| rows.iter().fold(0_i64, |sum, row| sum.saturating_add(row.amount));
    let wrong = if fault == Way::BillSummary { 100 } else { 0 };
    // The platform writes these counts with a fraction.
    let count = |count: usize| format!("{count}.0");
    let summary = [
        count(rows.len()),
        count(ins.len()),
        yuan(sum(&ins).saturating_add(wrong)),
        count(outs.len()),
        yuan(sum(&outs)),
    ];
    line(&mut text, summary.into_iter(), "`");
    Some(text)
}

fn line(text: &mut String, cells: impl Iterator<Item = String>, before: &str) {
    for (place, cell) in cells.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a String does not fail.
        let _written = write!(text, "{comma}{before}{cell}");
    }
    text.push_str("\r\n");
}

/// Free text keeps to its line.
fn one_line(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n")
}

/// An amount in yuan with two places, as the bills write it.
fn yuan(fen: i64) -> String {
    let amount = Fen::new(fen.saturating_abs()).to_string();
    if fen < 0 { format!("-{amount}") } else { amount }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bill_has_the_columns_of_its_kind() {
        let table = [(TradeBill::All, 27), (TradeBill::Success, 20), (TradeBill::Refund, 29)];
        for (bill, count) in table {
            assert_eq!(bill.columns().count(), count, "{bill:?}");
        }
        let success: Vec<&str> = TradeBill::Success.columns().map(|column| TRADE[column]).collect();
        assert!(success.iter().all(|name| !name.contains("退款")), "{success:?}");
    }

    #[test]
    fn amounts_are_written_in_yuan_and_text_on_one_line() {
        for (fen, text) in [(0, "0.00"), (5_000, "50.00"), (-30, "-0.30"), (123_456, "1234.56")] {
            assert_eq!(yuan(fen), text);
        }
        assert_eq!(one_line("a\r\nb"), "a\\r\\nb");
    }
}
