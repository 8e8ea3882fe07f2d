//! What the switches and their positions are called on the pages, in both languages.

use crate::switches::{Call, Set, Switch, Way};
use crate::text::Language;

fn choose(language: Language, both: (&'static str, &'static str)) -> &'static str {
    match language {
        Language::Chinese => both.0,
        Language::English => both.1,
    }
}

impl Switch {
    /// The heading of its form.
    pub(crate) fn title(self, language: Language) -> &'static str {
        choose(
            language,
            match self {
                Switch::Notice => ("支付或退款后，通知", "After a payment or refund, the notice is"),
                Switch::Answer => ("商户调用接口时，应答", "When the merchant calls, the answer is"),
                Switch::Dark => ("整个平台", "The whole platform"),
                Switch::Payment => ("付款人支付后", "When the payer pays"),
                Switch::Refund => ("商户申请退款后", "When the merchant refunds"),
                Switch::Keys => ("平台签名使用", "The platform signs with"),
                Switch::Certificates => ("平台证书", "Platform certificates"),
                Switch::Probe => ("签名探测", "Signature probes"),
                Switch::Bill => ("下载账单时", "When a bill is fetched"),
                Switch::Message => ("公众号发消息时", "When the account sends a message"),
            },
        )
    }
}

impl Way {
    /// What a position does.
    pub(crate) fn words(self, language: Language) -> &'static str {
        choose(
            language,
            match self {
                Way::NoticeNormal => ("正常发送", "sent normally"),
                Way::NoticeLost => ("丢失，不发送", "lost, never sent"),
                Way::NoticeLate => ("延迟发送", "sent late"),
                Way::NoticeTwice => ("同时发送两次", "sent twice at once"),
                Way::NoticeOutOfOrder => ("排在下一条通知之后", "sent after the next notice"),
                Way::AnswerNormal => ("正常", "given normally"),
                Way::ErrorBefore => ("500 SYSTEM_ERROR，未受理", "500 SYSTEM_ERROR, nothing was done"),
                Way::ErrorAfter => ("500 SYSTEM_ERROR，其实已受理", "500 SYSTEM_ERROR, although it was done"),
                Way::Unavailable => ("503，未受理，没有签名", "503 without a signature, nothing was done"),
                Way::LimitedBefore => ("429 FREQUENCY_LIMITED，未受理", "429 FREQUENCY_LIMITED, nothing was done"),
                Way::LimitedAfter => {
                    ("429 FREQUENCY_LIMITED，其实已受理", "429 FREQUENCY_LIMITED, although it was done")
                }
                Way::TimeoutBefore => ("没有应答，未受理", "never given, nothing was done"),
                Way::TimeoutAfter => ("没有应答，其实已受理", "never given, although it was done"),
                Way::Light => ("正常", "works"),
                Way::Dark => ("没有任何应答和通知", "gives no answers and sends no notices"),
                Way::PaymentNormal => ("正常", "it is paid"),
                Way::PaidTwice => ("同一订单付了两次", "the order is paid twice"),
                Way::WrongAmount => ("实付金额少了", "less is paid than asked"),
                Way::WrongCurrency => ("币种变成 USD", "the currency is USD"),
                Way::RefundNormal => ("正常到账", "the money arrives"),
                Way::RefundStays => ("一直处理中", "it stays in processing"),
                Way::RefundClosed => ("处理中，之后关闭", "it is closed after processing"),
                Way::RefundAbnormal => ("处理中，之后异常", "it turns abnormal after processing"),
                Way::NotEnough => ("403 NOT_ENOUGH 余额不足", "403 NOT_ENOUGH, the balance is short"),
                Way::AccountAbnormal => {
                    ("403 USER_ACCOUNT_ABNORMAL 用户账户注销", "403 USER_ACCOUNT_ABNORMAL, the payer is gone")
                }
                Way::NoMerchant => ("404 MCH_NOT_EXISTS", "404 MCH_NOT_EXISTS"),
                Way::PublicKey => ("微信支付公钥", "the public key"),
                Way::Certificate => ("平台证书", "the platform certificate"),
                Way::Both => ("两者并存；通知用公钥的百分比", "both; percentage of notices with the public key"),
                Way::First => ("只有第一张", "the first alone"),
                Way::FirstOfTwo => ("两张，用第一张签名", "two, the first signs"),
                Way::SecondOfTwo => ("两张，用第二张签名", "two, the second signs"),
                Way::Second => ("只有第二张", "the second alone"),
                Way::NoProbe => ("不探测", "none"),
                Way::ProbeNotices => ("每条通知前先发一条错误签名", "a wrongly signed notice before each real one"),
                Way::ProbeAnswers => ("应答的签名是错的", "answers are wrongly signed"),
                Way::BillNormal => ("正常", "it is right"),
                Way::BillCreating => ("STATEMENT_CREATING 生成中", "STATEMENT_CREATING"),
                Way::BillHash => ("摘要值不对", "its hash is wrong"),
                Way::BillTruncated => ("文件被截断", "it is cut off"),
                Way::BillRowMissing => ("少一行", "a row is missing"),
                Way::BillRowForeign => ("多一行别人的交易", "it has a row of somebody else"),
                Way::BillAmount => ("一行金额不同", "the amount of one row differs"),
                Way::BillSummary => ("汇总与明细不符", "its summary disagrees with its rows"),
                Way::MessageNormal => ("正常", "it is sent"),
                Way::MessageRefused => ("43101 用户拒绝接收", "43101, the user refuses it"),
                Way::MessageBusy => ("-1 系统繁忙", "-1, the system is busy"),
                Way::MessageQuota => ("45009 超出每日次数", "45009, the day's quota is used up"),
            },
        )
    }
}

impl Call {
    /// What a call is called on the page.
    pub(crate) fn words(self, language: Language) -> &'static str {
        choose(
            language,
            match self {
                Call::All => ("所有接口", "all calls"),
                Call::Create => ("下单", "create"),
                Call::Query => ("查单", "query"),
                Call::Close => ("关单", "close"),
                Call::Refund => ("申请退款", "refund"),
                Call::RefundQuery => ("查询退款", "refund query"),
                Call::Bill => ("账单", "bills"),
                Call::Certificates => ("平台证书", "certificates"),
            },
        )
    }
}

/// A switch as it stands, in words: `sent late · 90 s`.
pub(crate) fn standing_words(set: Set, language: Language) -> String {
    let mut text = set.way.words(language).to_owned();
    if let Some(unit) = set.way.row().unit {
        let sign = match (unit.name, language) {
            ("seconds", _) => " s",
            ("percent", _) => "%",
            (_, Language::Chinese) => " 分",
            (_, Language::English) => " fen",
        };
        text.push_str(&format!(" · {}{sign}", set.number));
    }
    if set.call != Call::All {
        text.push_str(&format!(" · {}", set.call.words(language)));
    }
    text
}
