//! How far the demo's people have come, by what the book and the provider's own record say; never by what was clicked.

use std::time::Duration;

use flows::home::home;
use flows::people;
use flows::records::{Record, records};
use flows::rows::{Key, Row};
use flows::{ReadFault, School};
use ledger::Micros;
use rules::card;
use rules::ids::{CardNo, PersonId};
use rules::load::{Attempt, State as LoadState};
use rules::purchase::State as SaleState;
use rules::top_up::State as OrderState;
use serde_json::Value;

/// So many of a person's newest records are looked at.
const RECORDS: u32 = 200;
/// So many of a card's newest loads are looked at.
const LOADS: u32 = 100;
/// A card that stays tells within this time that it took a load, seconds; a later word came in another hold.
const ONE_HOLD: i64 = 1;
/// The provider's record is on this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has happened to some people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Somebody has a password of their own.
    pub signed_in: bool,
    /// A top-up was paid.
    pub paid: bool,
    /// Something was bought.
    pub bought: bool,
    /// A load that a hold left open was settled by a later one.
    pub mended: bool,
    /// A load or a sale is open now.
    pub open: bool,
    /// A top-up was credited of which no notice ever came.
    pub by_query: bool,
    /// A card is reported lost.
    pub lost: bool,
    /// Records of these people.
    pub records: usize,
}

impl Progress {
    /// What has happened to `people`. The provider's record is at `sandbox`; as long as it does not answer, nothing is
    /// said of notices.
    ///
    /// Errors: the book could not be read.
    pub async fn of(school: &School, people: &[PersonId], sandbox: &str) -> Result<Progress, ReadFault> {
        let mut progress = Progress::default();
        let mut credited = Vec::new();
        for person in people {
            let revealed = people::reveal_initial_password(school, *person).await;
            progress.signed_in |= matches!(revealed, Ok(None));
            let records = records(school, *person, Micros::new(i64::MAX), RECORDS).await?;
            progress.records += records.len();
            for record in records {
                progress.note(&record, &mut credited);
            }
            if let Some((card, state)) = home(school, *person).await?.and_then(|home| home.card) {
                progress.lost |= state == card::State::Lost;
                progress.note_card(school, card).await?;
            }
        }
        if !credited.is_empty() {
            progress.by_query = without_notice(sandbox, &credited).await;
        }
        Ok(progress)
    }

    fn note(&mut self, record: &Record, credited: &mut Vec<String>) {
        match record {
            Record::TopUp(order, _) if matches!(order.state, OrderState::Credited(_)) => {
                self.paid = true;
                credited.push(order.no.to_string());
            }
            Record::Purchase(sale, _) => match sale.state {
                SaleState::Paid | SaleState::FromPurse | SaleState::ByBalance(None) => self.bought = true,
                SaleState::AwaitingPurse | SaleState::Unconfirmed | SaleState::Untold(_) => self.open = true,
                SaleState::Reversed
                | SaleState::CalledOff
                | SaleState::NotDebited
                | SaleState::ByBalance(Some(_))
                | SaleState::Suspended(_) => {}
            },
            Record::TopUp(..) | Record::Refund(_) => {}
        }
    }

    async fn note_card(&mut self, school: &School, no: CardNo) -> Result<(), ReadFault> {
        let row = school.row(&Key::Card(no)).await?;
        let Some(card) = row.as_ref().and_then(Row::card) else { return Ok(()) };
        self.open |= card.released.is_some() || !card.unconfirmed.is_empty();
        let oldest = card.attempt.saturating_sub(LOADS).saturating_add(1);
        let keys: Vec<Key> = (oldest..=card.attempt).map(|k| Key::Attempt(no, k)).collect();
        let attempts = school.rows(&keys).await?;
        self.mended |= attempts.iter().flatten().filter_map(Row::attempt).any(mended);
        Ok(())
    }
}

/// Whether a load was left open by its hold, and settled.
fn mended(attempt: &Attempt) -> bool {
    match attempt.state {
        LoadState::NotApplied { .. } => true,
        LoadState::Applied { at } => at > attempt.released_at.after_seconds(ONE_HOLD),
        LoadState::Released | LoadState::Doubted => false,
    }
}

/// Whether the provider never had a notice of one of these orders taken.
async fn without_notice(sandbox: &str, credited: &[String]) -> bool {
    let ask = async || -> Result<Value, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        client.get(format!("{sandbox}/control/state")).send().await?.error_for_status()?.json().await
    };
    match ask().await {
        Ok(state) => any_without_notice(&state, credited),
        Err(fault) => {
            tracing::warn!(%fault, "the sandbox did not say which notices it sent");
            false
        }
    }
}

fn any_without_notice(state: &Value, credited: &[String]) -> bool {
    let orders = state["orders"].as_array().into_iter().flatten();
    orders.filter(|order| order["out_trade_no"].as_str().is_some_and(|no| credited.iter().any(|each| each == no))).any(
        |order| {
            let mut notices = order["notices"].as_array().into_iter().flatten();
            !notices.any(|notice| notice["state"] == "delivered" && notice["probe"] != true)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_without_a_notice_is_one_that_was_asked_for() {
        let state = serde_json::json!({ "orders": [
            { "out_trade_no": "1", "notices": [{ "state": "delivered", "probe": false }] },
            { "out_trade_no": "2", "notices": [{ "state": "lost", "probe": false }] },
            { "out_trade_no": "3", "notices": [] },
            { "out_trade_no": "4", "notices": [{ "state": "delivered", "probe": true }] },
        ]});
        for (orders, expected) in
            [(&["1"][..], false), (&["2"], true), (&["1", "3"], true), (&["4"], true), (&["9"], false), (&[], false)]
        {
            let orders: Vec<String> = orders.iter().map(|no| (*no).to_owned()).collect();
            assert_eq!(any_without_notice(&state, &orders), expected, "{orders:?}");
        }
        assert!(!any_without_notice(&Value::Null, &["1".to_owned()]));
    }

    #[test]
    fn a_load_is_mended_when_the_card_told_in_a_later_hold() {
        let attempt = |state| Attempt {
            card: CardNo(1),
            k: 1,
            session: rules::load::Session {
                old_balance: 0,
                n: 0,
                key_version: 1,
                algorithm: 0,
                random: [0; 4],
                mac1: [0; 4],
                amount: 1,
                terminal: [0; 6],
            },
            date: [0; 4],
            time: [0; 3],
            items: Vec::new(),
            pend: 1,
            released_at: Micros::from_seconds(100),
            state,
        };
        let at = Micros::from_seconds;
        let table = [
            (LoadState::Released, false),
            (LoadState::Doubted, false),
            (LoadState::Applied { at: at(100) }, false),
            (LoadState::Applied { at: at(101) }, false),
            (LoadState::Applied { at: at(104) }, true),
            (LoadState::NotApplied { at: at(104) }, true),
        ];
        for (state, expected) in table {
            assert_eq!(mended(&attempt(state)), expected, "{state:?}");
        }
    }
}
