//! The load of a card at a terminal (圈存): released, then proved applied or proved not applied, by the card alone
//! (R31 to R34; M10 to M13; JR/T 0025 load transaction).
//!
//! A MAC2 is made only for an attempt that is durable. Once it is out, no time-out and no terminal's word decides: the
//! card's TAC does, or the on-line counter N in the next INITIALIZE that the card authenticated under a nonce issued after
//! the release.

use ledger::{Fen, Micros};

use crate::card::{self, Card};
use crate::case;
use crate::epoch::Meeting;
use crate::ids::{CardNo, OrderNo, TerminalNo};
use crate::limits::{Limits, Setting};
use crate::words::Words;

/// Where an item's money came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A paid top-up order.
    Order(OrderNo),
    /// The account itself, to fill the purse up to the float; goes back there when it is not applied.
    Float,
}

/// A piece of `awaiting_tap` (M10). A load takes whole items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it came from.
    pub source: Source,
    /// How much.
    pub amount: Fen,
    /// Since when it waits.
    pub since: Micros,
}

/// What the card showed in an INITIALIZE FOR LOAD whose MAC1 verified. Amounts in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Purse before.
    pub old_balance: u32,
    /// On-line counter before.
    pub n: u16,
    /// Key version.
    pub key_version: u8,
    /// Algorithm.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's proof.
    pub mac1: [u8; 4],
    /// Amount given to it.
    pub amount: u32,
    /// Terminal number and nonce given to it.
    pub terminal: [u8; 6],
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its MAC2 may be out.
    Released,
    /// As released; a TAC that does not verify came for it, and a case tells of that.
    Doubted,
    /// The card proved that it took it.
    Applied {
        /// When that was known.
        at: Micros,
    },
    /// The card proved that it did not and no longer can.
    NotApplied {
        /// When that was known.
        at: Micros,
    },
}

/// A load attempt, keyed (card, k) for ever (M6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which card.
    pub card: CardNo,
    /// Counted by the platform, from 1.
    pub k: u32,
    /// The session it was released for.
    pub session: Session,
    /// Date of MAC2, BCD.
    pub date: [u8; 4],
    /// Time of MAC2, BCD.
    pub time: [u8; 3],
    /// The items it carries, whole.
    pub items: Vec<Item>,
    /// Journal row that set the money aside.
    pub pend: u64,
    /// When it was released.
    pub released_at: Micros,
    /// How it stands.
    pub state: State,
}

/// What a tap is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// First in a hold: what waits.
    Load,
    /// Last in a hold: also fill the purse up to the float.
    Fill,
}

/// An open purse sale that may or may not have debited the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// How much.
    pub amount: Fen,
    /// The card gave a TAC that verifies over exactly this sale.
    pub proved: bool,
    /// It was authorised on line in this epoch of the book, so that no restore comes between it and what the book knows.
    pub of_this_epoch: bool,
    /// The card was asked for a proof of it in this hold.
    pub asked: bool,
    /// The card gave a proof at its counter that does not verify over it: what it was debited for there is another sale.
    pub contradicted: bool,
    /// What the book takes back when this sale is proved: a debit that has its counter by the balance alone.
    pub instead_of: Fen,
}

/// How an open sale is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The card was debited.
    Debited,
    /// It was not.
    NotDebited,
    /// Not known yet.
    Open,
    /// The balance does not tell after a restore: what the purse held was taken as it was, or misses what no terminal sends
    /// again, with or without this debit. A proof that still comes does (M9).
    Untold,
}

/// What the book knows of the purse. `suspense` is never above nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// Posted balance of `on_card`.
    pub on_card: Fen,
    /// Posted balance of `suspense(card)`.
    pub suspense: Fen,
    /// What can be spent of `available`.
    pub available: Fen,
}

/// What a tap is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The card.
    pub card: &'a Card,
    /// Its released attempt.
    pub attempt: Option<&'a Attempt>,
    /// Items that wait, oldest first; none of them in the released attempt.
    pub waiting: &'a [Item],
    /// The book's view of the purse.
    pub purse: Purse,
    /// What the tap is for.
    pub stage: Stage,
    /// The rules now.
    pub limits: &'a Limits,
    /// How far a restore explains that card and book disagree (M9).
    pub meeting: Meeting,
    /// The book was never restored, or a hold since has shown exactly what it has of this card: then no debit of before is
    /// missing in it.
    pub agreed: bool,
}

