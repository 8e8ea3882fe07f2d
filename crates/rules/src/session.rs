//! What kinds of sessions there are, how long each lives, and what each rests on.

use ledger::Micros;

use crate::binding::Binding;
use crate::password::Secret;

/// Things that give access to others or open a door are done within so many seconds of a proof of identity.
pub const PROOF_LIFE: i64 = 600;

/// How somebody came in. Each kind passes one guard and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A holder, by number and query password in a browser.
    Holder,
    /// A holder, by the WeChat user that is bound to the account.
    WeChat,
    /// A holder at a kiosk, by card and password.
    Kiosk,
    /// A terminal's own page, by its certificate.
    Device,
    /// A member of staff at the console, by password and second factor.
    Staff,
}

/// Behind which guard something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A holder's own pages.
    Own,
    /// Pages of a kiosk.
    Kiosk,
    /// What a terminal may do.
    Terminal,
    /// The console.
    Console,
}

/// When a browser sends the session's cookie on a way in from another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// With plain links, as the way back from WeChat is one.
    Lax,
    /// Never.
    Strict,
}

/// What holds for a kind of sessions. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// It ends when it was not used for so long.
    pub idle: i64,
    /// It ends so long after it was made at the latest.
    pub life: i64,
    /// Its last use is written down again when so long passed since.
    pub seen_every: i64,
    /// Its cookie.
    pub same_site: SameSite,
    /// The one guard it passes.
    pub passes: Guard,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::Holder, Kind::WeChat, Kind::Kiosk, Kind::Device, Kind::Staff];

    /// What holds for it.
    pub fn law(self) -> Law {
        let law = |idle, life, seen_every, same_site, passes| Law { idle, life, seen_every, same_site, passes };
        match self {
            Kind::Holder | Kind::WeChat => law(30 * MINUTE, 7 * DAY, MINUTE, SameSite::Lax, Guard::Own),
            Kind::Kiosk => law(MINUTE, 15 * MINUTE, 5, SameSite::Strict, Guard::Kiosk),
            Kind::Device => law(5 * MINUTE, DAY, 30, SameSite::Strict, Guard::Terminal),
            Kind::Staff => law(15 * MINUTE, 12 * HOUR, MINUTE, SameSite::Strict, Guard::Console),
        }
    }

    /// Whether it passes a guard.
    pub fn passes(self, guard: Guard) -> bool {
        self.law().passes == guard
    }

    /// Whether it lives by the binding of a WeChat user.
    pub const fn by_binding(self) -> bool {
        match self {
            Kind::WeChat => true,
            Kind::Holder | Kind::Kiosk | Kind::Device | Kind::Staff => false,
        }
    }
}

/// When a session was made, last used, and ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Made.
    pub made_at: Micros,
    /// Last used.
    pub seen_at: Micros,
    /// Ends then at the latest.
    pub ends_at: Micros,
}

/// What a session of a holder rests on, as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Rests<'a> {
    /// The query password.
    pub secret: &'a Secret,
    /// The binding of a WeChat user, if one holds; looked at for [`Kind::WeChat`] alone.
    pub binding: Option<&'a Binding>,
}

/// The moment that a session or a password made at `now` is given: later than the password it rests on.
///
/// So a session rests on the present password exactly if it was made after it, even if the clock stands still and even if
/// both happen in one batch.
pub fn made_at(secret: &Secret, now: Micros) -> Micros {
    match secret {
        Secret::Initial => now,
        Secret::Own { set_at, .. } => now.max(after(*set_at)),
    }
}

/// The moment next to `at`.
pub(crate) fn after(at: Micros) -> Micros {
    Micros::new(at.get().saturating_add(1))
}

/// A session of this kind made at `now`: later than everything it rests on.
pub fn new(kind: Kind, rests: &Rests<'_>, now: Micros) -> Times {
    let made_at = made_at(rests.secret, now);
    let made_at = match rests.binding.filter(|_| kind.by_binding()) {
        Some(binding) => made_at.max(after(binding.at)),
        None => made_at,
    };
    Times { made_at, seen_at: now, ends_at: made_at.after_seconds(kind.law().life) }
}

/// Whether a session lives at `now`: used less than its idle time ago, not at its end, and made after the password that now
/// holds and, by WeChat, after the binding that now holds. At the very end of either time it is over.
pub fn lives(kind: Kind, times: &Times, rests: &Rests<'_>, now: Micros) -> bool {
    let by_password = match rests.secret {
        Secret::Initial => true,
        Secret::Own { set_at, .. } => times.made_at > *set_at,
    };
    let by_binding = !kind.by_binding()
        || rests.binding.is_some_and(|binding| binding.user().is_some() && times.made_at > binding.at);
    by_password && by_binding && now < times.ends_at && now < times.seen_at.after_seconds(kind.law().idle)
}

/// Whether the last use is to be written down again.
pub fn seen_is_old(kind: Kind, times: &Times, now: Micros) -> bool {
    now >= times.seen_at.after_seconds(kind.law().seen_every)
}

/// Whether a proof of identity of that moment still counts: it is less than [`PROOF_LIFE`] old. At the very end it does not.
pub fn proved(proved_at: Option<Micros>, now: Micros) -> bool {
    proved_at.is_some_and(|at| now < at.after_seconds(PROOF_LIFE))
}

#[cfg(test)]
mod tests;
