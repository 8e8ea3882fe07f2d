//! Invented people, as a card office would send them. They go through the same checks as a real roster.

use rules::roster::{Cell, RawRow};

const SURNAMES: [&str; 20] = [
    "林", "陈", "王", "李", "张", "刘", "杨", "黄", "赵", "周", "吴", "徐", "孙", "马", "朱", "胡", "郭", "何", "欧阳",
    "罗",
];
const GIVEN: [&str; 25] = [
    "小雨", "浩然", "欣怡", "子涵", "雨桐", "俊杰", "思远", "嘉怡", "一诺", "明轩", "诗涵", "宇航", "佳宁", "文博",
    "若曦", "天佑", "梓萱", "志强", "晓燕", "建国", "静", "磊", "敏", "𠮷祥", "㛃",
];
const DEPARTMENTS: [&str; 6] = ["计算机学院", "外国语学院", "数学学院", "医学院", "后勤保障部", "图书馆"];

/// So many people in a row have different days of birth or order numbers: the multiple that 3 years or 25, 12 months, 28
/// days and 900 numbers have in common.
const DIFFERENT_IN_ONE_PLACE: u32 = 6_300;

/// Rows of `count` invented people; every twentieth is staff. The same number always gives the same people.
pub fn roster(count: u32) -> Vec<RawRow> {
    (0..count).map(row).collect()
}

fn row(index: u32) -> RawRow {
    let staff = index % 20 == 19;
    // Strides that share no factor with the lengths, so that names do not come in order.
    let pick = |list: &[&str], stride: u32| list[(index * stride) as usize % list.len()].to_owned();
    let number = if staff { format!("05{:04}", 1000 + index) } else { format!("2026{:06}", 100_000 + index * 37) };
    let (year, month, day) = if staff {
        (1970 + index % 25, 1 + index % 12, 1 + index % 28)
    } else {
        (2005 + index % 3, 1 + index % 12, 1 + index % 28)
    };
    // Everyone has another number: where day and order begin again, the next place of birth does not.
    let place = 110_101 + index / DIFFERENT_IN_ONE_PLACE;
    let body = format!("{place}{year:04}{month:02}{day:02}{:03}", 100 + index % 900);
    let text = |value: String| Cell::Text(value);
    RawRow {
        row_number: index + 1,
        number: text(number),
        name: text(format!("{}{}", pick(&SURNAMES, 7), pick(&GIVEN, 11))),
        document_kind: text("居民身份证".to_owned()),
        document_number: text(format!("{body}{}", check_digit(&body))),
        category: text(if staff { "教职工" } else { "学生" }.to_owned()),
        department: text(pick(&DEPARTMENTS, 5)),
        phone: text(format!("138{:08}", 10_000_000 + u64::from(index) * 7919 % 90_000_000)),
        remark: Cell::Empty,
    }
}

/// Last character of an identity number. Source: GB 11643.
fn check_digit(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.chars().zip(WEIGHTS).map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight).sum();
    ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize]
}

#[cfg(test)]
mod tests {
    use ledger::Micros;
    use rules::calendar::campus_day;

    use super::*;

    #[test]
    fn every_invented_person_passes_the_checks_of_a_real_roster() {
        let now = campus_day(Micros::from_seconds(1_795_400_000));
        for count in [1, 300, 20_000] {
            let checked = rules::roster::check(&roster(count), now);
            let refused: Vec<_> = checked.iter().filter_map(|entry| entry.as_ref().err()).collect();
            assert!(refused.is_empty(), "{refused:?}");
        }
    }
}
