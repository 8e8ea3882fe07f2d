//! Every sentence of the pages, in both languages: a sentence that one language lacks does not compile.

use axum::http::{HeaderMap, header};
use ledger::Micros;

use crate::beijing;

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// An explicit choice first, then the first language of the browser that we speak, then Chinese.
    pub(crate) fn of(chosen: Option<&str>, headers: &HeaderMap) -> Language {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers list their languages in falling order, so the weights need no reading.
        chosen
            .and_then(Language::named)
            .or_else(|| accepted.split(',').find_map(Language::named))
            .unwrap_or(Self::Chinese)
    }

    fn named(tag: &str) -> Option<Language> {
        match tag.trim().split(['-', ';']).next()? {
            "zh" => Some(Language::Chinese),
            "en" => Some(Language::English),
            _ => None,
        }
    }

    /// The language tag of the document.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Language::Chinese => "zh-CN",
            Language::English => "en",
        }
    }

    pub(crate) fn other(self) -> Language {
        match self {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }

    /// The language's name in itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Language::Chinese => "中文",
            Language::English => "English",
        }
    }

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Language::Chinese => &CHINESE,
            Language::English => &ENGLISH,
        }
    }

    /// A moment, Beijing time, as the language writes it.
    pub(crate) fn time(self, moment: Micros) -> String {
        match self {
            Language::Chinese => beijing::shown_zh(moment),
            Language::English => beijing::shown_en(moment),
        }
    }
}

/// The sentences.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) banner: &'static str,
    pub(crate) cashier_banner: &'static str,
    pub(crate) languages: &'static str,
    pub(crate) back: &'static str,

    pub(crate) confirm: &'static str,
    pub(crate) paid: &'static str,
    pub(crate) paid_says: &'static str,
    pub(crate) closed: &'static str,
    pub(crate) closed_says: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) expired_says: &'static str,
    pub(crate) cancelled: &'static str,
    pub(crate) amount: &'static str,
    pub(crate) merchant: &'static str,
    pub(crate) goods: &'static str,
    pub(crate) order_number: &'static str,
    pub(crate) transaction: &'static str,
    pub(crate) pay_before: &'static str,
    pub(crate) paid_at: &'static str,
    pub(crate) created_at: &'static str,
    pub(crate) state: &'static str,
    pub(crate) pay: &'static str,
    pub(crate) cancel: &'static str,

    pub(crate) not_found: &'static str,
    pub(crate) not_found_says: &'static str,
    pub(crate) no_order: &'static str,
    pub(crate) no_order_says: &'static str,
    pub(crate) redirect_title: &'static str,
    pub(crate) redirect_refused: &'static str,
    pub(crate) pay_sign_title: &'static str,
    pub(crate) pay_sign_refused: &'static str,
    pub(crate) unsaved_title: &'static str,
    pub(crate) unsaved: &'static str,
    pub(crate) malformed_title: &'static str,
    pub(crate) late_needs_seconds: &'static str,
    pub(crate) unknown_provider: &'static str,
    pub(crate) oauth_refused: &'static str,
    pub(crate) oauth_appid: &'static str,
    pub(crate) oauth_scope: &'static str,
    pub(crate) oauth_state: &'static str,

    pub(crate) control: &'static str,
    pub(crate) control_says: &'static str,
    pub(crate) notices: &'static str,
    pub(crate) in_force: &'static str,
    pub(crate) in_force_next: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) normal: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) late: &'static str,
    pub(crate) twice: &'static str,
    pub(crate) seconds: &'static str,
    pub(crate) scope: &'static str,
    pub(crate) scope_all: &'static str,
    pub(crate) scope_next: &'static str,
    pub(crate) set: &'static str,
    pub(crate) orders: &'static str,
    pub(crate) no_orders: &'static str,
    pub(crate) more_orders: &'static str,
    pub(crate) state_not_paid: &'static str,
    pub(crate) state_expired: &'static str,
    pub(crate) state_paid: &'static str,
    pub(crate) state_closed: &'static str,
    pub(crate) pay_as_person: &'static str,
    pub(crate) open_cashier: &'static str,
    pub(crate) notice_waiting: &'static str,
    pub(crate) notice_delivered: &'static str,
    pub(crate) notice_given_up: &'static str,
    pub(crate) notice_lost: &'static str,
    pub(crate) answered: &'static str,
    pub(crate) timed_out: &'static str,
    pub(crate) no_connection: &'static str,
}

