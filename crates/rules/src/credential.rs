//! Access tokens: who holds one, what it opens, how long it lives (R23 to R36 for programs).
//!
//! A token is `oc_` and the 64 hexadecimal digits of 256 unguessable bits. Only its SHA-256 is ever stored.

use ledger::{Id, Micros};

use crate::calendar::campus_day;
use crate::ids::PersonId;
use crate::password::Secret;
use crate::words::Words;

/// What every token begins with, so that a leaked one is found by a search.
pub const PREFIX: &str = "oc_";
/// Letters of a name at most.
pub const NAME_MAX: usize = 40;
/// Live tokens that one holder, or the school, has at most.
pub const MOST: usize = 20;
/// Days for which a holder may make one.
pub const LIVES: [u32; 3] = [30, 90, 365];
/// A token that ended is forgotten so many seconds after that, when its owner makes another: 90 days.
pub const REMEMBERED: i64 = 7_776_000;

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A holder's own, for the holder's own data.
    Person(PersonId),
    /// A program of the school.
    School,
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The holder's balance, records, messages and statements, to read.
    Read,
    /// Making top-up orders and following them.
    TopUp,
    /// Reporting the card lost.
    Card,
    /// The school's events.
    EventsRead,
    /// The numbers of holders in them.
    EventsNumbers,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 5] = [Scope::Read, Scope::TopUp, Scope::Card, Scope::EventsRead, Scope::EventsNumbers];
    /// What a holder's token can have.
    pub const PERSONAL: [Scope; 3] = [Scope::Read, Scope::TopUp, Scope::Card];
    /// What a token of the school can have.
    pub const SCHOOL: [Scope; 2] = [Scope::EventsRead, Scope::EventsNumbers];

    /// The word in forms, commands and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::TopUp => "topup",
            Scope::Card => "card",
            Scope::EventsRead => "events:read",
            Scope::EventsNumbers => "events:numbers",
        }
    }

    /// The scope with this word.
    pub fn from_word(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A token as it is stored; the row's key is the SHA-256 of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub subject: Subject,
    /// What its owner calls it.
    pub name: String,
    /// What it opens, in the order of [`Scope`], each once.
    pub scopes: Vec<Scope>,
    /// Since when.
    pub made_at: Micros,
    /// It ends then at the latest.
    pub expires_at: Micros,
    /// Last use, written down once a campus day.
    pub used_at: Option<Micros>,
    /// Its owner ended it then.
    pub revoked_at: Option<Micros>,
}

/// Whether a token still opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Live,
    /// Its owner ended it.
    Revoked,
    /// Its time is over.
    Expired,
    /// Its holder changed the password since, or has none of their own.
    PasswordChanged,
    /// The book went back to a backup since: nobody can tell whether it had been ended (M9).
    Restored,
}

impl Credential {
    /// How it stands at `now`. `secret` is the password of its holder, none for one of the school; `restored` the moment
    /// since which the book goes on from a backup.
    ///
    /// A holder's token rests on the password it was made under, as a session does: a new password ends it.
    pub fn life(&self, secret: Option<&Secret>, restored: Option<Micros>, now: Micros) -> Life {
        if self.revoked_at.is_some() {
            return Life::Revoked;
        }
        if now >= self.expires_at {
            return Life::Expired;
        }
        if restored.is_some_and(|since| self.made_at <= since) {
            return Life::Restored;
        }
        let rests = match (self.subject, secret) {
            (Subject::School, _) => true,
            (Subject::Person(_), Some(Secret::Own { set_at, .. })) => self.made_at > *set_at,
            (Subject::Person(_), Some(Secret::Initial) | None) => false,
        };
        if rests { Life::Live } else { Life::PasswordChanged }
    }

    /// Whether it opens what needs `scope`.
    pub fn opens(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the last use is to be written down again: once a campus day.
    pub fn used_is_old(&self, now: Micros) -> bool {
        self.used_at.is_none_or(|used| campus_day(used) < campus_day(now))
    }

    /// Whether it ended so long ago that nobody needs to see it any more.
    pub fn forgotten(&self, now: Micros) -> bool {
        self.revoked_at.unwrap_or(self.expires_at).after_seconds(REMEMBERED) <= now
    }
}

/// What is asked of a new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whose.
    pub subject: Subject,
    /// What its owner calls it, as typed.
    pub name: String,
    /// What it shall open.
    pub scopes: Vec<Scope>,
    /// For how many days.
    pub days: u32,
}

