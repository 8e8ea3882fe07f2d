//! What can be wrong with a row, and what to do about it, in both languages.

use super::NUMBER_MAX;

/// A column of the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// 学工号.
    Number,
    /// 姓名.
    Name,
    /// 证件类型.
    DocumentKind,
    /// 证件号码.
    DocumentNumber,
    /// 人员类别.
    Category,
    /// 院系.
    Department,
    /// 手机号.
    Phone,
    /// 备注.
    Remark,
}

impl Field {
    /// The usual heading.
    pub const fn zh(self) -> &'static str {
        match self {
            Field::Number => "学工号",
            Field::Name => "姓名",
            Field::DocumentKind => "证件类型",
            Field::DocumentNumber => "证件号码",
            Field::Category => "人员类别",
            Field::Department => "院系",
            Field::Phone => "手机号",
            Field::Remark => "备注",
        }
    }

    /// The heading in English.
    pub const fn en(self) -> &'static str {
        match self {
            Field::Number => "number",
            Field::Name => "name",
            Field::DocumentKind => "document kind",
            Field::DocumentNumber => "document number",
            Field::Category => "category",
            Field::Department => "department",
            Field::Phone => "phone",
            Field::Remark => "remark",
        }
    }
}

/// Why a row is refused. Texts say what to mend and never repeat personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// No student or staff number.
    NumberMissing,
    /// Not 1 to 20 letters and digits.
    NumberForm,
    /// A number cell that has lost digits nobody can put back.
    NumberDigitsLost,
    /// An earlier row of the file has this number.
    NumberRepeated {
        /// That row.
        first: u32,
    },
    /// No name.
    NameMissing,
    /// A character that no name has, or that stands for one the file has lost.
    NameCharacter,
    /// The kind of document is none that we know, or is blank while the number is no identity card's.
    DocumentKindUnknown,
    /// No document number.
    DocumentMissing,
    /// A number cell: digits behind the fifteenth, or leading zeros, are lost.
    DocumentAsNumber,
    /// Not 17 digits and a digit or X.
    IdentityForm,
    /// The date inside is no day, or not yet.
    IdentityBirthDate,
    /// The last character does not fit the others.
    IdentityCheckDigit,
    /// Not 6 to 12 letters and digits.
    PassportForm,
    /// Not 8 to 18 letters and digits.
    PermitForm,
    /// An earlier row of the file has this document.
    DocumentRepeated {
        /// That row.
        first: u32,
    },
    /// No category.
    CategoryMissing,
    /// Neither student nor staff.
    CategoryUnknown,
    /// Not a mobile phone number.
    PhoneForm,
    /// More characters than fit.
    TooLong {
        /// Where.
        field: Field,
        /// How many fit.
        max: usize,
    },
}

