//! Rows of bills with their types, and what they sum up to.

use ledger::{Fen, Micros};

use super::columns::{Cells, count, yuan};
use super::{Bill, BillFault, Totals};

/// One row of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Of a trade bill: a payment, or a refund.
    Trade(Trade),
    /// Of a fund-flow bill.
    Flow(Flow),
}

/// 交易状态: what a row of a trade bill is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeState {
    /// A payment.
    Paid,
    /// A refund; it stands on the day on which it was asked for.
    Refunded,
    /// A payment at a counter that was taken back.
    Revoked,
}

/// A row of a trade bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// When it was paid; of a refund row, when it was asked for.
    pub at: Micros,
    /// What the row is about.
    pub state: TradeState,
    /// Application through which it was paid.
    pub appid: String,
    /// The provider's number of the payment.
    pub transaction: String,
    /// Our number of the order as the provider has it; may be no number of ours.
    pub order: String,
    /// The payer as the application knows him; empty where it does not.
    pub payer: String,
    /// `JSAPI`, `NATIVE`, `MWEB` and so on.
    pub trade_type: String,
    /// `CNY`.
    pub currency: String,
    /// 订单金额: what the order was; nothing in a refund row.
    pub total: Fen,
    /// 应结订单金额: the same less the provider's vouchers that cost nobody.
    pub settled: Fen,
    /// 代金券金额.
    pub coupons: Fen,
    /// 手续费: the provider's fee; below zero where it comes back.
    pub fee: Fen,
    /// The refund; none in the row of a payment.
    pub refund: Option<RefundPart>,
}

/// What a refund row tells of the refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPart {
    /// The provider's number of it.
    pub refund_id: String,
    /// Our number of it as the provider has it; may be no number of ours.
    pub refund: String,
    /// 退款金额: what went back.
    pub amount: Fen,
    /// 申请退款金额: what was asked for.
    pub asked: Fen,
    /// 充值券退款金额.
    pub coupons: Fen,
    /// 退款状态 as the provider wrote it when the bill was made; not updated later.
    pub state: String,
    /// When it was asked for; in refund bills alone.
    pub asked_at: Option<Micros>,
    /// When it succeeded; in refund bills alone.
    pub succeeded_at: Option<Micros>,
}

/// 收支类型.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// 收入: the account has more.
    Income,
    /// 支出: the account has less.
    Spending,
}

/// What moved the merchant's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// 交易: a payment came.
    Payment,
    /// 退款: a refund went.
    Refund,
    /// 扣除交易手续费 and the like: the provider's fee; income where it comes back with a refund.
    Fee,
    /// Anything else: a withdrawal, a top-up of the account.
    Other,
}

/// A row of a fund-flow bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// When it was booked.
    pub at: Micros,
    /// 微信支付业务单号: the provider's number of the payment or refund behind it.
    pub business: String,
    /// 资金流水单号: the provider's number of this movement.
    pub flow: String,
    /// What it is.
    pub kind: FlowKind,
    /// 业务名称, as written.
    pub name: String,
    /// 业务类型, as written.
    pub sort: String,
    /// Which way.
    pub direction: Direction,
    /// How much, never below zero.
    pub amount: Fen,
    /// What the account held after it.
    pub balance: Fen,
    /// 业务凭证号: usually our number of the order.
    pub voucher: String,
}

/// Columns that a bill must have.
pub(super) fn needed(bill: Bill) -> &'static [&'static str] {
    match bill {
        Bill::All | Bill::Refund => &[
            "交易时间",
            "商户号",
            "微信订单号",
            "商户订单号",
            "交易类型",
            "交易状态",
            "货币种类",
            "应结订单金额",
            "手续费",
            "订单金额",
            "微信退款单号",
            "商户退款单号",
            "退款金额",
            "退款状态",
            "申请退款金额",
        ],
        Bill::Success => &[
            "交易时间",
            "商户号",
            "微信订单号",
            "商户订单号",
            "交易类型",
            "交易状态",
            "货币种类",
            "应结订单金额",
            "手续费",
            "订单金额",
        ],
        Bill::FundFlow(_) => &[
            "记账时间",
            "微信支付业务单号",
            "资金流水单号",
            "业务名称",
            "业务类型",
            "收支类型",
            "收支金额(元)",
            "账户结余(元)",
        ],
    }
}

