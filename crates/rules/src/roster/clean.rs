//! What people and spreadsheets do to text, undone where only one reading is possible.

/// A character that shows nothing: blanks of any width, control characters, zero-width marks, direction marks.
pub(super) fn blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// A full-width letter, digit or sign as its plain form; every other character as it is.
pub(super) fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        _ => c,
    }
}

/// A number, a heading or a word of a fixed list as the rules compare it: plain width, no blanks, capital letters. The
/// apostrophe by which a spreadsheet marks text is dropped.
pub fn code(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !blank(*c)).map(half_width).map(|c| c.to_ascii_uppercase()).collect();
    plain.strip_prefix('\'').map(str::to_owned).unwrap_or(plain)
}

/// Whether normalised text can be a student or staff number.
pub(super) fn number_shape(text: &str) -> bool {
    text.len() <= super::NUMBER_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether normalised text can be the number of any document.
pub(super) fn document_shape(text: &str) -> bool {
    (6..=20).contains(&text.len()) && number_shape(text)
}

/// A Chinese character, the rare ones of the supplementary planes included.
pub(super) fn han(c: char) -> bool {
    matches!(c, '\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// Free text: blanks at the ends gone, runs of blanks inside become one space. Nothing else changes.
pub(super) fn words(text: &str) -> String {
    text.split(blank).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A person's name: outer blanks gone; blanks between Chinese characters gone, one space kept between foreign names; the
/// dot between parts of a name always `·`; full-width letters plain. No character is replaced by a more common one.
pub(super) fn name(text: &str) -> String {
    let text: Vec<char> = words(text).chars().collect();
    let mut out = String::new();
    for (at, c) in text.iter().copied().enumerate() {
        let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
        let after = at.checked_add(1).and_then(|i| text.get(i)).copied();
        let in_chinese = before.is_some_and(|c| han(c) || dot(c)) && after.is_some_and(|c| han(c) || dot(c));
        match c {
            ' ' if in_chinese => {}
            '.' | '\u{FF0E}' if in_chinese => out.push('·'),
            c if dot(c) => out.push('·'),
            c => out.push(half_width(c)),
        }
    }
    out
}

/// The dots that keyboards and fonts offer for the one in names.
fn dot(c: char) -> bool {
    matches!(c, '·' | '\u{0387}' | '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' | '\u{FF65}')
}

/// Whether a character can stand in a name: letters of any script with their marks, `·`, space, apostrophes, hyphen, full
/// stop, comma. Question marks, replacement and private-use characters are what a lost rare character leaves behind.
pub(super) fn in_name(c: char) -> bool {
    let private = matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..);
    let mark = matches!(c, '\u{0300}'..='\u{036F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    mark || (!private && (c.is_alphabetic() || han(c) || matches!(c, '·' | ' ' | '\'' | '’' | '-' | '.' | ',')))
}
