//! All texts of a terminal's display, Chinese and English.
//!
//! A text says what happened to the money first, then what to do. Refusals of the platform bring their own words; those
//! that a terminal makes itself are here too.

use card::psam::PsamFault;
use card::status::Status;
use ledger::Fen;
use link::Words;

use super::display::{Lamp, Paid, Screen, Source, Trouble};
use super::pos::MOST_SALE;
use crate::journal::{DayTotal, LastSale, Outcome};

/// A text for the display in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

fn text(zh: impl Into<String>, en: impl Into<String>) -> Text {
    Text { zh: zh.into(), en: en.into() }
}

/// What the display says for `screen`: lines, the first one with the amount.
pub fn display(screen: &Screen) -> Text {
    match screen {
        Screen::Starting => text("正在启动", "Starting"),
        Screen::Restarted { last_paid } => restarted(*last_paid),
        Screen::Idle { place_zh, place_en } => text(
            format!("{place_zh}\n请输入金额，或贴卡同步"),
            format!("{place_en}\nEnter an amount, or hold a card to sync it"),
        ),
        Screen::Offline => text("网络未连接\n暂停收款和同步", "No connection\nNo sales and no sync for now"),
        Screen::AmountInvalid => text(
            format!("金额无效\n请输入 0.01 至 {MOST_SALE} 元"),
            format!("Not a valid amount\nEnter 0.01 to {MOST_SALE}"),
        ),
        Screen::Entering { text: typed } => text(format!("{typed} 元\n请按确认"), format!("{typed}\nPress enter")),
        Screen::ReadyToPay { amount } => {
            text(format!("应付 {amount} 元\n请贴卡"), format!("To pay {amount}\nHold your card"))
        }
        Screen::LiftCard { amount } => text(
            format!("应付 {amount} 元\n请先移开卡片，再贴卡付款"),
            format!("To pay {amount}\nTake the card away first, then hold the card that pays"),
        ),
        Screen::Reading { amount } => reading(*amount),
        Screen::Loading { amount } => {
            text(format!("正在写入 {amount} 元\n请勿移开卡片"), format!("Putting {amount} on the card\nKeep it there"))
        }
        Screen::Loaded { loaded, purse, account } => loaded_text(*loaded, *purse, *account),
        Screen::Asking { amount } => text(format!("应付 {amount} 元\n处理中"), format!("To pay {amount}\nOne moment")),
        Screen::Debiting { amount } => {
            text(format!("正在扣款 {amount} 元\n请勿移开卡片"), format!("Taking {amount}\nKeep the card there"))
        }
        Screen::Paid(paid) => paid_text(paid),
        Screen::Refused { amount, words, balances } => refused(*amount, words, *balances),
        Screen::RemovedEarly { amount } => removed_early(*amount),
        Screen::HoldAgain { amount } => hold_again(*amount),
        Screen::CannotSync => {
            text("暂不可同步\n待圈存资金不变，请稍后再试", "Cannot sync now\nWhat waits stays, try later")
        }
        Screen::OfflineSale { amount } => offline_sale(*amount),
        Screen::Reversing { amount } => reversing(*amount),
        Screen::NotCharged { amount } => not_charged(*amount),
        Screen::Unresolved { amount } => unresolved(*amount),
        Screen::OtherCard { amount } => other_card(*amount),
        Screen::Unproved { amount } => unproved(*amount),
        Screen::CalledOff => text("本笔已取消", "Called off"),
        Screen::Unreadable => {
            text("无法识别此卡\n请到校园卡服务中心", "Card not recognised\nPlease go to the card service centre")
        }
        Screen::OutOfOrder(Trouble::Journal) => text(
            "终端停用：流水无法写入\n请联系设备管理员",
            "Out of order: the journal cannot be written\nCall the device manager",
        ),
        Screen::OutOfOrder(Trouble::Quarantined) => text(
            "终端停用：流水号冲突\n请联系设备管理员",
            "Out of order: record numbers clash\nCall the device manager",
        ),
    }
}

