//! The query password: first password, what is too weak, and the door that locks (R24, R25, R26, R77).
//!
//! A try is counted before it is checked: a hundred guesses at once count as a hundred, and a process that dies while it
//! checks forgets none. There is no growing delay before the lock: with a lock after five it could bar two tries at most,
//! and it would slow the holder's typing errors more than it slows a guesser.

mod weak;

use std::hint::black_box;

use ledger::Micros;

use crate::calendar::campus_time;
use crate::limits::{Limits, Setting};
use crate::words::Words;

pub use weak::{MAX_LENGTH, MIN_LENGTH, Weak, check_new};

/// Characters of a first password.
const INITIAL_LENGTH: usize = 6;

/// What the door compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Never changed: the last six of the identity number (R25); no hash is stored.
    Initial,
    /// The holder's own.
    Own {
        /// Argon2id, with a pepper outside the database.
        hash: String,
        /// Since when.
        set_at: Micros,
    },
}

/// A query password and the count of wrong tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    /// What the door compares with.
    pub secret: Secret,
    /// Tries since the last right one, counted before they are checked; also those that met a locked door.
    pub tries: u8,
    /// No try is let through before this.
    pub locked_until: Option<Micros>,
}

/// What of a holder a password may not be made of, and what the first one is made of. No `Debug`: personal data.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// Student or staff number.
    pub number: &'a str,
    /// Number of the identity document: letters and digits, capital.
    pub document: &'a str,
    /// The document is an identity card (else a passport or permit).
    pub identity_card: bool,
}

/// How an X at the end of an identity number counts in the first password (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XRule {
    /// `X`, `x` or `0` in its place: all three are right.
    Either,
    /// `0` in its place.
    Zero,
    /// The X stays; it may be typed as `X` or `x`.
    Keep,
    /// Left out: the six digits before it.
    Shift,
}

impl XRule {
    /// The rule that holds.
    pub fn of(limits: &Limits) -> XRule {
        match limits.get(Setting::InitialPasswordXRule) {
            1 => XRule::Zero,
            2 => XRule::Keep,
            3 => XRule::Shift,
            _ => XRule::Either,
        }
    }
}

/// Every first password that is right for this holder; never empty, the plainest one first.
///
/// Shape: six characters. An identity card gives its last six; an X at the end counts by `rule`. A passport or permit gives
/// the last six of its digits, letters left out, with zeros in front when it has fewer. Source: R25.
pub fn initial(holder: &Holder<'_>, rule: XRule) -> Vec<String> {
    if !holder.identity_card {
        let digits: String = holder.document.chars().filter(char::is_ascii_digit).collect();
        return vec![format!("{:0>INITIAL_LENGTH$}", tail(&digits))];
    }
    let Some(digits) = holder.document.strip_suffix(['X', 'x']) else {
        return vec![tail(holder.document).to_owned()];
    };
    let head = tail(holder.document).trim_end_matches(['X', 'x']);
    match rule {
        XRule::Either => vec![format!("{head}X"), format!("{head}x"), format!("{head}0")],
        XRule::Zero => vec![format!("{head}0")],
        XRule::Keep => vec![format!("{head}X"), format!("{head}x")],
        XRule::Shift => vec![tail(digits).to_owned()],
    }
}

/// The last six characters, or all of a shorter text.
fn tail(text: &str) -> &str {
    let cut = text.len().saturating_sub(INITIAL_LENGTH);
    text.get(cut..).unwrap_or(text)
}

/// Whether `typed` is a right first password. Every byte of every right one is compared, whatever was typed. Source: R25.
pub fn fits_initial(typed: &str, holder: &Holder<'_>, rule: XRule) -> bool {
    initial(holder, rule).iter().fold(false, |fits, right| fits | same(typed, right))
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
fn same(typed: &str, right: &str) -> bool {
    let pairs = typed.bytes().chain(std::iter::repeat(0)).zip(right.bytes());
    let differs = pairs.fold(typed.len() != right.len(), |differs, (a, b)| black_box(differs | (a != b)));
    !differs
}

/// The door is locked; the try was counted all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The door with the try counted, to be kept.
    pub counted: Password,
    /// It opens then.
    pub until: Micros,
}

/// Counts a try. `Ok`: it may be checked, once the counted door is kept. `Err`: the door is locked.
///
/// The try that reaches [`Setting::PasswordTries`] locks the door for [`Setting::PasswordLock`] seconds at once, before it
/// is checked; being right opens it again ([`right`]). Tries at a locked door do not prolong the lock, so that nobody can
/// keep a holder out by a steady trickle; the first try after it counts from one again.
/// Repeats: every call is a try. Source: R77.
pub fn try_now(password: &Password, limits: &Limits, now: Micros) -> Result<Password, Locked> {
    let counted = |tries: u8, locked_until| Password { secret: password.secret.clone(), tries, locked_until };
    let before = match password.locked_until {
        Some(until) if now < until => {
            return Err(Locked { counted: counted(password.tries.saturating_add(1), Some(until)), until });
        }
        Some(_) => 0,
        None => password.tries,
    };
    let tries = before.saturating_add(1);
    let last = i64::from(tries) >= limits.get(Setting::PasswordTries);
    Ok(counted(tries, last.then(|| now.after_seconds(limits.get(Setting::PasswordLock)))))
}

