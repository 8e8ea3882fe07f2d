//! A WeChat user is bound to a holder's account: from then on that user comes in without a password.
//!
//! One user is bound to one account, one account to one user. A binding is made with the password and looked at like a
//! password: whoever has it gets in. So it is made and ended only after a fresh proof of identity, never under a first
//! password, which others can know, and a binding of before a restore opens nothing: it may have been ended since (M9).

use ledger::Micros;

use crate::epoch::Epoch;
use crate::ids::PersonId;
use crate::password::Secret;
use crate::session::{after, proved};
use crate::words::Words;

/// A WeChat user: the keyed hash of its openid.
pub type User = [u8; 32];

/// Who the WeChat user of an account is, or that it has none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Bound or ended.
    pub state: State,
    /// Since when. Later than every state before it, also when the clock stands still.
    pub at: Micros,
}

/// Bound or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// This user comes in without a password.
    Bound {
        /// Who.
        user: User,
    },
    /// Nobody does.
    Ended {
        /// Who of the staff ended it; `None` when the holder did.
        by: Option<String>,
    },
}

impl Binding {
    /// The user that is bound; `None` once it ended.
    pub const fn user(&self) -> Option<&User> {
        match &self.state {
            State::Bound { user } => Some(user),
            State::Ended { .. } => None,
        }
    }

    /// Whether it opens the account: bound, and since the newest restore (M9).
    pub fn opens(&self, epoch: Option<&Epoch>) -> bool {
        self.user().is_some() && epoch.is_none_or(|epoch| self.at > epoch.since)
    }

    fn next(before: Option<&Binding>, state: State, now: Micros) -> Binding {
        Binding { state, at: before.map_or(now, |before| now.max(after(before.at))) }
    }
}

/// What is known when somebody wants to be bound.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Who asks.
    pub person: PersonId,
    /// When the session that asks last had a proof of identity.
    pub proved_at: Option<Micros>,
    /// The query password.
    pub secret: &'a Secret,
    /// The WeChat user.
    pub user: &'a User,
    /// What the account has now.
    pub own: Option<&'a Binding>,
    /// Who has this user now, and by which binding.
    pub other: Option<(PersonId, &'a Binding)>,
    /// The holder was told that another user is bound, and wants this one in its place.
    pub instead: bool,
    /// The newest restore.
    pub epoch: Option<&'a Epoch>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is bound already.
    Nothing,
    /// The account gets this binding.
    Bind {
        /// The new one.
        binding: Binding,
        /// The user that was bound before and is not any more.
        leaves: Option<User>,
        /// The account of before a restore that this user leaves.
        from: Option<PersonId>,
    },
}

/// Why a user is not bound; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no fresh proof of identity.
    #[error("a fresh proof of identity is needed")]
    NotProved,
    /// The holder has no password of their own yet.
    #[error("the first password must be changed first")]
    FirstPassword,
    /// The user is bound to another account.
    #[error("the user is bound to another account")]
    Taken,
    /// Another user is bound to the account, and nobody said that it is to go.
    #[error("another user is bound to the account")]
    OtherBound,
}

/// Binds a user to an account.
///
/// A binding that does not open anything any more, because it is of before a restore, hinders nobody.
/// Errors, in order: `NotProved`, `FirstPassword`, `Taken`, `OtherBound`. Repeats: `Nothing`.
pub fn bind(wish: &Wish<'_>, now: Micros) -> Result<Step, Refusal> {
    if !proved(wish.proved_at, now) {
        return Err(Refusal::NotProved);
    }
    if *wish.secret == Secret::Initial {
        return Err(Refusal::FirstPassword);
    }
    let other = wish.other.filter(|(person, binding)| *person != wish.person && binding.user() == Some(wish.user));
    if other.is_some_and(|(_, binding)| binding.opens(wish.epoch)) {
        return Err(Refusal::Taken);
    }
    let own = wish.own.filter(|own| own.opens(wish.epoch)).and_then(Binding::user);
    match own {
        Some(user) if user == wish.user => return Ok(Step::Nothing),
        Some(_) if !wish.instead => return Err(Refusal::OtherBound),
        Some(_) | None => {}
    }
    let leaves = wish.own.and_then(Binding::user).filter(|user| *user != wish.user).copied();
    let binding = Binding::next(wish.own, State::Bound { user: *wish.user }, now);
    Ok(Step::Bind { binding, leaves, from: other.map(|(person, _)| person) })
}

/// Ends a binding, by the holder or by a member of the staff; `None` when none is there, which a repeat finds.
pub fn end(own: Option<&Binding>, by: Option<String>, now: Micros) -> Option<(User, Binding)> {
    let user = *own?.user()?;
    Some((user, Binding::next(own, State::Ended { by }, now)))
}

