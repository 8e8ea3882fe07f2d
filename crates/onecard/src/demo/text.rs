//! Texts of the demo's own pages, Chinese and English side by side.

use axum::http::HeaderMap;
use web::{Language, Theme};

/// A text in both languages.
pub type Both = (&'static str, &'static str);

/// Beside the sandbox's bills.
pub const BESIDE_BILLS: Both = (
    "演示里前几周的充值没有经过这个沙箱：这里没有那些天的账单，余额也不含它们，并且已扣除手续费。",
    "The top-ups of the demo's past weeks never passed this sandbox: it has no bill of those days, and its balance is \
     without them and less the fees.",
);

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

    /// The tag of the other language.
    pub const fn other_tag(self) -> &'static str {
        self.0.other().tag()
    }

    /// As the `lang` attribute of a page.
    pub const fn tag(self) -> &'static str {
        self.0.tag()
    }
}

/// What the switches of language and look show, and where they come back to.
pub struct Look {
    /// Light, dark or as the system says.
    pub theme: Theme,
    /// Path of the page.
    pub back: String,
}

impl Look {
    /// The visitor's, on the page at `back`.
    pub fn of(headers: &HeaderMap, back: &str) -> Look {
        Look { theme: web::theme_of(headers, false), back: back.to_owned() }
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
    title: "五分钟走一遍", "Five minutes, start to end";
    brand: "onecard 校园一卡通 · 演示", "onecard campus card · demo";
    lead: "这是一所完整的学校，就运行在您面前的这台电脑上。跟着下面八步，看一笔钱怎样从微信到卡里、从卡里到食堂，以及中途出了差错怎样自己恢复。",
        "A complete school, running on the machine in front of you. In eight steps you see how money gets from WeChat onto a card and from the card to the canteen, and how it mends itself when something goes wrong on the way.";
    real: "真的：账本、卡片密码运算、终端程序与双向 TLS、微信支付协议、所有页面。",
        "Real: the book, the card's cryptography, the terminal program over mutual TLS, the WeChat Pay protocol, every page.";
    play: "演示用的：人和钱是虚构的，卡是软件卡，付款在沙箱里进行；这一页和虚拟消费机只在演示里有。",
        "Only the demo's: people and money are invented, cards are software, payments are made in a sandbox; this page and the virtual POS exist in the demo alone.";
    progress: "进度", "Progress";
    progress_says: "记号来自账本和支付方的记录：真的发生了，才会打勾。其余两步看看就好。",
        "Marks come from the book and the provider's record: a step is ticked when it has really happened. Two more steps are just to look at.";
    people: "您可以是其中任意一人", "Be any one of these";
    first_password: "初始查询密码", "First password";
    changed: "已由本人修改", "changed by its owner";
    changed_says: "忘了自己改成什么？若用的是建议的密码，就是", "Forgotten? If you took the suggestion, it is";
    copy: "复制", "Copy";
    copied: "已复制", "Copied";
    settled: "想看攒了几周的账单、月度账单和图表，请用", "To see records, statements and charts of several weeks, sign in as";
    you_do: "您来做", "You do";
    you_see: "您会看到", "You see";
    mark_done: "已完成", "Done";
    mark_half: "进行到一半", "Half way";
    mark_open: "还没有", "Not yet";
    mark_untold: "看看就好", "Just look";
    records_so_far: "现有账单：", "Records so far: ";
    go_phone: "打开手机页面", "Open the phone pages";
    go_top_up: "去充值", "Top up";
    go_pos: "打开虚拟消费机", "Open the virtual POS";
    go_switches: "沙箱：支付通知开关", "Sandbox: the notice switch";
    go_records: "看账单", "Records";
    go_statements: "看月度账单", "Statements";
    go_card: "我的卡", "My card";
    go_verify: "核对整本账", "Check the whole book";
    go_sandbox: "沙箱控制台", "Sandbox controls";
    go_api: "接口文档", "API document";
    go_guide: "使用指南", "The guide";
    sign_in_title: "登录手机页面", "Sign in on the phone";
    sign_in_do: "在上面挑一个人，复制学工号和初始密码，点“打开手机页面”登录。",
        "Pick a person above, copy number and first password, open the phone pages and sign in.";
    sign_in_then: "系统会先要您设一个自己的密码。懒得想，就用 qiu-tian-7531。",
        "You are asked for a password of your own first. Take qiu-tian-7531 if you cannot think of one.";
    sign_in_see: "卡面、总余额，以及每一分钱在哪里：现在都是 0。", "The card, the total, and where every fen is: all nothing so far.";
    pay_title: "充值 50 元，在沙箱付款", "Top up 50 yuan and pay in the sandbox";
    pay_do: "点“充值”，选 50 元，点“下一步”。", "Tap “Top up”, choose 50 and tap “Next”.";
    pay_then: "演示里没有微信：电脑上点“在沙箱里扫码”（会另开一页），手机上点“在沙箱收银台支付”，再点“支付”。然后回到充值页面。",
        "There is no WeChat here. Choose “Scan it in the sandbox” on a desktop, which opens a page of its own, or “Pay at the sandbox cashier” on a phone, then “Pay”. Then go back to the top-up page.";
    pay_see: "充值进度显示“待圈存”：钱已收到，在等您的卡。",
        "The progress page says that the 50 yuan have arrived and wait for your card.";
    buy_title: "贴卡，买一份午餐", "Hold the card and buy lunch";
    buy_do: "在虚拟消费机上输入 12 元，点“确认金额”。", "On the virtual POS enter 12 yuan and press “Enter amount”.";
    buy_then: "选您登录的那个人的卡，点“贴卡”。", "Choose the card of the person you are and press “Hold the card”.";
    buy_see: "一次贴卡做两件事：先写入 50 元，再付 12 元。手机首页显示卡内 38 元。",
        "One hold does both: 50 yuan are loaded, then 12 are paid. The phone shows 38 on the card.";
    pull_title: "故意早拿走，看它自己恢复", "Pull the card too early and see it mend itself";
    pull_do: "再充值 20 元并付款。", "Top up another 20 yuan and pay.";
    pull_then: "在消费机的“写卡途中拿走”里选“余额已写入，应答送出之前”，贴卡。",
        "On the POS choose “balance written, before the answer leaves” under “pull it away”, and hold the card.";
    pull_last: "看一眼手机首页，再把“拿走”改回“—”，重新贴卡。", "Look at the phone, set the choice back to “—” and hold the card again.";
    pull_see: "先是“卡片移开过早”，手机显示“圈存中”；再贴一次，20 元只到账一次。",
        "First “Card removed too early”, and on the phone “On its way to your card”; after the second hold the 20 yuan are there once, not twice.";
    silence_title: "让支付通知丢失，看系统自己问到", "Lose the provider's notice and see it asked for";
    silence_do: "打开沙箱的“支付通知”开关，选“丢失”，保存。",
        "Open the sandbox's switch for notices, choose that they get lost, and save.";
    silence_then: "再充值一笔并付款，在充值进度页等着。", "Top up and pay once more, and stay on the progress page.";
    silence_last: "看完把开关拨回正常。", "Afterwards set the switch back to normal.";
    silence_see: "通知没有来。系统在下单后 5 秒、30 秒、1 分钟……自己去查询，查到就入账；等不及可以点“立即查询”。",
        "No notice comes. The provider is asked 5 seconds, 30 seconds, a minute after the order, and what it confirms is credited; “check now” asks at once.";
    read_title: "看账单和月度账单", "Read records and the statement";
    read_do: "在账单里点开一笔：编号、时间、地点、钱从哪里扣。", "Open a record: number, time, place, and where the money came from.";
    read_then: "打开月度账单，选本月，下载 PDF 或 Excel。", "Open this month's statement and download it as PDF or Excel.";
    read_see: "页面、文件和账本的合计一分不差。看账单不会在账本里留下任何东西，所以这一步不打勾。",
        "Page, file and book have the same sums, to the fen. Reading leaves nothing in the book, so this step has no tick.";
    lose_title: "报告卡片丢失", "Report the card lost";
    lose_do: "在“我的卡”里挂失，照页面说的确认。", "Report the loss on “My card” and confirm as it says.";
    lose_then: "再把这张卡贴到消费机上试试。解挂要到服务中心，演示里没有；之后可以换一个人继续。",
        "Then try this card on the POS. Undoing it takes the service centre, which the demo does not have: go on as another person.";
    lose_see: "消费机马上拒绝这张卡，钱留在原处。", "The POS refuses the card at once; the money stays where it is.";
    behind_title: "看看幕后", "Look behind";
    behind_do: "核对整本账：从第一行重算到最后一行，每个合计、每个链接。",
        "Check the whole book: from the first row to the last, every sum and every link.";
    behind_then: "沙箱控制台能让支付方出各种差错；接口文档和使用指南写着其余的一切。",
        "The sandbox makes the provider misbehave in many ways; the API document and the guide tell the rest.";
    behind_see: "您刚才做的每一件事，都在账本里，一分不差。", "Everything you just did stands in the book, to the fen.";
    verify_title: "核对整本账", "The whole book, checked";
    verify_lead: "刚刚从数据文件里重新算了一遍，与命令 onecard verify 做的完全一样；学校照常运行。",
        "Just recomputed from the files, exactly as the command onecard verify does it, while the school went on.";
    verify_clean: "账本完整，一切相符。", "The book is whole; everything agrees.";
    verify_wrong: "账本有不符之处：", "The book is not whole:";
    verify_counts: "核对了什么", "What was checked";
    verify_rows: "流水行", "Journal rows";
    verify_blocks: "区块", "Blocks";
    verify_accounts: "账户", "Accounts";
    verify_guards: "业务记录", "Guard rows";
    verify_open: "未了结的暂挂", "Set aside and open";
    verify_anchors: "比对过的锚点", "Anchors compared";
    verify_sums: "各类账户的余额", "Balances by kind of account";
    verify_zero: "合在一起正好是 0：每一分钱都有来处和去处。",
        "Together they are exactly 0: every fen comes from somewhere and is somewhere.";
    verify_past: "演示里前几周的充值没有经过沙箱，所以“支付渠道应付给学校的”与沙箱的“账单与余额”不相等：沙箱没有那几周，还扣了手续费。从您自己的第一笔充值起，两边逐笔相同。",
        "The top-ups of the demo's past weeks never passed the sandbox, so what payment channels owe is not the sandbox's balance under “Bills and balance”: that is without those weeks and less the fees. From your own first top-up on, each payment stands in both.";
    verify_head: "账本末端", "Head of the book";
    verify_block: "区块", "Block";
    verify_row: "流水行", "Journal row";
    verify_link: "链接", "Link";
    verify_again: "再核对一次", "Check again";
    group_channels: "支付渠道应付给学校的（记为负）", "Owed to the school by payment channels (counts as negative)";
    group_holders: "持卡人的钱", "Holders' money";
    group_merchants: "商户和待核实的", "Merchants, and what is being settled";
    group_other: "其他", "Other";
    theme_auto: "外观：跟随系统", "Look: as the system";
    theme_light: "外观：浅色", "Look: light";
    theme_dark: "外观：深色", "Look: dark";
    other_language: "English", "中文";
    number: "学工号", "Number";
    pos_title: "虚拟消费机", "Virtual POS";
    enter: "确认金额", "Enter amount";
    cancel: "取消本笔", "Call off";
    cards: "手里的卡", "Cards at hand";
    hold: "贴卡", "Hold the card";
    pull: "现在拿走", "Pull away now";
    pull_at: "或在写卡途中拿走", "Or pull it away in mid-command";
    holding: "手正在把卡拿起、再贴上……", "The hand lifts the card and lays it down again …";
    hold_blind: "消费机还没看到卡被拿走，请稍后再贴一次。", "The POS has not yet seen the card leave: hold it again in a moment.";
    hold_elsewhere: "这张卡正放在演示以外的一台终端上，请先从那里拿走。",
        "This card lies on a terminal outside the demo: take it away there first.";
    hold_occupied: "读卡区已有一张卡，请先拿走。", "A card lies on the reader already: pull it away first.";
    hold_unreadable: "这张卡读不出来，原因写在运行演示的窗口里。",
        "This card cannot be read; the window that the demo runs in says why.";
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
    story_load: "写入余额时：先让一笔充值等待写卡。在上面的“写卡途中拿走”里选“余额已写入，应答送出之前”，贴卡：显示“卡片移开过早”，手机上显示“正在写入卡片”。再贴一次，只到账一次。",
        "While it is loaded: let a paid top-up wait for the card. Choose \"balance written, before the answer leaves\" above, under \"pull it away in mid-command\", and hold the card: the display says that it was removed too early, the phone that the money is on its way. Hold it again: it arrived once.";
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

impl Texts {
    /// What accounts with codes of this thousand are.
    pub fn verify_group(&self, thousand: u16) -> String {
        match thousand {
            1 => self.group_channels(),
            2 => self.group_holders(),
            3 => self.group_merchants(),
            _ => self.group_other(),
        }
        .to_owned()
    }

    /// What the switch of the look shows.
    pub fn theme(&self, theme: &Theme) -> &'static str {
        match theme {
            Theme::Auto => self.theme_auto(),
            Theme::Light => self.theme_light(),
            Theme::Dark => self.theme_dark(),
        }
    }
}
