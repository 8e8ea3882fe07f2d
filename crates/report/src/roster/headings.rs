//! Which column means what: headings by name, in any order, somewhere near the top.

use std::collections::BTreeMap;

use rules::roster::{Cell, Field, RawRow, plain};

use super::{HEADING_ROWS, ReadError, Table};

/// Headings of the two columns of an answer; what our own answer adds and a second reading must not take for content.
pub(super) const VERDICTS: [[&str; 2]; 2] = [["处理结果", "原因"], ["Result", "Reason"]];

/// Columns that a roster cannot do without.
const NEEDED: [Field; 4] = [Field::Number, Field::Name, Field::DocumentNumber, Field::Category];

/// Where the headings stand.
#[derive(Clone, Debug)]
pub(super) struct Headings {
    /// The row of the headings.
    pub(super) row: u32,
    /// The two columns of an earlier answer, if there are any.
    pub(super) verdicts: Option<usize>,
    columns: BTreeMap<Field, usize>,
}

impl Headings {
    /// A row of the table, its cells in their places.
    pub(super) fn row_of(&self, row_number: u32, cells: &[Cell]) -> RawRow {
        let cell = |field| self.columns.get(&field).and_then(|at| cells.get(*at)).cloned().unwrap_or_default();
        RawRow {
            row_number,
            number: cell(Field::Number),
            name: cell(Field::Name),
            document_kind: cell(Field::DocumentKind),
            document_number: cell(Field::DocumentNumber),
            category: cell(Field::Category),
            department: cell(Field::Department),
            phone: cell(Field::Phone),
            remark: cell(Field::Remark),
        }
    }

    /// What a column means, for its width on paper.
    pub(super) fn field(&self, column: usize) -> Option<Field> {
        self.columns.iter().find(|(_, at)| **at == column).map(|(field, _)| *field)
    }
}

/// The row among the first ten that names the most columns; the upper one of equals.
pub(super) fn find(table: &Table) -> Result<Headings, ReadError> {
    let mut best: Option<(u32, Vec<(usize, Field)>)> = None;
    for (row, cells) in table.range(..=HEADING_ROWS) {
        let named = cells.iter().enumerate().filter_map(|(at, cell)| Some((at, field(cell)?))).collect::<Vec<_>>();
        if named.len() > best.as_ref().map_or(0, |(_, most)| most.len()) {
            best = Some((*row, named));
        }
    }
    let (row, named) = best.ok_or_else(|| ReadError::HeadingsMissing { missing: NEEDED.to_vec() })?;
    let mut columns = BTreeMap::new();
    let mut twice = None;
    for (at, field) in named {
        if columns.insert(field, at).is_some() {
            twice.get_or_insert(field);
        }
    }
    let missing: Vec<Field> = NEEDED.into_iter().filter(|field| !columns.contains_key(field)).collect();
    if !missing.is_empty() {
        return Err(ReadError::HeadingsMissing { missing });
    }
    if let Some(field) = twice {
        return Err(ReadError::HeadingTwice { field });
    }
    let verdicts = table.get(&row).and_then(|cells| {
        cells
            .windows(2)
            .position(|pair| VERDICTS.iter().any(|words| pair[0].shown() == words[0] && pair[1].shown() == words[1]))
    });
    Ok(Headings { row, verdicts, columns })
}

/// The meaning of a heading. Blanks, width, case, marks of duty and remarks in brackets do not matter.
fn field(cell: &Cell) -> Option<Field> {
    let mut word = String::new();
    let mut depth = 0_u32;
    for c in plain(cell.shown()).chars() {
        match c {
            '(' | '[' | '【' => depth += 1,
            ')' | ']' | '】' => depth = depth.saturating_sub(1),
            '*' | ':' => {}
            c if depth == 0 => word.push(c),
            _ => {}
        }
    }
    match word.as_str() {
        "学工号"
        | "学号"
        | "工号"
        | "学号/工号"
        | "学工号/工号"
        | "学工编号"
        | "人员编号"
        | "NUMBER"
        | "STUDENTNUMBER"
        | "STAFFNUMBER"
        | "STUDENT/STAFFNUMBER" => Some(Field::Number),
        "姓名" | "名字" | "NAME" | "FULLNAME" => Some(Field::Name),
        "证件类型" | "证件类别" | "证件种类" | "DOCUMENTKIND" | "DOCUMENTTYPE" | "IDTYPE" => {
            Some(Field::DocumentKind)
        }
        "证件号码" | "证件号" | "身份证号" | "身份证号码" | "身份证件号" | "身份证件号码" | "DOCUMENTNUMBER"
        | "IDNUMBER" => Some(Field::DocumentNumber),
        "人员类别" | "人员类型" | "人员身份" | "类别" | "身份" | "CATEGORY" => Some(Field::Category),
        "院系" | "学院" | "院系/部门" | "部门" | "单位" | "所在单位" | "所在院系" | "DEPARTMENT" => {
            Some(Field::Department)
        }
        "手机号" | "手机号码" | "手机" | "联系电话" | "电话" | "电话号码" | "移动电话" | "PHONE" | "MOBILE" => {
            Some(Field::Phone)
        }
        "备注" | "REMARK" | "REMARKS" | "NOTE" => Some(Field::Remark),
        _ => None,
    }
}