/// Why a token is not made; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No name, a longer one than [`NAME_MAX`], or one with control characters.
    Name,
    /// No scope, or one that this owner cannot have.
    Scopes,
    /// A life that is none of [`LIVES`].
    Days,
    /// The holder never chose a password of their own.
    FirstPassword,
    /// The owner has [`MOST`] live ones.
    TooMany,
}

impl Refusal {
    /// What the owner is told.
    pub fn words(self) -> Words {
        let (code, zh, en) = match self {
            Refusal::Name => (
                "TOKEN_NAME_INVALID",
                "请给令牌起一个 1 到 40 个字的名称。",
                "Please give the token a name of 1 to 40 letters.",
            ),
            Refusal::Scopes => (
                "TOKEN_SCOPES_INVALID",
                "请至少选择一项权限。",
                "Please choose at least one thing that the token may do.",
            ),
            Refusal::Days => {
                ("TOKEN_DAYS_INVALID", "有效期只能是 30、90 或 365 天。", "A token can live for 30, 90 or 365 days.")
            }
            Refusal::FirstPassword => (
                "TOKEN_FIRST_PASSWORD",
                "您还在使用初始密码，请先修改查询密码，再创建访问令牌。",
                "You still have the first password. Please change it first, then make a token.",
            ),
            Refusal::TooMany => (
                "TOKEN_TOO_MANY",
                "有效的访问令牌最多 20 个，请先撤销不用的。",
                "There are 20 tokens in use, which is the most. Please revoke one that is not needed.",
            ),
        };
        Words::new(code, zh, en)
    }
}

/// Checks a wish. `secret` is the holder's password, none for the school; `live` how many live tokens the owner has.
///
/// Errors: [`Refusal`], in its order. Source: web design, access tokens.
pub fn make(wish: &Wish, secret: Option<&Secret>, live: usize, now: Micros) -> Result<Credential, Refusal> {
    let name = wish.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::Name);
    }
    let (possible, made_at): (&[Scope], _) = match (wish.subject, secret) {
        (Subject::School, _) => (&Scope::SCHOOL, now),
        // Later than the password it rests on, even if the clock stands still.
        (Subject::Person(_), Some(secret)) => (&Scope::PERSONAL, crate::session::made_at(secret, now)),
        (Subject::Person(_), None) => (&Scope::PERSONAL, now),
    };
    let mut scopes = wish.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() || scopes.iter().any(|scope| !possible.contains(scope)) {
        return Err(Refusal::Scopes);
    }
    if !LIVES.contains(&wish.days) {
        return Err(Refusal::Days);
    }
    if matches!((wish.subject, secret), (Subject::Person(_), Some(Secret::Initial) | None)) {
        return Err(Refusal::FirstPassword);
    }
    if live >= MOST {
        return Err(Refusal::TooMany);
    }
    let expires_at = made_at.after_seconds(i64::from(wish.days).saturating_mul(86_400));
    let name = name.to_owned();
    Ok(Credential { subject: wish.subject, name, scopes, made_at, expires_at, used_at: None, revoked_at: None })
}

/// The text of a token: `oc_` and 64 hexadecimal digits.
pub fn text(secret: &[u8; 32]) -> String {
    let mut text = PREFIX.to_owned();
    for half in secret.chunks(16) {
        if let Ok(half) = half.try_into() {
            text.push_str(&Id::from_bytes(half).to_string());
        }
    }
    text
}

/// The secret of a token's text; `None` for any other text.
pub fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(PREFIX)?;
    let (head, tail) = digits.split_at_checked(32)?;
    let halves = [Id::parse(head).ok()?.bytes(), Id::parse(tail).ok()?.bytes()];
    halves.as_flattened().try_into().ok()
}

