//! The screen of `onecard terminal pos`: the face of the terminal drawn on top of a terminal window, or a line for each
//! change of the display; and what the person at it types.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use card::tear::CutPlace;
use device::agent::display::{Lamp, Screen};
use device::agent::pos::Key;
use device::agent::sound::Sound;
use device::agent::words::{self, Text};
use device::channel::{Pull, PullAt};
use device::uplink::{Event, PosHandle, Takings, Told};
use ledger::Fen;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{broadcast, watch};

use crate::Failure;
use crate::serve::stop_asked;

/// How the screen is shown.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Options {
    /// Language of the display.
    #[arg(long, value_enum, default_value_t = Language::Both)]
    language: Language,
    /// Rings the bell of this window for every sound, once for each of its tones.
    #[arg(long)]
    bell: bool,
    /// A line for each change of the display, as when the output is no terminal: for screen readers and programs.
    #[arg(long)]
    plain: bool,
}

/// A language of the display, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
    /// Chinese, then English.
    Both,
}

impl Language {
    /// The lines of a text.
    fn lines(self, text: &Text) -> Vec<String> {
        let own = |text: &str| text.lines().map(str::to_owned).collect();
        match self {
            Language::Zh => own(&text.zh),
            Language::En => own(&text.en),
            Language::Both => [own(&text.zh), own(&text.en)].concat(),
        }
    }

    /// A short text on one line.
    fn inline(self, text: &Text) -> String {
        let one = |text: &str| text.replace('\n', "; ");
        match self {
            Language::Zh => one(&text.zh),
            Language::En => one(&text.en),
            Language::Both => format!("{} | {}", one(&text.zh), one(&text.en)),
        }
    }
}

const HELP: &str = "What can be typed:
  12.50            enters an amount
  repeat           puts the last amount on the display; an empty line enters it
  cancel           calls the sale off, or gives up asking for a card
  card FILE        lays a software card on the reader
  pull             takes it away
  pull credit      takes it away while money is put on it; also `pull debit`, `pull next`
  total            the day's sales and the last one
  help             this list
  quit             switches the terminal off; so do Ctrl-C and Ctrl-D";

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    /// The display refuses one that is too high.
    Amount(Fen),
    /// An amount was meant, and it is none: the display says so, and the one that was due is due no more.
    NoAmount,
    Press(Key),
    Card(PathBuf),
    Pull(Pull),
    Total,
    Help,
    Quit,
}

impl Wish {
    /// Error: a sentence that says what to type.
    fn parse(line: &str) -> Result<Wish, String> {
        let line = line.trim();
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let during = |at| Wish::Pull(Pull::During(at, CutPlace::BeforeAnswer));
        Ok(match (first.to_lowercase().as_str(), rest) {
            ("", _) => Wish::Press(Key::Enter),
            ("repeat", "") => Wish::Press(Key::Repeat),
            ("cancel", "") => Wish::Press(Key::Cancel),
            ("card", "") => return Err("write the file of the card behind it, such as: card anna.card".to_owned()),
            ("card", file) => Wish::Card(PathBuf::from(file)),
            ("pull", "") => Wish::Pull(Pull::Now),
            ("pull", "credit") => during(PullAt::Credit),
            ("pull", "debit") => during(PullAt::Debit),
            ("pull", "next") => during(PullAt::Next),
            ("total", "") => Wish::Total,
            ("help" | "?", "") => Wish::Help,
            ("quit" | "exit", "") => Wish::Quit,
            _ => match Fen::parse_yuan(line) {
                Ok(amount) => Wish::Amount(amount),
                Err(_) if line.starts_with(|first: char| first.is_numeric() || "+-.¥￥．。".contains(first)) => {
                    Wish::NoAmount
                }
                Err(_) => {
                    let shown: String = line.chars().filter(|letter| !letter.is_control()).take(40).collect();
                    return Err(format!("\"{shown}\" is no amount and no command; type help"));
                }
            },
        })
    }
}