impl RowFault {
    /// The stable code of the contract.
    pub const fn code(self) -> &'static str {
        match self {
            RowFault::NumberMissing => "ROSTER_NUMBER_MISSING",
            RowFault::NumberForm => "ROSTER_NUMBER_FORM",
            RowFault::NumberDigitsLost => "ROSTER_NUMBER_DIGITS_LOST",
            RowFault::NumberRepeated { .. } => "ROSTER_NUMBER_REPEATED",
            RowFault::NameMissing => "ROSTER_NAME_MISSING",
            RowFault::NameCharacter => "ROSTER_NAME_CHARACTER",
            RowFault::DocumentKindUnknown => "ROSTER_DOCUMENT_KIND_UNKNOWN",
            RowFault::DocumentMissing => "ROSTER_DOCUMENT_MISSING",
            RowFault::DocumentAsNumber => "ROSTER_DOCUMENT_AS_NUMBER",
            RowFault::IdentityForm => "ROSTER_IDENTITY_FORM",
            RowFault::IdentityBirthDate => "ROSTER_IDENTITY_BIRTH_DATE",
            RowFault::IdentityCheckDigit => "ROSTER_IDENTITY_CHECK_DIGIT",
            RowFault::PassportForm => "ROSTER_PASSPORT_FORM",
            RowFault::PermitForm => "ROSTER_PERMIT_FORM",
            RowFault::DocumentRepeated { .. } => "ROSTER_DOCUMENT_REPEATED",
            RowFault::CategoryMissing => "ROSTER_CATEGORY_MISSING",
            RowFault::CategoryUnknown => "ROSTER_CATEGORY_UNKNOWN",
            RowFault::PhoneForm => "ROSTER_PHONE_FORM",
            RowFault::TooLong { .. } => "ROSTER_TOO_LONG",
        }
    }

    /// The column to mend.
    pub const fn field(self) -> Field {
        match self {
            RowFault::NumberMissing
            | RowFault::NumberForm
            | RowFault::NumberDigitsLost
            | RowFault::NumberRepeated { .. } => Field::Number,
            RowFault::NameMissing | RowFault::NameCharacter => Field::Name,
            RowFault::DocumentKindUnknown => Field::DocumentKind,
            RowFault::DocumentMissing
            | RowFault::DocumentAsNumber
            | RowFault::IdentityForm
            | RowFault::IdentityBirthDate
            | RowFault::IdentityCheckDigit
            | RowFault::PassportForm
            | RowFault::PermitForm
            | RowFault::DocumentRepeated { .. } => Field::DocumentNumber,
            RowFault::CategoryMissing | RowFault::CategoryUnknown => Field::Category,
            RowFault::PhoneForm => Field::Phone,
            RowFault::TooLong { field, .. } => field,
        }
    }

    /// What is wrong and what to do, in Chinese.
    pub fn zh(self) -> String {
        match self {
            RowFault::NumberMissing => "缺学工号，请补填。".to_owned(),
            RowFault::NumberForm => format!("学工号只能由1至{NUMBER_MAX}位数字和字母组成，请改正。"),
            RowFault::NumberDigitsLost => {
                "学工号存成了数字，开头的0或末尾几位可能已丢失。请把单元格设为文本格式后重新填写。".to_owned()
            }
            RowFault::NumberRepeated { first } => {
                format!("学工号与第{first}行重复，以第{first}行为准。请核对后改正或删除本行。")
            }
            RowFault::NameMissing => "缺姓名，请补填。".to_owned(),
            RowFault::NameCharacter => {
                "姓名中有数字、问号、乱码或自造字等不能识别的字符。请按身份证件重新填写，生僻字请用标准汉字输入。"
                    .to_owned()
            }
            RowFault::DocumentKindUnknown => "证件类型不能识别，请填写居民身份证、护照或通行证。".to_owned(),
            RowFault::DocumentMissing => "缺证件号码，请补填。".to_owned(),
            RowFault::DocumentAsNumber => {
                "证件号码存成了数字，部分数位已丢失。请把单元格设为文本格式后按证件重新填写。".to_owned()
            }
            RowFault::IdentityForm => "身份证号码应为18位：17位数字加一位数字或X，请按证件核对。".to_owned(),
            RowFault::IdentityBirthDate => {
                "身份证号码中的出生日期（第7至14位）不存在或晚于今天，请按证件核对。".to_owned()
            }
            RowFault::IdentityCheckDigit => "身份证号码校验位不符，至少有一位写错，请按证件核对。".to_owned(),
            RowFault::PassportForm => "护照号码应为6至12位字母和数字，请按护照核对。".to_owned(),
            RowFault::PermitForm => "通行证号码应为8至18位字母和数字，请按证件核对。".to_owned(),
            RowFault::DocumentRepeated { first } => {
                format!("证件号码与第{first}行重复，以第{first}行为准。一人只能有一个账户，请核对后改正或删除本行。")
            }
            RowFault::CategoryMissing => "缺人员类别，请填写学生或教职工。".to_owned(),
            RowFault::CategoryUnknown => "人员类别不能识别，请改为学生或教职工。".to_owned(),
            RowFault::PhoneForm => {
                "手机号不正确。请填写11位手机号，境外号码请以+和国家代码开头；没有手机号可留空。".to_owned()
            }
            RowFault::TooLong { field, max } => format!("{}过长，最多{max}个字，请缩短。", field.zh()),
        }
    }

    /// What is wrong and what to do, in English.
    pub fn en(self) -> String {
        match self {
            RowFault::NumberMissing => "The student or staff number is missing. Fill it in.".to_owned(),
            RowFault::NumberForm => {
                format!("A student or staff number has 1 to {NUMBER_MAX} digits and letters. Correct it.")
            }
            RowFault::NumberDigitsLost => {
                "The number is stored as a numeric cell, so leading zeros or last digits may be \
                 lost. Format the cell as text and type the number again."
                    .to_owned()
            }
            RowFault::NumberRepeated { first } => {
                format!("Row {first} has the same number and stands. Correct or delete this row.")
            }
            RowFault::NameMissing => "The name is missing. Fill it in.".to_owned(),
            RowFault::NameCharacter => {
                "The name holds a digit, a question mark or a damaged or private character. Type it \
                 again as in the identity document, rare characters in their standard form."
                    .to_owned()
            }
            RowFault::DocumentKindUnknown => {
                "The kind of document is not known. Use identity card, passport or travel permit.".to_owned()
            }
            RowFault::DocumentMissing => "The document number is missing. Fill it in.".to_owned(),
            RowFault::DocumentAsNumber => {
                "The document number is stored as a numeric cell and has lost digits. Format the \
                 cell as text and type the number again from the document."
                    .to_owned()
            }
            RowFault::IdentityForm => {
                "An identity number has 17 digits and then a digit or X. Compare it with the document.".to_owned()
            }
            RowFault::IdentityBirthDate => {
                "The birth date in the identity number (digits 7 to 14) is no date or lies in the \
                 future. Compare it with the document."
                    .to_owned()
            }
            RowFault::IdentityCheckDigit => {
                "The check digit of the identity number does not fit: at least one digit is \
                 wrong. Compare it with the document."
                    .to_owned()
            }
            RowFault::PassportForm => {
                "A passport number has 6 to 12 letters and digits. Compare it with the passport.".to_owned()
            }
            RowFault::PermitForm => {
                "A travel permit number has 8 to 18 letters and digits. Compare it with the document.".to_owned()
            }
            RowFault::DocumentRepeated { first } => format!(
                "Row {first} has the same document and stands. One person has one account: correct or delete this row."
            ),
            RowFault::CategoryMissing => "The category is missing. Fill in student or staff.".to_owned(),
            RowFault::CategoryUnknown => "The category is not known. Use student or staff.".to_owned(),
            RowFault::PhoneForm => "The phone number is wrong. Give 11 digits, or + and the country code for a number \
                 abroad, or leave it blank."
                .to_owned(),
            RowFault::TooLong { field, max } => {
                format!("The {} is too long: at most {max} characters. Shorten it.", field.en())
            }
        }
    }
}