/// By what a token is named in lists, in forms and in logs: the first half of the hash of its secret. It opens nothing.
pub fn number(hash: &[u8; 32]) -> Id {
    hash.first_chunk().map_or_else(|| Id::new(0), |head| Id::from_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros::from_seconds(1_795_408_205);

    fn person() -> Subject {
        Subject::Person(PersonId(Id::new(7)))
    }

    fn own(set_at: Micros) -> Secret {
        Secret::Own { hash: "h".to_owned(), set_at }
    }

    fn wish() -> Wish {
        Wish {
            subject: person(),
            name: " 记账 ".to_owned(),
            scopes: vec![Scope::TopUp, Scope::Read, Scope::Read],
            days: 30,
        }
    }

    #[test]
    fn a_token_is_made_as_wished_and_the_first_fault_of_a_wish_is_told() {
        let secret = own(NOW);
        let made = make(&wish(), Some(&secret), 0, NOW).expect("a right wish");
        assert_eq!((made.name.as_str(), &made.scopes[..]), ("记账", &[Scope::Read, Scope::TopUp][..]));
        assert!(made.made_at > NOW, "it rests on a password set at this very moment");
        assert_eq!(made.expires_at, made.made_at.after_seconds(30 * 86_400));
        let school = Wish { subject: Subject::School, scopes: vec![Scope::EventsRead], ..wish() };
        assert!(make(&school, None, 0, NOW).is_ok());
        let table = [
            (Wish { name: "  ".into(), days: 1, ..wish() }, Some(&secret), 0, Refusal::Name),
            (Wish { name: "长".repeat(41), ..wish() }, Some(&secret), 0, Refusal::Name),
            (Wish { name: "a\u{7}".into(), ..wish() }, Some(&secret), 0, Refusal::Name),
            (Wish { scopes: vec![], ..wish() }, Some(&secret), 0, Refusal::Scopes),
            (Wish { scopes: vec![Scope::Read, Scope::EventsRead], ..wish() }, Some(&secret), 0, Refusal::Scopes),
            (Wish { subject: Subject::School, ..wish() }, None, 0, Refusal::Scopes),
            (Wish { days: 31, ..wish() }, Some(&secret), 0, Refusal::Days),
            (wish(), Some(&Secret::Initial), 0, Refusal::FirstPassword),
            (wish(), None, 0, Refusal::FirstPassword),
            (wish(), Some(&secret), MOST, Refusal::TooMany),
        ];
        for (wish, secret, live, expected) in table {
            assert_eq!(make(&wish, secret, live, NOW), Err(expected), "{wish:?}");
            assert!(!expected.words().zh.is_empty());
        }
    }

    #[test]
    fn a_token_ends_at_its_end_when_revoked_with_a_new_password_and_with_a_restore() {
        let secret = own(NOW);
        let token = make(&wish(), Some(&secret), 0, NOW).expect("a right wish");
        let revoked = Credential { revoked_at: Some(NOW), ..token.clone() };
        let last = Micros::new(token.expires_at.get() - 1);
        let newer = own(token.made_at);
        let table = [
            ("in its last moment", &token, Some(&secret), None, last, Life::Live),
            ("at its end", &token, Some(&secret), None, token.expires_at, Life::Expired),
            ("revoked", &revoked, Some(&secret), None, last, Life::Revoked),
            ("a new password", &token, Some(&newer), None, last, Life::PasswordChanged),
            ("a password reset to the first", &token, Some(&Secret::Initial), None, last, Life::PasswordChanged),
            ("a restore since", &token, Some(&secret), Some(token.made_at), last, Life::Restored),
            ("a restore before", &token, Some(&secret), Some(NOW), last, Life::Live),
        ];
        for (name, token, secret, restored, now, expected) in table {
            assert_eq!(token.life(secret, restored, now), expected, "{name}");
        }
    }

    #[test]
    fn a_token_s_text_is_read_back_and_no_other_text_is() {
        let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("small").wrapping_mul(37));
        let written = text(&secret);
        assert_eq!((written.len(), parse(&written)), (67, Some(secret)));
        for other in ["", "oc_", &written[..66], &format!("{written}0"), &written.replace("oc_", "ok_"), "oc_中文"] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(parse(&format!("oc_{}", "é".repeat(32))), None);
    }

    #[test]
    fn its_last_use_is_written_once_a_campus_day_and_it_is_forgotten_long_after_its_end() {
        let token = make(&wish(), Some(&own(NOW)), 0, NOW).expect("a right wish");
        assert!(token.used_is_old(NOW));
        let used = Credential { used_at: Some(NOW), ..token };
        assert!(!used.used_is_old(NOW.after_seconds(60)));
        assert!(used.used_is_old(NOW.after_seconds(86_400)));
        let end = used.expires_at.after_seconds(REMEMBERED);
        assert!(!used.forgotten(Micros::new(end.get() - 1)) && used.forgotten(end));
    }
}
