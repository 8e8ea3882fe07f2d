//! What a person is told: a stable code and a sentence in each language that says what to do next.

/// A sentence for a person, in both languages, with its stable code (upper case, as the requirements name it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Stable code, such as `LIMIT_PER_ORDER`.
    pub code: &'static str,
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Words {
    /// A sentence.
    pub fn new(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Words {
        Words { code, zh: zh.into(), en: en.into() }
    }
}
