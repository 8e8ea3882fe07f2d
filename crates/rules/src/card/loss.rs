//! A holder reports a card lost (挂失, R82).
//!
//! On line it takes effect with the commit: every hold and every sale asks for the card's state in the same order of
//! decisions. The holder's money stays the holder's (M23, R21); only a person at the service centre takes it back (R83).

use ledger::Micros;

use super::{Card, Event, Refusal, State, decide};
use crate::ids::CardNo;
use crate::words::Words;

/// So many reports of one holder in an hour are a person's; more are somebody's trouble and raise an alarm. None of them is
/// refused for that.
pub const MOST_REPORTS: u32 = 5;

/// How long reports are counted together, seconds.
const HOUR: i64 = 3_600;

/// What a report does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The card is lost from now on.
    TakesEffect,
    /// It was refused everywhere already, since then.
    Holds {
        /// The first time of effect.
        since: Micros,
    },
}

/// Why a report does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossRefusal {
    /// The holder has no card.
    #[error("no card")]
    NoCard,
    /// The holder has another card than the one that the form shows.
    #[error("another card")]
    OtherCard,
    /// The form was sent with another content before.
    #[error("the form was used")]
    FormReused,
    /// The card is out of use, and is refused everywhere because of that.
    #[error("the card is {0:?}")]
    State(State),
}

/// Decides on the report that `named` is lost, by the holder whose card is `card`.
///
/// Errors, in order: `NoCard`, `OtherCard`, `State` for a card that is out of use. Repeats: a card that is lost, reported or
/// stopped by an alarm, stays as it is with its first time of effect. Source: R3, R82.
pub fn report_lost(card: Option<&Card>, named: CardNo) -> Result<Report, LossRefusal> {
    let card = card.ok_or(LossRefusal::NoCard)?;
    if card.no != named {
        return Err(LossRefusal::OtherCard);
    }
    match decide(card.state, Event::ReportLost) {
        Ok(_) => Ok(Report::TakesEffect),
        Err(_) if card.state == State::Lost => Ok(Report::Holds { since: card.since }),
        Err(_) => Err(LossRefusal::State(card.state)),
    }
}

/// Reports of one holder in the hour that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reports {
    /// When the first of them came.
    pub since: Micros,
    /// How many.
    pub count: u32,
}

impl Reports {
    /// With one more at `now`; after an hour the count begins anew.
    pub fn with_one_more(before: Option<Reports>, now: Micros) -> Reports {
        match before {
            Some(before) if now < before.since.after_seconds(HOUR) => {
                Reports { count: before.count.saturating_add(1), ..before }
            }
            Some(_) | None => Reports { since: now, count: 1 },
        }
    }

    /// There are more than a person's.
    pub const fn too_many(&self) -> bool {
        self.count > MOST_REPORTS
    }

    /// This one is the first of those that are too many.
    pub const fn first_too_many(&self) -> bool {
        self.count == MOST_REPORTS.saturating_add(1)
    }
}

impl LossRefusal {
    /// What the holder is told.
    pub fn words(self) -> Words {
        match self {
            LossRefusal::NoCard => Words::new(
                "CARD_STATE",
                "您名下没有校园卡，无需挂失。",
                "You have no campus card, so there is none to report.",
            ),
            LossRefusal::OtherCard => Words::new(
                "CARD_STATE",
                "您的卡已经更换，本页显示的是旧卡，没有挂失任何卡。如需挂失新卡，请重新打开“我的卡”。",
                "Your card was changed: the page shows the old one, and no card was reported. To report the new one, open the card page \
                 again.",
            ),
            LossRefusal::FormReused => Words::new(
                "FORM_REUSED",
                "此页面已用于另一项办理，没有挂失。请重新打开“我的卡”。",
                "This page was used for something else, and no card was reported. Please open the card page again.",
            ),
            LossRefusal::State(state) => Refusal::State(state).words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::Id;

    use super::*;
    use crate::ids::PersonId;

    fn card(state: State) -> Card {
        Card {
            no: CardNo(7),
            person: PersonId(Id::new(1)),
            state,
            since: Micros::from_seconds(100),
            n: 0,
            attempt: 0,
            released: None,
            unconfirmed: Vec::new(),
            awaiting: Vec::new(),
        }
    }

    #[test]
    fn r82_a_report_takes_effect_once_and_a_card_out_of_use_needs_none() {
        use State::*;
        let holds = Report::Holds { since: Micros::from_seconds(100) };
        let table = [
            (Some(Issued), 7, Ok(Report::TakesEffect)),
            (Some(Active), 7, Ok(Report::TakesEffect)),
            (Some(Lost), 7, Ok(holds)),
            (Some(Damaged), 7, Err(LossRefusal::State(Damaged))),
            (Some(Replaced), 7, Err(LossRefusal::State(Replaced))),
            (Some(Closed), 7, Err(LossRefusal::State(Closed))),
            (Some(Active), 8, Err(LossRefusal::OtherCard)),
            (Some(Lost), 8, Err(LossRefusal::OtherCard)),
            (None, 7, Err(LossRefusal::NoCard)),
        ];
        for (state, named, expected) in table {
            let card = state.map(card);
            assert_eq!(report_lost(card.as_ref(), CardNo(named)), expected, "{state:?} {named}");
        }
    }

    #[test]
    fn reports_of_an_hour_are_counted_together_and_the_sixth_is_the_first_too_many() {
        let at = |seconds: i64| Micros::from_seconds(1_795_400_000 + seconds);
        let mut reports = None;
        let table = [
            (0, 1, false, false),
            (1, 2, false, false),
            (2, 3, false, false),
            (3, 4, false, false),
            (4, 5, false, false),
            (5, 6, true, true),
            (6, 7, true, false),
            (3_599, 8, true, false),
            (3_600, 1, false, false),
        ];
        for (seconds, count, many, first) in table {
            let now = Reports::with_one_more(reports, at(seconds));
            assert_eq!((now.count, now.too_many(), now.first_too_many()), (count, many, first), "{seconds}");
            reports = Some(now);
        }
    }
}
