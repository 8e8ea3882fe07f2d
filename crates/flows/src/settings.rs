//! The settings in force, and their change (R93).

use ledger::Micros;
use rules::limits::{Change, ChangeRefusal, Limits, Setting, check_change};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::rows::{Campus, Key, Row};
use crate::school::fault_words;
use crate::{ReadFault, School};

/// What holds now.
pub async fn limits(school: &School) -> Result<Limits, ReadFault> {
    Ok(Limits::at(&history(school).await?, school.now()))
}

/// Every change that was made, oldest first: who, when, from when.
pub async fn history(school: &School) -> Result<Vec<Change>, ReadFault> {
    let row = school.row(&Key::Settings).await?;
    Ok(row.as_ref().and_then(Row::settings).cloned().unwrap_or_default())
}

/// Why a setting stays as it is; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingRefusal {
    /// There is no setting of this name.
    #[error("there is no setting {0}")]
    Unknown(String),
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] ChangeRefusal),
    /// The teller could not do it.
    #[error(transparent)]
    Fault(#[from] teller::Fault),
}

impl SettingRefusal {
    /// What the person who set it is told.
    pub fn words(&self) -> Words {
        match self {
            SettingRefusal::Unknown(name) => Words::new(
                "SETTING_UNKNOWN",
                format!("没有名为 {name} 的设置项，请核对名称。"),
                format!("There is no setting called {name}; please check its name."),
            ),
            SettingRefusal::Rule(refusal) => refusal.words(),
            SettingRefusal::Fault(fault) => fault_words(fault),
        }
    }
}

/// Sets `name` to `value` from `from` on; `None` for at once. `by` stands in the history. Gives the change as it holds.
///
/// Errors: `Unknown`, then those of [`check_change`] in their order, then `Fault`.
/// Repeats: what already holds from that moment on is not written again. Source: R93.
pub async fn change_setting(
    school: &School,
    name: &str,
    value: i64,
    from: Option<Micros>,
    by: &str,
) -> Result<Change, SettingRefusal> {
    let setting = Setting::from_name(name).ok_or_else(|| SettingRefusal::Unknown(name.to_owned()))?;
    match school.submit(Set { setting, value, from, by: by.to_owned() }).await {
        Ok(change) => Ok(change),
        Err(Rejected::Refused(refusal)) => Err(refusal.into()),
        Err(Rejected::Fault(fault)) => Err(fault.into()),
    }
}

struct Set {
    setting: Setting,
    value: i64,
    from: Option<Micros>,
    by: String,
}

impl Command<Campus> for Set {
    type Answer = Change;
    type Refusal = ChangeRefusal;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Settings]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Change, Halt<Campus, ChangeRefusal>> {
        let now = desk.now();
        let mut history = desk.get(&Key::Settings)?.and_then(Row::settings).cloned().unwrap_or_default();
        let change = Change {
            setting: self.setting,
            value: self.value,
            from: self.from.unwrap_or(now),
            set_at: now,
            set_by: self.by.clone(),
        };
        check_change(&history, &change, now).map_err(Halt::Refuse)?;
        if Limits::at(&history, change.from).get(self.setting) != self.value {
            history.push(change.clone());
            desk.put(Key::Settings, Row::Settings(history))?;
        }
        Ok(change)
    }
}
