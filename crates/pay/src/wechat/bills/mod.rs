//! Bills: what the provider says happened on a day, downloaded, proved and read row by row.
//!
//! The link to a bill comes in a signed answer, with the SHA-1 of the unpacked text. The download itself is not signed:
//! that hash is its proof. The text is unpacked, hashed, kept and read while it comes; never more than a line of it is in
//! memory. Its last line sums up the rows, and must agree with them.
//!
//! Rows are handed over as they come, before the hash and the sums are known: **what was handed over counts only when the
//! call ends with [`Ok`]** (payment decision table, row 31).

mod columns;
mod rows;
mod sheet;

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use flate2::write::GzDecoder;
use flows::ports::ChannelError;
use jiff::civil::Date;
use ledger::Fen;
use reqwest::{Method, Url};

pub use rows::{Direction, Flow, FlowKind, RefundPart, Row, Trade, TradeState};

use self::sheet::Sheet;
use super::call::{Answer, cut, same_code};
use super::channel::WeChatPay;
use super::config::is_this_machine;
use super::wire;

/// A bill of a large campus has some ten MB packed.
const LONGEST_DOWNLOAD: u64 = 512 * 1024 * 1024;

/// How long a download may take in whole.
const DOWNLOAD_TIME: Duration = Duration::from_secs(600);

/// A day of which there is a bill, in Beijing time. Text: `2026-11-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BillDay(Date);

/// The text was not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day: write it as year, month and day, such as 2026-11-24")]
pub struct DayText;

impl BillDay {
    /// Reads `YYYY-MM-DD`. Error: [`DayText`], also for a day that no calendar has.
    pub fn parse(text: &str) -> Result<BillDay, DayText> {
        let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !shape {
            return Err(DayText);
        }
        text.parse().map(BillDay).map_err(|_| DayText)
    }
}

impl fmt::Display for BillDay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Which bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bill {
    /// Payments and refunds of a day.
    All,
    /// Payments alone.
    Success,
    /// Refunds alone, with the times of request and success.
    Refund,
    /// Every movement of one of the merchant's accounts with the provider; fees are rows of their own.
    FundFlow(FundAccount),
}

/// An account of the merchant with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundAccount {
    /// Where payments arrive.
    Basic,
    /// For business operations.
    Operation,
    /// For fees.
    Fees,
}

impl Bill {
    fn target(self, day: BillDay) -> String {
        let kind = match self {
            Bill::All => "ALL",
            Bill::Success => "SUCCESS",
            Bill::Refund => "REFUND",
            Bill::FundFlow(account) => {
                let account = match account {
                    FundAccount::Basic => "BASIC",
                    FundAccount::Operation => "OPERATION",
                    FundAccount::Fees => "FEES",
                };
                return format!("/v3/bill/fundflowbill?bill_date={day}&account_type={account}&tar_type=GZIP");
            }
        };
        format!("/v3/bill/tradebill?bill_date={day}&bill_type={kind}&tar_type=GZIP")
    }
}

/// What takes a bill while it comes.
pub trait Take: Send {
    /// The unpacked text, piece by piece, byte for byte. Error: it cannot be kept; the download ends.
    fn text(&mut self, piece: &[u8]) -> io::Result<()>;

    /// One row, in the bill's order. Error: it cannot be kept; the download ends.
    fn row(&mut self, row: Row) -> io::Result<()>;
}

/// What a bill sums up to. The rows and the bill's own last line agree in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totals {
    /// Of a trade bill. A refund's fee is what comes back, so it counts below zero.
    Trade {
        /// Rows.
        count: u64,
        /// 应结订单总金额: what payments bring before fees.
        settled: Fen,
        /// 退款总金额.
        refunded: Fen,
        /// 充值券退款总金额.
        coupons_refunded: Fen,
        /// 手续费总金额.
        fees: Fen,
        /// 订单总金额.
        ordered: Fen,
        /// 申请退款总金额.
        refunds_asked: Fen,
    },
    /// Of a fund-flow bill.
    FundFlow {
        /// Rows.
        count: u64,
        /// Rows that brought money.
        income_count: u64,
        /// What they brought.
        income: Fen,
        /// Rows that took money.
        spending_count: u64,
        /// What they took.
        spending: Fen,
    },
}

