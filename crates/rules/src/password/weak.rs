//! What is too weak for a query password (R77). Each reason has its own words, so that the next try can be better.

use std::collections::BTreeSet;

use super::{Holder, XRule, initial};
use crate::roster::plain;
use crate::words::Words;

/// Fewest characters.
pub const MIN_LENGTH: usize = 6;
/// Most characters.
pub const MAX_LENGTH: usize = 64;

/// A stretch of a personal number that is refused, in characters.
const STRETCH: usize = 6;
/// Beside a short piece of personal data (a birth year, a day of birth, a short number) at least so many characters must
/// be the holder's own.
const OWN_PART: usize = 4;

/// Beside pieces that everyone uses at least so many characters must be the holder's own.
const BESIDE_COMMON: usize = 3;

/// Pieces of which passwords are made that everyone tries first, with runs of characters between them. Capital, as they are
/// compared.
const COMMON: [&str; 70] = [
    // Neighbours on the keyboard, along its rows and up and down.
    "QWER",
    "QWERTY",
    "QWERTYUIOP",
    "ASD",
    "ASDF",
    "ASDFGH",
    "ASDFGHJKL",
    "ZXC",
    "ZXCV",
    "ZXCVBN",
    "ZXCVBNM",
    "QWE",
    "QAZ",
    "WSX",
    "EDC",
    "1QAZ",
    "2WSX",
    "3EDC",
    "1Q2W",
    "3E4R",
    "1Q2W3E4R",
    "ZAQ",
    "MNBVCXZ",
    "POIUYT",
    "LKJHGF",
    // Words.
    "PASSWORD",
    "PASSW0RD",
    "P@SSWORD",
    "P@SSW0RD",
    "PASSWD",
    "PASS",
    "ADMIN",
    "ROOT",
    "TEST",
    "USER",
    "GUEST",
    "WELCOME",
    "LETMEIN",
    "MONKEY",
    "DRAGON",
    "ILOVEYOU",
    "LOVE",
    "HELLO",
    "STUDENT",
    "SCHOOL",
    "CAMPUS",
    "CARD",
    "WECHAT",
    // Words in pinyin, and figures that are read as words.
    "WOAINI",
    "WOAI",
    "AINI",
    "MIMA",
    "YIKATONG",
    "XIAOYUAN",
    "XIAOYUANKA",
    "WEIXIN",
    "5201314",
    "1314520",
    "1314",
    "520",
    "521",
    "114514",
    "110120",
    // Lines and crosses on a keypad.
    "159357",
    "159753",
    "357159",
    "753951",
    "147258",
    "258369",
    "789456",
];

/// Why a new password is not taken; the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Weak {
    /// Fewer than [`MIN_LENGTH`] characters.
    #[error("too short")]
    TooShort,
    /// More than [`MAX_LENGTH`] characters.
    #[error("too long")]
    TooLong,
    /// A character that cannot be seen.
    #[error("a character that cannot be seen")]
    Character,
    /// The old one.
    #[error("the old one")]
    SameAsOld,
    /// One character throughout.
    #[error("one character throughout")]
    OneCharacter,
    /// Stretches in which each character follows from the one before by the same step.
    #[error("sequential characters")]
    Run,
    /// Doubled characters, a repeated or mirrored pattern, or two different characters in all.
    #[error("a repeated pattern")]
    Pattern,
    /// The birthday, in any usual form.
    #[error("the birthday")]
    Birthday,
    /// The student or staff number or a part of it, also backwards.
    #[error("the student or staff number")]
    Number,
    /// A part of the identity document's number, also backwards, or the first password.
    #[error("a part of the document's number")]
    Document,
    /// One of those that everyone tries first.
    #[error("a common password")]
    Common,
}

/// May `new` follow after `old`, which was right? Letters are compared without case, full-width characters as plain ones.
///
/// Shape: 6 to 64 characters that can be seen, plain blanks included; digits alone will do.
/// Errors: [`Weak`], in its order. Source: R77.
pub fn check_new(new: &str, old: &str, holder: &Holder<'_>) -> Result<(), Weak> {
    let length = new.chars().count();
    let text = plain(new);
    let chars: Vec<char> = text.chars().collect();
    let reasons = [
        (length < MIN_LENGTH, Weak::TooShort),
        (length > MAX_LENGTH, Weak::TooLong),
        (new.chars().any(unseen), Weak::Character),
        (new == old, Weak::SameAsOld),
        (different(&chars) <= 1, Weak::OneCharacter),
        (runs(&chars), Weak::Run),
        (pattern(&chars), Weak::Pattern),
        (holder.identity_card && birthday(&text, holder.document), Weak::Birthday),
        (of_number(&text, holder.number), Weak::Number),
        (of_document(&text, holder), Weak::Document),
        (own_beside_common(&chars) < BESIDE_COMMON, Weak::Common),
    ];
    reasons.into_iter().find(|(applies, _)| *applies).map_or(Ok(()), |(_, weak)| Err(weak))
}