/// A card that is ahead of a restored book: what is done so that the book has what the chip has (M9).
///
/// Nothing of it is a gift: what waited for the card before the restore counts as loaded, and what no waiting item explains
/// stands against a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The card's counter, taken as it is.
    pub n: u16,
    /// Waiting items that the forgotten loads took.
    pub items: Vec<Item>,
    /// Waiting items of which nobody can tell whether they did: a case has their money until a person decides.
    pub untold: Vec<Item>,
    /// What else the purse holds more than the book explains; it comes out of the case's suspense.
    pub rest: Fen,
}

/// How the released attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// There was none.
    Nothing,
    /// The card took it.
    Applied,
    /// It did not.
    NotApplied,
}

/// What comes next in this hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Release these items now, under this session; `fill` comes out of the account.
    Release {
        /// Waiting items, all of them.
        items: Vec<Item>,
        /// More, from the account.
        fill: Fen,
    },
    /// INITIALIZE again with this amount under a fresh nonce.
    Again {
        /// In fen.
        amount: u32,
    },
    /// Nothing is to be loaded.
    Done,
}

/// A decision on an authenticated INITIALIZE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same MAC2 again: this very session was released before and its answer was lost.
    Resend,
    /// The earlier attempt and the open sales are settled, and the hold goes on.
    Proceed {
        /// The earlier attempt.
        resolution: Resolution,
        /// The open sales, in the order of [`Card::unconfirmed`].
        sales: Vec<Verdict>,
        /// The card is ahead of a restored book.
        ahead: Option<Ahead>,
        /// With all of this done the book has exactly what the purse shows.
        agrees: bool,
        /// What comes next.
        next: Next,
    },
    /// The chip contradicts the book: freeze the card, open a case, move no money.
    Alarm(case::Kind),
}

/// Why a tap is refused with no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The card is not known.
    #[error("the card is not known")]
    UnknownCard,
    /// The card's state does not allow it.
    #[error(transparent)]
    Card(#[from] card::Refusal),
    /// The terminal was replaced or is quarantined.
    #[error("the terminal takes no cards any more")]
    TerminalStopped,
    /// The answer was given under a nonce that is not, or no longer, the card's live one.
    #[error("the nonce is dead")]
    NonceDead,
    /// The proof is wrong: not our card, or not its keys.
    #[error("the card's proof does not verify")]
    NotProved,
    /// The card is ahead of a restored book, and not every open order was asked about yet (M9).
    #[error("the book was restored, and open orders are being asked about")]
    AfterRestore,
}

/// Amount for the first INITIALIZE of a tap: the released attempt's own, else what shall be loaded, else 1 fen as a mere
/// probe. Shape: at least 1. Source: M11.
pub fn first_amount(facts: &Facts<'_>) -> u32 {
    let amount = match facts.attempt {
        Some(attempt) => attempt.session.amount,
        None => wish(facts, facts.purse.on_card).0,
    };
    amount.max(1)
}

/// What shall be loaded when the purse holds `purse`: in all, and the part that comes out of the account.
fn wish(facts: &Facts<'_>, purse: Fen) -> (u32, Fen) {
    let waiting = Fen::sum(facts.waiting.iter().map(|item| item.amount)).unwrap_or(Fen::ZERO);
    let float = facts.limits.fen(Setting::PurseFloat);
    let after = purse.plus(waiting).unwrap_or(float);
    let half = Fen::new(float.get().checked_div(2).unwrap_or(0));
    let fill = match facts.stage {
        Stage::Fill if after < half => {
            float.minus(after).unwrap_or(Fen::ZERO).min(facts.purse.available).max(Fen::ZERO)
        }
        Stage::Fill | Stage::Load => Fen::ZERO,
    };
    let all = waiting.plus(fill).and_then(|all| u32::try_from(all.get()).ok()).unwrap_or(0);
    (all, fill)
}