/// Runs the terminal's life with this screen until somebody switches it off, or its input ends.
pub async fn run(
    handle: PosHandle,
    life: impl Future<Output = ()> + Send + 'static,
    options: Options,
) -> Result<(), Failure> {
    let (mut events, mut takings) = (handle.events(), handle.all_takings());
    let life = tokio::spawn(life);
    let mut typed = typed_lines();
    let mut face = Face::new(options, io::stdout().is_terminal());
    let mut interrupted = std::pin::pin!(stop_asked());
    face.show(&handle.screen(), &handle.takings());
    face.say(HELP);
    loop {
        tokio::select! {
            news = next_news(&mut events, &mut takings) => match news {
                Some(News::Told(Event::Shown(screen))) => face.show(&screen, &handle.takings()),
                Some(News::Told(Event::Disconnected(why))) => face.disconnected(&why),
                Some(News::Told(Event::Connected)) => face.connected(),
                Some(News::Told(_)) => {}
                Some(News::Redraw) => face.show(&handle.screen(), &handle.takings()),
                None => break,
            },
            line = typed.recv() => match line.as_deref().map(Wish::parse) {
                Some(Ok(Wish::Quit)) | None => break,
                Some(Ok(wish)) => {
                    let answer = obey(&handle, wish, face.language());
                    face.answered(answer.as_deref());
                }
                Some(Err(words)) => face.answered(Some(&words)),
            },
            () = &mut interrupted => break,
        }
    }
    handle.stop();
    let ended = life.await;
    face.close();
    Ok(ended?)
}

/// What the face must follow.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Told(Event),
    /// Something was missed, or what stands beside the display changed: at midnight nothing else does.
    Redraw,
}

/// `None` when nothing happens any more.
async fn next_news(events: &mut broadcast::Receiver<Told>, takings: &mut watch::Receiver<Takings>) -> Option<News> {
    tokio::select! {
        told = events.recv() => match told {
            Ok(told) => Some(News::Told(told.event)),
            Err(RecvError::Lagged(_)) => Some(News::Redraw),
            Err(RecvError::Closed) => None,
        },
        Ok(()) = takings.changed() => Some(News::Redraw),
    }
}

/// Lines of the standard input; ends with it.
fn typed_lines() -> UnboundedReceiver<String> {
    let (lines, typed) = unbounded_channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        // Bytes that are no text are answered like any other nonsense.
        while input.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    typed
}

/// Does what was asked for; gives what is to be said to it.
fn obey(handle: &PosHandle, wish: Wish, language: Language) -> Option<String> {
    match wish {
        Wish::Amount(amount) => handle.enter_sale(amount),
        Wish::NoAmount => handle.enter_sale(Fen::ZERO),
        Wish::Press(key) => handle.press(key),
        Wish::Card(file) => return handle.put_card(&file).err().map(|fault| crate::prompt::sentence(&fault)),
        Wish::Pull(pull) => handle.pull_card(pull),
        Wish::Total => return Some(takings(&handle.takings(), language).join("\n")),
        Wish::Help => return Some(HELP.to_owned()),
        Wish::Quit => {}
    }
    None
}

/// The day's total and the last sale, a line for each language.
fn takings((total, last): &Takings, language: Language) -> Vec<String> {
    let mut lines = vec![language.inline(&words::day_total(total))];
    lines.extend(last.as_ref().map(|last| language.inline(&words::last_sale(last))));
    lines
}

/// One line for programs and screen readers: lamp, sound, words.
fn plain_line(screen: &Screen, language: Language) -> String {
    let lamp = words::lamp(screen.lamp()).en;
    let sound = Sound::of(screen).map_or_else(String::new, |sound| format!(", sound {}", sound.name()));
    format!("[{lamp}{sound}] {}", language.inline(&words::display(screen)))
}

/// What is drawn or printed.
struct Face {
    options: Options,
    drawn: bool,
    /// Why there is no connection, as it was last said.
    why: Option<String>,
    /// What the display said last.
    shown: Option<Screen>,
}

/// Lines that the face takes; what is typed and answered scrolls below it.
const ROWS: usize = 17;
/// Columns of a line of the display.
const COLUMNS: usize = 76;

impl Face {
    fn new(options: Options, terminal: bool) -> Face {
        let face = Face { options, drawn: terminal && !options.plain, why: None, shown: None };
        if face.drawn {
            // Clears the window, keeps the rows of the face out of the scrolling, and goes below them.
            face.print(&format!("\x1b[2J\x1b[{}r\x1b[{};1H", ROWS + 1, ROWS + 1));
        }
        face
    }

    const fn language(&self) -> Language {
        self.options.language
    }

    /// A window that is gone is no reason to stop selling.
    fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn show(&mut self, screen: &Screen, now: &Takings) {
        if self.shown.as_ref() == Some(screen) && !self.drawn {
            return;
        }
        let sound = Sound::at(self.shown.as_ref(), screen).filter(|_| self.options.bell);
        self.shown = Some(screen.clone());
        let mut text = if self.drawn {
            drawn(screen, now, self.options.language)
        } else {
            plain_line(screen, self.options.language) + "\n"
        };
        if let Some(sound) = sound {
            text.extend(sound.pattern().iter().filter(|tone| tone.hertz > 0).map(|_| '\x07'));
        }
        self.print(&text);
    }