impl Refusal {
    /// What the holder is told.
    pub fn words(self) -> Words {
        match self {
            Refusal::NotProved => proof_required(),
            Refusal::FirstPassword => Words::new(
                "PASSWORD_CHANGE_REQUIRED",
                "您还在使用初始密码。请先修改查询密码，再绑定微信。",
                "You still use the first password. Please change the query password, then bind WeChat.",
            ),
            Refusal::Taken => Words::new(
                "WECHAT_TAKEN",
                "这个微信已绑定另一个校园卡账户。请先在那个账户中解除绑定，或带证件到校园卡服务中心办理。",
                "This WeChat user is bound to another account. Please end that binding first, or bring your identity \
                 document to the card service centre.",
            ),
            Refusal::OtherBound => Words::new(
                "WECHAT_BOUND",
                "您的账户已绑定另一个微信。确认更换后，原来的微信将不能再免密码进入。",
                "Another WeChat user is bound to your account. Once you confirm the change, that user can no longer come in \
                 without a password.",
            ),
        }
    }
}

/// What is told where a fresh proof of identity is needed.
pub fn proof_required() -> Words {
    Words::new(
        "PROOF_REQUIRED",
        "为了账户安全，请再输入一次查询密码。",
        "To keep your account safe, please enter your query password again.",
    )
}

/// What a WeChat user is told who is bound to no account.
pub fn not_bound() -> Words {
    Words::new(
        "WECHAT_NOT_BOUND",
        "这个微信还没有绑定校园卡账户。请用学工号和查询密码登录。",
        "This WeChat user is bound to no account. Please sign in with your number and query password.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: PersonId = PersonId(ledger::Id::new(1));
    const OTHER: PersonId = PersonId(ledger::Id::new(2));
    const MINE: User = [1; 32];
    const SECOND: User = [2; 32];

    fn bound(user: User, at: i64) -> Binding {
        Binding { state: State::Bound { user }, at: Micros::new(at) }
    }

    #[test]
    fn one_user_has_one_account_and_one_account_one_user() {
        let own_password = Secret::Own { hash: "h".to_owned(), set_at: Micros::new(1) };
        let epoch = Epoch { number: 2, since: Micros::new(50), orders_asked: true };
        let now = Micros::new(100);
        let plain = Wish {
            person: ME,
            proved_at: Some(now),
            secret: &own_password,
            user: &MINE,
            own: None,
            other: None,
            instead: false,
            epoch: None,
        };
        let (mine, second, old) = (bound(MINE, 60), bound(SECOND, 60), bound(MINE, 50));
        let ended = Binding { state: State::Ended { by: None }, at: Micros::new(100) };
        let step = |at, leaves, from| Ok(Step::Bind { binding: bound(MINE, at), leaves, from });
        let table = [
            ("no proof", Wish { proved_at: None, ..plain }, Err(Refusal::NotProved)),
            ("a first password", Wish { secret: &Secret::Initial, ..plain }, Err(Refusal::FirstPassword)),
            ("nobody bound", plain, step(100, None, None)),
            ("bound already", Wish { own: Some(&mine), other: Some((ME, &mine)), ..plain }, Ok(Step::Nothing)),
            ("another's", Wish { other: Some((OTHER, &mine)), instead: true, ..plain }, Err(Refusal::Taken)),
            ("another had it", Wish { other: Some((OTHER, &ended)), ..plain }, step(100, None, None)),
            ("another has another", Wish { other: Some((OTHER, &second)), ..plain }, step(100, None, None)),
            ("a second one", Wish { own: Some(&second), ..plain }, Err(Refusal::OtherBound)),
            (
                "a second one instead",
                Wish { own: Some(&second), instead: true, ..plain },
                step(100, Some(SECOND), None),
            ),
            ("ended in this very moment", Wish { own: Some(&ended), ..plain }, step(101, None, None)),
            ("m9: its own of before", Wish { own: Some(&old), epoch: Some(&epoch), ..plain }, step(100, None, None)),
            (
                "m9: another's of before",
                Wish { other: Some((OTHER, &old)), epoch: Some(&epoch), ..plain },
                step(100, None, Some(OTHER)),
            ),
        ];
        for (name, wish, expected) in table {
            assert_eq!(bind(&wish, now), expected, "{name}");
        }
    }

    #[test]
    fn m9_a_binding_of_before_a_restore_opens_nothing() {
        let epoch = Epoch { number: 2, since: Micros::new(50), orders_asked: false };
        assert!(bound(MINE, 50).opens(None));
        assert!(!bound(MINE, 50).opens(Some(&epoch)));
        assert!(bound(MINE, 51).opens(Some(&epoch)));
    }

    #[test]
    fn a_binding_ends_once_and_says_who_ended_it() {
        let now = Micros::new(60);
        let (user, ended) = end(Some(&bound(MINE, 60)), Some("li".to_owned()), now).expect("it is bound");
        assert_eq!((user, ended.user(), ended.at), (MINE, None, Micros::new(61)));
        assert_eq!(end(Some(&ended), None, now), None);
        assert_eq!(end(None, None, now), None);
    }
}