/// Blanks other than the plain one, control characters, marks without width: nobody types them twice the same way.
fn unseen(c: char) -> bool {
    let without_width = matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}');
    c.is_control() || without_width || (c.is_whitespace() && c != ' ')
}

fn different(chars: &[char]) -> usize {
    chars.iter().collect::<BTreeSet<_>>().len()
}

/// Whether all of it is stretches of three or more characters with one step each: 123456, 135246, 147258, ABC123.
fn runs(chars: &[char]) -> bool {
    let mut rest = chars;
    while let Some((_, after)) = rest.split_first() {
        let steps = rest.iter().zip(after).map(|(a, b)| step(*a, *b));
        let first = step_of(rest);
        let same = steps.take_while(|step| step.is_some() && *step == first).count();
        if same < 2 {
            return false;
        }
        rest = rest.get(same.saturating_add(1)..).unwrap_or_default();
    }
    true
}

/// How many characters are left when as many as possible are taken for common pieces, and for runs of three or more.
fn own_beside_common(chars: &[char]) -> usize {
    // For each place, the fewest own characters before it.
    let mut fewest = vec![0_usize];
    for end in 1..=chars.len() {
        let before = chars.get(..end).unwrap_or_default();
        let piece = |length: usize| before.len().checked_sub(length).and_then(|from| fewest.get(from)).copied();
        let words = COMMON.iter().filter(|word| before.ends_with(&word.chars().collect::<Vec<_>>()));
        let run = (3..=end).take_while(|length| before.get(end.saturating_sub(*length)..).is_some_and(one_run));
        let lengths = words.map(|word| word.len()).chain(run);
        let own = piece(1).unwrap_or(0).saturating_add(1);
        fewest.push(lengths.filter_map(piece).min().map_or(own, |taken| taken.min(own)));
    }
    fewest.last().copied().unwrap_or(0)
}

/// Whether each character follows from the one before by one, up or down, or is the same again.
fn one_run(chars: &[char]) -> bool {
    let first = step_of(chars);
    matches!(first, Some(-1..=1)) && chars.windows(2).all(|pair| step_of(pair) == first)
}

fn step_of(chars: &[char]) -> Option<i8> {
    match chars {
        [a, b, ..] => step(*a, *b),
        [_] | [] => None,
    }
}

/// From one character to the next, as far as it looks like counting: digits by three at most and across 9 to 0 by two at
/// most, letters by one.
fn step(a: char, b: char) -> Option<i8> {
    let digits = a.is_ascii_digit() && b.is_ascii_digit();
    let letters = a.is_ascii_alphabetic() && b.is_ascii_alphabetic();
    let far = i64::from(u32::from(b)).saturating_sub(i64::from(u32::from(a)));
    match i8::try_from(far) {
        Ok(far @ -1..=1) if letters => Some(far),
        Ok(far @ -3..=3) if digits => Some(far),
        Ok(-9) if digits => Some(1),
        Ok(-8) if digits => Some(2),
        Ok(8) if digits => Some(-2),
        Ok(9) if digits => Some(-1),
        _ => None,
    }
}

/// Whether it is a block that repeats (121212, ABCABCA), pairs (112233), a mirror (12344321), or two characters in all.
fn pattern(chars: &[char]) -> bool {
    let half = chars.len().checked_div(2).unwrap_or(0);
    let repeats = (1..=half).any(|period| chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b));
    let pairs = chars.chunks(2).all(|pair| matches!(pair, [a, b] if a == b));
    let mirror = chars.iter().eq(chars.iter().rev());
    different(chars) <= 2 || repeats || pairs || mirror
}

