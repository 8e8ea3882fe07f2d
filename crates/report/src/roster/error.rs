//! Why a roster file cannot be read or answered, and what the clerk can do.

use rules::roster::Field;

/// The file as a whole cannot be read. Texts hold nothing of the file's content but headings and row numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than we take.
    #[error("the file is larger than {mebibytes} MiB")]
    TooLarge {
        /// The limit.
        mebibytes: usize,
    },
    /// A workbook of the build before 2007, or one behind a password: both come in the same wrapping.
    #[error("the workbook is of an old build or locked with a password")]
    OldOrLocked,
    /// Neither a whole workbook nor anything else we know.
    #[error("the workbook is damaged")]
    Damaged,
    /// Text in neither UTF-8 nor GB18030.
    #[error("the text is neither UTF-8 nor GB18030")]
    Encoding,
    /// More rows than we take.
    #[error("the file has more than {max} rows")]
    TooManyRows {
        /// The limit.
        max: usize,
    },
    /// More columns than we take.
    #[error("row {row} has more than {max} columns")]
    TooManyColumns {
        /// Where.
        row: u32,
        /// The limit.
        max: usize,
    },
    /// A cell that no workbook can hold.
    #[error("row {row} has a cell that is too long")]
    CellTooLong {
        /// Where.
        row: u32,
    },
    /// Columns that a roster must have were not found by their headings.
    #[error("headings not found: {}", names(missing, Field::en, ", "))]
    HeadingsMissing {
        /// The columns without heading.
        missing: Vec<Field>,
    },
    /// Two columns with the same meaning.
    #[error("two columns are headed {}", field.en())]
    HeadingTwice {
        /// That meaning.
        field: Field,
    },
    /// Headings, and no person under them.
    #[error("there is nobody in the table")]
    Nobody,
}

impl ReadError {
    /// The stable code of the contract.
    pub const fn code(&self) -> &'static str {
        match self {
            ReadError::TooLarge { .. } => "ROSTER_FILE_TOO_LARGE",
            ReadError::OldOrLocked => "ROSTER_FILE_OLD_OR_LOCKED",
            ReadError::Damaged => "ROSTER_FILE_DAMAGED",
            ReadError::Encoding => "ROSTER_FILE_ENCODING",
            ReadError::TooManyRows { .. } => "ROSTER_FILE_TOO_MANY_ROWS",
            ReadError::TooManyColumns { .. } => "ROSTER_FILE_TOO_MANY_COLUMNS",
            ReadError::CellTooLong { .. } => "ROSTER_FILE_CELL_TOO_LONG",
            ReadError::HeadingsMissing { .. } => "ROSTER_HEADINGS_MISSING",
            ReadError::HeadingTwice { .. } => "ROSTER_HEADING_TWICE",
            ReadError::Nobody => "ROSTER_NOBODY",
        }
    }

    /// What is wrong and what to do, in Chinese.
    pub fn zh(&self) -> String {
        match self {
            ReadError::TooLarge { mebibytes } => format!("文件超过{mebibytes}MB，请拆分后分别导入。"),
            ReadError::OldOrLocked => {
                "这是旧版（.xls）或加了密码的工作簿。请去掉密码，另存为 .xlsx 后再导入。".to_owned()
            }
            ReadError::Damaged => "工作簿已损坏，无法读取。请用表格软件打开后另存为 .xlsx 再导入。".to_owned(),
            ReadError::Encoding => "文本编码不是 UTF-8 或 GB18030。请另存为 .xlsx 或“CSV UTF-8”后再导入。".to_owned(),
            ReadError::TooManyRows { max } => format!("超过{max}行，请拆分后分别导入。"),
            ReadError::TooManyColumns { row, max } => format!("第{row}行超过{max}列，请删去无关的列。"),
            ReadError::CellTooLong { row } => format!("第{row}行有内容过长的单元格，请检查文件。"),
            ReadError::HeadingsMissing { missing } => {
                let rows = super::HEADING_ROWS;
                format!("前{rows}行中找不到列标题：{}。请补上标题行后再导入。", names(missing, Field::zh, "、"))
            }
            ReadError::HeadingTwice { field } => format!("有两列的标题都表示{}，请只保留一列。", field.zh()),
            ReadError::Nobody => "标题下没有人员，请填写后再导入。".to_owned(),
        }
    }

    /// What is wrong and what to do, in English.
    pub fn en(&self) -> String {
        match self {
            ReadError::TooLarge { mebibytes } => format!("The file is larger than {mebibytes} MiB. Split it."),
            ReadError::OldOrLocked => "The workbook is of an old build (.xls) or locked with a password. Remove the \
                 password and save it as .xlsx."
                .to_owned(),
            ReadError::Damaged => {
                "The workbook is damaged. Open it in a spreadsheet program and save it as .xlsx again.".to_owned()
            }
            ReadError::Encoding => {
                "The text is neither UTF-8 nor GB18030. Save the file as .xlsx or as CSV UTF-8.".to_owned()
            }
            ReadError::TooManyRows { max } => format!("The file has more than {max} rows. Split it."),
            ReadError::TooManyColumns { row, max } => {
                format!("Row {row} has more than {max} columns. Delete those that do not belong.")
            }
            ReadError::CellTooLong { row } => format!("Row {row} has a cell that is too long. Look at the file."),
            ReadError::HeadingsMissing { missing } => format!(
                "No heading in the first {} rows for: {}. Add a row of headings.",
                super::HEADING_ROWS,
                names(missing, Field::en, ", ")
            ),
            ReadError::HeadingTwice { field } => format!("Two columns are headed {}. Keep one.", field.en()),
            ReadError::Nobody => "There is nobody below the headings. Fill in the table.".to_owned(),
        }
    }
}

fn names(fields: &[Field], name: impl Fn(Field) -> &'static str, between: &str) -> String {
    fields.iter().map(|field| name(*field)).collect::<Vec<_>>().join(between)
}

/// The answer workbook cannot be written: a fault of the program, not of the file.
#[derive(Debug, thiserror::Error)]
#[error("the workbook with the verdicts cannot be written")]
pub struct AnswerError(#[from] rust_xlsxwriter::XlsxError);