/// One data line as a row. Errors are words for the operator.
pub(super) fn read(bill: Bill, mchid: &str, cells: &Cells<'_>) -> Result<Row, String> {
    match bill {
        Bill::All | Bill::Success | Bill::Refund => trade(mchid, cells).map(Row::Trade),
        Bill::FundFlow(_) => flow(cells).map(Row::Flow),
    }
}

fn trade(mchid: &str, cells: &Cells<'_>) -> Result<Trade, String> {
    let state = match cells.text("交易状态") {
        "SUCCESS" => TradeState::Paid,
        "REFUND" => TradeState::Refunded,
        "REVOKED" => TradeState::Revoked,
        other => return Err(format!("交易状态 is {other}, which is not known")),
    };
    if cells.text("商户号") != mchid {
        return Err(format!("it is of another merchant, {}", cells.text("商户号")));
    }
    Ok(Trade {
        at: cells.moment("交易时间")?.ok_or("交易时间 is empty")?,
        state,
        appid: cells.owned("公众账号ID"),
        transaction: cells.needed("微信订单号")?,
        order: cells.needed("商户订单号")?,
        payer: cells.owned("用户标识"),
        trade_type: cells.owned("交易类型"),
        currency: cells.needed("货币种类")?,
        total: cells.amount("订单金额")?,
        settled: cells.amount("应结订单金额")?,
        coupons: cells.amount("代金券金额")?,
        fee: cells.amount("手续费")?,
        refund: if state == TradeState::Paid { None } else { refund(state, cells)? },
    })
}

fn refund(state: TradeState, cells: &Cells<'_>) -> Result<Option<RefundPart>, String> {
    // The provider writes 0 or nothing where there is no refund.
    if matches!(cells.text("微信退款单号"), "" | "0") {
        return if state == TradeState::Revoked { Ok(None) } else { Err("微信退款单号 is empty".to_owned()) };
    }
    Ok(Some(RefundPart {
        refund_id: cells.owned("微信退款单号"),
        refund: cells.needed("商户退款单号")?,
        amount: cells.amount("退款金额")?,
        asked: cells.amount("申请退款金额")?,
        coupons: cells.amount("充值券退款金额")?,
        state: cells.owned("退款状态"),
        asked_at: cells.moment("退款申请时间")?,
        succeeded_at: cells.moment("退款成功时间")?,
    }))
}

fn flow(cells: &Cells<'_>) -> Result<Flow, String> {
    let direction = match cells.text("收支类型") {
        "收入" => Direction::Income,
        "支出" => Direction::Spending,
        other => return Err(format!("收支类型 is {other}, which is not known")),
    };
    let name = cells.needed("业务名称")?;
    // A fee stands under the name of the payment that it is for; its type tells it apart.
    let sort = cells.needed("业务类型")?;
    let kind = match (sort.as_str(), direction) {
        (sort, _) if sort.contains("手续费") || name.contains("手续费") => FlowKind::Fee,
        ("交易", Direction::Income) => FlowKind::Payment,
        ("退款", Direction::Spending) => FlowKind::Refund,
        _ => FlowKind::Other,
    };
    let amount = cells.amount("收支金额(元)")?;
    if amount < Fen::ZERO {
        return Err("收支金额(元) is below zero".to_owned());
    }
    Ok(Flow {
        at: cells.moment("记账时间")?.ok_or("记账时间 is empty")?,
        business: cells.owned("微信支付业务单号"),
        flow: cells.needed("资金流水单号")?,
        kind,
        name,
        sort,
        direction,
        amount,
        balance: cells.amount("账户结余(元)")?,
        voucher: cells.owned("业务凭证号"),
    })
}