    /// Says something beside the display.
    fn say(&self, words: &str) {
        self.print(&format!("{words}\n{}", self.prompt()));
    }

    /// A line was typed: it is answered, or just followed by the next prompt.
    fn answered(&self, words: Option<&str>) {
        match words {
            Some(words) => self.say(words),
            None => self.print(self.prompt()),
        }
    }

    const fn prompt(&self) -> &'static str {
        if self.drawn { "> " } else { "" }
    }

    /// Said once, not at every try.
    fn disconnected(&mut self, why: &str) {
        if self.why.as_deref() != Some(why) {
            let start = if self.drawn { "\r" } else { "" };
            self.say(&format!("{start}no connection to the platform: {why}; trying again and again"));
            self.why = Some(why.to_owned());
        }
    }

    fn connected(&mut self) {
        self.why = None;
    }

    fn close(&self) {
        let leave = if self.drawn { "\x1b[r\x1b[999;1H\n" } else { "" };
        self.print(&format!("{leave}switched off\n"));
    }
}

/// A line in parts that fit, broken at blanks and between Chinese characters, which take two columns.
fn wrapped(line: &str) -> Vec<String> {
    let wide = |letter: char| if letter.is_ascii() { 1 } else { 2 };
    let (mut parts, mut part, mut columns) = (Vec::new(), String::new(), 0);
    for letter in line.chars() {
        if columns + wide(letter) > COLUMNS {
            // The word that no longer fits goes with what follows; one that is longer than a line is cut.
            let rest = part.rfind(' ').map_or_else(String::new, |blank| part.split_off(blank));
            parts.push(std::mem::replace(&mut part, rest.trim_start().to_owned()));
            columns = part.chars().map(wide).sum();
        }
        part.push(letter);
        columns += wide(letter);
    }
    parts.push(part);
    parts
}

/// The whole face at the top of the window; the cursor comes back to where it was.
fn drawn(screen: &Screen, now: &Takings, language: Language) -> String {
    let colour = match screen.lamp() {
        Lamp::Off => "2",
        Lamp::Green => "1;32",
        Lamp::Amber => "1;33",
        Lamp::Red => "1;31",
    };
    let lamp = language.inline(&words::lamp(screen.lamp()));
    let sound = Sound::of(screen).map_or_else(String::new, |sound| format!("   ♪ {}", sound.name()));
    let rule = "─".repeat(60);
    let mut lines = vec![format!(" \x1b[{colour}m● {lamp}\x1b[0m{sound}"), rule.clone()];
    for line in language.lines(&words::display(screen)) {
        lines.extend(wrapped(&line).into_iter().map(|part| format!("   \x1b[1m{part}\x1b[0m")));
    }
    let beside = takings(now, language);
    lines.resize(ROWS.saturating_sub(beside.len() + 2).max(lines.len()), String::new());
    lines.push(rule.clone());
    lines.extend(beside.into_iter().map(|line| format!(" {line}")));
    lines.push(rule);
    // Saves the cursor and cuts long lines off, so that what scrolls below stays where it is.
    let mut text = String::from("\x1b7\x1b[?7l\x1b[1;1H");
    for line in lines.iter().take(ROWS) {
        text.push_str(line);
        text.push_str("\x1b[K\r\n");
    }
    text.push_str("\x1b[?7h\x1b8");
    text
}

