//! `docs/terminals.md`: every screen, text, lamp and sound, and the keys, made from the program.

use std::fmt::Write;

use device::agent::display::{Paid, Screen, Source, Trouble};
use device::agent::pos::MOST_SALE;
use device::agent::sound::Sound;
use device::agent::words::{self, Text};
use device::journal::{DayTotal, LastSale, Outcome};
use ledger::Fen;
use link::Words;
use rules::calendar::CampusDay;

/// Every kind of screen; a new one does not compile until it has a name here.
fn name(screen: &Screen) -> &'static str {
    match screen {
        Screen::Starting => "starting",
        Screen::Restarted { .. } => "restarted",
        Screen::Idle { .. } => "idle",
        Screen::Offline => "offline",
        Screen::AmountInvalid => "amount-invalid",
        Screen::Entering { .. } => "entering",
        Screen::ReadyToPay { .. } => "ready-to-pay",
        Screen::LiftCard { .. } => "lift-card",
        Screen::Reading { .. } => "reading",
        Screen::Loading { .. } => "loading",
        Screen::Loaded { .. } => "loaded",
        Screen::Asking { .. } => "asking",
        Screen::Debiting { .. } => "debiting",
        Screen::Paid(_) => "paid",
        Screen::Refused { .. } => "refused",
        Screen::RemovedEarly { .. } => "removed-early",
        Screen::HoldAgain { .. } => "hold-again",
        Screen::CannotSync => "cannot-sync",
        Screen::OfflineSale { .. } => "offline-sale",
        Screen::Reversing { .. } => "reversing",
        Screen::NotCharged { .. } => "not-charged",
        Screen::Unresolved { .. } => "unresolved",
        Screen::OtherCard { .. } => "other-card",
        Screen::Unproved { .. } => "unproved",
        Screen::CalledOff => "called-off",
        Screen::Unreadable => "unreadable",
        Screen::OutOfOrder(_) => "out-of-order",
    }
}

const KINDS: usize = 27;

fn refused(code: &str, zh: &str, en: &str, balances: Option<(Fen, Fen)>) -> Screen {
    let words = Words { code: code.into(), zh: zh.into(), en: en.into() };
    Screen::Refused { amount: Some(LUNCH), words, balances }
}

const LUNCH: Fen = Fen::new(1200);

/// When it is shown, and an example of it.
fn screens() -> Vec<(&'static str, Screen)> {
    let amount = LUNCH;
    let (loaded, purse, account) = (Fen::new(5000), Fen::new(3800), Fen::new(350));
    let from_purse = Paid { amount, from: Source::Purse, account: Some(account), purse, loaded, filled: Fen::ZERO };
    let from_account = Paid { from: Source::Account, loaded: Fen::ZERO, filled: Fen::new(1000), ..from_purse.clone() };
    let low = refused("BALANCE_LOW", "余额不足", "not enough money", Some((account, purse)));
    let lost = refused("CARD_LOST", "此卡已冻结", "this card is frozen", None);
    let silent =
        refused("NO_ANSWER", "平台无应答，请重新贴卡", "no answer from the platform: hold the card again", None);
    let other = refused("AFTER_RESTORE", "系统恢复中", "the book is being restored", None);
    vec![
        ("switched on, connecting for the first time", Screen::Starting),
        ("switched on again; the last sale before was paid", Screen::Restarted { last_paid: amount }),
        (
            "nothing to do",
            Screen::Idle { place_zh: "第一食堂 3 号窗口".into(), place_en: "First canteen, window 3".into() },
        ),
        ("nothing to do, no connection", Screen::Offline),
        ("a key was pressed", Screen::Entering { text: "12.5".into() }),
        ("the amount is zero or too high", Screen::AmountInvalid),
        ("an amount is due, no card", Screen::ReadyToPay { amount }),
        ("an amount is due, and the card that lies there had its turn", Screen::LiftCard { amount }),
        ("an amount is due, no connection", Screen::OfflineSale { amount }),
        ("a card is read", Screen::Reading { amount: None }),
        ("a card is read, an amount is due", Screen::Reading { amount: Some(amount) }),
        ("money goes onto the card", Screen::Loading { amount: loaded }),
        ("done without a sale", Screen::Loaded { loaded, purse: loaded, account }),
        ("done, nothing waited", Screen::Loaded { loaded: Fen::ZERO, purse: loaded, account }),
        ("the platform decides", Screen::Asking { amount }),
        ("money is taken from the card", Screen::Debiting { amount }),
        ("paid from the card, after a load", Screen::Paid(from_purse)),
        ("paid from the account, then the card was filled up", Screen::Paid(from_account)),
        ("refused for want of money", low),
        ("refused: the card is frozen or no longer in use", lost),
        ("refused: no answer in time", silent),
        ("refused for any other reason", other),
        ("the card left too early", Screen::RemovedEarly { amount: None }),
        ("the card left too early, an amount is due", Screen::RemovedEarly { amount: Some(amount) }),
        ("more waits than one hold takes", Screen::HoldAgain { amount: None }),
        ("a card was held, no connection", Screen::CannotSync),
        ("no answer to the sale: it is being taken back", Screen::Reversing { amount }),
        ("it was taken back", Screen::NotCharged { amount }),
        ("the card left while it was debited", Screen::Unresolved { amount }),
        ("another card came instead", Screen::OtherCard { amount }),
        ("the clerk gave up asking for it", Screen::Unproved { amount }),
        ("the clerk called the sale off", Screen::CalledOff),
        ("no card of this school, or a broken chip", Screen::Unreadable),
        ("the journal cannot be written", Screen::OutOfOrder(Trouble::Journal)),
        ("record numbers clash", Screen::OutOfOrder(Trouble::Quarantined)),
    ]
}

