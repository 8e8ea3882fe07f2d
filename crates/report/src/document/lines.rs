//! Where a text goes on in a next line: between Han characters, at blanks, after a slash; never before a closing mark or
//! after an opening one. A word that is longer than the line is broken where the line ends.

/// Marks that do not begin a line.
const NOT_FIRST: &str = "，。、；：！？）》」』】〕〉”’…—·％,.;:!?)]}%";

/// Marks that do not end a line.
const NOT_LAST: &str = "（《「『【〔〈“‘([{¥￥$\u{2212}+";

/// `text` in lines that are no wider than `width`, by the advance of its characters; blanks at their ends are left out.
///
/// Shape: `\n` begins a new line. A character that is wider than the line has a line of its own. Never empty.
pub(super) fn broken(text: &str, width: i32, advance: &dyn Fn(char) -> i32) -> Vec<String> {
    text.split('\n').flat_map(|paragraph| paragraph_lines(paragraph, width, advance)).collect()
}

fn paragraph_lines(text: &str, width: i32, advance: &dyn Fn(char) -> i32) -> Vec<String> {
    let chars: Vec<char> = text.chars().filter(|each| !each.is_control()).collect();
    let mut lines = Vec::new();
    let (mut start, mut at, mut taken) = (0, 0, 0_i32);
    // The last place of the line where another may begin.
    let mut place = 0;
    while let Some(next) = chars.get(at).copied() {
        if at > start && may_break(chars.get(at.wrapping_sub(1)).copied().unwrap_or(' '), next) {
            place = at;
        }
        let wider = taken.saturating_add(advance(next));
        // A blank that does not fit is at the end of the line, where it is not seen.
        if wider > width && at > start && next != ' ' {
            let cut = if place > start { place } else { at };
            lines.push(trimmed(&chars, start, cut));
            start = cut;
            while chars.get(start) == Some(&' ') {
                start += 1;
            }
            at = start;
            (taken, place) = (0, start);
            continue;
        }
        taken = wider;
        at += 1;
    }
    if start < chars.len() || lines.is_empty() {
        lines.push(trimmed(&chars, start, chars.len()));
    }
    lines
}

fn trimmed(chars: &[char], from: usize, to: usize) -> String {
    chars.get(from..to).unwrap_or_default().iter().collect::<String>().trim_end_matches(' ').to_owned()
}

/// A line may end with `before` and the next begin with `after`.
fn may_break(before: char, after: char) -> bool {
    if after == ' ' || NOT_FIRST.contains(after) || NOT_LAST.contains(before) {
        return false;
    }
    if before == ' ' || is_wide(before) || is_wide(after) {
        return true;
    }
    before == '/' || (before == '-' && after.is_alphabetic())
}

/// A character of the writing that knows no blanks.
const fn is_wide(each: char) -> bool {
    matches!(each, '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Han characters are two wide, others one.
    fn cells(each: char) -> i32 {
        if is_wide(each) { 2 } else { 1 }
    }

    #[test]
    fn lines_end_where_a_reader_expects_it() {
        let table: [(&str, i32, &[&str]); 11] = [
            ("", 10, &[""]),
            ("one two three", 7, &["one two", "three"]),
            ("one  two", 3, &["one", "two"]),
            ("abcdefghij", 4, &["abcd", "efgh", "ij"]),
            ("食堂消费", 4, &["食堂", "消费"]),
            ("到账后，贴卡", 6, &["到账", "后，贴", "卡"]),
            ("金额（元）", 6, &["金额", "（元）"]),
            ("付¥12.50元", 5, &["付", "¥12.5", "0元"]),
            ("canteen/dormitory", 10, &["canteen/", "dormitory"]),
            ("a\nb", 9, &["a", "b"]),
            ("𠮷𠮷𠮷", 4, &["𠮷𠮷", "𠮷"]),
        ];
        for (text, width, lines) in table {
            assert_eq!(broken(text, width, &cells), lines, "{text:?} in {width}");
        }
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_and_no_character_is_lost() {
        let text = "卡片充值 (card top-up): 校园卡¥1,234.50，2026-11-23 08:00 在“第一食堂”；see https://example.edu/help/guide。";
        let solid = |text: &str| text.chars().filter(|each| *each != ' ').collect::<String>();
        for width in 2..60 {
            let lines = broken(text, width, &cells);
            assert!(lines.iter().all(|line| line.chars().map(cells).sum::<i32>() <= width), "{width}: {lines:?}");
            assert_eq!(solid(&lines.concat()), solid(text));
        }
    }

    #[test]
    fn control_characters_leave_no_trace() {
        assert_eq!(broken("a\u{7}b\tc\r", 9, &cells), ["abc"]);
    }
}