/// Whether it holds the whole birthday, or little more than its year or its day. Signs between the parts do not hide it.
fn birthday(text: &str, document: &str) -> bool {
    let part = |from: usize, to: usize| document.get(from..to).unwrap_or_default();
    let (year, short, month, day) = (part(6, 10), part(8, 10), part(10, 12), part(12, 14));
    if day.is_empty() {
        return false;
    }
    let (m, d) = (month.trim_start_matches('0'), day.trim_start_matches('0'));
    let whole = [
        [year, month, day],
        [year, day, month],
        [day, month, year],
        [month, day, year],
        [short, month, day],
        [short, day, month],
        [day, month, short],
        [month, day, short],
        [year, m, d],
        [d, m, year],
        [m, d, year],
        [year, month, ""],
        [month, year, ""],
    ];
    let little = [[year, ""], [month, day], [day, month]];
    let text: String = text.chars().filter(|c| !matches!(c, '-' | '/' | '.' | '_' | '年' | '月' | '日')).collect();
    whole.iter().any(|parts| text.contains(&parts.concat()))
        || little.iter().any(|parts| mostly(&text, &parts.concat()))
}

/// Whether `text` holds `piece` and little besides.
fn mostly(text: &str, piece: &str) -> bool {
    let besides = text.chars().count().saturating_sub(piece.chars().count());
    !piece.is_empty() && text.contains(piece) && besides < OWN_PART
}

fn of_number(text: &str, number: &str) -> bool {
    let number = plain(number);
    let backwards: String = number.chars().rev().collect();
    [number, backwards].iter().any(|number| stretch_of(text, number) || mostly(text, number))
}

fn of_document(text: &str, holder: &Holder<'_>) -> bool {
    let document = plain(holder.document);
    let backwards: String = document.chars().rev().collect();
    let first = [XRule::Either, XRule::Shift].into_iter().flat_map(|rule| initial(holder, rule));
    stretch_of(text, &document) || stretch_of(text, &backwards) || first.into_iter().any(|first| text.contains(&first))
}

/// Whether `text` holds six characters that follow each other in `number`.
fn stretch_of(text: &str, number: &str) -> bool {
    let number: Vec<char> = number.chars().collect();
    number.windows(STRETCH).any(|part| text.contains(&part.iter().collect::<String>()))
}

impl Weak {
    /// What the holder is told.
    pub fn words(self) -> Words {
        let (zh, en) = match self {
            Weak::TooShort => {
                return Words::new(
                    "PASSWORD_WEAK",
                    format!("密码太短，请设置至少 {MIN_LENGTH} 位。"),
                    format!("The password is too short; please use at least {MIN_LENGTH} characters."),
                );
            }
            Weak::TooLong => {
                return Words::new(
                    "PASSWORD_WEAK",
                    format!("密码太长，请设置不超过 {MAX_LENGTH} 位。"),
                    format!("The password is too long; please use at most {MAX_LENGTH} characters."),
                );
            }
            Weak::Character => (
                "密码中有看不见的字符（如制表符），请改用字母、数字和常用符号。",
                "The password has a character that cannot be seen, such as a tab; please use letters, digits and common signs.",
            ),
            Weak::SameAsOld => {
                ("新密码与原密码相同，请另设一个。", "The new password is the old one; please choose another.")
            }
            Weak::OneCharacter => (
                "密码不能全是同一个字符，请混用不同的数字或字母。",
                "The password is one character throughout; please mix digits or letters.",
            ),
            Weak::Run => (
                "密码由连续或等差的数字、字母组成（如 123456、abc123），请打乱次序。",
                "The password is made of sequences such as 123456 or abc123; please mix the order.",
            ),
            Weak::Pattern => (
                "密码是重复或对称的简单组合（如 121212、112233、123321），请另设一个。",
                "The password is a simple pattern such as 121212, 112233 or 123321; please choose another.",
            ),
            Weak::Birthday => {
                ("密码中含有您的生日，请另设一个。", "The password contains your birthday; please choose another.")
            }
            Weak::Number => (
                "密码中含有您的学工号或其中一段（含倒写），请另设一个。",
                "The password contains your student or staff number or a part of it, also backwards; please choose another.",
            ),
            Weak::Document => (
                "密码中含有您证件号码的一段（含倒写、初始密码），请另设一个。",
                "The password contains a part of your document's number, also backwards, or the first password; please choose \
                 another.",
            ),
            Weak::Common => (
                "这是很多人都在用的密码，很容易被猜到，请另设一个。",
                "Many people use this password and it is easily guessed; please choose another.",
            ),
        };
        Words::new("PASSWORD_WEAK", zh, en)
    }
}
