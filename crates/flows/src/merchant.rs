//! Merchants: who sells on the campus.

use rules::ids::MerchantId;
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::School;
use crate::rows::{Campus, Key, Merchant, Row};
use crate::school::fault_words;

struct Add(Merchant);

/// Nothing to refuse.
enum Never {}

impl Command<Campus> for Add {
    type Answer = MerchantId;
    type Refusal = Never;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::MerchantCode(self.0.code.clone())];
        let known = seen.row(&Key::MerchantCode(self.0.code.clone())).and_then(Row::sells);
        keys.extend(known.copied().map(Key::Merchant));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<MerchantId, Halt<Campus, Never>> {
        let known = desk.get(&Key::MerchantCode(self.0.code.clone()))?.and_then(Row::sells).copied();
        if let Some(id) = known {
            desk.put(Key::Merchant(id), Row::Merchant(Merchant { id, ..self.0.clone() }))?;
            return Ok(id);
        }
        desk.put(Key::MerchantCode(self.0.code.clone()), Row::Sells(self.0.id))?;
        desk.insert_new(Key::Merchant(self.0.id), Row::Merchant(self.0.clone()));
        Ok(self.0.id)
    }
}

/// Adds a merchant, or gives the one with this short name its new names.
///
/// Errors: `MERCHANT_CODE` for a short name that is not 1 to 32 letters, digits or hyphens; faults.
/// Repeats: the same short name is the same merchant.
pub async fn add(school: &School, code: &str, name_zh: &str, name_en: &str) -> Result<MerchantId, Words> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if code.is_empty() || code.len() > 32 || !code.bytes().all(plain) {
        return Err(Words::new(
            "MERCHANT_CODE",
            "商户代码须为 1 到 32 位字母、数字或连字符。",
            "The short name of a merchant has 1 to 32 letters, digits or hyphens.",
        ));
    }
    let merchant = Merchant {
        id: MerchantId(school.new_id()),
        code: code.to_owned(),
        name_zh: name_zh.to_owned(),
        name_en: name_en.to_owned(),
    };
    school.submit(Add(merchant)).await.map_err(|rejected| match rejected {
        Rejected::Refused(never) => match never {},
        Rejected::Fault(fault) => fault_words(&fault),
    })
}