#[cfg(test)]
mod tests {
    use device::agent::pos::MOST_SALE;
    use device::journal::{DayTotal, LastSale, Outcome};
    use rules::calendar::CampusDay;

    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_answered_in_a_sentence() {
        let pull = |at| Wish::Pull(Pull::During(at, CutPlace::BeforeAnswer));
        let table = [
            ("12.50\n", Wish::Amount(Fen::new(1250))),
            (" 12 ", Wish::Amount(Fen::new(1200))),
            ("9999.99", Wish::Amount(MOST_SALE)),
            ("10000", Wish::Amount(Fen::new(1_000_000))),
            ("12.345", Wish::NoAmount),
            ("-.5", Wish::NoAmount),
            ("￥12.345", Wish::NoAmount),
            ("１２.３４５", Wish::NoAmount),
            ("￥12.50", Wish::Amount(Fen::new(1250))),
            ("99999999999999999999", Wish::NoAmount),
            ("0", Wish::Amount(Fen::ZERO)),
            ("\n", Wish::Press(Key::Enter)),
            ("repeat", Wish::Press(Key::Repeat)),
            ("Cancel", Wish::Press(Key::Cancel)),
            ("card  my cards/anna.card", Wish::Card(PathBuf::from("my cards/anna.card"))),
            ("pull", Wish::Pull(Pull::Now)),
            ("pull debit", pull(PullAt::Debit)),
            ("pull credit", pull(PullAt::Credit)),
            ("pull next", pull(PullAt::Next)),
            ("total", Wish::Total),
            ("?", Wish::Help),
            ("quit\r\n", Wish::Quit),
        ];
        for (line, wish) in table {
            assert_eq!(Wish::parse(line), Ok(wish), "{line:?}");
        }
        for (line, says) in [
            ("twelve", "\"twelve\" is no amount and no command; type help"),
            ("card", "such as: card anna.card"),
            ("pull slowly", "type help"),
            ("quit now", "type help"),
            ("\x1b[2J\u{fffd}", "\"[2J\u{fffd}\""),
        ] {
            let said = Wish::parse(line).expect_err(line);
            assert!(said.contains(says) && !said.contains('\x1b'), "{line:?}: {said}");
        }
    }

    #[test]
    fn a_plain_line_has_lamp_sound_and_words_in_the_chosen_language() {
        let screen = Screen::RemovedEarly { amount: None };
        let line = |language| plain_line(&screen, language);
        let english = "[amber lamp, sound again] Card removed too early; The money is safe: hold it again";
        assert_eq!(line(Language::En), english);
        assert!(line(Language::Zh).ends_with("卡片移开过早; 资金安全，请重新贴卡"));
        assert!(line(Language::Both).contains("请重新贴卡 | Card removed too early"));
        assert_eq!(plain_line(&Screen::CalledOff, Language::En), "[lamp off] Called off");
    }

    #[test]
    fn long_lines_are_broken_at_blanks_and_chinese_takes_two_columns() {
        let table = [
            ("short".to_owned(), vec!["short".to_owned()]),
            (format!("{} bb", "a".repeat(75)), vec!["a".repeat(75), "bb".to_owned()]),
            ("a".repeat(80), vec!["a".repeat(76), "a".repeat(4)]),
            ("卡".repeat(40), vec!["卡".repeat(38), "卡".repeat(2)]),
        ];
        for (line, parts) in table {
            assert_eq!(wrapped(&line), parts);
        }
    }

    #[tokio::test]
    async fn the_face_is_drawn_again_when_the_day_turns_and_nothing_else_happens() {
        let day = |day, count| (DayTotal { day: CampusDay(day), count, fen: 0 }, None);
        let (turns, mut takings) = watch::channel(day(20_261_123, 86));
        let (tells, mut events) = broadcast::channel(4);
        turns.send_replace(day(20_261_124, 0));
        assert_eq!(next_news(&mut events, &mut takings).await, Some(News::Redraw));
        let told = |event| Told { at: ledger::Micros::new(0), event };
        tells.send(told(Event::Connected)).unwrap();
        assert_eq!(next_news(&mut events, &mut takings).await, Some(News::Told(Event::Connected)));
        drop(turns);
        tells.send(told(Event::CardOut)).unwrap();
        assert_eq!(next_news(&mut events, &mut takings).await, Some(News::Told(Event::CardOut)));
        drop(tells);
        assert_eq!(next_news(&mut events, &mut takings).await, None);
    }

    #[test]
    fn the_drawn_face_has_as_many_rows_as_are_kept_for_it_and_names_the_lamp_beside_its_colour() {
        let total = DayTotal { day: CampusDay(20_261_123), count: 2, fen: 1900 };
        let last = LastSale { fen: 700, at: (9, 5), outcome: Outcome::PaidFromPurse };
        let screen = Screen::RemovedEarly { amount: Some(Fen::new(1200)) };
        for language in [Language::Zh, Language::En, Language::Both] {
            let face = drawn(&screen, &(total, Some(last)), language);
            assert_eq!(face.matches("\r\n").count(), ROWS, "{language:?}");
            assert!(face.starts_with("\x1b7") && face.ends_with("\x1b8"), "the cursor comes back");
        }
        let face = drawn(&screen, &(total, Some(last)), Language::En);
        assert!(face.contains("\x1b[1;33m● amber lamp") && face.contains("♪ again"));
        assert!(face.contains("Sales today: 2, 19.00 in all") && face.contains("Last sale 09:05, 7.00"));
    }
}