/// Decides on an INITIALIZE FOR LOAD whose MAC1 verified.
///
/// Shape: `nonce_live` says that the session's nonce was the card's one live nonce, issued to this terminal while the
/// book had of the card what it has now, but for what this terminal itself brought, and is used up by this call.
/// Errors, in order: the card's state; `NonceDead` unless the session is a resend.
/// Repeats: the released session again is `Resend`; any other session needs a live nonce.
/// Source: M6, M11, M12, M13; JR/T 0025 torn load.
pub fn begin(
    facts: &Facts<'_>,
    session: &Session,
    nonce_live: bool,
    open_sales: &[Unconfirmed],
) -> Result<Decision, Refusal> {
    card::usable(facts.card.state)?;
    if let Some(attempt) = facts.attempt {
        let same = (attempt.session.n, attempt.session.random, attempt.session.terminal)
            == (session.n, session.random, session.terminal);
        if same {
            return Ok(Decision::Resend);
        }
    }
    if !nonce_live {
        return Err(Refusal::NonceDead);
    }
    let purse = Fen::new(i64::from(session.old_balance));
    let (mut resolution, mut unknown_loads) = match counted(facts, session.n) {
        Ok(counted) => counted,
        Err(alarm) => return Ok(Decision::Alarm(alarm)),
    };
    if resolution == Resolution::Applied && !shows_the_fill(facts, purse, open_sales) {
        (resolution, unknown_loads) = (Resolution::NotApplied, true);
    }
    let found = explained(facts, resolution).and_then(|explained| {
        let missing = explained.minus(proved(open_sales)?)?.minus(purse)?;
        let surplus = Fen::ZERO.minus(missing)?;
        let ahead = ahead(facts, session.n, resolution, unknown_loads, surplus, open_sales)?;
        let added = ahead.as_ref().map_or(Some(Fen::ZERO), Ahead::amount)?;
        let left = missing.plus(added)?;
        if left < Fen::ZERO {
            return None;
        }
        let scope = Scope::of(facts, taken_as_it_was(facts.meeting, resolution, unknown_loads), open_sales)?;
        let sales = settle_sales(missing, open_sales, &scope);
        let debited =
            open_sales.iter().zip(&sales).filter(|(sale, verdict)| !sale.proved && **verdict == Verdict::Debited);
        let agrees = Fen::sum(debited.map(|(sale, _)| sale.amount))? == left;
        Some((sales, ahead, agrees))
    });
    let Some((sales, ahead, agrees)) = found else {
        return Ok(Decision::Alarm(case::Kind::PurseAhead));
    };
    let next = next(facts, resolution, session, purse, ahead.as_ref());
    Ok(Decision::Proceed { resolution, sales, ahead, agrees, next })
}

/// What the card's counter says of the released attempt, and whether it took loads that the book does not know.
fn counted(facts: &Facts<'_>, n: u16) -> Result<(Resolution, bool), case::Kind> {
    let expected = facts.card.n;
    match (facts.attempt, facts.meeting) {
        (Some(_), _) if Some(n) == expected.checked_add(1) => Ok((Resolution::Applied, false)),
        (Some(_), _) if n == expected => Ok((Resolution::NotApplied, false)),
        (None, _) if n == expected => Ok((Resolution::Nothing, false)),
        _ if n < expected => Err(case::Kind::CardRolledBack),
        // The attempt's own counter is past: it was applied, or another that carried its items.
        (Some(_), Meeting::First { .. }) => Ok((Resolution::Applied, true)),
        (None, Meeting::First { .. }) => Ok((Resolution::Nothing, true)),
        (_, Meeting::Usual | Meeting::Ahead { .. }) => Err(case::Kind::CardAhead),
    }
}

/// What the card itself proves to have paid in open sales, less what is taken back for them.
fn proved(open: &[Unconfirmed]) -> Option<Fen> {
    let proved = || open.iter().filter(|sale| sale.proved);
    Fen::sum(proved().map(|sale| sale.amount))?.minus(Fen::sum(proved().map(|sale| sale.instead_of))?)
}