static CHINESE: Words = Words {
    banner: "支付沙箱 · 不产生真实资金",
    cashier_banner: "沙箱收银台 · 不产生真实资金",
    languages: "语言",
    back: "返回",

    confirm: "确认支付",
    paid: "已支付",
    paid_says: "这笔订单已经支付，不会重复扣款。",
    closed: "订单已关闭",
    closed_says: "商户已关闭这笔订单，不能再支付。没有扣款。",
    expired: "已过支付时间",
    expired_says: "这笔订单已过支付截止时间，不能再支付。没有扣款，请回商户页面重新下单。",
    cancelled: "已取消，没有扣款。需要时仍可在截止时间前支付。",
    amount: "金额",
    merchant: "收款方",
    goods: "商品",
    order_number: "商户订单号",
    transaction: "交易单号",
    pay_before: "支付截止时间",
    paid_at: "支付时间",
    created_at: "下单时间",
    state: "状态",
    pay: "支付",
    cancel: "取消",

    not_found: "没有这个页面",
    not_found_says: "地址可能输错了。沙箱的操作页在 /control。",
    no_order: "没有这笔订单",
    no_order_says: "沙箱里没有这个预支付号，没有扣款。请回商户页面重新下单。",
    redirect_title: "返回地址不在允许范围",
    redirect_refused: "返回地址的主机不在沙箱配置 allowed_redirect_hosts 中。没有扣款。",
    pay_sign_title: "支付签名不正确",
    pay_sign_refused: "paySign 与 appId、timeStamp、nonceStr、package 不相符。没有扣款。",
    unsaved_title: "沙箱没能保存",
    unsaved: "沙箱写不进自己的状态文件，结果未知。请查看操作页后再试。",
    malformed_title: "参数不正确",
    late_needs_seconds: "选择延迟发送时，请填写秒数（0 至 86400）。",
    unknown_provider: "沙箱里没有这个支付渠道。",
    oauth_refused: "网页授权参数不正确",
    oauth_appid: "appid 不是这个沙箱的公众账号。",
    oauth_scope: "只支持 response_type=code 与 scope=snsapi_base。",
    oauth_state: "state 最多 128 位，只能是字母和数字。",

    control: "沙箱操作台",
    control_says: "代替付款人付款，查看通知的发送情况，设置通知故障。",
    notices: "支付通知",
    in_force: "当前设置",
    in_force_next: "仅下一笔",
    mode: "支付成功后，通知",
    normal: "正常发送",
    lost: "丢失，不发送",
    late: "延迟发送",
    twice: "同时发送两次",
    seconds: "延迟秒数",
    scope: "适用于",
    scope_all: "今后所有订单",
    scope_next: "仅下一笔支付的订单",
    set: "保存设置",
    orders: "订单",
    no_orders: "还没有订单。商户下单后会出现在这里。",
    more_orders: "更早的订单见 /control/state。",
    state_not_paid: "未支付",
    state_expired: "未支付，已过截止时间",
    state_paid: "已支付",
    state_closed: "已关闭",
    pay_as_person: "代付款人支付",
    open_cashier: "打开收银台",
    notice_waiting: "等待发送，下次",
    notice_delivered: "已送达",
    notice_given_up: "重试用尽，已放弃",
    notice_lost: "按设置丢失，不会发送",
    answered: "应答",
    timed_out: "5 秒内无应答",
    no_connection: "连接失败",
};

