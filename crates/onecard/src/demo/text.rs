//! Texts of the demo's own pages, Chinese and English side by side.

use axum::http::HeaderMap;
use web::Language;

/// A text in both languages.
pub type Both = (&'static str, &'static str);

/// Language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lang(Language);

impl Lang {
    /// The visitor's: the one chosen on a page of the portal first, then what the browser asks for.
    pub fn of(headers: &HeaderMap) -> Lang {
        Lang(web::language_of(headers, false))
    }

    /// The text in this language.
    pub fn pick(self, both: Both) -> &'static str {
        match self.0 {
            Language::Chinese => both.0,
            Language::English => both.1,
        }
    }

    /// Chinese.
    pub fn is_chinese(self) -> bool {
        self.0 == Language::Chinese
    }

    /// As the `lang` attribute of a page.
    pub const fn tag(self) -> &'static str {
        self.0.tag()
    }
}

macro_rules! texts {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        /// Every text of the demo's pages.
        pub struct Texts(pub Lang);
        impl Texts {
            $(
                #[doc = $en]
                pub fn $name(&self) -> &'static str {
                    self.0.pick(($zh, $en))
                }
            )*
        }
    };
}

texts! {
    title: "onecard 校园一卡通演示", "onecard campus card demo";
    lead: "一所完整的学校，运行在这台电脑上。钱是假的，其余都是真的：账本、卡片密码运算、终端双向 TLS、微信支付协议。",
        "A complete school on this machine. The money is play money; everything else is real: the book, the card cryptography, the terminals over mutual TLS, the WeChat Pay protocol.";
    five_minutes: "五分钟走一遍", "Five minutes, start to end";
    step_sign_in: "用下面任意一人的学工号和初始查询密码登录手机页面，首次登录须修改密码。",
        "Sign in on the phone page with the number and first password of a person below; the first sign-in asks for a new password.";
    step_top_up: "充值 50 元，在沙箱收银台支付。充值进度显示：钱在等您的卡。",
        "Top up 50 yuan and pay at the sandbox cashier. The tracker says: the money waits for your card.";
    step_tap: "打开虚拟消费机，输入 12 元，把这张卡放上去：先到账 50 元，再付午餐 12 元。",
        "Open the virtual POS, enter 12 yuan and hold the card: first the 50 yuan arrive, then lunch is paid.";
    step_break: "再试一次：中途拿走卡，或让支付通知丢失。钱不会丢，也不会多。",
        "Once more: pull the card away in the middle, or let the payment notice get lost. No fen is lost and none is doubled.";
    phone: "手机页面", "Phone pages";
    phone_text: "学生和教职工看到的页面", "What students and staff see";
    pos: "虚拟消费机", "Virtual POS";
    pos_text: "真实的终端程序，虚拟的卡", "The real terminal program, a virtual card";
    sandbox: "支付沙箱", "Payment sandbox";
    sandbox_text: "看支付方收到和发出了什么；让通知丢失、迟到、重复", "See what the provider got and sent; lose, delay or double notices";
    people: "可以登录的人", "People who can sign in";
    name: "姓名", "Name";
    number: "学工号", "Number";
    first_password: "初始查询密码", "First query password";
    changed: "已由本人修改", "changed by its owner";
    pos_title: "虚拟消费机", "Virtual POS";
    enter: "确认金额", "Enter amount";
    cancel: "取消本笔", "Call off";
    cards: "手里的卡", "Cards at hand";
    hold: "贴卡", "Hold the card";
    pull: "现在拿走", "Pull away now";
    pull_at: "或在写卡途中拿走", "Or pull it away in mid-command";
    no_card: "读卡区没有卡", "No card on the reader";
    card_there: "读卡区有卡：", "On the reader:";
    other_pos: "另一台消费机", "The other POS";
    back: "返回演示首页", "Back to the start page";
    keys: "收银员按键", "The clerk's keys";
    key_back: "退格", "Back";
    key_repeat: "重复上笔", "Repeat";
    sound: "声音", "Sound";
    or_amount: "或直接输入金额（元）", "Or the amount at once (yuan)";
    story: "一张中途拿走的卡", "A card that is pulled away";
    story_load: "写入余额时：先让一笔充值等待写卡。在下面选“余额已写入，应答送出之前”，贴卡：显示“卡片移开过早”，手机上显示“正在写入卡片”。再贴一次，只到账一次。",
        "While it is loaded: let a paid top-up wait for the card. Choose \"balance written, before the answer leaves\" below and hold the card: the display says that it was removed too early, the phone that the money is on its way. Hold it again: it arrived once.";
    story_debit: "扣款时：输入金额，选“已扣款，应答送出之前”，贴卡：显示“是否扣款尚未确认”。同一张卡再贴一次即可查清，只扣一次；先贴另一张卡会被提示。",
        "While it is debited: enter an amount, choose \"debited, before the answer leaves\" and hold the card: the display is not sure whether it was taken. The same card tells when it is held again, and is charged once; another card is sent back.";
    refresh: "刷新", "Refresh";
    bad_amount: "金额须为数字，例如 12 或 12.50。", "Write the amount in digits, such as 12 or 12.50.";
    at_credit_before: "写入余额的命令送达之前", "before the credit command arrives";
    at_credit_applied: "余额已写入，应答送出之前", "balance written, before the answer leaves";
    at_credit_cut: "余额已写入，应答被截断", "balance written, the answer is cut short";
    at_debit_before: "扣款命令送达之前", "before the debit command arrives";
    at_debit_applied: "已扣款，应答送出之前", "debited, before the answer leaves";
    at_next: "下一条命令途中", "within the next command";
}