/// Whether the purse shows all of an attempt that filled it up. A forgotten load in its place carried the same orders, but
/// not the same fill: that had gone back to the account, and may have been spent.
fn shows_the_fill(facts: &Facts<'_>, purse: Fen, open: &[Unconfirmed]) -> bool {
    let fills = facts.attempt.is_some_and(|attempt| attempt.items.iter().any(|item| item.source == Source::Float));
    match (facts.meeting, fills) {
        // One that was released since the restore is forgotten by nobody: what it lacks was spent.
        (Meeting::First { since }, true) if facts.attempt.is_some_and(|attempt| attempt.released_at < since) => {
            let shown = proved(open).and_then(|proved| purse.plus(proved));
            explained(facts, Resolution::Applied).is_some_and(|explained| shown.is_some_and(|shown| shown >= explained))
        }
        (Meeting::First { .. } | Meeting::Usual | Meeting::Ahead { .. }, _) => true,
    }
}

/// What a restore explains of a `surplus`: how much more the purse holds than the book explains. `None`: it does not.
///
/// A load takes everything that waits. So a forgotten load took all that waited before the restore; what was credited since
/// (an order that was open in the backup) it took where the purse shows all of it, and not where the
/// purse shows nothing of it; in between nobody can tell. Nor of a fill that another load may have replaced. Nor of what was
/// due to go back by rule before the restore (R36), nor of what a failed refund gave back since, which waits since the very
/// restore: it may have been held for that while the card was loaded, unless the purse shows all of it.
/// Sales that have not come in yet make the purse show less than it took: then the book has more on the card than the chip,
/// and they will explain it.
fn ahead(
    facts: &Facts<'_>,
    n: u16,
    resolution: Resolution,
    unknown_loads: bool,
    surplus: Fen,
    open: &[Unconfirmed],
) -> Option<Option<Ahead>> {
    let replaced = facts.attempt.filter(|_| unknown_loads && resolution == Resolution::NotApplied);
    let carried = replaced.map_or(&[][..], |attempt| attempt.items.as_slice());
    let nothing = !unknown_loads && !surplus.is_positive();
    match facts.meeting {
        _ if nothing => Some(None),
        Meeting::First { since } if unknown_loads || resolution == Resolution::Applied => {
            let (mut items, mut untold, mut rest) = (Vec::new(), Vec::new(), surplus);
            for item in carried.iter().chain(facts.waiting) {
                let fill = item.source == Source::Float;
                let waited = unknown_loads && item.since <= since;
                let held = waited && (item.since == since || went_back_by(facts.limits, item, since));
                if !fill && ((waited && !held) || item.amount <= rest) {
                    rest = rest.minus(item.amount)?;
                    items.push(*item);
                } else if fill || held || rest.is_positive() {
                    untold.push(*item);
                }
            }
            Some(Some(Ahead { n, items, untold, rest: rest.max(Fen::ZERO) }))
        }
        Meeting::Ahead { late } => {
            let explained = surplus <= late.plus(late_now(open)?)?;
            explained.then(|| Some(Ahead { n, items: Vec::new(), untold: Vec::new(), rest: surplus }))
        }
        Meeting::First { .. } | Meeting::Usual => None,
    }
}

/// Whether a waiting item was due to go back by rule at `moment` (R36).
fn went_back_by(limits: &Limits, item: &Item, moment: Micros) -> bool {
    let after = limits.get(Setting::PendingRefundAfter);
    after > 0 && item.since.after_seconds(after) <= moment
}

impl Ahead {
    /// Whether this item waits no more.
    pub fn settles(&self, item: &Item) -> bool {
        self.items.contains(item) || self.untold.contains(item)
    }

    /// What comes onto the card in the book.
    pub fn amount(&self) -> Option<Fen> {
        Fen::sum(self.items.iter().map(|item| item.amount))?.plus(self.rest)
    }
}

/// What the purse holds by the book once the earlier attempt is settled.
fn explained(facts: &Facts<'_>, resolution: Resolution) -> Option<Fen> {
    let loaded = match (resolution, facts.attempt) {
        (Resolution::Applied, Some(attempt)) => Fen::new(i64::from(attempt.session.amount)),
        (Resolution::Applied | Resolution::NotApplied | Resolution::Nothing, _) => Fen::ZERO,
    };
    facts.purse.on_card.plus(facts.purse.suspense)?.plus(loaded)
}