fn cell(text: &str) -> String {
    text.replace('\n', "<br>")
}

fn page() -> String {
    let mut out = String::from(
        "# Screens, lamps, sounds and keys of a terminal\n\n\
         For makers of terminals and for whoever writes another display: what the agent of a POS shows is data, and this is all\n\
         of it. A display shows one language or both; the lamp goes with the screen, the sound is played once when the screen\n\
         appears. Amounts here are examples. `onecard terminal pos` shows the same in a terminal window, and with `--plain` a line for\n\
         each screen: lamp, sound, words. This page is made by a test from the program.\n\n\
         ## Screens\n\n| screen | shown when | Chinese | English | lamp | sound |\n|---|---|---|---|---|---|\n",
    );
    for (when, screen) in screens() {
        let Text { zh, en } = words::display(&screen);
        let lamp = words::lamp(screen.lamp()).en;
        let sound = Sound::of(&screen).map_or("", Sound::name);
        let (zh, en) = (cell(&zh), cell(&en));
        writeln!(
            out,
            "| `{}` | {when} | {zh} | {en} | {} | {sound} |",
            name(&screen),
            lamp.replace(" lamp", "").replace("lamp ", "")
        )
        .expect("a string");
    }
    out.push_str(
        "\nThe words of a refusal come from the platform with a stable code; those of the terminal itself are `CARD_REFUSED`,\n\
         `CARD_STATE` (the purse on the card is blocked), `NO_ANSWER`, `PURSE_SHORT` and `PURCHASE_MODULE`.\n\n\
         ## Sounds\n\nThey differ in rhythm, so that a buzzer with one pitch is enough. A dash is silence.\n\n\
         | sound | tones |\n|---|---|\n",
    );
    for sound in Sound::ALL {
        let tones = sound.pattern().iter().map(|tone| match tone.hertz {
            0 => format!("– {} ms", tone.millis),
            hertz => format!("{hertz} Hz {} ms", tone.millis),
        });
        writeln!(out, "| `{}` | {} |", sound.name(), tones.collect::<Vec<_>>().join(", ")).expect("a string");
    }
    write!(
        out,
        "\n## Keys\n\n| key | does |\n|---|---|\n\
         | digits, point | type an amount, up to {MOST_SALE}; an amount that was due and not yet asked for is replaced, and no card pays it any more |\n\
         | back | takes the last one back |\n\
         | enter | the amount is due; without an amount nothing, so that pressing it twice is pressing it once |\n\
         | repeat | puts the last amount on the display, to be entered like any other |\n\
         | cancel | throws away what was typed; when nothing was, calls the sale off; a debit under way is waited for |\n\n\
         While a sale is being decided every key but cancel is ignored.\n\n\
         ## Beside the display\n\nThe clerk sees the day's total (paid sales since midnight on the campus, by the journal, also after a\n\
         restart) and how the last sale ended:\n\n| Chinese | English |\n|---|---|\n"
    )
    .expect("a string");
    let Text { zh, en } = words::day_total(&DayTotal { day: CampusDay(20_261_123), count: 86, fen: 103_250 });
    writeln!(out, "| {zh} | {en} |").expect("a string");
    for outcome in
        [Outcome::PaidFromAccount, Outcome::PaidFromPurse, Outcome::NotPaid, Outcome::Unproved, Outcome::Open]
    {
        let Text { zh, en } = words::last_sale(&LastSale { fen: 1200, at: (12, 5), outcome });
        writeln!(out, "| {zh} | {en} |").expect("a string");
    }
    out
}

#[test]
fn the_page_for_terminal_makers_has_every_screen_as_the_program_shows_it() {
    let mut names: Vec<_> = screens().iter().map(|(_, screen)| name(screen)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS, "every kind of screen has an example: {names:?}");
    for sound in Sound::ALL {
        assert!(screens().iter().any(|(_, screen)| Sound::of(screen) == Some(sound)), "{sound:?} has an example");
    }
    let (kept, page) = (include_str!("../../../../docs/terminals.md"), page());
    assert_eq!(kept, page, "docs/terminals.md is to be:\n{page}");
}

#[test]
fn every_screen_has_words_in_both_languages_and_an_english_text_has_no_chinese_in_it() {
    for (when, screen) in screens() {
        let Text { zh, en } = words::display(&screen);
        assert!(!zh.is_ascii() && !en.is_empty(), "{when}: {zh} {en}");
        assert!(en.is_ascii(), "{when}: {en}");
        assert!(zh.lines().count() <= 4 && en.lines().count() <= 4, "{when} fits on a display");
    }
}
