//! Personal data as pages, receipts and lists show it: enough to be recognised by its owner, too little for others.

use crate::ids::CardNo;

/// A name: 林*雨, 林*, 欧**雨. A name of several parts, and one in another script, keeps the first character of each part:
/// 阿***·买**, J*** S****.
pub fn name(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let one_part = !chars.iter().any(|c| part_ends(*c));
    let letters = chars.first().is_some_and(char::is_ascii_alphabetic);
    if !one_part || letters {
        return by_parts(&chars);
    }
    match chars.as_slice() {
        [] => String::new(),
        [_] => "*".to_owned(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", stars(middle.len())),
    }
}

fn by_parts(chars: &[char]) -> String {
    let mut starts = true;
    let mut masked = String::new();
    for c in chars {
        let shown = starts || part_ends(*c);
        masked.push(if shown { *c } else { '*' });
        starts = part_ends(*c);
    }
    masked
}

const fn part_ends(c: char) -> bool {
    matches!(c, ' ' | '·' | '-' | '.' | ',')
}

/// A phone number: 138****5678 for a mainland mobile; any other number keeps its first three and last two characters.
pub fn phone(phone: &str) -> String {
    let mobile = phone.len() == 11 && phone.bytes().all(|byte| byte.is_ascii_digit());
    if mobile { keep(phone, 3, 4) } else { keep(phone, 3, 2) }
}

/// The number of an identity document: 3301**********1234; a short one (passport) keeps its first and its last two
/// characters: E******78.
pub fn document(number: &str) -> String {
    if number.chars().count() >= 15 { keep(number, 4, 4) } else { keep(number, 1, 2) }
}

/// The number of a campus card: its last four digits, **** 0042.
pub fn card(no: CardNo) -> String {
    let digits = no.to_string();
    let last: String = digits.chars().skip(digits.chars().count().saturating_sub(4)).collect();
    format!("**** {last}")
}

/// Keeps the ends, if at least as much lies between them; else nothing is shown.
fn keep(text: &str, front: usize, back: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let ends = front.saturating_add(back);
    let hidden = chars.len().saturating_sub(ends);
    if hidden < 3 {
        return stars(chars.len());
    }
    let middle = front..front.saturating_add(hidden);
    chars.iter().enumerate().map(|(at, c)| if middle.contains(&at) { '*' } else { *c }).collect()
}

fn stars(count: usize) -> String {
    "*".repeat(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_card_number_the_last_four_digits_are_shown() {
        assert_eq!(card(CardNo(0x2026_0000_0000_0042)), "**** 0042");
        assert_eq!(card(CardNo(0)), "**** 0000");
    }

    #[test]
    fn names_are_recognised_by_their_owner_and_by_few_others() {
        let table = [
            ("林晓雨", "林*雨"),
            ("林雨", "林*"),
            ("林", "*"),
            ("", ""),
            ("欧阳晓雨", "欧**雨"),
            ("𠮷田雨", "𠮷*雨"),
            ("阿卜杜拉·买买提", "阿***·买**"),
            ("John Smith", "J*** S****"),
            ("Anna-Maria O'Neill", "A***-M**** O******"),
            ("Li", "L*"),
            ("김민수", "김*수"),
        ];
        for (plain, masked) in table {
            assert_eq!(name(plain), masked, "{plain}");
        }
    }

    #[test]
    fn numbers_show_their_ends_alone() {
        type Mask = fn(&str) -> String;
        let table: [(Mask, &str, &str); 11] = [
            (phone, "13812345678", "138****5678"),
            (phone, "+12025550123", "+12*******23"),
            (phone, "+1234567", "+12***67"),
            (phone, "+123456", "*******"),
            (phone, "", ""),
            (document, "330102200503150012", "3301**********0012"),
            (document, "33010220050315001X", "3301**********001X"),
            (document, "E12345678", "E******78"),
            (document, "AB1234", "A***34"),
            (document, "AB123", "*****"),
            (document, "123456789012345", "1234*******2345"),
        ];
        for (mask, plain, masked) in table {
            assert_eq!(mask(plain), masked, "{plain}");
        }
    }
}