/// What else than the open sales may be in the difference between book and purse.
#[derive(Clone, Copy, Debug)]
struct Scope {
    /// A terminal was told to debit the card and has not reported.
    others: bool,
    /// No debit of before a restore is missing in the book.
    agreed: bool,
    /// Debits that the book has and that the purse had shown before, at most; they hide as much of what is missing.
    hidden: Fen,
    /// The book took over what the purse held: of older sales it cannot miss anything.
    taken: bool,
}

impl Scope {
    fn of(facts: &Facts<'_>, taken: bool, open: &[Unconfirmed]) -> Option<Scope> {
        let hidden = match facts.meeting {
            Meeting::Ahead { late } => late.plus(late_now(open)?)?,
            Meeting::Usual | Meeting::First { .. } => Fen::ZERO,
        };
        Some(Scope { others: !facts.card.awaiting.is_empty(), agreed: facts.agreed, hidden, taken })
    }
}

/// Settles open sales by proof, or by the balance the card authenticated. `missing`: what the purse lacks of what the book
/// explains less the proved sales; below nothing when a card is ahead of a restored book.
///
/// With all loads settled, the purse is what the book explains less every debit that is not in the book. So if nothing is
/// missing, no open sale was debited; if exactly the open sales are missing, all of them were; if less is missing than the
/// least of them, none was. Anything else stays open. While a debit may be under way elsewhere, what is missing may be that
/// one: then nothing is judged debited by the balance. Neither is it when the card gave the proof of another sale at the
/// counter of an open one, for what is missing may be that sale; nor after a restore until book and card have agreed once:
/// what is missing may be a debit that nobody sends again. What stays open then, although the card was asked for a proof,
/// is a person's to decide.
fn settle_sales(missing: Fen, open: &[Unconfirmed], scope: &Scope) -> Vec<Verdict> {
    let doubtful = || open.iter().filter(|sale| !sale.proved).map(|sale| sale.amount);
    let least = doubtful().min().unwrap_or(Fen::ZERO);
    let at_most = missing.plus(scope.hidden);
    let plain = scope.agreed && scope.hidden == Fen::ZERO;
    let another = scope.others || open.iter().any(|sale| !sale.proved && sale.contradicted);
    let exactly = plain && !another && Fen::sum(doubtful()) == Some(missing);
    let verdict = |sale: &Unconfirmed| {
        let older = scope.taken && !sale.of_this_epoch;
        if sale.proved {
            Verdict::Debited
        } else if !older && at_most.is_some_and(|at_most| least > at_most) {
            Verdict::NotDebited
        } else if !older && exactly {
            Verdict::Debited
        } else if sale.asked && (older || !plain) {
            Verdict::Untold
        } else {
            Verdict::Open
        }
    };
    open.iter().map(verdict).collect()
}

/// Whether the book has taken over what the purse of a card that was ahead held, or does so now: then it cannot miss a debit
/// of before that.
const fn taken_as_it_was(meeting: Meeting, resolution: Resolution, unknown_loads: bool) -> bool {
    match meeting {
        Meeting::Usual => false,
        Meeting::First { .. } => unknown_loads || matches!(resolution, Resolution::Applied),
        Meeting::Ahead { .. } => true,
    }
}

/// Sales of before the restore that the card proves only now: they came in late too.
fn late_now(open: &[Unconfirmed]) -> Option<Fen> {
    Fen::sum(open.iter().filter(|sale| sale.proved && !sale.of_this_epoch).map(|sale| sale.amount))
}

fn next(facts: &Facts<'_>, resolution: Resolution, session: &Session, purse: Fen, ahead: Option<&Ahead>) -> Next {
    // What was not applied waits again; its float part goes back to the account. What was taken before waits no more.
    let settled = |item: &Item| ahead.is_some_and(|ahead| ahead.settles(item));
    let mut waiting = facts.waiting.to_vec();
    let mut available = facts.purse.available;
    if let (Resolution::NotApplied, Some(attempt)) = (resolution, facts.attempt) {
        for item in attempt.items.iter().filter(|item| !settled(item)) {
            match item.source {
                Source::Order(_) => waiting.push(*item),
                Source::Float => available = available.plus(item.amount).unwrap_or(available),
            }
        }
    }
    waiting.retain(|item| !settled(item));
    waiting.sort_by_key(|item| item.since);
    let after = Facts { waiting: &waiting, purse: Purse { available, ..facts.purse }, ..*facts };
    let (amount, fill) = wish(&after, purse);
    if amount == 0 {
        Next::Done
    } else if amount == session.amount {
        Next::Release { items: waiting, fill }
    } else {
        Next::Again { amount }
    }
}