/// The door after a right password: nothing counted, not locked. Repeats: stays so.
pub fn right(password: &Password) -> Password {
    Password { secret: password.secret.clone(), tries: 0, locked_until: None }
}

/// The door after a change to a new password with this hash.
///
/// `set_at` is later than the one before, also when the clock stood still, so that sessions can be told apart by it
/// ([`crate::session`]).
pub fn changed(password: &Password, hash: String, now: Micros) -> Password {
    let set_at = crate::session::made_at(&password.secret, now);
    Password { secret: Secret::Own { hash, set_at }, tries: 0, locked_until: None }
}

/// Whether nothing but a change of the password is open to the holder. Source: R26.
pub fn must_change(password: &Password, limits: &Limits) -> bool {
    password.secret == Secret::Initial && limits.get(Setting::InitialPasswordForceChange) == 1
}

/// Whether a change is recommended: older than [`Setting::PasswordMaxAge`], or still the first one. Source: R77.
pub fn reminder(password: &Password, limits: &Limits, now: Micros) -> bool {
    match &password.secret {
        Secret::Initial => true,
        Secret::Own { set_at, .. } => now > set_at.after_seconds(limits.get(Setting::PasswordMaxAge)),
    }
}

/// What everyone is told at the door who is not let in: wrong number, wrong password and locked door sound the same, so
/// that nobody learns which numbers exist (R24).
pub fn auth_failed(limits: &Limits) -> Words {
    let (tries, minutes) = (limits.get(Setting::PasswordTries), minutes(limits.get(Setting::PasswordLock)));
    Words::new(
        "AUTH_FAILED",
        format!(
            "学工号或查询密码不正确，或因连续输错已被暂时锁定。连续输错 {tries} 次后请等待 {minutes} 分钟再试；\
             忘记密码请带身份证到校园卡服务中心。"
        ),
        format!(
            "The number or the query password is wrong, or the account is locked after wrong tries. After {tries} wrong \
             tries please wait {minutes} minutes. If you forgot the password, bring your identity card to the card \
             service centre."
        ),
    )
}

fn minutes(seconds: i64) -> i64 {
    let whole = seconds.checked_div(60).unwrap_or(0);
    let rest = seconds.checked_rem(60).unwrap_or(0);
    whole.saturating_add(i64::from(rest > 0))
}

impl Locked {
    /// What a holder is told who is signed in and types the old password wrong too often.
    pub fn words(&self) -> Words {
        // The moment itself may have seconds: the next full minute is surely open.
        let open = campus_time(Micros::new(self.until.get().saturating_add(59_999_999)));
        let (hour, minute) = (open.hour, open.minute);
        Words::new(
            "PASSWORD_LOCKED",
            format!("输错次数过多，密码验证已暂时锁定，请在 {hour:02}:{minute:02} 以后再试。"),
            format!("Too many wrong tries; the password is locked. Please try again after {hour:02}:{minute:02}."),
        )
    }
}

/// What a holder is told whose old password is wrong when changing it.
pub fn old_wrong() -> Words {
    Words::new(
        "PASSWORD_WRONG",
        "原查询密码不正确，请重新输入；忘记密码请带身份证到校园卡服务中心。",
        "The old query password is wrong; please type it again. If you forgot it, bring your identity card to the card \
         service centre.",
    )
}

/// What a holder is told whose password is wrong when proving again who they are.
pub fn wrong() -> Words {
    Words::new(
        "PASSWORD_WRONG",
        "查询密码不正确，请重新输入；忘记密码请带身份证到校园卡服务中心。",
        "The query password is wrong; please type it again. If you forgot it, bring your identity card to the card service \
         centre.",
    )
}

/// What everyone can read of the first password beside the door. It speaks of no person. Source: R25.
pub fn initial_hint(rule: XRule) -> Words {
    let (zh, en) = match rule {
        XRule::Either => ("末位为 X 的，X 可输入 X、x 或 0", "an X at its end may be typed as X, x or 0"),
        XRule::Zero => ("末位为 X 的，以 0 代替 X", "an X at its end is typed as 0"),
        XRule::Keep => ("末位为 X 的，照输 X，大小写均可", "an X at its end is typed as X or x"),
        XRule::Shift => ("末位为 X 的，取 X 之前的六位", "if it ends in X, the six characters before the X"),
    };
    Words::new(
        "INITIAL_PASSWORD",
        format!(
            "初始查询密码为身份证号后六位（{zh}）；用护照或通行证登记的，为证件号码中数字的后六位，不足六位前面补 0。"
        ),
        format!(
            "The first query password is the last six characters of the identity number ({en}); with a passport or permit, \
             the last six digits of its number, with zeros in front if there are fewer."
        ),
    )
}

#[cfg(test)]
mod tests;