static ENGLISH: Words = Words {
    banner: "Payment sandbox · no real money moves",
    cashier_banner: "Sandbox cashier · no real money moves",
    languages: "Languages",
    back: "Back",

    confirm: "Confirm payment",
    paid: "Paid",
    paid_says: "This order is paid. You will not be charged again.",
    closed: "Order closed",
    closed_says: "The merchant has closed this order. It can no longer be paid; nothing was charged.",
    expired: "Time to pay has passed",
    expired_says: "This order can no longer be paid; nothing was charged. Go back to the merchant and order again.",
    cancelled: "Cancelled; nothing was charged. You can still pay before the deadline.",
    amount: "Amount",
    merchant: "Payee",
    goods: "Item",
    order_number: "Order number",
    transaction: "Transaction number",
    pay_before: "Pay before",
    paid_at: "Paid at",
    created_at: "Ordered at",
    state: "State",
    pay: "Pay",
    cancel: "Cancel",

    not_found: "No such page",
    not_found_says: "The address may be mistyped. The sandbox's controls are at /control.",
    no_order: "No such order",
    no_order_says: "The sandbox does not know this prepay number; nothing was charged. Order again at the merchant.",
    redirect_title: "Return address not allowed",
    redirect_refused: "The return address is not on a host listed in allowed_redirect_hosts of the sandbox's \
                       configuration. Nothing was charged.",
    pay_sign_title: "Wrong payment signature",
    pay_sign_refused: "paySign does not match appId, timeStamp, nonceStr and package. Nothing was charged.",
    unsaved_title: "The sandbox could not save",
    unsaved: "The sandbox cannot write its own state file; the outcome is unknown. Look at the controls, then try again.",
    malformed_title: "Wrong parameters",
    late_needs_seconds: "To send late, give the seconds (0 to 86400).",
    unknown_provider: "The sandbox has no such provider.",
    oauth_refused: "Wrong authorisation parameters",
    oauth_appid: "The appid is not this sandbox's official account.",
    oauth_scope: "Only response_type=code with scope=snsapi_base is supported.",
    oauth_state: "state has at most 128 characters, letters and digits only.",

    control: "Sandbox controls",
    control_says: "Pay in the payer's place, see which notices were sent, and make notices fail.",
    notices: "Payment notices",
    in_force: "In force",
    in_force_next: "next order only",
    mode: "After a payment, the notice is",
    normal: "sent normally",
    lost: "lost, never sent",
    late: "sent late",
    twice: "sent twice at once",
    seconds: "Seconds late",
    scope: "Applies to",
    scope_all: "all orders from now on",
    scope_next: "the next order paid",
    set: "Save",
    orders: "Orders",
    no_orders: "No orders yet. They appear here once the merchant creates them.",
    more_orders: "Earlier orders are in /control/state.",
    state_not_paid: "not paid",
    state_expired: "not paid, past its deadline",
    state_paid: "paid",
    state_closed: "closed",
    pay_as_person: "Pay as the payer",
    open_cashier: "Open the cashier",
    notice_waiting: "Waiting; next try",
    notice_delivered: "Delivered",
    notice_given_up: "Given up after the last retry",
    notice_lost: "Lost as set; never sent",
    answered: "answered",
    timed_out: "no answer within 5 s",
    no_connection: "no connection",
};

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_choice_comes_before_the_browser_and_chinese_before_nothing() {
        use Language::{Chinese, English};
        let table = [
            (None, "", Chinese),
            (None, "fr-FR,fr;q=0.9", Chinese),
            (None, "en-GB,en;q=0.9,zh;q=0.8", English),
            (None, "fr;q=0.9, zh-CN;q=0.8, en;q=0.7", Chinese),
            (Some("zh"), "en", Chinese),
            (Some("en"), "zh-CN", English),
            (Some("xx"), "en", English),
        ];
        for (chosen, accepted, expected) in table {
            let value = HeaderValue::from_static(accepted);
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value)]);
            assert_eq!(Language::of(chosen, &headers), expected, "{chosen:?} {accepted:?}");
        }
    }
}