/// What a TAC after CREDIT FOR LOAD means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The attempt is applied now.
    Applied,
    /// It was applied before; nothing changes, and nothing is proved about the card now.
    AlreadyApplied,
    /// The TAC is wrong: the attempt stays released, one case is opened for it; the card's next N decides.
    TacWrong,
    /// There is no such attempt, or it is proved not applied; nothing changes.
    NoSuchAttempt,
    /// A card took what the same card has proved not to have taken and not to be able to take any more: there are two. The
    /// card is frozen, a case is opened, no money moves.
    Contradicted,
}

/// Decides on the card's answer to CREDIT FOR LOAD.
///
/// Shape: `of_this_epoch` says that the attempt was released since the newest restore, if there was one: what an older one
/// came to may have been forgotten (M9).
/// Repeats: the same TAC again is `AlreadyApplied`. Source: JR/T 0025 load transaction; M11; T1.
pub const fn confirm(attempt: Option<&Attempt>, tac_verifies: bool, of_this_epoch: bool) -> Confirmation {
    match attempt {
        None => Confirmation::NoSuchAttempt,
        Some(attempt) => match (attempt.state, tac_verifies) {
            (State::Released | State::Doubted, true) => Confirmation::Applied,
            (State::Released | State::Doubted, false) => Confirmation::TacWrong,
            (State::Applied { .. }, _) => Confirmation::AlreadyApplied,
            (State::NotApplied { .. }, true) if of_this_epoch => Confirmation::Contradicted,
            (State::NotApplied { .. }, _) => Confirmation::NoSuchAttempt,
        },
    }
}

impl Refusal {
    /// What the person at the terminal is told.
    pub fn words(&self) -> Words {
        match self {
            Refusal::UnknownCard => Words::new(
                "CARD_UNREADABLE",
                "此卡不是本校的校园卡，请到校园卡服务中心查询。",
                "This is not a card of this school; please ask at the card service centre.",
            ),
            Refusal::Card(refusal) => refusal.words(),
            Refusal::TerminalStopped => Words::new(
                "TERMINAL_STOPPED",
                "本机已停用，请换一台机器。您的钱没有变化。",
                "This terminal is out of service; please use another one. Your money has not changed.",
            ),
            Refusal::NonceDead => Words::new(
                "TAP_AGAIN",
                "请重新贴卡。您的钱没有变化。",
                "Please hold the card again. Your money has not changed.",
            ),
            Refusal::AfterRestore => crate::epoch::not_asked_yet(),
            Refusal::NotProved => Words::new(
                "CARD_UNREADABLE",
                "卡片校验未通过，请重新贴卡；多次出现请到校园卡服务中心。",
                "The card could not be verified. Hold it again; if this repeats, go to the card service centre.",
            ),
        }
    }
}

/// How long after its release a card's TAC still shows that the card lies on that terminal, seconds.
const STILL_HERE: i64 = 60;

impl Attempt {
    /// Whether a TAC for this attempt at `now` shows that the card lies on `terminal`: it was released there, just now.
    pub fn shows_card_at(&self, terminal: TerminalNo, now: Micros) -> bool {
        self.session.terminal.starts_with(&terminal.0) && now <= self.released_at.after_seconds(STILL_HERE)
    }
}

/// What the person is told when the chip contradicts the book.
pub fn alarm_words() -> Words {
    Words::new(
        "CARD_FROZEN",
        "卡内记录与账户不符，此卡已暂停使用。您的钱已保全，请携卡到校园卡服务中心。",
        "The card's records differ from the account, so it is frozen. Your money is safe; bring the card to the card service centre.",
    )
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