/// Why there is no bill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillFault {
    /// The provider has none: no trade that day, or the bill of that day was not made yet (`NO_STATEMENT_EXIST`).
    #[error(
        "WeChat has no bill of that day: nothing was traded, or it is not made yet (it is ready at 10:00 of the next day)"
    )]
    NoStatement,
    /// It is being made (`STATEMENT_CREATING`).
    #[error("WeChat is still making the bill of that day; ask again in some minutes")]
    Creating,
    /// The provider gave no sure answer, or refused.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The signed answer holds no link to a bill that we may follow.
    #[error("WeChat's link to the bill is not usable: {0}")]
    Link(&'static str),
    /// The download is not packed as asked, or breaks off.
    #[error("the bill cannot be unpacked: {0}; download it again")]
    Packed(String),
    /// It is longer than any bill.
    #[error("the bill is longer than any bill can be")]
    TooLong,
    /// Nothing came.
    #[error("the bill is empty; download it again")]
    Empty,
    /// It is not the text that the provider signed for.
    #[error("the bill is not the one that WeChat announced (hash {said}, got {counted}); download it again")]
    Hash {
        /// In the signed answer.
        said: String,
        /// Of what came.
        counted: String,
    },
    /// The text ends before its summary.
    #[error("the bill ends before its summary; download it again")]
    CutShort,
    /// A line is not what the bill's form says.
    #[error("line {line} of the bill: {problem}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The summary does not agree with the rows.
    #[error("the bill contradicts itself: {name} is {said}, and the rows make {counted}")]
    Summary {
        /// Name in the summary.
        name: &'static str,
        /// What it says.
        said: String,
        /// What the rows make.
        counted: String,
    },
    /// Whoever takes the bill could not keep it.
    #[error("the bill cannot be kept: {0}")]
    NotKept(String),
}

impl WeChatPay {
    /// Downloads the bill of a day, proves it, and hands text and rows to `take`.
    ///
    /// Errors: [`BillFault`]; after any, nothing of what `take` was given counts. Repeats: harmless; the same day's bill
    /// is the same text. Source: API v3, trade bill and fund-flow bill.
    pub async fn bill(&self, bill: Bill, day: BillDay, take: &mut dyn Take) -> Result<Totals, BillFault> {
        let (url, hash) = self.bill_link(bill, day).await?;
        let mut response =
            self.request(Method::GET, url, Vec::new())?.timeout(DOWNLOAD_TIME).send().await.map_err(cut)?;
        // This answer is not signed: its text must be the one of the hash.
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ChannelError::Unknown(format!("the bill's download: HTTP {status}")).into());
        }
        let mut unpacking = GzDecoder::new(Sheet::new(bill, &self.merchant.mchid, take));
        let mut length: u64 = 0;
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            length = length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if length > LONGEST_DOWNLOAD {
                return Err(BillFault::TooLong);
            }
            if let Err(fault) = unpacking.write_all(&chunk) {
                return Err(unpacking.get_mut().take_fault().unwrap_or(BillFault::Packed(fault.to_string())));
            }
        }
        if length == 0 {
            return Err(BillFault::Empty);
        }
        match unpacking.try_finish() {
            Ok(()) => unpacking.get_mut().finish(&hash),
            Err(fault) => Err(unpacking.get_mut().take_fault().unwrap_or(BillFault::Packed(fault.to_string()))),
        }
    }

    /// Where the bill is, and the SHA-1 of its text in small hexadecimal digits.
    async fn bill_link(&self, bill: Bill, day: BillDay) -> Result<(Url, String), BillFault> {
        let body = match self.call(Method::GET, &bill.target(day), Vec::new()).await? {
            Answer::Done { status: 200, body } => body,
            Answer::Refused { status: 400, code, .. } if same_code(&code, "NOSTATEMENTEXIST") => {
                return Err(BillFault::NoStatement);
            }
            Answer::Refused { status: 400, code, .. } if same_code(&code, "STATEMENTCREATING") => {
                return Err(BillFault::Creating);
            }
            other => return Err(other.failure().into()),
        };
        let link: wire::BillLink = wire::read(&body).ok_or(BillFault::Link("the answer has none"))?;
        if link.hash_type != "SHA1" {
            return Err(BillFault::Link("its hash is not SHA-1"));
        }
        let hash = link.hash_value.to_ascii_lowercase();
        if hash.len() != 40 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BillFault::Link("its hash cannot be read"));
        }
        let url = Url::parse(&link.download_url).map_err(|_| BillFault::Link("it is no address"))?;
        // The link carries a token and we sign for it: it is followed to the provider alone.
        let same = url.origin() == self.merchant.api_base.origin();
        let provider = url.host_str().is_some_and(|host| host.ends_with(".mch.weixin.qq.com"));
        let safe = match url.scheme() {
            "https" => same || provider,
            "http" => same && is_this_machine(&url),
            _ => false,
        };
        if !safe {
            return Err(BillFault::Link("it leads elsewhere than to the provider"));
        }
        Ok((url, hash))
    }
}
