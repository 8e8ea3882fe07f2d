//! What a holder is told of a payment channel before paying anything: when the money arrives, and within which limits (R41).

use ledger::Fen;

use crate::chart::Channel;
use crate::limits::{Limits, Setting};
use crate::top_up::{Arrival, LARGE};

/// Terms of a channel as they hold at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which.
    pub channel: Channel,
    /// Where paid money goes first.
    pub arrival: Arrival,
    /// Least of an order.
    pub least: Fen,
    /// Most of an order that holders can make by themselves.
    pub per_order: Fen,
    /// Most of a holder's orders of one day together; none without such a limit.
    pub a_day: Option<Fen>,
    /// How long an order can be paid, seconds.
    pub pay_within: i64,
}

/// Terms of every channel that the platform has. An order that they allow is refused for the holder's own sake alone: the
/// card, the room in the account, what was ordered that day. Source: R19, R28, R29, R41, R65.
pub fn terms(limits: &Limits) -> [Terms; Channel::ALL.len()] {
    Channel::ALL.map(|channel| {
        let (per_order, a_day) = match channel {
            Channel::WeChat => (limits.fen(Setting::WeChatPerOrderMax), limits.fen(Setting::WeChatDailyMax)),
        };
        let below_large = LARGE.minus(Fen::new(1)).unwrap_or(LARGE);
        Terms {
            channel,
            arrival: arrival(channel, limits),
            least: limits.fen(Setting::TopUpMin),
            per_order: per_order.min(below_large),
            a_day: (a_day > Fen::ZERO).then_some(a_day),
            pay_within: limits.get(Setting::OrderPayWithin),
        }
    })
}

/// Where money goes first that is paid through `channel`.
pub fn arrival(channel: Channel, limits: &Limits) -> Arrival {
    let at_once = match channel {
        Channel::WeChat => limits.get(Setting::WeChatArrival) == 1,
    };
    if at_once { Arrival::Instant } else { Arrival::Tap }
}

#[cfg(test)]
mod tests {
    use ledger::Micros;

    use super::*;
    use crate::card;
    use crate::limits::Change;
    use crate::person::Standing;
    use crate::top_up::{OpenFacts, check_open};

    fn limits(values: &[(Setting, i64)]) -> Limits {
        let (from, set_at) = (Micros::new(0), Micros::new(0));
        let changes: Vec<Change> = values
            .iter()
            .map(|(setting, value)| Change { setting: *setting, value: *value, from, set_at, set_by: "test".into() })
            .collect();
        Limits::at(&changes, Micros::new(1))
    }

    #[test]
    fn r41_what_the_table_allows_an_order_may_be_and_no_fen_more() {
        let table = [
            limits(&[]),
            limits(&[(Setting::WeChatPerOrderMax, 50_000), (Setting::TopUpMin, 1_000)]),
            limits(&[(Setting::WeChatPerOrderMax, 10_000_000), (Setting::BalanceMax, 100_000_000)]),
            limits(&[(Setting::WeChatDailyMax, 300_000)]),
        ];
        for limits in table {
            let facts = OpenFacts {
                limits: &limits,
                standing: Standing::Open,
                card: Some(card::State::Active),
                holds: Fen::ZERO,
                open_orders: Fen::ZERO,
                ordered_today: Fen::ZERO,
            };
            for terms in terms(&limits) {
                let fen = |fen: i64| Fen::new(fen);
                let (least, most) = (terms.least.get(), terms.per_order.get());
                for (amount, allowed) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                    assert_eq!(check_open(fen(amount), &facts).is_ok(), allowed, "{amount} under {terms:?}");
                }
            }
        }
    }

    #[test]
    fn r29_no_limit_of_a_day_is_no_number_in_the_table() {
        let [none] = terms(&limits(&[]));
        let [some] = terms(&limits(&[(Setting::WeChatDailyMax, 300_000), (Setting::WeChatArrival, 1)]));
        assert_eq!((none.a_day, some.a_day), (None, Some(Fen::new(300_000))));
        assert_eq!((none.arrival, some.arrival), (Arrival::Tap, Arrival::Instant));
    }
}