fn restarted(last_paid: Fen) -> Text {
    text(
        format!("终端已重启\n停机前最后一笔 {last_paid} 元已支付，请勿重复收款"),
        format!("Switched on again\nThe last sale before, {last_paid}, was paid: do not charge it again"),
    )
}

fn reading(amount: Option<Fen>) -> Text {
    match amount {
        None => text("读卡中\n请勿移开卡片", "Reading\nKeep the card there"),
        Some(amount) => text(
            format!("应付 {amount} 元\n读卡中，请勿移开卡片"),
            format!("To pay {amount}\nReading, keep the card there"),
        ),
    }
}

fn balances(purse: Fen, account: Option<Fen>) -> Text {
    match account {
        Some(account) => {
            text(format!("卡内 {purse} 元，账户 {account} 元"), format!("Card {purse}, account {account}"))
        }
        None => text(format!("卡内 {purse} 元"), format!("Card {purse}")),
    }
}

fn loaded_text(loaded: Fen, purse: Fen, account: Fen) -> Text {
    let Text { zh, en } = balances(purse, Some(account));
    if loaded.is_positive() {
        text(format!("已写入 {loaded} 元\n{zh}"), format!("Loaded {loaded}\n{en}"))
    } else {
        text(zh, en)
    }
}

fn paid_text(paid: &Paid) -> Text {
    let (from_zh, from_en) = match paid.from {
        Source::Account => ("账户支付", "from the account"),
        Source::Purse => ("卡内支付", "from the card"),
    };
    let left = balances(paid.purse, paid.account);
    let mut zh = format!("已付 {} 元（{from_zh}）\n{}", paid.amount, left.zh);
    let mut en = format!("Paid {} {from_en}\n{}", paid.amount, left.en);
    for (amount, done_zh, done_en) in [(paid.loaded, "已写入", "Loaded"), (paid.filled, "已补入", "Filled up by")]
    {
        if amount.is_positive() {
            zh.push_str(&format!("\n{done_zh} {amount} 元"));
            en.push_str(&format!("\n{done_en} {amount}"));
        }
    }
    text(zh, en)
}

fn refused(amount: Option<Fen>, words: &Words, left: Option<(Fen, Fen)>) -> Text {
    let (mut zh, mut en) = match amount {
        None => (words.zh.clone(), words.en.clone()),
        Some(amount) => (format!("{amount} 元未支付\n{}", words.zh), format!("{amount} not paid\n{}", words.en)),
    };
    if let Some((account, purse)) = left {
        let left = balances(purse, Some(account));
        zh.push_str(&format!("\n{}", left.zh));
        en.push_str(&format!("\n{}", left.en));
    }
    text(zh, en)
}

fn removed_early(amount: Option<Fen>) -> Text {
    match amount {
        None => text("卡片移开过早\n资金安全，请重新贴卡", "Card removed too early\nThe money is safe: hold it again"),
        Some(amount) => text(
            format!("应付 {amount} 元，尚未支付\n卡片移开过早\n资金安全，请重新贴卡"),
            format!("To pay {amount}, not yet paid\nCard removed too early\nThe money is safe: hold it again"),
        ),
    }
}

fn hold_again(amount: Option<Fen>) -> Text {
    let (zh, en) = (
        "还有资金待写入\n资金安全，请移开卡片后重新贴卡",
        "More waits for this card\nThe money is safe: take it away and hold it again",
    );
    match amount {
        None => text(zh, en),
        Some(amount) => {
            text(format!("应付 {amount} 元，尚未支付\n{zh}"), format!("To pay {amount}, not yet paid\n{en}"))
        }
    }
}

fn offline_sale(amount: Fen) -> Text {
    text(
        format!("{amount} 元未支付\n网络未连接，暂不可刷卡，请稍后再试"),
        format!("{amount} not paid\nNo connection, cards cannot pay now: try later"),
    )
}

fn reversing(amount: Fen) -> Text {
    text(
        format!("{amount} 元未得到答复，正在撤销\n请勿重复收款"),
        format!("No answer for {amount}, taking the request back\nDo not charge again yet"),
    )
}