impl Totals {
    pub(super) fn none(bill: Bill) -> Totals {
        let (count, zero) = (0, Fen::ZERO);
        match bill {
            Bill::All | Bill::Success | Bill::Refund => Totals::Trade {
                count,
                settled: zero,
                refunded: zero,
                coupons_refunded: zero,
                fees: zero,
                ordered: zero,
                refunds_asked: zero,
            },
            Bill::FundFlow(_) => {
                Totals::FundFlow { count, income_count: 0, income: zero, spending_count: 0, spending: zero }
            }
        }
    }

    /// With one row more; `None` when it cannot be counted.
    pub(super) fn and(self, row: &Row) -> Option<Totals> {
        match (self, row) {
            (
                Totals::Trade { count, settled, refunded, coupons_refunded, fees, ordered, refunds_asked },
                Row::Trade(row),
            ) => {
                let refund = row.refund.as_ref();
                let of = |part: fn(&RefundPart) -> Fen| refund.map_or(Fen::ZERO, part);
                Some(Totals::Trade {
                    count: count.checked_add(1)?,
                    settled: settled.plus(row.settled)?,
                    refunded: refunded.plus(of(|refund| refund.amount))?,
                    coupons_refunded: coupons_refunded.plus(of(|refund| refund.coupons))?,
                    fees: fees.plus(row.fee)?,
                    ordered: ordered.plus(row.total)?,
                    refunds_asked: refunds_asked.plus(of(|refund| refund.asked))?,
                })
            }
            (Totals::FundFlow { count, income_count, income, spending_count, spending }, Row::Flow(row)) => {
                let count = count.checked_add(1)?;
                Some(match row.direction {
                    Direction::Income => Totals::FundFlow {
                        count,
                        income_count: income_count.checked_add(1)?,
                        income: income.plus(row.amount)?,
                        spending_count,
                        spending,
                    },
                    Direction::Spending => Totals::FundFlow {
                        count,
                        income_count,
                        income,
                        spending_count: spending_count.checked_add(1)?,
                        spending: spending.plus(row.amount)?,
                    },
                })
            }
            (Totals::Trade { .. } | Totals::FundFlow { .. }, _) => None,
        }
    }

    /// That the summary line says the same. Every value that the summary should have must be there.
    pub(super) fn agree(&self, summary: &Cells<'_>) -> Result<(), BillFault> {
        match *self {
            Totals::Trade { count, settled, refunded, coupons_refunded, fees, ordered, refunds_asked } => {
                counts(summary, "总交易单数", count)?;
                sums(summary, "应结订单总金额", settled)?;
                sums(summary, "退款总金额", refunded)?;
                sums(summary, "充值券退款总金额", coupons_refunded)?;
                sums(summary, "手续费总金额", fees)?;
                sums(summary, "订单总金额", ordered)?;
                sums(summary, "申请退款总金额", refunds_asked)
            }
            Totals::FundFlow { count, income_count, income, spending_count, spending } => {
                counts(summary, "资金流水总笔数", count)?;
                counts(summary, "收入笔数", income_count)?;
                sums(summary, "收入金额", income)?;
                counts(summary, "支出笔数", spending_count)?;
                sums(summary, "支出金额", spending)
            }
        }
    }
}

fn counts(summary: &Cells<'_>, name: &'static str, counted: u64) -> Result<(), BillFault> {
    let said = summary.text(name);
    if count(said) == Some(counted) { Ok(()) } else { Err(differ(name, said, &counted)) }
}

fn sums(summary: &Cells<'_>, name: &'static str, counted: Fen) -> Result<(), BillFault> {
    let said = summary.text(name);
    if yuan(said) == Some(counted) { Ok(()) } else { Err(differ(name, said, &counted)) }
}

fn differ(name: &'static str, said: &str, counted: &dyn std::fmt::Display) -> BillFault {
    BillFault::Summary { name, said: said.to_owned(), counted: counted.to_string() }
}

/// Columns of a bill's summary.
pub(super) fn needed_in_summary(bill: Bill) -> &'static [&'static str] {
    match bill {
        Bill::All | Bill::Success | Bill::Refund => &[
            "总交易单数",
            "应结订单总金额",
            "退款总金额",
            "充值券退款总金额",
            "手续费总金额",
            "订单总金额",
            "申请退款总金额",
        ],
        Bill::FundFlow(_) => &["资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"],
    }
}
