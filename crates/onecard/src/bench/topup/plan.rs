//! Which notice comes after which, drawn beforehand and the same in every bench.

use super::super::workload::Draw;

/// How far back the notice lies that comes again.
const BACK: u64 = 4096;

/// What a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first of a payment: it must be credited.
    Paid,
    /// A payment that was notified before, sealed and signed anew: the same answer, and nothing moves.
    Again,
    /// Signed with another key than the provider's: it must be refused.
    Forged,
}

/// One notice to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it is.
    pub kind: Kind,
    /// Place of its order among the orders.
    pub order: u32,
}

/// `notices` notices, and how many orders they name: 1 % are forged, for orders that nobody else pays, 2 % come again.
pub fn draw(notices: u64) -> (Vec<Wish>, u32) {
    let mut draw = Draw::new(notices);
    let mut wishes: Vec<Wish> = Vec::new();
    let mut orders = 0;
    for at in 0..notices {
        let chance = draw.below(100);
        let earlier = at.checked_sub(1 + draw.below(BACK)).and_then(|place| wishes.get(usize::try_from(place).ok()?));
        let again = earlier.filter(|wish| wish.kind == Kind::Paid && (chance == 1 || chance == 2)).copied();
        let wish = match again {
            Some(earlier) => Wish { kind: Kind::Again, ..earlier },
            None => {
                orders += 1;
                Wish { kind: if chance == 0 { Kind::Forged } else { Kind::Paid }, order: orders - 1 }
            }
        };
        wishes.push(wish);
    }
    (wishes, orders)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_in_a_hundred_is_forged_for_an_order_of_its_own_and_two_repeat_an_earlier_payment() {
        let (wishes, orders) = draw(50_000);
        let (mut paid, mut forged, mut again) = (BTreeSet::new(), BTreeSet::new(), 0);
        for wish in &wishes {
            match wish.kind {
                Kind::Paid => assert!(paid.insert(wish.order), "an order is paid once"),
                Kind::Forged => assert!(forged.insert(wish.order)),
                Kind::Again => {
                    again += 1;
                    assert!(paid.contains(&wish.order), "what comes again came before");
                }
            }
        }
        assert!(paid.is_disjoint(&forged));
        assert_eq!(paid.len() + forged.len(), usize::try_from(orders).unwrap());
        let in_a_thousand = |part: usize| part * 1000 / wishes.len();
        assert!((8..=12).contains(&in_a_thousand(forged.len())) && (16..=23).contains(&in_a_thousand(again)));
        assert_eq!(draw(1000), draw(1000));
    }
}
