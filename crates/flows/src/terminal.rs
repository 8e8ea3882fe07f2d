//! Terminals: enrolment, and what a terminal is told when it comes (M19).

use rules::ids::{EnrolmentId, MerchantId, TerminalNo};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::rows::{Campus, Enrolment, Key, Row};
use crate::school::fault_words;
use crate::{ReadFault, School};

/// What an operator says of a new terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTerminal {
    /// Number on the card's side.
    pub terminal: TerminalNo,
    /// Short name of the merchant that sells there.
    pub merchant: String,
    /// Where it stands, in Chinese.
    pub place_zh: String,
    /// Where it stands, in English.
    pub place_en: String,
    /// SHA-256 of its certificate.
    pub certificate: [u8; 32],
}

struct Enrol {
    id: EnrolmentId,
    new: NewTerminal,
}

enum Stop {
    NoMerchant,
    CertificateTaken,
}

impl Command<Campus> for Enrol {
    type Answer = EnrolmentId;
    type Refusal = Stop;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![
            Key::MerchantCode(self.new.merchant.clone()),
            Key::Terminal(self.new.terminal),
            Key::Certificate(self.new.certificate),
        ];
        for known in [Key::Terminal(self.new.terminal), Key::Certificate(self.new.certificate)] {
            keys.extend(seen.row(&known).and_then(Row::enrolled).copied().map(Key::Enrolment));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<EnrolmentId, Halt<Campus, Stop>> {
        let merchant: MerchantId = *desk
            .get(&Key::MerchantCode(self.new.merchant.clone()))?
            .and_then(Row::sells)
            .ok_or(Halt::Refuse(Stop::NoMerchant))?;
        let shown = desk.get(&Key::Certificate(self.new.certificate))?.and_then(Row::enrolled).copied();
        let old = desk.get(&Key::Terminal(self.new.terminal))?.and_then(Row::enrolled).copied();
        if let Some(shown) = shown {
            let row = desk.get(&Key::Enrolment(shown))?.and_then(Row::enrolment).cloned();
            let (Some(mut row), true) = (row, old == Some(shown)) else {
                return Err(Halt::Refuse(Stop::CertificateTaken));
            };
            row.merchant = merchant;
            row.place_zh.clone_from(&self.new.place_zh);
            row.place_en.clone_from(&self.new.place_en);
            desk.put(Key::Enrolment(shown), Row::Enrolment(Box::new(row)))?;
            return Ok(shown);
        }
        if let Some(old) = old
            && let Some(mut row) = desk.get(&Key::Enrolment(old))?.and_then(Row::enrolment).cloned()
        {
            row.replaced = true;
            desk.put(Key::Enrolment(old), Row::Enrolment(Box::new(row)))?;
        }
        let enrolment = Enrolment {
            id: self.id,
            terminal: self.new.terminal,
            merchant,
            place_zh: self.new.place_zh.clone(),
            place_en: self.new.place_en.clone(),
            certificate: self.new.certificate,
            last_seq: 0,
            contiguous: 0,
            beyond: Vec::new(),
            quarantined: false,
            replaced: false,
        };
        desk.put(Key::Terminal(self.new.terminal), Row::Enrolled(self.id))?;
        desk.put(Key::Certificate(self.new.certificate), Row::Enrolled(self.id))?;
        desk.insert_new(Key::Enrolment(self.id), Row::Enrolment(Box::new(enrolment)));
        Ok(self.id)
    }
}

/// Enrols a terminal. A terminal number that was enrolled before gets a new enrolment; the old one takes no more part.
///
/// Errors: `MERCHANT_UNKNOWN`, `CERTIFICATE_TAKEN` (shown by another terminal), faults.
/// Repeats: the same number with the same certificate gives the same enrolment; merchant and place hold from now on.
pub async fn enrol(school: &School, new: NewTerminal) -> Result<EnrolmentId, Words> {
    let code = new.merchant.clone();
    let id = EnrolmentId(school.new_id());
    school.submit(Enrol { id, new }).await.map_err(|rejected| match rejected {
        Rejected::Refused(Stop::NoMerchant) => Words::new(
            "MERCHANT_UNKNOWN",
            format!("没有代码为 {code} 的商户，请先导入或新增该商户。"),
            format!("There is no merchant {code}; add or import it first."),
        ),
        Rejected::Refused(Stop::CertificateTaken) => Words::new(
            "CERTIFICATE_TAKEN",
            "此证书属于另一台终端，请为本终端生成新证书。",
            "This certificate belongs to another terminal; make a new one for this terminal.",
        ),
        Rejected::Fault(fault) => fault_words(&fault),
    })
}

/// The enrolment that shows the certificate with this SHA-256; `None` for an unknown one. One that was replaced or is
/// quarantined may still deliver what happened there; it takes no cards and no new sales.
pub async fn by_certificate(school: &School, certificate: [u8; 32]) -> Result<Option<Enrolment>, ReadFault> {
    let enrolled = school.row(&Key::Certificate(certificate)).await?;
    let Some(id) = enrolled.as_ref().and_then(Row::enrolled) else { return Ok(None) };
    let row = school.row(&Key::Enrolment(*id)).await?;
    Ok(row.as_ref().and_then(Row::enrolment).cloned())
}

/// Highest contiguous record number of an enrolment.
pub async fn acknowledged(school: &School, id: EnrolmentId) -> Result<u64, ReadFault> {
    let row = school.row(&Key::Enrolment(id)).await?;
    Ok(row.as_ref().and_then(Row::enrolment).map_or(0, |enrolment| enrolment.contiguous))
}