fn not_charged(amount: Fen) -> Text {
    text(
        format!("{amount} 元未扣款\n请移开卡片后重新贴卡"),
        format!("{amount} was not charged\nTake the card away and hold it again"),
    )
}

fn unresolved(amount: Fen) -> Text {
    text(
        format!("{amount} 元是否扣款尚未确认\n请将同一张卡再贴一次"),
        format!("Not yet sure whether {amount} was taken\nHold the same card again"),
    )
}

fn other_card(amount: Fen) -> Text {
    text(
        format!("{amount} 元是否扣款尚未确认\n这不是刚才的卡，请先贴回刚才的卡"),
        format!("Not yet sure whether {amount} was taken\nThis is another card: hold the first one again"),
    )
}

fn unproved(amount: Fen) -> Text {
    text(
        format!("{amount} 元已记为待核实\n系统自动核对，请勿再次扣款"),
        format!("{amount} is recorded as not proved\nThe system settles it: do not charge it again"),
    )
}

/// What a lamp says to somebody who does not see its colour.
pub fn lamp(lamp: Lamp) -> Text {
    match lamp {
        Lamp::Off => text("灯灭", "lamp off"),
        Lamp::Green => text("绿灯", "green lamp"),
        Lamp::Amber => text("黄灯", "amber lamp"),
        Lamp::Red => text("红灯", "red lamp"),
    }
}

/// How much was sold today.
pub fn day_total(total: &DayTotal) -> Text {
    let sum = Fen::new(i64::try_from(total.fen).unwrap_or(i64::MAX));
    text(format!("今日 {} 笔，共 {sum} 元", total.count), format!("Sales today: {}, {sum} in all", total.count))
}

/// The last sale, and how it ended.
pub fn last_sale(last: &LastSale) -> Text {
    let (hour, minute) = last.at;
    let (zh, en) = match last.outcome {
        Outcome::PaidFromAccount => ("已付（账户）", "paid from the account"),
        Outcome::PaidFromPurse => ("已付（卡内）", "paid from the card"),
        Outcome::NotPaid => ("未支付", "not paid"),
        Outcome::Unproved => ("待核实", "not proved yet"),
        Outcome::Open => ("处理中", "not decided yet"),
    };
    let amount = Fen::new(i64::from(last.fen));
    text(
        format!("上一笔 {hour:02}:{minute:02} {amount} 元 {zh}"),
        format!("Last sale {hour:02}:{minute:02}, {amount}, {en}"),
    )
}

/// Why a terminal itself could not take the money, in the form of the platform's refusals.
pub(super) fn refusal(code: &str, zh: &str, en: &str) -> Words {
    Words { code: code.to_owned(), zh: zh.to_owned(), en: en.to_owned() }
}

/// The purse on the card is blocked: its number cannot even be read.
pub(super) fn card_blocked() -> Words {
    refusal(
        "CARD_STATE",
        "此卡已被锁定，请到校园卡服务中心",
        "this card is blocked: please go to the card service centre",
    )
}

/// The card refused a command of the purse. Its bare word is what the card service centre asks for, in either language.
pub(super) fn card_refused(status: Status) -> Words {
    let status = format!("{:04X}", status.word());
    refusal(
        "CARD_REFUSED",
        &format!("卡片拒绝操作（{status}），请到校园卡服务中心"),
        &format!("the card refused ({status}): please go to the card service centre"),
    )
}

/// The platform did not answer a tap in time.
pub(super) fn no_answer() -> Words {
    refusal("NO_ANSWER", "平台无应答，请重新贴卡", "no answer from the platform: hold the card again")
}

/// The chip holds less than the platform thought.
pub(super) fn purse_short() -> Words {
    refusal("PURSE_SHORT", "卡内余额不足", "not enough money on the card")
}

/// Why the purchase module cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModuleFault {
    /// It is that of another terminal.
    Foreign,
    /// It gives transaction numbers that were used already.
    Repeats,
    /// It says so itself.
    Own(PsamFault),
}

/// The purchase module refused or is not that of this terminal.
pub(super) fn module_fault(fault: ModuleFault) -> Words {
    let why = match fault {
        ModuleFault::Foreign => text("属于其他终端", "it is that of another terminal"),
        ModuleFault::Repeats => text("流水号重复", "it repeats its numbers"),
        ModuleFault::Own(PsamFault::NoAnswer) => text("无应答", "it does not answer"),
        ModuleFault::Own(PsamFault::UnknownVersion(version)) => {
            text(format!("没有版本 {version} 的密钥"), format!("it has no key of version {version}"))
        }
        ModuleFault::Own(PsamFault::UnknownAlgorithm(algorithm)) => {
            text(format!("不支持算法 {algorithm:02X}"), format!("it does not know algorithm {algorithm:02X}"))
        }
        ModuleFault::Own(PsamFault::Exhausted) => text("流水号已用完", "it has no number left"),
        ModuleFault::Own(PsamFault::NoPurchase) => text("没有进行中的交易", "it has no purchase open"),
        ModuleFault::Own(PsamFault::WrongMac) => text("卡片证明不正确", "the card's proof is wrong"),
    };
    refusal(
        "PURCHASE_MODULE",
        &format!("消费安全模块故障（{}），请联系设备管理员", why.zh),
        &format!("the purchase module failed ({}): call the device manager", why.en),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_card_or_module_is_said_wholly_in_each_language() {
        use PsamFault::{Exhausted, NoAnswer, NoPurchase, UnknownAlgorithm, UnknownVersion, WrongMac};
        let own = [NoAnswer, UnknownVersion(2), UnknownAlgorithm(4), Exhausted, NoPurchase, WrongMac];
        let modules = [ModuleFault::Foreign, ModuleFault::Repeats].into_iter().chain(own.map(ModuleFault::Own));
        let mut said: Vec<Words> = modules.map(module_fault).collect();
        said.extend([0x9403, 0x63C2, 0x6F12].map(|word| card_refused(Status::of(word))));
        said.push(card_blocked());
        let count = said.len();
        for words in &said {
            assert!(!words.zh.contains(|letter: char| letter.is_ascii_lowercase()), "{}", words.zh);
            assert!(words.en.is_ascii(), "{}", words.en);
        }
        said.sort_by(|one, other| one.zh.cmp(&other.zh));
        said.dedup();
        assert_eq!(said.len(), count, "each has its own words");
        assert!(card_refused(Status::of(0x63C2)).zh.contains("（63C2）"));
    }

    #[test]
    fn amounts_and_both_balances_are_on_the_display() {
        let paid = Paid {
            amount: Fen::new(1200),
            from: Source::Purse,
            account: Some(Fen::new(350)),
            purse: Fen::new(3800),
            loaded: Fen::new(5000),
            filled: Fen::ZERO,
        };
        let words = refusal("NOT_ENOUGH", "余额不足", "not enough money");
        let table = [
            (Screen::ReadyToPay { amount: Fen::new(1200) }, "应付 12.00 元\n请贴卡", "To pay 12.00\nHold your card"),
            (
                Screen::Paid(paid),
                "已付 12.00 元（卡内支付）\n卡内 38.00 元，账户 3.50 元\n已写入 50.00 元",
                "Paid 12.00 from the card\nCard 38.00, account 3.50\nLoaded 50.00",
            ),
            (
                Screen::Refused { amount: Some(Fen::new(1200)), words, balances: Some((Fen::new(350), Fen::new(800))) },
                "12.00 元未支付\n余额不足\n卡内 8.00 元，账户 3.50 元",
                "12.00 not paid\nnot enough money\nCard 8.00, account 3.50",
            ),
            (
                Screen::Loaded { loaded: Fen::ZERO, purse: Fen::new(800), account: Fen::ZERO },
                "卡内 8.00 元，账户 0.00 元",
                "Card 8.00, account 0.00",
            ),
        ];
        for (screen, zh, en) in table {
            assert_eq!(display(&screen), text(zh, en));
        }
    }
}
